//! Where a mail server is, and how it is spoken to.

use std::sync::Arc;

use super::oauth::TokenSource;
use crate::net::TlsTrust;
use crate::secret::Secret;

/// One mail server's port.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Host name or address; the certificate must carry it.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whether and how TLS begins.
    pub tls: Tls,
    /// Whose certificates are accepted.
    pub trust: TlsTrust,
    /// Who signs in; `None` means nobody.
    pub login: Option<Login>,
}

/// How TLS begins on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// By STARTTLS after the greeting (RFC 3207, RFC 9051 section 6.2.1). Without it nothing goes on.
    StartTls,
    /// By STARTTLS where it is offered: between mail exchangers only (RFC 7435).
    Opportunistic,
    /// At once (RFC 8314 section 3).
    Implicit,
    /// Not at all. Then the password goes over the wire as it is.
    None,
}

/// Who signs in.
#[derive(Clone, Debug)]
pub struct Login {
    /// The login name.
    pub user: String,
    /// How that is proven.
    pub credential: Credential,
}

/// How a login is proven.
#[derive(Clone, Debug)]
pub enum Credential {
    /// By a password.
    Password(Secret),
    /// By an access token, which expires; its source is shared by all servers of a mailbox.
    Token(Arc<TokenSource>),
}

impl Login {
    /// Of a user with a password.
    pub fn with_password(user: impl Into<String>, password: Secret) -> Self {
        Self { user: user.into(), credential: Credential::Password(password) }
    }

    /// The password, where there is one.
    pub fn password(&self) -> Option<&Secret> {
        match &self.credential {
            Credential::Password(password) => Some(password),
            Credential::Token(_) => None,
        }
    }

    /// Where tokens come from, where there are any.
    pub fn token_source(&self) -> Option<&Arc<TokenSource>> {
        match &self.credential {
            Credential::Password(_) => None,
            Credential::Token(source) => Some(source),
        }
    }

    /// Whether another login is the same, secrets included.
    pub fn is_same(&self, other: &Self) -> bool {
        self.user == other.user
            && match (&self.credential, &other.credential) {
                (Credential::Password(one), Credential::Password(other)) => one == other,
                (Credential::Token(one), Credential::Token(other)) => one.is_same(other),
                _ => false,
            }
    }
}
