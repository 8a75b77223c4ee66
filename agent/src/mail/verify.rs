//! Our own verification of a message that arrived: DKIM (RFC 6376), SPF (RFC 7208), DMARC (RFC 9989)
//! and ARC (RFC 8617), by mail-auth.
//!
//! What cannot be known is `unknown`: SPF without the address that the receiving organisation's border
//! server saw, DMARC that would hang on such an SPF. What DNS did not answer is `temperror`, never
//! `fail`. Absent on purpose: any verdict; a look at headers that other servers wrote (`headers`).

mod border;
mod guard;

use std::time::Duration;

use hickory_resolver::TokioResolver;
use mail_auth::arc::ArcError;
use mail_auth::dkim::DkimError;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{
    AuthenticatedMessage, DkimOutput, DkimResult, DmarcOutput, DmarcResult, DnsError,
    MessageAuthenticator, SpfOutput, SpfResult,
};
use mailsonde_proto::Fact;
use mailsonde_proto::time::Instant;
use tokio::time::timeout_at;

use super::headers::Headers;
use super::headers::block::Block;
use crate::net::Net;
use border::Client;
use guard::Guard;

/// The most signatures that are verified, and the most header names of one.
const MOST_SIGNATURES: usize = 5;
const MOST_SIGNED_HEADERS: usize = 200;
/// The most ARC sets; mail-auth itself stops at 50.
const MOST_ARC_SETS: usize = 20;
/// How long all look-ups for one message may take, unless the caller says less.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// What is to be verified.
#[derive(Clone, Copy, Debug)]
pub struct Arrived<'a> {
    /// The message as it arrived, with CRLF line ends.
    pub message: &'a [u8],
    /// Whether that is all of it.
    pub is_whole: bool,
    /// The host names, or the domain, of the receiving organisation's servers: its border server's word
    /// on the client is taken for SPF. Empty: nobody's.
    pub receivers: &'a [String],
}

/// What it came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Each signature, in the order of the headers.
    pub dkim: Vec<Check>,
    /// For the envelope's sender, or the client's name where that is empty.
    pub spf: Check,
    /// For the domain of the From header.
    pub dmarc: Check,
    /// Of the chain, where there is one.
    pub arc: Option<Check>,
}

/// One result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// What came out.
    pub result: CheckResult,
    /// For whom, and why.
    pub detail: String,
}

/// What came out, in the words of RFC 8601 section 2.7, and `unknown`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CheckResult {
    /// Good.
    Pass,
    /// Not good.
    Fail,
    /// SPF: not good, and the domain is not sure of itself.
    SoftFail,
    /// It says nothing either way.
    Neutral,
    /// There is nothing to verify.
    None,
    /// DNS did not answer.
    TempError,
    /// A signature or a record that cannot be understood, or a key that is not there.
    PermError,
    /// It cannot be judged from here.
    #[default]
    Unknown,
}

impl CheckResult {
    /// Its word, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::Neutral => "neutral",
            Self::None => "none",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
            Self::Unknown => "unknown",
        }
    }
}

impl Check {
    fn new(result: CheckResult, detail: impl Into<String>) -> Self {
        Self { result, detail: detail.into() }
    }

    /// `pass (good.test, sel2025)`.
    pub fn line(&self) -> String {
        let result = self.result.as_str();
        if self.detail.is_empty() {
            result.to_owned()
        } else {
            format!("{result} ({})", self.detail)
        }
    }
}

impl Verified {
    /// As facts of a run: `verify.dkim`, `verify.dkim.2` and on, `verify.spf`, `verify.dmarc`,
    /// `verify.arc`.
    pub fn facts(&self) -> Vec<Fact> {
        let mut facts = Vec::new();
        for (number, check) in (1..).zip(&self.dkim) {
            let name = if number == 1 {
                "verify.dkim".to_owned()
            } else {
                format!("verify.dkim.{number}")
            };
            facts.push(Fact::new(name, check.line()));
        }
        facts.push(Fact::new("verify.spf", self.spf.line()));
        facts.push(Fact::new("verify.dmarc", self.dmarc.line()));
        facts.extend(self.arc.as_ref().map(|check| Fact::new("verify.arc", check.line())));
        facts
    }

    /// Nothing could be judged, and why.
    fn unknown(why: &str) -> Self {
        let check = Check::new(CheckResult::Unknown, why);
        Self { dkim: vec![check.clone()], spf: check.clone(), dmarc: check, arc: None }
    }
}

