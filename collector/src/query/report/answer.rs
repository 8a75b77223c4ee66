//! What is answered of a month; units stand in the names.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::judge::feedback::{Satisfaction, TicketFigures};
use crate::judge::incident::kpi::{Dealt, Kpi, kpi_of};
use crate::judge::incident::{Kind, Severity, State};
use crate::judge::objective::Reached;
use crate::query::sla::{AgreementAnswer, ExcludedAnswer, Month, RunsAnswer, SpentByAnswer};
use crate::query::{Spread, SubjectAnswer};

/// A month.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReportAnswer {
    /// Which.
    pub month: Month,
    /// The time zone in which it begins and ends.
    pub time_zone: String,
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
    /// Up to when the journals are in it.
    pub made_at: Timestamp,
    /// Whether the month was over by then.
    pub is_over: bool,
    /// Whether it is kept, and says the same for ever; else it is preliminary.
    pub is_kept: bool,
    /// The services that it was narrowed to; empty: all.
    pub only: Vec<String>,
    /// In the order of their definition.
    pub services: Vec<ServiceReport>,
    /// That lay in the month, in the order in which they were opened; at most 500.
    pub incidents: Vec<IncidentReport>,
    /// What is wrong with domains, certificates and lists; null where single observations of then are not kept any more.
    pub posture: Option<PostureReport>,
    /// What reaches its limit first comes first.
    pub capacity: Vec<SubjectAnswer>,
    /// What users said; null where nothing was ever imported.
    pub feedback: Option<FeedbackReport>,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceReport {
    /// Its name.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// Who answers for it; empty when nobody is named.
    pub owner: String,
    /// Minutes in which its quorum worked, nothing left out.
    pub up_minutes: u64,
    /// Minutes in which it was down.
    pub down_minutes: u64,
    /// Minutes of which nobody knows.
    pub unknown_minutes: u64,
    /// All scheduled runs.
    pub runs: RunsAnswer,
    /// Of those, the round trips.
    pub round_trips: RunsAnswer,
    /// How long runs took that passed: round trips where it has any.
    pub latency: Spread,
    /// What was promised of it.
    pub agreements: Vec<AgreementReport>,
    /// Where most failed first; beyond 200 they are one, without a name.
    pub sites: Vec<SiteReport>,
    /// Who failed, most first; at most 20.
    pub spent_by: Vec<SpentByAnswer>,
    /// Day by day.
    pub days: Vec<DayFigures>,
}

/// An agreement in its window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgreementReport {
    /// As `sla show` has it.
    pub kept: AgreementAnswer,
    /// Everything that was left out, and why.
    pub excluded: Vec<ExcludedAnswer>,
    /// Twelve months up to this one; empty where its window is no month.
    pub trend: Vec<TrendPoint>,
}

/// A month of a trend.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrendPoint {
    /// Which.
    pub month: Month,
    /// Null where nothing was measured.
    pub result: Option<Reached>,
    /// The lower bound.
    pub lower: Option<f64>,
    /// The upper bound.
    pub upper: Option<f64>,
}

/// What was seen from one site.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SiteReport {
    /// Its name; empty for all the others together.
    pub site: String,
    /// Runs that passed.
    pub pass: u64,
    /// That failed.
    pub fail: u64,
    /// That could not be judged.
    pub void: u64,
    /// How long those took that passed.
    pub latency: Spread,
}

/// One day, from midnight to midnight of the zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DayFigures {
    /// Runs that failed; null where none was seen.
    pub failed: Option<u64>,
    /// Half took no longer, in microseconds.
    pub p50_us: Option<i64>,
    /// 95 of 100 took no longer, in microseconds.
    pub p95_us: Option<i64>,
}

