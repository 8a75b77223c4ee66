//! The other agents, as far as a mail goes from this one to one of them: what is asked of each, and what they say.
//!
//! Before the mail leaves its receiver says that it watches, and at the end that it did. So a mail is lost only where
//! the receiver says that it is not there; silence, of whomever, leaves the run void. Invariants: a mail arrives once;
//! nobody's word counts but that of the agent that was asked, whom the collector knows by its certificate. Absent on
//! purpose: the stream, and the mailbox at the other end.

mod hear;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use mailsonde_proto::convert::{Crossing, CrossingWord, Expect, FromAgent, Unready, UnreadyReason};
use mailsonde_proto::time::Instant;
use mailsonde_proto::{AgentId, FaultClass, RunId, SenderKey, phase};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::timeout;

use crate::mail::failure::{Failure, seconds};
use crate::mail::mailbox::{Arrival, Closed, Ledger};
use crate::mail::token::Token;
use crate::probe::Amendment;

/// Who is to see a mail arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its name, for people.
    pub name: String,
    /// Who it is.
    pub agent: AgentId,
    /// Its mailbox, by the name that it has there.
    pub mailbox: String,
    /// What this agent is called, for people at the other end.
    pub us: String,
}

/// A mail that is about to leave.
#[derive(Clone, Debug)]
pub struct Leaving {
    /// As it says itself.
    pub token: Token,
    /// By which it is verified.
    pub key: SenderKey,
    /// How many bytes it has.
    pub bytes: u64,
    /// So long the other end is to watch.
    pub within: Duration,
    /// Where to tell what comes up after the run.
    pub amendments: mpsc::Sender<Amendment>,
}

/// All of them. Cheap to clone.
#[derive(Clone, Default)]
pub struct Peers(Arc<Shared>);

#[derive(Default)]
struct Shared {
    stream: OnceLock<mpsc::Sender<FromAgent>>,
    clock_error: OnceLock<watch::Receiver<Option<u64>>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: HashMap<RunId, Open>,
    closed: Ledger,
    amendments: Option<mpsc::Sender<Amendment>>,
}

struct Open {
    peer: AgentId,
    token: Token,
    standing: Standing,
    arrival: Option<Arrival>,
    accepted: Option<Instant>,
    was_taken: bool,
    bell: Arc<Notify>,
}

/// What the other end said last.
#[derive(Clone, Debug)]
enum Standing {
    /// Nothing yet.
    Silent,
    Ready,
    Unready(Unready),
    Unseen,
}

impl Peers {
    /// From now on they are spoken to by this stream; `clock_error` is the bound on the error of this agent's clock in
    /// microseconds, where it is known.
    pub fn speak_through(
        &self,
        stream: mpsc::Sender<FromAgent>,
        clock_error: watch::Receiver<Option<u64>>,
    ) {
        self.0.stream.set(stream).ok();
        self.0.clock_error.set(clock_error).ok();
    }

    /// The bound on the error of this agent's clock in microseconds, where it is known.
    pub fn clock_error_us(&self) -> Option<u64> {
        *self.0.clock_error.get()?.borrow()
    }

    /// Asks the other end to watch for a mail; `None` where there is no stream to ask by.
    pub fn expect(&self, leaving: Leaving, to: &Peer) -> Option<Hold> {
        let run = leaving.token.run;
        let open = Open {
            peer: to.agent,
            token: leaving.token,
            standing: Standing::Silent,
            arrival: None,
            accepted: None,
            was_taken: false,
            bell: Arc::default(),
        };
        let mut state = self.0.lock();
        state.open.insert(run, open);
        state.amendments = Some(leaving.amendments);
        drop(state);
        let shared = Arc::clone(&self.0);
        let hold = Hold { shared, run, peer: to.clone(), key: leaving.key };
        let word = CrossingWord::Expect(Expect {
            signing_key: leaving.key,
            mailbox: to.mailbox.clone(),
            within: leaving.within,
            bytes: leaving.bytes,
        });
        self.0.say(Crossing { peer: to.agent, run, word }).then_some(hold)
    }
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Peers")
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, crossing: Crossing) -> bool {
        let stream = self.stream.get();
        stream.is_some_and(|stream| stream.try_send(FromAgent::Crossing(crossing)).is_ok())
    }
}

