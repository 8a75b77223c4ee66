//! One table of a configuration, read key by key.
//!
//! Every mistake is collected with its place and reading goes on; whatever key nobody asked for is
//! reported by `finish` as unknown. What was read is written down with its defaults, secrets left out:
//! the canonical text whose digest travels with each observation.

mod compound;
mod known;
mod named;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use mailsonde_proto::check::is_name;

use super::mistake::{Mistake, Place, Report};
use super::spelling::{did_you_mean, listed};
use super::units;
use super::value::{Entry, Table, Value};
use crate::secret::Secret;

pub use compound::Endpoint;

/// One table of a configuration; the tables in it are sections of their own that share its report.
///
/// A method named after a type returns the value as resolved, or its default after a mistake, so that
/// a caller reads all keys first and asks [`Section::is_clean`] then.
pub struct Section<'a> {
    table: &'a Table,
    /// Where what is wrong with the table as a whole is told.
    head: &'a Place,
    report: &'a Report,
    folder: &'a Path,
    /// What mistakes begin with, such as `mailbox "main"`; may be empty.
    label: String,
    /// What stands before a key, such as `smtp.`; empty in an outermost table.
    path: String,
    asked: BTreeSet<String>,
    /// What may stand here, beside other settings than those that do.
    offered: BTreeSet<String>,
    resolved: Rc<RefCell<BTreeMap<String, String>>>,
    /// Somebody else than the administrator of this host wrote it.
    is_foreign: bool,
    mistakes_before: usize,
    missing: BTreeMap<String, Mistake>,
}

impl<'a> Section<'a> {
    /// A section over a table. Relative paths in it are relative to `folder`; mistakes begin with
    /// `label` where that is not empty.
    pub fn new(table: &'a Table, report: &'a Report, folder: &'a Path, label: &str) -> Self {
        Self {
            table,
            head: &table.head,
            report,
            folder,
            label: label.to_owned(),
            path: String::new(),
            asked: BTreeSet::new(),
            offered: BTreeSet::new(),
            resolved: Rc::default(),
            is_foreign: false,
            mistakes_before: report.mistakes_so_far(),
            missing: BTreeMap::new(),
        }
    }

    /// Another label for the mistakes from here on, once the table's name is known.
    pub fn set_label(&mut self, label: String) {
        self.label = label;
    }

    /// Whether this comes from the command line rather than from a file.
    pub const fn is_command_line(&self) -> bool {
        self.head.is_command_line()
    }

    /// Whether a table stands at the key.
    pub fn has_table(&self, key: &str) -> bool {
        self.table.entries.get(key).is_some_and(|entry| matches!(entry.value, Value::Table(_)))
    }

    /// Whether the key is there.
    pub fn has(&self, key: &str) -> bool {
        self.table.entries.contains_key(key)
    }

    /// A text; `None` when the key is absent or wrong (then a mistake is on record).
    pub fn text(&mut self, key: &str) -> Option<String> {
        let entry = self.entry(key)?;
        let text = self.text_of(key, entry)?;
        self.record(key, &text);
        Some(text)
    }

    /// A text that must be there.
    pub fn required_text(&mut self, key: &str) -> Option<String> {
        self.require(key);
        self.text(key)
    }

    /// A text, or `default`.
    pub fn text_or(&mut self, key: &str, default: &str) -> String {
        let text = self.text(key).unwrap_or_else(|| default.to_owned());
        self.record(key, &text);
        text
    }

    /// A secret written right here; it is not written down. `None` when the key is absent or wrong.
    pub fn secret(&mut self, key: &str) -> Option<Secret> {
        let entry = self.entry(key)?;
        self.text_of(key, entry).map(Secret::new)
    }

    /// A name: 1 to 64 characters of `a-z A-Z 0-9 . _ -`; `None` when it is absent or wrong.
    pub fn name(&mut self, key: &str) -> Option<String> {
        let name = self.text(key)?;
        if is_name(&name) {
            return Some(name);
        }
        self.wrong(
            key,
            &format!(
                "must be 1 to 64 letters, digits, dots, dashes or underscores, not \"{name}\""
            ),
        );
        None
    }

