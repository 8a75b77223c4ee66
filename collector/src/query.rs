//! The read model: what operators ask, answered in plain figures for the CLI, the web and the API.
//!
//! Every answer is a struct with its JSON form; units stand in the names, times are RFC 3339 in UTC. What
//! figures mean is decided here once ([`status`] is a pure function of what was read), so that no screen
//! tells another story. Absent on purpose: words for people, which each screen finds itself.

pub mod agents;
pub mod capacity;
pub mod changes;
pub mod drafts;
pub mod export;
pub mod fleet;
pub mod followups;
pub mod incidents;
pub mod notices;
pub mod objectives;
pub mod observations;
pub mod planned;
pub mod public;
pub mod report;
pub mod reviews;
pub mod routes;
pub mod services;
pub mod sla;
pub mod status;

pub mod course;
pub mod strip;

mod access;
mod behind;
mod fault;
mod figures;
mod latest;
mod looking;
mod measured;
mod series;

use std::sync::{Arc, Mutex};

use mailsonde_proto::time::Instant;
use mailsonde_proto::{AgentId, Clock, WallTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::judge::availability::Availability;
use crate::judge::live::SeriesState;
use crate::registry::Registry;
use crate::rollups::{Percentiles, Reader};
use crate::series::SeriesId;
use crate::store::ledger::Ledger;
use latest::Latest;
use looking::ChangesKept;
use series::SeriesViews;

pub use agents::{
    AgentAnswer, AgentsAnswer, CheckAnswer, ChecksAnswer, RefusalAnswer, RevokedAnswer,
};
pub use capacity::{CapacityAnswer, CapacityWanted, SubjectAnswer};
pub use changes::{ChangeAnswer, ChangesAnswer, ChangesWanted};
pub use drafts::{DraftAnswer, DraftWanted};
pub use fault::{FaultAnswer, VoidAnswer};
pub use fleet::{ActAnswer, AgentChanged, AuditAnswer, TokenAnswer, TokensAnswer};
pub use followups::{ActionItemAnswer, ActionsAnswer, ActionsWanted};
pub use incidents::{IncidentAnswer, IncidentLine, IncidentsAnswer, IncidentsWanted};
pub use objectives::ObjectivesAnswer;
pub use observations::{ObservationAnswer, ObservationsAnswer, Standing, Wanted};
pub use public::{PublicAnswer, PublicKept};
pub use report::{ReportAnswer, ReportWanted};
pub use reviews::{ReviewAnswer, ReviewLine, ReviewsAnswer};
pub use services::{MemberAnswer, ServiceAnswer, ServicesAnswer, SiteAnswer};
pub use status::{CheckStatus, CollectorStatus, State, StatusAnswer, VantageStatus};

/// Why a question could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The journal could not be read.
    #[error(transparent)]
    Journal(#[from] mailsonde_proto::journal::JournalError),
    /// The views could not be read.
    #[error("the views cannot be read at the moment: {0}")]
    Views(#[from] crate::store::Error),
    /// There is no incident of this number.
    #[error("there is no incident {0}: `mailsonde-collector incidents list` lists them")]
    NoIncident(u64),
    /// It is not over: there is no review yet.
    #[error(
        "incident {number} is {state}: its review is made when runs have shown that it is over; until then see \
         `mailsonde-collector incidents show {number}`"
    )]
    NotOver {
        /// Which.
        number: u64,
        /// How far it is.
        state: &'static str,
    },
    /// It is another's.
    #[error(
        "incident {number} turned out to be part of incident {into}: ask for that one's review"
    )]
    Merged {
        /// Which.
        number: u64,
        /// Of which.
        into: u64,
    },
    /// What a page was to go on after is not there.
    #[error("what `after` names is not there (any more): begin anew without it")]
    Gone,
    /// There is no report of that time.
    #[error("there is no report of {month}: {why}")]
    NoReport {
        /// As it was asked for.
        month: sla::Month,
        /// Why not.
        why: &'static str,
    },
    /// The question names something that there is not.
    #[error("there is no {what} called {name}: see `mailsonde-collector {}`", listed_by(what))]
    Unknown {
        /// `agent`, `check`, `service` or `agreement`.
        what: &'static str,
        /// As it was asked for.
        name: String,
    },
}

