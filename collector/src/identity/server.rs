//! The collector's side of TLS: its own certificate, renewed in time, and whom it lets in.
//!
//! TLS 1.3 only. An agent's certificate is optional here, because enrolment comes without one; who needs
//! one asks [`agent_of`](super::agent_of). What is shown must be of our own authority and valid now, or
//! the handshake fails. Sessions are never resumed: an identity is proven on every connection.

use std::fs;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use mailsonde_proto::{Clock, WallTime};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{CertificateError, ServerConfig};

use super::trusted::{Trusted, roots};
use super::{Authorities, Authority, HostName, IdentityError, OperatorsTls, PrivateKey};
use crate::folder::{Folder, PRIVATE, write_file};

/// A server certificate is renewed when it has less than this left.
pub const RENEW_BEFORE: Duration = Duration::from_secs(30 * 86_400);

/// The collector's side of TLS.
#[derive(Debug)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
    current: Arc<Current>,
    trusted: Arc<Trusted>,
    authorities: Arc<Authorities>,
    folder: Folder,
    name: HostName,
    clock: Clock,
}

impl ServerTls {
    /// Takes the folder's server certificate, or makes a new one when it is missing, damaged, of another
    /// name or authority, or has less than [`RENEW_BEFORE`] left.
    ///
    /// # Errors
    /// When a new certificate cannot be made or written.
    pub fn open(
        folder: &Folder,
        authorities: Arc<Authorities>,
        name: &HostName,
        clock: Clock,
    ) -> Result<Self, IdentityError> {
        let (authority, now) = (authorities.current(), clock.wall());
        let key = match stored(folder, &authority, name, now) {
            Some(key) => key,
            None => renewed(folder, &authority, name, now)?,
        };
        let current = Arc::new(Current::new(key));
        let trusted = Arc::new(Trusted::new(&authorities.trusted())?);
        let config = Arc::new(server_config(trusted.clone(), current.clone(), clock)?);
        let (folder, name) = (folder.clone(), name.clone());
        Ok(Self { config, current, trusted, authorities, folder, name, clock })
    }

    /// For accepting connections; it keeps up with renewals by itself.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }

    /// The same certificate for operators, to whom no other one is to be shown.
    ///
    /// # Errors
    /// When the TLS library refuses it.
    pub fn for_operators(&self) -> Result<OperatorsTls, IdentityError> {
        OperatorsTls::of_agents(self.current.clone(), self.clock)
    }

    /// Renews the certificate when it is due and says whether it was: ask once a day.
    ///
    /// # Errors
    /// When a new certificate cannot be made or written; the old one stays in use.
    pub fn renew_if_due(&self) -> Result<bool, IdentityError> {
        let (authority, now) = (self.authorities.current(), self.clock.wall());
        let due = match self.current.get().end_entity_cert() {
            Ok(certificate) => !holds(&authority, certificate, &self.name, now),
            Err(_) => true,
        };
        if due {
            self.current.set(renewed(&self.folder, &authority, &self.name, now)?);
        }
        Ok(due)
    }

    /// Goes by the authorities as they are now: whom to believe, and who signs the server's certificate.
    ///
    /// # Errors
    /// As [`renew_if_due`](Self::renew_if_due).
    pub fn follow_authorities(&self) -> Result<(), IdentityError> {
        self.trusted.set(&self.authorities.trusted())?;
        self.renew_if_due().map(drop)
    }
}

/// The certificate that is shown at the moment.
#[derive(Debug)]
pub(super) struct Current(RwLock<Arc<CertifiedKey>>);

impl Current {
    pub(super) fn new(key: CertifiedKey) -> Self {
        Self(RwLock::new(Arc::new(key)))
    }

    pub(super) fn get(&self) -> Arc<CertifiedKey> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, key: CertifiedKey) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.get())
    }
}

/// Our clock as the TLS library asks it.
#[derive(Debug)]
pub(super) struct AskClock(pub(super) Clock);

impl TimeProvider for AskClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix_time(self.0.wall()))
    }
}

