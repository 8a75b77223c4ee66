//! Makes a backup of what was gathered: counts and copies, file by file.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mailsonde_proto::journal::Disk;

use super::archive::{Named, Packer};
use super::gather::{Gathered, Kept};
use super::held::{Held, HeldReader};
use super::manifest::{Head, JournalEntry, Manifest, Owner};
use super::recount::Counting;
use super::{BackupError, FORMAT, Mark};
use crate::config::Config;
use crate::folder::Folder;
use crate::store::ledger::Looked;

/// Journals' files are written by the collector for itself.
const SEGMENT_MODE: u32 = 0o600;

/// Writes a backup of the folder to `to`; `each` is told how many of how many bytes are written.
///
/// # Errors
/// When a file cannot be read or the archive not be written; what was written then is no backup.
pub fn make<W: Write>(
    folder: &Folder,
    gathered: Gathered,
    to: W,
    mut each: impl FnMut(u64, u64),
) -> Result<(Manifest, W), BackupError> {
    let Gathered { mark, journals, files, mut remarks } = gathered;
    let (observations, control, quarantine) =
        (folder.observations(), folder.control(), folder.quarantine());
    // as they lie there: whoever opens what is restored mends the same as is mended in the picture now
    let segments: BTreeMap<PathBuf, Held> = [&observations, &control, &quarantine]
        .into_iter()
        .flat_map(|folder| journals.below(folder))
        .collect();
    let disk: Arc<dyn Disk> = journals;
    let ledger = Looked::open(disk.clone(), folder.path())?;
    remarks.extend(ledger.damage().iter().map(ToString::to_string));
    let next = ledger.next();
    let mut counting = Counting::new(ledger);
    let head = head(folder, &mark, (&segments, &files));
    let mut packer = Packer::new(to, &head)?;
    let mut done = 0_u64;
    let mut piece = |written: u64| {
        done = done.saturating_add(written);
        each(done, head.bytes);
    };
    let modified_s = u64::try_from(mark.taken_at.as_second()).unwrap_or(0);
    for (path, held) in &segments {
        let below = path.strip_prefix(folder.path()).unwrap_or(path);
        let named = named(below, held, (SEGMENT_MODE, modified_s))?;
        packer.add(named, HeldReader::new(held.clone()), &mut piece)?;
        if path.parent() == Some(observations.as_path()) {
            // the one before was just read for its copy, and is still in memory
            counting.count_to(first_of(path))?;
        }
    }
    for kept in files {
        let named = named(&kept.path, &kept.held, (kept.mode, kept.modified_s))?;
        packer.add(named, HeldReader::new(kept.held), &mut piece)?;
    }
    let recount = counting.finish(&disk, [&control, &quarantine])?;
    let entry = |folder: &Path, next| {
        let first = segments.keys().find(|path| path.parent() == Some(folder));
        JournalEntry { first: first.map_or(next, |path| first_of(path)), next }
    };
    let manifest = Manifest {
        head,
        owner: Owner::of(folder)?,
        observations: entry(&observations, next),
        control: entry(&control, mark.control.next),
        quarantine: entry(&quarantine, mark.quarantine.next),
        recount,
        remarks,
        files: packer.take_files(),
    };
    let to = packer.finish(&manifest)?;
    Ok((manifest, to))
}

fn head(
    folder: &Folder,
    mark: &Mark,
    (segments, files): (&BTreeMap<PathBuf, Held>, &[Kept]),
) -> Head {
    let held = segments.values().chain(files.iter().map(|kept| &kept.held));
    Head {
        format: FORMAT,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        collector: Config::load(folder).map(|config| config.name.to_string()).unwrap_or_default(),
        taken_at: mark.taken_at,
        files: u64::try_from(segments.len().saturating_add(files.len())).unwrap_or(u64::MAX),
        bytes: held.map(|held| held.bytes).sum(),
    }
}

/// The first record of a segment, as its name says.
fn first_of(path: &Path) -> u64 {
    path.file_stem().and_then(|stem| stem.to_str()?.parse().ok()).unwrap_or(0)
}

fn named(path: &Path, held: &Held, (mode, modified_s): (u32, u64)) -> Result<Named, BackupError> {
    let unfit = || BackupError::Unfit { path: path.to_owned(), why: "its name is no text" };
    let path = path.to_str().ok_or_else(unfit)?.to_owned();
    Ok(Named { path, bytes: held.bytes, mode, modified_s })
}