/// One mail under way; dropping it ends the waiting.
pub struct Hold {
    shared: Arc<Shared>,
    run: RunId,
    peer: Peer,
    key: SenderKey,
}

impl Hold {
    /// Waits until the other end watches.
    ///
    /// # Errors
    /// Why it does not; nothing can be said about the mail then.
    pub async fn ready(&self, within: Duration) -> Result<(), Failure> {
        let answered = async {
            loop {
                let (standing, bell) = self.standing();
                match standing {
                    Standing::Silent => bell.notified().await,
                    Standing::Unready(why) => return Err(self.unready(&why)),
                    Standing::Ready | Standing::Unseen => return Ok(()),
                }
            }
        };
        timeout(within, answered).await.unwrap_or_else(|_late| {
            let words = format!(
                "{} did not say within {} that it watches: it, or this agent, may have lost its collector, or it \
                 is older than this version",
                self.peer.name,
                seconds(within)
            );
            Err(self.void(words))
        })
    }

    /// Waits until the other end has seen it.
    pub async fn next(&self) -> Arrival {
        loop {
            let bell = {
                let mut state = self.shared.lock();
                match state.open.get_mut(&self.run) {
                    Some(open) if !open.was_taken && open.arrival.is_some() => {
                        open.was_taken = true;
                        if let Some(arrival) = &open.arrival {
                            return arrival.clone();
                        }
                        None
                    }
                    Some(open) => Some(Arc::clone(&open.bell)),
                    None => None,
                }
            };
            match bell {
                Some(bell) => bell.notified().await,
                None => std::future::pending().await,
            }
        }
    }

    /// The server has accepted it.
    pub fn accepted(&self, at: Instant) {
        if let Some(open) = self.shared.lock().open.get_mut(&self.run) {
            open.accepted = Some(at);
        }
    }

    /// Why nothing can be said about a mail that was not seen; `None` where the other end says that it is not there.
    pub fn trouble(&self) -> Option<Failure> {
        match self.standing().0 {
            Standing::Unseen => None,
            Standing::Unready(why) => Some(self.unready(&why)),
            Standing::Silent | Standing::Ready => {
                let words = format!(
                    "{} was ready to see the mail arrive, but has not been heard of since",
                    self.peer.name
                );
                Some(self.void(words))
            }
        }
    }

    fn standing(&self) -> (Standing, Arc<Notify>) {
        match self.shared.lock().open.get(&self.run) {
            Some(open) => (open.standing.clone(), Arc::clone(&open.bell)),
            None => (Standing::Silent, Arc::default()),
        }
    }

    fn unready(&self, why: &Unready) -> Failure {
        let Self { peer: Peer { name, us, mailbox, .. }, key, .. } = self;
        let words = match why.reason {
            UnreadyReason::UnknownKey => format!(
                "{name} does not know this agent's key, and would not believe its mail: add to policy.toml at {name} \
                 [[sender]] with the lines name = \"{us}\" and key = \"{key}\", and send its agent SIGHUP"
            ),
            UnreadyReason::Absent => format!("{name} is not connected to the collector"),
            UnreadyReason::NoCheck => {
                format!("no check in force sends from here to {name}, says the collector")
            }
            UnreadyReason::Mailbox => {
                format!("{name} does not watch its mailbox {mailbox}: {}", why.detail)
            }
            UnreadyReason::Busy | UnreadyReason::Unknown => {
                format!("{name} does not watch for it: {}", why.detail)
            }
        };
        self.void(words)
    }

    fn void(&self, words: String) -> Failure {
        let failure = Failure::new(phase::name::ARRIVAL, FaultClass::Unknown, words);
        Failure { is_of_peer: true, ..failure }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        let Some(open) = state.open.remove(&self.run) else { return };
        let was_seen = open.arrival.is_some();
        let is_over = was_seen || matches!(open.standing, Standing::Unseen | Standing::Unready(_));
        state.closed.remember(Closed {
            token: open.token,
            accepted: open.accepted,
            was_seen,
            attached: None,
            wants_replies: false,
        });
        drop(state);
        if !is_over {
            let (peer, run) = (self.peer.agent, self.run);
            self.shared.say(Crossing { peer, run, word: CrossingWord::Over });
        }
    }
}

#[cfg(test)]
mod tests;
