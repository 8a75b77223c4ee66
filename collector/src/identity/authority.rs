//! The collector's own certificate authority: P-256, one level, for this installation alone.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mailsonde_proto::{AgentId, WallTime};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SerialNumber, SubjectPublicKeyInfo,
};
use ring::rand::{SecureRandom, SystemRandom};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

use super::{HostName, IdentityError};
use crate::folder::{Folder, FolderError, PRIVATE, PUBLIC, write_file};

/// How long the authority itself is valid: longer than the installation lives.
const AUTHORITY_VALIDITY: Duration = days(20 * 365);
/// How long an agent's certificate is valid when the configuration does not say: what was stolen is soon worth
/// nothing.
pub const AGENT_VALIDITY: Duration = days(1);
/// How long the server's certificate is valid.
pub const SERVER_VALIDITY: Duration = days(365);
/// The server's certificate is valid from so long ago: a branch whose clock is behind still connects.
const BACKDATED: Duration = days(1);

const fn days(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

/// A private key in PEM. It cannot be printed.
pub struct PrivateKey {
    pair: KeyPair,
}

impl PrivateKey {
    /// A new key.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn generate() -> Result<Self, IdentityError> {
        Ok(Self { pair: KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)? })
    }

    /// A certification request, signed with it: how an agent asks for a certificate.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn request(&self) -> Result<Vec<u8>, IdentityError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        Ok(params.serialize_request(&self.pair)?.der().to_vec())
    }

    /// As PEM, to be written to a file of its owner's and nowhere else.
    pub fn to_pem(&self) -> String {
        self.pair.serialize_pem()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}

/// A public key that its owner has proven to hold.
#[derive(Clone, Debug)]
pub struct PublicKey {
    spki: SubjectPublicKeyInfo,
    digest: [u8; 32],
}

impl PublicKey {
    /// The key of a certification request (PKCS#10, RFC 2986), which must be signed with it. Nothing else of
    /// the request counts.
    ///
    /// # Errors
    /// When it is no such request, signed with another key, or the key is not of the curve P-256.
    pub fn of_request(der: &[u8]) -> Result<Self, IdentityError> {
        // Its own signature is verified by this (section 4.2).
        let request = CertificateSigningRequestParams::from_der(&der.into());
        request.ok().ok_or(IdentityError::Request)?;
        let parsed = X509CertificationRequest::from_der(der).ok().ok_or(IdentityError::Request)?;
        Self::of_spki(parsed.1.certification_request_info.subject_pki.raw)
    }

    fn of_spki(der: &[u8]) -> Result<Self, IdentityError> {
        let spki = SubjectPublicKeyInfo::from_der(der).ok().ok_or(IdentityError::PublicKey)?;
        // 65 bytes: an uncompressed point (SEC 1 section 2.3.3).
        let p256 = spki.algorithm() == &PKCS_ECDSA_P256_SHA256 && spki.der_bytes().len() == 65;
        if !p256 {
            return Err(IdentityError::PublicKey);
        }
        Ok(Self { spki, digest: sha256(der) })
    }

    /// SHA-256 of its SubjectPublicKeyInfo in DER: what the registry knows an agent by.
    pub const fn digest(&self) -> [u8; 32] {
        self.digest
    }
}

/// A certificate that was just made.
#[derive(Clone, Debug)]
pub struct Issued {
    /// Itself, PEM.
    pub pem: String,
    /// Itself, DER.
    pub der: CertificateDer<'static>,
    /// Until when it is valid.
    pub not_after: WallTime,
}

/// The collector's own certificate authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
    made_at: WallTime,
    not_after: WallTime,
}

/// Where an authority stands.
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn current(folder: &Folder) -> Self {
        Self { certificate: folder.authority_certificate(), key: folder.authority_key() }
    }

    fn next(folder: &Folder) -> Self {
        Self { certificate: folder.next_authority_certificate(), key: folder.next_authority_key() }
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority(…)")
    }
}

impl Authority {
    /// Makes a new authority for the collector called `name` and writes it into the folder.
    ///
    /// An authority that is there already is opened instead and never written over.
    ///
    /// # Errors
    /// When a file cannot be written, or what is there cannot be used.
    pub fn create(folder: &Folder, name: &HostName, now: WallTime) -> Result<Self, IdentityError> {
        // A lone ca.key is what an init that was cut short left: nothing was ever signed with it.
        if folder.authority_certificate().exists() {
            return Self::open(folder);
        }
        Self::make(&Files::current(folder), name, now)
    }

    /// Makes the authority that is to take over.
    pub(super) fn create_next(
        folder: &Folder,
        name: &HostName,
        now: WallTime,
    ) -> Result<Self, IdentityError> {
        Self::make(&Files::next(folder), name, now)
    }

