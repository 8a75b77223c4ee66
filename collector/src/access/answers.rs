//! What is answered about users, API tokens and sessions: never what proves them.

use jiff::Timestamp;
use mailsonde_proto::WallTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::secret::BearerDigest;
use super::sessions::Session;
use crate::control::{People, Role};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MeAnswer {
    /// As in the audit log: `user ann`, `api-token wall`, `uid 0 (root)`.
    pub who: String,
    /// What they may do.
    pub role: Role,
}

/// Every user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsersAnswer {
    /// When the answer was given.
    pub now: Timestamp,
    /// By name.
    pub users: Vec<UserAnswer>,
}

/// One user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserAnswer {
    /// As it was added.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// When they were added.
    pub added_at: Timestamp,
    /// By whom.
    pub added_by: String,
    /// They can sign in by a password.
    pub has_password: bool,
    /// What the OpenID provider calls them.
    pub subject: Option<String>,
}

/// Every API token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApiTokensAnswer {
    /// When the answer was given.
    pub now: Timestamp,
    /// By name.
    pub api_tokens: Vec<ApiTokenAnswer>,
}

/// One API token; never its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApiTokenAnswer {
    /// What it is called.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// When it was made.
    pub made_at: Timestamp,
    /// By whom.
    pub made_by: String,
    /// Until when it works, or did.
    pub expires_at: Timestamp,
}

/// Sessions that stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionsAnswer {
    /// When the answer was given.
    pub now: Timestamp,
    /// The last used first.
    pub sessions: Vec<SessionAnswer>,
}

/// One session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionAnswer {
    /// What it is called: eight hexadecimal digits.
    pub id: String,
    /// Whose.
    pub user: String,
    /// Where it was used last.
    pub address: String,
    /// When they signed in.
    pub begun_at: Timestamp,
    /// When it was used last.
    pub used_at: Timestamp,
    /// When it ends if it is not used before.
    pub expires_at: Timestamp,
    /// It is the one by which this was asked.
    pub is_own: bool,
}

pub(super) fn users(people: &People, now: WallTime) -> UsersAnswer {
    let users = people.users().map(|known| UserAnswer {
        name: known.it.name.clone(),
        role: known.it.role,
        added_at: known.at.timestamp(),
        added_by: known.by.clone(),
        has_password: known.it.password.is_some(),
        subject: known.it.subject.clone(),
    });
    UsersAnswer { now: now.timestamp(), users: users.collect() }
}

pub(super) fn api_tokens(people: &People, now: WallTime) -> ApiTokensAnswer {
    let api_tokens = people.api_tokens().map(|known| ApiTokenAnswer {
        name: known.it.name.clone(),
        role: known.it.role,
        made_at: known.at.timestamp(),
        made_by: known.by.clone(),
        expires_at: known.it.expires_at.timestamp(),
    });
    ApiTokensAnswer { now: now.timestamp(), api_tokens: api_tokens.collect() }
}

pub(super) fn sessions(
    standing: impl Iterator<Item = (BearerDigest, Session)>,
    own: Option<&BearerDigest>,
    now: WallTime,
) -> SessionsAnswer {
    let sessions = standing.map(|(digest, session)| SessionAnswer {
        id: digest.id().to_string(),
        address: session.address.to_string(),
        begun_at: session.begun_at.timestamp(),
        used_at: session.used_at.timestamp(),
        expires_at: session.expires_at().timestamp(),
        is_own: own == Some(&digest),
        user: session.user,
    });
    SessionsAnswer { now: now.timestamp(), sessions: sessions.collect() }
}
