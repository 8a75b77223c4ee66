//! `status`: one plain sentence, then a table of every check at every vantage point.

mod sentence;

use std::time::Duration;

use anyhow::bail;

use super::figures::{self, UNKNOWN, duration, maybe, percent};
use super::terminal::{Terminal, Tone, cell, figure, lines, printable, say, words};
use super::{Ending, Setting, client};
use crate::api::path;
use crate::query::status::AvailabilityAnswer;
use crate::query::{CheckStatus, Spread, State, StatusAnswer, VantageStatus};

pub(super) use sentence::{in_words, of as sentence, void_in_words};

/// How often `--watch` looks.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// Rows that `--watch` shows at most, the worst first: what does not fit a screen cannot be redrawn.
const WATCH_ROWS: usize = 40;
/// Checks that `--watch` gives the reason for.
const WATCH_REASONS: usize = 5;
/// Figures that lag so many records are said to.
const BEHIND: u64 = 1_000;

#[derive(Debug, clap::Args)]
pub(super) struct StatusArguments {
    /// Redraw every second until Ctrl-C; with --json one line a second
    #[arg(long)]
    watch: bool,
    /// Exit with 1 when mail does not work from every vantage point
    #[arg(long, conflicts_with = "watch")]
    exit_code: bool,
}

pub(super) async fn run(setting: &Setting, arguments: &StatusArguments) -> anyhow::Result<Ending> {
    if arguments.watch {
        return watch(setting).await;
    }
    let answer = client::ask::<StatusAnswer>(&setting.collector, path::STATUS).await?;
    let text = if setting.json {
        format!("{}\n", answer.raw)
    } else {
        shown(&answer.value, &setting.terminal, ALL)
    };
    say(&text)?;
    let works = answer.value.state == State::Up;
    Ok(if works || !arguments.exit_code { Ending::Done } else { Ending::Failing })
}

/// Redraws until Ctrl-C. A collector that is being restarted is waited for.
async fn watch(setting: &Setting) -> anyhow::Result<Ending> {
    let mut due = tokio::time::interval(WATCH_EVERY);
    let most = Most { rows: WATCH_ROWS, reasons: WATCH_REASONS };
    let mut screen = Screen { is_terminal: setting.terminal.is_terminal, is_begun: false };
    loop {
        tokio::select! {
            pressed = tokio::signal::ctrl_c() => {
                pressed?;
                return Ok(Ending::Done);
            }
            _ = due.tick() => {}
        }
        let answer = client::ask::<StatusAnswer>(&setting.collector, path::STATUS).await;
        let text = match answer {
            Ok(answer) if setting.json => format!("{}\n", answer.raw),
            // A width that changes is followed.
            Ok(answer) => shown(&answer.value, &Terminal::standard(), most),
            Err(error) if setting.json || !setting.terminal.is_terminal => bail!(error),
            Err(error) => format!("{error:#}\n"),
        };
        say(&screen.draw(&text))?;
    }
}

/// What stands on the terminal already.
struct Screen {
    is_terminal: bool,
    is_begun: bool,
}

impl Screen {
    /// Draws over what is there, line by line, and clears only what is left: so nothing flickers.
    fn draw(&mut self, text: &str) -> String {
        if !self.is_terminal {
            return text.to_owned();
        }
        let begin = if self.is_begun { "\x1b[H" } else { "\x1b[2J\x1b[H" };
        self.is_begun = true;
        format!("{begin}{}\x1b[J", text.replace('\n', "\x1b[K\n"))
    }
}

/// How much is shown.
#[derive(Clone, Copy)]
struct Most {
    rows: usize,
    reasons: usize,
}

const ALL: Most = Most { rows: usize::MAX, reasons: usize::MAX };

/// The answer for people; where there is more, the best is left out.
fn shown(answer: &StatusAnswer, terminal: &Terminal, most: Most) -> String {
    let tone = match answer.state {
        State::Up => Tone::Good,
        State::Failing => Tone::Bad,
        State::Late | State::Unknown => Tone::Doubtful,
    };
    let said = printable(&sentence::of(answer, &terminal.zone));
    let mut text = format!("{}\n", terminal.paint(tone, &said));
    let behind = answer.collector.records_behind;
    if behind >= BEHIND {
        text.push_str(&format!(
            "the figures are being brought up to date: {behind} records are stored and not in them yet\n"
        ));
    }
    if answer.vantage_points.is_empty() {
        return text;
    }
    let mut checks = rows_of(answer);
    let left_out = checks.len().saturating_sub(most.rows);
    checks.truncate(most.rows);
    text.push('\n');
    text.push_str(&table(answer, &checks, terminal));
    if left_out > 0 {
        text.push_str(&format!("and {left_out} more, none of them worse\n"));
    }
    text.push_str(&reasons(answer, &checks, terminal, most.reasons));
    text
}

/// A row: a vantage point, and one of its checks where it has any.
type CheckRow<'a> = (&'a VantageStatus, Option<&'a CheckStatus>);