fn unix_time(at: WallTime) -> UnixTime {
    UnixTime::since_unix_epoch(at.since(WallTime::default()))
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

pub(super) fn tls_error(error: impl std::fmt::Display) -> IdentityError {
    IdentityError::Tls(error.to_string())
}

fn server_config(
    verifier: Arc<Trusted>,
    current: Arc<Current>,
    clock: Clock,
) -> Result<ServerConfig, IdentityError> {
    let mut config = ServerConfig::builder_with_details(provider(), Arc::new(AskClock(clock)))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(tls_error)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(current);
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// The stored certificate, when it can be used and will be for a while.
fn stored(
    folder: &Folder,
    authority: &Arc<Authority>,
    name: &HostName,
    now: WallTime,
) -> Option<CertifiedKey> {
    let key = certified(&fs::read_to_string(folder.server()).ok()?).ok()?;
    let good = holds(authority, key.end_entity_cert().ok()?, name, now);
    // the authority stands behind it
    (good && key.cert.len() > 1).then_some(key)
}

fn renewed(
    folder: &Folder,
    authority: &Authority,
    name: &HostName,
    now: WallTime,
) -> Result<CertifiedKey, IdentityError> {
    let key = PrivateKey::generate()?;
    let issued = authority.issue_server(name, &key, now)?;
    // The authority is shown too: an agent with a token knows no more of it than its fingerprint.
    let pem = format!("{}{}{}", issued.pem, authority.pem(), key.to_pem());
    let certified = certified(&pem)?;
    write_file(&folder.server(), pem.as_bytes(), PRIVATE)?;
    tracing::info!(%name, not_after = %issued.not_after, "made a new server certificate");
    Ok(certified)
}

/// Whether an agent would still accept the certificate when it is time to renew it.
fn holds(
    authority: &Arc<Authority>,
    certificate: &CertificateDer<'_>,
    name: &HostName,
    now: WallTime,
) -> bool {
    let verified = || {
        let roots = roots(std::slice::from_ref(authority)).ok()?;
        let verifier =
            WebPkiServerVerifier::builder_with_provider(roots, provider()).build().ok()?;
        let name = ServerName::try_from(name.to_string()).ok()?;
        let then = unix_time(now.plus(RENEW_BEFORE));
        verifier.verify_server_cert(certificate, &[], &name, &[], then).ok()
    };
    verified().is_some()
}

pub(super) fn certified(pem: &str) -> Result<CertifiedKey, IdentityError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let chain = chain.map_err(tls_error)?;
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(tls_error)?;
    CertifiedKey::from_der(chain, key, &provider()).map_err(tls_error)
}

/// Why a handshake with an agent failed, for the operator: one sentence, lower case, no full stop.
pub fn in_words(error: &io::Error) -> String {
    let Some(error) = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>())
    else {
        return format!("the connection broke in the TLS handshake: {error}");
    };
    match error {
        rustls::Error::InvalidCertificate(why) => refused_certificate(why),
        rustls::Error::AlertReceived(alert) => {
            format!("the agent refused our certificate ({alert:?}): see its own log")
        }
        rustls::Error::PeerIncompatible(why) => {
            format!("the peer does not speak TLS 1.3 as we do ({why:?}): is it an agent?")
        }
        rustls::Error::NoApplicationProtocol => {
            "the peer does not offer HTTP/2: is it an agent?".into()
        }
        rustls::Error::InvalidMessage(_) => "what came is not TLS: is it an agent?".into(),
        other => format!("the TLS handshake failed: {other}"),
    }
}

fn refused_certificate(why: &CertificateError) -> String {
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the agent's certificate has expired: a running agent gets a new one by itself".into()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the agent's certificate is not valid yet: check the clocks of both machines".into()
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "the agent's certificate is of another authority than ours: enrol it with a token of this \
             collector's"
                .into()
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the peer's certificate is not one for an agent".into()
        }
        other => format!("the agent's certificate is refused: {other}"),
    }
}
