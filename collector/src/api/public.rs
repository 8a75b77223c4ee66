//! The status page for users: to everybody where its configuration says so, else to whoever may look at all.
//!
//! What is shown is the same for all who look, and is kept by whatever stands between (RFC 9111) for as long as the page
//! itself keeps it. Over the network a connection ends with its answer, so that those who look do not hold the places of
//! those who mend.

use std::sync::Arc;

use axum::extract::{ConnectInfo, Query as Parameters, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::caller::{Caller, Origin};
use super::{Shared, pages, refusal, stopping};
use crate::public::{Asked, Month, NotShown, Shown, StatusPage, path};

/// For so many seconds others may keep what is shown.
const KEPT_S: u64 = crate::public::FRESH.as_secs();

/// Nothing but its own style sheet and script is loaded, nothing in it runs, and nobody puts it in a frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Which month of history.
#[derive(Debug, Default, Deserialize)]
pub(super) struct OfMonth {
    #[serde(default)]
    month: Option<String>,
}

/// From which site.
#[derive(Debug, Default, Deserialize)]
pub(super) struct FromSite {
    #[serde(default)]
    site: Option<String>,
}

/// For which addresses.
#[derive(Debug, Default, Deserialize)]
pub(super) struct OfDomain {
    #[serde(default)]
    domain: Option<String>,
}

/// For whom, as Thunderbird asks.
#[derive(Debug, Default, Deserialize)]
pub(super) struct OfAddress {
    #[serde(default)]
    emailaddress: Option<String>,
}

pub(super) async fn overview(State(shared): State<Shared>, request: Request) -> Response {
    answer(shared, request, Ok(Asked::Overview)).await
}

pub(super) async fn history(
    State(shared): State<Shared>,
    Parameters(OfMonth { month }): Parameters<OfMonth>,
    request: Request,
) -> Response {
    let month = month.as_deref().filter(|month| !month.is_empty());
    let month = month.map(str::parse::<Month>).transpose();
    answer(shared, request, month.map(Asked::History).map_err(|_no_month| NotShown::Nothing)).await
}

pub(super) async fn setup(
    State(shared): State<Shared>,
    Parameters(FromSite { site }): Parameters<FromSite>,
    request: Request,
) -> Response {
    let site = site.filter(|site| !site.is_empty());
    answer(shared, request, Ok(Asked::Setup(site))).await
}

pub(super) async fn feed(State(shared): State<Shared>, request: Request) -> Response {
    answer(shared, request, Ok(Asked::Feed)).await
}

pub(super) async fn calendar(State(shared): State<Shared>, request: Request) -> Response {
    answer(shared, request, Ok(Asked::Calendar)).await
}

pub(super) async fn json(State(shared): State<Shared>, request: Request) -> Response {
    answer(shared, request, Ok(Asked::Json)).await
}

pub(super) async fn apple(
    State(shared): State<Shared>,
    Parameters(OfDomain { domain }): Parameters<OfDomain>,
    request: Request,
) -> Response {
    of_configuration(&shared, &request, |page| page.apple(domain.as_deref()))
}

pub(super) async fn autoconfig(
    State(shared): State<Shared>,
    Parameters(OfAddress { emailaddress }): Parameters<OfAddress>,
    request: Request,
) -> Response {
    of_configuration(&shared, &request, |page| page.autoconfig(emailaddress.as_deref()))
}

/// The page, if there is one and whoever asks may see it.
#[allow(clippy::result_large_err, reason = "an answer, made once for a question")]
fn page_for(shared: &Shared, request: &Request) -> Result<Arc<StatusPage>, Response> {
    let operators = shared.operators.upgrade().ok_or_else(stopping)?;
    let Some(page) = operators.status_page.clone() else {
        return Err(refusal(StatusCode::NOT_FOUND, "there is no such page"));
    };
    if page.is_public() || request.extensions().get::<ConnectInfo<Caller>>().is_some() {
        return Ok(page);
    }
    match request.uri().path() {
        path::OVERVIEW | path::HISTORY | path::SETUP => Err(pages::refused(request, None, "")),
        _ => Err(refusal(StatusCode::UNAUTHORIZED, "you are not signed in")),
    }
}

/// Whether it is answered from what is kept for everybody: then it is not counted how often one host asks, because behind
/// one address there may be all who look while mail is down.
pub(super) fn is_kept_for_all(asked: &str) -> bool {
    asked == path::OVERVIEW || asked.starts_with("/status/") || asked.starts_with("/assets/")
}

async fn answer(shared: Shared, request: Request, asked: Result<Asked, NotShown>) -> Response {
    let page = match page_for(&shared, &request) {
        Ok(page) => page,
        Err(refusal) => return refusal,
    };
    let query = shared.operators.upgrade().map(|operators| operators.query.clone());
    let Some(query) = query else { return stopping() };
    let shown = match asked {
        Ok(asked) => page.shown(&query, asked).await,
        Err(error) => Err(error),
    };
    match shown {
        Ok(shown) => written(&shown, &page, &request, StatusCode::OK),
        Err(error) => not_shown(error, &page, &request),
    }
}

fn of_configuration(
    shared: &Shared,
    request: &Request,
    shown: impl FnOnce(&StatusPage) -> Result<Shown, NotShown>,
) -> Response {
    match page_for(shared, request).map(|page| (shown(&page), page)) {
        Ok((Ok(shown), page)) => written(&shown, &page, request, StatusCode::OK),
        Ok((Err(error), page)) => not_shown(error, &page, request),
        Err(refusal) => refusal,
    }
}

fn not_shown(error: NotShown, page: &StatusPage, request: &Request) -> Response {
    match error {
        NotShown::Nothing if pages::wants_page(request) => pages::nothing_for_users(),
        NotShown::Nothing => refusal(StatusCode::NOT_FOUND, "there is no such page"),
        NotShown::Unknown(shown) => written(&shown, page, request, StatusCode::SERVICE_UNAVAILABLE),
        error @ (NotShown::Template(_) | NotShown::Json(_)) => {
            tracing::error!(%error, "the status page");
            refusal(StatusCode::INTERNAL_SERVER_ERROR, "see the collector's own log")
        }
    }
}

fn written(shown: &Shown, page: &StatusPage, request: &Request, status: StatusCode) -> Response {
    let is_known = status == StatusCode::OK && is_kept(request.headers(), &shown.etag);
    let mut response = match is_known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => (status, shown.body.clone()).into_response(),
    };
    let headers = response.headers_mut();
    let whose = if page.is_public() { "public" } else { "private" };
    let caching = match status {
        StatusCode::OK => format!("{whose}, max-age={KEPT_S}"),
        _ => "no-store".to_owned(),
    };
    let mut put = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    put(header::CACHE_CONTROL, &caching);
    put(header::CONTENT_TYPE, shown.kind);
    put(header::ETAG, &shown.etag);
    put(header::CONTENT_SECURITY_POLICY, POLICY);
    put(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(header::REFERRER_POLICY, "no-referrer");
    if let Some(name) = shown.saved_as {
        put(header::CONTENT_DISPOSITION, &format!("attachment; filename=\"{name}\""));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        put(header::RETRY_AFTER, "10");
    }
    let is_signed_in = request.extensions().get::<ConnectInfo<Caller>>().is_some();
    let is_far = matches!(
        request.extensions().get::<ConnectInfo<Origin>>(),
        Some(ConnectInfo(Origin::Network { .. }))
    );
    if is_far && !is_signed_in {
        put(header::CONNECTION, "close");
    }
    response
}

/// Whether whoever asks has it already (RFC 9110 section 13.1.2).
fn is_kept(headers: &HeaderMap, etag: &str) -> bool {
    let known = headers.get_all(header::IF_NONE_MATCH).into_iter();
    let known = known.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    known.map(str::trim).any(|known| known == "*" || known.trim_start_matches("W/") == etag)
}
