//! Windows as people read them.

use jiff::Timestamp;

use super::super::figures::{UNKNOWN, roughly};
use super::super::terminal::{Terminal, Tone, cell, figure, lines, printable, words};
use crate::judge::planned::WindowState;
use crate::query::planned::{
    AcceptanceAnswer, AffectedAnswer, DoneAnswer, ReadinessAnswer, TimeAnswer, WindowAnswer,
    WindowsAnswer,
};

/// Services that are named one by one.
const MOST_SERVICES: usize = 20;
/// Failures of an acceptance run that are shown one by one.
const MOST_FAILURES: usize = 10;

/// Every window, a line each.
pub(super) fn list(answer: &WindowsAnswer, terminal: &Terminal) -> String {
    if answer.windows.is_empty() {
        return "no maintenance is planned: `mailsonde-collector maintenance plan --help`\n".into();
    }
    let heads = ["window", "state", "time", "again", "about", "what", "accepted"];
    let mut table = terminal.table(heads);
    for window in &answer.windows {
        table.add_row([
            words(format!("W{}", window.number)),
            cell(tone(window.state), window.state.as_str()),
            words(window.time.map_or_else(
                || UNKNOWN.to_owned(),
                |time| stretch(time, &terminal.of_zone(Some(&window.time_zone))),
            )),
            words(window.every.clone().unwrap_or_default()),
            words(window.scope.words()),
            words(&window.title),
            accepted(window),
        ]);
    }
    lines(&table)
}

fn tone(state: WindowState) -> Tone {
    if state == WindowState::Running { Tone::Doubtful } else { Tone::Plain }
}

fn accepted(window: &WindowAnswer) -> comfy_table::Cell {
    match &window.accepted {
        None if window.acceptance.is_empty() || window.state == WindowState::Cancelled => {
            words(UNKNOWN)
        }
        None if window.state == WindowState::Over => cell(Tone::Doubtful, "no run"),
        None => words("to come"),
        Some(run) if run.failed.is_empty() => cell(Tone::Good, "yes"),
        Some(_) => cell(Tone::Bad, "NO"),
    }
}

