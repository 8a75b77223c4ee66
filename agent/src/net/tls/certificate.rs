//! One certificate as it was presented, described (RFC 5280 section 4.1).
//!
//! Whatever its bytes are, describing them ends in a description or in nothing: texts are bounded, and no
//! signature is checked here.

use std::net::{Ipv4Addr, Ipv6Addr};

use mailsonde_proto::WallTime;
use ring::digest::{SHA256, digest};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate, X509Extension};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::{SubjectPublicKeyInfo, X509Name};

/// The most names that are told of one certificate.
const MOST_NAMES: usize = 100;
/// The longest text of one name, in characters.
const LONGEST_NAME: usize = 256;
/// `id-pe-tlsfeature` (RFC 7633 section 6).
const TLS_FEATURE: &str = "1.3.6.1.5.5.7.1.24";
/// `id-ad-ocsp` and `id-ad-caIssuers` (RFC 5280 section 4.2.2.1).
const OCSP: &str = "1.3.6.1.5.5.7.48.1";
const CA_ISSUERS: &str = "1.3.6.1.5.5.7.48.2";

/// One certificate as it was presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Such as `CN=mail.example.org, O=Example`; may be empty.
    pub subject: String,
    /// The subject of the certificate that signed it.
    pub issuer: String,
    /// Subject alternative names: host names and addresses as they are, others with their kind before
    /// them (`email:…`, `uri:…`); at most 100.
    pub names: Vec<String>,
    /// In hexadecimal digits.
    pub serial: String,
    /// Its validity begins.
    pub not_before: WallTime,
    /// Its validity ends.
    pub not_after: WallTime,
    /// Its public key.
    pub key: Key,
    /// How it was signed, such as `sha256WithRSAEncryption`; the object identifier of one not known here.
    pub signature_algorithm: String,
    /// Over the whole certificate.
    pub sha256: [u8; 32],
    /// Over its public key with the algorithm: the pin of RFC 7469, and TLSA's selector 1 (RFC 6698).
    pub spki_sha256: [u8; 32],
    /// Whether it names itself as its issuer, by name and, where they are told, by key.
    pub is_self_signed: bool,
    /// Whether it may sign certificates (RFC 5280 section 4.2.1.9).
    pub is_ca: bool,
    /// Whether a server that shows it must staple an OCSP response (RFC 7633 section 4.2.3.1).
    pub must_staple: bool,
    /// Where its revocation can be asked for; empty when nowhere.
    pub ocsp_url: String,
    /// Where its issuer's certificate can be fetched; empty when nowhere.
    pub issuer_url: String,
    /// All of it.
    pub der: Vec<u8>,
    /// The distinguished names as they were signed.
    pub(super) subject_der: Vec<u8>,
    pub(super) issuer_der: Vec<u8>,
    /// The serial number's bytes and the key's own bits, as OCSP refers to them.
    pub(in crate::net) raw_serial: Vec<u8>,
    pub(in crate::net) key_bits: Vec<u8>,
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// `RSA`, `EC P-256`, `Ed25519`…; the object identifier of one not known here.
    pub algorithm: String,
    /// Its size in bits; 0 when it is not known.
    pub bits: usize,
}

impl Key {
    /// Whether it can be broken, or will be soon: RSA and DSA below 2,048 bits, curves below 224 (NIST
    /// SP 800-131A section 3, CA/Browser Forum Baseline Requirements section 6.1.5).
    pub fn is_weak(&self) -> bool {
        let least = match self.algorithm.as_str() {
            "RSA" | "RSA-PSS" | "DSA" => 2048,
            curve if curve.starts_with("EC") => 224,
            _ => 0,
        };
        self.bits != 0 && self.bits < least
    }
}

