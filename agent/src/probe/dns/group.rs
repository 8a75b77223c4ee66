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
use crate::posture::{self, Rule};

/// All groups, in the order in which their findings are told: one line each.
pub(in crate::probe) const GROUPS: &[Group] = &[
    Group {
        name: "mx",
        phase: "dns.mx",
        about: "MX records and what they name",
        rules: &[mx::RULES],
        look: mx::look,
    },
    Group {
        name: "reach",
        phase: "dns.reach",
        about: "whether the exchangers can be reached, by address family and, with `connect`, at port 25",
        rules: &[reach::RULES],
        look: reach::look,
    },
    Group {
        name: "ptr",
        phase: "dns.ptr",
        about: "the names of the exchangers' addresses, and whether they lead back",
        rules: &[ptr::RULES],
        look: ptr::look,
    },
    Group {
        name: "spf",
        phase: "dns.spf",
        about: "the SPF record and all that it includes",
        rules: &[posture::spf::RULES],
        look: policies::spf,
    },
    Group {
        name: "dkim",
        phase: "dns.dkim",
        about: "the keys of `selectors`",
        rules: &[posture::dkim::RULES],
        look: policies::dkim,
    },
    Group {
        name: "dmarc",
        phase: "dns.dmarc",
        about: "the DMARC record that holds for the domain",
        rules: &[posture::dmarc::RULES],
        look: policies::dmarc,
    },
    Group {
        name: "mta_sts",
        phase: "dns.mta_sts",
        about: "the MTA-STS record and its policy, fetched by HTTPS",
        rules: &[posture::mta_sts::RULES],
        look: policies::mta_sts,
    },
    Group {
        name: "dane",
        phase: "dns.dane",
        about: "the TLSA records of the exchangers, held against their certificates",
        rules: &[posture::dane::RULES],
        look: policies::dane::look,
    },
    Group {
        name: "tlsrpt",
        phase: "dns.tlsrpt",
        about: "where reports about TLS go",
        rules: &[posture::tlsrpt::RULES],
        look: policies::tlsrpt,
    },
    Group {
        name: "bimi",
        phase: "dns.bimi",
        about: "the BIMI record",
        rules: &[posture::bimi::RULES],
        look: policies::bimi,
    },
    Group {
        name: "srv",
        phase: "dns.srv",
        about: "the SRV records by which mail programs find servers",
        rules: &[srv::RULES],
        look: srv::look,
    },
    Group {
        name: "caa",
        phase: "dns.caa",
        about: "which authorities may give out certificates",
        rules: &[caa::RULES],
        look: caa::look,
    },
    Group {
        name: "servers",
        phase: "dns.servers",
        about: "every authoritative name server, asked directly, and their SOA",
        rules: &[servers::RULES, servers::SOA_RULES],
        look: servers::look,
    },
    Group {
        name: "ttl",
        phase: "dns.ttl",
        about: "how long the records are kept by others",
        rules: &[ttl::RULES],
        look: ttl::look,
    },
    Group {
        name: "dnssec",
        phase: "dns.dnssec",
        about: "whether the domain is signed, validly, and for how much longer",
        rules: &[dnssec::RULES],
        look: dnssec::look,
    },
];

/// One group of rules.
pub(in crate::probe) struct Group {
    /// As in `rules = ["mx"]`.
    pub(in crate::probe) name: &'static str,
    /// Its phase: how long its look-ups took.
    pub(in crate::probe) phase: &'static str,
    /// What it looks at, for the book.
    pub(in crate::probe) about: &'static str,
    /// What it may find.
    pub(in crate::probe) rules: &'static [&'static [&'static Rule]],
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

/// Rules that any group may find broken.
pub(in crate::probe) const OF_ANY_GROUP: &[&Rule] = &[&UNANSWERED, &BOGUS];

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
