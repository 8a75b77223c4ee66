//! Mail of other agents, which sign it: what is expected, what was seen, and what was counted already.
//!
//! Invariant: a message counts once, and only where one of the senders that the policy names signed it, for this very
//! mailbox, lately. It is removed only after its arrival has been handed on. Everything is bounded. Absent on purpose:
//! who is told, and how.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use mailsonde_proto::time::Instant;
use mailsonde_proto::{AgentId, RunId, WallTime};
use tokio::sync::{Notify, mpsc};

use super::event::Arrival;
use super::pace::Wanted;
use super::sort::signed_by;
use crate::mail::token::{Senders, Token, TokenKey, recipient_digest};
use crate::probe::Amendment;

/// Tokens that were counted and are remembered; whoever is told of one again knows it too.
const MOST_COUNTED: usize = 8_192;

/// A mail that another agent is about to send.
#[derive(Clone)]
pub struct Guest {
    /// Who sends it.
    pub sender: AgentId,
    /// In which of its runs.
    pub run: RunId,
    /// So long it is watched for.
    pub deadline: Instant,
    /// How many bytes it has.
    pub bytes: u64,
    /// Whose mail is believed.
    pub senders: Senders,
    /// Where to tell that it arrived.
    pub sightings: mpsc::Sender<Sighting>,
    /// Of this agent: its own mail may turn up in the same mailbox.
    pub key: Arc<TokenKey>,
    /// Where to tell what comes up of that.
    pub amendments: mpsc::Sender<Amendment>,
}

/// A mail of another agent arrived.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// Who sent it, in which run, as it signed.
    pub token: Token,
    /// How.
    pub arrival: Arrival,
}

/// Names a visit: the sender and its run.
pub(super) type Name = (AgentId, RunId);

/// Those of one mailbox.
#[derive(Default)]
pub(super) struct Guests {
    open: HashMap<Name, Open>,
    counted: Counted,
    senders: Senders,
    sightings: Option<mpsc::Sender<Sighting>>,
    /// Digest of the mailbox's address.
    recipient: [u8; 8],
}

struct Open {
    registered: Instant,
    deadline: Instant,
    is_ready: Option<Instant>,
    is_seen: bool,
    share: u64,
    bell: Arc<Notify>,
}

impl Guests {
    pub(super) fn expect(&mut self, guest: Guest, address: &str, now: Instant) {
        let open = Open {
            registered: now,
            deadline: guest.deadline,
            is_ready: None,
            is_seen: false,
            share: 0,
            bell: Arc::new(Notify::new()),
        };
        self.open.insert((guest.sender, guest.run), open);
        self.senders = guest.senders;
        self.sightings = Some(guest.sightings);
        self.recipient = recipient_digest(address);
    }

    pub(super) fn ready(&mut self, name: Name, now: Instant) {
        if let Some(open) = self.open.get_mut(&name) {
            open.is_ready = Some(now);
        }
    }

    pub(super) fn close(&mut self, name: Name) {
        self.open.remove(&name);
    }

    /// Whether it was seen; else the bell that rings when it is.
    pub(super) fn seen(&self, name: Name) -> Option<Result<(), Arc<Notify>>> {
        let open = self.open.get(&name)?;
        Some(if open.is_seen { Ok(()) } else { Err(Arc::clone(&open.bell)) })
    }

    /// What a message says that one of the senders signed for this mailbox; `None` for every other.
    pub(super) fn signed(&self, headers: &[u8], now: WallTime) -> Option<Token> {
        self.sightings.as_ref()?;
        let signed = signed_by(headers, &self.senders)?;
        let is_for_us = signed.token.recipient == self.recipient;
        (is_for_us && signed.is_fresh(now)).then_some(signed.token)
    }

    /// Such a message was seen. Whether it can be removed.
    pub(super) fn saw(&mut self, token: &Token, arrival: Arrival) -> bool {
        if self.counted.has(token) {
            return true;
        }
        let sighting = Sighting { token: token.clone(), arrival };
        let told = self.sightings.as_ref().is_some_and(|to| to.try_send(sighting).is_ok());
        if told {
            self.counted.add(token);
            if let Some(open) = self.open.get_mut(&(token.agent, token.run)) {
                open.is_seen = true;
                open.bell.notify_one();
            }
        }
        told
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Commands were spoken: every visit bears its share.
    pub(super) fn bear(&mut self, share: u64) {
        self.open.values_mut().for_each(|open| open.share += share);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.open.values().map(|open| open.deadline).max()
    }

    /// What they want of a watcher that was last seen to work at `verified`.
    pub(super) fn want(&self, wanted: &mut Wanted, verified: Option<Instant>, whole: u64) {
        for open in self.open.values() {
            wanted.to_verify |= verified.is_none_or(|verified| verified < open.registered);
            wanted.open += 1;
            wanted.newest = wanted.newest.max(Some(open.registered));
            if let (false, Some(ready)) = (open.is_seen, open.is_ready) {
                wanted.waiting += 1;
                wanted.youngest = wanted.youngest.max(Some(ready));
                wanted.largest_share = wanted.largest_share.max(open.share / whole);
            }
        }
    }
}

/// What was counted.
#[derive(Default)]
struct Counted {
    known: HashSet<(Name, [u8; 8])>,
    in_order: VecDeque<(Name, [u8; 8])>,
}

impl Counted {
    fn has(&self, token: &Token) -> bool {
        self.known.contains(&((token.agent, token.run), token.nonce))
    }

