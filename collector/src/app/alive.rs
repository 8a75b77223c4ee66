//! Tells the service manager that the collector does its work, and how it goes.
//!
//! Invariant: a sign of life comes only from somebody who has just seen that the ledger's writer answers and that the
//! pipeline still looks; when one of them hangs, nothing is said, and the manager ends the process and starts it again.
//! That loses nothing: what was acknowledged is on disk, the rest is with the agents. Absent on purpose: a disk that is
//! full or slow, which a new start does not mend (`health` tells of it).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mailsonde_proto::Clock;
use mailsonde_proto::service::Manager;
use mailsonde_proto::time::Instant;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::pipeline::Progress;
use crate::registry::Registry;
use crate::store::ledger::Ledger;

/// The writer may be busy with what the disk takes; when it does not answer for so long, it hangs.
const WRITER_WITHIN: Duration = Duration::from_secs(60);
/// The pipeline looks several times a second; a commit, or a period that is sealed, may take a while.
const PIPELINE_WITHIN: Duration = Duration::from_secs(120);

/// What is looked at.
pub(super) struct Alive {
    ledger: Ledger,
    progress: Arc<Progress>,
    registry: Arc<Registry>,
    clock: Clock,
    /// The pipeline's steps when they last were others, and when that was.
    steps: Option<(u64, Instant)>,
}

impl Alive {
    pub(super) fn new(
        (ledger, progress, registry): (&Ledger, &Arc<Progress>, &Arc<Registry>),
        clock: Clock,
    ) -> Self {
        let (ledger, progress) = (ledger.clone(), progress.clone());
        Self { ledger, progress, registry: registry.clone(), clock, steps: None }
    }

    /// Says that agents are accepted, then goes on to give signs of life until the end.
    pub(super) async fn go_on(mut self, shutdown: CancellationToken) {
        let mut manager = Manager::of_environment();
        let Some(pace) = manager.pace() else { return };
        manager.ready(self.clock.monotonic(), &self.state());
        let mut due = interval(pace);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return manager.stopping(),
                _ = due.tick() => {}
            }
            let looked = tokio::select! {
                () = shutdown.cancelled() => return manager.stopping(),
                looked = self.look() => looked,
            };
            match looked {
                Ok(()) => manager.alive(self.clock.monotonic(), &self.state()),
                Err(hangs) => {
                    tracing::error!(hangs, "no sign of life for the service manager");
                    manager.worried(hangs);
                }
            }
        }
    }

    /// Whether both threads do their work.
    async fn look(&mut self) -> Result<(), &'static str> {
        let writer = timeout(WRITER_WITHIN, self.ledger.answers()).await;
        if !matches!(writer, Ok(Ok(()))) {
            return Err("the ledger's writer hangs");
        }
        self.pipeline(self.clock.monotonic())
    }

    fn pipeline(&mut self, now: Instant) -> Result<(), &'static str> {
        let steps = self.progress.steps.load(Ordering::Relaxed);
        let since = match self.steps {
            Some((known, since)) if known == steps => since,
            _ => now,
        };
        self.steps = Some((steps, since));
        if now.saturating_duration_since(since) >= PIPELINE_WITHIN {
            return Err("the pipeline hangs");
        }
        Ok(())
    }

    /// In a line, for `systemctl status`.
    fn state(&self) -> String {
        let Progress { next, caught_up, .. } = &*self.progress;
        let stored = self.ledger.index().next();
        let behind = stored.saturating_sub(next.load(Ordering::Relaxed));
        words(self.registry.connected(), behind, caught_up.load(Ordering::Relaxed))
    }
}

fn words(agents: usize, behind: u64, caught_up: bool) -> String {
    let agents = if agents == 1 { "1 agent".to_owned() } else { format!("{agents} agents") };
    match (behind, caught_up) {
        (0, _) | (_, true) => format!("{agents} connected; figures are up to date"),
        (behind, false) => format!("{agents} connected; figures are {behind} records behind"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::ControlJournal;
    use crate::store::ledger::{LedgerOptions, Opened};

    fn alive(folder: &std::path::Path, clock: Clock) -> (Alive, std::thread::JoinHandle<()>) {
        let (control, _) = ControlJournal::open(&folder.join("control")).unwrap();
        let registry = Arc::new(Registry::new(Arc::new(control)).unwrap());
        let Opened { ledger, writer, .. } =
            Ledger::open(folder, LedgerOptions::default(), clock).unwrap();
        (Alive::new((&ledger, &Arc::default(), &registry), clock), writer)
    }

    #[tokio::test]
    async fn a_writer_that_answers_and_a_pipeline_that_looks_are_alive() {
        let folder = tempfile::tempdir().unwrap();
        let (mut alive, writer) = alive(folder.path(), Clock::system());
        assert_eq!(alive.look().await, Ok(()));
        drop(alive);
        writer.join().unwrap();
    }

    #[test]
    fn a_pipeline_that_stands_still_gives_no_sign_of_life() {
        let folder = tempfile::tempdir().unwrap();
        let (mut alive, _writer) = alive(folder.path(), Clock::system());
        let mut now = alive.clock.monotonic();
        for (after_s, steps, expected) in [
            (0, 1, Ok(())),
            (119, 1, Ok(())),
            (1, 1, Err("the pipeline hangs")),
            (300, 2, Ok(())),
            (119, 2, Ok(())),
            (500, 2, Err("the pipeline hangs")),
            (0, 3, Ok(())),
        ] {
            now += Duration::from_secs(after_s);
            alive.progress.steps.store(steps, Ordering::Relaxed);
            assert_eq!(alive.pipeline(now), expected, "after {after_s} s, {steps} steps");
        }
    }

    #[test]
    fn the_state_is_told_in_words() {
        for (agents, behind, caught_up, expected) in [
            (0, 0, true, "0 agents connected; figures are up to date"),
            (1, 3, true, "1 agent connected; figures are up to date"),
            (2, 900, false, "2 agents connected; figures are 900 records behind"),
        ] {
            assert_eq!(words(agents, behind, caught_up), expected);
        }
    }
}
