//! The header block of a message (RFC 5322 section 2.2), bounded and forgiving: whatever is no field is
//! passed over.

use std::borrow::Cow;

/// The most bytes of a header block that are read.
pub const LONGEST_BLOCK: usize = 256 * 1024;
/// The most fields that are kept.
pub const MOST_FIELDS: usize = 1_000;
/// The most bytes of one value that are kept.
const LONGEST_VALUE: usize = 16 * 1024;

/// One field as it stands in the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its name, as it was written.
    pub name: &'a str,
    /// What follows the colon, with its line ends.
    pub raw: &'a [u8],
}

/// The header block of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block<'a> {
    /// Its fields from the top: the newest first.
    pub fields: Vec<Field<'a>>,
    /// Where the body begins, when the end of the block was seen.
    pub body_at: Option<usize>,
    /// Whether more was there than is read.
    pub is_cut: bool,
}

impl<'a> Block<'a> {
    /// Reads the block that a message begins with. Lines may end with LF alone; a first line of the mbox
    /// form (`From `) is passed over.
    pub fn of(message: &'a [u8]) -> Self {
        let mut block = Self::default();
        let end = message.len().min(LONGEST_BLOCK);
        let mut lines = Lines { bytes: message.get(..end).unwrap_or_default(), at: 0 };
        while let Some((from, line)) = lines.next_folded() {
            if line.is_empty() || line == b"\n" || line == b"\r\n" {
                block.body_at = Some(from + line.len());
                return block;
            }
            let Some(field) = field(line) else { continue };
            if block.fields.len() == MOST_FIELDS {
                block.is_cut = true;
                return block;
            }
            block.fields.push(field);
        }
        block.is_cut = message.len() > end;
        block
    }

    /// The values of all fields of this name, from the top.
    pub fn all(&self, name: &str) -> impl Iterator<Item = String> {
        self.fields.iter().filter(move |field| field.is(name)).map(Field::text)
    }

    /// The value of the topmost field of this name.
    pub fn first(&self, name: &str) -> Option<String> {
        self.all(name).next()
    }
}

impl Field<'_> {
    /// Whether it has this name; case makes no difference.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Its value unfolded (RFC 5322 section 2.2.3), without what is no text.
    pub fn text(&self) -> String {
        let raw = self.raw.get(..self.raw.len().min(LONGEST_VALUE)).unwrap_or_default();
        unfolded(&String::from_utf8_lossy(raw))
    }
}

fn unfolded(text: &str) -> String {
    let unfolded: Cow<'_, str> = if text.contains(['\r', '\n']) {
        text.replace(['\r', '\n'], "").into()
    } else {
        text.into()
    };
    unfolded.trim().to_owned()
}

/// `Name: value`. White space before the colon is obsolete and still seen (RFC 5322 section 4.5).
fn field(line: &[u8]) -> Option<Field<'_>> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = std::str::from_utf8(line.get(..colon)?).ok()?.trim_end();
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
    is_name.then_some(Field { name, raw: line.get(colon + 1..)? })
}

struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Lines<'a> {
    /// The next line with those that continue it, and where it begins; `None` at the end of the bytes.
    fn next_folded(&mut self) -> Option<(usize, &'a [u8])> {
        let from = self.at;
        if from >= self.bytes.len() {
            return None;
        }
        self.next_line();
        let is_empty = matches!(self.bytes.get(from..self.at), Some(b"\n" | b"\r\n"));
        while !is_empty && matches!(self.bytes.get(self.at), Some(b' ' | b'\t')) {
            self.next_line();
        }
        Some((from, self.bytes.get(from..self.at).unwrap_or_default()))
    }

    fn next_line(&mut self) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
        self.at += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_whatever_the_line_ends() {
        for text in [
            "From x@y Mon Nov 24\nA: 1\r\nLong:\r\n  two\r\n\tlines \r\nno field\r\nA : 3\r\n\r\nB: 4",
            "A: 1\nLong: two\n\tlines\nA:3\n\nB: 4",
        ] {
            let block = Block::of(text.as_bytes());
            assert_eq!(block.all("a").collect::<Vec<_>>(), ["1", "3"]);
            let long = block.first("LONG").unwrap();
            assert_eq!(long.split_whitespace().collect::<Vec<_>>(), ["two", "lines"]);
            assert_eq!(block.first("B"), None);
            assert_eq!(text.get(block.body_at.unwrap()..), Some("B: 4"));
            assert!(!block.is_cut);
        }
    }

    #[test]
    fn what_is_too_much_is_left_out_and_said() {
        let many = "A: 1\r\n".repeat(MOST_FIELDS + 1);
        let block = Block::of(many.as_bytes());
        assert_eq!((block.fields.len(), block.is_cut, block.body_at), (MOST_FIELDS, true, None));
        let long = format!("A: {}\r\n\r\n", "x".repeat(LONGEST_BLOCK));
        let block = Block::of(long.as_bytes());
        assert!(block.is_cut);
        assert_eq!(block.first("A").unwrap().len(), LONGEST_VALUE - 1);
        assert!(!Block::of(b"A: 1\r\n").is_cut);
    }
}
