//! Whom TLS trusts, and what a handshake and a certificate say about themselves.
//!
//! An ordinary handshake ends with a bad certificate. An inspecting one ([`Inspection`]) goes on, so that the
//! certificate can be described; its stream comes as [`Unproven`], over which no secret leaves.

mod certificate;
mod inspect;
mod verifier;

pub mod hello;
pub mod staple;

mod words;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use mailsonde_proto::WallTime;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::client::TlsStream;
use x509_parser::prelude::{FromDer, X509Certificate};

pub use certificate::{Certificate, Key};
pub use inspect::{Completeness, InspectOptions, Inspection, Unproven};
pub use verifier::{Reason, Refusal};
pub(super) use words::{certificate_words, handshake_words};

use verifier::AcceptAnybody;

/// Whose certificates are accepted.
#[derive(Clone)]
pub struct TlsTrust(Trust);

#[derive(Clone)]
enum Trust {
    /// The host's roots, read at the first handshake.
    Native,
    /// Those of one file.
    Roots(Arc<RootCertStore>),
    /// Anybody: opportunistic TLS (RFC 7435), where a bad certificate is still better than none.
    Anybody,
}

impl TlsTrust {
    /// The host's own trusted roots.
    pub const fn native() -> Self {
        Self(Trust::Native)
    }

    /// The certificates of a PEM file, and nobody else.
    ///
    /// # Errors
    /// When the file cannot be read or holds no certificate.
    pub fn ca_file(path: &Path) -> Result<Self, TrustError> {
        let unreadable = |source| TrustError::Unreadable { path: path.to_owned(), source };
        let certificates: Vec<_> =
            CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(unreadable)?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates);
        if roots.is_empty() {
            return Err(TrustError::Empty { path: path.to_owned() });
        }
        Ok(Self(Trust::Roots(Arc::new(roots))))
    }

    /// These roots, and nobody else.
    pub fn roots(roots: RootCertStore) -> Self {
        Self(Trust::Roots(Arc::new(roots)))
    }

    /// Anybody: for opportunistic TLS to a mail exchanger only (RFC 7435), never where a password
    /// follows.
    pub const fn anybody() -> Self {
        Self(Trust::Anybody)
    }

    /// A configuration made anew for each handshake, so that no session is resumed: a probe measures
    /// the whole handshake.
    pub(super) fn client_config(&self) -> Result<Arc<ClientConfig>, TrustError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = self.verifier(&provider)?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(VERSIONS)
            .map_err(TrustError::Provider)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(Arc::new(config))
    }

    /// Whether somebody's certificate can be refused at all.
    const fn is_anybody(&self) -> bool {
        matches!(self.0, Trust::Anybody)
    }

    fn verifier(
        &self,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ServerCertVerifier>, TrustError> {
        let roots = match &self.0 {
            Trust::Native => native_roots()?,
            Trust::Roots(roots) => Arc::clone(roots),
            Trust::Anybody => return Ok(Arc::new(AcceptAnybody(Arc::clone(provider)))),
        };
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider))
            .build()
            .map_err(TrustError::Verifier)?;
        Ok(verifier)
    }
}

const VERSIONS: &[&rustls::SupportedProtocolVersion] =
    &[&rustls::version::TLS13, &rustls::version::TLS12];

impl fmt::Debug for TlsTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Trust::Native => "TlsTrust(native)",
            Trust::Roots(_) => "TlsTrust(roots)",
            Trust::Anybody => "TlsTrust(anybody)",
        })
    }
}

/// Why there is nobody to trust.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A CA file cannot be read.
    #[error("the CA file {} cannot be read as PEM certificates: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// A CA file holds no certificate.
    #[error("the CA file {} holds no usable certificate", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The host has no trusted roots.
    #[error(
        "this machine has no trusted root certificates: install ca-certificates, or set ca_file"
    )]
    NoNativeRoots,
    /// The TLS library refuses the roots.
    #[error("the trusted roots cannot be used: {0}")]
    Verifier(#[source] rustls::client::VerifierBuilderError),
    /// The TLS library refuses its own provider.
    #[error("TLS cannot be set up: {0}")]
    Provider(#[source] rustls::Error),
}

/// Read once for all: a few hundred KiB, and 10 ms that no measured phase should show twice.
fn native_roots() -> Result<Arc<RootCertStore>, TrustError> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let roots = ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    });
    if roots.is_empty() { Err(TrustError::NoNativeRoots) } else { Ok(Arc::clone(roots)) }
}

/// What a finished handshake says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// Such as `TLSv1.3`.
    pub version: String,
    /// Such as `TLS13_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// When the server's certificate expires.
    pub expires: Option<WallTime>,
}

impl TlsFacts {
    /// Those of a finished handshake.
    pub fn of<S>(stream: &TlsStream<S>) -> Self {
        let (_, session) = stream.get_ref();
        let version = session.protocol_version().and_then(|v| v.as_str()).unwrap_or("unknown");
        let cipher = session.negotiated_cipher_suite().and_then(|c| c.suite().as_str());
        let expires = session
            .peer_certificates()
            .and_then(|chain| chain.first())
            .and_then(|leaf| X509Certificate::from_der(leaf).ok())
            .map(|(_, leaf)| WallTime::from_s(leaf.validity().not_after.timestamp()));
        Self {
            version: version.replace('_', "."),
            cipher: cipher.unwrap_or("unknown").to_owned(),
            expires,
        }
    }
}

impl From<TrustError> for io::Error {
    fn from(error: TrustError) -> Self {
        Self::other(error)
    }
}

#[cfg(test)]
mod tests;
