//! Who the agent is: a key that is made here and never leaves, and the certificates that come back for it.
//!
//! Invariants: the key is written for its owner alone, before anything is asked for with it; a certificate is
//! kept only if it is for this key; a file is replaced in one step. Absent on purpose: whom it is shown to.

mod pinned;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use mailsonde_proto::AgentId;
use mailsonde_proto::convert::Certified;
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

pub(crate) use pinned::PinnedAuthority;

/// The folder of an agent's identity, in its data folder.
pub const FOLDER: &str = "identity";

const PRIVATE: u32 = 0o600;
const PUBLIC: u32 = 0o644;

/// Where an identity stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityFiles {
    /// The collector's certificate authority, PEM; more than one while one takes over from another.
    pub ca: PathBuf,
    /// The agent's certificate, PEM.
    pub certificate: PathBuf,
    /// The agent's private key, PEM.
    pub key: PathBuf,
}

impl IdentityFiles {
    /// Those of an agent with this data folder.
    pub fn of_data(data: &Path) -> Self {
        let folder = data.join(FOLDER);
        let [ca, certificate, key] =
            ["ca.pem", "agent.pem", "agent.key"].map(|name| folder.join(name));
        Self { ca, certificate, key }
    }
}

/// Why there is no identity, or none that can be kept.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The key's file holds no key of ours.
    #[error(
        "{} holds no private key of the curve P-256: remove the folder and enrol the agent anew",
        .0.display()
    )]
    Key(PathBuf),
    /// A key or a request could not be made.
    #[error("cannot make a key: {0}")]
    Making(#[source] rcgen::Error),
    /// What came back is not a certificate for the agent's key and identity.
    #[error("the collector answered with {0}: nothing was kept of it")]
    NotOurs(&'static str),
}

impl IdentityError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// The agent's private key. It cannot be printed.
pub struct AgentKey(KeyPair);

impl std::fmt::Debug for AgentKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AgentKey(…)")
    }
}

impl AgentKey {
    /// Reads the key. Blocks on the disk, shortly, as all of these do.
    ///
    /// # Errors
    /// When there is none, or it is no key of ours.
    pub fn load(path: &Path) -> Result<Self, IdentityError> {
        let pem = fs::read_to_string(path).map_err(IdentityError::io("read", path))?;
        let pem = Zeroizing::new(pem);
        let pair =
            KeyPair::from_pem(&pem).ok().filter(|pair| pair.is_compatible(&PKCS_ECDSA_P256_SHA256));
        pair.map(Self).ok_or_else(|| IdentityError::Key(path.to_owned()))
    }

    /// Reads the key, or makes it where there is none: an enrolment that was cut short goes on with the key it
    /// began with.
    ///
    /// # Errors
    /// When it cannot be read, made or written.
    pub fn load_or_make(path: &Path) -> Result<Self, IdentityError> {
        if path.exists() {
            return Self::load(path);
        }
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(IdentityError::Making)?;
        let pem = Zeroizing::new(pair.serialize_pem());
        if let Some(folder) = path.parent() {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(0o700);
            builder.create(folder).map_err(IdentityError::io("make the folder", folder))?;
        }
        write_file(path, pem.as_bytes(), PRIVATE)?;
        Ok(Self(pair))
    }

    /// A certification request, DER, signed with the key (PKCS#10, RFC 2986). It names nobody: who the agent is
    /// says the collector.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn signing_request(&self) -> Result<Vec<u8>, IdentityError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let request = params.serialize_request(&self.0).map_err(IdentityError::Making)?;
        Ok(request.der().to_vec())
    }

    fn is_of(&self, certificate: &X509Certificate<'_>) -> bool {
        certificate.public_key().raw == self.0.subject_public_key_info()
    }
}

/// Keeps what the collector answered, if it is for this key; `expected` is the identity that the agent has.
///
/// # Errors
/// When it is somebody else's, or cannot be written; then the files are as they were.
pub fn keep(
    files: &IdentityFiles,
    key: &AgentKey,
    certified: &Certified,
    expected: Option<AgentId>,
) -> Result<(), IdentityError> {
    let (_, certificate) = X509Certificate::from_der(&certified.certificate)
        .ok()
        .ok_or(IdentityError::NotOurs("no certificate"))?;
    if !key.is_of(&certificate) {
        return Err(IdentityError::NotOurs("a certificate for another key"));
    }
    let says = agent_in(&certificate);
    if says != Some(certified.agent) || expected.is_some_and(|expected| says != Some(expected)) {
        return Err(IdentityError::NotOurs("a certificate of another agent"));
    }
    let mut authorities = String::new();
    for authority in &certified.authorities {
        X509Certificate::from_der(authority)
            .ok()
            .ok_or(IdentityError::NotOurs("an authority that is no certificate"))?;
        authorities.push_str(&pem_of(authority));
    }
    // First whom to trust: with the new authority the old certificate still works.
    write_file(&files.ca, authorities.as_bytes(), PUBLIC)?;
    write_file(&files.certificate, pem_of(&certified.certificate).as_bytes(), PUBLIC)
}

/// The agent that a certificate names.
pub fn agent_in(certificate: &X509Certificate<'_>) -> Option<AgentId> {
    let names = certificate.subject_alternative_name().ok()??;
    names.value.general_names.iter().find_map(|name| match name {
        GeneralName::URI(uri) => AgentId::from_uri(uri),
        _ => None,
    })
}

/// A certificate in PEM (RFC 7468 section 5).
fn pem_of(der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<_> =
        text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

/// Writes a file in one step: it is there whole, on disk, and with these permissions, or not at all.
///
/// # Errors
/// When the system refuses; a file that was there before is untouched then.
pub fn write_file(path: &Path, content: &[u8], mode: u32) -> Result<(), IdentityError> {
    let making = path.with_extension("making");
    let written = write_whole(&making, content, mode).and_then(|()| fs::rename(&making, path));
    if let Err(error) = written {
        // Best effort: what matters is the error that is being told.
        drop(fs::remove_file(&making));
        return Err(IdentityError::io("write", path)(error));
    }
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(());
    };
    let flushed = File::open(folder).and_then(|folder| folder.sync_all());
    flushed.map_err(IdentityError::io("flush the folder", folder))
}

fn write_whole(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // New, so that it never has anybody else's permissions, not even for a moment.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