/// An incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IncidentReport {
    /// Its number.
    pub number: u64,
    /// What it was about.
    pub kind: Kind,
    /// How bad it was.
    pub severity: Severity,
    /// How far it is.
    pub state: State,
    /// What failed.
    pub headline: String,
    /// From where.
    pub scope: String,
    /// The first slot that failed.
    pub began_at: Timestamp,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When somebody took it on.
    pub acknowledged_at: Option<Timestamp>,
    /// When it was mended.
    pub resolved_at: Option<Timestamp>,
    /// From when on it worked again.
    pub ended_at: Option<Timestamp>,
    /// Whether it is about security.
    pub is_security: bool,
    /// It was opened before the month began, and does not count in this month's times.
    pub is_carried_over: bool,
    /// People behind its services, where known.
    pub users: u64,
    /// What it cost each service.
    pub cost: Vec<ServiceCost>,
}

/// What an incident cost one service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceCost {
    /// Its name.
    pub service: String,
    /// Minutes in which it was down; null while that is not measured.
    pub down_minutes: Option<u64>,
    /// Minutes of which nobody knows.
    pub unknown_minutes: Option<u64>,
}

/// What is wrong with domains, certificates and lists.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PostureReport {
    /// Of how many checks of domains a look was found.
    pub looked_at: u64,
    /// Critical first, then by domain.
    pub findings: Vec<FindingLine>,
    /// Looking took too long: checks whose last look was before this time are not in it.
    pub looked_back_to: Option<Timestamp>,
}

/// One rule that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FindingLine {
    /// The domain, or whatever the check looks at.
    pub subject: String,
    /// The check.
    pub check: String,
    /// The rule's name.
    pub rule: String,
    /// `notice`, `warning`, `critical` or `unknown`.
    pub severity: String,
    /// What was seen.
    pub evidence: String,
    /// What to do.
    pub advice: String,
    /// The document that the rule comes from.
    pub source: String,
    /// From how many vantage points it was seen.
    pub seen_from: u64,
}

/// What users said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FeedbackReport {
    /// Twelve months up to this one.
    pub months: Vec<FeedbackMonth>,
    /// The same of services that answers or tickets name.
    pub of_services: BTreeMap<String, Vec<FeedbackMonth>>,
}

/// What users said, up to now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FeedbackAnswer {
    /// When it was given.
    pub now: Timestamp,
    /// The time zone in which months begin and end.
    pub time_zone: String,
    /// Twelve months up to this one.
    #[serde(flatten)]
    pub feedback: FeedbackReport,
}

/// What users said in a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FeedbackMonth {
    /// Which.
    pub month: Month,
    /// Answers.
    pub satisfaction: Satisfaction,
    /// Tickets that were opened.
    pub tickets: TicketFigures,
}

impl FeedbackMonth {
    /// Whether nobody said anything.
    pub fn is_empty(&self) -> bool {
        self.satisfaction.answers == 0 && self.tickets.opened == 0
    }
}

/// A month in few figures, made of the rest.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Summary {
    /// The worst result of all agreements; `None` where there are none.
    pub result: Option<Reached>,
    /// How many agreements were met, missed, not proven.
    pub met: usize,
    /// See there.
    pub missed: usize,
    /// See there.
    pub not_proven: usize,
    /// The same of each of twelve months, of those agreements that have a trend: met, missed, not proven.
    pub trend: Vec<(Month, [u64; 3])>,
    /// How incidents were dealt with that were opened in the month.
    pub kpi: Kpi,
    /// Minutes that services were down by incidents, summed over services.
    pub cost_minutes: u64,
    /// Incidents whose minutes are not measured yet.
    pub unmeasured: usize,
    /// Round trips of all services.
    pub round_trips: RunsAnswer,
}

impl ReportAnswer {
    /// The same of some services alone.
    pub fn only(mut self, services: &[String]) -> Self {
        if services.is_empty() {
            return self;
        }
        self.services.retain(|it| services.contains(&it.name));
        for incident in &mut self.incidents {
            incident.cost.retain(|cost| services.contains(&cost.service));
        }
        self.incidents.retain(|it| !it.cost.is_empty());
        let is_of =
            |it: &SubjectAnswer| it.service.as_ref().is_some_and(|it| services.contains(it));
        self.capacity.retain(is_of);
        // findings are of domains, which belong to no service alone
        if let Some(feedback) = &mut self.feedback {
            feedback.of_services.retain(|name, _| services.contains(name));
        }
        self.only = services.to_vec();
        self
    }

