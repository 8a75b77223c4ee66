//! What was promised and what was kept: every agreement over its window, and one of them step by step.
//!
//! The window is the one that the asked month lies in. A figure is an interval, because what is unknown is neither
//! good nor bad; the result follows from its bounds. Absent on purpose: the arithmetic, which `judge` has.

mod answer;
mod month;

use mailsonde_proto::{Clock, WallTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use answer::{
    AgreementAnswer, ExcludedAnswer, ExplainAnswer, FigureAnswer, RunsAnswer, SlaAnswer,
    SpentByAnswer, StretchAnswer,
};
pub use month::{Month, NotAMonth};

use super::measured::{Measured, Tells, Wanted, excluded, measure, minute_start, zone};
use super::{ObservationAnswer, QueryError};
use crate::judge::agreement::{LeftOut, credits, left_out};
use crate::judge::chronicle::Chronicle;
use crate::judge::definition::{Agreement, Definitions, Service, Share, Sli, Window};
use crate::judge::objective::Reached;
use crate::judge::window::{Stretches, calendar};
use crate::rollups::Reader;

/// Stretches and exclusions in one answer at most.
const MOST_LINES: usize = 2_000;

/// Which agreements are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlaWanted {
    /// The windows that this month lies in; the month under way when it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub month: Option<Month>,
    /// Of this service only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// Which agreement is to be explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExplainWanted {
    /// Its name.
    pub agreement: String,
    /// The window that this month lies in; the month under way when it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub month: Option<Month>,
}

/// One agreement in its window.
struct Asked<'c> {
    service: &'c Service,
    agreement: &'c Agreement,
    wanted: Wanted,
}

pub(super) fn show(reader: &Reader, wanted: &SlaWanted) -> Result<SlaAnswer, QueryError> {
    Ok(show_with_excluded(reader, wanted)?.0)
}

/// The same, and what each agreement leaves out.
pub(super) fn show_with_excluded(
    reader: &Reader,
    wanted: &SlaWanted,
) -> Result<(SlaAnswer, Vec<Vec<ExcludedAnswer>>), QueryError> {
    let now = reader.head().now();
    let chronicle = reader.chronicle();
    let definitions = chronicle.current().clone();
    let zone = zone(&definitions);
    let day =
        wanted.month.map_or_else(|| zone.to_datetime(now.timestamp()).date(), |month| month.0);
    let services = services(&chronicle, &definitions, &calendar(Window::Month, &zone, day));
    if let Some(name) = &wanted.service
        && !services.iter().any(|service| service.name == *name)
    {
        return Err(QueryError::Unknown { what: "service", name: name.clone() });
    }
    let mut asked = Vec::new();
    for service in &services {
        if wanted.service.as_ref().is_some_and(|name| *name != service.name) {
            continue;
        }
        for agreement in &service.agreements {
            let range = calendar(agreement.window, &zone, day);
            let all = excluded(&chronicle, service, &range);
            let left_out = left_out(agreement, &all);
            asked.push(Asked {
                service,
                agreement,
                wanted: asked_of(service, agreement, range, left_out),
            });
        }
    }
    let figures: Vec<Wanted> = asked.iter().map(|asked| asked.wanted.clone()).collect();
    let measured = measure(reader, &chronicle, now, &figures)?;
    let both = || asked.iter().zip(&measured);
    let agreements = both().map(|(asked, measured)| answer(asked, measured, now)).collect();
    let excluded = both().map(|(asked, it)| told(&asked.wanted.left_out, &it.left_out)).collect();
    let time_zone = definitions.time_zone.clone().unwrap_or_else(|| "UTC".to_owned());
    Ok((SlaAnswer { now: now.timestamp(), time_zone, agreements }, excluded))
}

/// Services as they are defined, with agreements as they stood last in a time: also of those that there are not any more.
pub(super) fn services(
    chronicle: &Chronicle,
    definitions: &Definitions,
    range: &std::ops::Range<WallTime>,
) -> Vec<Service> {
    let mut services = definitions.services.clone();
    for (_, stood) in chronicle.definitions_between(range) {
        for then in &stood.services {
            let Some(now) = services.iter_mut().find(|service| service.name == then.name) else {
                services.push(then.clone());
                continue;
            };
            for agreement in &then.agreements {
                match now.agreements.iter_mut().find(|known| known.name == agreement.name) {
                    Some(known) => known.clone_from(agreement),
                    None => now.agreements.push(agreement.clone()),
                }
            }
        }
    }
    services
}

