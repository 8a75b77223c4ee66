//! Which versions and suites a server accepts, learnt by asking: one connection a question.
//!
//! Each question is a ClientHello written by hand (`net/tls/hello.rs`), so that versions and suites can be
//! asked for that no library speaks. The versions are asked for beside each other, the suites of one after
//! another: the server picks one of those that are offered, which is then offered no more. The number of
//! connections is bounded, and what was left out is told.

use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::join_all;
use mailsonde_proto::{Fact, Finding, Severity};
use rustls::CipherSuite;

use super::rules;
use crate::mail::dial::{Dial, Patience};
use crate::mail::endpoint::Endpoint;
use crate::mail::failure::Failure;
use crate::mail::starttls::{self, Prelude};
use crate::net::tls::hello::{Answer, Grade, TlsVersion, grade};
use crate::posture::one_line;
use crate::stopwatch::Stopwatch;

/// The most connections for one version.
const MOST_QUESTIONS: usize = 100;
/// How long one answer is waited for.
const STEP: Duration = Duration::from_secs(5);

/// How much is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// Nothing.
    None,
    /// Which versions, and whether any suite is accepted that should not be.
    Versions,
    /// Every suite.
    Suites,
}

/// What is scanned.
pub(super) struct Target<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) prelude: Prelude,
    pub(super) server_name: &'a str,
    pub(super) depth: Depth,
}

/// What a server accepts of one version.
#[derive(Clone, Debug)]
pub(super) struct OfVersion {
    version: TlsVersion,
    /// In the order in which the server picked them.
    suites: Vec<CipherSuite>,
    questions: usize,
    /// Why not everything was asked.
    gap: Option<String>,
}

/// What a server accepts.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    depth: Depth,
    of: Vec<OfVersion>,
}

impl Scan {
    /// Asks for everything, in the time that there is.
    pub(super) async fn of(dial: Dial<'_>, target: &Target<'_>, addresses: &[IpAddr]) -> Self {
        let patience = Patience { step: dial.patience.step.min(STEP), ..dial.patience };
        let dial = Dial { patience, ..dial };
        let versions = TlsVersion::ALL.into_iter();
        let asked = versions.map(|version| of_version(dial, target, addresses, version));
        Self { depth: target.depth, of: join_all(asked).await }
    }

    /// The oldest version that is accepted.
    pub(super) fn oldest(&self) -> Option<TlsVersion> {
        self.accepted().map(|of| of.version).min()
    }

    /// The newest version that is accepted.
    pub(super) fn newest(&self) -> Option<TlsVersion> {
        self.accepted().map(|of| of.version).max()
    }

    fn accepted(&self) -> impl Iterator<Item = &OfVersion> {
        self.of.iter().filter(|of| !of.suites.is_empty())
    }

    pub(super) fn facts(&self) -> Vec<Fact> {
        let versions: Vec<_> = self.accepted().map(|of| of.version.as_str()).collect();
        let questions: usize = self.of.iter().map(|of| of.questions).sum();
        let gaps: Vec<_> = self.of.iter().filter_map(|of| of.gap.as_deref()).collect();
        let scan = if gaps.is_empty() { "complete".to_owned() } else { gaps.join("; ") };
        let mut facts = vec![
            Fact::new("tls.versions", versions.join(" ")),
            Fact::new("tls.scan", one_line(&scan)),
            Fact::new("tls.scan_connections", questions.to_string()),
        ];
        if self.depth == Depth::Suites {
            facts.extend(self.accepted().map(|of| {
                let key = of.version.as_str().to_ascii_lowercase().replace(['v', '.'], "");
                Fact::new(format!("tls.suites.{key}"), names(of.suites.iter().copied()))
            }));
        }
        facts
    }

