//! Charts over time as SVG: bands one below the other, each bars or a line, with axes that say their units.
//!
//! A band for each series instead of colours: it is read in black on white, in white on black and on paper, as everything
//! is drawn in `currentColor`. A gap is a gap: where nothing is known there is no line at the bottom, and no line is drawn
//! across it. Text is escaped, positions are whole tenths of a pixel, and the same chart is the same bytes. Written here
//! because the libraries that draw SVG bring colours, fonts and rounding of their own, for what is 200 lines.

mod heat;
mod hover;
mod months;
mod strip;
mod waterfall;

use std::fmt::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use months::{Intervals, Kept};

use crate::text::html;

pub use heat::Heat;
pub use strip::{Cell, strip};
pub use waterfall::{Row, waterfall};

// all in pixels
const WIDTH: u64 = 720;
const LEFT: u64 = 64;
const RIGHT: u64 = 16;
const TOP: u64 = 28;
const BAND: u64 = 44;
const BETWEEN: u64 = 30;
const BOTTOM: u64 = 40;
/// Ticks of the time at most.
const MOST_TICKS: u64 = 7;
/// Between ticks, in seconds.
const TICKS_S: [u64; 16] = [
    60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
    1_209_600, 2_419_200,
];

/// What values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Whole things, called so.
    Count(&'static str),
    /// Microseconds, shown in whatever unit fits.
    Micros,
}

/// How values are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A bar each.
    Bars,
    /// A line through neighbours, a dot where there are none.
    Line,
}

/// A series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Band {
    /// What it is of.
    pub label: String,
    /// A value each step; `None` where nothing is known.
    pub values: Vec<Option<u64>>,
}

/// A moment that is marked in every band.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// When.
    pub at: Timestamp,
    /// What, in a word.
    pub label: String,
}

/// A chart over time.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What it shows, in a line.
    pub title: String,
    /// How.
    pub shape: Shape,
    /// In what.
    pub unit: Unit,
    /// The begin of the first step.
    pub from: Timestamp,
    /// How long a step is, in seconds.
    pub step_s: u64,
    /// In which zone times are shown.
    pub zone: TimeZone,
    /// From top to bottom.
    pub bands: Vec<Band>,
    /// In any order.
    pub marks: Vec<Mark>,
}

impl Chart {
    /// As an `<svg>` element.
    pub fn svg(&self) -> String {
        self.written("")
    }

