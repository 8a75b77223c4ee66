//! How fast observations fold into figures, and what those take on the disk and in memory.
//!
//! `cargo bench -p mailsonde-collector --bench rollups -- [SERIES] [DAYS]`: a burst of many observations a
//! second in few series, then SERIES checks every minute for DAYS days, committed by the second and
//! maintained by the minute, with nine phases each that vary by 20 %.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "a program that prints figures"
)]

use std::path::Path;
use std::time::Duration;

use mailsonde_collector::judge::fold::{Fold, Folded};
use mailsonde_collector::period::Resolution;
use mailsonde_collector::rollups::{Cursors, Rollups};
use mailsonde_collector::series::PhaseId;
use mailsonde_collector::store::Extent;
use mailsonde_proto::{
    AgentId, Cause, Clock, Observation, Phase, SettingsDigest, Verdict, WallTime,
};

const PHASES: [&str; 9] =
    ["resolve", "connect", "tls", "greeting", "auth", "envelope", "data", "transit", "arrival"];
const BEGIN: WallTime = WallTime::from_s(1_793_484_000);
const LEDGER: Extent = Extent { first: 0, next: u64::MAX, control_next: 0 };

fn main() {
    let numbers: Vec<u32> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    burst();
    year(numbers.first().copied().unwrap_or(100), numbers.get(1).copied().unwrap_or(2));
}

