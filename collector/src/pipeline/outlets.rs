//! What the pipeline wants done by others: it says so and goes on.

use mailsonde_proto::Observation;
#[cfg(test)]
use mailsonde_proto::WallTime;

use crate::judge::engine::Wish;
use crate::judge::telling::Waiting;
use crate::live::{self, Live};
use crate::store::ledger::Source;
use crate::tally::Tally;

/// What the pipeline wants done by others, who must not keep it waiting.
pub struct Outlets {
    /// Has runs done that are to confirm what was seen.
    pub confirm: Box<dyn Fn(Wish) + Send>,
    /// Has messages sent: all that are to be, in order, once they are on disk and as long as nothing is unread that
    /// could say that they were.
    pub notify: Box<dyn Fn(Vec<Waiting>) + Send>,
    /// Tells whoever looks on what is in the views from now on.
    pub live: Live,
    /// Counts runs for whoever scrapes.
    pub tally: Tally,
}

#[cfg(test)]
impl Outlets {
    /// Nobody does anything.
    pub(crate) fn nowhere() -> Self {
        Self {
            confirm: Box::new(drop),
            notify: Box::new(drop),
            live: Live::default(),
            tally: Tally::new(WallTime::from_ns(0)),
        }
    }
}

/// An observation, for whoever looks on.
pub(super) fn seen(source: Source, sequence: u64, observation: &Observation) -> live::Folded {
    live::Folded {
        agent: source.agent,
        epoch: source.epoch,
        sequence,
        check: observation.check.clone(),
        scheduled_for: observation.scheduled_for,
        verdict: observation.verdict.as_str(),
    }
}
