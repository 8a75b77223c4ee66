//! What is done about the messages that were found: whoever waits is told, and only then is removed what
//! is ours.

use std::collections::HashMap;
use std::sync::Arc;

use mailsonde_proto::time::Instant;

use super::{Connection, Watcher};
use crate::mail::failure::Failure;
use crate::mail::imap::{Described, uid_set};
use crate::mail::mailbox::event::{Arrival, Arrived, Reply};
use crate::mail::mailbox::sort::{Automatic, Sorted, sort};
use crate::mail::message::{Reader, Reading};
use crate::mail::token::{Token, TokenKey};

/// Bytes that are read at once, with which a message counts as small: one response has at most 1 MiB.
const READ_AT_ONCE: usize = 512 * 1024;
/// What a message may gain on its way: Received headers and the like, and a transfer encoding that takes
/// more room (quoted-printable for base64).
const HEADER_ROOM: u64 = 64 * 1024;
const ENCODING_ROOM: u64 = 3;
/// A message up to this size is kept whole until its run has looked at it.
const KEPT_WHOLE: usize = 256 * 1024;

/// What is done something about.
#[derive(Default)]
struct Pile {
    ours: Vec<(Described, Token, Whose)>,
    notifications: Vec<Described>,
    replies: Vec<(Described, Token, Automatic)>,
}

/// Whose a message is that is read.
enum Whose {
    /// Of this agent.
    Ours,
    /// Of another that is believed.
    Guests,
}

impl Watcher {
    /// Tells whoever waits for these messages, and notes which can be removed. `news` is to how
    /// many messages the folder grew, and when that was seen; UIDs from `new_from` on came while this agent ran.
    pub(super) async fn tell(
        &mut self,
        connection: &mut Connection,
        found: Vec<Described>,
        news: &[(u32, Instant)],
        new_from: Option<u32>,
    ) -> Result<(), Failure> {
        let Some(key) = self.board.key() else { return Ok(()) };
        let now = self.clock.monotonic();
        let seen = |message: &Described| first_seen(news, message.sequence).unwrap_or(now);
        let Pile { mut ours, notifications, replies } = self.sorted(found, &key);
        // The large ones last: what is small is not to wait for them.
        ours.sort_by_key(|(message, ..)| message.size);
        let small = ours.iter().map(|(message, ..)| message).filter(|message| !is_large(message));
        let uids = small.chain(&notifications);
        let mut bodies = self.read(connection, uids).await?;
        for (message, token, whose) in ours {
            let first_seen = seen(&message);
            let (reading, whole) = match bodies.remove(&message.uid) {
                Some(body) => read_small(&message, body),
                None => (self.read_large(connection, &message).await?, None),
            };
            let body = reading.judge(token.body, self.board.attached(&token).as_ref());
            let arrival = Arrival {
                protocol: "imap",
                place: self.place,
                folder: connection.folder.clone(),
                uid: message.uid.to_string(),
                first_seen,
                last_absent: connection.absent,
                stored: message.stored,
                bytes: message.size,
                body,
                message: Arc::new(Arrived { headers: reading.headers, whole }),
                told: None,
            };
            let is_new = new_from.is_some_and(|from| message.uid >= from);
            let can_go = match whose {
                Whose::Ours => self.teller.arrived(&token, arrival, is_new).await,
                Whose::Guests => self.board.saw_guests(&token, arrival),
            };
            if can_go {
                self.remove_later(connection, message.uid);
            }
        }
        for message in notifications {
            let body = bodies.remove(&message.uid).unwrap_or_default();
            let seen = (connection.folder.as_str(), seen(&message));
            if self.teller.notified(&body, &key, seen).await {
                self.remove_later(connection, message.uid);
            }
        }
        for (message, token, Automatic { kind, from }) in replies {
            let (folder, first_seen) = (connection.folder.clone(), seen(&message));
            let reply = Reply { kind, from, folder, first_seen };
            if self.teller.replied(&token, reply).await {
                self.remove_later(connection, message.uid);
            }
        }
        Ok(())
    }

