//! Signing in and out; and what an administrator asks and does about users, API tokens and sessions.

use std::net::SocketAddr;

use axum::Json;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::caller::{Caller, Origin};
use super::paged::{All, Listed, Paged};
use super::typed::Told;
use super::{Operators, Refusal, Shared, refusal};
use crate::access::{
    AccessError, ApiTokenWish, ApiTokensAnswer, Identity, MeAnswer, NewApiToken, OwnPassword,
    SessionsAnswer, SignIn, SignedIn, UserChange, UserWish, UsersAnswer,
};
use crate::control::{ControlError, PeopleError, Role, TokenId};
use crate::oidc::{Begin, Begun, Finish, OidcError};

impl From<AccessError> for Refusal {
    fn from(error: AccessError) -> Self {
        let status = match &error {
            AccessError::NotSignedIn | AccessError::NobodyHere(_) => StatusCode::UNAUTHORIZED,
            AccessError::Throttled(_) | AccessError::Busy => StatusCode::TOO_MANY_REQUESTS,
            AccessError::NoSuchSession => StatusCode::NOT_FOUND,
            AccessError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            AccessError::Hash(_) => StatusCode::INTERNAL_SERVER_ERROR,
            AccessError::Control(ControlError::People(people)) => of_people(people),
            AccessError::Control(_) => StatusCode::INTERNAL_SERVER_ERROR,
            AccessError::Name(_)
            | AccessError::Password
            | AccessError::Ttl
            | AccessError::NoSignIn
            | AccessError::Subject
            | AccessError::NoPassword
            | AccessError::NoSession => StatusCode::BAD_REQUEST,
        };
        Self(status, error.to_string())
    }
}

pub(super) const fn of_people(error: &PeopleError) -> StatusCode {
    match error {
        PeopleError::NoSuchUser { .. } | PeopleError::NoSuchApiToken { .. } => {
            StatusCode::NOT_FOUND
        }
        PeopleError::UserTaken { .. }
        | PeopleError::SubjectTaken { .. }
        | PeopleError::ApiTokenTaken { .. }
        | PeopleError::TooMany => StatusCode::CONFLICT,
    }
}

pub(super) async fn sign_in(
    State(shared): State<Shared>,
    ConnectInfo(origin): ConnectInfo<Origin>,
    Json(wish): Json<SignIn>,
) -> Told<SignedIn> {
    let Some(address) = address_of(origin) else { return needless().into() };
    let Some(access) = shared.operators.upgrade().map(|operators| operators.access.clone()) else {
        return refused(AccessError::Stopping).into();
    };
    match access.sign_in(wish, address).await {
        Ok(signed_in) => Json(signed_in).into_response().into(),
        Err(error) => refused(error).into(),
    }
}

