//! `doctor`: what was looked at on one installation, how each is, and what to do about what is not well. What both
//! ends share of it; what there is to look at, each end knows.
//!
//! Invariants: whatever is read is bounded in size and in time, so that a broken installation costs seconds and no
//! more; a judgement is a function of what was read; what cannot be said is 'not known', never 'ok'. Absent on
//! purpose: mending anything.

pub mod above;
pub mod clock;
pub mod disk;
pub mod files;
pub mod permits;
pub mod process;
pub mod service;
pub mod shell;
pub mod tree;
pub mod version;

mod fold;
mod page;

use std::future::Future;
use std::time::Duration;

use serde::Serialize;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout, timeout_at};

use crate::Clock;

pub use page::{Page, told};

/// One look takes no longer.
pub const WITHIN: Duration = Duration::from_secs(5);

/// All that is asked over the network takes no longer, together with what was read before.
pub const ALTOGETHER: Duration = Duration::from_secs(18);

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// It cannot be said.
    Unknown,
    /// It works, and will not for ever.
    Warning,
    /// Something does not work, or is not safe.
    Problem,
}

impl State {
    /// All of them, the worst first.
    pub const ALL: [Self; 4] = [Self::Problem, Self::Warning, Self::Unknown, Self::Ok];

    /// For people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "not known",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }

    /// What stands before the word, for the eye that runs down a column.
    pub const fn mark(self) -> char {
        match self {
            Self::Ok => '✓',
            Self::Unknown => '?',
            Self::Warning => '!',
            Self::Problem => '✗',
        }
    }
}

/// What a judgement comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// How it is.
    pub state: State,
    /// What was seen, with its figure.
    pub says: String,
    /// What to do, where it is not well: lower case, a command to copy in backticks.
    pub todo: Option<String>,
}

impl Judged {
    /// As it should be.
    pub fn ok(says: impl Into<String>) -> Self {
        Self { state: State::Ok, says: says.into(), todo: None }
    }

    /// It cannot be said.
    pub fn unknown(says: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { state: State::Unknown, says: says.into(), todo: Some(todo.into()) }
    }

    /// It works, and will not for ever.
    pub fn warning(says: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { state: State::Warning, says: says.into(), todo: Some(todo.into()) }
    }

    /// It does not work, or is not safe.
    pub fn problem(says: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { state: State::Problem, says: says.into(), todo: Some(todo.into()) }
    }

    /// Under a name.
    pub fn look(self, id: &'static str, title: impl Into<String>) -> Look {
        let Self { state, says, todo } = self;
        Look { id, of: None, title: title.into(), state, says, todo }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Look {
    /// Stable: `group.what`.
    pub id: &'static str,
    /// Which one, where there are several of an id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// What it is called on the page.
    pub title: String,
    /// How it is.
    pub state: State,
    /// What was seen, with its figure.
    pub says: String,
    /// What to do, where it is not well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub todo: Option<String>,
}

impl Look {
    /// This one of several.
    #[must_use]
    pub fn of(mut self, which: impl Into<String>) -> Self {
        self.of = Some(which.into());
        self
    }

    /// What stands before the first dot of its id.
    pub fn group(&self) -> &'static str {
        self.id.split('.').next().unwrap_or(self.id)
    }
}

/// Everything that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The program and its version.
    pub program: String,
    /// The folder that it was about.
    pub data: String,
    /// The worst of all.
    pub state: State,
    /// Each, by group.
    pub looks: Vec<Look>,
}

impl Report {
    /// What these looks come to; of many of one sort, the worst are kept and the rest is counted.
    pub fn new(program: &str, data: String, looks: Vec<Look>) -> Self {
        let state = looks.iter().map(|look| look.state).max().unwrap_or(State::Unknown);
        Self { program: program.to_owned(), data, state, looks: fold::folded(looks) }
    }

