//! The round trip: sends a test message, sees it arrive, and times every phase of it.
//!
//! The mailbox is watched before the message leaves, so that no arrival is missed. The run passes only
//! when a message with exactly this run's token arrives whole, once, where it is expected, before the
//! deadline; what comes up afterwards amends the run and never makes it a pass. Absent on purpose: any
//! retry, which would turn two measurements into one.

mod settings;
mod told;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use lettre::Address;
use lettre::transport::smtp::extension::ClientId;
use mailsonde_proto::phase::name;
use mailsonde_proto::time::Instant;
use mailsonde_proto::{Clock, Fault, FaultClass, Verdict};
use tokio::time::timeout_at;

use super::{Kind, Outcome, Probe, Run, Section, Setting, Surroundings};
use crate::mail::dial::Patience;
use crate::mail::failure::{Failure, seconds};
use crate::mail::mailbox::{Arrival, Event, Mailbox, Order, Refusal, STEP, Watch};
use crate::mail::message::{Draft, TestMessage};
use crate::mail::smtp::{self, Session};
use crate::mail::wire::Record;
use crate::net::Net;
use crate::stopwatch::{Stopwatch, us};
use told::{Story, judge};

pub use settings::{Expect, RoundTripSettings};

/// A run returns so much before its deadline: whoever enforces that deadline must not be first.
const MARGIN: Duration = Duration::from_millis(100);

/// The kind `round-trip`.
pub(super) struct RoundTripKind;

impl Kind for RoundTripKind {
    fn name(&self) -> &'static str {
        "round-trip"
    }

    fn summary(&self) -> &'static str {
        "sends a test message and times it until it is seen in the mailbox"
    }

    fn settings(&self) -> &'static [Setting] {
        settings::SETTINGS
    }

    fn configure(
        &self,
        section: &mut Section<'_>,
        surroundings: &Surroundings,
    ) -> Option<Arc<dyn Probe>> {
        let (settings, mailbox) = settings::read(section, surroundings)?;
        let Surroundings { net, clock, .. } = surroundings;
        Some(Arc::new(RoundTrip::new(settings, mailbox, net.clone(), *clock)))
    }
}

/// One check of the kind `round-trip`.
pub struct RoundTrip {
    settings: RoundTripSettings,
    mailbox: Arc<Mailbox>,
    net: Net,
    clock: Clock,
}

impl RoundTrip {
    /// With these settings, to this mailbox.
    pub fn new(settings: RoundTripSettings, mailbox: Arc<Mailbox>, net: Net, clock: Clock) -> Self {
        Self { settings, mailbox, net, clock }
    }

    async fn round_trip(&self, run: &Run) -> Outcome {
        let began = self.clock.monotonic();
        let deadline = run.deadline.checked_sub(MARGIN).unwrap_or(run.deadline);
        let message = self.draft(run).seal(&run.token_key);
        let order = Order {
            token: message.token.clone(),
            key: Arc::clone(&run.token_key),
            deadline,
            bytes: message.bytes.len(),
            amendments: run.amendments.clone(),
        };
        let watch = match self.mailbox.watch(order).await {
            Ok(watch) => watch,
            Err(refusal) => return not_ready(refusal, began),
        };
        let patience = Patience { clock: self.clock, step: STEP, deadline };
        let record = smtp::dial(&self.net, patience).record(&self.sender().settings().smtp);
        let mut stopwatch = Stopwatch::start(self.clock);
        let mut story = Story::new(&message, &watch);
        let submitted =
            self.submit(patience, &message, &record, (&watch, &mut stopwatch, &mut story)).await;
        let origin = stopwatch.started();
        story.connected_before(origin);
        story.phases.extend(stopwatch.phases_from(origin));
        let (session, accepted) = match submitted {
            Ok(submitted) => submitted,
            Err(failure) => {
                let total_us = us(origin, stopwatch.now());
                return story.end(failure.into_verdict(), total_us, record.text());
            }
        };
        story.accepted = Some((accepted, self.clock.wall()));
        // Taking leave must not hold the arrival up, nor the arrival the leave.
        let mut quit = std::pin::pin!(session.quit().fuse());
        let mut arrival = std::pin::pin!(self.arrival(&watch, deadline));
        let event = tokio::select! {
            event = &mut arrival => event,
            () = &mut quit => arrival.await,
        };
        let (verdict, seen) = match event {
            Some(Event::Arrived(arrival)) => {
                let copies = self.settle(&watch, &arrival, deadline).await;
                story.arrived(&arrival, origin);
                (judge(&self.settings, &arrival, &copies), arrival.first_seen)
            }
            Some(Event::Bounced(failure)) => (failure.into_verdict(), self.clock.monotonic()),
            None => (self.missing(&watch, accepted), self.clock.monotonic()),
        };
        story.watched(&watch);
        let total_us = us(origin, seen.max(accepted));
        let transcript = format!("{}-- mailbox\n{}", record.text(), watch.transcript());
        story.end(verdict, total_us, transcript)
    }

