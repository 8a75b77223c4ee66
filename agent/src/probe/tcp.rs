//! A TCP port: whether it can be connected, and what it says.
//!
//! For whatever has no kind of its own: a port of a gateway, of a filter, ManageSieve, a proxy. What the
//! server says is read up to 8 KiB and in time. Nothing is said to it but the one line of `send`.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mailsonde_proto::{Clock, Fact, FaultClass};
use regex::Regex;
use tokio::time::timeout;

use super::page::{self, Page, Part};
use super::tls::{ACCEPT, CRITICAL, OF_CERTIFICATE, PIN, Terms, WARN, judge};
use super::{Kind, Outcome, Probe, Run, Section, Setting, Surroundings, pattern};
use crate::config::server::trust;
use crate::mail::dial::{Dial, Patience, PhaseNames};
use crate::mail::endpoint::{Endpoint, Tls};
use crate::mail::failure::Failure;
use crate::mail::wire::{LONGEST_LINE, Record, Wire, WireError};
use crate::net::{InspectOptions, Inspection, Net};
use crate::posture::one_line;
use crate::stopwatch::Stopwatch;

/// The phase of the server's first words.
const BANNER: &str = "banner";
/// The phase of the answer to `send`.
const ANSWER: &str = "answer";
/// How long words are waited for that nobody expects.
const WAIT: Duration = Duration::from_millis(500);

const SETTINGS: &[Setting] = &[
    Setting { name: "host", form: "host", default: None, help: "what to connect to" },
    Setting { name: "port", form: "number", default: None, help: "its port" },
    Setting {
        name: "expect_banner",
        form: "regular expression",
        default: Some("none"),
        help: "must match what the server says first, up to 8 KiB; without it, it need say nothing",
    },
    Setting {
        name: "wait",
        form: "duration",
        default: Some("500ms"),
        help: "how long first words are waited for that are not expected; they become a fact",
    },
    Setting {
        name: "send",
        form: "text",
        default: Some("none"),
        help: "one line that is sent then, with CRLF after it",
    },
    Setting {
        name: "expect_answer",
        form: "regular expression",
        default: Some("none"),
        help: "must match what the server answers to it, up to 8 KiB",
    },
    Setting {
        name: "tls",
        form: "true | false",
        default: Some("false"),
        help: "whether TLS begins at once",
    },
    Setting {
        name: "ca_file",
        form: "path",
        default: Some("the host's own"),
        help: "whose certificates to trust",
    },
    ACCEPT,
    WARN,
    CRITICAL,
    PIN,
];

/// For the book.
const ABOUT: &str = "Connects to a port, and reads what it says first, up to 8 KiB: for whatever has no kind of \
    its own, such as ManageSieve, a filter, a proxy. Nothing is said to it but the one line of \
    `send`.";
/// A check, for the book.
const EXAMPLE: &str = r#"[[check]]
name = "sieve"
kind = "tcp"
host = "mail.example.org"
port = 4190
expect_banner = "IMPLEMENTATION"
every = "5m"
"#;

const PHASES: &[Part] = &[
    page::RESOLVE,
    page::CONNECT,
    page::TLS,
    Part::new(BANNER, "the server's first words"),
    Part::new(ANSWER, "its answer to `send`"),
];

/// The kind `tcp`.
pub(super) struct TcpKind;

impl Kind for TcpKind {
    fn name(&self) -> &'static str {
        "tcp"
    }

    fn summary(&self) -> &'static str {
        "connects to a port and reads what it says"
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn page(&self) -> Page {
        Page {
            about: ABOUT,
            example: EXAMPLE,
            phases: PHASES.to_vec(),
            rules: OF_CERTIFICATE.to_vec(),
        }
    }

    fn configure(
        &self,
        section: &mut Section<'_>,
        surroundings: &Surroundings,
    ) -> Option<Arc<dyn Probe>> {
        let host = section.required_host("host");
        section.require("port");
        let port = section.number("port", 1, 1..=u16::MAX);
        let banner = pattern::read(section, "expect_banner");
        let bounds = Duration::ZERO..=Duration::from_secs(30);
        let wait = section.duration_within("wait", WAIT, bounds);
        let send = section.text("send");
        // A second line would be a second command, and with enough of them a message.
        if send.as_ref().is_some_and(|line| line.chars().any(char::is_control)) {
            section.mistake("send", "send is one line, without control characters".to_owned());
        }
        let answer = pattern::read(section, "expect_answer");
        if answer.is_some() && send.is_none() {
            section.mistake("expect_answer", "expect_answer needs send".to_owned());
        }
        let has_tls = section.flag("tls", false);
        if !has_tls {
            for key in ["accept", "warn_before", "critical_before", "pin"] {
                section.goes_with(key, "tls = true");
            }
        }
        let (tls, terms) =
            if has_tls { (Tls::Implicit, Some(Terms::read(section))) } else { (Tls::None, None) };
        let trust = trust(section, tls);
        let host = host.filter(|_| section.is_clean())?;
        Some(Arc::new(TcpProbe {
            endpoint: Endpoint { host, port, tls, trust, login: None },
            terms,
            talk: Talk { banner, wait, send, answer },
            net: surroundings.net.clone(),
            clock: surroundings.clock,
        }))
    }
}