/// Verifies a message; it is done by the deadline. What `net`'s policy does not let be asked is not asked, and
/// counts as not answered.
pub async fn verify(
    (net, resolver): (&Net, TokioResolver),
    arrived: Arrived<'_>,
    deadline: Instant,
) -> Verified {
    let block = Block::of(arrived.message);
    if block.is_cut {
        return Verified::unknown("its header block is too long");
    }
    if !arrived.is_whole {
        return Verified::unknown("only a part of the message was read");
    }
    // Each signature with a length of its own makes mail-auth hash the body once more.
    let is_strict = block.all("DKIM-Signature").count() > MOST_SIGNATURES;
    let parsed = AuthenticatedMessage::parse_with_opts(arrived.message, None, is_strict);
    let Some(mut parsed) = parsed else {
        return Verified::unknown("it has no headers");
    };
    parsed.dkim_headers.truncate(MOST_SIGNATURES);
    parsed.dkim_headers.retain(|header| header.header.h.len() <= MOST_SIGNED_HEADERS);
    parsed.errors.truncate(MOST_SIGNATURES);
    let authenticator = MessageAuthenticator(resolver);
    let guard = &Guard(net);
    let verifier = Verifier { authenticator: &authenticator, guard, parsed: &parsed, deadline };
    verifier.all(&block, &Headers::of(arrived.message), arrived.receivers).await
}

struct Verifier<'a> {
    authenticator: &'a MessageAuthenticator,
    guard: &'a Guard<'a>,
    parsed: &'a AuthenticatedMessage<'a>,
    deadline: Instant,
}

impl Verifier<'_> {
    async fn all(&self, block: &Block<'_>, headers: &Headers, receivers: &[String]) -> Verified {
        let client = Client::of(block, headers, receivers);
        let guarded = self.guard.guarded(self.parsed);
        let dkim = timeout_at(self.deadline, self.authenticator.verify_dkim(guarded)).await;
        let (spf_output, spf) = self.spf(client.as_ref()).await;
        let arc = self.arc(block).await;
        let Ok(dkim_output) = dkim else {
            let late = Check::new(CheckResult::TempError, "DNS did not answer in time");
            return Verified { dkim: vec![late.clone()], spf, dmarc: late, arc };
        };
        let dmarc = self.dmarc(&dkim_output, client.as_ref(), spf_output).await;
        let mut dkim: Vec<_> = dkim_output.iter().map(dkim_check).collect();
        if dkim.is_empty() {
            dkim.push(Check::new(CheckResult::None, "it carries no signature"));
        }
        Verified { dkim, spf, dmarc, arc }
    }

    async fn spf(&self, client: Result<&Client, &&'static str>) -> (Option<SpfOutput>, Check) {
        let client = match client {
            Ok(client) => client,
            Err(why) => return (None, Check::new(CheckResult::Unknown, *why)),
        };
        let Client { ip, helo, by, sender } = client;
        let helo_only = sender.is_empty();
        let parameters = if helo_only {
            SpfParameters::verify_ehlo(*ip, helo, by)
        } else {
            SpfParameters::verify_mail_from(*ip, helo, by, sender)
        };
        let guarded = self.guard.guarded(parameters);
        let asked = timeout_at(self.deadline, self.authenticator.verify_spf(guarded)).await;
        let Ok(output) = asked else {
            return (None, Check::new(CheckResult::TempError, "DNS did not answer in time"));
        };
        let result = match output.result() {
            SpfResult::Pass => CheckResult::Pass,
            SpfResult::Fail => CheckResult::Fail,
            SpfResult::SoftFail => CheckResult::SoftFail,
            SpfResult::Neutral => CheckResult::Neutral,
            SpfResult::TempError => CheckResult::TempError,
            SpfResult::PermError => CheckResult::PermError,
            SpfResult::None => CheckResult::None,
        };
        let whom =
            if helo_only { format!("{helo}, by its HELO") } else { output.domain().to_owned() };
        let check = Check::new(result, format!("{whom} from {ip}, as {by} says"));
        (Some(output), check)
    }

    async fn dmarc(
        &self,
        dkim_output: &[DkimOutput<'_>],
        client: Result<&Client, &&'static str>,
        spf: Option<SpfOutput>,
    ) -> Check {
        let spf_is_known = spf.is_some();
        let spf_output = spf.unwrap_or_default();
        let domain = client.map(Client::domain).unwrap_or_default();
        let parameters = DmarcParameters {
            message: self.parsed,
            dkim_output,
            dkim2_output: None,
            rfc5321_mail_from_domain: &domain,
            spf_output: &spf_output,
        };
        let guarded = self.guard.guarded(parameters);
        let asked = timeout_at(self.deadline, self.authenticator.verify_dmarc(guarded)).await;
        let Ok(output) = asked else {
            return Check::new(CheckResult::TempError, "DNS did not answer in time");
        };
        dmarc_check(&output, spf_is_known)
    }

    async fn arc(&self, block: &Block<'_>) -> Option<Check> {
        let sets = block.all("ARC-Seal").count();
        if sets == 0 {
            return None;
        }
        if sets > MOST_ARC_SETS {
            return Some(Check::new(CheckResult::Unknown, "its chain is too long"));
        }
        let guarded = self.guard.guarded(self.parsed);
        let asked = timeout_at(self.deadline, self.authenticator.verify_arc(guarded)).await;
        let Ok(output) = asked else {
            return Some(Check::new(CheckResult::TempError, "DNS did not answer in time"));
        };
        let (result, why) = outcome(output.result());
        let sets = format!("{sets} set{}", if sets == 1 { "" } else { "s" });
        let detail = if why.is_empty() { sets } else { format!("{sets}, {why}") };
        Some(Check::new(result, detail))
    }
}

