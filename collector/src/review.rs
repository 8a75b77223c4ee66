//! A review as a document: Markdown for wherever people keep such things, and a page of HTML with charts.
//!
//! Both are made of the same parts, in one order, so that they cannot tell two stories. Invariants: whatever came from a
//! server, an agent or an operator shows as text and is no markup, in the page no more than in Markdown; nothing in the
//! page runs, loads or leads anywhere; the same review gives the same bytes.

mod charts;
mod page;
mod sections;

#[cfg(test)]
mod tests;

use crate::chart::Chart;
use crate::query::ReviewAnswer;

/// A piece of the document.
enum Part {
    /// Markdown.
    Text(String),
    /// A chart in the page, a table in Markdown.
    Chart { chart: Chart, table: String },
}

/// The review as Markdown (CommonMark with tables of GFM).
pub fn markdown(review: &ReviewAnswer) -> String {
    let parts = sections::parts(review).into_iter().map(|part| match part {
        Part::Text(text) => text,
        Part::Chart { table, .. } => table,
    });
    let whole = parts.collect::<Vec<_>>().join("\n");
    whole.trim().to_owned() + "\n"
}

/// The review as a page of HTML that needs nothing else.
pub fn html(review: &ReviewAnswer) -> String {
    page::page(&sections::title(review), &sections::parts(review))
}
