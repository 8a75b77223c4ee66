//! What a message tells as one JSON object. Its keys are an interface: they may be added to, never
//! changed.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Explained;
use crate::mail::dsn::{Notification, Recipient};
use crate::mail::headers::authentication::{Method, Results};
use crate::mail::headers::gateway::Gateway;
use crate::mail::headers::hops::Passed;
use crate::mail::headers::signature::Signature;
use crate::mail::headers::spam::Spam;
use crate::mail::verify::{Check, Verified};

#[derive(Serialize)]
struct Report<'a> {
    /// `message` or `bounce`.
    kind: &'static str,
    recipients: Vec<RecipientReport<'a>>,
    hops: Vec<HopReport<'a>>,
    authentication: Vec<ResultsReport<'a>>,
    gateways: Vec<GatewayReport<'a>>,
    message: MessageReport<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bounce: Option<BounceReport<'a>>,
    signatures: Vec<SignatureReport<'a>>,
    spam: Vec<SpamReport<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<VerifiedReport<'a>>,
    hops_left_out: usize,
    headers_cut: bool,
    bytes_read: usize,
    read_whole: bool,
}

#[derive(Serialize)]
struct RecipientReport<'a> {
    address: Option<&'a str>,
    original: Option<&'a str>,
    action: &'static str,
    status: Option<String>,
    basic_code: Option<u16>,
    reason: &'static str,
    diagnostic: &'a str,
    remote_mta: Option<&'a str>,
    will_retry_until: Option<String>,
}

#[derive(Serialize)]
struct HopReport<'a> {
    number: usize,
    from: Option<&'a str>,
    from_name: Option<&'a str>,
    from_ip: Option<String>,
    helo: Option<&'a str>,
    by: Option<&'a str>,
    via: Option<&'a str>,
    with: Option<&'a str>,
    tls: Option<TlsReport<'a>>,
    id: Option<&'a str>,
    #[serde(rename = "for")]
    recipient: Option<&'a str>,
    date: Option<String>,
    delay_us: Option<i64>,
}

#[derive(Serialize)]
struct TlsReport<'a> {
    version: Option<&'a str>,
    cipher: Option<&'a str>,
}

#[derive(Serialize)]
struct ResultsReport<'a> {
    authserv_id: &'a str,
    trusted: bool,
    arc_instance: Option<u8>,
    results: Vec<MethodReport<'a>>,
}

#[derive(Serialize)]
struct MethodReport<'a> {
    method: &'a str,
    result: &'a str,
    reason: Option<&'a str>,
    properties: BTreeMap<&'a str, &'a str>,
    comment: Option<&'a str>,
}

#[derive(Serialize)]
struct GatewayReport<'a> {
    maker: &'static str,
    first_hop: Option<usize>,
    last_hop: Option<usize>,
    took_us: Option<i64>,
    headers: &'a [String],
}

#[derive(Serialize)]
struct MessageReport<'a> {
    message_id: Option<&'a str>,
    subject: Option<&'a str>,
    from: Option<&'a str>,
    to: Option<&'a str>,
    date: Option<&'a str>,
}

#[derive(Serialize)]
struct BounceReport<'a> {
    form: &'static str,
    reporting_mta: Option<&'a str>,
    arrival_date: Option<String>,
    envelope_id: Option<&'a str>,
    recipients_left_out: usize,
    returned: Option<MessageReport<'a>>,
}

#[derive(Serialize)]
struct SignatureReport<'a> {
    domain: &'a str,
    selector: &'a str,
    algorithm: &'a str,
    canonicalization: &'a str,
    identity: Option<&'a str>,
    headers: &'a [String],
    partial_body: bool,
}

#[derive(Serialize)]
struct SpamReport<'a> {
    filter: &'static str,
    spam: Option<bool>,
    score: Option<f64>,
    threshold: Option<f64>,
    details: BTreeMap<&'static str, &'a str>,
}

#[derive(Serialize)]
struct VerifiedReport<'a> {
    dkim: Vec<CheckReport<'a>>,
    spf: CheckReport<'a>,
    dmarc: CheckReport<'a>,
    arc: Option<CheckReport<'a>>,
}

#[derive(Serialize)]
struct CheckReport<'a> {
    result: &'static str,
    detail: &'a str,
}

