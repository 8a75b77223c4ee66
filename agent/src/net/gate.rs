//! The gate before every packet: policy is asked here, and what may be used up is counted here.
//!
//! Whatever `net` opens or asks goes through one of the functions of this page first, by the address that is
//! really connected. A policy can be replaced while everything runs, and every clone of a [`Net`] sees the new
//! one at once; what was used up of the rates stays used up. Without a policy nothing is refused, counted or
//! learnt: that is for a person at a shell, and for what the agent's own configuration says by itself.

mod learnt;

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::{Name, RecordType};
use mailsonde_proto::Clock;

use super::{MailExchanger, Net, NetError};
use crate::policy::{Books, Permit, Policy, Refusal, Rule, Target, name_of};
use learnt::Learnt;

/// What stands before the sockets of a [`Net`] and of its clones.
pub(super) struct Gate {
    clock: Clock,
    policy: RwLock<Option<Arc<Policy>>>,
    /// Shared with whoever is bound by the same limits, under whatever policy.
    books: Arc<Mutex<Books>>,
    learnt: Mutex<Learnt>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            clock: Clock::system(),
            policy: RwLock::default(),
            books: Arc::default(),
            learnt: Mutex::default(),
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.policy().is_some() { "Gate(policy)" } else { "Gate(open)" })
    }
}

