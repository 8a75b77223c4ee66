//! How services, checks, agents and the collector are, as metrics: for whoever scrapes, and whoever is sent them.
//!
//! Counters and histograms count from the start of the process, and say so (`_created`, and
//! `mailsonde_counting_since_timestamp_seconds`); what the views know of the time before is in the gauges. Invariants:
//! unknown is never up; what is told is bounded: where there are too many series, the histograms of a check's vantage
//! points are one, and what is left out altogether is counted; every form tells the same. Absent on purpose: how it
//! gets to anybody.

mod series;
pub(crate) mod text;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use mailsonde_proto::WallTime;

use crate::delivery::Delivery;
use crate::judge::definition::Voiced;
use crate::live::Live;
use crate::query::agents::AgentsAnswer;
use crate::query::objectives::{ObjectivesAnswer, ObjectivesWanted};
use crate::query::{Query, QueryError, ServicesAnswer, StatusAnswer};
use crate::series::SeriesId;
use crate::tally::{Counted, Tally};
use crate::watched::{HealthAnswer, Watched};

/// What a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Gauge,
    /// Its name has no `_total`: forms that want it add it.
    Counter,
    Histogram,
}

/// Names and values that tell samples of a family apart.
pub(crate) type Labels<'l> = &'l [(&'l str, &'l str)];

/// A form in which metrics are told: a family, then its samples, then the next one.
pub(crate) trait Form {
    /// Begins a family.
    fn family(&mut self, kind: Kind, name: &'static str, help: &'static str);

