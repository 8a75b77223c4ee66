//! What two agents say to each other of one mail from the one to the other, by way of the collector.

use std::time::Duration;

use crate::convert::Malformed;
use crate::convert::limits::{self, MAX_MAILBOXES, MAX_NAME_BYTES, MAX_TEXT_BYTES};
use crate::observation::RunId;
use crate::sender_key::SenderKey;
use crate::time::{WallTime, as_us};
use crate::vantage::{AgentId, Epoch};
use crate::wire;

/// Bytes of a mail's headers that travel.
pub const MAX_HEADER_BYTES: usize = 16 * 1024;
/// Bytes of an address (RFC 5321 section 4.5.3.1: 64, the sign, 255).
const MAX_ADDRESS_BYTES: usize = 320;
/// A mailbox is not watched for longer at a time.
const MAX_WITHIN: Duration = Duration::from_secs(3_600);

/// A mailbox in which mail of other agents may arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivingMailbox {
    /// By which the agent knows it.
    pub name: String,
    /// Its address.
    pub address: String,
}

/// One word about one mail.
#[derive(Clone, Debug, PartialEq)]
pub struct Crossing {
    /// From an agent: whom to tell. From the collector: who says it, by its certificate.
    pub peer: AgentId,
    /// Of the agent that sends the mail.
    pub run: RunId,
    /// What is said.
    pub word: CrossingWord,
}

/// What is said.
#[derive(Clone, Debug, PartialEq)]
pub enum CrossingWord {
    /// The sender: a mail is about to leave.
    Expect(Expect),
    /// The receiver: the mailbox is watched.
    Ready,
    /// The receiver, or the collector in its place: it is not, or not any more.
    Unready(Unready),
    /// The receiver: the mail arrived, and its seal is right.
    Seen(Box<Seen>),
    /// The receiver: it watched all the time, and the mail is not there.
    Unseen,
    /// The sender: it waits no more.
    Over,
    /// Something that a newer agent says.
    Unknown,
}

impl CrossingWord {
    /// Whether the mail's sender says it, and not its receiver.
    pub const fn is_of_sender(&self) -> bool {
        matches!(self, Self::Expect(_) | Self::Over)
    }
}

/// A mail is about to leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    /// By which its seal is to be verified, if the receiver knows it.
    pub signing_key: SenderKey,
    /// The receiver's mailbox, by its name.
    pub mailbox: String,
    /// So long it is watched; an hour at most.
    pub within: Duration,
    /// Bytes of the mail.
    pub bytes: u64,
}

/// Why a mailbox is not watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unready {
    /// Why.
    pub reason: UnreadyReason,
    /// For people.
    pub detail: String,
}

/// Why a mailbox is not watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnreadyReason {
    /// Its agent is not connected to the collector.
    Absent,
    /// No check in force sends between the two.
    NoCheck,
    /// The receiver's policy does not name the sender's key.
    UnknownKey,
    /// The mailbox is not there, or cannot be watched.
    Mailbox,
    /// As many are watched as may be.
    Busy,
    /// A reason that a newer peer knows and we do not.
    Unknown,
}

/// A mail arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When; `None` where the receiver does not know the collector's clock.
    pub at: Option<SeenAt>,
    /// `inbox` or `junk`.
    pub place: String,
    /// The folder's name.
    pub folder: String,
    /// In bytes, as stored.
    pub bytes: u32,
    /// `same`, `reencoded` or `altered`; else nothing can be said.
    pub body: String,
    /// Its header block, as far as it is short.
    pub headers: Vec<u8>,
}

/// When a mail was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenAt {
    /// By the collector's clock.
    pub first_seen: WallTime,
    /// The receiver knows that clock to within this, in microseconds.
    pub clock_error_us: u64,
    /// So long before, it was seen to be absent.
    pub interval: Duration,
}

impl TryFrom<wire::Crossing> for Crossing {
    type Error = Malformed;

    fn try_from(sent: wire::Crossing) -> Result<Self, Malformed> {
        use wire::crossing::Is;
        let form = Malformed::Form { what: "the other agent", form: "16 bytes" };
        let peer = sent.peer.as_slice().try_into().map(AgentId).ok().ok_or(form)?;
        let run = sent.run.ok_or(Malformed::Missing("the run of a crossing mail"))?;
        let word = match sent.is {
            Some(Is::Expect(expect)) => CrossingWord::Expect(expect.try_into()?),
            Some(Is::Ready(wire::Ready {})) => CrossingWord::Ready,
            Some(Is::Unready(unready)) => CrossingWord::Unready(unready.try_into()?),
            Some(Is::Seen(seen)) => CrossingWord::Seen(Box::new(seen.try_into()?)),
            Some(Is::Unseen(wire::Unseen {})) => CrossingWord::Unseen,
            Some(Is::Over(wire::Over {})) => CrossingWord::Over,
            None => CrossingWord::Unknown,
        };
        Ok(Self { peer, run: RunId { epoch: Epoch(run.epoch), intent: run.intent }, word })
    }
}

