//! How far the agent's wall clock is from the collector's: four timestamps, as NTP exchanges them
//! (RFC 5905 section 8). Pure.

use std::collections::VecDeque;
use std::time::Duration;

use mailsonde_proto::WallTime;
use mailsonde_proto::time::{Instant, as_us};

/// Exchanges that are remembered.
const KEPT: usize = 8;
/// How much faster one clock may run than another, in parts of a million.
const DRIFT_PPM: u64 = 100;

/// The four timestamps of one exchange.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    /// The question left, by the agent's wall clock.
    pub sent: WallTime,
    /// It came, by the collector's.
    pub received: WallTime,
    /// The answer left, by the collector's.
    pub answered: WallTime,
    /// How long the agent waited, by its monotonic clock.
    pub round_trip: Duration,
}

/// The last few exchanges.
#[derive(Clone, Debug, Default)]
pub struct Offsets(VecDeque<Sample>);

#[derive(Clone, Copy, Debug)]
struct Sample {
    /// Collector minus agent.
    offset_us: i64,
    /// The collector's time at `at`.
    there: WallTime,
    error_us: u64,
    at: Instant,
}

impl Offsets {
    /// Takes in an exchange whose answer came at `at`; one that cannot be is left out.
    pub fn add(&mut self, exchange: Exchange, at: Instant) {
        let there_us = exchange.answered.signed_us_since(exchange.received);
        let Ok(there_us) = u64::try_from(there_us) else { return };
        let Some(path_us) = as_us(exchange.round_trip).checked_sub(there_us) else { return };
        let back = exchange.sent.plus(exchange.round_trip);
        let forth_us = i128::from(exchange.received.signed_us_since(exchange.sent));
        let back_us = i128::from(exchange.answered.signed_us_since(back));
        let Ok(offset_us) = i64::try_from((forth_us + back_us).div_euclid(2)) else { return };
        if self.0.len() >= KEPT {
            self.0.pop_front();
        }
        let there = shifted(back, offset_us);
        self.0.push_back(Sample { offset_us, there, error_us: path_us.div_ceil(2), at });
    }

    /// Bound on the distance between the two wall clocks at `now`, in microseconds, by the best exchange;
    /// `None` before the first.
    pub fn bound_us(&self, now: Instant) -> Option<u64> {
        let (sample, error_us) = self.best(now)?;
        Some(sample.offset_us.unsigned_abs().saturating_add(error_us).max(1))
    }

    /// How far the collector's clock is ahead in microseconds, and the bound on the error of that.
    pub fn offset_us(&self, now: Instant) -> Option<(i64, u64)> {
        self.best(now).map(|(sample, error_us)| (sample.offset_us, error_us))
    }

    /// The collector's time at `at`, and the bound on the error of that in microseconds; `now` is when it is asked.
    /// Nothing in it depends on this host's wall clock.
    pub fn there(&self, at: Instant, now: Instant) -> Option<(WallTime, u64)> {
        let (sample, error_us) = self.best(now)?;
        let later = sample.there.plus(at.saturating_duration_since(sample.at));
        Some((later.minus(sample.at.saturating_duration_since(at)), error_us))
    }

    /// The instant of a time of the collector's, and the bound on the error of that in microseconds.
    pub fn here(&self, there: WallTime, now: Instant) -> Option<(Instant, u64)> {
        let (sample, error_us) = self.best(now)?;
        let later = sample.at.checked_add(there.since(sample.there))?;
        Some((later.checked_sub(sample.there.since(there))?, error_us))
    }

    fn best(&self, now: Instant) -> Option<(&Sample, u64)> {
        let error_at = |sample: &Sample| {
            let age_us = as_us(now.saturating_duration_since(sample.at));
            sample.error_us.saturating_add(age_us.saturating_mul(DRIFT_PPM) / 1_000_000)
        };
        self.0.iter().map(|sample| (sample, error_at(sample))).min_by_key(|(_, error)| *error)
    }
}

