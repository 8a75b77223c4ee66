//! The events that were told last, bounded in number and bytes.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::{Change, Event};

/// Events that are kept.
const MOST: usize = 2_000;
/// Bytes of their JSON that are kept.
const MOST_BYTES: usize = 4 * 1_024 * 1_024;

/// What came next is not kept any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what changed meanwhile is not kept any more: ask anew")]
pub struct Missed;

/// The last events; numbers rise by one, and by one more where something was left out.
#[derive(Debug)]
pub(super) struct Ring {
    events: VecDeque<Arc<Event>>,
    bytes: usize,
    /// Everything from this number on is kept.
    first: u64,
    next: u64,
}

impl Default for Ring {
    fn default() -> Self {
        Self { events: VecDeque::new(), bytes: 0, first: 1, next: 1 }
    }
}

impl Ring {
    /// The number that the next event gets.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Keeps one more; its number.
    pub(super) fn push(&mut self, change: Change, json: Bytes) -> u64 {
        let number = self.next;
        self.bytes += json.len();
        self.next += 1;
        self.events.push_back(Arc::new(Event { number, change, json }));
        while self.events.len() > MOST || (self.bytes > MOST_BYTES && self.events.len() > 1) {
            if let Some(gone) = self.events.pop_front() {
                self.bytes -= gone.json.len();
                self.first = gone.number + 1;
            }
        }
        number
    }

    /// Those from `next` on.
    ///
    /// # Errors
    /// When they are not all kept, or it is a number that no event has had or will have next.
    pub(super) fn after(&self, next: u64) -> Result<Vec<Arc<Event>>, Missed> {
        if next < self.first || next > self.next {
            return Err(Missed);
        }
        let skip = usize::try_from(next - self.first).unwrap_or(usize::MAX);
        Ok(self.events.iter().skip(skip).cloned().collect())
    }

    /// Something happened of which there is no event: whoever resumes from before has missed it.
    pub(super) fn forget(&mut self) {
        if self.first == self.next && self.events.is_empty() && self.next > 1 {
            return; // forgotten already
        }
        self.events.clear();
        self.bytes = 0;
        self.next += 1;
        self.first = self.next;
    }
}