impl From<Crossing> for wire::Crossing {
    fn from(said: Crossing) -> Self {
        use wire::crossing::Is;
        let is = match said.word {
            CrossingWord::Expect(expect) => Some(Is::Expect(expect.into())),
            CrossingWord::Ready => Some(Is::Ready(wire::Ready {})),
            CrossingWord::Unready(unready) => Some(Is::Unready(unready.into())),
            CrossingWord::Seen(seen) => Some(Is::Seen((*seen).into())),
            CrossingWord::Unseen => Some(Is::Unseen(wire::Unseen {})),
            CrossingWord::Over => Some(Is::Over(wire::Over {})),
            CrossingWord::Unknown => None,
        };
        let run = wire::RunId { epoch: said.run.epoch.0, intent: said.run.intent };
        Self { peer: said.peer.0.to_vec(), run: Some(run), is }
    }
}

impl TryFrom<wire::Expect> for Expect {
    type Error = Malformed;

    fn try_from(sent: wire::Expect) -> Result<Self, Malformed> {
        let key = sender_key(&sent.signing_key)?;
        Ok(Self {
            signing_key: key.ok_or(Malformed::Missing("the sender's key"))?,
            mailbox: limits::name("a mailbox's name", sent.mailbox)?,
            within: Duration::from_micros(sent.within_us).min(MAX_WITHIN),
            bytes: sent.bytes,
        })
    }
}

impl From<Expect> for wire::Expect {
    fn from(said: Expect) -> Self {
        Self {
            signing_key: said.signing_key.0.to_vec(),
            mailbox: said.mailbox,
            within_us: as_us(said.within),
            bytes: said.bytes,
        }
    }
}

impl TryFrom<wire::Unready> for Unready {
    type Error = Malformed;

    fn try_from(sent: wire::Unready) -> Result<Self, Malformed> {
        use wire::UnreadyReason as Sent;
        let reason = match Sent::try_from(sent.reason) {
            Ok(Sent::Absent) => UnreadyReason::Absent,
            Ok(Sent::NoCheck) => UnreadyReason::NoCheck,
            Ok(Sent::UnknownKey) => UnreadyReason::UnknownKey,
            Ok(Sent::Mailbox) => UnreadyReason::Mailbox,
            Ok(Sent::Busy) => UnreadyReason::Busy,
            Ok(Sent::Unspecified) | Err(_) => UnreadyReason::Unknown,
        };
        Ok(Self { reason, detail: limits::text("a detail", sent.detail, MAX_TEXT_BYTES)? })
    }
}

impl From<Unready> for wire::Unready {
    fn from(said: Unready) -> Self {
        let reason = match said.reason {
            UnreadyReason::Absent => wire::UnreadyReason::Absent,
            UnreadyReason::NoCheck => wire::UnreadyReason::NoCheck,
            UnreadyReason::UnknownKey => wire::UnreadyReason::UnknownKey,
            UnreadyReason::Mailbox => wire::UnreadyReason::Mailbox,
            UnreadyReason::Busy => wire::UnreadyReason::Busy,
            UnreadyReason::Unknown => wire::UnreadyReason::Unspecified,
        };
        Self { reason: i32::from(reason), detail: limits::cut(said.detail, MAX_TEXT_BYTES) }
    }
}

impl TryFrom<wire::Seen> for Seen {
    type Error = Malformed;

    fn try_from(sent: wire::Seen) -> Result<Self, Malformed> {
        limits::count("bytes of headers", sent.headers.len(), MAX_HEADER_BYTES)?;
        let at = (sent.clock_error_us > 0).then(|| SeenAt {
            first_seen: WallTime::from_ns(i64::try_from(sent.first_seen_ns).unwrap_or(i64::MAX)),
            clock_error_us: sent.clock_error_us,
            interval: Duration::from_micros(sent.interval_us),
        });
        Ok(Self {
            at,
            place: limits::text("a place", sent.place, MAX_NAME_BYTES)?,
            folder: limits::text("a folder", sent.folder, MAX_TEXT_BYTES)?,
            bytes: sent.bytes,
            body: limits::text("a body's word", sent.body, MAX_NAME_BYTES)?,
            headers: sent.headers,
        })
    }
}

impl From<Seen> for wire::Seen {
    fn from(mut said: Seen) -> Self {
        said.headers.truncate(MAX_HEADER_BYTES);
        let ns = |at: &SeenAt| u64::try_from(at.first_seen.as_ns()).unwrap_or(0);
        Self {
            first_seen_ns: said.at.as_ref().map_or(0, ns),
            clock_error_us: said.at.map_or(0, |at| at.clock_error_us.max(1)),
            interval_us: said.at.map_or(0, |at| as_us(at.interval)),
            place: said.place,
            folder: limits::cut(said.folder, MAX_TEXT_BYTES),
            bytes: said.bytes,
            body: said.body,
            headers: said.headers,
        }
    }
}

