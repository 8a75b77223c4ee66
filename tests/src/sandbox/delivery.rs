//! From acceptance to the mailbox: a bounded queue of letters, each with the time it is due.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use mailsonde_proto::time::{Clock, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::accounts::Account;

/// Letters accepted but not yet looked at by the carrier.
const QUEUED_LETTERS: usize = 256;
/// Letters that the carrier holds until they are due.
const HELD_LETTERS: usize = 1_024;
/// Bytes of all letters on their way, each recipient's copy counted.
const BYTES_ON_THE_WAY: usize = 64 << 20;

/// What became of the messages of one sandbox, a message to two recipients counted twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Accepted by SMTP with 250.
    pub accepted: u64,
    /// Stored in INBOX, late ones too.
    pub delivered: u64,
    /// Stored in Junk.
    pub junked: u64,
    /// Lost on purpose.
    pub lost: u64,
    /// Not stored because the mailbox was full by then.
    pub overflowed: u64,
    /// Recipients refused for now.
    pub refused_recipients: u64,
    /// Sign-ins refused for now, at SMTP and IMAP.
    pub refused_sign_ins: u64,
}

/// A message on its way to one recipient.
pub(super) struct Letter {
    pub(super) due: Instant,
    pub(super) account: Arc<Account>,
    pub(super) into_junk: bool,
    /// Return-Path and Delivered-To; the time of delivery goes between these and `content`.
    pub(super) envelope_header: String,
    /// What delivery writes as its Received field, up to the date.
    pub(super) delivered_by: String,
    pub(super) content: Bytes,
}

/// No room for more letters: the client should come again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct QueueFull;

/// Takes letters from SMTP sessions.
pub(super) struct Post {
    queue: mpsc::Sender<(Letter, OwnedSemaphorePermit)>,
    room: Arc<Semaphore>,
    counters: Arc<Counters>,
}

impl Post {
    /// Takes all letters of one message or none, without waiting.
    pub(super) fn accept(&self, letters: Vec<Letter>) -> Result<(), QueueFull> {
        let places = self.queue.try_reserve_many(letters.len()).or(Err(QueueFull))?;
        let size = |letter: &Letter| u32::try_from(letter.content.len()).unwrap_or(u32::MAX);
        let mut paid = Vec::with_capacity(letters.len());
        for letter in letters {
            let room = Arc::clone(&self.room);
            let permit = room.try_acquire_many_owned(size(&letter)).or(Err(QueueFull))?;
            paid.push((letter, permit));
        }
        for (place, letter) in places.zip(paid) {
            place.send(letter);
            count(&self.counters.accepted);
        }
        Ok(())
    }

    pub(super) fn count_lost(&self) {
        count(&self.counters.accepted);
        count(&self.counters.lost);
    }

    pub(super) fn count_refused_recipient(&self) {
        count(&self.counters.refused_recipients);
    }

    pub(super) fn count_refused_sign_in(&self) {
        count(&self.counters.refused_sign_ins);
    }

    pub(super) fn tally(&self) -> Tally {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Tally {
            accepted: read(&self.counters.accepted),
            delivered: read(&self.counters.delivered),
            junked: read(&self.counters.junked),
            lost: read(&self.counters.lost),
            overflowed: read(&self.counters.overflowed),
            refused_recipients: read(&self.counters.refused_recipients),
            refused_sign_ins: read(&self.counters.refused_sign_ins),
        }
    }
}

/// Stores letters when they are due.
pub(super) struct Carrier {
    queue: mpsc::Receiver<(Letter, OwnedSemaphorePermit)>,
    /// By time due, then by order of acceptance.
    held: BTreeMap<(Instant, u64), (Letter, OwnedSemaphorePermit)>,
    taken: u64,
    counters: Arc<Counters>,
    clock: Clock,
}

/// The two ends of the way.
pub(super) fn post(clock: Clock) -> (Post, Carrier) {
    let (sender, receiver) = mpsc::channel(QUEUED_LETTERS);
    let counters = Arc::new(Counters::default());
    let room = Arc::new(Semaphore::new(BYTES_ON_THE_WAY));
    let carrier = Carrier {
        queue: receiver,
        held: BTreeMap::new(),
        taken: 0,
        counters: Arc::clone(&counters),
        clock,
    };
    (Post { queue: sender, room, counters }, carrier)
}

impl Carrier {
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        loop {
            let due = self.held.first_key_value().map(|((due, _), _)| *due);
            let wait = tokio::time::sleep_until(due.unwrap_or_else(|| self.clock.monotonic()));
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = wait, if due.is_some() => self.deliver_first(),
                taken = self.queue.recv(), if self.held.len() < HELD_LETTERS => match taken {
                    Some(taken) => self.hold(taken),
                    None => return,
                },
            }
        }
    }

    fn hold(&mut self, taken: (Letter, OwnedSemaphorePermit)) {
        self.taken += 1;
        self.held.insert((taken.0.due, self.taken), taken);
    }

    fn deliver_first(&mut self) {
        let Some((_, (letter, _room))) = self.held.pop_first() else { return };
        let stored_at = self.clock.wall();
        let spam = if letter.into_junk { "X-Spam-Flag: YES\r\n" } else { "" };
        let head = format!(
            "{}{};\r\n\t{}\r\n{spam}",
            letter.envelope_header,
            letter.delivered_by,
            stored_at.timestamp().strftime("%a, %d %b %Y %H:%M:%S +0000"),
        );
        let content = [head.as_bytes(), &letter.content].concat();
        let (mailbox, counter) = if letter.into_junk {
            (letter.account.junk(), &self.counters.junked)
        } else {
            (letter.account.inbox(), &self.counters.delivered)
        };
        match mailbox.store(content.into(), stored_at) {
            Ok(()) => count(counter),
            Err(_full) => count(&self.counters.overflowed),
        }
    }
}

#[derive(Default)]
struct Counters {
    accepted: AtomicU64,
    delivered: AtomicU64,
    junked: AtomicU64,
    lost: AtomicU64,
    overflowed: AtomicU64,
    refused_recipients: AtomicU64,
    refused_sign_ins: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
