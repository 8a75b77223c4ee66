//! What became of the message, and what that means for what was expected.

use std::time::Duration;

use mailsonde_proto::phase::name;
use mailsonde_proto::{Fault, FaultClass, Verdict};

use super::settings::{AutoReply, Expect, RoundTripSettings};
use super::submit::Refused;
use crate::mail::failure::{Failure, seconds};
use crate::mail::mailbox::{Arrival, Bounced, Event, Place, Reply};
use crate::mail::message::Body;

/// The phase of an automatic reply.
pub(super) const AUTO_REPLY: &str = "auto_reply";

/// What happened after the acceptance.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) arrivals: Vec<Arrival>,
    pub(super) bounce: Option<Bounced>,
    pub(super) reply: Option<Reply>,
}

impl Log {
    /// Takes an event in; whether it says what became of the message.
    pub(super) fn take(&mut self, event: Event) -> bool {
        match event {
            Event::Arrived(arrival) => self.arrivals.push(arrival),
            Event::Bounced(bounced) => self.bounce = self.bounce.take().or(Some(bounced)),
            Event::Replied(reply) => {
                self.reply = self.reply.take().or(Some(reply));
                return false;
            }
        }
        true
    }
}

/// How long was waited, and what was in the way.
pub(super) struct Wait {
    /// From the acceptance to the end.
    pub(super) waited: Duration,
    /// What keeps the recipient's mailbox from being watched.
    pub(super) trouble: Option<Failure>,
    /// The same of the mailbox that bounces and replies go to.
    pub(super) trouble_of_sender: Option<Failure>,
}

/// The message was not accepted.
pub(super) fn refused(settings: &RoundTripSettings, refused: &Refused) -> Verdict {
    let failure = refused.failure.clone();
    match settings.expect {
        Expect::Rejected if refused.is_for_good() => expected_code(settings, failure, "refused"),
        Expect::Bounced if refused.is_for_good() => {
            let mut fault = failure.fault;
            fault.class = FaultClass::Mismatch;
            fault.explanation = format!("a bounce is expected, but {}", fault.explanation);
            Verdict::Fail(fault)
        }
        _ => failure.into_verdict(),
    }
}

/// The message was accepted, and this is what happened then.
pub(super) fn accepted(settings: &RoundTripSettings, log: &Log, wait: &Wait) -> Verdict {
    match settings.expect {
        Expect::Rejected => accepted_against_expectation(log, wait),
        Expect::Bounced => bounce(settings, log, wait),
        Expect::Inbox | Expect::Junk | Expect::Anywhere | Expect::Folder => {
            arrival(settings, log, wait)
        }
    }
}

fn arrival(settings: &RoundTripSettings, log: &Log, wait: &Wait) -> Verdict {
    match (log.arrivals.split_first(), &log.bounce) {
        (Some((first, copies)), _) => arrived(settings, first, copies),
        (None, Some(bounce)) => bounce.failure.clone().into_verdict(),
        (None, None) => missing(wait),
    }
}

fn arrived(settings: &RoundTripSettings, first: &Arrival, copies: &[Arrival]) -> Verdict {
    let folder = &first.folder;
    if let Some(copy) = copies.first() {
        return mismatch(format!("the message arrived twice: in {folder} and {}", copy.folder));
    }
    let wanted = settings.folder.as_deref().unwrap_or_default();
    match (settings.expect, first.place) {
        (Expect::Inbox, Place::Junk) => {
            return mismatch(format!("the message was filed as junk: it arrived in {folder}"));
        }
        (Expect::Junk, Place::Inbox) => {
            return mismatch(
                "the message was not filed as junk, as is expected: it arrived in INBOX".to_owned(),
            );
        }
        (Expect::Folder, Place::Inbox | Place::Junk) => {
            return mismatch(format!(
                "the message was not filed into {wanted}, as is expected: it arrived in {folder}"
            ));
        }
        _ => {}
    }
    match first.body {
        Body::Altered => mismatch(
            "the message was altered on its way: its body is not the one that was sent".to_owned(),
        ),
        Body::AttachmentAltered => {
            mismatch("the attachment was altered on its way: its SHA-256 is another".to_owned())
        }
        Body::AttachmentRemoved => mismatch(
            "the attachment was removed on its way: the message came without it".to_owned(),
        ),
        Body::Unknown if settings.content.attachment.is_some() => mismatch(
            "the attachment cannot be verified: the server gave only a part of the message"
                .to_owned(),
        ),
        Body::Same | Body::Reencoded | Body::Unknown => Verdict::Pass,
    }
}

