//! What Prometheus scrapes: how services, checks, agents and the collector are, as metrics.
//!
//! Counters and histograms count from the start of the process, and say so (`_created`, and
//! `mailsonde_counting_since_timestamp_seconds`); what the views know of the time before is in the gauges. Invariants:
//! unknown is never up; the text is bounded: where there are too many series, the histograms of a check's vantage
//! points are one, and what is left out altogether is counted.

mod text;

use std::collections::{BTreeMap, HashMap};

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use mailsonde_proto::WallTime;

use super::{Operators, Refusal, Shared};
use crate::judge::definition::Voiced;
use crate::query::agents::AgentsAnswer;
use crate::query::objectives::{ObjectivesAnswer, ObjectivesWanted};
use crate::query::{ServicesAnswer, State as CheckState, StatusAnswer};
use crate::series::SeriesId;
use crate::tally::{BOUNDS_US, Counted};
use crate::watched::HealthAnswer;
use text::{Form, Kind, Text, number};

/// Where they are scraped.
pub(super) const METRICS: &str = "/metrics";
/// Bytes of what is told of series at most, without histograms.
const SERIES_BYTES: usize = 1_536 * 1_024;
/// Bytes of histograms of series at most; beyond, those of a check are one.
const HISTOGRAM_BYTES: usize = 2_560 * 1_024;
/// Bytes that a sample of a series takes beside its names, its own name included.
const SAMPLE_BYTES: usize = 90;
/// Samples of a series, without its histogram.
const SERIES_SAMPLES: usize = 11;

pub(super) async fn metrics(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let form = Form::wanted(accept.unwrap_or_default());
    let written = move |operators: &Operators| Ok::<_, Refusal>(written(&read(operators)?, form));
    let shown = |text: String| {
        let kind = HeaderValue::from_static(form.media_type());
        ([(header::CONTENT_TYPE, kind)], text).into_response()
    };
    shared.work_for(written, shown).await
}

/// What is told.
struct Reading {
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

fn read(operators: &Operators) -> Result<Reading, Refusal> {
    let query = &operators.query;
    let status = query.status()?;
    let mut waiting: BTreeMap<String, u64> = BTreeMap::new();
    for channel in operators.delivery.channels().iter() {
        waiting.entry(channel.name.clone()).or_default();
    }
    for held in operators.delivery.held() {
        *waiting.entry(held.channel).or_default() += 1;
    }
    Ok(Reading {
        services: query.services_of(&status)?,
        status,
        objectives: query.objectives(&ObjectivesWanted::default())?,
        agents: query.agents(),
        health: operators.watched.health(),
        disk_free_bytes: operators.watched.disk_free_bytes(),
        waiting,
        counted: operators.tally.read(),
        viewers: u64::try_from(operators.live.viewers()).unwrap_or(u64::MAX),
    })
}

fn written(reading: &Reading, form: Form) -> String {
    let since_s = seconds(reading.counted.0.timestamp());
    let mut text = Text::new(form, since_s);
    text.family(Kind::Gauge, "mailsonde_build_info", "The collector's version.");
    text.gauge(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    text.family(
        Kind::Gauge,
        "mailsonde_counting_since_timestamp_seconds",
        "When counters and histograms began: the start of the collector.",
    );
    text.gauge(&[], since_s);
    services(&mut text, reading);
    objectives(&mut text, &reading.objectives);
    agents(&mut text, &reading.agents);
    own(&mut text, reading);
    series(&mut text, reading);
    text.finish()
}

fn services(text: &mut Text, reading: &Reading) {
    let services = &reading.services.services;
    let name = "mailsonde_service_state";
    text.family(Kind::Gauge, name, "1 for the state that a service is in, 0 for the others.");
    for service in services {
        let states = [("up", Voiced::Up), ("down", Voiced::Down), ("unknown", Voiced::Unknown)];
        for (word, state) in states {
            let labels = [("service", &*service.name), ("state", word)];
            text.gauge(&labels, f64::from(u8::from(service.state == state)));
        }
    }
    let name = "mailsonde_service_open_incidents";
    text.family(Kind::Gauge, name, "Incidents that touch a service and are not over.");
    for service in services {
        let open = u64::try_from(service.incidents.len()).unwrap_or(u64::MAX);
        text.gauge(&[("service", &service.name)], number(open));
    }
}

fn objectives(text: &mut Text, answer: &ObjectivesAnswer) {
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
        text.family(Kind::Gauge, name, help);
        for objective in &answer.objectives {
            let labels = [("service", &*objective.service), ("objective", &*objective.objective)];
            text.gauge(&labels, figure(objective));
        }
    }
}

fn agents(text: &mut Text, answer: &AgentsAnswer) {
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
        text.family(Kind::Gauge, name, help);
        for agent in &answer.agents {
            text.gauge(&[("vantage_point", &agent.name)], figure(agent));
        }
    }
}

