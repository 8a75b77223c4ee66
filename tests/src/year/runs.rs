//! What a run of each kind is: its phases, how long they take, and how its failures read.

use std::collections::HashMap;

use mailsonde_collector::judge::rollup::Cell;
use mailsonde_collector::judge::sketch::Sketch;
use mailsonde_collector::series::PhaseId;
use mailsonde_proto::{Fault, FaultClass, Verdict, VoidReason};

use super::plan::{Ended, Plan, Series, low, mixed, wide};

/// A kind of checks.
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// Its phases, and how long each takes, in microseconds.
    pub(super) phases: &'static [(&'static str, u32)],
}

/// The kinds that there are.
pub(super) const KINDS: [Kind; 7] = [
    Kind {
        name: "round-trip",
        phases: &[
            ("resolve", 1_200),
            ("connect", 9_000),
            ("tls", 21_000),
            ("greeting", 15_000),
            ("auth", 18_000),
            ("envelope", 24_000),
            ("data", 41_000),
            ("transit", 320_000),
            ("arrival", 900_000),
        ],
    },
    Kind {
        name: "smtp",
        phases: &[
            ("resolve", 1_200),
            ("connect", 9_000),
            ("tls", 21_000),
            ("greeting", 15_000),
            ("auth", 18_000),
        ],
    },
    Kind {
        name: "imap",
        phases: &[
            ("resolve", 1_200),
            ("connect", 9_000),
            ("tls", 21_000),
            ("greeting", 4_000),
            ("auth", 12_000),
            ("select", 7_000),
        ],
    },
    Kind {
        name: "pop3",
        phases: &[
            ("resolve", 1_200),
            ("connect", 9_000),
            ("tls", 21_000),
            ("greeting", 4_000),
            ("auth", 12_000),
        ],
    },
    Kind { name: "dns", phases: &[("resolve", 14_000)] },
    Kind { name: "tls", phases: &[("resolve", 1_200), ("connect", 9_000), ("tls", 21_000)] },
    Kind {
        name: "http",
        phases: &[("resolve", 1_200), ("connect", 9_000), ("tls", 21_000), ("response", 85_000)],
    },
];

/// How fast vantage points are, from near to far.
const LEVELS: u64 = 8;
/// Hours that are different from each other, of each kind and level.
const VARIANTS: u64 = 64;
const HOUR: usize = 60;

impl Plan {
    /// How long each phase of the run of a minute took, in microseconds; those of all add up to its whole.
    pub(super) fn took(&self, at: usize, minute: u32) -> impl Iterator<Item = (&'static str, u32)> {
        let kind = self.series.get(at).map_or(0, |series| series.kind);
        took(kind, self.level(at), mixed(self.seed, [10, wide(at), minute.into()]))
    }

    fn level(&self, at: usize) -> u64 {
        let agent = self.series.get(at).map_or(0, |series| series.agent);
        mixed(self.seed, [11, wide(agent), 0]) % LEVELS
    }

    /// How the run of a minute ended; `None` where nothing came.
    pub(super) fn verdict(series: &Series, ended: Ended) -> Option<Verdict> {
        let phases = KINDS.get(series.kind).map(|kind| kind.phases).unwrap_or_default();
        let last = phases.last().map_or("connect", |(name, _)| *name);
        Some(match ended {
            Ended::Pass => Verdict::Pass,
            Ended::Fail => {
                Verdict::Fail(Fault::new(last, FaultClass::Temporary, "try again later"))
            }
            Ended::Down => Verdict::Fail(Fault::new("connect", FaultClass::Timeout, "no answer")),
            Ended::Void => Verdict::void(VoidReason::LocalNetwork, "no route to the gateway"),
            Ended::Missing => return None,
        })
    }

    /// The cells of one minute, by phase; `None` where nothing came.
    pub(super) fn minute(&self, at: usize, minute: u32) -> Option<Vec<(PhaseId, Cell)>> {
        let series = self.series.get(at)?;
        let mut total = Cell::default();
        let ended = series.at(minute);
        total.counts.add(&Self::verdict(series, ended)?);
        let mut cells = Vec::new();
        if ended == Ended::Pass {
            let mut whole_us = 0_i64;
            for (phase, took_us) in self.took(at, minute) {
                whole_us += i64::from(took_us);
                let mut cell = Cell::default();
                cell.latency.add(took_us.into());
                cells.push((PhaseId::of(phase), cell));
            }
            total.latency.add(whole_us);
        }
        cells.push((PhaseId::TOTAL, total));
        Some(cells)
    }
}

fn took(kind: usize, level: u64, draw: u64) -> impl Iterator<Item = (&'static str, u32)> {
    let phases = KINDS.get(kind).map(|kind| kind.phases).unwrap_or_default();
    let far = 80 + low(level) * 15; // in hundredths
    phases.iter().zip(0_u64..).map(move |((name, base_us), number)| {
        let draw = mixed(draw, [number, 0, 0]);
        // two dice: what is in the middle is frequent; one of forty takes twice as long
        let spread = 80 + low(draw) % 21 + low(draw >> 16) % 21;
        let slow = if (draw >> 48).is_multiple_of(40) { 2 } else { 1 };
        (*name, base_us / 100 * far / 100 * spread * slow)
    })
}

/// Hours of runs that passed, counted once and used often.
#[derive(Default)]
pub(super) struct Hours(HashMap<Hour, Vec<(PhaseId, Sketch)>>);

/// Its kind, its level, its variant, and how many runs passed in it.
type Hour = (usize, u64, u64, usize);

impl Hours {
    /// The cells of one hour (counted from 1970-01-01 UTC), by phase; none where nothing came.
    pub(super) fn cells(&mut self, plan: &Plan, at: usize, hour: u32) -> Vec<(PhaseId, Cell)> {
        let Some(series) = plan.series.get(at) else { return Vec::new() };
        let mut total = Cell::default();
        let mut passed = HOUR;
        for (range, ended) in series.ended(&(hour * 60..hour * 60 + 60)) {
            passed = passed.saturating_sub(range.len());
            if let Some(verdict) = Plan::verdict(series, ended) {
                range.for_each(|_| total.counts.add(&verdict));
            }
        }
        total.counts.pass = wide(passed);
        let variant = mixed(plan.seed, [12, wide(at), hour.into()]) % VARIANTS;
        let key = (series.kind, plan.level(at), variant, passed);
        let latencies = self.0.entry(key).or_insert_with(|| hour_of(plan.seed, key));
        let mut cells = Vec::with_capacity(latencies.len());
        for (phase, latency) in latencies.iter() {
            if *phase == PhaseId::TOTAL {
                total.latency.clone_from(latency);
            } else {
                cells.push((*phase, Cell { latency: latency.clone(), ..Cell::default() }));
            }
        }
        if total.counts.observed() > 0 {
            cells.push((PhaseId::TOTAL, total));
        }
        cells
    }
}

fn hour_of(seed: u64, (kind, level, variant, passed): Hour) -> Vec<(PhaseId, Sketch)> {
    let mut found: HashMap<PhaseId, Sketch> = HashMap::new();
    for run in 0..passed {
        let draw = mixed(seed, [13, (wide(kind) << 32) | (level << 16) | variant, wide(run)]);
        let mut whole_us = 0_i64;
        for (phase, took_us) in took(kind, level, draw) {
            whole_us += i64::from(took_us);
            found.entry(PhaseId::of(phase)).or_default().add(took_us.into());
        }
        found.entry(PhaseId::TOTAL).or_default().add(whole_us);
    }
    found.into_iter().collect()
}
