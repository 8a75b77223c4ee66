//! SPF of one sender (RFC 7208): what receivers say of mail from this address and this domain.
//!
//! The run passes when the result is the expected one. What DNS does not answer is a temporary fault,
//! unless that is expected. With the result comes the tree of the terms that were evaluated, and what
//! each of them cost.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mailsonde_proto::time::Instant;
use mailsonde_proto::{Clock, FaultClass};
use tokio::time::timeout_at;

use super::page::{Page, Part};
use super::{Kind, Outcome, Probe, Run, Section, Setting, Surroundings};
use crate::config::host::domain;
use crate::config::resolver;
use crate::dns::{Ask, AskError};
use crate::mail::failure::Failure;
use crate::net::Net;
use crate::net::dns::DnsSettings;
use crate::posture::spf::{Evaluation, Sender, SpfResult, check_host};
use crate::posture::{Told, name_of, shown};
use crate::stopwatch::{Stopwatch, us};

/// The whole evaluation, look-ups included.
const EVALUATE: &str = "spf.evaluate";
/// A run returns so much before its deadline: whoever enforces that deadline must not be first.
const MARGIN: Duration = Duration::from_millis(200);

const SETTINGS: &[Setting] = &[
    Setting {
        name: "ip",
        form: "IP address",
        default: None,
        help: "the address from which the mail would come",
    },
    Setting {
        name: "sender",
        form: "mail address or domain",
        default: Some("none: the helo name is judged, as for a bounce"),
        help: "the sender in the envelope",
    },
    Setting {
        name: "helo",
        form: "host name",
        default: Some("the sender's domain"),
        help: "the name that the client would give in HELO or EHLO",
    },
    Setting {
        name: "expect",
        form: "\"pass\" | \"fail\" | \"softfail\" | \"neutral\" | \"none\" | \"temperror\" | \"permerror\"",
        default: Some("pass"),
        help: "the result that makes the run pass",
    },
    resolver::RESOLVER,
    resolver::DNSSEC,
    resolver::TRUST_ANCHOR,
    resolver::QUESTION_TIMEOUT,
];

/// For the book.
const ABOUT: &str = "Evaluates SPF (RFC 7208) for one sender: what receivers say of mail from this address and \
    this domain. The run passes when the result is the expected one; what DNS does not answer is \
    a temporary fault, unless that is expected. With the result comes the tree of the terms that \
    were evaluated, and how many look-ups each cost. What is wrong with the record itself is \
    told by the kind [dns](dns.md).";
/// A check, for the book.
const EXAMPLE: &str = r#"[[check]]
name = "may-send"
kind = "spf"
ip = "192.0.2.25"
sender = "example.org"
every = "1h"
"#;

/// The kind `spf`.
pub(super) struct SpfKind;

impl Kind for SpfKind {
    fn name(&self) -> &'static str {
        "spf"
    }

    fn summary(&self) -> &'static str {
        "evaluates SPF for one sender"
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn page(&self) -> Page {
        Page {
            about: ABOUT,
            example: EXAMPLE,
            phases: vec![Part::new(EVALUATE, "the whole evaluation, look-ups included")],
            rules: Vec::new(),
        }
    }

    fn configure(
        &self,
        section: &mut Section<'_>,
        surroundings: &Surroundings,
    ) -> Option<Arc<dyn Probe>> {
        let ip = section.required_text("ip");
        let ip = ip.and_then(|text| {
            let read = text.parse::<IpAddr>().ok();
            if read.is_none() {
                section.mistake("ip", format!("ip must be an IP address, not \"{text}\""));
            }
            read
        });
        let sender = section.text("sender").and_then(|text| sender_of(section, &text));
        let helo = section.text("helo").and_then(|text| domain_of(section, "helo", &text));
        if section.is_clean() && sender.is_none() && helo.is_none() {
            let message = "sender is missing, or helo: whose domain is judged".to_owned();
            section.mistake("sender", message);
        }
        let expect = section.choice("expect", SpfResult::WORDS, SpfResult::Pass);
        let dns = resolver::of_check(section);
        if !section.is_clean() {
            return None;
        }
        let sender = sender.unwrap_or_default();
        let domain = sender.rsplit_once('@').map_or(sender.as_str(), |(_, domain)| domain);
        let helo = helo.unwrap_or_else(|| domain.to_owned());
        let sender = Sender::new(ip?, &helo, &sender);
        let Surroundings { net, clock, .. } = surroundings;
        Some(Arc::new(SpfProbe { sender, expect, dns, net: net.clone(), clock: *clock }))
    }
}