/// 100 agents, 600,000 observations of one minute: gathered in memory, then committed.
fn burst() {
    let clock = Clock::system();
    let mut noise = Noise(7);
    let observations: Vec<Observation> =
        (0..20_000).map(|n| noise.observation(BEGIN.plus(Duration::from_millis(n * 3)))).collect();
    let mut fold = Fold::default();
    let start = clock.monotonic();
    for round in 0..30_u8 {
        for (n, observation) in observations.iter().enumerate() {
            let agent = AgentId([(n % 100) as u8 ^ round & 1; 16]);
            fold.observe(Folded { sequence: 0, received_at: BEGIN, agent, observation });
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("burst: {:.0} observations/s gathered", 600_000.0 / seconds);

    let folder = tempfile::tempdir().unwrap();
    let (mut rollups, _) = Rollups::open(folder.path(), LEDGER, BEGIN).unwrap();
    let start = clock.monotonic();
    let mut commits = 0;
    for round in 0..30_u64 {
        for (n, observation) in observations.iter().enumerate() {
            let agent = AgentId([(n % 100) as u8; 16]);
            rollups.observe(Folded { sequence: round, received_at: BEGIN, agent, observation });
        }
        rollups.advance(Cursors { next: round + 1, control_next: 0 });
        if round % 10 == 9 {
            rollups.commit().unwrap();
            commits += 1;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("burst: {:.0} observations/s with {commits} commits", 600_000.0 / seconds);
}

/// As an organisation has it.
fn year(series: u32, days: u32) {
    let clock = Clock::system();
    let folder = tempfile::tempdir().unwrap();
    let (mut rollups, _) = Rollups::open(folder.path(), LEDGER, BEGIN).unwrap();
    let mut noise = Noise(11);
    let mut busy = [Duration::ZERO; 3];
    let minutes = days * 1_440;
    for minute in 0..minutes {
        let now = BEGIN.plus(Duration::from_secs(60) * minute);
        let observations: Vec<Observation> = (0..series).map(|_| noise.observation(now)).collect();
        let start = clock.monotonic();
        for (n, observation) in (0_u32..).zip(&observations) {
            let mut agent = AgentId::default();
            agent.0[..4].copy_from_slice(&n.to_be_bytes());
            rollups.observe(Folded {
                sequence: minute.into(),
                received_at: now,
                agent,
                observation,
            });
        }
        busy[0] += start.elapsed();
        let start = clock.monotonic();
        rollups.advance(Cursors { next: u64::from(minute) + 1, control_next: 0 });
        rollups.commit().unwrap();
        busy[1] += start.elapsed();
        let start = clock.monotonic();
        rollups.maintain(LEDGER, now).unwrap();
        busy[2] += start.elapsed();
    }
    let total = f64::from(series) * f64::from(minutes);
    let all: Duration = busy.iter().sum();
    println!("year: {total:.0} observations, {:.0}/s in all", total / all.as_secs_f64());
    println!("year: gathered, committed, maintained in {busy:.1?}");
    let size = |path: &str| size_of(&folder.path().join(path)) as f64 / 1e6;
    println!("year: sled {:.1} MB, snapshots {:.1} MB", size("sled"), size("snapshots"));
    let cells = total * 10.0;
    for (resolution, per) in
        [(Resolution::Minute, 1.0), (Resolution::Hour, 60.0), (Resolution::Day, 1_440.0)]
    {
        let bytes = size(&format!("sealed/{}", resolution.folder())) * 1e6;
        println!(
            "year: {} {:.1} MB, {:.2} bytes a cell",
            resolution.folder(),
            bytes / 1e6,
            bytes * per / cells
        );
    }
    println!("year: {} MiB resident", resident_mib());
    ask(&rollups, BEGIN.plus(Duration::from_secs(60) * minutes));
    let start = clock.monotonic();
    drop(rollups);
    let (rollups, recovered) = Rollups::open(folder.path(), LEDGER, BEGIN).unwrap();
    println!(
        "year: opened again in {:.0?}, {recovered:?}, next {}",
        start.elapsed(),
        rollups.cursors().next
    );
}

fn ask(rollups: &Rollups, now: WallTime) {
    let clock = Clock::system();
    let reader = rollups.reader();
    let times = |name: &str, ask: &mut dyn FnMut() -> usize| {
        let start = clock.monotonic();
        let count = ask();
        println!("ask: {name}: {count} in {:.1?}", start.elapsed());
    };
    times("states", &mut || reader.states().unwrap().len());
    times("pace, first in an hour", &mut || reader.pace(now).unwrap().len());
    times("pace, again", &mut || reader.pace(now).unwrap().len());
    let month = BEGIN..now;
    times("days of all", &mut || {
        reader.sums(PhaseId::TOTAL, Resolution::Day, &month).unwrap().len()
    });
    times("hours of all", &mut || {
        reader.sums(PhaseId::TOTAL, Resolution::Hour, &month).unwrap().len()
    });
    let series = *reader.series().unwrap().keys().next().unwrap();
    let one = (series, PhaseId::of("connect"));
    times("hours of one phase", &mut || reader.cells(one, Resolution::Hour, &month).unwrap().len());
    times("minutes of one phase", &mut || {
        reader.cells(one, Resolution::Minute, &month).unwrap().len()
    });
}

fn size_of(path: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else {
        return path.metadata().map_or(0, |m| m.len());
    };
    entries.map(|entry| size_of(&entry.unwrap().path())).sum()
}

fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_024
}

/// Pseudo-random, the same every time.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Around `middle`, with a standard deviation of 20 %, never below half of it.
    fn around(&mut self, middle: i64) -> i64 {
        let sum: i64 = (0..12).map(|_| (self.next() % 1_000) as i64).sum();
        (middle * (1_000 + (sum - 6_000) / 5) / 1_000).max(middle / 2)
    }

    fn observation(&mut self, slot: WallTime) -> Observation {
        let phases: Vec<Phase> = PHASES
            .iter()
            .zip([300, 450, 9_000, 2_000, 15_000, 3_000, 20_000, 1_200_000, 1_400_000])
            .map(|(name, middle)| Phase {
                name: (*name).into(),
                start_us: 0,
                duration_us: self.around(middle),
                uncertainty_us: 0,
            })
            .collect();
        Observation {
            intent: 1,
            check: "mail".into(),
            kind: "round-trip".into(),
            scheduled_for: slot,
            started_at: slot,
            clock_error_us: None,
            cause: Cause::Scheduled,
            settings_digest: SettingsDigest::default(),
            amends: None,
            verdict: Verdict::Pass,
            total_us: phases.iter().map(|phase| phase.duration_us.unsigned_abs()).sum(),
            phases,
            facts: Vec::new(),
            findings: Vec::new(),
            transcript: String::new(),
        }
    }
}
