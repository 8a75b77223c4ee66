//! The pages over HTTP: who sees them, by which session, and what browsers may do with them.
//!
//! A browser shows its session by a cookie. It counts here and nowhere else: whatever the API is asked shows a bearer
//! token. Whatever changes anything comes from a form of ours, which shows the session's own secret ([`csrf`]), so that no
//! other site can send one. Absent on purpose: what stands on a page, which `web` says.

mod following;
mod signing_in;

use axum::Form;
use axum::extract::{ConnectInfo, OriginalUri, Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use jiff::tz::TimeZone;
use ring::hmac;
use serde::Deserialize;

use super::caller::{Caller, shown};
use super::incidents::{Act, IncidentWish, done};
use super::reviews::{ReviewFormat, written};
use super::{Operators, Refusal, Shared};
use crate::access::Identity;
use crate::control::Role;
use crate::query::planned;
use crate::web::{self, Address, NoPage, Page, Sources, Viewer};

pub(super) use following::follow;
pub(super) use signing_in::{begin_at_provider, come_back, sign_in, sign_in_page, sign_out};

/// The cookie of a session. The prefix binds it to this host and to TLS (RFC 6265bis section 4.1.3.2).
const COOKIE: &str = "__Host-mailsonde";
/// What forms show is made for.
const FORM: &[u8] = b"mailsonde form";
/// In which zone the browser is; set by our script.
const ZONE: &str = "zone";

const STRICT: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The value of a cookie.
fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs =
        all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// The token that a request for a page shows; the API does not know it.
pub(super) fn session(request: &Request) -> Option<&str> {
    let is_page = !request.uri().path().starts_with("/api/") && request.uri().path() != "/metrics";
    cookie(request.headers(), COOKIE).filter(|_| is_page && shown(request.headers()).is_none())
}

/// What forms of a session show: an HMAC of the session's own token under another purpose.
fn csrf(headers: &HeaderMap) -> String {
    key(headers).map_or_else(String::new, |key| hex::encode(hmac::sign(&key, FORM).as_ref()))
}

fn key(headers: &HeaderMap) -> Option<hmac::Key> {
    let token = cookie(headers, COOKIE)?;
    Some(hmac::Key::new(hmac::HMAC_SHA256, token.as_bytes()))
}

/// Whether a form comes from a page of this session.
fn is_ours(headers: &HeaderMap, shown: &str) -> bool {
    let (Some(key), Ok(shown)) = (key(headers), hex::decode(shown)) else { return false };
    hmac::verify(&key, FORM, &shown).is_ok() && is_same_origin(headers)
}

/// What the browser says of where a request comes from (Fetch Metadata); one that says nothing is believed.
fn is_same_origin(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
    site.is_none_or(|site| site == "same-origin" || site == "none")
}

fn viewer(caller: Option<&Caller>, headers: &HeaderMap) -> Viewer {
    let zone =
        cookie(headers, ZONE).filter(|name| name.len() <= 64).map(|name| name.replace("%2F", "/"));
    let zone = zone.and_then(|name| TimeZone::get(&name).ok());
    match caller {
        None => Viewer { name: String::new(), role: Role::Viewer, zone, csrf: String::new() },
        Some(caller) => {
            let name = match &caller.identity {
                Some(Identity::User { name, .. } | Identity::ApiToken { name }) => name.clone(),
                None => "local".to_owned(),
            };
            let csrf = caller.identity.as_ref().map(|_| csrf(headers)).unwrap_or_default();
            Viewer { name, role: caller.role, zone, csrf }
        }
    }
}

/// A page's document, with what browsers may do with it.
fn document(page: &Page, viewer: &Viewer, zone: &TimeZone, status: StatusCode) -> Response {
    match web::document(page, viewer, zone) {
        Ok(text) => guarded((status, Html(text)).into_response()),
        Err(error) => Refusal(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn guarded(mut response: Response) -> Response {
    let headers: [(HeaderName, &'static str); 5] = [
        (header::CONTENT_SECURITY_POLICY, STRICT),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A page that says why there is no other.
fn no_page(viewer: &Viewer, (status, words): (StatusCode, &str)) -> Response {
    let title = match status {
        StatusCode::NOT_FOUND => "There is no such page",
        StatusCode::FORBIDDEN => "This is not for you",
        _ => "This does not work now",
    };
    match web::said(title, words, true) {
        Ok(page) => document(&page, viewer, &TimeZone::UTC, status),
        Err(error) => Refusal(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Whether a browser asks for a page, and not a program for an answer.
pub(super) fn wants_page(request: &Request) -> bool {
    let accepts = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    !request.uri().path().starts_with("/api/")
        && accepts.is_some_and(|kinds| kinds.contains("text/html"))
}

/// A page that did not come in time, told to whoever that is.
pub(super) fn too_slow() -> Response {
    let words = "This page took too long, as it may soon after a start: load it again in a minute.";
    no_page(&nobody(), (StatusCode::SERVICE_UNAVAILABLE, words))
}

fn nobody() -> Viewer {
    Viewer { name: String::new(), role: Role::Viewer, zone: None, csrf: String::new() }
}

/// There is no such page for whoever uses mail.
pub(super) fn nothing_for_users() -> Response {
    let words = "Nothing stands at this address, or not any more.";
    match web::said_to_users("There is no such page", words) {
        Ok(page) => document(&page, &nobody(), &TimeZone::UTC, StatusCode::NOT_FOUND),
        Err(error) => Refusal::from(error).into_response(),
    }
}

/// There is no such page, said on one that leads on.
pub(super) fn nowhere(request: &Request, caller: &Caller) -> Response {
    no_page(&viewer(Some(caller), request.headers()), (StatusCode::NOT_FOUND, NOTHING_HERE))
}

const NOTHING_HERE: &str = "Nothing stands at this address.";

/// Whoever may not see a page is shown where to sign in, or told why not.
pub(super) fn refused(request: &Request, caller: Option<&Caller>, words: &str) -> Response {
    if caller.is_some() {
        return no_page(&viewer(caller, request.headers()), (StatusCode::FORBIDDEN, words));
    }
    let uri = request.uri();
    let to = uri.path_and_query().map_or("/", |it| it.as_str());
    // a form that came too late leads to where it stood; what it said was not done
    let to = if request.method() == Method::POST { to.trim_end_matches("/act") } else { to };
    let mut to_sign_in = url::form_urlencoded::Serializer::new(String::new());
    to_sign_in.append_pair("to", to);
    guarded(Redirect::to(&format!("/sign-in?{}", to_sign_in.finish())).into_response())
}

impl From<NoPage> for Refusal {
    fn from(no: NoPage) -> Self {
        match no {
            NoPage::Query(error) => error.into(),
            NoPage::Wrong(words) => Self(StatusCode::BAD_REQUEST, words),
            NoPage::Template(error) => Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }
}

/// Any page: which, its address says.
pub(super) async fn show(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response {
    let viewer = viewer(Some(&caller), &headers);
    let Some(address) = Address::parse(uri.path(), uri.query().unwrap_or_default()) else {
        return no_page(&viewer, (StatusCode::NOT_FOUND, NOTHING_HERE));
    };
    let of = viewer.clone();
    let made = move |operators: &Operators| -> Result<(Page, TimeZone), Refusal> {
        let page = page(operators, &of, &address)?;
        Ok((page, web::zone_of(&of, &operators.query)))
    };
    match shared.try_work(made).await {
        Ok((page, zone)) => document(&page, &viewer, &zone, StatusCode::OK),
        Err(Refusal(status, words)) => no_page(&viewer, (status, &words)),
    }
}

fn page(operators: &Operators, viewer: &Viewer, address: &Address) -> Result<Page, NoPage> {
    let sources = Sources { query: &operators.query, held: operators.delivery.held() };
    web::page(&sources, viewer, address, operators.query.now())
}

pub(super) async fn asset(Path(name): Path<String>) -> Response {
    let Some(asset) = web::assets::asset(&name) else {
        return (StatusCode::NOT_FOUND, "there is no such file\n").into_response();
    };
    let kept = if asset.is_for_ever {
        "public, max-age=31536000, immutable"
    } else {
        "public, max-age=3600"
    };
    let headers = [(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, kept)];
    guarded((headers, asset.text).into_response())
}

const NOT_OURS: &str = "This form is not of your session (any more): go back, load the page again, and send it once more.";

/// What the form of an incident sends.
#[derive(Deserialize)]
pub(super) struct ActForm {
    #[serde(default)]
    csrf: String,
    /// One of what [`ON_PAGES`] names; anything else comes from no form of ours.
    #[serde(rename = "do", default)]
    act: String,
    #[serde(default)]
    note: String,
}

/// What can be done to an incident from its page.
const ON_PAGES: [(&str, Act); 3] =
    [("acknowledge", Act::Acknowledge), ("note", Act::Note), ("resolve", Act::Resolve)];

pub(super) async fn act(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Path(id): Path<u64>,
    headers: HeaderMap,
    Form(form): Form<ActForm>,
) -> Response {
    let of = viewer(Some(&caller), &headers);
    if !is_ours(&headers, &form.csrf) {
        return no_page(&of, (StatusCode::FORBIDDEN, NOT_OURS));
    }
    let Some((_, act)) = ON_PAGES.into_iter().find(|(word, _)| *word == form.act) else {
        let words = "A page can acknowledge an incident, note something, or resolve it: choose one of these. \
                     `mailsonde-collector incidents --help` tells what else there is.";
        return no_page(&of, (StatusCode::BAD_REQUEST, words));
    };
    let note = form.note;
    let wish = IncidentWish { act, note, security: None, recovery: None };
    let act = move |operators: &Operators| done(operators, caller.author(), id, wish);
    match shared.try_work(act).await {
        Ok(_) => guarded(Redirect::to(&format!("/incidents/{id}")).into_response()),
        Err(Refusal(status, words)) => no_page(&of, (status, &words)),
    }
}

/// The review of an incident that is over, as a page of its own.
pub(super) async fn review(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Response {
    let answer =
        move |operators: &Operators| operators.query.review(id, operators.query.told_of(id)?);
    match shared.try_work(answer).await {
        Ok(review) => written(&review, ReviewFormat::Html),
        Err(Refusal(status, words)) => no_page(&viewer(Some(&caller), &headers), (status, &words)),
    }
}

pub(super) async fn calendar(State(shared): State<Shared>) -> Response {
    let text = |operators: &Operators| -> Result<String, Refusal> {
        let wanted = planned::PlannedWanted::default();
        let text = |it: &_, definitions: &_, now| planned::calendar(it, definitions, &wanted, now);
        Ok(operators.query.planned(text))
    };
    let kind = [(header::CONTENT_TYPE, "text/calendar; charset=utf-8")];
    shared.work_for(text, move |text| (kind, text).into_response()).await
}
