//! The memory of closed runs, and what becomes of messages that turn up after them.

use std::collections::VecDeque;

use mailsonde_proto::phase::name;
use mailsonde_proto::time::Instant;
use mailsonde_proto::{Fact, Fault, FaultClass, RunId};

use super::event::{Arrival, Reply};
use crate::mail::failure::{Failure, seconds};
use crate::mail::message::Attached;
use crate::mail::token::Token;
use crate::probe::Amendment;

/// How many closed runs are remembered; for those before them, less is known of a late message.
const MOST_CLOSED: usize = 4_096;

/// A run that is over.
pub(crate) struct Closed {
    pub(crate) token: Token,
    pub(crate) accepted: Option<Instant>,
    pub(crate) was_seen: bool,
    pub(crate) attached: Option<Attached>,
    pub(crate) wants_replies: bool,
}

#[derive(Default)]
pub(crate) struct Ledger(VecDeque<Closed>);

impl Ledger {
    pub(crate) fn remember(&mut self, closed: Closed) {
        if self.0.len() == MOST_CLOSED {
            self.0.pop_front();
        }
        self.0.push_back(closed);
    }

    /// The amendment that a message makes of its closed run; `None` when the run is not known here.
    pub(crate) fn saw(&mut self, token: &Token, arrival: &Arrival) -> Option<Amendment> {
        let closed = self.0.iter_mut().rev().find(|closed| closed.token == *token)?;
        let folder = &arrival.folder;
        let late_by =
            closed.accepted.map(|at| seconds(arrival.seen_by(at).saturating_duration_since(at)));
        let words = match (closed.was_seen, &late_by) {
            (true, _) => format!("the message arrived twice: another copy came to {folder}"),
            (false, Some(late_by)) => format!(
                "the message arrived late: it came to {folder} {late_by} after it had been accepted, \
                 when its run was over"
            ),
            (false, None) => format!(
                "the message arrived in {folder} although its acceptance was never seen, when its run \
                 was over"
            ),
        };
        closed.was_seen = true;
        let arrived = closed.accepted.and_then(|from| arrival.phase(from, from));
        let mut amendment =
            amendment(token, Fault::new(name::ARRIVAL, FaultClass::Mismatch, words));
        amendment.phases.extend(arrived);
        amendment.facts.push(folder_of(arrival));
        amendment.facts.push(fact("arrival.place", arrival.place.as_str()));
        Some(amendment)
    }

    /// The token of a closed run whose message was not seen.
    pub(crate) fn missed(&self, run: RunId) -> Option<Token> {
        let closed = self.0.iter().rev().find(|closed| closed.token.run == run)?;
        (!closed.was_seen).then(|| closed.token.clone())
    }

    /// The attachment of a closed run's message.
    pub(super) fn attached(&self, token: &Token) -> Option<Attached> {
        self.0.iter().rev().find(|closed| closed.token == *token)?.attached.clone()
    }

    /// The amendment that an automatic reply makes of its closed run, where that looked for one; `None`
    /// when the run is not known here.
    pub(super) fn replied(&self, token: &Token, reply: &Reply) -> Option<Option<Amendment>> {
        let closed = self.0.iter().rev().find(|closed| closed.token == *token)?;
        let amendment = closed.wants_replies.then(|| {
            let words = "an automatic reply came when its run was over".to_owned();
            let fault = Fault::new("auto_reply", FaultClass::Mismatch, words);
            let mut amendment = amendment(token, fault);
            amendment.facts.push(fact("auto_reply.kind", &reply.kind));
            amendment.facts.push(fact("auto_reply.folder", &reply.folder));
            amendment
        });
        Some(amendment)
    }

    /// The amendment that a bounce makes of its closed run.
    pub(super) fn bounced(&mut self, token: &Token, failure: Failure) -> Option<Amendment> {
        self.0.iter().rev().find(|closed| closed.token == *token)?;
        Some(amendment(token, failure.fault))
    }
}

/// About a run that this process does not remember, but that is of its outbox.
pub(super) fn amendment_of_forgotten(
    token: &Token,
    arrival: &Arrival,
    is_found: bool,
) -> Amendment {
    let words = format!(
        "the message arrived in {}, when its run was long over or the agent had been restarted",
        arrival.folder
    );
    let mut amendment = amendment(token, Fault::new(name::ARRIVAL, FaultClass::Mismatch, words));
    amendment.is_found = is_found;
    amendment.facts.push(folder_of(arrival));
    amendment
}

/// About a run of this outbox, with nothing but its fault.
pub(super) fn amendment(token: &Token, fault: Fault) -> Amendment {
    let (phases, facts) = (Vec::new(), Vec::new());
    Amendment { run: token.run, fault, phases, facts, is_found: false }
}

fn folder_of(arrival: &Arrival) -> Fact {
    fact(&format!("{}.folder", arrival.protocol), &arrival.folder)
}

fn fact(name: &str, value: &str) -> Fact {
    Fact { name: name.to_owned(), value: value.to_owned() }
}
