//! The way of a message from server to server, as the servers tell it.
//!
//! Each hop's date is its own clock's claim: a delay may be negative, and is kept so. What a sender
//! wrote below the first server of ours may be made up altogether.

use super::block::Block;
use super::received::Hop;

/// The most hops that are kept: as many as a server should let pass (RFC 5321 section 6.3).
const MOST_HOPS: usize = 100;

/// The hops of a message, in the order in which it took them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Way {
    /// From the first server to the last.
    pub hops: Vec<Passed>,
    /// How many of the oldest were too many to be kept.
    pub left_out: usize,
    /// `Received` headers that could not be read.
    pub unread: usize,
}

/// A hop with the time that it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// What the header says.
    pub hop: Hop,
    /// Microseconds from the last hop before that has a date; `None` for the first, and where the date
    /// is missing.
    pub delay_us: Option<i64>,
}

impl Passed {
    /// Whether the message came before it was sent: a clock is wrong.
    pub fn is_negative(&self) -> bool {
        self.delay_us.is_some_and(|delay| delay < 0)
    }
}

impl Way {
    pub(super) fn of(block: &Block<'_>) -> Self {
        let mut way = Self::default();
        for value in block.all("Received") {
            match Hop::of(&value) {
                Some(_) if way.hops.len() == MOST_HOPS => way.left_out += 1,
                Some(hop) => way.hops.push(Passed { hop, delay_us: None }),
                None => way.unread += 1,
            }
        }
        way.hops.reverse();
        let mut before = None;
        for passed in &mut way.hops {
            let Some(date) = passed.hop.date else { continue };
            passed.delay_us = before.map(|before| date.signed_us_since(before));
            before = Some(date);
        }
        way
    }

    /// From the first date to the last; `None` where fewer than two hops have one.
    pub fn total_us(&self) -> Option<i64> {
        let mut dates = self.hops.iter().filter_map(|passed| passed.hop.date);
        let first = dates.next()?;
        Some(dates.next_back()?.signed_us_since(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_signed_and_skip_what_has_no_date() {
        let text = "Received: from c by d; Mon, 24 Nov 2025 16:00:02 +0000\r\n\
            Received: from b by c; rubbish\r\n\
            Received: ()\r\n\
            Received: from a by b; Mon, 24 Nov 2025 16:00:05 +0000\r\n\
            Received: from z by a; Mon, 24 Nov 2025 17:00:00 +0100\r\n\r\n";
        let way = Way::of(&Block::of(text.as_bytes()));
        let delays: Vec<_> = way.hops.iter().map(|passed| passed.delay_us).collect();
        assert_eq!(delays, [None, Some(5_000_000), None, Some(-3_000_000)]);
        assert_eq!(way.hops.last().unwrap().hop.by.as_deref(), Some("d"));
        assert!(way.hops.last().unwrap().is_negative());
        assert_eq!((way.total_us(), way.unread), (Some(2_000_000), 1));
    }

    #[test]
    fn a_loop_is_bounded_from_its_newest_end() {
        let newest = "Received: from y by newest\r\n";
        let text = format!("{newest}{}", "Received: from a by b\r\n".repeat(500));
        let way = Way::of(&Block::of(text.as_bytes()));
        assert_eq!((way.hops.len(), way.left_out), (MOST_HOPS, 401));
        assert_eq!(way.hops.last().unwrap().hop.by.as_deref(), Some("newest"));
    }
}
