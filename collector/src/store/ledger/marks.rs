//! How far each agent's sequences are stored, and what the last of them were.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use mailsonde_proto::journal::{Journal, JournalError, Next};
use mailsonde_proto::{AgentId, Epoch};
use prost::Message;

use super::Source;
use super::record::Entry;

/// Observations per agent whose checksum is kept: as many as an agent may have under way without an
/// acknowledgement, so that everything it can rightly send again is known.
pub const WINDOW: u64 = 1_000;

/// Per agent and epoch: the mark, and the last checksums.
#[derive(Debug, Default)]
pub(super) struct Marks {
    of: HashMap<Source, Mark>,
}

#[derive(Debug, Default, Clone)]
pub(super) struct Mark {
    through: u64,
    /// Of the sequences up to `through`, the last ones.
    checksums: VecDeque<u32>,
}

/// What is known of one sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Stored with these bytes.
    Same,
    /// Stored with other bytes.
    Other,
    /// Stored too long ago to compare.
    Forgotten,
}

#[derive(Clone, PartialEq, Message)]
struct Note {
    #[prost(message, repeated, tag = "1")]
    marks: Vec<NotedMark>,
}

#[derive(Clone, PartialEq, Message)]
struct NotedMark {
    #[prost(bytes = "vec", tag = "1")]
    agent: Vec<u8>,
    #[prost(fixed64, tag = "2")]
    epoch: u64,
    #[prost(uint64, tag = "3")]
    through: u64,
}

impl Marks {
    /// From the note in the last segment's header, and the records of the last two segments.
    ///
    /// # Errors
    /// When a segment cannot be read although it is there.
    pub(super) fn recover(journal: &Journal, note: &[u8]) -> Result<Self, JournalError> {
        let segments = journal.index().segments();
        let from = segments.iter().rev().nth(1).or(segments.first());
        let mut follower = journal.follow(from.map_or(0, |segment| segment.first));
        // The records first, so that the checksums of what the note covers are there too.
        let mut marks = Self::default();
        loop {
            match follower.read()? {
                Next::CaughtUp => break,
                Next::Gap { .. } => {}
                Next::Record { record, .. } => match Entry::decode(record) {
                    Ok(Entry::Batch { source, first, observations, .. }) => {
                        marks.store(source, first, &observations);
                    }
                    Ok(Entry::Gap { source, range, .. }) => marks.skip(source, range.last),
                    Err(_) => {}
                },
            }
        }
        for (source, through) in noted(note) {
            marks.skip(source, through);
        }
        Ok(marks)
    }

    /// The highest sequence that is stored without a gap; 0 for a source never heard of.
    pub(super) fn through(&self, source: Source) -> u64 {
        self.of.get(&source).map_or(0, |mark| mark.through)
    }

    /// Every source with its mark.
    pub(super) fn all(&self) -> impl Iterator<Item = (Source, u64)> + '_ {
        self.of.iter().map(|(source, mark)| (*source, mark.through))
    }

    /// Moves the mark over observations that are stored. Only after a start can they be beyond the next
    /// one: a damaged segment left a hole, which whoever reads the journal reports.
    pub(super) fn store(&mut self, source: Source, first: u64, observations: &[Bytes]) {
        let mark = self.of.entry(source).or_default();
        if first != mark.through.saturating_add(1) {
            mark.checksums.clear();
        }
        for (sequence, observation) in (first..).zip(observations) {
            mark.checksums.push_back(crc32c::crc32c(observation));
            mark.through = sequence;
        }
        let most = usize::try_from(WINDOW).unwrap_or(usize::MAX);
        let over = mark.checksums.len().saturating_sub(most);
        mark.checksums.drain(..over);
    }

    /// Moves the mark over sequences that will never come.
    pub(super) fn skip(&mut self, source: Source, last: u64) {
        let mark = self.of.entry(source).or_default();
        if last > mark.through {
            mark.through = last;
            mark.checksums.clear();
        }
    }

    /// What is known of a sequence at or below the mark.
    pub(super) fn known(&self, source: Source, sequence: u64, observation: &[u8]) -> Known {
        let found = self.of.get(&source).and_then(|mark| {
            let back = usize::try_from(mark.through.checked_sub(sequence)?).ok()?;
            let at = mark.checksums.len().checked_sub(back)?.checked_sub(1)?;
            mark.checksums.get(at)
        });
        match found {
            Some(&checksum) if checksum == crc32c::crc32c(observation) => Known::Same,
            Some(_) => Known::Other,
            None => Known::Forgotten,
        }
    }

    /// One source's mark, to put back when the disk refuses what it was moved for.
    pub(super) fn copy(&self, source: Source) -> Option<Mark> {
        self.of.get(&source).cloned()
    }

    /// Puts a mark back.
    pub(super) fn put_back(&mut self, source: Source, mark: Option<Mark>) {
        match mark {
            Some(mark) => self.of.insert(source, mark),
            None => self.of.remove(&source),
        };
    }

    /// As a segment's header carries them.
    pub(super) fn encode(&self) -> Vec<u8> {
        let noted = |(source, mark): (&Source, &Mark)| NotedMark {
            agent: source.agent.0.to_vec(),
            epoch: source.epoch.0,
            through: mark.through,
        };
        let mut marks: Vec<NotedMark> = self.of.iter().map(noted).collect();
        marks.sort_by(|a, b| (&a.agent, a.epoch).cmp(&(&b.agent, b.epoch)));
        Note { marks }.encode_to_vec()
    }
}

fn noted(note: &[u8]) -> impl Iterator<Item = (Source, u64)> {
    Note::decode(note).unwrap_or_default().marks.into_iter().filter_map(|noted| {
        let agent = AgentId(noted.agent.try_into().ok()?);
        Some((Source { agent, epoch: Epoch(noted.epoch) }, noted.through))
    })
}
