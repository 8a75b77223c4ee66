//! DANE of every mail exchanger (RFC 7672): its TLSA records beside the certificate that it really shows.

use std::net::IpAddr;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use hickory_resolver::proto::rr::RecordType;
use mailsonde_proto::FaultClass;
use mailsonde_proto::phase::name;
use rustls::pki_types::{CertificateDer, UnixTime};

use super::super::exchangers::{Exchanger, exchangers};
use super::super::group::{Context, Looked};
use crate::dns::Security;
use crate::mail::dial::{Dial, Patience};
use crate::mail::endpoint::{Endpoint, Tls};
use crate::mail::failure::Failure;
use crate::mail::smtp::PHASES;
use crate::mail::starttls::{Prelude, begin};
use crate::net::{InspectOptions, Inspection, Reason, TlsTrust};
use crate::posture::dane::{self, Seen};
use crate::stopwatch::Stopwatch;

/// Exchangers that are looked at.
const MOST_EXCHANGERS: usize = 10;
/// How long one step with an exchanger may take.
const STEP: Duration = Duration::from_secs(10);

/// Looks at the exchangers.
pub(in crate::probe::dns) fn look<'a>(context: &'a Context<'a>) -> BoxFuture<'a, Looked> {
    async {
        let mut looked = Looked::default();
        // The group of the MX tells what is wrong with them.
        let Ok(mx) = context.dns.ask(context.domain, RecordType::MX).await else { return looked };
        let Ok(found) = exchangers(context.dns, context.domain).await else { return looked };
        let each = found
            .iter()
            .take(MOST_EXCHANGERS)
            .map(|exchanger| one(context, exchanger, mx.security));
        for one in join_all(each).await {
            looked.facts.extend(one.facts);
            looked.findings.extend(one.findings);
            looked.records.extend(one.records);
        }
        looked
    }
    .boxed()
}

async fn one(context: &Context<'_>, exchanger: &Exchanger, mx: Security) -> Looked {
    let host = exchanger.shown();
    let port = context.check.smtp_port;
    let (tlsa, tlsa_is_secure) = match dane::records(context.dns, &host, port).await {
        Ok(found) => found,
        Err(error) => {
            let mut looked = Looked::default();
            looked.unanswered(&error);
            return looked;
        }
    };
    let has_usable = tlsa.iter().any(|record| record.usable().is_ok());
    let judged = dane::Exchanger {
        domain: context.check.shown(),
        is_checked: mx != Security::Unchecked,
        is_secure: mx == Security::Secure && addresses_are_secure(exchanger),
        tlsa,
        tlsa_is_secure,
        host,
    };
    let seen = if has_usable {
        Some(seen(context, &judged.host, &exchanger.addresses()).await)
    } else {
        None
    };
    let now = Duration::from_nanos(u64::try_from(context.clock.wall().as_ns()).unwrap_or(0));
    Looked::of(dane::examine(&judged, seen.as_ref(), UnixTime::since_unix_epoch(now)))
}

/// Only a host whose addresses are proven is asked for TLSA records by senders (RFC 7672 section 2.2.2).
fn addresses_are_secure(exchanger: &Exchanger) -> bool {
    [&exchanger.v4, &exchanger.v6]
        .into_iter()
        .flatten()
        .filter(|answer| answer.answers.iter().any(|record| record.data.ip_addr().is_some()))
        .all(|answer| answer.security == Security::Secure)
}

/// Connects, speaks SMTP up to TLS, and looks at the certificates, whatever they are.
async fn seen(context: &Context<'_>, host: &str, addresses: &[IpAddr]) -> Seen {
    match inspected(context, host, addresses).await {
        Ok(inspection) => match inspection.refusal {
            Some(refusal) if refusal.reason == Reason::Proof => Seen::NoTls(refusal.words),
            _ => {
                let chain = inspection.chain.into_iter();
                Seen::Chain(chain.map(|read| CertificateDer::from(read.der)).collect())
            }
        },
        Err(failure) => {
            let is_tls = failure.fault.phase == name::TLS;
            let is_late =
                matches!(failure.fault.class, FaultClass::Timeout | FaultClass::Temporary);
            let words = failure.fault.to_string();
            if is_tls && !is_late { Seen::NoTls(words) } else { Seen::Nothing(words) }
        }
    }
}

async fn inspected(
    context: &Context<'_>,
    host: &str,
    addresses: &[IpAddr],
) -> Result<Inspection, Failure> {
    let patience = Patience { clock: context.clock, step: STEP, deadline: context.deadline };
    let dial = Dial { net: context.net, patience, names: PHASES };
    let endpoint = Endpoint {
        host: host.to_owned(),
        port: context.check.smtp_port,
        tls: Tls::Opportunistic,
        trust: TlsTrust::anybody(),
        login: None,
    };
    let mut watch = Stopwatch::start(context.clock);
    let record = dial.record(&endpoint);
    let mut wire = dial.connect(&endpoint, addresses, record, &mut watch).await?;
    begin(&mut wire, Prelude::Smtp, &patience, &mut watch).await?;
    let options = InspectOptions::default();
    let (_wire, inspection) = dial.inspect(wire, (host, &endpoint.trust), &options).await?;
    Ok(inspection)
}
