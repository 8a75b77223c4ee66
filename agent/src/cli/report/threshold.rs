//! How slow is too slow for whoever calls a probe as a plugin: limits on the whole run or on one phase.

use std::str::FromStr;
use std::time::Duration;

use mailsonde_proto::phase::name;
use mailsonde_proto::time::as_signed_us;

use crate::config::units;
use crate::probe::Outcome;

/// Phases that a run has only where there is need of them, or when it comes so far.
const SOMETIMES: [&str; 12] = [
    name::RESOLVE,
    name::CONNECT,
    name::TLS,
    name::GREETING,
    name::TOKEN,
    name::AUTH,
    name::ENVELOPE,
    name::DATA,
    name::TRANSIT,
    name::ARRIVAL,
    "greylist",
    "auto_reply",
];

/// What a limit without a phase is about.
pub(crate) const TOTAL: &str = "total";

/// `DURATION` for the whole run, or `PHASE=DURATION`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Threshold {
    /// The phase's name, or [`TOTAL`].
    pub phase: String,
    /// What may not be exceeded.
    pub limit: Duration,
}

impl Threshold {
    /// The limit in whole microseconds.
    pub(crate) fn limit_us(&self) -> i64 {
        as_signed_us(self.limit)
    }

    /// How long that took, in microseconds; `None` where the run did not come so far. A phase that came
    /// several times counts as the longest of them.
    pub(crate) fn taken_us(&self, outcome: &Outcome) -> Option<i64> {
        if self.phase == TOTAL {
            return Some(i64::try_from(outcome.total_us).unwrap_or(i64::MAX));
        }
        let phases = outcome.phases.iter().filter(|phase| phase.name == self.phase);
        phases.map(|phase| phase.duration_us).max()
    }

    /// Whether its phase is one of this run, or one that runs have where there is need of it.
    pub(crate) fn is_known_to(&self, outcome: &Outcome) -> bool {
        let own = ["imap.", "pop3."].iter().find_map(|own| self.phase.strip_prefix(own));
        self.taken_us(outcome).is_some() || SOMETIMES.contains(&own.unwrap_or(&self.phase))
    }

    /// Whether it took longer.
    pub(crate) fn is_exceeded_by(&self, outcome: &Outcome) -> bool {
        self.taken_us(outcome).is_some_and(|taken| taken > self.limit_us())
    }
}

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (phase, limit) = text.rsplit_once('=').unwrap_or((TOTAL, text));
        if phase.is_empty() {
            return Err("write a phase before the =, such as arrival=2s, or only 2s".to_owned());
        }
        Ok(Self { phase: phase.to_owned(), limit: units::duration(limit)? })
    }
}

/// The limit on this, the strictest where there are several.
pub(crate) fn limit_on<'t>(limits: &'t [Threshold], phase: &str) -> Option<&'t Threshold> {
    limits.iter().filter(|limit| limit.phase == phase).min_by_key(|limit| limit.limit)
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn limits_are_read() {
        for (text, expected) in [
            ("5s", Some(("total", 5_000))),
            ("total=250ms", Some(("total", 250))),
            ("imap.auth=1m", Some(("imap.auth", 60_000))),
            ("=5s", None),
            ("5", None),
            ("arrival=", None),
            ("", None),
        ] {
            let read = text.parse::<Threshold>().ok();
            let expected = expected.map(|(phase, ms)| Threshold {
                phase: phase.to_owned(),
                limit: Duration::from_millis(ms),
            });
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn a_limit_is_exceeded_by_more_and_not_by_as_much() {
        let outcome = samples::pass().outcome;
        let exceeded = |text: &str| text.parse::<Threshold>().unwrap().is_exceeded_by(&outcome);
        assert!(exceeded("24099us"));
        assert!(!exceeded("24100us"));
        assert!(exceeded("arrival=6ms"));
        assert!(!exceeded("transit=0s"), "a negative phase is not slow");
        assert!(!exceeded("no.such=0s"));
    }
}