/// A sender as receivers see it: its domain in A-labels (RFC 7208 section 4.3).
fn sender_of(section: &mut Section<'_>, text: &str) -> Option<String> {
    match text.rsplit_once('@') {
        Some((local, domain)) => {
            let domain = domain_of(section, "sender", domain)?;
            Some(format!("{local}@{domain}"))
        }
        None => domain_of(section, "sender", text),
    }
}

fn domain_of(section: &mut Section<'_>, key: &str, text: &str) -> Option<String> {
    // A name in A-labels stays as it was written: macros may show it.
    let domain = if text.is_ascii() {
        name_of(text).map(|_name| text.to_owned())
    } else {
        domain(text).ok().map(|name| shown(&name))
    };
    if domain.is_none() {
        let message = format!("{key}: \"{text}\" is no domain: write one such as example.org");
        section.mistake(key, message);
    }
    domain
}

struct SpfProbe {
    sender: Sender,
    expect: SpfResult,
    dns: DnsSettings,
    net: Net,
    clock: Clock,
}

impl Probe for SpfProbe {
    fn run(&self, run: Run) -> BoxFuture<'_, Outcome> {
        let deadline = run.deadline.checked_sub(MARGIN).unwrap_or(run.deadline);
        async move {
            let mut watch = Stopwatch::start(self.clock);
            match self.net.dns(&self.dns, self.clock, deadline) {
                Ok(dns) => {
                    let judged = self.judge(&dns, &mut watch, deadline).await;
                    let transcript = dns.transcript();
                    outcome(judged, &watch, transcript)
                }
                Err(error) => {
                    let failure = Failure::dns(EVALUATE, &error);
                    outcome((Some(failure), Told::new()), &watch, String::new())
                }
            }
        }
        .boxed()
    }
}

impl SpfProbe {
    /// What is wrong with the result, if anything, and what is told of it.
    async fn judge(
        &self,
        dns: &dyn Ask,
        watch: &mut Stopwatch,
        deadline: Instant,
    ) -> (Option<Failure>, Told) {
        let now_s = u64::try_from(self.clock.wall().as_ns() / 1_000_000_000).unwrap_or(0);
        let evaluated = timeout_at(deadline, check_host(dns, &self.sender, now_s)).await;
        watch.lap(EVALUATE);
        let mut told = Told::new();
        told.fact("spf.domain", self.sender.domain());
        match evaluated {
            Ok(evaluation) => {
                tell(&evaluation, &mut told);
                (self.failure(&evaluation), told)
            }
            Err(_) => {
                let name = self.sender.domain().to_owned();
                let error = dns.silence().unwrap_or(AskError::Timeout { name });
                (Some(Failure::dns(EVALUATE, &error)), told)
            }
        }
    }

    fn failure(&self, evaluation: &Evaluation) -> Option<Failure> {
        let Evaluation { result, why, trouble, .. } = evaluation;
        // Where nobody can be asked, there is no result, not even the temperror that may be expected.
        if let Some(error) = trouble.as_ref().filter(|error| error.is_of_nobody()) {
            return Some(Failure::dns(EVALUATE, error));
        }
        if *result == self.expect {
            return None;
        }
        let expected = self.expect.as_str();
        let words = format!("SPF says {}, where {expected} is expected: {why}", result.as_str());
        Some(match trouble {
            Some(_) => Failure::new(EVALUATE, FaultClass::Temporary, words),
            None => Failure::new(EVALUATE, FaultClass::Mismatch, words),
        })
    }
}

