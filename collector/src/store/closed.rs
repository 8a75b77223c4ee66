//! Services' days that nothing can change any more, by the month, in checksummed files outside sled: what there is to
//! restore them from once the observations are gone.
//!
//! ```text
//! magic | compressed month | CRC-32C of all before | magic
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use prost::Message;

use super::files::{failed, list, make_folder, prepare, set_aside, write};
use super::views::{Views, aside_path, sealed_path};
use super::{Error, Row, Writes};
use crate::period::{Period, Resolution};
use crate::series::ServiceId;

const MAGIC: [u8; 8] = *b"MSDAYS01";
const COMPRESSION: i32 = 3;
/// No month is nearly as large: a length that lies takes no more memory.
const MONTH_MAX: usize = 256 << 20;

/// A month's days, up to the last that is closed.
#[derive(Clone, PartialEq, Message)]
struct Month {
    /// The last day that is in it, counted from 1970-01-01 UTC.
    #[prost(uint32, tag = "1")]
    through: u32,
    #[prost(message, repeated, tag = "2")]
    rows: Vec<DayRecord>,
}

#[derive(Clone, PartialEq, Message)]
struct DayRecord {
    #[prost(uint32, tag = "1")]
    day: u32,
    #[prost(fixed64, tag = "2")]
    service: u64,
    #[prost(bytes = "vec", tag = "3")]
    slots: Vec<u8>,
}

/// What the folder of closed days holds.
#[derive(Debug, Default)]
pub(super) struct Closed {
    /// The last day that is closed; there is none while there is no file.
    pub(super) through: Option<u32>,
}

impl Closed {
    /// Reads how far the files go; damaged ones are moved aside.
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        let mut closed = Self::default();
        for path in files(folder)? {
            match read(&path)? {
                Some(month) => closed.through = closed.through.max(Some(month.through)),
                None => {
                    let place = aside_path(folder).join("services");
                    tracing::error!(path = %path.display(), "a month of services' days is damaged; it is set aside");
                    set_aside(&path, &place)?;
                }
            }
        }
        Ok(closed)
    }
}

impl Views {
    /// The last day (from 1970-01-01 UTC) whose slots are in a file and are not made again.
    pub fn closed_through(&self) -> Option<u32> {
        self.read().closed.through
    }

    /// The slots of every service on one day.
    ///
    /// # Errors
    /// When the rows cannot be read, or `each` fails.
    pub fn slots_of_day(
        &self,
        day: u32,
        mut each: impl FnMut(ServiceId, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.read().rows.scan(&super::row::slots_prefix(day), |row, value| match row {
            Row::Slots { service, .. } => each(service, value),
            _ => Ok(()),
        })
    }

    /// Writes the files of the months of days `from` to `through`, each up to `through`: nothing can change those
    /// days any more.
    ///
    /// # Errors
    /// When the disk is full or cannot be written.
    pub fn close_days(&self, from: u32, through: u32) -> Result<(), Error> {
        let _writing = self.begin_writing();
        let folder = services_path(&self.folder);
        make_folder(&folder)?;
        let mut months: BTreeMap<Period, Month> = BTreeMap::new();
        for day in from..=through {
            let (month, _) = month_of(day);
            months.entry(month).or_default().through = day;
        }
        for (period, month) in &mut months {
            let first = month_of(month.through).1;
            for day in first..=month.through {
                self.slots_of_day(day, |service, slots| {
                    month.rows.push(DayRecord { day, service: service.0, slots: slots.to_vec() });
                    Ok(())
                })?;
            }
            let path = folder.join(period.label());
            prepare(&path, |file| write(file, &path, &packed(month, &path)?))?.put(&self.steps)?;
        }
        self.write().closed.through = Some(through);
        Ok(())
    }

    /// Puts back the days that rows do not have, from the files.
    ///
    /// # Errors
    /// When a file cannot be read or the rows cannot be written.
    pub fn restore_days(&self) -> Result<(), Error> {
        for path in files(&self.folder)? {
            let mut missing = Writes::new();
            for row in read(&path)?.unwrap_or_default().rows {
                let DayRecord { day, service, slots } = row;
                let row = Row::Slots { day, service: ServiceId(service) };
                if self.get(&row)?.as_ref() != Some(&slots) {
                    missing.insert(row, Some(slots));
                }
            }
            if !missing.is_empty() {
                self.commit(&missing, self.head())?;
            }
        }
        Ok(())
    }
}

/// The month of a day, and the month's first day.
fn month_of(day: u32) -> (Period, u32) {
    let at = mailsonde_proto::WallTime::from_s(i64::from(day) * 86_400);
    let (period, bucket) = Period::of(Resolution::Day, at);
    (period, day.saturating_sub(bucket.into()))
}

fn services_path(folder: &Path) -> PathBuf {
    sealed_path(folder).join("services")
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let folder = services_path(folder);
    if folder.is_dir() { list(&folder) } else { Ok(Vec::new()) }
}

fn packed(month: &Month, path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = MAGIC.to_vec();
    let packed = zstd::bulk::compress(&month.encode_to_vec(), COMPRESSION);
    bytes.extend(packed.map_err(failed("compress", path))?);
    bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
    bytes.extend(MAGIC);
    Ok(bytes)
}

/// A month's file; `None` when it is not as it was written.
fn read(path: &Path) -> Result<Option<Month>, Error> {
    let bytes = fs::read(path).map_err(failed("read", path))?;
    Ok(unpacked(&bytes))
}

fn unpacked(bytes: &[u8]) -> Option<Month> {
    let bytes = bytes.strip_suffix(&MAGIC)?;
    let (bytes, sum) = bytes.split_last_chunk::<4>()?;
    if crc32c::crc32c(bytes) != u32::from_le_bytes(*sum) {
        return None;
    }
    let month = zstd::bulk::decompress(bytes.strip_prefix(&MAGIC)?, MONTH_MAX).ok()?;
    Month::decode(month.as_slice()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_read_as_it_was_written_or_not_at_all() {
        let rows = vec![DayRecord { day: 20_000, service: 7, slots: vec![1, 2, 3] }];
        let month = Month { through: 20_000, rows };
        let bytes = packed(&month, Path::new("month")).unwrap();
        assert_eq!(unpacked(&bytes), Some(month));
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x10;
            assert_eq!(unpacked(&bytes), None, "byte {at}");
        }
        assert_eq!(unpacked(&bytes[..bytes.len() - 1]), None);
    }
}