/// The command that lists all of a sort.
fn listed_by(what: &str) -> String {
    if what == "agreement" { "sla show".to_owned() } else { format!("{what}s") }
}

/// What the views say of one check at one vantage point.
#[derive(Clone, Debug, Default)]
pub struct SeriesReading {
    /// How it is doing.
    pub state: Arc<SeriesState>,
    /// Round trips of the last 15 minutes.
    pub now: Spread,
    /// Round trips of the same hour of the last seven days.
    pub usual: Spread,
    /// Of the last 24 hours; `None` when nothing was expected or seen.
    pub day: Option<Availability>,
}

/// A distribution in two figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// Half of them took no longer, in microseconds; within 1 %.
    pub p50_us: Option<i64>,
    /// 95 of 100 took no longer, in microseconds; within 1 %.
    pub p95_us: Option<i64>,
    /// How many there were.
    pub runs: u64,
}

impl From<Percentiles> for Spread {
    fn from(Percentiles { p50_us, p95_us, runs }: Percentiles) -> Self {
        Self { p50_us, p95_us, runs }
    }
}

/// Answers operators' questions. Every answer reads the disk: not for a runtime's thread.
pub struct Query {
    registry: Arc<Registry>,
    ledger: Ledger,
    views: SeriesViews,
    latest: Latest,
    /// What [`Query::recent_objectives`] said last, and when.
    objectives: Mutex<Option<(Instant, Arc<ObjectivesAnswer>)>>,
    /// What [`Query::recent_changes`] says.
    changes: Mutex<ChangesKept>,
    clock: Clock,
    started_at: WallTime,
}

impl Query {
    /// A read model over what the collector holds; it counts its running from now.
    pub fn new(registry: Arc<Registry>, ledger: Ledger, reader: Reader, clock: Clock) -> Self {
        let views = SeriesViews::new(reader);
        let latest = Latest::default();
        let (objectives, changes, started_at) = (Mutex::default(), Mutex::default(), clock.wall());
        Self { registry, ledger, views, latest, objectives, changes, clock, started_at }
    }

    /// Is mail working, from where not, since when, how slow compared with usual.
    ///
    /// # Errors
    /// When the views cannot be read.
    pub fn status(&self) -> Result<StatusAnswer, QueryError> {
        let now = self.clock.wall();
        let mut series = self.views.read(now)?;
        let mut vantage_points = Vec::new();
        for (enrolled, entry) in self.registry.agents() {
            let mut checks = Vec::new();
            for check in &entry.checks {
                let reading = series.remove(&SeriesId::of(enrolled.agent, &check.name));
                checks.push((check.clone(), reading.unwrap_or_default()));
            }
            vantage_points.push(status::VantageReading {
                name: enrolled.name,
                labels: enrolled.labels,
                presence: entry.presence,
                checks,
            });
        }
        let collector = CollectorStatus {
            software: SOFTWARE.to_owned(),
            started_at: self.started_at.timestamp(),
            records_behind: self.ledger.index().next().saturating_sub(self.views.next()),
        };
        Ok(status::answer(vantage_points, collector, now))
    }

    /// Reads what has changed since it was last called, so that [`Query::status`] need not.
    ///
    /// # Errors
    /// When the views cannot be read.
    pub fn keep_warm(&self) -> Result<(), QueryError> {
        self.views.keep_warm(self.clock.wall())?;
        self.latest.catch_up(&self.ledger)?;
        self.look_up_changes()
    }

    /// How services are.
    ///
    /// # Errors
    /// When the views cannot be read.
    pub fn services(&self) -> Result<ServicesAnswer, QueryError> {
        self.services_of(&self.status()?)
    }

    /// The same, of a status that is there already.
    ///
    /// # Errors
    /// When the views cannot be read.
    pub fn services_of(&self, status: &StatusAnswer) -> Result<ServicesAnswer, QueryError> {
        let incidents = self.views.reader().incidents()?;
        let are_defined = self.registry.control().look(|roll| roll.definitions().is_some());
        let chronicle = self.views.reader().chronicle();
        Ok(services::answer(&chronicle, status, &incidents, are_defined))
    }