impl Gate {
    fn policy(&self) -> Option<Arc<Policy>> {
        self.policy.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn learnt(&self) -> MutexGuard<'_, Learnt> {
        self.learnt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

tokio::task_local! {
    /// The first thing that was refused to the run which this task carries out.
    static REFUSED: RefCell<Option<Refusal>>;
}

/// Carries out a run, and tells what policy refused it first, whatever the run made of that.
pub async fn noting<F: Future>(run: F) -> (F::Output, Option<Refusal>) {
    let noted = async {
        let ended = run.await;
        (ended, REFUSED.with(RefCell::take))
    };
    REFUSED.scope(RefCell::default(), noted).await
}

/// Notes a refusal for whoever carries out the run.
pub(super) fn note(refusal: Refusal) -> Refusal {
    // Outside of a run, such as in a mailbox's watcher, the refusal itself is all there is.
    REFUSED
        .try_with(|noted| {
            noted.borrow_mut().get_or_insert_with(|| refusal.clone());
        })
        .ok();
    refusal
}

impl From<Refusal> for NetError {
    fn from(refusal: Refusal) -> Self {
        Self::Forbidden(note(refusal))
    }
}

impl Net {
    /// Under a policy, for which this clock says what time it is.
    pub fn under(policy: Policy, clock: Clock) -> Self {
        let gate = Gate { clock, ..Gate::default() };
        let net = Self { gate: Arc::new(gate) };
        net.set_policy(Some(policy));
        net
    }

    /// Another that shares what is used up of the rates, and that has no policy yet.
    pub fn beside(&self) -> Self {
        let gate =
            Gate { clock: self.gate.clock, books: Arc::clone(&self.gate.books), ..Gate::default() };
        Self { gate: Arc::new(gate) }
    }

    /// Puts another policy, or none, in the place of the one there is.
    pub fn set_policy(&self, policy: Option<Policy>) {
        *self.gate.policy.write().unwrap_or_else(PoisonError::into_inner) = policy.map(Arc::new);
        // What the old one let us learn need not be what the new one would.
        *self.gate.learnt() = Learnt::default();
    }

    /// Whether there is a policy.
    pub fn has_policy(&self) -> bool {
        self.gate.policy().is_some()
    }

    /// Whether a run of this kind may begin now.
    ///
    /// # Errors
    /// The rule that refuses it.
    pub fn may_begin(&self, kind: &str) -> Result<(), Refusal> {
        let Some(policy) = self.gate.policy() else { return Ok(()) };
        policy.allows(&Target::Kind(kind))?;
        let now = self.gate.clock.wall().timestamp();
        let local = now.to_zoned(jiff::tz::TimeZone::system()).datetime();
        policy.allows(&Target::Time(local))
    }

    /// Whether a server may be asked to take mail for somebody.
    ///
    /// # Errors
    /// The rule that refuses it.
    pub fn may_write_to(&self, recipient: &str) -> Result<(), Refusal> {
        let Some(policy) = self.gate.policy() else { return Ok(()) };
        policy.allows(&Target::Recipient(recipient)).map_err(note)
    }

    /// Whether one more message of so many bytes may be sent to somebody; where it may, it is counted.
    ///
    /// # Errors
    /// The rule that refuses it.
    pub fn may_mail(&self, recipient: &str, bytes: u64) -> Result<(), Refusal> {
        let Some(policy) = self.gate.policy() else { return Ok(()) };
        let now = self.gate.clock.monotonic();
        policy
            .allows(&Target::Recipient(recipient))
            .and_then(|()| policy.allows(&Target::Message(bytes)))
            .and_then(|()| self.gate.books().mail(&policy.rates, bytes, now))
            .map_err(note)
    }

    /// Whether DNS may be asked about a name by so many questions. Nothing is noted: what is told of an answer
    /// that was not asked for is up to the caller.
    pub(super) fn may_ask(&self, name: &Name, questions: u32) -> Result<(), Refusal> {
        let Some(policy) = self.gate.policy() else { return Ok(()) };
        let now = self.gate.clock.monotonic();
        let is_led = self.gate.learnt().leads_to(name, now);
        policy.allows(&Target::Name { name, is_led })?;
        self.gate.books().questions(&policy.rates, questions, now)
    }

    /// The same for a library that asks one question by itself.
    pub(crate) fn may_be_asked(&self, name: &Name) -> Result<(), Refusal> {
        self.may_ask(name, 1)
    }

    /// As if a look-up had come to these addresses.
    #[cfg(test)]
    pub(crate) fn learn_for_tests(&self, host: &str, addresses: &[IpAddr]) {
        self.learn_addresses(host, addresses);
    }

    /// The same for a host's name as a text.
    pub(super) fn may_look_up(&self, host: &str, questions: u32) -> Result<(), Refusal> {
        if self.gate.policy().is_none() {
            return Ok(());
        }
        match name_of(host) {
            Some(name) => self.may_ask(&name, questions),
            None => Err(Refusal::new(Rule::Hosts, format!("{host} is no name to ask about"))),
        }
    }

    /// Whether a DNS server may be sent a question; `is_ours`: the host's own configuration names it.
    pub(super) fn may_query(&self, server: SocketAddr, is_ours: bool) -> Result<(), Refusal> {
        let Some(policy) = self.gate.policy() else { return Ok(()) };
        let now = self.gate.clock.monotonic();
        let ties = self.gate.learnt().ties(None, server.ip(), now);
        policy.allows(&Target::Server { address: server, ties, is_ours })
    }

    /// Whether this address may be connected for this host.
    pub(super) fn may_open(&self, host: &str, address: SocketAddr) -> Result<(), Refusal> {
        let Some(policy) = self.gate.policy() else { return Ok(()) };
        let now = self.gate.clock.monotonic();
        let name = name_of(host);
        let ties = self.gate.learnt().ties(name.as_ref(), address.ip(), now);
        policy.allows(&Target::Connection { host, address, ties })
    }

    /// The place of one more connection among those that may be open at once.
    pub(super) fn place(&self) -> Result<Option<Permit>, Refusal> {
        let Some(policy) = self.gate.policy() else { return Ok(None) };
        self.gate.books().connection(&policy.rates).map(Some)
    }

    /// A look-up that was allowed came to these addresses.
    pub(super) fn learn_addresses(&self, host: &str, addresses: &[IpAddr]) {
        if self.gate.policy().is_some()
            && let Some(name) = name_of(host)
        {
            let now = self.gate.clock.monotonic();
            self.gate.learnt().addresses(&name, addresses, now);
        }
    }

    /// A look-up that was allowed came to these mail exchangers.
    pub(super) fn learn_exchangers(&self, domain: &str, exchangers: &[MailExchanger]) {
        if let (Some(policy), Some(domain)) = (self.gate.policy(), name_of(domain)) {
            let now = self.gate.clock.monotonic();
            let is_own = policy.names(&domain);
            let hosts = exchangers.iter().filter_map(|exchanger| name_of(&exchanger.host));
            self.gate.learnt().exchangers(hosts, is_own, now);
        }
    }

    /// A question that was allowed came to this answer.
    pub(super) fn learn(&self, (name, kind): (&Name, RecordType), answer: &Message) {
        if let Some(policy) = self.gate.policy() {
            let now = self.gate.clock.monotonic();
            self.gate.learnt().answer(&policy, (name, kind), answer, now);
        }
    }
}

#[cfg(test)]
mod tests;
