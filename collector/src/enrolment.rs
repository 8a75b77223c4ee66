//! Letting an agent in: a name that no other has, an identity, and a certificate for its public key.
//!
//! The same for a running collector, over the operators' API, and for one that is not running. Whoever
//! asks made the key, and keeps its private half.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mailsonde_proto::check::is_name;
use mailsonde_proto::{AgentId, WallTime};
use serde::{Deserialize, Serialize};

use crate::control::{ControlError, ControlJournal, Enrolled};
use crate::identity::{Authority, IdentityError, PublicKey};

/// Labels of one agent at most; as many as the agent itself may announce.
const MAX_LABELS: usize = 64;
/// Bytes of a label's value at most.
const MAX_LABEL_BYTES: usize = 128;

/// Somebody asks for an agent to be let in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// What the agent is to be called: 1 to 64 characters of `a-z A-Z 0-9 . _ -`.
    pub name: String,
    /// What checks and services select it by; on a renewal without any, those it has stay.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The key that its certificate is for.
    pub public_key: PublicKey,
    /// The agent is known already and gets a new certificate for its old identity.
    #[serde(default)]
    pub renew: bool,
}

/// An agent was let in: what it needs to connect.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Admission {
    /// Its identity: 32 hexadecimal digits.
    pub agent_id: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Where it finds the collector: a host and a port.
    pub collector: String,
    /// The authority's certificate, PEM: whom it trusts.
    pub authority: String,
    /// Its own certificate, PEM.
    pub certificate: String,
    /// Until when that is valid.
    pub not_after: Timestamp,
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
    /// The certificate could not be made.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// It could not be written down.
    #[error(transparent)]
    Control(#[from] ControlError),
}

impl EnrolmentError {
    /// Whether who asked can mend it by asking for something else.
    pub fn is_askers(&self) -> bool {
        match self {
            Self::Name(_) | Self::Label(_) | Self::Labels => true,
            Self::Identity(error) => matches!(error, IdentityError::PublicKey),
            Self::Control(error) => !matches!(error, ControlError::Journal(_)),
        }
    }
}

/// Who lets agents in.
pub struct Enrolment<'a> {
    /// Signs.
    pub authority: &'a Authority,
    /// Remembers.
    pub control: &'a ControlJournal,
    /// Where agents find the collector: a host and a port.
    pub collector: &'a str,
}

impl Enrolment<'_> {
    /// Lets an agent in: its enrolment is on disk before its certificate is handed out. It waits for the
    /// disk: not for a runtime's thread.
    ///
    /// # Errors
    /// When the name or a label cannot be used, the name is another agent's, or the disk would not take it.
    pub fn admit(
        &self,
        application: Application,
        now: WallTime,
    ) -> Result<Admission, EnrolmentError> {
        let Application { name, mut labels, public_key, renew } = application;
        check_words(&name, &labels)?;
        let (agent, name) = match (self.control.agent_named(&name), renew) {
            (None, false) => (AgentId::random(), name),
            (None, true) => return Err(ControlError::NoSuchAgent { name }.into()),
            (Some(_), false) => return Err(ControlError::NameTaken { name }.into()),
            (Some(known), true) => {
                if labels.is_empty() {
                    labels = known.labels;
                }
                (known.agent, known.name)
            }
        };
        let issued = self.authority.issue_agent(agent, &public_key, now)?;
        let enrolled = Enrolled {
            agent,
            name: name.clone(),
            labels: labels.clone(),
            certificate_digest: issued.digest,
            not_after: issued.not_after,
        };
        self.control.enrol(now, enrolled)?;
        tracing::info!(%agent, name, renew, not_after = %issued.not_after, "agent enrolled");
        Ok(Admission {
            agent_id: agent.to_string(),
            name,
            labels,
            collector: self.collector.to_owned(),
            authority: self.authority.pem().to_owned(),
            certificate: issued.pem,
            not_after: issued.not_after.timestamp(),
        })
    }
}

fn check_words(name: &str, labels: &BTreeMap<String, String>) -> Result<(), EnrolmentError> {
    if !is_name(name) {
        return Err(EnrolmentError::Name(name.to_owned()));
    }
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
mod tests {
    use super::*;
    use crate::folder::Folder;
    use crate::identity::PrivateKey;

    const NOW: WallTime = WallTime::from_s(1_800_000_000);

    fn ask(name: &str, labels: &[(&str, &str)], renew: bool) -> Application {
        let labels = labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        let public_key = PrivateKey::generate().unwrap().public();
        Application { name: name.into(), labels, public_key, renew }
    }

    #[test]
    fn an_agent_is_let_in_once_and_renewed_under_its_identity() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::at(temporary.path());
        let authority = Authority::create(&folder, &"localhost".parse().unwrap(), NOW).unwrap();
        let (control, _) = ControlJournal::open(&folder.control()).unwrap();
        let collector = "localhost:7443";
        let enrolment = Enrolment { authority: &authority, control: &control, collector };
        let mut outcomes = String::new();
        let site = [("site", "Durban")];
        let mut told = |application: Application| {
            let outcome = enrolment.admit(application, NOW);
            let line = match &outcome {
                Ok(admission) => format!("{} {:?}", admission.name, admission.labels),
                Err(error) => error.to_string(),
            };
            outcomes.push_str(&line);
            outcomes.push('\n');
            outcome.ok().map(|admission| admission.agent_id)
        };
        let first = told(ask("branch", &site, false));
        assert_eq!(told(ask("branch", &[], false)), None);
        assert_eq!(told(ask("Branch", &[], true)), first);
        assert_eq!(told(ask("other", &[], true)), None);
        assert_eq!(told(ask("a b", &[], false)), None);
        assert_eq!(told(ask("x", &[("site", "a\nb")], false)), None);
        insta::assert_snapshot!(outcomes, @r#"
        branch {"site": "Durban"}
        there is an agent called branch already: choose another name, or, when its files are lost, make new ones with `agent add branch --renew`
        branch {"site": "Durban"}
        there is no agent called other to renew: leave out --renew to add it
        "a b" cannot name an agent: use 1 to 64 characters of a-z A-Z 0-9 . _ -
        the label "site=a
        b" cannot be used: a key is 1 to 64 characters of a-z A-Z 0-9 . _ -, a value at most 128 bytes without control characters
        "#);
        assert_eq!(control.agents().len(), 1);
    }
}
