//! Addresses of pages: what is looked at, with every filter in it, so that it can be shared.
//!
//! An address is read once ([`Address::parse`]) and written in one way only, so that two viewers of the same thing have the
//! same address. What is not known in it is no address, and what is too long is none either.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use url::form_urlencoded;

/// The entries of the navigation: words and address.
pub const NAVIGATION: [(&str, &str); 9] = [
    ("Overview", "/"),
    ("Matrix", "/matrix"),
    ("Incidents", "/incidents"),
    ("Checks", "/checks"),
    ("DNS", "/dns"),
    ("SLA", "/sla"),
    ("Maintenance", "/maintenance"),
    ("Agents", "/agents"),
    ("Notices", "/notices"),
];

/// Bytes of an address at most.
const MAX_BYTES: usize = 1_024;
/// Filters that any page knows.
const PARAMETERS: [&str; 9] =
    ["q", "state", "page", "range", "from", "until", "month", "service", "channel"];

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// Every service.
    Overview,
    /// Sites by services.
    Matrix,
    /// One service.
    Service(String),
    /// Every check at every vantage point.
    Checks,
    /// One of them: check and vantage point.
    Check(String, String),
    /// The posture of domains.
    Dns,
    /// Incidents.
    Incidents,
    /// One of them.
    Incident(u64),
    /// The maintenance calendar.
    Maintenance,
    /// Agents.
    Agents,
    /// One of them.
    Agent(String),
    /// What was told to whom.
    Notices,
    /// Agreements by month.
    Sla,
    /// One of them, step by step.
    Agreement(String),
}

/// A page's address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// What is looked at.
    pub what: What,
    /// Filters, by name; none is empty.
    pub parameters: BTreeMap<String, String>,
}

/// A time that is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
    /// Its name, if it goes along with the time: `1d`.
    pub name: Option<&'static str>,
}

/// Names of times, their words, and how long they are in hours.
pub const RANGES: [(&str, &str, i64); 6] = [
    ("1h", "1 hour", 1),
    ("6h", "6 hours", 6),
    ("1d", "1 day", 24),
    ("7d", "7 days", 168),
    ("30d", "30 days", 720),
    ("1y", "1 year", 8_760),
];

impl Address {
    /// Without filters.
    pub const fn of(what: What) -> Self {
        Self { what, parameters: BTreeMap::new() }
    }

    /// The address that a path and a query make; `None` when there is no such page.
    pub fn parse(path: &str, query: &str) -> Option<Self> {
        if path.len().saturating_add(query.len()) > MAX_BYTES {
            return None;
        }
        let segments: Option<Vec<String>> =
            path.split('/').skip(1).map(decoded).collect::<Option<_>>();
        let segments = segments?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let name = |name: &str| name.to_owned();
        let what = match segments.as_slice() {
            [""] => What::Overview,
            ["matrix"] => What::Matrix,
            ["services", it] => What::Service(name(it)),
            ["checks"] => What::Checks,
            ["checks", check, agent] => What::Check(name(check), name(agent)),
            ["dns"] => What::Dns,
            ["incidents"] => What::Incidents,
            ["incidents", number] => What::Incident(number.parse().ok()?),
            ["maintenance"] => What::Maintenance,
            ["agents"] => What::Agents,
            ["agents", it] => What::Agent(name(it)),
            ["notices"] => What::Notices,
            ["sla"] => What::Sla,
            ["sla", it] => What::Agreement(name(it)),
            _ => return None,
        };
        let pairs = form_urlencoded::parse(query.as_bytes());
        let known = pairs.filter(|(name, value)| {
            PARAMETERS.contains(&name.as_ref()) && !value.trim().is_empty()
        });
        let parameters =
            known.map(|(name, value)| (name.into_owned(), value.trim().to_owned())).collect();
        Some(Self { what, parameters })
    }

    /// A filter.
    pub fn get(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    /// The same with another filter; an empty one is none. Of a list, its first page.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        other.parameters.remove("page");
        if value.is_empty() {
            other.parameters.remove(name);
        } else {
            other.parameters.insert(name.to_owned(), value.to_owned());
        }
        other
    }

    /// Another page of the same list; the first has no number.
    pub fn with_page(&self, page: usize) -> Self {
        let mut other = self.clone();
        if page > 1 {
            other.parameters.insert("page".to_owned(), page.to_string());
        }
        other
    }

    /// Which page of a list, from 1.
    pub fn page(&self) -> usize {
        self.get("page").parse().unwrap_or(1).clamp(1, 100_000)
    }

