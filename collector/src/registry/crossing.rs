//! Which agents send mail to which: who may receive, and whose words are carried to whom.
//!
//! Invariant: a word goes from one agent to another only where a check in force sends between them, and is dropped where
//! it finds no room: nothing of it is kept.

use std::sync::{Arc, PoisonError};

use mailsonde_proto::AgentId;
use mailsonde_proto::convert::{
    Crossing, CrossingWord, FromCollector, Hello, Unready, UnreadyReason,
};

use super::{AgentEntry, Registry};
use crate::central::Receiver;
use crate::control::Control;

impl AgentEntry {
    /// Whether this is what it said last.
    pub(super) fn says_the_same(&self, hello: &Hello) -> bool {
        (&self.checks, &self.signing_key, &self.mailboxes)
            == (&hello.checks, &hello.signing_key, &hello.mailboxes)
    }

    /// Takes over what stands in the control journal.
    pub(super) fn say_of_itself(&mut self, control: Control) {
        if let Control::Defined { checks, signing_key, mailboxes, .. } = control {
            (self.checks, self.signing_key, self.mailboxes) = (checks, signing_key, mailboxes);
        }
    }
}

/// What an agent says of itself, as the control journal keeps it.
pub(super) fn said(agent: AgentId, hello: &Hello) -> Control {
    let Hello { checks, signing_key, mailboxes, .. } = hello.clone();
    Control::Defined { agent, checks, signing_key, mailboxes }
}

impl Registry {
    /// What an agent says of itself is on disk.
    pub(super) fn defined(&self, agent: AgentId, said: Control) {
        let receives_elsewhere = {
            let mut agents = self.lock();
            let entry = &mut agents.entry(agent).or_default().entry;
            let before = entry.mailboxes.clone();
            entry.say_of_itself(said);
            entry.mailboxes != before
        };
        if receives_elsewhere {
            self.look_for_receivers();
            if self.checks().borrow().has_pairs() {
                self.reselect();
            }
        }
    }

    /// The agents at which mail of others may arrive.
    pub(crate) fn receivers(&self) -> Arc<[Receiver]> {
        Arc::clone(&self.orders.receivers.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn look_for_receivers(&self) {
        let receiving = self.agents().into_iter().filter(|(_, entry)| !entry.mailboxes.is_empty());
        let receivers = receiving.map(|(enrolled, entry)| Receiver {
            agent: enrolled.agent,
            name: enrolled.name,
            labels: enrolled.labels,
            mailboxes: entry.mailboxes,
        });
        let receivers = receivers.collect();
        *self.orders.receivers.write().unwrap_or_else(PoisonError::into_inner) = receivers;
    }

    /// Carries a word of the agent `from` to the one that it is for. Where a mail is about to leave and its receiver
    /// cannot be asked, its sender is told so.
    pub(crate) fn carry(&self, from: AgentId, said: Crossing) {
        let Crossing { peer: to, run, word } = said;
        let is_of_sender = word.is_of_sender();
        let is_asked = matches!(word, CrossingWord::Expect(_));
        let (sender, receiver) = if is_of_sender { (from, to) } else { (to, from) };
        let reason = if !self.is_pair(sender, receiver) {
            UnreadyReason::NoCheck
        } else if self.tell(to, FromCollector::Crossing(Crossing { peer: from, run, word })) {
            return;
        } else {
            UnreadyReason::Absent
        };
        tracing::debug!(%from, %to, ?reason, "a word about a mail is not carried");
        if is_asked {
            let word = CrossingWord::Unready(Unready { reason, detail: String::new() });
            self.tell(from, FromCollector::Crossing(Crossing { peer: to, run, word }));
        }
    }

    fn is_pair(&self, sender: AgentId, receiver: AgentId) -> bool {
        let checks = self.checks().borrow().clone();
        let both = self.control.agent(sender).zip(self.control.agent(receiver));
        both.is_some_and(|(sender, receiver)| checks.is_pair(&sender, &receiver))
    }
}
