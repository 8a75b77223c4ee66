//! Laps of the monotonic clock, and the phases that they become.
//!
//! A lap begins where the one before ended, so consecutive laps have no gap between them. Other spans
//! may overlap or end before they start. Absent on purpose: wall times.

use mailsonde_proto::Phase;
use mailsonde_proto::time::{Clock, Instant, as_signed_us, as_us};

/// One timed span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lap {
    /// The phase's name.
    pub name: &'static str,
    /// When it began.
    pub from: Instant,
    /// When it ended; before `from` where the end was observed before the start.
    pub to: Instant,
}

impl Lap {
    /// As a phase relative to `origin`. Both ends are rounded alike, so that laps that met still meet.
    pub fn phase_from(&self, origin: Instant) -> Phase {
        let start_us = signed_us(origin, self.from);
        Phase {
            name: self.name.to_owned(),
            start_us,
            duration_us: signed_us(origin, self.to).saturating_sub(start_us),
            uncertainty_us: 0,
        }
    }
}

/// Takes laps.
#[derive(Clone, Debug)]
pub struct Stopwatch {
    clock: Clock,
    start: Instant,
    last: Instant,
    laps: Vec<Lap>,
}

impl Stopwatch {
    /// Starts now.
    pub fn start(clock: Clock) -> Self {
        let now = clock.monotonic();
        Self { clock, start: now, last: now, laps: Vec::new() }
    }

    /// When it started.
    pub fn started(&self) -> Instant {
        self.start
    }

    /// When the last lap ended; the start when there is none.
    pub fn last(&self) -> Instant {
        self.last
    }

    /// What time it is.
    pub fn now(&self) -> Instant {
        self.clock.monotonic()
    }

    /// Ends a lap now, which began where the last one ended.
    pub fn lap(&mut self, name: &'static str) -> Instant {
        let now = self.clock.monotonic();
        self.laps.push(Lap { name, from: self.last, to: now });
        self.last = now;
        now
    }

    /// Takes the laps of another watch over, which goes on from where that one ended.
    pub fn join(&mut self, other: Self) {
        self.laps.extend(other.laps);
        self.last = other.last;
    }

    /// The laps so far.
    pub fn laps(&self) -> &[Lap] {
        &self.laps
    }

    /// The laps as phases, relative to `origin`.
    pub fn phases_from(&self, origin: Instant) -> Vec<Phase> {
        self.laps.iter().map(|lap| lap.phase_from(origin)).collect()
    }
}

/// Signed whole microseconds from `from` to `to`.
pub fn signed_us(from: Instant, to: Instant) -> i64 {
    match to.checked_duration_since(from) {
        Some(after) => as_signed_us(after),
        None => as_signed_us(from.duration_since(to)).saturating_neg(),
    }
}

/// Whole microseconds from `from` to `to`; zero when it is not after it.
pub fn us(from: Instant, to: Instant) -> u64 {
    as_us(to.saturating_duration_since(from))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn laps_meet_and_add_up() {
        let mut watch = Stopwatch::start(Clock::system());
        for (name, ns) in [("resolve", 1_400), ("connect", 1_700), ("tls", 2_999_999)] {
            tokio::time::advance(Duration::from_nanos(ns)).await;
            watch.lap(name);
        }
        let phases = watch.phases_from(watch.started());
        assert_eq!(phases[0].start_us, 0);
        assert!(phases.windows(2).all(|two| two[0].end_us() == two[1].start_us), "{phases:?}");
        assert_eq!(phases[2].end_us(), signed_us(watch.started(), watch.last()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_span_can_lie_before_the_origin_and_end_before_it_starts() {
        let early = Clock::system().monotonic();
        let late = early + Duration::from_millis(3);
        let before = Lap { name: "imap.connect", from: early, to: late }.phase_from(late);
        assert_eq!((before.start_us, before.duration_us), (-3_000, 3_000));
        let negative = Lap { name: "arrival", from: late, to: early }.phase_from(early);
        assert_eq!((negative.start_us, negative.duration_us), (3_000, -3_000));
    }
}
