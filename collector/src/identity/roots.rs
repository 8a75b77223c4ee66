//! Whom this machine trusts as a client: authorities in a file, or those of the system.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::IdentityError;
use super::server::{provider, tls_error};

/// The authorities of a PEM text.
///
/// # Errors
/// When there is none in it, or one that cannot be used.
pub fn authorities(pem: &str) -> Result<RootCertStore, IdentityError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate =
            certificate.map_err(|error| IdentityError::Authorities(error.to_string()));
        let added = roots.add(certificate?);
        added.map_err(|error| IdentityError::Authorities(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(IdentityError::Authorities("there is no certificate in it".to_owned()));
    }
    Ok(roots)
}

/// The authorities that the system trusts; none where it has none.
pub fn system_authorities() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// HTTP/1.1 over TLS towards whom these authorities vouch for.
///
/// # Errors
/// When the TLS library refuses its own provider.
pub fn https_config(roots: RootCertStore) -> Result<ClientConfig, IdentityError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(tls_error)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