    /// Incidents, those that are not over first; only those after one of them, if there is `after`.
    ///
    /// # Errors
    /// When the views cannot be read.
    pub fn incidents(
        &self,
        wanted: &IncidentsWanted,
        after: Option<u64>,
    ) -> Result<IncidentsAnswer, QueryError> {
        incidents::list(self.views.reader(), wanted, after, self.clock.wall().timestamp())
    }

    /// One incident.
    ///
    /// # Errors
    /// When there is none of this number, or the views cannot be read.
    pub fn incident(&self, number: u64) -> Result<IncidentAnswer, QueryError> {
        let mut answer =
            incidents::show(self.views.reader(), number, self.clock.wall().timestamp())?;
        let wanted = ActionsWanted { incident: Some(number), open: false };
        answer.actions = self.actions(&wanted).actions;
        Ok(answer)
    }

    /// How far an incident is; `None` where there is none of this number.
    ///
    /// # Errors
    /// When the views cannot be read.
    pub fn incident_state(
        &self,
        number: u64,
    ) -> Result<Option<crate::judge::incident::State>, QueryError> {
        Ok(self.views.reader().incident(number)?.map(|incident| incident.state))
    }

    /// What an agent is called; its identity where it is not enrolled any more.
    pub fn agent_name(&self, agent: AgentId) -> String {
        let name = |roll: &crate::control::Roll| roll.agent(agent).map(|known| known.name.clone());
        self.registry.control().look(name).unwrap_or_else(|| agent.to_string())
    }

    /// What is to be done after incidents.
    pub fn actions(&self, wanted: &ActionsWanted) -> ActionsAnswer {
        let (today, control) = (self.today(), self.registry.control());
        let actions = control.look(|roll| followups::actions(roll.follow_ups(), wanted, today));
        let time_zone = self.views.reader().chronicle().current().time_zone.clone();
        ActionsAnswer { today, time_zone, actions }
    }

    /// The day that it is in the organisation's time zone.
    fn today(&self) -> jiff::civil::Date {
        let zone = measured::zone(self.views.reader().chronicle().current());
        self.clock.wall().timestamp().to_zoned(zone).date()
    }

    /// The first control record that is not in the views.
    pub fn judged(&self) -> u64 {
        self.views.reader().head().control_next
    }

    /// The newest observations first; of those that stand before a place, if there is one. Where the next ones stand.
    ///
    /// # Errors
    /// When an agent is named that there is not, or the journal cannot be read.
    pub fn observations(
        &self,
        wanted: &Wanted,
        before: Option<Standing>,
    ) -> Result<(ObservationsAnswer, Option<Standing>), QueryError> {
        observations::answer((&self.ledger, &self.registry), wanted, before, self.clock)
    }

    /// What changed in the records that probes keep, newest first.
    ///
    /// # Errors
    /// When an agent is named that there is not, or the journal cannot be read.
    pub fn changes(&self, wanted: &ChangesWanted) -> Result<ChangesAnswer, QueryError> {
        changes::answer(&self.ledger, &self.registry, wanted, self.clock)
    }

    /// Every agent that is enrolled.
    pub fn agents(&self) -> AgentsAnswer {
        agents::agents(&self.registry, self.clock.wall())
    }

    /// Every token that there was.
    pub fn tokens(&self) -> TokensAnswer {
        let now = self.clock.wall();
        self.registry.control().look(|roll| fleet::tokens(roll, now))
    }

    /// The audit log's newest acts, or the newest before one of them, and whether all of it is whole.
    ///
    /// # Errors
    /// When the control journal cannot be read.
    pub fn audit(
        &self,
        limit: Option<usize>,
        before: Option<u64>,
    ) -> Result<(AuditAnswer, Option<u64>), QueryError> {
        fleet::audit(self.registry.control(), limit, before)
    }

    /// Where volume, latency, quota and stated numbers lead.
    ///
    /// # Errors
    /// When the views cannot be read.
    pub fn capacity(&self, wanted: &CapacityWanted) -> Result<CapacityAnswer, QueryError> {
        capacity::answer(&self.registry, self.views.reader(), wanted, self.clock.wall())
    }

    /// Every check that an agent runs.
    pub fn checks(&self) -> ChecksAnswer {
        agents::checks(&self.registry)
    }
}

/// Its name and version.
pub const SOFTWARE: &str = concat!("mailsonde-collector ", env!("CARGO_PKG_VERSION"));