fn tell(evaluation: &Evaluation, told: &mut Told) {
    let Evaluation { result, why, explanation, tree, .. } = evaluation;
    told.fact("spf.result", result.as_str());
    told.fact("spf.why", why);
    if let Some(explanation) = explanation {
        told.fact("spf.explanation", explanation);
    }
    told.fact("spf.lookups", tree.lookups.to_string());
    told.fact("spf.voids", tree.voids.to_string());
    told.fact("spf.tree", tree.render());
}

fn outcome(
    (failure, told): (Option<Failure>, Told),
    watch: &Stopwatch,
    transcript: String,
) -> Outcome {
    let failed = failure.is_some();
    Outcome {
        verdict: failure.map_or(mailsonde_proto::Verdict::Pass, Failure::into_verdict),
        total_us: us(watch.started(), watch.now()),
        phases: watch.phases_from(watch.started()),
        facts: told.facts,
        findings: told.findings,
        transcript: if failed { transcript } else { String::new() },
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::config::mistake::Report;
    use crate::config::value::Table;
    use crate::dns::zone::Zone;

    #[tokio::test]
    async fn the_result_must_be_the_expected_one() {
        let zone = Zone::new(
            r#"
            a.test.      TXT "v=spf1 ip4:192.0.2.1 -all exp=why.a.test"
            why.a.test.  TXT "%{i} may not"
            slow.test.   TXT TIMEOUT
            dead.test.   TXT NOBODY
            "#,
        );
        for (sender, ip, expect, words) in [
            ("u@a.test", "192.0.2.1", SpfResult::Pass, None),
            (
                "u@a.test",
                "192.0.2.2",
                SpfResult::Pass,
                Some(
                    "spf.evaluate: mismatch: SPF says fail, where pass is expected: \"-all\" in the \
                     record of a.test matches",
                ),
            ),
            ("u@a.test", "192.0.2.2", SpfResult::Fail, None),
            ("u@slow.test", "192.0.2.2", SpfResult::TempError, None),
            (
                "u@slow.test",
                "192.0.2.2",
                SpfResult::Fail,
                Some(
                    "spf.evaluate: temporary: SPF says temperror, where fail is expected: no DNS \
                     server answered the question for slow.test. TXT in time",
                ),
            ),
            // Silence is no temperror, also where that is expected.
            (
                "u@dead.test",
                "192.0.2.2",
                SpfResult::TempError,
                Some(
                    "resolve: timeout: no DNS server answers at all: 192.0.2.53:53 answered neither the \
                     question for dead.test. TXT nor one for the root's name servers (nothing came in \
                     time)",
                ),
            ),
        ] {
            let clock = Clock::system();
            let sender = Sender::new(ip.parse().unwrap(), "h.test", sender);
            let dns = DnsSettings::default();
            let probe = SpfProbe { sender, expect, dns, net: Net::new(), clock };
            let mut watch = Stopwatch::start(clock);
            let deadline = clock.monotonic() + Duration::from_secs(5);
            let (failure, told) = probe.judge(&zone, &mut watch, deadline).await;
            let found = failure.map(|failure| failure.fault.to_string());
            assert_eq!(found.as_deref(), words);
            let explained = told.value("spf.explanation");
            assert_eq!(
                explained,
                (ip == "192.0.2.2" && explained.is_some()).then_some("192.0.2.2 may not")
            );
            assert!(told.value("spf.tree").is_some() && told.value("spf.lookups").is_some());
        }
    }

    #[test]
    fn a_sender_is_asked_for_by_its_a_labels_and_nonsense_is_refused() {
        let read = |text: &str| {
            let (table, _) = Table::of_settings(std::iter::once("a=b"));
            let report = Report::default();
            let mut section = Section::new(&table, &report, Path::new(""), "");
            sender_of(&mut section, text)
        };
        for (text, expected) in [
            ("a@b\u{fc}cher.example", Some("a@xn--bcher-kva.example")),
            ("A@Example.ORG", Some("A@Example.ORG")),
            ("_spf.example.org", Some("_spf.example.org")),
            ("@", None),
            ("a@b..c", None),
            ("..", None),
        ] {
            assert_eq!(read(text).as_deref(), expected, "{text}");
        }
    }
}
