//! The report as Markdown: CommonMark with the tables of GFM. Every text goes through [`markdown`].

use super::document::{Block, Table, Tone};
use super::summary;
use crate::query::ReportAnswer;
use crate::text::markdown;

/// All of it.
pub(super) fn text(report: &ReportAnswer) -> String {
    let document = summary::document(report);
    let mut parts = vec![format!("# {}", markdown(&document.title)), markdown(&document.subtitle)];
    parts.extend(document.blocks.iter().filter_map(block));
    parts.join("\n\n") + "\n"
}

fn block(block: &Block) -> Option<String> {
    Some(match block {
        Block::Heading(1, text) => format!("## {}", markdown(text)),
        Block::Heading(_, text) => format!("### {}", markdown(text)),
        Block::Text(text) => markdown(text),
        Block::Note(text) => format!("*{}*", markdown(text)),
        Block::Verdict(tone, text) => format!("**{}{}**", mark(*tone), markdown(text)),
        Block::Tiles(tiles) => {
            let line = |tile: &super::document::Tile| {
                format!(
                    "- {}: **{}** ({})",
                    markdown(&tile.label),
                    markdown(&tile.value),
                    markdown(&tile.beside)
                )
            };
            tiles.iter().map(line).collect::<Vec<_>>().join("\n")
        }
        Block::Table(table) => rows(table),
        Block::Picture(_, words) => format!("{}.", markdown(words)),
        Block::NewPage => return None,
    })
}

fn mark(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "✓ ",
        Tone::Bad => "✗ ",
        Tone::Doubtful => "? ",
        Tone::Plain => "",
    }
}

fn rows(table: &Table) -> String {
    let heads: Vec<String> = table.columns.iter().map(|column| markdown(column.head)).collect();
    let aligned: Vec<&str> =
        table.columns.iter().map(|column| if column.are_figures { "--:" } else { "---" }).collect();
    let mut lines = vec![format!("| {} |", heads.join(" | ")), format!("|{}|", aligned.join("|"))];
    for row in &table.rows {
        let cells: Vec<String> = row.iter().map(|cell| markdown(&cell.text)).collect();
        lines.push(format!("| {} |", cells.join(" | ")));
    }
    lines.join("\n")
}
