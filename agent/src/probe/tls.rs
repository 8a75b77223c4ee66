//! The certificate that a server shows, on TLS from the start or after STARTTLS, and what it accepts.
//!
//! The handshake goes on whatever the certificate is, so that all of it can be told; nothing else is ever
//! said on that connection. The run fails with a certificate that clients refuse; everything else that is
//! wrong is a finding. Absent on purpose: DANE (the DNS probe's matter) and any request to a responder.

mod judge;
mod rules;
mod scan;
mod staple;
mod terms;

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mailsonde_proto::phase::name;
use mailsonde_proto::{Clock, Fact, FaultClass};

use super::page::{self, Page, Part};
use super::{Kind, Outcome, Probe, Run, Section, Setting, Surroundings};
use crate::config::server::trust;
use crate::mail::dial::{Dial, PhaseNames};
use crate::mail::endpoint::{Endpoint, Tls};
use crate::mail::failure::Failure;
use crate::mail::starttls::{self, Look, Prelude};
use crate::mail::wire::Record;
use crate::net::tls::hello::TlsVersion;
use crate::net::{InspectOptions, Net};
use crate::stopwatch::Stopwatch;
use scan::{Depth, Scan, Target};

pub(crate) use judge::{judge, yes_or_no};
pub(super) use rules::OF_CERTIFICATE;
pub(crate) use terms::{ACCEPT, Accept, CRITICAL, PIN, Terms, WARN};

/// The phase of asking for versions and suites.
const SCAN: &str = "scan";

const SETTINGS: &[Setting] = &[
    Setting { name: "host", form: "host", default: None, help: "whose certificate is looked at" },
    Setting {
        name: "protocol",
        form: "\"implicit\" | \"smtp\" | \"imap\" | \"pop3\"",
        default: Some("by port: smtp at 25, 587 and 2525, imap at 143, pop3 at 110, else implicit"),
        help: "how TLS begins: at once, or after STARTTLS (STLS in POP3)",
    },
    Setting {
        name: "port",
        form: "number",
        default: Some("443, 587, 143 or 110, by protocol"),
        help: "its port",
    },
    Setting {
        name: "server_name",
        form: "host",
        default: Some("host"),
        help: "the name that the server is asked for and that the certificate must list",
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
    Setting {
        name: "expect_version_min",
        form: "\"1.0\" | \"1.1\" | \"1.2\" | \"1.3\"",
        default: Some("none"),
        help: "a server that accepts an older version of TLS fails the run",
    },
    Setting {
        name: "require_staple",
        form: "true | false",
        default: Some("false"),
        help: "whether the run fails without a stapled OCSP response",
    },
    Setting {
        name: "scan",
        form: "\"suites\" | \"versions\" | \"none\"",
        default: Some("suites"),
        help: "what is asked for beside the certificate: every cipher suite (one connection each), versions \
               and weak suites (some ten connections), or nothing",
    },
];

/// For the book.
const ABOUT: &str = "Looks at the certificate that a server shows, on TLS from the start or after STARTTLS, and \
    at the versions and cipher suites that it accepts. The handshake goes on whatever the \
    certificate is, so that all of it can be told; nothing else is ever said on that connection. \
    The run fails with a certificate that clients refuse; everything else that is wrong is a \
    finding. DANE is the matter of the kind [dns](dns.md). No revocation responder is asked; a \
    stapled response is read.";
/// A check, for the book.
const EXAMPLE: &str = r#"[[check]]
name = "certificate"
kind = "tls"
host = "mail.example.org"
port = 993
warn_before = "21d"
every = "1h"
"#;

const PHASES: &[Part] = &[
    page::RESOLVE,
    page::CONNECT,
    page::GREETING,
    page::TLS,
    Part::new(SCAN, "versions and suites are asked for, each on a connection of its own"),
];

/// The kind `tls`.
pub(super) struct TlsKind;

impl Kind for TlsKind {
    fn name(&self) -> &'static str {
        "tls"
    }

    fn summary(&self) -> &'static str {
        "looks at a server's certificates, and at the versions and cipher suites that it accepts"
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn page(&self) -> Page {
        Page {
            about: ABOUT,
            example: EXAMPLE,
            phases: PHASES.to_vec(),
            rules: OF_CERTIFICATE.iter().chain(rules::OF_SERVER).copied().collect(),
        }
    }

    fn configure(
        &self,
        section: &mut Section<'_>,
        surroundings: &Surroundings,
    ) -> Option<Arc<dyn Probe>> {
        let host = section.required_host("host");
        let protocol = section.choice("protocol", PROTOCOLS, None);
        let port = section.number("port", default_port(protocol), 1..=u16::MAX);
        let server_name = section.host("server_name").or_else(|| host.clone());
        let trust = trust(section, Tls::Implicit);
        let terms = Terms::read(section);
        let least = section.choice("expect_version_min", VERSIONS, None);
        let must_staple = section.flag("require_staple", false);
        let depth = section.choice("scan", DEPTHS, Depth::Suites);
        let host = host.filter(|_| section.is_clean())?;
        Some(Arc::new(TlsProbe {
            endpoint: Endpoint { host, port, tls: Tls::Implicit, trust, login: None },
            prelude: protocol.unwrap_or_else(|| prelude_at(port)),
            server_name: server_name?,
            terms,
            least,
            must_staple,
            depth,
            net: surroundings.net.clone(),
            clock: surroundings.clock,
        }))
    }
}

