//! What people are told of an incident, what is learnt from it, and what is to be done after it.

use axum::Json;
use axum::extract::{ConnectInfo, Path, Query as Parameters, State};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::caller::Caller;
use super::paged::{All, Listed, Paged};
use super::typed::{AsDocument, Told};
use super::{Operators, Refusal, Shared};
use crate::central::read_templates;
use crate::judge::followup::FollowUpError;
use crate::planning::{ActionItemWish, Planning, PlanningError, ProgressWish, number};
use crate::query::{
    ActionsAnswer, ActionsWanted, DraftAnswer, DraftWanted, QueryError, ReviewAnswer, ReviewsAnswer,
};
use crate::review;

/// How a review is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewWanted {
    /// JSON where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<ReviewFormat>,
}

/// What a review is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReviewFormat {
    /// Everything by its name.
    Json,
    /// Markdown (CommonMark with tables).
    Markdown,
    /// A page that needs nothing else.
    Html,
}

/// The page is ours, and what stands in it is other people's words: nothing in it may run or load anything.
const NOTHING_RUNS: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");

pub(super) async fn draft(
    State(shared): State<Shared>,
    Path(id): Path<u64>,
    Parameters(wanted): Parameters<DraftWanted>,
) -> Told<DraftAnswer> {
    let answer = move |operators: &Operators| {
        let templates = read_templates(&operators.fleet.folder.templates());
        operators.query.draft(id, &wanted, &templates)
    };
    shared.work(answer).await
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Paged { page, .. }: Paged<All>,
) -> Told<Listed<ReviewsAnswer>> {
    shared.work_on_list(page, |operators| operators.query.reviews()).await
}

pub(super) async fn show(
    State(shared): State<Shared>,
    Path(id): Path<u64>,
    Parameters(wanted): Parameters<ReviewWanted>,
) -> Told<ReviewAnswer, AsDocument> {
    let format = wanted.format.unwrap_or(ReviewFormat::Json);
    let answer =
        move |operators: &Operators| operators.query.review(id, operators.query.told_of(id)?);
    shared.work_for(answer, |review| written(&review, format)).await.into()
}

pub(super) fn written(review: &ReviewAnswer, format: ReviewFormat) -> Response {
    match format {
        ReviewFormat::Json => Json(review).into_response(),
        ReviewFormat::Markdown => {
            let kind = "text/markdown; charset=utf-8";
            ([(CONTENT_TYPE, kind)], review::markdown(review)).into_response()
        }
        ReviewFormat::Html => {
            let mut page = ([(CONTENT_TYPE, "text/html; charset=utf-8")], review::html(review))
                .into_response();
            page.headers_mut().insert(CONTENT_SECURITY_POLICY, NOTHING_RUNS);
            let never = HeaderValue::from_static("nosniff");
            page.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, never);
            page
        }
    }
}

pub(super) async fn actions(
    State(shared): State<Shared>,
    Paged { wanted, page }: Paged<ActionsWanted>,
) -> Told<Listed<ActionsAnswer>> {
    let actions = move |operators: &Operators| operators.query.actions(&wanted);
    shared.work_on_list(page, move |operators| Ok::<_, QueryError>(actions(operators))).await
}

pub(super) async fn add_action(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Json(wish): Json<ActionItemWish>,
) -> Told<ActionsAnswer> {
    let add = move |operators: &Operators| -> Result<ActionsAnswer, Refusal> {
        let known = operators.query.incident(wish.incident)?.incident;
        if let Some(into) = known.merged_into {
            return Err(QueryError::Merged { number: wish.incident, into }.into());
        }
        let now = operators.clock.wall();
        let planning = Planning::new(&operators.registry, caller.author(), now);
        let number = planning.follow_up(wish)?;
        Ok(only(operators, number))
    };
    shared.work(add).await
}

pub(super) async fn change_action(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Path(id): Path<String>,
    Json(wish): Json<ProgressWish>,
) -> Told<ActionsAnswer> {
    let change = move |operators: &Operators| -> Result<ActionsAnswer, PlanningError> {
        let item = number(&id).ok_or(FollowUpError::NoSuchItem(0))?;
        let now = operators.clock.wall();
        let planning = Planning::new(&operators.registry, caller.author(), now);
        let number = planning.progress(item, wish)?;
        Ok(only(operators, number))
    };
    shared.work(change).await
}

/// The one that was just added or changed.
fn only(operators: &Operators, number: u64) -> ActionsAnswer {
    let mut answer = operators.query.actions(&ActionsWanted::default());
    answer.actions.retain(|item| item.number == number);
    answer
}
