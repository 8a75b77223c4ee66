//! What is written for people, and where: standard output or error, with or without colours.
//!
//! What a server said may hold anything: whatever goes to a terminal goes through [`printable`] first.

use std::io::{IsTerminal, Write};

use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Row, Table, presets};
use jiff::tz::TimeZone;

/// The width of texts where there is no terminal to ask.
const DEFAULT_WIDTH: u16 = 120;
/// Less holds no table: it is broken by the terminal.
const LEAST_WIDTH: u16 = 40;
/// Longer lines are hard to follow.
const MOST_WIDTH: u16 = 240;

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
            width: width.unwrap_or(DEFAULT_WIDTH).clamp(LEAST_WIDTH, MOST_WIDTH),
            colours: wants_colours(is_terminal),
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

    /// On a terminal cells are broken so that rows fit; whoever reads a pipe wants a line a row.
    const fn arrangement(&self) -> ContentArrangement {
        match self.is_terminal {
            true => ContentArrangement::Dynamic,
            false => ContentArrangement::Disabled,
        }
    }

    /// A table of this width with these heads.
    pub(crate) fn table<'h>(&self, heads: impl IntoIterator<Item = &'h str>) -> Table {
        let mut table = Table::new();
        table
            .load_preset(presets::NOTHING)
            .set_content_arrangement(self.arrangement())
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

/// Whether colours are wanted on what is a terminal or not: `NO_COLOR` (no-color.org) refuses them everywhere,
/// `CLICOLOR_FORCE` (bixense.com/clicolors) wants them everywhere, and a dumb terminal has none.
pub(crate) fn wants_colours(is_terminal: bool) -> bool {
    let said = |name| variable(name).is_some_and(|value| !value.is_empty() && value != "0");
    let is_refused = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    !is_refused && (said("CLICOLOR_FORCE") || is_terminal && !is_dumb())
}

/// Whether the terminal says of itself that it can do nothing but print.
pub(crate) fn is_dumb() -> bool {
    variable("TERM").is_some_and(|value| value == "dumb")
}

#[allow(clippy::disallowed_methods, reason = "what is configuration of every program at once")]
fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}

/// The text on one line, without what could steer a terminal.
pub(crate) fn printable(text: &str) -> String {
    crate::text::one_line(text)
}

/// A terminal of this width without colours.
#[cfg(test)]
pub(crate) fn plain(width: u16) -> Terminal {
    Terminal { is_terminal: true, width, colours: false, zone: TimeZone::UTC }
}

/// An error and its causes; one that says its own cause already does not say it twice.
pub(crate) fn whole(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let path = std::path::Path::new("/a");
        let cannot = || crate::folder::FolderError::io("read", path)(std::io::Error::other("full"));
        let error = anyhow::Error::new(cannot()).context("no start");
        assert_eq!(whole(&error), "no start: cannot read /a: full");
        assert_eq!(whole(&cannot().into()), "cannot read /a: full");
        assert_eq!(whole(&anyhow::anyhow!("why").context("what")), "what: why");
    }

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

    #[test]
    fn tables_fit_a_terminal_and_are_whole_in_a_pipe() {
        let long = "word ".repeat(60);
        let shown = |terminal: &Terminal| {
            let mut table = terminal.table(["state", "what", "from where"]);
            table.add_row([words("down"), words(&long), words("x".repeat(90))]);
            lines(&table)
        };
        for width in [40, 80, 100, 200] {
            let text = shown(&plain(width));
            let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= usize::from(width), "{width}\n{text}");
            assert_eq!(text.matches("word").count(), 60, "{text}");
            assert_eq!(text.matches('x').count(), 90, "{text}");
        }
        let piped = shown(&Terminal { is_terminal: false, ..plain(80) });
        assert_eq!(piped.lines().count(), 2, "{piped}");
    }
}
