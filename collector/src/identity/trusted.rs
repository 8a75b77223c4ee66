//! Whose certificates agents may show: those of the authorities that are believed at the moment.
//!
//! The TLS library is given one verifier for good; which authorities stand behind it changes while they rotate.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};

use super::server::{provider, tls_error};
use super::{Authority, IdentityError};

/// Verifies by whatever was put in last.
#[derive(Debug)]
pub(super) struct Trusted(RwLock<Arc<dyn ClientCertVerifier>>);

impl Trusted {
    pub(super) fn new(authorities: &[Arc<Authority>]) -> Result<Self, IdentityError> {
        Ok(Self(RwLock::new(verifier(authorities)?)))
    }

    /// From now on these authorities and no others are believed.
    pub(super) fn set(&self, authorities: &[Arc<Authority>]) -> Result<(), IdentityError> {
        let verifier = verifier(authorities)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = verifier;
        Ok(())
    }

    fn now(&self) -> Arc<dyn ClientCertVerifier> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// An agent's certificate is optional: enrolment comes without one.
fn verifier(authorities: &[Arc<Authority>]) -> Result<Arc<dyn ClientCertVerifier>, IdentityError> {
    WebPkiClientVerifier::builder_with_provider(roots(authorities)?, provider())
        .allow_unauthenticated()
        .build()
        .map_err(tls_error)
}

pub(super) fn roots(authorities: &[Arc<Authority>]) -> Result<Arc<RootCertStore>, IdentityError> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority.certificate().clone()).map_err(tls_error)?;
    }
    Ok(Arc::new(roots))
}

impl ClientCertVerifier for Trusted {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// None: an agent has one certificate and needs no hint.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.now().verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.now().verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.now().verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.now().supported_verify_schemes()
    }
}
