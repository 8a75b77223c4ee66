//! Who is enrolled and which tokens there are, as the control journal's records say. Pure.

use std::collections::{BTreeMap, HashMap};

use mailsonde_proto::{AgentId, WallTime};

use super::ControlError;
use super::people::People;
use super::record::{AppliedCheck, Author, Control, ControlRecord, Enrolled, TokenId, TokenMade};
use crate::judge::action::Action;
use crate::judge::definition::Definitions;
use crate::judge::feedback::Feedback;
use crate::judge::followup::FollowUps;
use crate::judge::outside::Outside;
use crate::judge::planned::Planned;
use crate::judge::reported::Reports;
use crate::judge::stated::Numbers;

/// A token, and who came in by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// As it was made.
    pub made: TokenMade,
    /// When.
    pub made_at: WallTime,
    /// By whom.
    pub made_by: Option<Author>,
    /// The agent that it let in, and the digest of its key.
    pub used: Option<(AgentId, [u8; 32])>,
    /// It was withdrawn.
    pub is_withdrawn: bool,
}

/// The state that the records come to.
#[derive(Debug, Default)]
pub struct Roll {
    agents: BTreeMap<AgentId, Enrolled>,
    revoked: BTreeMap<AgentId, (Enrolled, WallTime)>,
    keys: HashMap<[u8; 32], AgentId>,
    tokens: BTreeMap<TokenId, Token>,
    applied: Vec<AppliedCheck>,
    definitions: Option<Definitions>,
    planned: Planned,
    /// The checksum of what was last archived of each incident.
    archived: HashMap<u64, u32>,
    numbers: Numbers,
    outside: Outside,
    follow_ups: FollowUps,
    feedback: Feedback,
    reports: Reports,
    people: People,
}

impl Roll {
    /// Takes in the next record.
    pub fn apply(&mut self, record: &ControlRecord) {
        match &record.control {
            Control::Enrolled(enrolled) => self.enrol(enrolled),
            Control::TokenMade(made) => {
                let token = Token {
                    made: made.clone(),
                    made_at: record.received_at,
                    made_by: record.author.clone(),
                    used: None,
                    is_withdrawn: false,
                };
                self.tokens.insert(made.id(), token);
            }
            Control::TokenWithdrawn { token } => {
                if let Some(token) = self.tokens.get_mut(token) {
                    token.is_withdrawn = true;
                }
            }
            Control::Revoked { agent } => {
                if let Some(enrolled) = self.agents.remove(agent) {
                    self.keys.remove(&enrolled.key_digest);
                    self.revoked.insert(*agent, (enrolled, record.received_at));
                }
            }
            Control::Applied { checks } => self.applied.clone_from(checks),
            Control::Services(definitions) => self.definitions = Some(definitions.clone()),
            Control::Acted(Action::Planned(action)) => {
                self.planned.apply(record.received_at, action);
            }
            Control::Archived { incident, bytes } => {
                self.archived.insert(*incident, crc32c::crc32c(bytes));
            }
            Control::Acted(Action::Incident(_)) => {}
            Control::Acted(Action::Stated(stated)) => self.numbers.apply(stated),
            Control::Heard(heard) => self.outside.hear(heard),
            Control::Acted(Action::FollowUp(action)) => {
                self.follow_ups.apply(record.received_at, action);
            }
            Control::Acted(Action::Feedback(action)) => self.feedback.apply(action),
            Control::Acted(Action::Report(action)) => self.reports.apply(action),
            Control::Access(access) => {
                self.people.apply(access, record.received_at, record.author.as_ref());
            }
            Control::Defined { .. }
            | Control::Tick
            | Control::Operator(_)
            | Control::Rejoined { .. }
            | Control::CloneNoticed { .. }
            | Control::Started
            | Control::NotRun { .. }
            | Control::Notified(_)
            | Control::Unknown => {}
        }
    }

    fn enrol(&mut self, enrolled: &Enrolled) {
        if let Some(token) = enrolled.token.and_then(|id| self.tokens.get_mut(&id)) {
            token.used.get_or_insert((enrolled.agent, enrolled.key_digest));
        }
        if let Some(before) = self.agents.insert(enrolled.agent, enrolled.clone()) {
            self.keys.remove(&before.key_digest);
        }
        self.keys.insert(enrolled.key_digest, enrolled.agent);
    }

