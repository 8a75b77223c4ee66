//! What is configured: a check's name, kind, cadence and timeout, and the digest of its settings.

use std::fmt;
use std::time::Duration;

use crate::time::{WallTime, as_us};

/// One configured check as both ends know it.
///
/// The settings themselves stay on the agent (they may name what a collector need not know); an
/// observation carries their digest, so that a change of settings is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Unique on its agent: 1 to 64 characters of `a-z A-Z 0-9 . _ -`.
    pub name: String,
    /// The probe that carries it out, such as `round-trip`.
    pub kind: String,
    /// From one scheduled slot to the next.
    pub cadence: Duration,
    /// How long a run may take at most.
    pub timeout: Duration,
    /// Slots are at every wall time T (in µs) with `T mod cadence == slot_offset`.
    pub slot_offset: Duration,
    /// Of the settings as resolved, secrets left out.
    pub settings_digest: SettingsDigest,
}

impl Check {
    /// The first slot at or after `from`.
    pub fn slot_at_or_after(&self, from: WallTime) -> WallTime {
        let cadence = i64::try_from(as_us(self.cadence).max(1)).unwrap_or(i64::MAX);
        let offset = i64::try_from(as_us(self.slot_offset)).unwrap_or(0) % cadence;
        let from_us =
            from.as_ns().div_euclid(1_000) + i64::from(from.as_ns().rem_euclid(1_000) != 0);
        let periods = (from_us - offset).div_euclid(cadence)
            + i64::from((from_us - offset).rem_euclid(cadence) != 0);
        WallTime::from_ns((periods * cadence + offset).saturating_mul(1_000))
    }

    /// How many slots there are at or after `from` and before `until`.
    pub fn slots_between(&self, from: WallTime, until: WallTime) -> u64 {
        let cadence = i64::try_from(as_us(self.cadence).max(1)).unwrap_or(i64::MAX);
        let first = self.slot_at_or_after(from).as_us();
        let end = self.slot_at_or_after(until).as_us();
        u64::try_from((end - first) / cadence).unwrap_or(0)
    }
}

/// The first 16 bytes of SHA-256 over a check's settings as resolved.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SettingsDigest(pub [u8; 16]);

impl SettingsDigest {
    /// The digest of settings in their canonical text.
    pub fn of(canonical: &str) -> Self {
        let whole = ring::digest::digest(&ring::digest::SHA256, canonical.as_bytes());
        let mut digest = [0; 16];
        for (to, from) in digest.iter_mut().zip(whole.as_ref()) {
            *to = *from;
        }
        Self(digest)
    }
}

impl fmt::Display for SettingsDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for SettingsDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SettingsDigest({self})")
    }
}

/// Whether a name may name a check, a mailbox or a vantage point: 1 to 64 of `a-z A-Z 0-9 . _ -`.
pub fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cadence_s: u64, offset_s: u64) -> Check {
        Check {
            name: "mail".into(),
            kind: "round-trip".into(),
            cadence: Duration::from_secs(cadence_s),
            timeout: Duration::from_secs(30),
            slot_offset: Duration::from_secs(offset_s),
            settings_digest: SettingsDigest::default(),
        }
    }

    #[test]
    fn slots_lie_on_the_grid_of_cadence_and_offset() {
        let c = check(60, 7);
        for (from_ns, slot_s) in [
            (0, 7),
            (7_000_000_000, 7),
            (7_000_000_001, 67),
            (66_999_999_999, 67),
            (-1, 7),
            (-53_000_000_001, -53),
        ] {
            let slot = c.slot_at_or_after(WallTime::from_ns(from_ns));
            assert_eq!(slot, WallTime::from_s(slot_s), "from {from_ns}");
        }
    }

    #[test]
    fn slots_between_counts_the_first_and_not_the_last() {
        let c = check(60, 7);
        for (from, until, slots) in
            [(0, 7, 0), (0, 8, 1), (7, 67, 1), (7, 68, 2), (8, 3608, 60), (9, 3, 0)]
        {
            let counted = c.slots_between(WallTime::from_s(from), WallTime::from_s(until));
            assert_eq!(counted, slots, "{from}..{until}");
        }
    }

    #[test]
    fn names() {
        for (name, ok) in [("mail-1.x_Y", true), ("", false), ("a b", false), ("ä", false)] {
            assert_eq!(is_name(name), ok, "{name}");
        }
        assert!(!is_name(&"x".repeat(65)));
    }
}
