//! Phases as bars over one time axis.
//!
//! Truthful before beautiful: what ended before the run began stands apart, what is negative points
//! backwards, and how uncertain an end is can be seen.

use mailsonde_proto::Phase;

use crate::cli::figures::duration;
use crate::cli::terminal::{Terminal, Tone, on_one_line};

const SOLID: char = '█';
/// Where an end may lie, before and after where it was seen.
const UNCERTAIN: char = '░';
/// A phase whose end was seen before its start.
const BACKWARDS: char = '◀';

/// One line a phase, each with start, duration and bar; a block of their own for phases that were over
/// before the run began.
pub(crate) fn waterfall(phases: &[Phase], total_us: u64, terminal: &Terminal) -> String {
    let (before, within): (Vec<_>, Vec<_>) = phases
        .iter()
        .partition(|phase| phase.start_us < 0 && phase.end_us() <= 0 && phase.duration_us >= 0);
    let columns = Columns::of(phases);
    let mut text = String::new();
    if !within.is_empty() {
        // A figure within its own uncertainty (whole seconds of a server's date) must not stretch it.
        let known = within.iter().filter(|phase| phase.is_known());
        let ends = known.flat_map(|phase| [phase.start_us, phase.end_us()]);
        let axis = Axis {
            from_us: ends.clone().min().unwrap_or(0).min(0),
            to_us: ends.max().unwrap_or(0).max(i64::try_from(total_us).unwrap_or(i64::MAX)),
            width: terminal.width.saturating_sub(columns.width() + 4).max(10),
        };
        for phase in &within {
            let bar = axis.bar(phase);
            text.push_str(&columns.line(phase, &terminal.paint(tone(phase), bar.trim_end())));
        }
        text.push_str(&axis.legend(&columns, &within, terminal));
    }
    if !before.is_empty() {
        let heading = "  before the start, on connections that are kept:";
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!("{}\n", terminal.paint(Tone::Faint, heading)));
        for phase in before {
            text.push_str(&columns.line(phase, ""));
        }
    }
    text
}

fn tone(phase: &Phase) -> Tone {
    if phase.duration_us < 0 || !phase.is_known() { Tone::Doubtful } else { Tone::Good }
}

/// The widths of name, start and duration.
struct Columns {
    name: usize,
    start: usize,
    duration: usize,
}

impl Columns {
    fn of(phases: &[Phase]) -> Self {
        let widest = |text: fn(&Phase) -> String| {
            phases.iter().map(|phase| text(phase).chars().count()).max().unwrap_or(0)
        };
        Self {
            name: widest(shown_name),
            start: widest(|phase| duration(phase.start_us)),
            duration: widest(shown_duration),
        }
    }

    /// From the left edge to the bar.
    const fn width(&self) -> usize {
        2 + self.name + 2 + self.start + 2 + self.duration + 2
    }

    fn line(&self, phase: &Phase, bar: &str) -> String {
        let line = format!(
            "  {:<name$}  {:>start$}  {:<duration$}  {bar}",
            shown_name(phase),
            duration(phase.start_us),
            shown_duration(phase),
            name = self.name,
            start = self.start,
            duration = self.duration,
        );
        format!("{}\n", line.trim_end())
    }
}

fn shown_name(phase: &Phase) -> String {
    on_one_line(&phase.name)
}

/// `4.21 ms` or `4.21 ms ± 500 µs`.
fn shown_duration(phase: &Phase) -> String {
    match i64::try_from(phase.uncertainty_us).unwrap_or(i64::MAX) {
        0 => duration(phase.duration_us),
        uncertainty_us => format!("{} ± {}", duration(phase.duration_us), duration(uncertainty_us)),
    }
}

struct Axis {
    from_us: i64,
    to_us: i64,
    width: usize,
}

