//! Tokens that let agents in, and the audit log.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mailsonde_proto::WallTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::QueryError;
use super::access::Users;
use crate::control::{Control, ControlJournal, ControlNext, ControlRecord, Enrolled, Link, Roll};

/// Acts that one answer shows at most.
const MOST_ACTS: usize = 10_000;
/// Acts that are shown when nobody says how many.
const DEFAULT_ACTS: usize = 50;
/// Broken places that are told one by one.
const MOST_BREAKS: usize = 20;

/// Every token that there was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokensAnswer {
    /// When the answer was given.
    pub now: Timestamp,
    /// The newest first.
    pub tokens: Vec<TokenAnswer>,
}

/// One token; never its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenAnswer {
    /// What it is called: eight hexadecimal digits.
    pub id: String,
    /// `usable`, `used`, `expired` or `withdrawn`.
    pub state: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// By whom.
    pub made_by: String,
    /// Until when it works, or would have.
    pub expires_at: Timestamp,
    /// What the agent is to be called; null: like its host.
    pub name: Option<String>,
    /// What the agent is selected by.
    pub labels: BTreeMap<String, String>,
    /// The agent that it let in.
    pub used_by: Option<String>,
}

/// An agent was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentChanged {
    /// Its identity: 32 hexadecimal digits.
    pub agent_id: String,
    /// What it is called now.
    pub name: String,
    /// What it is selected by now.
    pub labels: BTreeMap<String, String>,
    /// It is not ours any more.
    pub is_revoked: bool,
}

/// The audit log: what was done, and whether the log is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditAnswer {
    /// How many acts the log holds.
    pub acts: u64,
    /// The last link of its chain: 64 hexadecimal digits. Noted down elsewhere, it proves later that nothing
    /// was changed or cut off before it.
    pub head: String,
    /// Each link that does not follow the one before, and each gap; empty when the log is whole.
    pub breaks: Vec<String>,
    /// The newest last, as many as were asked for.
    pub newest: Vec<ActAnswer>,
}

/// One act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActAnswer {
    /// Its place in the control journal.
    pub sequence: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub who: String,
    /// From where.
    pub from: String,
    /// What, in words.
    pub what: String,
    /// Its link in the chain: 64 hexadecimal digits.
    pub link: String,
}

pub(super) fn tokens(roll: &Roll, now: WallTime) -> TokensAnswer {
    let mut tokens: Vec<_> = roll
        .tokens()
        .map(|token| {
            let state = match token.used {
                Some(_) => "used",
                None if token.is_withdrawn => "withdrawn",
                None if now >= token.made.expires_at => "expired",
                None => "usable",
            };
            let used_by = token.used.map(|(agent, _)| match roll.agent(agent) {
                Some(agent) => agent.name.clone(),
                None => format!("{agent} (revoked)"),
            });
            TokenAnswer {
                id: token.made.id().to_string(),
                state: state.to_owned(),
                made_at: token.made_at.timestamp(),
                made_by: token.made_by.as_ref().map(|by| by.who.clone()).unwrap_or_default(),
                expires_at: token.made.expires_at.timestamp(),
                name: token.made.name.clone(),
                labels: token.made.labels.clone(),
                used_by,
            }
        })
        .collect();
    tokens.sort_by_key(|token| std::cmp::Reverse(token.made_at));
    TokensAnswer { now: now.timestamp(), tokens }
}

