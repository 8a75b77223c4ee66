use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    PublicKeyData, SigningKey,
};

use super::*;

type Authority = CertifiedIssuer<'static, KeyPair>;

const SHA1_ALGORITHM: &[u8] = &[0x30, 9, 6, 5, 0x2b, 0x0e, 3, 2, 0x1a, 5, 0];
const ECDSA_SHA256: &[u8] = &[0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const BASIC_DER: &[u8] = &[6, 9, 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1];

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Authority::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn leaf(signer: &Authority, usage: ExtendedKeyUsagePurpose) -> (Certificate, KeyPair) {
    let mut params = CertificateParams::new(vec!["mail.good.test".to_owned()]).unwrap();
    params.extended_key_usages = vec![usage];
    let key = KeyPair::generate().unwrap();
    let der = params.signed_by(&key, signer).unwrap().der().clone();
    (Certificate::read(&der).unwrap(), key)
}

fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let inside = parts.concat();
    let mut bytes = vec![tag];
    match inside.len() {
        short @ ..128 => bytes.push(u8::try_from(short).unwrap()),
        middle @ 128..256 => bytes.extend([0x81, u8::try_from(middle).unwrap()]),
        long => {
            bytes.push(0x82);
            bytes.extend(u16::try_from(long).unwrap().to_be_bytes());
        }
    }
    bytes.extend(inside);
    bytes
}

/// A response about a certificate, with this status, until that time, signed by this key.
fn response(
    about: &Certificate,
    issuer: &Certificate,
    status: &[u8],
    signer: &KeyPair,
    responder: Option<&Certificate>,
) -> Vec<u8> {
    let hash = |bytes: &[u8]| tlv(4, &[digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref()]);
    let id = tlv(
        0x30,
        &[
            SHA1_ALGORITHM,
            &hash(&issuer.subject_der),
            &hash(&issuer.key_bits),
            &tlv(2, &[&about.raw_serial]),
        ],
    );
    let (this, next) = (tlv(0x18, &[b"20261101000000Z"]), tlv(0x18, &[b"20261108000000Z"]));
    let single = tlv(0x30, &[&id, status, &this, &tlv(0xa0, &[&next])]);
    let tbs = tlv(0x30, &[&tlv(0xa2, &[&hash(&issuer.key_bits)]), &this, &tlv(0x30, &[&single])]);
    let signature = tlv(3, &[&[0], &signer.sign(&tbs).unwrap()]);
    let certs = responder.map(|der| tlv(0xa0, &[&tlv(0x30, &[&der.der])])).unwrap_or_default();
    let basic = tlv(0x30, &[&tbs, ECDSA_SHA256, &signature, &certs]);
    let bytes = tlv(0x30, &[BASIC_DER, &tlv(4, &[&basic])]);
    tlv(0x30, &[&[10, 1, 0], &tlv(0xa0, &[&bytes])])
}

const GOOD: &[u8] = &[0x80, 0];
const UNKNOWN: &[u8] = &[0x82, 0];

/// Revoked on 2026-10-31 for key compromise.
fn revoked() -> Vec<u8> {
    tlv(0xa1, &[&tlv(0x18, &[b"20261031120000Z"]), &tlv(0xa0, &[&[10, 1, 1]])])
}

struct Stage {
    issuer: Certificate,
    issuer_key: Authority,
    own: Certificate,
}

fn stage() -> Stage {
    let issuer_key = authority("issuer");
    let issuer = Certificate::read(issuer_key.der()).unwrap();
    let (own, _) = leaf(&issuer_key, ExtendedKeyUsagePurpose::ServerAuth);
    Stage { issuer, issuer_key, own }
}

#[test]
fn each_status_is_read_with_its_times() {
    let Stage { issuer, issuer_key, own } = stage();
    let at = WallTime::from_s(1_793_448_000);
    let revoked = revoked();
    for (status, expected) in [
        (GOOD, Status::Good),
        (UNKNOWN, Status::Unknown),
        (revoked.as_slice(), Status::Revoked { at, reason: "KeyCompromise".into() }),
    ] {
        let bytes = response(&own, &issuer, status, issuer_key.key(), None);
        let staple = Staple::read(&bytes, &own, Some(&issuer)).unwrap();
        assert_eq!(staple.status, expected);
        assert_eq!(staple.this_update.to_string(), "2026-11-01T00:00:00.000000Z");
        assert_eq!(staple.next_update.unwrap().to_string(), "2026-11-08T00:00:00.000000Z");
    }
}

#[test]
fn only_the_issuer_and_its_responders_count() {
    let Stage { issuer, issuer_key, own } = stage();
    let (other, other_key) = leaf(&issuer_key, ExtendedKeyUsagePurpose::ServerAuth);
    let (responder, responder_key) = leaf(&issuer_key, ExtendedKeyUsagePurpose::OcspSigning);
    let read = |bytes: &[u8]| Staple::read(bytes, &own, Some(&issuer)).map(|_| ());
    let by = |key: &KeyPair, responder| read(&response(&own, &issuer, GOOD, key, responder));
    assert_eq!(by(&responder_key, Some(&responder)), Ok(()));
    assert_eq!(by(&responder_key, None), Err(StapleError::BadSignature));
    // Signed by the issuer, but not for this.
    assert_eq!(by(&other_key, Some(&other)), Err(StapleError::BadSignature));
    let about_other = response(&other, &issuer, GOOD, issuer_key.key(), None);
    assert_eq!(read(&about_other), Err(StapleError::OtherCertificate));
    let stranger = Certificate::read(authority("stranger").der()).unwrap();
    let of_stranger = response(&own, &stranger, GOOD, issuer_key.key(), None);
    assert_eq!(read(&of_stranger), Err(StapleError::OtherCertificate));
    assert_eq!(read(b"rubbish"), Err(StapleError::Malformed));
    assert_eq!(read(&[0x30, 3, 10, 1, 3]), Err(StapleError::Unsuccessful("tryLater")));
    assert_ne!(issuer_key.key().subject_public_key_info(), other_key.subject_public_key_info());
}

#[test]
fn no_bytes_panic() {
    let Stage { issuer, issuer_key, own } = stage();
    let (responder, key) = leaf(&issuer_key, ExtendedKeyUsagePurpose::OcspSigning);
    let good = response(&own, &issuer, &revoked(), &key, Some(&responder));
    let noise = proptest::collection::vec(any::<u8>(), 0..300);
    let hits = proptest::collection::vec((any::<usize>(), any::<u8>()), 1..6);
    let config = ProptestConfig::with_cases(10_000);
    proptest::test_runner::TestRunner::new(config)
        .run(&(noise, hits, 0..=good.len()), |(noise, hits, length)| {
            let mut tampered = good.clone();
            for (at, byte) in hits {
                let at = at % tampered.len();
                tampered[at] = byte;
            }
            for bytes in [&noise[..], &tampered[..], &tampered[..length]] {
                let _read = Staple::read(bytes, &own, Some(&issuer));
                let _read = Staple::read(bytes, &own, None);
            }
            Ok(())
        })
        .unwrap();
}
