//! A stapled OCSP response, read and held against the certificate that it came with (RFC 6960).
//!
//! A response counts only when it is about that certificate and signed by its issuer, or by somebody whom
//! the issuer has made responder (section 4.2.2.2). Deliberately absent: asking a responder.

use der::{Decode, Encode};
use mailsonde_proto::WallTime;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;
use x509_ocsp::{
    BasicOcspResponse, CertId, CertStatus, OcspGeneralizedTime, OcspResponse, OcspResponseStatus,
    SingleResponse,
};

use super::certificate::Certificate;

/// The longest response that is read, in bytes: one with a chain of certificates has a few KiB.
pub const LONGEST: usize = 64 * 1024;
/// `id-pkix-ocsp-basic` (RFC 6960 section 4.2.1).
const BASIC: &str = "1.3.6.1.5.5.7.48.1.1";
/// `id-kp-OCSPSigning` (RFC 6960 section 4.2.2.2).
const OCSP_SIGNING: &str = "1.3.6.1.5.5.7.3.9";
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
const SHA1: &str = "1.3.14.3.2.26";
const SHA_256: &str = "2.16.840.1.101.3.4.2.1";

/// What a response says of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staple {
    /// Good, revoked or unknown.
    pub status: Status,
    /// When that was known to be so.
    pub this_update: WallTime,
    /// When there will be something newer; the response is stale then.
    pub next_update: Option<WallTime>,
}

/// The state of a certificate (RFC 6960 section 2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Not revoked.
    Good,
    /// Revoked.
    Revoked {
        /// Since then.
        at: WallTime,
        /// Why, by RFC 5280 section 5.3.1, such as `KeyCompromise`; empty when it does not say.
        reason: String,
    },
    /// The responder does not know the certificate.
    Unknown,
}

/// Why a response says nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StapleError {
    /// It is not an OCSP response.
    #[error("it is not an OCSP response")]
    Malformed,
    /// It is of a type that nobody else uses.
    #[error("it is of another type than the basic one")]
    OtherType,
    /// The responder could not answer.
    #[error("the responder says {0} instead of an answer")]
    Unsuccessful(&'static str),
    /// It is about other certificates.
    #[error("it is about another certificate")]
    OtherCertificate,
    /// Its signature does not stand.
    #[error("its signature is not by the certificate's issuer, nor by a responder of the issuer's")]
    BadSignature,
}

impl Staple {
    /// Reads a response about `certificate` that `issuer` answers for. Where the issuer is not known, the
    /// signature is not looked at.
    ///
    /// # Errors
    /// Why it says nothing about the certificate.
    pub fn read(
        bytes: &[u8],
        certificate: &Certificate,
        issuer: Option<&Certificate>,
    ) -> Result<Self, StapleError> {
        let basic = basic(bytes)?;
        let responses = &basic.tbs_response_data.responses;
        let own = responses.iter().find(|single| is_about(&single.cert_id, certificate, issuer));
        let own = own.ok_or(StapleError::OtherCertificate)?;
        if issuer.is_some_and(|issuer| !is_signed(&basic, issuer)) {
            return Err(StapleError::BadSignature);
        }
        Ok(Self::of(own))
    }

    fn of(single: &SingleResponse) -> Self {
        let status = match &single.cert_status {
            CertStatus::Good(_) => Status::Good,
            CertStatus::Unknown(_) => Status::Unknown,
            CertStatus::Revoked(info) => {
                let reason = info.revocation_reason.map(|reason| format!("{reason:?}"));
                let at = time(&info.revocation_time);
                Status::Revoked { at, reason: reason.unwrap_or_default() }
            }
        };
        let next_update = single.next_update.as_ref().map(time);
        Self { status, this_update: time(&single.this_update), next_update }
    }
}

