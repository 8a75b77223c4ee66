//! The small charts of the live screen: the last runs of a check in one line, and a run's phases as a waterfall. Pure.

use super::model::{Ending, Mark};
use super::sheet::fit;
use crate::cli::figures::{UNKNOWN, duration};
use crate::query::ObservationAnswer;
use crate::text::one_line;
use unicode_width::UnicodeWidthStr;

/// From low to high.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// A run that failed, and one that could not be judged.
const FAILED: char = '×';
const VOID: char = '·';

/// The newest `width` runs, the newest at the right: how long each took, from nothing to the longest of them; `×` where one
/// failed, `·` where it could not be judged.
pub(super) fn small<'m>(marks: impl DoubleEndedIterator<Item = &'m Mark>, width: usize) -> String {
    let mut seen: Vec<Ending> = marks.rev().take(width).map(|mark| mark.ending).collect();
    seen.reverse();
    let took = |ending: &Ending| if let Ending::Passed(us) = ending { Some(*us) } else { None };
    let longest = seen.iter().filter_map(took).max().unwrap_or_default().max(1);
    let level = |us: u64| {
        let at = us.saturating_mul(8).saturating_sub(1) / longest;
        LEVELS.get(usize::try_from(at).unwrap_or_default()).copied().unwrap_or('█')
    };
    seen.iter()
        .map(|ending| match ending {
            Ending::Passed(us) => level(*us),
            Ending::Failed => FAILED,
            Ending::Void => VOID,
        })
        .collect()
}

/// Columns for the name of a phase at most.
const NAME: usize = 16;
/// Columns for its figures: when it began, how long it took.
const FIGURES: usize = 22;
/// A bar needs so many columns to say anything.
const BAR: usize = 8;

/// A run's phases, a line each, with a bar from when it began to when it ended, on one scale.
pub(super) fn waterfall(run: &ObservationAnswer, width: usize) -> Vec<String> {
    let total = i64::try_from(run.total_us).unwrap_or(i64::MAX);
    let starts = run.phases.iter().map(|phase| phase.start_us);
    let ends = run.phases.iter().map(|phase| phase.start_us.saturating_add(phase.duration_us));
    let from = starts.clone().chain(ends.clone()).min().unwrap_or_default().min(0);
    let to = starts.chain(ends).max().unwrap_or_default().max(total);
    let names = run.phases.iter().map(|phase| one_line(&phase.name).width());
    let name_width = names.max().unwrap_or_default().clamp(5, NAME);
    let room = width.saturating_sub(name_width + FIGURES + 4);
    let mut lines = Vec::new();
    if run.phases.is_empty() {
        return vec!["no phase was timed".to_owned()];
    }
    lines.push(format!("{:<name_width$}  {:>10}  {:>10}", "phase", "began at", "took"));
    for phase in &run.phases {
        let name = fit(&one_line(&phase.name), name_width);
        let blanks = " ".repeat(name_width.saturating_sub(name.width()));
        // what is less than its own uncertainty says nothing
        let took = if phase.is_known() { duration(phase.duration_us) } else { UNKNOWN.to_owned() };
        let began = duration(phase.start_us);
        let mut line = format!("{name}{blanks}  {began:>10}  {took:>10}");
        if room >= BAR && phase.is_known() {
            let end = phase.start_us.saturating_add(phase.duration_us);
            let bar = bar((phase.start_us.min(end), phase.start_us.max(end)), (from, to), room);
            line.push_str(&format!("  {bar}"));
        }
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// Blanks, and a bar from one time to another, of a scale that takes `width` columns; it is never less than a thin line.
fn bar((begin, end): (i64, i64), (from, to): (i64, i64), width: usize) -> String {
    let columns = i128::try_from(width).unwrap_or_default();
    let span = i128::from(to).saturating_sub(i128::from(from)).max(1);
    let place = |at: i64| {
        let eighths = (i128::from(at) - i128::from(from)) * columns * 8 / span;
        usize::try_from(eighths).unwrap_or_default()
    };
    let (begin, end) = (place(begin), place(end));
    let first = (begin / 8).min(width.saturating_sub(1));
    let last = end.div_ceil(8).clamp(first + 1, width.max(first + 1));
    let is_thin = end.saturating_sub(begin) < 8;
    let shape = if is_thin { "▏".to_owned() } else { "█".repeat(last - first) };
    format!("{}{shape}", " ".repeat(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_runs_are_a_line() {
        let mark = |second: i64, ending| Mark {
            at: jiff::Timestamp::from_second(second).unwrap(),
            ending,
        };
        let marks = [
            mark(1, Ending::Passed(9_000)),
            mark(2, Ending::Passed(100)),
            mark(3, Ending::Passed(50)),
            mark(4, Ending::Failed),
            mark(5, Ending::Void),
            mark(6, Ending::Passed(0)),
            mark(7, Ending::Passed(25)),
        ];
        for (width, expected) in [(6, "█▄×·▁▂"), (3, "·▁█"), (0, ""), (99, "█▁▁×·▁▁")]
        {
            assert_eq!(small(marks.iter(), width), expected, "{width}");
        }
        assert_eq!(small([].iter(), 5), "");
    }

    #[test]
    fn bars_stand_where_they_belong() {
        for (part, scale, width, expected) in [
            ((0, 50), (0, 100), 10, "█████"),
            ((50, 100), (0, 100), 10, "     █████"),
            ((0, 1), (0, 100), 10, "▏"),
            ((100, 100), (0, 100), 10, "         ▏"),
            ((-50, 0), (-50, 50), 10, "█████"),
            ((0, 0), (0, 0), 10, "▏"),
            ((i64::MIN, i64::MAX), (i64::MIN, i64::MAX), 3, "███"),
        ] {
            assert_eq!(bar(part, scale, width), expected, "{part:?} of {scale:?}");
        }
    }
}
