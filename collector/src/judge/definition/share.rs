//! A share as a whole number, so that what is compared with a target is compared exactly.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parts per million: 999,000 is 99.9 %. Larger than 1,000,000 only for growth.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct Share {
    ppm: u32,
}

/// A text is no share.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a percentage with at most four decimals, such as \"99.9%\"")]
pub struct NotAShare;

const WHOLE: u32 = 1_000_000;

impl Share {
    /// All of it.
    pub const ALL: Self = Self { ppm: WHOLE };

    /// So many parts per million.
    pub const fn from_ppm(ppm: u32) -> Self {
        Self { ppm }
    }

    /// In parts per million.
    pub const fn ppm(self) -> u32 {
        self.ppm
    }

    /// Whether `part` of `all` reaches it. Of nothing, everything is reached.
    pub fn is_reached_by(self, part: u64, all: u64) -> bool {
        u128::from(part) * u128::from(WHOLE) >= u128::from(self.ppm) * u128::from(all)
    }

    /// How many of `all` may be missing before it is not reached any more.
    pub fn allowance(self, all: u64) -> u64 {
        let rest = u128::from(WHOLE.saturating_sub(self.ppm));
        u64::try_from(u128::from(all) * rest / u128::from(WHOLE)).unwrap_or(u64::MAX)
    }

    /// As a number between 0 and 1.
    pub fn as_f64(self) -> f64 {
        f64::from(self.ppm) / f64::from(WHOLE)
    }
}

/// `99.9 %`.
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", digits(self.ppm))
    }
}

fn digits(ppm: u32) -> String {
    let (whole, rest) = (ppm / 10_000, ppm % 10_000);
    let rest = format!("{rest:04}");
    let rest = rest.trim_end_matches('0');
    if rest.is_empty() { whole.to_string() } else { format!("{whole}.{rest}") }
}

impl From<Share> for String {
    fn from(share: Share) -> Self {
        format!("{}%", digits(share.ppm))
    }
}

impl TryFrom<String> for Share {
    type Error = NotAShare;

    fn try_from(text: String) -> Result<Self, NotAShare> {
        text.parse()
    }
}

impl FromStr for Share {
    type Err = NotAShare;

    fn from_str(text: &str) -> Result<Self, NotAShare> {
        let number = text.trim().strip_suffix('%').ok_or(NotAShare)?.trim_end();
        let (whole, rest) = number.split_once('.').unwrap_or((number, ""));
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty()
            || whole.len() > 4
            || rest.len() > 4
            || !is_digits(whole)
            || !is_digits(rest)
        {
            return Err(NotAShare);
        }
        let number = |part: &str| part.parse::<u32>().map_err(|_no_number| NotAShare);
        Ok(Self { ppm: number(whole)? * 10_000 + number(&format!("{rest:0<4}"))? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_back() {
        for (text, ppm, shown) in [
            ("99.9%", 999_000, "99.9 %"),
            ("100%", 1_000_000, "100 %"),
            ("0.0001 %", 1, "0.0001 %"),
            (" 99.95% ", 999_500, "99.95 %"),
            ("10%", 100_000, "10 %"),
        ] {
            let share: Share = text.parse().unwrap();
            assert_eq!((share.ppm(), share.to_string().as_str()), (ppm, shown));
            assert_eq!(String::from(share).parse(), Ok(share));
        }
        for text in ["", "99.9", "%", "-1%", "99.99999%", "a%", "1e2%", ".5%", "99999%"] {
            assert_eq!(text.parse::<Share>(), Err(NotAShare), "{text}");
        }
    }

    #[test]
    fn targets_are_compared_exactly() {
        let target = Share::from_ppm(999_000);
        assert!(target.is_reached_by(999, 1_000));
        assert!(!target.is_reached_by(998_999, 1_000_000));
        assert!(target.is_reached_by(0, 0));
        assert_eq!(target.allowance(43_200), 43);
        assert!(Share::ALL.is_reached_by(u64::MAX, u64::MAX));
    }
}
