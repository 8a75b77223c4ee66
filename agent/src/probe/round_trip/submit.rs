//! Hands the message in; where a mail exchanger greylists, again until it takes it.
//!
//! Each attempt is a session of its own with the same sender, recipient and address, which is what a
//! greylisting server remembers (RFC 6647 section 2). The run's phases are those of the last attempt; all
//! before it is the phase `greylist`, so that the total stays the time that the message really took.

use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::extension::ClientId;
use mailsonde_proto::phase::name;
use mailsonde_proto::time::{Instant, as_us};
use mailsonde_proto::{Fact, FaultClass, Phase};

use super::RoundTrip;
use super::eyes::Eyes;
use super::greylist::{Postponed, postponed};
use super::told::Story;
use crate::mail::dial::Patience;
use crate::mail::failure::{Failure, seconds};
use crate::mail::message::TestMessage;
use crate::mail::smtp::{self, Session, Step};
use crate::mail::wire::Record;
use crate::stopwatch::{Lap, Stopwatch};
use crate::transcript::Direction;

/// The phase of waiting for a server that greylists.
pub(super) const GREYLIST: &str = "greylist";
/// An attempt that could not end within this time is not begun.
const ATTEMPT: Duration = Duration::from_secs(2);

/// A message that was accepted.
pub(super) struct Accepted {
    pub(super) session: Session,
    pub(super) at: Instant,
}

/// A message that was not.
pub(super) struct Refused {
    pub(super) failure: Failure,
    /// What the server refused.
    pub(super) step: Step,
    /// How long it took to refuse.
    pub(super) lap: Lap,
}

/// Attempts that were postponed.
#[derive(Debug, Default)]
struct Waits {
    attempts: u32,
    /// The first reply.
    reply: String,
    is_certain: bool,
}

impl RoundTrip {
    /// Submits the message; what was timed and learnt goes into the story.
    pub(super) async fn submit(
        &self,
        patience: Patience,
        message: &TestMessage,
        record: &Record,
        (eyes, story): (&Eyes, &mut Story),
    ) -> Result<Accepted, Box<Refused>> {
        let mut waits = Waits::default();
        let mut stopwatch = Stopwatch::start(self.clock);
        let origin = stopwatch.started();
        loop {
            let mut facts = Vec::new();
            let attempt =
                self.attempt(patience, message, record, (eyes, &mut stopwatch, &mut facts));
            let mut ended = attempt.await;
            let wait = match &mut ended {
                Err(refused) => self.wait_after(refused, patience.deadline, &mut waits),
                Ok(_) => None,
            };
            let Some(wait) = wait else {
                story.begin(origin, &stopwatch, facts);
                return self.ended(ended, waits, (origin, &stopwatch), story);
            };
            let words = format!("greylisted: again in {}", seconds(wait));
            record.say(Direction::Note, &words);
            tokio::time::sleep(wait).await;
            stopwatch = Stopwatch::start(self.clock);
        }
    }

    fn ended(
        &self,
        ended: Result<Accepted, Box<Refused>>,
        waits: Waits,
        (origin, last): (Instant, &Stopwatch),
        story: &mut Story,
    ) -> Result<Accepted, Box<Refused>> {
        if waits.attempts == 0 {
            return ended;
        }
        // What only may have been greylisting was, when a later attempt went through.
        let went_through = !matches!(&ended, Err(refused) if refused.is_temporary());
        if waits.is_certain || went_through {
            let waited = Lap { name: GREYLIST, from: origin, to: last.started() };
            story.phases.insert(0, waited.phase_from(origin));
            let waited_us = as_us(last.started().saturating_duration_since(origin));
            story.facts.extend([
                Fact::new("greylisted", "true"),
                Fact::new("greylisted.us", waited_us.to_string()),
                Fact::new("greylisted.attempts", (waits.attempts + 1).to_string()),
                Fact::new("greylisted.reply", &waits.reply),
            ]);
        } else {
            let waited = Lap { name: "retry", from: origin, to: last.started() };
            story.phases.insert(0, waited.phase_from(origin));
            story.facts.push(Fact::new("attempts", (waits.attempts + 1).to_string()));
        }
        ended
    }

