//! How a run is told: its verdict, phases, facts and findings.

use std::time::Duration;

use mailsonde_proto::phase::name;
use mailsonde_proto::time::{Instant, as_us};
use mailsonde_proto::{Fact, Fault, Finding, Phase, Severity, Verdict, WallTime};

use super::super::Outcome;
use super::eyes::Eyes;
use super::judge::{AUTO_REPLY, Log};
use super::submit::Refused;
use crate::mail::mailbox::{Arrival, Bounced, Reply, Watch};
use crate::mail::message::{Body, TestMessage};
use crate::posture::Rule;
use crate::stopwatch::{Lap, Stopwatch, signed_us};

/// A stored date has whole seconds: the truth lies within half a second of its middle.
const HALF_A_SECOND: Duration = Duration::from_millis(500);

/// The phase until a bounce comes.
pub(super) const BOUNCE: &str = "bounce";

pub(super) const FORGED_TOKEN: Rule = Rule {
    name: "mailbox.forged_token",
    severity: Severity::Warning,
    source: "Mailsonde's token, version 1",
    advice: "find out who writes to this mailbox; the messages were left in place",
};

/// What is known of a run so far.
pub(super) struct Story {
    pub(super) phases: Vec<Phase>,
    pub(super) facts: Vec<Fact>,
    /// When the server accepted the message, by both clocks.
    pub(super) accepted: Option<(Instant, WallTime)>,
    /// When the submission began.
    pub(super) origin: Instant,
    findings: Vec<Finding>,
    connected: Vec<Lap>,
}

impl Story {
    pub(super) fn new(message: &TestMessage, via: Option<&str>, eyes: &Eyes, now: Instant) -> Self {
        let mut facts = vec![
            Fact::new("message_id", &message.message_id),
            Fact::new("message.bytes", message.size().to_string()),
        ];
        facts.extend(via.map(|via| Fact::new("via", via)));
        if let Some(attached) = &message.attached {
            facts.push(Fact::new("attachment.name", &attached.name));
            facts.push(Fact::new("attachment.bytes", attached.bytes.to_string()));
            facts.push(Fact::new("attachment.sha256", hex::encode(attached.sha256)));
        }
        facts.extend(eyes.recipient().into_iter().flat_map(|watch| watch.facts().to_vec()));
        facts.extend(eyes.facts());
        Self {
            phases: Vec::new(),
            facts,
            accepted: None,
            origin: now,
            findings: Vec::new(),
            connected: eyes.recipient().map(|watch| watch.laps().to_vec()).unwrap_or_default(),
        }
    }

    /// The submission as it went, which began at `origin`; the connection to the mailbox, when it was made
    /// for this run, lies before that.
    pub(super) fn begin(&mut self, origin: Instant, stopwatch: &Stopwatch, facts: Vec<Fact>) {
        self.origin = origin;
        self.phases.extend(self.connected.iter().map(|lap| lap.phase_from(origin)));
        self.phases.extend(stopwatch.phases_from(origin));
        self.facts.extend(facts);
    }

    /// The refusal that was expected, as a phase and in facts.
    pub(super) fn refused(&mut self, refused: &Refused) {
        self.phases.push(refused.phase_from(self.origin));
        self.facts.push(Fact::new("rejected.step", refused.step.as_str()));
        self.reply("rejected", &refused.failure.fault);
    }

    /// A server's reply, in facts that begin with `what`.
    fn reply(&mut self, what: &str, fault: &Fault) {
        let fact = |name: &str, value: String| Fact { name: format!("{what}.{name}"), value };
        self.facts.extend(fault.basic_code.map(|code| fact("code", code.to_string())));
        self.facts.extend(fault.enhanced_code.map(|code| fact("enhanced_code", code.to_string())));
        self.facts.push(fact("reply", fault.reply.clone()));
    }

    /// What happened after the acceptance.
    pub(super) fn happened(&mut self, log: &Log) {
        if let Some(arrival) = log.arrivals.first() {
            self.arrived(arrival);
        }
        if let Some(bounce) = &log.bounce {
            self.bounced(bounce);
        }
        if let Some(reply) = &log.reply {
            self.replied(reply);
        }
    }

