//! The archive itself: written as a stream, and read as what a stranger may have made.
//!
//! Read are plain files with plain names below `data/`, each once, no more of them and no larger than the head says,
//! in a frame of zstd that ends well; everything else is refused. Memory is bounded by a piece and the manifest.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::path::Path;

use ring::digest::{Context, SHA256};
use tar::{Builder, EntryType, Header};
use zstd::stream::{read::Decoder, write::Encoder};

use super::manifest::{DATA, FileEntry, HEAD, Head, MANIFEST, Manifest};
use super::{BackupError, FORMAT};

/// Most of it is compressed already.
const COMPRESSION: i32 = 1;
/// What a frame may ask for to be read: 8 MiB, as much as any of ours.
const WINDOW_LOG_MAX: u32 = 23;
/// Bytes of the head and of the manifest at most: a million files.
const HEAD_MAX: u64 = 64 << 10;
const MANIFEST_MAX: u64 = 256 << 20;
/// Files at most.
const FILES_MAX: u64 = 1_000_000;
/// How deep names go.
const NAMES_MAX: usize = 8;
/// Bytes that are copied at a time.
const PIECE_BYTES: usize = 256 << 10;
/// What follows the last entry: tar's two empty blocks, and its padding to a record.
const TAIL_MAX: u64 = 64 << 10;

/// Writes an archive.
pub(super) struct Packer<W: Write> {
    tar: Builder<Encoder<'static, W>>,
    files: Vec<FileEntry>,
}

/// A file that is written or read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// Below the collector's folder, with `/` between names.
    pub(super) path: String,
    pub(super) bytes: u64,
    pub(super) mode: u32,
    pub(super) modified_s: u64,
}

impl<W: Write> Packer<W> {
    pub(super) fn new(to: W, head: &Head) -> Result<Self, BackupError> {
        let mut encoder = Encoder::new(to, COMPRESSION).map_err(BackupError::Write)?;
        encoder.include_checksum(true).map_err(BackupError::Write)?;
        let mut packer = Self { tar: Builder::new(encoder), files: Vec::new() };
        packer.text(HEAD, head)?;
        Ok(packer)
    }

    /// Adds a file; `each` is told of every piece of it.
    pub(super) fn add(
        &mut self,
        named: Named,
        from: impl Read,
        each: impl FnMut(u64),
    ) -> Result<(), BackupError> {
        let header = header(&format!("{DATA}{}", named.path), &named)?;
        let mut from = Hashed::new(from.take(named.bytes), each);
        self.tar.append(&header, &mut from).map_err(BackupError::Write)?;
        let (sha256, bytes) = from.finish();
        if bytes != named.bytes {
            let words = format!("{} became shorter while it was read", named.path);
            return Err(BackupError::Write(io::Error::other(words)));
        }
        let mode = format!("{:04o}", named.mode);
        self.files.push(FileEntry { path: named.path, bytes, mode, sha256 });
        Ok(())
    }

    /// The files that were written.
    pub(super) fn take_files(&mut self) -> Vec<FileEntry> {
        std::mem::take(&mut self.files)
    }

    /// Adds the manifest, and ends the archive.
    pub(super) fn finish(mut self, manifest: &Manifest) -> Result<W, BackupError> {
        self.text(MANIFEST, manifest)?;
        let encoder = self.tar.into_inner().map_err(BackupError::Write)?;
        encoder.finish().map_err(BackupError::Write)
    }

    fn text(&mut self, name: &str, value: &impl serde::Serialize) -> Result<(), BackupError> {
        let mut text = serde_json::to_vec_pretty(value)
            .map_err(|error| BackupError::Write(io::Error::other(error)))?;
        text.push(b'\n');
        let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
        let named = Named { path: name.to_owned(), bytes, mode: 0o600, modified_s: 0 };
        let header = header(name, &named)?;
        self.tar.append(&header, text.as_slice()).map_err(BackupError::Write)
    }
}

