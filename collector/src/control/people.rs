//! Who may ask: users and API tokens, as the control journal's records say. Pure.

use std::collections::{BTreeMap, HashMap};

use mailsonde_proto::WallTime;
use ring::digest::{Context, SHA256};

use super::access::{AccessRecord, ApiToken, PasswordHash, User};
use super::record::Author;

/// Users at most, and API tokens at most.
const MOST: usize = 1_000;

/// Why users and API tokens cannot become so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeopleError {
    /// There is such a user already.
    #[error(
        "there is a user called {name} already: change them by `mailsonde-collector user role` or \
         `user password`"
    )]
    UserTaken {
        /// As it stands.
        name: String,
    },
    /// Another user is known to the OpenID provider so.
    #[error("the OpenID provider's {subject} is the user {name} already")]
    SubjectTaken {
        /// As it stands.
        subject: String,
        /// Whose it is.
        name: String,
    },
    /// There is no such user.
    #[error("there is no user called {name}: `mailsonde-collector user list` shows them")]
    NoSuchUser {
        /// As it was asked for.
        name: String,
    },
    /// There is such an API token already.
    #[error(
        "there is an API token called {name} already: choose another name, or revoke it first by \
         `mailsonde-collector api-token revoke {name}`"
    )]
    ApiTokenTaken {
        /// As it stands.
        name: String,
    },
    /// There is no such API token.
    #[error("there is no API token called {name}: `mailsonde-collector api-token list` shows them")]
    NoSuchApiToken {
        /// As it was asked for.
        name: String,
    },
    /// No more fit in.
    #[error("there are {MOST} of them already: remove some first")]
    TooMany,
}

/// Something and how it came to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made<T> {
    /// Itself.
    pub it: T,
    /// When it was added.
    pub at: WallTime,
    /// By whom.
    pub by: String,
}

/// The state that the records come to; by names in lower case.
#[derive(Debug, Default)]
pub struct People {
    users: BTreeMap<String, Made<User>>,
    api_tokens: BTreeMap<String, Made<ApiToken>>,
    digests: HashMap<[u8; 32], String>,
}

impl People {
    /// Takes in the next record about operators.
    pub(super) fn apply(&mut self, access: &AccessRecord, at: WallTime, author: Option<&Author>) {
        let by = || author.map(|author| author.who.clone()).unwrap_or_default();
        match access {
            AccessRecord::UserSet(user) => match self.users.get_mut(&key(&user.name)) {
                Some(known) => known.it = user.clone(),
                None => {
                    let made = Made { it: user.clone(), at, by: by() };
                    self.users.insert(key(&user.name), made);
                }
            },
            AccessRecord::UserRemoved { name } => {
                self.users.remove(&key(name));
            }
            AccessRecord::ApiTokenMade(token) => {
                let made = Made { it: token.clone(), at, by: by() };
                self.digests.insert(token.digest, key(&token.name));
                self.api_tokens.insert(key(&token.name), made);
            }
            AccessRecord::ApiTokenRevoked { name } => {
                if let Some(token) = self.api_tokens.remove(&key(name)) {
                    self.digests.remove(&token.it.digest);
                }
            }
            AccessRecord::SignedIn { .. }
            | AccessRecord::SignInRefused { .. }
            | AccessRecord::SessionEnded { .. } => {}
        }
    }

    /// The user of this name.
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.get(&key(name)).map(|known| &known.it)
    }

    /// The same, or the words for its absence.
    ///
    /// # Errors
    /// When there is none.
    pub fn known_user(&self, name: &str) -> Result<&User, PeopleError> {
        self.user(name).ok_or_else(|| PeopleError::NoSuchUser { name: name.to_owned() })
    }

    /// The user for whom the OpenID provider vouches so.
    pub fn user_vouched_for(&self, subject: &str) -> Option<&User> {
        let is_this = |known: &&Made<User>| known.it.subject.as_deref() == Some(subject);
        self.users.values().find(is_this).map(|known| &known.it)
    }

    /// Tells a user from one who was added again, and from the same one with another password, though it may read
    /// the same: sessions belong to one of them.
    pub(crate) fn generation(&self, name: &str) -> Option<[u8; 32]> {
        let known = self.users.get(&key(name))?;
        let mut context = Context::new(&SHA256);
        context.update(&known.at.as_ns().to_le_bytes());
        let password = known.it.password.as_ref().map(PasswordHash::as_phc).unwrap_or_default();
        for part in [password, known.it.subject.as_deref().unwrap_or_default()] {
            context.update(&part.len().to_le_bytes());
            context.update(part.as_bytes());
        }
        context.finish().as_ref().try_into().ok()
    }

    /// Every user, by name.
    pub fn users(&self) -> impl Iterator<Item = &Made<User>> {
        self.users.values()
    }

    /// The API token with this digest, over or not.
    pub fn api_token_with(&self, digest: &[u8; 32]) -> Option<&ApiToken> {
        self.digests.get(digest).and_then(|name| self.api_tokens.get(name)).map(|known| &known.it)
    }

    /// Every API token, by name.
    pub fn api_tokens(&self) -> impl Iterator<Item = &Made<ApiToken>> {
        self.api_tokens.values()
    }

    /// Whether a user of this name can be added.
    ///
    /// # Errors
    /// When not.
    pub fn free_for_user(&self, name: &str, subject: Option<&str>) -> Result<(), PeopleError> {
        let vouched = subject.and_then(|subject| Some((subject, self.user_vouched_for(subject)?)));
        match (self.user(name), vouched) {
            (Some(user), _) => Err(PeopleError::UserTaken { name: user.name.clone() }),
            (None, Some((subject, other))) => Err(PeopleError::SubjectTaken {
                subject: subject.to_owned(),
                name: other.name.clone(),
            }),
            (None, None) if self.users.len() >= MOST => Err(PeopleError::TooMany),
            (None, None) => Ok(()),
        }
    }

    /// Whether an API token of this name can be made.
    ///
    /// # Errors
    /// When not.
    pub fn free_for_api_token(&self, name: &str) -> Result<(), PeopleError> {
        match self.api_tokens.get(&key(name)) {
            Some(known) => Err(PeopleError::ApiTokenTaken { name: known.it.name.clone() }),
            None if self.api_tokens.len() >= MOST => Err(PeopleError::TooMany),
            None => Ok(()),
        }
    }

    /// The API token of this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn known_api_token(&self, name: &str) -> Result<&ApiToken, PeopleError> {
        let known = self.api_tokens.get(&key(name)).map(|known| &known.it);
        known.ok_or_else(|| PeopleError::NoSuchApiToken { name: name.to_owned() })
    }
}

fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}