fn refused(error: AccessError) -> Response {
    let retry_after_s = match &error {
        AccessError::Throttled(wait) => Some(wait.as_secs()),
        AccessError::Busy => Some(1),
        _ => None,
    };
    let Refusal(status, words) = error.into();
    let mut response = refusal(status, &words);
    if let Some(seconds) = retry_after_s {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

pub(super) fn address_of(origin: Origin) -> Option<SocketAddr> {
    match origin {
        Origin::Network { address } => Some(address),
        Origin::Socket { .. } => None,
    }
}

fn needless() -> Response {
    refusal(StatusCode::BAD_REQUEST, "who asks over the folder's socket needs no session")
}

impl From<OidcError> for Refusal {
    fn from(error: OidcError) -> Self {
        let status = match &error {
            OidcError::RedirectUri | OidcError::NoSuchState => StatusCode::BAD_REQUEST,
            OidcError::NotVouched(_) => StatusCode::UNAUTHORIZED,
            OidcError::Busy => StatusCode::TOO_MANY_REQUESTS,
            OidcError::Provider(_) => StatusCode::BAD_GATEWAY,
            OidcError::File(_) | OidcError::Identity(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, error.to_string())
    }
}

const NO_PROVIDER: &str = "no OpenID provider is configured here: sign in by a password";

pub(super) async fn begin_oidc(
    State(shared): State<Shared>,
    ConnectInfo(origin): ConnectInfo<Origin>,
    Json(wish): Json<Begin>,
) -> Told<Begun> {
    let Some(address) = address_of(origin) else { return needless().into() };
    let Some(oidc) = shared.oidc else { return refusal(StatusCode::NOT_FOUND, NO_PROVIDER).into() };
    match oidc.begin(&wish, address).await {
        Ok(begun) => Json(begun).into_response().into(),
        Err(error) => Refusal::from(error).into_response().into(),
    }
}

pub(super) async fn finish_oidc(
    State(shared): State<Shared>,
    ConnectInfo(origin): ConnectInfo<Origin>,
    Json(wish): Json<Finish>,
) -> Told<SignedIn> {
    let Some(address) = address_of(origin) else { return needless().into() };
    let Some(oidc) = shared.oidc.clone() else {
        return refusal(StatusCode::NOT_FOUND, NO_PROVIDER).into();
    };
    match oidc.finish(&wish).await {
        Ok(subject) => {
            let sign_in =
                move |operators: &Operators| operators.access.sign_in_vouched(&subject, address);
            shared.work(sign_in).await
        }
        Err(error) => {
            tracing::warn!(%address, %error, "a sign-in by the OpenID provider failed");
            Refusal::from(error).into_response().into()
        }
    }
}

pub(super) async fn sign_out(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
) -> Told<SessionsAnswer> {
    shared
        .work(move |operators| {
            let Some(Identity::User { name, session }) = &caller.identity else {
                return Err(AccessError::NoSession);
            };
            operators.access.end_session(session.id(), Some(name), caller.author())?;
            Ok(operators.access.sessions(Some(name), None))
        })
        .await
}

pub(super) async fn me(ConnectInfo(caller): ConnectInfo<Caller>) -> Told<MeAnswer> {
    Json(MeAnswer { who: caller.author().who, role: caller.role }).into_response().into()
}

pub(super) async fn change_own_password(
    State(shared): State<Shared>,
    ConnectInfo(origin): ConnectInfo<Origin>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Json(change): Json<OwnPassword>,
) -> Told<MeAnswer> {
    let (Some(address), Some(Identity::User { name, .. })) = (address_of(origin), &caller.identity)
    else {
        return refused(AccessError::NoPassword).into();
    };
    let Some(access) = shared.operators.upgrade().map(|operators| operators.access.clone()) else {
        return refused(AccessError::Stopping).into();
    };
    let by = (address, caller.author());
    match access.change_own_password(name.clone(), change, by).await {
        Ok(()) => {
            Json(MeAnswer { who: caller.author().who, role: caller.role }).into_response().into()
        }
        Err(error) => refused(error).into(),
    }
}

/// Whose sessions a caller may see and end: an administrator everybody's, everybody else their own.
fn reach(caller: &Caller) -> Result<Option<&str>, AccessError> {
    match &caller.identity {
        _ if caller.role >= Role::Admin => Ok(None),
        Some(Identity::User { name, .. }) => Ok(Some(name)),
        _ => Err(AccessError::NoSession),
    }
}

fn own(caller: &Caller) -> Option<&crate::access::BearerDigest> {
    match &caller.identity {
        Some(Identity::User { session, .. }) => Some(session),
        _ => None,
    }
}

pub(super) async fn sessions(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Paged { page, .. }: Paged<All>,
) -> Told<Listed<SessionsAnswer>> {
    shared
        .work_on_list(page, move |operators| {
            Ok::<_, AccessError>(operators.access.sessions(reach(&caller)?, own(&caller)))
        })
        .await
}

pub(super) async fn end_session(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Path(id): Path<String>,
) -> Told<SessionsAnswer> {
    shared
        .work(move |operators| {
            let id = TokenId::parse(&id).ok_or(AccessError::NoSuchSession)?;
            operators.access.end_session(id, reach(&caller)?, caller.author())?;
            Ok::<_, AccessError>(operators.access.sessions(reach(&caller)?, own(&caller)))
        })
        .await
}

pub(super) async fn users(
    State(shared): State<Shared>,
    Paged { page, .. }: Paged<All>,
) -> Told<Listed<UsersAnswer>> {
    shared.work_on_list(page, |operators| Ok::<_, AccessError>(operators.access.users())).await
}

pub(super) async fn add_user(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Json(wish): Json<UserWish>,
) -> Told<UsersAnswer> {
    shared
        .work(move |operators| {
            operators.access.add_user(wish, caller.author())?;
            Ok::<_, AccessError>(operators.access.users())
        })
        .await
}

pub(super) async fn change_user(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Path(name): Path<String>,
    Json(change): Json<UserChange>,
) -> Told<UsersAnswer> {
    shared
        .work(move |operators| {
            operators.access.change_user(&name, change, caller.author())?;
            Ok::<_, AccessError>(operators.access.users())
        })
        .await
}

pub(super) async fn remove_user(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Path(name): Path<String>,
) -> Told<UsersAnswer> {
    shared
        .work(move |operators| {
            operators.access.remove_user(&name, caller.author())?;
            Ok::<_, AccessError>(operators.access.users())
        })
        .await
}

pub(super) async fn api_tokens(
    State(shared): State<Shared>,
    Paged { page, .. }: Paged<All>,
) -> Told<Listed<ApiTokensAnswer>> {
    shared.work_on_list(page, |operators| Ok::<_, AccessError>(operators.access.api_tokens())).await
}

pub(super) async fn make_api_token(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Json(wish): Json<ApiTokenWish>,
) -> Told<NewApiToken> {
    shared.work(move |operators| operators.access.make_api_token(wish, caller.author())).await
}

pub(super) async fn revoke_api_token(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Path(name): Path<String>,
) -> Told<ApiTokensAnswer> {
    shared
        .work(move |operators| {
            operators.access.revoke_api_token(&name, caller.author())?;
            Ok::<_, AccessError>(operators.access.api_tokens())
        })
        .await
}
