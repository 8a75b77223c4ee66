//! How far a route is with one incident: what is to be said next, and when to look again.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{CALM, GATHER, SETTLES};
use crate::judge::incident::{Incident, Scope, Severity, State};
use crate::judge::message::Occasion;
use crate::judge::routing::{Recipients, Route};

/// How far a route is with an incident.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Course {
    /// Since when it is to be told and was not yet.
    since: Option<Timestamp>,
    /// What was told last.
    told: Option<LastTold>,
    /// Channels that get it in summaries only.
    pub(super) held: BTreeSet<String>,
}

/// What was told last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct LastTold {
    /// When it was told first.
    first: Timestamp,
    /// When anything was told.
    last: Timestamp,
    severity: Severity,
    breadth: (u8, usize),
    /// How often it had come back by then.
    reopened: u32,
    is_acknowledged: bool,
    is_over: bool,
    /// Who was told anything.
    channels: Vec<String>,
    /// The step of the escalation that comes next.
    step: usize,
    /// The last step again: when, and how many times more.
    again: Option<(Timestamp, u32)>,
    /// Entries of the timeline that were there.
    entries: usize,
}

/// An incident as it is seen at a moment.
pub(super) struct Seen<'s> {
    pub(super) incident: &'s Incident,
    pub(super) now: Timestamp,
    /// The route wants it, and holds.
    pub(super) is_wanted: bool,
    pub(super) is_silenced: bool,
}

/// Something to be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Say {
    pub(super) occasion: Occasion,
    pub(super) channels: Vec<String>,
    /// Since then it changed as is to be told: the number of entries of the timeline that are known already.
    pub(super) known_entries: usize,
    /// When anything was said before.
    pub(super) told_at: Option<Timestamp>,
}

impl Course {
    /// Whether nothing is to be said any more, unless it comes back.
    pub(super) fn is_over(&self) -> bool {
        self.told.as_ref().is_none_or(|told| told.is_over)
    }

    /// What is to be said now, and when to look again although nothing happens.
    pub(super) fn go_on(
        &mut self,
        route: &Route,
        seen: &Seen<'_>,
        channels: impl Fn(&Recipients) -> Vec<String>,
    ) -> (Vec<Say>, Option<Timestamp>) {
        let is_again = |told: &LastTold| told.is_over && seen.incident.reopened > told.reopened;
        if self.told.as_ref().is_none_or(is_again) {
            return self.begin(route, seen, channels);
        }
        let Some(told) = self.told.as_mut().filter(|told| !told.is_over) else {
            return (Vec::new(), None);
        };
        if !seen.incident.is_live() {
            return (vec![told.over(seen)], None);
        }
        if seen.is_silenced {
            return (Vec::new(), None);
        }
        let mut said = Vec::new();
        said.extend(told.acknowledged(seen));
        said.extend(told.escalated(route, seen, channels));
        let (worse, worse_due) = told.worse(seen);
        said.extend(worse);
        said.extend(told.update(route, seen));
        (said, told.due(route, seen).into_iter().chain(worse_due).min())
    }

    /// Its route is not there any more: when the incident is over, whoever was told hears that.
    pub(super) fn forsaken(&mut self, incident: &Incident, now: Timestamp) -> Option<Say> {
        let told = self.told.as_mut().filter(|told| !told.is_over && !incident.is_live())?;
        Some(told.over(&Seen { incident, now, is_wanted: false, is_silenced: false }))
    }

    /// It was not told yet, or has come back.
    fn begin(
        &mut self,
        route: &Route,
        seen: &Seen<'_>,
        channels: impl Fn(&Recipients) -> Vec<String>,
    ) -> (Vec<Say>, Option<Timestamp>) {
        let Seen { incident, now, .. } = *seen;
        if !incident.is_live() || !seen.is_wanted || seen.is_silenced {
            self.since = None;
            return (Vec::new(), None);
        }
        let since = *self.since.get_or_insert(now);
        let gathered = after(since, GATHER);
        let settled = after(since, SETTLES);
        // others have yet to tell from where
        let is_settled = !matches!(&incident.scope, Scope::Some { failing, of } if failing == of);
        if now < gathered || (now < settled && !is_settled) {
            return (Vec::new(), Some(if now < gathered { gathered } else { settled }));
        }
        let to = channels(&route.to);
        // what comes back is news again where only a summary told of it
        self.held.clear();
        let entries = incident.timeline.len();
        let told = LastTold {
            first: now,
            last: now,
            severity: incident.severity,
            breadth: breadth(&incident.scope),
            reopened: incident.reopened,
            is_acknowledged: incident.state >= State::Acknowledged,
            is_over: false,
            channels: to.clone(),
            step: 0,
            again: None,
            entries,
        };
        let due = told.due(route, seen);
        (self.since, self.told) = (None, Some(told));
        (
            vec![Say { occasion: Occasion::Opened, channels: to, known_entries: 0, told_at: None }],
            due,
        )
    }
}

