//! The sign of life that a running agent leaves in its data folder, for `mailsonde-agent health`: containers and
//! process supervisors ask by that.
//!
//! Invariant: it is renewed by the loop that starts runs, so it ages when that loop stands still, whatever else of the
//! process lives. Absent on purpose: whether the collector is reached, because an agent without a collector works as it
//! should, and a restart would not help it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mailsonde_proto::{Clock, WallTime};
use tokio::task::JoinSet;

/// What it is called in the data folder.
const NAME: &str = "alive";
/// It is renewed this often.
const EVERY: Duration = Duration::from_secs(10);
/// An agent whose sign of life is older than this stands still.
pub(crate) const STALE_AFTER: Duration = Duration::from_secs(60);
/// Bytes of it that are read.
const MAX_BYTES: usize = 64;

/// Leaves signs of life.
#[derive(Debug)]
pub(super) struct Vital {
    file: PathBuf,
    clock: Clock,
    last: Option<WallTime>,
    is_being_written: Arc<AtomicBool>,
}

impl Vital {
    pub(super) fn new(data: &Path, clock: Clock) -> Self {
        let is_being_written = Arc::default();
        Self { file: data.join(NAME), clock, last: None, is_being_written }
    }

    /// The loop is there; it is written where waiting for the disk holds nobody up.
    pub(super) fn renew(&mut self, tasks: &mut JoinSet<Option<String>>) {
        let now = self.clock.wall();
        // a clock that was set back counts as time that passed
        let is_due = self.last.is_none_or(|last| now < last || now.since(last) >= EVERY);
        if !is_due || self.is_being_written.swap(true, Ordering::AcqRel) {
            return;
        }
        self.last = Some(now);
        let (file, is_being_written) = (self.file.clone(), self.is_being_written.clone());
        tasks.spawn_blocking(move || {
            if let Err(error) = write(&file, now) {
                tracing::debug!(%error, file = %file.display(), "agent: no sign of life is left");
            }
            is_being_written.store(false, Ordering::Release);
            None
        });
    }

    /// Nothing is alive after a clean end.
    pub(super) fn end(&self) {
        fs::remove_file(&self.file).ok();
    }
}

/// In one step, so that nobody reads half of it. It need not outlive the machine.
fn write(file: &Path, now: WallTime) -> io::Result<()> {
    let beside = file.with_extension("new");
    fs::write(&beside, format!("{:.0}\n", now.timestamp()))?;
    fs::rename(&beside, file)
}

/// How old the sign of life in this data folder is.
///
/// # Errors
/// When there is none, in words, and what to do.
pub(crate) fn age(data: &Path, now: WallTime) -> Result<Duration, String> {
    let file = data.join(NAME);
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let data = data.display();
            return Err(format!("no agent runs with {data}: start it with `mailsonde-agent run`"));
        }
        Err(error) => return Err(format!("cannot read {}: {error}", file.display())),
    };
    let at = text.trim().get(..MAX_BYTES).unwrap_or(text.trim()).parse::<jiff::Timestamp>();
    let wrong = |_| format!("{} is no sign of life: remove it", file.display());
    let at = i64::try_from(at.map_err(wrong)?.as_nanosecond()).unwrap_or_default();
    Ok(now.since(WallTime::from_ns(at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sign_of_life_ages_and_is_renewed() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::starting_at(WallTime::from_s(1_000));
        let mut tasks = JoinSet::new();
        let mut vital = Vital::new(folder.path(), clock);
        assert!(age(folder.path(), clock.wall()).unwrap_err().contains("no agent runs"));
        vital.renew(&mut tasks);
        tasks.join_all().await;
        let later = |s: i64| WallTime::from_s(1_000 + s);
        assert_eq!(age(folder.path(), later(5)), Ok(Duration::from_secs(5)));
        assert_eq!(age(folder.path(), later(300)), Ok(Duration::from_secs(300)));
        // a clock that was set back makes nobody old
        assert_eq!(age(folder.path(), WallTime::from_s(10)), Ok(Duration::ZERO));
        vital.end();
        assert!(age(folder.path(), later(5)).is_err());
        fs::write(folder.path().join(NAME), "soon").unwrap();
        assert!(age(folder.path(), later(5)).unwrap_err().contains("no sign of life"));
    }
}
