//! Tables that go over pages: columns as wide as what stands in them, heads again on each page, rows in one piece.

use super::layout::{
    Colour, INK, Layout, MARGIN, Op, PANEL, RULE, SOFT, TEXT_WIDTH, colour_of, so_many,
};
use crate::report::document::{Table, Tone};
use crate::text::one_line;

const SIZE: f32 = 7.8;
const LINE: f32 = SIZE * 1.32;
const PAD: f32 = 3.5;
/// A row that is longer is cut: whoever wrote it is no reader's friend.
const MOST_LINES: usize = 12;
/// Rows that are no higher than this in all stay on one page.
const SMALL: f32 = 90.0;
/// A word is broken where it is wider.
const MOST_WORD: f32 = 110.0;

/// A cell, before it is drawn.
struct Laid {
    lines: Vec<String>,
    colour: Colour,
    is_bold: bool,
}

/// Lays it out.
pub(super) fn table(layout: &mut Layout<'_>, table: &Table) {
    let widths = widths(layout, table);
    let heads: Vec<Laid> = table
        .columns
        .iter()
        .zip(&widths)
        .map(|(column, width)| laid(layout, (column.head, SOFT, true), *width))
        .collect();
    let rows: Vec<Vec<Laid>> = table
        .rows
        .iter()
        .map(|row| {
            let cells = row.iter().zip(&widths);
            let laid = cells.map(|(cell, width)| {
                let is_bold = cell.tone != Tone::Plain;
                laid(layout, (&cell.text, colour_of(cell.tone), is_bold), *width)
            });
            laid.collect()
        })
        .collect();
    let first = rows.first().map_or(0.0, |row| height(row));
    let whole = rows.iter().map(|row| height(row)).sum::<f32>();
    let together = if whole <= SMALL { whole } else { first };
    if !layout.fits(height(&heads) + together) {
        layout.turn();
    }
    put(layout, table, (&heads, &widths), true);
    for row in &rows {
        if !layout.fits(height(row)) {
            layout.turn();
            put(layout, table, (&heads, &widths), true);
        }
        put(layout, table, (row, &widths), false);
    }
}

fn height(row: &[Laid]) -> f32 {
    let most = row.iter().map(|cell| cell.lines.len()).max().unwrap_or(1);
    so_many(most) * LINE + 2.0 * PAD
}

fn laid(layout: &Layout<'_>, (text, colour, is_bold): (&str, Colour, bool), width: f32) -> Laid {
    let inner = (width - 2.0 * PAD).max(1.0);
    let mut lines = layout.fonts.of(is_bold).lines(&one_line(text), SIZE, inner);
    if lines.len() > MOST_LINES {
        lines.truncate(MOST_LINES);
        if let Some(last) = lines.last_mut() {
            last.push('…');
        }
    }
    Laid { lines, colour, is_bold }
}

fn put(layout: &mut Layout<'_>, table: &Table, (row, widths): (&[Laid], &[f32]), is_head: bool) {
    let (top, height) = (layout.y, height(row));
    if is_head {
        layout.put(Op::Box { at: (MARGIN, top), size: (TEXT_WIDTH, height), colour: PANEL });
    }
    let mut left = MARGIN;
    for ((cell, column), width) in row.iter().zip(&table.columns).zip(widths) {
        for (at, text) in cell.lines.iter().enumerate() {
            let wide = layout.fonts.of(cell.is_bold).width(text, SIZE);
            let x = if column.are_figures { left + width - PAD - wide } else { left + PAD };
            layout.put(Op::Text {
                at: (x, top + PAD + so_many(at) * LINE + SIZE),
                size: SIZE,
                is_bold: cell.is_bold,
                colour: if is_head { SOFT } else { cell.colour },
                text: text.clone(),
            });
        }
        left += width;
    }
    let (thick, colour) = if is_head { (0.9, INK) } else { (0.4, RULE) };
    layout.put(Op::Box { at: (MARGIN, top + height), size: (TEXT_WIDTH, thick), colour });
    layout.y += height;
}

/// As wide as what stands in them where that fits; else text gives way, and figures do not.
fn widths(layout: &Layout<'_>, table: &Table) -> Vec<f32> {
    let (regular, bold) = (layout.fonts.of(false), layout.fonts.of(true));
    let of_column = |at: usize, measure: &dyn Fn(&str, bool) -> f32| {
        let head = table.columns.get(at).map_or(0.0, |column| measure(column.head, true));
        let cells = table.rows.iter().filter_map(|row| row.get(at));
        let cells = cells.map(|cell| measure(&cell.text, cell.tone != Tone::Plain));
        cells.fold(head, f32::max) + 2.0 * PAD + 0.5
    };
    let face = |is_bold: bool| if is_bold { bold } else { regular };
    let columns = || 0..table.columns.len();
    let natural: Vec<f32> = columns()
        .map(|at| of_column(at, &|text, is_bold| face(is_bold).width(text, SIZE)))
        .collect();
    let least: Vec<f32> = columns()
        .map(|at| {
            let word = |text: &str, is_bold: bool| face(is_bold).widest_word(text, SIZE);
            let least = of_column(at, &|text, is_bold| word(text, is_bold).min(MOST_WORD));
            let are_figures = table.columns.get(at).is_some_and(|column| column.are_figures);
            let natural = natural.get(at).copied().unwrap_or(least);
            // figures stay in one piece unless they are sentences
            if are_figures && natural <= MOST_WORD { natural } else { least }
        })
        .collect();
    let (all, all_least) = (natural.iter().sum::<f32>(), least.iter().sum::<f32>());
    let both = natural.iter().zip(&least);
    if all <= TEXT_WIDTH {
        let stretch = TEXT_WIDTH / all.max(1.0);
        natural.iter().map(|width| width * stretch).collect()
    } else if all_least <= TEXT_WIDTH {
        let share = (TEXT_WIDTH - all_least) / (all - all_least).max(0.1);
        both.map(|(natural, least)| least + (natural - least) * share).collect()
    } else {
        least.iter().map(|width| width * TEXT_WIDTH / all_least).collect()
    }
}
