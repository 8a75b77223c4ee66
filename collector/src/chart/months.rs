//! Twelve months side by side: how many met, missed, not proven; or an interval with its target.
//!
//! As in all charts, nothing is told by colour alone: what is missed is full, what nobody knows is an outline, what is met
//! is light; each bar says its figures when it is pointed at, and the legend is in the picture.

use super::{BETWEEN, LEFT, RIGHT, TOP, WIDTH, scaled, tenths};
use crate::text::html;

/// The height of the bars, in pixels.
const HEIGHT: u64 = 90;
/// Below the bars: months and legend.
const BOTTOM: u64 = 42;
/// One, in parts per million.
const WHOLE: u64 = 1_000_000;

/// How a part of a bar is drawn.
const MET: &str = "fill-opacity=\".25\"";
const MISSED: &str = "fill-opacity=\".9\"";
const NOT_PROVEN: &str = "fill=\"none\" stroke=\"currentColor\" stroke-dasharray=\"2 2\"";

/// Agreements by how they ended, month by month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What it shows, in a line.
    pub title: String,
    /// Each month by its name: how many were met, missed, not proven; `None` where nothing was measured.
    pub months: Vec<(String, Option<[u64; 3]>)>,
}

/// A share month by month, as an interval, with its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intervals {
    /// What it shows, in a line.
    pub title: String,
    /// What must be reached, in parts per million.
    pub target_ppm: u32,
    /// Each month by its name: lower and upper bound, in parts per million; `None` where nothing was measured.
    pub months: Vec<(String, Option<(u32, u32)>)>,
}

impl Kept {
    /// As an `<svg>` element.
    pub fn svg(&self) -> String {
        let all = self.months.iter().filter_map(|(_, counts)| *counts);
        let most = all.map(|counts| counts.iter().sum::<u64>()).max().unwrap_or(0).max(1);
        let mut picture = Picture::begin(&self.title, self.months.len());
        picture.axis(&most.to_string(), "0");
        for (at, (month, counts)) in (0_u64..).zip(&self.months) {
            picture.month(at, month);
            let Some([met, missed, not_proven]) = counts else { continue };
            let mut below = 0;
            let said = format!("{month}: {met} met, {missed} missed, {not_proven} not proven");
            for (count, style) in [(met, MET), (not_proven, NOT_PROVEN), (missed, MISSED)] {
                let height = |of: u64| scaled(of, most, HEIGHT * 10);
                let (from, to) = (height(below), height(below.saturating_add(*count)));
                picture.bar(at, (from, to), style, &said);
                below = below.saturating_add(*count);
            }
        }
        picture.legend(&[("met", MET), ("not proven", NOT_PROVEN), ("missed", MISSED)]);
        picture.end()
    }
}

impl Intervals {
    /// As an `<svg>` element.
    pub fn svg(&self) -> String {
        let known = self.months.iter().filter_map(|(_, bounds)| Some(u64::from((*bounds)?.0)));
        let target = u64::from(self.target_ppm).min(WHOLE);
        // so that the target stands well above the floor
        let least = known.min().unwrap_or(WHOLE).min(target);
        let floor = WHOLE.saturating_sub(WHOLE.saturating_sub(least).saturating_mul(5) / 4);
        let floor = if floor == WHOLE { WHOLE - 100 } else { floor };
        let height = |ppm: u64| scaled(ppm.saturating_sub(floor), WHOLE - floor, HEIGHT * 10);
        let mut picture = Picture::begin(&self.title, self.months.len());
        picture.axis("100 %", &percent(floor));
        for (at, (month, bounds)) in (0_u64..).zip(&self.months) {
            picture.month(at, month);
            let Some((lower, upper)) = *bounds else { continue };
            let (lower, upper) = (u64::from(lower), u64::from(upper));
            let said = match lower == upper {
                true => format!("{month}: {}", percent(lower)),
                false => format!("{month}: {} to {}", percent(lower), percent(upper)),
            };
            let style = if lower < target && upper < target { MISSED } else { MET };
            picture.bar(at, (0, height(lower)), style, &said);
            picture.bar(at, (height(lower), height(upper)), NOT_PROVEN, &said);
        }
        let name = format!("target {}", percent(target));
        picture.line(height(target), &name);
        let above = [("for certain", MET), ("below the target", MISSED), ("unknown", NOT_PROVEN)];
        picture.legend(&above);
        picture.end()
    }
}

/// `99.95 %`: rounded towards 0.
fn percent(ppm: u64) -> String {
    let text = format!("{}.{:04}", ppm / 10_000, ppm % 10_000);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} %")
}

struct Picture {
    svg: String,
    months: u64,
}

