//! The control journal: everything that is not an observation and must outlive every view.
//!
//! Enrolments, definitions of checks, operators' actions and ticks, each with the time it was received, in
//! the order in which they were. Nothing is ever removed from it.
//!
//! Invariants: what [`ControlJournal::append`] returned for is on disk; what is decided by the state is written
//! before the state can change, so that no two agents have one name, however many ask at once; what has an
//! author is chained, so that it cannot be changed or left out unnoticed. Absent on purpose: what a record means for the views, which the pipeline says.

mod access;
mod disk;
mod record;

mod people;
mod roll;
mod told;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mailsonde_proto::journal::{
    Damage, Follower, Index, Journal, JournalError, Next, Options, RealDisk, SegmentFacts,
};
use mailsonde_proto::{AgentId, WallTime};

use crate::judge::feedback::FeedbackError;
use crate::judge::followup::FollowUpError;
use crate::judge::planned::PlannedError;
use crate::judge::stated::StatedError;

pub use access::{AccessRecord, ApiToken, PasswordHash, Role, User};
pub use disk::{Link, NotAControlRecord, link_in};
pub use people::{Made, People, PeopleError};
pub use record::{
    AppliedCheck, Author, Control, ControlRecord, Enrolled, OperatorAction, Pair, TokenId,
    TokenMade,
};
pub use roll::{Roll, Token};
pub use told::{chronicle_before, tell};

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
        "there is an agent called {name} already: choose another name, or, to bring it in again with \
         another key, `mailsonde-collector token create --agent {name}`"
    )]
    NameTaken {
        /// The name.
        name: String,
    },
    /// There is no agent of that name.
    #[error("there is no agent called {name}: `mailsonde-collector agents` lists them")]
    NoSuchAgent {
        /// The name.
        name: String,
    },
    /// There is no such token, or it was withdrawn.
    #[error(
        "there is no such token (any more): get a new one by `mailsonde-collector token create`"
    )]
    NoSuchToken,
    /// The token has let somebody else in.
    #[error(
        "this token was used already, by another key: a token lets one agent in, once; get a new one by \
         `mailsonde-collector token create`, and look at `mailsonde-collector agents` for one that should \
         not be there"
    )]
    TokenUsed,
    /// The token is over.
    #[error("this token expired at {0}: get a new one by `mailsonde-collector token create`")]
    TokenExpired(WallTime),
    /// The key is an agent's already.
    #[error(
        "this key is enrolled already, as {name}: to give its machine another identity, remove the agent's \
         identity folder first"
    )]
    KeyTaken {
        /// Whose it is.
        name: String,
    },
    /// Other checks or services were applied in the meantime.
    #[error("others were applied in the meantime: look at the difference again")]
    AppliedMeanwhile,
    /// The key is one that was revoked.
    #[error("this key was revoked: remove the agent's identity folder and enrol it anew")]
    RevokedKey,
    /// Users and API tokens cannot become so.
    #[error(transparent)]
    People(#[from] PeopleError),
    /// What is planned or left out cannot become so.
    #[error(transparent)]
    Planned(#[from] PlannedError),
    /// A number cannot be stated.
    #[error(transparent)]
    Stated(#[from] StatedError),
    /// An action item cannot become so.
    #[error(transparent)]
    FollowUp(#[from] FollowUpError),
    /// What users say cannot be taken in.
    #[error(transparent)]
    Feedback(#[from] FeedbackError),
}

/// The control journal; one writer, which many may share.
pub struct ControlJournal {
    inner: Mutex<Inner>,
    index: Arc<Index>,
}

struct Inner {
    journal: Journal,
    roll: Roll,
    /// The last link of the audit log's chain.
    link: Link,
    /// What is committed of the ledger, once it is known.
    ledger: Option<Arc<Index>>,
}

/// How far both journals may be read at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The first record of the ledger that is not committed.
    pub ledger_next: u64,
    /// The first control record that is not committed.
    pub control_next: u64,
}

impl ControlJournal {
    /// Opens the journal in `folder` and reads who is enrolled; also says what is damaged.
    ///
    /// # Errors
    /// When the folder cannot be made or read.
    pub fn open(folder: &Path) -> Result<(Self, Vec<Damage>), JournalError> {
        let options = Options { segment_bytes: SEGMENT_BYTES, first_sequence: 1 };
        let (journal, recovery) = Journal::open(Arc::new(RealDisk), folder, options)?;
        let (mut roll, mut link) = (Roll::default(), Link::default());
        let mut records = ControlFollower(journal.follow(1));
        loop {
            match records.read_with_link(&link)? {
                (ControlNext::Record { record, .. }, read) => {
                    roll.apply(&record);
                    // a chain that is broken goes on from where it is: `audit verify` says where
                    link = read.map_or(link, |(read, _)| read);
                }
                (ControlNext::Gap { .. }, _) => {}
                (ControlNext::CaughtUp, _) => break,
            }
        }
        let index = journal.index().clone();
        Ok((
            Self { inner: Mutex::new(Inner { journal, roll, link, ledger: None }), index },
            recovery.damage,
        ))
    }

    /// From now on each record says which record of this ledger comes after it.
    pub fn go_with(&self, ledger: Arc<Index>) {
        self.lock().ledger = Some(ledger);
    }

    /// How far both journals may be read, so that no control record that is written later belongs before what is
    /// read: later ones come after all of the ledger that is committed now.
    pub fn cut(&self) -> Cut {
        let inner = self.lock();
        let ledger_next = inner.ledger.as_ref().map_or(u64::MAX, |ledger| ledger.next());
        Cut { ledger_next, control_next: self.index.next() }
    }

    /// The same cut with the segments of both journals up to it, the ledger's first: nothing that is committed later is
    /// in them.
    pub fn extents_at_cut(&self) -> ((Vec<SegmentFacts>, u64), (Vec<SegmentFacts>, u64)) {
        let inner = self.lock();
        let ledger = inner.ledger.as_ref().map(|ledger| ledger.extent()).unwrap_or_default();
        (ledger, self.index.extent())
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
        self.lock().append(ControlRecord { received_at, before: 0, control, author: None })
    }

    /// Puts many records on disk at once, each with its time, such as those of a past that is made up: one flush for all
    /// of them. After an error the journal has to be opened anew, to see how many of them are in it.
    ///
    /// # Errors
    /// When the journal would not take them.
    pub fn append_all(
        &self,
        records: impl IntoIterator<Item = (WallTime, Control)>,
    ) -> Result<(), JournalError> {
        let mut inner = self.lock();
        for (received_at, control) in records {
            let mut record = ControlRecord { received_at, before: 0, control, author: None };
            let written = inner.write(&mut record)?;
            inner.holds(&record, written);
        }
        inner.journal.commit().map(|_| ())
    }

    /// Decides by what is true at the moment, and puts what was decided on disk before anything else can
    /// change; with its author, so that it stands in the audit log. It waits for the disk, like
    /// [`append`](Self::append).
    ///
    /// # Errors
    /// What `decide` said; or the journal would not take it.
    pub fn decide<T>(
        &self,
        received_at: WallTime,
        author: Author,
        decide: impl FnOnce(&Roll) -> Result<(Control, T), ControlError>,
    ) -> Result<T, ControlError> {
        let one = |roll: &Roll| decide(roll).map(|(control, decided)| (vec![control], decided));
        self.decide_all(received_at, author, one)
    }

    /// The same for several records, one after the other: nothing else comes between them.
    ///
    /// # Errors
    /// What `decide` said; or the journal would not take one: those before it are in the journal.
    pub fn decide_all<T>(
        &self,
        received_at: WallTime,
        author: Author,
        decide: impl FnOnce(&Roll) -> Result<(Vec<Control>, T), ControlError>,
    ) -> Result<T, ControlError> {
        let mut inner = self.lock();
        let (controls, decided) = decide(&inner.roll)?;
        for control in controls {
            let author = Some(author.clone());
            inner.append(ControlRecord { received_at, before: 0, control, author })?;
        }
        Ok(decided)
    }

    /// Looks at who is enrolled and which tokens there are.
    pub fn look<T>(&self, look: impl FnOnce(&Roll) -> T) -> T {
        look(&self.lock().roll)
    }

    /// The agent of this identity, as enrolled last; `None` for an agent that is not ours (any more).
    pub fn agent(&self, agent: AgentId) -> Option<Enrolled> {
        self.look(|roll| roll.agent(agent).cloned())
    }

    /// The agent of this name, as enrolled last.
    pub fn agent_named(&self, name: &str) -> Option<Enrolled> {
        self.look(|roll| roll.agent_named(name).cloned())
    }

    /// Everybody who is enrolled, by identity.
    pub fn agents(&self) -> Vec<Enrolled> {
        self.look(|roll| roll.agents().cloned().collect())
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
    /// Appends the next record without its flush; what follows from it holds once [`Inner::holds`] says so.
    fn write(&mut self, record: &mut ControlRecord) -> Result<Written, JournalError> {
        record.before = self.ledger.as_ref().map_or(0, |ledger| ledger.next());
        if self.journal.wants_roll() {
            self.journal.roll(&[], record.received_at)?;
        }
        let (bytes, link) = record.to_bytes(&self.link);
        Ok(Written { sequence: self.journal.append(&[&bytes])?, link: link.unwrap_or(self.link) })
    }

    fn holds(&mut self, record: &ControlRecord, written: Written) -> u64 {
        self.link = written.link;
        self.roll.apply(record);
        written.sequence
    }

    fn append(&mut self, mut record: ControlRecord) -> Result<u64, JournalError> {
        let written = self.write(&mut record)?;
        self.journal.commit()?;
        Ok(self.holds(&record, written))
    }
}

/// Where a record stands, and the link that the next one goes on from.
struct Written {
    sequence: u64,
    link: Link,
}

/// Reads the control journal in order.
pub struct ControlFollower(Follower);

/// What comes next in the control journal.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "there is one at a time, on its way to whoever reads")]
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
        self.read_with_link(&Link::default()).map(|(next, _)| next)
    }

    /// The same, with the record's link in the audit log's chain, if it has one, and whether that follows
    /// `before`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_with_link(
        &mut self,
        before: &Link,
    ) -> Result<(ControlNext, Option<(Link, bool)>), JournalError> {
        Ok(match self.0.read()? {
            Next::Record { sequence, record } => match ControlRecord::from_bytes(&record) {
                Ok(read) => {
                    let link = link_in(&record, before);
                    (ControlNext::Record { sequence, record: read }, link)
                }
                Err(error) => {
                    tracing::error!(sequence, %error, "a control record is unreadable");
                    (ControlNext::Gap { first: sequence, last: sequence }, None)
                }
            },
            Next::Gap { first, last } => (ControlNext::Gap { first, last }, None),
            Next::CaughtUp => (ControlNext::CaughtUp, None),
        })
    }
}

#[cfg(test)]
mod tests;
