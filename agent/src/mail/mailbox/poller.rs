//! Looks into a mailbox by POP3: one short session after the other, for each shows the mailbox as it was
//! when it signed in (RFC 1939 section 4).
//!
//! A message was not there when the session before began to sign in, and was there when its list came: it
//! arrived in between, and the run says so. A session removes only messages whose token it has seen and
//! verified itself, and only after whoever waits for them has been told. Absent on purpose: sessions when
//! nobody waits; what comes late is found when the next run looks.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::time::Instant;
use mailsonde_proto::{Clock, FaultClass};
use tokio::sync::watch;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use super::board::Board;
use super::event::{Arrival, Arrived, Place, Reply};
use super::pace::{self, SessionPace, Wanted};
use super::sort::{Automatic, Sorted, sort};
use super::teller::Teller;
use super::watcher::{FIRST_PAUSE, FolderState, LONGEST_PAUSE};
use super::{MailboxSettings, STEP};
use crate::mail::dial::Patience;
use crate::mail::endpoint::Endpoint;
use crate::mail::failure::Failure;
use crate::mail::message::{Reader, Reading};
use crate::mail::pop3::{self, Capabilities, Session, name};
use crate::mail::token::{Token, TokenKey};
use crate::mail::wire::Record;
use crate::net::Net;
use crate::stopwatch::Stopwatch;

/// The most messages whose headers one session reads: the last ones.
const MOST_LOOKED_AT: usize = 50;
/// How often a session is tried while another one has the mailbox open (RFC 2449 section 8.1.1).
const MOST_TRIES: u32 = 4;
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// A session that gets less time, because its run ends, says nothing of a server that answered before.
const HURRY: Duration = Duration::from_secs(1);
/// What a message may gain on its way: Received headers and the like, and a transfer encoding that takes
/// more room (quoted-printable for base64).
const HEADER_ROOM: u64 = 64 * 1024;
const ENCODING_ROOM: u64 = 3;
/// A message up to this size is kept whole until its run has looked at it.
const KEPT_WHOLE: usize = 256 * 1024;
/// What POP3 shows has no name there.
const FOLDER: &str = "INBOX";

pub(super) struct Poller {
    server: Endpoint,
    pace: SessionPace,
    settings: Arc<MailboxSettings>,
    net: Net,
    clock: Clock,
    board: Arc<Board>,
    teller: Teller,
    shutdown: CancellationToken,
    state: watch::Sender<FolderState>,
    changes: watch::Receiver<u64>,
    memory: Memory,
}

/// What is known from one session to the next.
#[derive(Default)]
struct Memory {
    capabilities: Option<Capabilities>,
    /// Unique-ids that need no look any more; `None` before the first list.
    known: Option<HashSet<String>>,
    /// Those of messages that were told and that no session has removed yet.
    told: HashSet<String>,
    /// When the last good session began to sign in: what it did not show was absent then.
    absent: Option<Instant>,
    /// When the last good session began.
    verified: Option<Instant>,
    /// When the sessions of the last minute began.
    began: VecDeque<Instant>,
    /// After a failure no session begins before this, unless a run has registered since.
    not_before: Option<(Instant, Instant)>,
}

/// A message as it was read.
struct Read {
    reading: Reading,
    /// Its first bytes: a little more than [`KEPT_WHOLE`] where there are more.
    start: Vec<u8>,
    /// Whether these are all of it.
    is_kept: bool,
    bytes: u64,
}

/// One session that has its list.
struct Looking {
    session: Session,
    key: Arc<TokenKey>,
    began: Instant,
    listed: Instant,
    is_first: bool,
    marked: Vec<String>,
}

impl Poller {
    pub(super) fn new(
        (server, pace): (Endpoint, SessionPace),
        (settings, net, clock): (Arc<MailboxSettings>, Net, Clock),
        board: Arc<Board>,
        shutdown: CancellationToken,
    ) -> (Self, watch::Receiver<FolderState>) {
        let (state, receiver) = watch::channel(FolderState::Starting);
        let changes = board.changes();
        let mailbox = settings.name.clone();
        let teller =
            Teller { board: Arc::clone(&board), clock, shutdown: shutdown.clone(), mailbox };
        let memory = Memory::default();
        let poller = Self {
            server,
            pace,
            settings,
            net,
            clock,
            board,
            teller,
            shutdown,
            state,
            changes,
            memory,
        };
        (poller, receiver)
    }