fn asked_of(
    service: &Service,
    agreement: &Agreement,
    range: std::ops::Range<WallTime>,
    left_out: Vec<LeftOut>,
) -> Wanted {
    Wanted {
        service: service.name.clone(),
        sli: agreement.sli,
        range,
        in_hours: agreement.in_hours,
        left_out,
        is_rolling: false,
        tells: Tells::default(),
    }
}

fn answer(asked: &Asked<'_>, measured: &Measured, now: WallTime) -> AgreementAnswer {
    let agreement = asked.agreement;
    let (credit, worst) = credits(agreement, &measured.tallied);
    let result = measured.tallied.reached(agreement.target);
    let is_owed = result == Reached::Missed;
    AgreementAnswer {
        agreement: agreement.name.clone(),
        customer: agreement.customer.clone(),
        service: asked.service.name.clone(),
        figure: figure(&asked.wanted, (agreement.target, agreement.window), measured, now),
        result,
        credit: credit.filter(|_| is_owed).map(|step| step.credit),
        credit_at_worst: worst.filter(|_| result != Reached::Met).map(|step| step.credit),
        excluded: measured.left_out.iter().fold(0, |sum, count| sum.saturating_add(*count)),
    }
}

/// A figure for people and programs.
pub(super) fn figure(
    wanted: &Wanted,
    (target, window): (Share, Window),
    measured: &Measured,
    now: WallTime,
) -> FigureAnswer {
    let tallied = &measured.tallied;
    let all = tallied.all();
    let share = |part: u64| (all > 0).then(|| share(part, all));
    let (indicator, within_us) = match wanted.sli {
        Sli::Uptime => ("uptime", None),
        Sli::Delivery => ("delivery", None),
        Sli::Success => ("success", None),
        Sli::Latency { within_us } => ("latency", Some(within_us)),
        Sli::Resolution { .. } => ("resolution", None),
        Sli::Security => ("security", None),
    };
    FigureAnswer {
        indicator: indicator.to_owned(),
        within_us,
        target,
        window: window_in_words(window),
        in_hours: wanted.in_hours,
        from: wanted.range.start.timestamp(),
        until: wanted.range.end.timestamp(),
        is_over: now > wanted.range.end && measured.to_come == 0,
        unit: if wanted.sli == Sli::Uptime { "minutes" } else { "runs" }.to_owned(),
        good: tallied.good,
        bad: tallied.bad,
        unknown: tallied.unknown,
        lower: share(tallied.good),
        upper: share(tallied.good.saturating_add(tallied.unknown)),
        coverage: share(tallied.good.saturating_add(tallied.bad)),
        is_exact: !measured.events.is_estimated,
    }
}

pub(super) fn window_in_words(window: Window) -> String {
    match window {
        Window::Rolling { days } => format!("rolling {days} d"),
        Window::Month => "month".to_owned(),
        Window::Quarter => "quarter".to_owned(),
        Window::Year => "year".to_owned(),
    }
}

/// `part / all`, rounded down to a thousand-millionth: for people, after what is decided was decided.
fn share(part: u64, all: u64) -> f64 {
    let scaled = u128::from(part) * 1_000_000_000 / u128::from(all.max(1));
    f64::from(u32::try_from(scaled).unwrap_or(u32::MAX)) / 1e9
}