    fn bounced(&mut self, bounce: &Bounced) {
        self.after_acceptance(BOUNCE, bounce.first_seen);
        self.facts.push(Fact::new("bounce.folder", &bounce.folder));
        self.reply("bounce", &bounce.failure.fault);
    }

    fn replied(&mut self, reply: &Reply) {
        self.after_acceptance(AUTO_REPLY, reply.first_seen);
        self.facts.push(Fact::new("auto_reply.kind", &reply.kind));
        self.facts.push(Fact::new("auto_reply.from", &reply.from));
        self.facts.push(Fact::new("auto_reply.folder", &reply.folder));
    }

    fn after_acceptance(&mut self, name: &'static str, to: Instant) {
        if let Some((from, _)) = self.accepted {
            self.phases.push(Lap { name, from, to }.phase_from(self.origin));
        }
    }

    /// Transit and arrival. Both begin with the acceptance; both may end before it.
    fn arrived(&mut self, arrival: &Arrival) {
        let origin = self.origin;
        let Some((accepted, accepted_wall)) = self.accepted else { return };
        let start_us = signed_us(origin, accepted);
        if let Some(stored) = arrival.stored {
            let middle = stored.plus(HALF_A_SECOND);
            self.phases.push(Phase {
                name: name::TRANSIT.to_owned(),
                start_us,
                duration_us: middle.signed_us_since(accepted_wall),
                uncertainty_us: as_us(HALF_A_SECOND),
            });
        }
        let phase = arrival.phase(origin, accepted);
        let is_timed = phase.is_some();
        self.phases.extend(phase);
        let protocol = arrival.protocol;
        self.facts.push(Fact::new(format!("{protocol}.folder"), &arrival.folder));
        if !arrival.uid.is_empty() {
            self.facts.push(Fact::new(format!("{protocol}.uid"), &arrival.uid));
        }
        self.facts.push(Fact::new("arrival.bytes", arrival.bytes.to_string()));
        self.facts.push(Fact::new("arrival.place", arrival.place.as_str()));
        if arrival.body == Body::Reencoded {
            self.facts.push(Fact::new("arrival.body", "in another transfer encoding"));
        }
        if !is_timed {
            let words = match arrival.told.and_then(|told| told.uncertainty) {
                Some(error) => format!("left out: its error of {} us is larger", as_us(error)),
                None => "left out: the clocks of the two agents do not compare yet".to_owned(),
            };
            return self.facts.push(Fact::new("arrival.time", words));
        }
        // To be compared with the server's own log.
        let seen_at = match arrival.first_seen.checked_duration_since(accepted) {
            Some(after) => accepted_wall.plus(after),
            None => accepted_wall.minus(accepted.duration_since(arrival.first_seen)),
        };
        self.facts.push(Fact::new("arrival.seen_at", seen_at.to_string()));
        if let Some(stored) = arrival.stored {
            self.facts.push(Fact::new("arrival.stored", stored.to_string()));
        }
    }

    /// What the watch cost, and what else turned up.
    pub(super) fn watched(&mut self, watch: Option<&Watch>) {
        let Some(watch) = watch else { return };
        self.facts.push(Fact::new("arrival.commands", watch.commands().to_string()));
        let forged = watch.forged();
        if forged > 0 {
            self.facts.push(Fact::new("mailbox.forged_tokens", forged.to_string()));
            let words = format!("{forged} messages name this agent's key with a wrong seal");
            self.findings.push(FORGED_TOKEN.broken(words));
        }
    }

    pub(super) fn end(mut self, verdict: Verdict, total_us: u64, transcript: String) -> Outcome {
        self.phases.sort_by_key(|phase| phase.start_us);
        let transcript =
            if matches!(verdict, Verdict::Fail(_)) { transcript } else { String::new() };
        Outcome {
            verdict,
            total_us,
            phases: self.phases,
            facts: self.facts,
            findings: self.findings,
            transcript,
        }
    }
}