/// The collector itself.
fn own(text: &mut Text, reading: &Reading) {
    text.family(Kind::Gauge, "mailsonde_part_healthy", "Whether a part does its work.");
    for part in &reading.health.parts {
        text.gauge(&[("part", &part.part)], f64::from(u8::from(part.healthy)));
    }
    let behind = reading.status.collector.records_behind;
    text.family(
        Kind::Gauge,
        "mailsonde_pipeline_behind_records",
        "Records of the journal that are not in the figures yet.",
    );
    text.gauge(&[], number(behind));
    text.family(Kind::Gauge, "mailsonde_notices_waiting", "Messages that wait for a channel.");
    for (channel, waiting) in &reading.waiting {
        text.gauge(&[("channel", channel)], number(*waiting));
    }
    text.family(Kind::Gauge, "mailsonde_disk_free_bytes", "Room for the collector's folder.");
    text.gauge(&[], reading.disk_free_bytes.map(number));
    text.family(Kind::Gauge, "mailsonde_live_viewers", "Who follows what changes at the moment.");
    text.gauge(&[], number(reading.viewers));
}

/// A check at a vantage point.
struct Row<'r> {
    vantage_point: &'r str,
    check: &'r crate::query::CheckStatus,
    counted: Option<&'r Counted>,
}

impl Row<'_> {
    fn labels(&self) -> [(&str, &str); 2] {
        [("vantage_point", self.vantage_point), ("check", &self.check.check)]
    }

    /// Bytes that a sample of it takes.
    fn bytes(&self) -> usize {
        SAMPLE_BYTES + self.vantage_point.len() + self.check.check.len()
    }
}

fn series(text: &mut Text, reading: &Reading) {
    let identities: HashMap<&str, mailsonde_proto::AgentId> = reading
        .agents
        .agents
        .iter()
        .filter_map(|agent| Some((&*agent.name, agent.agent_id.parse().ok()?)))
        .collect();
    let (_, counted, runs_left_out) = &reading.counted;
    let mut rows = Vec::new();
    for vantage in &reading.status.vantage_points {
        let agent = identities.get(&*vantage.name);
        for check in &vantage.checks {
            let id = agent.map(|agent| SeriesId::of(*agent, &check.check));
            let counted = id.and_then(|id| counted.get(&id));
            rows.push(Row { vantage_point: &vantage.name, check, counted });
        }
    }
    let mut room = SERIES_BYTES;
    let shown = rows.iter().take_while(|row| {
        let needed = row.bytes() * SERIES_SAMPLES;
        room.checked_sub(needed).inspect(|left| room = *left).is_some()
    });
    let shown = shown.count();
    let (shown, left_out) = rows.split_at_checked(shown).unwrap_or((&rows, &[]));
    text.family(
        Kind::Gauge,
        "mailsonde_series_left_out",
        "Checks at vantage points that are not told of one by one, because there are too many.",
    );
    text.gauge(&[], number(u64::try_from(left_out.len()).unwrap_or(u64::MAX)));
    text.family(
        Kind::Counter,
        "mailsonde_uncounted_runs",
        "Runs of series beyond those that are counted.",
    );
    text.counter(&[], *runs_left_out);
    states(text, shown);
    vantage_points(text, &rows);
    runs(text, shown);
    round_trips(text, &rows);
}