const PROTOCOLS: &[(&str, Option<Prelude>)] = &[
    ("implicit", Some(Prelude::Nothing)),
    ("smtp", Some(Prelude::Smtp)),
    ("imap", Some(Prelude::Imap)),
    ("pop3", Some(Prelude::Pop3)),
];
const VERSIONS: &[(&str, Option<TlsVersion>)] = &[
    ("1.0", Some(TlsVersion::Tls10)),
    ("1.1", Some(TlsVersion::Tls11)),
    ("1.2", Some(TlsVersion::Tls12)),
    ("1.3", Some(TlsVersion::Tls13)),
];
const DEPTHS: &[(&str, Depth)] =
    &[("suites", Depth::Suites), ("versions", Depth::Versions), ("none", Depth::None)];

/// RFC 8314 section 7.3; 443 for everything that is not mail.
const fn default_port(protocol: Option<Prelude>) -> u16 {
    match protocol {
        None | Some(Prelude::Nothing) => 443,
        Some(Prelude::Smtp) => 587,
        Some(Prelude::Imap) => 143,
        Some(Prelude::Pop3) => 110,
    }
}

const fn prelude_at(port: u16) -> Prelude {
    match port {
        25 | 587 | 2525 => Prelude::Smtp,
        143 => Prelude::Imap,
        110 => Prelude::Pop3,
        _ => Prelude::Nothing,
    }
}

/// One check of the kind `tls`.
struct TlsProbe {
    endpoint: Endpoint,
    prelude: Prelude,
    server_name: String,
    terms: Terms,
    least: Option<TlsVersion>,
    must_staple: bool,
    depth: Depth,
    net: Net,
    clock: Clock,
}

impl Probe for TlsProbe {
    fn run(&self, run: Run) -> BoxFuture<'_, Outcome> {
        async move { self.look(&run).await }.boxed()
    }
}

impl TlsProbe {
    async fn look(&self, run: &Run) -> Outcome {
        let patience = run.patience(self.clock);
        let dial = Dial { net: &self.net, patience, names: PhaseNames::PLAIN };
        let record = dial.record(&self.endpoint);
        let mut watch = Stopwatch::start(self.clock);
        let options = InspectOptions::default();
        let look =
            Look { prelude: self.prelude, server_name: &self.server_name, options: &options };
        let looked = starttls::look(&dial, &self.endpoint, look, record.clone(), &mut watch).await;
        let inspection = match looked {
            Ok((wire, inspection)) => {
                drop(wire);
                inspection
            }
            Err(failure) if failure.fault.phase == name::TLS => {
                return self.without_handshake(failure, dial, &mut watch, &record).await;
            }
            Err(failure) => return Outcome::of(Err(failure), &watch, &record),
        };
        let judgement = judge(&inspection, &self.terms, self.clock.wall());
        let (mut facts, mut findings) = (judgement.facts, judgement.findings);
        let scan = self.scan(dial, &mut watch).await;
        let negotiated = TlsVersion::named(&inspection.version);
        let oldest = scan.as_ref().and_then(Scan::oldest).into_iter().chain(negotiated).min();
        if let Some(scan) = &scan {
            facts.extend(scan.facts());
            findings.extend(scan.findings());
        }
        facts.push(Fact::new("tls.starttls", yes_or_no(self.prelude != Prelude::Nothing)));
        let ended = match judgement.failure {
            Some(failure) => Err(failure),
            None => self.expected(oldest, inspection.staple.is_some()),
        };
        Outcome::of(ended, &watch, &record).with(facts, findings)
    }

    /// A server that no decent library can talk to: what it accepts says why.
    async fn without_handshake(
        &self,
        failure: Failure,
        dial: Dial<'_>,
        watch: &mut Stopwatch,
        record: &Record,
    ) -> Outcome {
        let scan = match failure.fault.class {
            FaultClass::Timeout => None,
            _ => self.scan(dial, watch).await.filter(|scan| scan.oldest().is_some()),
        };
        let Some(scan) = scan else { return Outcome::of(Err(failure), watch, record) };
        let failure = match scan.newest() {
            Some(newest) if newest < TlsVersion::Tls12 => {
                let words = format!("the server accepts nothing newer than {}", newest.as_str());
                Failure::new(name::TLS, FaultClass::Protocol, words)
            }
            _ => failure,
        };
        Outcome::of(Err(failure), watch, record).with(scan.facts(), scan.findings())
    }

    async fn scan(&self, dial: Dial<'_>, watch: &mut Stopwatch) -> Option<Scan> {
        if self.depth == Depth::None {
            return None;
        }
        let Self { endpoint, prelude, server_name, depth, .. } = self;
        let target = Target { endpoint, prelude: *prelude, server_name, depth: *depth };
        let addresses = dial.resolve(SCAN, &endpoint.host).await.ok()?;
        let scan = Scan::of(dial, &target, &addresses).await;
        watch.lap(SCAN);
        Some(scan)
    }

    fn expected(&self, oldest: Option<TlsVersion>, has_staple: bool) -> Result<(), Failure> {
        let mismatch = |words| Err(Failure::new(name::TLS, FaultClass::Mismatch, words));
        match (self.least, oldest) {
            (Some(least), Some(oldest)) if oldest < least => {
                let (oldest, least) = (oldest.as_str(), least.as_str());
                return mismatch(format!(
                    "the server accepts {oldest}, expected is {least} at least"
                ));
            }
            _ => {}
        }
        if self.must_staple && !has_staple {
            return mismatch("the server staples no OCSP response, and one is required".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
