//! Where a mail server is, and how it is spoken to.

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
    /// Its password.
    pub password: Secret,
}
