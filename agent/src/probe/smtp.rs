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

use super::{Kind, Outcome, Probe, Run, Section, Setting, Surroundings};
use crate::mail::dial::{Dial, PhaseNames};
use crate::net::Net;
use crate::stopwatch::Stopwatch;
use look::Seen;
use settings::Settings;

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
