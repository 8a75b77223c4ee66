//! What the control journal says of operators: users, API tokens, sign-ins. Words only.
//!
//! Invariant: nothing here can print a password's hash; of API tokens there is the digest alone.

use std::fmt;
use std::str::FromStr;

use mailsonde_proto::WallTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::record::TokenId;

/// What somebody may do; each may do what those before it may.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look at mail, agents and checks.
    Viewer,
    /// And change what lets nobody in: names, labels.
    Operator,
    /// And let in and put out: agents, users, API tokens, sessions; read the audit log.
    Admin,
}

impl Role {
    /// Every one, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let role = Self::ALL.into_iter().find(|role| role.as_str() == text);
        role.ok_or_else(|| "write viewer, operator or admin".to_owned())
    }
}

/// A password as it is kept: its Argon2id hash in PHC form. It cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// From its PHC form.
    pub(crate) const fn from_phc(phc: String) -> Self {
        Self(phc)
    }

    /// For the disk and for verification, and nowhere else.
    pub(crate) fn as_phc(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Somebody who may sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// 1 to 64 characters of `a-z A-Z 0-9 . _ -`, no other user's, in whatever case.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// What they sign in by; `None` for one who cannot so.
    pub password: Option<PasswordHash>,
    /// For whom the OpenID provider vouches when it is they, such as an e-mail address.
    pub subject: Option<String>,
}

/// A token for a program; never its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    /// 1 to 64 characters of `a-z A-Z 0-9 . _ -`, no other API token's, in whatever case.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// SHA-256 of it.
    pub digest: [u8; 32],
    /// From then on it is worth nothing.
    pub expires_at: WallTime,
}

/// One record about operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessRecord {
    /// A user was added, or their role or password changed.
    UserSet(User),
    /// A user was removed.
    UserRemoved {
        /// Who.
        name: String,
    },
    /// An API token was made.
    ApiTokenMade(ApiToken),
    /// An API token was revoked.
    ApiTokenRevoked {
        /// Which.
        name: String,
    },
    /// A user signed in.
    SignedIn {
        /// The session's name.
        session: TokenId,
    },
    /// Somebody could not sign in.
    SignInRefused {
        /// As whom; `None` for a name that nobody has: it may well be a password in the wrong field.
        user: Option<String>,
        /// How often in a row, by now.
        failures: u32,
        /// Refusals since the last record that have none, so that nobody can fill the journal.
        unwritten: u64,
    },
    /// A session was ended by somebody.
    SessionEnded {
        /// Which.
        session: TokenId,
        /// Whose.
        user: String,
    },
}