    pub(super) async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        while !self.shutdown.is_cancelled() {
            self.changes.mark_unchanged();
            let now = self.clock.monotonic();
            let wanted = self.board.wanted(None, self.memory.verified);
            match self.next(&wanted, now) {
                Some(at) if at <= now => {
                    if self.look().await {
                        pause = FIRST_PAUSE;
                        self.memory.not_before = None;
                    } else {
                        let ended = self.clock.monotonic();
                        self.memory.not_before = Some((now, ended + pause));
                        pause = (pause * 2).min(LONGEST_PAUSE);
                    }
                }
                at => self.wait(at).await,
            }
        }
    }

    fn next(&self, wanted: &Wanted, now: Instant) -> Option<Instant> {
        let at = self.pace.next(wanted, now, &self.memory.began)?;
        match self.memory.not_before {
            Some((attempted, until)) if wanted.newest.is_none_or(|newest| newest <= attempted) => {
                Some(at.max(until))
            }
            _ => Some(at),
        }
    }

    async fn wait(&mut self, until: Option<Instant>) {
        let due = async {
            match until {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {}
            () = self.shutdown.cancelled() => {}
            _changed = self.changes.changed() => {}
        }
    }

    /// One look into the mailbox; whether it went well.
    async fn look(&mut self) -> bool {
        for tries in 1.. {
            let attempted = self.clock.monotonic();
            self.memory.began.push_back(attempted);
            SessionPace::forget(&mut self.memory.began, attempted);
            let mut watch = Stopwatch::start(self.clock);
            let mut record = None;
            let given = pace::connecting(Place::Inbox, attempted, self.board.deadline());
            let failure = match self.session(&mut watch, &mut record).await {
                Ok(()) => return true,
                Err(failure) => failure,
            };
            let is_in_use = failure.fault.reply.to_ascii_uppercase().starts_with("[IN-USE]");
            if is_in_use && tries < MOST_TRIES && !self.shutdown.is_cancelled() {
                tokio::time::sleep(TRY_AGAIN_AFTER).await;
                continue;
            }
            if given < HURRY && self.has_looked() && failure.fault.class == FaultClass::Timeout {
                return false;
            }
            let mailbox = &self.settings.name;
            tracing::info!(%mailbox, fault = %failure.fault, "not looked into");
            // What was known of the server may be what is wrong.
            self.memory.capabilities = None;
            let transcript = record.map(|record: Record| record.text()).unwrap_or_default();
            let laps = watch.laps().to_vec();
            self.state.send_replace(FolderState::Failed { attempted, failure, laps, transcript });
            return false;
        }
        false
    }

    /// Whether a session went well since the newest run is open.
    fn has_looked(&self) -> bool {
        let newest = self.board.wanted(None, self.memory.verified).newest;
        self.memory.verified.is_some_and(|at| newest.is_none_or(|newest| newest <= at))
    }

    /// One session from its beginning to its end.
    async fn session(
        &mut self,
        watch: &mut Stopwatch,
        record: &mut Option<Record>,
    ) -> Result<(), Failure> {
        let began = watch.started();
        let deadline = began + pace::connecting(Place::Inbox, began, self.board.deadline());
        let patience = Patience { clock: self.clock, step: STEP, deadline };
        let dial = pop3::dial(&self.net, patience);
        let record = record.insert(dial.record(&self.server)).clone();
        let known = self.memory.capabilities.clone();
        let mut session = Session::open(dial, &self.server, known, record.clone(), watch).await?;
        let signing_in = watch.laps().iter().find(|lap| lap.name == name::AUTH);
        let absent = signing_in.map_or(began, |lap| lap.from);
        let listing = session.unique_ids(name::LIST).await?;
        self.memory.capabilities = Some(session.capabilities().clone());
        let facts = session.facts().into();
        let Some(key) = self.board.key() else {
            session.leave().await;
            return Ok(());
        };
        let mut looking = Looking {
            session,
            key,
            began,
            listed: self.clock.monotonic(),
            is_first: self.memory.known.is_none(),
            marked: Vec::new(),
        };
        let is_complete = self.look_at(&mut looking, listing).await?;
        let Looking { mut session, marked, .. } = looking;
        session.see_through();
        self.board.spent(session.quit(name::LIST).await?);
        self.memory.told.retain(|id| !marked.contains(id));
        if is_complete {
            self.memory.absent = Some(absent);
        }
        watch.lap(name::LIST);
        self.memory.verified = Some(began);
        let (laps, folder) = (watch.laps().into(), FOLDER.into());
        let (verified, due) = (began, None);
        let ready = FolderState::Ready { verified, due, laps, facts, record, folder };
        self.state.send_replace(ready);
        Ok(())
    }

    /// Looks at what is new in the list; whether all of it could be looked at.
    async fn look_at(
        &mut self,
        looking: &mut Looking,
        listing: Vec<(u32, String)>,
    ) -> Result<bool, Failure> {
        let known = self.memory.known.take().unwrap_or_default();
        let wants_a_look = |id: &String| !known.contains(id) || self.memory.told.contains(id);
        let mut fresh: Vec<(u32, String)> =
            listing.iter().filter(|(_, id)| wants_a_look(id)).cloned().collect();
        fresh.sort_unstable_by(|a, b| b.cmp(a));
        let left = fresh.split_off(fresh.len().min(MOST_LOOKED_AT));
        let is_complete = left.is_empty() || looking.is_first;
        let mut known: HashSet<String> = listing.into_iter().map(|(_, id)| id).collect();
        if !looking.is_first {
            // Of what was here before anybody watched, only the last ones are ever looked at.
            for (_, id) in &left {
                known.remove(id);
            }
        }
        let unseen = fresh.iter().map(|(_, id)| id.clone()).collect::<Vec<_>>();
        let mut seen = 0;
        let mut ended = Ok(());
        for (number, id) in &fresh {
            ended = self.look_at_one(looking, *number, id).await;
            if ended.is_err() {
                break;
            }
            seen += 1;
        }
        // What a broken session did not come to is looked at by the next one.
        for id in unseen.iter().skip(seen) {
            known.remove(id);
        }
        self.memory.told.retain(|id| known.contains(id) || unseen.contains(id));
        self.memory.known = Some(known);
        ended.map(|()| is_complete)
    }

    async fn look_at_one(
        &mut self,
        looking: &mut Looking,
        number: u32,
        id: &str,
    ) -> Result<(), Failure> {
        let header = looking.session.header(name::LIST, number).await?;
        let was_told = self.memory.told.contains(id);
        let can_go = match sort(&header, &looking.key) {
            Sorted::Ours(_) if was_told => true,
            Sorted::Ours(token) => self.arrived(looking, &token, (number, id)).await?,
            Sorted::Notification => {
                // What it says stands at its beginning, however large the message is that it returns.
                let start = self.read(looking, number).await?.start;
                let (key, seen) = (&looking.key, (FOLDER, looking.listed));
                match was_told {
                    true => Teller::is_about_ours(&start, key),
                    false => self.teller.notified(&start, key, seen).await,
                }
            }
            Sorted::Reply(..) if was_told => true,
            Sorted::Reply(token, Automatic { kind, from }) => {
                let (folder, first_seen) = (FOLDER.to_owned(), looking.listed);
                self.teller.replied(&token, Reply { kind, from, folder, first_seen }).await
            }
            Sorted::Forged => {
                self.board.saw_forged();
                false
            }
            Sorted::Foreign => false,
        };
        if can_go {
            self.memory.told.insert(id.to_owned());
            looking.session.see_through();
            looking.session.delete(name::LIST, number).await?;
            looking.marked.push(id.to_owned());
        }
        Ok(())
    }

    /// A message of ours; whether it can be removed.
    async fn arrived(
        &self,
        looking: &mut Looking,
        token: &Token,
        (number, id): (u32, &str),
    ) -> Result<bool, Failure> {
        let Read { reading, start, is_kept, bytes } = self.read(looking, number).await?;
        let whole = is_kept.then_some(start);
        let body = reading.judge(token.body, self.board.attached(token).as_ref());
        let arrival = Arrival {
            protocol: "pop3",
            place: Place::Inbox,
            folder: FOLDER.to_owned(),
            uid: id.to_owned(),
            first_seen: looking.listed,
            last_absent: self.memory.absent.unwrap_or(looking.began),
            // POP3 does not say when a message was stored.
            stored: None,
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
            body,
            message: Arc::new(Arrived { headers: reading.headers, whole }),
            told: None,
        };
        Ok(self.teller.arrived(token, arrival, !looking.is_first).await)
    }

    /// Reads a message piece by piece; a large one never stands in memory as a whole.
    async fn read(&self, looking: &mut Looking, number: u32) -> Result<Read, Failure> {
        let most = self.board.largest().saturating_mul(ENCODING_ROOM).saturating_add(HEADER_ROOM);
        let bytes = looking.session.size(name::LIST, number).await?;
        let (mut reader, mut start) = (Reader::new(), Vec::new());
        let take = |piece: &[u8]| {
            reader.feed(piece);
            if start.len() <= KEPT_WHOLE {
                start.extend_from_slice(piece);
            }
        };
        let is_whole = looking.session.message(name::LIST, (number, bytes), most, take).await?;
        let is_kept = is_whole && start.len() <= KEPT_WHOLE;
        Ok(Read { reading: reader.finish(is_whole), start, is_kept, bytes })
    }
}