fn header(path: &str, named: &Named) -> Result<Header, BackupError> {
    // ustar has 255 bytes for a name; longer ones would take an extension, which is not read
    let mut header = Header::new_ustar();
    let unfit = |_| BackupError::Unfit { path: path.into(), why: "its name is too long" };
    header.set_path(path).map_err(unfit)?;
    header.set_entry_type(EntryType::Regular);
    header.set_size(named.bytes);
    header.set_mode(named.mode);
    header.set_mtime(named.modified_s);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    Ok(header)
}

/// Reads all of a backup and looks whether it is whole.
///
/// # Errors
/// When it is not, or is none.
pub fn verify(from: impl Read, mut each: impl FnMut(u64, u64)) -> Result<Manifest, BackupError> {
    let total = Cell::new(0);
    let begin = |head: &Head| {
        total.set(head.bytes);
        Ok(())
    };
    let mut done = 0_u64;
    unpack(from, begin, |_, content| {
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let read = content.read(&mut piece).map_err(unreadable)?;
            if read == 0 {
                return Ok(());
            }
            done = done.saturating_add(u64::try_from(read).unwrap_or(0));
            each(done, total.get());
        }
    })
}

/// Reads an archive: `begin` gets its head, `each` every file, which it reads to its end. What it makes of them counts
/// only when all of this ends well.
pub(super) fn unpack(
    from: impl Read,
    begin: impl FnOnce(&Head) -> Result<(), BackupError>,
    mut each: impl FnMut(&Named, &mut dyn Read) -> Result<(), BackupError>,
) -> Result<Manifest, BackupError> {
    let mut decoder = Decoder::new(from).map_err(unreadable)?;
    decoder.window_log_max(WINDOW_LOG_MAX).map_err(unreadable)?;
    let mut archive = tar::Archive::new(decoder);
    // raw: what extends an entry is an entry of its own here, and refused
    let mut entries = archive.entries().map_err(not_begun)?.raw(true);
    let mut first = entries.next().transpose().map_err(not_begun)?;
    let head = head_of(first.as_mut().ok_or_else(|| foreign("it is empty"))?)?;
    begin(&head)?;
    let mut files = Vec::new();
    let mut paths = BTreeSet::new();
    let mut left = head.bytes;
    let mut manifest: Option<Manifest> = None;
    for entry in entries {
        let mut entry = entry.map_err(unreadable)?;
        let named = named(&entry)?;
        if manifest.is_some() {
            return Err(damaged("there is something behind its end"));
        }
        if named.path == MANIFEST {
            manifest = Some(json(&mut entry, MANIFEST_MAX)?);
            continue;
        }
        let path = below_data(&named.path)?;
        let count = u64::try_from(files.len()).unwrap_or(u64::MAX);
        left = left.checked_sub(named.bytes).ok_or_else(|| damaged("its files are too large"))?;
        if !paths.insert(path.to_owned()) || count >= head.files.min(FILES_MAX) {
            return Err(damaged("it holds a file more than it says"));
        }
        let named = Named { path: path.to_owned(), ..named };
        let mut content = Hashed::new(&mut entry, |_| ());
        each(&named, &mut content)?;
        let (sha256, bytes) = content.finish();
        let mode = format!("{:04o}", named.mode);
        files.push(FileEntry { path: named.path, bytes, mode, sha256 });
    }
    let manifest = manifest.ok_or_else(|| damaged("its end is missing"))?;
    end(archive.into_inner())?;
    agree(&manifest, &head, &files)?;
    Ok(manifest)
}

fn head_of(entry: &mut tar::Entry<'_, impl Read>) -> Result<Head, BackupError> {
    if named(entry)?.path != HEAD {
        return Err(foreign(format_args!("it does not begin with {HEAD}")));
    }
    let value: serde_json::Value = json(entry, HEAD_MAX)?;
    // a later form may have another head: what is asked of it is its version alone
    let format = value.get("format").and_then(serde_json::Value::as_u64).unwrap_or(0);
    let format = u32::try_from(format).unwrap_or(u32::MAX);
    if format > FORMAT {
        let program = value.get("program").and_then(serde_json::Value::as_str).unwrap_or_default();
        return Err(BackupError::Newer { program: crate::text::one_line(program), format });
    }
    serde_json::from_value(value).map_err(foreign)
}

