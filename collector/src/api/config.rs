//! The collector's checks: what the files would change, and putting them in force.

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::caller::Caller;
use super::typed::Told;
use super::{Refusal, Shared, refusal, stopping};
use crate::fleet::{Fleet, FleetError, Plan};

/// Puts in force what a plan has shown.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplyWish {
    /// The difference that was shown.
    pub id: String,
}

impl From<FleetError> for Refusal {
    fn from(error: FleetError) -> Self {
        let status = match &error {
            FleetError::Mistakes(_) | FleetError::Selector(_) => StatusCode::BAD_REQUEST,
            FleetError::OtherPlan => StatusCode::CONFLICT,
            FleetError::NoSuchCheck(_) => StatusCode::NOT_FOUND,
            FleetError::Busy => StatusCode::TOO_MANY_REQUESTS,
            FleetError::Control(_) => StatusCode::INTERNAL_SERVER_ERROR,
            FleetError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self(status, error.to_string())
    }
}

impl Shared {
    /// Who has agents do things; `None` while the collector stops.
    pub(super) fn fleet(&self) -> Option<Fleet> {
        self.operators.upgrade().map(|operators| operators.fleet.clone())
    }
}

pub(super) async fn plan(State(shared): State<Shared>) -> Told<Plan> {
    let Some(fleet) = shared.fleet() else { return stopping().into() };
    told(fleet.plan().await)
}

pub(super) async fn apply(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Json(wish): Json<ApplyWish>,
) -> Told<Plan> {
    let Some(fleet) = shared.fleet() else { return stopping().into() };
    told(fleet.apply(Some(wish.id), caller.author()).await)
}

fn told(outcome: Result<Plan, FleetError>) -> Told<Plan> {
    match outcome {
        Ok(plan) => Json(plan).into_response().into(),
        Err(error) => {
            let Refusal(status, words) = error.into();
            refusal(status, &words).into()
        }
    }
}
