//! DNS lists of addresses and domains that send unwanted mail (RFC 5782): is one of ours listed?
//!
//! A list that does not pass its own test, or answers with an error code, says nothing: it is a finding
//! and never a listing. The run fails when an address or domain is listed, and is void when no list
//! could be judged. There is no list by default: their operators have terms of use, and some want a key.

mod lists;
mod settings;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use hickory_resolver::proto::rr::RecordType;
use mailsonde_proto::time::Instant;
use mailsonde_proto::{Clock, Fact, FaultClass, Finding, Severity, Verdict, VoidReason};
use tokio::time::timeout_at;

use super::dns::exchangers::{Exchanger, exchangers, shown};
use super::dns::group::{Looked, OF_ANY_GROUP};
use super::page::{Page, Part};
use super::{Kind, Outcome, Probe, Run, Section, Setting, Surroundings};
use crate::dns::{Ask, AskError};
use crate::mail::failure::Failure;
use crate::net::Net;
use crate::posture::Rule;
use crate::stopwatch::{Stopwatch, us};
use lists::{Broken, Family, List, Listing, Subject};
use settings::DnsblCheck;

/// The look-up of the domain's mail exchangers.
const ADDRESSES: &str = "dnsbl.addresses";
/// The lists' own tests.
const SELF_TEST: &str = "dnsbl.self_test";
/// The questions about our addresses.
const LISTS: &str = "dnsbl.lists";
/// A run returns so much before its deadline: whoever enforces that deadline must not be first.
const MARGIN: Duration = Duration::from_millis(200);
/// The most addresses that are asked about.
const MOST_ADDRESSES: usize = 32;
/// The most facts and findings of one kind.
const MOST_TOLD: usize = 100;

/// A list that does not do what a list does.
const BROKEN: Rule = Rule {
    name: "dnsbl.list_broken",
    severity: Severity::Warning,
    source: "RFC 5782 section 5",
    advice: "take the list out of this check and out of every mail server's configuration: it has ended, \
             or answers everything",
};
/// A list that answers with an error code instead of a listing.
const REFUSES: Rule = Rule {
    name: "dnsbl.list_refuses",
    severity: Severity::Warning,
    source: "RFC 5782 section 2.1, the list's own return codes",
    advice: "ask through a resolver of your own, or with the key that the list has given you",
};
/// A list that cannot be asked.
const SILENT: Rule = Rule {
    name: "dnsbl.list_silent",
    severity: Severity::Notice,
    source: "RFC 1035 section 4.1.1",
    advice: "if it lasts, take the list out: mail servers that ask it wait for it",
};

/// All of these, for the book.
const RULES: &[&Rule] = &[&BROKEN, &REFUSES, &SILENT];

/// For the book.
const ABOUT: &str = "Asks lists of addresses and domains (RFC 5782) whether one of ours is listed. Each list is \
    tested first at its own test points; one that does not pass, or that answers with an error \
    code (such as 127.255.255.254, a public resolver), says nothing: that is a finding, and \
    never a listing. The run fails when something is listed, and is void when no list could be \
    judged. No list is asked by default: their operators have terms of use, and some want a key.";
/// A check, for the book.
const EXAMPLE: &str = r#"[[check]]
name = "listed"
kind = "dnsbl"
lists = ["dnsbl.example.net"]           # whose terms of use you keep
domain = "example.org"                  # whose mail exchangers are asked about
addresses = ["192.0.2.25"]              # and from where you send
every = "1h"
"#;

const PHASES: &[Part] = &[
    Part::new(ADDRESSES, "look-up of the domain's mail exchangers and their addresses"),
    Part::new(SELF_TEST, "the lists' own tests"),
    Part::new(LISTS, "the questions about addresses and domains"),
];

/// The kind `dnsbl`.
pub(super) struct DnsblKind;

impl Kind for DnsblKind {
    fn name(&self) -> &'static str {
        "dnsbl"
    }

    fn summary(&self) -> &'static str {
        "asks DNS lists whether a domain's mail servers are listed"
    }

    fn settings(&self) -> &'static [Setting] {
        settings::SETTINGS
    }

    fn page(&self) -> Page {
        Page {
            about: ABOUT,
            example: EXAMPLE,
            phases: PHASES.to_vec(),
            rules: RULES.iter().chain(OF_ANY_GROUP).copied().collect(),
        }
    }

    fn configure(
        &self,
        section: &mut Section<'_>,
        surroundings: &Surroundings,
    ) -> Option<Arc<dyn Probe>> {
        let check = settings::read(section)?;
        let Surroundings { net, clock, .. } = surroundings;
        Some(Arc::new(DnsblProbe { check, net: net.clone(), clock: *clock }))
    }
}

struct DnsblProbe {
    check: DnsblCheck,
    net: Net,
    clock: Clock,
}

