//! Whole runs against TLS servers in memory of this process.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

use super::super::trial::{configured, fact, rules, run, verdict};
use super::*;
use crate::mail::sandbox::Server;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str, above: Option<&Authority>) -> Authority {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    match above {
        Some(above) => Authority::signed_by(params, key, above).unwrap(),
        None => Authority::self_signed(params, key).unwrap(),
    }
}

/// A server's certificate; what is not said is good.
struct Leaf {
    name: &'static str,
    from: i32,
    /// Days from now.
    for_days: i64,
    must_staple: bool,
}

const GOOD: Leaf = Leaf { name: "localhost", from: 2020, for_days: 365, must_staple: false };

impl Leaf {
    fn params(&self) -> CertificateParams {
        let mut params = CertificateParams::new(vec![self.name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(self.from, 1, 1);
        // Dates of rcgen are those of a crate that we do not have: count days from a known one.
        let known = rcgen::date_time_ymd(2026, 1, 1);
        let since_s = Clock::system().wall().as_ns() / 1_000_000_000 - 1_767_225_600;
        let days = u32::try_from(since_s / 86_400 + self.for_days + 400).unwrap();
        let mut until = rcgen::date_time_ymd(2024, 11, 27);
        assert_eq!((known - until).whole_days(), 400);
        for _ in 0..days {
            until = until.saturating_add(known - rcgen::date_time_ymd(2025, 12, 31));
        }
        params.not_after = until;
        if self.must_staple {
            let feature = vec![0x30, 3, 2, 1, 5];
            let oid = [1, 3, 6, 1, 5, 5, 7, 1, 24];
            params.custom_extensions.push(CustomExtension::from_oid_content(&oid, feature));
        }
        params
    }
}

/// A server that shows this chain, and the file with the root.
struct Stage {
    server: Server,
    folder: TempDir,
}

impl Stage {
    async fn new(chain: Vec<CertificateDer<'static>>, key: &KeyPair, root: &Authority) -> Self {
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let server = Server::accepting(acceptor).await;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), root.pem()).unwrap();
        Self { server, folder }
    }

    async fn good(leaf: &Leaf) -> Self {
        let root = authority("root", None);
        let key = KeyPair::generate().unwrap();
        let der = leaf.params().signed_by(&key, &root).unwrap().der().clone();
        Self::new(vec![der], &key, &root).await
    }

    async fn probe(&self, more: &[&str]) -> Outcome {
        let ca = self.folder.path().join("ca.pem").display().to_string();
        let mut settings = vec![
            "host=localhost".to_owned(),
            format!("port={}", self.server.port),
            format!("ca_file={ca}"),
        ];
        settings.extend(more.iter().map(|setting| (*setting).to_owned()));
        run(&TlsKind, &settings).await
    }
}

#[tokio::test]
async fn a_good_server_passes_and_is_described() {
    let stage = Stage::good(&GOOD).await;
    let outcome = stage.probe(&[]).await;
    assert_eq!(verdict(&outcome), "pass", "{}", outcome.transcript);
    assert_eq!(rules(&outcome), [""; 0]);
    let phases: Vec<_> = outcome.phases.iter().map(|phase| phase.name.as_str()).collect();
    assert_eq!(phases, ["resolve", "connect", "tls", "scan"]);
    for (name, value) in [
        ("tls.version", "TLSv1.3"),
        ("tls.accepted", "yes"),
        ("tls.names", "localhost"),
        ("tls.chain", "1"),
        ("tls.chain_complete", "yes"),
        ("tls.chain.0.key", "EC P-256 256 bits"),
        ("tls.chain.0.issuer", "CN=root"),
        ("tls.ocsp", "none"),
        ("tls.versions", "TLSv1.2 TLSv1.3"),
        ("tls.scan", "complete"),
    ] {
        assert_eq!(fact(&outcome, name), value, "{name}");
    }
    let days: i64 = fact(&outcome, "tls.certificate_days").parse().unwrap();
    assert!((363..=365).contains(&days), "{days}");
    let mut suites: Vec<_> = fact(&outcome, "tls.suites.tls12").split(' ').collect();
    suites.sort_unstable();
    assert_eq!(
        suites,
        [
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        ]
    );
    assert_eq!(fact(&outcome, "tls.suites.tls13").split(' ').count(), 3);
}

