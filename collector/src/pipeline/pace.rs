//! How often the views are committed: sooner when little waits, so that who looks on sees it within a second.

use std::time::Duration;

use mailsonde_proto::time::Instant;

/// Views are committed this often while many observations come.
const COMMIT: Duration = Duration::from_secs(1);
/// The same while few do: a commit waits for the disk twice, whatever is in it.
const SOON: Duration = Duration::from_millis(250);
/// Observations that are few.
const FEW: u32 = 1_000;

/// When the next commit is due.
pub(super) struct Pace {
    committed_at: Instant,
    folded: u32,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { committed_at: now, folded: 0 }
    }

    /// One more observation waits.
    pub(super) fn folded(&mut self) {
        self.folded = self.folded.saturating_add(1);
    }

    /// Nothing waits.
    pub(super) fn committed(&mut self, now: Instant) {
        *self = Self::new(now);
    }

    /// When what waits is to be committed.
    pub(super) fn due(&self, caught_up: bool) -> Instant {
        let is_little = caught_up && self.folded <= FEW;
        self.committed_at + if is_little { SOON } else { COMMIT }
    }
}