fn dkim_check(output: &DkimOutput<'_>) -> Check {
    let (result, why) = outcome(output.result());
    let whose = output.signature().map(|signature| format!("{}, {}", signature.d, signature.s));
    let length = output.signature().filter(|signature| signature.l > 0);
    let length =
        length.map(|signature| format!("only the first {} bytes of the body", signature.l));
    let why = (!why.is_empty()).then_some(why);
    let told: Vec<_> = [whose, why, length].into_iter().flatten().collect();
    Check::new(result, told.join(", "))
}

fn dmarc_check(output: &DmarcOutput, spf_is_known: bool) -> Check {
    let domain = output.domain();
    let whose = match output.dmarc_record() {
        Some(_) => format!("{domain}, policy {}", policy(output)),
        None if domain.is_empty() => "its From header names no domain".to_owned(),
        None => format!("{domain}, no record"),
    };
    let (result, why) = match output.result() {
        DmarcResult::Pass => (CheckResult::Pass, ""),
        DmarcResult::None => (CheckResult::None, ""),
        DmarcResult::TempError(_) => (CheckResult::TempError, ", DNS did not answer"),
        DmarcResult::PermError(_) => (CheckResult::PermError, ", its record cannot be read"),
        // With DKIM alone it does not pass; SPF could still have made it.
        DmarcResult::Fail(_) if !spf_is_known => {
            (CheckResult::Unknown, ", not by DKIM, and SPF is unknown")
        }
        DmarcResult::Fail(_) => (CheckResult::Fail, ", neither DKIM nor SPF is good and aligned"),
    };
    Check::new(result, format!("{whose}{why}"))
}

fn policy(output: &DmarcOutput) -> &'static str {
    match output.policy() {
        mail_auth::dmarc::Policy::Quarantine => "quarantine",
        mail_auth::dmarc::Policy::Reject => "reject",
        mail_auth::dmarc::Policy::None | mail_auth::dmarc::Policy::Unspecified => "none",
    }
}

/// RFC 6376 section 3.9 and RFC 8601 section 2.7.1: a body or a signature that does not match is a
/// fail; mail-auth calls the first neutral.
fn outcome(result: &DkimResult) -> (CheckResult, String) {
    use mail_auth::Error;
    let error = match result {
        DkimResult::Pass => return (CheckResult::Pass, String::new()),
        DkimResult::None => return (CheckResult::None, String::new()),
        DkimResult::Neutral(error)
        | DkimResult::Fail(error)
        | DkimResult::PermError(error)
        | DkimResult::TempError(error) => error,
    };
    let (found, why) = match error {
        Error::Dkim(DkimError::FailedBodyHashMatch) | Error::Arc(ArcError::FailedBodyHashMatch) => {
            (CheckResult::Fail, "the body is not the one that was signed")
        }
        Error::Crypto(_) => {
            (CheckResult::Fail, "the signature does not match the headers or the key")
        }
        Error::Dkim(DkimError::FailedAuidMatch) => {
            (CheckResult::Fail, "its identity is outside its domain")
        }
        Error::Dkim(DkimError::SignatureExpired) => {
            (CheckResult::Neutral, "the signature has expired")
        }
        Error::Dkim(DkimError::SignatureLength) => {
            (CheckResult::Neutral, "it signs only a part of the body")
        }
        Error::Dkim(DkimError::RevokedPublicKey) => (CheckResult::PermError, "the key is revoked"),
        Error::Dns(DnsError::Resolver(_)) => (CheckResult::TempError, "DNS did not answer"),
        Error::Dns(_) => (CheckResult::PermError, "there is no key in DNS"),
        Error::Arc(_) => (CheckResult::Fail, "the chain is broken"),
        _ => (CheckResult::PermError, "signature or key cannot be understood"),
    };
    (found, why.to_owned())
}

#[cfg(test)]
mod tests;