    /// Tells messages apart by their headers; what is neither ours nor of somebody whom we believe is left alone.
    fn sorted(&self, found: Vec<Described>, key: &TokenKey) -> Pile {
        let mut pile = Pile::default();
        for message in found {
            match sort(&message.headers, key) {
                Sorted::Ours(token) => pile.ours.push((message, token, Whose::Ours)),
                Sorted::Notification => pile.notifications.push(message),
                Sorted::Reply(token, automatic) => pile.replies.push((message, token, automatic)),
                Sorted::Forged => self.board.saw_forged(),
                Sorted::Foreign => {
                    let signed = self.board.signed(&message.headers, self.clock.wall());
                    pile.ours.extend(signed.map(|token| (message, token, Whose::Guests)));
                }
            }
        }
        pile
    }

    fn remove_later(&self, connection: &mut Connection, uid: u32) {
        if connection.removals.is_empty() {
            connection.removals_since = self.clock.monotonic();
        }
        connection.removals.push(uid);
    }

    /// The bodies of messages that are ours or about ours, by UID: of each at most as much as is read at
    /// once.
    async fn read(
        &self,
        connection: &mut Connection,
        messages: impl Iterator<Item = &Described>,
    ) -> Result<HashMap<u32, Vec<u8>>, Failure> {
        let mut bodies = HashMap::new();
        let (mut some, mut bytes) = (Vec::new(), 0);
        for message in messages {
            let size = usize::try_from(message.size).unwrap_or(READ_AT_ONCE).min(READ_AT_ONCE);
            if bytes + size > READ_AT_ONCE && !some.is_empty() {
                let set = uid_set(&std::mem::take(&mut some)).unwrap_or_default();
                bodies.extend(connection.session.read(&set, READ_AT_ONCE).await?);
                bytes = 0;
            }
            some.push(message.uid);
            bytes += size;
        }
        if let Some(set) = uid_set(&some) {
            bodies.extend(connection.session.read(&set, READ_AT_ONCE).await?);
        }
        Ok(bodies)
    }

    /// Reads a large message of ours piece by piece; it never stands in memory as a whole.
    async fn read_large(
        &self,
        connection: &mut Connection,
        message: &Described,
    ) -> Result<Reading, Failure> {
        let most = self.board.largest().saturating_mul(ENCODING_ROOM).saturating_add(HEADER_ROOM);
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        let set = uid_set(&[message.uid]).unwrap_or_default();
        let mut reader = Reader::new();
        let mut from = 0_u32;
        while from < most {
            let answered = connection.session.read_from(&set, from, READ_AT_ONCE).await?;
            let piece = answered.into_iter().find(|(uid, _)| *uid == message.uid);
            let piece = piece.map(|(_, piece)| piece).unwrap_or_default();
            reader.feed(&piece);
            from = from.saturating_add(u32::try_from(piece.len()).unwrap_or(u32::MAX));
            if piece.len() < READ_AT_ONCE {
                return Ok(reader.finish(from >= message.size));
            }
        }
        Ok(reader.finish(from >= message.size))
    }
}

fn is_large(message: &Described) -> bool {
    usize::try_from(message.size).map_or(true, |size| size > READ_AT_ONCE)
}

/// A message that was read at once, and itself where it is worth keeping.
fn read_small(message: &Described, body: Vec<u8>) -> (Reading, Option<Vec<u8>>) {
    let is_whole = usize::try_from(message.size).is_ok_and(|size| size <= body.len());
    let mut reader = Reader::new();
    reader.feed(&body);
    let is_kept = is_whole && body.len() <= KEPT_WHOLE;
    (reader.finish(is_whole), is_kept.then_some(body))
}

/// When the folder had grown so far that it held the message with this number.
fn first_seen(news: &[(u32, Instant)], sequence: u32) -> Option<Instant> {
    news.iter().find(|(count, _)| *count >= sequence).map(|(_, seen)| *seen)
}
