//! One UTC day of a service, run by run: most days are one.

use prost::Message;

use crate::judge::definition::Voiced;

/// Minutes of a UTC day.
pub const MINUTES_OF_DAY: u16 = 1_440;

/// The states of a service in the minutes of a day. In one form only: equal days have equal bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slots {
    /// Neighbours differ; nothing stands at the end that says nothing.
    runs: Vec<Stretch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    state: Option<Voiced>,
    minutes: u16,
}

#[derive(Clone, PartialEq, Message)]
struct Record {
    /// `minutes * 4 + state`, from midnight on.
    #[prost(uint32, repeated, tag = "1")]
    runs: Vec<u32>,
}

impl Slots {
    /// Stretches of minutes in one state, in order: the first minute, the minute after the last, the state.
    pub fn iter(&self) -> impl Iterator<Item = (u16, u16, Voiced)> + '_ {
        let mut at = 0_u16;
        self.runs.iter().filter_map(move |run| {
            let first = at;
            at = at.saturating_add(run.minutes);
            run.state.map(|state| (first, at, state))
        })
    }

    /// Whether no minute of it counts.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Puts other states in the place of those from minute `first` on; what would lie beyond the day is left out.
    pub fn set(&mut self, first: u16, states: &[Option<Voiced>]) {
        let mut minutes = vec![None; usize::from(MINUTES_OF_DAY)];
        for (from, until, state) in self.iter() {
            let stretch = minutes.get_mut(usize::from(from)..usize::from(until));
            stretch.into_iter().flatten().for_each(|minute| *minute = Some(state));
        }
        for (minute, state) in minutes.iter_mut().skip(usize::from(first)).zip(states) {
            *minute = *state;
        }
        self.runs.clear();
        for state in minutes {
            match self.runs.last_mut() {
                Some(run) if run.state == state => run.minutes = run.minutes.saturating_add(1),
                _ => self.runs.push(Stretch { state, minutes: 1 }),
            }
        }
        self.runs.pop_if(|run| run.state.is_none());
    }

    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        let code = |state| match state {
            None => 0,
            Some(Voiced::Up) => 1,
            Some(Voiced::Unknown) => 2,
            Some(Voiced::Down) => 3,
        };
        let runs = self.runs.iter().map(|run| u32::from(run.minutes) * 4 + code(run.state));
        Record { runs: runs.collect() }.encode_to_vec()
    }

    /// From bytes; `None` when they are no day.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut minutes_left = MINUTES_OF_DAY;
        let mut runs = Vec::new();
        for code in Record::decode(bytes).ok()?.runs {
            let state = match code % 4 {
                0 => None,
                1 => Some(Voiced::Up),
                2 => Some(Voiced::Unknown),
                _ => Some(Voiced::Down),
            };
            let minutes = u16::try_from(code / 4).ok()?;
            minutes_left = minutes_left.checked_sub(minutes)?;
            runs.push(Stretch { state, minutes });
        }
        Some(Self { runs })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn state() -> impl Strategy<Value = Option<Voiced>> {
        prop_oneof![
            Just(None),
            Just(Some(Voiced::Up)),
            Just(Some(Voiced::Unknown)),
            Just(Some(Voiced::Down))
        ]
    }

    fn hours() -> impl Strategy<Value = Vec<(u16, Vec<Option<Voiced>>)>> {
        prop::collection::vec((0..24_u16, prop::collection::vec(state(), 60)), 0..8)
    }

    #[test]
    fn a_day_in_one_state_takes_a_few_bytes() {
        let mut slots = Slots::default();
        slots.set(0, &[Some(Voiced::Up); 1_440]);
        assert_eq!(slots.encode().len(), 4);
        assert_eq!(slots.iter().collect::<Vec<_>>(), [(0, 1_440, Voiced::Up)]);
        slots.set(0, &[None; 1_440]);
        assert!(slots.is_empty() && slots.encode().is_empty());
    }

    proptest! {
        #[test]
        fn bytes_and_back_and_one_form_only(hours in hours()) {
            let (mut slots, mut plain) = (Slots::default(), vec![None; 1_440]);
            for (hour, states) in &hours {
                slots.set(hour * 60, states);
                plain[usize::from(*hour) * 60..][..60].clone_from_slice(states);
            }
            let mut at_once = Slots::default();
            at_once.set(0, &plain);
            prop_assert_eq!(at_once.encode(), slots.encode());
            prop_assert_eq!(Slots::decode(&slots.encode()), Some(slots.clone()));
            let counted: usize = slots.iter().map(|(from, until, _)| usize::from(until - from)).sum();
            prop_assert_eq!(counted, plain.iter().flatten().count());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Some(slots) = Slots::decode(&bytes) {
                prop_assert!(slots.iter().all(|(_, until, _)| until <= MINUTES_OF_DAY));
            }
        }
    }
}
