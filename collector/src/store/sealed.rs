//! One closed period in one file: sorted entries in compressed, checksummed blocks, and a footer.
//!
//! ```text
//! magic | block … | names | footer | length of footer, its CRC-32C, magic
//! ```
//! Entries are sorted by phase, then series, so that the runs as a whole of all series lie together: that
//! is what most questions ask for. The file stands for itself: the footer has the period and the mark, and
//! `names` tells what series and phases are called, should the registry be lost.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use mailsonde_proto::WallTime;
use prost::Message;

use super::Error;
use super::files::{failed, write};
use super::row::taken;
use crate::period::{Period, Resolution};
use crate::series::{PhaseId, SeriesId};

const MAGIC: [u8; 8] = *b"MSROLL01";
/// Footer's length, its checksum, magic.
const TAIL_BYTES: u64 = 16;
/// A block is closed when it has this many bytes before compression.
const BLOCK_BYTES: usize = 128 << 10;
/// No block and no footer is larger: what claims to be is damaged.
const PART_MAX: u64 = 64 << 20;
const COMPRESSION: i32 = 3;

/// Where an entry stands.
pub(super) type EntryKey = (PhaseId, SeriesId);

/// A sealed file's footer.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Footer {
    #[prost(uint32, tag = "1")]
    resolution: u32,
    #[prost(uint32, tag = "2")]
    number: u32,
    /// Everything of the period from observations before this is here.
    #[prost(uint64, tag = "3")]
    pub(super) mark: u64,
    #[prost(sfixed64, tag = "4")]
    sealed_at_ns: i64,
    #[prost(uint64, tag = "5")]
    pub(super) entries: u64,
    #[prost(message, repeated, tag = "6")]
    blocks: Vec<Part>,
    #[prost(message, required, tag = "7")]
    names: Part,
}

/// A compressed stretch of the file.
#[derive(Clone, PartialEq, Message)]
struct Part {
    #[prost(fixed32, tag = "1")]
    first_phase: u32,
    #[prost(fixed64, tag = "2")]
    first_series: u64,
    #[prost(uint64, tag = "3")]
    offset: u64,
    #[prost(uint64, tag = "4")]
    length: u64,
    #[prost(uint64, tag = "5")]
    raw_length: u64,
    #[prost(fixed32, tag = "6")]
    checksum: u32,
}

impl Footer {
    pub(super) fn period(&self) -> Option<Period> {
        let resolution = Resolution::from_code(u8::try_from(self.resolution).ok()?)?;
        Some(Period { resolution, number: self.number })
    }

    pub(super) fn sealed_at(&self) -> WallTime {
        WallTime::from_ns(self.sealed_at_ns)
    }
}

/// Writes a sealed file from entries in order.
pub(super) struct Writer<'a> {
    file: &'a mut File,
    path: PathBuf,
    footer: Footer,
    offset: u64,
    block: Vec<u8>,
    first: EntryKey,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        file: &'a mut File,
        path: &Path,
        period: Period,
        mark: u64,
    ) -> Result<Self, Error> {
        write(file, path, &MAGIC)?;
        let resolution = period.resolution.code().into();
        let footer = Footer { resolution, number: period.number, mark, ..Footer::default() };
        let first = (PhaseId::TOTAL, SeriesId(0));
        Ok(Self { file, path: path.to_owned(), footer, offset: 8, block: Vec::new(), first })
    }

    pub(super) fn push(&mut self, key: EntryKey, bytes: &[u8]) -> Result<(), Error> {
        if self.block.is_empty() {
            self.first = key;
        }
        let length =
            u32::try_from(bytes.len()).ok().ok_or(Error::TooLarge { bytes: bytes.len() })?;
        self.block.extend(key.0.0.to_be_bytes());
        self.block.extend(key.1.0.to_be_bytes());
        self.block.extend(length.to_be_bytes());
        self.block.extend(bytes);
        self.footer.entries += 1;
        if self.block.len() >= BLOCK_BYTES { self.close_block() } else { Ok(()) }
    }

    pub(super) fn finish(mut self, names: &[u8], sealed_at: WallTime) -> Result<(), Error> {
        self.close_block()?;
        self.footer.names = self.part(names, (PhaseId::TOTAL, SeriesId(0)))?;
        self.footer.sealed_at_ns = sealed_at.as_ns();
        let footer = self.footer.encode_to_vec();
        let length =
            u32::try_from(footer.len()).ok().ok_or(Error::TooLarge { bytes: footer.len() })?;
        write(self.file, &self.path, &footer)?;
        write(self.file, &self.path, &length.to_be_bytes())?;
        write(self.file, &self.path, &crc32c::crc32c(&footer).to_be_bytes())?;
        write(self.file, &self.path, &MAGIC)
    }

    fn close_block(&mut self) -> Result<(), Error> {
        if self.block.is_empty() {
            return Ok(());
        }
        let block = std::mem::take(&mut self.block);
        let part = self.part(&block, self.first)?;
        self.footer.blocks.push(part);
        self.block = block;
        self.block.clear();
        Ok(())
    }

    fn part(&mut self, raw: &[u8], first: EntryKey) -> Result<Part, Error> {
        let packed =
            zstd::bulk::compress(raw, COMPRESSION).map_err(failed("compress", &self.path))?;
        write(self.file, &self.path, &packed)?;
        let part = Part {
            first_phase: first.0.0,
            first_series: first.1.0,
            offset: self.offset,
            length: length(&packed),
            raw_length: length(raw),
            checksum: crc32c::crc32c(&packed),
        };
        self.offset = self.offset.saturating_add(part.length);
        Ok(part)
    }
}

