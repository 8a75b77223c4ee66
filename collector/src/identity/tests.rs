//! Identities proven and refused in handshakes over a pair of buffers.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::{AgentId, Clock, WallTime};
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};

use super::{
    AGENT_VALIDITY, Authorities, Authority, HostName, IdentityError, PrivateKey, PublicKey,
    RENEW_BEFORE, SERVER_VALIDITY, ServerTls, agent_of, in_words,
};
use crate::folder::{Folder, PRIVATE, write_file};

const NOW: WallTime = WallTime::from_s(1_800_000_000);

struct Collector {
    _temporary: tempfile::TempDir,
    folder: Folder,
    name: HostName,
    authority: Arc<Authority>,
}

impl Collector {
    fn new(name: &str) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::at(temporary.path());
        let name: HostName = name.parse().unwrap();
        let authority = Arc::new(Authority::create(&folder, &name, NOW).unwrap());
        Self { _temporary: temporary, folder, name, authority }
    }

    fn tls_at(&self, now: WallTime) -> ServerTls {
        let clock = Clock::starting_at(now);
        let authorities = Arc::new(Authorities::open(&self.folder, &self.name).unwrap());
        ServerTls::open(&self.folder, authorities, &self.name, clock).unwrap()
    }

    fn agent(&self, id: AgentId, now: WallTime) -> Agent {
        let key = PrivateKey::generate().unwrap();
        let public = PublicKey::of_request(&key.request().unwrap()).unwrap();
        let issued = self.authority.issue_agent(id, &public, (now, AGENT_VALIDITY)).unwrap();
        Agent { certificate: issued.pem, key: key.to_pem() }
    }
}

struct Agent {
    certificate: String,
    key: String,
}

