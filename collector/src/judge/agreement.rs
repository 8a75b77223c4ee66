//! What an agreement leaves out, what it owes, and by which reason.
//!
//! A minute is left out when its first moment lies in excluded time; a run, when the whole hour (UTC) it was scheduled
//! in does. Each excluded minute is told once, with the reason that came first; only minutes that were measured
//! count. Credits are owed for what is certain: by the upper bound of the interval.

use std::ops::Range;

use mailsonde_proto::WallTime;

use super::definition::{Agreement, Credit, Sli};
use super::objective::Tallied;
pub use super::planned::Excluded;
use super::window::Stretches;

/// What excluded time takes out of a figure: hours for runs, minutes else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Which.
    pub excluded: Excluded,
    /// Those of its minutes or hours that no other one before it took.
    pub stretches: Stretches,
}

/// What is left out of an agreement, in order, each minute or hour once.
pub fn left_out(agreement: &Agreement, excluded: &[Excluded]) -> Vec<LeftOut> {
    let mut wanted: Vec<&Excluded> =
        excluded.iter().filter(|each| agreement.excludes.contains(&each.kind)).collect();
    wanted.sort_by_key(|each| (each.from, each.kind, each.number));
    let mut taken = Stretches::default();
    let mut found = Vec::new();
    for each in wanted {
        let time: Range<WallTime> = each.from..each.until;
        let stretches = match agreement.sli {
            Sli::Uptime => Stretches::minutes([time]),
            _ => Stretches::whole_hours([time]),
        };
        let own = stretches.without(&taken);
        taken = Stretches::of(taken.iter().chain(own.iter()));
        found.push(LeftOut { excluded: each.clone(), stretches: own });
    }
    found
}

/// What is owed: the step of the table that what was reached lies below, for certain, and at the worst.
pub fn credits(agreement: &Agreement, tallied: &Tallied) -> (Option<Credit>, Option<Credit>) {
    let all = tallied.all();
    // the highest bound comes first: the last that it lies below is the one
    let step = |good: u64| {
        let below = agreement.credits.iter().filter(|step| !step.below.is_reached_by(good, all));
        below.min_by_key(|step| step.below).copied()
    };
    (step(tallied.good.saturating_add(tallied.unknown)), step(tallied.good))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::definition::{Exclusion, Share, Window};

    fn agreement(sli: Sli) -> Agreement {
        let step = |below, credit| Credit {
            below: Share::from_ppm(below),
            credit: Share::from_ppm(credit),
        };
        Agreement {
            name: "gold".into(),
            customer: String::new(),
            sli,
            target: Share::from_ppm(999_000),
            window: Window::Month,
            in_hours: false,
            excludes: [Exclusion::Maintenance].into(),
            credits: vec![step(999_000, 100_000), step(990_000, 250_000)],
        }
    }

    fn excluded(from_s: i64, until_s: i64, kind: Exclusion, number: u64) -> Excluded {
        let (from, until) = (WallTime::from_s(from_s), WallTime::from_s(until_s));
        Excluded { from, until, kind, reason: format!("reason {number}"), number }
    }

    #[test]
    fn every_minute_is_left_out_once_and_for_one_reason() {
        let all = [
            excluded(600, 1_200, Exclusion::Maintenance, 2),
            excluded(0, 900, Exclusion::Maintenance, 1),
            excluded(0, 90_000, Exclusion::CustomerFault, 3),
            excluded(1_190, 1_200, Exclusion::Maintenance, 4),
        ];
        let found = left_out(&agreement(Sli::Uptime), &all);
        let counts: Vec<_> =
            found.iter().map(|out| (out.excluded.number, out.stretches.count())).collect();
        assert_eq!(counts, [(1, 15), (2, 5), (4, 0)]);
        // runs are left out by whole hours
        let all = [excluded(1_800, 2 * 3_600 + 60, Exclusion::Maintenance, 1)];
        let found = left_out(&agreement(Sli::Delivery), &all);
        assert_eq!(found.iter().map(|out| out.stretches.count()).sum::<u64>(), 1);
    }

    #[test]
    fn credits_are_owed_by_what_is_certain() {
        for (good, bad, unknown, owed, worst) in [
            (1_000, 0, 0, None, None),
            (998, 2, 0, Some(100_000), Some(100_000)),
            (980, 20, 0, Some(250_000), Some(250_000)),
            (980, 0, 20, None, Some(250_000)),
            (985, 5, 10, Some(100_000), Some(250_000)),
            (0, 0, 0, None, None),
        ] {
            let tallied = Tallied { good, bad, unknown };
            let (found, at_worst) = credits(&agreement(Sli::Uptime), &tallied);
            let ppm = |step: Option<Credit>| step.map(|step| step.credit.ppm());
            assert_eq!((ppm(found), ppm(at_worst)), (owed, worst), "{tallied:?}");
        }
    }
}
