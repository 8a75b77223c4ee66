//! Which processes have spoken as one agent: how a key that two machines have is noticed.
//!
//! Each start of an agent takes a random number and says it in its Hello. A stream replaces an older one of the
//! same agent, so a number that comes back after another took its place is proof of two processes that run at
//! the same time: one that was restarted never comes back under its old number.

use std::collections::VecDeque;

/// Processes that are remembered of one agent.
const KEPT: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Processes {
    /// The last one stands at the end.
    seen: VecDeque<(u64, String)>,
    /// The two that were told last.
    told: Option<[u64; 2]>,
}

impl Processes {
    /// A process says hello from an address. Returns where two at a time are, and whether that is new.
    pub(super) fn greeted(
        &mut self,
        instance: u64,
        address: String,
    ) -> (Option<[String; 2]>, bool) {
        let before = self.seen.back().cloned();
        let known = self.seen.iter().position(|(seen, _)| *seen == instance);
        if let Some(at) = known {
            self.seen.remove(at);
        } else if self.seen.len() >= KEPT {
            self.seen.pop_front();
        }
        self.seen.push_back((instance, address.clone()));
        match before {
            // zero: an agent of a version that does not say
            Some((other, elsewhere))
                if known.is_some() && other != instance && instance != 0 && other != 0 =>
            {
                let mut pair = [instance, other];
                pair.sort_unstable();
                let is_new = self.told.replace(pair) != Some(pair);
                (Some([address, elsewhere]), is_new)
            }
            _ => (None, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_comes_back_is_a_second_one() {
        let mut processes = Processes::default();
        let mut told = |instance: u64, from: &str| processes.greeted(instance, from.into());
        assert_eq!(told(1, "a"), (None, false));
        assert_eq!(told(1, "a2"), (None, false), "its stream broke");
        assert_eq!(told(2, "a"), (None, false), "it was restarted, or a clone has come");
        assert_eq!(told(2, "a"), (None, false));
        let both = |one: &str, other: &str| Some([one.to_owned(), other.to_owned()]);
        assert_eq!(told(1, "b"), (both("b", "a"), true), "a clone");
        assert_eq!(told(2, "a"), (both("a", "b"), false), "the same two");
        assert_eq!(told(3, "a"), (None, false), "one of them was restarted");
        assert_eq!(told(1, "b"), (both("b", "a"), true));
    }

    #[test]
    fn many_restarts_are_no_clones() {
        let mut processes = Processes::default();
        for instance in 1..100 {
            assert_eq!(processes.greeted(instance, "a".into()), (None, false));
        }
        for _ in 0..3 {
            assert_eq!(processes.greeted(0, "a".into()), (None, false));
            assert_eq!(processes.greeted(7, "a".into()).0, None);
        }
    }
}
