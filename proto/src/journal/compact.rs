//! Rewrites a closed segment as compressed columns.
//!
//! A compact segment has the same header, then blocks:
//! ```text
//! length u32 | crc32c u32 | first u64 | last u64 | raw length u32 | zstd of the columns
//! ```
//! The checksum covers everything behind itself. Sequences may jump where the frames had a gap. The file
//! gets its name only when it is whole and on disk, and the frames go only after that.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::columns;
use super::disk::Disk;
use super::index::{Closed, Index, SegmentFacts, SegmentForm};
use super::scan::{Scanned, Scanner};
use super::segment::read_header;
use super::{JournalError, MAX_RECORD_BYTES};

const BLOCK_HEADER_BYTES: usize = 28;
/// Records are gathered to blocks of this many bytes.
const BLOCK_BYTES: usize = 1024 * 1024;
/// A block of one record of the largest size, and its overhead, is the most there can be.
const MAX_RAW_BYTES: usize = 2 * MAX_RECORD_BYTES + BLOCK_BYTES;
const COMPRESSION: i32 = 3;

/// Compacts the oldest segment that is closed, still frames, and wholly before `before`; says whether
/// there was one. Readers may go on meanwhile.
///
/// # Errors
/// When the disk will not take the new file or give the old one; both leave the journal as it was.
pub fn compact_oldest(
    disk: &Arc<dyn Disk>,
    index: &Index,
    before: u64,
) -> Result<bool, JournalError> {
    let Some(segment) = index.oldest_frames().filter(|segment| segment.last < before) else {
        return Ok(false);
    };
    let path = &segment.facts.path;
    let compact = path.with_extension("columns");
    let making = path.with_extension("making");
    let bytes = match write(disk.as_ref(), &segment, &making) {
        Ok(bytes) => bytes,
        Err(error) => {
            disk.remove(&making).ok();
            return Err(error);
        }
    };
    disk.rename(&making, &compact).map_err(JournalError::disk("name", &compact))?;
    if let Some(folder) = compact.parent() {
        disk.sync_folder(folder).map_err(JournalError::disk("flush the folder", folder))?;
    }
    let facts = SegmentFacts {
        bytes,
        form: SegmentForm::Columns,
        path: compact.clone(),
        ..segment.facts.clone()
    };
    // Retention may have removed the segment meanwhile: then its columns go too.
    let gone = if index.replace(facts) { path } else { &compact };
    disk.remove(gone).map_err(JournalError::disk("remove", gone))?;
    Ok(true)
}

/// Writes the compact file and flushes it; returns its length.
fn write(disk: &dyn Disk, segment: &Closed, making: &Path) -> Result<u64, JournalError> {
    let path = &segment.facts.path;
    let Some((header, header_bytes)) = read_header(disk, path)? else {
        let damaged = std::io::Error::other("its header is damaged");
        return Err(JournalError::disk("compact", path)(damaged));
    };
    let mut file = disk.create(making).map_err(JournalError::disk("create", making))?;
    let mut length = 0_u64;
    let mut put = |bytes: &[u8]| {
        length = length.saturating_add(u64::try_from(bytes.len()).unwrap_or(0));
        file.append(bytes).map_err(JournalError::disk("write", making))
    };
    put(&header.encode())?;
    let mut scanner = Scanner::new(path, header_bytes, header.first);
    let mut block: Vec<(u64, Bytes)> = Vec::new();
    let mut gathered = 0;
    loop {
        match scanner.next(disk, segment.facts.bytes)? {
            Scanned::Frame { frame, record } => {
                if frame.sequence > segment.last {
                    break;
                }
                let jumps = block.last().is_some_and(|(last, _)| last + 1 != frame.sequence);
                if jumps || gathered + record.len() > BLOCK_BYTES {
                    put(&encode_block(&block).map_err(JournalError::disk("compress", path))?)?;
                    block.clear();
                    gathered = 0;
                }
                gathered += record.len();
                block.push((frame.sequence, record));
            }
            Scanned::Hole { .. } => {}
            Scanned::End => break,
        }
    }
    put(&encode_block(&block).map_err(JournalError::disk("compress", path))?)?;
    file.sync().map_err(JournalError::disk("flush", making))?;
    Ok(length)
}

