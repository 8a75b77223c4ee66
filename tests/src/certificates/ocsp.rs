//! OCSP responses (RFC 6960 section 4.2), signed by the authority itself, written in DER by hand: it is one
//! structure, and no library of ours writes it.

use rcgen::SigningKey as _;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use super::{Authority, CertificateError, Identity, OcspStatus};

const NULL: &[u8] = &[0x05, 0x00];
const SEQUENCE: u8 = 0x30;
const OCTET_STRING: u8 = 0x04;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const ENUMERATED: u8 = 0x0a;
const GENERALIZED_TIME: u8 = 0x18;
const ID_SHA1: &[u8] = &[0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a];
const ID_ECDSA_SHA256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const ID_PKIX_OCSP_BASIC: &[u8] =
    &[0x06, 0x09, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01];

pub(super) fn response(
    authority: &Authority,
    identity: &Identity,
    status: OcspStatus,
) -> Result<Vec<u8>, CertificateError> {
    let read = |error: &dyn std::fmt::Display| CertificateError::Read(error.to_string());
    let parse = x509_parser::parse_x509_certificate;
    let (_, issuer) = parse(authority.der()).map_err(|error| read(&error))?;
    let (_, subject) = parse(identity.der()).map_err(|error| read(&error))?;
    let key_hash = sha1(issuer.public_key().subject_public_key.data.as_ref());
    let certificate_id = der(
        SEQUENCE,
        &[
            &der(SEQUENCE, &[ID_SHA1, NULL]),
            &der(OCTET_STRING, &[&sha1(issuer.subject().as_raw())]),
            &der(OCTET_STRING, &[&key_hash]),
            &der(INTEGER, &[subject.raw_serial()]),
        ],
    );
    let (this, next) = match status {
        OcspStatus::Stale => ("20200101000000Z", "20200108000000Z"),
        _ => ("20200101000000Z", "20491231000000Z"),
    };
    let certificate_status = match status {
        OcspStatus::Good | OcspStatus::Stale => der(0x80, &[]),
        OcspStatus::Revoked => der(0xa1, &[&time("20200115000000Z")]),
        OcspStatus::Unknown => der(0x82, &[]),
    };
    let single = der(
        SEQUENCE,
        &[&certificate_id, &certificate_status, &time(this), &der(0xa0, &[&time(next)])],
    );
    let data = der(
        SEQUENCE,
        &[&der(0xa2, &[&der(OCTET_STRING, &[&key_hash])]), &time(this), &der(SEQUENCE, &[&single])],
    );
    let signature = authority.issuer.key().sign(&data)?;
    let basic = der(
        SEQUENCE,
        &[&data, &der(SEQUENCE, &[ID_ECDSA_SHA256]), &der(BIT_STRING, &[&[0], &signature])],
    );
    let bytes = der(SEQUENCE, &[ID_PKIX_OCSP_BASIC, &der(OCTET_STRING, &[&basic])]);
    Ok(der(SEQUENCE, &[&der(ENUMERATED, &[&[0]]), &der(0xa0, &[&bytes])]))
}

fn sha1(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().to_vec()
}

fn time(text: &str) -> Vec<u8> {
    der(GENERALIZED_TIME, &[text.as_bytes()])
}

/// A value with its tag and length (X.690 section 8.1).
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut bytes = vec![tag];
    let length = content.len().to_be_bytes();
    let significant: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    match content.len() {
        0..128 => bytes.push(significant.first().copied().unwrap_or_default()),
        _ => {
            bytes.push(0x80 | u8::try_from(significant.len()).unwrap_or_default());
            bytes.extend(significant);
        }
    }
    bytes.extend(content);
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::{Authority, OcspStatus, Validity};

    #[test]
    fn openssl_reads_what_we_write() {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority::new().expect("an authority");
        let identity = authority.issue(&["a.test"], Validity::Current).expect("a certificate");
        std::fs::write(folder.path().join("ca.crt"), authority.pem()).expect("written");
        for (status, words) in [
            (OcspStatus::Good, "Cert Status: good"),
            (OcspStatus::Revoked, "Cert Status: revoked"),
            (OcspStatus::Unknown, "Cert Status: unknown"),
            (OcspStatus::Stale, "Next Update: Jan  8 00:00:00 2020 GMT"),
        ] {
            let response = authority.ocsp_response(&identity, status).expect("a response");
            std::fs::write(folder.path().join("response"), response).expect("written");
            let mut openssl = std::process::Command::new("openssl");
            openssl.args(["ocsp", "-respin", "response", "-text", "-CAfile", "ca.crt"]);
            openssl.args(["-verify_other", "ca.crt"]);
            let output = openssl.current_dir(folder.path()).output().expect("openssl runs");
            let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let said = said(&output.stdout) + &said(&output.stderr);
            assert!(said.contains(words) && said.contains("Response verify OK"), "{said}");
        }
    }
}
