//! What operators plan and leave out: maintenance windows, silences, exclusions.

use axum::Json;
use axum::extract::{ConnectInfo, Path, Query as Parameters, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use mailsonde_proto::WallTime;
use schemars::JsonSchema;
use serde::Serialize;

use super::caller::Caller;
use super::paged::{Listed, Paged};
use super::typed::{AsCalendar, Told};
use super::{Operators, Refusal, Shared};
use crate::control::ControlError;
use crate::judge::definition::Definitions;
use crate::judge::followup::FollowUpError;
use crate::judge::planned::{Planned, PlannedError};
use crate::planning::{
    Doing, ExclusionWish, ExtendWish, Planning, PlanningError, SilenceWish, StatedWish, WindowWish,
    WithdrawWish, defined, number,
};
use crate::query::objectives::ObjectivesWanted;
use crate::query::planned::{
    self, ExclusionsAnswer, PlannedWanted, ReadinessAnswer, SilencesAnswer, WindowsAnswer,
};
use crate::query::{CapacityAnswer, CapacityWanted, QueryError};

const CALENDAR: &str = "text/calendar; charset=utf-8";

/// What is said of something that cannot be planned.
pub(super) fn of_planned(error: &PlannedError) -> StatusCode {
    match error {
        PlannedError::NoSuchWindow(_)
        | PlannedError::NoSuchSilence(_)
        | PlannedError::NoSuchExclusion(_) => StatusCode::NOT_FOUND,
        PlannedError::Gone(..)
        | PlannedError::NotRunning(_)
        | PlannedError::NotOver(_)
        | PlannedError::SilenceOver(_)
        | PlannedError::Withdrawn(_)
        | PlannedError::Many => StatusCode::CONFLICT,
        _ => StatusCode::BAD_REQUEST,
    }
}

fn of_follow_up(error: &FollowUpError) -> StatusCode {
    match error {
        FollowUpError::NoSuchItem(_) => StatusCode::NOT_FOUND,
        FollowUpError::Already { .. }
        | FollowUpError::NotOpen { .. }
        | FollowUpError::ManyOfOne(_)
        | FollowUpError::Many => StatusCode::CONFLICT,
        _ => StatusCode::BAD_REQUEST,
    }
}

impl From<PlanningError> for Refusal {
    fn from(error: PlanningError) -> Self {
        let status = match &error {
            PlanningError::Control(ControlError::Planned(planned)) => of_planned(planned),
            PlanningError::Control(ControlError::Stated(_)) => StatusCode::BAD_REQUEST,
            PlanningError::Control(ControlError::FollowUp(error)) => of_follow_up(error),
            PlanningError::Control(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        Self(status, error.to_string())
    }
}

fn window_number(text: &str) -> Result<u64, PlannedError> {
    number(text).ok_or(PlannedError::NoSuchWindow(0))
}

/// Looks at what is planned, with what is defined.
fn looked<T>(operators: &Operators, look: impl FnOnce(&Planned, &Definitions, WallTime) -> T) -> T {
    let definitions = defined(&operators.registry);
    let now = operators.clock.wall();
    let planned = operators.registry.control().look(|roll| roll.planned().clone());
    look(&planned, &definitions, now)
}

fn readiness(operators: &Operators, number: u64) -> Result<ReadinessAnswer, PlanningError> {
    looked(operators, |planned, definitions, now| {
        let window = planned.window(number).ok_or(PlannedError::NoSuchWindow(number))?;
        let known = (definitions, &*operators.registry);
        // Without figures the window is still told of, its budgets as not known: what was planned is planned.
        let budgets = operators.query.objectives(&ObjectivesWanted::default());
        let budgets = budgets.map(|answer| answer.objectives).unwrap_or_default();
        Ok(planned::readiness(window, planned, known, &budgets, now))
    })
}

/// Fulfils a wish of whoever asks, and says what came of it.
async fn wished<T>(
    shared: Shared,
    caller: Caller,
    wish: impl FnOnce(Planning<'_>) -> Result<u64, PlanningError> + Send + 'static,
    told: fn(&Operators, u64) -> Result<T, PlanningError>,
) -> Told<T>
where
    T: Serialize + JsonSchema + Send + 'static,
{
    shared
        .work(move |operators| {
            let now = operators.clock.wall();
            let number = wish(Planning::new(&operators.registry, caller.author(), now))?;
            told(operators, number)
        })
        .await
}

pub(super) async fn windows(
    State(shared): State<Shared>,
    Paged { wanted, page }: Paged<PlannedWanted>,
) -> Told<Listed<WindowsAnswer>> {
    let answer = move |operators: &Operators| {
        let look = |planned: &Planned, definitions: &Definitions, now| {
            planned::windows(planned, definitions, &wanted, now)
        };
        Ok::<_, QueryError>(looked(operators, look))
    };
    shared.work_on_list(page, answer).await
}

pub(super) async fn calendar(
    State(shared): State<Shared>,
    Parameters(wanted): Parameters<PlannedWanted>,
) -> Told<(), AsCalendar> {
    let answer = move |operators: &Operators| {
        let look = |planned: &Planned, definitions: &Definitions, now| {
            planned::calendar(planned, definitions, &wanted, now)
        };
        Ok::<_, QueryError>(looked(operators, look))
    };
    let shown = |text: String| ([(CONTENT_TYPE, CALENDAR)], text).into_response();
    shared.work_for(answer, shown).await.into()
}

pub(super) async fn window(
    State(shared): State<Shared>,
    Path(id): Path<String>,
) -> Told<ReadinessAnswer> {
    shared.work(move |operators| readiness(operators, window_number(&id)?)).await
}

pub(super) async fn plan(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Json(wish): Json<WindowWish>,
) -> Told<ReadinessAnswer> {
    wished(shared, caller, move |planning| planning.plan(wish), readiness).await
}

pub(super) async fn extend(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Path(id): Path<String>,
    Json(wish): Json<ExtendWish>,
) -> Told<ReadinessAnswer> {
    let extend = move |planning: Planning<'_>| planning.extend(window_number(&id)?, wish);
    wished(shared, caller, extend, readiness).await
}

pub(super) async fn end(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Path(id): Path<String>,
) -> Told<ReadinessAnswer> {
    acted(shared, caller, id, Doing::End).await
}

pub(super) async fn cancel(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Path(id): Path<String>,
) -> Told<ReadinessAnswer> {
    acted(shared, caller, id, Doing::Cancel).await
}

pub(super) async fn accept(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Path(id): Path<String>,
) -> Told<ReadinessAnswer> {
    acted(shared, caller, id, Doing::Accept).await
}

async fn acted(shared: Shared, caller: Caller, id: String, doing: Doing) -> Told<ReadinessAnswer> {
    let act = move |planning: Planning<'_>| planning.act(window_number(&id)?, doing);
    wished(shared, caller, act, readiness).await
}

fn told_of_silences(
    operators: &Operators,
    wanted: &PlannedWanted,
) -> Result<SilencesAnswer, PlanningError> {
    let now = operators.clock.wall();
    let control = operators.registry.control();
    let mut told = control.look(|roll| planned::silences(roll.planned(), wanted, now));
    told.time_zone = defined(&operators.registry).time_zone;
    Ok(told)
}

/// The one that was just made or ended.
fn silence(operators: &Operators, number: u64) -> Result<SilencesAnswer, PlanningError> {
    let all = PlannedWanted { all: true, service: None };
    let mut told = told_of_silences(operators, &all)?;
    told.silences.retain(|silence| silence.number == number);
    Ok(told)
}

pub(super) async fn silences(
    State(shared): State<Shared>,
    Paged { wanted, page }: Paged<PlannedWanted>,
) -> Told<Listed<SilencesAnswer>> {
    shared.work_on_list(page, move |operators| told_of_silences(operators, &wanted)).await
}

pub(super) async fn add_silence(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Json(wish): Json<SilenceWish>,
) -> Told<SilencesAnswer> {
    wished(shared, caller, move |planning| planning.silence(wish), silence).await
}

pub(super) async fn end_silence(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Path(id): Path<String>,
) -> Told<SilencesAnswer> {
    let end = move |planning: Planning<'_>| {
        planning.end_silence(number(&id).ok_or(PlannedError::NoSuchSilence(0))?)
    };
    wished(shared, caller, end, silence).await
}

fn told_of_exclusions(
    operators: &Operators,
    wanted: &PlannedWanted,
) -> Result<ExclusionsAnswer, PlanningError> {
    let now = operators.clock.wall();
    let control = operators.registry.control();
    let mut told = control.look(|roll| planned::exclusions(roll.planned(), wanted, now));
    told.time_zone = defined(&operators.registry).time_zone;
    Ok(told)
}

/// The one that was just noted or withdrawn.
fn exclusion(operators: &Operators, number: u64) -> Result<ExclusionsAnswer, PlanningError> {
    let all = PlannedWanted { all: true, service: None };
    let mut told = told_of_exclusions(operators, &all)?;
    told.exclusions.retain(|exclusion| exclusion.number == number);
    Ok(told)
}

pub(super) async fn exclusions(
    State(shared): State<Shared>,
    Paged { wanted, page }: Paged<PlannedWanted>,
) -> Told<Listed<ExclusionsAnswer>> {
    shared.work_on_list(page, move |operators| told_of_exclusions(operators, &wanted)).await
}

pub(super) async fn add_exclusion(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Json(wish): Json<ExclusionWish>,
) -> Told<ExclusionsAnswer> {
    wished(shared, caller, move |planning| planning.exclude(wish), exclusion).await
}

pub(super) async fn withdraw_exclusion(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Path(id): Path<String>,
    Json(wish): Json<WithdrawWish>,
) -> Told<ExclusionsAnswer> {
    let withdraw = move |planning: Planning<'_>| {
        planning.withdraw(number(&id).ok_or(PlannedError::NoSuchExclusion(0))?, wish)
    };
    wished(shared, caller, withdraw, exclusion).await
}

pub(super) async fn capacity(
    State(shared): State<Shared>,
    Parameters(wanted): Parameters<CapacityWanted>,
) -> Told<CapacityAnswer> {
    shared.work(move |operators| operators.query.capacity(&wanted)).await
}

/// Keeps a number; answers with all that was stated.
pub(super) async fn state(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Json(wish): Json<StatedWish>,
) -> Told<CapacityAnswer> {
    let stated = move |operators: &Operators| -> Result<_, Refusal> {
        let now = operators.clock.wall();
        let only = CapacityWanted { name: Some(wish.name.clone()), ..CapacityWanted::default() };
        Planning::new(&operators.registry, caller.author(), now).state(wish)?;
        Ok(operators.query.capacity(&only)?)
    };
    shared.work(stated).await
}
