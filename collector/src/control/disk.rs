//! The records of the control journal as bytes.
//!
//! The encoding is protobuf: fields can be added, and what a newer collector wrote reads as `Unknown`. A record
//! with an author ends with a link of the audit log's chain: SHA-256 over the link before and all bytes of the
//! record before its own link.

mod access;
mod applied;
mod enrolled;
mod judged;

use std::collections::BTreeMap;

use mailsonde_proto::convert::ReceivingMailbox;
use mailsonde_proto::{AgentId, Check, SenderKey, WallTime, wire};
use prost::{Message, Oneof};
use ring::digest::{Context, SHA256};

use applied::AppliedOnDisk;

use super::record::{Author, Control, ControlRecord, OperatorAction, TokenId, TokenMade};

/// One link of the audit log's chain.
pub type Link = [u8; 32];

/// Field 15 with 32 bytes: how a link stands behind its record.
const LINK_HEAD: [u8; 2] = [0x7a, 32];

/// The bytes are no control record.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a control record: {0}")]
pub struct NotAControlRecord(String);

impl ControlRecord {
    /// As bytes. With an author they end with the link that follows `before`, which is returned too.
    pub fn to_bytes(&self, before: &Link) -> (Vec<u8>, Option<Link>) {
        let on_disk = OnDisk {
            received_at_ns: self.received_at.as_ns(),
            author: self
                .author
                .as_ref()
                .map(|Author { who, from }| AuthorOnDisk { who: who.clone(), from: from.clone() }),
            body: body_of(&self.control),
            before: self.before,
            link: Vec::new(),
        };
        let mut bytes = on_disk.encode_to_vec();
        let link = self.author.is_some().then(|| link_of(before, &bytes));
        if let Some(link) = &link {
            bytes.extend(LINK_HEAD);
            bytes.extend(link);
        }
        (bytes, link)
    }

    /// From bytes.
    ///
    /// # Errors
    /// When they are no control record.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotAControlRecord> {
        let record = OnDisk::decode(bytes).map_err(|error| wrong(&error))?;
        let author = record.author.map(|AuthorOnDisk { who, from }| Author { who, from });
        let control = record.body.map_or(Ok(Control::Unknown), control_of)?;
        let received_at = WallTime::from_ns(record.received_at_ns);
        Ok(Self { received_at, before: record.before, control, author })
    }
}

/// The link that a record's bytes end with, and whether it follows `before`; `None` for a record without.
pub fn link_in(bytes: &[u8], before: &Link) -> Option<(Link, bool)> {
    let at = bytes.len().checked_sub(LINK_HEAD.len() + 32)?;
    let (record, end) = bytes.split_at_checked(at)?;
    let link: Link = end.strip_prefix(&LINK_HEAD)?.try_into().ok()?;
    // without an author the same bytes are the end of something else
    OnDisk::decode(bytes).ok()?.author?;
    Some((link, link_of(before, record) == link))
}

fn link_of(before: &Link, record: &[u8]) -> Link {
    let mut context = Context::new(&SHA256);
    context.update(before);
    context.update(record);
    context.finish().as_ref().try_into().unwrap_or_default()
}

fn wrong(detail: &dyn std::fmt::Display) -> NotAControlRecord {
    NotAControlRecord(detail.to_string())
}

fn body_of(control: &Control) -> Option<Body> {
    let agent_of = |agent: &AgentId| AgentOnDisk { agent: agent.0.to_vec() };
    Some(match control {
        Control::Enrolled(enrolled) => Body::Enrolled(enrolled.into()),
        Control::Defined { agent, checks, signing_key, mailboxes } => {
            Body::Defined(DefinedOnDisk {
                agent: agent.0.to_vec(),
                checks: checks.iter().map(wire::Check::from).collect(),
                signing_key: signing_key.map(|key| key.0.to_vec()).unwrap_or_default(),
                mailboxes: mailboxes.iter().cloned().map(wire::ReceivingMailbox::from).collect(),
            })
        }
        Control::Tick => Body::Tick(TickOnDisk {}),
        Control::Operator(OperatorAction { action, body }) => {
            Body::Operator(OperatorOnDisk { action: action.clone(), body: body.clone() })
        }
        Control::TokenMade(made) => Body::TokenMade(TokenMadeOnDisk {
            digest: made.digest.to_vec(),
            expires_at_ns: made.expires_at.as_ns(),
            name: made.name.clone(),
            labels: made.labels.clone(),
            agent: made.agent.map(|agent| agent.0.to_vec()),
        }),
        Control::TokenWithdrawn { token } => {
            Body::TokenWithdrawn(TokenOnDisk { token: token.0.to_vec() })
        }
        Control::Revoked { agent } => Body::Revoked(agent_of(agent)),
        Control::Rejoined { agent } => Body::Rejoined(agent_of(agent)),
        Control::CloneNoticed { agent, addresses } => Body::CloneNoticed(CloneOnDisk {
            agent: agent.0.to_vec(),
            addresses: addresses.to_vec(),
        }),
        Control::Applied { checks } => Body::Applied(checks.as_slice().into()),
        Control::Services(definitions) => Body::Services(judged::services_of(definitions)),
        Control::Acted(action) => Body::Acted(judged::acted_of(action)),
        Control::Archived { incident, bytes } => {
            Body::Archived(judged::ArchivedOnDisk { incident: *incident, bytes: bytes.clone() })
        }
        Control::Started => Body::Started(TickOnDisk {}),
        Control::Notified(notified) => Body::Notified(judged::notified_of(notified)),
        Control::NotRun { agent, check } => {
            Body::NotRun(judged::NotRunOnDisk { agent: agent.0.to_vec(), check: check.clone() })
        }
        Control::Heard(heard) => Body::Heard(judged::heard_of(heard)),
        Control::Access(access) => access::body_of(access),
        Control::Unknown => return None,
    })
}

