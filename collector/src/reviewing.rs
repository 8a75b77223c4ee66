//! What incidents came to, measured once and kept with them: minutes are thrown away after some days, and a review reads
//! the same for ever.
//!
//! It waits until an incident cannot come back as itself any more and what comes late has mostly come. It begins when the
//! views hold everything from before its start, so that a replay, in which figures come by their own record, measures
//! nothing again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::{Clock, WallTime};
use tokio_util::sync::CancellationToken;

use crate::control::Control;
use crate::judge::action::Action;
use crate::judge::incident::{Incident, IncidentAction, State};
use crate::query::{Query, QueryError};
use crate::registry::Registry;
use crate::rollups::Reader;
use crate::store::ledger::Ledger;

/// It looks so often.
const LOOK: Duration = Duration::from_secs(30);
/// So long after it was verified; longer than an incident may come back.
const SETTLED: Duration = Duration::from_secs(12 * 60);
/// Incidents that are measured in one look at most.
const AT_ONCE: usize = 10;

/// Who measures incidents that are over.
pub(crate) struct Reviewing {
    query: Query,
    registry: Arc<Registry>,
    clock: Clock,
    /// The first control record that there was not when it began: what came before must be in the views.
    begun_at: u64,
    /// Incidents that are to be measured once they are over; `None` before the first look.
    waiting: Option<BTreeSet<u64>>,
    /// The number of the next incident that there will be.
    next: u64,
}

impl Reviewing {
    /// Measures by what this can read, and writes there.
    pub(crate) fn new(
        (registry, ledger): (&Arc<Registry>, &Ledger),
        reader: Reader,
        clock: Clock,
    ) -> Self {
        let query = Query::new(registry.clone(), ledger.clone(), reader, clock);
        let begun_at = registry.control().index().next();
        Self { query, registry: registry.clone(), clock, begun_at, waiting: None, next: 1 }
    }

    /// Looks until the shutdown.
    pub(crate) async fn go_on(mut self, shutdown: CancellationToken) {
        let mut look = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = look.tick() => {}
            }
            let looked = tokio::task::spawn_blocking(move || {
                let looked = self.look();
                (self, looked)
            });
            let Ok((same, looked)) = looked.await else { return };
            self = same;
            if let Err(error) = looked {
                tracing::warn!(%error, "what an incident came to is not measured yet");
            }
        }
    }

    /// Measures what is due, if the views have caught up.
    ///
    /// # Errors
    /// When the views or the journal cannot be used; the next look tries again.
    pub(crate) fn look(&mut self) -> Result<(), QueryError> {
        if self.query.judged() < self.begun_at {
            return Ok(());
        }
        self.notice()?;
        let now = self.clock.wall();
        let mut measured = 0;
        for number in self.waiting.clone().unwrap_or_default() {
            let Some(incident) = self.query.reader().incident(number)? else { continue };
            match due(&incident, now) {
                Due::Never => self.forget(number),
                Due::Now if measured < AT_ONCE => {
                    measured += 1;
                    let figures = Box::new(self.query.figures_of(&incident)?);
                    let action = IncidentAction::Measured { incident: number, figures };
                    self.registry
                        .control()
                        .append(now, Control::Acted(Action::Incident(action)))?;
                    self.forget(number);
                }
                Due::Now | Due::Later => {}
            }
        }
        Ok(())
    }

    fn forget(&mut self, number: u64) {
        if let Some(waiting) = &mut self.waiting {
            waiting.remove(&number);
        }
    }

    /// Takes in incidents that are new since it looked last.
    fn notice(&mut self) -> Result<(), QueryError> {
        let waiting = match &mut self.waiting {
            Some(waiting) => waiting,
            None => {
                let all = self.query.reader().incidents()?;
                self.next = all.last().map_or(1, |last| last.number.saturating_add(1));
                let open = all.iter().filter(|it| it.figures.is_none());
                self.waiting.insert(open.map(|it| it.number).collect())
            }
        };
        while self.query.reader().incident(self.next)?.is_some() {
            waiting.insert(self.next);
            self.next = self.next.saturating_add(1);
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Now,
    Later,
    Never,
}

/// When an incident is to be measured.
fn due(incident: &Incident, now: WallTime) -> Due {
    if incident.figures.is_some() || incident.merged_into.is_some() {
        return Due::Never;
    }
    let verified = incident.verified_at.filter(|_| incident.state >= State::Verified);
    match verified {
        Some(at) if WallTime::from(at).plus(SETTLED) <= now => Due::Now,
        _ => Due::Later,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::incident::figures::Figures;
    use crate::judge::incident::sample::{minute, outage, outage_over};

    #[test]
    fn what_is_over_for_a_while_is_measured_once() {
        let at = |m| WallTime::from(minute(m, 0));
        assert_eq!(due(&outage(), at(600)), Due::Later);
        let over = outage_over();
        assert_eq!(due(&over, at(40)), Due::Later);
        assert_eq!(due(&over, at(51)), Due::Now);
        let measured = Incident { figures: Some(Box::new(Figures::default())), ..over.clone() };
        assert_eq!(due(&measured, at(51)), Due::Never);
        assert_eq!(due(&Incident { merged_into: Some(1), ..over }, at(51)), Due::Never);
    }
}