impl From<ReceivingMailbox> for wire::ReceivingMailbox {
    fn from(said: ReceivingMailbox) -> Self {
        Self { name: said.name, address: said.address }
    }
}

impl TryFrom<wire::ReceivingMailbox> for ReceivingMailbox {
    type Error = Malformed;

    fn try_from(sent: wire::ReceivingMailbox) -> Result<Self, Malformed> {
        let form = Malformed::Form { what: "a mailbox's address", form: "like probe@example.org" };
        let is_plain = sent.address.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_plain || !sent.address.contains('@') {
            return Err(form);
        }
        Ok(Self {
            name: limits::name("a mailbox's name", sent.name)?,
            address: limits::text("a mailbox's address", sent.address, MAX_ADDRESS_BYTES)?,
        })
    }
}

/// A key's bytes; none where there are none.
pub(super) fn sender_key(sent: &[u8]) -> Result<Option<SenderKey>, Malformed> {
    if sent.is_empty() {
        return Ok(None);
    }
    let form = Malformed::Form { what: "a signing key", form: "32 bytes" };
    sent.try_into().map(|key| Some(SenderKey(key))).ok().ok_or(form)
}

/// Those in which mail of others may arrive.
pub(super) fn mailboxes(
    sent: Vec<wire::ReceivingMailbox>,
) -> Result<Vec<ReceivingMailbox>, Malformed> {
    limits::count("receiving mailboxes", sent.len(), MAX_MAILBOXES)?;
    sent.into_iter().map(ReceivingMailbox::try_from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crossing(word: CrossingWord) -> Crossing {
        let run = RunId { epoch: Epoch(3), intent: 9 };
        Crossing { peer: AgentId([1; 16]), run, word }
    }

    fn seen(at: Option<SeenAt>) -> CrossingWord {
        CrossingWord::Seen(Box::new(Seen {
            at,
            place: "inbox".into(),
            folder: "INBOX".into(),
            bytes: 900,
            body: "same".into(),
            headers: b"Subject: a\r\n".to_vec(),
        }))
    }

    fn expect() -> Expect {
        Expect {
            signing_key: SenderKey([4; 32]),
            mailbox: "main".into(),
            within: Duration::from_secs(30),
            bytes: 900,
        }
    }

    #[test]
    fn what_is_said_is_heard() {
        let at = SeenAt {
            first_seen: WallTime::from_s(1_000),
            clock_error_us: 350,
            interval: Duration::from_micros(4_000),
        };
        let unready = |reason| CrossingWord::Unready(Unready { reason, detail: "no".into() });
        for word in [
            CrossingWord::Expect(expect()),
            CrossingWord::Ready,
            unready(UnreadyReason::Absent),
            unready(UnreadyReason::NoCheck),
            unready(UnreadyReason::UnknownKey),
            unready(UnreadyReason::Mailbox),
            unready(UnreadyReason::Busy),
            seen(Some(at)),
            seen(None),
            CrossingWord::Unseen,
            CrossingWord::Over,
            CrossingWord::Unknown,
        ] {
            let said = crossing(word);
            let heard: Crossing = wire::Crossing::from(said.clone()).try_into().unwrap();
            assert_eq!(heard, said);
        }
    }

    #[test]
    fn what_is_beyond_its_limit_is_refused() {
        let sent = |word| wire::Crossing::from(crossing(word));
        let expect = |expect| sent(CrossingWord::Expect(expect));
        let mut long = sent(seen(None));
        if let Some(wire::crossing::Is::Seen(seen)) = &mut long.is {
            seen.headers = vec![b'a'; MAX_HEADER_BYTES + 1];
        }
        let mut keyless = expect(self::expect());
        if let Some(wire::crossing::Is::Expect(expect)) = &mut keyless.is {
            expect.signing_key.clear();
        }
        let nobody = wire::Crossing { peer: vec![1], ..sent(CrossingWord::Ready) };
        let named = Expect { mailbox: "a b".into(), ..self::expect() };
        for (sent, expected) in [
            (long, "bytes of headers is beyond its limit of 16384"),
            (keyless, "the sender's key is missing"),
            (nobody, "the other agent is not 16 bytes"),
            (expect(named), "a mailbox's name is not"),
            (wire::Crossing { run: None, ..sent(CrossingWord::Ready) }, "is missing"),
        ] {
            let error = Crossing::try_from(sent).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        for address in ["", "nobody", "a b@c.test", "a@b.test\r\nBcc: c@d.test"] {
            let sent = wire::ReceivingMailbox { name: "main".into(), address: address.into() };
            assert!(ReceivingMailbox::try_from(sent).is_err(), "{address}");
        }
        let forever = Expect { within: Duration::MAX, ..self::expect() };
        let heard = Crossing::try_from(expect(forever)).unwrap();
        let CrossingWord::Expect(heard) = heard.word else { panic!("{heard:?}") };
        assert_eq!(heard.within, MAX_WITHIN);
    }
}