    /// The time that is looked at; where none is said, the range of this name. One that makes no sense is none.
    pub fn span(&self, now: Timestamp, usual: &str) -> Span {
        let said = (self.get("from").parse().ok(), self.get("until").parse().ok());
        if let (Some(from), until) = said {
            let until: Timestamp = until.unwrap_or(now);
            let longest = SignedDuration::from_hours(24 * 366 * 3);
            if from < until && until.duration_since(from) <= longest {
                return Span { from, until, name: None };
            }
        }
        let named = |wanted: &str| RANGES.iter().find(|(name, _, _)| *name == wanted);
        let [shortest, ..] = &RANGES;
        let (name, _, hours) =
            named(self.get("range")).or_else(|| named(usual)).unwrap_or(shortest);
        let from = now.checked_sub(SignedDuration::from_hours(*hours)).unwrap_or(now);
        Span { from, until: now, name: Some(name) }
    }
}

fn decoded(segment: &str) -> Option<String> {
    // a path's segment has no '+' for a blank
    let text = segment.replace('+', "%2B");
    let mut pairs = form_urlencoded::parse(text.as_bytes());
    match pairs.next() {
        None => Some(String::new()),
        Some((name, value)) if value.is_empty() && pairs.next().is_none() => {
            Some(name.into_owned()).filter(|it| !it.contains('\0'))
        }
        Some(_) => None,
    }
}

fn encoded(segment: &str) -> String {
    form_urlencoded::byte_serialize(segment.as_bytes()).collect::<String>().replace('+', "%20")
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overview => f.write_str("/"),
            Self::Matrix => f.write_str("/matrix"),
            Self::Service(name) => write!(f, "/services/{}", encoded(name)),
            Self::Checks => f.write_str("/checks"),
            Self::Check(check, agent) => {
                write!(f, "/checks/{}/{}", encoded(check), encoded(agent))
            }
            Self::Dns => f.write_str("/dns"),
            Self::Incidents => f.write_str("/incidents"),
            Self::Incident(number) => write!(f, "/incidents/{number}"),
            Self::Maintenance => f.write_str("/maintenance"),
            Self::Agents => f.write_str("/agents"),
            Self::Agent(name) => write!(f, "/agents/{}", encoded(name)),
            Self::Notices => f.write_str("/notices"),
            Self::Sla => f.write_str("/sla"),
            Self::Agreement(name) => write!(f, "/sla/{}", encoded(name)),
        }
    }
}

/// As a link has it.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.what.fmt(f)?;
        if self.parameters.is_empty() {
            return Ok(());
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.parameters);
        write!(f, "?{}", query.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, query: &str, expected: Option<&str>) {
        let address = Address::parse(path, query);
        assert_eq!(address.as_ref().map(Address::to_string).as_deref(), expected, "{path}?{query}");
        if let Some(address) = address {
            let text = address.to_string();
            let (path, query) = text.split_once('?').unwrap_or((&text, ""));
            assert_eq!(Address::parse(path, query), Some(address));
        }
    }

    #[test]
    fn an_address_is_written_in_one_way() {
        for (path, query, expected) in [
            ("/", "", Some("/")),
            ("/", "q=a+b&state=&utm=1", Some("/?q=a+b")),
            ("/services/mail%20x", "range=7d", Some("/services/mail%20x?range=7d")),
            ("/services/a%2Fb", "", Some("/services/a%2Fb")),
            ("/services/a+b", "", Some("/services/a%2Bb")),
            ("/checks/mail/hq", "until=2&from=1", Some("/checks/mail/hq?from=1&until=2")),
            ("/incidents/7", "", Some("/incidents/7")),
            ("/incidents/x", "", None),
            ("/services/", "", Some("/services/")),
            ("/services/a&b", "", None),
            ("/nowhere", "", None),
            ("", "", None),
        ] {
            check(path, query, expected);
        }
        check(&format!("/{}", "a".repeat(2_000)), "", None);
    }

    #[test]
    fn a_time_is_said_or_named() {
        let now: Timestamp = "2026-11-29T12:00:00Z".parse().unwrap();
        for (query, from, name) in [
            ("", "2026-11-28T12:00:00Z", Some("1d")),
            ("range=1h", "2026-11-29T11:00:00Z", Some("1h")),
            ("range=3w", "2026-11-28T12:00:00Z", Some("1d")),
            ("from=2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z", None),
            ("from=2027-11-01T00:00:00Z", "2026-11-28T12:00:00Z", Some("1d")),
            ("from=yesterday", "2026-11-28T12:00:00Z", Some("1d")),
        ] {
            let span = Address::parse("/", query).unwrap().span(now, "1d");
            assert_eq!((span.from.to_string().as_str(), span.name), (from, name), "{query}");
        }
    }
}