/// What an entry says of itself; it must be a plain file.
fn named(entry: &tar::Entry<'_, impl Read>) -> Result<Named, BackupError> {
    let header = entry.header();
    if header.entry_type() != EntryType::Regular {
        return Err(damaged("it holds something that is no plain file"));
    }
    let path = entry.path_bytes();
    let path = std::str::from_utf8(&path).ok().ok_or_else(|| damaged("a name is no text"))?;
    Ok(Named {
        path: path.to_owned(),
        bytes: header.entry_size().map_err(unreadable)?,
        mode: header.mode().map_err(unreadable)? & 0o777,
        modified_s: header.mtime().map_err(unreadable)?,
    })
}

/// The path below the folder: names only, nothing that leads elsewhere.
fn below_data(path: &str) -> Result<&str, BackupError> {
    let is_name = |name: &str| {
        !name.is_empty() && name != "." && name != ".." && !name.chars().any(char::is_control)
    };
    path.strip_prefix(DATA)
        .filter(|below| below.split('/').all(is_name) && below.split('/').count() <= NAMES_MAX)
        .filter(|below| !Path::new(below).is_absolute())
        .ok_or_else(|| damaged(format_args!("{:?} is no name of a file in it", path)))
}

fn json<T: serde::de::DeserializeOwned>(from: impl Read, most: u64) -> Result<T, BackupError> {
    let mut text = Vec::new();
    from.take(most.saturating_add(1)).read_to_end(&mut text).map_err(unreadable)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > most {
        return Err(damaged("what it says of itself is too long"));
    }
    serde_json::from_slice(&text).map_err(damaged)
}

/// Behind the last entry there is nothing but zeros, and the frame's checksum holds.
fn end(from: impl Read) -> Result<(), BackupError> {
    let mut rest = Vec::new();
    from.take(TAIL_MAX).read_to_end(&mut rest).map_err(unreadable)?;
    let most = usize::try_from(TAIL_MAX).unwrap_or(usize::MAX);
    if rest.len() >= most || rest.iter().any(|byte| *byte != 0) {
        return Err(damaged("there is something behind its end"));
    }
    Ok(())
}

fn agree(manifest: &Manifest, head: &Head, files: &[FileEntry]) -> Result<(), BackupError> {
    if manifest.head != *head {
        return Err(damaged("its beginning and its end are not of one backup"));
    }
    if manifest.files.len() != files.len() {
        let (found, told) = (files.len(), manifest.files.len());
        return Err(damaged(format_args!("it holds {found} files instead of {told}")));
    }
    match manifest.files.iter().zip(files).find(|(told, found)| told != found) {
        Some((told, _)) => Err(damaged(format_args!(
            "{} is not what was written",
            crate::text::one_line(&told.path)
        ))),
        None => Ok(()),
    }
}

fn unreadable(error: impl std::fmt::Display) -> BackupError {
    BackupError::Damaged(error.to_string())
}

fn damaged(why: impl std::fmt::Display) -> BackupError {
    BackupError::Damaged(why.to_string())
}

/// Of what cannot be read from the first byte on: one that is cut off there may well be ours.
fn not_begun(error: io::Error) -> BackupError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => unreadable(error),
        _ => foreign(error),
    }
}

fn foreign(why: impl std::fmt::Display) -> BackupError {
    BackupError::Foreign(why.to_string())
}

/// Reads, and knows afterwards what it was.
struct Hashed<R, F> {
    from: R,
    context: Context,
    bytes: u64,
    each: F,
}

impl<R: Read, F: FnMut(u64)> Hashed<R, F> {
    fn new(from: R, each: F) -> Self {
        Self { from, context: Context::new(&SHA256), bytes: 0, each }
    }

    fn finish(self) -> (String, u64) {
        (hex::encode(self.context.finish()), self.bytes)
    }
}

impl<R: Read, F: FnMut(u64)> Read for Hashed<R, F> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(PIECE_BYTES);
        let read = self.from.read(into.get_mut(..most).unwrap_or_default())?;
        self.context.update(into.get(..read).unwrap_or_default());
        let bytes = u64::try_from(read).unwrap_or(0);
        self.bytes = self.bytes.saturating_add(bytes);
        (self.each)(bytes);
        Ok(read)
    }
}
