//! Whether a record and a chain of certificates belong together (RFC 7671 section 5).

use ring::digest::{SHA256, SHA512, digest};
use rustls::pki_types::{CertificateDer, ServerName};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Expected, Match, Tlsa};

/// Certificates of a chain that are looked at.
const LONGEST_CHAIN: usize = 16;

/// DANE-EE(3): the server's own certificate or key; neither its names nor its validity count
/// (RFC 7671 section 5.1).
pub(super) fn end_entity(tlsa: &Tlsa, chain: &[CertificateDer<'_>]) -> Match {
    match chain.first() {
        Some(leaf) if selects(tlsa, leaf) => Match::Yes,
        Some(_) => Match::No("it is of another certificate than the server's".to_owned()),
        None => Match::No("the server shows no certificate".to_owned()),
    }
}

/// DANE-TA(2): a certificate of the chain, from which the server's own must follow by signatures, validity
/// and name (RFC 7671 section 5.2, RFC 7672 section 3.1.2). Where all of an anchor stands in DNS, the
/// server need not show it.
pub(super) fn trust_anchor(
    tlsa: &Tlsa,
    chain: &[CertificateDer<'_>],
    expected: &Expected<'_>,
) -> Match {
    let Some((leaf, above)) = chain.split_first() else {
        return Match::No("the server shows no certificate".to_owned());
    };
    let above: Vec<CertificateDer<'_>> = above.iter().take(LONGEST_CHAIN).cloned().collect();
    let mut anchors: Vec<CertificateDer<'_>> = above.clone();
    anchors.retain(|certificate| selects(tlsa, certificate));
    if (tlsa.selector, tlsa.matching) == (0, 0) {
        anchors.push(CertificateDer::from(tlsa.data.clone()));
    }
    // A certificate that is its own anchor.
    if selects(tlsa, leaf) {
        anchors.push(leaf.clone());
    }
    if anchors.is_empty() {
        return Match::No("it is of none of the certificates that the server shows".to_owned());
    }
    let mut why = String::new();
    for anchor in &anchors {
        match leads_to(leaf, &above, anchor, expected) {
            Ok(()) => return Match::Yes,
            Err(words) => why = words,
        }
    }
    Match::No(why)
}

fn leads_to(
    leaf: &CertificateDer<'_>,
    above: &[CertificateDer<'_>],
    anchor: &CertificateDer<'_>,
    expected: &Expected<'_>,
) -> Result<(), String> {
    let anchors = [anchor_from_trusted_cert(anchor)
        .map_err(|error| format!("the anchor cannot be read: {error}"))?];
    let leaf = EndEntityCert::try_from(leaf)
        .map_err(|error| format!("the server's certificate cannot be read: {error}"))?;
    leaf.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        &anchors,
        above,
        expected.now,
        KeyUsage::server_auth(),
        None,
        None,
    )
    .map_err(|error| {
        format!("the server's certificate does not follow from the anchor: {error}")
    })?;
    let is_for = |name: &String| {
        ServerName::try_from(name.as_str())
            .is_ok_and(|name| leaf.verify_is_valid_for_subject_name(&name).is_ok())
    };
    if expected.names.iter().any(is_for) {
        return Ok(());
    }
    Err(format!("the server's certificate is for none of {}", expected.names.join(", ")))
}

/// Whether the certificate is the one that a record's selector, matching type and data mean
/// (RFC 6698 section 2.1).
fn selects(tlsa: &Tlsa, certificate: &CertificateDer<'_>) -> bool {
    let selected = match tlsa.selector {
        0 => certificate.as_ref().to_vec(),
        _ => match X509Certificate::from_der(certificate) {
            Ok((_, read)) => read.public_key().raw.to_vec(),
            Err(_) => return false,
        },
    };
    match tlsa.matching {
        0 => selected == tlsa.data,
        1 => digest(&SHA256, &selected).as_ref() == tlsa.data,
        2 => digest(&SHA512, &selected).as_ref() == tlsa.data,
        _ => false,
    }
}
