//! Incidents become notices: who is told what, when, and what is held back so that nobody drowns.
//!
//! A function of what the journals say, in their order, as everything here: the same records give the same notices
//! with the same ids, live and in a replay. Whether one was sent is told by records too ([`Teller::notified`]), so a
//! replay sends nothing twice. Sending is done by others; what they must know is [`Teller::pending`].
//!
//! Rules: an incident is told when it has settled for [`GATHER`], so that the first message says how bad it is; then
//! what changes (worse, acknowledged, over), what nobody takes on, and how it goes on at the route's pace. A channel
//! gets four messages a minute and thirty an hour; the rest comes in one.

mod course;
mod fates;
mod limits;
mod notice;
mod words;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mailsonde_proto::WallTime;
use serde::{Deserialize, Serialize};

use super::definition::Definitions;
use super::draft::Audience;
use super::incident::Incident;
use super::message::{Message, Occasion};
use super::routing::Route;
use course::{Course, Say, Seen};
use limits::Pace;

pub use notice::{Fate, Notice, Notified};
pub use words::{TestMessage, canary, test_message};

/// An incident is told when it is this old, so that what belongs to it has joined it.
pub const GATHER: Duration = Duration::from_secs(2);
/// The same where others have yet to tell from where it fails.
pub const SETTLES: Duration = Duration::from_secs(4);
/// What is worse is told when nothing was told for this long.
pub const CALM: Duration = Duration::from_secs(30);
/// What was told of an incident is kept for this after the last word, in case it comes back.
const FORGOTTEN: Duration = Duration::from_secs(48 * 3_600);

/// Makes notices of incidents.
#[derive(Debug, Default)]
pub struct Teller {
    book: Book,
    told: BTreeMap<u64, Told>,
    notices: BTreeMap<u64, Notice>,
    /// Those without a fate, by id.
    pending: BTreeMap<String, u64>,
    /// When an incident is to be looked at again, as its row says too, in order.
    due: BTreeSet<(WallTime, u64)>,
    changed: BTreeSet<About>,
    has_news: bool,
}

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// What was told of an incident.
    Told(u64),
    /// A notice, by its number.
    Notice(u64),
    /// The rest.
    Book,
}

/// What is kept beside incidents and notices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Book {
    /// How many notices there were.
    notices: u64,
    /// How much each channel got, and what is held back.
    paces: BTreeMap<String, Pace>,
    /// The minute, from 1970, in which everything was looked at last.
    minute: i64,
    /// The week, from 1970, of the last signs of life.
    canary_week: Option<i64>,
    /// What became of messages that are not made yet: when views are made anew, a message may come after it.
    #[serde(default)]
    early: Vec<Notified>,
}

/// What was told of an incident.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    /// By route.
    courses: BTreeMap<String, Course>,
    /// How many notices each channel got of it.
    count: BTreeMap<String, u64>,
    /// What each channel gave back for the first of them.
    handles: BTreeMap<String, String>,
    /// When anything was said last.
    last_us: i64,
    /// When it is to be looked at again.
    #[serde(default)]
    due: Option<Timestamp>,
}

/// What telling goes by at a moment.
pub struct Scene<'s> {
    /// The time of the record that is taken in.
    pub now: WallTime,
    /// Routes and rotations among them.
    pub definitions: &'s Definitions,
    /// The organisation's time zone.
    pub zone: &'s TimeZone,
    /// Whether nobody is to be told of an incident.
    pub is_silenced: &'s dyn Fn(&Incident) -> bool,
    /// A vantage point's labels.
    pub labels: &'s dyn Fn(&str) -> Option<&'s BTreeMap<String, String>>,
}

/// A notice that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// It.
    pub notice: Notice,
    /// What the channel gave back for the first message of its conversation.
    pub handle: Option<String>,
}