impl LastTold {
    fn say(&mut self, occasion: Occasion, channels: Vec<String>, seen: &Seen<'_>) -> Say {
        let known_entries = std::mem::replace(&mut self.entries, seen.incident.timeline.len());
        let told_at = Some(self.last);
        // others who hear of it are no word to those who were told before
        if occasion != Occasion::Escalated {
            self.last = seen.now;
        }
        (self.severity, self.breadth) =
            (self.severity.max(seen.incident.severity), breadth(&seen.incident.scope));
        Say { occasion, channels, known_entries, told_at }
    }

    fn over(&mut self, seen: &Seen<'_>) -> Say {
        self.is_over = true;
        self.reopened = seen.incident.reopened;
        let channels = self.channels.clone();
        self.say(Occasion::Over, channels, seen)
    }

    fn acknowledged(&mut self, seen: &Seen<'_>) -> Option<Say> {
        let is_acknowledged = seen.incident.state >= State::Acknowledged;
        let was = std::mem::replace(&mut self.is_acknowledged, is_acknowledged);
        if was || !is_acknowledged {
            return None;
        }
        self.again = None;
        // mended before anybody took it on: what is told is that it is over, once that is shown
        (seen.incident.state == State::Acknowledged)
            .then(|| self.channels.clone())
            .map(|channels| self.say(Occasion::Acknowledged, channels, seen))
    }

    fn escalated(
        &mut self,
        route: &Route,
        seen: &Seen<'_>,
        channels: impl Fn(&Recipients) -> Vec<String>,
    ) -> Option<Say> {
        if seen.incident.state != State::Open {
            return None;
        }
        let mut to: Vec<String> = Vec::new();
        let add = |to: &mut Vec<String>, more: Vec<String>| {
            more.into_iter().for_each(|it| {
                if !to.contains(&it) {
                    to.push(it)
                }
            });
        };
        if let Some((at, times)) = self.again.filter(|(at, _)| *at <= seen.now) {
            let step = self.step.checked_sub(1).and_then(|step| route.steps.get(step));
            add(&mut to, step.map(|step| channels(&step.to)).unwrap_or_default());
            let repeat = step.and_then(|step| step.repeat_s).unwrap_or(u64::MAX);
            let next = after(at.max(seen.now), Duration::from_secs(repeat));
            self.again = (times > 1).then_some((next, times - 1));
        }
        while let Some(step) = route.steps.get(self.step)
            && after(self.first, Duration::from_secs(step.after_s)) <= seen.now
        {
            add(&mut to, channels(&step.to));
            self.step += 1;
            self.again = step
                .repeat_s
                .filter(|_| step.times > 0)
                .map(|repeat_s| (after(seen.now, Duration::from_secs(repeat_s)), step.times));
        }
        if to.is_empty() {
            return None;
        }
        add(&mut self.channels, to.clone());
        Some(self.say(Occasion::Escalated, to, seen))
    }

    fn worse(&mut self, seen: &Seen<'_>) -> (Option<Say>, Option<Timestamp>) {
        let is_worse = seen.incident.severity > self.severity
            || breadth(&seen.incident.scope) > self.breadth
                && seen.incident.state <= State::Acknowledged;
        let calm = after(self.last, CALM);
        if !is_worse {
            return (None, None);
        }
        if seen.now < calm {
            return (None, Some(calm));
        }
        let channels = self.channels.clone();
        (Some(self.say(Occasion::Worse, channels, seen)), None)
    }

    fn update(&mut self, route: &Route, seen: &Seen<'_>) -> Option<Say> {
        let every = Duration::from_secs(route.updates_s?);
        if after(self.last, every) > seen.now {
            return None;
        }
        let channels = self.channels.clone();
        Some(self.say(Occasion::Update, channels, seen))
    }

    /// When to look again although nothing happens.
    fn due(&self, route: &Route, seen: &Seen<'_>) -> Option<Timestamp> {
        let update = route.updates_s.map(|every_s| after(self.last, Duration::from_secs(every_s)));
        let is_open = seen.incident.state == State::Open;
        let again = self.again.map(|(at, _)| at).filter(|_| is_open);
        let step = route.steps.get(self.step).filter(|_| is_open);
        let step = step.map(|step| after(self.first, Duration::from_secs(step.after_s)));
        update.into_iter().chain(again).chain(step).min()
    }
}

fn after(at: Timestamp, duration: Duration) -> Timestamp {
    let duration = SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
    at.checked_add(duration).unwrap_or(Timestamp::MAX)
}

/// From how much of everywhere, to be compared.
fn breadth(scope: &Scope) -> (u8, usize) {
    match scope {
        Scope::OnePlace { .. } | Scope::Branch { .. } => (0, 1),
        Scope::Some { failing, .. } => (1, *failing),
        Scope::Everywhere { .. } => (2, 0),
    }
}
