//! A key that stays, and certificates that are kept only when they are its own.

use std::os::unix::fs::PermissionsExt;

use rcgen::{BasicConstraints, IsCa, Issuer, SanType};

use super::*;

/// An authority that gives certificates to whoever asks.
struct Authority(Issuer<'static, KeyPair>, Vec<u8>);

impl Authority {
    fn new() -> Self {
        let pair = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&pair).unwrap();
        Self(Issuer::new(params, pair), certificate.der().to_vec())
    }

    fn certify(&self, key: &AgentKey, agent: AgentId) -> Certified {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(agent.uri().try_into().unwrap())];
        let certificate = params.signed_by(&key.0, &self.0).unwrap();
        Certified {
            agent,
            name: "hq".into(),
            labels: [].into(),
            certificate: certificate.der().to_vec(),
            authorities: vec![self.1.clone()],
        }
    }
}

#[test]
fn a_key_is_made_once_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let files = IdentityFiles::of_data(folder.path());
    assert!(AgentKey::load(&files.key).is_err());
    let key = AgentKey::load_or_make(&files.key).unwrap();
    let mode = fs::metadata(&files.key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, PRIVATE);
    let again = AgentKey::load_or_make(&files.key).unwrap();
    assert_eq!(again.0.public_key_raw(), key.0.public_key_raw());
    assert_eq!(format!("{key:?}"), "AgentKey(…)");
    fs::write(&files.key, "nonsense").unwrap();
    let refused = AgentKey::load_or_make(&files.key).unwrap_err().to_string();
    assert!(refused.contains("enrol the agent anew"), "{refused}");
}

#[test]
fn only_a_certificate_for_this_key_and_agent_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let files = IdentityFiles::of_data(folder.path());
    let key = AgentKey::load_or_make(&files.key).unwrap();
    let other = AgentKey(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap());
    let (authority, agent) = (Authority::new(), AgentId::random());
    let good = authority.certify(&key, agent);
    let elses = authority.certify(&other, agent);
    let refused = |certified: &Certified, expected: Option<AgentId>| {
        keep(&files, &key, certified, expected).unwrap_err().to_string()
    };
    assert!(refused(&elses, None).contains("for another key"));
    assert!(refused(&good, Some(AgentId::random())).contains("of another agent"));
    let says_other = Certified { agent: AgentId::random(), ..good.clone() };
    assert!(refused(&says_other, None).contains("of another agent"));
    let rubbish = Certified { certificate: vec![1, 2, 3], ..good.clone() };
    assert!(refused(&rubbish, None).contains("no certificate"));
    assert!(!files.certificate.exists() && !files.ca.exists());
    keep(&files, &key, &good, Some(agent)).unwrap();
    let pem = fs::read_to_string(&files.certificate).unwrap();
    let (_, read) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap();
    assert_eq!(read.contents, good.certificate);
}
