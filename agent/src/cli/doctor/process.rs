//! Whether the agent runs, by whom, and by which program; and whether this machine's time passes evenly.

use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::WallTime;
use mailsonde_proto::doctor::process::Holder;
use mailsonde_proto::doctor::service::Service;
use mailsonde_proto::doctor::shell::quoted;
use mailsonde_proto::doctor::{Judged, Look, State, blocking};
use mailsonde_proto::file::is_odd;
use mailsonde_proto::time::{Instant, as_signed_us};

use super::subject::Subject;
use crate::app::vital::{STALE_AFTER, age};

/// The unit that the package brings.
pub(super) const UNIT: &str = "mailsonde-agent.service";
/// The outbox's lock.
pub(super) const LOCK: &str = "lock";
/// The sign of life.
const ALIVE: &str = "alive";
/// Clocks that differ by more over a few seconds were set in between.
const JUMP_US: u64 = 500_000;

/// What is known of the agent that runs with this data folder.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Who has the outbox's lock.
    holder: Option<Holder>,
    /// How old its sign of life is; why there is none.
    age: Option<Result<Duration, String>>,
}

/// Whether an agent runs, be it well or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runs {
    Yes,
    /// It ended just now, or is in another container.
    Perhaps,
    No,
}

impl Held {
    /// Whether an agent runs.
    pub(super) fn runs(&self) -> Runs {
        match (self.holder.is_some(), self.is_fresh()) {
            (true, _) => Runs::Yes,
            (false, true) => Runs::Perhaps,
            (false, false) => Runs::No,
        }
    }

    fn is_fresh(&self) -> bool {
        matches!(self.age, Some(Ok(age)) if age <= STALE_AFTER)
    }
}

/// Looks who has the data folder.
pub(super) async fn held(subject: &Arc<Subject>) -> Held {
    let subject = Arc::clone(subject);
    let read = move || Held {
        holder: Holder::of(&subject.data.join(LOCK)),
        age: Some(match is_odd(&subject.data.join(ALIVE)) {
            true => Err(format!("{ALIVE} is no file")),
            false => age(&subject.data, subject.clock.wall()),
        }),
    };
    blocking(read).await.unwrap_or_default()
}

/// What there is to say of it.
pub(super) fn looks(subject: &Subject, held: &Held) -> Vec<Look> {
    let instead = subject.service.as_ref().map(|service| service.instead_of(subject.us));
    let mut by_hand = instead.unwrap_or_default();
    by_hand.push_str(&format!("mailsonde-agent run --data {}", quoted(&subject.data)));
    if subject.is_named {
        by_hand.push_str(&format!(" --config {}", quoted(&subject.file)));
    }
    let running = running(held, &by_hand);
    let by_root = held.holder.as_ref().and_then(|it| it.by_root(subject.service.as_ref()));
    let running = if running.state == State::Ok { by_root.unwrap_or(running) } else { running };
    let mut looks = vec![
        user(subject).look("process.user", "this command"),
        running.look("process.running", "agent"),
    ];
    if let Some(is_replaced) = held.holder.as_ref().and_then(|holder| holder.is_replaced) {
        let unit = held.holder.as_ref().and_then(|holder| holder.unit.as_deref());
        looks.push(program(is_replaced, unit).look("process.program", "its program"));
    }
    looks
}

fn user(subject: &Subject) -> Judged {
    let name = subject.us.name();
    if subject.may_look {
        return Judged::ok(format!("run by {name}, who may look at everything"));
    }
    let whose = subject.service.as_ref().map_or_else(|| "the service".to_owned(), Service::name);
    let says = format!("run by {name}, who may not see what is {whose}'s");
    Judged::unknown(says, format!("`{}`", subject.as_root))
}

