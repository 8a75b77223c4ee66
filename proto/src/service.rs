//! Life under a service manager (systemd): what it is told of this process, and the log as its journal reads it.
//!
//! Invariant: whoever feeds the watchdog has seen that the work goes on, so that a process which only looks alive is
//! ended and started again. Where no manager is there, nothing is told and nothing fails. Absent on purpose: being
//! told anything by it, but for signals.

mod journald;
mod owner;

use std::time::Duration;

use sd_notify::NotifyState;

use crate::time::Instant;

pub use journald::{Prefixed, is_journald};
pub use owner::{Owner, Started, start};

/// The state is told this often at least, whatever the watchdog wants.
const STATE: Duration = Duration::from_secs(10);
/// Signs of life in the time after which the manager gives up.
const SIGNS: u32 = 4;

/// The service manager that started this process, if one did.
#[derive(Debug)]
pub struct Manager {
    /// How often it is told; `None` where nobody listens.
    every: Option<Duration>,
    told_at: Option<Instant>,
}

impl Manager {
    /// The manager that the environment names (`NOTIFY_SOCKET` and `WATCHDOG_USEC`, sd_notify(3)).
    pub fn of_environment() -> Self {
        #[allow(
            clippy::disallowed_methods,
            reason = "systemd's own variable, and no setting of ours"
        )]
        let is_there = std::env::var_os("NOTIFY_SOCKET").is_some();
        Self::with_watchdog(is_there.then(sd_notify::watchdog_enabled))
    }

    /// One that gives up after this time, or never; `None` where there is none.
    fn with_watchdog(manager: Option<Option<Duration>>) -> Self {
        let every = manager.map(|patience| patience.map_or(STATE, |some| STATE.min(some / SIGNS)));
        Self { every, told_at: None }
    }

    /// How often it is to be told; `None` where nobody listens.
    pub fn pace(&self) -> Option<Duration> {
        self.every
    }

    /// This process does its work now, and so does whatever waited for that.
    pub fn ready(&mut self, now: Instant, state: &str) {
        self.told_at = Some(now);
        self.tell(&[NotifyState::Ready, NotifyState::Status(state)]);
    }

    /// Whether a sign of life is due.
    pub fn is_due(&self, now: Instant) -> bool {
        let Some(every) = self.every else { return false };
        self.told_at.is_none_or(|at| now.saturating_duration_since(at) >= every)
    }

    /// A sign of life, by whoever has seen the work go on; and how it goes, in words for people.
    pub fn alive(&mut self, now: Instant, state: &str) {
        self.told_at = Some(now);
        self.tell(&[NotifyState::Watchdog, NotifyState::Status(state)]);
    }

    /// What is wrong, without a sign of life.
    pub fn worried(&self, state: &str) {
        self.tell(&[NotifyState::Status(state)]);
    }

    /// This process ends by itself or because it was told to.
    pub fn stopping(&self) {
        self.tell(&[NotifyState::Stopping, NotifyState::Status("ending")]);
    }

    fn tell(&self, states: &[NotifyState<'_>]) {
        if self.every.is_none() {
            return;
        }
        if let Err(error) = sd_notify::notify(states) {
            tracing::warn!(%error, "the service manager cannot be told how it goes here");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Clock;

    #[test]
    fn it_is_told_four_times_in_its_patience() {
        let seconds = Duration::from_secs;
        for (manager, every) in [
            (None, None),
            (Some(None), Some(seconds(10))),
            (Some(Some(seconds(60))), Some(seconds(10))),
            (Some(Some(seconds(20))), Some(seconds(5))),
        ] {
            assert_eq!(Manager::with_watchdog(manager).pace(), every, "{manager:?}");
        }
    }

    #[test]
    fn a_sign_of_life_is_due_once_a_pace() {
        let now = Clock::system().monotonic();
        assert!(!Manager::with_watchdog(None).is_due(now));
        let mut manager = Manager::with_watchdog(Some(None));
        assert!(manager.is_due(now));
        manager.told_at = Some(now);
        assert!(!manager.is_due(now + Duration::from_secs(9)));
        assert!(manager.is_due(now + Duration::from_secs(10)));
    }
}
