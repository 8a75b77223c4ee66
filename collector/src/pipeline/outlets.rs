//! What the pipeline wants done by others: it says so and goes on.

use crate::judge::engine::Wish;
use crate::judge::telling::Waiting;

/// What the pipeline wants done by others, who must not keep it waiting.
pub struct Outlets {
    /// Has runs done that are to confirm what was seen.
    pub confirm: Box<dyn Fn(Wish) + Send>,
    /// Has messages sent: all that are to be, in order, once they are on disk and as long as nothing is unread that
    /// could say that they were.
    pub notify: Box<dyn Fn(Vec<Waiting>) + Send>,
}

#[cfg(test)]
impl Outlets {
    /// Nobody does anything.
    pub(crate) fn nowhere() -> Self {
        Self { confirm: Box::new(drop), notify: Box::new(drop) }
    }
}
