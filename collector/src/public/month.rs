//! A month of the calendar, as it stands in addresses: `2026-11`.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;

/// A month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    first: Date,
}

impl Month {
    /// The one in which a day lies.
    pub fn of(date: Date) -> Self {
        Self { first: date.first_of_month() }
    }

    /// The one before.
    pub fn before(self) -> Self {
        Self::of(self.first.yesterday().unwrap_or(self.first))
    }

    /// The one after.
    pub fn after(self) -> Self {
        Self::of(self.first.last_of_month().tomorrow().unwrap_or(self.first))
    }

    /// `November 2026`.
    pub fn in_words(self) -> String {
        self.first.strftime("%B %Y").to_string()
    }
}

/// `2026-11`.
impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first.strftime("%Y-%m"))
    }
}

/// Why a text is no month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a month, such as 2026-11")]
pub struct NotAMonth;

impl FromStr for Month {
    type Err = NotAMonth;

    fn from_str(text: &str) -> Result<Self, NotAMonth> {
        let is_form = text.len() == 7 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        let date = format!("{text}-01").parse::<Date>().ok().filter(|_| is_form);
        date.map(Self::of).ok_or(NotAMonth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_go_on() {
        let november: Month = "2026-11".parse().unwrap();
        assert_eq!(november.after().after().to_string(), "2027-01");
        assert_eq!(november.before().in_words(), "October 2026");
        for text in ["", "2026", "2026-13", "2026-1", "26-11", "2026-11-01", "+026-11", "９026-11"]
        {
            assert_eq!(text.parse::<Month>(), Err(NotAMonth), "{text}");
        }
    }
}
