//! What is told of checks at vantage points, in bounds.

use std::collections::{BTreeMap, HashMap};

use super::{Form, Kind, Labels, Reading, from_us, number, seconds};
use crate::query::State as CheckState;
use crate::series::SeriesId;
use crate::tally::{BOUNDS_US, Counted};

/// Bytes of what is told of series at most, without histograms: as text, which is the largest form.
const SERIES_BYTES: usize = 1_536 * 1_024;
/// Bytes of histograms of series at most; beyond, those of a check are one.
const HISTOGRAM_BYTES: usize = 2_560 * 1_024;
/// Bytes that a sample of a series takes beside its names, its own name included.
const SAMPLE_BYTES: usize = 90;
/// Samples of a series, without its histogram.
const SERIES_SAMPLES: usize = 11;

/// A check at a vantage point.
struct Row<'r> {
    vantage_point: &'r str,
    check: &'r crate::query::CheckStatus,
    counted: Option<&'r Counted>,
}

impl Row<'_> {
    fn labels(&self) -> [(&str, &str); 2] {
        [("vantage_point", self.vantage_point), ("check", &self.check.check)]
    }

    /// Bytes that a sample of it takes.
    fn bytes(&self) -> usize {
        SAMPLE_BYTES + self.vantage_point.len() + self.check.check.len()
    }
}

pub(super) fn tell(form: &mut impl Form, reading: &Reading) {
    let identities: HashMap<&str, mailsonde_proto::AgentId> = reading
        .agents
        .agents
        .iter()
        .filter_map(|agent| Some((&*agent.name, agent.agent_id.parse().ok()?)))
        .collect();
    let (_, counted, runs_left_out) = &reading.counted;
    let mut rows = Vec::new();
    for vantage in &reading.status.vantage_points {
        let agent = identities.get(&*vantage.name);
        for check in &vantage.checks {
            let id = agent.map(|agent| SeriesId::of(*agent, &check.check));
            let counted = id.and_then(|id| counted.get(&id));
            rows.push(Row { vantage_point: &vantage.name, check, counted });
        }
    }
    let mut room = SERIES_BYTES;
    let shown = rows.iter().take_while(|row| {
        let needed = row.bytes() * SERIES_SAMPLES;
        room.checked_sub(needed).inspect(|left| room = *left).is_some()
    });
    let shown = shown.count();
    let (shown, left_out) = rows.split_at_checked(shown).unwrap_or((&rows, &[]));
    form.family(
        Kind::Gauge,
        "mailsonde_series_left_out",
        "Checks at vantage points that are not told of one by one, because there are too many.",
    );
    form.gauge(&[], number(u64::try_from(left_out.len()).unwrap_or(u64::MAX)));
    form.family(
        Kind::Counter,
        "mailsonde_uncounted_runs",
        "Runs of series beyond those that are counted.",
    );
    form.counter(&[], *runs_left_out);
    states(form, shown);
    vantage_points(form, &rows);
    runs(form, shown);
    round_trips(form, &rows);
}

fn states(form: &mut impl Form, rows: &[Row<'_>]) {
    type Figure = fn(&crate::query::CheckStatus) -> Option<f64>;
    let figures: [(&str, &str, Figure); 4] = [
        (
            "mailsonde_check_up",
            "1 where the check passes; 0 where it fails and where nobody knows.",
            |check| Some(f64::from(u8::from(check.state == CheckState::Up))),
        ),
        (
            "mailsonde_check_known",
            "Whether it is known how the check is: 0 where it is late or unknown.",
            |check| {
                let is_known = matches!(check.state, CheckState::Up | CheckState::Failing);
                Some(f64::from(u8::from(is_known)))
            },
        ),
        (
            "mailsonde_check_last_round_trip_seconds",
            "How long the last run that passed took.",
            |check| check.last_round_trip_us.map(from_us),
        ),
        ("mailsonde_check_last_run_timestamp_seconds", "The slot of the last run.", |check| {
            check.last_run_at.map(seconds)
        }),
    ];
    for (name, help, figure) in figures {
        form.family(Kind::Gauge, name, help);
        for row in rows {
            form.gauge(&row.labels(), figure(row.check));
        }
    }
}

/// How many vantage points of each check are in which state: of all, however many there are.
fn vantage_points(form: &mut impl Form, rows: &[Row<'_>]) {
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for row in rows {
        for state in [CheckState::Up, CheckState::Failing, CheckState::Late, CheckState::Unknown] {
            let count = counts.entry((&row.check.check, state.as_str())).or_default();
            *count += u64::from(row.check.state == state);
        }
    }
    let name = "mailsonde_check_vantage_points";
    form.family(Kind::Gauge, name, "Vantage points from which a check is in a state.");
    for ((check, state), count) in counts {
        form.gauge(&[("check", check), ("state", state)], number(count));
    }
}

fn runs(form: &mut impl Form, rows: &[Row<'_>]) {
    form.family(
        Kind::Counter,
        "mailsonde_runs",
        "Scheduled runs since the collector's start, by verdict; void is neither up nor down.",
    );
    for row in rows {
        let Some(counted) = row.counted else { continue };
        let [one, other] = row.labels();
        let verdicts = [("pass", counted.passed), ("fail", counted.failed), ("void", counted.void)];
        for (verdict, count) in verdicts {
            form.counter(&[one, other, ("verdict", verdict)], count);
        }
    }
}

fn round_trips(form: &mut impl Form, rows: &[Row<'_>]) {
    form.family(
        Kind::Histogram,
        "mailsonde_round_trip_seconds",
        "How long scheduled runs that passed took, since the collector's start.",
    );
    let samples = BOUNDS_US.len() + 4;
    let needed: usize = rows.iter().map(|row| row.bytes() * samples).sum();
    if needed <= HISTOGRAM_BYTES {
        for row in rows {
            if let Some(counted) = row.counted {
                histogram(form, &row.labels(), counted);
            }
        }
        return;
    }
    // all vantage points of a check together
    let mut checks: BTreeMap<&str, Counted> = BTreeMap::new();
    for row in rows {
        if let Some(counted) = row.counted {
            checks.entry(&row.check.check).or_default().merge(counted);
        }
    }
    let mut room = HISTOGRAM_BYTES;
    for (check, counted) in checks {
        let Some(left) = room.checked_sub((SAMPLE_BYTES + check.len()) * samples) else { break };
        room = left;
        histogram(form, &[("vantage_point", ""), ("check", check)], &counted);
    }
}

fn histogram(form: &mut impl Form, labels: Labels<'_>, counted: &Counted) {
    let bounds = BOUNDS_US.iter().map(|bound_us| from_us(*bound_us));
    let within: Vec<_> = bounds.zip(counted.within).collect();
    form.histogram(labels, &within, (counted.passed, from_us(counted.sum_us)));
}