impl Certificate {
    /// Reads one from its DER bytes; `None` when they are not one.
    pub fn read(der: &[u8]) -> Option<Self> {
        let (rest, read) = X509Certificate::from_der(der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let (subject, issuer) = (read.subject(), read.issuer());
        let spki = read.public_key();
        let validity = read.validity();
        Some(Self {
            subject: dn(subject),
            issuer: dn(issuer),
            names: names(&read),
            serial: hex::encode(read.raw_serial()).chars().take(LONGEST_NAME).collect(),
            not_before: WallTime::from_s(validity.not_before.timestamp()),
            not_after: WallTime::from_s(validity.not_after.timestamp()),
            key: key(spki),
            signature_algorithm: signature(&read.signature_algorithm.algorithm.to_id_string()),
            sha256: sha256(der),
            spki_sha256: sha256(spki.raw),
            is_self_signed: subject.as_raw() == issuer.as_raw() && names_its_own_key(&read),
            is_ca: read.is_ca(),
            must_staple: read.extensions().iter().any(must_staple),
            ocsp_url: access(&read, OCSP),
            issuer_url: access(&read, CA_ISSUERS),
            der: der.to_vec(),
            subject_der: subject.as_raw().to_vec(),
            issuer_der: issuer.as_raw().to_vec(),
            raw_serial: read.raw_serial().to_vec(),
            key_bits: spki.subject_public_key.data.to_vec(),
        })
    }

    /// Whether it is signed by way of MD2, MD5 or SHA-1, which nobody may accept any longer (RFC 9155
    /// section 2, CA/Browser Forum Baseline Requirements section 7.1.3.2). What a root says of itself
    /// does not count: it is trusted for being there.
    pub fn is_weakly_signed(&self) -> bool {
        let name = self.signature_algorithm.to_ascii_lowercase();
        !self.is_self_signed && ["md2", "md5", "sha1"].iter().any(|weak| name.contains(weak))
    }

    /// Whether `issuer` signed it, by the names.
    pub fn names_as_issuer(&self, issuer: &Self) -> bool {
        self.issuer_der == issuer.subject_der
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().unwrap_or_default()
}

fn dn(name: &X509Name<'_>) -> String {
    bounded(&name.to_string())
}

fn bounded(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect()
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    names.value.general_names.iter().filter_map(name).take(MOST_NAMES).collect()
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(host) => Some(bounded(host)),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(|b| Ipv4Addr::from(b).to_string());
            let v6 = <[u8; 16]>::try_from(*bytes).map(|b| Ipv6Addr::from(b).to_string());
            v4.or(v6).ok()
        }
        GeneralName::RFC822Name(address) => Some(bounded(&format!("email:{address}"))),
        GeneralName::URI(uri) => Some(bounded(&format!("uri:{uri}"))),
        _ => None,
    }
}

/// By the key identifiers (RFC 5280 section 4.2.1.1); where one is missing, nothing speaks against it.
fn names_its_own_key(certificate: &X509Certificate<'_>) -> bool {
    let (mut own, mut issuer) = (None, None);
    for extension in certificate.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => own = Some(id.0),
            ParsedExtension::AuthorityKeyIdentifier(id) => {
                issuer = id.key_identifier.as_ref().map(|id| id.0);
            }
            _ => {}
        }
    }
    match (own, issuer) {
        (Some(own), Some(issuer)) => own == issuer,
        _ => true,
    }
}

/// `Features ::= SEQUENCE OF INTEGER`, of which `status_request` is 5.
fn must_staple(extension: &X509Extension<'_>) -> bool {
    if extension.oid.to_id_string() != TLS_FEATURE {
        return false;
    }
    let [0x30, length, features @ ..] = extension.value else { return false };
    usize::from(*length) == features.len()
        && features.chunks(3).any(|feature| feature == [0x02, 0x01, 0x05])
}

fn access(certificate: &X509Certificate<'_>, method: &str) -> String {
    let found = certificate.extensions().iter().find_map(|extension| {
        let ParsedExtension::AuthorityInfoAccess(access) = extension.parsed_extension() else {
            return None;
        };
        access.iter().find_map(|access| match access.access_location {
            GeneralName::URI(uri) if access.access_method.to_id_string() == method => Some(uri),
            _ => None,
        })
    });
    found.map(bounded).unwrap_or_default()
}

