//! The certificate authority: shown, and rotated.

use axum::Json;
use axum::extract::{ConnectInfo, State};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::caller::Caller;
use super::typed::Told;
use super::{Operators, Shared};
use crate::enrolment::{EnrolmentError, RetireWish};
use crate::identity::Authority;

/// The authority, and the next one while it takes over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuthoritiesAnswer {
    /// Signs the server's certificate; tokens name it.
    pub current: AuthorityAnswer,
    /// Signs agents' certificates, while there are two.
    pub next: Option<AuthorityAnswer>,
    /// Agents that have shown no certificate of the next one since the collector started, by name.
    pub without_next: Vec<String>,
}

/// One authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuthorityAnswer {
    /// SHA-256 of its certificate, DER: 64 hexadecimal digits.
    pub fingerprint: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// Until when it is valid.
    pub not_after: Timestamp,
}

impl AuthorityAnswer {
    fn of(authority: &Authority) -> Self {
        Self {
            fingerprint: hex::encode(authority.fingerprint()),
            made_at: authority.made_at().timestamp(),
            not_after: authority.not_after().timestamp(),
        }
    }
}

pub(super) async fn show(State(shared): State<Shared>) -> Told<AuthoritiesAnswer> {
    shared.work(|operators| Ok::<_, EnrolmentError>(told(operators))).await
}

pub(super) async fn rotate(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
) -> Told<AuthoritiesAnswer> {
    shared
        .work(move |operators| {
            operators.enrolment.rotate(caller.author(), operators.clock.wall())?;
            operators.tls.follow_authorities()?;
            Ok::<_, EnrolmentError>(told(operators))
        })
        .await
}

pub(super) async fn retire(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Json(wish): Json<RetireWish>,
) -> Told<AuthoritiesAnswer> {
    shared
        .work(move |operators| {
            let (registry, now) = (&operators.registry, operators.clock.wall());
            let since = operators.enrolment.retire(wish, registry, caller.author(), now)?;
            operators.tls.follow_authorities()?;
            // what stands by a certificate that nobody believes any more
            registry.end_until(since);
            Ok::<_, EnrolmentError>(told(operators))
        })
        .await
}

fn told(operators: &Operators) -> AuthoritiesAnswer {
    let authorities = &operators.enrolment.authorities;
    AuthoritiesAnswer {
        current: AuthorityAnswer::of(&authorities.current()),
        next: authorities.next().map(|next| AuthorityAnswer::of(&next)),
        without_next: operators.enrolment.without_next(&operators.registry),
    }
}