    /// What is defined for judging; `None` while nothing ever was.
    pub fn definitions(&self) -> Option<&Definitions> {
        self.definitions.as_ref()
    }

    /// What is planned or left out.
    pub fn planned(&self) -> &Planned {
        &self.planned
    }

    /// What was heard from outside.
    pub fn outside(&self) -> &Outside {
        &self.outside
    }

    /// Whether exactly this is archived of an incident.
    pub fn is_archived(&self, incident: u64, bytes: &[u8]) -> bool {
        self.archived.get(&incident) == Some(&crc32c::crc32c(bytes))
    }

    /// Numbers that operators stated.
    pub fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    /// What is to be done after incidents.
    pub fn follow_ups(&self) -> &FollowUps {
        &self.follow_ups
    }

    /// What users say, and what they asked the service desk.
    pub fn feedback(&self) -> &Feedback {
        &self.feedback
    }

    /// Monthly reports that are kept, and that were mailed.
    pub fn reports(&self) -> &Reports {
        &self.reports
    }

    /// The collector's checks, as they were applied last.
    pub fn applied(&self) -> &[AppliedCheck] {
        &self.applied
    }

    /// Who may ask.
    pub fn people(&self) -> &People {
        &self.people
    }

    /// The agent of this identity; `None` for one that is not ours (any more).
    pub fn agent(&self, agent: AgentId) -> Option<&Enrolled> {
        self.agents.get(&agent)
    }

    /// The agent with this key.
    pub fn agent_with_key(&self, key_digest: &[u8; 32]) -> Option<&Enrolled> {
        self.keys.get(key_digest).and_then(|agent| self.agents.get(agent))
    }

    /// When an agent was revoked.
    pub fn revoked_at(&self, agent: AgentId) -> Option<WallTime> {
        self.revoked.get(&agent).map(|(_, at)| *at)
    }

    /// Everybody who was revoked, and when; by identity.
    pub fn revoked(&self) -> impl Iterator<Item = (&Enrolled, WallTime)> {
        self.revoked.values().map(|(enrolled, at)| (enrolled, *at))
    }

    /// Whether a key was some revoked agent's.
    pub fn is_revoked_key(&self, key_digest: &[u8; 32]) -> bool {
        self.revoked.values().any(|(enrolled, _)| enrolled.key_digest == *key_digest)
    }

    /// The agent of this name.
    pub fn agent_named(&self, name: &str) -> Option<&Enrolled> {
        self.agents.values().find(|agent| agent.name.eq_ignore_ascii_case(name))
    }

    /// Everybody who is enrolled, by identity.
    pub fn agents(&self) -> impl Iterator<Item = &Enrolled> {
        self.agents.values()
    }

    /// A name that no agent has, as near to `wanted` as can be.
    pub fn free_name(&self, wanted: &str) -> String {
        let numbered = |number: u32| {
            let suffix = format!("-{number}");
            let room = 64_usize.saturating_sub(suffix.len());
            let stem: String = wanted.chars().take(room).collect();
            format!("{stem}{suffix}")
        };
        std::iter::once(wanted.to_owned())
            .chain((2..).map(numbered))
            .find(|name| self.agent_named(name).is_none())
            .unwrap_or_else(|| wanted.to_owned())
    }

    /// The token of this name.
    pub fn token(&self, token: TokenId) -> Option<&Token> {
        self.tokens.get(&token)
    }

    /// Every token there was, by name.
    pub fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.tokens.values()
    }

    /// The token with this digest, if it can let in an agent with this key at `now`.
    ///
    /// # Errors
    /// When there is none, or it is over: in words for whoever holds it.
    pub fn usable_token(
        &self,
        digest: &[u8; 32],
        key_digest: &[u8; 32],
        now: WallTime,
    ) -> Result<&Token, ControlError> {
        let token = self.tokens.get(&TokenId::of(digest));
        let token = token.filter(|token| token.made.digest == *digest);
        let token = token.ok_or(ControlError::NoSuchToken)?;
        match token.used {
            // its answer was lost, and it asks again
            Some((agent, key)) if key == *key_digest && self.agents.contains_key(&agent) => {
                Ok(token)
            }
            Some(_) => Err(ControlError::TokenUsed),
            None if token.is_withdrawn => Err(ControlError::NoSuchToken),
            None if now >= token.made.expires_at => {
                Err(ControlError::TokenExpired(token.made.expires_at))
            }
            None => Ok(token),
        }
    }
}
