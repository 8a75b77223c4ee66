//! One table of a file, read key by key: every mistake is kept with its place, and reading goes on.
//!
//! What nobody asked for is told by [`Section::end`] as unknown. Absent on purpose: what the keys mean.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::folder::{self, File, Place};
use crate::config::Mistake;

/// Reads one file of tables: its outermost is handed on, and every mistake comes back.
pub(crate) fn read_file(
    path: &Path,
    called: &str,
    read: impl FnOnce(&mut Section<'_>),
) -> Vec<Mistake> {
    let text = match folder::text(path) {
        Ok(text) => text,
        Err(message) => return vec![folder::whole(Path::new(called), message)],
    };
    let file = File { name: called, text: &text };
    let root = match file.table() {
        Ok(root) => root,
        Err(mistakes) => return mistakes,
    };
    let mut section = Section::new(&file, (0, root.get_ref()), "");
    read(&mut section);
    section.end()
}

/// One table of a file.
pub(crate) struct Section<'f> {
    file: &'f File<'f>,
    /// Where what is wrong with the table as a whole is told.
    head: usize,
    table: &'f DeTable<'f>,
    /// What mistakes begin with, such as `service "mail": `.
    label: String,
    asked: Vec<&'static str>,
    refused: Vec<&'static str>,
    mistakes: Vec<Mistake>,
}

impl<'f> Section<'f> {
    /// A table that begins at this byte.
    pub(crate) fn new(
        file: &'f File<'f>,
        (head, table): (usize, &'f DeTable<'f>),
        label: &str,
    ) -> Self {
        let label = label.to_owned();
        Self {
            file,
            head,
            table,
            label,
            asked: Vec::new(),
            refused: Vec::new(),
            mistakes: Vec::new(),
        }
    }

    /// What mistakes begin with.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// What mistakes begin with from here on.
    pub(crate) fn set_label(&mut self, label: String) {
        self.label = label;
    }

    /// Where a key's value stands, or the table.
    pub(crate) fn place(&self, key: &str) -> Place {
        self.file.place(self.table.get(key).map_or(self.head, |entry| entry.span().start))
    }

    /// Whether the key is there.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Whether the key has an empty list.
    pub(crate) fn is_empty(&self, key: &str) -> bool {
        let entry = self.table.get(key).map(Spanned::get_ref);
        matches!(entry, Some(DeValue::Array(all)) if all.is_empty())
    }

    /// Something is wrong with a key's value.
    pub(crate) fn wrong(&mut self, key: &str, message: impl Display) {
        let at = self.table.get(key).map_or(self.head, |entry| entry.span().start);
        self.wrong_at(at, message);
    }

    fn wrong_at(&mut self, at: usize, message: impl Display) {
        let message = format!("{}{message}", self.label);
        self.mistakes.push(self.file.mistake(at, message));
    }

    fn entry(&mut self, key: &'static str) -> Option<&'f Spanned<DeValue<'f>>> {
        self.asked.push(key);
        self.table.get(key)
    }

    /// The key must be there; says what to write.
    pub(crate) fn require(&mut self, key: &str, say: &str) {
        if !self.has(key) {
            let say = if say.is_empty() { String::new() } else { format!(": {say}") };
            self.wrong_at(self.head, format!("{key} is missing{say}"));
        }
    }

    /// The key may be there, whether anybody reads it or not.
    pub(crate) fn expect(&mut self, key: &'static str) {
        self.asked.push(key);
    }

    /// The key must not be there, and is.
    pub(crate) fn refuse(&mut self, key: &'static str, message: impl Display) {
        self.refused.push(key);
        self.wrong(key, message);
    }

    /// What a text comes to; `None` where there is none, or a wrong one.
    pub(crate) fn read<T, E: Display>(
        &mut self,
        key: &'static str,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let entry = self.entry(key)?;
        self.one(key, entry, read)
    }

