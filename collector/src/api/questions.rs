//! What anybody may ask who may ask at all: how mail is doing, from where.

use axum::extract::{Query as Parameters, State};
use axum::response::Response;

use super::Shared;
use crate::query::objectives::ObjectivesWanted;
use crate::query::sla::{ExplainWanted, SlaWanted};
use crate::query::{ChangesWanted, QueryError, Wanted};

pub(super) async fn status(State(shared): State<Shared>) -> Response {
    shared.work(|operators| operators.query.status()).await
}

pub(super) async fn observations(
    State(shared): State<Shared>,
    Parameters(wanted): Parameters<Wanted>,
) -> Response {
    shared.work(move |operators| operators.query.observations(&wanted)).await
}

pub(super) async fn changes(
    State(shared): State<Shared>,
    Parameters(wanted): Parameters<ChangesWanted>,
) -> Response {
    shared.work(move |operators| operators.query.changes(&wanted)).await
}

pub(super) async fn objectives(
    State(shared): State<Shared>,
    Parameters(wanted): Parameters<ObjectivesWanted>,
) -> Response {
    shared.work(move |operators| operators.query.objectives(&wanted)).await
}

pub(super) async fn sla(
    State(shared): State<Shared>,
    Parameters(wanted): Parameters<SlaWanted>,
) -> Response {
    shared.work(move |operators| operators.query.sla(&wanted)).await
}

pub(super) async fn sla_explained(
    State(shared): State<Shared>,
    Parameters(wanted): Parameters<ExplainWanted>,
) -> Response {
    shared.work(move |operators| operators.query.sla_explained(&wanted)).await
}

pub(super) async fn agents(State(shared): State<Shared>) -> Response {
    shared.work(|operators| Ok::<_, QueryError>(operators.query.agents())).await
}

pub(super) async fn checks(State(shared): State<Shared>) -> Response {
    shared.work(|operators| Ok::<_, QueryError>(operators.query.checks())).await
}
