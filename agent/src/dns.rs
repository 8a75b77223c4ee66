//! DNS as the probes ask for it: one question, one answer with everything that a finding may rest on.
//!
//! [`Ask`] is the seam: the client in `net` asks real servers, [`zone::Zone`] answers from a text in tests.
//! "There is no such name" and "there is no such record" are answers, not errors; an error says that
//! nobody knows. Absent on purpose: caches, retries, and any judgement of what a record says.

#[cfg(test)]
pub(crate) mod zone;

use std::time::Duration;

use futures_util::future::BoxFuture;
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

/// Whoever answers questions.
pub trait Ask: Send + Sync {
    /// Asks for the records of one type at one name; CNAMEs are followed by whoever answers.
    ///
    /// # Errors
    /// When nobody knows: no answer in time, a refusal, a failure, or an answer that is bogus.
    fn ask<'a>(
        &'a self,
        name: &'a Name,
        kind: RecordType,
    ) -> BoxFuture<'a, Result<Answer, AskError>>;
}

/// What DNS says to one question.
#[derive(Clone, Debug)]
pub struct Answer {
    /// `NoError` or `NXDomain`; everything else is an error.
    pub code: ResponseCode,
    /// The answer section, CNAMEs and signatures included.
    pub answers: Vec<Record>,
    /// The authority section.
    pub authorities: Vec<Record>,
    /// Whether DNSSEC proves it.
    pub security: Security,
    /// How long it took.
    pub took: Duration,
}

/// What DNSSEC says of an answer (RFC 4033 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Signed, and the signatures hold up to the trust anchor.
    Secure,
    /// Proven to be unsigned, or nobody validated.
    Insecure,
}

impl Answer {
    /// Whether the name does not exist (RFC 8020).
    pub fn is_nx_domain(&self) -> bool {
        self.code == ResponseCode::NXDomain
    }

    /// Whether there is no record of the type that was asked for: a void look-up in RFC 7208 section
    /// 4.6.4's words.
    pub fn is_void(&self, kind: RecordType) -> bool {
        !self.answers.iter().any(|record| record.record_type() == kind)
    }

    /// The data of the records of one type, in the order in which they came.
    pub fn data(&self, kind: RecordType) -> impl Iterator<Item = &RData> {
        self.answers.iter().filter(move |r| r.record_type() == kind).map(|record| &record.data)
    }

    /// The texts of TXT records, the strings of each joined without a space (RFC 7208 section 3.3);
    /// bytes that are not UTF-8 are replaced.
    pub fn texts(&self) -> Vec<String> {
        self.data(RecordType::TXT)
            .filter_map(|data| match data {
                RData::TXT(text) => Some(text.txt_data.concat()),
                _ => None,
            })
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .collect()
    }

    /// The shortest remaining time to live of the records of a type, in seconds.
    pub fn ttl_s(&self, kind: RecordType) -> Option<u32> {
        self.answers.iter().filter(|r| r.record_type() == kind).map(|r| r.ttl).min()
    }
}

/// Why nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// No answer.
    #[error("no DNS server answered the question for {name} in time")]
    Timeout {
        /// The name and type asked for.
        name: String,
    },
    /// The server says that it could not (RFC 1035 section 4.1.1), in its own words where it has any
    /// (RFC 8914).
    #[error("the DNS server answered {code} to the question for {name}{}", because(.extended))]
    Failed {
        /// The name and type asked for.
        name: String,
        /// Such as `SERVFAIL` or `REFUSED`.
        code: String,
        /// The extended error's code and words.
        extended: Option<String>,
    },
    /// The signatures do not hold (RFC 4033 section 5).
    #[error("the answer for {name} is bogus: DNSSEC proves it wrong{}", because(.why))]
    Bogus {
        /// The name and type asked for.
        name: String,
        /// In which way, where it is known.
        why: Option<String>,
    },
    /// No server could be reached from here, or the agent's policy forbids the question.
    #[error("{detail}")]
    NotAsked {
        /// Why not.
        detail: String,
        /// Whether it is certain that this machine's own network is at fault.
        is_local: bool,
    },
    /// The answer is not DNS.
    #[error("the answer for {name} cannot be read: {detail}")]
    Malformed {
        /// The name and type asked for.
        name: String,
        /// What is wrong with it.
        detail: String,
    },
}

fn because(words: &Option<String>) -> String {
    words.as_deref().map(|words| format!(" ({words})")).unwrap_or_default()
}
