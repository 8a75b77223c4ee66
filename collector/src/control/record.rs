//! The records of the control journal, as words.

use std::collections::BTreeMap;
use std::fmt;

use mailsonde_proto::convert::ReceivingMailbox;
use mailsonde_proto::{AgentId, Check, SenderKey, WallTime};

use super::access::AccessRecord;
use crate::judge::action::Action;
use crate::judge::definition::Definitions;
use crate::judge::outside::Heard;
use crate::judge::telling::Notified;

/// One record of the control journal.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlRecord {
    /// When the collector received it, by its own clock: the only 'now' that a replay knows.
    pub received_at: WallTime,
    /// The first record of the ledger that comes after it: so both journals have one order, live and in a replay.
    pub before: u64,
    /// What it says.
    pub control: Control,
    /// By whom and from where, for what stands in the audit log; `None` for what the collector and its
    /// agents do by themselves.
    pub author: Option<Author>,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq)]
pub enum Control {
    /// An agent was enrolled, or its name or labels changed.
    Enrolled(Enrolled),
    /// These are all the checks that an agent runs from now on.
    Defined {
        /// Which agent.
        agent: AgentId,
        /// All of them.
        checks: Vec<Check>,
        /// By which other agents verify its mail.
        signing_key: Option<SenderKey>,
        /// Where mail of other agents may arrive.
        mailboxes: Vec<ReceivingMailbox>,
    },
    /// Time passed: what is due although nothing came in is due now.
    Tick,
    /// An operator did something.
    Operator(OperatorAction),
    /// A token was made.
    TokenMade(TokenMade),
    /// A token was withdrawn before it was used.
    TokenWithdrawn {
        /// Which.
        token: TokenId,
    },
    /// An agent is not ours any more; its key is refused for good.
    Revoked {
        /// Which.
        agent: AgentId,
    },
    /// An agent whose certificate was over has proven its registered key.
    Rejoined {
        /// Which.
        agent: AgentId,
    },
    /// Two machines use one agent's key.
    CloneNoticed {
        /// Which agent.
        agent: AgentId,
        /// Where they connect from.
        addresses: [String; 2],
    },
    /// These are all of the collector's checks from now on.
    Applied {
        /// In the order of their files.
        checks: Vec<AppliedCheck>,
    },
    /// These are all the services, objectives and agreements from now on.
    Services(Definitions),
    /// An operator did something to what is judged.
    Acted(Action),
    /// What is known of an incident that is over, in the form of the views: it outlives the observations that it was
    /// made of.
    Archived {
        /// Its number.
        incident: u64,
        /// All of it.
        bytes: Vec<u8>,
    },
    /// The collector was started: nothing that was silent meanwhile is overdue yet.
    Started,
    /// A run that was to confirm a failure did not begin.
    NotRun {
        /// On which agent.
        agent: AgentId,
        /// Of which check.
        check: String,
    },
    /// Something was heard from outside: a vendor's word, or another collector's silence.
    Heard(Heard),
    /// What became of a message to a channel.
    Notified(Notified),
    /// Who may ask, and who signed in.
    Access(AccessRecord),
    /// Something that a newer collector wrote.
    Unknown,
}

/// One of the collector's checks, as it was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedCheck {
    /// No other of the collector's checks has it.
    pub name: String,
    /// A selector: which agents run it.
    pub on: String,
    /// Where the mail arrives that those send.
    pub pair: Option<Pair>,
    /// What agents are told: a `[[check]]` as TOML, its name included.
    pub settings: String,
    /// The file that it stood in, without its folder.
    pub file: String,
    /// The line of its `[[check]]`, from 1.
    pub line: u32,
}

/// Where mail arrives that one agent sends to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// A selector: at which agents.
    pub to: String,
    /// In which mailbox of theirs, by its name.
    pub mailbox: String,
}

/// Who did something, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// Such as `uid 0 (root)`, or `token 3f2a91c4`.
    pub who: String,
    /// Such as `operators.sock`, or an address.
    pub from: String,
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
    /// SHA-256 of its public key (SubjectPublicKeyInfo, DER): all by which it is known.
    pub key_digest: [u8; 32],
    /// The token that let it in.
    pub token: Option<TokenId>,
}

/// A token as the collector knows it: never its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenMade {
    /// SHA-256 of its secret.
    pub digest: [u8; 32],
    /// From then on it lets nobody in.
    pub expires_at: WallTime,
    /// What the agent is to be called; its host's name when there is none.
    pub name: Option<String>,
    /// What the agent is selected by.
    pub labels: BTreeMap<String, String>,
    /// It brings this agent in again, with another key.
    pub agent: Option<AgentId>,
}

impl TokenMade {
    /// What it is called: the first eight digits of its digest.
    pub fn id(&self) -> TokenId {
        TokenId::of(&self.digest)
    }
}

/// What a token is called: enough to tell it from others, nothing to guess its secret by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(pub [u8; 4]);

impl TokenId {
    /// Of the token with this digest.
    pub fn of(digest: &[u8; 32]) -> Self {
        let [a, b, c, d, ..] = *digest;
        Self([a, b, c, d])
    }

    /// Reads one; `None` for what is none.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 4];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenId({self})")
    }
}

/// Something that an operator did: acknowledged an incident, planned a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorAction {
    /// Its word, such as `acknowledge`.
    pub action: String,
    /// What it is about, in an encoding of the action's own.
    pub body: Vec<u8>,
}