    /// How long to wait after a refusal that is greylisting, or may be; `None` when the refusal stands. A
    /// run without time to wait says how much it takes.
    fn wait_after(
        &self,
        refused: &mut Refused,
        deadline: Instant,
        waits: &mut Waits,
    ) -> Option<Duration> {
        self.settings.exchanger_of.as_ref()?;
        let Postponed { is_certain, after } = postponed(&refused.failure.fault, refused.step)?;
        let wait = after.unwrap_or(self.settings.greylist_retry);
        let left = deadline.saturating_duration_since(self.clock.monotonic());
        if wait.saturating_add(ATTEMPT) > left {
            if is_certain {
                let words = format!(
                    "; this run has no time to come back after {}: raise its timeout",
                    seconds(wait)
                );
                refused.failure.fault.explanation.push_str(&words);
            }
            return None;
        }
        if waits.attempts == 0 {
            waits.reply.clone_from(&refused.failure.fault.reply);
        }
        waits.attempts += 1;
        waits.is_certain |= is_certain;
        Some(wait)
    }

    async fn attempt(
        &self,
        patience: Patience,
        message: &TestMessage,
        record: &Record,
        (eyes, stopwatch, facts): (&Eyes, &mut Stopwatch, &mut Vec<Fact>),
    ) -> Result<Accepted, Box<Refused>> {
        let opened = self.open(patience, record, stopwatch).await;
        let mut session = match opened {
            Ok(session) => session,
            Err(failure) => return Err(Refused::at(Step::Opening, failure, stopwatch)),
        };
        facts.append(session.facts());
        let handed_in = self.hand_in(&mut session, message, (eyes, stopwatch)).await;
        facts.append(session.facts());
        match handed_in {
            Ok(()) => {
                let at = stopwatch.last();
                eyes.accepted(at);
                Ok(Accepted { session, at })
            }
            Err(failure) => {
                let refused = Refused::at(session.step(), failure, stopwatch);
                session.quit().await;
                Err(refused)
            }
        }
    }

    async fn open(
        &self,
        patience: Patience,
        record: &Record,
        stopwatch: &mut Stopwatch,
    ) -> Result<Session, Failure> {
        let dial = smtp::dial(&self.net, patience);
        let sender = self.sender().settings();
        let hello = sender.hello.clone().map(ClientId::Domain);
        match &self.settings.exchanger_of {
            Some(domain) => {
                let target = (domain.as_str(), self.settings.exchanger_port);
                Session::open_exchanger(dial, target, hello, record.clone(), stopwatch).await
            }
            None => Session::open(dial, &sender.smtp, hello, record.clone(), stopwatch).await,
        }
    }

    async fn hand_in(
        &self,
        session: &mut Session,
        message: &TestMessage,
        (eyes, stopwatch): (&Eyes, &mut Stopwatch),
    ) -> Result<(), Failure> {
        let (from, to) = (address(self.from())?, address(self.to())?);
        session.announce(message.size());
        session.envelope(&from, &to, stopwatch).await?;
        session.data(message.chunks(), stopwatch, || eyes.sent()).await.map(drop)
    }
}

impl Refused {
    fn at(step: Step, failure: Failure, stopwatch: &Stopwatch) -> Box<Self> {
        let name = if step == Step::Message { name::DATA } else { name::ENVELOPE };
        let lap = Lap { name, from: stopwatch.last(), to: stopwatch.now() };
        Box::new(Self { failure, step, lap })
    }

    fn is_temporary(&self) -> bool {
        self.failure.fault.class == FaultClass::Temporary
    }

    /// The server refused this very message for good: its recipient, its content, or its size.
    pub(super) fn is_for_good(&self) -> bool {
        let fault = &self.failure.fault;
        let too_large = fault.basic_code == Some(552)
            || fault.enhanced_code.is_some_and(|code| (code.subject, code.detail) == (3, 4));
        let is_of_message = match self.step {
            Step::Recipient | Step::Message => true,
            Step::Sender => too_large,
            Step::Opening => false,
        };
        is_of_message && fault.class == FaultClass::Permanent
    }

    /// The time of the refusal, as a phase.
    pub(super) fn phase_from(&self, origin: Instant) -> Phase {
        self.lap.phase_from(origin)
    }
}

fn address(text: &str) -> Result<Address, Failure> {
    text.parse().map_err(|error| {
        let words = format!("{text} is not an e-mail address: {error}");
        Failure::new(name::ENVELOPE, FaultClass::Protocol, words)
    })
}
