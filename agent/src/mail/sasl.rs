//! Authentication: the strongest mechanism that both ends know (RFC 4422).
//!
//! rsasl does the mechanisms. Its SCRAM client trusts the server with the iteration count and with the
//! form of the messages, so both are looked at here first: a hostile server must neither keep the
//! processor busy for hours nor make the agent panic. An access token goes by `bearer`, never by a mechanism
//! for passwords, and a password never by `bearer`.

pub mod bearer;

use mailsonde_proto::time::Instant;
use rsasl::config::SASLConfig;
use rsasl::prelude::{Mechname, SASLClient, Session};

use super::endpoint::{Credential, Login};
use super::failure::Failure;
use crate::secret::Secret;
use bearer::Bearer;

/// Strongest first. RFC 7677 and RFC 5802 for SCRAM, RFC 4616 for PLAIN; LOGIN is not standardised, and
/// still all that some servers have.
const MECHANISMS: [&str; 4] = ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN", "LOGIN"];
/// The most PBKDF2 rounds that a server may ask for. RFC 7677 section 4 wants at least 4,096; 600,000 is
/// the most that is recommended anywhere, and half a second of work.
const MOST_ITERATIONS: u32 = 600_000;

/// One authentication under way.
pub struct Exchange(Way);

enum Way {
    Password(ByPassword),
    Token(Bearer),
}

struct ByPassword {
    session: Session,
    mechanism: &'static str,
    is_finished: bool,
}

impl Exchange {
    /// Begins with the strongest mechanism of those `offered`.
    ///
    /// # Errors
    /// When there is none that both ends know, or the login cannot be used with it.
    pub fn begin<'a>(
        offered: impl IntoIterator<Item = &'a str>,
        login: &Login,
    ) -> Result<Self, SaslError> {
        let offered: Vec<_> = offered.into_iter().map(str::to_ascii_uppercase).collect();
        Ok(Self(match &login.credential {
            Credential::Password(password) => {
                Way::Password(ByPassword::begin(&offered, &login.user, password)?)
            }
            Credential::Token(source) => Way::Token(Bearer::begin(&offered, &login.user, source)?),
        }))
    }

    /// The mechanism's name.
    pub fn mechanism(&self) -> &'static str {
        match &self.0 {
            Way::Password(by) => by.mechanism,
            Way::Token(bearer) => bearer.mechanism(),
        }
    }

    /// What the client says first, where it speaks first.
    ///
    /// # Errors
    /// When the mechanism cannot begin.
    pub fn first(&mut self) -> Result<Option<Vec<u8>>, SaslError> {
        match &mut self.0 {
            Way::Password(by) if by.session.are_we_first() => by.step(None).map(Some),
            Way::Password(_) => Ok(None),
            Way::Token(bearer) => Ok(Some(bearer.first())),
        }
    }

    /// The answer to a challenge.
    ///
    /// # Errors
    /// When the challenge is not one of this mechanism.
    pub fn answer(&mut self, challenge: &[u8]) -> Result<Vec<u8>, SaslError> {
        match &mut self.0 {
            Way::Password(by) => by.answer(challenge),
            Way::Token(bearer) => bearer.answer(challenge),
        }
    }

    /// Whether the mechanism is through; in SCRAM, whether the server has proven that it knows the
    /// password too (RFC 5802 section 3).
    pub fn is_finished(&self) -> bool {
        match &self.0 {
            Way::Password(by) => by.is_finished,
            Way::Token(bearer) => bearer.is_finished(),
        }
    }

    /// What a refusal of the sign-in means, given what was said before it. A token that was refused is not
    /// used again.
    pub fn refused(&self, failure: Failure, now: Instant) -> Failure {
        match &self.0 {
            Way::Password(_) => failure,
            Way::Token(bearer) => bearer.refused(failure, now),
        }
    }
}

impl ByPassword {
    fn begin(offered: &[String], user: &str, password: &Secret) -> Result<Self, SaslError> {
        let known = MECHANISMS.into_iter().find(|known| offered.iter().any(|o| o == known));
        let mechanism =
            known.ok_or_else(|| SaslError::NoMechanism { offered: offered.join(" ") })?;
        let (user, password) = (user.to_owned(), password.expose().to_owned());
        let config = SASLConfig::with_credentials(None, user, password)
            .map_err(|e| SaslError::Unusable(e.to_string()))?;
        let name = Mechname::parse(mechanism.as_bytes())
            .map_err(|e| SaslError::Unusable(e.to_string()))?;
        let session = SASLClient::new(config)
            .start_suggested(&[name])
            .map_err(|e| SaslError::Unusable(e.to_string()))?;
        Ok(Self { session, mechanism, is_finished: false })
    }

    fn answer(&mut self, challenge: &[u8]) -> Result<Vec<u8>, SaslError> {
        if self.is_finished {
            return Err(SaslError::Challenge("one challenge too many".to_owned()));
        }
        if self.mechanism.starts_with("SCRAM-") {
            look_at_scram(challenge)?;
        }
        self.step(Some(challenge))
    }

