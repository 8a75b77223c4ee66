//! What readers and writer of a journal share: which segments there are, and what is committed.

use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::time::WallTime;

/// One segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentFacts {
    /// The sequence of its first record.
    pub first: u64,
    /// When it was begun.
    pub created_at: WallTime,
    /// Its committed length in bytes.
    pub bytes: u64,
    /// How its records stand in it.
    pub form: SegmentForm,
    /// Its file.
    pub path: PathBuf,
}

/// How records stand in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentForm {
    /// One after another, as they came.
    Frames,
    /// As compressed columns.
    Columns,
}

/// A segment that is no longer written to.
#[derive(Clone, Debug)]
pub struct Closed {
    /// The segment.
    pub facts: SegmentFacts,
    /// The last sequence that it can hold.
    pub last: u64,
}

/// Damage that was found when a journal was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Bytes at the end that were never acknowledged: cut off.
    TornTail {
        /// The segment.
        path: PathBuf,
        /// How many.
        bytes: u64,
    },
    /// Records that were on disk and cannot be read any more.
    Gap {
        /// The segment.
        path: PathBuf,
        /// The first sequence that is missing.
        first: u64,
        /// The last sequence that is missing.
        last: u64,
    },
    /// A segment whose header cannot be read: kept under this name, its records are a gap.
    Header {
        /// Where it is kept.
        path: PathBuf,
    },
}

impl Damage {
    /// Whether anything that may have been acknowledged is missing.
    pub fn loses_records(&self) -> bool {
        !matches!(self, Self::TornTail { .. })
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TornTail { path, bytes } => {
                write!(f, "cut {bytes} bytes that were never acknowledged off {}", path.display())
            }
            Self::Gap { path, first, last } => {
                write!(f, "records {first} to {last} in {} cannot be read", path.display())
            }
            Self::Header { path } => {
                write!(f, "a segment has no readable header and is kept as {}", path.display())
            }
        }
    }
}

/// The segments of a journal and what is committed, shared by its writer and its readers.
pub struct Index {
    state: Mutex<State>,
    committed: Condvar,
}

struct State {
    segments: VecDeque<SegmentFacts>,
    next: u64,
    /// Whether the last segment is being written to, and so must stay.
    writing: bool,
}

impl Index {
    pub(super) fn new(segments: Vec<SegmentFacts>, next: u64) -> Self {
        let state = State { segments: segments.into(), next, writing: false };
        Self { state: Mutex::new(state), committed: Condvar::new() }
    }

    /// The state is plain data that no panic leaves half-changed.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sequence that the next record to be committed gets.
    pub fn next(&self) -> u64 {
        self.lock().next
    }

    /// The first sequence that is still there; [`next`](Self::next) when none is.
    pub fn oldest(&self) -> u64 {
        let state = self.lock();
        state.segments.front().map_or(state.next, |segment| segment.first)
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.lock().segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Every segment, oldest first.
    pub fn segments(&self) -> Vec<SegmentFacts> {
        self.lock().segments.iter().cloned().collect()
    }

    /// Every segment, oldest first, and [`next`](Self::next), both at one moment: the committed bytes of the segments
    /// hold every record before it, and none beyond.
    pub fn extent(&self) -> (Vec<SegmentFacts>, u64) {
        let state = self.lock();
        (state.segments.iter().cloned().collect(), state.next)
    }

    /// Waits until the record `sequence` is committed, at most for `limit`; says whether it is.
    pub fn wait_for(&self, sequence: u64, limit: Duration) -> bool {
        let waiting = |state: &mut State| state.next <= sequence;
        let (state, _) = self
            .committed
            .wait_timeout_while(self.lock(), limit, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        state.next > sequence
    }

    pub(super) fn begin(&self, facts: SegmentFacts) {
        let mut state = self.lock();
        // A segment of the same first sequence held no record and was replaced.
        while state.segments.back().is_some_and(|last| last.first >= facts.first) {
            state.segments.pop_back();
        }
        state.segments.push_back(facts);
        state.writing = true;
    }

    pub(super) fn committed(&self, bytes: u64, next: u64) {
        let mut state = self.lock();
        if let Some(last) = state.segments.back_mut() {
            last.bytes = bytes;
        }
        state.next = next;
        self.committed.notify_all();
    }

    /// The oldest segment that is not written to.
    pub fn oldest_closed(&self) -> Option<Closed> {
        self.closed(|_| true)
    }

    /// The oldest segment that is not written to and whose records stand as frames.
    pub(super) fn oldest_frames(&self) -> Option<Closed> {
        self.closed(|segment| segment.form == SegmentForm::Frames)
    }

    fn closed(&self, wanted: impl Fn(&SegmentFacts) -> bool) -> Option<Closed> {
        let state = self.lock();
        let closed = state.segments.len().saturating_sub(usize::from(state.writing));
        let at = state.segments.iter().take(closed).position(wanted)?;
        let end = state.segments.get(at + 1).map_or(state.next, |behind| behind.first);
        Some(Closed { facts: state.segments.get(at)?.clone(), last: end.saturating_sub(1) })
    }

    pub(super) fn forget_oldest(&self) {
        self.lock().segments.pop_front();
    }

    /// Says that a segment has been rewritten; answers whether it is still wanted.
    pub(super) fn replace(&self, facts: SegmentFacts) -> bool {
        let mut state = self.lock();
        match state.segments.iter_mut().find(|known| known.first == facts.first) {
            Some(segment) => *segment = facts,
            None => return false,
        }
        true
    }

    /// The segment that holds `sequence`, or the first one behind it; with the end of its sequences.
    pub(super) fn segment_of(&self, sequence: u64) -> Option<Closed> {
        let state = self.lock();
        let behind = state.segments.partition_point(|segment| segment.first <= sequence);
        let at = behind.saturating_sub(1);
        let end = state.segments.get(at + 1).map_or(state.next, |behind| behind.first);
        Some(Closed { facts: state.segments.get(at)?.clone(), last: end.saturating_sub(1) })
    }
}
