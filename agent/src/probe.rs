//! Probes: the procedures that carry out checks.
//!
//! A kind of probe is one file in `probe/` plus one line in [`Kinds::standard`]. A probe returns an
//! outcome, never an error: a broken target is a result. It opens sockets through `net` only, asks
//! `Clock` for the time, and keeps to its run's deadline; whoever runs it enforces that deadline too.

mod dns;
mod dnsbl;
mod http;
mod imap;
mod pop3;
mod round_trip;
mod smtp;
mod spf;
mod tcp;
mod tls;

mod governed;
pub mod page;
mod pattern;
mod stock;
mod told;
#[cfg(test)]
mod trial;

#[cfg(test)]
mod samples;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use mailsonde_proto::time::Instant;
use mailsonde_proto::{
    AgentId, Cause, Clock, Fact, Fault, Finding, Phase, RunId, Verdict, WallTime,
};
use tokio::sync::mpsc;

use crate::config::section::Section;
use crate::mail::mailbox::Mailbox;
use crate::mail::token::TokenKey;
use crate::net::Net;
use crate::peers::Peers;
use page::Page;

pub(crate) use governed::governed;
pub(crate) use told::strict;

pub use dns::records::line as record_line;
pub use http::announced;
pub use round_trip::{
    AutoReply, Expect, ExpectedCode, RoundTrip, RoundTripSettings, asked_to_wait,
};

/// One kind of probe: its name, its settings, and how a check of it is made ready.
pub trait Kind: Send + Sync {
    /// As in `kind = "round-trip"`.
    fn name(&self) -> &'static str;

    /// What it does, in one sentence for `probe --list`.
    fn summary(&self) -> &'static str;

    /// Its settings, for `probe KIND --help` and the book.
    fn settings(&self) -> &'static [Setting];

    /// What the book says of it beside its settings.
    fn page(&self) -> Page {
        Page::default()
    }

    /// Reads the settings of one check. What is wrong is reported to the section, all of it; `None`
    /// when anything was.
    fn configure(
        &self,
        section: &mut Section<'_>,
        surroundings: &Surroundings,
    ) -> Option<Arc<dyn Probe>>;
}

/// One check made ready to run, as often as wanted, also several runs at once.
pub trait Probe: Send + Sync {
    /// Carries out one run.
    fn run(&self, run: Run) -> BoxFuture<'_, Outcome>;
}

/// The description of one setting, for people.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The key in the check's table.
    pub name: &'static str,
    /// Its form with the unit: `duration`, `size`, `text`, `name of a mailbox`, `"a" | "b"`.
    pub form: &'static str,
    /// The default as it would be written; `None` when the setting is required.
    pub default: Option<&'static str>,
    /// What it is for, in one sentence.
    pub help: &'static str,
}

impl Setting {
    /// A setting, by its fields in their order.
    pub const fn new(
        name: &'static str,
        form: &'static str,
        default: Option<&'static str>,
        help: &'static str,
    ) -> Self {
        Self { name, form, default, help }
    }
}

/// What probes share on one agent.
#[derive(Clone)]
pub struct Surroundings {
    /// Opens every socket.
    pub net: Net,
    /// Says what time it is.
    pub clock: Clock,
    /// By the name in `[[mailbox]]`; each keeps its IMAP connections between runs.
    pub mailboxes: BTreeMap<String, Arc<Mailbox>>,
    /// Other agents, which see mail arrive; nobody, where no collector is.
    pub peers: Peers,
}

/// What one run is told.
#[derive(Clone)]
pub struct Run {
    /// Names the run; it stands in the test message's token.
    pub id: RunId,
    /// Who runs it; all zeros for a probe at a shell without an identity.
    pub agent: AgentId,
    /// The check's name.
    pub check: String,
    /// Why there is a run.
    pub cause: Cause,
    /// The slot it is for.
    pub scheduled_for: WallTime,
    /// By then it must have returned, by the monotonic clock.
    pub deadline: Instant,
    /// Makes and verifies the tokens of test messages.
    pub token_key: Arc<TokenKey>,
    /// Where amendments go that come up during this run or after it. Bounded: a full queue holds the
    /// mailbox's watcher back, nothing is lost, because the message stays in the mailbox till then.
    pub amendments: mpsc::Sender<Amendment>,
}

