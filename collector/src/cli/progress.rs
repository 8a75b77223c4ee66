//! How far something is that takes longer than a second: on standard error, and only where somebody looks at it.
//!
//! Invariant: nothing is written within the first second, and what was written is wiped away at the end.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::terminal::is_dumb;

/// What takes no longer needs no progress.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often what turns is turned.
const TURN: Duration = Duration::from_millis(120);

const COUNTED: &str = "{bar:30} {human_pos} of {human_len} {msg}, {elapsed}";
const COUNTING: &str = "{spinner} {human_pos} {msg}, {elapsed}";
const WAITING: &str = "{spinner} {msg} … {elapsed}";

/// How far something is; it is wiped away when this is dropped.
pub(crate) struct Progress {
    bar: ProgressBar,
    is_looked_at: bool,
}

impl Progress {
    /// Counts what is called so, of as many as there are.
    pub(crate) fn counting(what: &'static str) -> Self {
        Self::new(what, COUNTING)
    }

    /// Only says what is waited for.
    pub(crate) fn waiting(what: &'static str) -> Self {
        Self::new(what, WAITING)
    }

    fn new(what: &'static str, template: &str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        bar.set_style(style(template));
        bar.set_message(what);
        Self { bar, is_looked_at: std::io::stderr().is_terminal() && !is_dumb() }
    }

    /// So many are expected, as is known now.
    pub(crate) fn expect(&self, total: u64) {
        self.bar.set_style(style(COUNTED));
        self.bar.set_length(total);
    }

    /// So many more are done.
    pub(crate) fn more(&self, count: u64) {
        self.bar.inc(count);
        self.show();
    }

    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.bar.position()
    }

    /// Prints something else without mixing it up with the progress.
    pub(crate) fn beside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// Waits, and shows that it does.
    pub(crate) fn during<'p, T: 'p>(
        &'p self,
        wanted: impl Future<Output = T> + 'p,
    ) -> impl Future<Output = T> + 'p {
        // an exchange is large, and would be moved twice
        let mut wanted = Box::pin(wanted);
        async move {
            let mut turns = tokio::time::interval(TURN);
            loop {
                tokio::select! {
                    done = &mut wanted => return done,
                    _ = turns.tick(), if self.is_looked_at => {
                        self.show();
                        self.bar.tick();
                    }
                }
            }
        }
    }

    fn show(&self) {
        if self.is_looked_at && self.bar.is_hidden() && self.bar.elapsed() >= PATIENCE {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Waits for something of which nobody knows how far it is.
pub(crate) fn waiting<'w, T: 'w>(
    what: &'static str,
    wanted: impl Future<Output = T> + 'w,
) -> impl Future<Output = T> + 'w {
    let wanted = Box::pin(wanted);
    async move { Progress::waiting(what).during(wanted).await }
}

/// A template of ours is always right.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_wrong| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_right() {
        for template in [COUNTED, COUNTING, WAITING] {
            ProgressStyle::with_template(template).unwrap();
        }
    }

    #[tokio::test]
    async fn what_is_waited_for_comes_back() {
        assert_eq!(waiting("asking", async { 7 }).await, 7);
        let progress = Progress::counting("lines");
        progress.more(3);
        progress.expect(9);
        assert_eq!(progress.during(async { progress.count() }).await, 3);
    }
}
