//! Notices from when they are made until it is known what became of them, and forgotten.

use std::time::Duration;

use mailsonde_proto::WallTime;

use super::course::Course;
use super::{
    About, Audience, FORGOTTEN, Fate, Message, Notice, Notified, Occasion, Teller, Told, Waiting,
    words,
};

/// Notices whose fate is known are kept for this, for people to look at.
const KEPT: Duration = Duration::from_secs(90 * 86_400);
/// And so many of them at most.
const MOST_KEPT: usize = 10_000;
/// What became of messages that are not made yet is kept for so many of them.
const MOST_EARLY: usize = 500;

impl Teller {
    /// What waits for its turn and is told by what comes now is not sent any more.
    pub(super) fn supersede(
        &mut self,
        (channel, incident): (&str, u64),
        by: Occasion,
        now: WallTime,
    ) {
        if !matches!(by, Occasion::Update | Occasion::Worse | Occasion::Over) {
            return;
        }
        let is_stale = |notice: &Notice| {
            notice.channel == channel
                && notice.message.incident() == Some(incident)
                && matches!(notice.message.occasion, Occasion::Update | Occasion::Worse)
        };
        let waiting = self.pending.values().filter_map(|number| self.notices.get(number));
        let stale: Vec<(String, u64)> = waiting
            .filter(|notice| is_stale(notice))
            .map(|notice| (notice.message.id.clone(), notice.number))
            .collect();
        for (id, number) in stale {
            self.pending.remove(&id);
            self.changed.insert(About::Notice(number));
            self.has_news = true;
            if let Some(notice) = self.notices.get_mut(&number) {
                notice.fate = Some(Fate::Superseded);
                notice.settled_at = Some(now.timestamp());
            }
        }
    }

    pub(super) fn add(
        &mut self,
        (channel, audience): (&str, Audience),
        not_before: WallTime,
        message: Message,
    ) {
        self.book.notices += 1;
        let (number, id) = (self.book.notices, message.id.clone());
        let not_before = not_before.timestamp();
        let notice = Notice::new(number, (channel.to_owned(), audience), not_before, message);
        self.pending.insert(id.clone(), number);
        self.notices.insert(number, notice);
        self.changed.insert(About::Notice(number));
        self.changed.insert(About::Book);
        self.has_news = true;
        if let Some(at) = self.book.early.iter().position(|early| early.id == id) {
            let early = self.book.early.remove(at);
            self.notified(&early, WallTime::from(not_before));
        }
    }

    pub(super) fn forget(&mut self, now: WallTime) {
        let before_us = now.minus(FORGOTTEN).as_us();
        let is_over =
            |told: &Told| told.last_us < before_us && told.courses.values().all(Course::is_over);
        let over: Vec<u64> =
            self.told.iter().filter(|(_, told)| is_over(told)).map(|(number, _)| *number).collect();
        for number in over {
            self.lose(number);
            self.told.remove(&number);
            self.changed.insert(About::Told(number));
        }
        let before = now.minus(KEPT).timestamp();
        let more = self.notices.len().saturating_sub(MOST_KEPT);
        let old: Vec<u64> = (self.notices.values().enumerate())
            .filter(|(at, it)| it.fate.is_some() && (it.message.at < before || *at < more))
            .map(|(_, notice)| notice.number)
            .collect();
        for number in old {
            self.notices.remove(&number);
            self.changed.insert(About::Notice(number));
        }
    }

    /// What became of a notice. One that failed for good is told by another channel, where there is one.
    pub fn notified(&mut self, told: &Notified, at: WallTime) {
        let Some(number) = self.pending.remove(&told.id).or_else(|| self.under_way(told)) else {
            let is_known = |notice: &Notice| notice.message.id == told.id;
            if !self.notices.values().rev().take(MOST_EARLY).any(is_known) {
                self.book.early.retain(|early| early.id != told.id);
                self.book.early.push(told.clone());
                let more = self.book.early.len().saturating_sub(MOST_EARLY);
                self.book.early.drain(..more);
                self.changed.insert(About::Book);
            }
            return;
        };
        let Some(notice) = self.notices.get_mut(&number) else { return };
        notice.fate = Some(told.fate.clone());
        notice.attempts = told.attempts;
        notice.settled_at = Some(at.timestamp());
        self.changed.insert(About::Notice(number));
        let (channel, message) = (notice.channel.clone(), notice.message.clone());
        let incident = message.incident();
        if let (Fate::Sent { handle: Some(handle), .. }, Some(incident)) = (&told.fate, incident)
            && let Some(known) = self.told.get_mut(&incident)
        {
            known.handles.entry(channel.clone()).or_insert_with(|| handle.clone());
            self.changed.insert(About::Told(incident));
        }
        if let (Fate::Failed { why }, Some(instead)) = (&told.fate, &told.instead) {
            let trouble = words::trouble(&message, &channel, why, at.timestamp());
            let pace = self.book.paces.entry(instead.clone()).or_default();
            let not_before = pace.take(at, true);
            self.add((instead, Audience::Technical), not_before, trouble);
        }
    }

    /// What was superseded while it was being sent, and was sent.
    fn under_way(&self, told: &Notified) -> Option<u64> {
        let is_it = |notice: &&Notice| {
            notice.message.id == told.id && notice.fate == Some(Fate::Superseded)
        };
        let found = self.notices.values().rev().take(MOST_EARLY).find(is_it)?;
        matches!(told.fate, Fate::Sent { .. }).then_some(found.number)
    }

    /// What is to be sent, in order.
    pub fn pending(&self) -> Vec<Waiting> {
        let mut numbers: Vec<u64> = self.pending.values().copied().collect();
        numbers.sort_unstable();
        let waiting = |number: u64| {
            let notice = self.notices.get(&number)?.clone();
            let told = notice.message.incident().and_then(|incident| self.told.get(&incident));
            let handle = told.and_then(|told| told.handles.get(&notice.channel)).cloned();
            Some(Waiting { notice, handle })
        };
        numbers.into_iter().filter_map(waiting).collect()
    }
}
