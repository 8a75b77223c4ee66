//! What an agreement leaves out, what it owes, and by which reason.
//!
//! A minute is left out when any part of it lies in excluded time, and a run with the minute it was scheduled in. Where
//! excluded time was noted so late that the minutes of an hour are gone, runs are left out by whole hours (UTC). Each
//! excluded minute is told once, with the reason that came first; only minutes that were measured count. Credits are
//! owed for what is certain: by the upper bound of the interval.

use std::time::Duration;

use mailsonde_proto::WallTime;

use super::definition::{Agreement, Credit, Sli};
use super::objective::Tallied;
pub use super::planned::Excluded;
use super::window::Stretches;

const HOUR: Duration = Duration::from_secs(3_600);

/// What excluded time takes out of a figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Which; its ends are those of the minutes.
    pub excluded: Excluded,
    /// Those of its minutes that no other one before it took: one stretch, or none.
    pub stretches: Stretches,
}

/// What is left out of an agreement, in order, each minute once; what leaves nothing out is told too.
pub fn left_out(agreement: &Agreement, excluded: &[Excluded]) -> Vec<LeftOut> {
    let mut wanted: Vec<&Excluded> =
        excluded.iter().filter(|each| agreement.excludes.contains(&each.kind)).collect();
    wanted.sort_by_key(|each| (each.from, each.kind, each.number));
    let mut taken = Stretches::default();
    let mut found = Vec::new();
    for each in wanted {
        let minutes = Stretches::minutes_touched(std::iter::once(each.from..each.until));
        let minutes = match agreement.sli {
            Sli::Uptime => minutes,
            _ => of_runs(each, &minutes),
        };
        let own = minutes.without(&taken);
        taken = Stretches::of(taken.iter().chain(own.iter()));
        if own.is_empty() {
            found.push(LeftOut { excluded: each.clone(), stretches: own.clone() });
        }
        found.extend(own.iter().map(|stretch| {
            let (from, until) = (minute(stretch.start), minute(stretch.end));
            let stretches = Stretches::of(std::iter::once(stretch));
            LeftOut { excluded: Excluded { from, until, ..each.clone() }, stretches }
        }));
    }
    found
}

/// Its minutes without those of hours of which the minutes are gone.
fn of_runs(excluded: &Excluded, minutes: &Stretches) -> Stretches {
    let (_, parts) = minutes.to_hours();
    let is_gone = |hour: &u32| {
        let begin = minute(hour.saturating_mul(60));
        !excluded.has_minutes_of(&(begin..begin.plus(HOUR)))
    };
    let gone = parts.iter().flatten().filter(is_gone).map(|hour| hour..hour.saturating_add(1));
    minutes.without(&Stretches::of(gone).to_minutes())
}

/// The begin of a minute that is counted from 1970-01-01 UTC.
fn minute(number: u32) -> WallTime {
    WallTime::from_s(i64::from(number).saturating_mul(60))
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
        let noted_at = WallTime::default();
        Excluded { from, until, kind, reason: format!("reason {number}"), number, noted_at }
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
        // a minute of which a part is excluded is
        let all = [excluded(1_830, 2 * 3_600 + 30, Exclusion::Maintenance, 1)];
        for (sli, noted_s, minutes) in [
            (Sli::Uptime, 0, 91),
            (Sli::Delivery, 0, 91),
            // noted when minutes are gone: runs are left out by whole hours
            (Sli::Uptime, 9 * 86_400, 91),
            (Sli::Delivery, 9 * 86_400, 60),
        ] {
            let late = Excluded { noted_at: WallTime::from_s(noted_s), ..all[0].clone() };
            let found = left_out(&agreement(sli), &[late]);
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].stretches.count(), minutes, "{sli:?} {noted_s}");
        }
        // two that leave a gap are two lines, and so are the parts around one that came before
        let around = [
            excluded(600, 1_200, Exclusion::Maintenance, 1),
            excluded(600, 660, Exclusion::CustomerFault, 2),
        ];
        let both = Agreement {
            excludes: [Exclusion::Maintenance, Exclusion::CustomerFault].into(),
            ..agreement(Sli::Uptime)
        };
        let found = left_out(&both, &around);
        let told: Vec<_> = (found.iter())
            .map(|out| (out.excluded.number, out.excluded.from, out.stretches.count()))
            .collect();
        assert_eq!(told, [(1, WallTime::from_s(600), 10), (2, WallTime::from_s(600), 0)]);
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