fn key(spki: &SubjectPublicKeyInfo<'_>) -> Key {
    let oid = spki.algorithm.algorithm.to_id_string();
    let bits = match spki.parsed() {
        Ok(PublicKey::RSA(rsa)) => bits_of(rsa.modulus),
        Ok(PublicKey::DSA(y)) => bits_of(y),
        _ => 0,
    };
    let (algorithm, bits) = match oid.as_str() {
        "1.2.840.113549.1.1.1" => ("RSA", bits),
        "1.2.840.113549.1.1.10" => ("RSA-PSS", bits),
        "1.2.840.10040.4.1" => ("DSA", bits),
        "1.3.101.112" => ("Ed25519", 256),
        "1.3.101.113" => ("Ed448", 448),
        "1.2.840.10045.2.1" => return curve(spki),
        other => (other, 0),
    };
    Key { algorithm: algorithm.to_owned(), bits }
}

/// Named curves (RFC 5480 section 2.1.1.1, RFC 5639).
fn curve(spki: &SubjectPublicKeyInfo<'_>) -> Key {
    let parameters = spki.algorithm.parameters.as_ref();
    let oid = parameters.and_then(|any| any.as_oid().ok()).map(|oid| oid.to_id_string());
    let (curve, bits) = match oid.as_deref() {
        Some("1.2.840.10045.3.1.1") => ("EC P-192", 192),
        Some("1.2.840.10045.3.1.7") => ("EC P-256", 256),
        Some("1.3.132.0.33") => ("EC P-224", 224),
        Some("1.3.132.0.34") => ("EC P-384", 384),
        Some("1.3.132.0.35") => ("EC P-521", 521),
        Some("1.3.132.0.10") => ("EC secp256k1", 256),
        Some("1.3.36.3.3.2.8.1.1.7") => ("EC brainpoolP256r1", 256),
        Some("1.3.36.3.3.2.8.1.1.11") => ("EC brainpoolP384r1", 384),
        Some(other) => return Key { algorithm: format!("EC {}", bounded(other)), bits: 0 },
        None => ("EC", 0),
    };
    Key { algorithm: curve.to_owned(), bits }
}

/// Without leading zeros.
fn bits_of(number: &[u8]) -> usize {
    let mut significant = number.iter().skip_while(|byte| **byte == 0);
    let Some(first) = significant.next() else { return 0 };
    let whole = significant.count().saturating_mul(8);
    let lead = usize::try_from(8 - first.leading_zeros()).unwrap_or_default();
    whole.saturating_add(lead)
}

/// Names of RFC 3279 section 2.2, RFC 4055, RFC 5758 and RFC 8410.
fn signature(oid: &str) -> String {
    let name = match oid {
        "1.2.840.113549.1.1.2" => "md2WithRSAEncryption",
        "1.2.840.113549.1.1.4" => "md5WithRSAEncryption",
        "1.2.840.113549.1.1.5" => "sha1WithRSAEncryption",
        "1.2.840.113549.1.1.10" => "RSASSA-PSS",
        "1.2.840.113549.1.1.11" => "sha256WithRSAEncryption",
        "1.2.840.113549.1.1.12" => "sha384WithRSAEncryption",
        "1.2.840.113549.1.1.13" => "sha512WithRSAEncryption",
        "1.2.840.113549.1.1.14" => "sha224WithRSAEncryption",
        "1.2.840.10040.4.3" => "dsa-with-sha1",
        "2.16.840.1.101.3.4.3.2" => "dsa-with-sha256",
        "1.2.840.10045.4.1" => "ecdsa-with-SHA1",
        "1.2.840.10045.4.3.1" => "ecdsa-with-SHA224",
        "1.2.840.10045.4.3.2" => "ecdsa-with-SHA256",
        "1.2.840.10045.4.3.3" => "ecdsa-with-SHA384",
        "1.2.840.10045.4.3.4" => "ecdsa-with-SHA512",
        "1.3.101.112" => "Ed25519",
        "1.3.101.113" => "Ed448",
        other => other,
    };
    name.to_owned()
}