/// Reads a sealed file.
#[derive(Debug)]
pub(super) struct Reader {
    file: File,
    footer: Footer,
    period: Period,
}

impl Reader {
    /// Opens a file and reads its footer.
    pub(super) fn open(path: &Path, period: Period) -> Result<Self, Error> {
        let damaged = |why| Error::Damaged { period, why };
        let file = File::open(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => damaged("its file is missing"),
            _ => failed("open", path)(error),
        })?;
        let length = file.metadata().map_err(failed("measure", path))?.len();
        let tail_at = length.checked_sub(TAIL_BYTES).ok_or(damaged("it is cut short"))?;
        let mut tail = [0; 16];
        file.read_exact_at(&mut tail, tail_at).or(Err(damaged("its end cannot be read")))?;
        let mut rest = tail.as_slice();
        let footer_length = taken(&mut rest).map_or(0, u32::from_be_bytes);
        let checksum = taken(&mut rest).map_or(0, u32::from_be_bytes);
        if rest != MAGIC {
            return Err(damaged("it does not end as it should"));
        }
        let footer_at = tail_at.checked_sub(footer_length.into());
        let footer_at = footer_at.ok_or(damaged("its footer is longer than itself"))?;
        let mut footer = vec![0; usize::try_from(footer_length).unwrap_or(0)];
        let read = file.read_exact_at(&mut footer, footer_at);
        read.or(Err(damaged("its footer cannot be read")))?;
        if crc32c::crc32c(&footer) != checksum {
            return Err(damaged("its footer has a wrong checksum"));
        }
        let footer =
            Footer::decode(footer.as_slice()).ok().ok_or(damaged("its footer is unreadable"))?;
        if footer.period() != Some(period) {
            return Err(damaged("its name is not that of its content"));
        }
        Ok(Self { file, footer, period })
    }

    pub(super) fn footer(&self) -> &Footer {
        &self.footer
    }

    /// What series and phases are called, as it was given to the writer.
    pub(super) fn names(&self) -> Result<Vec<u8>, Error> {
        self.read(&self.footer.names)
    }

    /// The entry of one series and phase.
    pub(super) fn get(&self, key: EntryKey) -> Result<Option<Vec<u8>>, Error> {
        let mut found = None;
        self.range(key, key, |_, bytes| {
            found = Some(bytes.to_vec());
            Ok(())
        })?;
        Ok(found)
    }

    /// The entries from one key to another, both included, in order.
    pub(super) fn range(
        &self,
        from: EntryKey,
        to: EntryKey,
        mut each: impl FnMut(EntryKey, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for index in self.blocks_of(from, to) {
            self.block(
                index,
                |key, bytes| {
                    if key < from || key > to { Ok(()) } else { each(key, bytes) }
                },
            )?;
        }
        Ok(())
    }

    /// How many blocks there are.
    pub(super) fn block_count(&self) -> usize {
        self.footer.blocks.len()
    }

    /// The entries of one block, in order.
    pub(super) fn block(
        &self,
        index: usize,
        mut each: impl FnMut(EntryKey, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let part = self.footer.blocks.get(index).ok_or(self.damaged("a block is missing"))?;
        let raw = self.read(part)?;
        let mut rest = raw.as_slice();
        while !rest.is_empty() {
            let (key, bytes) = entry(&mut rest).ok_or(self.damaged("an entry is cut short"))?;
            each(key, bytes)?;
        }
        Ok(())
    }

    fn blocks_of(&self, from: EntryKey, to: EntryKey) -> std::ops::Range<usize> {
        let first = |part: &Part| (PhaseId(part.first_phase), SeriesId(part.first_series));
        let start = self.footer.blocks.partition_point(|part| first(part) <= from);
        let end = self.footer.blocks.partition_point(|part| first(part) <= to);
        start.saturating_sub(1)..end
    }

    fn read(&self, part: &Part) -> Result<Vec<u8>, Error> {
        if part.length > PART_MAX || part.raw_length > PART_MAX {
            return Err(self.damaged("a block is larger than any can be"));
        }
        let mut packed = vec![0; usize::try_from(part.length).unwrap_or(0)];
        let read = self.file.read_exact_at(&mut packed, part.offset);
        read.or(Err(self.damaged("a block cannot be read")))?;
        if crc32c::crc32c(&packed) != part.checksum {
            return Err(self.damaged("a block has a wrong checksum"));
        }
        let raw = zstd::bulk::decompress(&packed, usize::try_from(part.raw_length).unwrap_or(0));
        raw.or(Err(self.damaged("a block cannot be unpacked")))
    }

    fn damaged(&self, why: &'static str) -> Error {
        Error::Damaged { period: self.period, why }
    }
}

fn entry<'a>(rest: &mut &'a [u8]) -> Option<(EntryKey, &'a [u8])> {
    let phase = PhaseId(u32::from_be_bytes(taken(rest)?));
    let series = SeriesId(u64::from_be_bytes(taken(rest)?));
    let length = usize::try_from(u32::from_be_bytes(taken(rest)?)).ok()?;
    let (bytes, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(((phase, series), bytes))
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
