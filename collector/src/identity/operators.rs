//! The certificate that operators are shown over the network: files that somebody renews, or our own.
//!
//! TLS 1.3, and 1.2 for what is in front of us. No certificate is asked for from the peer: an agent's is worth
//! nothing here.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use mailsonde_proto::Clock;
use rustls::ServerConfig;
use rustls::server::NoServerSessionStorage;
use zeroize::Zeroizing;

use super::IdentityError;
use super::server::{AskClock, Current, certified, provider, tls_error};
use crate::folder::FolderError;

/// The collector's side of TLS towards operators.
#[derive(Debug)]
pub struct OperatorsTls {
    config: Arc<ServerConfig>,
    files: Option<Files>,
}

/// A certificate and its key in files of somebody else's.
#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    current: Arc<Current>,
    /// SHA-256 of both as they were read last.
    read: Mutex<[u8; 32]>,
}

impl OperatorsTls {
    /// Shows a certificate that stands in PEM files, its chain behind it.
    ///
    /// # Errors
    /// When they cannot be read, or do not fit together.
    pub fn of_files(certificate: &Path, key: &Path, clock: Clock) -> Result<Self, IdentityError> {
        let pem = read(certificate, key)?;
        let current = Arc::new(Current::new(certified(&pem)?));
        let files = Files {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            current: current.clone(),
            read: Mutex::new(digest(&pem)),
        };
        Ok(Self { config: Arc::new(server_config(current, clock)?), files: Some(files) })
    }

    /// Shows what agents are shown: a certificate of our own authority.
    pub(super) fn of_agents(current: Arc<Current>, clock: Clock) -> Result<Self, IdentityError> {
        Ok(Self { config: Arc::new(server_config(current, clock)?), files: None })
    }

    /// For accepting connections; it keeps up with renewals by itself.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }

    /// Reads the files again and says whether they are others than before.
    ///
    /// # Errors
    /// When they cannot be read, or do not fit together; what was read before stays in use.
    pub fn read_again(&self) -> Result<bool, IdentityError> {
        let Some(files) = &self.files else { return Ok(false) };
        let pem = read(&files.certificate, &files.key)?;
        let mut read = files.read.lock().unwrap_or_else(PoisonError::into_inner);
        let now = digest(&pem);
        if *read == now {
            return Ok(false);
        }
        files.current.set(certified(&pem)?);
        *read = now;
        Ok(true)
    }
}

/// Both files as one PEM text.
fn read(certificate: &Path, key: &Path) -> Result<Zeroizing<String>, FolderError> {
    let one = fs::read_to_string(certificate).map_err(FolderError::io("read", certificate))?;
    let other = fs::read_to_string(key).map_err(FolderError::io("read", key))?;
    Ok(Zeroizing::new(format!("{one}\n{}", Zeroizing::new(other).as_str())))
}

fn digest(pem: &str) -> [u8; 32] {
    let whole = ring::digest::digest(&ring::digest::SHA256, pem.as_bytes());
    whole.as_ref().try_into().unwrap_or_default()
}

fn server_config(current: Arc<Current>, clock: Clock) -> Result<ServerConfig, IdentityError> {
    let mut config = ServerConfig::builder_with_details(provider(), Arc::new(AskClock(clock)))
        .with_safe_default_protocol_versions()
        .map_err(tls_error)?
        .with_no_client_auth()
        .with_cert_resolver(current);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::WallTime;
    use rustls::pki_types::CertificateDer;

    use super::*;
    use crate::folder::Folder;
    use crate::identity::{Authority, PrivateKey};

    const NOW: WallTime = WallTime::from_s(1_800_000_000);

    fn shown(tls: &OperatorsTls) -> CertificateDer<'static> {
        let current = &tls.files.as_ref().unwrap().current;
        current.get().end_entity_cert().unwrap().clone().into_owned()
    }

    #[test]
    fn files_that_were_renewed_are_taken_in_and_broken_ones_are_not() {
        let temporary = tempfile::tempdir().unwrap();
        let name = "localhost".parse().unwrap();
        let authority = Authority::create(&Folder::at(temporary.path()), &name, NOW).unwrap();
        let (certificate, key) = (temporary.path().join("op.pem"), temporary.path().join("op.key"));
        let write = || {
            let made = PrivateKey::generate().unwrap();
            let issued = authority.issue_server(&name, &made, NOW).unwrap();
            fs::write(&certificate, issued.pem).unwrap();
            fs::write(&key, made.to_pem()).unwrap();
            issued.der
        };
        let absent = OperatorsTls::of_files(&certificate, &key, Clock::starting_at(NOW));
        assert!(absent.unwrap_err().to_string().contains("op.pem"));
        let first = write();
        let tls = OperatorsTls::of_files(&certificate, &key, Clock::starting_at(NOW)).unwrap();
        assert!(!tls.read_again().unwrap());
        assert_eq!(shown(&tls), first);
        let second = write();
        assert!(tls.read_again().unwrap() && !tls.read_again().unwrap());
        assert_eq!(shown(&tls), second);
        // a renewal that is under way: the certificate is there, its key is not
        let made = PrivateKey::generate().unwrap();
        fs::write(&certificate, authority.issue_server(&name, &made, NOW).unwrap().pem).unwrap();
        assert!(tls.read_again().is_err());
        assert_eq!(shown(&tls), second);
        fs::write(&key, made.to_pem()).unwrap();
        assert!(tls.read_again().unwrap());
    }
}