/// Reads the whole control journal: each link is made again from the bytes that stand on disk.
pub(super) fn audit(
    control: &ControlJournal,
    limit: Option<usize>,
    before: Option<u64>,
) -> Result<(AuditAnswer, Option<u64>), QueryError> {
    let kept = limit.unwrap_or(DEFAULT_ACTS).min(MOST_ACTS);
    let (mut link, mut acts, mut breaks) = (Link::default(), 0, Vec::new());
    let (mut wanted, mut newest) = (0, std::collections::VecDeque::new());
    let (mut names, mut users) = (BTreeMap::new(), Users::default());
    let mut records = control.follow(1);
    loop {
        let (sequence, record, read) = match records.read_with_link(&link)? {
            (ControlNext::Record { sequence, record }, read) => (sequence, record, read),
            (ControlNext::Gap { first, last }, _) => {
                breaks.push(format!("the records {first} to {last} are damaged"));
                continue;
            }
            (ControlNext::CaughtUp, _) => break,
        };
        let what = match &record.control {
            Control::Access(access) => users.words(access),
            _ => words(&record, &mut names),
        };
        let Some((next, follows)) = read else { continue };
        if !follows {
            breaks.push(format!("record {sequence} does not follow the one before it"));
        }
        (link, acts) = (next, acts + 1);
        if before.is_none_or(|before| sequence < before) {
            wanted += 1;
            newest.push_back(act(sequence, record, what, &link));
        }
        if newest.len() > kept {
            newest.pop_front();
        }
    }
    let more = breaks.len().saturating_sub(MOST_BREAKS);
    if more > 0 {
        breaks.truncate(MOST_BREAKS);
        breaks.push(format!("and {more} more"));
    }
    let oldest = newest.front().map(|oldest: &ActAnswer| oldest.sequence);
    let next = oldest.filter(|_| wanted > newest.len());
    Ok((AuditAnswer { acts, head: hex::encode(link), breaks, newest: newest.into() }, next))
}

fn act(sequence: u64, record: ControlRecord, what: String, link: &Link) -> ActAnswer {
    let (who, from) = record.author.map(|author| (author.who, author.from)).unwrap_or_default();
    ActAnswer {
        sequence,
        at: record.received_at.timestamp(),
        who,
        from,
        what,
        link: hex::encode(link),
    }
}

/// What became of an agent, by what it was before.
fn enrolled_in_words(enrolled: &Enrolled, before: Option<&Enrolled>) -> String {
    let name = &enrolled.name;
    match before {
        None => format!("enrolled {name} ({})", enrolled.agent),
        Some(before) if before.key_digest != enrolled.key_digest => {
            format!("enrolled {name} again, with another key")
        }
        Some(before) if before.name != *name => format!("renamed {} to {name}", before.name),
        Some(_) => {
            let labels = enrolled.labels.iter().map(|(key, value)| format!(" {key}={value}"));
            format!("labelled {name}:{}", labels.collect::<String>())
        }
    }
}

/// What a record says, for people; remembers what agents are called.
fn words(
    record: &ControlRecord,
    names: &mut BTreeMap<mailsonde_proto::AgentId, Enrolled>,
) -> String {
    let called = |agent, names: &BTreeMap<_, Enrolled>| {
        names.get(agent).map_or_else(|| format!("agent {agent}"), |known| known.name.clone())
    };
    match &record.control {
        Control::Enrolled(enrolled) => {
            let before = names.insert(enrolled.agent, enrolled.clone());
            enrolled_in_words(enrolled, before.as_ref())
        }
        Control::TokenMade(made) => {
            let whom = match (&made.agent, &made.name) {
                (Some(agent), _) => format!(" for {}", called(agent, names)),
                (None, Some(name)) => format!(" for {name}"),
                (None, None) => String::new(),
            };
            let until = made.expires_at.timestamp().strftime("%Y-%m-%d %H:%M UTC");
            format!("made token {}{whom}, until {until}", made.id())
        }
        Control::TokenWithdrawn { token } => format!("withdrew token {token}"),
        Control::Revoked { agent } => format!("revoked {}", called(agent, names)),
        Control::Rejoined { agent } => {
            format!("{} rejoined by its registered key", called(agent, names))
        }
        Control::CloneNoticed { agent, addresses: [one, other] } => {
            format!(
                "noticed two machines with the key of {}: {one} and {other}",
                called(agent, names)
            )
        }
        Control::Applied { checks } => format!("put {} checks in force", checks.len()),
        Control::Operator(action) => action.action.clone(),
        Control::Services(definitions) if definitions.services.is_empty() => {
            "put no services in force: each check is one of its own".to_owned()
        }
        Control::Services(definitions) => {
            let routes = match definitions.routes.len() {
                0 => String::new(),
                1 => " and 1 route".to_owned(),
                routes => format!(" and {routes} routes"),
            };
            format!("put {} services{routes} in force", definitions.services.len())
        }
        Control::Acted(action) => action.words(),
        Control::Defined { .. }
        | Control::Tick
        | Control::Archived { .. }
        | Control::Started
        | Control::NotRun { .. }
        | Control::Notified(_)
        | Control::Heard(_)
        | Control::Access(_)
        | Control::Unknown => "something".to_owned(),
    }
}
