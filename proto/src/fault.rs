//! Why a run failed: where, in what class, and in the server's own words.

use std::fmt;
use std::str::FromStr;

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The phase in which it happened.
    pub phase: String,
    /// What kind of failure it was.
    pub class: FaultClass,
    /// The server's basic reply code (RFC 5321 section 4.2), such as 550.
    pub basic_code: Option<u16>,
    /// The server's enhanced status code (RFC 3463), such as 5.7.1.
    pub enhanced_code: Option<EnhancedCode>,
    /// The server's own words; empty when it said nothing.
    pub reply: String,
    /// Ours: one sentence, lower case, without a full stop.
    pub explanation: String,
}

impl Fault {
    /// A fault without a server's reply.
    pub fn new(phase: &str, class: FaultClass, explanation: impl Into<String>) -> Self {
        Self {
            phase: phase.to_owned(),
            class,
            basic_code: None,
            enhanced_code: None,
            reply: String::new(),
            explanation: explanation.into(),
        }
    }
}

/// `auth: permanent 535 5.7.8: the server refused the sign-in`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.phase, self.class.as_str())?;
        if let Some(code) = self.basic_code {
            write!(f, " {code}")?;
        }
        if let Some(code) = self.enhanced_code {
            write!(f, " {code}")?;
        }
        write!(f, ": {}", self.explanation)
    }
}

/// What kind of failure a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultClass {
    /// The server said: not now (4xx).
    Temporary,
    /// The server said: never (5xx, NO).
    Permanent,
    /// Nothing came in time.
    Timeout,
    /// The network said no: connection refused, reset, no route, no such name.
    Refused,
    /// What came is not the protocol, or goes beyond its bounds.
    Protocol,
    /// Everything went through, and the result is not the expected one (junk, altered, twice).
    Mismatch,
    /// A class that a newer peer knows and we do not.
    Unknown,
}

impl FaultClass {
    /// Its word, as in JSON and in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Temporary => "temporary",
            Self::Permanent => "permanent",
            Self::Timeout => "timeout",
            Self::Refused => "refused",
            Self::Protocol => "protocol",
            Self::Mismatch => "mismatch",
            Self::Unknown => "unknown",
        }
    }
}

/// An enhanced mail system status code, `class.subject.detail` (RFC 3463 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EnhancedCode {
    /// 2 success, 4 persistent transient failure, 5 permanent failure.
    pub class: u8,
    /// 0 to 999.
    pub subject: u16,
    /// 0 to 999.
    pub detail: u16,
}

impl EnhancedCode {
    /// Reads the code that starts a reply's text (RFC 2034 section 4), if one does.
    pub fn at_start_of(text: &str) -> Option<Self> {
        text.split_whitespace().next()?.parse().ok()
    }
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// A text is not an enhanced status code.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an enhanced status code is 2, 4 or 5, a dot, 0 to 999, a dot, 0 to 999")]
pub struct NotAnEnhancedCode;

impl FromStr for EnhancedCode {
    type Err = NotAnEnhancedCode;

    fn from_str(text: &str) -> Result<Self, NotAnEnhancedCode> {
        let mut parts = text.split('.').map(part);
        let mut next = || parts.next().flatten().ok_or(NotAnEnhancedCode);
        let (class, subject, detail) = (next()?, next()?, next()?);
        if parts.next().is_some() || !matches!(class, 2 | 4 | 5) {
            return Err(NotAnEnhancedCode);
        }
        let class = u8::try_from(class).ok().ok_or(NotAnEnhancedCode)?;
        Ok(Self { class, subject, detail })
    }
}

fn part(text: &str) -> Option<u16> {
    let digits = (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enhanced_codes() {
        for (text, expected) in [
            ("5.7.1", Some((5, 7, 1))),
            ("2.0.0", Some((2, 0, 0))),
            ("4.3.999", Some((4, 3, 999))),
            ("3.0.0", None),
            ("5.7", None),
            ("5.7.1.2", None),
            ("5.7.1000", None),
            ("5.+7.1", None),
            ("", None),
        ] {
            let expected =
                expected.map(|(class, subject, detail)| EnhancedCode { class, subject, detail });
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
        assert_eq!(
            EnhancedCode::at_start_of("5.7.8 Error: authentication failed").map(|c| c.to_string()),
            Some("5.7.8".into())
        );
    }
}
