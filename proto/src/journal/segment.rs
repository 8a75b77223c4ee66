//! Segments: their names, their headers, and the survey of a folder when a journal is opened.
//!
//! Only the last segment is read through at start, because only it can have been written to when the
//! machine stopped; damage in an older one is found by the reader that comes to it.

use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::frame::HEADER_BYTES;
use super::index::{Damage, SegmentFacts, SegmentForm};
use super::scan::{Scanned, Scanner};
use super::{JournalError, compact};
use crate::time::WallTime;

const MAGIC: &[u8; 4] = b"MSJ1";
/// Magic, length of the note, first sequence, time, note, checksum.
const FIXED_BYTES: usize = 4 + 4 + 8 + 8;
/// A note larger than this is damage.
const MAX_NOTE_BYTES: usize = 64 * 1024 * 1024;

/// What a segment begins with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) first: u64,
    pub(super) created_at: WallTime,
    pub(super) note: Vec<u8>,
}

impl Header {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FIXED_BYTES + self.note.len() + 4);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&u32::try_from(self.note.len()).unwrap_or(0).to_le_bytes());
        bytes.extend_from_slice(&self.first.to_le_bytes());
        bytes.extend_from_slice(&self.created_at.as_ns().to_le_bytes());
        bytes.extend_from_slice(&self.note);
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The header at the beginning of a file and its length in bytes; `None` when it is damaged.
    pub(super) fn decode(bytes: &[u8]) -> Option<(Self, usize)> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (note_bytes, rest) = rest.split_first_chunk::<4>()?;
        let (first, rest) = rest.split_first_chunk::<8>()?;
        let (created_at, rest) = rest.split_first_chunk::<8>()?;
        let note_bytes = usize::try_from(u32::from_le_bytes(*note_bytes)).ok()?;
        let note = rest.get(..note_bytes)?;
        let crc = rest.get(note_bytes..)?.first_chunk::<4>()?;
        let covered = bytes.get(..FIXED_BYTES + note_bytes)?;
        if crc32c::crc32c(covered) != u32::from_le_bytes(*crc) {
            return None;
        }
        let header = Self {
            first: u64::from_le_bytes(*first),
            created_at: WallTime::from_ns(i64::from_le_bytes(*created_at)),
            note: note.to_vec(),
        };
        Some((header, FIXED_BYTES + note_bytes + 4))
    }
}

/// The header of a segment's file; `None` when the file is too short or the header damaged.
pub(super) fn read_header(
    disk: &dyn Disk,
    path: &Path,
) -> Result<Option<(Header, usize)>, JournalError> {
    let read = |limit| disk.read(path, 0, limit).map_err(JournalError::disk("read", path));
    let start = read(FIXED_BYTES)?;
    let Some(note_bytes) = start.get(4..8).and_then(|bytes| bytes.first_chunk::<4>()) else {
        return Ok(None);
    };
    let note_bytes = usize::try_from(u32::from_le_bytes(*note_bytes)).unwrap_or(usize::MAX);
    if note_bytes > MAX_NOTE_BYTES {
        return Ok(None);
    }
    Ok(Header::decode(&read(FIXED_BYTES + note_bytes + 4)?))
}

/// The name of the segment whose first record has this sequence.
pub(super) fn file_name(first: u64) -> String {
    format!("{first:020}.segment")
}

/// What a folder holds.
pub(super) struct Survey {
    pub(super) segments: Vec<SegmentFacts>,
    pub(super) next: u64,
    pub(super) last_first: Option<u64>,
    pub(super) last_note: Vec<u8>,
}

/// Looks through a journal's folder, mends what a crash left, and reports what was damaged.
pub(super) fn survey(
    disk: &dyn Disk,
    folder: &Path,
    damage: &mut Vec<Damage>,
) -> Result<Survey, JournalError> {
    let mut survey =
        Survey { segments: Vec::new(), next: 0, last_first: None, last_note: Vec::new() };
    let mut headers = Vec::new();
    for (path, form) in segment_files(disk, folder)? {
        match read_header(disk, &path)? {
            Some((header, bytes)) => headers.push((path, form, header, bytes)),
            None => survey.next = survey.next.max(set_aside(disk, &path, damage)?),
        }
    }
    let count = headers.len();
    for (at, (path, form, header, header_bytes)) in headers.into_iter().enumerate() {
        let mut bytes = disk.length(&path).map_err(JournalError::disk("read", &path))?;
        if at + 1 == count {
            let next = match form {
                SegmentForm::Columns => compact::end_of(disk, &path)?.unwrap_or(header.first),
                SegmentForm::Frames => {
                    let scanner = Scanner::new(&path, header_bytes, header.first);
                    let tail = mend_tail(disk, scanner, damage)?;
                    bytes = tail.bytes;
                    tail.next
                }
            };
            survey.next = survey.next.max(next);
        }
        survey.last_first = Some(header.first);
        survey.last_note = header.note;
        let (first, created_at) = (header.first, header.created_at);
        survey.segments.push(SegmentFacts { first, created_at, bytes, form, path });
    }
    Ok(survey)
}

