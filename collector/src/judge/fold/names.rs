//! The names of phases, known by number without an allocation for each observation.

use std::collections::{BTreeMap, HashMap};

use crate::series::PhaseId;

/// How many names there may be; more are counted under [`OTHER`].
const NAMES: usize = 1_024;
/// What phases beyond [`NAMES`] are called.
const OTHER: &str = "other";
/// How many positions of a run are remembered.
const HINTS: usize = 16;

/// Names met since the start.
#[derive(Debug, Default)]
pub(super) struct Names {
    places: HashMap<Box<str>, usize>,
    known: Vec<(Box<str>, PhaseId)>,
    /// The place of the last run's phase at each position: the next run mostly has the same.
    hints: [usize; HINTS],
    new: BTreeMap<PhaseId, String>,
}

impl Names {
    /// The number of a phase that stands at `position` in its run.
    pub(super) fn id(&mut self, position: usize, name: &str) -> PhaseId {
        let hint = self.hints.get(position).and_then(|place| self.known.get(*place));
        if let Some((there, id)) = hint
            && **there == *name
        {
            return *id;
        }
        let Some(place) = self.places.get(name).copied() else { return self.learn(name) };
        if let Some(hint) = self.hints.get_mut(position) {
            *hint = place;
        }
        self.known.get(place).map_or(PhaseId::of(name), |(_, id)| *id)
    }

    /// The names met since this was last asked.
    pub(super) fn take_new(&mut self) -> BTreeMap<PhaseId, String> {
        std::mem::take(&mut self.new)
    }

    fn learn(&mut self, name: &str) -> PhaseId {
        let name = if self.known.len() < NAMES { name } else { OTHER };
        let id = PhaseId::of(name);
        self.new.insert(id, name.into());
        if self.known.len() < NAMES {
            self.places.insert(name.into(), self.known.len());
            self.known.push((name.into(), id));
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_end_share_one() {
        let mut names = Names::default();
        assert_eq!(names.id(0, "connect"), PhaseId::of("connect"));
        assert_eq!(names.id(3, "connect"), PhaseId::of("connect"));
        (0..2_000).for_each(|n| {
            names.id(1, &format!("x{n}"));
        });
        assert_eq!(names.id(1, "one more"), PhaseId::of(OTHER));
        assert_eq!(names.id(1, "connect"), PhaseId::of("connect"));
        assert_eq!(names.take_new().len(), NAMES + 1);
        assert!(names.take_new().is_empty());
    }
}