    /// Puts what was given on the command line behind a beginning of commands that are for here, wherever one is told.
    #[must_use]
    pub fn with(mut self, beginning: &str, given: &str) -> Self {
        let (without, with) = (format!("`{beginning}"), format!("`{beginning} {given}"));
        for todo in self.looks.iter_mut().filter_map(|look| look.todo.as_mut()) {
            // those that have it already have it once
            *todo = todo.replace(&with, &without).replace(&without, &with);
        }
        self
    }

    /// Whether anything is wrong, beyond warnings.
    pub fn has_problem(&self) -> bool {
        self.state == State::Problem
    }
}

/// Waits for what reads the disk or another slow thing; `None` where that takes too long or breaks. What hangs stays
/// behind: whoever ends the runtime must not wait for it.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    timeout(WITHIN, spawn_blocking(work)).await.ok()?.ok()
}

/// Waits for something; `None` where that takes too long.
pub async fn within<T>(work: impl Future<Output = T>) -> Option<T> {
    timeout(WITHIN, work).await.ok()
}

/// Until when everything is to have ended that begins now.
pub fn deadline() -> Instant {
    Clock::system().monotonic() + ALTOGETHER
}

/// Waits for something until everything is to have ended; `None` where that is too early for it.
pub async fn until<T>(deadline: Instant, work: impl Future<Output = T>) -> Option<T> {
    timeout_at(deadline, work).await.ok()
}

/// Of many that are asked, those that nobody had time for.
pub fn left_out(asked: usize, all: usize) -> Option<Judged> {
    let left = all.checked_sub(asked).filter(|left| *left > 0)?;
    let says = format!("{left} of {all} were not looked at: there was no time left");
    Some(Judged::unknown(says, "mend those that take long, then look again"))
}

/// What did not end in time.
pub fn late(what: &str) -> Judged {
    let says = format!("{what} took longer than {} s", WITHIN.as_secs());
    Judged::unknown(says, "look whether the disk and the network of this machine are well")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_counts_and_what_is_not_known_is_no_problem() {
        let look = |state| Look { state, ..Judged::ok("").look("a.b", "a") };
        for (states, worst) in [
            (&[][..], State::Unknown),
            (&[State::Ok], State::Ok),
            (&[State::Ok, State::Unknown], State::Unknown),
            (&[State::Warning, State::Unknown], State::Warning),
            (&[State::Warning, State::Problem, State::Ok], State::Problem),
        ] {
            let looks = states.iter().copied().map(look).collect();
            assert_eq!(Report::new("p", String::new(), looks).state, worst, "{states:?}");
        }
    }

    #[test]
    fn commands_name_what_was_given() {
        for (told, expected) in [
            ("`a init`, `a b`", "`a --data /d init`, `a --data /d b`"),
            ("`a --data /d init`; `sudo a c`", "`a --data /d init`; `sudo a c`"),
            ("a b", "a b"),
        ] {
            let report =
                Report::new("p", String::new(), vec![Judged::problem("x", told).look("a.b", "a")]);
            let todo = report.with("a", "--data /d").looks.remove(0).todo;
            assert_eq!(todo.as_deref(), Some(expected));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_waited_for_for_ever() {
        assert_eq!(within(std::future::pending::<()>()).await, None);
        assert_eq!(within(async { 7 }).await, Some(7));
        let end = deadline();
        assert_eq!(until(end, std::future::pending::<()>()).await, None);
        assert_eq!(until(end + WITHIN, async { 7 }).await, Some(7));
    }

    #[test]
    fn those_that_nobody_had_time_for_are_counted() {
        assert_eq!(left_out(3, 3), None);
        let judged = left_out(2, 300).unwrap();
        assert_eq!(judged.state, State::Unknown);
        assert!(judged.says.starts_with("298 of 300"), "{}", judged.says);
    }

    #[tokio::test]
    async fn what_breaks_is_not_known() {
        assert_eq!(blocking(|| 7).await, Some(7));
        assert_eq!(blocking(|| -> u8 { panic!("a test") }).await, None);
    }
}
