//! A certificate authority for tests, and the certificates it gives out: good ones and bad ones.
//!
//! Nothing is read from disk and no program is called, so that it also serves tests without the lab.

mod ocsp;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailsonde_proto::time::Clock;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PublicKeyData as _, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};

/// What can go wrong while certificates are made.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The certificate could not be made.
    #[error("cannot make a certificate")]
    Make(#[from] rcgen::Error),
    /// A certificate of ours could not be read.
    #[error("cannot read a certificate: {0}")]
    Read(String),
    /// The certificate could not be used for TLS.
    #[error("cannot use a certificate for TLS")]
    Use(#[from] rustls::Error),
}

/// A private certificate authority, or one below it.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// Its own certificate where a client does not have it, and those above.
    chain: Vec<CertificateDer<'static>>,
}

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// From 2020 to 2049.
    Current,
    /// In January 2020.
    Expired,
    /// From 2048 on.
    Future,
    /// Until three days from now, within a day.
    Soon,
}

/// A certificate with its private key, and the certificates that go along with it.
#[derive(Clone)]
pub struct Identity {
    certificate: rcgen::Certificate,
    chain: Vec<CertificateDer<'static>>,
    key: Arc<KeyPair>,
}

/// What an OCSP response says (RFC 6960 section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OcspStatus {
    /// Good, and the response is fresh.
    Good,
    /// Revoked in January 2020, and the response is fresh.
    Revoked,
    /// Good, by a response whose time is over since 2020.
    Stale,
    /// The responder does not know the certificate.
    Unknown,
}

impl Authority {
    /// A new authority with a new key.
    pub fn new() -> Result<Self, CertificateError> {
        Self::named("Mailsonde Lab Root CA")
    }

    /// One with a name of its own.
    pub fn named(name: &str) -> Result<Self, CertificateError> {
        let params = authority_params(name, Validity::Current)?;
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        Ok(Self { issuer, chain: Vec::new() })
    }

    /// An authority below this one.
    pub fn intermediate(&self, validity: Validity) -> Result<Self, CertificateError> {
        let params = authority_params("Mailsonde Lab Intermediate CA", validity)?;
        let issuer = CertifiedIssuer::signed_by(params, KeyPair::generate()?, &self.issuer)?;
        let mut chain = vec![issuer.der().clone()];
        chain.extend(self.chain.iter().cloned());
        Ok(Self { issuer, chain })
    }

    /// The authority's own certificate, for a CA file.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// The certificate itself (DER).
    pub fn der(&self) -> &[u8] {
        self.issuer.der()
    }

    /// The public key as in the certificate (SubjectPublicKeyInfo, RFC 5280 section 4.1).
    pub fn public_key(&self) -> Vec<u8> {
        self.issuer.key().subject_public_key_info()
    }

    /// A server certificate for these DNS names.
    pub fn issue(&self, names: &[&str], validity: Validity) -> Result<Identity, CertificateError> {
        let key = KeyPair::generate()?;
        let certificate = server_params(names, validity)?.signed_by(&key, &self.issuer)?;
        Ok(Identity { certificate, chain: self.chain.clone(), key: Arc::new(key) })
    }

    /// An OCSP response about a certificate that this authority has given out (RFC 6960), to be stapled.
    pub fn ocsp_response(
        &self,
        identity: &Identity,
        status: OcspStatus,
    ) -> Result<Vec<u8>, CertificateError> {
        ocsp::response(self, identity, status)
    }

    /// A TLS client that trusts this authority and no other.
    pub fn client_config(&self) -> Result<Arc<ClientConfig>, CertificateError> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(config))
    }
}

impl Identity {
    /// A server certificate that nobody but itself has signed.
    pub fn self_signed(names: &[&str]) -> Result<Self, CertificateError> {
        let key = KeyPair::generate()?;
        let certificate = server_params(names, Validity::Current)?.self_signed(&key)?;
        Ok(Self { certificate, chain: Vec::new(), key: Arc::new(key) })
    }

    /// The same without the certificates that should go along with it.
    #[must_use]
    pub fn alone(self) -> Self {
        Self { chain: Vec::new(), ..self }
    }

    /// The certificate itself (DER).
    pub fn der(&self) -> &[u8] {
        self.certificate.der()
    }

    /// The public key as in the certificate (SubjectPublicKeyInfo, RFC 5280 section 4.1).
    pub fn public_key(&self) -> Vec<u8> {
        self.key.subject_public_key_info()
    }

    /// The certificate for a file, and those that go along with it.
    pub fn certificate_pem(&self) -> String {
        let above = self.chain.iter().map(|der| pem_of(der));
        self.certificate.pem() + &above.collect::<String>()
    }

    /// The private key for a file.
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// A TLS server that shows this certificate.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, CertificateError> {
        self.server_config_with(rustls::DEFAULT_VERSIONS, Vec::new())
    }

    /// One that speaks these versions only, and staples an OCSP response unless that is empty.
    pub fn server_config_with(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        ocsp_response: Vec<u8>,
    ) -> Result<Arc<ServerConfig>, CertificateError> {
        let mut chain = vec![self.certificate.der().clone()];
        chain.extend(self.chain.iter().cloned());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)?
            .with_no_client_auth()
            .with_single_cert_with_ocsp(chain, self.private_key(), ocsp_response)?;
        Ok(Arc::new(config))
    }

    /// One that proves to have this certificate's key, and sends as certificates whatever is given here.
    pub fn server_config_sending(
        &self,
        chain: &[&[u8]],
    ) -> Result<Arc<ServerConfig>, CertificateError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = provider.key_provider.load_private_key(self.private_key())?;
        let chain = chain.iter().map(|der| CertificateDer::from(der.to_vec())).collect();
        let shown = SingleCertAndKey::from(CertifiedKey::new(chain, key));
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(rustls::DEFAULT_VERSIONS)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(shown));
        Ok(Arc::new(config))
    }

    fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()))
    }
}

fn authority_params(name: &str, validity: Validity) -> Result<CertificateParams, CertificateError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    during(&mut params, validity);
    Ok(params)
}

fn server_params(
    names: &[&str],
    validity: Validity,
) -> Result<CertificateParams, CertificateError> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names.clone())?;
    if let Some(name) = names.into_iter().next() {
        params.distinguished_name.push(DnType::CommonName, name);
    }
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    during(&mut params, validity);
    Ok(params)
}

fn during(params: &mut CertificateParams, validity: Validity) {
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = match validity {
        Validity::Current => date_time_ymd(2049, 12, 31),
        Validity::Expired => date_time_ymd(2020, 1, 31),
        Validity::Future => {
            params.not_before = date_time_ymd(2048, 1, 1);
            date_time_ymd(2049, 12, 31)
        }
        Validity::Soon => {
            let now = jiff::Timestamp::from_microsecond(Clock::system().wall().as_us());
            let day = now.unwrap_or_default() + jiff::SignedDuration::from_hours(4 * 24);
            let day = day.to_zoned(jiff::tz::TimeZone::UTC).date();
            date_time_ymd(
                i32::from(day.year()),
                u8::try_from(day.month()).unwrap_or(1),
                u8::try_from(day.day()).unwrap_or(1),
            )
        }
    };
}

fn pem_of(certificate: &CertificateDer<'_>) -> String {
    let base64 = STANDARD.encode(certificate);
    let lines: Vec<&str> =
        base64.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}
