//! Figures as the command line shows them: those of every screen, and a line about the zone.

use super::terminal::printable;

pub(crate) use crate::figures::{
    UNKNOWN, bytes, cadence, duration, maybe, percent, roughly, since, time, time_to_the_second,
};

/// A last line that says of which zone the times are, where that is the organisation's.
pub(crate) fn zone_line(name: Option<&str>) -> String {
    name.map(|name| format!("times of {}\n", printable(name))).unwrap_or_default()
}
