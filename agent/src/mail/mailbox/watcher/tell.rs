//! What is done about the messages that were found: whoever waits is told, and only then is removed what
//! is ours.

use mailsonde_proto::time::Instant;

use super::{Connection, Watcher};
use crate::mail::failure::Failure;
use crate::mail::imap::{Described, uid_set};
use crate::mail::mailbox::board::Arrival;
use crate::mail::mailbox::sort::{Sorted, sort};
use crate::mail::message::judge_body;

/// The least bytes of a message that are asked for.
const READ: usize = 64 * 1024;
/// What a message may gain on its way: Received headers and the like.
const HEADER_ROOM: usize = 32 * 1024;
/// Bytes that are read at once: one response has at most 1 MiB.
const READ_AT_ONCE: usize = 512 * 1024;

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
        let mut ours = Vec::new();
        let mut notifications = Vec::new();
        for message in found {
            match sort(&message.headers, &key) {
                Sorted::Ours(token) => ours.push((message, token)),
                Sorted::Notification => notifications.push(message),
                Sorted::Forged => self.board.saw_forged(),
                Sorted::Foreign => {}
            }
        }
        let uids = ours.iter().map(|(message, _)| message).chain(&notifications);
        let bodies = self.read(connection, uids).await?;
        let body_of = |uid| bodies.iter().find(|(of, _)| *of == uid).map(|(_, body)| body);
        for (message, token) in ours {
            let body = body_of(message.uid).map(Vec::as_slice).unwrap_or_default();
            let whole = usize::try_from(message.size).is_ok_and(|size| size <= body.len());
            let arrival = Arrival {
                protocol: "imap",
                place: self.place,
                folder: connection.folder.clone(),
                uid: message.uid.to_string(),
                first_seen: first_seen(news, message.sequence).unwrap_or(now),
                last_absent: connection.absent,
                stored: message.stored,
                bytes: message.size,
                body: judge_body(body, whole, token.body),
            };
            let is_new = new_from.is_some_and(|from| message.uid >= from);
            if self.teller.arrived(&token, arrival, is_new).await {
                self.remove_later(connection, message.uid);
            }
        }
        for message in notifications {
            let Some(body) = body_of(message.uid) else { continue };
            if self.teller.notified(body, &key).await {
                self.remove_later(connection, message.uid);
            }
        }
        Ok(())
    }

    fn remove_later(&self, connection: &mut Connection, uid: u32) {
        if connection.removals.is_empty() {
            connection.removals_since = self.clock.monotonic();
        }
        connection.removals.push(uid);
    }

    /// The bodies of messages that are ours or about ours.
    async fn read(
        &self,
        connection: &mut Connection,
        messages: impl Iterator<Item = &Described>,
    ) -> Result<Vec<(u32, Vec<u8>)>, Failure> {
        let most = READ.max(self.board.largest().saturating_add(HEADER_ROOM));
        let mut bodies = Vec::new();
        let (mut some, mut bytes) = (Vec::new(), 0);
        for message in messages {
            let size = usize::try_from(message.size).unwrap_or(most).min(most);
            if bytes + size > READ_AT_ONCE && !some.is_empty() {
                let set = uid_set(&std::mem::take(&mut some)).unwrap_or_default();
                bodies.extend(connection.session.read(&set, most).await?);
                bytes = 0;
            }
            some.push(message.uid);
            bytes += size;
        }
        if let Some(set) = uid_set(&some) {
            bodies.extend(connection.session.read(&set, most).await?);
        }
        Ok(bodies)
    }
}

/// When the folder had grown so far that it held the message with this number.
fn first_seen(news: &[(u32, Instant)], sequence: u32) -> Option<Instant> {
    news.iter().find(|(count, _)| *count >= sequence).map(|(_, seen)| *seen)
}
