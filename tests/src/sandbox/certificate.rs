//! A test CA of the sandbox's own, and the server's certificate from it.

use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::WallTime;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

use super::SandboxError;

/// As long as public CAs give at most.
const LIFETIME: Duration = Duration::from_hours(90 * 24);
/// Clocks of clients may be behind ours by this much.
const BACKDATED: Duration = Duration::from_hours(1);

/// What a sandbox shows to its clients.
pub(super) struct Identity {
    pub(super) acceptor: TlsAcceptor,
    pub(super) ca_pem: String,
}

/// A new CA and a certificate for `host`, `localhost` and 127.0.0.1.
pub(super) fn issue(host: &str, now: WallTime) -> Result<Identity, SandboxError> {
    let ca_key = KeyPair::generate()?;
    let mut ca = params(Vec::new(), &format!("Mailsonde sandbox CA of {host}"), now)?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca_pem = ca.self_signed(&ca_key)?.pem();
    let issuer = Issuer::new(ca, ca_key);

    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    if !names.iter().any(|name| name == host) {
        names.push(host.to_owned());
    }
    let key = KeyPair::generate()?;
    let mut server = params(names, host, now)?;
    server.use_authority_key_identifier_extension = true;
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = server.signed_by(&key, &issuer)?;

    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )?;
    Ok(Identity { acceptor: TlsAcceptor::from(Arc::new(config)), ca_pem })
}

fn params(
    names: Vec<String>,
    common_name: &str,
    now: WallTime,
) -> Result<CertificateParams, rcgen::Error> {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = epoch + now.minus(BACKDATED).since(WallTime::default());
    params.not_after = epoch + now.plus(LIFETIME).since(WallTime::default());
    Ok(params)
}
