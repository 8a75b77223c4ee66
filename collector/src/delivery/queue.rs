//! What waits to be sent, and whose turn it is. No I/O, no clock.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use mailsonde_proto::WallTime;

use crate::judge::telling::Waiting;

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// By its number, which is their order.
    waiting: BTreeMap<u64, Entry>,
    /// Channels that have one under way.
    busy: BTreeSet<String>,
    /// Channels that asked to be left alone until then.
    resting: BTreeMap<String, WallTime>,
    /// Those of which it is written what became of them, and the pipeline may not have read it yet.
    settled: BTreeMap<String, (String, String)>,
    /// What channels gave back for the first message of a conversation.
    handles: BTreeMap<(String, String), String>,
}

#[derive(Debug)]
struct Entry {
    waiting: Waiting,
    attempts: u32,
    not_before: WallTime,
    why: String,
}

/// A message whose turn it is.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    pub(super) waiting: Waiting,
    /// How often it was tried before.
    pub(super) attempts: u32,
}

/// A message that waits, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its id.
    pub id: String,
    /// For which channel.
    pub channel: String,
    /// Since when it is to be sent.
    pub since: Timestamp,
    /// It is not tried before.
    pub not_before: Timestamp,
    /// How often it was tried since the collector's start.
    pub attempts: u32,
    /// What the channel said last; empty before the first attempt.
    pub why: String,
}

impl Queue {
    /// These are all that are to be sent. What is known of those that were here stays.
    pub(super) fn offer(&mut self, all: Vec<Waiting>) {
        let mut before = std::mem::take(&mut self.waiting);
        let mut offered = BTreeSet::new();
        for waiting in all {
            let id = waiting.notice.message.id.clone();
            offered.insert(id.clone());
            if self.settled.contains_key(&id) {
                continue;
            }
            let number = waiting.notice.number;
            let known = before.remove(&number);
            let known = known.filter(|entry| entry.waiting.notice.message.id == id);
            let entry = known.unwrap_or_else(|| Entry {
                attempts: 0,
                not_before: WallTime::from(waiting.notice.not_before),
                why: String::new(),
                waiting: waiting.clone(),
            });
            self.waiting.insert(number, entry);
        }
        // what is not offered any more was read: nobody will offer it again
        self.settled.retain(|id, _| offered.contains(id));
        let waiting = self.waiting.values().map(key);
        let settled = self.settled.values().map(|(channel, it)| (channel.as_str(), it.as_str()));
        let known: BTreeSet<(&str, &str)> = waiting.chain(settled).collect();
        self.handles.retain(|(channel, it), _| known.contains(&(channel.as_str(), it.as_str())));
    }

    /// Takes what is to be sent now: of each channel that is free the first whose conversation is not held up.
    pub(super) fn take_ready(&mut self, now: WallTime) -> Vec<Ready> {
        let mut begun: BTreeSet<(&str, &str)> = BTreeSet::new();
        let mut ready: Vec<Ready> = Vec::new();
        let mut taken: BTreeSet<String> = BTreeSet::new();
        for entry in self.waiting.values() {
            let channel = &entry.waiting.notice.channel;
            let is_first = begun.insert(key(entry));
            let is_resting = self.resting.get(channel).is_some_and(|until| *until > now);
            let is_free = !is_resting && !self.busy.contains(channel) && !taken.contains(channel);
            if is_first && is_free && entry.not_before <= now {
                taken.insert(channel.clone());
                let (name, conversation) = key(entry);
                let known = self.handles.get(&(name.to_owned(), conversation.to_owned()));
                let handle = entry.waiting.handle.clone().or_else(|| known.cloned());
                let waiting = Waiting { handle, ..entry.waiting.clone() };
                ready.push(Ready { waiting, attempts: entry.attempts });
            }
        }
        self.busy.extend(taken);
        ready
    }

    /// How long until something is to be sent, as far as time alone tells.
    pub(super) fn next(&self, now: WallTime) -> Option<Duration> {
        let free =
            self.waiting.values().filter(|it| !self.busy.contains(&it.waiting.notice.channel));
        let when = |entry: &Entry| {
            let rests = self.resting.get(&entry.waiting.notice.channel).copied();
            entry.not_before.max(rests.unwrap_or(entry.not_before))
        };
        let next = free.map(when).filter(|at| *at > now).min()?;
        Some(next.since(now).max(Duration::from_millis(1)))
    }

    /// It is tried again later; nothing is sent by its channel before it has rested.
    pub(super) fn put_off(
        &mut self,
        ready: &Ready,
        why: String,
        (until, rests): (WallTime, Option<WallTime>),
    ) {
        let channel = &ready.waiting.notice.channel;
        rests.map(|rests| self.resting.insert(channel.clone(), rests));
        self.busy.remove(&ready.waiting.notice.channel);
        if let Some(entry) = self.waiting.get_mut(&ready.waiting.notice.number) {
            entry.attempts = entry.attempts.saturating_add(1);
            (entry.not_before, entry.why) = (until, why);
        }
    }

    /// It is written what became of it.
    pub(super) fn settle(&mut self, ready: &Ready, handle: Option<String>) {
        let notice = &ready.waiting.notice;
        self.busy.remove(&notice.channel);
        self.waiting.remove(&notice.number);
        let key = (notice.channel.clone(), notice.message.conversation.clone());
        self.settled.insert(notice.message.id.clone(), key.clone());
        if let Some(handle) = handle {
            self.handles.entry(key).or_insert(handle);
        }
    }

    /// Everything is tried at once: channels may work now.
    pub(super) fn retry(&mut self) {
        self.resting.clear();
        for entry in self.waiting.values_mut().filter(|entry| entry.attempts > 0) {
            entry.not_before = WallTime::from(entry.waiting.notice.not_before);
        }
    }

    pub(super) fn held(&self) -> Vec<Held> {
        let held = |entry: &Entry| Held {
            id: entry.waiting.notice.message.id.clone(),
            channel: entry.waiting.notice.channel.clone(),
            since: entry.waiting.notice.message.at.max(entry.waiting.notice.not_before),
            not_before: entry.not_before.timestamp(),
            attempts: entry.attempts,
            why: entry.why.clone(),
        };
        self.waiting.values().map(held).collect()
    }
}

/// Its channel and conversation.
fn key(entry: &Entry) -> (&str, &str) {
    let notice = &entry.waiting.notice;
    (&notice.channel, &notice.message.conversation)
}