pub(super) fn explain(
    reader: &Reader,
    wanted: &ExplainWanted,
    observations: impl FnOnce(&Explained) -> Result<Vec<ObservationAnswer>, QueryError>,
) -> Result<ExplainAnswer, QueryError> {
    let now = reader.head().now();
    let phases = reader.phases()?;
    let chronicle = reader.chronicle();
    let definitions = chronicle.current().clone();
    let zone = zone(&definitions);
    let day =
        wanted.month.map_or_else(|| zone.to_datetime(now.timestamp()).date(), |month| month.0);
    let services = services(&chronicle, &definitions, &calendar(Window::Month, &zone, day));
    let mut all = services
        .iter()
        .flat_map(|service| service.agreements.iter().map(move |agreement| (service, agreement)));
    let found = all.find(|(_, agreement)| agreement.name == wanted.agreement);
    let unknown = || QueryError::Unknown { what: "agreement", name: wanted.agreement.clone() };
    let (service, agreement) = found.ok_or_else(unknown)?;
    let range = calendar(agreement.window, &zone, day);
    let left_out = left_out(agreement, &excluded(&chronicle, service, &range));
    let mut figure = asked_of(service, agreement, range.clone(), left_out);
    figure.tells = Tells { whose: true, stretches: true };
    let asked = Asked { service, agreement, wanted: figure };
    let measured = measure(reader, &chronicle, now, std::slice::from_ref(&asked.wanted))?;
    let measured = measured.into_iter().next().unwrap_or_default();
    let left = asked.wanted.left_out.iter().flat_map(|out| out.stretches.iter());
    let explained = Explained {
        left_out: Stretches::of(left.collect::<Vec<_>>()),
        series: super::measured::members(&chronicle, &asked.wanted),
        from: range.start,
        until: range.end,
    };
    drop(chronicle);
    let spent_by = spent_by(&measured, &phases);
    let is_cut = measured.stretches.len() > MOST_LINES
        || asked.wanted.left_out.len() > MOST_LINES
        || spent_by.len() > MOST_LINES;
    let events = &measured.events;
    Ok(ExplainAnswer {
        time_zone: definitions.time_zone.clone().unwrap_or_else(|| "UTC".to_owned()),
        agreement: answer(&asked, &measured, now),
        allowed: agreement.target.allowance(measured.tallied.all()),
        runs: RunsAnswer {
            pass: events.pass,
            fail: events.fail,
            void: events.void,
            missed: events.missed,
        },
        stretches: stretches(&measured),
        excluded: told(&asked.wanted.left_out, &measured.left_out),
        spent_by: spent_by.into_iter().take(MOST_LINES).collect(),
        observations: observations(&explained)?,
        is_cut,
    })
}

/// Whose observations stand behind a figure, and of which time.
pub(super) struct Explained {
    pub(super) series: std::collections::BTreeSet<crate::series::SeriesId>,
    pub(super) from: WallTime,
    pub(super) until: WallTime,
    /// Minutes from 1970-01-01 UTC whose runs do not count.
    pub(super) left_out: Stretches,
}

fn stretches(measured: &Measured) -> Vec<StretchAnswer> {
    let mut told: Vec<StretchAnswer> = Vec::new();
    for (range, state) in &measured.stretches {
        let (from, until) = (minute_start(range.start), minute_start(range.end));
        let (from, until) = (from.timestamp(), until.timestamp());
        let minutes = u64::from(range.end.saturating_sub(range.start));
        let is_full = told.len() >= MOST_LINES;
        match told.last_mut() {
            // over midnight
            Some(last) if last.until == from && last.state == *state => {
                last.until = until;
                last.minutes = last.minutes.saturating_add(minutes);
            }
            _ if is_full => break,
            _ => told.push(StretchAnswer { from, until, minutes, state: *state }),
        }
    }
    told
}

fn told(left_out: &[LeftOut], counts: &[u64]) -> Vec<ExcludedAnswer> {
    let all = left_out.iter().zip(counts).take(MOST_LINES).map(|(out, count)| ExcludedAnswer {
        from: out.excluded.from.timestamp(),
        until: out.excluded.until.timestamp(),
        kind: out.excluded.kind,
        reason: out.excluded.reason.clone(),
        number: out.excluded.number,
        count: *count,
    });
    all.collect()
}

/// Who failed, most first.
pub(super) fn spent_by(
    measured: &Measured,
    phases: &std::collections::BTreeMap<crate::series::PhaseId, String>,
) -> Vec<SpentByAnswer> {
    let mut spent: Vec<SpentByAnswer> = Vec::new();
    for ((voice, check), tally) in &measured.events.by {
        spent.extend(tally.iter().map(|(code, failures)| SpentByAnswer {
            voice: voice.clone(),
            check: check.clone(),
            phase: phases.get(&code.phase).cloned().unwrap_or_else(|| "unknown".to_owned()),
            class: code.fault_class().as_str().to_owned(),
            failures,
        }));
    }
    spent.sort_by_key(|by| std::cmp::Reverse(by.failures));
    spent
}

impl super::Query {
    /// Every agreement over its window.
    ///
    /// # Errors
    /// When a service is named that there is not, or the views cannot be read.
    pub fn sla(&self, wanted: &SlaWanted) -> Result<SlaAnswer, QueryError> {
        show(self.views.reader(), wanted)
    }

    /// One agreement step by step.
    ///
    /// # Errors
    /// When there is no such agreement, or views or journal cannot be read.
    pub fn sla_explained(&self, wanted: &ExplainWanted) -> Result<ExplainAnswer, QueryError> {
        let clock: Clock = self.clock;
        explain(self.views.reader(), wanted, |explained| {
            super::behind::failures(&self.ledger, &self.registry, explained, clock)
        })
    }
}
