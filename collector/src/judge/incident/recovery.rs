//! When an incident is thought to be over: what somebody said, else what earlier ones of its sort lasted.
//!
//! Nothing is guessed beyond that: a time that has passed is told as passed, and without either nobody knows.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Incident, Similar};

/// What somebody said of when it works again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// When they said so.
    pub at: Timestamp,
    /// When it is to work again; `None`: they say that nobody knows.
    pub recovered_at: Option<Timestamp>,
    /// Who.
    pub by: String,
}

/// When an incident is thought to be over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// Nobody knows yet.
    Unknown,
    /// Somebody said so.
    Stated {
        /// By then.
        by_when: Timestamp,
    },
    /// Somebody said so, and it has passed.
    Passed {
        /// It was to be by then.
        by_when: Timestamp,
    },
    /// Earlier incidents of the same sort lasted so long.
    Likely {
        /// By then, if this one is like them.
        by_when: Timestamp,
        /// Half of them lasted no longer, in seconds.
        median_s: i64,
        /// How many they are.
        of: usize,
    },
    /// It lasts longer than those did.
    Longer {
        /// Half of them lasted no longer, in seconds.
        median_s: i64,
        /// How many they are.
        of: usize,
    },
}

impl Incident {
    /// When it is thought to be over, as known at `now`.
    pub fn expected(&self, now: Timestamp) -> Expected {
        if let Some(estimate) = &self.estimate {
            return match estimate.recovered_at {
                Some(by_when) if by_when > now => Expected::Stated { by_when },
                Some(by_when) => Expected::Passed { by_when },
                None => Expected::Unknown,
            };
        }
        let Some((median_s, of)) = median(&self.similar) else { return Expected::Unknown };
        let by_when = self.began_at.saturating_add(SignedDuration::from_secs(median_s));
        match by_when {
            Ok(by_when) if by_when > now => Expected::Likely { by_when, median_s, of },
            _ => Expected::Longer { median_s, of },
        }
    }
}

/// How long those lasted that are over: the middle one, and how many they are.
fn median(similar: &[Similar]) -> Option<(i64, usize)> {
    let mut all: Vec<i64> = similar.iter().filter_map(|it| it.lasted_s).collect();
    all.sort_unstable();
    let median = *all.get(all.len().checked_sub(1)? / 2)?;
    Some((median, all.len()))
}

#[cfg(test)]
mod tests {
    use super::super::sample::{hour, incident};
    use super::*;

    fn similar(lasted_h: &[Option<i64>]) -> Vec<Similar> {
        let of = |(number, lasted): (u64, &Option<i64>)| Similar {
            number,
            opened_at: hour(1),
            lasted_s: lasted.map(|hours| hours * 3_600),
            note: String::new(),
        };
        (1..).zip(lasted_h).map(of).collect()
    }

    #[test]
    fn what_somebody_said_goes_before_what_earlier_ones_lasted() {
        let mut it = incident(9, 100, None);
        assert_eq!(it.expected(hour(101)), Expected::Unknown);
        it.similar = similar(&[Some(4), None, Some(1), Some(2)]);
        let (median_s, of) = (2 * 3_600, 3);
        let likely = Expected::Likely { by_when: hour(102), median_s, of };
        assert_eq!(it.expected(hour(101)), likely);
        assert_eq!(it.expected(hour(102)), Expected::Longer { median_s, of });
        let said = |recovered_at| Estimate { at: hour(101), recovered_at, by: "ann".into() };
        for (recovered_at, expected) in [
            (Some(hour(105)), Expected::Stated { by_when: hour(105) }),
            (Some(hour(102)), Expected::Passed { by_when: hour(102) }),
            (None, Expected::Unknown),
        ] {
            it.estimate = Some(said(recovered_at));
            assert_eq!(it.expected(hour(102)), expected);
        }
        it.estimate = None;
        it.similar = similar(&[None]);
        assert_eq!(it.expected(hour(101)), Expected::Unknown);
    }
}
