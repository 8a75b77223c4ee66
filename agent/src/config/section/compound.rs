//! Values of a section that have parts: tables, arrays, maps, one of several named things, addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use super::Section;
use crate::config::host;
use crate::config::mistake::Place;
use crate::config::spelling::{did_you_mean, listed};
use crate::config::units;
use crate::config::value::{Table, Value};

/// A host and a port to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A name or an IP address, without brackets.
    pub host: String,
    /// Never 0.
    pub port: u16,
}

impl Endpoint {
    /// Reads `mail.example.org:587` or `[2001:db8::1]:587`; `None` for what is neither.
    pub fn parse(text: &str, default_port: Option<u16>) -> Option<Self> {
        endpoint_of(text, default_port)
    }
}

/// `mail.example.org:587` or `[2001:db8::1]:587`.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl<'a> Section<'a> {
    /// The same as written by the collector, which has no say over the secrets of this host.
    #[must_use]
    pub fn of_collector(self) -> Self {
        Self { is_foreign: true, ..self }
    }

    /// Reports a secret that the collector has no say over, if it is one; `key` is where it stands.
    pub fn refuses_secret(&mut self, key: &str) -> bool {
        let is_refused = self.entry(key).is_some() && self.is_foreign;
        if is_refused {
            let words = format!(
                "{}{key}: a check of the collector has no secrets and reads none here: name a mailbox instead",
                self.path
            );
            self.mistake(key, words);
        }
        is_refused
    }

    /// A table in this one; `None` when the key is absent or wrong. Finish it like any section.
    pub fn table(&mut self, key: &str) -> Option<Section<'a>> {
        let entry = self.entry(key)?;
        let Value::Table(table) = &entry.value else {
            let form = entry.value.form();
            self.wrong(key, &format!("must be a table [{}{key}], not {form}", self.path));
            return None;
        };
        Some(self.child(table, format!("{}{key}.", self.path)))
    }

    /// A table in this one, or one without keys: for a table whose keys all have defaults.
    pub fn table_or_empty(&mut self, key: &str) -> Section<'a> {
        static EMPTY: Table = Table { head: Place::CommandLine, entries: BTreeMap::new() };
        if let Some(table) = self.table(key) {
            return table;
        }
        let mut empty = self.child(&EMPTY, format!("{}{key}.", self.path));
        empty.head = self.head;
        empty
    }

    /// A table that must be there. On the command line, where each table is a server's, it is its host that
    /// is missed.
    pub fn required_table(&mut self, key: &str) -> Option<Section<'a>> {
        let head = format!("{}{key}", self.path);
        let shown =
            if self.is_command_line() { format!("{head}.host") } else { format!("[{head}]") };
        self.require_as(key, &shown);
        self.table(key)
    }

    /// The tables of `[[key]]`, in the order of the file; each to be read by [`Section::of`].
    pub fn tables(&mut self, key: &str) -> Vec<&'a Table> {
        let Some(entry) = self.entry(key) else { return Vec::new() };
        let Value::Array(items) = &entry.value else {
            let form = entry.value.form();
            self.wrong(key, &format!("must be tables [[{}{key}]], not {form}", self.path));
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in items {
            match &item.value {
                Value::Table(table) => tables.push(table),
                other => {
                    let form = other.form();
                    let message =
                        format!("{}{key} must be tables [[{key}]], not {form}", self.path);
                    self.report.mistake(item.place.clone(), self.labelled(&message));
                }
            }
        }
        tables
    }

    /// One of these tables, which writes down for itself what it resolves.
    pub fn of(&self, table: &'a Table) -> Section<'a> {
        let section = Section::new(table, self.report, self.folder, &self.label);
        Section { is_foreign: self.is_foreign, ..section }
    }

    /// Keys of the writer's own choice, each with a text; empty when the key is absent or wrong.
    pub fn text_map(&mut self, key: &str) -> BTreeMap<String, String> {
        let Some(mut table) = self.table(key) else { return BTreeMap::new() };
        let keys: Vec<String> = table.table.entries.keys().cloned().collect();
        keys.into_iter().filter_map(|key| table.text(&key).map(|text| (key, text))).collect()
    }

    /// A share with its sign (`"80%"`) within bounds, or `default`, in whole percent.
    pub fn percent(&mut self, key: &str, default: u8, bounds: RangeInclusive<u8>) -> u8 {
        let read = self.with_unit(key, units::percent, "\"80%\"");
        let percent = match read {
            Some(percent) if !bounds.contains(&percent) => {
                let (least, most) = (bounds.start(), bounds.end());
                self.wrong(key, &format!("must be from \"{least}%\" to \"{most}%\""));
                default
            }
            Some(percent) => percent,
            None => default,
        };
        self.record(key, &format!("{percent}%"));
        percent
    }

    /// Several texts, or one for short; empty when the key is absent or wrong.
    pub fn texts(&mut self, key: &str) -> Vec<String> {
        let Some(entry) = self.entry(key) else { return Vec::new() };
        let texts: Vec<String> = match &entry.value {
            Value::Array(items) => {
                items.iter().filter_map(|item| self.text_of(key, item)).collect()
            }
            Value::Word(word) => word.split(',').map(|text| text.trim().to_owned()).collect(),
            _ => self.text_of(key, entry).into_iter().collect(),
        };
        self.record(key, &listed(texts.iter().map(String::as_str)));
        texts
    }

    /// Several whole numbers, or one for short; empty when the key is absent or wrong.
    pub fn whole_numbers(&mut self, key: &str) -> Vec<i64> {
        let Some(entry) = self.entry(key) else { return Vec::new() };
        let items = match &entry.value {
            Value::Array(items) => items.as_slice(),
            _ => std::slice::from_ref(entry),
        };
        let mut numbers = Vec::new();
        for item in items {
            match item.value {
                Value::Integer(Some(number)) => numbers.push(number),
                _ => self.wrong(key, "must be whole numbers, without quotes"),
            }
        }
        let texts: Vec<_> = numbers.iter().map(i64::to_string).collect();
        self.record(key, &texts.join(", "));
        numbers
    }

    /// The one of `known` that the key names. Without the key, the only one there is; `what` is the
    /// word for them in mistakes, such as `mailbox`.
    pub fn one_of<'k, T>(
        &mut self,
        key: &str,
        what: &str,
        known: &'k BTreeMap<String, T>,
    ) -> Option<(&'k str, &'k T)> {
        let names = || known.keys().map(String::as_str);
        if self.entry(key).is_none() {
            return match (known.iter().next(), known.len()) {
                (Some((name, only)), 1) => {
                    self.record(key, name);
                    Some((name, only))
                }
                (None, _) => {
                    self.mistake(
                        key,
                        format!("{key} is missing, and there is no [[{what}]] to name"),
                    );
                    None
                }
                _ => {
                    self.mistake(key, format!("{key} is missing: name one of {}", listed(names())));
                    None
                }
            };
        }
        let name = self.text(key)?;
        if let Some((name, found)) = known.get_key_value(&name) {
            return Some((name, found));
        }
        let hint = match did_you_mean(&name, names()) {
            hint if !hint.is_empty() => hint,
            _ if known.is_empty() => format!(": there is no [[{what}]]"),
            _ => format!(": there is {}", listed(names())),
        };
        self.wrong(key, &format!("names \"{name}\", which is no {what}{hint}"));
        None
    }

    /// `host:port`, or a host alone where there is a default port; `None` when absent or wrong.
    pub fn endpoint(&mut self, key: &str, default_port: Option<u16>) -> Option<Endpoint> {
        let text = self.text(key)?;
        if let Some(endpoint) = endpoint_of(&text, default_port) {
            self.record(key, &endpoint.to_string());
            return Some(endpoint);
        }
        let example = "such as \"collector.example.org:7443\" or \"[2001:db8::1]:7443\"";
        self.wrong(key, &format!("must be a host and a port, {example}, not \"{text}\""));
        None
    }

    /// An endpoint that must be there.
    pub fn required_endpoint(&mut self, key: &str, default_port: Option<u16>) -> Option<Endpoint> {
        self.require(key);
        self.endpoint(key, default_port)
    }

    /// A path, absolute or relative to the configuration's folder; `None` when absent or wrong. A check of the
    /// collector names files in that folder only, which this host's administrator put there.
    pub fn path(&mut self, key: &str) -> Option<PathBuf> {
        let folder = self.folder;
        let text = self.text(key)?;
        if self.is_foreign && !is_plain_name(&text) {
            let words = format!(
                "{}{key}: a check of the collector names no path of this host: write the name of a file that \
                 stands beside agent.toml there",
                self.path
            );
            self.mistake(key, words);
            return None;
        }
        Some(folder.join(text))
    }

    /// A path that must be there.
    pub fn required_path(&mut self, key: &str) -> Option<PathBuf> {
        self.require(key);
        self.path(key)
    }

    /// What keys that end in this word, here or in tables of this one, were resolved to.
    pub fn resolved_values(&self, word: &str) -> BTreeSet<String> {
        let resolved = self.resolved.borrow();
        let values = resolved.iter().filter(|(path, _)| path.ends_with(word));
        values.map(|(_, value)| value.clone()).collect()
    }

    fn child(&self, table: &'a Table, path: String) -> Section<'a> {
        let mut child = Section::new(table, self.report, self.folder, &self.label);
        child.path = path;
        child.is_foreign = self.is_foreign;
        child.resolved = Rc::clone(&self.resolved);
        child
    }
}