    fn one<T, E: Display>(
        &mut self,
        key: &str,
        entry: &Spanned<DeValue<'_>>,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let outcome = match entry.get_ref() {
            DeValue::String(text) => read(text).map_err(|error| error.to_string()),
            _ => Err("must be a text in quotes".to_owned()),
        };
        let wrong = |message| self.wrong_at(entry.span().start, format!("{key} {message}"));
        outcome.map_err(wrong).ok()
    }

    /// A text for people, of so many characters at most; empty where there is none.
    pub(crate) fn words(&mut self, key: &'static str, most: usize) -> String {
        let read = |text: &str| {
            let text = text.trim();
            if text.chars().count() > most {
                Err(format!("must have {most} characters at most"))
            } else if text.chars().any(|c| c.is_control() && c != '\n') {
                Err("must have no control characters".to_owned())
            } else {
                Ok(text.to_owned())
            }
        };
        self.read(key, read).unwrap_or_default()
    }

    /// Texts in a list, each with its place; empty where there are none.
    pub(crate) fn list<T, E: Display>(
        &mut self,
        key: &'static str,
        most: usize,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Vec<(Place, T)> {
        let Some(entry) = self.entry(key) else { return Vec::new() };
        let DeValue::Array(all) = entry.get_ref() else {
            self.wrong(
                key,
                format!("{key} must be a list of texts, such as {key} = [\"…\", \"…\"]"),
            );
            return Vec::new();
        };
        if all.len() > most {
            self.wrong(key, format!("{key} must have {most} entries at most"));
        }
        let mut found = Vec::new();
        for entry in all.iter().take(most) {
            if let Some(one) = self.one(key, entry, &read) {
                found.push((self.file.place(entry.span().start), one));
            }
        }
        found
    }

    /// A whole number.
    pub(crate) fn whole(&mut self, key: &'static str, allowed: RangeInclusive<u64>) -> Option<u64> {
        let entry = self.entry(key)?;
        let number = match entry.get_ref() {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        let number = number.filter(|number| allowed.contains(number));
        if number.is_none() {
            let (least, most) = allowed.into_inner();
            self.wrong(key, format!("{key} must be a whole number from {least} to {most}"));
        }
        number
    }

    /// Whether something is so; not, where it is not said.
    pub(crate) fn flag(&mut self, key: &'static str) -> bool {
        let Some(entry) = self.entry(key) else { return false };
        if let DeValue::Boolean(flag) = entry.get_ref() {
            return *flag;
        }
        self.wrong(key, format!("{key} must be true or false"));
        false
    }

    /// Whether nothing was wrong so far.
    pub(crate) fn is_right(&self) -> bool {
        self.mistakes.is_empty()
    }

    /// What is wrong so far; keys that nobody asked for are let be, where nobody can know which there are.
    pub(crate) fn give_up(self) -> Vec<Mistake> {
        self.mistakes
    }

    /// The tables of a list, each as a section; its mistakes begin with `label`.
    pub(crate) fn tables(
        &mut self,
        key: &'static str,
        most: usize,
        label: &str,
    ) -> Vec<Section<'f>> {
        let Some(entry) = self.entry(key) else { return Vec::new() };
        let DeValue::Array(all) = entry.get_ref() else {
            self.wrong(key, format!("{key} must be tables"));
            return Vec::new();
        };
        if all.len() > most {
            self.wrong(key, format!("there must be {most} of {key} at most"));
        }
        let mut found = Vec::new();
        for entry in all.iter().take(most) {
            match entry.get_ref() {
                DeValue::Table(table) => {
                    found.push(Section::new(self.file, (entry.span().start, table), label));
                }
                _ => self.wrong_at(entry.span().start, format!("{key} must be a table")),
            }
        }
        found
    }

    /// A table of its own, as a section; its mistakes begin with `label`.
    pub(crate) fn table(&mut self, key: &'static str, label: &str) -> Option<Section<'f>> {
        let entry = self.entry(key)?;
        let DeValue::Table(table) = entry.get_ref() else {
            self.wrong(key, format!("{key} must be a table: [{key}]"));
            return None;
        };
        Some(Section::new(self.file, (entry.span().start, table), label))
    }

    /// Takes over what is wrong in a table of this one.
    pub(crate) fn take_over(&mut self, inner: Section<'_>) {
        self.mistakes.extend(inner.end());
    }

    /// Everything that was wrong with what was asked for: somebody else asks for the rest.
    pub(crate) fn so_far(self) -> Vec<Mistake> {
        self.mistakes
    }

    /// Everything that was wrong; keys that nobody asked for are.
    pub(crate) fn end(mut self) -> Vec<Mistake> {
        let unknown: Vec<_> = self
            .table
            .keys()
            .filter(|key| {
                !self
                    .asked
                    .iter()
                    .chain(&self.refused)
                    .any(|asked| *asked == key.get_ref().as_ref())
            })
            .map(|key| (key.span().start, key.get_ref().to_string()))
            .collect();
        let mut known = self.asked.clone();
        known.sort_unstable();
        known.dedup();
        for (at, key) in unknown {
            self.wrong_at(at, format!("{key} is not known here: there is {}", known.join(", ")));
        }
        self.mistakes
    }
}
