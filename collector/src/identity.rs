//! Who is who: the collector's own certificate authority, and the identities in certificates.
//!
//! An agent is known by one thing alone: the URI `mailsonde://agent/ID` in the certificate that it proves
//! to hold. Its name and labels stand in the registry and can change.
//!
//! Invariants: private keys are written for their owner alone and cannot be printed; the authority signs
//! public keys and never sees an agent's private one; every validity is judged by
//! [`Clock`](mailsonde_proto::Clock). Absent on purpose: who is enrolled, which `control` knows.

mod authorities;
mod authority;
mod operators;
mod roots;
mod server;
mod trusted;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use mailsonde_proto::{AgentId, WallTime};
use rustls::pki_types::{CertificateDer, DnsName};
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

pub use authorities::Authorities;
pub(crate) use authority::is_key_of;
pub use authority::{AGENT_VALIDITY, Authority, Issued, PrivateKey, PublicKey, SERVER_VALIDITY};
pub use operators::OperatorsTls;
pub use roots::{authorities, https_config, system_authorities};
pub use server::{RENEW_BEFORE, ServerTls, in_words};

use crate::folder::FolderError;

/// Why an identity could not be made, read or believed.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file of an identity could not be read or written.
    #[error(transparent)]
    File(#[from] FolderError),
    /// The authority's files do not fit together or are damaged.
    #[error(
        "cannot use the certificate authority in {}: {detail}; restore ca.pem and ca.key from a backup \
         (a new authority means a new certificate for every agent)",
        path.display()
    )]
    Authority {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// One authority is taking over from another already.
    #[error(
        "one certificate authority is taking over from another already: \
         `mailsonde-collector ca` shows how far that is, `ca retire` ends it"
    )]
    TwoAuthorities,
    /// None is taking over.
    #[error(
        "there is one certificate authority only: `mailsonde-collector ca rotate` makes the next"
    )]
    OneAuthority,
    /// A certificate or a key could not be made.
    #[error("cannot make a certificate: {0}")]
    Making(#[from] rcgen::Error),
    /// The TLS library refused what we gave it.
    #[error("cannot set up TLS with the collector's certificate: {0}")]
    Tls(String),
    /// Authorities that somebody wants to be trusted.
    #[error(
        "the authorities cannot be used: {0}; they are to be certificates in PEM, as ca.pem is"
    )]
    Authorities(String),
    /// Not a name that can stand in a certificate.
    #[error("\"{0}\" is neither a host name nor an IP address, such as collector.example.org")]
    HostName(String),
    /// A public key of another kind, or no public key.
    #[error("the public key is not of the curve P-256: let `mailsonde-agent enroll` make it")]
    PublicKey,
    /// Not a certification request, or its signature is not that of its key.
    #[error("what came is no certification request that is signed with its own key")]
    Request,
    /// The peer showed no certificate.
    #[error("the agent showed no certificate: enrol it with `mailsonde-agent enroll TOKEN`")]
    NoCertificate,
    /// The peer's certificate cannot be read.
    #[error("the agent's certificate cannot be read: {0}")]
    Unreadable(String),
    /// The peer's certificate says nothing about an agent.
    #[error("the certificate has no URI {}ID: it is not an agent's", AgentId::URI_PREFIX)]
    NotAnAgent,
    /// The peer's certificate names more than one agent.
    #[error("the certificate names more than one agent")]
    SeveralAgents,
}

/// What a peer's certificate says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Which agent it is.
    pub agent: AgentId,
    /// SHA-256 of its public key (SubjectPublicKeyInfo, DER).
    pub key_digest: [u8; 32],
    /// When the certificate was made, which is half-way through its validity: tells a newer one from an older one.
    pub issued_at: WallTime,
    /// Until when the certificate is valid.
    pub not_after: WallTime,
}

/// Which agent a peer is, by the certificates that its TLS connection proved.
///
/// # Errors
/// When there is no certificate, or its first does not name exactly one agent.
pub fn agent_of(certificates: Option<&[CertificateDer<'_>]>) -> Result<Shown, IdentityError> {
    let leaf = certificates.and_then(<[_]>::first).ok_or(IdentityError::NoCertificate)?;
    let unreadable = |error: &dyn fmt::Display| IdentityError::Unreadable(error.to_string());
    let (_, certificate) = parse_x509_certificate(leaf).map_err(|error| unreadable(&error))?;
    let names = certificate.subject_alternative_name().map_err(|error| unreadable(&error))?;
    let mut agents = names.iter().flat_map(|names| &names.value.general_names).filter_map(|name| {
        let GeneralName::URI(uri) = name else { return None };
        // A URI of our scheme that is no identity is not skipped: it is not a certificate of ours.
        uri.starts_with(AgentId::URI_PREFIX).then(|| AgentId::from_uri(uri))
    });
    let agent = agents.next().flatten().ok_or(IdentityError::NotAnAgent)?;
    if agents.next().is_some() {
        return Err(IdentityError::SeveralAgents);
    }
    let key = ring::digest::digest(&ring::digest::SHA256, certificate.public_key().raw);
    let validity = certificate.validity();
    let not_before = WallTime::from_s(validity.not_before.timestamp());
    let not_after = WallTime::from_s(validity.not_after.timestamp());
    Ok(Shown {
        agent,
        key_digest: key.as_ref().try_into().unwrap_or_default(),
        issued_at: not_before.plus(not_after.since(not_before) / 2),
        not_after,
    })
}

/// A host by its name or its IP address, as it stands in a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostName {
    /// A DNS name.
    Name(String),
    /// An IP address.
    Address(IpAddr),
}

impl HostName {
    /// Whether it means this very machine and no other.
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Name(name) => name.eq_ignore_ascii_case("localhost"),
            Self::Address(address) => address.is_loopback(),
        }
    }

    /// With a port, as an agent dials it: `[::1]:7443`.
    pub fn with_port(&self, port: u16) -> String {
        match self {
            Self::Address(IpAddr::V6(address)) => format!("[{address}]:{port}"),
            _ => format!("{self}:{port}"),
        }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

impl FromStr for HostName {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        // An all-numeric last label is a mistyped address, never a name (RFC 1123 section 2.1).
        let last = text.rsplit('.').next().unwrap_or_default();
        let numeric = last.bytes().all(|b| b.is_ascii_digit());
        match DnsName::try_from(text) {
            Ok(_) if !numeric && !text.ends_with('.') => Ok(Self::Name(text.to_owned())),
            _ => Err(IdentityError::HostName(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests;
