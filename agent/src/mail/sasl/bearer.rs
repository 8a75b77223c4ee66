//! Sign-in by access token: OAUTHBEARER (RFC 7628) and XOAUTH2 (Google's "OAuth 2.0 Mechanism", which
//! Microsoft speaks as well).
//!
//! The client says all it has to say at once. A server that does not accept it explains itself in a
//! challenge, in JSON; that is answered by next to nothing, and the refusal proper follows.

use std::sync::Arc;

use mailsonde_proto::FaultClass;
use mailsonde_proto::time::Instant;
use serde_json::Value;

use super::SaslError;
use crate::mail::failure::{Failure, seconds};
use crate::mail::oauth::{Mechanism, TokenSource};
use crate::secret::Secret;

/// The most characters of each part of a server's explanation.
const MOST_WORDS: usize = 200;

/// One sign-in by token under way.
pub(super) struct Bearer {
    mechanism: Mechanism,
    source: Arc<TokenSource>,
    token: Secret,
    user: String,
    /// What the server says is wrong, once it has said so.
    complaint: Option<Complaint>,
}

impl Bearer {
    /// By the configured mechanism, or the first of both that is offered.
    pub(super) fn begin(
        offered: &[String],
        user: &str,
        source: &Arc<TokenSource>,
    ) -> Result<Self, SaslError> {
        let wanted = source.mechanism();
        let known = [Mechanism::OAuthBearer, Mechanism::XOAuth2].into_iter();
        let mut usable = known.filter(|known| wanted.is_none_or(|wanted| wanted == *known));
        let mechanism = usable
            .find(|known| offered.iter().any(|offer| offer == word(*known)))
            .ok_or_else(|| SaslError::NoTokens { offered: offered.join(" ") })?;
        let token = source.current().ok_or(SaslError::NoTokenNow)?;
        // Neither mechanism can quote its separator (RFC 7628 section 3.1).
        if user.contains('\u{1}') {
            return Err(SaslError::Unusable("the login contains a control character".to_owned()));
        }
        let source = Arc::clone(source);
        Ok(Self { mechanism, source, token, user: user.to_owned(), complaint: None })
    }

    pub(super) fn mechanism(&self) -> &'static str {
        word(self.mechanism)
    }

    /// RFC 7628 section 3.1; the login as a `saslname` (RFC 5801 section 4).
    pub(super) fn first(&self) -> Vec<u8> {
        let (user, token) = (&self.user, self.token.expose());
        match self.mechanism {
            Mechanism::OAuthBearer => {
                let user = user.replace('=', "=3D").replace(',', "=2C");
                format!("n,a={user},\u{1}auth=Bearer {token}\u{1}\u{1}")
            }
            Mechanism::XOAuth2 => format!("user={user}\u{1}auth=Bearer {token}\u{1}\u{1}"),
        }
        .into_bytes()
    }

    /// Takes the server's explanation, and answers by a lone separator (RFC 7628 section 3.2.3) or by nothing
    /// (XOAUTH2).
    pub(super) fn answer(&mut self, challenge: &[u8]) -> Result<Vec<u8>, SaslError> {
        if self.complaint.is_some() {
            return Err(SaslError::Challenge("one challenge too many".to_owned()));
        }
        self.complaint = Some(Complaint::read(challenge));
        Ok(match self.mechanism {
            Mechanism::OAuthBearer => vec![1],
            Mechanism::XOAuth2 => Vec::new(),
        })
    }

    /// Whether all is said that a sign-in which succeeds needs.
    pub(super) fn is_finished(&self) -> bool {
        self.complaint.is_none()
    }

    /// What a refusal means, with what the server explained before. Unless it is one for the moment only, the
    /// token is dropped.
    pub(super) fn refused(&self, mut failure: Failure, now: Instant) -> Failure {
        let mechanism = self.mechanism();
        let mut words = format!("the server refused the sign-in by access token ({mechanism})");
        if let Some(complaint) = &self.complaint {
            words.push_str(&complaint.words());
        }
        if failure.fault.class == FaultClass::Temporary {
            words.push_str("; that is for the moment, and the token is kept");
        } else if let Some(age) = self.source.drop_token(&self.token, now) {
            let age = seconds(age);
            words.push_str(&format!(
                "; the token, {age} old, is dropped: the next run asks for a new one"
            ));
        }
        failure.fault.explanation = words;
        failure
    }
}

const fn word(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::OAuthBearer => "OAUTHBEARER",
        Mechanism::XOAuth2 => "XOAUTH2",
    }
}

/// What a server says is wrong with a token (RFC 7628 section 3.2.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Complaint {
    /// An error of RFC 6750 section 3.1, or a status of HTTP.
    pub status: Option<String>,
    /// What the token should be good for.
    pub scope: Option<String>,
    /// Where a good one could be had.
    pub configuration: Option<String>,
}

impl Complaint {
    /// What can be read of a challenge; all of it is optional.
    pub fn read(challenge: &[u8]) -> Self {
        let said: Value = serde_json::from_slice(challenge).unwrap_or_default();
        let text = |key: &str| {
            let text = match said.get(key)? {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => return None,
            };
            let shown: String = text.chars().filter(|c| !c.is_control()).take(MOST_WORDS).collect();
            (!shown.is_empty()).then_some(shown)
        };
        Self {
            status: text("status"),
            scope: text("scope"),
            configuration: text("openid-configuration"),
        }
    }

    /// As it stands in a fault.
    pub fn words(&self) -> String {
        let mut words = match self.status.as_deref() {
            Some(status @ ("401" | "invalid_token")) => format!(
                ", status {status}: the token has expired, was revoked, or is not for this mailbox"
            ),
            Some(status @ ("403" | "insufficient_scope")) => {
                format!(", status {status}: the token is not good for what it is used for")
            }
            Some(status @ ("400" | "invalid_request")) => {
                format!(
                    ", status {status}: the token, or the login beside it, is not what it takes"
                )
            }
            Some(status) => format!(", status {status}"),
            None => ", without a reason that can be read".to_owned(),
        };
        if let Some(scope) = &self.scope {
            words.push_str(&format!("; it wants the scope {scope}"));
        }
        if let Some(configuration) = &self.configuration {
            words.push_str(&format!("; see {configuration}"));
        }
        words
    }
}

#[cfg(test)]
mod tests;
