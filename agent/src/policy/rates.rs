//! How much, how often: what may be used up, and what was.
//!
//! Each answer is a function of what is kept here and of the time that it is given. What is over a rate is
//! refused at once and never made to wait: a measurement that waits is none.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mailsonde_proto::time::Instant;

use super::{Refusal, Rule};

const MINUTE: Duration = Duration::from_secs(60);
/// A run about DNS asks a hundred questions at once and then none for a minute: so many seconds' worth may
/// come together.
pub(crate) const BURST: Duration = Duration::from_secs(10);

/// How much may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Messages in any minute.
    pub mails_a_minute: u32,
    /// Bytes of one message.
    pub message_size: u64,
    /// Bytes of all messages in any minute.
    pub bytes_a_minute: u64,
    /// TCP connections open at once.
    pub connections: usize,
    /// Questions to DNS servers; ten seconds' worth may come together.
    pub dns_questions_a_second: u32,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            mails_a_minute: 60,
            message_size: 64 << 20,
            bytes_a_minute: 256 << 20,
            connections: 512,
            dns_questions_a_second: 200,
        }
    }
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mails_a_minute, connections, dns_questions_a_second, .. } = self;
        let mib = |bytes: u64| {
            format!("{:.1} MiB", f64::from(u32::try_from(bytes >> 10).unwrap_or(u32::MAX)) / 1024.0)
        };
        write!(
            f,
            "{mails_a_minute} mails a minute, {} a mail, {} of mail a minute, {connections} connections at \
             once, {dns_questions_a_second} DNS questions a second",
            mib(self.message_size),
            mib(self.bytes_a_minute),
        )
    }
}

/// What was used in the time just past, in order.
#[derive(Debug, Default)]
pub(crate) struct Window {
    taken: VecDeque<(Instant, u64)>,
    sum: u64,
}

impl Window {
    /// Whether as much more fits into `most` in any such period, until it is taken.
    pub(crate) fn has_room(&mut self, now: Instant, amount: u64, most: (u64, Duration)) -> bool {
        let (most, period) = most;
        while let Some((at, used)) = self.taken.front().copied() {
            if now.saturating_duration_since(at) < period {
                break;
            }
            self.taken.pop_front();
            self.sum = self.sum.saturating_sub(used);
        }
        self.sum.saturating_add(amount) <= most
    }

    /// Takes it.
    pub(crate) fn take(&mut self, now: Instant, amount: u64) {
        self.taken.push_back((now, amount));
        self.sum = self.sum.saturating_add(amount);
    }
}

/// What was used of one policy's rates.
#[derive(Debug, Default)]
pub(crate) struct Books {
    mails: Window,
    bytes: Window,
    /// When all questions so far would have been asked, one after the other at the rate.
    questions_until: Option<Instant>,
    open: Arc<AtomicUsize>,
}

/// One of the connections that may be open at once; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Permit(Arc<AtomicUsize>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Books {
    /// One more message of so many bytes.
    ///
    /// # Errors
    /// When it would be one too many; then nothing was taken.
    pub(crate) fn mail(&mut self, rates: &Rates, bytes: u64, now: Instant) -> Result<(), Refusal> {
        let most = u64::from(rates.mails_a_minute);
        if !self.mails.has_room(now, 1, (most, MINUTE)) {
            let words = format!("{most} messages were sent in the minute just past");
            return Err(Refusal::new(Rule::MailsAMinute, words));
        }
        if !self.bytes.has_room(now, bytes, (rates.bytes_a_minute, MINUTE)) {
            let words = format!(
                "with {bytes} bytes more it would be more than {} bytes of mail in a minute",
                rates.bytes_a_minute
            );
            return Err(Refusal::new(Rule::BytesAMinute, words));
        }
        self.mails.take(now, 1);
        self.bytes.take(now, bytes);
        Ok(())
    }

    /// So many questions more.
    ///
    /// # Errors
    /// When they would be too many; then nothing was taken.
    pub(crate) fn questions(
        &mut self,
        rates: &Rates,
        questions: u32,
        now: Instant,
    ) -> Result<(), Refusal> {
        let each = Duration::from_secs(1) / rates.dns_questions_a_second.max(1);
        let from = self.questions_until.map_or(now, |until| until.max(now));
        let until = from + each * questions;
        if until.saturating_duration_since(now) > BURST {
            let words = format!(
                "more than {} questions a second were asked for a while",
                rates.dns_questions_a_second
            );
            return Err(Refusal::new(Rule::Questions, words));
        }
        self.questions_until = Some(until);
        Ok(())
    }

    /// One more connection.
    ///
    /// # Errors
    /// When as many as may be are open.
    pub(crate) fn connection(&self, rates: &Rates) -> Result<Permit, Refusal> {
        let most = rates.connections;
        let more = |open: usize| (open < most).then(|| open + 1);
        match self.open.fetch_update(Ordering::AcqRel, Ordering::Acquire, more) {
            Ok(_) => Ok(Permit(Arc::clone(&self.open))),
            Err(open) => {
                let words = format!("{open} connections are open, and {most} may be");
                Err(Refusal::new(Rule::Connections, words))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::Clock;

    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn mails_of_any_minute_are_counted() {
        let rates = Rates { mails_a_minute: 2, bytes_a_minute: 1_000, ..Rates::default() };
        let (mut books, start) = (Books::default(), Clock::system().monotonic());
        let mut at = |s: u32, bytes| {
            books.mail(&rates, bytes, start + S * s).map_err(|refusal| refusal.rule)
        };
        assert_eq!(at(0, 100), Ok(()));
        assert_eq!(at(30, 950), Err(Rule::BytesAMinute));
        assert_eq!(at(30, 900), Ok(()));
        assert_eq!(at(59, 1), Err(Rule::MailsAMinute));
        // The first is a minute old, and what was refused did not count.
        assert_eq!(at(60, 101), Err(Rule::BytesAMinute));
        assert_eq!(at(60, 100), Ok(()));
        assert_eq!(at(89, 0), Err(Rule::MailsAMinute));
        assert_eq!(at(90, 0), Ok(()));
    }

    #[test]
    fn questions_come_in_bursts_of_ten_seconds_worth() {
        let rates = Rates { dns_questions_a_second: 5, ..Rates::default() };
        let (mut books, start) = (Books::default(), Clock::system().monotonic());
        let mut at = |ms: u64, number| {
            let now = start + Duration::from_millis(ms);
            books.questions(&rates, number, now).is_ok()
        };
        assert!((0..25).all(|_| at(0, 2)));
        assert!(!at(0, 1));
        assert!(!at(199, 1));
        assert!(at(200, 1));
        assert!(!at(200, 1));
        assert!(at(60_000, 50));
        assert!(!at(60_000, 1));
    }

    #[test]
    fn connections_are_given_back() {
        let rates = Rates { connections: 2, ..Rates::default() };
        let books = Books::default();
        let (first, second) = (books.connection(&rates).unwrap(), books.connection(&rates));
        assert!(second.is_ok());
        assert_eq!(books.connection(&rates).unwrap_err().rule, Rule::Connections);
        drop(first);
        let third = books.connection(&rates);
        assert!(third.is_ok() && books.connection(&rates).is_err());
    }
}
