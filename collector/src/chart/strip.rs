//! A strip of days: one cell a day, neighbours that are alike drawn as one.

use std::fmt::Write;

use crate::text::html;

/// A cell's width and the strip's height, in pixels.
const CELL: u32 = 4;
const HEIGHT: u32 = 24;

/// One day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// `up`, `partly`, `down`, `unknown` or `none`, as the style sheet has them.
    pub class: &'static str,
    /// Such as `12 Nov`.
    pub day: String,
    /// What is said of it; neighbours of which the same is said are one.
    pub words: String,
}

/// These cells as an `<svg>` element; `label` says in words what they show as a whole.
pub fn strip(cells: &[Cell], label: &str) -> String {
    let width = u32::try_from(cells.len()).unwrap_or(0).saturating_mul(CELL);
    let mut svg = format!(
        "<svg class=\"strip\" viewBox=\"0 0 {width} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">",
        html(label)
    );
    let mut first = 0;
    while let Some(cell) = cells.get(first) {
        let alike = cells
            .iter()
            .skip(first)
            .take_while(|other| other.class == cell.class && other.words == cell.words);
        let count = alike.count().max(1);
        let days = match cells.get(first + count - 1) {
            Some(last) if count > 1 => format!("{} to {}", cell.day, last.day),
            _ => cell.day.clone(),
        };
        let place = |cells: usize| u32::try_from(cells).unwrap_or(0).saturating_mul(CELL);
        // what is wrong is higher, so that it shows without colour
        let (y, height) = match cell.class {
            "up" => (4, 16),
            "none" => (11, 2),
            "unknown" => (8, 8),
            _ => (0, HEIGHT),
        };
        let gap = u32::from(cell.class != "up" && cell.class != "none");
        // a string takes all
        write!(
            svg,
            "<rect class=\"{}\" x=\"{}\" y=\"{y}\" width=\"{}\" height=\"{height}\"><title>{}: {}</title></rect>",
            cell.class,
            place(first),
            place(count).saturating_sub(gap),
            html(&days),
            html(&cell.words)
        )
        .ok();
        first += count;
    }
    svg.push_str("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_are_alike_are_one() {
        let cell = |class, day: &str, words: &str| Cell {
            class,
            day: day.to_owned(),
            words: words.to_owned(),
        };
        let cells = [
            cell("none", "1 Nov", "nothing known"),
            cell("up", "2 Nov", "up"),
            cell("up", "3 Nov", "up"),
            cell("down", "4 Nov", "down for <12 min>"),
        ];
        insta::assert_snapshot!(strip(&cells, "4 days").replace("><", ">\n<"), @r#"
        <svg class="strip" viewBox="0 0 16 24" preserveAspectRatio="none" role="img" aria-label="4 days">
        <rect class="none" x="0" y="11" width="4" height="2">
        <title>1 Nov: nothing known</title>
        </rect>
        <rect class="up" x="4" y="4" width="8" height="16">
        <title>2 Nov to 3 Nov: up</title>
        </rect>
        <rect class="down" x="12" y="0" width="3" height="24">
        <title>4 Nov: down for &lt;12 min&gt;</title>
        </rect>
        </svg>
        "#);
    }
}
