//! The bytes of a message: from a file or from standard input, bounded.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::mail::dsn::MOST_READ;
use crate::mail::headers::block::Block;

/// The most bytes that are read to verify a message, whose body must be hashed whole.
pub(crate) const MOST_VERIFIED: usize = 64 * 1024 * 1024;

/// A message as far as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    /// Its start.
    pub(crate) bytes: Vec<u8>,
    /// Whether that is all of it.
    pub(crate) is_whole: bool,
}

/// Why a message cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// The operating system says why.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A folder.
    #[error("is a folder: name a file in it, or - for standard input")]
    Folder,
    /// A pipe, a socket, a device: whoever is to write into it may never come.
    #[error("is no regular file: name one, or - for standard input")]
    NoFile,
    /// Nothing.
    #[error("is empty")]
    Empty,
    /// Without a single header field in front.
    #[error("is no message: it begins with no header field")]
    NoMessage,
}

impl Read {
    /// Reads `file`, `-` being standard input; all of it (64 MiB at most) where it is to be verified,
    /// else as much as a message tells of itself.
    ///
    /// # Errors
    /// When it cannot be read, or is no message.
    pub(crate) fn of(file: &Path, is_to_be_verified: bool) -> Result<Self, Unreadable> {
        let most = if is_to_be_verified { MOST_VERIFIED } else { MOST_READ };
        if file.as_os_str() == "-" {
            return Self::from(io::stdin().lock(), most);
        }
        let kind = std::fs::metadata(file)?.file_type();
        if kind.is_dir() {
            return Err(Unreadable::Folder);
        }
        if !kind.is_file() {
            return Err(Unreadable::NoFile);
        }
        Self::from(File::open(file)?, most)
    }

    /// Reads at most so much.
    pub(crate) fn from(source: impl io::Read, most: usize) -> Result<Self, Unreadable> {
        let one_more = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
        let mut bytes = Vec::new();
        source.take(one_more).read_to_end(&mut bytes)?;
        let is_whole = bytes.len() <= most;
        bytes.truncate(most);
        if bytes.is_empty() {
            return Err(Unreadable::Empty);
        }
        if Block::of(&bytes).fields.is_empty() {
            return Err(Unreadable::NoMessage);
        }
        Ok(Self { bytes, is_whole })
    }

    /// With CRLF, which signatures are made over; a file may have been stored with LF alone, and with
    /// an mbox line before.
    pub(crate) fn with_line_ends(&self) -> Vec<u8> {
        let mut bytes = self.bytes.as_slice();
        if bytes.starts_with(b"From ") {
            let end = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            bytes = bytes.get(end..).unwrap_or_default();
        }
        let first_end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
        let has_crlf = first_end > 0 && bytes.get(first_end - 1) == Some(&b'\r');
        if has_crlf {
            return bytes.to_vec();
        }
        let mut with = Vec::with_capacity(bytes.len() + bytes.len() / 32);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(text) => {
                    with.extend_from_slice(text.strip_suffix(b"\r").unwrap_or(text));
                    with.extend_from_slice(b"\r\n");
                }
                None => with.extend_from_slice(line),
            }
        }
        with
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_and_what_is_no_message() {
        let read = |text: &str, most| Read::from(text.as_bytes(), most);
        let part = read("A: b\r\n\r\nlong", 8).unwrap();
        assert_eq!((part.bytes.as_slice(), part.is_whole), (&b"A: b\r\n\r\n"[..], false));
        assert!(read("A: b\r\n", 6).unwrap().is_whole);
        assert!(matches!(read("", 8), Err(Unreadable::Empty)));
        assert!(matches!(read("hello\n\nA: b", 20), Err(Unreadable::NoMessage)));
    }

    #[test]
    fn only_a_regular_file_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        // Opened, it would wait for somebody who writes.
        assert!(matches!(Read::of(&pipe, false), Err(Unreadable::NoFile)));
        assert!(matches!(Read::of(Path::new("/dev/zero"), false), Err(Unreadable::NoFile)));
        assert!(matches!(Read::of(folder.path(), false), Err(Unreadable::Folder)));
        assert!(matches!(Read::of(&folder.path().join("none"), true), Err(Unreadable::Io(_))));
    }

    #[test]
    fn line_ends_are_those_of_the_wire() {
        for (text, expected) in [
            ("A: b\n\nc\n", "A: b\r\n\r\nc\r\n"),
            ("From x Mon\nA: b\n\nc", "A: b\r\n\r\nc"),
            ("A: b\r\n\r\nc\nd\r\n", "A: b\r\n\r\nc\nd\r\n"),
        ] {
            let read = Read::from(text.as_bytes(), 100).unwrap();
            assert_eq!(String::from_utf8(read.with_line_ends()).unwrap(), expected);
        }
    }
}
