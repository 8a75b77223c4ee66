//! The log as systemd's journal reads it: each line begins with its priority (sd-daemon(3)), so that
//! `journalctl -p warning` finds what it should. Fields stay in the line, where people read them.

use std::io::{self, Write};
use std::os::fd::AsFd;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Whether this process's standard error is read by systemd's journal (`JOURNAL_STREAM`, systemd.exec(5)): not where it was
/// sent elsewhere since.
pub fn is_journald() -> bool {
    #[allow(clippy::disallowed_methods, reason = "systemd's own variable, and no setting of ours")]
    let stream = std::env::var("JOURNAL_STREAM");
    let here = rustix::fs::fstat(io::stderr().as_fd());
    match (stream, here) {
        (Ok(stream), Ok(here)) => stream == format!("{}:{}", here.st_dev, here.st_ino),
        _ => false,
    }
}

/// Standard error, each line after its priority.
#[derive(Clone, Copy, Debug, Default)]
pub struct Prefixed;

impl<'a> MakeWriter<'a> for Prefixed {
    type Writer = Lines<io::Stderr>;

    fn make_writer(&'a self) -> Self::Writer {
        Lines { priority: priority(Level::INFO), out: io::stderr() }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Self::Writer {
        Lines { priority: priority(*event.level()), out: io::stderr() }
    }
}

/// What one event is written to.
#[derive(Debug)]
pub struct Lines<W> {
    priority: u8,
    out: W,
}

impl<W: Write> Write for Lines<W> {
    /// An event comes in one piece; it goes on in one, so that two threads' lines do not mix.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let mut lines = Vec::with_capacity(event.len() + 8);
        for line in event.split_inclusive(|byte| *byte == b'\n') {
            write!(lines, "<{}>", self.priority)?;
            lines.extend_from_slice(line);
        }
        self.out.write_all(&lines)?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// As syslog(3) counts.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_its_priority() {
        for (level, event, expected) in [
            (Level::ERROR, "a b\n", "<3>a b\n"),
            (Level::WARN, "a\n  b\n", "<4>a\n<4>  b\n"),
            (Level::INFO, "a", "<6>a"),
            (Level::DEBUG, "", ""),
        ] {
            let mut lines = Lines { priority: priority(level), out: Vec::new() };
            assert_eq!(lines.write(event.as_bytes()).unwrap(), event.len());
            assert_eq!(String::from_utf8(lines.out).unwrap(), expected);
        }
    }

    #[test]
    fn a_test_is_no_service() {
        assert!(!is_journald());
    }
}
