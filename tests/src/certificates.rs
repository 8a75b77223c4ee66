//! A certificate authority for tests, and the certificates it gives out: good ones and bad ones.
//!
//! Nothing is read from disk and no program is called, so that it also serves tests without the lab.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PublicKeyData as _, date_time_ymd,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// What can go wrong while certificates are made.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The certificate could not be made.
    #[error("cannot make a certificate")]
    Make(#[from] rcgen::Error),
    /// The certificate could not be used for TLS.
    #[error("cannot use a certificate for TLS")]
    Use(#[from] rustls::Error),
}

/// A private certificate authority.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// From 2020 to 2049.
    Current,
    /// In January 2020.
    Expired,
}

/// A certificate with its private key.
#[derive(Clone)]
pub struct Identity {
    certificate: rcgen::Certificate,
    key: Arc<KeyPair>,
}

impl Authority {
    /// A new authority with a new key.
    pub fn new() -> Result<Self, CertificateError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "Mailsonde Lab Root CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        during(&mut params, Validity::Current);
        Ok(Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)? })
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
        Ok(Identity { certificate, key: Arc::new(key) })
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
        Ok(Self { certificate, key: Arc::new(key) })
    }

    /// The certificate itself (DER).
    pub fn der(&self) -> &[u8] {
        self.certificate.der()
    }

    /// The public key as in the certificate (SubjectPublicKeyInfo, RFC 5280 section 4.1).
    pub fn public_key(&self) -> Vec<u8> {
        self.key.subject_public_key_info()
    }

    /// The certificate for a file.
    pub fn certificate_pem(&self) -> String {
        self.certificate.pem()
    }

    /// The private key for a file.
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// A TLS server that shows this certificate.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, CertificateError> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.der().clone()], key)?;
        Ok(Arc::new(config))
    }
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
    };
}
