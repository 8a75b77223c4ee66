//! What operators ask about agents and do to them: tokens, names, labels, revocation, the audit log.

use axum::Json;
use axum::extract::{ConnectInfo, Path, Query as Parameters, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::access::of_people;
use super::caller::Caller;
use super::planned::of_planned;
use super::{Operators, Refusal, Shared};
use crate::control::{ControlError, TokenId};
use crate::enrolment::{AgentChange, EnrolmentError, TokenWish};
use crate::identity::IdentityError;
use crate::query::{AgentChanged, QueryError, TokensAnswer};

impl From<EnrolmentError> for Refusal {
    fn from(error: EnrolmentError) -> Self {
        let status = match &error {
            EnrolmentError::Control(control) => match control {
                ControlError::NameTaken { .. }
                | ControlError::AppliedMeanwhile
                | ControlError::KeyTaken { .. }
                | ControlError::TokenUsed => StatusCode::CONFLICT,
                ControlError::NoSuchAgent { .. } | ControlError::NoSuchToken => {
                    StatusCode::NOT_FOUND
                }
                ControlError::People(people) => of_people(people),
                ControlError::Planned(planned) => of_planned(planned),
                ControlError::Journal(_) => StatusCode::INTERNAL_SERVER_ERROR,
                ControlError::TokenExpired(_)
                | ControlError::RevokedKey
                | ControlError::Stated(_)
                | ControlError::FollowUp(_) => StatusCode::BAD_REQUEST,
            },
            EnrolmentError::OldAuthority { .. }
            | EnrolmentError::Identity(
                IdentityError::OneAuthority | IdentityError::TwoAuthorities,
            ) => StatusCode::CONFLICT,
            EnrolmentError::Identity(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        Self(status, error.to_string())
    }
}

pub(super) async fn make_token(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Json(wish): Json<TokenWish>,
) -> Response {
    shared
        .work(move |operators| {
            operators.enrolment.make_token(wish, caller.author(), operators.clock.wall())
        })
        .await
}

pub(super) async fn tokens(State(shared): State<Shared>) -> Response {
    shared.work(|operators| Ok::<_, QueryError>(told(operators))).await
}

fn told(operators: &Operators) -> TokensAnswer {
    operators.query.tokens()
}

pub(super) async fn withdraw_token(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Path(id): Path<String>,
) -> Response {
    shared
        .work(move |operators| {
            let token = TokenId::parse(&id).ok_or(ControlError::NoSuchToken)?;
            let now = operators.clock.wall();
            operators.enrolment.withdraw_token(token, caller.author(), now)?;
            Ok::<_, EnrolmentError>(told(operators))
        })
        .await
}

pub(super) async fn change_agent(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Path(name): Path<String>,
    Json(change): Json<AgentChange>,
) -> Response {
    shared.work(move |operators| changed(operators, &name, change, &caller)).await
}

pub(super) async fn revoke_agent(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Path(name): Path<String>,
) -> Response {
    shared.work(move |operators| changed(operators, &name, AgentChange::Revoke, &caller)).await
}

fn changed(
    operators: &Operators,
    name: &str,
    change: AgentChange,
    caller: &Caller,
) -> Result<AgentChanged, EnrolmentError> {
    let is_revoked = matches!(change, AgentChange::Revoke);
    let now = operators.clock.wall();
    let changed = operators.enrolment.change(name, change, caller.author(), now)?;
    if is_revoked {
        operators.registry.put_out(changed.agent);
    }
    // other checks may be for it now, or for whoever comes in by its name
    operators.registry.reselect();
    Ok(AgentChanged {
        agent_id: changed.agent.to_string(),
        name: changed.name,
        labels: changed.labels,
        is_revoked,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditWanted {
    limit: Option<usize>,
}

pub(super) async fn audit(
    State(shared): State<Shared>,
    Parameters(wanted): Parameters<AuditWanted>,
) -> Response {
    shared.work(move |operators| operators.query.audit(wanted.limit)).await
}