    /// In few figures.
    pub fn summary(&self) -> Summary {
        let all = || self.services.iter().flat_map(|service| &service.agreements);
        let how_many = |wanted| all().filter(|it| it.kept.result == wanted).count();
        let (met, missed) = (how_many(Reached::Met), how_many(Reached::Missed));
        let not_proven = how_many(Reached::NotProven);
        let result = match (met, missed, not_proven) {
            (0, 0, 0) => None,
            (_, 0, 0) => Some(Reached::Met),
            (_, 0, _) => Some(Reached::NotProven),
            _ => Some(Reached::Missed),
        };
        let mut trend: BTreeMap<Month, [u64; 3]> = BTreeMap::new();
        for point in all().flat_map(|it| &it.trend) {
            let counts = trend.entry(point.month).or_default();
            let at = match point.result {
                Some(Reached::Met) => 0,
                Some(Reached::Missed) => 1,
                Some(Reached::NotProven) => 2,
                None => continue,
            };
            counts.iter_mut().skip(at).take(1).for_each(|count| *count += 1);
        }
        let cost = |it: &IncidentReport| it.cost.iter().filter_map(|cost| cost.down_minutes).sum();
        let of_mail = || self.incidents.iter().filter(|it| it.kind != Kind::Silence);
        let is_measured = |it: &IncidentReport| it.cost.iter().all(|it| it.down_minutes.is_some());
        Summary {
            result,
            met,
            missed,
            not_proven,
            trend: trend.into_iter().collect(),
            kpi: kpi_of(of_mail().filter(|it| !it.is_carried_over).map(dealt), self.made_at),
            cost_minutes: of_mail().map(cost).fold(0, u64::saturating_add),
            unmeasured: of_mail().filter(|it| !is_measured(it)).count(),
            round_trips: self.services.iter().fold(RunsAnswer::default(), |sum, service| {
                let RunsAnswer { pass, fail, void, missed } = service.round_trips;
                RunsAnswer {
                    pass: sum.pass.saturating_add(pass),
                    fail: sum.fail.saturating_add(fail),
                    void: sum.void.saturating_add(void),
                    missed: sum.missed.saturating_add(missed),
                }
            }),
        }
    }

    /// What people call a service.
    pub fn title<'r>(&'r self, name: &'r str) -> &'r str {
        let known = self.services.iter().find(|service| service.name == name);
        known.map_or(name, |service| service.title.as_str())
    }

    /// What users said, of the services that it is narrowed to; summed where those are several.
    pub fn feedback_months(&self) -> Vec<FeedbackMonth> {
        let Some(feedback) = &self.feedback else { return Vec::new() };
        if self.only.is_empty() {
            return feedback.months.clone();
        }
        // of several services nobody's median is known
        let mut sum: BTreeMap<Month, FeedbackMonth> = BTreeMap::new();
        for month in feedback.of_services.values().flatten() {
            sum.entry(month.month).and_modify(|sum| sum.add(month)).or_insert(*month);
        }
        sum.into_values().collect()
    }
}

impl FeedbackMonth {
    fn add(&mut self, other: &Self) {
        self.satisfaction.answers += other.satisfaction.answers;
        self.satisfaction.satisfied += other.satisfaction.satisfied;
        for (sum, score) in self.satisfaction.scores.iter_mut().zip(other.satisfaction.scores) {
            *sum += score;
        }
        let (sum, tickets) = (&mut self.tickets, &other.tickets);
        sum.opened += tickets.opened;
        sum.resolved += tickets.resolved;
        sum.within_24h += tickets.within_24h;
        sum.within_48h += tickets.within_48h;
        sum.undecided_24h += tickets.undecided_24h;
        sum.undecided_48h += tickets.undecided_48h;
        sum.median_s = None;
    }
}

fn dealt(incident: &IncidentReport) -> Dealt {
    let IncidentReport { began_at, opened_at, acknowledged_at, resolved_at, is_security, .. } =
        *incident;
    Dealt { began_at, opened_at, acknowledged_at, resolved_at, is_security }
}
