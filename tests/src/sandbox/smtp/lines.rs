//! Lines in, replies out, and the bytes of DATA: everything bounded.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::sandbox::listen::Wire;

/// RFC 5321 asks for 512, AUTH (RFC 4954 section 4) for 12,288.
const LONGEST_LINE: u64 = 12_288;
/// How much of an overlong line is skipped before the connection is given up.
const MOST_SKIPPED: usize = 1 << 20;
/// DATA is read in pieces of at most this much; a longer text line is taken in several.
const PIECE: u64 = 8_192;
/// A client that does not read its replies for so long is gone.
const SEND_TIMEOUT: Duration = Duration::from_mins(1);

/// What came from the client.
pub(super) enum Line {
    /// One line without its end; bytes that are not UTF-8 are replaced.
    Text(String),
    /// A line over the limit, skipped.
    TooLong,
    /// The client closed the connection.
    End,
}

/// What DATA brought.
pub(super) enum Content {
    /// The message, dots unstuffed, with its last CRLF.
    Message(Vec<u8>),
    /// More than the limit; skipped to its end.
    TooBig,
    /// The connection ended in the middle.
    End,
}

/// A connection read by lines.
pub(super) struct Lines {
    reader: BufReader<Wire>,
}

impl Lines {
    pub(super) fn new(wire: Wire) -> Self {
        Self { reader: BufReader::new(wire) }
    }

    /// Takes the connection out, for a handshake; what was read ahead is dropped.
    pub(super) fn take_wire(&mut self) -> Wire {
        let nothing: Wire = Box::new(tokio::io::empty());
        std::mem::replace(&mut self.reader, BufReader::new(nothing)).into_inner()
    }

    pub(super) async fn next(&mut self) -> io::Result<Line> {
        let mut line = Vec::new();
        let read = (&mut self.reader).take(LONGEST_LINE).read_until(b'\n', &mut line).await?;
        if line.pop_if(|last| *last == b'\n').is_some() {
            line.pop_if(|last| *last == b'\r');
            return Ok(Line::Text(String::from_utf8_lossy(&line).into_owned()));
        }
        if u64::try_from(read).unwrap_or(u64::MAX) < LONGEST_LINE {
            return Ok(Line::End);
        }
        self.skip_line().await
    }

    /// Reads a message up to the line with a single dot (RFC 5321 section 4.5.2).
    pub(super) async fn content(&mut self, limit: usize) -> io::Result<Content> {
        let mut content = Vec::new();
        let mut skipped = 0;
        // Only after CRLF does a dot count: a bare LF must not smuggle in an end of message.
        let mut last_two = *b"\r\n";
        loop {
            let mut piece = Vec::new();
            let read = (&mut self.reader).take(PIECE).read_until(b'\n', &mut piece).await?;
            if read == 0 {
                return Ok(Content::End);
            }
            let at_line_start = last_two == *b"\r\n";
            if at_line_start && piece == b".\r\n" {
                break;
            }
            for byte in &piece {
                last_two = [last_two[1], *byte];
            }
            let unstuffed = match piece.strip_prefix(b".") {
                Some(rest) if at_line_start => rest,
                _ => &piece,
            };
            if skipped > 0 || content.len() + unstuffed.len() > limit {
                skipped += read;
                if skipped > limit.saturating_mul(2).max(MOST_SKIPPED) {
                    return Ok(Content::End);
                }
            } else {
                content.extend_from_slice(unstuffed);
            }
        }
        Ok(if skipped > 0 { Content::TooBig } else { Content::Message(content) })
    }

    pub(super) async fn send(&mut self, text: &str) -> io::Result<()> {
        let wire = self.reader.get_mut();
        let sent = async {
            wire.write_all(text.as_bytes()).await?;
            wire.flush().await
        };
        tokio::time::timeout(SEND_TIMEOUT, sent).await?
    }

    pub(super) async fn close(&mut self) -> io::Result<()> {
        self.reader.get_mut().shutdown().await
    }

    async fn skip_line(&mut self) -> io::Result<Line> {
        let mut skipped = 0;
        while skipped < MOST_SKIPPED {
            let mut piece = Vec::new();
            let read = (&mut self.reader).take(PIECE).read_until(b'\n', &mut piece).await?;
            skipped += read;
            match piece.last() {
                Some(b'\n') => return Ok(Line::TooLong),
                Some(_) => {}
                None => break,
            }
        }
        Ok(Line::End)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(sent: &'static [u8], limit: usize) -> Content {
        let (client, server) = tokio::io::duplex(1 << 16);
        let mut client = client;
        client.write_all(sent).await.unwrap();
        drop(client);
        Lines::new(Box::new(server)).content(limit).await.unwrap()
    }

    async fn check(sent: &'static [u8], message: &[u8]) {
        match read(sent, 1_000).await {
            Content::Message(read) => assert_eq!(read, message, "{sent:?}"),
            _ => panic!("no message in {sent:?}"),
        }
    }

    #[tokio::test]
    async fn dots_are_unstuffed_and_end_a_message_after_crlf_only() {
        check(b"a\r\n.\r\n", b"a\r\n").await;
        check(b"..\r\n...b\r\n.\r\n", b".\r\n..b\r\n").await;
        check(b".\r\n", b"").await;
        check(b"a\n.\r\nb\r\n.\r\n", b"a\n.\r\nb\r\n").await;
        check(b"a\n.\nb\r\n.\r\n", b"a\n.\nb\r\n").await;
    }

    #[tokio::test]
    async fn a_big_message_is_skipped_to_its_end() {
        assert!(matches!(read(b"12345678\r\n.\r\n", 10).await, Content::Message(_)));
        assert!(matches!(read(b"123456789\r\n.\r\n", 10).await, Content::TooBig));
        assert!(matches!(read(b"123456789\r\n", 10).await, Content::End));
    }
}
