use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PublicKeyData};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

use super::super::Net;
use super::*;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Authority::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn trusting(authority: &Authority) -> TlsTrust {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    TlsTrust::roots(roots)
}

/// Handshakes with a server that has a certificate for these names, until this year.
async fn handshake(
    signer: &Authority,
    trust: &TlsTrust,
    names: &[&str],
    until: i32,
) -> Result<TlsFacts, String> {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(until, 1, 2);
    let key = KeyPair::generate().unwrap();
    let leaf = params.signed_by(&key, signer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let net = Net::new();
    let (opened, _accepted) =
        tokio::join!(net.tls(ours, "mail.good.test", trust), acceptor.accept(theirs));
    opened.map(|stream| TlsFacts::of(&stream)).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_good_certificate_says_when_it_expires() {
    let authority = authority("ours");
    let facts = handshake(&authority, &trusting(&authority), &["mail.good.test"], 2099).await;
    let facts = facts.unwrap();
    assert_eq!(facts.version, "TLSv1.3");
    assert_eq!(facts.expires.unwrap().to_string(), "2099-01-02T00:00:00.000000Z");
}

#[tokio::test]
async fn bad_certificates_have_their_own_words() {
    let (ours, others) = (authority("ours"), authority("others"));
    let trust = trusting(&ours);
    let name = "mail.good.test";
    for (signer, names, until, words) in [
        (&ours, vec![name], 2021, "it expired on 2021-01-02"),
        (
            &others,
            vec![name],
            2099,
            "it is signed by an authority that is not trusted here (or by itself)",
        ),
        (&ours, vec!["a.test", "b.test"], 2099, "it is for other names: a.test, b.test"),
    ] {
        let refused = handshake(signer, &trust, &names, until).await.unwrap_err();
        assert_eq!(refused, format!("the certificate of {name} is not accepted: {words}"));
        assert!(handshake(signer, &TlsTrust::anybody(), &names, until).await.is_ok());
    }
}

#[test]
fn a_ca_file_that_holds_nothing_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let missing = TlsTrust::ca_file(&path).unwrap_err();
    assert!(missing.to_string().contains("cannot be read as PEM certificates"), "{missing}");
    std::fs::write(&path, "nothing").unwrap();
    let empty = TlsTrust::ca_file(&path).unwrap_err();
    assert!(empty.to_string().ends_with("holds no usable certificate"), "{empty}");
}

/// A server that shows this chain; its staple is empty where there is none.
async fn inspected(
    chain: Vec<CertificateDer<'static>>,
    key: &KeyPair,
    staple: &[u8],
    trust: &TlsTrust,
) -> (Unproven<tokio::io::DuplexStream>, Inspection) {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert_with_ocsp(chain, key, staple.to_vec())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let net = Net::new();
    let options = InspectOptions { alpn: vec![b"h2".to_vec()], ..InspectOptions::default() };
    let inspecting = net.inspect(ours, NAME, trust, &options);
    let (opened, _accepted) = tokio::join!(inspecting, acceptor.accept(theirs));
    opened.unwrap()
}

const NAME: &str = "mail.good.test";

struct Leaf {
    names: &'static [&'static str],
    until: i32,
}

impl Leaf {
    const GOOD: Self = Self { names: &[NAME], until: 2099 };

    fn params(&self) -> CertificateParams {
        let names: Vec<_> = self.names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(self.until, 1, 2);
        params
    }

    fn signed_by(&self, signer: &Authority) -> (CertificateDer<'static>, KeyPair) {
        let key = KeyPair::generate().unwrap();
        (self.params().signed_by(&key, signer).unwrap().der().clone(), key)
    }
}

/// An authority that another one vouches for.
fn intermediate(name: &str, root: &Authority) -> Authority {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Authority::signed_by(params, KeyPair::generate().unwrap(), root).unwrap()
}

#[tokio::test]
async fn an_inspection_describes_a_good_chain() {
    let root = authority("root");
    let between = intermediate("between", &root);
    let (leaf, key) = Leaf::GOOD.signed_by(&between);
    let chain = vec![leaf.clone(), between.der().clone()];
    let (stream, inspection) = inspected(chain, &key, b"staple", &trusting(&root)).await;
    assert_eq!(inspection.refusal, None);
    assert!(inspection.is_for_name);
    assert_eq!(inspection.completeness, Completeness::Complete);
    assert_eq!((inspection.version.as_str(), inspection.unreadable), ("TLSv1.3", 0));
    assert_eq!(inspection.alpn.as_deref(), Some(b"h2".as_slice()));
    assert_eq!(inspection.staple.as_deref(), Some(b"staple".as_slice()));
    assert_eq!(inspection.path().len(), 2);
    let own = inspection.leaf().unwrap();
    assert_eq!(own.issuer, "CN=between");
    assert_eq!(own.names, ["mail.good.test"]);
    assert_eq!(own.not_after.to_string(), "2099-01-02T00:00:00.000000Z");
    assert_eq!(own.key, Key { algorithm: "EC P-256".into(), bits: 256 });
    assert_eq!(own.signature_algorithm, "ecdsa-with-SHA256");
    assert_eq!(own.der, leaf.as_ref());
    assert!(!own.is_self_signed && !own.is_ca && inspection.chain[1].is_ca);
    let spki = ring::digest::digest(&ring::digest::SHA256, &key.subject_public_key_info());
    assert_eq!(own.spki_sha256, spki.as_ref());
    assert!(stream.trusted().is_ok());
}

