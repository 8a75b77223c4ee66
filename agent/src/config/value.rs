//! A configuration as it was written: values with the place of each, whether they come from a file
//! or from the command line. Absent on purpose: what the keys mean, which [`super::section`] asks.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistake::{Mistake, Place};
use super::units::duration_text;

/// A value as it was written.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A string in quotes.
    Text(String),
    /// A value of the command line, which may be read as a text, a number or a flag.
    Word(String),
    /// A whole number; `None` when it does not fit 64 bits.
    Integer(Option<i64>),
    /// `true` or `false`.
    Flag(bool),
    /// Several values.
    Array(Vec<Entry>),
    /// Keys and values.
    Table(Table),
    /// A number with a fraction, a date: nothing here is written so.
    Other(&'static str),
}

impl Value {
    /// What it is, with an article, for mistakes.
    pub const fn form(&self) -> &'static str {
        match self {
            Self::Text(_) | Self::Word(_) => "a text",
            Self::Integer(_) => "a number",
            Self::Flag(_) => "a flag",
            Self::Array(_) => "an array",
            Self::Table(_) => "a table",
            Self::Other(form) => form,
        }
    }
}

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Where its key stands.
    pub key: Place,
    /// Where it stands itself.
    pub place: Place,
    /// What was written.
    pub value: Value,
}

/// A table and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Where its head stands.
    pub head: Place,
    /// By key.
    pub entries: BTreeMap<String, Entry>,
}

impl Table {
    /// Reads TOML. What cannot be read as TOML is returned as mistakes, all of it, beside the rest.
    pub fn parse(file: &str, text: &str) -> (Self, Vec<Mistake>) {
        let lines = Lines { file: file.into(), text };
        let (root, errors) = DeTable::parse_recoverable(text);
        let mistakes = errors
            .iter()
            .map(|error| Mistake {
                place: lines.place(error.span().unwrap_or(0..0)),
                message: error.message().trim().replace('\n', ", "),
            })
            .collect();
        let head = Place::File { file: Arc::clone(&lines.file) };
        (lines.table(root.get_ref(), head), mistakes)
    }

    /// A table of `key=value` pairs of the command line; dots in a key lead into tables.
    pub fn of_settings<'s>(pairs: impl IntoIterator<Item = &'s str>) -> (Self, Vec<Mistake>) {
        let mut root = Self { head: Place::CommandLine, entries: BTreeMap::new() };
        let mut mistakes = Vec::new();
        for pair in pairs {
            let outcome = match pair.split_once('=') {
                Some((key, value)) => root.set(key, key, value),
                None => Err(format!("write it as {pair}=value")),
            };
            if let Err(message) = outcome {
                let key = pair.split('=').next().unwrap_or_default().to_owned();
                mistakes.push(Mistake { place: Place::Set { key }, message });
            }
        }
        (root, mistakes)
    }

    /// Writes down how long a run may take, as the command line says.
    pub fn set_timeout(&mut self, timeout: Duration) {
        let place = Place::CommandLine;
        let value = Value::Word(duration_text(timeout));
        self.entries.insert("timeout".to_owned(), Entry { key: place.clone(), place, value });
    }

    fn set(&mut self, whole: &str, key: &str, value: &str) -> Result<(), String> {
        let place = Place::Set { key: whole.to_owned() };
        let (first, rest) = match key.split_once('.') {
            Some((first, rest)) => (first, Some(rest)),
            None => (key, None),
        };
        if first.is_empty() || rest == Some("") {
            return Err("a key is words with dots between them, such as smtp.host".into());
        }
        let Some(rest) = rest else {
            let entry = Entry { key: place.clone(), place, value: Value::Word(value.to_owned()) };
            return match self.entries.insert(first.to_owned(), entry) {
                None => Ok(()),
                Some(_) => Err("it is set twice".into()),
            };
        };
        let entry = self.entries.entry(first.to_owned()).or_insert_with(|| Entry {
            key: place.clone(),
            place: place.clone(),
            value: Value::Table(Self { head: Place::CommandLine, entries: BTreeMap::new() }),
        });
        match &mut entry.value {
            Value::Table(table) => table.set(whole, rest, value),
            _ => Err(format!("{first} has a value already, and cannot hold {rest} too")),
        }
    }
}

