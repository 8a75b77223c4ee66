//! What a folder may hold: how many messages, and how old the oldest and the newest may be.
//!
//! A queue that nobody empties has too many or too old ones; a mailbox that nothing reaches any more has
//! no new one. Shared by the probes that look into a mailbox.

use std::time::Duration;

use mailsonde_proto::{Fact, FaultClass, WallTime};

use super::{Section, Setting};
use crate::config::units::duration_text;
use crate::mail::endpoint::Endpoint;
use crate::mail::failure::Failure;

/// The phase in which a folder's messages are counted and dated.
pub(super) const LIST: &str = "list";
/// A run returns so much before its deadline: whoever enforces that deadline must not be first.
pub(super) const MARGIN: Duration = Duration::from_millis(100);
/// A fact's text has so many characters at most.
const LONGEST_FACT: usize = 1_000;

/// The settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) min_messages: Option<u32>,
    pub(super) max_messages: Option<u32>,
    pub(super) max_unread: Option<u32>,
    pub(super) max_age: Option<Duration>,
    pub(super) max_newest_age: Option<Duration>,
}

pub(super) const MIN_MESSAGES: Setting = Setting {
    name: "min_messages",
    form: "number",
    default: Some("none"),
    help: "fewer messages than this make the run a failure",
};
pub(super) const MAX_MESSAGES: Setting = Setting {
    name: "max_messages",
    form: "number",
    default: Some("none"),
    help: "more messages than this make the run a failure, as in a queue that nobody empties",
};
pub(super) const MAX_AGE: Setting = Setting {
    name: "max_age",
    form: "duration",
    default: Some("none"),
    help: "an older message than this makes the run a failure",
};
pub(super) const MAX_NEWEST_AGE: Setting = Setting {
    name: "max_newest_age",
    form: "duration",
    default: Some("none"),
    help: "no message that is younger than this makes the run a failure: nothing arrives any more",
};

impl Bounds {
    /// Reads those of a check.
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            min_messages: number(section, "min_messages"),
            max_messages: number(section, "max_messages"),
            max_unread: None,
            max_age: duration(section, "max_age"),
            max_newest_age: duration(section, "max_newest_age"),
        }
    }
}

/// What a folder holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stock {
    pub(super) messages: u32,
    pub(super) unread: Option<u32>,
    /// When the messages that were looked at were stored: all of them, or the first and the last ones.
    pub(super) dates: Vec<WallTime>,
}

impl Stock {
    /// As facts whose names begin with the protocol's.
    pub(super) fn facts(&self, protocol: &str, now: WallTime) -> Vec<Fact> {
        let fact = |name: &str, value: String| Fact::new(format!("{protocol}.{name}"), value);
        let mut facts = vec![fact("messages", self.messages.to_string())];
        facts.extend(self.unread.map(|unread| fact("unread", unread.to_string())));
        for (name, date) in [("oldest", self.oldest()), ("newest", self.newest())] {
            if let Some(date) = date {
                facts.push(fact(name, date.to_string()));
                facts.push(fact(&format!("{name}_age"), age(date, now)));
            }
        }
        if self.dates.len() < usize::try_from(self.messages).unwrap_or(usize::MAX) {
            let words = format!("{} of {}", self.dates.len(), self.messages);
            facts.push(fact("dates_read", words));
        }
        facts
    }

    /// # Errors
    /// What is not within the bounds, all of it.
    pub(super) fn judge(&self, bounds: &Bounds, now: WallTime) -> Result<(), Failure> {
        let mut words = Vec::new();
        let count = self.messages;
        if let Some(most) = bounds.max_messages.filter(|most| count > *most) {
            words.push(format!("it has {count} messages, at most {most} are expected"));
        }
        if let Some(least) = bounds.min_messages.filter(|least| count < *least) {
            words.push(format!("it has {count} messages, at least {least} are expected"));
        }
        if let Some(most) = bounds.max_unread {
            match self.unread {
                Some(unread) if unread > most => {
                    words.push(format!("{unread} are unread, at most {most} are expected"));
                }
                Some(_) => {}
                None => words.push("the server does not say how many are unread".to_owned()),
            }
        }
        let too_old = |date: &WallTime, most: Option<Duration>| {
            most.filter(|most| now.since(*date) > *most).map(duration_text)
        };
        if let Some((date, most)) =
            self.oldest().and_then(|date| Some((date, too_old(&date, bounds.max_age)?)))
        {
            let age = age(date, now);
            words.push(format!("its oldest message is {age} old, at most {most} is expected"));
        }
        match (self.newest(), bounds.max_newest_age) {
            (Some(date), most) => {
                if let Some(most) = too_old(&date, most) {
                    let age = age(date, now);
                    words.push(format!(
                        "its newest message is {age} old, one within {most} is expected"
                    ));
                }
            }
            (None, Some(most)) => {
                let most = duration_text(most);
                words.push(format!("it has no message with a date, one within {most} is expected"));
            }
            (None, None) => {}
        }
        if words.is_empty() {
            return Ok(());
        }
        let words = format!("the folder is not as expected: {}", words.join("; "));
        Err(Failure::new(LIST, FaultClass::Mismatch, words))
    }

    fn oldest(&self) -> Option<WallTime> {
        self.dates.iter().copied().min_by_key(|date| date.as_ns())
    }

