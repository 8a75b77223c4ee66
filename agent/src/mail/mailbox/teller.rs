//! Tells whoever waits for a message that was seen, by whatever protocol, and says whether it can be
//! removed: only what is ours, and only after it has been told.

use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::Clock;
use mailsonde_proto::time::Instant;
use tokio_util::sync::CancellationToken;

use super::board::{Board, Disposition};
use super::event::{Arrival, Bounced, Reply};
use super::ledger::amendment_of_forgotten;
use crate::mail::bounce::{self, Action};
use crate::mail::token::{Token, TokenKey};

/// A message of ours from another outbox is a stray from then on; before, its own process removes it.
const STRAY_AFTER: Duration = Duration::from_secs(15 * 60);

/// One mailbox's.
#[derive(Clone)]
pub(super) struct Teller {
    pub(super) board: Arc<Board>,
    pub(super) clock: Clock,
    pub(super) shutdown: CancellationToken,
    /// The mailbox's name, for the log.
    pub(super) mailbox: String,
}

impl Teller {
    /// A message of ours was seen, which came while this agent watches or (`is_new` is false) before.
    /// Whether it can be removed.
    pub(super) async fn arrived(&self, token: &Token, arrival: Arrival, is_new: bool) -> bool {
        let mut disposition = self.board.saw(token, arrival.clone());
        if matches!(disposition, Disposition::Unknown) {
            let age = arrival.stored.map(|stored| self.clock.wall().since(stored));
            let of_this_epoch = self.board.is_of_this_epoch(token);
            if of_this_epoch {
                let amendment = Box::new(amendment_of_forgotten(token, &arrival, !is_new));
                disposition = self.board.amend(amendment);
            } else if age.is_none_or(|age| age > STRAY_AFTER) {
                let (mailbox, uid) = (&self.mailbox, &arrival.uid);
                tracing::info!(%mailbox, run = ?token.run, uid, "stray removed");
                disposition = Disposition::Told;
            }
        }
        self.dispose(disposition).await
    }

    /// A notification was read, in this folder and first seen then. Whether it is about a message of ours
    /// and can be removed.
    pub(super) async fn notified(
        &self,
        body: &[u8],
        key: &TokenKey,
        (folder, first_seen): (&str, Instant),
    ) -> bool {
        let Some(read) = bounce::read(body) else { return false };
        let token = read.candidates.iter().find_map(|sealed| key.open(sealed).ok());
        let Some(token) = token else { return false };
        let disposition = match read.action {
            Action::Failed => {
                let (failure, folder) = (read.failure, folder.to_owned());
                self.board.bounced(&token, Bounced { failure, folder, first_seen })
            }
            Action::Delayed | Action::Fine => Disposition::Told,
        };
        self.dispose(disposition).await
    }

    /// Whether a notification is about a message of ours.
    pub(super) fn is_about_ours(body: &[u8], key: &TokenKey) -> bool {
        let read = bounce::read(body);
        read.is_some_and(|read| read.candidates.iter().any(|sealed| key.open(sealed).is_ok()))
    }

    /// A machine answered a message of ours. Whether the answer can be removed.
    pub(super) async fn replied(&self, token: &Token, reply: Reply) -> bool {
        match self.board.replied(token, reply) {
            Disposition::Unknown => self.board.is_of_this_epoch(token),
            disposition => self.dispose(disposition).await,
        }
    }

    /// Sends the amendment if there is one; only then can the message go.
    async fn dispose(&self, disposition: Disposition) -> bool {
        match disposition {
            Disposition::Told => true,
            Disposition::Unknown => false,
            Disposition::Amend(to, amendment) => tokio::select! {
                sent = to.send(*amendment) => sent.is_ok(),
                () = self.shutdown.cancelled() => false,
            },
        }
    }
}
