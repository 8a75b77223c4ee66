//! Both journals, written as time would have gone by and read by the pipeline: what comes of it in any order, at any
//! pace, after any crash.

mod crashes;
mod drill;
mod month;
mod reviewed;
mod silent;
mod storm;
mod young;

use std::path::Path;

use jiff::Timestamp;
use mailsonde_proto::{AgentId, Check, SettingsDigest};

use super::*;
use crate::control::{Author, Enrolled};
use crate::query::Query;
use crate::query::export::{ExportWanted, Exported};
use crate::query::sla::{AgreementAnswer, SlaWanted};
use crate::registry::Registry;
use crate::reviewing::Reviewing;
use crate::store::ledger::{LedgerOptions, Opened};

const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3_600);
/// 2026-09-28T00:00:00Z.
const BEGIN: WallTime = WallTime::from_s(1_790_553_600);

fn day(days: u32) -> WallTime {
    BEGIN.plus(DAY * days)
}

fn agent(number: u8) -> AgentId {
    AgentId([number; 16])
}

fn check(name: &str, kind: &str, cadence_s: u64, offset_s: u64) -> Check {
    Check {
        name: name.into(),
        kind: kind.into(),
        cadence: Duration::from_secs(cadence_s),
        timeout: Duration::from_secs(45),
        slot_offset: Duration::from_secs(offset_s),
        settings_digest: SettingsDigest::default(),
    }
}

/// A number that is as good as random, from two.
fn mixed(one: u64, other: u64) -> u64 {
    let mixed = (one ^ other.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 17
}

fn author() -> Author {
    Author { who: "test".into(), from: "here".into() }
}

/// An agent at a site, under a name of both; with what it runs, where it says so.
fn enrol(
    control: &ControlJournal,
    from: WallTime,
    (number, site): (u8, &str),
    checks: Option<&[Check]>,
) {
    let enrolled = Enrolled {
        agent: agent(number),
        name: format!("{site}-{number}"),
        labels: [("site".to_owned(), site.to_owned())].into(),
        key_digest: [number; 32],
        token: None,
    };
    control.append(from, Control::Enrolled(enrolled)).unwrap();
    if let Some(checks) = checks {
        let defined = Control::Defined {
            agent: agent(number),
            checks: checks.to_vec(),
            signing_key: None,
            mailboxes: Vec::new(),
        };
        control.append(from, defined).unwrap();
    }
}

/// A ledger at a time of its own.
fn ledger_at(folder: &Path, at: WallTime) -> Opened {
    Ledger::open(folder, LedgerOptions::default(), Clock::starting_at(at)).unwrap()
}

/// Both journals read to their end, with whatever else a pipeline does at other times each time.
struct Judged {
    reader: crate::rollups::Reader,
    query: Query,
}

fn judge(journals: &Path, views: &Path, every: usize) -> Judged {
    opened(journals, views).read_on(every)
}

/// A pipeline of its own that stands where its views do.
struct OpenedPipeline {
    pipeline: Pipeline,
    query: Query,
    reviewing: Reviewing,
    writer: std::thread::JoinHandle<()>,
}

fn opened(journals: &Path, views: &Path) -> OpenedPipeline {
    // what is older is sealed, the rest is not: both are read
    let clock = Clock::starting_at(day(6));
    let (control, _) = ControlJournal::open(&journals.join("control")).unwrap();
    let Opened { ledger, writer, .. } = ledger_at(journals, clock.wall());
    control.go_with(ledger.index().clone());
    let control = Arc::new(control);
    let extent = extent(&ledger, &control);
    let (rollups, _) = Rollups::open(views, extent, clock.wall()).unwrap();
    let registry = Arc::new(Registry::new(control.clone()).unwrap());
    let soon = Clock::starting_at(BEGIN.plus(HOUR));
    let reviewing = Reviewing::new((&registry, &ledger), rollups.reader(), soon);
    let query = Query::new(registry, ledger.clone(), rollups.reader(), clock);
    let pipeline =
        Pipeline::new(rollups, (ledger, control), clock, Arc::default(), Outlets::nowhere())
            .unwrap();
    OpenedPipeline { pipeline, query, reviewing, writer }
}

impl OpenedPipeline {
    /// As after a SIGKILL: what was gathered and not committed is gone.
    fn killed(self) {
        let Self { pipeline, query, reviewing, writer } = self;
        drop((pipeline, query, reviewing));
        writer.join().unwrap();
    }

    fn read_on(self, every: usize) -> Judged {
        let Self { mut pipeline, query, .. } = self;
        let mut count = 0;
        while pipeline.read().unwrap() {
            count += 1;
            if count % every == 0 {
                pipeline.commit().unwrap();
                pipeline.rollups.make_slots(7).unwrap();
            }
            if count % (every * 5) == 0 {
                pipeline.maintain().unwrap();
            }
        }
        pipeline.maintain().unwrap();
        pipeline.rollups.make_all_slots().unwrap();
        Judged { reader: pipeline.rollups.reader(), query }
    }
}

impl Judged {
    fn dump(&self) -> String {
        let mut bytes = Vec::new();
        self.reader.dump(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    fn agreements(&self) -> Vec<AgreementAnswer> {
        let wanted = SlaWanted { month: Some("2026-10".parse().unwrap()), service: None };
        self.query.sla(&wanted).unwrap().agreements
    }

    /// Only services' minutes.
    fn slots(&self) -> String {
        let dump = self.dump();
        dump.lines().filter(|line| line.starts_with("Slots")).collect::<Vec<_>>().join("\n")
    }

    fn export(&self, what: Exported) -> Vec<serde_json::Value> {
        let wanted = ExportWanted { since: day(0).timestamp(), until: day(60).timestamp() };
        let mut lines = Vec::new();
        let each = |line: Vec<u8>| {
            lines.push(serde_json::from_slice(&line).unwrap());
            true
        };
        self.query.export(what, wanted, each).unwrap();
        lines
    }
}

fn assert_same(found: &str, expected: &str, what: &str) {
    if let Some((found, expected)) = found.lines().zip(expected.lines()).find(|(a, b)| a != b) {
        panic!("{what}: found\n{found}\nexpected\n{expected}");
    }
    assert_eq!(found.lines().count(), expected.lines().count(), "{what}");
}
