//! Who judges a server's certificate: nobody, or a recorder that writes the verdict down and goes on.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, SignatureScheme};

use super::certificate::Certificate;
use super::words::certificate_words;

/// Why a certificate is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of reason.
    pub reason: Reason,
    /// In words that follow 'the certificate is not accepted: '.
    pub words: String,
}

/// What kind of reason there is not to accept a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It, or one above it, has expired (RFC 5280 section 4.1.2.5).
    Expired,
    /// It, or one above it, is not valid yet.
    NotValidYet,
    /// No way leads from it to a trusted root (RFC 5280 section 6).
    UnknownIssuer,
    /// It is for other names (RFC 9525 section 6).
    OtherName,
    /// The server's signature over the handshake does not stand, or its key is too weak to be looked at:
    /// nothing proves that the server has the certificate's key (RFC 8446 section 4.4.3).
    Proof,
    /// Anything else: encoding, purpose, constraints, signatures.
    Other,
}

impl Refusal {
    fn of(error: &rustls::Error) -> Self {
        let rustls::Error::InvalidCertificate(why) = error else {
            return Self { reason: Reason::Other, words: error.to_string() };
        };
        let reason = match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Reason::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Reason::NotValidYet
            }
            CertificateError::UnknownIssuer => Reason::UnknownIssuer,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Reason::OtherName
            }
            _ => Reason::Other,
        };
        Self { reason, words: certificate_words(why) }
    }
}

/// What a handshake told its recorder.
#[derive(Clone, Debug, Default)]
pub(super) struct Noted {
    /// Why the chain is not accepted; `None` when it is.
    pub(super) refusal: Option<Refusal>,
    /// Why the proof of the key is not accepted; `None` when it is.
    pub(super) proof: Option<Refusal>,
    /// Whether a way leads to a trusted root, whatever the day.
    pub(super) is_anchored: bool,
    /// The stapled OCSP response; empty where there is none.
    pub(super) staple: Vec<u8>,
}

/// Asks another verifier, writes down what it says, and accepts whatever comes.
#[derive(Debug)]
pub(in crate::net) struct Recorder {
    inner: Arc<dyn ServerCertVerifier>,
    noted: Mutex<Noted>,
}

impl Recorder {
    pub(super) fn new(inner: Arc<dyn ServerCertVerifier>) -> Self {
        Self { inner, noted: Mutex::default() }
    }

    pub(super) fn noted(&self) -> Noted {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, write: impl FnOnce(&mut Noted)) {
        write(&mut self.noted.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn proof(
        &self,
        checked: Result<HandshakeSignatureValid, rustls::Error>,
    ) -> HandshakeSignatureValid {
        checked.unwrap_or_else(|error| {
            let words = format!("the server's proof that it has the key does not stand: {error}");
            self.note(|noted| noted.proof = Some(Refusal { reason: Reason::Proof, words }));
            HandshakeSignatureValid::assertion()
        })
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verify =
            |at| self.inner.verify_server_cert(end_entity, intermediates, server_name, &[], at);
        let verdict = verify(now);
        let is_anchored = match &verdict {
            // Dates are looked at before issuers: on the certificate's first day that does not hide it.
            Err(_) => first_moment(end_entity).is_some_and(|at| !is_unknown(&verify(at))),
            Ok(_) => true,
        };
        self.note(|noted| {
            noted.refusal = verdict.err().map(|error| Refusal::of(&error));
            noted.is_anchored = is_anchored;
            noted.staple = ocsp_response.to_vec();
        });
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(self.proof(self.inner.verify_tls12_signature(message, cert, dss)))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(self.proof(self.inner.verify_tls13_signature(message, cert, dss)))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

fn is_unknown(verdict: &Result<ServerCertVerified, rustls::Error>) -> bool {
    use rustls::Error::InvalidCertificate;
    matches!(
        verdict,
        Err(InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadEncoding))
    )
}

/// A second after the certificate's validity begins.
fn first_moment(certificate: &CertificateDer<'_>) -> Option<UnixTime> {
    let from_s = Certificate::read(certificate)?.not_before.as_ns() / 1_000_000_000;
    let from = Duration::from_secs(u64::try_from(from_s).ok()?.saturating_add(1));
    Some(UnixTime::since_unix_epoch(from))
}

/// Accepts anybody's certificate, but not a handshake without the key to it.
#[derive(Debug)]
pub(super) struct AcceptAnybody(pub(super) Arc<CryptoProvider>);

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
