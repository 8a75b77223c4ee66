//! What the live screen shows as a text: one incident, one run, and the help. Pure.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::chart::waterfall;
use super::model::{Model, Place};
use crate::cli::figures::{duration, time_to_the_second};
use crate::cli::incidents::shown as incident_shown;
use crate::cli::observations::found;
use crate::cli::terminal::Terminal;
use crate::query::ObservationAnswer;
use crate::text::one_line;

/// Lines of a transcript at most.
const MOST_LINES: usize = 2_000;

/// Lines around a text: what is wrong, where one is, which keys there are.
const AROUND: usize = 4;

/// How many lines of a text are seen at once.
pub(super) fn height(model: &Model) -> usize {
    usize::from(model.size.1).saturating_sub(AROUND).max(1)
}

/// The text of the place; empty where it is a list.
pub(super) fn lines(model: &Model) -> Vec<String> {
    let width = usize::from(model.size.0).max(1);
    let text = match model.place() {
        Place::Incident(number) => incident(model, *number),
        Place::Run(series, epoch, sequence) => match model.run_of(series, epoch, *sequence) {
            Some(run) => self::run(model, run, width),
            None => vec!["this run is not among the last ones any more".to_owned()],
        },
        _ => Vec::new(),
    };
    text.iter().flat_map(|line| wrapped(line, width)).collect()
}

fn incident(model: &Model, number: u64) -> Vec<String> {
    let Some(answer) = model.incident.as_ref().filter(|it| it.incident.number == number) else {
        return vec!["asking …".to_owned()];
    };
    let terminal = Terminal {
        is_terminal: true,
        width: model.size.0.max(20),
        colours: false,
        zone: model.zone.clone(),
    };
    incident_shown(answer, &terminal).lines().map(indented).collect()
}

/// A run: what came of it, its phases, what was learnt, what was said.
fn run(model: &Model, run: &ObservationAnswer, width: usize) -> Vec<String> {
    let now = model.status.as_ref().map_or(model.now, |status| status.now);
    let took = duration(i64::try_from(run.total_us).unwrap_or(i64::MAX));
    let slot = time_to_the_second(run.scheduled_for, now, &model.zone);
    let mut text = vec![
        format!("{} at {} ({}), slot {slot}", run.check, run.agent, run.kind),
        format!("{}, took {took}: {}", run.verdict, found(run)),
    ];
    if let Some(fault) = run.fault.as_ref().filter(|fault| !fault.reply.is_empty()) {
        text.push(format!("the server said: {}", fault.reply));
    }
    text.push(String::new());
    text.extend(waterfall(run, width));
    if !run.findings.is_empty() {
        text.push(String::new());
    }
    for finding in &run.findings {
        text.push(format!("{} {}: {}", finding.severity, finding.rule, finding.evidence));
        text.push(format!("    {} ({})", finding.advice, finding.source));
    }
    if !run.facts.is_empty() {
        text.push(String::new());
    }
    text.extend(run.facts.iter().map(|fact| format!("{}: {}", fact.name, fact.value)));
    if !run.transcript.is_empty() {
        text.extend([String::new(), "what was said".to_owned()]);
    }
    text.extend(run.transcript.lines().take(MOST_LINES).map(str::to_owned));
    text.iter().map(|line| indented(line)).collect()
}

/// Harmless, with the blanks that it begins with.
fn indented(line: &str) -> String {
    let blanks = line.len() - line.trim_start_matches(' ').len();
    format!("{}{}", " ".repeat(blanks), one_line(line))
}

/// The line in parts of so many columns, broken at blanks where there are any.
pub(super) fn wrapped(line: &str, width: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = line;
    while rest.width() > width {
        let (mut taken, mut end, mut blank) = (0, 0, None);
        for (at, c) in rest.char_indices() {
            taken += c.width().unwrap_or_default();
            if taken > width {
                break;
            }
            end = at + c.len_utf8();
            if c == ' ' && at > 0 {
                blank = Some(at);
            }
        }
        // a character that is wider than all there is stays alone
        let first = rest.chars().next().map_or(1, char::len_utf8);
        let is_blank_next = rest.get(end..).is_some_and(|rest| rest.starts_with(' '));
        let cut = if is_blank_next { end } else { blank.unwrap_or(end) }.max(first);
        let (part, after) = rest.split_at_checked(cut).unwrap_or((rest, ""));
        parts.push(part.trim_end().to_owned());
        rest = after.trim_start();
    }
    if !rest.is_empty() || parts.is_empty() {
        parts.push(rest.to_owned());
    }
    parts
}

/// What the keys do.
pub(super) const HELP: &[&str] = &[
    "up, down, j, k    move; page up, page down, home, end: further",
    "tab, 1, 2, 3      services, vantage points, incidents",
    "enter, right, l   closer: service > site > check > run; incident",
    "esc, left, h      back",
    "a                 acknowledge the incident, with a note; asks first",
    "/                 only rows with a text; esc shows all again",
    "s                 sort: worst first, by name, slowest first",
    "r                 ask now; each second it is asked anyway",
    "ctrl-l            draw all anew",
    "q, ctrl-c         quit",
    "",
    "last runs: how long each took, from nothing to the longest of them,",
    "the newest at the right; × failed, · could not be judged",
    "p50: half of the last 15 minutes' runs took no longer",
    "usual: the same in this hour of the last 7 days",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_blanks() {
        for (line, width, expected) in [
            ("", 5, &[""][..]),
            ("abc def", 7, &["abc def"]),
            ("abc def", 6, &["abc", "def"]),
            ("abc def", 3, &["abc", "def"]),
            ("abcdef", 3, &["abc", "def"]),
            ("    in a b", 6, &["    in", "a b"]),
            ("郵便郵便", 5, &["郵便", "郵便"]),
            ("郵便", 1, &["郵", "便"]),
        ] {
            assert_eq!(wrapped(line, width), expected, "{line} {width}");
        }
    }
}