    /// With these elements over everything else, a line each.
    fn written(&self, above: &str) -> String {
        let bands = u64::try_from(self.bands.len()).unwrap_or(0);
        let bottom = TOP + bands * (BAND + BETWEEN);
        let (height, top) = (bottom + BOTTOM, self.top());
        let title = html(&self.title);
        let mut svg = String::new();
        let mut put = |line: String| {
            svg.push_str(&line);
            svg.push('\n');
        };
        put(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
             width=\"100%\" font-family=\"sans-serif\" font-size=\"11\" fill=\"currentColor\" stroke=\"none\">"
        ));
        put(format!("<title>{title}</title>"));
        put(format!("<text x=\"0\" y=\"14\" font-size=\"13\" font-weight=\"bold\">{title}</text>"));
        for (band, at) in self.bands.iter().zip(0_u64..) {
            put(self.band(band, TOP + at * (BAND + BETWEEN) + BETWEEN - 8, top));
        }
        let mut marks: Vec<&Mark> = self.marks.iter().collect();
        marks.sort_by_key(|mark| mark.at);
        let placed = marks.into_iter().filter_map(|mark| Some((mark, self.x_of(mark.at)?)));
        for (at, (mark, x)) in placed.enumerate() {
            // the first is told on its left, so that two that are near can be read
            put(mark_at(mark, (x, at == 0), bottom));
        }
        put(self.time(bottom));
        put(format!("{above}</svg>"));
        svg
    }

    fn steps(&self) -> u64 {
        let steps = self.bands.iter().map(|band| band.values.len()).max().unwrap_or(0);
        u64::try_from(steps).unwrap_or(u64::MAX).max(1)
    }

    /// The upper end of every band's axis: 1, 2 or 5 times a power of ten.
    fn top(&self) -> u64 {
        let values = self.bands.iter().flat_map(|band| band.values.iter().flatten());
        let most = values.copied().max().unwrap_or(0).max(1);
        let mut power = 1_u64;
        loop {
            for times in [1, 2, 5] {
                let top = power.saturating_mul(times);
                if top >= most {
                    return top;
                }
            }
            power = power.saturating_mul(10);
        }
    }

    /// A step's left end, in tenths of a pixel.
    fn x(&self, step: u64) -> u64 {
        LEFT * 10 + scaled(step, self.steps(), (WIDTH - LEFT - RIGHT) * 10)
    }

    /// A moment's place, in tenths of a pixel; `None` outside.
    fn x_of(&self, at: Timestamp) -> Option<u64> {
        let after = u64::try_from(at.as_second().checked_sub(self.from.as_second())?).ok()?;
        let all = self.steps().saturating_mul(self.step_s.max(1));
        (after <= all).then(|| LEFT * 10 + scaled(after, all, (WIDTH - LEFT - RIGHT) * 10))
    }

    fn band(&self, band: &Band, above: u64, top: u64) -> String {
        let floor = (above + BAND) * 10;
        let (left, right, ceiling) = (LEFT, WIDTH - RIGHT, above);
        let mut svg = format!(
            "<text x=\"{left}\" y=\"{}\">{}</text>\n\
             <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n\
             <text x=\"{}\" y=\"{}\" text-anchor=\"end\">0</text>\n\
             <path d=\"M{left} {ceiling}H{right}\" stroke=\"currentColor\" stroke-opacity=\".25\" stroke-dasharray=\"1 3\"/>\n",
            above - 6,
            html(&band.label),
            left - 6,
            above + 4,
            self.shown(top),
            left - 6,
            above + BAND + 4,
        );
        svg.push_str(&self.known(band, floor));
        let height = |value: u64| scaled(value, top, BAND * 10);
        match self.shape {
            Shape::Bars => {
                for (step, value) in (0_u64..).zip(&band.values) {
                    let Some(value) = value.filter(|value| *value > 0) else { continue };
                    let (x, next, height) = (self.x(step), self.x(step + 1), height(value).max(10));
                    let wide = next.saturating_sub(x).saturating_sub(5).max(5);
                    let (x, y) = (tenths(x), tenths(floor - height));
                    let (wide, height) = (tenths(wide), tenths(height));
                    // a string that takes all
                    writeln!(
                        svg,
                        "<rect x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"{height}\" fill-opacity=\".8\"/>"
                    )
                    .ok();
                }
            }
            Shape::Line => svg.push_str(&self.line(band, |value| floor - height(value))),
        }
        svg.trim_end().to_owned()
    }

    /// The line at the bottom, where anything is known.
    fn known(&self, band: &Band, floor: u64) -> String {
        let mut path = String::new();
        let mut since = None;
        let ends = band.values.iter().map(Option::is_some).chain([false]);
        for (step, is_known) in (0_u64..).zip(ends) {
            match (since, is_known) {
                (None, true) => since = Some(step),
                (Some(first), false) => {
                    let (x, y, end) = (tenths(self.x(first)), tenths(floor), tenths(self.x(step)));
                    path.push_str(&format!("M{x} {y}H{end}"));
                    since = None;
                }
                _ => {}
            }
        }
        match path.is_empty() {
            true => String::new(),
            false => format!("<path d=\"{path}\" stroke=\"currentColor\" fill=\"none\"/>\n"),
        }
    }

    fn line(&self, band: &Band, y: impl Fn(u64) -> u64) -> String {
        let middle = |step: u64| tenths((self.x(step) + self.x(step + 1)) / 2);
        let (mut path, mut dots) = (String::new(), String::new());
        let mut pieces: Vec<Vec<(u64, u64)>> = vec![Vec::new()];
        for (step, value) in (0_u64..).zip(&band.values) {
            match (value, pieces.last_mut()) {
                (Some(value), Some(piece)) => piece.push((step, *value)),
                _ => pieces.push(Vec::new()),
            }
        }
        for piece in pieces {
            if let [(step, value)] = piece.as_slice() {
                let (x, y) = (middle(*step), tenths(y(*value)));
                dots.push_str(&format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"1.5\"/>\n"));
                continue;
            }
            for (at, (step, value)) in piece.iter().enumerate() {
                let to = if at == 0 { 'M' } else { 'L' };
                path.push_str(&format!("{to}{} {}", middle(*step), tenths(y(*value))));
            }
        }
        match path.is_empty() {
            true => dots,
            false => {
                format!(
                    "<path d=\"{path}\" stroke=\"currentColor\" stroke-width=\"1.5\" fill=\"none\"/>\n{dots}"
                )
            }
        }
    }

    /// The axis of the time.
    fn time(&self, bottom: u64) -> String {
        let all = self.steps().saturating_mul(self.step_s.max(1));
        let fits = |tick: &&u64| all / **tick <= MOST_TICKS;
        let tick = TICKS_S.iter().find(fits).copied().unwrap_or(all.max(1));
        let mut svg = String::new();
        let zoned = self.from.to_zoned(self.zone.clone());
        // ticks stand at round times of the zone
        let local = self.from.as_second().saturating_add(i64::from(zoned.offset().seconds()));
        let into = u64::try_from(local.rem_euclid(i64::try_from(tick).unwrap_or(i64::MAX)));
        let mut after = (tick - into.unwrap_or(0).min(tick)) % tick;
        let format = if all > 172_800 { "%-d %b" } else { "%H:%M" };
        while after <= all {
            let at = i64::try_from(after).ok().and_then(|after| {
                Timestamp::from_second(self.from.as_second().checked_add(after)?).ok()
            });
            if let Some((at, x)) = at.and_then(|at| Some((at, self.x_of(at)?))) {
                let label = at.to_zoned(self.zone.clone()).strftime(format).to_string();
                let x = tenths(x);
                svg.push_str(&format!(
                    "<path d=\"M{x} {bottom}v4\" stroke=\"currentColor\"/>\n\
                     <text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{label}</text>\n",
                    bottom + 16
                ));
            }
            after = after.saturating_add(tick);
        }
        let unit = match self.unit {
            Unit::Count(things) => things,
            Unit::Micros => "how long",
        };
        let zone = self.zone.iana_name().unwrap_or("UTC");
        let (day, right) = (zoned.strftime("%-d %B %Y"), WIDTH - RIGHT);
        svg.push_str(&format!(
            "<path d=\"M{LEFT} {bottom}H{right}\" stroke=\"currentColor\" stroke-opacity=\".5\"/>\n\
             <text x=\"{LEFT}\" y=\"{}\" fill-opacity=\".8\">up: {}; across: time of {}, from {day} on; each step {}</text>",
            bottom + 32,
            html(unit),
            html(zone),
            step(self.step_s)
        ));
        svg
    }

    /// A value with its unit, as the axis has it.
    fn shown(&self, value: u64) -> String {
        match self.unit {
            Unit::Count(_) => value.to_string(),
            Unit::Micros => match value {
                0..1_000 => format!("{value} µs"),
                1_000..1_000_000 => format!("{} ms", value / 1_000),
                _ => format!("{} s", value / 1_000_000),
            },
        }
    }
}

