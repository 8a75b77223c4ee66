//! Wall times, and the one place that asks the machine what time it is.
//!
//! Durations are measured on the monotonic clock only. Wall times are nanoseconds since 1970-01-01
//! UTC; they say when something was, never how long it took.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

/// A point on the monotonic clock; follows tokio's paused clock in tests.
pub type Instant = tokio::time::Instant;

/// A wall time: nanoseconds since 1970-01-01 UTC, within the years 1677 to 2262.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WallTime(i64);

impl WallTime {
    /// From nanoseconds since 1970-01-01 UTC.
    pub const fn from_ns(ns: i64) -> Self {
        Self(ns)
    }

    /// From whole seconds since 1970-01-01 UTC; saturates at the ends of the range.
    pub const fn from_s(s: i64) -> Self {
        Self(s.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since 1970-01-01 UTC.
    pub const fn as_ns(self) -> i64 {
        self.0
    }

    /// Microseconds since 1970-01-01 UTC, rounded down.
    pub const fn as_us(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// This time plus a duration; saturates at the ends of the range.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// This time minus a duration; saturates at the ends of the range.
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Signed microseconds from `earlier` to this.
    pub const fn signed_us_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0).div_euclid(1_000)
    }

    /// As jiff's timestamp, for calendars and formats.
    pub fn timestamp(self) -> jiff::Timestamp {
        jiff::Timestamp::from_nanosecond(i128::from(self.0)).unwrap_or_default()
    }
}

impl From<jiff::Timestamp> for WallTime {
    fn from(timestamp: jiff::Timestamp) -> Self {
        Self(i64::try_from(timestamp.as_nanosecond()).unwrap_or_default())
    }
}

/// RFC 3339 in UTC with microseconds: `2026-11-23T15:29:00.000123Z`.
impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", self.timestamp())
    }
}

/// Where everything asks for the time.
///
/// The monotonic side is tokio's, so that a paused runtime pauses it. The wall side is the machine's,
/// or in tests a fixed start that the monotonic side moves on.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    turned: Option<(WallTime, Instant)>,
}

impl Clock {
    /// The machine's clocks.
    pub const fn system() -> Self {
        Self { turned: None }
    }

    /// A clock for tests: wall time starts at `start` and moves with tokio's (pausable) clock.
    pub fn starting_at(start: WallTime) -> Self {
        Self { turned: Some((start, monotonic())) }
    }

    /// Now, to measure durations from.
    pub fn monotonic(&self) -> Instant {
        monotonic()
    }

    /// Now, to write down.
    pub fn wall(&self) -> WallTime {
        match self.turned {
            Some((start, at)) => start.plus(monotonic().duration_since(at)),
            None => system_wall(),
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "the one place that may ask the monotonic clock")]
fn monotonic() -> Instant {
    Instant::now()
}

#[allow(clippy::disallowed_methods, reason = "the one place that may ask the wall clock")]
fn system_wall() -> WallTime {
    match std::time::SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => WallTime::default().plus(since),
        Err(before) => WallTime::default().minus(before.duration()),
    }
}

/// Whole microseconds of a duration; saturates after 584,000 years.
pub fn as_us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Whole microseconds of a duration as a signed number; saturates after 292,000 years.
pub fn as_signed_us(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_time_reads_as_rfc_3339_with_microseconds() {
        assert_eq!(
            WallTime::from_ns(1_764_000_000_000_123_999).to_string(),
            "2025-11-24T16:00:00.000123Z"
        );
    }

    #[test]
    fn differences_never_wrap() {
        let late = WallTime::from_ns(i64::MAX);
        assert_eq!(late.plus(Duration::from_secs(1)), late);
        assert_eq!(WallTime::from_s(1).since(late), Duration::ZERO);
        assert_eq!(WallTime::from_s(1).signed_us_since(WallTime::from_s(2)), -1_000_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_turned_clock_moves_with_tokio() {
        let clock = Clock::starting_at(WallTime::from_s(100));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(clock.wall(), WallTime::from_s(105));
    }
}
