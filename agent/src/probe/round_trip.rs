//! The round trip: sends a test message, sees it arrive, and times every phase of it.
//!
//! The mailbox is watched before the message leaves, so that no arrival is missed. The run passes only
//! when a message with exactly this run's token arrives whole, once, where it is expected, before the
//! deadline; or is refused, or comes back, where that is expected. What comes up afterwards amends the run
//! and never makes it a pass. Absent on purpose: any retry, which would turn two measurements into one;
//! but for a mail exchanger that greylists, where the retry is what is measured.

mod settings;

mod crossing;
mod greylist;
mod submit;

mod evidence;
mod eyes;
mod judge;
mod told;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mailsonde_proto::phase::name;
use mailsonde_proto::time::Instant;
use mailsonde_proto::{Clock, Fact, Verdict};
use tokio::task::spawn_blocking;
use tokio::time::timeout_at;

use super::page::{self, Page, Part};
use super::{Kind, Outcome, Probe, Run, Section, Setting, Surroundings};
use crate::mail::dial::Patience;
use crate::mail::mailbox::{Arrived, Mailbox, Order, Refusal, STEP};
use crate::mail::message::{Draft, TestMessage};
use crate::mail::smtp::{self, Session};
use crate::mail::wire::Record;
use crate::net::Net;
use crate::peers::Peers;
use crate::policy;
use crate::stopwatch::us;
use eyes::Eyes;
use judge::{Log, Wait};
use submit::Accepted;
use told::Story;

pub use greylist::asked_to_wait;
pub use settings::{AutoReply, Expect, ExpectedCode, RoundTripSettings};

/// From this size on, in bytes, a message is made where it holds nobody up.
const LARGE: u64 = 256 * 1024;
/// A run returns so much before its deadline: whoever enforces that deadline must not be first.
const MARGIN: Duration = Duration::from_millis(100);

/// For the book.
const ABOUT: &str = "Sends a test message and sees it arrive. The mailbox is watched before the message leaves, \
    so that no arrival is missed. The run passes only when a message with exactly this run's \
    token arrives whole, once, where it is expected, before the deadline; or is refused, or \
    comes back, where that is expected (`expect`). What comes up afterwards (late, twice, \
    altered, bounced) amends the run and never makes it a pass. Nothing is tried twice, but for \
    a mail exchanger that greylists, where the wait is what is measured. Only messages with a \
    valid token of this agent are ever removed.";
/// A check, for the book.
const EXAMPLE: &str = r#"[[check]]
name = "mail"
kind = "round-trip"
mailbox = "main"
every = "60s"
"#;

fn phases() -> Vec<Part> {
    vec![
        page::TOKEN,
        page::RESOLVE,
        page::CONNECT,
        page::GREETING,
        page::TLS,
        page::AUTH,
        Part::new(name::ENVELOPE, "MAIL FROM and RCPT TO"),
        Part::new(
            submit::GREYLIST,
            "with `mx`: until an exchanger that greylists takes the message",
        ),
        Part::new(name::DATA, "the message, until the server's answer that it has queued it"),
        Part::new(
            name::TRANSIT,
            "from accepted to stored, by the storing server's own date: to within half a second",
        ),
        Part::new(name::ARRIVAL, "from accepted to first seen in the mailbox"),
        Part::new(told::BOUNCE, "from accepted to the bounce"),
        Part::new(judge::AUTO_REPLY, "from accepted to the automatic reply"),
        Part::new(
            "imap.…",
            "the same parts of the connections that watch the mailbox; kept between runs, they begin before the start",
        ),
        Part::new("pop3.…", "the same, where the mailbox is watched by POP3"),
    ]
}

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

    fn page(&self) -> Page {
        Page { about: ABOUT, example: EXAMPLE, phases: phases(), rules: vec![&told::FORGED_TOKEN] }
    }

    fn configure(
        &self,
        section: &mut Section<'_>,
        surroundings: &Surroundings,
    ) -> Option<Arc<dyn Probe>> {
        let (settings, mailbox) = settings::read(section, surroundings)?;
        let Surroundings { net, clock, peers, .. } = surroundings;
        let probe = RoundTrip::new(settings, mailbox, net.clone(), *clock);
        Some(Arc::new(RoundTrip { peers: peers.clone(), ..probe }))
    }
}

