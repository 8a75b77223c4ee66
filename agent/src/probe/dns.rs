//! DNS posture of a mail domain: what others find when they want to send mail to it, or check mail
//! from it.
//!
//! A run looks the domain up, then lets every group of rules look at its part, all at once under one
//! bound of questions. The run fails when the domain cannot be looked up or when something that the
//! check expects does not hold; everything else that is not as it should be is a finding. Each record
//! set is kept with its digest, so that a change can be seen later. A group of rules is one file in
//! this folder plus one line in [`group::GROUPS`].

pub(super) mod exchangers;
pub(super) mod group;
pub(super) mod records;
pub(super) mod settings;
mod told;

mod authority;
mod caa;
mod dnssec;
mod mx;
mod policies;
mod ptr;
mod reach;
mod servers;
mod srv;
mod ttl;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use hickory_resolver::proto::rr::RecordType;
use mailsonde_proto::time::Instant;
use mailsonde_proto::{Clock, FaultClass};
use tokio::time::timeout_at;

use super::page::{Page, Part};
use super::{Kind, Outcome, Probe, Run, Section, Setting, Surroundings};
use crate::dns::{Ask, AskError};
use crate::mail::failure::Failure;
use crate::net::Net;
use crate::posture::Rule;
use crate::stopwatch::{Lap, Stopwatch};
use group::{Context, Group, Looked};
use settings::DnsCheck;
use told::Story;

/// The look-up of the domain itself, with nothing else under way.
const LOOKUP: &str = "dns.lookup";
/// A run returns so much before its deadline: whoever enforces that deadline must not be first.
const MARGIN: Duration = Duration::from_millis(200);

/// For the book.
const ABOUT: &str = "A run looks the domain up, then lets every group of rules look at its part, all at once and \
    under one bound of questions: MX, addresses and their names, SPF, DKIM, DMARC, MTA-STS, \
    DANE, TLSRPT, BIMI, SRV, CAA, every authoritative server, times to live, DNSSEC. It fails \
    when the domain cannot be looked up, or when something does not hold that the check expects \
    (`expect_mx`, `expect_ns`, `expect_dnssec`); everything else that is not as it should be is \
    a finding. Each set of records is kept with its digest: `mailsonde-collector changes` tells \
    what changed, when, and seen by whom. DKIM selectors cannot be listed by DNS; take them from \
    the `s=` of a signature.";
/// A check, for the book.
const EXAMPLE: &str = r#"[[check]]
name = "posture"
kind = "dns"
domain = "example.org"
selectors = ["s1", "s2"]                # DKIM
expect_mx = ["mx.example.org"]          # any other is a failure
every = "1h"
timeout = "60s"
"#;

fn phases() -> Vec<Part> {
    let groups = group::GROUPS.iter().map(|group| Part::new(group.phase, group.about));
    std::iter::once(Part::new(LOOKUP, "the domain's MX records, with nothing else under way"))
        .chain(groups)
        .collect()
}

fn rules() -> Vec<&'static Rule> {
    let of_groups = group::GROUPS.iter().flat_map(|group| group.rules.iter().copied().flatten());
    of_groups.chain(group::OF_ANY_GROUP).chain(&[&told::UNFINISHED]).copied().collect()
}

/// The kind `dns`.
pub(super) struct DnsKind;

impl Kind for DnsKind {
    fn name(&self) -> &'static str {
        "dns"
    }

    fn summary(&self) -> &'static str {
        "looks at everything that DNS says about a mail domain"
    }

    fn settings(&self) -> &'static [Setting] {
        settings::SETTINGS
    }

    fn page(&self) -> Page {
        Page { about: ABOUT, example: EXAMPLE, phases: phases(), rules: rules() }
    }

    fn configure(
        &self,
        section: &mut Section<'_>,
        surroundings: &Surroundings,
    ) -> Option<Arc<dyn Probe>> {
        let check = settings::read(section)?;
        let Surroundings { net, clock, .. } = surroundings;
        Some(Arc::new(DnsProbe { check, net: net.clone(), clock: *clock }))
    }
}