impl Probe for DnsblProbe {
    fn run(&self, run: Run) -> BoxFuture<'_, Outcome> {
        let deadline = run.deadline.checked_sub(MARGIN).unwrap_or(run.deadline);
        async move {
            let mut watch = Stopwatch::start(self.clock);
            match self.net.dns(&self.check.dns, self.clock, deadline) {
                Ok(dns) => {
                    let mut outcome = look(&self.check, &dns, (&mut watch, deadline)).await;
                    if matches!(outcome.verdict, Verdict::Fail(_)) {
                        outcome.transcript = dns.transcript();
                    }
                    outcome
                }
                Err(error) => {
                    let verdict = Failure::dns(ADDRESSES, &error).into_verdict();
                    told(verdict, Looked::default(), &watch)
                }
            }
        }
        .boxed()
    }
}

/// Finds out what to ask about, tests the lists, asks those that are sound.
async fn look(
    check: &DnsblCheck,
    dns: &dyn Ask,
    (watch, deadline): (&mut Stopwatch, Instant),
) -> Outcome {
    let mut looked = Looked::default();
    let subjects = match timeout_at(deadline, subjects(check, dns, &mut looked)).await {
        Ok(Ok(subjects)) => subjects,
        Ok(Err(failure)) => return told(failure.into_verdict(), looked, watch),
        Err(_) => return late(dns, looked, watch, "the domain's addresses"),
    };
    watch.lap(ADDRESSES);
    let names: Vec<String> = subjects.iter().map(Subject::shown).collect();
    looked.fact("dnsbl.subjects", names.join(" "));
    let mut found = Found::default();
    let sound = timeout_at(deadline, sound_lists(check, dns, &subjects, &mut found)).await;
    let Ok(sound) = sound else { return late(dns, looked, watch, "the lists' own tests") };
    watch.lap(SELF_TEST);
    let asked = timeout_at(deadline, ask_lists(dns, &sound, &subjects, &mut found)).await;
    let Ok(()) = asked else { return late(dns, looked, watch, "the lists") };
    watch.lap(LISTS);
    looked.fact("dnsbl.lists", check.lists.len().to_string());
    looked.fact("dnsbl.judged", found.judged.to_string());
    looked.fact("dnsbl.listed", found.listings.len().to_string());
    tell_troubles(&found.troubles, &mut looked);
    let verdict = verdict(&found, &mut looked);
    told(verdict, looked, watch)
}

/// What the lists said.
#[derive(Default)]
struct Found {
    /// How many questions were answered by a list that is sound.
    judged: usize,
    /// List, subject, and what the list says of it.
    listings: Vec<(String, String, Listing)>,
    /// List, and why it says nothing.
    troubles: Vec<(String, Broken)>,
}

/// The lists that pass their own test, each for the families that it was tested for.
async fn sound_lists<'l>(
    check: &'l DnsblCheck,
    dns: &dyn Ask,
    subjects: &[Subject],
    found: &mut Found,
) -> Vec<(&'l List, Family)> {
    let families: BTreeSet<Family> = subjects.iter().map(Subject::family).collect();
    let pairs = check.lists.iter().flat_map(|list| families.iter().map(move |each| (list, *each)));
    let tests = pairs
        .filter(|(list, family)| list.is_of(*family))
        .map(async |(list, family)| (list, family, list.test(dns, family).await));
    let mut sound = Vec::new();
    for (list, family, tested) in join_all(tests).await {
        match tested {
            Ok(()) => sound.push((list, family)),
            Err(broken) => found.troubles.push((list.shown(), broken)),
        }
    }
    sound
}

async fn ask_lists(
    dns: &dyn Ask,
    sound: &[(&List, Family)],
    subjects: &[Subject],
    found: &mut Found,
) {
    let pairs = sound.iter().flat_map(|(list, family)| {
        let of_family = subjects.iter().filter(|subject| subject.family() == *family);
        of_family.map(move |subject| (*list, subject))
    });
    let asked =
        pairs.map(async |(list, subject)| (list.shown(), subject, list.ask(dns, subject).await));
    for (list, subject, answer) in join_all(asked).await {
        match answer {
            Ok(None) => found.judged += 1,
            Ok(Some(listing)) => {
                found.judged += 1;
                found.listings.push((list, subject.shown(), listing));
            }
            Err(broken) => found.troubles.push((list, broken)),
        }
    }
}