fn states(text: &mut Text, rows: &[Row<'_>]) {
    type Figure = fn(&crate::query::CheckStatus) -> Option<f64>;
    let figures: [(&str, &str, Figure); 4] = [
        (
            "mailsonde_check_up",
            "1 where the check passes; 0 where it fails and where nobody knows.",
            |check| Some(f64::from(u8::from(check.state == CheckState::Up))),
        ),
        (
            "mailsonde_check_known",
            "Whether it is known how the check is: 0 where it is late or unknown.",
            |check| {
                let is_known = matches!(check.state, CheckState::Up | CheckState::Failing);
                Some(f64::from(u8::from(is_known)))
            },
        ),
        (
            "mailsonde_check_last_round_trip_seconds",
            "How long the last run that passed took.",
            |check| check.last_round_trip_us.map(from_us),
        ),
        ("mailsonde_check_last_run_timestamp_seconds", "The slot of the last run.", |check| {
            check.last_run_at.map(seconds)
        }),
    ];
    for (name, help, figure) in figures {
        text.family(Kind::Gauge, name, help);
        for row in rows {
            text.gauge(&row.labels(), figure(row.check));
        }
    }
}

/// How many vantage points of each check are in which state: of all, however many there are.
fn vantage_points(text: &mut Text, rows: &[Row<'_>]) {
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for row in rows {
        for state in [CheckState::Up, CheckState::Failing, CheckState::Late, CheckState::Unknown] {
            let count = counts.entry((&row.check.check, state.as_str())).or_default();
            *count += u64::from(row.check.state == state);
        }
    }
    let name = "mailsonde_check_vantage_points";
    text.family(Kind::Gauge, name, "Vantage points from which a check is in a state.");
    for ((check, state), count) in counts {
        text.gauge(&[("check", check), ("state", state)], number(count));
    }
}

fn runs(text: &mut Text, rows: &[Row<'_>]) {
    text.family(
        Kind::Counter,
        "mailsonde_runs",
        "Scheduled runs since the collector's start, by verdict; void is neither up nor down.",
    );
    for row in rows {
        let Some(counted) = row.counted else { continue };
        let [one, other] = row.labels();
        let verdicts = [("pass", counted.passed), ("fail", counted.failed), ("void", counted.void)];
        for (verdict, count) in verdicts {
            text.counter(&[one, other, ("verdict", verdict)], count);
        }
    }
}

fn round_trips(text: &mut Text, rows: &[Row<'_>]) {
    text.family(
        Kind::Histogram,
        "mailsonde_round_trip_seconds",
        "How long scheduled runs that passed took, since the collector's start.",
    );
    let samples = BOUNDS_US.len() + 4;
    let needed: usize = rows.iter().map(|row| row.bytes() * samples).sum();
    if needed <= HISTOGRAM_BYTES {
        for row in rows {
            if let Some(counted) = row.counted {
                histogram(text, &row.labels(), counted);
            }
        }
        return;
    }
    // all vantage points of a check together
    let mut checks: BTreeMap<&str, Counted> = BTreeMap::new();
    for row in rows {
        if let Some(counted) = row.counted {
            checks.entry(&row.check.check).or_default().merge(counted);
        }
    }
    let begun = text.len();
    for (check, counted) in checks {
        if text.len() - begun > HISTOGRAM_BYTES {
            break;
        }
        histogram(text, &[("vantage_point", ""), ("check", check)], &counted);
    }
}

fn histogram(text: &mut Text, labels: text::Labels<'_>, counted: &Counted) {
    let bounds = BOUNDS_US.iter().map(|bound_us| from_us(*bound_us));
    let within = bounds.zip(counted.within);
    text.histogram(labels, within, (counted.passed, from_us(counted.sum_us)));
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

#[cfg(test)]
mod tests;
