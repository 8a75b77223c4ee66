//! What time this machine thinks it is: against another clock, and by whom it is kept.

use std::path::Path;
use std::process::{Output, Stdio};

use tokio::process::Command;

use super::{Judged, within};

/// A clock that is off by more confuses people who compare times.
const OFF_US: u64 = 2_000_000;
/// A clock that is off by more shifts what is scheduled, and when certificates begin and end.
const FAR_OFF_US: u64 = 60_000_000;

/// What systemd-timesyncd leaves when it has set the clock.
const TIMESYNCD: &str = "/run/systemd/timesync/synchronized";
/// Where systemd runs, if it does.
const SYSTEMD: &str = "/run/systemd/system";

const SET_IT: &str =
    "have the clock kept: `timedatectl set-ntp true`, or `chronyc makestep` where chrony runs";

/// Whether somebody keeps the clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is synchronised, as this says.
    Yes(&'static str),
    /// It is not, as this says.
    No(&'static str),
    /// Nobody is there to be asked.
    Nobody,
}

impl Kept {
    /// Asks whoever may know.
    pub async fn ask() -> Self {
        if Path::new(TIMESYNCD).exists() {
            return Self::Yes("systemd-timesyncd");
        }
        if let Some(said) = run("chronyc", &["-n", "tracking"]).await
            && let Some(known) = by_chrony(&said)
        {
            return known;
        }
        if Path::new(SYSTEMD).exists()
            && let Some(said) = run("timedatectl", &["show", "--property=NTPSynchronized"]).await
            && let Some(known) = by_timedatectl(&said)
        {
            return known;
        }
        Self::Nobody
    }
}

/// What a program says, if it is there, answers in time and ends well.
async fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let Output { status, stdout, .. } = within(command.output()).await?.ok()?;
    status.success().then(|| String::from_utf8_lossy(&stdout).into_owned())
}

fn by_chrony(said: &str) -> Option<Kept> {
    let line = said.lines().find(|line| line.starts_with("Leap status"))?;
    match line.split(':').nth(1)?.trim() {
        "Not synchronised" => Some(Kept::No("chrony")),
        "" => None,
        _ => Some(Kept::Yes("chrony")),
    }
}

/// It tells what the kernel knows of its own clock, whoever keeps it.
fn by_timedatectl(said: &str) -> Option<Kept> {
    match said.trim() {
        "NTPSynchronized=yes" => Some(Kept::Yes("the kernel, by timedatectl")),
        "NTPSynchronized=no" => Some(Kept::No("the kernel, by timedatectl")),
        _ => None,
    }
}

/// Whether somebody keeps the clock.
pub fn kept(kept: &Kept) -> Judged {
    match kept {
        Kept::Yes(by) => Judged::ok(format!("synchronised, as {by} says")),
        Kept::No(by) => Judged::warning(format!("not synchronised, as {by} says"), SET_IT),
        Kept::Nobody => Judged::unknown(
            "neither systemd-timesyncd nor chrony tells",
            "see that something keeps this machine's clock; in a container its host's is meant",
        ),
    }
}

/// This machine's clock beside another: `ahead_us` is ours minus theirs, known to within `error_us`.
pub fn beside(ahead_us: i64, error_us: u64, whose: &str) -> Judged {
    let off_us = ahead_us.unsigned_abs();
    let shown = |us: u64| match us {
        0..1_000_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        1_000_000..10_000_000 => format!("{}.{:03} s", us / 1_000_000, us % 1_000_000 / 1_000),
        _ => format!("{} s", us / 1_000_000),
    };
    let (off, error) = (shown(off_us), shown(error_us));
    let side = if ahead_us < 0 { "behind" } else { "ahead of" };
    let says = format!("{off} {side} {whose}, known to within {error}");
    // what is surely off, whatever the way there and back took
    match off_us.saturating_sub(error_us) {
        FAR_OFF_US.. => Judged::problem(
            says,
            format!("see which of the two is wrong (`date -u`), and {SET_IT}"),
        ),
        OFF_US.. => Judged::warning(
            says,
            format!("see which of the two is wrong (`date -u`), and {SET_IT}"),
        ),
        _ => Judged::ok(says),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn chrony_and_timedatectl_are_read() {
        let chrony = |leap: &str| format!("Reference ID : 0\nLeap status     : {leap}\n");
        assert_eq!(by_chrony(&chrony("Normal")), Some(Kept::Yes("chrony")));
        assert_eq!(by_chrony(&chrony("Not synchronised")), Some(Kept::No("chrony")));
        assert_eq!(by_chrony("506 Cannot talk to daemon"), None);
        let kernel = "the kernel, by timedatectl";
        assert_eq!(by_timedatectl("NTPSynchronized=yes\n"), Some(Kept::Yes(kernel)));
        assert_eq!(by_timedatectl("NTPSynchronized=no\n"), Some(Kept::No(kernel)));
        assert_eq!(by_timedatectl(""), None);
    }

    #[test]
    fn who_keeps_the_clock_is_judged() {
        assert_eq!(kept(&Kept::Yes("chrony")).state, State::Ok);
        assert_eq!(kept(&Kept::Nobody).state, State::Unknown);
        let judged = kept(&Kept::No("chrony"));
        assert_eq!(judged.state, State::Warning);
        assert!(judged.todo.unwrap().contains("timedatectl set-ntp true"));
    }

    #[test]
    fn a_clock_is_off_only_where_that_is_certain() {
        for (ahead_us, error_us, state, says) in [
            (0, 900, State::Ok, "0.0 ms ahead of the collector's, known to within 0.9 ms"),
            (-1_999_999, 0, State::Ok, "1.999 s behind the collector's"),
            (2_000_000, 0, State::Warning, "2.000 s ahead"),
            (2_000_000, 1, State::Ok, "2.000 s ahead"),
            (-90_000_000, 10_000, State::Problem, "90 s behind"),
            (-61_000_000, 2_000_000, State::Warning, "61 s behind"),
            (i64::MIN, 0, State::Problem, "behind"),
        ] {
            let judged = beside(ahead_us, error_us, "the collector's");
            assert_eq!(judged.state, state, "{ahead_us} ± {error_us}");
            assert!(judged.says.contains(says), "{}", judged.says);
        }
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_says_nothing() {
        assert_eq!(run("mailsonde-there-is-no-such-program", &[]).await, None);
        assert_eq!(run("false", &[]).await, None);
    }
}