    /// A number; none where it is not known.
    fn gauge(&mut self, labels: Labels<'_>, value: impl Into<Option<f64>>);

    /// What only rises.
    fn counter(&mut self, labels: Labels<'_>, count: u64);

    /// How many took no longer than each bound, how many there are, and their sum.
    fn histogram(&mut self, labels: Labels<'_>, within: &[(f64, u64)], all: (u64, f64));
}

/// Where the figures come from.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) query: Arc<Query>,
    pub(crate) delivery: Delivery,
    pub(crate) watched: Watched,
    pub(crate) tally: Tally,
    pub(crate) live: Live,
}

impl Source {
    /// How everything is. It waits for the disk: not for a runtime's thread.
    pub(crate) fn read(&self) -> Result<Reading, QueryError> {
        let status = self.query.status()?;
        let mut waiting: BTreeMap<String, u64> = BTreeMap::new();
        for channel in self.delivery.channels().iter() {
            waiting.entry(channel.name.clone()).or_default();
        }
        for held in self.delivery.held() {
            *waiting.entry(held.channel).or_default() += 1;
        }
        Ok(Reading {
            services: self.query.services_of(&status)?,
            status,
            objectives: self.query.objectives(&ObjectivesWanted::default())?,
            agents: self.query.agents(),
            health: self.watched.health(),
            disk_free_bytes: self.watched.disk_free_bytes(),
            waiting,
            counted: self.tally.read(),
            viewers: u64::try_from(self.live.viewers()).unwrap_or(u64::MAX),
        })
    }
}

/// What is told.
pub(crate) struct Reading {
    status: StatusAnswer,
    services: ServicesAnswer,
    objectives: ObjectivesAnswer,
    agents: AgentsAnswer,
    health: HealthAnswer,
    disk_free_bytes: Option<u64>,
    /// Messages that wait, by channel.
    waiting: BTreeMap<String, u64>,
    counted: (WallTime, HashMap<SeriesId, Counted>, u64),
    viewers: u64,
}

impl Reading {
    /// Since when counters and histograms count.
    pub(crate) fn since(&self) -> WallTime {
        self.counted.0
    }

    /// Tells all of it, in this form.
    pub(crate) fn tell(&self, form: &mut impl Form) {
        form.family(Kind::Gauge, "mailsonde_build_info", "The collector's version.");
        form.gauge(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
        form.family(
            Kind::Gauge,
            "mailsonde_counting_since_timestamp_seconds",
            "When counters and histograms began: the start of the collector.",
        );
        form.gauge(&[], seconds(self.since().timestamp()));
        services(form, self);
        objectives(form, &self.objectives);
        agents(form, &self.agents);
        own(form, self);
        series::tell(form, self);
    }
}

fn services(form: &mut impl Form, reading: &Reading) {
    let services = &reading.services.services;
    let name = "mailsonde_service_state";
    form.family(Kind::Gauge, name, "1 for the state that a service is in, 0 for the others.");
    for service in services {
        let states = [("up", Voiced::Up), ("down", Voiced::Down), ("unknown", Voiced::Unknown)];
        for (word, state) in states {
            let labels = [("service", &*service.name), ("state", word)];
            form.gauge(&labels, f64::from(u8::from(service.state == state)));
        }
    }
    let name = "mailsonde_service_open_incidents";
    form.family(Kind::Gauge, name, "Incidents that touch a service and are not over.");
    for service in services {
        let open = u64::try_from(service.incidents.len()).unwrap_or(u64::MAX);
        form.gauge(&[("service", &service.name)], number(open));
    }
}

fn objectives(form: &mut impl Form, answer: &ObjectivesAnswer) {
    type Figure = fn(&crate::query::objectives::ObjectiveAnswer) -> Option<f64>;
    let figures: [(&str, &str, Figure); 4] = [
        (
            "mailsonde_objective_lower_ratio",
            "What is reached over the objective's window, were everything unknown bad.",
            |it| it.figure.lower,
        ),
        (
            "mailsonde_objective_upper_ratio",
            "What is reached over the objective's window, were everything unknown good.",
            |it| it.figure.upper,
        ),
        ("mailsonde_objective_target_ratio", "What is to be reached.", |it| {
            Some(it.figure.target.as_f64())
        }),
        (
            "mailsonde_objective_budget_left_ratio",
            "The share of the error budget that is left; negative when more is spent.",
            |it| share(it.budget_left, it.budget),
        ),
    ];
    for (name, help, figure) in figures {
        form.family(Kind::Gauge, name, help);
        for objective in &answer.objectives {
            let labels = [("service", &*objective.service), ("objective", &*objective.objective)];
            form.gauge(&labels, figure(objective));
        }
    }
}

fn agents(form: &mut impl Form, answer: &AgentsAnswer) {
    type Figure = fn(&crate::query::AgentAnswer) -> Option<f64>;
    let figures: [(&str, &str, Figure); 3] = [
        ("mailsonde_agent_connected", "Whether the agent's stream stands.", |agent| {
            Some(f64::from(u8::from(agent.connected_since.is_some())))
        }),
        (
            "mailsonde_agent_last_heard_timestamp_seconds",
            "When anything was heard of the agent last, since the collector's start.",
            |agent| agent.last_heard_at.map(seconds),
        ),
        ("mailsonde_agent_spooled_observations", "Observations that wait at the agent.", |agent| {
            Some(number(agent.spooled))
        }),
    ];
    for (name, help, figure) in figures {
        form.family(Kind::Gauge, name, help);
        for agent in &answer.agents {
            form.gauge(&[("vantage_point", &agent.name)], figure(agent));
        }
    }
}

/// The collector itself.
fn own(form: &mut impl Form, reading: &Reading) {
    form.family(Kind::Gauge, "mailsonde_part_healthy", "Whether a part does its work.");
    for part in &reading.health.parts {
        form.gauge(&[("part", &part.part)], f64::from(u8::from(part.healthy)));
    }
    let behind = reading.status.collector.records_behind;
    form.family(
        Kind::Gauge,
        "mailsonde_pipeline_behind_records",
        "Records of the journal that are not in the figures yet.",
    );
    form.gauge(&[], number(behind));
    form.family(Kind::Gauge, "mailsonde_notices_waiting", "Messages that wait for a channel.");
    for (channel, waiting) in &reading.waiting {
        form.gauge(&[("channel", channel)], number(*waiting));
    }
    form.family(Kind::Gauge, "mailsonde_disk_free_bytes", "Room for the collector's folder.");
    form.gauge(&[], reading.disk_free_bytes.map(number));
    form.family(Kind::Gauge, "mailsonde_live_viewers", "Who follows what changes at the moment.");
    form.gauge(&[], number(reading.viewers));
}

fn from_us(us: u64) -> f64 {
    number(us) / 1e6
}

fn seconds(at: jiff::Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}

fn share(left: i64, budget: u64) -> Option<f64> {
    let magnitude = number(left.unsigned_abs());
    let left = if left < 0 { -magnitude } else { magnitude };
    (budget > 0).then(|| left / number(budget))
}

/// Counts are exact up to 2^53.
#[allow(clippy::as_conversions, reason = "there is no other way from u64 to f64")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
