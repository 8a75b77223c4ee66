//! A posture rule, and the finding that it makes where it does not hold.

use mailsonde_proto::{Finding, Severity};

/// The longest evidence, in characters.
const LONGEST: usize = 1_000;

/// One rule: what stands in every finding that it makes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    /// Such as `tls.certificate_expired`.
    pub(crate) name: &'static str,
    /// How bad it is where it does not hold.
    pub(crate) severity: Severity,
    /// The document that it comes from, with the section.
    pub(crate) source: &'static str,
    /// What to do.
    pub(crate) advice: &'static str,
}

impl Rule {
    /// It does not hold: this was seen.
    pub(crate) fn broken(&self, evidence: impl AsRef<str>) -> Finding {
        Finding {
            rule: self.name.to_owned(),
            severity: self.severity,
            evidence: shown(evidence.as_ref()),
            source: self.source.to_owned(),
            advice: self.advice.to_owned(),
        }
    }

    /// The same rule, of another severity.
    #[must_use]
    pub(crate) const fn of(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }
}

/// A text of a server's, on one line and not too long.
pub(crate) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}
