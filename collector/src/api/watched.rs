//! Whether the collector is healthy, for operators and, on one page, for whoever knows its path; what vendors say.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::typed::Told;
use super::{Operators, Refusal, Shared};
use crate::query::QueryError;
use crate::vendors::VendorsAnswer;
use crate::watched::{HealthAnswer, Shown};

/// The page that others read without signing in, if there is one.
pub(super) const PAGE: &str = "/watched/{id}";
/// The same of a service.
pub(super) const PAGE_OF_SERVICE: &str = "/watched/{id}/{name}";
/// What whoever guesses is told, and whoever asks for a service that has no page.
const NOTHING: &str = "there is no such page";

pub(super) async fn health(State(shared): State<Shared>) -> Told<HealthAnswer> {
    shared.work(|operators| Ok::<_, QueryError>(operators.watched.health())).await
}

pub(super) async fn vendors(State(shared): State<Shared>) -> Told<VendorsAnswer> {
    shared.work(|operators| Ok::<_, QueryError>(operators.watched.vendors())).await
}

pub(super) async fn page(State(shared): State<Shared>, Path(path): Path<String>) -> Response {
    shared.work_for(move |operators| collector(operators, &path), shown).await
}

pub(super) async fn page_of_service(
    State(shared): State<Shared>,
    Path((path, name)): Path<(String, String)>,
) -> Response {
    shared.work_for(move |operators| service(operators, &path, &name), shown).await
}

fn collector(operators: &Operators, path: &str) -> Result<Shown, Refusal> {
    operators.watched.page(path).ok_or_else(nothing)?;
    let is_healthy = operators.watched.is_healthy();
    // figures that cannot be read are a fault like any other
    match operators.query.status() {
        Ok(status) => Ok(Shown::of_collector(is_healthy, &status)),
        Err(_) => Ok(Shown { status: "DOWN", median_us: None }),
    }
}

fn service(operators: &Operators, path: &str, name: &str) -> Result<Shown, Refusal> {
    let page = operators.watched.page(path).ok_or_else(nothing)?;
    if !page.has(name) {
        return Err(nothing());
    }
    let is_healthy = operators.watched.is_healthy();
    let (status, services) = (operators.query.status()?, operators.query.services()?);
    Shown::of_service(is_healthy, &status, &services, name).ok_or_else(nothing)
}

fn nothing() -> Refusal {
    Refusal(StatusCode::NOT_FOUND, NOTHING.to_owned())
}

fn shown(shown: Shown) -> Response {
    let xml = HeaderValue::from_static("application/xml");
    ([(header::CONTENT_TYPE, xml)], shown.to_xml()).into_response()
}