fn control_of(body: Body) -> Result<Control, NotAControlRecord> {
    Ok(match body {
        Body::Enrolled(enrolled) => Control::Enrolled(enrolled.try_into()?),
        Body::Defined(defined) => Control::Defined {
            agent: agent(&defined.agent)?,
            checks: defined
                .checks
                .into_iter()
                .map(Check::try_from)
                .collect::<Result<_, _>>()
                .map_err(|error| wrong(&error))?,
            // What is not there, or cut, is no key.
            signing_key: defined.signing_key.try_into().ok().map(SenderKey),
            mailboxes: defined
                .mailboxes
                .into_iter()
                .map(ReceivingMailbox::try_from)
                .collect::<Result<_, _>>()
                .map_err(|error| wrong(&error))?,
        },
        Body::Tick(TickOnDisk {}) => Control::Tick,
        Body::Operator(OperatorOnDisk { action, body }) => {
            Control::Operator(OperatorAction { action, body })
        }
        Body::TokenMade(made) => Control::TokenMade(TokenMade {
            digest: made.digest.try_into().ok().ok_or(wrong(&"a digest has 32 bytes"))?,
            expires_at: WallTime::from_ns(made.expires_at_ns),
            name: made.name,
            labels: made.labels,
            agent: made.agent.as_deref().map(agent).transpose()?,
        }),
        Body::TokenWithdrawn(read) => Control::TokenWithdrawn { token: token(&read.token)? },
        Body::Revoked(read) => Control::Revoked { agent: agent(&read.agent)? },
        Body::Rejoined(read) => Control::Rejoined { agent: agent(&read.agent)? },
        Body::CloneNoticed(read) => Control::CloneNoticed {
            agent: agent(&read.agent)?,
            addresses: read.addresses.try_into().ok().ok_or(wrong(&"a clone has two addresses"))?,
        },
        Body::Applied(read) => Control::Applied { checks: read.into() },
        Body::Services(read) => judged::services(&read)?,
        Body::Acted(read) => judged::acted(&read),
        Body::Archived(judged::ArchivedOnDisk { incident, bytes }) => {
            Control::Archived { incident, bytes }
        }
        Body::Started(TickOnDisk {}) => Control::Started,
        Body::Notified(read) => judged::notified(&read)?,
        Body::NotRun(judged::NotRunOnDisk { agent: id, check }) => {
            Control::NotRun { agent: agent(&id)?, check }
        }
        Body::Heard(read) => judged::heard(&read),
        Body::UserSet(read) => Control::Access(read.try_into()?),
        Body::UserRemoved(read) => Control::Access(access::user_removed(read)),
        Body::ApiTokenMade(read) => Control::Access(read.try_into()?),
        Body::ApiTokenRevoked(read) => Control::Access(access::api_token_revoked(read)),
        Body::SignedIn(read) => Control::Access(access::signed_in(&read)?),
        Body::SignInRefused(read) => Control::Access(access::sign_in_refused(read)),
        Body::SessionEnded(read) => Control::Access(access::session_ended(read)?),
    })
}

fn agent(bytes: &[u8]) -> Result<AgentId, NotAControlRecord> {
    bytes.try_into().map(AgentId).ok().ok_or(wrong(&"an agent has 16 bytes"))
}

