//! What an administrator does about who may ask. Each of these waits for the disk: not for a runtime's thread.

use std::time::Duration;

use jiff::Timestamp;
use mailsonde_proto::check::is_name;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answers::{self, ApiTokensAnswer, SessionsAnswer, UsersAnswer};
use super::secret::{Bearer, BearerDigest};
use super::{Access, AccessError, Password};
use crate::control::{AccessRecord as Record, ApiToken, Author, Control, Role, TokenId, User};

/// How long an API token may work: at least and at most.
const TTL_BOUNDS: (Duration, Duration) =
    (Duration::from_secs(60), Duration::from_secs(366 * 86_400));

/// A user is to be added.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserWish {
    /// 1 to 64 characters of `a-z A-Z 0-9 . _ -`.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// What they sign in by, until it is changed; none for one whom the OpenID provider alone vouches for.
    #[serde(default)]
    pub password: Option<Password>,
    /// What the OpenID provider calls them, such as an e-mail address.
    #[serde(default)]
    pub subject: Option<String>,
}

/// What is to become of a user.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum UserChange {
    /// They may do this from now on, in sessions that stand too.
    Role(Role),
    /// They sign in by this from now on; their sessions end.
    Password(Password),
}

/// An API token is to be made.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiTokenWish {
    /// 1 to 64 characters of `a-z A-Z 0-9 . _ -`.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// How long it works, in seconds.
    pub ttl_s: u64,
}

/// An API token was made.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct NewApiToken {
    /// What it is called.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// To be shown with each question. It is shown this once.
    pub token: String,
    /// Until when it works.
    pub expires_at: Timestamp,
}

impl Access {
    /// Adds a user.
    ///
    /// # Errors
    /// When name or password cannot be used, or the name is taken.
    pub fn add_user(&self, wish: UserWish, author: Author) -> Result<(), AccessError> {
        let UserWish { name, role, password, subject } = wish;
        check_name(&name)?;
        if password.is_none() && subject.is_none() {
            return Err(AccessError::NoSignIn);
        }
        if subject.as_deref().is_some_and(|subject| !is_subject(subject)) {
            return Err(AccessError::Subject);
        }
        let password = password.map(|password| password.hash()).transpose()?;
        Ok(self.0.control.decide(self.now(), author, |roll| {
            roll.people().free_for_user(&name, subject.as_deref())?;
            let user = User { name, role, password, subject };
            Ok((Control::Access(Record::UserSet(user)), ()))
        })?)
    }

    /// Gives a user another role or password, at once.
    ///
    /// # Errors
    /// When there is no such user, or the password cannot be used.
    pub fn change_user(
        &self,
        name: &str,
        change: UserChange,
        author: Author,
    ) -> Result<(), AccessError> {
        let (role, password) = match change {
            UserChange::Role(role) => (Some(role), None),
            UserChange::Password(password) => (None, Some(password.hash()?)),
        };
        let sessions_end = password.is_some();
        self.0.control.decide(self.now(), author, |roll| {
            let known = roll.people().known_user(name)?.clone();
            let changed = User {
                role: role.unwrap_or(known.role),
                password: password.or(known.password),
                name: known.name,
                subject: known.subject,
            };
            Ok((Control::Access(Record::UserSet(changed)), ()))
        })?;
        if sessions_end {
            self.0.sessions.end_all_of(name);
        }
        Ok(())
    }

    /// Removes a user; their sessions end. API tokens stay: they are nobody's.
    ///
    /// # Errors
    /// When there is no such user.
    pub fn remove_user(&self, name: &str, author: Author) -> Result<(), AccessError> {
        self.0.control.decide(self.now(), author, |roll| {
            let name = roll.people().known_user(name)?.name.clone();
            Ok((Control::Access(Record::UserRemoved { name }), ()))
        })?;
        self.0.sessions.end_all_of(name);
        Ok(())
    }

    /// Every user.
    pub fn users(&self) -> UsersAnswer {
        self.0.control.look(|roll| answers::users(roll.people(), self.now()))
    }

    /// Makes an API token.
    ///
    /// # Errors
    /// When name or time cannot be used, or the name is taken.
    pub fn make_api_token(
        &self,
        wish: ApiTokenWish,
        author: Author,
    ) -> Result<NewApiToken, AccessError> {
        let ApiTokenWish { name, role, ttl_s } = wish;
        check_name(&name)?;
        let ttl = Duration::from_secs(ttl_s);
        if ttl < TTL_BOUNDS.0 || ttl > TTL_BOUNDS.1 {
            return Err(AccessError::Ttl);
        }
        let (bearer, now) = (Bearer::of_program(), self.now());
        let (digest, expires_at) = (*bearer.digest().bytes(), now.plus(ttl));
        self.0.control.decide(now, author, |roll| {
            roll.people().free_for_api_token(&name)?;
            let made = ApiToken { name: name.clone(), role, digest, expires_at };
            Ok((Control::Access(Record::ApiTokenMade(made)), ()))
        })?;
        let expires_at = expires_at.timestamp();
        Ok(NewApiToken { name, role, token: bearer.into_text(), expires_at })
    }

    /// Revokes an API token, at once; its name is free again.
    ///
    /// # Errors
    /// When there is no such token.
    pub fn revoke_api_token(&self, name: &str, author: Author) -> Result<(), AccessError> {
        Ok(self.0.control.decide(self.now(), author, |roll| {
            let name = roll.people().known_api_token(name)?.name.clone();
            Ok((Control::Access(Record::ApiTokenRevoked { name }), ()))
        })?)
    }

    /// Every API token.
    pub fn api_tokens(&self) -> ApiTokensAnswer {
        self.0.control.look(|roll| answers::api_tokens(roll.people(), self.now()))
    }

    /// The sessions that stand: all of them, or those of one user.
    pub(crate) fn sessions(&self, of: Option<&str>, own: Option<&BearerDigest>) -> SessionsAnswer {
        let now = self.now();
        let standing = self.0.sessions.standing(now);
        let wanted = |user: &str| of.is_none_or(|of: &str| of.eq_ignore_ascii_case(user));
        let standing = standing.into_iter().filter(|(_, session)| wanted(&session.user));
        answers::sessions(standing, own, now)
    }

    /// Ends a session; `of` restricts that to one user's.
    ///
    /// # Errors
    /// When there is no such session.
    pub(crate) fn end_session(
        &self,
        id: TokenId,
        of: Option<&str>,
        author: Author,
    ) -> Result<(), AccessError> {
        let standing = self.0.sessions.standing(self.now());
        let found = standing.into_iter().find(|(digest, session)| {
            digest.id() == id && of.is_none_or(|of| of.eq_ignore_ascii_case(&session.user))
        });
        let (digest, session) = found.ok_or(AccessError::NoSuchSession)?;
        let ended = Record::SessionEnded { session: id, user: session.user };
        self.0.control.decide(self.now(), author, |_| Ok((Control::Access(ended), ())))?;
        self.0.sessions.end(&digest);
        Ok(())
    }
}

fn is_subject(subject: &str) -> bool {
    (1..=256).contains(&subject.len()) && !subject.chars().any(char::is_control)
}

fn check_name(name: &str) -> Result<(), AccessError> {
    if is_name(name) { Ok(()) } else { Err(AccessError::Name(name.to_owned())) }
}
