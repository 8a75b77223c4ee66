//! Letting agents in, and keeping them in: tokens, identities, and certificates for keys that agents hold.
//!
//! Invariants: an enrolment is on disk before its certificate is handed out; a token lets one key in, once,
//! and is kept as its digest only; a certificate is given for a registered key alone, and for no other name
//! than its agent's. Absent on purpose: anything that a certificate is used for, which `ingest` says.

mod administration;
mod rotation;
mod service;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mailsonde_proto::check::is_name;
use mailsonde_proto::convert::{Certified, EnrollRequest, RenewRequest};
use mailsonde_proto::{AgentId, EnrolmentToken, TokenSecret, WallTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::control::{Author, Control, ControlError, ControlJournal, Enrolled, TokenId, TokenMade};
use crate::identity::{Authorities, IdentityError, PublicKey, Shown};

pub use administration::{AgentChange, Label};
pub use rotation::RetireWish;
pub use service::EnrolmentService;

/// Labels of one agent at most; as many as the agent itself may announce.
const MAX_LABELS: usize = 64;
/// Bytes of a label's value at most.
const MAX_LABEL_BYTES: usize = 128;
/// How long a token may work: at least and at most.
const TTL_BOUNDS: (Duration, Duration) =
    (Duration::from_secs(60), Duration::from_secs(30 * 86_400));

/// Somebody asks for a token.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenWish {
    /// What the agent is to be called: 1 to 64 characters of `a-z A-Z 0-9 . _ -`; its host's name without it.
    #[serde(default)]
    pub name: Option<String>,
    /// What checks and services select it by.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// How long it works, in seconds.
    pub ttl_s: u64,
    /// The name of an agent that is known already, to be brought in again with another key.
    #[serde(default)]
    pub agent: Option<String>,
}

/// A token was made.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NewToken {
    /// What it is called.
    pub id: String,
    /// The line to paste. It is shown this once.
    pub token: String,
    /// Until when it works.
    pub expires_at: Timestamp,
}

/// Why an agent was not let in.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    /// The name has another form.
    #[error("\"{0}\" cannot name an agent: use 1 to 64 characters of a-z A-Z 0-9 . _ -")]
    Name(String),
    /// A label has another form.
    #[error(
        "the label \"{0}\" cannot be used: a key is 1 to 64 characters of a-z A-Z 0-9 . _ -, a value at \
         most {MAX_LABEL_BYTES} bytes without control characters"
    )]
    Label(String),
    /// There are too many labels.
    #[error("an agent has at most {MAX_LABELS} labels")]
    Labels,
    /// A token that would work too long or not long enough.
    #[error("a token works for at least a minute and at most 30 days")]
    Ttl,
    /// Nobody with this key is enrolled.
    #[error(
        "this key is not enrolled at this collector: get a token by `mailsonde-collector token create`, \
         then `mailsonde-agent enroll TOKEN`"
    )]
    NotEnrolled,
    /// The certificate that was shown is not that of the key.
    #[error("the certificate that was shown is another agent's than the key")]
    OtherAgent,
    /// The authority that is to be retired is the only one that some agents know.
    #[error(
        "{agents} agents have no certificate of the next authority yet ({named}): they get one within half of a \
         certificate's life once they are here; retired with --force now, they have to be enrolled again"
    )]
    OldAuthority {
        /// How many.
        agents: usize,
        /// The first few.
        named: String,
    },
    /// The certificate could not be made.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// It may not be so, or could not be written down.
    #[error(transparent)]
    Control(#[from] ControlError),
}

/// Who lets agents in.
#[derive(Clone)]
pub struct Enrolment {
    /// Sign.
    pub authorities: Arc<Authorities>,
    /// Remembers.
    pub control: Arc<ControlJournal>,
    /// Where agents find the collector: a host and a port.
    pub collector: String,
    /// How long an agent's certificate lives.
    pub validity: Duration,
}

impl Enrolment {
    /// Makes a token. It waits for the disk: not for a runtime's thread. So do all of these.
    ///
    /// # Errors
    /// When name, labels or time cannot be used, or the name is another agent's.
    pub fn make_token(
        &self,
        wish: TokenWish,
        author: Author,
        now: WallTime,
    ) -> Result<NewToken, EnrolmentError> {
        let TokenWish { name, labels, ttl_s, agent } = wish;
        if let Some(name) = &name {
            check_name(name)?;
        }
        check_labels(&labels)?;
        let ttl = Duration::from_secs(ttl_s);
        if ttl < TTL_BOUNDS.0 || ttl > TTL_BOUNDS.1 {
            return Err(EnrolmentError::Ttl);
        }
        let secret = TokenSecret::random();
        let made = self.control.decide(now, author, |roll| {
            let known = agent.map(|agent| {
                let known = roll.agent_named(&agent).map(|known| known.agent);
                known.ok_or(ControlError::NoSuchAgent { name: agent })
            });
            if let Some(taken) = name.as_ref().and_then(|name| roll.agent_named(name)) {
                return Err(ControlError::NameTaken { name: taken.name.clone() });
            }
            let made = TokenMade {
                digest: secret.digest(),
                expires_at: now.plus(ttl),
                name,
                labels,
                agent: known.transpose()?,
            };
            Ok((Control::TokenMade(made.clone()), made))
        })?;
        let authority = self.authorities.current().fingerprint();
        let token = EnrolmentToken { collector: self.collector.clone(), authority, secret };
        tracing::info!(token = %made.id(), expires_at = %made.expires_at, "token made");
        Ok(NewToken {
            id: made.id().to_string(),
            token: token.to_line(),
            expires_at: made.expires_at.timestamp(),
        })
    }

