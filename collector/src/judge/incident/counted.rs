//! Objectives about incidents: how many of those that were opened in a time count for one, against it, or not yet.
//!
//! Absent on purpose: which objectives there are.

use std::ops::Range;

use jiff::{SignedDuration, Timestamp};
use mailsonde_proto::WallTime;

use super::Incident;
use crate::judge::definition::{Objective, Share, Sli};
use crate::judge::objective::{Reached, Tallied};

/// Counts incidents that were opened in a time, as known at `now`; another indicator than one about incidents counts
/// none.
///
/// Of [`Sli::Resolution`] those are good that were mended in time, and one is unknown as long as it still may be. Of
/// [`Sli::Security`] those are good that are not about security.
pub fn counted<'i>(
    incidents: impl IntoIterator<Item = &'i Incident>,
    sli: Sli,
    range: &Range<WallTime>,
    now: Timestamp,
) -> Tallied {
    let mut tallied = Tallied::default();
    let is_opened = |it: &&Incident| it.counts() && range.contains(&WallTime::from(it.opened_at));
    for incident in incidents.into_iter().filter(is_opened) {
        let place = match sli {
            Sli::Resolution { within_s } => {
                let limit = SignedDuration::from_secs(i64::try_from(within_s).unwrap_or(i64::MAX));
                let is_within = |at: Timestamp| at.duration_since(incident.opened_at) <= limit;
                match incident.resolved_at {
                    Some(at) if is_within(at) => &mut tallied.good,
                    None if is_within(now) => &mut tallied.unknown,
                    _ => &mut tallied.bad,
                }
            }
            Sli::Security if incident.is_security => &mut tallied.bad,
            Sli::Security => &mut tallied.good,
            Sli::Uptime | Sli::Delivery | Sli::Success | Sli::Latency { .. } => continue,
        };
        *place += 1;
    }
    tallied
}

/// What counts say of an objective. Where there was no incident, none was too late, and none about security.
pub fn reached(objective: &Objective, tallied: &Tallied) -> Reached {
    if tallied.all() == 0 { Reached::Met } else { tallied.reached(good_share(objective)) }
}

/// The share that must be good: the target of [`Sli::Security`] is the share that need not be.
pub fn good_share(objective: &Objective) -> Share {
    match objective.sli {
        Sli::Security => Share::from_ppm(Share::ALL.ppm().saturating_sub(objective.target.ppm())),
        _ => objective.target,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::super::sample::{hour, incident};
    use super::*;

    #[test]
    fn what_was_opened_in_the_window_counts() {
        let all = [
            incident(1, 99, Some(100)), // before it
            incident(2, 100, Some(124)),
            incident(3, 110, Some(135)), // an hour too late
            incident(4, 170, None),      // may still be in time
            incident(5, 150, None),      // cannot any more
            Incident { is_security: true, ..incident(6, 120, Some(121)) },
            Incident { merged_into: Some(2), ..incident(7, 120, None) },
            Incident { kind: Kind::Silence, ..incident(8, 120, None) },
            incident(9, 200, Some(201)), // behind it
        ];
        let range = WallTime::from(hour(100))..WallTime::from(hour(200));
        let figures = |sli| {
            let Tallied { good, bad, unknown } = counted(&all, sli, &range, hour(180));
            [good, bad, unknown]
        };
        assert_eq!(figures(Sli::Resolution { within_s: 24 * 3_600 }), [2, 2, 1]);
        assert_eq!(figures(Sli::Resolution { within_s: 48 * 3_600 }), [3, 0, 2]);
        assert_eq!(figures(Sli::Security), [4, 1, 0]);
        assert_eq!(figures(Sli::Uptime), [0, 0, 0]);
    }

    #[test]
    fn a_target_of_security_is_the_most_that_may_be() {
        let [_, _, security] = <[Objective; 3]>::try_from(Objective::of_incidents()).unwrap();
        let of = |good, bad| reached(&security, &Tallied { good, bad, unknown: 0 });
        assert_eq!(of(0, 0), Reached::Met);
        assert_eq!(of(99, 1), Reached::Met);
        assert_eq!(of(98, 1), Reached::Missed);
    }
}
