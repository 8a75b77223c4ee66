//! What operators ask about agents and do to them: tokens, names, labels, revocation, the audit log.

use axum::Json;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::StatusCode;

use super::access::of_people;
use super::caller::Caller;
use super::paged::{All, Listed, Paged};
use super::planned::of_planned;
use super::typed::Told;
use super::{Operators, Refusal, Shared};
use crate::control::{ControlError, TokenId};
use crate::enrolment::{AgentChange, EnrolmentError, NewToken, TokenWish};
use crate::identity::IdentityError;
use crate::query::{AgentChanged, AuditAnswer, QueryError, TokensAnswer};

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
                | ControlError::FollowUp(_)
                | ControlError::Feedback(_) => StatusCode::BAD_REQUEST,
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
) -> Told<NewToken> {
    shared
        .work(move |operators| {
            operators.enrolment.make_token(wish, caller.author(), operators.clock.wall())
        })
        .await
}

pub(super) async fn tokens(
    State(shared): State<Shared>,
    Paged { page, .. }: Paged<All>,
) -> Told<Listed<TokensAnswer>> {
    shared.work_on_list(page, |operators| Ok::<_, QueryError>(told(operators))).await
}

fn told(operators: &Operators) -> TokensAnswer {
    operators.query.tokens()
}

pub(super) async fn withdraw_token(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Path(id): Path<String>,
) -> Told<TokensAnswer> {
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
) -> Told<AgentChanged> {
    shared.work(move |operators| changed(operators, &name, change, &caller)).await
}

pub(super) async fn revoke_agent(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Path(name): Path<String>,
) -> Told<AgentChanged> {
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

pub(super) async fn audit(
    State(shared): State<Shared>,
    Paged { page, .. }: Paged<All>,
) -> Told<Listed<AuditAnswer>> {
    let (limit, after) = (page.limit, page.after.clone());
    let asked = move |operators: &Operators| -> Result<_, QueryError> {
        let before = after.map(|after| after.parse().map_err(|_no_number| QueryError::Gone));
        let (answer, next) = operators.query.audit(limit, before.transpose()?)?;
        Ok(Listed { answer, next: next.map(|next| next.to_string()) })
    };
    shared.work_for(asked, |listed| page.told(listed)).await.into()
}
