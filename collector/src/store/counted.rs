//! Figures that were counted elsewhere, such as by a generator: a whole period becomes a sealed file at once, without
//! the way through the rows.

use std::collections::BTreeMap;

use mailsonde_proto::WallTime;

use super::files::prepare;
use super::sealed::Writer;
use super::shelf::Volume;
use super::views::Views;
use super::{Error, Row, Writes};
use crate::period::Period;
use crate::series::{PhaseId, SeriesId};

impl Views {
    /// Seals a period that nothing is known of yet, with the figures of each phase and series. It holds everything of the
    /// period from observations before the head's cursor.
    ///
    /// # Errors
    /// When the period has a file already, or the disk is full or cannot be written.
    pub fn seal_counted(
        &self,
        period: Period,
        now: WallTime,
        names: &[u8],
        figures: &BTreeMap<(PhaseId, SeriesId), Vec<u8>>,
    ) -> Result<u64, Error> {
        let _writing = self.begin_writing();
        let (mark, path) = {
            let opened = self.read();
            if opened.unfinished {
                return Err(Error::Unknown);
            }
            if opened.shelf.mark(period) != 0 {
                return Err(Error::Sealed { period });
            }
            (opened.head.next.max(1), opened.shelf.path(period))
        };
        let bytes = figures.values().fold(0_usize, |sum, bytes| sum.saturating_add(bytes.len()));
        self.expect_room_for(u64::try_from(bytes).unwrap_or(u64::MAX))?;
        let prepared = prepare(&path, |file| {
            let mut writer = Writer::new(file, &path, period, mark)?;
            figures.iter().try_for_each(|(key, bytes)| writer.push(*key, bytes))?;
            writer.finish(names, now)
        })?;
        {
            let mut opened = self.write();
            opened.unfinished = true;
            prepared.put(&self.steps)?;
            opened.unfinished = false;
            opened.shelf.insert(period, Volume { mark, sealed_at: now });
        }
        self.steps.done()?;
        let note = Writes::from([(Row::Sealed(period), Some(mark.to_be_bytes().to_vec()))]);
        self.commit_begun(&note, self.head())?;
        Ok(mark)
    }
}