    async fn submit(
        &self,
        patience: Patience,
        message: &TestMessage,
        record: &Record,
        (watch, stopwatch, story): (&Watch, &mut Stopwatch, &mut Story),
    ) -> Result<(Session, Instant), Failure> {
        let (from, to) = (self.address(self.from())?, self.address(self.to())?);
        let dial = smtp::dial(&self.net, patience);
        let sender = self.sender().settings();
        let hello = sender.hello.clone().map(ClientId::Domain);
        let mut session = match &self.settings.exchanger_of {
            Some(domain) => {
                let target = (domain.as_str(), self.settings.exchanger_port);
                Session::open_exchanger(dial, target, hello, record.clone(), stopwatch).await?
            }
            None => Session::open(dial, &sender.smtp, hello, record.clone(), stopwatch).await?,
        };
        story.facts.append(session.facts());
        session.envelope(&from, &to, stopwatch).await?;
        session.data(&message.bytes, stopwatch, || watch.sent()).await?;
        let accepted = stopwatch.last();
        watch.accepted(accepted);
        story.facts.append(session.facts());
        Ok((session, accepted))
    }

    /// What happens to the message, if anything does before the deadline.
    async fn arrival(&self, watch: &Watch, deadline: Instant) -> Option<Event> {
        timeout_at(deadline, watch.next()).await.ok()
    }

    /// What else turns up shortly after the first arrival.
    async fn settle(&self, watch: &Watch, first: &Arrival, deadline: Instant) -> Vec<Arrival> {
        let until = (first.first_seen + self.settings.settle).min(deadline);
        let mut copies = Vec::new();
        while let Ok(event) = timeout_at(until, watch.next()).await {
            if let Event::Arrived(copy) = event {
                copies.push(copy);
            }
        }
        copies
    }

    fn missing(&self, watch: &Watch, accepted: Instant) -> Verdict {
        let waited = seconds(self.clock.monotonic().saturating_duration_since(accepted));
        let words = match watch.trouble() {
            None => format!("the message was accepted, but did not arrive within {waited}"),
            Some(trouble) => format!(
                "the message was accepted, but was not seen within {waited}; the mailbox could not be \
                 watched all the time: {}",
                trouble.fault
            ),
        };
        Verdict::Fail(Fault::new(name::ARRIVAL, FaultClass::Timeout, words))
    }

    fn draft<'a>(&'a self, run: &'a Run) -> Draft<'a> {
        Draft {
            from: self.from(),
            to: self.to(),
            check: &run.check,
            agent: run.agent,
            run: run.id,
            date: self.clock.wall(),
            size: self.settings.size,
        }
    }

    fn sender(&self) -> &Mailbox {
        self.settings.from_mailbox.as_ref().unwrap_or(&self.mailbox)
    }

    fn from(&self) -> &str {
        &self.sender().settings().address
    }

    fn to(&self) -> &str {
        self.settings.to.as_deref().unwrap_or(&self.mailbox.settings().address)
    }

    fn address(&self, text: &str) -> Result<Address, Failure> {
        text.parse().map_err(|error| {
            let words = format!("{text} is not an e-mail address: {error}");
            Failure::new(name::ENVELOPE, FaultClass::Protocol, words)
        })
    }
}

impl Probe for RoundTrip {
    fn run(&self, run: Run) -> BoxFuture<'_, Outcome> {
        async move { self.round_trip(&run).await }.boxed()
    }
}

/// The mailbox could not be watched, so nothing was sent.
fn not_ready(refusal: Refusal, began: Instant) -> Outcome {
    let phases: Vec<_> = refusal.laps.iter().map(|lap| lap.phase_from(began)).collect();
    let total_us = refusal.laps.last().map_or(0, |lap| us(began, lap.to));
    Outcome {
        verdict: refusal.failure.into_verdict(),
        total_us,
        phases,
        facts: Vec::new(),
        findings: Vec::new(),
        transcript: refusal.transcript,
    }
}

#[cfg(test)]
mod tests;