    fn add(&mut self, token: &Token) {
        if self.in_order.len() >= MOST_COUNTED
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.known.remove(&oldest);
        }
        let one = ((token.agent, token.run), token.nonce);
        if self.known.insert(one) {
            self.in_order.push_back(one);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mailsonde_proto::{Clock, Epoch};

    use super::super::event::Place;
    use super::*;
    use crate::mail::message::{Body, TOKEN_HEADER};
    use crate::mail::token::{Sender, SignedToken, SigningKey};

    const ADDRESS: &str = "b@b.test";
    const NOW: WallTime = WallTime::from_s(1_764_000_000);

    fn token(intent: u64, to: &str) -> Token {
        Token::new(AgentId([1; 16]), RunId { epoch: Epoch(7), intent }, to, [0; 16])
    }

    fn headers(key: &SigningKey, token: &Token, sent_at: WallTime) -> Vec<u8> {
        let signed = SignedToken { token: token.clone(), sent_at, clock_error_us: Some(1) };
        format!("{TOKEN_HEADER}: {}\r\n\r\n", key.seal(&signed)).into_bytes()
    }

    fn arrival() -> Arrival {
        let now = Clock::system().monotonic();
        Arrival {
            protocol: "imap",
            place: Place::Inbox,
            folder: "INBOX".into(),
            uid: "1".into(),
            first_seen: now,
            last_absent: now,
            stored: None,
            bytes: 1,
            body: Body::Same,
            message: Arc::default(),
            told: None,
        }
    }

    fn guest(key: &SigningKey, room: usize) -> (Guest, mpsc::Receiver<Sighting>) {
        let senders = Senders::default();
        senders.replace(&[Sender { name: "a".into(), key: key.public() }]);
        let (sightings, seen) = mpsc::channel(room);
        let guest = Guest {
            sender: AgentId([1; 16]),
            run: RunId { epoch: Epoch(7), intent: 1 },
            deadline: Clock::system().monotonic(),
            bytes: 900,
            senders,
            sightings,
            key: Arc::new(TokenKey::from_bytes([9; 32])),
            amendments: mpsc::channel(1).0,
        };
        (guest, seen)
    }

    #[test]
    fn only_what_a_known_sender_signed_lately_for_this_mailbox_is_its_mail() {
        let (key, other) = (SigningKey::from_seed([1; 32]), SigningKey::from_seed([2; 32]));
        let mine = token(1, ADDRESS);
        let mut guests = Guests::default();
        assert_eq!(guests.signed(&headers(&key, &mine, NOW), NOW), None, "nobody is expected");
        let (guest, _seen) = guest(&key, 1);
        guests.expect(guest.clone(), ADDRESS, guest.deadline);
        let days = |count: u64| Duration::from_secs(count * 86_400);
        for (headers, expected) in [
            (headers(&key, &mine, NOW), Some(mine.clone())),
            (headers(&other, &mine, NOW), None),
            (headers(&key, &token(1, "c@b.test"), NOW), None),
            (headers(&key, &mine, NOW.minus(days(8))), None),
            (headers(&key, &mine, NOW.plus(days(1))), None),
            (b"Subject: a letter\r\n\r\n".to_vec(), None),
            (b"X-Mailsonde-Token: AgICAgIC\r\n\r\n".to_vec(), None),
        ] {
            assert_eq!(guests.signed(&headers, NOW), expected);
        }
        guest.senders.replace(&[]);
        assert_eq!(guests.signed(&headers(&key, &mine, NOW), NOW), None, "believed no more");
    }

    #[test]
    fn each_counts_once_and_stays_where_nobody_could_be_told() {
        let key = SigningKey::from_seed([1; 32]);
        let (guest, mut seen) = guest(&key, 1);
        let name = (guest.sender, guest.run);
        let mut guests = Guests::default();
        guests.expect(guest.clone(), ADDRESS, guest.deadline);
        let (mine, later) = (token(1, ADDRESS), token(2, ADDRESS));
        assert!(guests.saw(&mine, arrival()));
        assert!(!guests.saw(&later, arrival()), "there is no room: it stays in the mailbox");
        assert_eq!(seen.try_recv().unwrap().token, mine);
        assert!(guests.saw(&mine, arrival()), "a replay is removed");
        assert!(seen.try_recv().is_err(), "and told to nobody");
        assert!(matches!(guests.seen(name), Some(Ok(()))));
        assert!(guests.saw(&later, arrival()));
        assert_eq!(seen.try_recv().unwrap().token, later);
        guests.close(name);
        assert!(guests.seen(name).is_none() && guests.len() == 0);
    }

    #[test]
    fn what_was_counted_is_bounded() {
        let mut counted = Counted::default();
        let tokens: Vec<_> = (0..10_000).map(|intent| token(intent, ADDRESS)).collect();
        tokens.iter().for_each(|token| counted.add(token));
        assert_eq!((counted.known.len(), counted.in_order.len()), (MOST_COUNTED, MOST_COUNTED));
        assert!(!counted.has(&tokens[0]) && counted.has(&tokens[9_999]));
    }
}
