//! Which periods are sealed, and where their files stand.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use mailsonde_proto::WallTime;

use super::files::{failed, list, make_folder, set_aside, sync_folder};
use super::recovery::What;
use super::sealed::Reader;
use super::{Error, Recovery};
use crate::period::{Period, Resolution};

/// What is known of a sealed file without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Volume {
    /// Everything of the period from observations before this is in it.
    pub(super) mark: u64,
    /// When it was written.
    pub(super) sealed_at: WallTime,
}

/// The sealed files.
#[derive(Debug)]
pub(super) struct Shelf {
    folder: PathBuf,
    volumes: BTreeMap<Period, Volume>,
}

impl Shelf {
    /// Looks at every file; those that are damaged, or hold more than the journal ever said, are moved
    /// aside.
    pub(super) fn open(
        folder: &Path,
        aside: &Path,
        journal_next: u64,
    ) -> Result<(Self, Vec<Recovery>), Error> {
        let mut shelf = Self { folder: folder.to_owned(), volumes: BTreeMap::new() };
        let mut recovered = Vec::new();
        for resolution in Resolution::ALL {
            let sub = folder.join(resolution.folder());
            make_folder(&sub)?;
            for path in list(&sub)? {
                let aside = aside.join(resolution.folder());
                recovered.extend(shelf.take_in(resolution, &path, journal_next, &aside)?);
            }
        }
        Ok((shelf, recovered))
    }

    /// The mark of a period's file; 0 where there is none.
    pub(super) fn mark(&self, period: Period) -> u64 {
        self.volumes.get(&period).map_or(0, |volume| volume.mark)
    }

    /// Every sealed period.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Period, Volume)> + '_ {
        self.volumes.iter().map(|(period, volume)| (*period, *volume))
    }

    /// A period's file, where there is one.
    pub(super) fn reader(&self, period: Period) -> Result<Option<Reader>, Error> {
        if !self.volumes.contains_key(&period) {
            return Ok(None);
        }
        Reader::open(&self.path(period), period).map(Some)
    }

    /// Takes note of a file that was written.
    pub(super) fn insert(&mut self, period: Period, volume: Volume) {
        self.volumes.insert(period, volume);
    }

    /// Removes a period's file.
    pub(super) fn remove(&mut self, period: Period) -> Result<(), Error> {
        let path = self.path(period);
        if self.volumes.remove(&period).is_some() {
            fs::remove_file(&path).map_err(failed("remove", &path))?;
        }
        Ok(())
    }

    /// Moves a damaged file aside.
    pub(super) fn set_aside(&mut self, period: Period, aside: &Path) -> Result<(), Error> {
        self.volumes.remove(&period);
        let path = self.path(period);
        if path.exists() {
            set_aside(&path, &aside.join(period.resolution.folder()))
        } else {
            Ok(())
        }
    }

    /// Where a period's file stands.
    pub(super) fn path(&self, period: Period) -> PathBuf {
        let folder = self.folder.join(period.resolution.folder());
        folder.join(format!("{}.roll", period.label()))
    }

    /// Makes removals last.
    pub(super) fn sync(&self) -> Result<(), Error> {
        Resolution::ALL.iter().try_for_each(|each| sync_folder(&self.folder.join(each.folder())))
    }

    fn take_in(
        &mut self,
        resolution: Resolution,
        path: &Path,
        journal_next: u64,
        aside: &Path,
    ) -> Result<Option<Recovery>, Error> {
        let name =
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let label = name.strip_suffix(".roll").unwrap_or_default();
        let Some(period) = Period::from_label(resolution, label) else {
            set_aside(path, aside)?;
            let why = "its name is not that of a period".to_owned();
            return Ok(Some(Recovery { what: What::FileSetAside(name), why }));
        };
        let why = match Reader::open(path, period) {
            Ok(reader) if reader.footer().mark <= journal_next => {
                let (mark, sealed_at) = (reader.footer().mark, reader.footer().sealed_at());
                self.insert(period, Volume { mark, sealed_at });
                return Ok(None);
            }
            Ok(_) => "it holds observations that the journal does not have".to_owned(),
            Err(Error::Damaged { why, .. }) => why.to_owned(),
            Err(error) => return Err(error),
        };
        set_aside(path, aside)?;
        Ok(Some(Recovery { what: What::SealedSetAside(period), why }))
    }
}