/// The agent's side, which trusts `authority` only, at `now`.
fn client(authority: &Authority, agent: Option<&Agent>, now: WallTime) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone());
    let time = Arc::new(super::server::AskClock(Clock::starting_at(now)));
    let builder = ClientConfig::builder_with_details(provider, time)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(verifier.build().unwrap());
    let mut config = match agent {
        None => builder.with_no_client_auth(),
        Some(agent) => {
            let certificate = CertificateDer::from_pem_slice(agent.certificate.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(agent.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![certificate], key).unwrap()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// Shakes hands and says whom the collector then talks to.
fn shake(
    tls: &ServerTls,
    client: ClientConfig,
    name: &str,
) -> Result<ServerConnection, rustls::Error> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut server = ServerConnection::new(tls.config()).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets()?;
        wire.clear();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    Ok(server)
}

fn words(refused: Result<ServerConnection, rustls::Error>) -> String {
    in_words(&io::Error::other(refused.err().unwrap()))
}

#[tokio::test]
async fn an_agent_is_known_by_its_certificate() {
    for (name, dialled) in [
        ("collector.example.org", "collector.example.org"),
        ("192.0.2.7", "192.0.2.7"),
        ("localhost", "127.0.0.1"),
        ("127.0.0.1", "localhost"),
    ] {
        let collector = Collector::new(name);
        let id = AgentId::random();
        let agent = collector.agent(id, NOW);
        let tls = collector.tls_at(NOW);
        let client = client(&collector.authority, Some(&agent), NOW);
        let server = shake(&tls, client, dialled).unwrap();
        assert_eq!(agent_of(server.peer_certificates()).unwrap().agent, id, "{name}");
    }
}

#[tokio::test]
async fn a_certificate_is_optional_in_tls_and_required_for_an_identity() {
    let collector = Collector::new("localhost");
    let client = client(&collector.authority, None, NOW);
    let server = shake(&collector.tls_at(NOW), client, "localhost").unwrap();
    let refused = agent_of(server.peer_certificates()).unwrap_err();
    assert!(matches!(refused, IdentityError::NoCertificate));
}

#[tokio::test]
async fn what_is_refused_is_told_in_words() {
    let collector = Collector::new("localhost");
    let (ours, id) = (&collector.authority, AgentId::random());
    let stranger = Collector::new("localhost").agent(id, NOW);
    let year = Duration::from_secs(366 * 86_400);
    let expired = collector.agent(id, NOW.minus(year));
    let early = collector.agent(id, NOW.plus(year));
    let server_pem = {
        let key = PrivateKey::generate().unwrap();
        let issued = ours.issue_server(&collector.name, &key, NOW).unwrap();
        Agent { certificate: issued.pem, key: key.to_pem() }
    };
    let tls = collector.tls_at(NOW);
    for (agent, expected) in [
        (stranger, "of another authority"),
        (expired, "has expired"),
        (early, "not valid yet"),
        (server_pem, "not one for an agent"),
    ] {
        let told = words(shake(&tls, client(ours, Some(&agent), NOW), "localhost"));
        assert!(told.contains(expected), "{told}");
    }
}

#[tokio::test]
async fn the_agent_refuses_a_collector_of_another_name_or_authority() {
    let (collector, other) = (Collector::new("a.example.org"), Collector::new("a.example.org"));
    let tls = collector.tls_at(NOW);
    assert!(shake(&tls, client(&collector.authority, None, NOW), "b.example.org").is_err());
    assert!(shake(&tls, client(&other.authority, None, NOW), "a.example.org").is_err());
}

#[tokio::test]
async fn a_server_certificate_is_kept_and_renewed_in_time() {
    let collector = Collector::new("localhost");
    let stored = || std::fs::read_to_string(collector.folder.server()).unwrap();
    collector.tls_at(NOW);
    let first = stored();
    let due = NOW.plus(SERVER_VALIDITY).minus(RENEW_BEFORE);
    let tls = collector.tls_at(due.minus(Duration::from_secs(60)));
    assert_eq!(stored(), first);
    assert!(!tls.renew_if_due().unwrap());
    let late = collector.tls_at(due.plus(Duration::from_secs(60)));
    assert_ne!(stored(), first);
    assert!(!late.renew_if_due().unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_running_collector_renews_without_a_restart() {
    let collector = Collector::new("localhost");
    let tls = collector.tls_at(NOW);
    tokio::time::advance(SERVER_VALIDITY).await;
    assert!(tls.renew_if_due().unwrap());
    let now = NOW.plus(SERVER_VALIDITY);
    shake(&tls, client(&collector.authority, None, now), "localhost").unwrap();
}

#[tokio::test]
async fn a_damaged_or_foreign_server_certificate_is_replaced() {
    let collector = Collector::new("localhost");
    for content in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        write_file(&collector.folder.server(), content.as_bytes(), PRIVATE).unwrap();
        let tls = collector.tls_at(NOW);
        shake(&tls, client(&collector.authority, None, NOW), "localhost").unwrap();
    }
}

#[test]
fn an_authority_is_kept_and_a_key_that_is_not_its_own_is_refused() {
    let collector = Collector::new("localhost");
    let again = Authority::create(&collector.folder, &collector.name, NOW).unwrap();
    assert_eq!(again.pem(), collector.authority.pem());
    let other = PrivateKey::generate().unwrap().to_pem();
    write_file(&collector.folder.authority_key(), other.as_bytes(), PRIVATE).unwrap();
    let told = Authority::open(&collector.folder).unwrap_err().to_string();
    assert!(told.contains("ca.key is not the key of ca.pem"), "{told}");
}

#[test]
fn exactly_one_agent_may_be_named() {
    let of = |names: &[&str]| {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.subject_alt_names =
            names.iter().map(|uri| rcgen::SanType::URI((*uri).try_into().unwrap())).collect();
        let certificate = params.self_signed(&key).unwrap();
        agent_of(Some(&[certificate.der().clone()]))
    };
    let (one, two) = (AgentId([1; 16]).uri(), AgentId([2; 16]).uri());
    assert_eq!(of(&["https://example.org", &one]).unwrap().agent, AgentId([1; 16]));
    assert!(matches!(of(&[&one, &two]), Err(IdentityError::SeveralAgents)));
    assert!(matches!(of(&[&one, "mailsonde://agent/x"]), Err(IdentityError::SeveralAgents)));
    for names in [&["mailsonde://agent/x"][..], &["https://example.org"], &[]] {
        assert!(matches!(of(names), Err(IdentityError::NotAnAgent)), "{names:?}");
    }
    assert!(matches!(agent_of(Some(&[vec![0; 9].into()])), Err(IdentityError::Unreadable(_))));
    assert!(matches!(agent_of(None), Err(IdentityError::NoCertificate)));
}

#[test]
fn only_a_request_that_is_signed_with_its_own_p256_key_counts() {
    let request = |algorithm| {
        let pair = rcgen::KeyPair::generate_for(algorithm).unwrap();
        rcgen::CertificateParams::default().serialize_request(&pair).unwrap().der().to_vec()
    };
    let good = request(&rcgen::PKCS_ECDSA_P256_SHA256);
    let digest = PublicKey::of_request(&good).unwrap().digest();
    let ed25519 = PublicKey::of_request(&request(&rcgen::PKCS_ED25519));
    assert!(matches!(ed25519, Err(IdentityError::PublicKey)));
    assert!(matches!(PublicKey::of_request(b"nothing"), Err(IdentityError::Request)));
    for at in 0..good.len() {
        let mut other = good.clone();
        other[at] ^= 4;
        // some bytes, such as the name of the algorithm behind it, are not signed, and count for nothing
        if let Ok(read) = PublicKey::of_request(&other) {
            assert_eq!(read.digest(), digest, "byte {at}");
        }
    }
}

#[test]
fn host_names() {
    for (text, ok) in [
        ("collector.example.org", true),
        ("localhost", true),
        ("192.0.2.1", true),
        ("2001:db8::1", true),
        ("192.0.2.300", false),
        ("example.org.", false),
        ("a b", false),
        ("", false),
        ("https://example.org", false),
        ("example.org:7443", false),
    ] {
        assert_eq!(text.parse::<HostName>().is_ok(), ok, "{text}");
    }
}

#[test]
fn keys_cannot_be_printed() {
    let key = PrivateKey::generate().unwrap();
    assert_eq!(format!("{key:?}"), "PrivateKey(…)");
}