/// A block of records with consecutive sequences; nothing for none.
fn encode_block(records: &[(u64, Bytes)]) -> std::io::Result<Vec<u8>> {
    let (Some((first, _)), Some((last, _))) = (records.first(), records.last()) else {
        return Ok(Vec::new());
    };
    let rows: Vec<&[u8]> = records.iter().map(|(_, record)| record.as_ref()).collect();
    let raw = columns::encode(&rows);
    let packed = zstd::bulk::compress(&raw, COMPRESSION)?;
    let small = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let mut covered = Vec::with_capacity(packed.len() + 20);
    covered.extend_from_slice(&first.to_le_bytes());
    covered.extend_from_slice(&last.to_le_bytes());
    covered.extend_from_slice(&small(raw.len()));
    covered.extend_from_slice(&packed);
    let mut block = small(packed.len()).to_vec();
    block.extend_from_slice(&crc32c::crc32c(&covered).to_le_bytes());
    block.extend_from_slice(&covered);
    Ok(block)
}

/// The header of a block.
#[derive(Clone, Copy)]
struct BlockHeader {
    packed: usize,
    crc: u32,
    first: u64,
    last: u64,
    raw: usize,
}

fn block_header(bytes: &[u8]) -> Option<BlockHeader> {
    let (packed, rest) = bytes.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let (first, rest) = rest.split_first_chunk::<8>()?;
    let (last, rest) = rest.split_first_chunk::<8>()?;
    let raw = rest.first_chunk::<4>()?;
    let header = BlockHeader {
        packed: usize::try_from(u32::from_le_bytes(*packed)).ok()?,
        crc: u32::from_le_bytes(*crc),
        first: u64::from_le_bytes(*first),
        last: u64::from_le_bytes(*last),
        raw: usize::try_from(u32::from_le_bytes(*raw)).ok()?,
    };
    (header.raw <= MAX_RAW_BYTES && header.packed <= MAX_RAW_BYTES).then_some(header)
}

/// The sequence behind the last record of a compact segment; `None` when it has no readable block.
pub(super) fn end_of(disk: &dyn Disk, path: &Path) -> Result<Option<u64>, JournalError> {
    let Some((_, header_bytes)) = read_header(disk, path)? else {
        return Ok(None);
    };
    let mut blocks = Blocks::new(path, header_bytes);
    let mut end = None;
    while let Some(header) = blocks.header(disk)? {
        end = Some(header.last.saturating_add(1));
        blocks.skip(header);
    }
    Ok(end)
}

/// Reads a compact segment block by block.
pub(super) struct Blocks {
    path: PathBuf,
    offset: u64,
    ready: std::vec::IntoIter<(u64, Bytes)>,
}

impl Blocks {
    pub(super) fn new(path: &Path, header_bytes: usize) -> Self {
        let offset = u64::try_from(header_bytes).unwrap_or(u64::MAX);
        Self { path: path.to_owned(), offset, ready: Vec::new().into_iter() }
    }

    /// The next record whose sequence is at least `want`; a damaged block is passed over.
    pub(super) fn next(
        &mut self,
        disk: &dyn Disk,
        want: u64,
    ) -> Result<Option<(u64, Bytes)>, JournalError> {
        loop {
            if let Some(record) = self.ready.find(|(sequence, _)| *sequence >= want) {
                return Ok(Some(record));
            }
            let Some(header) = self.header(disk)? else {
                return Ok(None);
            };
            if header.last >= want {
                let records = self.load(disk, header)?;
                self.ready = records.unwrap_or_default().into_iter();
            }
            self.skip(header);
        }
    }

    fn header(&self, disk: &dyn Disk) -> Result<Option<BlockHeader>, JournalError> {
        let read = disk.read(&self.path, self.offset, BLOCK_HEADER_BYTES);
        Ok(block_header(&read.map_err(JournalError::disk("read", &self.path))?))
    }

    fn skip(&mut self, header: BlockHeader) {
        let bytes = u64::try_from(BLOCK_HEADER_BYTES + header.packed).unwrap_or(u64::MAX);
        self.offset = self.offset.saturating_add(bytes);
    }

    fn load(
        &self,
        disk: &dyn Disk,
        header: BlockHeader,
    ) -> Result<Option<Vec<(u64, Bytes)>>, JournalError> {
        let bytes = disk
            .read(&self.path, self.offset, BLOCK_HEADER_BYTES + header.packed)
            .map_err(JournalError::disk("read", &self.path))?;
        Ok(unpack(&bytes, header))
    }
}

fn unpack(bytes: &[u8], header: BlockHeader) -> Option<Vec<(u64, Bytes)>> {
    let covered = bytes.get(8..)?;
    if crc32c::crc32c(covered) != header.crc {
        return None;
    }
    let raw = zstd::bulk::decompress(covered.get(20..)?, header.raw).ok()?;
    let records = columns::decode(&raw)?;
    let promised = header.last.checked_sub(header.first)?.checked_add(1)?;
    let whole = u64::try_from(records.len()).ok()? == promised;
    whole.then(|| (header.first..=header.last).zip(records.into_iter().map(Bytes::from)).collect())
}
