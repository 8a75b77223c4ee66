//! A sheet: what a pane of the live screen lists, as rows of words, and how wide each column becomes. Pure.
//!
//! Invariant: what a sheet shows fits its width; columns that matter least go first, and what is cut ends with `…`.

use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::palette::Palette;
use crate::cli::terminal::Tone;
use crate::text::one_line;

/// Blanks between columns.
const GAP: usize = 2;
/// What the selected row begins with, and every other.
const SELECTED: &str = "> ";
const BESIDE: &str = "  ";

/// What a row stands for, however rows are sorted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// A service's name.
    Service(String),
    /// A vantage point's name.
    Vantage(String),
    /// An incident's number.
    Incident(u64),
    /// A site of the service that is looked at.
    Site(String),
    /// A check at a vantage point.
    Series(Series),
    /// The epoch and sequence of an observation.
    Run(String, u64),
}

/// One check at one vantage point.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Series {
    pub(super) vantage_point: String,
    pub(super) check: String,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) head: &'static str,
    /// The higher, the sooner it is left out; 0 stays.
    pub(super) rank: u8,
    /// Columns that it keeps when there is little room; it never grows beyond what stands in it.
    pub(super) least: usize,
    pub(super) is_figure: bool,
}

impl Column {
    /// Words.
    pub(super) const fn words(head: &'static str, rank: u8, least: usize) -> Self {
        Self { head, rank, least, is_figure: false }
    }

    /// Figures, to the right.
    pub(super) const fn figure(head: &'static str, rank: u8) -> Self {
        Self { head, rank, least: 0, is_figure: true }
    }
}

/// What stands in a row's column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) tone: Tone,
    pub(super) text: String,
}

/// Words in a tone, made harmless.
pub(super) fn toned(tone: Tone, text: &str) -> Words {
    Words { tone, text: one_line(text) }
}

/// Plain words, made harmless.
pub(super) fn plain(text: &str) -> Words {
    toned(Tone::Plain, text)
}

/// A row.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) key: Key,
    pub(super) words: Vec<Words>,
}

/// All of it.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    pub(super) title: String,
    /// What is said where there are no rows.
    pub(super) nothing: &'static str,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Row>,
    /// Rows that a filter leaves out.
    pub(super) left_out: usize,
}

impl Sheet {
    /// Keeps the rows in which the text stands, whatever its case.
    pub(super) fn filtered(mut self, text: &str) -> Self {
        let (text, all) = (text.to_lowercase(), self.rows.len());
        self.rows.retain(|row| {
            text.is_empty() || row.words.iter().any(|it| it.text.to_lowercase().contains(&text))
        });
        self.left_out = all.saturating_sub(self.rows.len());
        if self.rows.is_empty() && self.left_out > 0 {
            self.nothing = "nothing here is like that: Esc shows all";
        }
        self
    }

    /// Where the row of this key stands.
    pub(super) fn place(&self, key: Option<&Key>) -> Option<usize> {
        self.rows.iter().position(|row| Some(&row.key) == key)
    }

    /// The heads and `height` rows, so that the row at `selected` is seen; it is turned around.
    pub(super) fn lines(
        &self,
        (width, height): (usize, usize),
        selected: Option<usize>,
        palette: Palette,
    ) -> Vec<Line<'static>> {
        if self.rows.is_empty() {
            return vec![Line::from(Span::styled(fit(self.nothing, width), palette.faint()))];
        }
        let shown = self.widths(width.saturating_sub(SELECTED.len()));
        let head = |column: &Column| toned(Tone::Plain, column.head);
        let heads: Vec<Words> = self.columns.iter().map(head).collect();
        let begin = |line: Line<'static>, mark: &'static str| {
            let mut line = line;
            line.spans.insert(0, Span::raw(mark));
            line
        };
        let heads = self.line(&heads, &shown, palette).style(palette.faint());
        let mut lines = vec![begin(heads, BESIDE)];
        let first = first_shown(selected, self.rows.len(), height);
        for (at, row) in self.rows.iter().enumerate().skip(first).take(height) {
            let line = self.line(&row.words, &shown, palette);
            lines.push(match Some(at) == selected {
                true => turned(begin(line, SELECTED), width),
                false => begin(line, BESIDE),
            });
        }
        lines
    }

    /// The width of each column; 0 where it is left out.
    fn widths(&self, width: usize) -> Vec<usize> {
        let wanted = |at: usize, column: &Column| {
            let cells = self.rows.iter().filter_map(|row| row.words.get(at));
            let widest = cells.map(|it| it.text.width()).max().unwrap_or_default();
            if widest == 0 { 0 } else { widest.max(column.head.width()) }
        };
        let mut widths: Vec<usize> =
            self.columns.iter().enumerate().map(|(at, column)| wanted(at, column)).collect();
        loop {
            let over = total(&widths).saturating_sub(width);
            if over == 0 {
                return widths;
            }
            if self.squeeze(&mut widths, over) {
                return widths;
            }
            // nothing gives way any more: what matters least goes
            let seen = self.columns.iter().zip(&mut widths).filter(|(_, width)| **width > 0);
            match seen.filter(|(column, _)| column.rank > 0).max_by_key(|(column, _)| column.rank) {
                Some((_, width)) => *width = 0,
                None => return clipped(widths, width),
            }
        }
    }

    /// Takes `over` from columns that can give way, the last first; whether that is enough.
    fn squeeze(&self, widths: &mut [usize], over: usize) -> bool {
        let can_give = |column: &Column, width: usize| match column.least {
            0 => 0,
            least => width.saturating_sub(least),
        };
        let all = self.columns.iter().zip(widths.iter());
        if all.map(|(column, width)| can_give(column, *width)).sum::<usize>() < over {
            return false;
        }
        let mut over = over;
        for (column, width) in self.columns.iter().zip(widths).rev() {
            let gives = can_give(column, *width).min(over);
            *width -= gives;
            over -= gives;
        }
        true
    }

    fn line(&self, words: &[Words], widths: &[usize], palette: Palette) -> Line<'static> {
        let mut spans: Vec<Span<'static>> = Vec::new();
        for ((column, words), width) in self.columns.iter().zip(words).zip(widths) {
            if *width == 0 {
                continue;
            }
            if !spans.is_empty() {
                spans.push(Span::raw(" ".repeat(GAP)));
            }
            let text = fit(&words.text, *width);
            let blanks = " ".repeat(width.saturating_sub(text.width()));
            let text = if column.is_figure {
                format!("{blanks}{text}")
            } else {
                format!("{text}{blanks}")
            };
            spans.push(Span::styled(text, palette.style(words.tone)));
        }
        Line::from(spans)
    }
}

