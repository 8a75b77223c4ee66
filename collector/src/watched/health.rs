//! Whether this collector does its work: each part is tried, not believed.
//!
//! Invariant: an examination is made anew after at most [`FRESH`], and after a bad one after [`AGAIN`]. The journal is
//! tried by a tick, which is written once a minute anyway and means nothing but that time passed.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mailsonde_proto::Clock;
use mailsonde_proto::journal::Index;
use mailsonde_proto::time::Instant;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::control::{Control, ControlJournal, ControlNext};
use crate::pipeline::Progress;

/// An examination holds for so long.
const FRESH: Duration = Duration::from_secs(20);
/// One that found something wrong, for so long.
const AGAIN: Duration = Duration::from_secs(5);
/// The pipeline stands still when it did not move for so long.
const STANDS: Duration = Duration::from_secs(120);
/// Bytes that must be free: a few minutes of a large organisation's observations.
const LEAST_FREE: u64 = 16 << 20;

/// Whether notices to people are under way; in words, when not.
pub type NoticesHealth = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What is examined.
pub struct Subject {
    /// The journal that is written and read back.
    pub control: Arc<ControlJournal>,
    /// What is stored of observations.
    pub stored: Arc<Index>,
    /// Whether the disk refused what was to be stored last.
    pub refused: Arc<AtomicBool>,
    /// How far the pipeline is.
    pub progress: Arc<Progress>,
    /// Whether notices are under way.
    pub notices: NoticesHealth,
    /// What time it is.
    pub clock: Clock,
}

/// Examines the collector; one examination at a time.
pub struct Health {
    subject: Subject,
    folder: PathBuf,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    last: Option<(Instant, Examined)>,
    steps: Moved,
    next: Moved,
}

/// A figure that should rise, and when it last did.
#[derive(Default)]
struct Moved(Option<(u64, Instant)>);

impl Moved {
    /// How long it has stood still.
    fn stands(&mut self, figure: u64, now: Instant) -> Duration {
        match self.0 {
            Some((known, at)) if known == figure => now.saturating_duration_since(at),
            _ => {
                self.0 = Some((figure, now));
                Duration::ZERO
            }
        }
    }
}

/// What an examination found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// Each part.
    pub parts: Vec<PartAnswer>,
}

/// One part of the collector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PartAnswer {
    /// `journal`, `observations`, `pipeline`, `views`, `notices` or `disk`.
    pub part: String,
    /// Whether it does its work.
    pub healthy: bool,
    /// How it is, or what is wrong with it.
    pub words: String,
}

impl Examined {
    /// Whether every part is healthy.
    pub fn is_healthy(&self) -> bool {
        self.parts.iter().all(|part| part.healthy)
    }

    /// What is wrong, a line each; empty when nothing is.
    pub fn reasons(&self) -> String {
        let wrong = self.parts.iter().filter(|part| !part.healthy);
        wrong.map(|part| format!("{}: {}\n", part.part, part.words)).collect()
    }
}

impl Health {
    /// Nothing is examined yet.
    pub fn new(subject: Subject, folder: PathBuf) -> Self {
        Self { subject, folder, kept: Mutex::default() }
    }

    /// Examines everything, unless that was done just now. It waits for the disk: not for a runtime's thread.
    pub fn examine(&self) -> Examined {
        let mut kept = self.kept();
        let now = self.subject.clock.monotonic();
        let before = kept.last.as_ref().map(|(_, examined)| examined.is_healthy());
        if let Some((at, examined)) = &kept.last {
            let holds = if examined.is_healthy() { FRESH } else { AGAIN };
            if now.saturating_duration_since(*at) < holds {
                return examined.clone();
            }
        }
        let parts = vec![
            part("journal", self.journal()),
            part("observations", self.observations()),
            part("pipeline", self.pipeline(&mut kept, now)),
            part("views", self.views()),
            part("notices", (self.subject.notices)().map(|()| "under way".to_owned())),
            part("disk", self.disk()),
        ];
        let examined = Examined { parts };
        match (before.unwrap_or(true), examined.is_healthy()) {
            (true, false) => {
                let reasons = examined.reasons().trim_end().replace('\n', "; ");
                tracing::error!(
                    reasons,
                    "the collector is not healthy: no sign of life says so now"
                );
            }
            (false, true) => tracing::info!("the collector is healthy again"),
            _ => {}
        }
        kept.last = Some((now, examined.clone()));
        examined
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes to the control journal and reads back what was written.
    fn journal(&self) -> Result<String, String> {
        let Subject { control, clock, .. } = &self.subject;
        let (begun, now) = (clock.monotonic(), clock.wall());
        let written = control.append(now, Control::Tick);
        let sequence = written.map_err(|error| format!("cannot be written: {error}"))?;
        match control.follow(sequence).read() {
            Ok(ControlNext::Record { sequence: read, record })
                if read == sequence && record.received_at == now =>
            {
                let took = clock.monotonic().saturating_duration_since(begun).as_millis();
                Ok(format!("written and read back in {took} ms"))
            }
            Ok(_) => Err("what was written does not read back".to_owned()),
            Err(error) => Err(format!("cannot be read back: {error}")),
        }
    }

    fn observations(&self) -> Result<String, String> {
        if self.subject.refused.load(Ordering::Relaxed) {
            return Err("the disk refused the last ones: agents keep them meanwhile".to_owned());
        }
        Ok("stored as they come".to_owned())
    }

    fn pipeline(&self, kept: &mut Kept, now: Instant) -> Result<String, String> {
        let Progress { next, steps, .. } = &*self.subject.progress;
        let (next, steps) = (next.load(Ordering::Relaxed), steps.load(Ordering::Relaxed));
        let behind = self.subject.stored.next().saturating_sub(next);
        let (looked, moved) = (kept.steps.stands(steps, now), kept.next.stands(next, now));
        let stands = if behind == 0 { looked } else { looked.max(moved) };
        let records = match behind {
            0 => "has read everything".to_owned(),
            1 => "1 record behind".to_owned(),
            _ => format!("{behind} records behind"),
        };
        if stands >= STANDS {
            return Err(format!("stands still since {} s, {records}", stands.as_secs()));
        }
        Ok(records)
    }

    fn views(&self) -> Result<String, String> {
        if self.subject.progress.stumbled.load(Ordering::Relaxed) {
            return Err("cannot be written: see the collector's log".to_owned());
        }
        Ok("written".to_owned())
    }

    /// Room for the collector's folder.
    pub(super) fn disk_free_bytes(&self) -> std::io::Result<u64> {
        let found = rustix::fs::statvfs(&self.folder)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    fn disk(&self) -> Result<String, String> {
        let free = self.disk_free_bytes();
        let free = free.map_err(|error| format!("cannot be measured: {error}"))?;
        let words = format!("{} MiB free", free >> 20);
        if free < LEAST_FREE {
            return Err(format!("{words}, less than {} MiB: make room", LEAST_FREE >> 20));
        }
        Ok(words)
    }
}

fn part(part: &str, found: Result<String, String>) -> PartAnswer {
    let healthy = found.is_ok();
    let words = found.unwrap_or_else(|words| words);
    PartAnswer { part: part.to_owned(), healthy, words }
}

#[cfg(test)]
mod tests;