fn shifted(time: WallTime, by_us: i64) -> WallTime {
    let by = Duration::from_micros(by_us.unsigned_abs());
    if by_us < 0 { time.minus(by) } else { time.plus(by) }
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::Clock;

    use super::*;

    fn exchange(forth_us: u64, there_us: u64, back_us: u64, ahead_us: i64) -> Exchange {
        let sent = WallTime::from_s(1_000);
        let us = Duration::from_micros;
        let shifted = WallTime::from_ns(sent.as_ns() + ahead_us * 1_000);
        let received = shifted.plus(us(forth_us));
        Exchange {
            sent,
            received,
            answered: received.plus(us(there_us)),
            round_trip: us(forth_us + there_us + back_us),
        }
    }

    #[test]
    fn the_true_offset_lies_within_the_bound() {
        let now = Clock::system().monotonic();
        for (forth, there, back, ahead) in [
            (100, 50, 100, 0),
            (9_000, 0, 100, 250_000),
            (100, 5, 9_000, -3_600_000_000),
            (1, 0, 0, 7),
        ] {
            let mut offsets = Offsets::default();
            offsets.add(exchange(forth, there, back, ahead), now);
            let (offset, error) = offsets.offset_us(now).unwrap();
            assert!(offset.abs_diff(ahead) <= error, "{offset} ± {error}, in truth {ahead}");
            assert!(offsets.bound_us(now).unwrap() >= ahead.unsigned_abs());
        }
    }

    #[test]
    fn a_time_goes_there_and_back_whatever_the_wall_clocks_say() {
        let now = Clock::system().monotonic();
        for ahead in [0, 250_000, -3_600_000_000, 7_200_000_000] {
            let mut offsets = Offsets::default();
            offsets.add(exchange(900, 50, 100, ahead), now);
            // when the answer came, the collector's clock stood there
            let truth = shifted(WallTime::from_s(1_000).plus(Duration::from_micros(1_050)), ahead);
            for (later, earlier) in [(0, 0), (5, 0), (0, 5)] {
                let s = Duration::from_secs;
                let (at, true_time) =
                    (now + s(later) - s(earlier), truth.plus(s(later)).minus(s(earlier)));
                let (there, error_us) = offsets.there(at, now).unwrap();
                assert!(there.signed_us_since(true_time).unsigned_abs() <= error_us);
                let (here, _) = offsets.here(there, now).unwrap();
                assert_eq!(here, at);
            }
        }
        assert_eq!(Offsets::default().there(now, now), None);
        assert_eq!(Offsets::default().here(WallTime::from_s(1), now), None);
    }

    #[test]
    fn the_best_of_the_last_eight_counts_and_ages() {
        let now = Clock::system().monotonic();
        let mut offsets = Offsets::default();
        offsets.add(exchange(10, 0, 10, 0), now);
        offsets.add(exchange(5_000, 0, 5_000, 0), now);
        assert_eq!(offsets.offset_us(now), Some((0, 10)));
        assert_eq!(offsets.offset_us(now + Duration::from_secs(10)), Some((0, 1_010)));
        for _ in 0..7 {
            offsets.add(exchange(700, 0, 700, 0), now);
        }
        assert_eq!(offsets.offset_us(now), Some((0, 700)));
    }

    #[test]
    fn an_impossible_exchange_is_left_out() {
        let now = Clock::system().monotonic();
        let mut offsets = Offsets::default();
        // The collector claims to have held the question for longer than the whole took; or backwards.
        offsets.add(Exchange { round_trip: Duration::from_micros(3), ..exchange(1, 9, 1, 0) }, now);
        let mut backwards = exchange(1, 0, 1, 0);
        backwards.answered = backwards.received.minus(Duration::from_secs(1));
        offsets.add(backwards, now);
        assert_eq!(offsets.bound_us(now), None);
    }
}
