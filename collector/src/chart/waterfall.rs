//! A waterfall: one row each for what has a begin and a length, on one axis. Parts may overlap, and lengths may be
//! negative (clocks of several hosts): such a one is drawn back from its begin and says so.

use std::fmt::Write;

use crate::figures::duration;
use crate::text::html;

// all in pixels
const WIDTH: i64 = 720;
const LEFT: i64 = 150;
const RIGHT: i64 = 86;
const ROW: i64 = 22;
const TOP: i64 = 8;
const BOTTOM: i64 = 22;
/// Rows at most; of more the first are drawn, and it is said.
const MOST_ROWS: usize = 40;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is.
    pub label: String,
    /// From the begin of all, in microseconds.
    pub start_us: i64,
    /// In microseconds.
    pub duration_us: i64,
    /// Its end is known to within this, in microseconds.
    pub uncertainty_us: u64,
    /// `accent`, `lost` or `soft`, as the style sheet has them.
    pub class: &'static str,
    /// More about it, when it is pointed at; may be empty.
    pub words: String,
}

/// These rows as an `<svg>` element.
pub fn waterfall(rows: &[Row], label: &str) -> String {
    let shown = rows.get(..rows.len().min(MOST_ROWS)).unwrap_or_default();
    let end = |row: &Row| row.start_us.saturating_add(row.duration_us);
    let first = shown.iter().map(|row| row.start_us.min(end(row))).min().unwrap_or(0).min(0);
    let last = shown.iter().map(|row| end(row).max(row.start_us)).max().unwrap_or(0);
    let all = last.saturating_sub(first).max(1);
    let count = i64::try_from(shown.len()).unwrap_or(0);
    let height = TOP + count * ROW + BOTTOM;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\" font-size=\"12\" fill=\"currentColor\">",
        html(label)
    );
    let x = |us: i64| LEFT * 10 + scaled(us.saturating_sub(first), all);
    axis(&mut svg, (first, all), TOP + count * ROW);
    for (row, at) in shown.iter().zip(0_i64..) {
        let y = TOP + at * ROW;
        let (from, until) = (x(row.start_us.min(end(row))), x(row.start_us.max(end(row))));
        let unsure = match row.uncertainty_us {
            0 => String::new(),
            us => format!(" ± {}", duration(i64::try_from(us).unwrap_or(i64::MAX))),
        };
        let figure = duration(row.duration_us);
        let words = if row.words.is_empty() { String::new() } else { format!(": {}", row.words) };
        // a string takes all
        write!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\
             <rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{} {figure}{unsure}, from {} on{}</title></rect>\
             <text x=\"{}\" y=\"{}\">{figure}</text>",
            LEFT - 8,
            y + 15,
            html(&row.label),
            row.class,
            tenths(from),
            y + 3,
            tenths((until - from).max(10)),
            ROW - 7,
            html(&row.label),
            duration(row.start_us),
            html(&words),
            tenths(until + 40),
            y + 15,
        )
        .ok();
    }
    svg.push_str("</svg>");
    svg
}

/// Four lines of the time.
fn axis(svg: &mut String, (first, all): (i64, i64), bottom: i64) {
    for quarter in 0..=4 {
        let us = first.saturating_add(all / 4 * quarter);
        let x = tenths(LEFT * 10 + scaled(all / 4 * quarter, all));
        write!(
            svg,
            "<path class=\"grid\" d=\"M{x} {TOP}V{bottom}\"/><text class=\"soft\" x=\"{x}\" y=\"{}\" text-anchor=\"middle\" font-size=\"10\">{}</text>",
            bottom + 14,
            duration(us)
        )
        .ok();
    }
}

/// Where a part of all is on the axis, in tenths of a pixel.
fn scaled(us: i64, all: i64) -> i64 {
    let wide = i128::from((WIDTH - LEFT - RIGHT) * 10);
    i64::try_from(i128::from(us) * wide / i128::from(all.max(1))).unwrap_or(0)
}

fn tenths(tenths: i64) -> String {
    match tenths % 10 {
        0 => (tenths / 10).to_string(),
        part => format!("{}.{}", tenths / 10, part.abs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_back_in_time_is_drawn_back() {
        let row = |label: &str, start_us, duration_us| Row {
            label: label.to_owned(),
            start_us,
            duration_us,
            uncertainty_us: 0,
            class: "accent",
            words: String::new(),
        };
        let rows = [row("connect", 0, 1_000), row("transit", 3_000, -2_000), row("<b>", 3_000, 0)];
        insta::assert_snapshot!(waterfall(&rows, "phases").replace("><", ">\n<"), @r#"
        <svg viewBox="0 0 720 96" role="img" aria-label="phases" font-size="12" fill="currentColor">
        <path class="grid" d="M150 8V74"/>
        <text class="soft" x="150" y="88" text-anchor="middle" font-size="10">0 µs</text>
        <path class="grid" d="M271 8V74"/>
        <text class="soft" x="271" y="88" text-anchor="middle" font-size="10">750 µs</text>
        <path class="grid" d="M392 8V74"/>
        <text class="soft" x="392" y="88" text-anchor="middle" font-size="10">1.5 ms</text>
        <path class="grid" d="M513 8V74"/>
        <text class="soft" x="513" y="88" text-anchor="middle" font-size="10">2.3 ms</text>
        <path class="grid" d="M634 8V74"/>
        <text class="soft" x="634" y="88" text-anchor="middle" font-size="10">3.0 ms</text>
        <text x="142" y="23" text-anchor="end">connect</text>
        <rect class="accent" x="150" y="11" width="161.3" height="15">
        <title>connect 1.0 ms, from 0 µs on</title>
        </rect>
        <text x="315.3" y="23">1.0 ms</text>
        <text x="142" y="45" text-anchor="end">transit</text>
        <rect class="accent" x="311.3" y="33" width="322.7" height="15">
        <title>transit −2.0 ms, from 3.0 ms on</title>
        </rect>
        <text x="638" y="45">−2.0 ms</text>
        <text x="142" y="67" text-anchor="end">&lt;b&gt;</text>
        <rect class="accent" x="634" y="55" width="1" height="15">
        <title>&lt;b&gt; 0 µs, from 3.0 ms on</title>
        </rect>
        <text x="638" y="67">0 µs</text>
        </svg>
        "#);
    }
}