    /// A name that must be there.
    pub fn required_name(&mut self, key: &str) -> Option<String> {
        self.require(key);
        self.name(key)
    }

    /// A duration with its unit (`"30s"`, `"5m"`), or `default`.
    pub fn duration(&mut self, key: &str, default: Duration) -> Duration {
        self.duration_within(key, default, Duration::ZERO..=Duration::MAX)
    }

    /// A duration with its unit within bounds, or `default`.
    pub fn duration_within(
        &mut self,
        key: &str,
        default: Duration,
        bounds: RangeInclusive<Duration>,
    ) -> Duration {
        let read = self.with_unit(key, units::duration, "\"30s\" or \"5m\"");
        let duration = match read {
            Some(duration) if !bounds.contains(&duration) => {
                let (least, most) = (units::duration_text(*bounds.start()), bounds.end());
                self.wrong(
                    key,
                    &match *most {
                        Duration::MAX => format!("must be at least \"{least}\""),
                        most => format!(
                            "must be from \"{least}\" to \"{}\"",
                            units::duration_text(most)
                        ),
                    },
                );
                default
            }
            Some(duration) => duration,
            None => default,
        };
        self.record(key, &units::duration_text(duration));
        duration
    }

    /// A size with its unit (`"64KiB"`), or `default`, in bytes.
    pub fn size(&mut self, key: &str, default: u64) -> u64 {
        self.size_within(key, default, 0..=u64::MAX)
    }

    /// A size with its unit within bounds, or `default`, in bytes.
    pub fn size_within(&mut self, key: &str, default: u64, bounds: RangeInclusive<u64>) -> u64 {
        let read = self.with_unit(key, units::size, "\"64KiB\" or \"256MiB\"");
        let bytes = match read {
            Some(bytes) if !bounds.contains(&bytes) => {
                let (least, most) = (units::size_text(*bounds.start()), *bounds.end());
                self.wrong(
                    key,
                    &match most {
                        u64::MAX => format!("must be at least \"{least}\""),
                        most => {
                            format!("must be from \"{least}\" to \"{}\"", units::size_text(most))
                        }
                    },
                );
                default
            }
            Some(bytes) => bytes,
            None => default,
        };
        self.record(key, &units::size_text(bytes));
        bytes
    }

    /// A whole number within bounds, or `default`. For what has no unit: ports and counts.
    pub fn number<N>(&mut self, key: &str, default: N, bounds: RangeInclusive<N>) -> N
    where
        N: Copy + PartialOrd + TryFrom<i64> + std::fmt::Display,
    {
        let read = self.entry(key).map(|entry| match &entry.value {
            Value::Integer(number) => *number,
            Value::Word(word) => word.parse().ok(),
            _ => None,
        });
        let number = match read.map(|number| number.and_then(|number| N::try_from(number).ok())) {
            Some(Some(number)) if bounds.contains(&number) => number,
            Some(_) => {
                let (least, most) = (bounds.start(), bounds.end());
                self.wrong(
                    key,
                    &format!("must be a whole number from {least} to {most}, without quotes"),
                );
                default
            }
            None => default,
        };
        self.record(key, &number.to_string());
        number
    }

    /// `true` or `false`, or `default`.
    pub fn flag(&mut self, key: &str, default: bool) -> bool {
        let read = self.entry(key).map(|entry| match &entry.value {
            Value::Flag(flag) => Some(*flag),
            Value::Word(word) => word.parse().ok(),
            _ => None,
        });
        let flag = match read {
            Some(Some(flag)) => flag,
            Some(None) => {
                self.wrong(key, "must be true or false, without quotes");
                default
            }
            None => default,
        };
        self.record(key, &flag.to_string());
        flag
    }

