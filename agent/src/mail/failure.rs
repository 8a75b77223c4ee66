//! What went wrong with a mail server, as data.

use std::time::Duration;

use mailsonde_proto::phase::name;
use mailsonde_proto::{EnhancedCode, Fault, FaultClass, Verdict, VoidReason};

use super::wire::WireError;
use crate::dns::AskError;
use crate::net::NetError;
use crate::policy::Refusal;

/// Why a conversation did not do what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// As it is reported.
    pub fault: Fault,
    /// Whether it is certain that the agent's own network is at fault, so that nothing can be said about
    /// the target.
    pub is_local: bool,
    /// Whether the agent's policy did not let it go on, so that nothing can be said about the target.
    pub is_policy: bool,
    /// Whether another agent, which was to see the mail arrive, did not watch: nothing can be said about the target.
    pub is_of_peer: bool,
}

impl Failure {
    /// A failure without a server's reply.
    pub fn new(phase: &str, class: FaultClass, explanation: impl Into<String>) -> Self {
        let fault = Fault::new(phase, class, explanation);
        Self { fault, is_local: false, is_policy: false, is_of_peer: false }
    }

    /// Something that the agent's policy does not allow.
    pub fn policy(phase: &str, refusal: &Refusal) -> Self {
        let failure = Self::new(phase, FaultClass::Permanent, refusal.to_string());
        Self { is_policy: true, ..failure }
    }

    /// The verdict that it makes of a run.
    pub fn into_verdict(self) -> Verdict {
        if self.is_policy {
            return Verdict::void(VoidReason::Policy, self.fault.explanation);
        }
        if self.is_of_peer {
            return Verdict::void(VoidReason::Peer, self.fault.explanation);
        }
        if self.is_local {
            return Verdict::void(VoidReason::LocalNetwork, self.fault.explanation);
        }
        Verdict::Fail(self.fault)
    }

    /// Something that could not be opened.
    pub fn net(phase: &str, error: &NetError) -> Self {
        if let NetError::Forbidden(refusal) = error {
            return Self::policy(phase, refusal);
        }
        Self { is_local: error.is_local(), ..Self::new(phase, error.class(), error.to_string()) }
    }

    /// A question that DNS did not answer. Where no resolver answers anything, nobody can say anything of
    /// the target: where the system names the resolvers that is our own network's trouble, which is never
    /// counted as the target's; where the check names them, they are what fails, in the phase `resolve`.
    /// An answer that says "I could not" (SERVFAIL) is one about the name, and fails in the given phase.
    pub fn dns(phase: &str, error: &AskError) -> Self {
        if let AskError::Forbidden(refusal) = error {
            return Self::policy(phase, refusal);
        }
        let is_local = matches!(
            error,
            AskError::NotAsked { is_local: true, .. } | AskError::Silent { are_ours: true, .. }
        );
        let phase = if matches!(error, AskError::Silent { .. }) { name::RESOLVE } else { phase };
        Self { is_local, ..Self::new(phase, error.class(), error.to_string()) }
    }

    /// Bytes that did not come, or came too many. `awaited` is what they should have been.
    pub fn wire(phase: &str, awaited: &str, error: &WireError) -> Self {
        let (class, words) = match error {
            WireError::Closed => (
                FaultClass::Refused,
                format!("the server closed the connection instead of sending {awaited}"),
            ),
            WireError::Io(source) => (
                FaultClass::Refused,
                format!("the connection broke while {awaited} was awaited: {source}"),
            ),
            WireError::LineTooLong { limit } => (
                FaultClass::Protocol,
                format!(
                    "the server sent a line without end: {awaited} may have {limit} bytes a line"
                ),
            ),
            WireError::ResponseTooLong { limit } => (
                FaultClass::Protocol,
                format!("the server sent more than {limit} bytes as {awaited}"),
            ),
            WireError::LiteralTooLong { announced, limit } => (
                FaultClass::Protocol,
                format!(
                    "the server announced a literal of {announced} bytes in {awaited}, where at most \
                     {limit} are accepted"
                ),
            ),
            WireError::BytesBeforeTls => (
                FaultClass::Protocol,
                "the server (or somebody between) sent bytes after STARTTLS and before TLS: they \
                 would have been injected into the session"
                    .to_owned(),
            ),
            WireError::Distrusted { why } => (FaultClass::Mismatch, why.clone()),
            WireError::NotTheProtocol { said } => {
                (FaultClass::Protocol, format!("what the server sent is not {awaited}: {said}"))
            }
        };
        Self::new(phase, class, words)
    }

