//! Opens everything that belongs to a backup before anything of it is copied.
//!
//! The order is what makes it one moment: first the views, then the mark, then the journals up to it, then the rest. A
//! file that vanished between being named and being opened was compacted, retained or renamed: then all is opened again.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::held::{Held, HeldDisk, HeldReader};
use super::mark::JournalMark;
use super::{BackupError, Mark};
use crate::folder::Folder;
use crate::identity::is_key_of;

/// How often everything is opened anew before it is given up.
const TRIES: u32 = 20;
/// How deep the folder is looked through.
const DEPTH: u32 = 6;
/// Descriptors that are left for everything else.
const SPARE: u64 = 64;
/// A key or certificate is not larger.
const PEM_MAX: u64 = 1 << 20;
/// What is at the folder's top and not copied as it is: what is opened by the mark, what is made again, what belongs
/// to one process.
const ELSEWHERE: [&str; 7] = [
    "observations",
    "control",
    "quarantine",
    "views",
    "lock",
    "operators.sock",
    super::place::STAGING,
];
/// What is under way, and never whole.
const UNFINISHED: [&str; 3] = ["making", "part", "restoring"];

/// Everything that goes into a backup, held open.
#[derive(Debug)]
pub struct Gathered {
    pub(super) mark: Mark,
    pub(super) journals: Arc<HeldDisk>,
    pub(super) files: Vec<Kept>,
    pub(super) remarks: Vec<String>,
}

/// A file that is copied as it is.
#[derive(Debug)]
pub(super) struct Kept {
    /// Below the collector's folder.
    pub(super) path: PathBuf,
    pub(super) held: Held,
    pub(super) mode: u32,
    pub(super) modified_s: u64,
}

impl Gathered {
    /// Opens everything in the folder; `mark` asks up to where, and is asked again where files went meanwhile.
    ///
    /// # Errors
    /// When the mark is not told, or a file cannot be opened.
    pub fn open(
        folder: &Folder,
        mut mark: impl FnMut() -> Result<Mark, BackupError>,
    ) -> Result<Self, BackupError> {
        let mut last = None;
        for _ in 0..TRIES {
            match Self::once(folder, &mut mark) {
                Ok(gathered) if gathered.remarks.is_empty() => return Ok(gathered),
                // two files of one key may be on their way
                Ok(gathered) => last = Some(gathered),
                Err(BackupError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    last = None;
                }
                Err(error) => return Err(error),
            }
        }
        last.ok_or_else(|| BackupError::Restless(folder.path().to_owned()))
    }

    fn once(
        folder: &Folder,
        mark: &mut impl FnMut() -> Result<Mark, BackupError>,
    ) -> Result<Self, BackupError> {
        let mut walk =
            Walk { root: folder.path().to_owned(), files: Vec::new(), remarks: Vec::new() };
        for part in ["snapshots", "sealed"] {
            walk.enter(&folder.views().join(part), DEPTH)?;
        }
        let mark = mark()?;
        let journals = [
            (folder.observations(), &mark.observations),
            (folder.control(), &mark.control),
            (folder.quarantine(), &mark.quarantine),
        ];
        let segments: usize = journals.iter().map(|(_, mark)| mark.segments.len()).sum();
        may_open(walk.files.len().saturating_add(segments))?;
        let mut held = BTreeMap::new();
        for (path, mark) in journals {
            hold(&path, mark, &mut held)?;
        }
        walk.enter(folder.path(), DEPTH)?;
        let mut gathered = Self {
            mark,
            journals: Arc::new(HeldDisk::new(held)),
            files: walk.files,
            remarks: walk.remarks,
        };
        gathered.files.sort_by(|a, b| a.path.cmp(&b.path));
        gathered.look_at_keys()?;
        Ok(gathered)
    }

    /// Whether each key is its certificate's: they are two files, and may be changed between them.
    fn look_at_keys(&mut self) -> Result<(), BackupError> {
        for (certificate, key) in [("ca.pem", "ca.key"), ("ca-next.pem", "ca-next.key")] {
            let [Some(pem), Some(secret)] = [self.text(certificate)?, self.text(key)?] else {
                if certificate == "ca.pem" {
                    self.remarks.push("ca.pem or ca.key is missing: no agent can come back".into());
                }
                continue;
            };
            if !is_key_of(&secret, &pem) {
                self.remarks.push(format!("{key} is not the key of {certificate}"));
            }
        }
        Ok(())
    }

