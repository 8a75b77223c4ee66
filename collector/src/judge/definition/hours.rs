//! When people work.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A week's hours in the organisation's time zone, and the days on which there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BusinessHours {
    /// In order of day and time, without overlaps.
    pub weekly: Vec<Stretch>,
    /// Days without any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holidays: Vec<Date>,
}

/// A stretch of one day of the week.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct Stretch {
    /// 0 is Monday, 6 is Sunday.
    pub weekday: u8,
    /// The first minute of the day, 0 to 1,439.
    pub from_minute: u16,
    /// The first minute after it, 1 to 1,440.
    pub until_minute: u16,
}
