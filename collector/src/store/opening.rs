//! Opening the views, whatever state they are in: it ends with views that agree with the journals.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, RwLock};

use mailsonde_proto::WallTime;

use super::changed::Changed;
use super::closed::Closed;
use super::files::{failed, make_folder, set_aside, sync_folder};
use super::recovery::What;
use super::redo::{self, Redo};
use super::row::Table;
use super::rows::{Rows, Trouble};
use super::shelf::Shelf;
use super::steps::Steps;
use super::views::{Opened, Views, aside_path, redo_path, rows_path, sealed_path, snapshots_path};
use super::{Error, Extent, Head, Recovery, Row, snapshot};
use crate::period::Period;

/// What was found when the views were opened.
#[derive(Debug, Default)]
pub struct Found {
    /// What was damaged or missing, and what was done.
    pub recovered: Vec<Recovery>,
    /// Periods whose sealed file is not there any more, and has to be made anew from the journal.
    pub lost: Vec<Period>,
}

impl Views {
    /// Opens the views in `folder`, or creates them, and compares them with the journals.
    ///
    /// # Errors
    /// When the folder cannot be read or written; damage is repaired and told instead.
    pub fn open(folder: &Path, ledger: Extent, now: WallTime) -> Result<(Self, Found), Error> {
        let (opened, found) = open(folder, ledger, now)?;
        let views = Self {
            folder: folder.to_owned(),
            steps: Steps::default(),
            writing: Mutex::default(),
            opened: RwLock::new(opened),
            damaged: Mutex::default(),
        };
        views.remove_leftovers()?;
        Ok((views, found))
    }

    /// Opens them again in their place, after a commit that failed; readers wait.
    ///
    /// # Errors
    /// As [`Views::open`]. It can be tried again.
    pub fn reopen(&self, ledger: Extent, now: WallTime) -> Result<Found, Error> {
        let found = {
            let _writing = self.begin_writing();
            let mut opened = self.write();
            opened.unfinished = true;
            opened.rows.close();
            let (mut anew, found) = open(&self.folder, ledger, now)?;
            anew.changed = opened.changed.anew(anew.head.commit);
            *opened = anew;
            found
        };
        self.remove_leftovers()?;
        Ok(found)
    }
}

fn open(folder: &Path, ledger: Extent, now: WallTime) -> Result<(Opened, Found), Error> {
    make_folder(folder)?;
    let aside = aside_path(folder);
    let (shelf, mut recovered) = Shelf::open(&sealed_path(folder), &aside, ledger.next)?;
    let is_used = shelf.iter().next().is_some()
        || !snapshot::all(&snapshots_path(folder))?.is_empty()
        || redo_path(folder).exists();
    let (rows, head) = match existing(folder, ledger, is_used) {
        Ok(found) => found,
        Err(Trouble::Damage(why)) => anew(folder, ledger, why, &mut recovered)?,
        Err(Trouble::Error(error)) => return Err(error),
    };
    let closed = Closed::open(folder)?;
    let changed = Changed::new(0, head.commit);
    let opened = Opened { rows, head, shelf, closed, changed, unfinished: false };
    let lost = lost(&opened, now)?;
    for period in &lost {
        let what = What::SealedSetAside(*period);
        if recovered.iter().all(|recovery| recovery.what != what) {
            recovered.push(Recovery { what, why: "its file is missing or too old".into() });
        }
    }
    Ok((opened, Found { recovered, lost }))
}

/// The rows as they are, after the last commit was written again.
fn existing(folder: &Path, ledger: Extent, is_used: bool) -> Result<(Rows, Head), Trouble> {
    let rows = Rows::open(&rows_path(folder))?;
    match redo::load(&redo_path(folder))? {
        Redo::Changes(changes) => rows.apply(&changes, &Steps::default()).map_err(unreadable)?,
        Redo::Damaged | Redo::Missing => {} // the sum tells whether the rows are whole without it
    }
    let damage = |why: &str| Err(Trouble::Damage(why.into()));
    let head = match rows.head().map_err(unreadable)? {
        Some(head) => head,
        None if is_used => return damage("the rows are empty"),
        None => Head::default(),
    };
    if !rows.agree_with(&head).map_err(unreadable)? {
        return damage("the rows are not those that were written");
    }
    if is_behind(ledger, &head) {
        return damage("they hold more than the journals do");
    }
    Ok((rows, head))
}

/// What sled says of rows that it opened is damage; what the system says is not.
fn unreadable(error: Error) -> Trouble {
    match error {
        Error::Rows(_) | Error::Unknown => Trouble::Damage(error.to_string()),
        other => Trouble::Error(other),
    }
}

fn is_behind(ledger: Extent, head: &Head) -> bool {
    ledger.next < head.next.max(head.floor) || ledger.control_next < head.control_next
}

/// The rows from the last good snapshot, or none.
fn anew(
    folder: &Path,
    ledger: Extent,
    why: String,
    recovered: &mut Vec<Recovery>,
) -> Result<(Rows, Head), Error> {
    let (place, building) = (rows_path(folder), folder.join("sled.part"));
    let aside = aside_path(folder);
    if place.exists() {
        set_aside(&place, &aside)?;
    }
    remove_file(&redo_path(folder))?;
    for path in snapshot::all(&snapshots_path(folder))?.iter().rev() {
        match from_snapshot(path, &building, ledger) {
            Ok(head) => {
                fs::rename(&building, &place).map_err(failed("rename", &building))?;
                sync_folder(folder)?;
                recovered.push(Recovery { what: What::RowsFromSnapshot { next: head.next }, why });
                return Ok((made(&place)?, head));
            }
            Err(Trouble::Error(error)) => return Err(error),
            Err(Trouble::Damage(why)) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                recovered.push(Recovery { what: What::FileSetAside(name), why });
                set_aside(path, &aside)?;
            }
        }
    }
    recovered.push(Recovery { what: What::RowsAnew, why });
    Ok((made(&place)?, Head::default()))
}

/// Makes rows from a snapshot.
fn from_snapshot(path: &Path, building: &Path, ledger: Extent) -> Result<Head, Trouble> {
    if building.exists() {
        fs::remove_dir_all(building).map_err(failed("remove", building))?;
    }
    let rows = Rows::open(building)?;
    let steps = Steps::default();
    let head = snapshot::load(path, |changes| rows.apply(&changes, &steps))?;
    let damage = |why: &str| Err(Trouble::Damage(why.into()));
    if is_behind(ledger, &head) {
        return damage("it holds more than the journals do");
    }
    if ledger.first > head.next {
        return damage("the journal no longer has what came after it");
    }
    Ok(head)
}

fn made(place: &Path) -> Result<Rows, Error> {
    Rows::open(place).map_err(|trouble| match trouble {
        Trouble::Error(error) => error,
        Trouble::Damage(why) => {
            tracing::error!(why, "new rows cannot be opened; look at the disk");
            Error::Unknown
        }
    })
}

/// Periods that were sealed further than any file that is there.
fn lost(opened: &Opened, now: WallTime) -> Result<Vec<Period>, Error> {
    let mut lost = Vec::new();
    opened.rows.scan(&[Table::Sealed.prefix()], |row, value| {
        let mark = value.try_into().map_or(0, u64::from_be_bytes);
        if let Row::Sealed(period) = row
            && opened.shelf.mark(period) < mark
            && !period.is_over(now)
        {
            lost.push(period);
        }
        Ok(())
    })?;
    Ok(lost)
}

fn remove_file(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(failed("remove", path)(error))
        }
        _ => path.parent().map_or(Ok(()), sync_folder),
    }
}