/// The first row that is shown of so many, so that the selected one is among `height`.
fn first_shown(selected: Option<usize>, rows: usize, height: usize) -> usize {
    let most = rows.saturating_sub(height);
    selected.map_or(0, |at| at.saturating_sub(height.saturating_sub(1)).min(most))
}

fn total(widths: &[usize]) -> usize {
    let seen = widths.iter().filter(|width| **width > 0).count();
    widths.iter().sum::<usize>() + GAP * seen.saturating_sub(1)
}

/// Less than even the columns that stay: the last give way.
fn clipped(mut widths: Vec<usize>, width: usize) -> Vec<usize> {
    while total(&widths) > width {
        match widths.iter_mut().rev().find(|width| **width > 0) {
            Some(last) => *last -= 1,
            None => break,
        }
    }
    widths
}

fn turned(line: Line<'static>, width: usize) -> Line<'static> {
    let blanks = " ".repeat(width.saturating_sub(line.width()));
    let mut spans = line.spans;
    spans.push(Span::raw(blanks));
    let turn = |span: Span<'static>| {
        let style = span.style.add_modifier(Modifier::REVERSED);
        span.style(style)
    };
    Line::from(spans.into_iter().map(turn).collect::<Vec<_>>())
}

/// The text within so many columns; where it is cut it ends with `…`.
pub(super) fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let Some(room) = width.checked_sub(1) else { return String::new() };
    let (mut taken, mut fitting) = (0, String::new());
    for c in text.chars() {
        taken += c.width().unwrap_or_default();
        if taken > room {
            break;
        }
        fitting.push(c);
    }
    fitting.push('…');
    fitting
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet() -> Sheet {
        let row = |number: u64, words: [&str; 4]| Row {
            key: Key::Incident(number),
            words: words.iter().map(|text| plain(text)).collect(),
        };
        Sheet {
            title: String::new(),
            nothing: "nothing",
            columns: vec![
                Column::words("state", 0, 0),
                Column::words("name", 0, 4),
                Column::figure("took", 2),
                Column::words("owner", 1, 5),
            ],
            rows: vec![
                row(1, ["up", "Mail in Durban", "1.24 s", "the operators"]),
                row(2, ["down", "郵便サービス", "24 ms", "ann"]),
            ],
            left_out: 0,
        }
    }

    #[track_caller]
    fn check(width: usize, expected: &[&str]) {
        let lines = sheet().lines((width + 2, 9), Some(1), Palette::without_colours());
        let lines: Vec<String> = lines.iter().map(Line::to_string).collect();
        assert!(lines.iter().all(|line| line.width() <= width + 2), "{lines:?}");
        assert!(lines.iter().position(|line| line.starts_with("> ")) == Some(2), "{lines:?}");
        let lines: Vec<&str> = lines.iter().map(|line| line.get(2..).unwrap().trim_end()).collect();
        assert_eq!(lines, expected, "{width}");
    }

    #[test]
    fn columns_give_way_and_go() {
        check(
            60,
            &[
                "state  name              took  owner",
                "up     Mail in Durban  1.24 s  the operators",
                "down   郵便サービス     24 ms  ann",
            ],
        );
        check(
            38,
            &[
                "state  name              took  owner",
                "up     Mail in Durban  1.24 s  the op…",
                "down   郵便サービス     24 ms  ann",
            ],
        );
        check(
            30,
            &[
                "state  name        took  owner",
                "up     Mail in…  1.24 s  the …",
                "down   郵便サ…    24 ms  ann",
            ],
        );
        check(
            24,
            &["state  name        owner", "up     Mail in D…  the …", "down   郵便サー…   ann"],
        );
        check(12, &["state  name", "up     Mail…", "down   郵便…"]);
        check(3, &["st…", "up", "do…"]);
    }

    #[test]
    fn what_is_selected_is_seen() {
        for (selected, rows, height, expected) in [
            (None, 9, 3, 0),
            (Some(0), 9, 3, 0),
            (Some(2), 9, 3, 0),
            (Some(3), 9, 3, 1),
            (Some(8), 9, 3, 6),
            (Some(8), 9, 0, 8),
            (Some(1), 2, 9, 0),
        ] {
            assert_eq!(first_shown(selected, rows, height), expected, "{selected:?} {height}");
        }
    }

    #[test]
    fn wide_characters_are_cut_whole() {
        for (text, width, expected) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("郵便", 3, "郵…"),
            ("郵便", 2, "…"),
            ("a", 0, ""),
        ] {
            assert_eq!(fit(text, width), expected);
        }
    }
}
