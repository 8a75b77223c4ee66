//! A certificate authority, and certificates of both ends.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::AgentId;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// A certificate authority in a folder.
pub(crate) struct Authority {
    folder: tempfile::TempDir,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        // Two authorities of one name would be told apart by their signature only.
        let name = AgentId::random().to_string();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        Self { folder, issuer: rcgen::Issuer::new(params, key) }
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Certificate and key of an agent; the certificate is over in so many days.
    pub(crate) fn agent_files(&self, agent: AgentId, days: i64) -> (PathBuf, PathBuf) {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        let uri = rcgen::SanType::URI(agent.uri().try_into().unwrap());
        params.subject_alt_names.push(uri);
        let day = Duration::from_secs(86_400);
        #[allow(clippy::disallowed_methods, reason = "certificates are of the machine's own time")]
        let now = std::time::SystemTime::now();
        params.not_before = (now - 40 * day).into();
        params.not_after = if days < 0 { (now - day).into() } else { (now + 30 * day).into() };
        self.write(&params, &format!("agent{days}"))
    }

    fn write(&self, params: &rcgen::CertificateParams, name: &str) -> (PathBuf, PathBuf) {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let at = |end: &str| self.folder.path().join(format!("{name}.{end}.pem"));
        std::fs::write(at("cert"), certificate.pem()).unwrap();
        std::fs::write(at("key"), key.serialize_pem()).unwrap();
        (at("cert"), at("key"))
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let params = rcgen::CertificateParams::new(vec!["collector.test".into()]).unwrap();
        let (certificate, key) = self.write(&params, "server");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.ca_file()).unwrap()).unwrap();
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
            Arc::new(roots),
            Arc::clone(&provider),
        )
        .build()
        .unwrap();
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(
                vec![CertificateDer::from_pem_file(certificate).unwrap()],
                PrivateKeyDer::from_pem_file(key).unwrap(),
            )
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}