/// The answer in a response.
fn basic(bytes: &[u8]) -> Result<BasicOcspResponse, StapleError> {
    if bytes.len() > LONGEST {
        return Err(StapleError::Malformed);
    }
    let malformed = |_error: der::Error| StapleError::Malformed;
    let response = OcspResponse::from_der(bytes).map_err(malformed)?;
    let unsuccessful = match response.response_status {
        OcspResponseStatus::Successful => None,
        OcspResponseStatus::MalformedRequest => Some("malformedRequest"),
        OcspResponseStatus::InternalError => Some("internalError"),
        OcspResponseStatus::TryLater => Some("tryLater"),
        OcspResponseStatus::SigRequired => Some("sigRequired"),
        OcspResponseStatus::Unauthorized => Some("unauthorized"),
    };
    if let Some(words) = unsuccessful {
        return Err(StapleError::Unsuccessful(words));
    }
    let bytes = response.response_bytes.ok_or(StapleError::Malformed)?;
    if bytes.response_type.to_string() != BASIC {
        return Err(StapleError::OtherType);
    }
    BasicOcspResponse::from_der(bytes.response.as_bytes()).map_err(malformed)
}

/// By the serial number and, where the issuer is known, by the hashes of its name and key.
fn is_about(id: &CertId, certificate: &Certificate, issuer: Option<&Certificate>) -> bool {
    if without_zeros(id.serial_number.as_bytes()) != without_zeros(&certificate.raw_serial) {
        return false;
    }
    let algorithm = match id.hash_algorithm.oid.to_string().as_str() {
        SHA1 => &SHA1_FOR_LEGACY_USE_ONLY,
        SHA_256 => &SHA256,
        _ => return true,
    };
    issuer.is_none_or(|issuer| {
        let is_hash = |hash: &[u8], of: &[u8]| digest(algorithm, of).as_ref() == hash;
        is_hash(id.issuer_name_hash.as_bytes(), &issuer.subject_der)
            && is_hash(id.issuer_key_hash.as_bytes(), &issuer.key_bits)
    })
}

/// A serial number is positive; a zero before it says only that.
fn without_zeros(serial: &[u8]) -> &[u8] {
    match serial {
        [0, rest @ ..] if !rest.is_empty() => rest,
        serial => serial,
    }
}

/// By the issuer, or by a responder that the issuer made one (RFC 6960 section 4.2.2.2).
fn is_signed(basic: &BasicOcspResponse, issuer: &Certificate) -> bool {
    let Ok(signed) = basic.tbs_response_data.to_der() else { return false };
    let Some(algorithm) = algorithm_of(basic.signature_algorithm.to_der()) else { return false };
    let by = |key: &[u8]| is_signed_by(key, &algorithm, &signed, basic.signature.raw_bytes());
    if by(&issuer.der) {
        return true;
    }
    basic.certs.iter().flatten().any(|responder| {
        let (Ok(tbs), Ok(der)) = (responder.tbs_certificate.to_der(), responder.to_der()) else {
            return false;
        };
        let algorithm = algorithm_of(responder.signature_algorithm.to_der());
        let may = responder.tbs_certificate.extensions.iter().flatten().any(|extension| {
            extension.extn_id.to_string() == EXTENDED_KEY_USAGE
                && lists_ocsp_signing(extension.extn_value.as_bytes())
        });
        may && algorithm.is_some_and(|algorithm| {
            is_signed_by(&issuer.der, &algorithm, &tbs, responder.signature.raw_bytes())
        }) && by(&der)
    })
}

fn lists_ocsp_signing(usages: &[u8]) -> bool {
    let usages = Vec::<der::asn1::ObjectIdentifier>::from_der(usages);
    usages.is_ok_and(|usages| usages.iter().any(|usage| usage.to_string() == OCSP_SIGNING))
}

/// What stands inside an AlgorithmIdentifier, which is how rustls names algorithms.
fn algorithm_of(der: Result<Vec<u8>, der::Error>) -> Option<Vec<u8>> {
    match der.ok()?.as_slice() {
        [0x30, length, inside @ ..] if usize::from(*length) == inside.len() => {
            Some(inside.to_vec())
        }
        _ => None,
    }
}

fn is_signed_by(certificate: &[u8], algorithm: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let certificate = CertificateDer::from(certificate);
    let Ok(certificate) = EndEntityCert::try_from(&certificate) else { return false };
    let known = rustls::crypto::ring::default_provider().signature_verification_algorithms;
    let mut fitting =
        known.all.iter().filter(|known| known.signature_alg_id().as_ref() == algorithm);
    fitting.any(|known| certificate.verify_signature(*known, message, signature).is_ok())
}

fn time(time: &OcspGeneralizedTime) -> WallTime {
    let since = time.0.to_unix_duration().as_secs();
    WallTime::from_s(i64::try_from(since).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
