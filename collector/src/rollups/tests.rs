use crate::judge::fold::Folded;
use std::fs;
use std::path::PathBuf;

use mailsonde_proto::{
    AgentId, Check, Fault, FaultClass, Observation, SettingsDigest, Verdict, VoidReason,
};

mod crash;
mod damage;
mod figures;
mod recent;

use super::*;
use crate::judge::registry::AgentSeen;
use crate::judge::sample::observation;
use crate::series::{PhaseId, SeriesId};

/// Two hours before a month ends: 2026-10-31T22:00:00Z.
const BEGIN: WallTime = WallTime::from_s(1_793_484_000);
const MINUTE: Duration = Duration::from_secs(60);

/// What a journal has, record by record.
struct Journal(Vec<(WallTime, AgentId, Observation)>);

impl Journal {
    /// Three series over four hours; every seventh run comes up to two hours late.
    fn of_four_hours() -> Self {
        let mut records = Vec::new();
        for minute in 0..240_u32 {
            for agent in 0..3_u8 {
                let slot = BEGIN.plus(MINUTE * minute + Duration::from_secs(agent.into()));
                let turn = minute * 3 + u32::from(agent);
                let verdict = match turn % 11 {
                    5 => Verdict::Fail(Fault::new("auth", FaultClass::Permanent, "refused")),
                    7 => Verdict::void(VoidReason::LocalNetwork, "no route"),
                    _ => Verdict::Pass,
                };
                let total = Duration::from_micros(u64::from(20_000 + turn * 37 % 9_000));
                let late =
                    if turn.is_multiple_of(7) { MINUTE * (turn % 120) } else { Duration::ZERO };
                let received_at = slot.plus(late + Duration::from_secs(3));
                records.push((
                    received_at,
                    AgentId([agent; 16]),
                    observation("mail", slot, verdict, total),
                ));
            }
        }
        records.sort_by_key(|(received_at, ..)| *received_at);
        Self(records)
    }

    fn len(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap()
    }

    fn ledger(&self) -> Extent {
        Extent { first: 0, next: self.len(), control_next: 0 }
    }

    fn now(&self, sequence: u64) -> WallTime {
        self.0[usize::try_from(sequence).unwrap().min(self.0.len() - 1)].0
    }

    /// Folds up to a sequence, commits.
    fn fold(&self, rollups: &mut Rollups, until: u64) -> Result<(), Error> {
        let Cursors { next, control_next } = rollups.cursors();
        for sequence in next..until {
            let (received_at, agent, observation) = &self.0[usize::try_from(sequence).unwrap()];
            rollups.observe(Folded {
                sequence,
                received_at: *received_at,
                agent: *agent,
                observation,
            });
        }
        rollups.advance(Cursors { next: next.max(until), control_next });
        rollups.commit()
    }

    /// Folds to the end in steps, and seals, retires and takes snapshots in between.
    fn run(&self, rollups: &mut Rollups, step: u64) -> Result<(), Error> {
        while rollups.cursors().next < self.len() {
            let until = (rollups.cursors().next + step).min(self.len());
            self.fold(rollups, until)?;
            rollups.maintain(self.ledger(), self.now(until))?;
        }
        Ok(())
    }

    fn open(&self, folder: &Path) -> (Rollups, Vec<Recovery>) {
        let (mut rollups, recovered) = Rollups::open(folder, self.ledger(), self.now(0)).unwrap();
        rollups.begin_judging().unwrap();
        (rollups, recovered)
    }

    /// What all views must come to, whatever happens: folded in one go, nothing sealed.
    fn expected(&self) -> String {
        let folder = tempfile::tempdir().unwrap();
        let (mut rollups, _) = self.open(folder.path());
        self.fold(&mut rollups, self.len()).unwrap();
        assert_eq!(rollups.reader().totals().unwrap().observed(), self.len());
        dump(&rollups)
    }
}

fn dump(rollups: &Rollups) -> String {
    let mut bytes = Vec::new();
    rollups.reader().dump(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Says where they differ, not all that does.
fn assert_same(found: &str, expected: &str, when: &str) {
    if let Some((found, expected)) = found.lines().zip(expected.lines()).find(|(a, b)| a != b) {
        panic!("{when}: found\n{found}\nexpected\n{expected}");
    }
    assert_eq!(found.lines().count(), expected.lines().count(), "{when}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

fn flip(path: &Path, at: impl Fn(usize) -> usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = at(bytes.len());
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Views of the whole journal, sealed as time went by, and closed.
fn views_of(journal: &Journal) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (mut rollups, recovered) = journal.open(folder.path());
    assert_eq!(recovered, []);
    journal.run(&mut rollups, 60).unwrap();
    folder
}
