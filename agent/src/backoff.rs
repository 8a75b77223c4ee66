//! How long to wait before the next try: decorrelated jitter. Pure.
//!
//! Each wait is drawn between the base and three times the wait before, up to a cap, so that a thousand
//! agents that lost one collector do not come back in step.

use std::time::Duration;

/// The waits between tries that fail.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    last: Duration,
}

impl Backoff {
    /// Waits of at least `base` and at most `cap`.
    pub const fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap, last: base }
    }

    /// The next wait; `random` is any number, each as likely as the other.
    pub fn next(&mut self, random: u64) -> Duration {
        let most = self.last.saturating_mul(3).min(self.cap).max(self.base);
        let span_us = u64::try_from((most - self.base).as_micros()).unwrap_or(u64::MAX);
        let wait = self.base + Duration::from_micros(random % span_us.saturating_add(1).max(1));
        self.last = wait;
        wait
    }

    /// A try went well: the next wait is short again.
    pub const fn reset(&mut self) {
        self.last = self.base;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BASE: Duration = Duration::from_millis(250);
    const CAP: Duration = Duration::from_secs(60);

    #[test]
    fn waits_grow_to_the_cap_and_start_anew_after_a_success() {
        let mut backoff = Backoff::new(BASE, CAP);
        let longest: Vec<_> = (0..7).map(|_| backoff.next_longest().as_millis()).collect();
        assert_eq!(longest, [750, 2_250, 6_750, 20_250, 60_000, 60_000, 60_000]);
        backoff.reset();
        assert_eq!(backoff.next_longest(), BASE * 3);
    }

    impl Backoff {
        fn next_longest(&mut self) -> Duration {
            let most = (self.last * 3).min(self.cap) - self.base;
            self.next(u64::try_from(most.as_micros()).unwrap())
        }
    }

    proptest! {
        #[test]
        fn every_wait_lies_between_base_and_cap(
            randoms in proptest::collection::vec(any::<u64>(), 1..50),
            base_ms in 0_u64..5_000,
            cap_ms in 0_u64..100_000,
        ) {
            let (base, cap) = (Duration::from_millis(base_ms), Duration::from_millis(cap_ms));
            let mut backoff = Backoff::new(base, cap);
            for random in randoms {
                let wait = backoff.next(random);
                prop_assert!(wait >= base && wait <= cap.max(base), "{wait:?}");
            }
        }
    }
}