impl Axis {
    fn bar(&self, phase: &Phase) -> String {
        let (start, end) = (phase.start_us, phase.end_us());
        let solid = self.cell(start.min(end))..self.cell_after(start.max(end));
        let uncertainty_us = i64::try_from(phase.uncertainty_us).unwrap_or(i64::MAX);
        let uncertain = match uncertainty_us {
            0 => 0..0,
            us => self.cell(end.saturating_sub(us))..self.cell_after(end.saturating_add(us)),
        };
        let mark = if phase.duration_us < 0 { BACKWARDS } else { SOLID };
        (0..self.width)
            .map(|cell| match (solid.contains(&cell), uncertain.contains(&cell)) {
                // A figure within its own uncertainty is all uncertain.
                (true, _) if phase.is_known() => mark,
                (true, _) => UNCERTAIN,
                (false, true) => UNCERTAIN,
                (false, false) => ' ',
            })
            .collect()
    }

    /// The cell in which a time lies.
    fn cell(&self, us: i64) -> usize {
        let range = i128::from(self.to_us) - i128::from(self.from_us);
        let after = (i128::from(us) - i128::from(self.from_us)).clamp(0, range);
        let width = i128::try_from(self.width).unwrap_or(i128::MAX);
        let cell = after * width / range.max(1);
        usize::try_from(cell).unwrap_or(0).min(self.width.saturating_sub(1))
    }

    /// The cell after a bar that ends then; every bar has one cell at least.
    fn cell_after(&self, us: i64) -> usize {
        self.cell(us) + 1
    }

    fn legend(&self, columns: &Columns, phases: &[&Phase], terminal: &Terminal) -> String {
        let (from, to) = (duration(self.from_us), duration(self.to_us));
        let used = from.chars().count() + to.chars().count();
        let rule = "─".repeat(self.width.saturating_sub(used + 2).max(1));
        let scale = format!("{}{from} {rule} {to}", " ".repeat(columns.width()));
        let mut text = format!("{}\n", terminal.paint(Tone::Faint, &scale));
        let mut note =
            |line: &str| text.push_str(&format!("  {}\n", terminal.paint(Tone::Faint, line)));
        if phases.iter().any(|phase| phase.duration_us < 0 && phase.is_known()) {
            note("◀ the end was seen before the start, by clocks or on connections of their own");
        }
        if phases.iter().any(|phase| phase.uncertainty_us > 0) {
            note("± and ░ the end is known to within this");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::report::samples::phase;

    fn drawn(phases: &[Phase], total_us: u64) -> String {
        waterfall(phases, total_us, &Terminal { width: 72, colours: false })
    }

    #[test]
    fn negative_and_uncertain_phases_are_shown_as_they_are() {
        let phases = [
            phase("data", 0, 20_000, 0),
            phase("transit", 20_000, -5_000, 0),
            phase("arrival", 20_000, 10_000, 4_000),
            phase("store", 20_000, 1_000, 2_000),
            phase("imap.connect", -90_000, 300, 0),
        ];
        insta::assert_snapshot!(drawn(&phases, 30_000), @r"
        data              0 µs  20.0 ms            ████████████████
        transit        20.0 ms  -5.00 ms                      ◀◀◀◀◀
        arrival        20.0 ms  10.0 ms ± 4.00 ms                 ████████
        store          20.0 ms  1.00 ms ± 2.00 ms                ░░░░
                                                   0 µs ────────── 30.0 ms
        ◀ the end was seen before the start, by clocks or on connections of their own
        ± and ░ the end is known to within this

        before the start, on connections that are kept:
        imap.connect  -90.0 ms  300 µs
        ");
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert_eq!(drawn(&[], 0), "");
    }

    proptest::proptest! {
        #[test]
        fn no_phase_breaks_the_picture(
            figures in proptest::collection::vec(
                (proptest::num::i64::ANY, proptest::num::i64::ANY, proptest::num::u64::ANY), 0..5),
            total_us in proptest::num::u64::ANY,
        ) {
            let phases: Vec<_> = figures.iter().map(|(s, d, u)| phase("x", *s, *d, *u)).collect();
            drawn(&phases, total_us);
        }
    }
}