fn running(held: &Held, by_hand: &str) -> Judged {
    let (by, restart) = match held.holder.as_ref().and_then(|holder| holder.unit.as_deref()) {
        Some(unit) => (format!("under systemd as {unit}"), format!("`systemctl restart {unit}`")),
        None => ("not under systemd".to_owned(), "end it and start it again".to_owned()),
    };
    let pid = held.holder.as_ref().and_then(|holder| holder.pid);
    let who = pid.map_or_else(|| "it runs".to_owned(), |pid| format!("process {pid}"));
    let log = format!("see its log (`journalctl -u {UNIT} -n 50`), then {restart}");
    match (&held.age, held.runs() != Runs::No) {
        (Some(Ok(age)), _) if *age <= STALE_AFTER && held.holder.is_none() => Judged::unknown(
            format!(
                "nobody is seen to have its outbox, and its last sign of life is {} s old: it ended just now, or \
                 runs in another container",
                age.as_secs()
            ),
            "look again in a minute",
        ),
        (Some(Ok(age)), true) if *age <= STALE_AFTER => {
            Judged::ok(format!("{who}, {by}; its last sign of life is {} s old", age.as_secs()))
        }
        (Some(Ok(age)), true) => {
            let says = format!(
                "{who}, {by}, and stands still: its last sign of life is {} s old",
                age.as_secs()
            );
            Judged::problem(says, log)
        }
        // its first sign comes within a moment, where it can write at all
        (_, true) => Judged::warning(format!("{who}, {by}, and has left no sign of life yet"), log),
        (None, false) => {
            Judged::unknown("the data folder does not answer", "look at the disk: `dmesg | tail`")
        }
        (Some(Err(words)), false) if words.contains("ermission denied") => Judged::unknown(
            "this user may not see whether it runs",
            "run this as root, or as the service's user",
        ),
        (Some(age), false) => {
            let says = match age {
                Ok(age) => {
                    format!("it was killed: its last sign of life is {} s old", age.as_secs())
                }
                Err(_none) => "it does not run".to_owned(),
            };
            let todo = format!(
                "start it: `systemctl enable --now {UNIT}`, or without systemd `{by_hand}`"
            );
            Judged::problem(says, todo)
        }
    }
}

fn program(is_replaced: bool, unit: Option<&str>) -> Judged {
    if !is_replaced {
        return Judged::ok("the one that is on the disk now");
    }
    let todo = match unit {
        Some(unit) => format!("`systemctl restart {unit}`"),
        None => "end it and start it again".to_owned(),
    };
    Judged::warning("it was replaced on the disk since: the old one still runs", todo)
}

/// Whether both clocks went on alike while everything was looked at: each a pair of wall time and monotonic time.
pub(super) fn steady(begun: (WallTime, Instant), ended: (WallTime, Instant)) -> Judged {
    let passed_us = as_signed_us(ended.1.saturating_duration_since(begun.1));
    let shown_us = ended.0.signed_us_since(begun.0);
    let jump_us = shown_us.saturating_sub(passed_us);
    let passed_ms = passed_us / 1_000;
    if jump_us.unsigned_abs() < JUMP_US {
        return Judged::ok(format!("the time of day went on evenly, for {passed_ms} ms"));
    }
    let jump_ms = jump_us / 1_000;
    Judged::warning(
        format!("the time of day jumped by {jump_ms} ms within {passed_ms} ms"),
        "see who sets the clock: one time service at a time; in a virtual machine none beside its host's",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailsonde_proto::Clock;

    #[test]
    fn an_agent_that_runs_and_goes_on_is_well() {
        let s = Duration::from_secs;
        let bare = || Some(Holder { pid: Some(7), ..Holder::default() });
        let unit = || Some(Holder { unit: Some(UNIT.into()), pid: Some(7), ..Holder::default() });
        let none = || Some(Err("no agent runs".to_owned()));
        for (holder, age, state, says, todo) in [
            (bare(), Some(Ok(s(3))), State::Ok, "process 7, not under systemd", ""),
            (unit(), Some(Ok(s(3))), State::Ok, "as mailsonde-agent.service", ""),
            (None, Some(Ok(s(3))), State::Unknown, "ended just now", "in a minute"),
            (unit(), Some(Ok(s(300))), State::Problem, "300 s old", "systemctl restart"),
            (bare(), none(), State::Warning, "no sign of life", "end it"),
            (None, Some(Ok(s(300))), State::Problem, "it was killed", "systemctl enable --now"),
            (None, none(), State::Problem, "does not run", "mailsonde-agent run --data /d"),
            (
                None,
                Some(Err("Permission denied".to_owned())),
                State::Unknown,
                "may not see",
                "as root",
            ),
            (None, None, State::Unknown, "does not answer", "dmesg"),
        ] {
            let judged = running(&Held { holder, age }, "mailsonde-agent run --data /d");
            assert_eq!(judged.state, state, "{says}");
            assert!(judged.says.contains(says), "{}", judged.says);
            assert!(judged.todo.unwrap_or_default().contains(todo), "{says}");
        }
    }

    #[test]
    fn an_old_program_is_to_be_restarted() {
        assert_eq!(program(false, None).state, State::Ok);
        let judged = program(true, Some(UNIT));
        assert_eq!(
            (judged.state, judged.todo),
            (State::Warning, Some(format!("`systemctl restart {UNIT}`")))
        );
    }

    #[test]
    fn a_jump_of_the_clock_is_seen() {
        let now = Clock::system().monotonic();
        let begun = (WallTime::from_s(100), now);
        for (wall_s, passed_s, state) in
            [(103, 3, State::Ok), (110, 3, State::Warning), (50, 3, State::Warning)]
        {
            let ended = (WallTime::from_s(wall_s), now + Duration::from_secs(passed_s));
            assert_eq!(steady(begun, ended).state, state, "{wall_s}");
        }
    }
}
