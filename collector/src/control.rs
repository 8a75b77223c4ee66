//! The control journal: everything that is not an observation and must outlive every view.
//!
//! Enrolments, definitions of checks, operators' actions and ticks, each with the time it was received, in
//! the order in which they were. Nothing is ever removed from it.
//!
//! Invariants: what [`ControlJournal::append`] returned for is on disk; no two agents have one name, however
//! many ask at once. Absent on purpose: what a record means for the views, which the pipeline says.

mod record;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mailsonde_proto::journal::{
    Damage, Follower, Index, Journal, JournalError, Next, Options, RealDisk,
};
use mailsonde_proto::{AgentId, WallTime};

pub use record::{Control, ControlRecord, Enrolled, NotAControlRecord, OperatorAction};

/// A segment of the control journal is full at this many bytes.
const SEGMENT_BYTES: u64 = 8 << 20;

/// Why something could not be written to the control journal.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The journal would not take it.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Another agent has that name.
    #[error(
        "there is an agent called {name} already: choose another name, or, when its files are lost, \
         make new ones with `agent add {name} --renew`"
    )]
    NameTaken {
        /// The name.
        name: String,
    },
    /// There is no agent of that name to renew.
    #[error("there is no agent called {name} to renew: leave out --renew to add it")]
    NoSuchAgent {
        /// The name.
        name: String,
    },
}

/// The control journal; one writer, which many may share.
pub struct ControlJournal {
    inner: Mutex<Inner>,
    index: Arc<Index>,
}

struct Inner {
    journal: Journal,
    agents: BTreeMap<AgentId, Enrolled>,
}

impl ControlJournal {
    /// Opens the journal in `folder` and reads who is enrolled; also says what is damaged.
    ///
    /// # Errors
    /// When the folder cannot be made or read.
    pub fn open(folder: &Path) -> Result<(Self, Vec<Damage>), JournalError> {
        let options = Options { segment_bytes: SEGMENT_BYTES, first_sequence: 1 };
        let (journal, recovery) = Journal::open(Arc::new(RealDisk), folder, options)?;
        let mut agents = BTreeMap::new();
        let mut records = ControlFollower(journal.follow(1));
        loop {
            match records.read()? {
                ControlNext::Record { record, .. } => {
                    if let Control::Enrolled(enrolled) = record.control {
                        agents.insert(enrolled.agent, enrolled);
                    }
                }
                ControlNext::Gap { .. } => {}
                ControlNext::CaughtUp => break,
            }
        }
        let index = journal.index().clone();
        Ok((Self { inner: Mutex::new(Inner { journal, agents }), index }, recovery.damage))
    }

    /// A panic leaves the journal as its last commit left it.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a record on disk and returns its sequence. It waits for the disk: not for a runtime's thread.
    ///
    /// # Errors
    /// When the journal would not take it; then it is not in the journal.
    pub fn append(&self, received_at: WallTime, control: Control) -> Result<u64, JournalError> {
        self.lock().append(received_at, control)
    }

    /// Enrols an agent under a name that no other has. It waits for the disk, like
    /// [`append`](Self::append).
    ///
    /// # Errors
    /// When another agent has the name, or the journal would not take it.
    pub fn enrol(&self, received_at: WallTime, enrolled: Enrolled) -> Result<u64, ControlError> {
        let mut inner = self.lock();
        let taken = |other: &Enrolled| {
            other.agent != enrolled.agent && other.name.eq_ignore_ascii_case(&enrolled.name)
        };
        if inner.agents.values().any(taken) {
            return Err(ControlError::NameTaken { name: enrolled.name });
        }
        Ok(inner.append(received_at, Control::Enrolled(enrolled))?)
    }

    /// The agent of this identity, as enrolled last; `None` for an agent that is not ours (any more).
    pub fn agent(&self, agent: AgentId) -> Option<Enrolled> {
        self.lock().agents.get(&agent).cloned()
    }

    /// The agent of this name, as enrolled last.
    pub fn agent_named(&self, name: &str) -> Option<Enrolled> {
        let inner = self.lock();
        inner.agents.values().find(|agent| agent.name.eq_ignore_ascii_case(name)).cloned()
    }

    /// Everybody who is enrolled, by identity.
    pub fn agents(&self) -> Vec<Enrolled> {
        self.lock().agents.values().cloned().collect()
    }

    /// A reader that starts with the record `from`; the first record is 1.
    pub fn follow(&self, from: u64) -> ControlFollower {
        ControlFollower(self.lock().journal.follow(from))
    }

