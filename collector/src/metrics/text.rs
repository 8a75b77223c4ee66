//! Metrics as text: OpenMetrics 1.0, or Prometheus' own form before it (text format 0.0.4), as is asked for.
//!
//! Invariants: the samples of a family stand together, each family once; a text from outside is escaped; a number
//! that is not there has no sample.

use std::fmt::Write;

use super::{Form, Kind, Labels, number};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// OpenMetrics 1.0.
    Open,
    /// Prometheus' text format 0.0.4.
    Plain,
}

impl Dialect {
    /// That which an `Accept` wishes for.
    pub(crate) fn wanted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::Open } else { Self::Plain }
    }

    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Open => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Plain => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Text that is being written.
pub(crate) struct Text {
    dialect: Dialect,
    /// When counters began, in seconds.
    created_s: f64,
    name: &'static str,
    written: String,
}

impl Text {
    pub(crate) fn new(dialect: Dialect, created_s: f64) -> Self {
        Self { dialect, created_s, name: "", written: String::new() }
    }

    /// All of it.
    pub(crate) fn finish(mut self) -> String {
        if self.dialect == Dialect::Open {
            self.written.push_str("# EOF\n");
        }
        self.written
    }

    fn created(&mut self, labels: Labels<'_>) {
        if self.dialect == Dialect::Open {
            self.sample("_created", labels, None, self.created_s);
        }
    }

    fn sample(&mut self, suffix: &str, labels: Labels<'_>, bound: Option<&str>, value: f64) {
        self.written.push_str(self.name);
        self.written.push_str(suffix);
        let mut before = '{';
        let bound = bound.map(|bound| ("le", bound));
        for (name, value) in labels.iter().copied().chain(bound) {
            self.written.push(before);
            self.written.push_str(name);
            self.written.push_str("=\"");
            escape(&mut self.written, value);
            self.written.push('"');
            before = ',';
        }
        if before == ',' {
            self.written.push('}');
        }
        self.line(format_args!(" {value}"));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // a String takes everything
        self.written.write_fmt(line).ok();
        self.written.push('\n');
    }
}

impl Form for Text {
    fn family(&mut self, kind: Kind, name: &'static str, help: &'static str) {
        self.name = name;
        let (word, suffix) = match (kind, self.dialect) {
            (Kind::Gauge, _) => ("gauge", ""),
            (Kind::Counter, Dialect::Open) => ("counter", ""),
            (Kind::Counter, Dialect::Plain) => ("counter", "_total"),
            (Kind::Histogram, _) => ("histogram", ""),
        };
        self.line(format_args!("# HELP {name}{suffix} {help}"));
        self.line(format_args!("# TYPE {name}{suffix} {word}"));
        if let (Dialect::Open, Some(unit)) = (self.dialect, unit(name)) {
            self.line(format_args!("# UNIT {name} {unit}"));
        }
    }

    fn gauge(&mut self, labels: Labels<'_>, value: impl Into<Option<f64>>) {
        if let Some(value) = value.into() {
            self.sample("", labels, None, value);
        }
    }

    fn counter(&mut self, labels: Labels<'_>, count: u64) {
        self.sample("_total", labels, None, number(count));
        self.created(labels);
    }

    fn histogram(&mut self, labels: Labels<'_>, within: &[(f64, u64)], (count, sum): (u64, f64)) {
        for (bound, count) in within {
            let bound = format!("{bound:?}");
            self.sample("_bucket", labels, Some(&bound), number(*count));
        }
        self.sample("_bucket", labels, Some("+Inf"), number(count));
        self.sample("_sum", labels, None, sum);
        self.sample("_count", labels, None, number(count));
        self.created(labels);
    }
}

/// Of which a name's last word is the unit.
fn unit(name: &str) -> Option<&'static str> {
    ["seconds", "bytes", "ratio"].into_iter().find(|unit| name.ends_with(unit))
}

fn escape(written: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '\\' => written.push_str("\\\\"),
            '"' => written.push_str("\\\""),
            '\n' => written.push_str("\\n"),
            other => written.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(dialect: Dialect) -> String {
        let mut text = Text::new(dialect, 1.5);
        text.family(Kind::Gauge, "a_seconds", "A time.");
        text.gauge(&[("b", "c\"\\\nd")], 0.25);
        text.gauge(&[], None);
        text.family(Kind::Counter, "runs", "Runs.");
        text.counter(&[], 3);
        text.family(Kind::Histogram, "took_seconds", "How long.");
        text.histogram(&[("b", "c")], &[(0.5, 1), (1.0, 2)], (3, 4.5));
        text.finish()
    }

    #[test]
    fn both_forms_say_the_same_each_in_its_way() {
        insta::assert_snapshot!(written(Dialect::Open), @r##"
        # HELP a_seconds A time.
        # TYPE a_seconds gauge
        # UNIT a_seconds seconds
        a_seconds{b="c\"\\\nd"} 0.25
        # HELP runs Runs.
        # TYPE runs counter
        runs_total 3
        runs_created 1.5
        # HELP took_seconds How long.
        # TYPE took_seconds histogram
        # UNIT took_seconds seconds
        took_seconds_bucket{b="c",le="0.5"} 1
        took_seconds_bucket{b="c",le="1.0"} 2
        took_seconds_bucket{b="c",le="+Inf"} 3
        took_seconds_sum{b="c"} 4.5
        took_seconds_count{b="c"} 3
        took_seconds_created{b="c"} 1.5
        # EOF
        "##);
        insta::assert_snapshot!(written(Dialect::Plain), @r##"
        # HELP a_seconds A time.
        # TYPE a_seconds gauge
        a_seconds{b="c\"\\\nd"} 0.25
        # HELP runs_total Runs.
        # TYPE runs_total counter
        runs_total 3
        # HELP took_seconds How long.
        # TYPE took_seconds histogram
        took_seconds_bucket{b="c",le="0.5"} 1
        took_seconds_bucket{b="c",le="1.0"} 2
        took_seconds_bucket{b="c",le="+Inf"} 3
        took_seconds_sum{b="c"} 4.5
        took_seconds_count{b="c"} 3
        "##);
    }
}