/// One check of the kind `round-trip`.
pub struct RoundTrip {
    settings: RoundTripSettings,
    mailbox: Arc<Mailbox>,
    net: Net,
    clock: Clock,
    peers: Peers,
}

impl RoundTrip {
    /// With these settings, to this mailbox.
    pub fn new(settings: RoundTripSettings, mailbox: Arc<Mailbox>, net: Net, clock: Clock) -> Self {
        Self { settings, mailbox, net, clock, peers: Peers::default() }
    }

    async fn round_trip(&self, run: &Run) -> Outcome {
        let began = self.clock.monotonic();
        let deadline = run.deadline.checked_sub(MARGIN).unwrap_or(run.deadline);
        let message = self.message(run).await;
        if let Err(refusal) = self.may_leave(&message) {
            return Outcome::refused(&refusal);
        }
        let eyes = match self.watch(run, &message, deadline).await {
            Ok(eyes) => eyes,
            Err(refusal) => return not_ready(refusal, began),
        };
        let patience = Patience { clock: self.clock, step: STEP, deadline };
        let record = smtp::dial(&self.net, patience).record(&self.sender().settings().smtp);
        let via = self.settings.via.as_deref();
        let mut story = Story::new(&message, via, &eyes, self.clock.monotonic());
        let submitted = self.submit(patience, &message, &record, (&eyes, &mut story)).await;
        match submitted {
            Err(refused) => {
                let verdict = judge::refused(&self.settings, &refused);
                if verdict == Verdict::Pass {
                    story.refused(&refused);
                }
                let total_us = us(story.origin, refused.lap.to);
                story.end(verdict, total_us, record.text())
            }
            Ok(Accepted { session, at }) => {
                story.accepted = Some((at, self.clock.wall()));
                self.sender().submitted(&run.token_key);
                self.after_acceptance(story, (&eyes, deadline), (session, at), &record).await
            }
        }
    }

    async fn after_acceptance(
        &self,
        mut story: Story,
        (eyes, deadline): (&Eyes, Instant),
        (session, accepted): (Session, Instant),
        record: &Record,
    ) -> Outcome {
        let mut log = Log::default();
        {
            // Taking leave must not hold the arrival up, nor the arrival the leave.
            let mut quit = std::pin::pin!(session.quit().fuse());
            let mut fate = std::pin::pin!(self.fate(eyes, &mut log, deadline));
            tokio::select! {
                () = &mut fate => {}
                () = &mut quit => fate.await,
            }
        }
        let first = log.arrivals.first().map(|arrival| arrival.seen_by(accepted));
        let first = first.or(log.bounce.as_ref().map(|bounce| bounce.first_seen));
        let seen = first.unwrap_or_else(|| self.clock.monotonic());
        let wait = self.wait(eyes, accepted);
        let mut verdict = judge::accepted(&self.settings, &log, &wait);
        if let (Verdict::Pass, Some(wanted)) = (&verdict, self.settings.auto_reply) {
            verdict = self.auto_reply(wanted, (eyes, &mut log), accepted, deadline).await;
        }
        if let (Verdict::Fail(_), true) = (&verdict, log.arrivals.is_empty()) {
            // We did not look, because policy did not let a watcher connect again, or another agent did not look for
            // us: that it was not seen says nothing.
            let blind =
                wait.trouble.filter(|it| it.is_policy || it.is_of_peer && log.bounce.is_none());
            let at_sender = wait.trouble_of_sender.filter(|trouble| trouble.is_policy);
            if let Some(trouble) = blind.or(at_sender) {
                verdict = trouble.into_verdict();
            }
        }
        story.happened(&log);
        story.facts.extend(self.settings.peer.iter().map(|peer| Fact::new("peer", &peer.name)));
        story.watched(eyes.recipient());
        if let Some(arrival) = log.arrivals.first() {
            story.facts.extend(self.evidence(&arrival.message, deadline).await);
        }
        let total_us = us(story.origin, seen.max(accepted));
        let transcript = format!("{}-- mailbox\n{}", record.text(), eyes.transcript());
        story.end(verdict, total_us, transcript)
    }

    /// Until it is clear what becomes of the message, and what else turns up shortly after.
    async fn fate(&self, eyes: &Eyes, log: &mut Log, deadline: Instant) {
        loop {
            let Ok(event) = timeout_at(deadline, eyes.next()).await else { return };
            if log.take(event) {
                break;
            }
        }
        let first_seen = log.arrivals.first().map(|arrival| arrival.first_seen);
        let from = first_seen.unwrap_or_else(|| self.clock.monotonic());
        let until = (from + self.settings.settle).min(deadline);
        while let Ok(event) = timeout_at(until, eyes.next()).await {
            log.take(event);
        }
    }