    fn text(&self, path: &str) -> Result<Option<String>, BackupError> {
        let Some(kept) = self.files.iter().find(|kept| kept.path == Path::new(path)) else {
            return Ok(None);
        };
        let held = Held { bytes: kept.held.bytes.min(PEM_MAX), ..kept.held.clone() };
        let text = io::read_to_string(HeldReader::new(held));
        text.map(Some).map_err(BackupError::io("read", &kept.path))
    }
}

/// Opens a journal's files up to its mark.
fn hold(
    folder: &Path,
    mark: &JournalMark,
    into: &mut BTreeMap<PathBuf, Held>,
) -> Result<(), BackupError> {
    for segment in &mark.segments {
        let name = Path::new(&segment.file);
        if name.components().count() != 1 || name.file_name().is_none() {
            return Err(BackupError::Mark(format!("{} is no name of a segment", segment.file)));
        }
        let path = folder.join(name);
        let file = File::open(&path).map_err(BackupError::io("open", &path))?;
        into.insert(path, Held { file: Arc::new(file), bytes: segment.bytes });
    }
    Ok(())
}

/// Has as many files open as this process may, and says so where that is too few.
fn may_open(files: usize) -> Result<(), BackupError> {
    let needed = u64::try_from(files).unwrap_or(u64::MAX).saturating_add(SPARE);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let limit = maximum.unwrap_or(u64::MAX);
    let raised = Rlimit { current: Some(needed), maximum };
    if limit < needed || setrlimit(Resource::Nofile, raised).is_err() {
        return Err(BackupError::OpenFiles { needed, limit });
    }
    Ok(())
}

/// Looks through the folder.
struct Walk {
    root: PathBuf,
    files: Vec<Kept>,
    remarks: Vec<String>,
}

impl Walk {
    fn enter(&mut self, folder: &Path, depth: u32) -> Result<(), BackupError> {
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(BackupError::io("list", folder))?,
        };
        let is_top = folder == self.root;
        for entry in entries {
            let path = entry.map_err(BackupError::io("list", folder))?.path();
            let name = path.file_name().unwrap_or_default();
            let is_unfinished = path.extension().is_some_and(|extension| {
                UNFINISHED.iter().any(|unfinished| extension == *unfinished)
            });
            let is_elsewhere = is_top && ELSEWHERE.iter().any(|elsewhere| name == *elsewhere);
            if is_unfinished || is_elsewhere || name == "lost+found" {
                continue;
            }
            // links are followed: what is restored has to stand on its own
            let metadata = match fs::metadata(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_symlink() => {
                    self.remarks.push(format!("{} is a link to nothing", path.display()));
                    continue;
                }
                metadata => metadata.map_err(BackupError::io("look at", &path))?,
            };
            if metadata.is_dir() {
                let unfit = || BackupError::Unfit { path: path.clone(), why: "it lies too deep" };
                self.enter(&path, depth.checked_sub(1).ok_or_else(unfit)?)?;
            } else if metadata.is_file() {
                self.keep(path)?;
            }
        }
        Ok(())
    }

    fn keep(&mut self, path: PathBuf) -> Result<(), BackupError> {
        may_open(self.files.len())?;
        let file = File::open(&path).map_err(BackupError::io("open", &path))?;
        let metadata = file.metadata().map_err(BackupError::io("look at", &path))?;
        let below = path.strip_prefix(&self.root).unwrap_or(&path).to_owned();
        self.files.push(Kept {
            path: below,
            mode: metadata.permissions().mode() & 0o777,
            modified_s: modified_s(&metadata),
            held: Held { file: Arc::new(file), bytes: metadata.len() },
        });
        Ok(())
    }
}

fn modified_s(metadata: &Metadata) -> u64 {
    let modified = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    modified.unwrap_or_default().as_secs()
}
