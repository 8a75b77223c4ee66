//! What is written for people, and where: standard output or error, with or without colours.
//!
//! What a server said may hold anything: whatever goes to a terminal goes through [`printable`] first.

use std::io::{IsTerminal, Write};

use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Row, Table, presets};
use jiff::tz::TimeZone;

/// The width of tables where there is no terminal to ask.
const DEFAULT_WIDTH: u16 = 120;

/// How standard output is to be written.
#[derive(Clone, Debug)]
pub(crate) struct Terminal {
    /// Whether it is one.
    pub(crate) is_terminal: bool,
    /// In columns.
    pub(crate) width: u16,
    /// Whether colours are wanted.
    pub(crate) colours: bool,
    /// Times are shown in this zone.
    pub(crate) zone: TimeZone,
}

impl Terminal {
    /// The same with times of another zone, where it is said and this machine knows it.
    pub(crate) fn of_zone(&self, name: Option<&str>) -> Self {
        let zone = name.and_then(|name| TimeZone::get(name).ok());
        Self { zone: zone.unwrap_or_else(|| self.zone.clone()), ..self.clone() }
    }
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
    /// Neither.
    Plain,
}

impl Terminal {
    /// That of this process.
    pub(crate) fn standard() -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let width = if is_terminal { Table::new().width() } else { None };
        Self {
            is_terminal,
            width: width.unwrap_or(DEFAULT_WIDTH).clamp(60, 240),
            colours: is_terminal && !no_color(),
            zone: TimeZone::system(),
        }
    }

    /// The text in a tone; as it is where no colours are wanted.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Good => "1;32",
            Tone::Bad => "1;31",
            Tone::Doubtful => "1;33",
            Tone::Plain => return text.to_owned(),
        };
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A table of this width with these heads.
    pub(crate) fn table<'h>(&self, heads: impl IntoIterator<Item = &'h str>) -> Table {
        let mut table = Table::new();
        table
            .load_preset(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(self.width);
        if self.colours {
            table.enforce_styling()
        } else {
            table.force_no_tty()
        };
        table.set_header(Row::from(heads.into_iter().map(Cell::new).collect::<Vec<_>>()));
        let last = table.column_count().saturating_sub(1);
        for (at, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, if at == last { 0 } else { 2 }));
        }
        table
    }
}

/// A table's lines without the blanks at their ends.
pub(crate) fn lines(table: &Table) -> String {
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A cell in a tone.
pub(crate) fn cell(tone: Tone, text: impl Into<String>) -> Cell {
    let cell = Cell::new(printable(&text.into()));
    match tone {
        Tone::Good => cell.fg(Color::Green),
        Tone::Bad => cell.fg(Color::Red),
        Tone::Doubtful => cell.fg(Color::Yellow),
        Tone::Plain => cell,
    }
}

/// A cell of words.
pub(crate) fn words(text: impl Into<String>) -> Cell {
    cell(Tone::Plain, text)
}

/// A cell of figures.
pub(crate) fn figure(text: impl Into<String>) -> Cell {
    words(text).set_alignment(CellAlignment::Right)
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

/// The text on one line, without what could steer a terminal: control characters and marks of text
/// direction become `·`.
pub(crate) fn printable(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.trim()
        .chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            c if steers(c) => '·',
            c => c,
        })
        .collect()
}

#[cfg(test)]
pub(crate) fn plain(width: u16) -> Terminal {
    Terminal { is_terminal: false, width, colours: false, zone: TimeZone::UTC }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_server_steers_the_terminal() {
        for (text, shown) in [
            ("plain ä", "plain ä"),
            ("\x1b[2Jgone", "·[2Jgone"),
            (" a\nb\tc\r", "a b c"),
            ("\u{9b}31m", "·31m"),
            ("\u{202e}drow", "·drow"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }
}