fn stamp(at: Timestamp, terminal: &Terminal) -> String {
    at.to_zoned(terminal.zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
}

/// `2026-12-01 22:00 to 23:30 SAST`; with its day where the end has another.
fn stretch(TimeAnswer { from, until }: TimeAnswer, terminal: &Terminal) -> String {
    let (one, other) =
        (from.to_zoned(terminal.zone.clone()), until.to_zoned(terminal.zone.clone()));
    let until = if one.date() == other.date() { "%H:%M %Z" } else { "%Y-%m-%d %H:%M %Z" };
    format!("{} to {}", one.strftime("%Y-%m-%d %H:%M"), other.strftime(until))
}

/// A window that was just planned: what it is, whom it touches, what to look at.
pub(super) fn planned(answer: &ReadinessAnswer, terminal: &Terminal) -> String {
    let window = &answer.window;
    let terminal = &terminal.of_zone(Some(&window.time_zone));
    let time = window.time.map(|time| stretch(time, terminal)).unwrap_or_default();
    let again = window.every.as_ref().map(|every| {
        format!(
            ", and {} times more ({every}, {})",
            window.times_left.saturating_sub(1),
            window.time_zone
        )
    });
    format!(
        "planned W{}: {}, {time}{}\n\n{}",
        window.number,
        printable(&window.title),
        printable(&again.unwrap_or_default()),
        readiness(answer, terminal)
    )
}

/// Whom it touches, and what to look at before it begins.
pub(super) fn readiness(answer: &ReadinessAnswer, terminal: &Terminal) -> String {
    let mut text = affected(&answer.affected, terminal);
    for warning in &answer.warnings {
        text.push_str(&terminal.paint(Tone::Doubtful, &format!("! {}", printable(warning))));
        text.push('\n');
    }
    text
}

fn affected(affected: &[AffectedAnswer], terminal: &Terminal) -> String {
    if affected.is_empty() {
        return String::new();
    }
    let heads = [
        "service",
        "vantage points",
        "left out of agreements",
        "objective",
        "target",
        "budget left",
    ];
    let mut table = terminal.table(heads);
    for service in affected.iter().take(MOST_SERVICES) {
        let left_out = if service.is_left_out { "yes" } else { "no, a part of it goes on" };
        let points = format!("{} of {}", service.vantage_points, service.of);
        let mut first = Some([words(&service.title), figure(points), words(left_out)]);
        let mut row = |objective: [comfy_table::Cell; 3]| {
            let blank = || [words(""), words(""), words("")];
            table.add_row(first.take().unwrap_or_else(blank).into_iter().chain(objective));
        };
        if service.objectives.is_empty() {
            row([words("none"), words(""), words("")]);
        }
        for objective in &service.objectives {
            row([
                words(&objective.name),
                figure(objective.target.to_string()),
                budget(objective.budget_left_ppm),
            ]);
        }
    }
    let more = affected.len().saturating_sub(MOST_SERVICES);
    let more = if more > 0 { format!("and {more} services more\n") } else { String::new() };
    format!("{}{more}", lines(&table))
}

fn budget(left_ppm: Option<i64>) -> comfy_table::Cell {
    match left_ppm {
        None => figure("not known"),
        Some(left) if left <= 0 => cell(Tone::Bad, "none"),
        Some(left) => figure(format!("{}.{} %", left / 10_000, left / 1_000 % 10)),
    }
}

/// What was just done to a window.
pub(super) fn acted(answer: &ReadinessAnswer, terminal: &Terminal) -> String {
    let window = &answer.window;
    let number = window.number;
    let Some(done) = window.history.last() else { return String::new() };
    let until = |at: Option<Timestamp>| at.map(|at| stamp(at, terminal)).unwrap_or_default();
    match done.what.as_str() {
        "extended" => {
            format!(
                "W{number} is over at {}, not at {}\n",
                until(done.until),
                until(done.was_until)
            )
        }
        "ended" if window.acceptance.is_empty() => {
            format!("W{number} is over now; no check is named that must pass after it\n")
        }
        "ended" => {
            format!("W{number} is over now; its acceptance run follows: {}\n", after(window))
        }
        "cancelled" => format!("W{number} is called off\n"),
        _ => format!("the acceptance run of W{number} follows: {}\n", after(window)),
    }
}

fn after(window: &WindowAnswer) -> String {
    format!("`mailsonde-collector maintenance show W{}` tells what came of it", window.number)
}

/// One window, with all that is known of it.
pub(super) fn detailed(answer: &ReadinessAnswer, terminal: &Terminal) -> String {
    let window = &answer.window;
    let time = window.time.map_or_else(
        || UNKNOWN.to_owned(),
        |time| {
            let when = match window.state {
                WindowState::Planned => format!(" (in {})", roughly(answer.now, time.from)),
                WindowState::Running => format!(" ({} to go)", roughly(answer.now, time.until)),
                WindowState::Over | WindowState::Cancelled => String::new(),
            };
            stretch(time, terminal) + &when
        },
    );
    let again = window.every.as_ref().map_or_else(
        || "no".to_owned(),
        |every| {
            let last = window.last_until.map(|last| format!(", until {}", stamp(last, terminal)));
            format!("{every} ({}){}", window.time_zone, last.unwrap_or_default())
        },
    );
    let rows = [
        ("window", format!("W{}", window.number)),
        ("what", window.title.clone()),
        ("state", window.state.as_str().to_owned()),
        ("about", window.scope.words()),
        ("time", time),
        ("again", again),
        ("announcement", window.announcement.clone()),
        ("must pass after", window.acceptance.join(", ")),
        ("planned by", format!("{}, {}", window.planned_by, stamp(window.planned_at, terminal))),
    ];
    let mut text: String = rows
        .iter()
        .map(|(name, value)| format!("{name:16} {}", printable(value)).trim_end().to_owned() + "\n")
        .collect();
    text.push_str(&acceptance(window, terminal));
    for done in window.history.iter().skip(1) {
        text.push_str(&history(done, terminal));
    }
    text.push('\n');
    text.push_str(&affected(&answer.affected, terminal));
    text
}

fn acceptance(window: &WindowAnswer, terminal: &Terminal) -> String {
    let again = format!("`mailsonde-collector maintenance accept W{}`", window.number);
    let Some(AcceptanceAnswer { at, passed, failed, .. }) = &window.accepted else {
        let is_due = window.state == WindowState::Over && !window.acceptance.is_empty();
        let text = format!(
            "no acceptance run yet: agents that are away are waited for, a minute at most; {again} asks for one\n"
        );
        return if is_due { terminal.paint(Tone::Doubtful, &text) } else { String::new() };
    };
    let at = stamp(*at, terminal);
    if failed.is_empty() {
        let yes = terminal.paint(Tone::Good, "accepted");
        return format!("{yes} at {at}: {} passed\n", printable(&passed.join(", ")));
    }
    let mut text = terminal.paint(Tone::Bad, &format!("NOT ACCEPTED at {at}:"));
    text.push('\n');
    for failed in failed.iter().take(MOST_FAILURES) {
        let at =
            if failed.agent.is_empty() { String::new() } else { format!(" at {}", failed.agent) };
        let line = format!("{}{at}: {}", failed.check, failed.why);
        text.push_str(&format!("  {}\n", printable(&line)));
    }
    let more = failed.len().saturating_sub(MOST_FAILURES);
    if more > 0 {
        text.push_str(&format!("  and {more} more\n"));
    }
    text.push_str(&format!("mend what fails, then {again}\n"));
    text
}

fn history(done: &DoneAnswer, terminal: &Terminal) -> String {
    let until = |at: Option<Timestamp>| at.map(|at| stamp(at, terminal)).unwrap_or_default();
    let what = match done.what.as_str() {
        "extended" => {
            format!("until {} instead of {}", until(done.until), until(done.was_until))
        }
        "ended" => format!("ended; it was to last until {}", until(done.was_until)),
        "acceptance_asked" => "its acceptance run asked for again".to_owned(),
        what => what.to_owned(),
    };
    format!("{}  {} by {}\n", stamp(done.at, terminal), what, printable(&done.by))
}