impl Teller {
    /// An incident changed, or something of it is due.
    pub fn hear(&mut self, incident: &Incident, scene: &Scene<'_>) {
        let told = self.told.get(&incident.number).cloned();
        let is_new = told.is_none();
        let mut told = told.unwrap_or_default();
        let before = told.clone();
        let mut due: Option<Timestamp> = None;
        let is_silenced = (scene.is_silenced)(incident);
        let mut in_one = BTreeSet::new();
        for route in &scene.definitions.routes {
            let is_wanted = route.wants(incident, |name| (scene.labels)(name));
            let seen = Seen {
                incident,
                now: scene.now.timestamp(),
                is_wanted: is_wanted && route.is_open(scene.zone, scene.now),
                is_silenced,
            };
            let known = told.courses.get(&route.name).cloned();
            let mut course = known.unwrap_or_default();
            let (said, next) = course.go_on(route, &seen, |to| {
                to.at(&scene.definitions.rotations, scene.zone, scene.now.timestamp())
            });
            for mut say in said {
                // by whatever routes, a channel hears of one thing once
                say.channels.retain(|channel| in_one.insert((channel.clone(), say.occasion)));
                self.say((incident, route), &mut course, &mut told, (say, scene));
            }
            due = due.into_iter().chain(next).min();
            if course != Course::default() {
                told.courses.insert(route.name.clone(), course);
            }
        }
        self.close_forsaken(incident, &mut told, scene);
        told.due = due;
        self.set_due(incident.number, before.due, due);
        if told != before {
            self.changed.insert(About::Told(incident.number));
        }
        if told != before || !is_new {
            self.told.insert(incident.number, told);
        }
    }

    fn set_due(&mut self, incident: u64, before: Option<Timestamp>, due: Option<Timestamp>) {
        before.map(|at| self.due.remove(&(WallTime::from(at), incident)));
        due.map(|at| self.due.insert((WallTime::from(at), incident)));
    }

    /// Who was told by a route that is not there any more hears that it is over, and nothing else.
    fn close_forsaken(&mut self, incident: &Incident, told: &mut Told, scene: &Scene<'_>) {
        let is_there = |name: &String| scene.definitions.routes.iter().any(|it| it.name == *name);
        let forsaken: Vec<String> =
            told.courses.keys().filter(|name| !is_there(name)).cloned().collect();
        for name in forsaken {
            let Some(mut course) = told.courses.remove(&name) else { continue };
            if let Some(say) = course.forsaken(incident, scene.now.timestamp()) {
                let route = Route::without_wishes(&name);
                self.say((incident, &route), &mut course, told, (say, scene));
            }
            if !course.is_over() {
                told.courses.insert(name, course);
            }
        }
    }

