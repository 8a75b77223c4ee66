//! What happens to a test message.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::phase::name;
use mailsonde_proto::time::{Instant, as_us};
use mailsonde_proto::{Phase, WallTime};

use crate::mail::failure::Failure;
use crate::mail::message::Body;
use crate::stopwatch::{signed_us, us};

/// Where a message can turn up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// INBOX.
    Inbox,
    /// The junk folder.
    Junk,
    /// A folder that a check names, because a filter files its message there.
    Folder,
}

impl Place {
    /// In facts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::Junk => "junk",
            Self::Folder => "folder",
        }
    }
}

/// What happens to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was seen.
    Arrived(Arrival),
    /// It came back.
    Bounced(Bounced),
    /// Something answered it.
    Replied(Reply),
}

/// A message of ours, seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// By what it was seen: `imap` or `pop3`.
    pub protocol: &'static str,
    /// In which kind of folder.
    pub place: Place,
    /// The folder's name.
    pub folder: String,
    /// Its UID there, or its unique-id in POP3.
    pub uid: String,
    /// When it was first seen.
    pub first_seen: Instant,
    /// When it was last seen to be absent.
    pub last_absent: Instant,
    /// When it was stored, by the server's clock, in whole seconds.
    pub stored: Option<WallTime>,
    /// In bytes, as stored.
    pub bytes: u32,
    /// What became of its content.
    pub body: Body,
    /// What it says.
    pub message: Arc<Arrived>,
    /// Where another agent saw it and this one was told.
    pub told: Option<Told>,
}

/// How well this agent knows when another saw a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// When this one heard of it.
    pub heard: Instant,
    /// By how much `first_seen` may be wrong; `None` where the clocks of the two do not compare.
    pub uncertainty: Option<Duration>,
}

impl Arrival {
    /// From the acceptance to the arrival, in a run that began at `origin`. It may be negative; of what another host
    /// saw it is absent where its error is as large as itself.
    pub fn phase(&self, origin: Instant, accepted: Instant) -> Option<Phase> {
        let start_us = signed_us(origin, accepted);
        let duration_us = signed_us(origin, self.first_seen).saturating_sub(start_us);
        let uncertainty_us = match self.told {
            None => us(self.last_absent, self.first_seen),
            Some(told) => as_us(told.uncertainty?),
        };
        let name = name::ARRIVAL.to_owned();
        let phase = Phase { name, start_us, duration_us, uncertainty_us };
        (self.told.is_none() || phase.is_known()).then_some(phase)
    }

    /// When it was there, as far as this host can tell: where its own time is not known, when it was heard of.
    pub fn seen_by(&self, accepted: Instant) -> Instant {
        match self.told {
            Some(told) if self.phase(accepted, accepted).is_none() => told.heard,
            _ => self.first_seen,
        }
    }
}

/// A message as it arrived.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Arrived {
    /// Its header block, as far as it is read.
    pub headers: Vec<u8>,
    /// All of it, unless it is large or was not given whole.
    pub whole: Option<Vec<u8>>,
}

impl fmt::Debug for Arrived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Arrived({} bytes of headers)", self.headers.len())
    }
}

/// A notification that a message of ours was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounced {
    /// Why, as the fault of the run.
    pub failure: Failure,
    /// In which folder.
    pub folder: String,
    /// When it was first seen.
    pub first_seen: Instant,
}

/// An automatic reply that provably answers a message of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What it says about itself, such as `auto-replied (vacation)` (RFC 3834 section 5).
    pub kind: String,
    /// Who sent it, as far as its header says.
    pub from: String,
    /// In which folder.
    pub folder: String,
    /// When it was first seen.
    pub first_seen: Instant,
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::Clock;

    use super::*;

    #[test]
    fn what_another_host_saw_has_its_error_and_is_absent_where_that_is_larger() {
        let ms = Duration::from_millis;
        let accepted = Clock::system().monotonic() + ms(1_000);
        let heard = accepted + ms(900);
        let arrival = |after_ms: u64, told| Arrival {
            protocol: "imap",
            place: Place::Inbox,
            folder: "INBOX".into(),
            uid: String::new(),
            first_seen: accepted + ms(after_ms),
            last_absent: accepted,
            stored: None,
            bytes: 1,
            body: Body::Same,
            message: Arc::default(),
            told,
        };
        let told = |error_ms| Some(Told { heard, uncertainty: Some(ms(error_ms)) });
        let origin = accepted - ms(50);
        for (arrival, expected, seen_by) in [
            (arrival(40, None), Some((50_000, 40_000, 40_000)), accepted + ms(40)),
            (arrival(40, told(7)), Some((50_000, 40_000, 7_000)), accepted + ms(40)),
            (arrival(40, told(39)), Some((50_000, 40_000, 39_000)), accepted + ms(40)),
            (arrival(40, told(40)), None, heard),
            (arrival(40, Some(Told { heard, uncertainty: None })), None, heard),
        ] {
            let phase = arrival.phase(origin, accepted);
            let figures = phase.map(|p| (p.start_us, p.duration_us, p.uncertainty_us));
            assert_eq!(figures, expected);
            assert_eq!(arrival.seen_by(accepted), seen_by);
        }
    }
}
