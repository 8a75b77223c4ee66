//! A policy (RFC 8461 section 3.2), parsed.

use crate::posture::{bounded, name_of};

/// The longest that a policy may be kept, in seconds (RFC 8461 section 3.2).
pub(super) const LONGEST_MAX_AGE_S: u64 = 31_557_600;
/// Patterns that are read.
const MOST_PATTERNS: usize = 100;
/// Lines that are read: a policy of 64 KiB has no more that mean anything.
const MOST_LINES: usize = 1_000;

/// What a sender does when TLS does not hold (RFC 8461 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It does not deliver.
    Enforce,
    /// It delivers and reports.
    Testing,
    /// It does not look.
    None,
}

impl Mode {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Testing => "testing",
            Self::None => "none",
        }
    }
}

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `mode`.
    pub mode: Mode,
    /// `max_age`, as it stands there.
    pub max_age_s: u64,
    /// `mx`: names in lower case, a wildcard as `*.example.org`.
    pub patterns: Vec<String>,
}

impl Policy {
    /// Reads a policy: `key: value`, a line each, ended by CRLF or LF. Keys that nobody knows are passed
    /// over; of one that stands there twice the first counts, but for `mx`.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut version, mut mode, mut max_age) = (None, None, None);
        let mut patterns: Vec<String> = Vec::new();
        let lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        for line in lines.filter(|line| !line.trim().is_empty()).take(MOST_LINES) {
            let shown = || bounded(line.to_owned(), 100);
            let (key, value) =
                line.split_once(':').ok_or_else(|| format!("\"{}\" is no key: value", shown()))?;
            let value = value.trim_matches([' ', '\t']);
            match key.trim() {
                "version" => {
                    version.get_or_insert(value);
                }
                "mode" => {
                    mode.get_or_insert(value);
                }
                "max_age" => {
                    max_age.get_or_insert(value);
                }
                "mx" => {
                    let pattern = pattern(value)
                        .ok_or_else(|| format!("\"{}\" is neither a host nor *.domain", shown()))?;
                    if patterns.len() < MOST_PATTERNS && !patterns.contains(&pattern) {
                        patterns.push(pattern);
                    }
                }
                _ => {}
            }
        }
        if version != Some("STSv1") {
            return Err("it has no line \"version: STSv1\"".to_owned());
        }
        let mode = match mode.ok_or("it has no mode")? {
            "enforce" => Mode::Enforce,
            "testing" => Mode::Testing,
            "none" => Mode::None,
            other => {
                let shown = bounded(other.to_owned(), 100);
                return Err(format!("mode \"{shown}\" is none of enforce, testing, none"));
            }
        };
        let max_age = max_age.ok_or("it has no max_age")?;
        let is_number =
            (1..=10).contains(&max_age.len()) && max_age.bytes().all(|b| b.is_ascii_digit());
        let max_age_s = max_age.parse().ok().filter(|_| is_number).ok_or_else(|| {
            format!("max_age \"{}\" is no number of seconds", bounded(max_age.to_owned(), 100))
        })?;
        if patterns.is_empty() && mode != Mode::None {
            return Err("it has no mx".to_owned());
        }
        Ok(Self { mode, max_age_s, patterns })
    }

    /// Whether a host is one of those that are named; a wildcard stands for exactly one label
    /// (RFC 8461 section 4.1).
    pub fn names(&self, host: &str) -> bool {
        self.patterns.iter().any(|pattern| matches(pattern, host))
    }

    /// The patterns that none of the hosts fits.
    pub fn unused(&self, hosts: &[String]) -> Vec<&str> {
        let is_unused = |pattern: &&String| !hosts.iter().any(|host| matches(pattern, host));
        self.patterns.iter().filter(is_unused).map(String::as_str).collect()
    }
}

fn matches(pattern: &str, host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    match pattern.strip_prefix("*.") {
        Some(domain) => host
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(domain)),
        None => host.eq_ignore_ascii_case(pattern),
    }
}

/// `mx-value` (RFC 8461 section 3.2).
fn pattern(text: &str) -> Option<String> {
    let host = text.strip_prefix("*.").unwrap_or(text);
    let sound = host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'));
    if !sound || host.ends_with('.') {
        return None;
    }
    name_of(host).map(|_| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies() {
        let good = "version: STSv1\r\nmode: enforce\r\nmx: mail.a.test\r\nmx: *.b.test\r\nmax_age: 604800\r\n";
        let expected = Policy {
            mode: Mode::Enforce,
            max_age_s: 604_800,
            patterns: vec!["mail.a.test".into(), "*.b.test".into()],
        };
        for text in [
            good.to_owned(),
            good.replace("\r\n", "\n"),
            good.trim_end().to_owned(),
            format!("{good}mode: none\nextra: 1\n\n"),
            good.replace(": ", ":   ").replace("mail", "MAIL"),
        ] {
            assert_eq!(Policy::parse(&text).as_ref(), Ok(&expected), "{text}");
        }
        assert!(Policy::parse("version: STSv1\nmode: none\nmax_age: 86400").is_ok());
    }

    #[test]
    fn what_is_no_policy() {
        for (text, why) in [
            ("", "no line \"version"),
            ("version: STSv2\nmode: none\nmax_age: 1", "no line \"version"),
            ("version: STSv1\nmx: a.test\nmax_age: 1", "no mode"),
            ("version: STSv1\nmode: on\nmx: a.test\nmax_age: 1", "mode \"on\""),
            ("version: STSv1\nmode: testing\nmax_age: 1", "no mx"),
            ("version: STSv1\nmode: testing\nmx: a.test", "no max_age"),
            ("version: STSv1\nmode: testing\nmx: a.test\nmax_age: -1", "no number"),
            ("version: STSv1\nmode: testing\nmx: a.test\nmax_age: 12345678901", "no number"),
            ("version: STSv1\nmode: testing\nmx: *\nmax_age: 1", "neither a host"),
            ("version: STSv1\nmode: testing\nmx: a.*.test\nmax_age: 1", "neither a host"),
            ("version: STSv1\nmode: testing\nmx: .a.test\nmax_age: 1", "neither a host"),
            ("<html>", "is no key: value"),
        ] {
            let found = Policy::parse(text).unwrap_err();
            assert!(found.contains(why), "{text}: {found}");
        }
    }

    #[test]
    fn a_wildcard_is_one_label() {
        for (pattern, host, expected) in [
            ("mail.a.test", "MAIL.a.test.", true),
            ("mail.a.test", "mail2.a.test", false),
            ("*.a.test", "mail.a.test", true),
            ("*.a.test", "x.mail.a.test", false),
            ("*.a.test", "a.test", false),
            ("*.a.test", ".a.test", false),
        ] {
            assert_eq!(matches(pattern, host), expected, "{pattern} {host}");
        }
    }
}