    /// One word of a fixed set, or `default`; the mistake lists the set.
    pub fn choice<T: Copy>(&mut self, key: &str, words: &[(&str, T)], default: T) -> T {
        let Some(text) = self.text(key) else {
            // The default of a choice is not recorded by word: `T` need not be comparable.
            return default;
        };
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return *value;
        }
        let set = words.iter().map(|(word, _)| *word);
        let meant = did_you_mean(&text, set.clone());
        self.wrong(key, &format!("must be one of {}, not \"{text}\"{meant}", listed(set)));
        default
    }

    /// Reports a mistake at a key (or at the table's head when the key is absent).
    pub fn mistake(&mut self, key: &str, message: String) {
        let message = self.labelled(&message);
        self.report.mistake(self.place(key), message);
    }

    /// Reports a warning at a key (or at the table's head when the key is absent).
    pub fn warning(&mut self, key: &str, message: &str) {
        let message = self.labelled(message);
        self.report.warning(self.place(key), message);
    }

    /// Whether nothing was wrong so far in this table and in those in it.
    pub fn is_clean(&self) -> bool {
        self.report.mistakes_so_far() == self.mistakes_before
    }

    /// What was read so far, defaults included and secrets left out: one `key = value` a line, sorted.
    pub fn canonical(&self) -> String {
        self.resolved.borrow().iter().map(|(key, value)| format!("{key} = {value}\n")).collect()
    }

    /// Writes down a resolved value that this section did not read by itself.
    pub fn record(&self, key: &str, value: &str) {
        self.resolved.borrow_mut().insert(format!("{}{key}", self.path), value.to_owned());
    }
}

impl<'a> Section<'a> {
    /// The entry of a key, which counts as asked for from now on.
    fn entry(&mut self, key: &str) -> Option<&'a Entry> {
        if !self.asked.contains(key) {
            self.asked.insert(key.to_owned());
        }
        self.table.entries.get(key)
    }

    /// Reports a mistake when the key is absent.
    pub fn require(&mut self, key: &str) {
        self.require_as(key, &format!("{}{key}", self.path));
    }

    fn require_as(&mut self, key: &str, shown: &str) {
        if self.entry(key).is_some() {
            return;
        }
        let message = if self.is_command_line() {
            format!("{shown} is missing: add --set {shown}=…")
        } else {
            format!("{shown} is missing")
        };
        let message = self.labelled(&message);
        let place = self.head.clone();
        self.missing
            .insert(key.to_owned(), Mistake { place: place.clone(), message: message.clone() });
        self.report.mistake(place, message);
    }

    fn text_of(&mut self, key: &str, entry: &Entry) -> Option<String> {
        let (Value::Text(text) | Value::Word(text)) = &entry.value else {
            self.wrong(key, &format!("must be a text in quotes, not {}", entry.value.form()));
            return None;
        };
        if text.is_empty() || text.chars().any(char::is_control) {
            self.wrong(key, "must not be empty and must be on one line");
            return None;
        }
        Some(text.clone())
    }

    fn with_unit<T>(
        &mut self,
        key: &str,
        read: fn(&str) -> Result<T, String>,
        examples: &str,
    ) -> Option<T> {
        let entry = self.entry(key)?;
        let outcome = match &entry.value {
            Value::Text(text) | Value::Word(text) => read(text),
            Value::Integer(Some(number)) => read(&number.to_string()),
            other => Err(format!("must be a text such as {examples}, not {}", other.form())),
        };
        match outcome {
            // A number without quotes and unit never gets here: `read` wants a unit.
            Ok(value) => Some(value),
            Err(message) => {
                self.wrong(key, &message);
                None
            }
        }
    }

    /// Reports a mistake whose message follows the key's name.
    fn wrong(&mut self, key: &str, rest: &str) {
        if self.is_command_line() {
            self.report.mistake(self.place(key), rest);
        } else {
            self.mistake(key, format!("{}{key} {rest}", self.path));
        }
    }

    fn place(&self, key: &str) -> Place {
        self.table.entries.get(key).map_or(self.head, |entry| &entry.place).clone()
    }

    fn labelled(&self, message: &str) -> String {
        match self.label.as_str() {
            "" => message.to_owned(),
            _ if self.is_command_line() => message.to_owned(),
            label => format!("{label}: {message}"),
        }
    }
}

#[cfg(test)]
mod tests;
