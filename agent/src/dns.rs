//! DNS as the probes ask for it: one question, one answer with everything that a finding may rest on.
//!
//! [`Ask`] is the seam: the client in `net` asks real resolvers, [`zone::Zone`] answers from a text in tests.
//! [`AskServer`] puts one raw question to one server, as it is needed to judge authoritative servers.
//! "There is no such name" and "there is no such record" are answers, not errors; an error says that
//! nobody knows. Absent on purpose: caches, retries, and any judgement of what a record says.

pub mod message;

#[cfg(test)]
pub(crate) mod zone;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::BoxFuture;
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use mailsonde_proto::FaultClass;

use crate::policy::Refusal;

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

    /// That nobody has answered anything so far, where that is certain: for a run that ends before its
    /// questions do.
    fn silence(&self) -> Option<AskError> {
        None
    }
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
    /// What the server added in words (RFC 8914), such as that the answer is stale.
    pub extended: Vec<ExtendedError>,
    /// How long it took.
    pub took: Duration,
}

/// What DNSSEC says of an answer (RFC 4033 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Signed, and the signatures hold up to the trust anchor.
    Secure,
    /// Proven to be unsigned.
    Insecure,
    /// Nobody validated: it is switched off, or the resolver hands on no signatures.
    Unchecked,
}

impl Security {
    /// Its word, as in facts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Secure => "secure",
            Self::Insecure => "insecure",
            Self::Unchecked => "unchecked",
        }
    }
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
    /// Not one resolver answers anything, not even what each of them knows: whatever is asked, nobody
    /// can say. Where the system names the resolvers, it is our own network that does not work; where a
    /// check names them, it is they whom the check is to tell about.
    #[error(
        "no DNS server answers at all: {servers} answered neither the question for {name} nor one for \
         the root's name servers ({why})"
    )]
    Silent {
        /// The name and type asked for.
        name: String,
        /// Those that were asked.
        servers: String,
        /// What became of the last try.
        why: String,
        /// Whether the question was turned away rather than passed over.
        is_refused: bool,
        /// The host's own configuration names them, not the check.
        are_ours: bool,
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
        extended: Option<ExtendedError>,
    },
    /// The signatures do not hold (RFC 4033 section 5).
    #[error("the answer for {name} is bogus: DNSSEC proves it wrong{}", because(.why))]
    Bogus {
        /// The name and type asked for.
        name: String,
        /// In which way, where it is known: as the resolver says, or as our own look at it says.
        why: Option<ExtendedError>,
    },
    /// Whether the answer is genuine cannot be told: a link of the chain of trust could not be looked
    /// up, or the chain does not begin at our anchor (RFC 4033 section 5).
    #[error("whether the answer for {name} is genuine cannot be told: {detail}")]
    Indeterminate {
        /// The name and type asked for.
        name: String,
        /// Which link is missing.
        detail: String,
    },
    /// No server could be reached from here, or the agent's policy forbids the question.
    #[error("{detail}")]
    NotAsked {
        /// Why not.
        detail: String,
        /// Whether it is certain that this machine's own network is at fault.
        is_local: bool,
    },
    /// The agent's policy does not let it be asked.
    #[error("the agent's policy does not allow it: {0}")]
    Forbidden(Refusal),
    /// The answer is not DNS.
    #[error("the answer for {name} cannot be read: {detail}")]
    Malformed {
        /// The name and type asked for.
        name: String,
        /// What is wrong with it.
        detail: String,
    },
}

impl AskError {
    /// The class of the fault that this is.
    pub const fn class(&self) -> FaultClass {
        match self {
            Self::Timeout { .. } | Self::Silent { is_refused: false, .. } => FaultClass::Timeout,
            Self::Failed { .. } | Self::Indeterminate { .. } => FaultClass::Temporary,
            Self::Bogus { .. } => FaultClass::Mismatch,
            Self::NotAsked { .. } | Self::Silent { .. } => FaultClass::Refused,
            Self::Malformed { .. } => FaultClass::Protocol,
            Self::Forbidden(_) => FaultClass::Permanent,
        }
    }

    /// Whether nobody was there to be asked, so that there is nothing to look at.
    pub const fn is_of_nobody(&self) -> bool {
        matches!(self, Self::NotAsked { is_local: true, .. } | Self::Silent { .. })
    }
}

