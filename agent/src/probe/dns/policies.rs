//! Policies that a mail domain publishes: who may send for it, how it signs, what is to happen to mail that
//! fails, and that it wants TLS. The rules themselves stand in `posture`; here they become groups.

pub(super) mod dane;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hickory_resolver::proto::rr::{RData, RecordType};

use super::exchangers::shown;
use super::group::{Context, Looked};
use super::records::RecordSet;
use crate::http::Fetch;
use crate::mail::dial::Patience;
use crate::mail::wire::Record;
use crate::posture::{self, Told};
use crate::transcript::Transcript;

/// How a group looks.
#[cfg(test)]
type Look = for<'a> fn(&'a Context<'a>) -> BoxFuture<'a, Looked>;

/// Where the policy of MTA-STS is served (RFC 8461 section 3.3).
const HTTPS: u16 = 443;

impl Looked {
    /// What one of the libraries tells.
    pub(super) fn of(told: Told) -> Self {
        let mut looked = Self::default();
        looked.add(told);
        looked
    }

    pub(super) fn add(&mut self, told: Told) {
        self.facts.extend(told.facts);
        self.findings.extend(told.findings);
        for error in &told.unanswered {
            self.unanswered(error);
        }
        for (key, texts) in told.records {
            self.keep(RecordSet::of_lines(key, texts));
        }
    }
}

/// Who may send for the domain (RFC 7208).
pub(super) fn spf<'a>(context: &'a Context<'a>) -> BoxFuture<'a, Looked> {
    async { Looked::of(posture::spf::examine(context.dns, context.domain).await) }.boxed()
}

/// The keys of the selectors that are given (RFC 6376).
pub(super) fn dkim<'a>(context: &'a Context<'a>) -> BoxFuture<'a, Looked> {
    let selectors = &context.check.selectors;
    async { Looked::of(posture::dkim::examine(context.dns, context.domain, selectors).await) }
        .boxed()
}

/// What is to happen to mail that fails (RFC 9989).
pub(super) fn dmarc<'a>(context: &'a Context<'a>) -> BoxFuture<'a, Looked> {
    async { Looked::of(posture::dmarc::examine(context.dns, context.domain).await.0) }.boxed()
}

/// The domain's logo, which needs DMARC's policy.
pub(super) fn bimi<'a>(context: &'a Context<'a>) -> BoxFuture<'a, Looked> {
    async {
        // Each question is put once in a run: what DMARC's own group asks is not asked again.
        let (_, enforcement) = posture::dmarc::examine(context.dns, context.domain).await;
        Looked::of(posture::bimi::examine(context.dns, context.domain, &enforcement).await)
    }
    .boxed()
}

/// Where reports about TLS go (RFC 8460).
pub(super) fn tlsrpt<'a>(context: &'a Context<'a>) -> BoxFuture<'a, Looked> {
    async {
        if takes_no_mail(context).await {
            return Looked::default();
        }
        Looked::of(posture::tlsrpt::examine(context.dns, context.domain).await)
    }
    .boxed()
}

/// That senders are to want TLS (RFC 8461).
pub(super) fn mta_sts<'a>(context: &'a Context<'a>) -> BoxFuture<'a, Looked> {
    async {
        if takes_no_mail(context).await {
            return Looked::default();
        }
        let hosts = match context.dns.ask(context.domain, RecordType::MX).await {
            Ok(answer) => answer
                .data(RecordType::MX)
                .filter_map(|data| match data {
                    RData::MX(mx) if !mx.exchange.is_root() => Some(shown(&mx.exchange)),
                    _ => None,
                })
                .take(posture::mta_sts::MOST_EXCHANGERS)
                .collect(),
            // The group of the MX tells it.
            Err(_) => Vec::new(),
        };
        let within = std::time::Duration::from_secs(posture::mta_sts::FETCH_WITHIN_S);
        let within = within.min(context.left());
        let deadline = context.clock.monotonic() + within;
        let patience = Patience { clock: context.clock, step: within, deadline };
        let fetch = Fetch::new(context.net, patience, &context.check.trust);
        let record = Record::new(Transcript::start(context.clock, Vec::new()));
        let (dns, domain) = (context.dns, context.domain);
        let told = posture::mta_sts::examine(dns, domain, &hosts, (&fetch, HTTPS), &record).await;
        Looked::of(told)
    }
    .boxed()
}

/// Whether the domain says by a null MX that it takes no mail (RFC 7505): then nobody delivers to it, with
/// TLS or without.
async fn takes_no_mail(context: &Context<'_>) -> bool {
    let answer = context.dns.ask(context.domain, RecordType::MX).await;
    answer.is_ok_and(|answer| {
        let mut hosts = answer.data(RecordType::MX);
        let is_null = |data: &RData| matches!(data, RData::MX(mx) if mx.exchange.is_root());
        hosts.next().is_some_and(is_null) && hosts.next().is_none()
    })
}

#[cfg(test)]
mod tests;