/// What a run found. `started_at` and all that a schedule knows are added by the runner.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What it says about the target.
    pub verdict: Verdict,
    /// The run's own length in microseconds; of a round trip, from the start of the submission to the
    /// message first seen.
    pub total_us: u64,
    /// Timed parts, in order of their start.
    pub phases: Vec<Phase>,
    /// What was learnt.
    pub facts: Vec<Fact>,
    /// Posture rules that do not hold.
    pub findings: Vec<Finding>,
    /// What was said on the wire, kept only when the run failed.
    pub transcript: String,
}

/// Something learnt about an earlier run: its message came late, twice, altered, or bounced.
#[derive(Clone, Debug)]
pub struct Amendment {
    /// The run that sent the message, proven by its token.
    pub run: RunId,
    /// What it was: always a fault (`mismatch` for late and twice), never a pass.
    pub fault: Fault,
    /// From the run's message being accepted to now, where known, in microseconds.
    pub phases: Vec<Phase>,
    /// What was learnt, such as the folder and how late.
    pub facts: Vec<Fact>,
    /// The message came while nobody watched, or was left by a crash: it is news only where its run did
    /// not see it arrive, which the outbox knows.
    pub is_found: bool,
}

/// All kinds that an agent knows, by name.
#[derive(Clone, Default)]
pub struct Kinds(BTreeMap<&'static str, Arc<dyn Kind>>);

impl Kinds {
    /// Those that are built in: one line each.
    pub fn standard() -> Self {
        Self::default()
            .with(Arc::new(round_trip::RoundTripKind))
            .with(Arc::new(dns::DnsKind))
            .with(Arc::new(dnsbl::DnsblKind))
            .with(Arc::new(http::HttpKind))
            .with(Arc::new(imap::ImapKind))
            .with(Arc::new(pop3::Pop3Kind))
            .with(Arc::new(spf::SpfKind))
            .with(Arc::new(smtp::SmtpKind))
            .with(Arc::new(tcp::TcpKind))
            .with(Arc::new(tls::TlsKind))
    }

    /// These and one more; a kind of the same name is replaced.
    #[must_use]
    pub fn with(mut self, kind: Arc<dyn Kind>) -> Self {
        self.0.insert(kind.name(), kind);
        self
    }

    /// The kind of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Kind>> {
        self.0.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Kind>> {
        self.0.values()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::mistake::Report;
    use crate::config::value::Table;

    /// What nobody lists, nobody finds.
    #[test]
    fn whatever_a_kind_reads_stands_in_its_help() {
        for (name, pairs) in [
            ("dns", &[][..]),
            ("dnsbl", &[]),
            ("http", &[]),
            ("http", &["pages=exchange"]),
            ("http", &["pages=autoconfig"]),
            ("imap", &[]),
            ("imap", &["mailbox=m"]),
            ("pop3", &[]),
            ("round-trip", &[]),
            ("smtp", &[]),
            ("spf", &[]),
            ("tcp", &[]),
            ("tcp", &["tls=true"]),
            ("tls", &[]),
        ] {
            let kinds = Kinds::standard();
            let kind = kinds.get(name).unwrap();
            let (table, _) = Table::of_settings(pairs.iter().copied());
            let report = Report::default();
            let surroundings = Surroundings {
                net: Net::new(),
                clock: Clock::system(),
                mailboxes: BTreeMap::new(),
                peers: Peers::default(),
            };
            let mut section = Section::new(&table, &report, Path::new(""), "");
            kind.configure(&mut section, &surroundings);
            let listed = |key: &String| {
                let names = kind.settings().iter().map(|setting| setting.name);
                names.into_iter().any(|name| name.split('.').next() == Some(key))
            };
            let unlisted: Vec<_> = section.asked().into_iter().filter(|k| !listed(k)).collect();
            assert_eq!(unlisted, Vec::<String>::new(), "{name} {pairs:?}");
        }
    }
}
