//! How much a channel gets, and the summary of what it did not get one by one.

use std::collections::BTreeMap;
use std::time::Duration;

use mailsonde_proto::WallTime;
use serde::{Deserialize, Serialize};

use super::{notice, of_us};
use crate::judge::incident::{Incident, Severity};
use crate::judge::message::{Message, Occasion};

/// Messages that a channel gets in a minute, and in an hour, at most; one more where it is major; summaries come on top,
/// one a minute.
const A_MINUTE: usize = 4;
const AN_HOUR: usize = 30;
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
/// What is held back is told after this.
const HELD: Duration = MINUTE;
/// Things that are held back one by one; beyond that they are counted.
const MOST_HELD: usize = 1_000;
/// Characters of whose trouble it is.
const MOST_WHOSE: usize = 64;
/// Bytes of one summary's text, so that no channel has to cut it.
const SUMMARY_BYTES: usize = 1_500;

/// How much a channel got, and what is held back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pace {
    /// When messages were or are to be sent, of the last hour, in microseconds since 1970.
    sent_us: Vec<i64>,
    held: Vec<Held>,
    /// Things that are held back beyond those.
    more: u64,
    /// Since when anything is.
    since_us: i64,
}

/// Something that was not told one by one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    incident: u64,
    occasion: Occasion,
    severity: Severity,
    /// What fails, without of whom.
    what: String,
    /// Of whom.
    whose: String,
}

impl Pace {
    /// Whether one more may be sent now, and nothing waits for the summary.
    pub(super) fn has_room(&mut self, now: WallTime, severity: Severity) -> bool {
        self.pass(now);
        // what only waits for a summary is no reason to put off what is worse
        let is_worse = self.held.iter().all(|held| held.severity < severity);
        let more = usize::from(severity >= Severity::Major);
        is_worse && self.next(now, more) <= now
    }

    /// Whether what can wait may be sent now.
    pub(super) fn is_free(&mut self, now: WallTime) -> bool {
        self.pass(now);
        self.next(now, 0) <= now
    }

    /// One more is sent; when. What is pressing waits for the minute's room and not for the hour's.
    pub(super) fn take(&mut self, now: WallTime, is_pressing: bool) -> WallTime {
        self.pass(now);
        // who was let in as one more is sent at once
        let at = if is_pressing { self.free(A_MINUTE + 1, MINUTE, now) } else { self.next(now, 1) };
        self.sent_us.push(at.as_us());
        self.sent_us.sort_unstable();
        at
    }

    /// What is longer ago counts for nothing.
    fn pass(&mut self, now: WallTime) {
        let hour_us = now.minus(HOUR).as_us();
        self.sent_us.retain(|at| *at > hour_us);
    }

    /// When the next may be sent.
    fn next(&self, now: WallTime, more: usize) -> WallTime {
        self.free(A_MINUTE + more, MINUTE, now).max(self.free(AN_HOUR + more, HOUR, now))
    }

    /// When fewer than `most` were sent `over` the time before.
    fn free(&self, most: usize, over: Duration, now: WallTime) -> WallTime {
        let first = self.sent_us.len().checked_sub(most).and_then(|at| self.sent_us.get(at));
        first.map_or(now, |us| WallTime::from(of_us(*us)).plus(over).max(now))
    }

    /// Something is told in the summary.
    pub(super) fn hold(&mut self, now: WallTime, incident: &Incident, occasion: Occasion) {
        if self.held.is_empty() {
            self.since_us = now.as_us();
        }
        // over before anybody heard of it: that is what is to be told
        self.held.retain(|held| held.incident != incident.number || occasion != Occasion::Over);
        if self.held.len() >= MOST_HELD {
            self.more += 1;
            return;
        }
        let fault = format!("{}: {}", incident.fault.phase, incident.fault.class);
        let whose = incident
            .root
            .clone()
            .unwrap_or_else(|| incident.checks.iter().cloned().collect::<Vec<_>>().join("+"));
        self.held.push(Held {
            incident: incident.number,
            occasion,
            severity: incident.severity,
            what: format!("{} ({})", fault, incident.kind.as_str()),
            whose: whose.chars().take(MOST_WHOSE).collect(),
        });
    }

    /// When a summary is due.
    pub(super) fn due(&self) -> Option<WallTime> {
        (!self.held.is_empty()).then(|| WallTime::from(of_us(self.since_us)).plus(HELD))
    }

    /// The summary of what is held back, if it is due: what does not fit follows a minute later.
    pub(super) fn summary(&mut self, now: WallTime, channel: &str) -> Option<Message> {
        self.due().filter(|due| *due <= now)?;
        let count = self.held.len();
        let mut text = String::new();
        let mut groups: BTreeMap<(Occasion, String), Vec<usize>> = BTreeMap::new();
        for (at, held) in self.held.iter().enumerate() {
            groups.entry((held.occasion, held.what.clone())).or_default().push(at);
        }
        let mut told = Vec::new();
        'groups: for ((occasion, what), members) in &groups {
            let heading = format!("{} {}, {what}: ", members.len(), occasion.as_str());
            if text.len() + heading.len() + 40 > SUMMARY_BYTES {
                break;
            }
            text.push_str(&heading);
            for (place, at) in members.iter().enumerate() {
                let Some(held) = self.held.get(*at) else { continue };
                let comma = if place > 0 { ", " } else { "" };
                let one = format!("{comma}#{} {}", held.incident, held.whose);
                if text.len() + one.len() > SUMMARY_BYTES {
                    text.push_str(" …\n");
                    break 'groups;
                }
                text.push_str(&one);
                told.push(*at);
            }
            text.push('\n');
        }
        // that something is over wakes nobody
        let news = self.held.iter().filter(|held| held.occasion != Occasion::Over);
        let worst = news.map(|held| held.severity).max().unwrap_or(Severity::Notice);
        let left = count.saturating_sub(told.len());
        let mut at = 0;
        self.held.retain(|_| {
            at += 1;
            !told.contains(&(at - 1))
        });
        if left > 0 {
            text.push_str(&format!("{left} more follow in a minute\n"));
        } else if self.more > 0 {
            text.push_str(&format!("and {} that were not kept one by one\n", self.more));
            self.more = 0;
        }
        text.push_str("`incidents list` shows all of them");
        self.since_us = now.as_us();
        let us = now.as_us();
        Some(Message {
            id: format!("digest-{us}-{}", notice::short(channel)),
            conversation: format!("digest-{us}"),
            occasion: Occasion::Digest,
            severity: worst,
            at: now.timestamp(),
            title: match count {
                1 => "1 more message was held back".to_owned(),
                _ => format!("{count} more messages were held back"),
            },
            text,
            fields: Vec::new(),
            links: Vec::new(),
        })
    }
}
