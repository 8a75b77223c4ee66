//! What a watcher says about its folder, for the runs that wait for it.

use std::sync::Arc;

use mailsonde_proto::Fact;
use mailsonde_proto::time::Instant;

use crate::mail::failure::Failure;
use crate::mail::wire::Record;
use crate::stopwatch::Lap;

/// What a watcher says about its folder.
#[derive(Clone, Debug)]
pub(in crate::mail::mailbox) enum FolderState {
    /// It has not connected yet.
    Starting,
    /// It watches, and was seen to work at `verified`.
    Ready {
        verified: Instant,
        /// When the answer is due that is awaited; `None` while nothing is awaited.
        due: Option<Instant>,
        laps: Arc<[Lap]>,
        facts: Arc<[Fact]>,
        record: Record,
        folder: Arc<str>,
    },
    /// It could not connect, or lost the connection.
    Failed { attempted: Instant, failure: Failure, laps: Vec<Lap>, transcript: String },
    /// There is no such folder.
    Absent,
}
