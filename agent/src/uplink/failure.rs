//! Why the agent has no stream to its collector, in words that say what to do.

use std::error::Error;
use std::time::Duration;

use mailsonde_proto::{AgentId, WallTime};
use tonic::{Code, Status};

use super::credentials::CredentialsError;
use super::enrolment::EnrolmentError;
use crate::net::NetError;

/// Characters of a collector's words that are shown.
const MOST_WORDS: usize = 300;

/// Why there is no stream, or why it ended.
#[derive(Debug, thiserror::Error)]
pub enum UplinkError {
    /// Certificates or key cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The agent's own certificate is over.
    #[error("the agent's certificate expired on {0}, and there is no new one yet: {1}")]
    Expired(WallTime, #[source] Box<EnrolmentError>),
    /// The agent's own certificate has not begun.
    #[error("the agent's certificate is valid from {0} on only: set this machine's clock")]
    NotYetValid(WallTime),
    /// No connection.
    #[error("{0}")]
    Net(#[source] NetError),
    /// Connected, but not to the collector that the agent was made for.
    #[error(
        "{0}; compare ca and server_name in [collector] with what `mailsonde-agent enroll` wrote"
    )]
    NotTrusted(#[source] NetError),
    /// The other end speaks TLS but not gRPC.
    #[error("what answers at the collector's address is not a collector: {0}")]
    NotACollector(String),
    /// The collector does not take the agent's certificate.
    #[error(
        "the collector does not accept this agent's certificate ({0}): it is of another authority \
         or expired; enrol the agent anew by `mailsonde-agent enroll TOKEN`"
    )]
    CertificateRefused(String),
    /// The collector refuses this agent, in its own words.
    #[error("the collector refuses this agent: {0}")]
    Refused(String),
    /// The collector wants to see another certificate, in its own words.
    #[error("the collector does not take this agent's certificate: {0}")]
    Unauthenticated(String),
    /// The collector takes the agent for another.
    #[error("the collector takes this agent for {said}, but its certificate is {own}'s")]
    OtherAgent {
        /// What the collector said.
        said: AgentId,
        /// What is so.
        own: AgentId,
    },
    /// The collector said something that makes no sense.
    #[error("the collector does not keep to the protocol: {0}")]
    Protocol(String),
    /// The collector does not answer.
    #[error("the collector gave no {what} within {within:?}")]
    Silent {
        /// What was waited for.
        what: &'static str,
        /// For how long.
        within: Duration,
    },
    /// The stream ended.
    #[error("the collector ended the stream: {0}")]
    Ended(String),
    /// The outbox is closed: the agent is ending.
    #[error("the outbox is closed")]
    OutboxClosed,
}

impl From<NetError> for UplinkError {
    fn from(error: NetError) -> Self {
        match error {
            NetError::Certificate { .. } => Self::NotTrusted(error),
            other => Self::Net(other),
        }
    }
}

impl UplinkError {
    /// What a status means.
    pub(crate) fn of_status(status: &Status) -> Self {
        if let Some(alert) = alert_in(status) {
            return Self::CertificateRefused(alert);
        }
        let words = words(status.message());
        match status.code() {
            Code::PermissionDenied => Self::Refused(words),
            Code::Unauthenticated => Self::Unauthenticated(words),
            Code::Unimplemented => Self::NotACollector(words),
            Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => {
                Self::Protocol(words)
            }
            _ => Self::Ended(match status.source() {
                Some(source) => format!("{words} ({})", innermost(source)),
                None => words,
            }),
        }
    }

    /// With what is known of how the connection broke, where that says more.
    pub(super) fn with(self, testimony: Option<&String>) -> Self {
        match (self, testimony) {
            (Self::Ended(_), Some(said)) => match alert_named(said) {
                Some(alert) => Self::CertificateRefused(alert),
                None => Self::Ended(words(said)),
            },
            (error, _) => error,
        }
    }

    /// What an error of the HTTP/2 layer means.
    pub(super) fn of_transport(error: &tonic::transport::Error) -> Self {
        match alert_in(error) {
            Some(alert) => Self::CertificateRefused(alert),
            None => Self::NotACollector(innermost(error)),
        }
    }
}

/// In TLS 1.3 a server's refusal of our certificate comes when the handshake is over for us: it stands
/// deep in the error of whatever is read first, and HTTP/2 keeps of it no more than its words.
fn alert_in(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(alert) = alert_named(&error.to_string()) {
            return Some(alert);
        }
        next = error.source();
    }
    None
}

fn alert_named(said: &str) -> Option<String> {
    let (_, alert) = said.split_once("received fatal alert: ")?;
    Some(alert.chars().take_while(char::is_ascii_alphanumeric).take(64).collect())
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    words(&innermost.to_string())
}

/// A peer's words, fit for a log line.
fn words(said: &str) -> String {
    let words: String =
        said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST_WORDS).collect();
    if words.trim().is_empty() { "it gave no reason".to_owned() } else { words }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_words() {
        let check = |status: Status, expected: &str| {
            assert_eq!(UplinkError::of_status(&status).to_string(), expected);
        };
        check(
            Status::permission_denied("agent 07 was revoked"),
            "the collector refuses this agent: agent 07 was revoked",
        );
        check(
            Status::unavailable("going down\r\nfake log line"),
            "the collector ended the stream: going down  fake log line",
        );
        check(Status::internal(""), "the collector ended the stream: it gave no reason");
        check(
            Status::invalid_argument("a hello is missing"),
            "the collector does not keep to the protocol: a hello is missing",
        );
        let long = UplinkError::of_status(&Status::aborted("x".repeat(100_000))).to_string();
        assert!(long.len() < 400);
    }

    #[test]
    fn an_alert_is_found_however_deep_it_lies() {
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::UnknownCA);
        let wrapped = std::io::Error::other(std::io::Error::other(alert));
        let status = Status::from_error(Box::new(wrapped));
        let said = UplinkError::of_status(&status).to_string();
        assert!(
            said.starts_with("the collector does not accept this agent's certificate"),
            "{said}"
        );
    }
}
