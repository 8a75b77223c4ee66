//! A heat map: how many of each step's values fall into which class. A step without values is a gap.

use std::fmt::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::tenths;
use crate::figures::duration;
use crate::text::html;

// all in pixels
const WIDTH: u64 = 720;
const LEFT: u64 = 64;
const RIGHT: u64 = 16;
const ROW: u64 = 14;
const TOP: u64 = 6;
const BOTTOM: u64 = 22;
/// Shades beside none.
const SHADES: u64 = 5;
/// Labels of the time.
const LABELS: u64 = 6;

/// A heat map over time.
#[derive(Clone, Debug)]
pub struct Heat<'a> {
    /// What it shows, for those who do not see it.
    pub label: &'a str,
    /// The upper bound of each class, in microseconds; of the last it is not told.
    pub bounds_us: &'a [i64],
    /// How many values of each step are in each class; empty: a gap.
    pub steps: Vec<&'a [u64]>,
    /// The begin of the first step.
    pub from: Timestamp,
    /// How long a step is, in seconds.
    pub step_s: u64,
    /// In which zone times are shown.
    pub zone: &'a TimeZone,
}

impl Heat<'_> {
    /// As an `<svg>` element; empty when nothing is in any class.
    pub fn svg(&self) -> String {
        let used = |class: &usize| {
            self.steps.iter().any(|step| step.get(*class).is_some_and(|count| *count > 0))
        };
        let all: Vec<usize> = (0..self.bounds_us.len()).filter(used).collect();
        let (Some(low), Some(high)) = (all.first().copied(), all.last().copied()) else {
            return String::new();
        };
        let most = self.steps.iter().flat_map(|step| step.iter().copied()).max().unwrap_or(1);
        let rows = u64::try_from(high - low + 1).unwrap_or(1);
        let bottom = TOP + rows * ROW;
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"{}\" font-size=\"10\" fill=\"currentColor\">",
            bottom + BOTTOM,
            html(self.label)
        );
        for (class, row) in (low..=high).rev().zip(0_u64..) {
            self.row(&mut svg, (class, TOP + row * ROW), most);
        }
        self.times(&mut svg, bottom);
        svg.push_str("</svg>");
        svg
    }

    fn row(&self, svg: &mut String, (class, y): (usize, u64), most: u64) {
        let words = self.class(class);
        // a string takes all
        write!(svg, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{words}</text>", LEFT - 6, y + 11)
            .ok();
        for (step, counts) in (0_u64..).zip(&self.steps) {
            let Some(count) = counts.get(class).copied().filter(|count| *count > 0) else {
                continue;
            };
            let (x, next) = (self.x(step), self.x(step + 1));
            // the root of it: one slow run of many is to be seen
            let shade = (count.isqrt() * SHADES).div_ceil(most.isqrt().max(1)).clamp(1, SHADES);
            write!(
                svg,
                "<rect class=\"h{shade}\" x=\"{}\" y=\"{y}\" width=\"{}\" height=\"{}\"><title>{}, {words}: {count}</title></rect>",
                tenths(x),
                tenths(next.saturating_sub(x).saturating_sub(3).max(5)),
                ROW - 1,
                self.time(step)
            )
            .ok();
        }
    }

    fn class(&self, class: usize) -> String {
        let bound = |class: usize| self.bounds_us.get(class).copied().unwrap_or(i64::MAX);
        match bound(class) {
            i64::MAX => format!("over {}", duration(bound(class.saturating_sub(1)))),
            us => format!("&lt; {}", duration(us)),
        }
    }

    fn times(&self, svg: &mut String, bottom: u64) {
        let steps = u64::try_from(self.steps.len()).unwrap_or(1).max(1);
        let every = steps.div_ceil(LABELS).max(1);
        for label in 0..=steps / every {
            let step = label * every;
            if step >= steps {
                continue;
            }
            write!(
                svg,
                "<text class=\"soft\" x=\"{}\" y=\"{}\">{}</text>",
                tenths(self.x(step)),
                bottom + 14,
                self.time(step)
            )
            .ok();
        }
    }

    fn time(&self, step: u64) -> String {
        let after = i64::try_from(step.saturating_mul(self.step_s)).unwrap_or(0);
        let at = self.from.as_second().saturating_add(after);
        let at = Timestamp::from_second(at).unwrap_or(self.from).to_zoned(self.zone.clone());
        let format = if self.step_s >= 86_400 { "%-d %b" } else { "%-d %b %H:%M" };
        at.strftime(format).to_string()
    }

    /// A step's left end, in tenths of a pixel.
    fn x(&self, step: u64) -> u64 {
        let steps = u64::try_from(self.steps.len()).unwrap_or(1).max(1);
        LEFT * 10 + step.saturating_mul((WIDTH - LEFT - RIGHT) * 10) / steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_without_values_is_a_gap() {
        let heat = Heat {
            label: "round trips",
            bounds_us: &[1_000, 2_000, i64::MAX],
            steps: vec![&[4, 1, 0], &[], &[0, 16, 0]],
            from: "2026-11-29T12:00:00Z".parse().unwrap(),
            step_s: 60,
            zone: &TimeZone::UTC,
        };
        insta::assert_snapshot!(heat.svg().replace("><", ">\n<"), @r#"
        <svg viewBox="0 0 720 56" role="img" aria-label="round trips" font-size="10" fill="currentColor">
        <text x="58" y="17" text-anchor="end">&lt; 2.0 ms</text>
        <rect class="h2" x="64" y="6" width="213" height="13">
        <title>29 Nov 12:00, &lt; 2.0 ms: 1</title>
        </rect>
        <rect class="h5" x="490.6" y="6" width="213.1" height="13">
        <title>29 Nov 12:02, &lt; 2.0 ms: 16</title>
        </rect>
        <text x="58" y="31" text-anchor="end">&lt; 1.0 ms</text>
        <rect class="h3" x="64" y="20" width="213" height="13">
        <title>29 Nov 12:00, &lt; 1.0 ms: 4</title>
        </rect>
        <text class="soft" x="64" y="48">29 Nov 12:00</text>
        <text class="soft" x="277.3" y="48">29 Nov 12:01</text>
        <text class="soft" x="490.6" y="48">29 Nov 12:02</text>
        </svg>
        "#);
        assert_eq!(Heat { steps: vec![&[], &[0, 0, 0]], ..heat }.svg(), "");
    }
}
