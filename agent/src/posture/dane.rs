//! DANE for SMTP (RFC 7672, RFC 7671): TLSA records beside the certificates that a mail exchanger really
//! shows. Absent on purpose: connecting to it, which is the caller's.

mod findings;
mod matching;

use hickory_resolver::proto::rr::rdata::TLSA;
use rustls::pki_types::{CertificateDer, UnixTime};

use super::bounded;

pub(crate) use findings::RULES;
pub use findings::{Exchanger, Seen, examine, records};

/// Records of one host that are judged.
pub const MOST_RECORDS: usize = 24;

/// One record (RFC 6698 section 2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tlsa {
    /// 2 (DANE-TA) and 3 (DANE-EE) are SMTP's.
    pub usage: u8,
    /// 0 the whole certificate, 1 its public key.
    pub selector: u8,
    /// 0 all of it, 1 its SHA-256, 2 its SHA-512.
    pub matching: u8,
    /// What is to match.
    pub data: Vec<u8>,
}

/// Whether a record can be used for SMTP at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// RFC 7672 section 3.1.3: PKIX-TA(0) and PKIX-EE(1) are not SMTP's; others are nobody's.
    #[error("its usage is not one of SMTP's, 2 and 3")]
    Usage,
    /// RFC 6698 section 2.1.2.
    #[error("its selector is neither 0 nor 1")]
    Selector,
    /// RFC 6698 section 2.1.3.
    #[error("its matching type is none of 0, 1, 2")]
    Matching,
    /// A digest has its length.
    #[error("its data is not as long as its digest")]
    Length,
}

/// What a record says of a chain of certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// The server is who it says it is.
    Yes,
    /// It is not: why.
    No(String),
    /// Senders pass the record over.
    Unusable(Unusable),
}

/// Whom a certificate must be for, and when; what DANE-EE does not look at (RFC 7672 section 3.1.1).
#[derive(Clone, Debug)]
pub struct Expected<'a> {
    /// The exchanger's own name and the domain's (RFC 7672 section 3.2.2).
    pub names: &'a [String],
    /// What time it is.
    pub now: UnixTime,
}

impl Tlsa {
    /// Of a record's data.
    pub fn of(data: &TLSA) -> Self {
        Self {
            usage: data.cert_usage.into(),
            selector: data.selector.into(),
            matching: data.matching.into(),
            data: data.cert_data.clone(),
        }
    }

    /// Whether senders can use it for SMTP.
    ///
    /// # Errors
    /// Why they cannot.
    pub fn usable(&self) -> Result<(), Unusable> {
        let length = match self.matching {
            0 => None,
            1 => Some(32),
            2 => Some(64),
            _ => return Err(Unusable::Matching),
        };
        match (self.usage, self.selector) {
            (2 | 3, 0 | 1) => {}
            (2 | 3, _) => return Err(Unusable::Selector),
            _ => return Err(Unusable::Usage),
        }
        if self.data.is_empty() || length.is_some_and(|length| length != self.data.len()) {
            return Err(Unusable::Length);
        }
        Ok(())
    }

    /// What it says of the certificates that were shown, the server's own first.
    pub fn judge(&self, chain: &[CertificateDer<'_>], expected: &Expected<'_>) -> Match {
        match self.usable() {
            Err(why) => Match::Unusable(why),
            Ok(()) if self.usage == 3 => matching::end_entity(self, chain),
            Ok(()) => matching::trust_anchor(self, chain, expected),
        }
    }

    /// As in a zone file, the data shortened: `3 1 1 ab12…`.
    pub fn shown(&self) -> String {
        let data = bounded(hex::encode(self.data.get(..64).unwrap_or(&self.data)), 80);
        format!("{} {} {} {data}", self.usage, self.selector, self.matching)
    }
}

#[cfg(test)]
mod tests;
