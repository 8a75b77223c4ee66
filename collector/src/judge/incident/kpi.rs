//! How well incidents are dealt with: how long until they are noticed, taken on, mended.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Incident;

/// The figures of many incidents. Times are medians and means in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Kpi {
    /// How many were opened.
    pub opened: usize,
    /// How many of these are not mended yet.
    pub unresolved: usize,
    /// How many are about security.
    pub security: usize,
    /// From the first failing slot until it was opened.
    pub to_detect: Times,
    /// From then until somebody took it on.
    pub to_acknowledge: Times,
    /// From the first failing slot until it was mended.
    pub to_resolve: Times,
    /// Mended within 24 hours of being opened.
    pub resolved_in_24h: usize,
    /// Mended within 48 hours.
    pub resolved_in_48h: usize,
    /// Not mended yet, and younger than 24 hours: nobody knows.
    pub undecided_24h: usize,
    /// The same of 48 hours.
    pub undecided_48h: usize,
}

/// Durations in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Times {
    /// Of how many.
    pub count: usize,
    /// The middle one.
    pub median_s: Option<i64>,
    /// The longest.
    pub longest_s: Option<i64>,
}

/// What is to be known of an incident to say how well it was dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dealt {
    /// The first slot that failed.
    pub began_at: Timestamp,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When somebody took it on.
    pub acknowledged_at: Option<Timestamp>,
    /// When it was mended.
    pub resolved_at: Option<Timestamp>,
    /// Whether it is about security.
    pub is_security: bool,
}

/// The figures of incidents that were opened in a time; those of silence are not mail's, and do not count.
pub fn kpi<'i>(incidents: impl IntoIterator<Item = &'i Incident>, now: Timestamp) -> Kpi {
    let counted = incidents.into_iter().filter(|it| it.counts());
    kpi_of(counted.map(Dealt::of), now)
}

/// The same of all of these.
pub fn kpi_of(incidents: impl IntoIterator<Item = Dealt>, now: Timestamp) -> Kpi {
    let mut kpi = Kpi::default();
    let (mut detect, mut acknowledge, mut resolve) = (Vec::new(), Vec::new(), Vec::new());
    for incident in incidents {
        kpi.opened += 1;
        kpi.security += usize::from(incident.is_security);
        detect.push(seconds(incident.began_at, incident.opened_at));
        acknowledge.extend(incident.acknowledged_at.map(|at| seconds(incident.opened_at, at)));
        match incident.resolved_at {
            Some(at) => {
                resolve.push(seconds(incident.began_at, at));
                kpi.resolved_in_24h += usize::from(incident.is_within(at, 24));
                kpi.resolved_in_48h += usize::from(incident.is_within(at, 48));
            }
            None => {
                kpi.unresolved += 1;
                kpi.undecided_24h += usize::from(incident.is_within(now, 24));
                kpi.undecided_48h += usize::from(incident.is_within(now, 48));
            }
        }
    }
    (kpi.to_detect, kpi.to_acknowledge, kpi.to_resolve) =
        (times(detect), times(acknowledge), times(resolve));
    kpi
}

impl Dealt {
    fn of(incident: &Incident) -> Self {
        let Incident { began_at, opened_at, acknowledged_at, resolved_at, is_security, .. } =
            *incident;
        Self { began_at, opened_at, acknowledged_at, resolved_at, is_security }
    }

    fn is_within(&self, at: Timestamp, hours: i64) -> bool {
        at.duration_since(self.opened_at) <= SignedDuration::from_hours(hours)
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).as_secs()
}

fn times(mut all: Vec<i64>) -> Times {
    all.sort_unstable();
    let median_s = all.get(all.len().saturating_sub(1) / 2).copied();
    Times { count: all.len(), median_s, longest_s: all.last().copied() }
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::super::sample::{hour, incident};
    use super::*;

    #[test]
    fn times_and_shares_of_incidents() {
        let taken_on = Incident { acknowledged_at: Some(hour(12)), ..incident(1, 10, Some(15)) };
        let noticed_late = Incident { began_at: hour(10), ..incident(2, 20, Some(60)) };
        let all = [
            taken_on,
            noticed_late,
            Incident { is_security: true, ..incident(3, 90, None) },
            incident(4, 40, None),
            Incident { merged_into: Some(1), ..incident(5, 10, None) },
            Incident { kind: Kind::Silence, ..incident(6, 10, None) },
        ];
        let found = kpi(&all, hour(100));
        let times = |count, median: i64, longest: i64| Times {
            count,
            median_s: Some(median * 3_600),
            longest_s: Some(longest * 3_600),
        };
        let expected = Kpi {
            opened: 4,
            unresolved: 2,
            security: 1,
            to_detect: times(4, 0, 10),
            to_acknowledge: times(1, 2, 2),
            to_resolve: times(2, 5, 50),
            resolved_in_24h: 1,
            resolved_in_48h: 2,
            undecided_24h: 1,
            undecided_48h: 1,
        };
        assert_eq!(found, expected);
        assert_eq!(kpi([], hour(100)), Kpi::default());
    }
}
