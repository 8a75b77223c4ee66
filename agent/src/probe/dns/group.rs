//! What a group of rules is: a name, a phase, and a function that looks.

use std::time::Duration;

use futures_util::future::BoxFuture;
use hickory_resolver::proto::rr::Name;
use mailsonde_proto::time::Instant;
use mailsonde_proto::{Clock, Fact, FaultClass, Finding, Severity};

use super::records::RecordSet;
use super::settings::DnsCheck;
use super::{caa, dnssec, mx, policies, ptr, reach, servers, srv, ttl};
use crate::dns::{Ask, AskError, AskServer};
use crate::mail::failure::Failure;
use crate::net::Net;
use crate::posture::Rule;

/// All groups, in the order in which their findings are told: one line each.
pub(in crate::probe) const GROUPS: &[Group] = &[
    Group { name: "mx", phase: "dns.mx", look: mx::look },
    Group { name: "reach", phase: "dns.reach", look: reach::look },
    Group { name: "ptr", phase: "dns.ptr", look: ptr::look },
    Group { name: "spf", phase: "dns.spf", look: policies::spf },
    Group { name: "dkim", phase: "dns.dkim", look: policies::dkim },
    Group { name: "dmarc", phase: "dns.dmarc", look: policies::dmarc },
    Group { name: "mta_sts", phase: "dns.mta_sts", look: policies::mta_sts },
    Group { name: "dane", phase: "dns.dane", look: policies::dane::look },
    Group { name: "tlsrpt", phase: "dns.tlsrpt", look: policies::tlsrpt },
    Group { name: "bimi", phase: "dns.bimi", look: policies::bimi },
    Group { name: "srv", phase: "dns.srv", look: srv::look },
    Group { name: "caa", phase: "dns.caa", look: caa::look },
    Group { name: "servers", phase: "dns.servers", look: servers::look },
    Group { name: "ttl", phase: "dns.ttl", look: ttl::look },
    Group { name: "dnssec", phase: "dns.dnssec", look: dnssec::look },
];

/// One group of rules.
pub(in crate::probe) struct Group {
    /// As in `rules = ["mx"]`.
    pub(in crate::probe) name: &'static str,
    /// Its phase: how long its look-ups took.
    pub(in crate::probe) phase: &'static str,
    /// Looks at its part; never fails, what cannot be looked up is told as such.
    pub(in crate::probe) look: for<'a> fn(&'a Context<'a>) -> BoxFuture<'a, Looked>,
}

/// What a group may ask and look at.
pub(in crate::probe) struct Context<'a> {
    /// The mail domain.
    pub(in crate::probe) domain: &'a Name,
    /// The check's settings.
    pub(in crate::probe) check: &'a DnsCheck,
    /// The resolvers; each question is put once in a run, so groups need not share what they heard.
    pub(in crate::probe) dns: &'a dyn Ask,
    /// Single servers, asked directly.
    pub(in crate::probe) servers: &'a dyn AskServer,
    /// For what is fetched and connected.
    pub(in crate::probe) net: &'a Net,
    /// What time it is.
    pub(in crate::probe) clock: Clock,
    /// When the run must be over.
    pub(in crate::probe) deadline: Instant,
}

impl Context<'_> {
    /// What is left of the run's time.
    pub(in crate::probe) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(self.clock.monotonic())
    }
}

/// What one group found. All of it is bounded when it is told: texts are cut, and what is too much is
/// left out and counted.
#[derive(Debug, Default)]
pub(in crate::probe) struct Looked {
    /// What was learnt.
    pub(in crate::probe) facts: Vec<Fact>,
    /// Rules that do not hold.
    pub(in crate::probe) findings: Vec<Finding>,
    /// Record sets whose change is worth knowing.
    pub(in crate::probe) records: Vec<RecordSet>,
    /// What the check expects and what does not hold: the first of all groups fails the run.
    pub(in crate::probe) faults: Vec<Failure>,
}

/// A question that nobody answered.
const UNANSWERED: Rule = Rule {
    name: "dns.unanswered",
    severity: Severity::Warning,
    source: "RFC 1035 section 4.1.1",
    advice: "ask the name servers of that name directly, and mend the one that does not answer",
};
/// An answer that DNSSEC proves wrong: validating resolvers do not hand it on.
const BOGUS: Rule = Rule {
    name: "dns.bogus",
    severity: Severity::Critical,
    source: "RFC 4035 section 5.5",
    advice: "sign the zone again, or make the DS records at its parent those of its keys; until then \
             everybody who validates finds nothing",
};

impl Looked {
    /// Adds a fact.
    pub(in crate::probe) fn fact(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.facts.push(Fact::new(name, value));
    }

    /// Adds a finding.
    pub(in crate::probe) fn find(&mut self, rule: &Rule, evidence: impl Into<String>) {
        self.findings.push(rule.finding(evidence));
    }

    /// Keeps a record set.
    pub(in crate::probe) fn keep(&mut self, records: RecordSet) {
        self.records.push(records);
    }

    /// Tells that a question was not answered; the same one of several groups is told once.
    pub(in crate::probe) fn unanswered(&mut self, error: &AskError) {
        let rule = if matches!(error, AskError::Bogus { .. }) { &BOGUS } else { &UNANSWERED };
        self.find(rule, error.to_string());
    }

    /// Whether a question was not answered.
    pub(in crate::probe) fn has_unanswered(&self) -> bool {
        self.findings.iter().any(|finding| finding.rule == UNANSWERED.name)
    }

    /// Tells that something is not what the check expects.
    pub(in crate::probe) fn unexpected(&mut self, phase: &'static str, words: impl Into<String>) {
        self.faults.push(Failure::new(phase, FaultClass::Mismatch, words));
    }
}
