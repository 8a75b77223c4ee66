//! What can go wrong before a protocol starts, in words, and what class of fault it is.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mailsonde_proto::FaultClass;
use rustls::pki_types::InvalidDnsNameError;

use super::tls;
use crate::policy::Refusal;

/// Why nothing was opened.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The agent's policy says no.
    #[error("the agent's policy does not allow it: {0}")]
    Forbidden(Refusal),
    /// DNS says that the name does not exist.
    #[error("the host name {host} does not exist in DNS")]
    NoSuchHost {
        /// The name.
        host: String,
    },
    /// The name exists and has no address.
    #[error("the host name {host} exists, but has no address")]
    NoAddress {
        /// The name.
        host: String,
    },
    /// A null MX.
    #[error("the domain {domain} says by a null MX that it takes no mail")]
    NullMx {
        /// The domain.
        domain: String,
    },
    /// No DNS server answered.
    #[error("no DNS server answered the look-up of {host} in time")]
    ResolverTimeout {
        /// The name.
        host: String,
    },
    /// None of this machine's DNS servers answers anything: its own network is down, or they are.
    #[error(
        "no DNS server of this machine answers at all: {servers} answered neither the look-up of {host} \
         nor a question for the root's name servers"
    )]
    SilentResolver {
        /// The name.
        host: String,
        /// Those that were asked.
        servers: String,
    },
    /// A DNS server answered, and said that it could not.
    #[error("the look-up of {host} failed: {detail}")]
    Resolver {
        /// The name.
        host: String,
        /// The resolver's words.
        detail: String,
    },
    /// This machine has no DNS servers configured or no route to any of them.
    #[error("this machine cannot reach any DNS server: {detail}")]
    NoResolver {
        /// Why not.
        detail: String,
    },
    /// This machine's routing table knows no way.
    #[error("this machine has no route to {host}: its own network is down or not configured")]
    NoRoute {
        /// The host.
        host: String,
    },
    /// The connection was refused.
    #[error("{host} ({target}) refused the connection: nothing listens on that port")]
    Refused {
        /// The host.
        host: String,
        /// The address tried last.
        target: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// Another error of the connection.
    #[error("{host} ({target}) cannot be reached: {source}")]
    Connect {
        /// The host.
        host: String,
        /// The address tried last.
        target: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// No answer to the connection.
    #[error("{host} ({target}) did not answer the connection within {within:.1?}")]
    ConnectTimeout {
        /// The host.
        host: String,
        /// The address tried last.
        target: SocketAddr,
        /// How long it was given.
        within: Duration,
    },
    /// Look-up, connection and handshake together took too long.
    #[error("{host} was not connected within {within:.1?}")]
    Slow {
        /// The host.
        host: String,
        /// How long it was given.
        within: Duration,
    },
    /// A name that no certificate can have.
    #[error("{server_name} is not a name that a certificate can have")]
    NotAServerName {
        /// The name.
        server_name: String,
        /// Why.
        source: InvalidDnsNameError,
    },
    /// The certificate is not good.
    #[error("the certificate of {server_name} is not accepted: {words}")]
    Certificate {
        /// The name that was asked for.
        server_name: String,
        /// What is wrong with it.
        words: String,
    },
    /// The handshake failed for another reason.
    #[error("the TLS handshake with {server_name} failed: {words}")]
    Handshake {
        /// The name that was asked for.
        server_name: String,
        /// How.
        words: String,
        /// Whether the other side closed or reset the connection.
        is_closed: bool,
    },
    /// The host's trusted roots cannot be read.
    #[error(transparent)]
    Trust(#[from] tls::TrustError),
}

impl NetError {
    pub(super) fn connect(host: &str, target: SocketAddr, source: io::Error) -> Self {
        let host = host.to_owned();
        match source.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused { host, target, source },
            _ => Self::Connect { host, target, source },
        }
    }

    pub(super) fn tls(server_name: &str, error: io::Error) -> Self {
        let server_name = server_name.to_owned();
        let rustls = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>());
        match rustls {
            Some(rustls::Error::InvalidCertificate(why)) => {
                Self::Certificate { words: tls::certificate_words(why), server_name }
            }
            Some(other) => {
                let words = tls::handshake_words(other);
                Self::Handshake { server_name, words, is_closed: false }
            }
            None => Self::Handshake {
                server_name,
                words: "the server closed the connection in mid-handshake".to_owned(),
                is_closed: true,
            },
        }
    }

    pub(super) fn is_unreachable(&self) -> bool {
        matches!(self, Self::Connect { source, .. } if super::is_unreachable(source))
    }

    /// The class of the fault that this is.
    pub fn class(&self) -> FaultClass {
        match self {
            Self::NoSuchHost { .. }
            | Self::NoAddress { .. }
            | Self::NullMx { .. }
            | Self::NoResolver { .. }
            | Self::NoRoute { .. }
            | Self::Refused { .. }
            | Self::Connect { .. } => FaultClass::Refused,
            Self::ResolverTimeout { .. }
            | Self::SilentResolver { .. }
            | Self::ConnectTimeout { .. }
            | Self::Slow { .. } => FaultClass::Timeout,
            Self::Resolver { .. } => FaultClass::Temporary,
            Self::Handshake { is_closed: true, .. } => FaultClass::Refused,
            Self::Handshake { .. } => FaultClass::Protocol,
            Self::Certificate { .. } | Self::NotAServerName { .. } => FaultClass::Mismatch,
            Self::Forbidden(_) | Self::Trust(_) => FaultClass::Permanent,
        }
    }

    /// Whether it is certain that the agent's own network is at fault, so that nothing can be said
    /// about the target.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::NoRoute { .. } | Self::NoResolver { .. } | Self::SilentResolver { .. })
    }
}