fn mark_at(mark: &Mark, (x, is_first): (u64, bool), bottom: u64) -> String {
    let (beside, anchor) = if is_first { (x.saturating_sub(30), "end") } else { (x + 30, "start") };
    let (x, beside, above) = (tenths(x), tenths(beside), TOP - 4);
    format!(
        "<path d=\"M{x} {TOP}V{bottom}\" stroke=\"currentColor\" stroke-opacity=\".6\" stroke-dasharray=\"4 3\"/>\n\
         <text x=\"{beside}\" y=\"{above}\" text-anchor=\"{anchor}\" font-style=\"italic\">{}</text>",
        html(&mark.label)
    )
}

fn step(step_s: u64) -> String {
    match step_s {
        s if s % 86_400 == 0 => format!("{} d", s / 86_400),
        s if s % 3_600 == 0 => format!("{} h", s / 3_600),
        s if s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

/// `part / all` of so much.
fn scaled(part: u64, all: u64, of: u64) -> u64 {
    let scaled = u128::from(part.min(all)) * u128::from(of) / u128::from(all.max(1));
    u64::try_from(scaled).unwrap_or(of)
}

/// `12`, `12.5`.
fn tenths(tenths: u64) -> String {
    match tenths % 10 {
        0 => (tenths / 10).to_string(),
        part => format!("{}.{part}", tenths / 10),
    }
}

#[cfg(test)]
mod tests;