/// The segments in order of their first sequence; leftovers of work that did not finish go.
fn segment_files(
    disk: &dyn Disk,
    folder: &Path,
) -> Result<Vec<(PathBuf, SegmentForm)>, JournalError> {
    let mut names = disk.list(folder).map_err(JournalError::disk("list", folder))?;
    names.sort();
    let mut files: Vec<(PathBuf, SegmentForm)> = Vec::new();
    for path in names {
        let form = match path.extension().and_then(|extension| extension.to_str()) {
            Some("columns") => SegmentForm::Columns,
            Some("segment") => SegmentForm::Frames,
            Some("making") => {
                disk.remove(&path).map_err(JournalError::disk("remove", &path))?;
                continue;
            }
            _ => continue,
        };
        // `.columns` sorts first and is complete as soon as it has its name: the frames may go.
        match files.last() {
            Some((before, _)) if before.file_stem() == path.file_stem() => {
                disk.remove(&path).map_err(JournalError::disk("remove", &path))?;
            }
            _ => files.push((path, form)),
        }
    }
    Ok(files)
}

/// A file whose header cannot be read is kept for people to look at, under another name. Returns a
/// sequence that is surely behind all that it held, so that none is given out twice.
fn set_aside(disk: &dyn Disk, path: &Path, damage: &mut Vec<Damage>) -> Result<u64, JournalError> {
    let length = disk.length(path).map_err(JournalError::disk("read", path))?;
    let first = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok()).unwrap_or(0);
    let aside = path.with_extension("damaged");
    disk.rename(path, &aside).map_err(JournalError::disk("set aside", path))?;
    damage.push(Damage::Header { path: aside });
    Ok(first.saturating_add(length / u64::try_from(HEADER_BYTES).unwrap_or(1)))
}

struct Tail {
    bytes: u64,
    next: u64,
}

/// Reads the last segment through; cuts a torn tail, declares damage that later frames prove to be old.
fn mend_tail(
    disk: &dyn Disk,
    mut scanner: Scanner,
    damage: &mut Vec<Damage>,
) -> Result<Tail, JournalError> {
    let path = scanner.path().to_owned();
    let length = disk.length(&path).map_err(JournalError::disk("read", &path))?;
    // Each hole with what came before it; `proven` is the most that a frame behind it knew to be on disk.
    let mut holes: Vec<Hole> = Vec::new();
    let mut next = scanner.next_sequence();
    let end = loop {
        let before = scanner.offset();
        match scanner.next(disk, length)? {
            Scanned::Frame { frame, .. } => {
                next = frame.sequence.saturating_add(1);
                for hole in &mut holes {
                    hole.proven = hole.proven.max(frame.durable);
                }
            }
            Scanned::Hole { first, last } => {
                holes.push(Hole { at: before, first, last, proven: 0 });
            }
            Scanned::End => break before,
        }
    };
    for hole in holes {
        if hole.proven <= hole.at {
            damage.push(Damage::TornTail { path: path.clone(), bytes: length - hole.at });
            disk.cut(&path, hole.at).map_err(JournalError::disk("cut", &path))?;
            return Ok(Tail { bytes: hole.at, next: hole.first });
        }
        if hole.first <= hole.last {
            damage.push(Damage::Gap { path: path.clone(), first: hole.first, last: hole.last });
        }
    }
    if end < length {
        damage.push(Damage::TornTail { path: path.clone(), bytes: length - end });
        disk.cut(&path, end).map_err(JournalError::disk("cut", &path))?;
    }
    Ok(Tail { bytes: end, next })
}

struct Hole {
    at: u64,
    first: u64,
    last: u64,
    proven: u64,
}
