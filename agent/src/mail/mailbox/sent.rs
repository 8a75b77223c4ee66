//! The folder for what was sent: where a provider copies submitted mail into it, our test messages are removed
//! there too, or they would fill the mailbox up.
//!
//! Every few minutes in which something was sent, and at the end, one session looks for messages with our header
//! and removes those whose token has our valid seal; everything else is left alone. It is no part of any run:
//! what goes wrong here is logged, and done again the next time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mailsonde_proto::Clock;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::sort::{Sorted, sort};
use super::{FAREWELL, MailboxSettings, STEP};
use crate::mail::dial::Patience;
use crate::mail::failure::Failure;
use crate::mail::imap::{self, MOST_MESSAGES, Session, uid_set};
use crate::mail::token::TokenKey;
use crate::net::Net;
use crate::stopwatch::Stopwatch;

/// From one look to the next.
const EVERY: Duration = Duration::from_secs(300);
/// How long one look may take.
const LONGEST_LOOK: Duration = Duration::from_secs(60);
/// A copy is not always there when the message is accepted.
const COPY_TAKES: Duration = Duration::from_secs(1);

/// Keeps one mailbox's folder for what was sent free of test messages.
pub(super) struct Sent {
    settings: Arc<MailboxSettings>,
    net: Net,
    clock: Clock,
    shutdown: CancellationToken,
    /// Whether something was sent since the last look.
    is_due: Arc<AtomicBool>,
    task: Mutex<JoinSet<()>>,
}

impl Sent {
    pub(super) fn new(
        settings: Arc<MailboxSettings>,
        (net, clock): (Net, Clock),
        shutdown: CancellationToken,
    ) -> Self {
        let (is_due, task) = (Arc::default(), Mutex::default());
        Self { settings, net, clock, shutdown, is_due, task }
    }

    /// A message was accepted; `key` verifies its copy.
    pub(super) fn submitted(&self, key: &Arc<TokenKey>) {
        if !self.settings.habits.clean_sent || self.settings.imap().is_none() {
            return;
        }
        self.is_due.store(true, Ordering::Release);
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        while task.try_join_next().is_some() {}
        if task.is_empty() && !self.shutdown.is_cancelled() {
            let cleaner = Cleaner {
                settings: Arc::clone(&self.settings),
                net: self.net.clone(),
                clock: self.clock,
                key: Arc::clone(key),
            };
            task.spawn(cleaner.run(Arc::clone(&self.is_due), self.shutdown.clone()));
        }
    }

    /// Waits for the last look, within a bound.
    pub(super) async fn end(&self) {
        let mut task =
            std::mem::take(&mut *self.task.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async { while task.join_next().await.is_some() {} };
        if timeout(FAREWELL, all).await.is_err() {
            tracing::info!(mailbox = %self.settings.name, "copies of test mail stay until the next start");
        }
    }
}

struct Cleaner {
    settings: Arc<MailboxSettings>,
    net: Net,
    clock: Clock,
    key: Arc<TokenKey>,
}

impl Cleaner {
    async fn run(self, is_due: Arc<AtomicBool>, shutdown: CancellationToken) {
        let mut is_last = false;
        while !is_last {
            tokio::select! {
                () = shutdown.cancelled() => is_last = true,
                () = sleep(EVERY) => {}
            }
            if is_last {
                sleep(COPY_TAKES).await;
            }
            if is_due.swap(false, Ordering::AcqRel) {
                let mailbox = &self.settings.name;
                match self.look().await {
                    Ok(removed) => {
                        tracing::debug!(%mailbox, removed, "copies of test mail removed")
                    }
                    Err(failure) => {
                        is_due.store(true, Ordering::Release);
                        tracing::info!(%mailbox, fault = %failure.fault, "copies of test mail not removed");
                    }
                }
            }
        }
    }

    /// Removes what is ours; how many messages that were.
    async fn look(&self) -> Result<usize, Failure> {
        let Some(server) = self.settings.imap() else { return Ok(0) };
        let deadline = self.clock.monotonic() + LONGEST_LOOK;
        let dial = imap::dial(&self.net, Patience { clock: self.clock, step: STEP, deadline });
        let mut watch = Stopwatch::start(self.clock);
        let mut session = Session::open(dial, server, dial.record(server), &mut watch).await?;
        let usual = self.settings.habits.sent_folder.as_deref();
        let mut removed = 0;
        if let Some(folder) = session.sent_folder(usual).await? {
            session.select(&folder).await?;
            let uids = session.search_tokens().await?;
            for some in uids.chunks(MOST_MESSAGES) {
                let Some(set) = uid_set(some) else { continue };
                let found = session.describe(&set).await?;
                let is_ours = |headers: &[u8]| matches!(sort(headers, &self.key), Sorted::Ours(_));
                let ours = found.iter().filter(|message| is_ours(&message.headers));
                let ours: Vec<u32> = ours.map(|message| message.uid).collect();
                session.remove(&ours).await?;
                removed += ours.len();
            }
        }
        session.logout().await;
        Ok(removed)
    }
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::{AgentId, Epoch, RunId};

    use super::super::{Habits, Inbox, Mailbox};
    use super::*;
    use crate::mail::message::TOKEN_HEADER;
    use crate::mail::sandbox::{Folders, Server, endpoint};
    use crate::mail::token::Token;

    fn sealed(key: &TokenKey, intent: u64) -> String {
        let run = RunId { epoch: Epoch(1), intent };
        let token = Token::new(AgentId([1; 16]), run, "probe@good.test", [0; 16]);
        format!("{TOKEN_HEADER}: {}\r\nSubject: copy\r\n\r\nbody\r\n", key.seal(&token))
    }

    /// What is left in the folder for what was sent after a run that submitted something.
    async fn left(clean_sent: bool, sent_folder: &str) -> Vec<String> {
        let (key, other) = (TokenKey::from_bytes([5; 32]), TokenKey::from_bytes([6; 32]));
        let folders = Folders::new();
        folders.store(1, &sealed(&key, 1));
        folders.store(1, &sealed(&other, 2));
        folders.store(1, "Subject: a letter\r\n\r\nmine\r\n");
        folders.store(1, &sealed(&key, 3));
        let imap = Server::imap(folders.clone(), false).await;
        let habits =
            Habits { clean_sent, sent_folder: Some(sent_folder.to_owned()), ..Habits::default() };
        let settings = MailboxSettings {
            name: "sandbox".into(),
            address: "probe@good.test".into(),
            smtp: endpoint(1),
            inbox: Inbox::Imap(endpoint(imap.port)),
            beside: None,
            junk_folder: None,
            hello: None,
            habits,
            receives: false,
        };
        let mailbox = Mailbox::new(settings, Net::new(), Clock::system());
        mailbox.submitted(&Arc::new(key));
        mailbox.shutdown().await;
        folders.texts(1)
    }

    #[tokio::test]
    async fn only_our_own_messages_are_removed_and_only_where_it_is_wanted() {
        let cleaned = left(true, "Spamverdacht").await;
        assert_eq!(cleaned.len(), 2, "{cleaned:?}");
        assert!(cleaned.iter().any(|text| text.contains("a letter")));
        assert_eq!(left(false, "Spamverdacht").await.len(), 4);
        assert_eq!(left(true, "No such folder").await.len(), 4);
    }
}