    /// Which rules do not hold for what is accepted.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let old: Vec<_> =
            self.accepted().map(|of| of.version).filter(|v| *v < TlsVersion::Tls12).collect();
        if let Some(oldest) = old.first() {
            let is_broken = *oldest == TlsVersion::Ssl30;
            let severity = if is_broken { Severity::Critical } else { Severity::Warning };
            let words: Vec<_> = old.iter().map(|version| version.as_str()).collect();
            let words = format!("the server accepts {}", words.join(", "));
            findings.push(rules::OLD_VERSION.at(severity).broken(words));
        }
        let newest = self.of.last().filter(|of| of.gap.is_none() && of.suites.is_empty());
        if newest.is_some() && self.accepted().next().is_some() {
            findings.push(rules::NO_VERSION_13.broken("the server does not accept TLSv1.3"));
        }
        for (rule, bad) in [
            (rules::WEAK_SUITE, Grade::Broken),
            (rules::ANONYMOUS_SUITE, Grade::Anonymous),
            (rules::NO_FORWARD_SECRECY, Grade::NoForwardSecrecy),
        ] {
            let suites = self.accepted().flat_map(|of| of.suites.iter().copied());
            let mut suites: Vec<_> = suites.filter(|suite| grade(*suite) == bad).collect();
            suites.sort_unstable_by_key(|suite| u16::from(*suite));
            suites.dedup();
            if !suites.is_empty() {
                findings.push(rule.broken(format!("the server accepts {}", names(suites))));
            }
        }
        findings
    }
}

fn names(suites: impl IntoIterator<Item = CipherSuite>) -> String {
    let names = suites.into_iter().map(|suite| {
        suite.as_str().map_or_else(|| format!("0x{:04x}", u16::from(suite)), str::to_owned)
    });
    names.collect::<Vec<_>>().join(" ")
}

async fn of_version(
    dial: Dial<'_>,
    target: &Target<'_>,
    addresses: &[IpAddr],
    version: TlsVersion,
) -> OfVersion {
    let mut found = OfVersion { version, suites: Vec::new(), questions: 0, gap: None };
    let mut offered = version.suites();
    // Without every suite asked for, one question for each kind that should not be accepted.
    let mut bad = [Grade::Broken, Grade::Anonymous, Grade::NoForwardSecrecy].into_iter();
    while !offered.is_empty() {
        if found.questions >= MOST_QUESTIONS {
            found.gap = Some(format!(
                "of {} no more than {MOST_QUESTIONS} suites were asked for",
                version.as_str()
            ));
            break;
        }
        found.questions += 1;
        match ask(dial, target, addresses, (version, &offered)).await {
            Ok(Some(suite)) if offered.contains(&suite) => {
                offered.retain(|one| *one != suite);
                found.suites.push(suite);
            }
            Ok(_) if target.depth == Depth::Suites || found.suites.is_empty() => break,
            Ok(_) => offered.clear(),
            Err(failure) => {
                let why = failure.fault.explanation;
                found.gap =
                    Some(format!("{} was not asked for to the end: {why}", version.as_str()));
                break;
            }
        }
        if target.depth == Depth::Versions {
            offered = next_kind(version, &mut bad);
        }
    }
    found
}

/// The suites of the next kind that this version has any of.
fn next_kind(version: TlsVersion, bad: &mut impl Iterator<Item = Grade>) -> Vec<CipherSuite> {
    let of = |kind| {
        version.suites().into_iter().filter(|suite| grade(*suite) == kind).collect::<Vec<_>>()
    };
    bad.map(of).find(|suites| !suites.is_empty()).unwrap_or_default()
}

/// One connection: the suite that the server picks, if it accepts the version.
async fn ask(
    dial: Dial<'_>,
    target: &Target<'_>,
    addresses: &[IpAddr],
    (version, suites): (TlsVersion, &[CipherSuite]),
) -> Result<Option<CipherSuite>, Failure> {
    let record = dial.record(target.endpoint);
    let mut watch = Stopwatch::start(dial.patience.clock);
    let mut wire = dial.connect(target.endpoint, addresses, record, &mut watch).await?;
    starttls::begin(&mut wire, target.prelude, &dial.patience, &mut watch).await?;
    let (stream, _record) = wire
        .into_stream()
        .map_err(|error| Failure::wire(dial.names.tls, "the TLS handshake", &error))?;
    let offer = dial.net.offer(stream, target.server_name, version, suites);
    match dial.in_time(dial.names.tls, offer).await? {
        Answer::Accepted { version: Some(accepted), suite, .. } if accepted == version => {
            Ok(Some(suite))
        }
        Answer::Accepted { .. } | Answer::Refused { .. } | Answer::Closed => Ok(None),
    }
}
