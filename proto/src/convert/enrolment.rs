//! How an agent comes in and stays in: requests, and what answers them.

use std::collections::BTreeMap;

use super::Malformed;
use super::limits::{self, MAX_LABELS, MAX_NAME_BYTES};
use crate::check::is_name;
use crate::token::TokenSecret;
use crate::vantage::AgentId;
use crate::wire;

/// Bytes of a certification request or a certificate at most; ours have about 500.
const MAX_DER_BYTES: usize = 4 * 1024;
/// Authorities that an agent is told to trust at most: two while one takes over from the other.
const MAX_AUTHORITIES: usize = 8;

/// A new agent asks to be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrollRequest {
    /// From the token.
    pub secret: TokenSecret,
    /// PKCS#10, DER (RFC 2986), signed with the key that the certificate is to be for.
    pub signing_request: Vec<u8>,
    /// What the host calls itself, where that can name an agent.
    pub proposed_name: Option<String>,
    /// The agent's name and version.
    pub software: String,
}

/// An agent asks for a new certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenewRequest {
    /// PKCS#10, DER (RFC 2986), signed with the registered key.
    pub signing_request: Vec<u8>,
    /// The agent's name and version.
    pub software: String,
}

/// An agent is let in, or stays in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certified {
    /// Who it is.
    pub agent: AgentId,
    /// What it is called.
    pub name: String,
    /// What it is selected by.
    pub labels: BTreeMap<String, String>,
    /// Its certificate, DER.
    pub certificate: Vec<u8>,
    /// Whom it trusts as the collector's authority from now on, DER; at least one.
    pub authorities: Vec<Vec<u8>>,
}

impl TryFrom<wire::EnrollRequest> for EnrollRequest {
    type Error = Malformed;

    fn try_from(sent: wire::EnrollRequest) -> Result<Self, Malformed> {
        let form = Malformed::Form { what: "a token's secret", form: "16 bytes" };
        let secret = sent.secret.try_into().ok().ok_or(form)?;
        Ok(Self {
            secret: TokenSecret::from_bytes(secret),
            signing_request: der("a signing request", sent.signing_request)?,
            proposed_name: Some(sent.proposed_name).filter(|name| is_name(name)),
            software: limits::text("the software", sent.software, MAX_NAME_BYTES)?,
        })
    }
}

impl From<EnrollRequest> for wire::EnrollRequest {
    fn from(request: EnrollRequest) -> Self {
        Self {
            secret: request.secret.to_bytes().to_vec(),
            signing_request: request.signing_request,
            proposed_name: request.proposed_name.unwrap_or_default(),
            software: request.software,
        }
    }
}

impl TryFrom<wire::RenewRequest> for RenewRequest {
    type Error = Malformed;

    fn try_from(sent: wire::RenewRequest) -> Result<Self, Malformed> {
        Ok(Self {
            signing_request: der("a signing request", sent.signing_request)?,
            software: limits::text("the software", sent.software, MAX_NAME_BYTES)?,
        })
    }
}

impl From<RenewRequest> for wire::RenewRequest {
    fn from(request: RenewRequest) -> Self {
        Self { signing_request: request.signing_request, software: request.software }
    }
}

impl TryFrom<wire::Certified> for Certified {
    type Error = Malformed;

    fn try_from(sent: wire::Certified) -> Result<Self, Malformed> {
        let form = Malformed::Form { what: "an agent's identity", form: "16 bytes" };
        limits::count("authorities", sent.authorities.len(), MAX_AUTHORITIES)?;
        if sent.authorities.is_empty() {
            return Err(Malformed::Missing("the authority's certificate"));
        }
        let authorities = sent.authorities.into_iter().map(|one| der("an authority", one));
        Ok(Self {
            agent: AgentId(sent.agent_id.try_into().ok().ok_or(form)?),
            name: limits::name("the agent's name", sent.name)?,
            labels: labels(sent.labels)?,
            certificate: der("a certificate", sent.certificate)?,
            authorities: authorities.collect::<Result<_, _>>()?,
        })
    }
}

impl From<Certified> for wire::Certified {
    fn from(certified: Certified) -> Self {
        Self {
            agent_id: certified.agent.0.to_vec(),
            name: certified.name,
            labels: certified.labels,
            certificate: certified.certificate,
            authorities: certified.authorities,
        }
    }
}

fn der(what: &'static str, bytes: Vec<u8>) -> Result<Vec<u8>, Malformed> {
    match bytes.len() {
        0 => Err(Malformed::Missing(what)),
        1..=MAX_DER_BYTES => Ok(bytes),
        _ => Err(Malformed::TooMuch { what, limit: MAX_DER_BYTES }),
    }
}

/// Labels as either end may send them.
pub(super) fn labels(
    sent: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Malformed> {
    limits::count("labels", sent.len(), MAX_LABELS)?;
    for (key, value) in &sent {
        limits::name("a label", key.clone())?;
        limits::text("a label's value", value.clone(), MAX_NAME_BYTES)?;
    }
    Ok(sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certified() -> Certified {
        Certified {
            agent: AgentId([3; 16]),
            name: "hq".into(),
            labels: [("site".into(), "Durban".into())].into(),
            certificate: vec![1; 500],
            authorities: vec![vec![2; 500]],
        }
    }

    #[test]
    fn what_is_said_is_heard() {
        let enroll = EnrollRequest {
            secret: TokenSecret::random(),
            signing_request: vec![1; 300],
            proposed_name: Some("mx1.example.org".into()),
            software: "mailsonde-agent 0.1.0".into(),
        };
        let heard: EnrollRequest = wire::EnrollRequest::from(enroll.clone()).try_into().unwrap();
        assert_eq!(heard, enroll);
        let heard: Certified = wire::Certified::from(certified()).try_into().unwrap();
        assert_eq!(heard, certified());
    }

    #[test]
    fn what_is_beyond_its_limit_is_refused() {
        let sent = || wire::Certified::from(certified());
        for (sent, expected) in [
            (
                wire::Certified { agent_id: vec![1], ..sent() },
                "an agent's identity is not 16 bytes",
            ),
            (wire::Certified { authorities: vec![], ..sent() }, "certificate is missing"),
            (wire::Certified { authorities: vec![vec![1]; 9], ..sent() }, "beyond its limit of 8"),
            (wire::Certified { certificate: vec![0; 5000], ..sent() }, "beyond its limit of 4096"),
            (wire::Certified { name: "a b".into(), ..sent() }, "the agent's name is not"),
        ] {
            let error = Certified::try_from(sent).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        // a host's name that cannot name an agent is none
        let sent = wire::EnrollRequest {
            secret: vec![0; 16],
            signing_request: vec![1],
            proposed_name: "two words".into(),
            software: String::new(),
        };
        assert_eq!(EnrollRequest::try_from(sent).unwrap().proposed_name, None);
    }
}