/// The worst first, then by name.
fn rows_of(answer: &StatusAnswer) -> Vec<CheckRow<'_>> {
    let mut rows: Vec<CheckRow<'_>> = Vec::new();
    for vantage in &answer.vantage_points {
        rows.extend(vantage.checks.iter().map(|check| (vantage, Some(check))));
        if vantage.checks.is_empty() {
            rows.push((vantage, None));
        }
    }
    rows.sort_by_key(|(vantage, check)| {
        std::cmp::Reverse(check.map_or(vantage.state, |check| check.state))
    });
    rows
}

/// Below this width figures stand closer, and what can be asked for elsewhere is left out.
const WIDE: u16 = 124;

const WIDE_HEADS: [&str; 9] = [
    "vantage point",
    "check",
    "state",
    "since",
    "last",
    "p50 of 15 min",
    "p95 of 15 min",
    "works, of 24 h",
    "known",
];
const NARROW_HEADS: [&str; 7] =
    ["vantage point", "check", "state", "since", "p50 (usual)", "p95 (usual)", "works, 24 h"];

fn table(answer: &StatusAnswer, rows: &[CheckRow<'_>], terminal: &Terminal) -> String {
    let is_wide = terminal.width >= WIDE;
    let heads: &[&str] = if is_wide { &WIDE_HEADS } else { &NARROW_HEADS };
    let mut table = terminal.table(heads.iter().copied());
    for (vantage, check) in rows {
        let Some(check) = check else {
            table.add_row([words(&vantage.name), words(UNKNOWN), state(vantage.state)]);
            continue;
        };
        let (now, zone) = (answer.now, &terminal.zone);
        let since = check.since.map(|at| match is_wide {
            true => figures::since(at, now, zone),
            false => figures::time(at, now, zone),
        });
        let last_us = check.last_round_trip_us.map(|us| i64::try_from(us).unwrap_or(i64::MAX));
        let (works, known) = availability(check.availability_24h);
        let (recent, usual) = (check.round_trip, check.usual_round_trip);
        let pace = |now_us, usual_us| pace((now_us, usual_us), recent, is_wide);
        let mut row = vec![
            words(&vantage.name),
            words(&check.check),
            state(check.state),
            words(since.unwrap_or_else(|| UNKNOWN.into())),
        ];
        row.extend(is_wide.then(|| figure(maybe(last_us))));
        row.push(pace(recent.p50_us, usual.p50_us));
        row.push(pace(recent.p95_us, usual.p95_us));
        row.push(words(works));
        row.extend(is_wide.then(|| figure(known)));
        table.add_row(row);
    }
    lines(&table)
}

fn state(state: State) -> comfy_table::Cell {
    let tone = match state {
        State::Up => Tone::Good,
        State::Failing => Tone::Bad,
        State::Late | State::Unknown => Tone::Doubtful,
    };
    cell(tone, state.as_str())
}

/// Now beside usual; twice as slow as usual stands out.
fn pace(
    (now_us, usual_us): (Option<i64>, Option<i64>),
    recent: Spread,
    is_wide: bool,
) -> comfy_table::Cell {
    let text = match (usual_us.map(duration), is_wide) {
        (None, _) => maybe(now_us),
        (Some(usual), true) => format!("{}, usual {usual}", maybe(now_us)),
        (Some(usual), false) => format!("{} ({usual})", maybe(now_us)),
    };
    let is_slow = recent.runs >= 3
        && now_us.zip(usual_us).is_some_and(|(now, usual)| now > usual.saturating_mul(2));
    cell(if is_slow { Tone::Doubtful } else { Tone::Plain }, text)
}

/// `99.93 %` where it is known exactly, `97.50–99.93 %` where it is not; and how much is known.
fn availability(answer: Option<AvailabilityAnswer>) -> (String, String) {
    let Some(AvailabilityAnswer { lower, upper, coverage }) = answer else {
        return (UNKNOWN.into(), UNKNOWN.into());
    };
    let (low, high) = (percent(lower), percent(upper));
    let works = if low == high { low } else { format!("{}–{high}", low.trim_end_matches(" %")) };
    (works, percent(coverage))
}

/// Why everything that is not up is not, of at most `most` checks, the worst first.
fn reasons(
    answer: &StatusAnswer,
    rows: &[CheckRow<'_>],
    terminal: &Terminal,
    most: usize,
) -> String {
    let time = |at| figures::time(at, answer.now, &terminal.zone);
    let reason = |(vantage, check): &CheckRow<'_>| {
        let check = check.filter(|check| check.state != State::Up)?;
        let place = format!("\n{} {}", vantage.name, check.check);
        let mut text = String::new();
        if let Some(fault) = check.last_fault.as_ref().filter(|_| check.failures_in_a_row > 0) {
            let said = match printable(&fault.reply) {
                reply if reply.is_empty() => String::new(),
                reply => format!("  the server said: {reply}\n"),
            };
            let words = printable(&in_words(fault));
            text = format!("{place}, last fault {}: {words}\n{said}", time(fault.at));
        }
        let void = check.last_void.as_ref();
        if let Some(void) = void.filter(|void| Some(void.at) == check.last_run_at) {
            let words = printable(&void_in_words(void));
            text.push_str(&format!("{place}, not judged {}: {words}\n", time(void.at)));
        }
        Some(text).filter(|text| !text.is_empty())
    };
    rows.iter().filter_map(reason).take(most).collect()
}

#[cfg(test)]
mod tests;
