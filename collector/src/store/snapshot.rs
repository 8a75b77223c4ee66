//! The rows at a cursor, in one checksummed file: what recovery starts from.
//!
//! ```text
//! magic | block … | an empty block | head | CRC-32C of head | magic
//! block = length before compression, length, CRC-32C, compressed {key length, value length, key, value} …
//! ```
//! The head's sum is over all rows, so a block that is left out is seen too.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use prost::Message;

use super::files::{failed, list, make_folder, prepare, write};
use super::redo::Change;
use super::row::{HEAD, taken};
use super::rows::{Rows, Trouble};
use super::steps::Steps;
use super::{Error, Head};

const MAGIC: [u8; 8] = *b"MSSNAP01";
const BLOCK_BYTES: usize = 256 << 10;
const BLOCK_MAX: usize = 16 << 20;
const COMPRESSION: i32 = 1;
/// How many snapshots are kept.
const KEPT: usize = 2;

/// Writes the rows as they are at `head`, and removes the oldest snapshots.
pub(super) fn save(folder: &Path, rows: &Rows, head: &Head, steps: &Steps) -> Result<(), Error> {
    make_folder(folder)?;
    let path = folder.join(format!("{:020}.snap", head.commit));
    prepare(&path, |file| {
        write(file, &path, &MAGIC)?;
        let mut block = Vec::new();
        rows.each(|key, value| {
            for part in [key, value] {
                let length = u16::try_from(part.len()).ok();
                let length = length.ok_or(Error::TooLarge { bytes: part.len() })?;
                block.extend(length.to_le_bytes());
            }
            block.extend(key);
            block.extend(value);
            if block.len() >= BLOCK_BYTES {
                write_block(file, &path, &block)?;
                block.clear();
            }
            Ok(())
        })?;
        if !block.is_empty() {
            write_block(file, &path, &block)?;
        }
        write_block(file, &path, &[])?;
        let head = head.encode_to_vec();
        write(file, &path, &head)?;
        write(file, &path, &crc32c::crc32c(&head).to_le_bytes())?;
        write(file, &path, &MAGIC)
    })?
    .put(steps)?;
    let paths = all(folder)?;
    for old in paths.iter().rev().skip(KEPT) {
        std::fs::remove_file(old).map_err(failed("remove", old))?;
    }
    Ok(())
}

/// The snapshots there are, oldest first.
pub(super) fn all(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    if folder.is_dir() { list(folder) } else { Ok(Vec::new()) }
}

/// The head of a snapshot that can be read to its end; `each` gets the rows, in batches.
pub(super) fn load(
    path: &Path,
    mut each: impl FnMut(Vec<Change>) -> Result<(), Error>,
) -> Result<Head, Trouble> {
    let file = File::open(path).map_err(failed("open", path))?;
    let mut file = BufReader::new(file);
    if read::<8>(&mut file)? != MAGIC {
        return Err(damage("it does not begin as it should"));
    }
    let mut found = Head::default();
    loop {
        let block = read_block(&mut file)?;
        if block.is_empty() {
            break;
        }
        let mut rest = block.as_slice();
        let mut changes = Vec::new();
        while !rest.is_empty() {
            let (key, value) = pair(&mut rest).ok_or_else(|| damage("a row is cut short"))?;
            found.add(key, value);
            changes.push((key.to_vec(), Some(value.to_vec())));
        }
        each(changes)?;
    }
    let mut tail = Vec::new();
    file.take(4_096).read_to_end(&mut tail).map_err(failed("read", path))?;
    let head = head_of(&tail).ok_or_else(|| damage("its head is damaged"))?;
    if (head.sum, head.keys) != (found.sum, found.keys) {
        return Err(damage("it does not hold the rows that it says"));
    }
    each(vec![(HEAD.to_vec(), Some(head.encode_to_vec()))])?;
    Ok(head)
}

fn head_of(tail: &[u8]) -> Option<Head> {
    let (rest, magic) = tail.split_last_chunk::<8>()?;
    let (head, checksum) = rest.split_last_chunk::<4>()?;
    let good = *magic == MAGIC && crc32c::crc32c(head) == u32::from_le_bytes(*checksum);
    if good { Head::decode(head).ok() } else { None }
}

fn write_block(file: &mut File, path: &Path, raw: &[u8]) -> Result<(), Error> {
    let packed = zstd::bulk::compress(raw, COMPRESSION).map_err(failed("compress", path))?;
    let too_large = || Error::TooLarge { bytes: raw.len() };
    for length in [raw.len(), packed.len()] {
        let length = u32::try_from(length).ok().ok_or_else(too_large)?;
        write(file, path, &length.to_le_bytes())?;
    }
    write(file, path, &crc32c::crc32c(&packed).to_le_bytes())?;
    write(file, path, &packed)
}

fn read_block(file: &mut impl Read) -> Result<Vec<u8>, Trouble> {
    let raw_length = usize::try_from(u32::from_le_bytes(read(file)?)).unwrap_or(usize::MAX);
    let length = usize::try_from(u32::from_le_bytes(read(file)?)).unwrap_or(usize::MAX);
    let checksum = u32::from_le_bytes(read(file)?);
    if raw_length.max(length) > BLOCK_MAX {
        return Err(damage("a block is larger than any can be"));
    }
    let mut packed = vec![0; length];
    file.read_exact(&mut packed).map_err(|error| damage(error.to_string()))?;
    if crc32c::crc32c(&packed) != checksum {
        return Err(damage("a block has a wrong checksum"));
    }
    zstd::bulk::decompress(&packed, raw_length).map_err(|error| damage(error.to_string()))
}

fn pair<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let key_length = u16::from_le_bytes(taken(rest)?);
    let value_length = u16::from_le_bytes(taken(rest)?);
    let (key, behind) = rest.split_at_checked(key_length.into())?;
    let (value, behind) = behind.split_at_checked(value_length.into())?;
    *rest = behind;
    Some((key, value))
}

fn read<const N: usize>(file: &mut impl Read) -> Result<[u8; N], Trouble> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes).map_err(|error| damage(error.to_string()))?;
    Ok(bytes)
}

fn damage(why: impl Into<String>) -> Trouble {
    Trouble::Damage(why.into())
}
