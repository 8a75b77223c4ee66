//! How a run is told: its verdict, phases, facts and findings.

use std::time::Duration;

use mailsonde_proto::phase::name;
use mailsonde_proto::time::{Instant, as_us};
use mailsonde_proto::{Fact, Fault, FaultClass, Finding, Phase, Severity, Verdict, WallTime};

use super::super::Outcome;
use super::settings::{Expect, RoundTripSettings};
use crate::mail::mailbox::{Arrival, Place, Watch};
use crate::mail::message::{Body, TestMessage};
use crate::stopwatch::{Lap, signed_us, us};

/// A stored date has whole seconds: the truth lies within half a second of its middle.
const HALF_A_SECOND: Duration = Duration::from_millis(500);

/// What is known of a run so far.
pub(super) struct Story {
    pub(super) phases: Vec<Phase>,
    pub(super) facts: Vec<Fact>,
    /// When the server accepted the message, by both clocks.
    pub(super) accepted: Option<(Instant, WallTime)>,
    findings: Vec<Finding>,
    connected: Vec<Lap>,
}

impl Story {
    pub(super) fn new(message: &TestMessage, watch: &Watch) -> Self {
        let mut facts = vec![
            Fact::new("message_id", &message.message_id),
            Fact::new("message.bytes", message.bytes.len().to_string()),
        ];
        facts.extend(watch.facts().iter().cloned());
        Self {
            phases: Vec::new(),
            facts,
            accepted: None,
            findings: Vec::new(),
            connected: watch.laps().to_vec(),
        }
    }

    /// The connection to the mailbox, when it was made for this run: before its start.
    pub(super) fn connected_before(&mut self, origin: Instant) {
        self.phases.extend(self.connected.iter().map(|lap| lap.phase_from(origin)));
    }

    /// Transit and arrival. Both begin with the acceptance; both may end before it.
    pub(super) fn arrived(&mut self, arrival: &Arrival, origin: Instant) {
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
        self.phases.push(Phase {
            name: name::ARRIVAL.to_owned(),
            start_us,
            duration_us: signed_us(origin, arrival.first_seen).saturating_sub(start_us),
            uncertainty_us: us(arrival.last_absent, arrival.first_seen),
        });
        let protocol = arrival.protocol;
        self.facts.push(Fact::new(format!("{protocol}.folder"), &arrival.folder));
        self.facts.push(Fact::new(format!("{protocol}.uid"), &arrival.uid));
        self.facts.push(Fact::new("arrival.bytes", arrival.bytes.to_string()));
        if arrival.body == Body::Reencoded {
            self.facts.push(Fact::new("arrival.body", "in another transfer encoding"));
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
    pub(super) fn watched(&mut self, watch: &Watch) {
        self.facts.push(Fact::new("arrival.commands", watch.commands().to_string()));
        let forged = watch.forged();
        if forged > 0 {
            self.facts.push(Fact::new("mailbox.forged_tokens", forged.to_string()));
            self.findings.push(Finding {
                rule: "mailbox.forged_token".to_owned(),
                severity: Severity::Warning,
                evidence: format!("{forged} messages name this agent's key with a wrong seal"),
                source: "Mailsonde's token, version 1".to_owned(),
                advice: "find out who writes to this mailbox; the messages were left in place"
                    .to_owned(),
            });
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

/// What an arrival means.
pub(super) fn judge(
    settings: &RoundTripSettings,
    arrival: &Arrival,
    copies: &[Arrival],
) -> Verdict {
    let folder = &arrival.folder;
    let mismatch =
        |words: String| Verdict::Fail(Fault::new(name::ARRIVAL, FaultClass::Mismatch, words));
    if let Some(copy) = copies.first() {
        let folders = format!("{folder} and {}", copy.folder);
        return mismatch(format!("the message arrived twice: in {folders}"));
    }
    match (settings.expect, arrival.place) {
        (Expect::Inbox, Place::Junk) => {
            return mismatch(format!("the message was filed as junk: it arrived in {folder}"));
        }
        (Expect::Junk, Place::Inbox) => {
            return mismatch(
                "the message was not filed as junk, as is expected: it arrived in INBOX".to_owned(),
            );
        }
        _ => {}
    }
    match arrival.body {
        Body::Altered => mismatch(
            "the message was altered on its way: its body is not the one that was sent".to_owned(),
        ),
        Body::Same | Body::Reencoded | Body::Unknown => Verdict::Pass,
    }
}