/// Turns byte offsets into lines and columns.
struct Lines<'t> {
    file: Arc<str>,
    text: &'t str,
}

impl Lines<'_> {
    fn place(&self, span: Range<usize>) -> Place {
        let mut end = span.start.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = self.text.get(..end).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Place::Line { file: Arc::clone(&self.file), line, column }
    }

    fn table(&self, table: &DeTable<'_>, head: Place) -> Table {
        let entries = table
            .iter()
            .map(|(key, value)| {
                (key.get_ref().to_string(), self.entry(self.place(key.span()), value))
            })
            .collect();
        Table { head, entries }
    }

    fn entry(&self, key: Place, value: &Spanned<DeValue<'_>>) -> Entry {
        let place = self.place(value.span());
        let value = match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => {
                Value::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok())
            }
            DeValue::Boolean(flag) => Value::Flag(*flag),
            DeValue::Array(items) => Value::Array(
                items.iter().map(|item| self.entry(self.place(item.span()), item)).collect(),
            ),
            DeValue::Table(table) => Value::Table(self.table(table, place.clone())),
            DeValue::Float(_) => Value::Other("a number with a fraction"),
            DeValue::Datetime(_) => Value::Other("a date"),
        };
        Entry { key, place, value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place_of(text: &str, key: &str) -> String {
        let (table, mistakes) = Table::parse("a.toml", text);
        assert_eq!(mistakes, []);
        table.entries[key].place.to_string()
    }

    #[test]
    fn places_are_lines_and_columns_in_characters() {
        for (text, key, place) in [
            ("a = 1", "a", "a.toml:1:5"),
            ("\n\n  b = 'x'", "b", "a.toml:3:7"),
            ("\"ä\" = 'x'", "ä", "a.toml:1:7"),
            ("x = 1\r\ny = 2\r\n", "y", "a.toml:2:5"),
            ("x = 1\n[t]\ny = 2\n", "t", "a.toml:2:1"),
        ] {
            assert_eq!(place_of(text, key), place, "{text:?}");
        }
    }

    #[test]
    fn an_array_of_tables_has_the_place_of_each_head() {
        let (table, _) = Table::parse("a.toml", "[[c]]\nx = 1\n\n[[c]]\ny = 2\n");
        let Value::Array(items) = &table.entries["c"].value else { panic!("an array") };
        let places: Vec<_> = items.iter().map(|item| item.place.to_string()).collect();
        assert_eq!(places, ["a.toml:1:1", "a.toml:4:1"]);
    }

    #[test]
    fn every_syntax_error_is_told() {
        let (table, mistakes) = Table::parse("a.toml", "a = \nb = 1\nc = \"open\nd = 2\nd = 3\n");
        let places: Vec<_> = mistakes.iter().map(|mistake| mistake.place.to_string()).collect();
        assert_eq!(places, ["a.toml:1:5", "a.toml:3:10", "a.toml:5:1"], "{mistakes:?}");
        assert_eq!(table.entries["b"].value, Value::Integer(Some(1)));
    }

    #[test]
    fn settings_of_the_command_line_nest_by_dots() {
        let (table, mistakes) = Table::of_settings([
            "smtp.host=mx",
            "smtp.port=25",
            "x",
            "a=1=2",
            "a=2",
            "a.b=3",
            "=",
            "q.=1",
        ]);
        let Value::Table(smtp) = &table.entries["smtp"].value else { panic!("a table") };
        assert_eq!(smtp.entries["port"].value, Value::Word("25".into()));
        assert_eq!(table.entries["a"].value, Value::Word("2".into()));
        let told: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
        insta::assert_debug_snapshot!(told, @r#"
        [
            "--set x: write it as x=value",
            "--set a: it is set twice",
            "--set a.b: a has a value already, and cannot hold b too",
            "--set : a key is words with dots between them, such as smtp.host",
            "--set q.: a key is words with dots between them, such as smtp.host",
        ]
        "#);
    }
}