    /// Withdraws a token that nobody has used.
    ///
    /// # Errors
    /// When there is no such token.
    pub fn withdraw_token(
        &self,
        token: TokenId,
        author: Author,
        now: WallTime,
    ) -> Result<(), EnrolmentError> {
        Ok(self.control.decide(now, author, |roll| {
            let known = roll.token(token).filter(|token| !token.is_withdrawn);
            let known = known.ok_or(ControlError::NoSuchToken)?;
            if known.used.is_some() {
                return Err(ControlError::TokenUsed);
            }
            Ok((Control::TokenWithdrawn { token }, ()))
        })?)
    }

    /// Lets an agent in by its token; the same key again gets the same answer.
    ///
    /// # Errors
    /// When the token does not work, or the request is none.
    pub fn enroll(
        &self,
        request: EnrollRequest,
        from: &str,
        now: WallTime,
    ) -> Result<Certified, EnrolmentError> {
        let key = PublicKey::of_request(&request.signing_request)?;
        let digest = request.secret.digest();
        let token = TokenId::of(&digest);
        let again = self.control.look(|roll| {
            let token = roll.usable_token(&digest, &key.digest(), now)?;
            let agent = token.used.and_then(|(agent, _)| roll.agent(agent));
            Ok::<_, ControlError>(agent.cloned())
        })?;
        if let Some(enrolled) = again {
            return self.certified(enrolled, &key, now);
        }
        let author = Author { who: format!("token {token}"), from: from.to_owned() };
        let enrolled = self.control.decide(now, author, |roll| {
            let made = &roll.usable_token(&digest, &key.digest(), now)?.made;
            if roll.is_revoked_key(&key.digest()) {
                return Err(ControlError::RevokedKey);
            }
            let known = roll.agent_with_key(&key.digest());
            if let Some(known) = known.filter(|known| made.agent != Some(known.agent)) {
                return Err(ControlError::KeyTaken { name: known.name.clone() });
            }
            let enrolled = match made.agent.and_then(|agent| roll.agent(agent)) {
                Some(known) => {
                    let labels = if made.labels.is_empty() { &known.labels } else { &made.labels };
                    Enrolled { labels: labels.clone(), ..known.clone() }
                }
                None => Enrolled {
                    agent: AgentId::random(),
                    name: named(roll, made, request.proposed_name.as_deref())?,
                    labels: made.labels.clone(),
                    key_digest: [0; 32],
                    token: None,
                },
            };
            let enrolled = Enrolled { key_digest: key.digest(), token: Some(token), ..enrolled };
            Ok((Control::Enrolled(enrolled.clone()), enrolled))
        })?;
        tracing::info!(agent = %enrolled.agent, name = enrolled.name, %token, "agent enrolled");
        self.certified(enrolled, &key, now)
    }

    /// Gives a registered key a new certificate; without one that is still valid the agent rejoins.
    ///
    /// # Errors
    /// When the key is not registered, or was revoked.
    pub fn renew(
        &self,
        request: &RenewRequest,
        shown: Option<Shown>,
        from: &str,
        now: WallTime,
    ) -> Result<Certified, EnrolmentError> {
        let key = PublicKey::of_request(&request.signing_request)?;
        let known = self.control.look(|roll| {
            if roll.is_revoked_key(&key.digest()) {
                return Err(EnrolmentError::Control(ControlError::RevokedKey));
            }
            roll.agent_with_key(&key.digest()).cloned().ok_or(EnrolmentError::NotEnrolled)
        })?;
        match shown {
            Some(shown) if shown.agent != known.agent => return Err(EnrolmentError::OtherAgent),
            Some(_) => {}
            None => {
                let author = Author { who: format!("agent {}", known.name), from: from.to_owned() };
                let control = Control::Rejoined { agent: known.agent };
                self.control.decide(now, author, |_| Ok((control, ())))?;
            }
        }
        tracing::info!(agent = %known.agent, name = known.name, rejoined = shown.is_none(), "certificate renewed");
        self.certified(known, &key, now)
    }

    fn certified(
        &self,
        enrolled: Enrolled,
        key: &PublicKey,
        now: WallTime,
    ) -> Result<Certified, EnrolmentError> {
        let authority = self.authorities.of_agents();
        let issued = authority.issue_agent(enrolled.agent, key, (now, self.validity))?;
        Ok(Certified {
            agent: enrolled.agent,
            name: enrolled.name,
            labels: enrolled.labels,
            certificate: issued.der.to_vec(),
            authorities: self
                .authorities
                .trusted()
                .iter()
                .map(|authority| authority.certificate().to_vec())
                .collect(),
        })
    }
}

/// What a new agent is called: as its token says, else like its host, else `agent`.
fn named(
    roll: &crate::control::Roll,
    made: &TokenMade,
    proposed: Option<&str>,
) -> Result<String, ControlError> {
    match &made.name {
        Some(name) if roll.agent_named(name).is_some() => {
            Err(ControlError::NameTaken { name: name.clone() })
        }
        Some(name) => Ok(name.clone()),
        None => Ok(roll.free_name(proposed.unwrap_or("agent"))),
    }
}

fn check_name(name: &str) -> Result<(), EnrolmentError> {
    if is_name(name) { Ok(()) } else { Err(EnrolmentError::Name(name.to_owned())) }
}

fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), EnrolmentError> {
    if labels.len() > MAX_LABELS {
        return Err(EnrolmentError::Labels);
    }
    for (key, value) in labels {
        if !is_name(key) || value.len() > MAX_LABEL_BYTES || value.chars().any(char::is_control) {
            return Err(EnrolmentError::Label(format!("{key}={value}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