    fn make(files: &Files, name: &HostName, now: WallTime) -> Result<Self, IdentityError> {
        let key = PrivateKey::generate()?;
        let subject = format!("Mailsonde authority of {name}");
        let valid = (now.minus(BACKDATED), now.plus(AUTHORITY_VALIDITY));
        let mut params = params(&subject, valid)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key.pair)?;
        write_file(&files.key, key.to_pem().as_bytes(), PRIVATE)?;
        write_file(&files.certificate, certificate.pem().as_bytes(), PUBLIC)?;
        Self::read(files)
    }

    /// Opens the folder's authority.
    ///
    /// # Errors
    /// When a file is missing or damaged, or the key is not the certificate's.
    pub fn open(folder: &Folder) -> Result<Self, IdentityError> {
        Self::read(&Files::current(folder))
    }

    /// Opens the one that is to take over, where there is one.
    pub(super) fn open_next(folder: &Folder) -> Result<Option<Self>, IdentityError> {
        let files = Files::next(folder);
        // A lone key is what a rotation that was cut short left.
        if files.certificate.exists() { Self::read(&files).map(Some) } else { Ok(None) }
    }

    fn read(files: &Files) -> Result<Self, IdentityError> {
        let unusable =
            |detail: String| IdentityError::Authority { path: files.certificate.clone(), detail };
        let [pem_name, key_name] = [&files.certificate, &files.key].map(|path| {
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
        });
        let of_pem = |error: &dyn fmt::Display| unusable(format!("{pem_name}: {error}"));
        let pem = read(&files.certificate)?;
        let key = KeyPair::from_pem(&read(&files.key)?)
            .map_err(|error| unusable(format!("{key_name}: {error}")))?;
        let certificate =
            CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| of_pem(&error))?;
        let (_, parsed) =
            x509_parser::parse_x509_certificate(&certificate).map_err(|error| of_pem(&error))?;
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err(unusable(format!("{key_name} is not the key of {pem_name}")));
        }
        let not_before = WallTime::from_s(parsed.validity().not_before.timestamp());
        let not_after = WallTime::from_s(parsed.validity().not_after.timestamp());
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(|error| of_pem(&error))?;
        let made_at = not_before.plus(BACKDATED);
        Ok(Self { issuer, certificate, pem, made_at, not_after })
    }

    /// When it was made.
    pub fn made_at(&self) -> WallTime {
        self.made_at
    }

    /// Until when it is valid.
    pub fn not_after(&self) -> WallTime {
        self.not_after
    }

    /// Its certificate, PEM: what an agent trusts.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// SHA-256 of its certificate's DER form: what browsers and `openssl x509 -fingerprint` show, and by which
    /// a token lets an agent know it.
    pub fn fingerprint(&self) -> [u8; 32] {
        sha256(&self.certificate)
    }

    /// Its certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Signs an agent's public key: for TLS clients only, with the agent's identity as its only name. It is valid
    /// from `validity` before now until `validity` after it: a branch whose clock is behind still connects, and
    /// an agent can tell from it alone when half of its life is over.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn issue_agent(
        &self,
        agent: AgentId,
        key: &PublicKey,
        (now, validity): (WallTime, Duration),
    ) -> Result<Issued, IdentityError> {
        let valid = (now.minus(validity), now.plus(validity));
        let mut params = params(&format!("mailsonde agent {agent}"), valid)?;
        params.subject_alt_names = vec![SanType::URI(agent.uri().try_into()?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(params, &key.spki, valid.1)
    }

    /// Signs a key for the collector itself: for TLS servers only, for [`SERVER_VALIDITY`].
    ///
    /// A loopback name stands for all loopback names, so that a trial on one machine needs no care.
    ///
    /// # Errors
    /// When the name cannot stand in a certificate.
    pub fn issue_server(
        &self,
        name: &HostName,
        key: &PrivateKey,
        now: WallTime,
    ) -> Result<Issued, IdentityError> {
        let mut names = vec![name.clone()];
        if name.is_loopback() {
            for other in ["localhost", "127.0.0.1", "::1"] {
                let other = other.parse()?;
                if !names.contains(&other) {
                    names.push(other);
                }
            }
        }
        let valid = (now.minus(BACKDATED), now.plus(SERVER_VALIDITY));
        let mut params = params(&format!("mailsonde collector {name}"), valid)?;
        params.subject_alt_names = names.iter().map(san).collect::<Result<_, _>>()?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(params, &key.pair, valid.1)
    }

    fn issue(
        &self,
        mut params: CertificateParams,
        key: &impl PublicKeyData,
        not_after: WallTime,
    ) -> Result<Issued, IdentityError> {
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(key, &self.issuer)?;
        Ok(Issued { pem: certificate.pem(), der: certificate.der().clone(), not_after })
    }
}

/// Whether a private key is that of a certificate, both PEM.
pub(crate) fn is_key_of(key: &str, certificate: &str) -> bool {
    let Ok(key) = KeyPair::from_pem(key) else { return false };
    let Ok(certificate) = CertificateDer::from_pem_slice(certificate.as_bytes()) else {
        return false;
    };
    x509_parser::parse_x509_certificate(&certificate)
        .is_ok_and(|(_, parsed)| parsed.public_key().raw == key.subject_public_key_info())
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let whole = ring::digest::digest(&ring::digest::SHA256, bytes);
    whole.as_ref().try_into().unwrap_or_default()
}

fn read(path: &Path) -> Result<String, FolderError> {
    fs::read_to_string(path).map_err(FolderError::io("read", path))
}

fn san(name: &HostName) -> Result<SanType, rcgen::Error> {
    Ok(match name {
        HostName::Name(name) => SanType::DnsName(name.as_str().try_into()?),
        HostName::Address(address) => SanType::IpAddress(*address),
    })
}

/// What every certificate of ours has: a subject, a random serial number, a beginning and an end.
fn params(
    subject: &str,
    (not_before, not_after): (WallTime, WallTime),
) -> Result<CertificateParams, IdentityError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, subject);
    params.serial_number = Some(serial()?);
    // In the whole seconds that certificates have.
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let since_epoch = |at: WallTime| Duration::from_secs(at.since(WallTime::default()).as_secs());
    params.not_before = epoch + since_epoch(not_before);
    params.not_after = epoch + since_epoch(not_after);
    Ok(params)
}

/// 127 random bits: positive and unique (RFC 5280 section 4.1.2.2).
fn serial() -> Result<SerialNumber, IdentityError> {
    let mut bytes = [0_u8; 16];
    SystemRandom::new().fill(&mut bytes).ok().ok_or(rcgen::Error::RingUnspecified)?;
    if let Some(first) = bytes.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    Ok(SerialNumber::from_slice(&bytes))
}