    /// What is committed, to wait for more.
    pub fn index(&self) -> &Arc<Index> {
        &self.index
    }
}

impl Inner {
    fn append(&mut self, received_at: WallTime, control: Control) -> Result<u64, JournalError> {
        if self.journal.wants_roll() {
            self.journal.roll(&[], received_at)?;
        }
        let record = ControlRecord { received_at, control };
        let sequence = self.journal.append(&[&record.to_bytes()])?;
        self.journal.commit()?;
        if let Control::Enrolled(enrolled) = record.control {
            self.agents.insert(enrolled.agent, enrolled);
        }
        Ok(sequence)
    }
}

/// Reads the control journal in order.
pub struct ControlFollower(Follower);

/// What comes next in the control journal.
#[derive(Clone, Debug, PartialEq)]
pub enum ControlNext {
    /// A record.
    Record {
        /// Its place in the journal.
        sequence: u64,
        /// What it says.
        record: ControlRecord,
    },
    /// These records are damaged.
    Gap {
        /// The first that is missing.
        first: u64,
        /// The last that is missing.
        last: u64,
    },
    /// Everything that is committed has been read.
    CaughtUp,
}

impl ControlFollower {
    /// The sequence that it will read next.
    pub fn position(&self) -> u64 {
        self.0.position()
    }

    /// The next record or gap, or that there is none yet.
    ///
    /// # Errors
    /// When a segment cannot be read although it is there; asking again tries again.
    pub fn read(&mut self) -> Result<ControlNext, JournalError> {
        Ok(match self.0.read()? {
            Next::Record { sequence, record } => match ControlRecord::from_bytes(&record) {
                Ok(record) => ControlNext::Record { sequence, record },
                Err(error) => {
                    tracing::error!(sequence, %error, "a control record is unreadable");
                    ControlNext::Gap { first: sequence, last: sequence }
                }
            },
            Next::Gap { first, last } => ControlNext::Gap { first, last },
            Next::CaughtUp => ControlNext::CaughtUp,
        })
    }
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::{Check, SettingsDigest};
    use std::time::Duration;

    use super::*;

    const NOW: WallTime = WallTime::from_s(1_800_000_000);

    fn enrolled(id: u8, name: &str) -> Enrolled {
        Enrolled {
            agent: AgentId([id; 16]),
            name: name.into(),
            labels: [("site".into(), "Durban".into())].into(),
            certificate_digest: [7; 32],
            not_after: NOW.plus(Duration::from_secs(9)),
        }
    }

    fn check() -> Check {
        Check {
            name: "mail".into(),
            kind: "round-trip".into(),
            cadence: Duration::from_secs(60),
            timeout: Duration::from_secs(30),
            slot_offset: Duration::from_secs(7),
            settings_digest: SettingsDigest([3; 16]),
        }
    }

    #[test]
    fn every_record_reads_back_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let written = [
            Control::Enrolled(enrolled(1, "hq")),
            Control::Defined { agent: AgentId([1; 16]), checks: vec![check()] },
            Control::Tick,
            Control::Operator(OperatorAction { action: "acknowledge".into(), body: vec![1, 2] }),
        ];
        {
            let (journal, damage) = ControlJournal::open(folder.path()).unwrap();
            assert_eq!(damage, []);
            for control in &written {
                journal.append(NOW, control.clone()).unwrap();
            }
        }
        let (journal, _) = ControlJournal::open(folder.path()).unwrap();
        let mut reader = journal.follow(1);
        for (sequence, control) in (1..).zip(written) {
            let record = ControlRecord { received_at: NOW, control };
            assert_eq!(reader.read().unwrap(), ControlNext::Record { sequence, record });
        }
        assert_eq!(reader.read().unwrap(), ControlNext::CaughtUp);
        assert_eq!(journal.agents(), [enrolled(1, "hq")]);
    }

    #[test]
    fn a_name_is_given_once_and_an_agent_can_be_renewed() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = ControlJournal::open(folder.path()).unwrap();
        journal.enrol(NOW, enrolled(1, "hq")).unwrap();
        for name in ["hq", "HQ"] {
            let refused = journal.enrol(NOW, enrolled(2, name)).unwrap_err();
            assert!(matches!(refused, ControlError::NameTaken { .. }), "{refused}");
        }
        let renewed = Enrolled { certificate_digest: [8; 32], ..enrolled(1, "hq") };
        journal.enrol(NOW, renewed.clone()).unwrap();
        assert_eq!(journal.agent_named("hq"), Some(renewed));
        assert_eq!(journal.agent(AgentId([2; 16])), None);
    }
}
