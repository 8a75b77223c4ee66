//! What goes wrong, and how long things take: decided by small seeded generators.
//!
//! Each kind of decision has a generator of its own, so that the fate of the tenth recipient does
//! not depend on how many delays were drawn before it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A duration with a spread: uniformly between `base` and `base + jitter`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delay {
    /// At least this long.
    pub base: Duration,
    /// At most this much longer.
    pub jitter: Duration,
}

impl Delay {
    /// A delay in milliseconds.
    pub const fn from_millis(base: u64, jitter: u64) -> Self {
        Self { base: Duration::from_millis(base), jitter: Duration::from_millis(jitter) }
    }
}

/// What goes wrong, each with a probability from 0 (never) to 1 (always).
///
/// `lost`, `late` and `junk` exclude each other; together they should not exceed 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Flaky {
    /// The same seed and the same order of requests give the same faults.
    pub seed: u64,
    /// RCPT is refused with 451 4.3.2.
    pub refuse_recipient: f64,
    /// Signing in is refused for now, by SMTP with 454 4.7.0, by IMAP with UNAVAILABLE.
    pub refuse_sign_in: f64,
    /// An accepted message never arrives.
    pub lost: f64,
    /// An accepted message arrives `late_by` later than it should.
    pub late: f64,
    /// How much later.
    pub late_by: Duration,
    /// An accepted message is delivered to Junk.
    pub junk: f64,
}

/// What becomes of one accepted message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    InTime,
    Late(Duration),
    Junk,
    Lost,
}

/// Draws all decisions of one sandbox.
pub(super) struct Fates {
    flaky: Flaky,
    recipient: Mutex<Dice>,
    sign_in: Mutex<Dice>,
    delivery: Mutex<Dice>,
    delay: Mutex<Dice>,
}

impl Fates {
    pub(super) fn new(flaky: Flaky) -> Self {
        let mut seeds = Dice(flaky.seed);
        let mut dice = || Mutex::new(Dice(seeds.roll()));
        Self { flaky, recipient: dice(), sign_in: dice(), delivery: dice(), delay: dice() }
    }

    pub(super) fn refuses_recipient(&self) -> bool {
        draw(&self.recipient) < self.flaky.refuse_recipient
    }

    pub(super) fn refuses_sign_in(&self) -> bool {
        draw(&self.sign_in) < self.flaky.refuse_sign_in
    }

    pub(super) fn of_message(&self) -> Fate {
        let Flaky { lost, late, junk, late_by, .. } = self.flaky;
        match draw(&self.delivery) {
            drawn if drawn < lost => Fate::Lost,
            drawn if drawn < lost + late => Fate::Late(late_by),
            drawn if drawn < lost + late + junk => Fate::Junk,
            _ => Fate::InTime,
        }
    }

    pub(super) fn spread(&self, delay: Delay) -> Duration {
        match delay.jitter {
            Duration::ZERO => delay.base,
            jitter => delay.base.saturating_add(jitter.mul_f64(draw(&self.delay))),
        }
    }
}

/// SplitMix64: a few lines, no state but a counter, good enough for dice.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// Uniform in [0, 1).
fn draw(dice: &Mutex<Dice>) -> f64 {
    let rolled = dice.lock().unwrap_or_else(PoisonError::into_inner).roll();
    let high = u32::try_from(rolled >> 32).unwrap_or(u32::MAX);
    f64::from(high) / 4_294_967_296.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(seed: u64) -> Vec<Fate> {
        let flaky = Flaky { seed, lost: 0.1, late: 0.2, junk: 0.3, ..Flaky::default() };
        let fates = Fates::new(flaky);
        (0..2_000).map(|_| fates.of_message()).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_fates() {
        assert_eq!(fates(7), fates(7));
        assert_ne!(fates(7), fates(8));
    }

    #[test]
    fn fates_come_as_often_as_asked() {
        let drawn = fates(7);
        let count = |fate| drawn.iter().filter(|drawn| **drawn == fate).count();
        assert!((150..250).contains(&count(Fate::Lost)));
        assert!((330..470).contains(&count(Fate::Late(Duration::ZERO))));
        assert!((520..680).contains(&count(Fate::Junk)));
    }

    #[test]
    fn never_is_never_and_always_is_always() {
        let never = Fates::new(Flaky::default());
        let always = Fates::new(Flaky { refuse_recipient: 1.0, ..Flaky::default() });
        assert!((0..1_000).all(|_| !never.refuses_recipient() && always.refuses_recipient()));
    }

    #[test]
    fn a_delay_stays_within_its_spread() {
        let fates = Fates::new(Flaky::default());
        let delay = Delay::from_millis(100, 50);
        for _ in 0..1_000 {
            let drawn = fates.spread(delay);
            assert!(drawn >= delay.base && drawn < delay.base + delay.jitter, "{drawn:?}");
        }
    }
}
