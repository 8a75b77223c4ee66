//! The records of the control journal, as words and as bytes.
//!
//! The encoding is protobuf: fields can be added, and what a newer collector wrote reads as `Unknown`.

use std::collections::BTreeMap;

use mailsonde_proto::{AgentId, Check, WallTime, wire};
use prost::{Message, Oneof};

/// One record of the control journal.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlRecord {
    /// When the collector received it, by its own clock: the only 'now' that a replay knows.
    pub received_at: WallTime,
    /// What it says.
    pub control: Control,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq)]
pub enum Control {
    /// An agent was enrolled, or its name, labels or certificate changed.
    Enrolled(Enrolled),
    /// These are all the checks that an agent runs from now on.
    Defined {
        /// Which agent.
        agent: AgentId,
        /// All of them.
        checks: Vec<Check>,
    },
    /// Time passed: what is due although nothing came in is due now.
    Tick,
    /// An operator did something.
    Operator(OperatorAction),
    /// Something that a newer collector wrote.
    Unknown,
}

/// An agent as the registry knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// Who it is.
    pub agent: AgentId,
    /// 1 to 64 characters of `a-z A-Z 0-9 . _ -`, no other agent's.
    pub name: String,
    /// What checks and services select by.
    pub labels: BTreeMap<String, String>,
    /// SHA-256 of its certificate's DER form.
    pub certificate_digest: [u8; 32],
    /// Until when its certificate is valid.
    pub not_after: WallTime,
}

/// Something that an operator did: acknowledged an incident, planned a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorAction {
    /// Its word, such as `acknowledge`.
    pub action: String,
    /// What it is about, in an encoding of the action's own.
    pub body: Vec<u8>,
}

/// The bytes are no control record.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a control record: {0}")]
pub struct NotAControlRecord(String);

impl ControlRecord {
    /// As bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let body = match &self.control {
            Control::Enrolled(enrolled) => Some(Body::Enrolled(enrolled.into())),
            Control::Defined { agent, checks } => Some(Body::Defined(DefinedOnDisk {
                agent: agent.0.to_vec(),
                checks: checks.iter().map(wire::Check::from).collect(),
            })),
            Control::Tick => Some(Body::Tick(TickOnDisk {})),
            Control::Operator(OperatorAction { action, body }) => {
                Some(Body::Operator(OperatorOnDisk { action: action.clone(), body: body.clone() }))
            }
            Control::Unknown => None,
        };
        OnDisk { received_at_ns: self.received_at.as_ns(), body }.encode_to_vec()
    }

    /// From bytes.
    ///
    /// # Errors
    /// When they are no control record.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotAControlRecord> {
        let wrong = |detail: &dyn std::fmt::Display| NotAControlRecord(detail.to_string());
        let record = OnDisk::decode(bytes).map_err(|error| wrong(&error))?;
        let control = match record.body {
            Some(Body::Enrolled(enrolled)) => Control::Enrolled(enrolled.try_into()?),
            Some(Body::Defined(defined)) => Control::Defined {
                agent: agent(&defined.agent)?,
                checks: defined
                    .checks
                    .into_iter()
                    .map(Check::try_from)
                    .collect::<Result<_, _>>()
                    .map_err(|error| wrong(&error))?,
            },
            Some(Body::Tick(TickOnDisk {})) => Control::Tick,
            Some(Body::Operator(OperatorOnDisk { action, body })) => {
                Control::Operator(OperatorAction { action, body })
            }
            None => Control::Unknown,
        };
        Ok(Self { received_at: WallTime::from_ns(record.received_at_ns), control })
    }
}

fn agent(bytes: &[u8]) -> Result<AgentId, NotAControlRecord> {
    bytes.try_into().map(AgentId).ok().ok_or(NotAControlRecord("an agent has 16 bytes".into()))
}

#[derive(Clone, PartialEq, Message)]
struct OnDisk {
    #[prost(sfixed64, tag = "1")]
    received_at_ns: i64,
    #[prost(oneof = "Body", tags = "2, 3, 4, 5")]
    body: Option<Body>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Body {
    #[prost(message, tag = "2")]
    Enrolled(EnrolledOnDisk),
    #[prost(message, tag = "3")]
    Defined(DefinedOnDisk),
    #[prost(message, tag = "4")]
    Tick(TickOnDisk),
    #[prost(message, tag = "5")]
    Operator(OperatorOnDisk),
}

#[derive(Clone, PartialEq, Message)]
struct EnrolledOnDisk {
    #[prost(bytes = "vec", tag = "1")]
    agent: Vec<u8>,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(btree_map = "string, string", tag = "3")]
    labels: BTreeMap<String, String>,
    #[prost(bytes = "vec", tag = "4")]
    certificate_digest: Vec<u8>,
    #[prost(sfixed64, tag = "5")]
    not_after_ns: i64,
}

#[derive(Clone, PartialEq, Message)]
struct DefinedOnDisk {
    #[prost(bytes = "vec", tag = "1")]
    agent: Vec<u8>,
    #[prost(message, repeated, tag = "2")]
    checks: Vec<wire::Check>,
}

#[derive(Clone, PartialEq, Message)]
struct TickOnDisk {}

#[derive(Clone, PartialEq, Message)]
struct OperatorOnDisk {
    #[prost(string, tag = "1")]
    action: String,
    #[prost(bytes = "vec", tag = "2")]
    body: Vec<u8>,
}

impl From<&Enrolled> for EnrolledOnDisk {
    fn from(enrolled: &Enrolled) -> Self {
        Self {
            agent: enrolled.agent.0.to_vec(),
            name: enrolled.name.clone(),
            labels: enrolled.labels.clone(),
            certificate_digest: enrolled.certificate_digest.to_vec(),
            not_after_ns: enrolled.not_after.as_ns(),
        }
    }
}

impl TryFrom<EnrolledOnDisk> for Enrolled {
    type Error = NotAControlRecord;

    fn try_from(read: EnrolledOnDisk) -> Result<Self, NotAControlRecord> {
        Ok(Self {
            agent: agent(&read.agent)?,
            name: read.name,
            labels: read.labels,
            // What is not there, or cut, matches no certificate.
            certificate_digest: read.certificate_digest.try_into().unwrap_or_default(),
            not_after: WallTime::from_ns(read.not_after_ns),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_newer_collector_wrote_is_unknown() {
        // Field 9, a message that we do not know, beside a time that we do.
        let bytes = [0x09, 1, 0, 0, 0, 0, 0, 0, 0, 0x4a, 2, 8, 1];
        let record = ControlRecord::from_bytes(&bytes).unwrap();
        let expected =
            ControlRecord { received_at: WallTime::from_ns(1), control: Control::Unknown };
        assert_eq!(record, expected);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            if let Ok(record) = ControlRecord::from_bytes(&bytes) {
                let again = ControlRecord::from_bytes(&record.to_bytes());
                proptest::prop_assert_eq!(again, Ok(record));
            }
        }
    }
}