/// A listing fails the run. Where nothing could be judged, nothing is known of our addresses, neither
/// that they are fine nor that they are listed. Where nobody was there to be asked, it is what
/// [`Failure::dns`] makes of that; else the probe's instruments, the lists, are of no use: `void(internal)`.
fn verdict(found: &Found, looked: &mut Looked) -> Verdict {
    for (list, subject, listing) in found.listings.iter().take(MOST_TOLD) {
        looked.fact(format!("dnsbl.listing.{subject}"), format!("{list}: {}", listing.shown()));
    }
    if let Some((list, subject, listing)) = found.listings.first() {
        let more = match found.listings.len() - 1 {
            0 => String::new(),
            1 => ", and one more listing".to_owned(),
            more => format!(", and {more} more listings"),
        };
        let words = format!("{subject} is listed by {list} ({}){more}", listing.shown());
        return Failure::new(LISTS, FaultClass::Mismatch, words).into_verdict();
    }
    if found.judged > 0 {
        return Verdict::Pass;
    }
    let words = found.troubles.first().map(|(list, broken)| format!("{list}: {}", broken.words()));
    let detail = format!("no list could be judged; {}", words.unwrap_or_default());
    let nobody = found.troubles.iter().find_map(|(_, broken)| match broken {
        Broken::Unasked(error) if error.is_of_nobody() => Some(error),
        _ => None,
    });
    match nobody {
        Some(error) => Failure::dns(LISTS, error).into_verdict(),
        None => Verdict::void(VoidReason::Internal, detail),
    }
}

fn tell_troubles(troubles: &[(String, Broken)], looked: &mut Looked) {
    // That nobody was there to be asked says nothing about a list.
    let of_lists = |broken: &Broken| match broken {
        Broken::Unasked(error) => !error.is_of_nobody(),
        _ => true,
    };
    for (list, broken) in troubles.iter().filter(|(_, broken)| of_lists(broken)).take(MOST_TOLD) {
        let rule = match broken {
            Broken::SelfTest(_) => &BROKEN,
            Broken::Error(_) => &REFUSES,
            Broken::Unasked(_) => &SILENT,
        };
        let words = format!("{list}: {}", broken.words());
        // A list that refuses refuses every question.
        let is_new = |finding: &Finding| finding.rule != rule.name || finding.evidence != words;
        if looked.findings.iter().all(is_new) {
            looked.find(rule, words);
        }
    }
}

/// The addresses and domains that are asked about.
async fn subjects(
    check: &DnsblCheck,
    dns: &dyn Ask,
    looked: &mut Looked,
) -> Result<Vec<Subject>, Failure> {
    let mut addresses: Vec<IpAddr> = check.addresses.clone();
    let mut subjects = Vec::new();
    if let Some(domain) = &check.domain {
        let failed = |error: &AskError| Failure::dns(ADDRESSES, error);
        if check.lists.iter().any(|list| !list.is_of(Family::Domains)) {
            let answer = dns.ask(domain, RecordType::MX).await.map_err(|e| failed(&e))?;
            if answer.is_nx_domain() {
                let words = format!("the domain {} does not exist in DNS", shown(domain));
                return Err(Failure::new(ADDRESSES, FaultClass::Refused, words));
            }
            let found = exchangers(dns, domain).await.map_err(|error| failed(&error))?;
            for error in found.iter().flat_map(|each| [&each.v4, &each.v6]) {
                if let Err(error) = error {
                    looked.unanswered(error);
                }
            }
            addresses.extend(found.iter().flat_map(Exchanger::addresses));
        }
        if check.lists.iter().any(|list| list.is_of(Family::Domains)) {
            subjects.push(Subject::Domain(domain.clone()));
        }
    }
    addresses.sort();
    addresses.dedup();
    if addresses.len() > MOST_ADDRESSES {
        looked.fact("dnsbl.left_out", (addresses.len() - MOST_ADDRESSES).to_string());
        addresses.truncate(MOST_ADDRESSES);
    }
    subjects.extend(addresses.into_iter().map(Subject::Address));
    if subjects.is_empty() {
        let words = "the domain has no mail exchanger with an address to ask about";
        return Err(Failure::new(ADDRESSES, FaultClass::Mismatch, words));
    }
    Ok(subjects)
}

fn late(dns: &dyn Ask, looked: Looked, watch: &Stopwatch, what: &str) -> Outcome {
    let failure = dns.silence().map_or_else(
        || {
            let words = format!("{what} were not looked up before the run's deadline");
            Failure::new(LISTS, FaultClass::Timeout, words)
        },
        |error| Failure::dns(LISTS, &error),
    );
    told(failure.into_verdict(), looked, watch)
}

fn told(verdict: Verdict, looked: Looked, watch: &Stopwatch) -> Outcome {
    let mut facts: Vec<Fact> = looked.facts;
    for fact in &mut facts {
        fact.value = super::dns::records::cut(&fact.value, 1024);
    }
    facts.truncate(200);
    let mut findings = looked.findings;
    findings.truncate(MOST_TOLD);
    Outcome {
        verdict,
        total_us: us(watch.started(), watch.now()),
        phases: watch.phases_from(watch.started()),
        facts,
        findings,
        transcript: String::new(),
    }
}

#[cfg(test)]
mod tests;
