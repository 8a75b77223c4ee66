//! What pages ask beside what the command line asks: the last runs of a check, services' latency, the posture of domains.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mailsonde_proto::time::Instant;
use mailsonde_proto::{AgentId, WallTime};

use super::changes::{ChangesAnswer, ChangesWanted};
use super::objectives::{ObjectivesAnswer, ObjectivesWanted};
use super::observations::{ObservationAnswer, shown};
use super::planned::{self, ExclusionsAnswer, PlannedWanted, SilencesAnswer, WindowsAnswer};
use super::{Query, QueryError, Spread, measured};
use crate::judge::definition::{Definitions, ROUND_TRIP, Service};
use crate::judge::planned::Planned;
use crate::rollups::Percentiles;
use crate::series::SeriesId;
use crate::store::Head;

/// Changes that are kept for pages.
const MOST_CHANGES: usize = 50;
/// They are looked up so often, as long as anybody asked within the other.
const CHANGES_EVERY: Duration = Duration::from_secs(60);
const CHANGES_ASKED: Duration = Duration::from_secs(300);

/// Changes that were looked up.
#[derive(Debug, Default)]
pub(super) struct ChangesKept {
    asked_at: Option<Instant>,
    made_at: Option<Instant>,
    answer: Option<Arc<ChangesAnswer>>,
}

/// Objectives are counted anew at most so often.
const OBJECTIVES_EVERY: Duration = Duration::from_secs(10);

impl Query {
    /// The organisation's time zone.
    pub fn zone(&self) -> TimeZone {
        measured::zone(self.views.reader().chronicle().current())
    }

    /// Up to where the journals are in the figures.
    pub fn head(&self) -> Head {
        self.views.reader().head()
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.clock.wall().timestamp()
    }

