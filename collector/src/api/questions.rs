//! What anybody may ask who may ask at all: how mail is doing, from where.

use axum::extract::{Query as Parameters, State};

use super::paged::{All, Listed, MAX_LIMIT, Paged};
use super::typed::Told;
use super::{Operators, Shared};
use crate::query::changes::DEFAULT_LIMIT;
use crate::query::objectives::{ObjectivesAnswer, ObjectivesWanted};
use crate::query::sla::{ExplainAnswer, ExplainWanted, SlaAnswer, SlaWanted};
use crate::query::{
    AgentsAnswer, ChangesAnswer, ChangesWanted, ChecksAnswer, ObservationsAnswer, QueryError,
    StatusAnswer, Wanted,
};

pub(super) async fn status(State(shared): State<Shared>) -> Told<StatusAnswer> {
    shared.work(|operators| operators.query.status()).await
}

pub(super) async fn observations(
    State(shared): State<Shared>,
    Paged { mut wanted, page }: Paged<Wanted>,
) -> Told<Listed<ObservationsAnswer>> {
    wanted.limit = page.limit;
    let before = page.after.clone();
    let asked = move |operators: &Operators| -> Result<_, QueryError> {
        let before = before.as_deref().map(str::parse).transpose()?;
        let (answer, next) = operators.query.observations(&wanted, before)?;
        Ok(Listed { answer, next: next.map(|next| next.to_string()) })
    };
    shared.work_for(asked, |listed| page.told(listed)).await.into()
}

pub(super) async fn changes(
    State(shared): State<Shared>,
    Paged { mut wanted, page }: Paged<ChangesWanted>,
) -> Told<Listed<ChangesAnswer>> {
    // one more than fit, to know whether there are more; all that can be compared where it goes on
    let limit = page.limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
    wanted.limit = Some(if page.after.is_some() { MAX_LIMIT } else { limit.saturating_add(1) });
    shared.work_on_list(page, move |operators| operators.query.changes(&wanted)).await
}

pub(super) async fn objectives(
    State(shared): State<Shared>,
    Parameters(wanted): Parameters<ObjectivesWanted>,
) -> Told<ObjectivesAnswer> {
    shared.work(move |operators| operators.query.objectives(&wanted)).await
}

pub(super) async fn sla(
    State(shared): State<Shared>,
    Parameters(wanted): Parameters<SlaWanted>,
) -> Told<SlaAnswer> {
    shared.work(move |operators| operators.query.sla(&wanted)).await
}

pub(super) async fn sla_explained(
    State(shared): State<Shared>,
    Parameters(wanted): Parameters<ExplainWanted>,
) -> Told<ExplainAnswer> {
    shared.work(move |operators| operators.query.sla_explained(&wanted)).await
}

pub(super) async fn agents(
    State(shared): State<Shared>,
    Paged { page, .. }: Paged<All>,
) -> Told<Listed<AgentsAnswer>> {
    shared.work_on_list(page, |operators| Ok::<_, QueryError>(operators.query.agents())).await
}

pub(super) async fn checks(
    State(shared): State<Shared>,
    Paged { page, .. }: Paged<All>,
) -> Told<Listed<ChecksAnswer>> {
    shared.work_on_list(page, |operators| Ok::<_, QueryError>(operators.query.checks())).await
}