fn missing(wait: &Wait) -> Verdict {
    let waited = seconds(wait.waited);
    let words = match &wait.trouble {
        None => format!("the message was accepted, but did not arrive within {waited}"),
        Some(trouble) => format!(
            "the message was accepted, but was not seen within {waited}; the mailbox could not be \
             watched all the time: {}",
            trouble.fault
        ),
    };
    Verdict::Fail(Fault::new(name::ARRIVAL, FaultClass::Timeout, words))
}

/// It should have been refused.
fn accepted_against_expectation(log: &Log, wait: &Wait) -> Verdict {
    let then = match (log.arrivals.first(), &log.bounce) {
        (Some(arrival), _) => format!("it arrived in {}", arrival.folder),
        (None, Some(bounce)) => {
            format!("it came back later ({})", bounce.failure.fault.explanation)
        }
        (None, None) => format!("it has not arrived within {}", seconds(wait.waited)),
    };
    let words = format!("the server accepted the message, which it should have refused; {then}");
    Verdict::Fail(Fault::new(name::DATA, FaultClass::Mismatch, words))
}

fn bounce(settings: &RoundTripSettings, log: &Log, wait: &Wait) -> Verdict {
    match (log.arrivals.first(), &log.bounce) {
        (Some(arrival), bounce) => {
            let also = if bounce.is_some() { ", and came back as well" } else { "" };
            let folder = &arrival.folder;
            mismatch(format!("a bounce is expected, but the message arrived in {folder}{also}"))
        }
        (None, Some(bounce)) => expected_code(settings, bounce.failure.clone(), "bounced"),
        (None, None) => {
            let waited = seconds(wait.waited);
            let in_the_way = match &wait.trouble_of_sender {
                Some(trouble) => format!("; the mailbox could not be watched: {}", trouble.fault),
                None => String::new(),
            };
            let words = format!(
                "a bounce is expected, but neither it nor the message came within {waited}{in_the_way}"
            );
            Verdict::Fail(Fault::new(name::TRANSIT, FaultClass::Timeout, words))
        }
    }
}

/// Passes when the server's reply has the code that is expected.
fn expected_code(settings: &RoundTripSettings, failure: Failure, what: &str) -> Verdict {
    let mut fault = failure.fault;
    match settings.expect_code {
        Some(code) if !code.is_of(&fault) => {
            fault.class = FaultClass::Mismatch;
            let given = match (fault.basic_code, fault.enhanced_code) {
                (Some(basic), Some(enhanced)) => format!("{basic} {enhanced}"),
                (Some(basic), None) => basic.to_string(),
                (None, Some(enhanced)) => enhanced.to_string(),
                (None, None) => "no code".to_owned(),
            };
            fault.explanation = format!(
                "the message was {what}, as is expected, but with {given} instead of {code}"
            );
            Verdict::Fail(fault)
        }
        _ => Verdict::Pass,
    }
}

/// Whether the message was answered as it should be; `was_watched` says that the whole time was.
pub(super) fn auto_reply(wanted: AutoReply, log: &Log, wait: &Wait, was_watched: bool) -> Verdict {
    let (class, words) = match (wanted.is_required, &log.reply) {
        (true, Some(_)) => return Verdict::Pass,
        (true, None) => {
            let in_the_way = match &wait.trouble_of_sender {
                Some(trouble) => format!("; the mailbox could not be watched: {}", trouble.fault),
                None => String::new(),
            };
            let words = format!(
                "the message arrived, but was not answered automatically within {}{in_the_way}",
                seconds(wait.waited)
            );
            (FaultClass::Timeout, words)
        }
        (false, Some(reply)) => {
            let words = format!(
                "the message was answered automatically, which it must not be: by {} ({})",
                reply.from, reply.kind
            );
            (FaultClass::Mismatch, words)
        }
        (false, None) if was_watched && wait.trouble_of_sender.is_none() => return Verdict::Pass,
        (false, None) => {
            let words = format!(
                "no automatic reply came within {}, but it was not watched for one all the time: raise \
                 timeout, and look at the mailbox of the sender",
                seconds(wait.waited)
            );
            (FaultClass::Timeout, words)
        }
    };
    Verdict::Fail(Fault::new(AUTO_REPLY, class, words))
}

fn mismatch(words: String) -> Verdict {
    Verdict::Fail(Fault::new(name::ARRIVAL, FaultClass::Mismatch, words))
}
