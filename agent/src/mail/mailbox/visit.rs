//! A mailbox in which another agent's mail is expected.

use std::sync::Arc;

use mailsonde_proto::FaultClass;
use mailsonde_proto::time::Instant;
use tokio::sync::watch;
use tokio::time::timeout_at;

use super::board::Board;
use super::guests::{Guest, Name};
use super::watcher::FolderState;
use super::{Mailbox, PROMPT};
use crate::mail::failure::Failure;
use crate::mail::imap;

impl Mailbox {
    /// Watches for another agent's mail; returns when INBOX is seen to be watched.
    ///
    /// # Errors
    /// Why it cannot be.
    pub async fn receive(&self, guest: Guest) -> Result<Visit, Failure> {
        let (name, deadline) = ((guest.sender, guest.run), guest.deadline);
        let registered = self.board.expect(guest, &self.settings.address);
        let board = Arc::clone(&self.board);
        let mut visit = Visit { board, name, inbox: watch::channel(FolderState::Starting).1 };
        let mut watched = self.watchers(None).await;
        visit.inbox = watched.inbox.clone();
        let words = "the mailbox was not ready to be watched in time";
        let late = || Failure::new(imap::name::SELECT, FaultClass::Timeout, words);
        let seen = timeout_at(deadline, watched.seen(registered)).await.ok().ok_or_else(late)?;
        match seen.0 {
            FolderState::Failed { failure, .. } => Err(failure),
            FolderState::Ready { .. } | FolderState::Starting | FolderState::Absent => {
                visit.board.guest_ready(visit.name);
                Ok(visit)
            }
        }
    }
}

/// One mail that is expected; dropping it ends that.
pub struct Visit {
    board: Arc<Board>,
    name: Name,
    inbox: watch::Receiver<FolderState>,
}

impl Visit {
    /// Waits until it has arrived.
    pub async fn seen(&self) {
        self.board.guest_seen(self.name).await;
    }

    /// What keeps INBOX from being watched just now, if anything does.
    pub fn trouble(&self, now: Instant) -> Option<Failure> {
        match &*self.inbox.borrow() {
            FolderState::Failed { failure, .. } => Some(failure.clone()),
            FolderState::Ready { due: Some(due), .. } => {
                let late = now.saturating_duration_since(*due);
                let hangs = late > PROMPT;
                hangs.then(|| Failure::timeout(imap::name::WATCH, "an answer to the watcher", late))
            }
            FolderState::Ready { .. } => None,
            FolderState::Starting | FolderState::Absent => {
                let words = "the mailbox is not watched";
                Some(Failure::new(imap::name::WATCH, FaultClass::Timeout, words))
            }
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.board.guest_gone(self.name);
    }
}
