//! An SMTP server, looked at without handing in a message (RFC 5321).
//!
//! Greeting, extensions before and after TLS, sign-in mechanisms, certificate; where asked, a sign-in, and
//! which recipients the server takes: that ends after RCPT TO, with RSET, and DATA is never said. The
//! `expect` settings make a fault of what is otherwise a fact.

mod expect;
mod look;
mod rules;
mod settings;
mod told;

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mailsonde_proto::Clock;
use mailsonde_proto::phase::name;

use super::page::{self, Page, Part};
use super::tls::OF_CERTIFICATE;
use super::{Kind, Outcome, Probe, Run, Section, Setting, Surroundings};
use crate::mail::dial::{Dial, PhaseNames};
use crate::net::Net;
use crate::stopwatch::Stopwatch;
use look::Seen;
use settings::Settings;

/// For the book.
const ABOUT: &str = "Looks at an SMTP server without handing in a message: greeting, extensions before and after \
    TLS, sign-in mechanisms, certificate; where asked, a sign-in, and which recipients the \
    server takes (`recipient`, `refused_recipient`, `relay_to` for the open-relay look). That \
    ends after RCPT TO with RSET; DATA is never said. The `expect_` settings make a fault of \
    what is otherwise a fact.";
/// A check, for the book.
const EXAMPLE: &str = r#"[[check]]
name = "exchanger"
kind = "smtp"
host = "mx.example.org"
port = 25
tls = "opportunistic"
expect_starttls = true
relay_to = "somebody@example.net"       # must be refused
every = "5m"
"#;

const PHASES: &[Part] = &[
    page::TOKEN,
    page::RESOLVE,
    page::CONNECT,
    page::GREETING,
    page::TLS,
    page::AUTH,
    Part::new(name::ENVELOPE, "MAIL FROM and RCPT TO, where recipients are asked about"),
];

/// The kind `smtp`.
pub(super) struct SmtpKind;

impl Kind for SmtpKind {
    fn name(&self) -> &'static str {
        "smtp"
    }

    fn summary(&self) -> &'static str {
        "looks at an SMTP server: greeting, extensions, TLS, sign-in, relaying"
    }

    fn settings(&self) -> &'static [Setting] {
        settings::SETTINGS
    }

    fn page(&self) -> Page {
        Page {
            about: ABOUT,
            example: EXAMPLE,
            phases: PHASES.to_vec(),
            rules: rules::RULES.iter().chain(OF_CERTIFICATE).copied().collect(),
        }
    }

    fn configure(
        &self,
        section: &mut Section<'_>,
        surroundings: &Surroundings,
    ) -> Option<Arc<dyn Probe>> {
        let settings = settings::read(section, surroundings)?;
        let Surroundings { net, clock, .. } = surroundings;
        Some(Arc::new(SmtpProbe { settings, net: net.clone(), clock: *clock }))
    }
}

/// One check of the kind `smtp`.
struct SmtpProbe {
    settings: Settings,
    net: Net,
    clock: Clock,
}

impl Probe for SmtpProbe {
    fn run(&self, run: Run) -> BoxFuture<'_, Outcome> {
        async move { self.look(&run).await }.boxed()
    }
}

impl SmtpProbe {
    async fn look(&self, run: &Run) -> Outcome {
        let patience = run.patience(self.clock);
        let dial = Dial { net: &self.net, patience, names: PhaseNames::PLAIN };
        let record = dial.record(&self.settings.endpoint);
        let mut watch = Stopwatch::start(self.clock);
        let mut seen = Seen::default();
        let ended = seen.all(&self.settings, dial, &record, &mut watch).await;
        let (told, refused) = told::told(&seen, &self.settings, self.clock.wall());
        // What went wrong on the wire comes first, then the certificate, then what was expected.
        let ended = match (ended, refused) {
            (Err(failure), _) | (Ok(()), Some(failure)) => Err(failure),
            (Ok(()), None) => expect::met(&seen, &self.settings),
        };
        Outcome::of(ended, &watch, &record).with(told.0, told.1)
    }
}

#[cfg(test)]
mod tests;
