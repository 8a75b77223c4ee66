//! Who the agent is to the collector, and whom it takes for the collector: certificates from files.
//!
//! Read anew at every dial, so that a renewed certificate counts without a restart.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::{AgentId, WallTime};
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::{ClientConfig, RootCertStore};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::config::CollectorConfig;
use crate::identity::{IdentityFiles, agent_in};

/// What a dial needs.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// For TLS 1.3 with both ends' certificates, and HTTP/2.
    pub tls: Arc<ClientConfig>,
    /// The same without the agent's own, for one that is over: the collector would not shake hands with it.
    pub tls_by_key: Arc<ClientConfig>,
    /// What the agent's own certificate says.
    pub identity: Identity,
}

/// What the agent's own certificate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The agent's identity.
    pub agent: AgentId,
    /// From then on the certificate is valid.
    pub not_before: WallTime,
    /// From then on it is not any more.
    pub not_after: WallTime,
}

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A file cannot be read as PEM.
    #[error("cannot read the {what} {}: {source}", path.display())]
    Unreadable {
        /// What it should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// A file holds no certificate.
    #[error("the {what} {} holds no certificate in PEM", path.display())]
    Empty {
        /// What it should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The certificate is not an agent's.
    #[error(
        "{} is not an agent's certificate: it names no mailsonde://agent/ID; enrol the agent by \
         `mailsonde-agent enroll TOKEN`",
        path.display()
    )]
    NoIdentity {
        /// The file.
        path: PathBuf,
    },
    /// Certificate, key and authority do not go together, or TLS will not have them.
    #[error("the agent's certificate and key cannot be used: {0}")]
    Tls(#[source] rustls::Error),
    /// The authority's certificate cannot be used.
    #[error("the collector's CA cannot be used: {0}")]
    Authority(#[source] rustls::client::VerifierBuilderError),
}

impl Credentials {
    /// Reads the three files. Blocks on the disk, shortly.
    ///
    /// # Errors
    /// Which file is wrong, and how.
    pub fn load(config: &CollectorConfig) -> Result<Self, CredentialsError> {
        let CollectorConfig { ca, certificate, key, .. } = config.clone();
        Self::load_files(&IdentityFiles { ca, certificate, key })
    }

    /// The same, from these files.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_files(files: &IdentityFiles) -> Result<Self, CredentialsError> {
        let authorities = certificates("collector's CA", &files.ca)?;
        let chain = certificates("agent's certificate", &files.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|source| {
            let path = files.key.clone();
            CredentialsError::Unreadable { what: "agent's key", path, source }
        })?;
        let identity = chain.first().and_then(Identity::of);
        let no_identity = || CredentialsError::NoIdentity { path: files.certificate.clone() };
        let identity = identity.ok_or_else(no_identity)?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(authorities);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(CredentialsError::Authority)?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(CredentialsError::Tls)?
            .with_webpki_verifier(verifier);
        let by_key = builder.clone().with_no_client_auth();
        let tls = builder.with_client_auth_cert(chain, key).map_err(CredentialsError::Tls)?;
        let [tls, tls_by_key] = [tls, by_key].map(|mut config| {
            config.alpn_protocols = vec![b"h2".to_vec()];
            Arc::new(config)
        });
        Ok(Self { tls, tls_by_key, identity })
    }
}

impl Identity {
    fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        let validity = certificate.validity();
        Some(Self {
            agent: agent_in(&certificate)?,
            not_before: WallTime::from_s(validity.not_before.timestamp()),
            not_after: WallTime::from_s(validity.not_after.timestamp()),
        })
    }

    /// From its first moment to its last: twice as long as it lives.
    pub fn whole(&self) -> Duration {
        self.not_after.since(self.not_before)
    }

    /// When to renew. The collector dates certificates back by as long as they live, so half of that is over when
    /// a quarter of the whole validity is left; `jitter` of 255 parts of a fortieth come on top.
    pub fn renew_at(&self, jitter: u8) -> WallTime {
        let whole = self.whole();
        let later = whole.mul_f64(f64::from(jitter) / f64::from(u8::MAX) / 40.0);
        self.not_after.minus(whole / 4).plus(later)
    }
}

/// What is to be known of an authority's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority {
    /// From then on it is not valid any more.
    pub not_after: WallTime,
}

/// The authorities in a file of an identity.
///
/// # Errors
/// When it cannot be read, or holds none.
pub fn authorities(path: &Path) -> Result<Vec<Authority>, CredentialsError> {
    let certificates = certificates("collector's CA", path)?;
    let not_after = |der: &CertificateDer<'_>| {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let not_after = WallTime::from_s(certificate.validity().not_after.timestamp());
        Some(Authority { not_after })
    };
    Ok(certificates.iter().filter_map(not_after).collect())
}

fn certificates(
    what: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, CredentialsError> {
    let read: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).and_then(|found| found.collect());
    match read {
        Ok(certificates) if certificates.is_empty() => {
            Err(CredentialsError::Empty { what, path: path.to_owned() })
        }
        Ok(certificates) => Ok(certificates),
        Err(source) => Err(CredentialsError::Unreadable { what, path: path.to_owned(), source }),
    }
}