/// Whether a path is the name of a file and nothing else.
fn is_plain_name(path: &str) -> bool {
    let mut parts = Path::new(path).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(name)), None) if name == path)
}

fn endpoint_of(text: &str, default_port: Option<u16>) -> Option<Endpoint> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    // Without its brackets, an IPv6 address cannot be told from a port.
    let host = host::host(host).ok().filter(|host| text.starts_with('[') || !host.contains(':'))?;
    let port = match port {
        Some(port) => port.parse().ok(),
        None => default_port,
    };
    port.filter(|port| *port > 0).map(|port| Endpoint { host, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names() {
        for name in ["ca.pem", "..pem"] {
            assert!(is_plain_name(name), "{name}");
        }
        for path in ["/etc/passwd", "../ca.pem", "sub/ca.pem", ".", "..", "", "./ca.pem", "ca.pem/"]
        {
            assert!(!is_plain_name(path), "{path}");
        }
    }

    #[test]
    fn endpoints() {
        for (text, expected) in [
            ("mx.test:25", Some("mx.test:25")),
            ("mx.test", Some("mx.test:7443")),
            ("127.0.0.1:80", Some("127.0.0.1:80")),
            ("[::1]:25", Some("[::1]:25")),
            ("[::1]", Some("[::1]:7443")),
            ("::1:25", None),
            ("[mx]:25", None),
            ("mx.test:0", None),
            ("mx.test:65536", None),
            ("mx.test:", None),
            (":25", None),
            ("https://mx.test", None),
            ("a b", None),
            ("[::1]25", None),
        ] {
            let endpoint = endpoint_of(text, Some(7443)).map(|endpoint| endpoint.to_string());
            assert_eq!(endpoint.as_deref(), expected, "{text}");
        }
    }
}
