//! Figures of a chart for whoever points at it: a step's moment, and its value in every band.

use std::fmt::Write;

use super::{BAND, BETWEEN, Chart, TOP, Unit, tenths};
use crate::figures::duration;
use crate::text::html;

impl Chart {
    /// As [`Chart::svg`], and whoever points at a step is told its figures. For pages: on paper it would only be larger.
    pub fn svg_with_figures(&self) -> String {
        self.written(&self.figures())
    }

    /// A column over all bands for each step of which anything is known.
    fn figures(&self) -> String {
        let bands = u64::try_from(self.bands.len()).unwrap_or(0);
        let height = bands * (BAND + BETWEEN);
        let mut svg = String::new();
        for step in 0..self.steps() {
            let Some(said) = self.said(step) else { continue };
            let (x, next) = (self.x(step), self.x(step + 1));
            let (x, wide) = (tenths(x), tenths(next.saturating_sub(x)));
            // a string that takes all
            writeln!(
                svg,
                "<rect class=\"step\" x=\"{x}\" y=\"{TOP}\" width=\"{wide}\" height=\"{height}\" fill-opacity=\"0\"><title>{}</title></rect>",
                html(&said)
            )
            .ok();
        }
        svg
    }

    /// `29 Nov 12:00: p50 12 ms, p95 30 ms`; `None` where nothing is known.
    fn said(&self, step: u64) -> Option<String> {
        let at = usize::try_from(step).ok()?;
        let values = self.bands.iter().filter_map(|band| {
            let value = (*band.values.get(at)?)?;
            Some(match self.unit {
                Unit::Count(things) => format!("{} {value} {things}", band.label),
                Unit::Micros => {
                    format!("{} {}", band.label, duration(i64::try_from(value).unwrap_or(i64::MAX)))
                }
            })
        });
        let values: Vec<String> = values.collect();
        let after = i64::try_from(step.saturating_mul(self.step_s)).ok()?;
        let begins = self.from.as_second().checked_add(after)?;
        let begins = jiff::Timestamp::from_second(begins).ok()?.to_zoned(self.zone.clone());
        let begins = begins.strftime("%-d %b %H:%M");
        (!values.is_empty()).then(|| format!("{begins}: {}", values.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::super::{Band, Shape};
    use super::*;

    #[test]
    fn each_step_that_is_known_tells_its_figures() {
        let band = |label: &str, values: &[Option<u64>]| Band {
            label: label.to_owned(),
            values: values.to_vec(),
        };
        let chart = Chart {
            title: "Latency".to_owned(),
            shape: Shape::Line,
            unit: Unit::Micros,
            from: "2026-11-29T10:00:00Z".parse().unwrap(),
            step_s: 3_600,
            zone: TimeZone::get("Africa/Johannesburg").unwrap(),
            bands: vec![
                band("p50 <b>", &[Some(12_000), None, None]),
                band("p95", &[Some(1_340_000), None, Some(900)]),
            ],
            marks: Vec::new(),
        };
        insta::assert_snapshot!(chart.figures(), @r#"
        <rect class="step" x="64" y="28" width="213.3" height="148" fill-opacity="0"><title>29 Nov 12:00: p50 &lt;b&gt; 12 ms, p95 1.34 s</title></rect>
        <rect class="step" x="490.6" y="28" width="213.4" height="148" fill-opacity="0"><title>29 Nov 14:00: p95 900 µs</title></rect>
        "#);
        let svg = chart.svg_with_figures();
        assert_eq!(svg.replace(&chart.figures(), ""), chart.svg(), "the rest is the same");
    }
}