#[tokio::test]
async fn an_inspection_goes_on_whatever_the_certificate_is_and_says_why() {
    let (root, other) = (authority("root"), authority("other"));
    let between = intermediate("between", &root);
    let expired = Leaf { until: 2021, ..Leaf::GOOD };
    let elsewhere = Leaf { names: &["a.test"], ..Leaf::GOOD };
    let own_key = KeyPair::generate().unwrap();
    let own = Leaf::GOOD.params().self_signed(&own_key).unwrap().der().clone();
    let missing = Completeness::IssuerMissing { issuer: "CN=between".into(), url: String::new() };
    let unknown = Completeness::UnknownRoot { root: "CN=other".into() };
    let with = |leaf: &Leaf, signer: &Authority, above: &[&Authority]| {
        let (der, key) = leaf.signed_by(signer);
        let above = above.iter().map(|signer| signer.der().clone());
        (std::iter::once(der).chain(above).collect::<Vec<_>>(), key)
    };
    for ((chain, key), reason, is_for_name, completeness) in [
        (with(&expired, &root, &[]), Reason::Expired, true, Completeness::Complete),
        (with(&expired, &between, &[]), Reason::Expired, true, missing.clone()),
        (with(&elsewhere, &root, &[]), Reason::OtherName, false, Completeness::Complete),
        (with(&Leaf::GOOD, &between, &[]), Reason::UnknownIssuer, true, missing),
        (with(&Leaf::GOOD, &other, &[&other]), Reason::UnknownIssuer, true, unknown),
        ((vec![own], own_key), Reason::UnknownIssuer, true, Completeness::SelfSigned),
    ] {
        let (stream, inspection) = inspected(chain, &key, b"", &trusting(&root)).await;
        let refusal = inspection.refusal.clone().unwrap();
        assert_eq!(refusal.reason, reason, "{inspection:?}");
        assert_eq!(inspection.is_for_name, is_for_name);
        assert_eq!(inspection.completeness, completeness);
        assert_eq!(inspection.staple, None);
        let error = stream.trusted().unwrap_err().to_string();
        assert!(error.contains(&refusal.words) && error.contains("is not accepted"), "{error}");
    }
}

#[tokio::test]
async fn over_an_unproven_wire_nothing_secret_leaves() {
    use crate::mail::wire::{Record, Wire, WireError};
    use crate::transcript::Transcript;
    use tokio::io::AsyncReadExt;

    let (ours, other) = (authority("ours"), authority("other"));
    let (leaf, key) = Leaf::GOOD.signed_by(&other);
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf], key)
        .unwrap();
    let (near, far) = tokio::io::duplex(1 << 16);
    let (net, trust, options) = (Net::new(), trusting(&ours), InspectOptions::default());
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let inspecting = net.inspect(near, NAME, &trust, &options);
    let (opened, accepted) = tokio::join!(inspecting, acceptor.accept(far));
    let record = Record::new(Transcript::start(mailsonde_proto::Clock::system(), Vec::new()));
    let mut wire = Wire::unproven(opened.unwrap().0, record);
    assert!(wire.distrust().unwrap().contains("not trusted here"));
    wire.write(b"EHLO me\r\n").await.unwrap();
    wire.set_secret(true);
    let refused = wire.write(b"AUTH PLAIN hunter2\r\n").await.unwrap_err();
    assert!(matches!(refused, WireError::Distrusted { .. }), "{refused}");
    wire.set_secret(false);
    wire.write(b"QUIT\r\n").await.unwrap();
    drop(wire);
    let mut heard = Vec::new();
    // The client hangs up without a word, which is an error to rustls.
    let _ended = accepted.unwrap().read_to_end(&mut heard).await;
    assert_eq!(String::from_utf8(heard).unwrap(), "EHLO me\r\nQUIT\r\n");
}

mod no_bytes_panic {
    use proptest::prelude::*;

    use super::*;

    fn good() -> Vec<u8> {
        let root = authority("root");
        Leaf::GOOD.signed_by(&root).0.to_vec()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn of_a_certificate(noise in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _read = Certificate::read(&noise);
        }
    }

    #[test]
    fn of_a_certificate_that_was_tampered_with() {
        let good = good();
        let config = ProptestConfig::with_cases(10_000);
        let hits = proptest::collection::vec((any::<usize>(), any::<u8>()), 1..8);
        proptest::test_runner::TestRunner::new(config)
            .run(&(hits, 0..=good.len()), |(hits, length)| {
                let mut bytes = good.clone();
                for (at, byte) in hits {
                    let at = at % bytes.len();
                    bytes[at] = byte;
                }
                for bytes in [&bytes[..], &bytes[..length]] {
                    if let Some(read) = Certificate::read(bytes) {
                        prop_assert!(read.subject.len() <= 1_024 && read.names.len() <= 100);
                    }
                }
                Ok(())
            })
            .unwrap();
    }
}
