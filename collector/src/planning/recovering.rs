//! When something works again, as operators say it: in the organisation's time zone, and always ahead.

use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Planning, PlanningError, Zone, moment};

/// When an incident is thought to be over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RecoveryWish {
    /// So many seconds from now.
    In(u64),
    /// At a time.
    At {
        /// `14:00`, the next that comes; or in the forms of [`WindowWish::from`](super::WindowWish::from).
        at: String,
        /// In which zone it is meant.
        #[serde(default)]
        zone: Zone,
    },
    /// Nobody knows.
    Unknown,
}

impl Planning<'_> {
    /// The time that is meant, `None` where nobody knows; and the zone in which it is told.
    ///
    /// # Errors
    /// When it is no time, or not ahead.
    pub fn recovery(
        &self,
        wish: &RecoveryWish,
    ) -> Result<(Option<Timestamp>, String), PlanningError> {
        let now = self.now.timestamp();
        let (told_in, _) = self.zone(&Zone::default())?;
        let at = match wish {
            RecoveryWish::Unknown => return Ok((None, told_in)),
            RecoveryWish::In(seconds) => {
                let later = self.now.plus(Duration::from_secs(*seconds));
                later.timestamp()
            }
            RecoveryWish::At { at, zone } => {
                let (name, zone) = self.zone(zone)?;
                match civil::Time::from_str(at) {
                    Ok(time) if !at.contains(['T', '-', ' ']) => next(time, now, (&name, &zone))?,
                    _ => moment("--at", at, (&name, &zone))?,
                }
            }
        };
        if at > now { Ok((Some(at), told_in)) } else { Err(PlanningError::NotAhead(at)) }
    }
}

/// The next time that clocks show this.
fn next(
    time: civil::Time,
    now: Timestamp,
    (name, zone): (&str, &TimeZone),
) -> Result<Timestamp, PlanningError> {
    let today = now.to_zoned(zone.clone()).date();
    let on = |day: civil::Date| {
        let text = day.to_datetime(time).to_string();
        moment("--at", &text, (name, zone))
    };
    let at = on(today)?;
    if at > now {
        return Ok(at);
    }
    on(today.tomorrow().unwrap_or(today))
}