    /// Nothing came in time.
    pub fn timeout(phase: &str, awaited: &str, waited: Duration) -> Self {
        let words = format!("the server did not send {awaited} within {}", seconds(waited));
        Self::new(phase, FaultClass::Timeout, words)
    }

    /// With the server's own words and codes.
    #[must_use]
    pub fn with_reply(
        mut self,
        basic_code: Option<u16>,
        enhanced_code: Option<EnhancedCode>,
        reply: String,
    ) -> Self {
        self.fault.basic_code = basic_code;
        self.fault.enhanced_code = enhanced_code;
        self.fault.reply = reply;
        self
    }
}

/// A duration for people: `10 s`, `0.3 s`.
pub fn seconds(duration: Duration) -> String {
    let tenths = (duration.as_millis() + 50) / 100;
    if tenths.is_multiple_of(10) {
        format!("{} s", tenths / 10)
    } else {
        format!("{}.{} s", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::zone::silent;

    #[test]
    fn what_dns_does_not_answer_is_ours_only_where_the_system_names_the_resolver() {
        let failed = AskError::Failed {
            name: "a.test. MX".to_owned(),
            code: "SERVFAIL".to_owned(),
            extended: None,
        };
        let refused = |are_ours| match silent("a.test. MX", are_ours) {
            AskError::Silent { name, servers, why, are_ours, .. } => {
                AskError::Silent { name, servers, why, are_ours, is_refused: true }
            }
            other => other,
        };
        for (error, expected) in [
            (silent("a.test. MX", true), "void local_network"),
            (refused(true), "void local_network"),
            (silent("a.test. MX", false), "fail resolve timeout"),
            (refused(false), "fail resolve refused"),
            (AskError::Timeout { name: "a.test. MX".to_owned() }, "fail dns.lookup timeout"),
            (failed, "fail dns.lookup temporary"),
        ] {
            let verdict = match Failure::dns("dns.lookup", &error).into_verdict() {
                Verdict::Pass => "pass".to_owned(),
                Verdict::Fail(fault) => format!("fail {} {}", fault.phase, fault.class.as_str()),
                Verdict::Void { reason, .. } => format!("void {}", reason.as_str()),
            };
            assert_eq!(verdict, expected, "{error}");
        }
    }

    #[test]
    fn each_trouble_has_its_own_words() {
        let words = |error| Failure::wire("greeting", "the greeting", &error).fault.explanation;
        for (error, expected) in [
            (WireError::Closed, "the server closed the connection instead of sending the greeting"),
            (
                WireError::LineTooLong { limit: 8192 },
                "the server sent a line without end: the greeting may have 8192 bytes a line",
            ),
            (
                WireError::LiteralTooLong { announced: 1 << 30, limit: 65536 },
                "the server announced a literal of 1073741824 bytes in the greeting, where at most \
                 65536 are accepted",
            ),
        ] {
            assert_eq!(words(error), expected);
        }
        let late = Failure::timeout("data", "the answer to DATA", Duration::from_millis(10_040));
        assert_eq!(
            late.fault.to_string(),
            "data: timeout: the server did not send the answer to DATA within 10 s"
        );
        assert_eq!(seconds(Duration::from_millis(349)), "0.3 s");
    }
}
