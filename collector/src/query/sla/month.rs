//! A calendar month as people write it.

use std::str::FromStr;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A calendar month: `2026-10`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Month(pub(super) Date);

/// A text is no month.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a month as YEAR-MONTH, such as 2026-10")]
pub struct NotAMonth;

impl FromStr for Month {
    type Err = NotAMonth;

    fn from_str(text: &str) -> Result<Self, NotAMonth> {
        let is_month = text.len() == 7 && text.is_ascii();
        let day = format!("{text}-01").parse::<Date>().ok().filter(|_| is_month);
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
        month.0.strftime("%Y-%m").to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_and_what_is_none() {
        let month: Month = "2026-10".parse().unwrap();
        assert_eq!(String::from(month), "2026-10");
        for text in ["", "2026", "2026-13", "2026-1", "10-2026", "2026-10-01", "2026-ä"] {
            assert_eq!(text.parse::<Month>(), Err(NotAMonth), "{text}");
        }
    }
}
