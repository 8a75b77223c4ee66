//! What is written for people, and where: standard output or error, with or without colours.
//!
//! What a server said may hold anything: whatever goes to a terminal goes through [`printable`] first.

use std::io::{IsTerminal, Write};

/// The width of bars and lines where there is no terminal to ask.
const DEFAULT_WIDTH: usize = 80;

/// How standard output is to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    /// In columns.
    pub width: usize,
    /// Whether colours are wanted.
    pub colours: bool,
}

/// What colour says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// All is well.
    Good,
    /// It is not.
    Bad,
    /// Nobody knows.
    Doubtful,
    /// Less important.
    Faint,
    /// A heading.
    Strong,
}

impl Terminal {
    /// That of this process.
    pub(crate) fn standard() -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let width = if is_terminal { comfy_table::Table::new().width() } else { None };
        Self {
            width: width.map_or(DEFAULT_WIDTH, usize::from).clamp(60, 160),
            colours: is_terminal && !no_color(),
        }
    }

    /// Where lines are to be broken: not in a pipe, where they are searched.
    pub(crate) fn breaks(&self) -> Option<usize> {
        std::io::stdout().is_terminal().then_some(self.width)
    }

    /// The text in a tone; as it is where no colours are wanted.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        if !self.colours {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => "1;32",
            Tone::Bad => "1;31",
            Tone::Doubtful => "1;33",
            Tone::Faint => "2",
            Tone::Strong => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// Writes to standard output. A reader that has gone (`| head`) is no error.
///
/// # Errors
/// When it cannot be written for another reason, such as a full disk.
pub(crate) fn say(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error).context("cannot write to standard output"))
        }
        _ => Ok(()),
    }
}

/// Writes a line to standard error; when that cannot be, there is nobody left to tell.
pub(crate) fn complain(text: &str) {
    writeln!(std::io::stderr().lock(), "{text}").ok();
}

/// Whether the user asked for no colours anywhere (no-color.org).
#[allow(clippy::disallowed_methods, reason = "NO_COLOR is configuration of every program at once")]
pub(crate) fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// The text without what could steer a terminal: control characters and marks of text direction become
/// `·`; line ends stay.
pub(crate) fn printable(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let steers = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if steers(c) { '·' } else { c }).collect()
}

/// As [`printable`], on one line.
pub(crate) fn on_one_line(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    printable(&words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_server_steers_the_terminal() {
        for (text, shown) in [
            ("plain ä", "plain ä"),
            ("\x1b[2Jgone", "·[2Jgone"),
            ("a\r\nb\tc\r", "a\nb\tc·"),
            ("\u{9b}31m", "·31m"),
            ("\u{202e}drow", "·drow"),
        ] {
            assert_eq!(printable(text), shown);
        }
        assert_eq!(on_one_line(" a\r\n b\x07 "), "a b·");
    }
}
