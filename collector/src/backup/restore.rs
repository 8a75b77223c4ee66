//! Restores a backup: every byte as it was written, counted again, and only then in its place.

use std::cell::Cell;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use mailsonde_proto::journal::{Disk, RealDisk};

use super::archive::{Named, unpack};
use super::manifest::{Head, Manifest};
use super::place::{Place, give};
use super::recount::Counting;
use super::{BackupError, Recount};
use crate::config::Config;
use crate::folder::Folder;
use crate::identity::Authority;
use crate::store::ledger::Looked;

/// What is left free beside what is restored: the views are made there.
const SPARE_BYTES: u64 = 64 << 20;

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    /// What the backup says of itself.
    pub manifest: Manifest,
    /// What the restored journals hold, counted again; it is what the manifest says.
    pub recount: Recount,
    /// What is to be looked at, in words.
    pub remarks: Vec<String>,
}

/// Restores a backup into a folder that is empty or not there; `each` is told how many of how many bytes are written.
///
/// # Errors
/// When the folder is not empty, the backup is not whole or of a later version, or what was restored does not count up
/// to what was backed up. Then nothing is left behind.
pub fn restore(
    from: impl Read,
    to: &Folder,
    each: impl FnMut(u64, u64),
) -> Result<Restored, BackupError> {
    let place = Place::prepare(to)?;
    match fill(from, &place, each) {
        Ok(restored) => {
            place.put()?;
            Ok(restored)
        }
        Err(error) => {
            place.give_up();
            Err(error)
        }
    }
}

fn fill(
    from: impl Read,
    place: &Place,
    mut each: impl FnMut(u64, u64),
) -> Result<Restored, BackupError> {
    let staging = place.staging();
    let total = Cell::new(0);
    let begin = |head: &Head| {
        total.set(head.bytes);
        expect_room(staging.path(), head.bytes)
    };
    let mut done = 0_u64;
    let manifest = unpack(from, begin, |named, content| {
        write(staging.path(), named, content, |bytes| {
            done = done.saturating_add(bytes);
            each(done, total.get());
        })
    })?;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let ledger = Looked::open(disk.clone(), staging.path())?;
    let (next, promised) = (ledger.next(), manifest.observations.next);
    let recount =
        Counting::new(ledger).finish(&disk, [&staging.control(), &staging.quarantine()])?;
    if let Some(difference) = manifest.recount.difference(&recount) {
        return Err(BackupError::Miscounted(difference));
    }
    if next != promised {
        let words = format!("the next record is {next} instead of {promised}");
        return Err(BackupError::Miscounted(words));
    }
    let mut remarks = manifest.remarks.clone();
    remarks.extend(Config::load(staging).err().map(|error| error.to_string()));
    remarks.extend(Authority::open(staging).err().map(|error| error.to_string()));
    remarks.extend(give_away(place, &manifest)?);
    Ok(Restored { manifest, recount, remarks })
}

/// Root restores for the user to whom the place, or the backup, belongs.
fn give_away(place: &Place, manifest: &Manifest) -> Result<Option<String>, BackupError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let owner = place.owner().or_else(|| manifest.owner.here(&users));
    match (owner, &manifest.owner.name) {
        (Some(owner), _) => give(place.staging().path(), owner).map(|()| None),
        (None, name) if manifest.owner.uid != 0 => {
            let name = name.clone().unwrap_or_else(|| format!("uid {}", manifest.owner.uid));
            let name = crate::text::one_line(&name);
            Ok(Some(format!(
                "it was {name}'s, who is not known here, and is root's now: `chown -R USER: DIR` for whoever runs the \
                 collector"
            )))
        }
        (None, _) => Ok(None),
    }
}

fn expect_room(path: &Path, bytes: u64) -> Result<(), BackupError> {
    let found = rustix::fs::statvfs(path)
        .map_err(|error| BackupError::io("measure", path)(error.into()))?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let needed = bytes.saturating_add(SPARE_BYTES);
    if needed > free {
        return Err(BackupError::Full { path: path.to_owned(), needed, free });
    }
    Ok(())
}

/// Writes one file below the folder, with its permissions from the first moment on.
fn write(
    root: &Path,
    named: &Named,
    content: &mut dyn Read,
    mut each: impl FnMut(u64),
) -> Result<(), BackupError> {
    let path = root.join(&named.path);
    if let Some(above) = path.parent() {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(above).map_err(BackupError::io("make the folder", above))?;
    }
    // nobody else's to write, whatever the archive says
    let mode = named.mode & 0o755 | 0o600;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let mut file = file.map_err(BackupError::io("make", &path))?;
    let mut piece = vec![0; 256 << 10];
    loop {
        let read = content.read(&mut piece).map_err(|e| BackupError::Damaged(e.to_string()))?;
        let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        file.write_all(bytes).map_err(BackupError::io("write", &path))?;
        each(u64::try_from(read).unwrap_or(0));
    }
    finish(&file, mode, named.modified_s).map_err(BackupError::io("write", &path))
}

fn finish(file: &File, mode: u32, modified_s: u64) -> std::io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode))?;
    if let Some(modified) = UNIX_EPOCH.checked_add(Duration::from_secs(modified_s)) {
        file.set_modified(modified)?;
    }
    file.sync_all()
}