/// What is said, and what is expected.
struct Talk {
    banner: Option<Regex>,
    wait: Duration,
    send: Option<String>,
    answer: Option<Regex>,
}

/// One check of the kind `tcp`.
struct TcpProbe {
    endpoint: Endpoint,
    terms: Option<Terms>,
    talk: Talk,
    net: Net,
    clock: Clock,
}

impl Probe for TcpProbe {
    fn run(&self, run: Run) -> BoxFuture<'_, Outcome> {
        async move { self.connect(&run).await }.boxed()
    }
}

impl TcpProbe {
    async fn connect(&self, run: &Run) -> Outcome {
        let patience = run.patience(self.clock);
        let dial = Dial { net: &self.net, patience, names: PhaseNames::PLAIN };
        let record = dial.record(&self.endpoint);
        let mut watch = Stopwatch::start(self.clock);
        let mut facts = Vec::new();
        let opened = self.open(dial, record.clone(), &mut watch).await;
        let (mut wire, inspection) = match opened {
            Ok(opened) => opened,
            Err(failure) => return Outcome::of(Err(failure), &watch, &record),
        };
        let judgement = inspection.zip(self.terms.as_ref());
        let judgement = judgement.map(|(seen, terms)| judge(&seen, terms, self.clock.wall()));
        let (findings, refused) = match judgement {
            Some(judgement) => {
                facts.extend(judgement.facts);
                (judgement.findings, judgement.failure)
            }
            None => (Vec::new(), None),
        };
        let talked = match refused {
            Some(failure) => Err(failure),
            None => self.talk.hold(&mut wire, &patience, &mut watch, &mut facts).await,
        };
        Outcome::of(talked, &watch, &record).with(facts, findings)
    }

    async fn open(
        &self,
        dial: Dial<'_>,
        record: Record,
        watch: &mut Stopwatch,
    ) -> Result<(Wire, Option<Inspection>), Failure> {
        let wire = dial.reach(&self.endpoint, record, watch).await?;
        if self.endpoint.tls == Tls::None {
            return Ok((wire, None));
        }
        let certificate = (self.endpoint.host.as_str(), &self.endpoint.trust);
        let inspected = dial.inspect(wire, certificate, &InspectOptions::default()).await?;
        watch.lap(dial.names.tls);
        Ok((inspected.0, Some(inspected.1)))
    }
}

impl Talk {
    async fn hold(
        &self,
        wire: &mut Wire,
        patience: &Patience,
        watch: &mut Stopwatch,
        facts: &mut Vec<Fact>,
    ) -> Result<(), Failure> {
        match &self.banner {
            Some(expected) => {
                let said = matching(wire, patience, expected, BANNER).await?;
                facts.push(Fact::new("tcp.banner", one_line(&said)));
                watch.lap(BANNER);
            }
            None => {
                let within = self.wait.min(patience.next());
                if let Ok(Ok(said)) = timeout(within, wire.chunk()).await {
                    facts.push(Fact::new("tcp.banner", one_line(&String::from_utf8_lossy(&said))));
                    watch.lap(BANNER);
                }
            }
        }
        let Some(line) = &self.send else { return Ok(()) };
        let line = format!("{line}\r\n");
        let sent = wire.write(line.as_bytes());
        patience.wait(ANSWER, "its answer", sent).await?;
        if let Some(expected) = &self.answer {
            let said = matching(wire, patience, expected, ANSWER).await?;
            facts.push(Fact::new("tcp.answer", one_line(&said)));
            watch.lap(ANSWER);
        }
        Ok(())
    }
}

/// Reads until what was said matches.
async fn matching(
    wire: &mut Wire,
    patience: &Patience,
    expected: &Regex,
    phase: &'static str,
) -> Result<String, Failure> {
    let awaited = if phase == BANNER { "its first words" } else { "its answer" };
    let mut said = Vec::new();
    let ended = loop {
        let within = patience.next();
        match timeout(within, wire.chunk()).await {
            Ok(Ok(chunk)) => said.extend_from_slice(&chunk),
            Ok(Err(WireError::Closed)) if !said.is_empty() => break "and hung up",
            Ok(Err(error)) => return Err(Failure::wire(phase, awaited, &error)),
            Err(_) if said.is_empty() => return Err(Failure::timeout(phase, awaited, within)),
            Err(_) => break "and nothing more in time",
        }
        let text = String::from_utf8_lossy(&said);
        if expected.is_match(&text) {
            return Ok(text.into_owned());
        }
        if said.len() >= LONGEST_LINE {
            break "and on and on";
        }
    };
    let text = one_line(&String::from_utf8_lossy(&said));
    let words = format!("the server said \"{text}\" {ended}: that does not match {expected}");
    Err(Failure::new(phase, FaultClass::Mismatch, words).with_reply(None, None, text))
}

#[cfg(test)]
mod tests;