#[tokio::test]
async fn each_way_of_being_bad_has_its_rule() {
    for (leaf, more, expected, found) in [
        (Leaf { for_days: -3, ..GOOD }, "", "expired on", "tls.certificate_expired Critical"),
        (
            Leaf { from: 2049, for_days: 9_999, ..GOOD },
            "",
            "is not valid before",
            "tls.certificate_not_yet_valid Critical",
        ),
        (Leaf { name: "a.test", ..GOOD }, "", "other names: a.test", "tls.name_mismatch Critical"),
        (Leaf { for_days: 14, ..GOOD }, "", "pass", "tls.certificate_expires_soon Warning"),
        (Leaf { for_days: 3, ..GOOD }, "", "pass", "tls.certificate_expires_soon Critical"),
        (Leaf { for_days: 14, ..GOOD }, "warn_before=10d", "pass", ""),
        (
            Leaf { for_days: 14, ..GOOD },
            "fail_from=warning",
            "posture: mismatch: tls.certificate",
            "tls.certificate_expires_soon Warning",
        ),
        (Leaf { must_staple: true, ..GOOD }, "", "pass", "tls.must_staple Warning"),
        (GOOD, "require_staple=true", "staples no OCSP response", ""),
        (GOOD, "expect_version_min=1.3", "accepts TLSv1.2, expected is TLSv1.3", ""),
        (GOOD, "pin=00:11", "", ""),
    ] {
        let stage = Stage::good(&leaf).await;
        if more == "pin=00:11" {
            let pin = "pin=".to_owned() + &"00".repeat(32);
            let outcome = stage.probe(&[&pin]).await;
            assert!(verdict(&outcome).contains("another one than those of pin"));
            let pin = format!("pin={}", fact(&outcome, "tls.spki_sha256"));
            assert_eq!(verdict(&stage.probe(&[&pin]).await), "pass");
            continue;
        }
        let more: Vec<_> = ["scan=versions", more].into_iter().filter(|m| !m.is_empty()).collect();
        let outcome = stage.probe(&more).await;
        assert!(verdict(&outcome).contains(expected), "{expected}: {}", verdict(&outcome));
        let rules = rules(&outcome);
        assert_eq!(rules.join(", "), found);
    }
}

#[tokio::test]
async fn chains_that_lead_nowhere_are_told_apart() {
    let (root, other) = (authority("root", None), authority("other", None));
    let between = authority("between", Some(&root));
    let key = KeyPair::generate().unwrap();
    let own = GOOD.params().self_signed(&key).unwrap().der().clone();
    let by = |signer: &Authority| GOOD.params().signed_by(&key, signer).unwrap().der().clone();
    let between_der = between.der().clone();
    for (chain, found, passes_self_signed) in [
        (vec![own], "tls.self_signed Critical", true),
        (vec![by(&between)], "tls.chain_incomplete Critical", true),
        (vec![by(&other), other.der().clone()], "tls.unknown_root Critical", true),
        (vec![by(&between), between_der.clone()], "", true),
        (vec![by(&between), other.der().clone(), between_der], "tls.chain_order Notice", true),
    ] {
        let stage = Stage::new(chain, &key, &root).await;
        let outcome = stage.probe(&["scan=none"]).await;
        let is_trusted = !found.contains("Critical");
        assert_eq!(verdict(&outcome) == "pass", is_trusted, "{}", verdict(&outcome));
        assert!(is_trusted || verdict(&outcome).starts_with("tls: mismatch: the certificate of"));
        assert_eq!(rules(&outcome).join(", "), found);
        let outcome = stage.probe(&["scan=none", "accept=self-signed"]).await;
        assert_eq!(verdict(&outcome) == "pass", passes_self_signed, "{}", verdict(&outcome));
        assert_eq!(rules(&outcome).join(", "), found, "findings stay");
    }
    // Who accepts a stranger's signature accepts neither another name nor another day.
    let expired = Leaf { for_days: -3, ..GOOD }.params().self_signed(&key).unwrap().der().clone();
    let stage = Stage::new(vec![expired], &key, &root).await;
    let outcome = stage.probe(&["scan=none", "accept=self-signed"]).await;
    assert!(verdict(&outcome).contains("expired on"), "{}", verdict(&outcome));
    assert_eq!(verdict(&stage.probe(&["scan=none", "accept=any"]).await), "pass");
}

#[tokio::test]
async fn what_does_not_speak_tls_fails_in_the_phase_tls() {
    let server = Server::scripted("220 mail ESMTP\r\n", vec![]).await;
    let settings = ["host=localhost".to_owned(), format!("port={}", server.port)];
    let outcome = run(&TlsKind, &settings).await;
    assert!(verdict(&outcome).starts_with("tls: protocol"), "{}", verdict(&outcome));
    let server = Server::scripted("220 a\r\n", vec![("EHLO", "250 a\r\n")]).await;
    let settings =
        ["host=localhost".to_owned(), format!("port={}", server.port), "protocol=smtp".to_owned()];
    let outcome = run(&TlsKind, &settings).await;
    assert!(verdict(&outcome).contains("does not offer STARTTLS"), "{}", verdict(&outcome));
}

#[test]
fn mistakes_are_told() {
    let wrong = |settings: &[&str]| {
        let settings: Vec<_> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        configured(&TlsKind, &settings).err().unwrap_or_default().join("; ")
    };
    assert_eq!(wrong(&["host=a", "port=25"]), "");
    assert!(wrong(&[]).contains("host is missing"));
    assert!(wrong(&["host=a", "pin=zz"]).contains("64 hexadecimal digits"));
    assert!(wrong(&["host=a", "warn_before=1d", "critical_before=2d"]).contains("not be longer"));
    assert!(wrong(&["host=a", "scan=all"]).contains("must be one of"));
}
