//! Sign-ins that have begun and whose browser has not come back: bounded in number and in time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mailsonde_proto::time::Instant;
use mailsonde_proto::vantage::random_bytes;

/// A browser that takes longer begins again.
const PATIENCE: Duration = Duration::from_secs(600);
/// At once, of everybody.
const MOST: usize = 1_000;
/// At once, of one address.
const MOST_OF_ONE: usize = 20;

/// By state.
#[derive(Default)]
pub(super) struct Pending(HashMap<String, Row>);

/// What must come back.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) nonce: String,
    /// RFC 7636 section 4.1.
    pub(super) verifier: String,
    pub(super) redirect_uri: String,
    address: IpAddr,
    begun_at: Instant,
}

impl Row {
    /// RFC 7636 section 4.2, S256.
    pub(super) fn challenge(&self) -> String {
        let digest = ring::digest::digest(&ring::digest::SHA256, self.verifier.as_bytes());
        URL_SAFE_NO_PAD.encode(digest)
    }
}

impl Pending {
    /// One more, with its state; `None` when there are too many.
    pub(super) fn begin(
        &mut self,
        redirect_uri: &str,
        address: IpAddr,
        now: Instant,
    ) -> Option<(String, Row)> {
        self.0.retain(|_, row| now.saturating_duration_since(row.begun_at) < PATIENCE);
        let of_one = self.0.values().filter(|row| row.address == address).count();
        if self.0.len() >= MOST || of_one >= MOST_OF_ONE {
            return None;
        }
        let random = || URL_SAFE_NO_PAD.encode(random_bytes::<32>());
        let redirect_uri = redirect_uri.to_owned();
        let row = Row { nonce: random(), verifier: random(), redirect_uri, address, begun_at: now };
        let state = random();
        self.0.insert(state.clone(), row.clone());
        Some((state, row))
    }

    /// The one with this state, which works once.
    pub(super) fn finish(&mut self, state: &str, now: Instant) -> Option<Row> {
        let row = self.0.remove(state)?;
        (now.saturating_duration_since(row.begun_at) < PATIENCE).then_some(row)
    }
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::Clock;

    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_standard() {
        // RFC 7636 appendix B
        let row = Row {
            nonce: String::new(),
            verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into(),
            redirect_uri: String::new(),
            address: [127, 0, 0, 1].into(),
            begun_at: Clock::system().monotonic(),
        };
        assert_eq!(row.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn a_state_works_once_and_not_for_long_and_there_are_not_many() {
        let (now, here) = (Clock::system().monotonic(), IpAddr::from([127, 0, 0, 1]));
        let mut pending = Pending::default();
        let (state, row) = pending.begin("x", here, now).unwrap();
        assert_eq!(pending.finish(&state, now).unwrap().nonce, row.nonce);
        assert!(pending.finish(&state, now).is_none());
        let (late, _) = pending.begin("x", here, now).unwrap();
        assert!(pending.finish(&late, now + PATIENCE).is_none());
        for _ in 0..MOST_OF_ONE {
            pending.begin("x", here, now).unwrap();
        }
        assert!(pending.begin("x", here, now).is_none());
        assert!(pending.begin("x", [127, 0, 0, 2].into(), now).is_some());
        assert!(pending.begin("x", here, now + PATIENCE).is_some());
    }
}
