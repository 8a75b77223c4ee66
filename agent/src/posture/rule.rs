//! A rule that is to hold, and the finding that it makes where it does not: the only place that makes one.

use mailsonde_proto::{Finding, Severity};

/// Bytes of one fact or one evidence: what an observation takes.
pub(super) const MOST_BYTES: usize = 8 * 1024;
/// The longest text of a server's in an evidence, in characters.
const LONGEST: usize = 1_000;

/// A rule of a standard: what its findings are called, how bad they are, where it stands, what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Such as `spf.too_many_lookups`.
    pub name: &'static str,
    /// How bad it is when the rule does not hold.
    pub severity: Severity,
    /// The document and section.
    pub source: &'static str,
    /// What to do.
    pub advice: &'static str,
}

impl Rule {
    /// A rule whose violation hurts now.
    pub const fn critical(name: &'static str, source: &'static str, advice: &'static str) -> Self {
        Self { name, severity: Severity::Critical, source, advice }
    }

    /// A rule whose violation will hurt.
    pub const fn warning(name: &'static str, source: &'static str, advice: &'static str) -> Self {
        Self { name, severity: Severity::Warning, source, advice }
    }

    /// A rule whose violation is worth knowing.
    pub const fn notice(name: &'static str, source: &'static str, advice: &'static str) -> Self {
        Self { name, severity: Severity::Notice, source, advice }
    }

    /// The same rule with another severity, where it depends on the rest.
    #[must_use]
    pub const fn at(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }

    /// The rule does not hold, as what a server said shows.
    pub fn broken(&self, said: impl AsRef<str>) -> Finding {
        self.finding(one_line(said.as_ref()))
    }

    /// The rule does not hold, as this shows.
    pub fn finding(&self, evidence: impl Into<String>) -> Finding {
        Finding {
            rule: self.name.to_owned(),
            severity: self.severity,
            evidence: bounded(evidence.into(), MOST_BYTES),
            source: self.source.to_owned(),
            advice: self.advice.to_owned(),
        }
    }
}

/// A text of a server's, on one line and not too long.
pub fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

/// The text, cut to so many bytes at most; what was cut is counted in its place.
pub fn bounded(text: String, most: usize) -> String {
    if text.len() <= most {
        return text;
    }
    let mut end = most.saturating_sub(40);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    let (kept, cut) = text.split_at(end);
    format!("{kept}… ({} more bytes)", cut.len())
}