fn token(bytes: &[u8]) -> Result<TokenId, NotAControlRecord> {
    bytes.try_into().map(TokenId).ok().ok_or(wrong(&"a token's name has 4 bytes"))
}

#[derive(Clone, PartialEq, Message)]
struct OnDisk {
    #[prost(sfixed64, tag = "1")]
    received_at_ns: i64,
    #[prost(
        oneof = "Body",
        tags = "2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 21, 22, 23, 24, 25, 26, 27, 30, 31, 32, 33, 34, 35, 36"
    )]
    body: Option<Body>,
    #[prost(uint64, tag = "11")]
    before: u64,
    #[prost(message, optional, tag = "14")]
    author: Option<AuthorOnDisk>,
    /// Appended by hand, so that all before it is what it covers.
    #[prost(bytes = "vec", tag = "15")]
    link: Vec<u8>,
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
    #[prost(message, tag = "6")]
    TokenMade(TokenMadeOnDisk),
    #[prost(message, tag = "7")]
    TokenWithdrawn(TokenOnDisk),
    #[prost(message, tag = "8")]
    Revoked(AgentOnDisk),
    #[prost(message, tag = "9")]
    Rejoined(AgentOnDisk),
    #[prost(message, tag = "10")]
    CloneNoticed(CloneOnDisk),
    #[prost(message, tag = "20")]
    Applied(AppliedOnDisk),
    #[prost(message, tag = "21")]
    Services(judged::ServicesOnDisk),
    #[prost(message, tag = "22")]
    Acted(judged::ActedOnDisk),
    #[prost(message, tag = "23")]
    Archived(judged::ArchivedOnDisk),
    #[prost(message, tag = "24")]
    Started(TickOnDisk),
    #[prost(message, tag = "25")]
    NotRun(judged::NotRunOnDisk),
    #[prost(message, tag = "26")]
    Notified(judged::NotifiedOnDisk),
    #[prost(message, tag = "27")]
    Heard(judged::HeardOnDisk),
    #[prost(message, tag = "30")]
    UserSet(access::UserOnDisk),
    #[prost(message, tag = "31")]
    UserRemoved(access::NameOnDisk),
    #[prost(message, tag = "32")]
    ApiTokenMade(access::ApiTokenOnDisk),
    #[prost(message, tag = "33")]
    ApiTokenRevoked(access::NameOnDisk),
    #[prost(message, tag = "34")]
    SignedIn(access::SessionOnDisk),
    #[prost(message, tag = "35")]
    SignInRefused(access::RefusedOnDisk),
    #[prost(message, tag = "36")]
    SessionEnded(access::SessionOnDisk),
}

#[derive(Clone, PartialEq, Message)]
struct AuthorOnDisk {
    #[prost(string, tag = "1")]
    who: String,
    #[prost(string, tag = "2")]
    from: String,
}

/// Fields 4 and 5 were digest and end of a certificate that lived a year.
#[derive(Clone, PartialEq, Message)]
struct EnrolledOnDisk {
    #[prost(bytes = "vec", tag = "1")]
    agent: Vec<u8>,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(btree_map = "string, string", tag = "3")]
    labels: BTreeMap<String, String>,
    #[prost(bytes = "vec", tag = "6")]
    key_digest: Vec<u8>,
    #[prost(bytes = "vec", optional, tag = "7")]
    token: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct DefinedOnDisk {
    #[prost(bytes = "vec", tag = "1")]
    agent: Vec<u8>,
    #[prost(message, repeated, tag = "2")]
    checks: Vec<wire::Check>,
    #[prost(bytes = "vec", tag = "3")]
    signing_key: Vec<u8>,
    #[prost(message, repeated, tag = "4")]
    mailboxes: Vec<wire::ReceivingMailbox>,
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

#[derive(Clone, PartialEq, Message)]
struct TokenMadeOnDisk {
    #[prost(bytes = "vec", tag = "1")]
    digest: Vec<u8>,
    #[prost(sfixed64, tag = "2")]
    expires_at_ns: i64,
    #[prost(string, optional, tag = "3")]
    name: Option<String>,
    #[prost(btree_map = "string, string", tag = "4")]
    labels: BTreeMap<String, String>,
    #[prost(bytes = "vec", optional, tag = "5")]
    agent: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct TokenOnDisk {
    #[prost(bytes = "vec", tag = "1")]
    token: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct AgentOnDisk {
    #[prost(bytes = "vec", tag = "1")]
    agent: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct CloneOnDisk {
    #[prost(bytes = "vec", tag = "1")]
    agent: Vec<u8>,
    #[prost(string, repeated, tag = "2")]
    addresses: Vec<String>,
}

#[cfg(test)]
mod tests;
