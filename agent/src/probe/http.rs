//! The kind `http`: web pages that belong to mail, such as webmail, Exchange's health pages, Thunderbird's
//! autoconfig and Outlook's autodiscover.
//!
//! One page is timed phase by phase; a preset (`pages`) asks for several, each a phase of its own. What a page
//! must be is said by status, header fields and expressions; an expression is linear in time, whatever page it
//! meets. Absent on purpose: running scripts, loading what a page refers to, and keeping connections.

mod autoconfig;
mod autodiscover;
mod exchange;
mod page;
mod settings;
mod xml;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mailsonde_proto::{Clock, Fact, Finding, Severity};

use super::page::{self as part, Page, Part};
use super::{Kind, Outcome, Probe, Run, Section, Setting, Surroundings};
use crate::http::{Fetch, NAMES};
use crate::mail::dial::Patience;
use crate::mail::failure::Failure;
use crate::mail::mailbox::STEP;
use crate::mail::wire::Record;
use crate::net::{Net, TlsFacts};
use crate::posture::Rule;
use crate::stopwatch::Stopwatch;
use crate::transcript::Transcript;
use settings::{Pages, Settings};

/// A run returns so much before its deadline: whoever enforces that deadline must not be first.
const MARGIN: Duration = Duration::from_millis(100);
const SECONDS_PER_DAY: u64 = 86_400;

const CERTIFICATE_EXPIRES: Rule = Rule {
    name: "http.certificate_expires",
    severity: Severity::Warning,
    source: "RFC 5280 section 4.1.2.5",
    advice: "renew it, and see why that did not happen by itself",
};

/// For the book.
const ABOUT: &str = "Fetches one page and times it, or the pages of a preset: `pages = \"exchange\"` asks for the \
    health page of each of Exchange's web applications, `\"autoconfig\"` and `\"autodiscover\"` for \
    what mail programs ask for, each a phase of its own. What a page must be is said by status, \
    header fields and expressions. No script is run, nothing that a page refers to is loaded, \
    and a redirect leads from https to https only.";
/// A check, for the book.
const EXAMPLE: &str = r#"[[check]]
name = "webmail"
kind = "http"
url = "https://webmail.example.org/"
expect_status = ["200"]
expect_body = ["Sign in"]
every = "5m"
"#;

fn phases() -> Vec<Part> {
    let first = [
        part::RESOLVE,
        part::CONNECT,
        part::TLS,
        Part::new(NAMES.first_byte, "from the request to the end of the answer's head"),
        Part::new(NAMES.body, "from there to the end of what is read of the page"),
        Part::new(NAMES.redirect, "all exchanges that ended in a redirect which was followed"),
    ];
    let exchange = exchange::FOLDERS
        .iter()
        .map(|&(_, phase)| Part::new(phase, "with `pages = \"exchange\"`: its health page"));
    let others = [
        Part::new("autoconfig", "with `pages = \"autoconfig\"`: at autoconfig.DOMAIN"),
        Part::new("well_known", "the same at the domain itself, where the first has none"),
        Part::new("root", "with `pages = \"autodiscover\"`: at the domain itself"),
    ];
    first.into_iter().chain(exchange).chain(others).collect()
}

/// The kind `http`.
pub(super) struct HttpKind;

impl Kind for HttpKind {
    fn name(&self) -> &'static str {
        "http"
    }

    fn summary(&self) -> &'static str {
        "fetches web pages of mail: webmail, health pages of Exchange, autoconfig, autodiscover"
    }

    fn settings(&self) -> &'static [Setting] {
        settings::SETTINGS
    }

    fn page(&self) -> Page {
        Page {
            about: ABOUT,
            example: EXAMPLE,
            phases: phases(),
            rules: vec![&CERTIFICATE_EXPIRES, &autoconfig::WITHOUT_TLS],
        }
    }

    fn configure(
        &self,
        section: &mut Section<'_>,
        surroundings: &Surroundings,
    ) -> Option<Arc<dyn Probe>> {
        let settings = settings::read(section)?;
        let Surroundings { net, clock, .. } = surroundings;
        Some(Arc::new(HttpProbe { settings, net: net.clone(), clock: *clock }))
    }
}

struct HttpProbe {
    settings: Settings,
    net: Net,
    clock: Clock,
}

/// What is learnt during a run.
#[derive(Debug, Default)]
struct Learnt {
    facts: Vec<Fact>,
    findings: Vec<Finding>,
}

/// What a run has to work with.
struct Errand<'a> {
    settings: &'a Settings,
    fetch: Fetch<'a>,
    record: &'a Record,
    watch: &'a mut Stopwatch,
    learnt: &'a mut Learnt,
}

impl HttpProbe {
    async fn fetch(&self, run: &Run) -> Outcome {
        let deadline = run.deadline.checked_sub(MARGIN).unwrap_or(run.deadline);
        let patience = Patience { clock: self.clock, step: STEP, deadline };
        let secrets = self.settings.password.iter().cloned().collect();
        let record = Record::new(Transcript::start(self.clock, secrets));
        let mut watch = Stopwatch::start(self.clock);
        let mut learnt = Learnt::default();
        let fetch = Fetch {
            connect_to: self.settings.connect_to,
            redirects: self.settings.redirects,
            most_body: self.settings.most_body,
            ..Fetch::new(&self.net, patience, &self.settings.trust)
        };
        let settings = &self.settings;
        let errand =
            Errand { settings, fetch, record: &record, watch: &mut watch, learnt: &mut learnt };
        let ended = match &settings.pages {
            Pages::One(url) => page::one(errand, url).await,
            Pages::Exchange { host, folders } => exchange::pages(errand, host, folders).await,
            Pages::Autoconfig { domain } => autoconfig::pages(errand, domain).await,
            Pages::Autodiscover { domain } => autodiscover::pages(errand, domain).await,
        };
        Outcome::of(ended, &watch, &record).with(learnt.facts, learnt.findings)
    }
}

impl Probe for HttpProbe {
    fn run(&self, run: Run) -> BoxFuture<'_, Outcome> {
        async move { self.fetch(&run).await }.boxed()
    }
}

impl Errand<'_> {
    /// Notes the handshake, and a certificate that soon expires.
    fn secured(&mut self, tls: &TlsFacts) {
        self.fact("http.tls", format!("{} {}", tls.version, tls.cipher));
        let Some(expires) = tls.expires else { return };
        let left = expires.since(self.fetch.patience.clock.wall()).as_secs() / SECONDS_PER_DAY;
        self.fact("http.certificate_days", left.to_string());
        if left < self.settings.certificate_days {
            let words = format!("the certificate expires in {left} days");
            self.learnt.findings.push(CERTIFICATE_EXPIRES.broken(words));
        }
    }

    fn fact(&mut self, name: &str, value: impl Into<String>) {
        self.learnt.facts.push(Fact { name: name.to_owned(), value: value.into() });
    }
}

/// The servers that a document of autoconfig or autodiscover announces, in words.
///
/// # Errors
/// Why it is neither.
pub fn announced(document: &[u8]) -> Result<Vec<String>, String> {
    let servers = autoconfig::servers(document).or_else(|_| autodiscover::servers(document))?;
    Ok(servers.iter().map(ToString::to_string).collect())
}

/// What is read of a page, whatever comes of it.
type Fetched = Result<crate::http::Answer, Failure>;

#[cfg(test)]
mod tests;
