//! The last commit, whole: written again at every start.

use std::fs;
use std::path::Path;

use super::Error;
use super::files::{Prepared, failed, prepare, write};
use super::row::taken;

const MAGIC: [u8; 8] = *b"MSREDO01";

/// One key's new value; `None` removes it.
pub(super) type Change = (Vec<u8>, Option<Vec<u8>>);

/// What stands in the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Redo {
    /// There is none.
    Missing,
    /// There is one that cannot be read.
    Damaged,
    /// Every change of the last commit.
    Changes(Vec<Change>),
}

/// Writes the changes of a commit beside the last one's.
pub(super) fn prepared(path: &Path, changes: &[Change]) -> Result<Prepared, Error> {
    let body = encoded(changes)?;
    prepare(path, |file| {
        write(file, path, &MAGIC)?;
        write(file, path, &crc32c::crc32c(&body).to_le_bytes())?;
        write(file, path, &body)
    })
}

/// Reads them.
pub(super) fn load(path: &Path) -> Result<Redo, Error> {
    match fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Redo::Missing),
        Err(error) => Err(failed("read", path)(error)),
        Ok(bytes) => Ok(decoded(&bytes).map_or(Redo::Damaged, Redo::Changes)),
    }
}

/// How many bytes the changes take.
pub(super) fn size(changes: &[Change]) -> u64 {
    let bytes =
        changes.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, Vec::len) + 8);
    bytes.fold(0, |sum, bytes| sum.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX)))
}

fn encoded(changes: &[Change]) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    for (key, value) in changes {
        let key_len = u16::try_from(key.len()).ok();
        let key_len = key_len.ok_or(Error::TooLarge { bytes: key.len() })?;
        body.extend(key_len.to_le_bytes());
        body.extend(key);
        let Some(value) = value else {
            body.extend(u16::MAX.to_le_bytes());
            continue;
        };
        let value_len = u16::try_from(value.len()).ok().filter(|len| *len < u16::MAX);
        body.extend(value_len.ok_or(Error::TooLarge { bytes: value.len() })?.to_le_bytes());
        body.extend(value);
    }
    Ok(body)
}

fn decoded(bytes: &[u8]) -> Option<Vec<Change>> {
    let mut rest = bytes;
    let (magic, sum) = (taken::<8>(&mut rest)?, u32::from_le_bytes(taken(&mut rest)?));
    if magic != MAGIC || sum != crc32c::crc32c(rest) {
        return None;
    }
    let mut changes = Vec::new();
    while !rest.is_empty() {
        let key = part(&mut rest)??;
        changes.push((key, part(&mut rest)?));
    }
    Some(changes)
}

fn part(rest: &mut &[u8]) -> Option<Option<Vec<u8>>> {
    let len = u16::from_le_bytes(taken(rest)?);
    if len == u16::MAX {
        return Some(None);
    }
    let (part, behind) = rest.split_at_checked(usize::from(len))?;
    *rest = behind;
    Some(Some(part.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::super::steps::Steps;
    use super::*;

    #[test]
    fn saved_and_loaded_or_seen_to_be_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("redo");
        assert_eq!(load(&path).unwrap(), Redo::Missing);
        let changes = vec![(b"a".to_vec(), Some(vec![1; 5_000])), (b"b".to_vec(), None)];
        prepared(&path, &changes).unwrap().put(&Steps::default()).unwrap();
        assert_eq!(load(&path).unwrap(), Redo::Changes(changes));
        let whole = fs::read(&path).unwrap();
        for at in [0, 9, 20, whole.len() - 1] {
            let mut flipped = whole.clone();
            flipped[at] ^= 4;
            fs::write(&path, flipped).unwrap();
            assert_eq!(load(&path).unwrap(), Redo::Damaged, "byte {at}");
        }
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert_eq!(load(&path).unwrap(), Redo::Damaged);
    }
}
