//! What is wrong with a certificate or a handshake, in words that an operator can act upon.

use mailsonde_proto::WallTime;
use rustls::CertificateError;
use rustls::pki_types::UnixTime;

/// What is wrong with a certificate, in words.
pub(in crate::net) fn certificate_words(error: &CertificateError) -> String {
    match error {
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("it expired on {}", day(*not_after))
        }
        CertificateError::Expired => "it has expired".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("it is not valid before {}", day(*not_before))
        }
        CertificateError::NotValidYet => "it is not valid yet".to_owned(),
        CertificateError::UnknownIssuer => {
            "it is signed by an authority that is not trusted here (or by itself)".to_owned()
        }
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            "it is for another name: it lists no host names at all".to_owned()
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names: Vec<_> = presented.iter().take(10).map(|name| bare_name(name)).collect();
            format!("it is for other names: {}", names.join(", "))
        }
        CertificateError::NotValidForName => "it is for another name".to_owned(),
        CertificateError::Revoked => "it is revoked".to_owned(),
        CertificateError::BadSignature => "a signature in its chain is wrong".to_owned(),
        CertificateError::BadEncoding => "it is not well-formed".to_owned(),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it is not made for servers".to_owned()
        }
        other => format!("{other}"),
    }
}

/// rustls lists names as `DnsName("mail.example.org")`.
fn bare_name(presented: &str) -> String {
    presented.split('"').nth(1).unwrap_or(presented).chars().take(80).collect()
}

fn day(time: UnixTime) -> String {
    let at = WallTime::from_s(i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
    at.timestamp().strftime("%Y-%m-%d").to_string()
}

/// What went wrong in a handshake, in words.
pub(in crate::net) fn handshake_words(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidMessage(_) => {
            "the server did not speak TLS (is this the right port?)".to_owned()
        }
        rustls::Error::AlertReceived(alert) => format!("the server ended it with {alert:?}"),
        rustls::Error::PeerIncompatible(why) => {
            format!("the server offers nothing newer than is acceptable ({why:?})")
        }
        other => other.to_string(),
    }
}
