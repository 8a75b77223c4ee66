//! A year of 1,000 checks every minute: how long operators wait for `status` and `sla show`, and what the year's views
//! take on disk and in memory.
//!
//! The year is made first (`demo year`), or taken from the folder that YEAR_DATA names; the collector is a process of
//! its own. Each question is asked 20 times, over the collector's socket and by its command line; the bars stand beside
//! the figures. Nothing is connected, and the answers of the collector's start (its first questions) are among the 20.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a benchmark: it stops at the first surprise, and prints"
)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mailsonde_collector::api::path;
use mailsonde_collector::cli::client;
use mailsonde_collector::folder::Folder;
use mailsonde_collector::query::sla::SlaAnswer;
use mailsonde_collector::query::{AgentsAnswer, StatusAnswer};
use mailsonde_proto::time::Instant;
use mailsonde_proto::{Clock, WallTime};
use mailsonde_tests::year::{Size, make};
use serde::de::DeserializeOwned;

const TIMES: usize = 20;
const SIZE: Size = Size { seed: 1, checks: 1_000, days: 365 };
/// Between two questions: what is kept in memory for 5 s is made anew for several of them.
const PAUSE: Duration = Duration::from_millis(400);
const GLANCE: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(60);

const SLA_MS: f64 = 200.0;
const STATUS_MS: f64 = 50.0;
const DISK_MIB: f64 = 2_048.0;
const RESIDENT_MIB: f64 = 300.0;
const MIB: f64 = 1_048_576.0;

fn main() {
    let made = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let data = year_data().unwrap_or_else(|| {
        let data = made.path().join("year");
        let begun = now();
        let said = make(&data, SIZE, Clock::system().wall()).expect("a year");
        println!("made in {:.0} s: {said:?}", begun.elapsed().as_secs_f64());
        data
    });
    let begun = now();
    let collector = Collector::start(&data);
    println!("the collector accepts after {:.2} s", begun.elapsed().as_secs_f64());

    let sla = format!("{}?month={}", path::SLA, last_month());
    let mut holds = vec![
        told(
            "sla show, all services, API",
            &times(|| drop(collector.ask::<SlaAnswer>(&sla))),
            SLA_MS,
        ),
        told(
            "sla show, all services, CLI",
            &times(|| collector.command(&["sla", "show", "--month", &last_month()])),
            SLA_MS,
        ),
        told(
            "status, API",
            &times(|| drop(collector.ask::<StatusAnswer>(path::STATUS))),
            STATUS_MS,
        ),
        told("status, CLI", &times(|| collector.command(&["status"])), STATUS_MS),
    ];
    let disk_mib = size_mib(&Folder::at(&data).views());
    holds.push(bar("views on disk", (disk_mib, DISK_MIB), "MiB"));
    let resident_mib = collector.memory_mib("VmHWM:");
    holds.push(bar("resident at most", (resident_mib, RESIDENT_MIB), "MiB"));
    println!("resident now: {:.0} MiB", collector.memory_mib("VmRSS:"));
    let broken = holds.iter().filter(|holds| !**holds).count();
    println!("{broken} of {} bars do not hold", holds.len());
}

#[allow(clippy::disallowed_methods, reason = "a benchmark's setting, which cargo hands on so")]
fn year_data() -> Option<PathBuf> {
    std::env::var_os("YEAR_DATA").map(PathBuf::from)
}

fn now() -> Instant {
    Clock::system().monotonic()
}

/// The month that is over, by UTC.
fn last_month() -> String {
    let wall: WallTime = Clock::system().wall();
    let today = wall.timestamp().to_zoned(jiff::tz::TimeZone::UTC).date();
    today.first_of_month().yesterday().expect("a day before").strftime("%Y-%m").to_string()
}

fn times(mut ask: impl FnMut()) -> Vec<f64> {
    let mut took: Vec<f64> = Vec::new();
    for _ in 0..TIMES {
        std::thread::sleep(PAUSE);
        let begun = now();
        ask();
        took.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    took.sort_by(f64::total_cmp);
    took
}

fn told(what: &str, took: &[f64], bar_ms: f64) -> bool {
    let (median, worst) = (took[took.len() / 2], took[took.len() - 1]);
    bar(&format!("{what}, median"), (median, bar_ms), "ms");
    bar(&format!("{what}, worst of {TIMES}"), (worst, bar_ms), "ms")
}

fn bar(what: &str, (found, bar): (f64, f64), unit: &str) -> bool {
    let word = if found < bar { "holds" } else { "DOES NOT HOLD" };
    println!("{what:44} {found:>8.1} {unit:3} (bar {bar:.0}): {word}");
    found < bar
}

/// All files below a folder, by their length.
fn size_mib(folder: &Path) -> f64 {
    let mut bytes = 0_u64;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let kind = entry.metadata().unwrap();
            if kind.is_dir() {
                folders.push(entry.path());
            } else {
                bytes += kind.len();
            }
        }
    }
    f64::from(u32::try_from(bytes / 1_024).unwrap()) * 1_024.0 / MIB
}

/// The collector as a process; it ends with this.
struct Collector {
    folder: Folder,
    process: Child,
}

impl Collector {
    fn start(data: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
        command.arg("collector").arg("--data").arg(data).arg("serve").stdin(Stdio::null());
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let collector = Self { folder: Folder::at(data), process };
        let begun = now();
        while collector.try_ask::<AgentsAnswer>(path::AGENTS).is_none() {
            assert!(begun.elapsed() < PATIENCE, "the collector does not answer");
            std::thread::sleep(GLANCE);
        }
        collector
    }

    fn try_ask<T: DeserializeOwned>(&self, path: &str) -> Option<T> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(client::ask(&self.folder, path)).ok().map(|answer| answer.value)
    }

    fn ask<T: DeserializeOwned>(&self, path: &str) -> T {
        self.try_ask(path).expect("an answer")
    }

    fn command(&self, arguments: &[&str]) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
        command.arg("collector").arg("--data").arg(self.folder.path()).args(arguments);
        let ended = command.stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
        assert!(ended.success(), "{arguments:?}");
    }

    /// A line of its status that tells a memory, in MiB.
    fn memory_mib(&self, line: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.unwrap();
        let line = status.lines().find(|told| told.starts_with(line)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1_024.0
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
