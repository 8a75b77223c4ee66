//! Which rows the last commits changed, so that readers who keep what they decoded read only that again.
//!
//! Kept in memory, for the last commits, as many as have [`MOST_ROWS`] rows; whoever asks about more is told that
//! nobody knows, and reads everything. Opening the views again begins anew.

use std::collections::{BTreeSet, VecDeque};

use super::Row;
use super::views::Views;

/// Rows that are known at most.
const MOST_ROWS: usize = 50_000;

/// Up to where somebody has read the views.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsOf {
    opening: u64,
    commit: u64,
}

/// What changed, commit by commit.
#[derive(Debug, Default)]
pub(super) struct Changed {
    opening: u64,
    /// Of this commit and those before, nothing is known.
    since: u64,
    commits: VecDeque<(u64, Vec<Row>)>,
    rows: usize,
}

impl Changed {
    /// Of views that were opened for the `opening`th time, at a commit.
    pub(super) fn new(opening: u64, commit: u64) -> Self {
        Self { opening, since: commit, ..Self::default() }
    }

    /// Of the same views, opened once more.
    pub(super) fn anew(&self, commit: u64) -> Self {
        Self::new(self.opening.saturating_add(1), commit)
    }

    pub(super) fn note(&mut self, commit: u64, rows: Vec<Row>) {
        self.rows = self.rows.saturating_add(rows.len());
        self.commits.push_back((commit, rows));
        while self.rows > MOST_ROWS
            && let Some((commit, rows)) = self.commits.pop_front()
        {
            self.since = commit;
            self.rows = self.rows.saturating_sub(rows.len());
        }
    }

    fn after(&self, as_of: AsOf) -> Option<BTreeSet<Row>> {
        if as_of.opening != self.opening || as_of.commit < self.since {
            return None;
        }
        let later = self.commits.iter().rev().take_while(|(commit, _)| *commit > as_of.commit);
        Some(later.flat_map(|(_, rows)| rows).copied().collect())
    }
}

impl Views {
    /// Up to where whoever reads from now on has read.
    pub fn as_of(&self) -> AsOf {
        let opened = self.read();
        AsOf { opening: opened.changed.opening, commit: opened.head.commit }
    }

    /// The rows that were written or removed since; `None` when nobody knows, and all has to be read again. A period
    /// whose row [`Row::Sealed`] is among them may have any figures.
    pub fn changed_since(&self, as_of: AsOf) -> Option<BTreeSet<Row>> {
        self.read().changed.after(as_of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_known_for_the_last_commits_of_one_opening() {
        let mut changed = Changed::new(0, 7);
        let at = |opening, commit| AsOf { opening, commit };
        let rows = |numbers: &[u64]| numbers.iter().map(|it| Row::Incident(*it)).collect();
        changed.note(8, rows(&[1, 2]));
        changed.note(9, rows(&[2, 3]));
        let set = |numbers: &[u64]| Some(numbers.iter().map(|it| Row::Incident(*it)).collect());
        assert_eq!(changed.after(at(0, 7)), set(&[1, 2, 3]));
        assert_eq!(changed.after(at(0, 8)), set(&[2, 3]));
        assert_eq!(changed.after(at(0, 9)), set(&[]));
        assert_eq!(changed.after(at(0, 6)), None, "before the views were opened");
        changed.note(10, vec![Row::Judge; MOST_ROWS - 1]);
        assert_eq!(changed.after(at(0, 8)), None, "longer ago than is kept");
        assert_eq!(changed.after(at(0, 9)), Some([Row::Judge].into()));
        let again = changed.anew(10);
        assert_eq!(again.after(at(0, 10)), None, "another opening may have come to other rows");
        assert_eq!(again.after(at(1, 10)), set(&[]));
    }
}
