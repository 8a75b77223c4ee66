//! What the stapled OCSP response comes to, or its absence.

use std::time::Duration;

use mailsonde_proto::{Fact, Finding, WallTime};

use super::judge::second;
use super::rules;
use crate::net::Inspection;
use crate::net::tls::staple::{Staple, StapleError, Status};

/// A response without an end is stale after this long (RFC 5019 section 4 wants one; CAs give a week).
const LONGEST_WITHOUT_END: Duration = Duration::from_secs(10 * 86_400);
/// Clocks may differ by so much (RFC 6960 section 4.2.2.1).
const SKEW: Duration = Duration::from_secs(300);

/// The response, held against the certificate.
pub(super) struct Stapled {
    read: Option<Result<Staple, StapleError>>,
    must_be: bool,
    now: WallTime,
}

impl Stapled {
    pub(super) fn of(inspection: &Inspection, now: WallTime) -> Self {
        let leaf = inspection.leaf();
        let path = inspection.path();
        let issuer = path.get(1).copied();
        let staple = inspection.staple.as_deref();
        Self {
            read: staple.zip(leaf).map(|(bytes, leaf)| Staple::read(bytes, leaf, issuer)),
            must_be: leaf.is_some_and(|leaf| leaf.must_staple),
            now,
        }
    }

    pub(super) fn is_revoked(&self) -> bool {
        let status = self.read.as_ref().and_then(|read| read.as_ref().ok());
        status.is_some_and(|staple| matches!(staple.status, Status::Revoked { .. }))
    }

    pub(super) fn facts(&self) -> Vec<Fact> {
        let staple = match &self.read {
            None => return vec![Fact::new("tls.ocsp", "none")],
            Some(Err(_)) => return vec![Fact::new("tls.ocsp", "invalid")],
            Some(Ok(staple)) => staple,
        };
        let status = match staple.status {
            Status::Good => "good",
            Status::Revoked { .. } => "revoked",
            Status::Unknown => "unknown",
        };
        let mut facts = vec![
            Fact::new("tls.ocsp", status),
            Fact::new("tls.ocsp_this_update", second(staple.this_update)),
        ];
        let next = staple.next_update.map(second);
        facts.extend(next.map(|next| Fact::new("tls.ocsp_next_update", next)));
        facts
    }

    pub(super) fn findings(&self) -> Vec<Finding> {
        let staple = match &self.read {
            None if self.must_be => {
                let words =
                    "the certificate says that it must come with an OCSP response, and none came";
                return vec![rules::MUST_STAPLE.broken(words)];
            }
            None => return Vec::new(),
            Some(Err(error)) => return vec![rules::OCSP_INVALID.broken(error.to_string())],
            Some(Ok(staple)) => staple,
        };
        let mut findings = Vec::new();
        match &staple.status {
            Status::Good => {}
            Status::Unknown => {
                findings.push(rules::OCSP_UNKNOWN.broken("the responder says 'unknown'"));
            }
            Status::Revoked { at, reason } => {
                let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
                let words = format!("revoked since {}{why}", second(*at));
                findings.push(rules::OCSP_REVOKED.broken(words));
            }
        }
        findings.extend(self.stale(staple).map(|words| rules::OCSP_STALE.broken(words)));
        findings
    }

    fn stale(&self, staple: &Staple) -> Option<String> {
        let (this, next) = (staple.this_update, staple.next_update);
        if this > self.now.plus(SKEW) {
            return Some(format!("it is of {}, which is still to come", second(this)));
        }
        match next {
            Some(next) if next.plus(SKEW) < self.now => {
                Some(format!("a newer one was to be had from {} on", second(next)))
            }
            None if this.plus(LONGEST_WITHOUT_END) < self.now => {
                Some(format!("it is of {} and does not say until when it holds", second(this)))
            }
            _ => None,
        }
    }
}