    fn newest(&self) -> Option<WallTime> {
        self.dates.iter().copied().max_by_key(|date| date.as_ns())
    }
}

/// A date in whole seconds tells an age in whole seconds.
fn age(date: WallTime, now: WallTime) -> String {
    duration_text(Duration::from_secs(now.since(date).as_secs()))
}

/// Capabilities that must be there: a word, or a word and one of its parameters (`SASL PLAIN`).
pub(super) fn missing<'a>(
    expected: &'a [String],
    is_there: impl Fn(&str) -> bool,
) -> Result<(), Failure> {
    let missing: Vec<&'a str> =
        expected.iter().map(String::as_str).filter(|word| !is_there(word)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let words = format!("the server does not offer {}, as is expected", missing.join(", "));
    Err(Failure::new(mailsonde_proto::phase::name::GREETING, FaultClass::Mismatch, words))
}

/// What is asked of a mailbox needs somebody who signs in; and a login without a password is a slip.
pub(super) fn needs_login(section: &mut Section<'_>, endpoint: Option<&Endpoint>, keys: &[&str]) {
    let Some(endpoint) = endpoint.filter(|endpoint| endpoint.login.is_none()) else { return };
    let (host, words) = (&endpoint.host, "is missing: without it nobody signs in");
    if section.has("login") {
        section.mistake("login", format!("the password {words}"));
    } else if let Some(key) = keys.iter().find(|key| section.has(key)) {
        section.mistake(key, format!("login {words} at {host}, and {key} cannot be looked at"));
    }
}

/// A fact of bounded length.
pub(super) fn fact(name: &str, value: &str) -> Fact {
    let mut text: String = value.chars().take(LONGEST_FACT).collect();
    if text.len() < value.len() {
        text.push('…');
    }
    Fact::new(name, text)
}

pub(super) fn number(section: &mut Section<'_>, key: &str) -> Option<u32> {
    // Asked for all the same when absent, so that a slip of the pen gets its hint.
    if section.has(key) { Some(section.number(key, 0, 0..=u32::MAX)) } else { absent(section, key) }
}

fn duration(section: &mut Section<'_>, key: &str) -> Option<Duration> {
    let bounds = Duration::from_secs(1)..=Duration::MAX;
    match section.has(key) {
        true => Some(section.duration_within(key, Duration::MAX, bounds)),
        false => absent(section, key),
    }
}

fn absent<T>(section: &mut Section<'_>, key: &str) -> Option<T> {
    section.text(key).and(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_judged_by_count_and_age() {
        let now = WallTime::from_s(1_000_000);
        let minutes = |count: u64| Some(Duration::from_secs(60 * count));
        let stock = Stock {
            messages: 3,
            unread: Some(2),
            dates: [600, 60, 3_600].map(|ago| WallTime::from_s(1_000_000 - ago)).to_vec(),
        };
        let none = Bounds::default();
        for (bounds, expected) in [
            (none, ""),
            (Bounds { max_messages: Some(3), min_messages: Some(3), ..none }, ""),
            (Bounds { max_messages: Some(2), ..none }, "it has 3 messages, at most 2 are expected"),
            (
                Bounds { min_messages: Some(4), ..none },
                "it has 3 messages, at least 4 are expected",
            ),
            (Bounds { max_unread: Some(1), ..none }, "2 are unread, at most 1 are expected"),
            (Bounds { max_age: minutes(60), ..none }, ""),
            (
                Bounds { max_age: minutes(59), ..none },
                "its oldest message is 1h old, at most 59m is expected",
            ),
            (Bounds { max_newest_age: minutes(1), ..none }, ""),
            (
                Bounds {
                    max_newest_age: Some(Duration::from_secs(59)),
                    max_messages: Some(0),
                    ..none
                },
                "it has 3 messages, at most 0 are expected; its newest message is 1m old, one within 59s is expected",
            ),
        ] {
            let told = stock.judge(&bounds, now).err().map(|failure| failure.fault.explanation);
            let told = told.unwrap_or_default();
            let told = told.trim_start_matches("the folder is not as expected: ");
            assert_eq!(told, expected, "{bounds:?}");
        }
        let empty = Stock::default();
        assert!(empty.judge(&Bounds { max_age: minutes(1), ..none }, now).is_ok());
        let starved = empty.judge(&Bounds { max_newest_age: minutes(1), ..none }, now);
        assert!(starved.is_err(), "a mailbox that nothing reaches");
    }

    #[test]
    fn facts_say_what_was_looked_at() {
        let now = WallTime::from_s(1_000_000);
        let dates = vec![WallTime::from_s(1_000_000 - 86_400)];
        let stock = Stock { messages: 7, unread: None, dates };
        let told = stock.facts("imap", now);
        let told: Vec<_> = told.iter().map(|f| format!("{}={}", f.name, f.value)).collect();
        assert_eq!(
            told,
            [
                "imap.messages=7",
                "imap.oldest=1970-01-11T13:46:40.000000Z",
                "imap.oldest_age=1d",
                "imap.newest=1970-01-11T13:46:40.000000Z",
                "imap.newest_age=1d",
                "imap.dates_read=1 of 7",
            ]
        );
        assert_eq!(fact("a", &"x".repeat(9_999)).value.chars().count(), LONGEST_FACT + 1);
    }
}
