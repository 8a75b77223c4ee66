//! How many must fail before something is down.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many voices must fail for a service to be down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub enum Quorum {
    /// One is enough.
    Any,
    /// At least half of them.
    Half,
    /// Every one.
    All,
    /// At least so many; where there are fewer voices, all of them.
    AtLeast(u32),
    /// At least so many, or half of them where that is fewer.
    AtLeastOrHalf(u32),
}

/// What is known of several voices together. The order is that of how bad it is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Voiced {
    /// Too few fail, whatever those say of which nothing is known.
    Up,
    /// Enough may fail.
    Unknown,
    /// Enough fail.
    Down,
}

impl Voiced {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Unknown => "unknown",
            Self::Down => "down",
        }
    }
}

impl Quorum {
    /// How many of `all` voices must fail; at least one.
    pub fn threshold(self, all: usize) -> usize {
        let half = all.div_ceil(2);
        let at_least = |count: u32| usize::try_from(count).unwrap_or(usize::MAX).min(all);
        let threshold = match self {
            Self::Any => 1,
            Self::Half => half,
            Self::All => all,
            Self::AtLeast(count) => at_least(count),
            Self::AtLeastOrHalf(count) => at_least(count).min(half),
        };
        threshold.max(1)
    }

    /// What voices come to of which so many work, fail, and are not known. Unknown is never up: where those of which
    /// nothing is known could make it down, nobody knows; of no voice nothing is known.
    pub fn judge(self, up: usize, down: usize, unknown: usize) -> Voiced {
        let all = up + down + unknown;
        let threshold = self.threshold(all);
        if all == 0 {
            Voiced::Unknown
        } else if down >= threshold {
            Voiced::Down
        } else if down + unknown >= threshold {
            Voiced::Unknown
        } else {
            Voiced::Up
        }
    }
}

/// A text is no quorum.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be \"any\", \"half\", \"all\", a number such as \"2\" or \"2 of 3\", or \"2 or half\""
)]
pub struct NotAQuorum;

impl fmt::Display for Quorum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Half => f.write_str("half"),
            Self::All => f.write_str("all"),
            Self::AtLeast(count) => write!(f, "{count}"),
            Self::AtLeastOrHalf(count) => write!(f, "{count} or half"),
        }
    }
}

impl From<Quorum> for String {
    fn from(quorum: Quorum) -> Self {
        quorum.to_string()
    }
}

impl TryFrom<String> for Quorum {
    type Error = NotAQuorum;

    fn try_from(text: String) -> Result<Self, NotAQuorum> {
        text.parse()
    }
}

impl FromStr for Quorum {
    type Err = NotAQuorum;

    fn from_str(text: &str) -> Result<Self, NotAQuorum> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let count = |word: &str| word.parse().ok().filter(|count| *count > 0).ok_or(NotAQuorum);
        Ok(match words.as_slice() {
            ["any"] => Self::Any,
            ["half"] => Self::Half,
            ["all"] => Self::All,
            [some] => Self::AtLeast(count(some)?),
            [some, "of", all] if count(some)? <= count(all)? => Self::AtLeast(count(some)?),
            [some, "or", "half"] => Self::AtLeastOrHalf(count(some)?),
            [some, "of", all, "or", "half"] if count(some)? <= count(all)? => {
                Self::AtLeastOrHalf(count(some)?)
            }
            _ => return Err(NotAQuorum),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_back() {
        for (text, quorum, shown) in [
            ("any", Quorum::Any, "any"),
            ("half", Quorum::Half, "half"),
            ("all", Quorum::All, "all"),
            ("2", Quorum::AtLeast(2), "2"),
            ("2 of 3", Quorum::AtLeast(2), "2"),
            ("2 or half", Quorum::AtLeastOrHalf(2), "2 or half"),
            ("2 of 3 or half", Quorum::AtLeastOrHalf(2), "2 or half"),
        ] {
            assert_eq!(text.parse(), Ok(quorum), "{text}");
            assert_eq!(quorum.to_string(), shown);
            assert_eq!(shown.parse(), Ok(quorum));
        }
        for text in ["", "none", "0", "3 of 2", "-1", "2 of", "2 or all"] {
            assert_eq!(text.parse::<Quorum>(), Err(NotAQuorum), "{text}");
        }
    }

    #[test]
    fn unknown_is_never_up() {
        for (quorum, up, down, unknown, expected) in [
            (Quorum::Half, 0, 0, 0, Voiced::Unknown),
            (Quorum::Half, 1, 0, 0, Voiced::Up),
            (Quorum::Half, 3, 1, 0, Voiced::Up),
            (Quorum::Half, 2, 1, 1, Voiced::Unknown),
            (Quorum::Half, 2, 2, 0, Voiced::Down),
            (Quorum::Half, 7, 0, 3, Voiced::Up),
            (Quorum::Half, 5, 0, 5, Voiced::Unknown),
            (Quorum::Any, 9, 0, 1, Voiced::Unknown),
            (Quorum::Any, 9, 1, 0, Voiced::Down),
            (Quorum::All, 1, 9, 0, Voiced::Up),
            (Quorum::All, 0, 9, 1, Voiced::Unknown),
            (Quorum::AtLeast(2), 0, 1, 0, Voiced::Down),
            (Quorum::AtLeast(2), 2, 1, 0, Voiced::Up),
            (Quorum::AtLeastOrHalf(5), 3, 3, 0, Voiced::Down),
        ] {
            assert_eq!(quorum.judge(up, down, unknown), expected, "{quorum} {up} {down} {unknown}");
        }
    }
}