    /// A service as it is defined now.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn service(&self, name: &str) -> Result<Service, QueryError> {
        let chronicle = self.views.reader().chronicle();
        let found = chronicle.current().service(name).cloned();
        found.ok_or_else(|| QueryError::Unknown { what: "service", name: name.to_owned() })
    }

    /// Which checks at which vantage points belong to a service now: site, check, vantage point.
    pub fn members(&self, service: &Service) -> Vec<(String, String, String)> {
        let chronicle = self.views.reader().chronicle();
        let members = chronicle.members_at(service, self.clock.wall());
        let named = members.map(|member| {
            (member.voice.to_owned(), member.check.name.clone(), member.name.to_owned())
        });
        named.collect()
    }

    /// How long the round trips (or where it has none, the runs) of each of these services took in the last 15 minutes.
    ///
    /// # Errors
    /// When the views cannot be read.
    pub fn latencies(&self, services: &[&str]) -> Result<BTreeMap<String, Spread>, QueryError> {
        let now = self.clock.wall();
        let reader = self.views.reader();
        let sketches = reader.newest_latencies(now)?;
        let chronicle = reader.chronicle();
        let mut found = BTreeMap::new();
        for name in services {
            let Some(service) = chronicle.current().service(name) else { continue };
            let members: Vec<_> = chronicle.members_at(service, now).collect();
            let has_trips = members.iter().any(|member| member.check.kind == ROUND_TRIP);
            let mut all = crate::judge::sketch::Sketch::default();
            for member in &members {
                if (!has_trips || member.check.kind == ROUND_TRIP)
                    && let Some(sketch) = sketches.get(&member.series)
                {
                    all.merge(sketch);
                }
            }
            found.insert((*name).to_owned(), Spread::from(Percentiles::of(&all)));
        }
        Ok(found)
    }

    /// Every objective, as it was some seconds ago at most: budgets go slowly, and take a look at every service.
    ///
    /// # Errors
    /// When the views cannot be read.
    pub fn recent_objectives(&self) -> Result<Arc<ObjectivesAnswer>, QueryError> {
        let now = self.clock.monotonic();
        let mut kept = self.objectives.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, answer)) = kept.as_ref()
            && now.duration_since(*at) < OBJECTIVES_EVERY
        {
            return Ok(answer.clone());
        }
        let answer = Arc::new(self.objectives(&ObjectivesWanted::default())?);
        *kept = Some((now, answer.clone()));
        Ok(answer)
    }

    /// The last runs of a check at a vantage point, newest first, then older failures.
    ///
    /// # Errors
    /// When there is no such vantage point or check, or the ledger cannot be read.
    pub fn last_runs(
        &self,
        check: &str,
        agent: &str,
    ) -> Result<Vec<ObservationAnswer>, QueryError> {
        let series = self.series_of(check, agent)?;
        self.latest.catch_up(&self.ledger)?;
        let runs = self.latest.of(series).into_iter();
        Ok(runs.map(|(place, observation)| shown(agent.to_owned(), place, observation)).collect())
    }

    /// The newest run of every check of these kinds, at every vantage point that is enrolled.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn newest_of(&self, kinds: &[&str]) -> Result<Vec<ObservationAnswer>, QueryError> {
        self.latest.catch_up(&self.ledger)?;
        let mut names: BTreeMap<SeriesId, String> = BTreeMap::new();
        for (enrolled, entry) in self.registry.agents() {
            for check in entry.checks.iter().filter(|check| kinds.contains(&check.kind.as_str())) {
                let agent: AgentId = enrolled.agent;
                names.insert(SeriesId::of(agent, &check.name), enrolled.name.clone());
            }
        }
        let newest = self.latest.newest(names.keys()).into_iter();
        let answers = newest.map(|(series, place, observation)| {
            shown(names.get(&series).cloned().unwrap_or_default(), place, observation)
        });
        Ok(answers.collect())
    }

    /// What changed in the records that probes keep, as it was a minute or two ago; `None` until that was looked up. Looking
    /// takes a walk through the ledger: [`Query::keep_warm`] does it, as long as somebody asks here.
    pub fn recent_changes(&self) -> Option<Arc<ChangesAnswer>> {
        let mut kept = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        kept.asked_at = Some(self.clock.monotonic());
        kept.answer.clone()
    }

    /// Looks changes up where somebody asked lately and they are old.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(super) fn look_up_changes(&self) -> Result<(), QueryError> {
        let now = self.clock.monotonic();
        let is_younger =
            |at: Option<Instant>, than| at.is_some_and(|at| now.duration_since(at) < than);
        let is_due = {
            let kept = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
            is_younger(kept.asked_at, CHANGES_ASKED) && !is_younger(kept.made_at, CHANGES_EVERY)
        };
        if is_due {
            let wanted = ChangesWanted { limit: Some(MOST_CHANGES), ..ChangesWanted::default() };
            let answer = Arc::new(self.changes(&wanted)?);
            let mut kept = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
            (kept.made_at, kept.answer) = (Some(self.clock.monotonic()), Some(answer));
        }
        Ok(())
    }

    /// Maintenance windows.
    pub fn windows(&self, wanted: &PlannedWanted) -> WindowsAnswer {
        self.planned(|planned, definitions, now| {
            planned::windows(planned, definitions, wanted, now)
        })
    }

    /// Silences.
    pub fn silences(&self, wanted: &PlannedWanted) -> SilencesAnswer {
        self.planned(|planned, _, now| planned::silences(planned, wanted, now))
    }

    /// Time that agreements leave out by operators' notes.
    pub fn exclusions(&self, wanted: &PlannedWanted) -> ExclusionsAnswer {
        self.planned(|planned, _, now| planned::exclusions(planned, wanted, now))
    }

    /// Looks at what is planned, with what is defined.
    pub fn planned<T>(&self, look: impl FnOnce(&Planned, &Definitions, WallTime) -> T) -> T {
        let definitions = self.views.reader().chronicle().current().clone();
        let planned = self.registry.control().look(|roll| roll.planned().clone());
        look(&planned, &definitions, self.clock.wall())
    }
}
