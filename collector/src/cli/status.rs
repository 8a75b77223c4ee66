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

pub(super) use sentence::{in_words, void_in_words};

/// How often `--watch` looks.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// Rows that `--watch` shows at most, the worst first: what does not fit a screen cannot be redrawn.
const WATCH_ROWS: usize = 40;
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
    let answer = client::ask::<StatusAnswer>(&setting.folder, path::STATUS).await?;
    let text = if setting.json {
        format!("{}\n", answer.raw)
    } else {
        shown(&answer.value, &setting.terminal, usize::MAX)
    };
    say(&text)?;
    let works = answer.value.state == State::Up;
    Ok(if works || !arguments.exit_code { Ending::Done } else { Ending::Failing })
}

/// Redraws until Ctrl-C. A collector that is being restarted is waited for.
async fn watch(setting: &Setting) -> anyhow::Result<Ending> {
    let mut due = tokio::time::interval(WATCH_EVERY);
    let mut screen = Screen { is_terminal: setting.terminal.is_terminal, is_begun: false };
    loop {
        tokio::select! {
            pressed = tokio::signal::ctrl_c() => {
                pressed?;
                return Ok(Ending::Done);
            }
            _ = due.tick() => {}
        }
        let answer = client::ask::<StatusAnswer>(&setting.folder, path::STATUS).await;
        let text = match answer {
            Ok(answer) if setting.json => format!("{}\n", answer.raw),
            // A width that changes is followed.
            Ok(answer) => shown(&answer.value, &Terminal::standard(), WATCH_ROWS),
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

/// The answer for people; of more than `rows` checks the best are left out.
fn shown(answer: &StatusAnswer, terminal: &Terminal, rows: usize) -> String {
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
    let left_out = checks.len().saturating_sub(rows);
    checks.truncate(rows);
    text.push('\n');
    text.push_str(&table(answer, &checks, terminal));
    if left_out > 0 {
        text.push_str(&format!("and {left_out} more, none of them worse\n"));
    }
    text.push_str(&faults(answer, &checks, terminal));
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

fn table(answer: &StatusAnswer, rows: &[CheckRow<'_>], terminal: &Terminal) -> String {
    let heads = [
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
    let mut table = terminal.table(heads);
    for (vantage, check) in rows {
        let Some(check) = check else {
            table.add_row([words(&vantage.name), words(UNKNOWN), state(vantage.state)]);
            continue;
        };
        let since = check.since.map(|at| figures::since(at, answer.now, &terminal.zone));
        let last_us = check.last_round_trip_us.map(|us| i64::try_from(us).unwrap_or(i64::MAX));
        let (works, known) = availability(check.availability_24h);
        let (now, usual) = (check.round_trip, check.usual_round_trip);
        table.add_row([
            words(&vantage.name),
            words(&check.check),
            state(check.state),
            words(since.unwrap_or_else(|| UNKNOWN.into())),
            figure(maybe(last_us)),
            pace(now.p50_us, usual.p50_us, now),
            pace(now.p95_us, usual.p95_us, now),
            words(works),
            figure(known),
        ]);
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
fn pace(now_us: Option<i64>, usual_us: Option<i64>, of: Spread) -> comfy_table::Cell {
    let text = match (now_us, usual_us) {
        (None, None) => UNKNOWN.to_owned(),
        (Some(now), None) => duration(now),
        (None, Some(usual)) => format!("{UNKNOWN}, usual {}", duration(usual)),
        (Some(now), Some(usual)) => format!("{}, usual {}", duration(now), duration(usual)),
    };
    let is_slow = of.runs >= 3
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

/// The last fault of everything that is not up, in words.
fn faults(answer: &StatusAnswer, rows: &[CheckRow<'_>], terminal: &Terminal) -> String {
    let mut text = String::new();
    for (vantage, check) in rows {
        let Some(check) = check.filter(|check| check.state != State::Up) else { continue };
        let place = format!("{} {}", vantage.name, check.check);
        let time = |at| figures::time(at, answer.now, &terminal.zone);
        if let Some(fault) = check.last_fault.as_ref() {
            let said = match printable(&fault.reply) {
                reply if reply.is_empty() => String::new(),
                reply => format!("\n  the server said: {reply}"),
            };
            let words = printable(&in_words(fault));
            text.push_str(&format!("\n{place}, last fault {}: {words}{said}\n", time(fault.at)));
        }
        let void = check.last_void.as_ref();
        if let Some(void) = void.filter(|void| Some(void.at) == check.last_run_at) {
            let words = printable(&void_in_words(void));
            text.push_str(&format!("\n{place}, not judged {}: {words}\n", time(void.at)));
        }
    }
    text
}

#[cfg(test)]
mod tests;
