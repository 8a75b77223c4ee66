//! A folder of TOML files that an operator writes: which there are, their texts, and the places of mistakes in them.
//!
//! Everything is bounded: files, bytes of a file. Absent on purpose: what stands in a file, which its reader knows.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::DeTable;

use crate::config::Mistake;

/// Files at most.
pub(crate) const MAX_FILES: usize = 1_000;
/// Bytes of one file at most.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// A mistake about a file, or a folder, as a whole.
pub(crate) fn whole(file: &Path, message: String) -> Mistake {
    Mistake { file: file.to_owned(), line: 0, column: 0, message }
}

/// The names of the folder's `*.toml`, sorted; a folder that is not there holds none.
///
/// # Errors
/// When it cannot be read, or holds too many.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>, String> {
    let cannot = |error: io::Error| format!("cannot be read: {error}");
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(cannot)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(cannot)?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".toml") && !name.starts_with('.') {
            names.push(name);
        }
        if names.len() > MAX_FILES {
            return Err(format!("holds more than {MAX_FILES} files"));
        }
    }
    names.sort();
    Ok(names)
}

/// The text of a file.
///
/// # Errors
/// When it is none, too large, or cannot be read: in words.
pub(crate) fn text(path: &Path) -> Result<String, String> {
    let metadata = fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?;
    if !metadata.is_file() {
        return Err("is not a file".into());
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(format!("holds more than {} MiB", MAX_FILE_BYTES >> 20));
    }
    fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))
}

/// One file as it is read.
pub(crate) struct File<'f> {
    /// What it is called in mistakes.
    pub(crate) name: &'f str,
    /// All of it.
    pub(crate) text: &'f str,
}

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    file: PathBuf,
    line: usize,
    column: usize,
}

impl Place {
    /// Something is wrong here.
    pub(crate) fn mistake(&self, message: String) -> Mistake {
        let Self { file, line, column } = self.clone();
        Mistake { file, line, column, message }
    }
}

/// `mail.toml:4`.
impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

impl<'f> File<'f> {
    /// Its outermost table.
    ///
    /// # Errors
    /// Where it is no TOML.
    pub(crate) fn table(&self) -> Result<Spanned<DeTable<'f>>, Vec<Mistake>> {
        let (root, errors) = DeTable::parse_recoverable(self.text);
        if errors.is_empty() {
            return Ok(root);
        }
        let told = errors.iter().map(|error| {
            let at = error.span().unwrap_or(0..0).start;
            self.mistake(at, error.message().trim().replace('\n', ", "))
        });
        Err(told.collect())
    }

    /// Something is wrong at a byte.
    pub(crate) fn mistake(&self, at: usize, message: String) -> Mistake {
        self.place(at).mistake(message)
    }

    /// The line of a byte, from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.place(at).line
    }

    /// Where a byte stands.
    pub(crate) fn place(&self, at: usize) -> Place {
        let before = self.text.get(..at).unwrap_or(self.text);
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let line = before.matches('\n').count() + 1;
        Place { file: PathBuf::from(self.name), line, column }
    }
}
