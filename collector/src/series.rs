//! Short names for what the views count by: a check at a vantage point, and a phase.
//!
//! Both are derived from the names alone. So no table of numbers must survive a crash, and a rebuild
//! gives the same keys whatever order the observations come in.

use mailsonde_proto::AgentId;

/// One check at one vantage point.
///
/// The first 8 bytes of SHA-256 over agent and check name: for a hundred thousand of them the chance
/// that any two share one is below one in a thousand million.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId(pub u64);

impl SeriesId {
    /// Of the check `check` of agent `agent`.
    pub fn of(agent: AgentId, check: &str) -> Self {
        Self(short(&[&agent.0, check.as_bytes()]))
    }
}

/// One service: the first 8 bytes of SHA-256 over its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId(pub u64);

impl ServiceId {
    /// Of the service called `name`.
    pub fn of(name: &str) -> Self {
        Self(short(&[b"service ", name.as_bytes()]))
    }
}

fn short(parts: &[&[u8]]) -> u64 {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    parts.iter().for_each(|part| context.update(part));
    let whole = context.finish();
    whole.as_ref().iter().take(8).fold(0, |id, byte| (id << 8) | u64::from(*byte))
}

/// One phase's name; [`PhaseId::TOTAL`] stands for the run as a whole.
///
/// CRC-32C of the name. Names that share one share their figures too, within one series: an agent can
/// confuse its own phases that way, and nobody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhaseId(pub u32);

impl PhaseId {
    /// The run as a whole: its verdicts, and how long it took. Sorts before every phase.
    pub const TOTAL: Self = Self(0);

    /// The name of [`PhaseId::TOTAL`].
    pub const TOTAL_NAME: &'static str = "total";

    /// Of the phase called `name`.
    pub fn of(name: &str) -> Self {
        if name == Self::TOTAL_NAME {
            return Self::TOTAL;
        }
        Self(crc32c::crc32c(name.as_bytes()).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_give_the_same_numbers_on_every_machine() {
        // Written to disk: a change here makes every sealed file unreadable.
        assert_eq!(SeriesId::of(AgentId([7; 16]), "mail"), SeriesId(0xf57b_c368_1317_cf11));
        assert_eq!(ServiceId::of("mail"), ServiceId(0xccaca89fcd2395c8));
        assert_eq!(PhaseId::of("connect"), PhaseId(0x1d4_be7a));
        assert_eq!(PhaseId::of("total"), PhaseId::TOTAL);
        assert_eq!(PhaseId::of(""), PhaseId(1));
    }
}
