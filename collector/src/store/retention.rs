//! What is not needed any more: rows that are in a sealed file, and periods past their time.

use mailsonde_proto::WallTime;

use super::row::{Table, figures_prefix};
use super::views::Views;
use super::{Error, Row, Writes};
use crate::period::Period;

/// How many rows one commit removes.
const ROWS: usize = 10_000;

impl Views {
    /// Removes what no question can ask for: rows of figures with another mark than their period's file,
    /// which that file holds already.
    pub(super) fn remove_leftovers(&self) -> Result<(), Error> {
        let _writing = self.begin_writing();
        let mut leftovers = Vec::new();
        {
            let opened = self.read();
            for (period, marks) in opened.open_periods()? {
                let current = opened.shelf.mark(period);
                let others = marks.into_iter().filter(|mark| *mark != current);
                leftovers.extend(others.map(|mark| figures_prefix(period, Some(mark), None)));
            }
        }
        leftovers.iter().try_for_each(|prefix| self.remove_rows(prefix))
    }

    /// Removes the periods that are past their time at `now`, but those that are wanted for longer, and says which.
    ///
    /// # Errors
    /// When the disk cannot be written; what was removed until then stays so.
    pub fn retire(
        &self,
        now: WallTime,
        is_wanted: impl Fn(Period) -> bool,
    ) -> Result<Vec<Period>, Error> {
        let _writing = self.begin_writing();
        let (open, noted) = {
            let opened = self.read();
            let mut noted = Vec::new();
            opened.rows.scan(&[Table::Sealed.prefix()], |row, _| {
                noted.extend(if let Row::Sealed(period) = row { Some(period) } else { None });
                Ok(())
            })?;
            let sealed = opened.shelf.iter().map(|(period, _)| period);
            noted.extend(sealed);
            (opened.open_periods()?, noted)
        };
        let mut over: Vec<Period> = noted.into_iter().chain(open.into_keys()).collect();
        over.retain(|period| period.is_over(now) && !is_wanted(*period));
        over.sort_unstable();
        over.dedup();
        if over.is_empty() {
            return Ok(over);
        }
        // First the notes, then the files: a file that is noted must be there.
        let notes: Writes = over.iter().map(|period| (Row::Sealed(*period), None)).collect();
        self.commit_begun(&notes, self.head())?;
        for period in &over {
            self.remove_rows(&figures_prefix(*period, None, None))?;
            self.write().shelf.remove(*period)?;
            self.steps.done()?;
        }
        self.read().shelf.sync()?;
        Ok(over)
    }

    /// Removes every row of figures whose key starts so.
    pub(super) fn remove_rows(&self, prefix: &[u8]) -> Result<(), Error> {
        let mut rows = Vec::new();
        self.read().rows.scan(prefix, |row, _| {
            rows.push(row);
            Ok(())
        })?;
        for part in rows.chunks(ROWS) {
            let writes: Writes = part.iter().map(|row| (*row, None)).collect();
            self.commit_begun(&writes, self.head())?;
        }
        Ok(())
    }
}