    /// One thing is said to some channels: at once, later, or in the summary.
    fn say(
        &mut self,
        (incident, route): (&Incident, &Route),
        course: &mut Course,
        told: &mut Told,
        (say, scene): (Say, &Scene<'_>),
    ) {
        let now = scene.now;
        if incident.merged_into.is_some() && route.audience != Audience::Technical {
            return; // for whoever only uses it, it goes on: what it is part of is told
        }
        for channel in &say.channels {
            let pace = self.book.paces.entry(channel.clone()).or_default();
            self.changed.insert(About::Book);
            // a conversation that was begun is gone on with, however late: nothing stays open for ever
            let is_begun = told.count.contains_key(channel) && !course.held.contains(channel);
            let goes_on = say.occasion != Occasion::Opened && is_begun;
            // who is to wake up is not put off by what could wait
            let wakes = matches!(say.occasion, Occasion::Opened | Occasion::Escalated);
            let may_begin = wakes || !course.held.contains(channel);
            let has_room = may_begin && pace.has_room(now, incident.severity);
            if !(goes_on || has_room) {
                course.held.insert(channel.clone());
                pace.hold(now, incident, say.occasion);
                continue;
            }
            course.held.remove(channel);
            // how it goes on is no news later
            if say.occasion == Occasion::Update && !pace.is_free(now) {
                continue;
            }
            // what ends it, or passes it on, waits for the minute at most
            let not_before = pace.take(now, !matches!(say.occasion, Occasion::Worse));
            self.supersede((channel, incident.number), say.occasion, now);
            let count = told.count.entry(channel.clone()).or_default();
            *count += 1;
            let message = Message {
                id: format!("{}-{count}-{}", incident.number, notice::short(channel)),
                ..words::of_incident(incident, &say, route, scene)
            };
            told.last_us = now.as_us();
            self.add((channel, route.audience), not_before, message);
        }
    }

    /// What is due by now beside incidents: summaries of what was held back, signs of life, what is forgotten. Returns
    /// the incidents that are due, to be [heard](Self::hear) again; once a minute that is all that were told of.
    pub fn look_at_time(&mut self, scene: &Scene<'_>) -> BTreeSet<u64> {
        self.summarise(scene);
        let is_due = |(at, _): &&(WallTime, u64)| *at <= scene.now;
        let mut due: BTreeSet<u64> =
            self.due.iter().take_while(is_due).map(|(_, number)| *number).collect();
        if self.is_new_minute(scene.now) {
            self.book.minute = minute_of(scene.now);
            self.changed.insert(About::Book);
            due.extend(self.told.keys());
            self.forget(scene.now);
            self.sign_of_life(scene);
        }
        due
    }

    /// Whether everything is to be looked at again.
    pub fn is_new_minute(&self, now: WallTime) -> bool {
        self.book.minute != minute_of(now)
    }

    /// An incident is not known any more: nothing of it is due.
    pub fn lose(&mut self, incident: u64) {
        if let Some(told) = self.told.get_mut(&incident)
            && let Some(at) = told.due.take()
        {
            self.changed.insert(About::Told(incident));
            self.set_due(incident, Some(at), None);
        }
    }

    fn summarise(&mut self, scene: &Scene<'_>) {
        let mut messages = Vec::new();
        for (channel, pace) in &mut self.book.paces {
            messages.extend(pace.summary(scene.now, channel).map(|it| (channel.clone(), it)));
        }
        for (channel, message) in messages {
            self.add((&channel, Audience::Technical), scene.now, message);
        }
    }

    /// Once a week every channel that may be told anything gets a sign of life, in the first hour of Monday's morning.
    fn sign_of_life(&mut self, scene: &Scene<'_>) {
        let at = scene.zone.to_datetime(scene.now.timestamp());
        let Some(week) = words::week_of(at) else { return };
        let before = self.book.canary_week.replace(week);
        // not at the first start, and not for weeks that are over
        if before.is_none_or(|before| before >= week) || !scene.definitions.has_canary() {
            return;
        }
        let definitions = scene.definitions;
        let channels: BTreeSet<&str> =
            definitions.routes.iter().flat_map(|it| it.channels(&definitions.rotations)).collect();
        for channel in channels {
            let message = canary(channel, week, scene.now.timestamp());
            self.add((channel, Audience::Technical), scene.now, message);
        }
    }

    /// When it wants to be told the time, at the latest.
    pub fn due(&self) -> Option<WallTime> {
        let summaries = self.book.paces.values().filter_map(Pace::due);
        self.due.first().map(|(at, _)| *at).into_iter().chain(summaries).min()
    }

    /// Whether notices were made since this was asked last.
    pub fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.has_news)
    }

    /// What changed since this was last asked, as rows; without a value they are to be removed.
    pub fn take(&mut self) -> Vec<(About, Option<Vec<u8>>)> {
        let encoded = |about: About| match about {
            About::Told(incident) => self.told.get(&incident).map(json),
            About::Notice(number) => self.notices.get(&number).map(json),
            About::Book => Some(json(&self.book)),
        };
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|about| (about, encoded(about))).collect()
    }

    /// As it was left; what cannot be read any more is as if it had never been.
    pub fn restore(kept: impl IntoIterator<Item = (About, Vec<u8>)>) -> Self {
        let mut teller = Self::default();
        for (about, bytes) in kept {
            match about {
                About::Told(incident) => {
                    if let Ok(told) = serde_json::from_slice(&bytes) {
                        teller.told.insert(incident, told);
                    }
                }
                About::Notice(number) => {
                    let Ok(notice) = serde_json::from_slice::<Notice>(&bytes) else { continue };
                    if notice.fate.is_none() {
                        teller.pending.insert(notice.message.id.clone(), number);
                    }
                    teller.notices.insert(number, notice);
                }
                About::Book => teller.book = serde_json::from_slice(&bytes).unwrap_or_default(),
            }
        }
        let due = |(number, told): (&u64, &Told)| Some((WallTime::from(told.due?), *number));
        teller.due = teller.told.iter().filter_map(due).collect();
        // a book that could not be read must not give numbers twice
        let last = teller.notices.keys().next_back().copied().unwrap_or(0);
        teller.book.notices = teller.book.notices.max(last);
        teller
    }
}

fn minute_of(at: WallTime) -> i64 {
    at.as_us().div_euclid(60_000_000)
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// A time that is kept as microseconds since 1970.
fn of_us(us: i64) -> Timestamp {
    Timestamp::from_microsecond(us).unwrap_or(Timestamp::UNIX_EPOCH)
}