/// The message as one line of JSON.
///
/// # Errors
/// When it cannot be made, which a value of texts and numbers never meets.
pub(crate) fn json(explained: &Explained) -> anyhow::Result<String> {
    let Explained { headers, about, notification, verified, trust, read } = explained;
    let recipients = notification.as_ref().map(|read| read.recipients.as_slice());
    let hops = (1..).zip(&headers.way.hops);
    let report = Report {
        kind: if notification.is_some() { "bounce" } else { "message" },
        recipients: recipients.unwrap_or_default().iter().map(RecipientReport::of).collect(),
        hops: hops.map(|(number, passed)| HopReport::of(number, passed)).collect(),
        authentication: headers
            .authentication
            .iter()
            .map(|results| ResultsReport::of(results, trust.includes(&results.authserv_id)))
            .collect(),
        gateways: headers.gateways.iter().map(GatewayReport::of).collect(),
        message: MessageReport {
            message_id: about.line("Message-ID").map(|id| id.trim_matches(['<', '>'])),
            subject: about.line("Subject"),
            from: about.line("From"),
            to: about.line("To"),
            date: about.line("Date"),
        },
        bounce: notification.as_ref().map(BounceReport::of),
        signatures: headers.signatures.iter().map(SignatureReport::of).collect(),
        spam: headers.spam.iter().map(SpamReport::of).collect(),
        verified: verified.as_ref().map(VerifiedReport::of),
        hops_left_out: headers.way.left_out,
        headers_cut: headers.is_cut,
        bytes_read: read.0,
        read_whole: read.1,
    };
    Ok(serde_json::to_string(&report)?)
}

impl<'a> RecipientReport<'a> {
    fn of(recipient: &'a Recipient) -> Self {
        Self {
            address: recipient.address.as_deref(),
            original: recipient.original.as_deref(),
            action: recipient.action.as_str(),
            status: recipient.status.map(|code| code.to_string()),
            basic_code: recipient.basic,
            reason: recipient.reason.as_str(),
            diagnostic: &recipient.diagnostic,
            remote_mta: recipient.remote_mta.as_deref(),
            will_retry_until: recipient.will_retry_until.map(|date| date.to_string()),
        }
    }
}

impl<'a> HopReport<'a> {
    fn of(number: usize, passed: &'a Passed) -> Self {
        let Passed { hop, delay_us } = passed;
        let tls = hop.tls.as_ref().map(|tls| TlsReport {
            version: tls.version.as_deref(),
            cipher: tls.cipher.as_deref(),
        });
        Self {
            number,
            from: hop.from.as_deref(),
            from_name: hop.from_name.as_deref(),
            from_ip: hop.from_ip.map(|ip| ip.to_string()),
            helo: hop.helo.as_deref(),
            by: hop.by.as_deref(),
            via: hop.via.as_deref(),
            with: hop.with.as_deref(),
            tls,
            id: hop.id.as_deref(),
            recipient: hop.recipient.as_deref(),
            date: hop.date.map(|date| date.to_string()),
            delay_us: *delay_us,
        }
    }
}

impl<'a> ResultsReport<'a> {
    fn of(results: &'a Results, trusted: bool) -> Self {
        let method = |method: &'a Method| MethodReport {
            method: &method.method,
            result: &method.result,
            reason: method.reason.as_deref(),
            properties: method.properties.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect(),
            comment: method.comment.as_deref(),
        };
        Self {
            authserv_id: &results.authserv_id,
            trusted,
            arc_instance: results.arc_instance,
            results: results.methods.iter().map(method).collect(),
        }
    }
}

impl<'a> GatewayReport<'a> {
    fn of(gateway: &'a Gateway) -> Self {
        Self {
            maker: gateway.maker.as_str(),
            first_hop: gateway.hops.as_ref().map(|hops| hops.start() + 1),
            last_hop: gateway.hops.as_ref().map(|hops| hops.end() + 1),
            took_us: gateway.took_us,
            headers: &gateway.headers,
        }
    }
}

impl<'a> BounceReport<'a> {
    fn of(notification: &'a Notification) -> Self {
        let returned = notification.returned.as_ref().map(|returned| MessageReport {
            message_id: returned.message_id.as_deref(),
            subject: returned.subject.as_deref(),
            from: returned.from.as_deref(),
            to: returned.to.as_deref(),
            date: None,
        });
        Self {
            form: notification.form,
            reporting_mta: notification.reporting_mta.as_deref(),
            arrival_date: notification.arrival_date.map(|date| date.to_string()),
            envelope_id: notification.envelope_id.as_deref(),
            recipients_left_out: notification.left_out,
            returned,
        }
    }
}

impl<'a> SignatureReport<'a> {
    fn of(signature: &'a Signature) -> Self {
        Self {
            domain: &signature.domain,
            selector: &signature.selector,
            algorithm: &signature.algorithm,
            canonicalization: &signature.canonicalization,
            identity: signature.identity.as_deref(),
            headers: &signature.headers,
            partial_body: signature.has_length,
        }
    }
}

impl<'a> SpamReport<'a> {
    fn of(spam: &'a Spam) -> Self {
        Self {
            filter: spam.filter,
            spam: spam.is_spam,
            score: spam.score,
            threshold: spam.threshold,
            details: spam.details.iter().map(|(name, value)| (*name, value.as_str())).collect(),
        }
    }
}

impl<'a> VerifiedReport<'a> {
    fn of(verified: &'a Verified) -> Self {
        let check =
            |check: &'a Check| CheckReport { result: check.result.as_str(), detail: &check.detail };
        Self {
            dkim: verified.dkim.iter().map(check).collect(),
            spf: check(&verified.spf),
            dmarc: check(&verified.dmarc),
            arc: verified.arc.as_ref().map(check),
        }
    }
}