impl Picture {
    fn begin(title: &str, months: usize) -> Self {
        let title = html(title);
        let height = TOP + HEIGHT + BOTTOM + BETWEEN / 3;
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
             width=\"100%\" font-family=\"sans-serif\" font-size=\"11\" fill=\"currentColor\" stroke=\"none\">\n\
             <title>{title}</title>\n\
             <text x=\"0\" y=\"14\" font-size=\"13\" font-weight=\"bold\">{title}</text>\n"
        );
        Self { svg, months: u64::try_from(months).unwrap_or(1).max(1) }
    }

    /// In tenths of a pixel.
    const fn floor() -> u64 {
        (TOP + HEIGHT) * 10
    }

    /// A month's left end and width, in tenths of a pixel.
    fn place(&self, at: u64) -> (u64, u64) {
        let wide = (WIDTH - LEFT - RIGHT) * 10 / self.months;
        (LEFT * 10 + at * wide, wide)
    }

    fn axis(&mut self, top: &str, bottom: &str) {
        let (beside, right) = (LEFT - 6, WIDTH - RIGHT);
        self.svg.push_str(&format!(
            "<text x=\"{beside}\" y=\"{}\" text-anchor=\"end\">{top}</text>\n\
             <text x=\"{beside}\" y=\"{}\" text-anchor=\"end\">{bottom}</text>\n\
             <path d=\"M{LEFT} {TOP}H{right}\" stroke=\"currentColor\" stroke-opacity=\".25\" stroke-dasharray=\"1 3\"/>\n\
             <path d=\"M{LEFT} {}H{right}\" stroke=\"currentColor\" stroke-opacity=\".5\"/>\n",
            TOP + 4,
            TOP + HEIGHT + 4,
            TOP + HEIGHT,
        ));
    }

    fn month(&mut self, at: u64, name: &str) {
        let (x, wide) = self.place(at);
        self.svg.push_str(&format!(
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
            tenths(x + wide / 2),
            TOP + HEIGHT + 15,
            html(name)
        ));
    }

    /// From one height to another, in tenths of a pixel above the floor.
    fn bar(&mut self, at: u64, (from, to): (u64, u64), style: &str, said: &str) {
        if to <= from {
            return;
        }
        let (x, wide) = self.place(at);
        self.svg.push_str(&format!(
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" {style}><title>{}</title></rect>\n",
            tenths(x + wide / 6),
            tenths(Self::floor().saturating_sub(to)),
            tenths(wide * 2 / 3),
            tenths(to - from),
            html(said)
        ));
    }

    fn line(&mut self, above: u64, name: &str) {
        let y = Self::floor().saturating_sub(above);
        self.svg.push_str(&format!(
            "<path d=\"M{LEFT} {}H{}\" stroke=\"currentColor\" stroke-width=\"1.5\" stroke-dasharray=\"6 3\"/>\n\
             <text x=\"{}\" y=\"14\" text-anchor=\"end\">– – {}</text>\n",
            tenths(y),
            WIDTH - RIGHT,
            WIDTH - RIGHT,
            html(name)
        ));
    }

    fn legend(&mut self, parts: &[(&str, &str)]) {
        let y = TOP + HEIGHT + 34;
        for (at, (name, style)) in (0_u64..).zip(parts) {
            let x = LEFT + at * 130;
            self.svg.push_str(&format!(
                "<rect x=\"{x}\" y=\"{}\" width=\"10\" height=\"10\" {style}/>\n<text x=\"{}\" y=\"{y}\">{name}</text>\n",
                y - 9,
                x + 16
            ));
        }
    }

    fn end(mut self) -> String {
        self.svg.push_str("</svg>\n");
        self.svg
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_stand_side_by_side() {
        let months = vec![("Sep".to_owned(), None), ("<Oct>".to_owned(), Some([2, 1, 1]))];
        let svg = Kept { title: "Agreements".into(), months }.svg();
        insta::assert_snapshot!(svg, @r#"
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 170" role="img" width="100%" font-family="sans-serif" font-size="11" fill="currentColor" stroke="none">
        <title>Agreements</title>
        <text x="0" y="14" font-size="13" font-weight="bold">Agreements</text>
        <text x="58" y="32" text-anchor="end">4</text>
        <text x="58" y="122" text-anchor="end">0</text>
        <path d="M64 28H704" stroke="currentColor" stroke-opacity=".25" stroke-dasharray="1 3"/>
        <path d="M64 118H704" stroke="currentColor" stroke-opacity=".5"/>
        <text x="224" y="133" text-anchor="middle">Sep</text>
        <text x="544" y="133" text-anchor="middle">&lt;Oct&gt;</text>
        <rect x="437.3" y="73" width="213.3" height="45" fill-opacity=".25"><title>&lt;Oct&gt;: 2 met, 1 missed, 1 not proven</title></rect>
        <rect x="437.3" y="50.5" width="213.3" height="22.5" fill="none" stroke="currentColor" stroke-dasharray="2 2"><title>&lt;Oct&gt;: 2 met, 1 missed, 1 not proven</title></rect>
        <rect x="437.3" y="28" width="213.3" height="22.5" fill-opacity=".9"><title>&lt;Oct&gt;: 2 met, 1 missed, 1 not proven</title></rect>
        <rect x="64" y="143" width="10" height="10" fill-opacity=".25"/>
        <text x="80" y="152">met</text>
        <rect x="194" y="143" width="10" height="10" fill="none" stroke="currentColor" stroke-dasharray="2 2"/>
        <text x="210" y="152">not proven</text>
        <rect x="324" y="143" width="10" height="10" fill-opacity=".9"/>
        <text x="340" y="152">missed</text>
        </svg>
        "#);
    }

    #[test]
    fn the_floor_is_below_what_is_least() {
        let months = vec![
            ("Aug".to_owned(), Some((999_500, 999_900))),
            ("Sep".to_owned(), None),
            ("Oct".to_owned(), Some((980_000, 980_000))),
            ("Nov".to_owned(), Some((1_000_000, 1_000_000))),
        ];
        let chart = Intervals { title: "Uptime".into(), target_ppm: 999_000, months };
        let svg = chart.svg();
        assert!(svg.contains(">97.5 %</text>") && svg.contains("target 99.9 %"), "{svg}");
        assert!(svg.contains("<title>Aug: 99.95 % to 99.99 %</title>"), "{svg}");
        assert_eq!(svg.matches(MISSED).count(), 2, "October and the legend: {svg}");
        assert_eq!(svg, chart.svg());
        let perfect = Intervals {
            months: vec![("Oct".into(), Some((1_000_000, 1_000_000)))],
            target_ppm: 1_000_000,
            ..chart
        };
        assert!(perfect.svg().contains(">99.99 %</text>"));
    }
}