    fn step(&mut self, challenge: Option<&[u8]>) -> Result<Vec<u8>, SaslError> {
        let mut said = Vec::new();
        let state = self
            .session
            .step(challenge, &mut said)
            .map_err(|error| SaslError::Challenge(error.to_string()))?;
        self.is_finished = state.is_finished();
        Ok(said)
    }
}

/// A SCRAM message of the server is `r=…,s=…,i=…` or `v=…` or `e=…` (RFC 5802 section 7).
fn look_at_scram(message: &[u8]) -> Result<(), SaslError> {
    let text = std::str::from_utf8(message).ok();
    let text = text.ok_or_else(|| SaslError::Challenge("it is not UTF-8".to_owned()))?;
    let mut keys = Vec::new();
    for attribute in text.split(',') {
        let (key, value) = attribute
            .split_once('=')
            .filter(|(key, _)| key.len() == 1)
            .ok_or_else(|| SaslError::Challenge("it is not a message of SCRAM".to_owned()))?;
        keys.push(key);
        if key == "i" {
            let iterations: u32 = value.parse().unwrap_or(u32::MAX);
            if iterations > MOST_ITERATIONS {
                return Err(SaslError::TooManyIterations);
            }
        }
    }
    match keys.as_slice() {
        ["r", "s", "i", ..] | ["v" | "e", ..] => Ok(()),
        _ => Err(SaslError::Challenge("it is not a message of SCRAM".to_owned())),
    }
}

/// Why an authentication cannot go on, by our own judgement.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SaslError {
    /// Nothing in common.
    #[error(
        "the server offers no way to sign in that this agent knows: it offers {}",
        if offered.is_empty() { "none" } else { offered.as_str() }
    )]
    NoMechanism {
        /// What it offers.
        offered: String,
    },
    /// It takes no tokens.
    #[error(
        "the server does not take the access token that is configured: it offers {}",
        if offered.is_empty() { "none" } else { offered.as_str() }
    )]
    NoTokens {
        /// What it offers.
        offered: String,
    },
    /// Another connection's sign-in was refused just now.
    #[error("the access token was refused on another connection just now, and is dropped")]
    NoTokenNow,
    /// The login does not fit the mechanism.
    #[error("the login cannot be used: {0}")]
    Unusable(String),
    /// The server's challenge is not of this mechanism.
    #[error("the server's challenge makes no sense: {0}")]
    Challenge(String),
    /// The server wants the processor kept busy.
    #[error("the server asks for more than {MOST_ITERATIONS} rounds of password hashing")]
    TooManyIterations,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn login() -> Login {
        Login::with_password("user", Secret::new("pencil".into()))
    }

    #[test]
    fn the_strongest_is_chosen() {
        for (offered, chosen) in [
            ("LOGIN PLAIN", Some("PLAIN")),
            ("login", Some("LOGIN")),
            ("PLAIN LOGIN SCRAM-SHA-256 XOAUTH2", Some("SCRAM-SHA-256")),
            ("GSSAPI NTLM", None),
            ("", None),
        ] {
            let begun = Exchange::begin(offered.split_whitespace(), &login());
            assert_eq!(begun.ok().map(|e| e.mechanism()), chosen, "{offered}");
        }
    }

    #[test]
    fn plain_speaks_first_and_login_waits() {
        let mut plain = Exchange::begin(["PLAIN"], &login()).unwrap();
        assert_eq!(plain.first(), Ok(Some(b"\0user\0pencil".to_vec())));
        assert!(plain.is_finished());
        let mut asked = Exchange::begin(["LOGIN"], &login()).unwrap();
        assert_eq!(asked.first(), Ok(None));
        assert_eq!(asked.answer(b"Username:"), Ok(b"user".to_vec()));
        assert_eq!(asked.answer(b"Password:"), Ok(b"pencil".to_vec()));
        assert!(asked.is_finished());
        assert!(asked.answer(b"More:").is_err());
    }

    fn scram(challenge: &str) -> Result<Vec<u8>, SaslError> {
        let mut exchange = Exchange::begin(["SCRAM-SHA-256"], &login()).unwrap();
        let first = String::from_utf8(exchange.first().unwrap().unwrap()).unwrap();
        let nonce = first.rsplit("r=").next().unwrap().to_owned();
        exchange.answer(challenge.replace("NONCE", &nonce).as_bytes())
    }

    #[test]
    fn a_hostile_scram_server_neither_keeps_us_busy_nor_makes_us_panic() {
        assert!(scram("r=NONCEabc,s=c2FsdA==,i=4096").is_ok());
        assert_eq!(scram("r=NONCEabc,s=c2FsdA==,i=4000000000"), Err(SaslError::TooManyIterations));
        assert_eq!(scram("r=NONCEabc,s=c2FsdA==,i=99999999999"), Err(SaslError::TooManyIterations));
        for challenge in
            ["", "r", "r=NONCEa,s", "r=NONCEa,,", "r=other,s=c2FsdA==,i=4096", "v", "=", "v=a"]
        {
            assert!(scram(challenge).is_err(), "{challenge}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn no_challenge_panics(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            for mechanism in MECHANISMS {
                let mut exchange = Exchange::begin([mechanism], &login()).unwrap();
                let _first = exchange.first();
                let _answer = exchange.answer(&bytes);
            }
        }
    }
}
