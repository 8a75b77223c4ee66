//! Signing in and out by pages: with a password, or by the OpenID provider; the session is a cookie.

use axum::Form;
use axum::extract::{ConnectInfo, Query as Parameters, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::{
    COOKIE, NOT_OURS, cookie, document, guarded, is_ours, is_same_origin, no_page, viewer,
};
use crate::access::{Identity, Password, SignIn, SignedIn, life};
use crate::api::access::address_of;
use crate::api::caller::{Caller, Origin};
use crate::api::{Operators, Refusal, Shared};
use crate::oidc::Finish;
use crate::web;

/// Bytes of where to go on after signing in.
const MAX_TO: usize = 1_024;
/// The cookie of a browser that went to the provider: the state with which it must come back, and where it goes on.
const AWAY: &str = "__Host-mailsonde-away";
/// It may be away so long, in seconds.
const AWAY_S: u32 = 600;
/// Where the provider sends it back to.
const BACK: &str = "sign-in/provider";

/// Where somebody goes on after signing in.
#[derive(Deserialize)]
pub(in crate::api) struct To {
    #[serde(default)]
    to: String,
}

/// Only to ourselves: an address of ours begins with one slash.
fn within(to: &str) -> &str {
    let is_ours = to.starts_with('/')
        && !to.starts_with("//")
        && !to.contains(['\\', '\r', '\n'])
        && to.len() <= MAX_TO;
    if is_ours { to } else { "/" }
}

pub(in crate::api) async fn sign_in_page(
    State(shared): State<Shared>,
    Parameters(To { to }): Parameters<To>,
    headers: HeaderMap,
) -> Response {
    sign_in_again(&shared, &headers, (within(&to), "", ""), StatusCode::OK)
}

fn sign_in_again(
    shared: &Shared,
    headers: &HeaderMap,
    (to, user, trouble): (&str, &str, &str),
    status: StatusCode,
) -> Response {
    match web::sign_in(to, (user, trouble), shared.oidc.is_some()) {
        Ok(page) => document(&page, &viewer(None, headers), &TimeZone::UTC, status),
        Err(error) => Refusal::from(error).into_response(),
    }
}

/// What the form of the sign-in page sends.
#[derive(Deserialize)]
pub(in crate::api) struct SignInForm {
    user: String,
    password: Password,
    #[serde(default)]
    to: String,
}

pub(in crate::api) async fn sign_in(
    State(shared): State<Shared>,
    ConnectInfo(origin): ConnectInfo<Origin>,
    headers: HeaderMap,
    Form(form): Form<SignInForm>,
) -> Response {
    let to = within(&form.to).to_owned();
    let again = |trouble: &str, status| {
        sign_in_again(&shared, &headers, (&to, &form.user, trouble), status)
    };
    if !is_same_origin(&headers) {
        return again("Sign in on this page.", StatusCode::FORBIDDEN);
    }
    let Some(address) = address_of(origin) else { return Redirect::to(&to).into_response() };
    let Some(access) = shared.operators.upgrade().map(|operators| operators.access.clone()) else {
        return again("The collector is stopping.", StatusCode::SERVICE_UNAVAILABLE);
    };
    let wish = SignIn { user: form.user.clone(), password: form.password.clone() };
    match access.sign_in(wish, address).await {
        Ok(signed_in) => signed_in_to(&to, &signed_in),
        Err(error) => {
            let words = sentence(&error.to_string());
            let Refusal(status, _) = error.into();
            again(&words, status)
        }
    }
}

/// An error as a sentence of its own.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

fn signed_in_to(to: &str, signed_in: &SignedIn) -> Response {
    let (token, life_s) = (&signed_in.token, life(signed_in.role).as_secs());
    // Lax: a link in a chat leads to the page, and no other site's form is sent with it
    let cookie =
        format!("{COOKIE}={token}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={life_s}");
    with_cookie(Redirect::to(to).into_response(), &cookie)
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    guarded(response)
}

/// What any form of ours shows.
#[derive(Deserialize)]
pub(in crate::api) struct OursForm {
    #[serde(default)]
    csrf: String,
}

pub(in crate::api) async fn sign_out(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    headers: HeaderMap,
    Form(form): Form<OursForm>,
) -> Response {
    if !is_ours(&headers, &form.csrf) {
        return no_page(&viewer(Some(&caller), &headers), (StatusCode::FORBIDDEN, NOT_OURS));
    }
    let end = move |operators: &Operators| -> Result<(), Refusal> {
        if let Some(Identity::User { name, session }) = &caller.identity {
            operators.access.end_session(session.id(), Some(name), caller.author())?;
        }
        Ok(())
    };
    // a session that is over already is over
    shared.try_work(end).await.ok();
    let gone = format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
    with_cookie(Redirect::to("/sign-in").into_response(), &gone)
}

/// Sends the browser to the provider. A link, because a form may only lead to ourselves (CSP `form-action`).
pub(in crate::api) async fn begin_at_provider(
    State(shared): State<Shared>,
    ConnectInfo(origin): ConnectInfo<Origin>,
    headers: HeaderMap,
    Parameters(To { to }): Parameters<To>,
) -> Response {
    let to = within(&to).to_owned();
    let again =
        |trouble: &str, status| sign_in_again(&shared, &headers, (&to, "", trouble), status);
    let base = shared.operators.upgrade().and_then(|it| it.links.base().cloned());
    let back = base.and_then(|base| base.join(BACK).ok());
    let (Some(oidc), Some(address)) = (&shared.oidc, address_of(origin)) else {
        return again("Nobody vouches for users here.", StatusCode::NOT_FOUND);
    };
    let Some(back) = back.filter(|_| is_same_origin(&headers)) else {
        let words = "This needs operators_url in collector.toml: sign in by a password.";
        return again(words, StatusCode::CONFLICT);
    };
    match oidc.begin_for(back.as_str(), address).await {
        Ok(begun) => {
            let state = url::form_urlencoded::byte_serialize(begun.state.as_bytes());
            let going_on = url::form_urlencoded::byte_serialize(to.as_bytes());
            let value = format!("{}:{}", state.collect::<String>(), going_on.collect::<String>());
            // Lax: the provider sends the browser back by a link
            let cookie =
                format!("{AWAY}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={AWAY_S}");
            with_cookie(Redirect::to(&begun.authorization_url).into_response(), &cookie)
        }
        Err(error) => {
            let words = sentence(&error.to_string());
            let Refusal(status, _) = error.into();
            again(&words, status)
        }
    }
}

/// What the provider sends a browser back with.
#[derive(Deserialize)]
pub(in crate::api) struct CameBack {
    #[serde(default)]
    state: String,
    #[serde(default)]
    code: String,
}

/// Lets in whom the provider vouches for, if this is the browser that went there.
pub(in crate::api) async fn come_back(
    State(shared): State<Shared>,
    ConnectInfo(origin): ConnectInfo<Origin>,
    headers: HeaderMap,
    Parameters(CameBack { state, code }): Parameters<CameBack>,
) -> Response {
    let away = cookie(&headers, AWAY).and_then(|value| value.split_once(':'));
    let decoded = |text: &str| {
        let mut pairs = url::form_urlencoded::parse(text.as_bytes());
        pairs.next().map(|(name, _)| name.into_owned()).unwrap_or_default()
    };
    let (known, to) = away.map(|(state, to)| (decoded(state), decoded(to))).unwrap_or_default();
    let to = within(&to).to_owned();
    let again =
        |trouble: &str, status| sign_in_again(&shared, &headers, (&to, "", trouble), status);
    let (Some(oidc), Some(address)) = (shared.oidc.clone(), address_of(origin)) else {
        return again("Nobody vouches for users here.", StatusCode::NOT_FOUND);
    };
    if known.is_empty() || known != state {
        return again(
            "This sign-in was not begun by this browser: begin again.",
            StatusCode::FORBIDDEN,
        );
    }
    let subject = match oidc.finish(&Finish { state, code }).await {
        Ok(subject) => subject,
        Err(error) => {
            tracing::warn!(%address, %error, "a sign-in by the OpenID provider failed");
            let words = sentence(&error.to_string());
            let Refusal(status, _) = error.into();
            return again(&words, status);
        }
    };
    let sign_in = move |operators: &Operators| operators.access.sign_in_vouched(&subject, address);
    match shared.try_work(sign_in).await {
        Ok(signed_in) => signed_in_to(&to, &signed_in),
        Err(Refusal(status, words)) => again(&sentence(&words), status),
    }
}
