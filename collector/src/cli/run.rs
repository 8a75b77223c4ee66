//! `run`: a check at once, and what comes of it as it comes.

use super::figures::duration;
use super::observations::found;
use super::progress::Progress;
use super::terminal::{Terminal, Tone, complain, printable, say};
use super::{Ending, Setting, client};
use crate::api::path;
use crate::fleet::{RunLine, RunWish};

#[derive(Debug, clap::Args)]
pub(super) struct RunArguments {
    /// The check's name
    check: String,
    /// Only on agents that this selects, such as site=durban or name=branch-*
    #[arg(long, value_name = "SELECTOR")]
    on: Option<String>,
}

/// How many runs ended how.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    void: usize,
    without: usize,
}

pub(super) async fn run(setting: &Setting, arguments: &RunArguments) -> anyhow::Result<Ending> {
    let wish = RunWish { check: arguments.check.clone(), on: arguments.on.clone() };
    let mut tally = Tally::default();
    let Setting { collector, terminal, json, .. } = setting;
    let progress = Progress::counting("runs");
    let asked = client::send_for_lines(collector, path::RUNS, &wish, |raw, line: RunLine| {
        tally.count(&line);
        match &line {
            RunLine::Asked { agents } => progress.expect(u64::try_from(*agents).unwrap_or(0)),
            _ => progress.more(1),
        }
        let text = if *json { format!("{raw}\n") } else { shown(&line, terminal) };
        progress.beside(|| say(&text))
    });
    progress.during(asked).await?;
    drop(progress);
    if !json {
        complain(&tally.words());
    }
    Ok(if tally.failed + tally.without > 0 { Ending::Failing } else { Ending::Done })
}

impl Tally {
    fn count(&mut self, line: &RunLine) {
        match line {
            RunLine::Asked { .. } => {}
            RunLine::Refused { .. } | RunLine::Overdue { .. } => self.without += 1,
            RunLine::Observed(observation) => match observation.verdict.as_str() {
                "pass" => self.passed += 1,
                "fail" => self.failed += 1,
                _ => self.void += 1,
            },
        }
    }

    fn words(&self) -> String {
        let Self { passed, failed, void, without } = self;
        let mut words = format!("{passed} passed, {failed} failed");
        for (many, what) in [(void, "could not be judged"), (without, "without a run")] {
            if *many > 0 {
                words.push_str(&format!(", {many} {what}"));
            }
        }
        words
    }
}

fn shown(line: &RunLine, terminal: &Terminal) -> String {
    let told = |agent: &str, tone, verdict: &str, words: &str| {
        let (agent, words) = (printable(agent), printable(words));
        let verdict = terminal.paint(tone, &format!("{verdict:<7}"));
        format!("{agent:<20} {verdict} {words}").trim_end().to_owned() + "\n"
    };
    match line {
        RunLine::Asked { .. } => String::new(),
        RunLine::Refused { agent, reason } => told(agent, Tone::Doubtful, "no run", reason),
        RunLine::Overdue { agent, what } => told(agent, Tone::Doubtful, "late", what),
        RunLine::Observed(observation) => {
            let tone = match observation.verdict.as_str() {
                "pass" => Tone::Good,
                "fail" => Tone::Bad,
                _ => Tone::Doubtful,
            };
            let took = duration(i64::try_from(observation.total_us).unwrap_or(i64::MAX));
            let words = match found(observation) {
                words if words.is_empty() => took,
                words => format!("{took}; {words}"),
            };
            told(&observation.agent, tone, &observation.verdict, &words)
        }
    }
}