struct DnsProbe {
    check: DnsCheck,
    net: Net,
    clock: Clock,
}

impl Probe for DnsProbe {
    fn run(&self, run: Run) -> BoxFuture<'_, Outcome> {
        self.look(run.deadline.checked_sub(MARGIN).unwrap_or(run.deadline)).boxed()
    }
}

impl DnsProbe {
    async fn look(&self, deadline: Instant) -> Outcome {
        let mut watch = Stopwatch::start(self.clock);
        let dns = match self.net.dns(&self.check.dns, self.clock, deadline) {
            Ok(dns) => dns,
            Err(error) => return Story::new(&self.check).end(Some(failure(&error)), &watch),
        };
        let context = Context {
            domain: &self.check.domain,
            check: &self.check,
            dns: &dns,
            servers: &dns,
            net: &self.net,
            clock: self.clock,
            deadline,
        };
        let mut story = Story::new(&self.check);
        story.resolvers(dns.resolvers());
        let first = timeout_at(deadline, context.dns.ask(context.domain, RecordType::MX)).await;
        watch.lap(LOOKUP);
        let failed = match first {
            Ok(Ok(answer)) if answer.is_nx_domain() => {
                let words = format!("the domain {} does not exist in DNS", self.check.shown());
                let failure = Failure::new(LOOKUP, FaultClass::Refused, words);
                return story.end(Some(failure), &watch);
            }
            Ok(Ok(_)) => None,
            // Nobody can be asked: there is nothing to look at.
            Ok(Err(error)) if error.is_of_nobody() => {
                return story.end(Some(failure(&error)), &watch);
            }
            // What is wrong with the domain is for the groups to find out.
            Ok(Err(error)) => Some(failure(&error)),
            Err(_) => match dns.silence() {
                Some(error) => return story.end(Some(failure(&error)), &watch),
                None => Some(failure(&AskError::Timeout { name: self.check.shown() })),
            },
        };
        let groups = self.check.groups.iter();
        let looked = join_all(groups.map(|group| look_at(group, &context))).await;
        // Who answered at first may have fallen silent: then what was not found out says nothing of the domain.
        if let Some(error) = dns.silence() {
            return story.end(Some(failure(&error)), &watch);
        }
        let failed = failed.or_else(|| mostly_unanswered(&looked));
        for (group, lap, looked) in looked {
            story.group(group, lap, looked, watch.started());
        }
        story.transcript(&dns);
        story.end(failed, &watch)
    }
}

/// What one group finds; `None` when its time ran out.
async fn look_at<'a>(
    group: &'static Group,
    context: &'a Context<'a>,
) -> (&'static Group, Lap, Option<Looked>) {
    let from = context.clock.monotonic();
    let looked = timeout_at(context.deadline, (group.look)(context)).await.ok();
    let to = context.clock.monotonic();
    (group, Lap { name: group.phase, from, to }, looked)
}

/// So many parts are a look at the whole domain.
const MANY: usize = 4;

/// Where most parts of the look had a question without an answer, what was found is not how the domain is.
fn mostly_unanswered(looked: &[(&'static Group, Lap, Option<Looked>)]) -> Option<Failure> {
    let without: Vec<&str> = looked
        .iter()
        .filter(|(_, _, looked)| looked.as_ref().is_some_and(Looked::has_unanswered))
        .map(|(group, _, _)| group.name)
        .collect();
    // Of a few parts one slow name can be most.
    if looked.len() < MANY || without.len() * 2 <= looked.len() {
        return None;
    }
    let words = format!(
        "{} of {} parts of the look had a question that nobody answered ({}): what was found is not how the \
         domain is",
        without.len(),
        looked.len(),
        without.join(", ")
    );
    Some(Failure::new(LOOKUP, FaultClass::Temporary, words))
}

fn failure(error: &AskError) -> Failure {
    Failure::dns(LOOKUP, error)
}

#[cfg(test)]
pub(super) mod tests;
