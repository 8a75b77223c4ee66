//! What a report is made of: blocks of plain text, without any markup.
//!
//! Whoever renders a block makes its texts harmless for where they go; nobody else does.

use crate::chart::{Chart, Intervals, Kept};

/// All of it.
pub(super) struct Document {
    /// What it is called.
    pub(super) title: String,
    /// For whom and of which time, in a line.
    pub(super) subtitle: String,
    /// In order; the first page is the summary.
    pub(super) blocks: Vec<Block>,
}

/// A piece of it.
pub(super) enum Block {
    /// A heading: 1 for a part, 2 within it.
    Heading(u8, String),
    /// A paragraph.
    Text(String),
    /// One that is to be seen first.
    Verdict(Tone, String),
    /// One in small print.
    Note(String),
    /// Figures at a glance.
    Tiles(Vec<Tile>),
    /// Rows of cells.
    Table(Table),
    /// A chart, and what it shows in words for whoever sees none.
    Picture(Picture, String),
    /// What follows begins on a page of its own, where there are pages.
    NewPage,
}

/// Whether something is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Bad,
    Doubtful,
}

/// One figure at a glance.
pub(super) struct Tile {
    pub(super) label: String,
    pub(super) value: String,
    /// What is to be known beside it.
    pub(super) beside: String,
    pub(super) tone: Tone,
}

/// Rows of cells, as many as there are columns.
pub(super) struct Table {
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
}

/// A column's head, and whether figures stand in it.
#[derive(Clone, Copy)]
pub(super) struct Column {
    pub(super) head: &'static str,
    pub(super) are_figures: bool,
}

/// A cell's text.
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) tone: Tone,
}

/// A chart.
pub(super) enum Picture {
    Chart(Chart),
    Kept(Kept),
    Intervals(Intervals),
}

impl Picture {
    /// As an `<svg>` element.
    pub(super) fn svg(&self) -> String {
        match self {
            Self::Chart(chart) => chart.svg(),
            Self::Kept(chart) => chart.svg(),
            Self::Intervals(chart) => chart.svg(),
        }
    }
}

impl Table {
    /// Without rows yet; a head that begins with `#` is of figures.
    pub(super) fn new(heads: &[&'static str]) -> Self {
        let column = |head: &&'static str| match head.strip_prefix('#') {
            Some(head) => Column { head, are_figures: true },
            None => Column { head, are_figures: false },
        };
        Self { columns: heads.iter().map(column).collect(), rows: Vec::new() }
    }

    /// One more.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl Block {
    /// A heading of this level.
    pub(super) fn heading(level: u8, text: impl Into<String>) -> Self {
        Self::Heading(level, text.into())
    }

    /// A paragraph.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Small print.
    pub(super) fn note(text: impl Into<String>) -> Self {
        Self::Note(text.into())
    }
}

/// A cell.
pub(super) fn cell(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), tone: Tone::Plain }
}

/// A cell that is as it should be, or not.
pub(super) fn toned(tone: Tone, text: impl Into<String>) -> Cell {
    Cell { text: text.into(), tone }
}