fn because(words: &Option<ExtendedError>) -> String {
    words.as_ref().map(|words| format!(" ({words})")).unwrap_or_default()
}

/// An extended DNS error (RFC 8914): why an answer is what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtendedError {
    /// The INFO-CODE (RFC 8914 section 4).
    pub code: u16,
    /// The server's own words; may be empty.
    pub text: String,
}

impl ExtendedError {
    /// Signature Expired (RFC 8914 section 4.8).
    pub const SIGNATURE_EXPIRED: u16 = 7;
    /// DNSKEY Missing: a DS record stands at the parent, and no key matches it (section 4.10).
    pub const DNSKEY_MISSING: u16 = 9;

    /// Of a code, without words.
    pub fn of(code: u16) -> Self {
        Self { code, text: String::new() }
    }

    /// Whether it says that DNSSEC proves the answer wrong (RFC 8914 sections 4.6 to 4.13).
    pub fn is_bogus(&self) -> bool {
        (5..=12).contains(&self.code)
    }
}

/// `EDE 7, signature expired: validation failure …`.
impl fmt::Display for ExtendedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.code {
            1 => ", unsupported DNSKEY algorithm",
            2 => ", unsupported DS digest type",
            3 => ", stale answer",
            4 => ", forged answer",
            5 => ", DNSSEC indeterminate",
            6 => ", DNSSEC bogus",
            7 => ", signature expired",
            8 => ", signature not yet valid",
            9 => ", DNSKEY missing",
            10 => ", RRSIGs missing",
            11 => ", no zone key bit set",
            12 => ", NSEC missing",
            13 => ", cached error",
            14 => ", not ready",
            15 => ", blocked",
            16 => ", censored",
            17 => ", filtered",
            18 => ", prohibited",
            19 => ", stale NXDOMAIN answer",
            20 => ", not authoritative",
            21 => ", not supported",
            22 => ", no reachable authority",
            23 => ", network error",
            24 => ", invalid data",
            _ => "",
        };
        write!(f, "EDE {}{name}", self.code)?;
        if !self.text.is_empty() {
            write!(f, ": {}", self.text)?;
        }
        Ok(())
    }
}

/// Whoever puts one raw question to one server and hands back what it said, unfollowed and unproven.
pub trait AskServer: Send + Sync {
    /// Asks once, over UDP or TCP as the question says; a truncated answer stays truncated.
    ///
    /// # Errors
    /// When the server gave no answer, or none that is DNS. A refusal is an answer.
    fn ask_server<'a>(
        &'a self,
        server: SocketAddr,
        question: &'a Question,
    ) -> BoxFuture<'a, Result<Reply, AskError>>;
}

/// One question to one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The name.
    pub name: Name,
    /// The type.
    pub kind: RecordType,
    /// Whether a recursive answer is wanted (RD, RFC 1035 section 4.1.1).
    pub is_recursive: bool,
    /// Whether it is asked with EDNS(0) and DNSSEC OK (RFC 6891, RFC 3225).
    pub has_edns: bool,
    /// Whether it is asked over TCP (RFC 7766) rather than UDP.
    pub over_tcp: bool,
}

impl Question {
    /// To an authoritative server: no recursion, EDNS, UDP.
    pub fn to_authority(name: Name, kind: RecordType) -> Self {
        Self { name, kind, is_recursive: false, has_edns: true, over_tcp: false }
    }
}

/// What one server said to one question.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The response code, EDNS's upper bits included.
    pub code: ResponseCode,
    /// AA: the server is an authority for the name (RFC 1035 section 4.1.1).
    pub is_authoritative: bool,
    /// TC: the answer did not fit.
    pub is_truncated: bool,
    /// RA: the server would recurse.
    pub recurses: bool,
    /// AD: the server says that DNSSEC proves the answer (RFC 4035 section 3.2.3).
    pub is_authentic: bool,
    /// EDNS version and UDP payload size, where the answer has EDNS.
    pub edns: Option<(u8, u16)>,
    /// The answer section.
    pub answers: Vec<Record>,
    /// The authority section.
    pub authorities: Vec<Record>,
    /// The additional section, without EDNS.
    pub additionals: Vec<Record>,
    /// Extended errors (RFC 8914).
    pub extended: Vec<ExtendedError>,
    /// How long it took.
    pub took: Duration,
}