    /// What the message itself says of its way; nothing that is timed waits for it.
    async fn evidence(&self, arrived: &Arrived, deadline: Instant) -> Vec<Fact> {
        let mut facts = evidence::of(arrived, &self.settings.trust);
        if self.settings.verify {
            let address = &self.mailbox.settings().address;
            let receivers: Vec<_> =
                address.rsplit('@').next().map(str::to_owned).into_iter().collect();
            let times = (self.clock, deadline);
            facts.extend(evidence::verified(&self.net, arrived, &receivers, times).await);
        }
        facts
    }

    /// Waits for an automatic reply, as long as it may take to come.
    async fn auto_reply(
        &self,
        wanted: AutoReply,
        (eyes, log): (&Eyes, &mut Log),
        accepted: Instant,
        deadline: Instant,
    ) -> Verdict {
        let until = accepted + wanted.within;
        while log.reply.is_none() {
            let Ok(event) = timeout_at(until.min(deadline), eyes.next()).await else { break };
            log.take(event);
        }
        judge::auto_reply(wanted, log, &self.wait(eyes, accepted), until <= deadline)
    }

    fn wait(&self, eyes: &Eyes, accepted: Instant) -> Wait {
        Wait {
            waited: self.clock.monotonic().saturating_duration_since(accepted),
            trouble: eyes.trouble(),
            trouble_of_sender: eyes.trouble_of_sender(),
        }
    }

    async fn watch(
        &self,
        run: &Run,
        message: &TestMessage,
        deadline: Instant,
    ) -> Result<Eyes, Refusal> {
        let order = Order {
            token: message.token.clone(),
            key: Arc::clone(&run.token_key),
            deadline,
            bytes: message.size(),
            attached: message.attached.clone(),
            folder: self.settings.folder.clone(),
            eager: true,
            wants_replies: self.settings.auto_reply.is_some(),
            amendments: run.amendments.clone(),
        };
        if let Some(peer) = &self.settings.peer {
            return self.across(peer, order, deadline).await;
        }
        let sender = self.settings.from_mailbox.as_deref();
        let sender = sender.filter(|sender| !std::ptr::eq(*sender, &*self.mailbox));
        let RoundTripSettings { expect, auto_reply, .. } = &self.settings;
        let needed = *expect == Expect::Bounced || auto_reply.is_some();
        Eyes::open(&self.mailbox, sender, order, needed).await
    }

    /// The message, sealed; a large one on a thread where it holds nobody up.
    async fn message(&self, run: &Run) -> TestMessage {
        let draft = self.draft(run);
        let attached = draft.content.attachment.as_ref().map_or(0, |attachment| attachment.bytes);
        if attached.max(draft.content.size) < LARGE {
            return draft.seal(&run.token_key);
        }
        let (large, key) = (draft.clone(), Arc::clone(&run.token_key));
        match spawn_blocking(move || large.seal(&key)).await {
            Ok(message) => message,
            // It panicked, or the runtime ends: then so does this.
            Err(_) => draft.seal(&run.token_key),
        }
    }

    fn draft(&self, run: &Run) -> Draft {
        Draft {
            from: self.from().to_owned(),
            to: self.to().to_owned(),
            check: run.check.clone(),
            agent: run.agent,
            run: run.id,
            date: self.clock.wall(),
            content: Arc::clone(&self.settings.content),
            seal: self.seal(),
        }
    }

    /// Whether policy lets the message go, and whoever provides the mailbox takes it: asked before anything is
    /// done, so that what may not leave is never half a measurement.
    fn may_leave(&self, message: &TestMessage) -> Result<(), policy::Refusal> {
        self.sender().may_send()?;
        self.net.may_mail(self.to(), message.size())
    }

    fn sender(&self) -> &Mailbox {
        self.settings.from_mailbox.as_ref().unwrap_or(&self.mailbox)
    }

    fn from(&self) -> &str {
        &self.sender().settings().address
    }

    fn to(&self) -> &str {
        self.settings.via.as_deref().unwrap_or(&self.mailbox.settings().address)
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
