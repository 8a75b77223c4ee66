//! Whom TLS trusts, and what is wrong with a certificate in words that an operator can act upon.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use mailsonde_proto::WallTime;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio_rustls::client::TlsStream;
use x509_parser::prelude::{FromDer, X509Certificate};

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
        let roots = match &self.0 {
            Trust::Native => native_roots()?,
            Trust::Roots(roots) => Arc::clone(roots),
            Trust::Anybody => {
                let verifier = Arc::new(AcceptAnybody(Arc::clone(&provider)));
                let config = ClientConfig::builder_with_provider(provider)
                    .with_protocol_versions(VERSIONS)
                    .map_err(TrustError::Provider)?
                    .dangerous()
                    .with_custom_certificate_verifier(verifier)
                    .with_no_client_auth();
                return Ok(Arc::new(config));
            }
        };
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
            .build()
            .map_err(TrustError::Verifier)?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(VERSIONS)
            .map_err(TrustError::Provider)?
            .with_webpki_verifier(verifier)
            .with_no_client_auth();
        Ok(Arc::new(config))
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

/// What is wrong with a certificate, in words.
pub(super) fn certificate_words(error: &CertificateError) -> String {
    match error {
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("it expired on {}", day(*not_after))
        }
        CertificateError::Expired => "it has expired".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("it is not valid before {}", day(*not_before))
        }
        CertificateError::NotValidYet => "it is not valid yet".to_owned(),
        CertificateError::UnknownIssuer => {
            "it is signed by an authority that is not trusted here (or by itself)".to_owned()
        }
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            "it is for another name: it lists no host names at all".to_owned()
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names: Vec<_> = presented.iter().take(10).map(|name| bare_name(name)).collect();
            format!("it is for other names: {}", names.join(", "))
        }
        CertificateError::NotValidForName => "it is for another name".to_owned(),
        CertificateError::Revoked => "it is revoked".to_owned(),
        CertificateError::BadSignature => "a signature in its chain is wrong".to_owned(),
        CertificateError::BadEncoding => "it is not well-formed".to_owned(),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it is not made for servers".to_owned()
        }
        other => format!("{other}"),
    }
}

/// rustls lists names as `DnsName("mail.example.org")`.
fn bare_name(presented: &str) -> String {
    presented.split('"').nth(1).unwrap_or(presented).chars().take(80).collect()
}

fn day(time: UnixTime) -> String {
    let at = WallTime::from_s(i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
    at.timestamp().strftime("%Y-%m-%d").to_string()
}

/// What went wrong in a handshake, in words.
pub(super) fn handshake_words(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidMessage(_) => {
            "the server did not speak TLS (is this the right port?)".to_owned()
        }
        rustls::Error::AlertReceived(alert) => format!("the server ended it with {alert:?}"),
        rustls::Error::PeerIncompatible(why) => {
            format!("the server offers nothing newer than is acceptable ({why:?})")
        }
        other => other.to_string(),
    }
}

#[derive(Debug)]
struct AcceptAnybody(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAnybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

impl From<TrustError> for io::Error {
    fn from(error: TrustError) -> Self {
        Self::other(error)
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use rustls::ServerConfig;
    use rustls::pki_types::PrivateKeyDer;
    use tokio_rustls::TlsAcceptor;

    use super::super::Net;
    use super::*;

    type Authority = CertifiedIssuer<'static, KeyPair>;

    fn authority(name: &str) -> Authority {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    fn trusting(authority: &Authority) -> TlsTrust {
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        TlsTrust::roots(roots)
    }

    /// Handshakes with a server that has a certificate for these names, until this year.
    async fn handshake(
        signer: &Authority,
        trust: &TlsTrust,
        names: &[&str],
        until: i32,
    ) -> Result<TlsFacts, String> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 2);
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, signer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .unwrap();
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let net = Net::new();
        let (opened, _accepted) =
            tokio::join!(net.tls(ours, "mail.good.test", trust), acceptor.accept(theirs));
        opened.map(|stream| TlsFacts::of(&stream)).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_good_certificate_says_when_it_expires() {
        let authority = authority("ours");
        let facts = handshake(&authority, &trusting(&authority), &["mail.good.test"], 2099).await;
        let facts = facts.unwrap();
        assert_eq!(facts.version, "TLSv1.3");
        assert_eq!(facts.expires.unwrap().to_string(), "2099-01-02T00:00:00.000000Z");
    }

    #[tokio::test]
    async fn bad_certificates_have_their_own_words() {
        let (ours, others) = (authority("ours"), authority("others"));
        let trust = trusting(&ours);
        let name = "mail.good.test";
        for (signer, names, until, words) in [
            (&ours, vec![name], 2021, "it expired on 2021-01-02"),
            (
                &others,
                vec![name],
                2099,
                "it is signed by an authority that is not trusted here (or by itself)",
            ),
            (&ours, vec!["a.test", "b.test"], 2099, "it is for other names: a.test, b.test"),
        ] {
            let refused = handshake(signer, &trust, &names, until).await.unwrap_err();
            assert_eq!(refused, format!("the certificate of {name} is not accepted: {words}"));
            assert!(handshake(signer, &TlsTrust::anybody(), &names, until).await.is_ok());
        }
    }

    #[test]
    fn a_ca_file_that_holds_nothing_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let missing = TlsTrust::ca_file(&path).unwrap_err();
        assert!(missing.to_string().contains("cannot be read as PEM certificates"), "{missing}");
        std::fs::write(&path, "nothing").unwrap();
        let empty = TlsTrust::ca_file(&path).unwrap_err();
        assert!(empty.to_string().ends_with("holds no usable certificate"), "{empty}");
    }
}
