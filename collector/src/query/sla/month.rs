//! A calendar month as people write it.

use std::str::FromStr;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A calendar month: `2026-10`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct Month(pub(super) Date);

impl Month {
    /// The month of a day.
    pub fn of(day: Date) -> Self {
        Self(day.first_of_month())
    }

    /// Its first day.
    pub fn first_day(self) -> Date {
        self.0
    }

    /// The month before it.
    pub fn before(self) -> Self {
        Self(self.0.checked_sub(jiff::Span::new().months(1)).unwrap_or(self.0))
    }

    /// The month after it.
    pub fn after(self) -> Self {
        Self(self.0.checked_add(jiff::Span::new().months(1)).unwrap_or(self.0))
    }
}

/// `2026-10`.
impl std::fmt::Display for Month {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.strftime("%Y-%m").fmt(f)
    }
}

/// A text is no month.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a month as YEAR-MONTH, such as 2026-10")]
pub struct NotAMonth;

impl Month {
    /// Months end before this day.
    const LAST: Date = Date::constant(9_999, 12, 1);
}

impl FromStr for Month {
    type Err = NotAMonth;

    fn from_str(text: &str) -> Result<Self, NotAMonth> {
        let is_month = text.len() == 7 && text.is_ascii();
        let day = format!("{text}-01").parse::<Date>().ok().filter(|_| is_month);
        // the last that a calendar knows has no end
        let day = day.filter(|day| *day < Self::LAST);
        day.map(Self).ok_or(NotAMonth)
    }
}

impl TryFrom<String> for Month {
    type Error = NotAMonth;

    fn try_from(text: String) -> Result<Self, NotAMonth> {
        text.parse()
    }
}

impl From<Month> for String {
    fn from(month: Month) -> Self {
        month.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_and_what_is_none() {
        let month: Month = "2026-10".parse().unwrap();
        assert_eq!(String::from(month), "2026-10");
        assert_eq!(month.after().after().after().to_string(), "2027-01");
        assert_eq!(month.before().to_string(), "2026-09");
        for text in ["", "2026", "2026-13", "2026-1", "10-2026", "2026-10-01", "2026-ä", "9999-12"]
        {
            assert_eq!(text.parse::<Month>(), Err(NotAMonth), "{text}");
        }
    }
}
