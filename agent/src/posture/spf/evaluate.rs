//! `check_host()`: what a domain's record says of one sender (RFC 7208 section 4), and what it took.

mod mechanisms;

use std::net::IpAddr;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hickory_resolver::proto::rr::RecordType;

use super::macros::{MacroString, Values};
use super::record::{Qualifier, Record};
use super::tree::Node;
use super::{MOST_LOOKUPS, MOST_VOIDS, records};
use crate::dns::{Answer, Ask, AskError};
use crate::posture::{bounded, name_of};

/// Characters of an explanation that are kept.
const MOST_EXPLANATION: usize = 1_000;

/// Who sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    ip: IpAddr,
    helo: String,
    mailbox: String,
    local_part: String,
    domain: String,
}

impl Sender {
    /// A client's address, its HELO name and the envelope's sender. Where the sender is empty (a bounce),
    /// the HELO name is judged (RFC 7208 section 2.4); where it has no local part, that is `postmaster`
    /// (section 4.3). An IPv4 address in an IPv6 one is an IPv4 address.
    pub fn new(ip: IpAddr, helo: &str, sender: &str) -> Self {
        let mailbox = if sender.is_empty() { helo } else { sender };
        let (local_part, domain) = match mailbox.rsplit_once('@') {
            Some(("", domain)) => ("postmaster", domain),
            Some(both) => both,
            None => ("postmaster", mailbox),
        };
        Self {
            ip: ip.to_canonical(),
            helo: helo.to_owned(),
            mailbox: format!("{local_part}@{domain}"),
            local_part: local_part.to_owned(),
            domain: domain.to_owned(),
        }
    }

    /// The domain whose record is asked.
    pub fn domain(&self) -> &str {
        &self.domain
    }
}

/// RFC 7208 section 2.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpfResult {
    /// There is no record, or no domain that could have one.
    None,
    /// The domain says nothing of this sender.
    Neutral,
    /// It may send.
    Pass,
    /// It may not.
    Fail,
    /// It probably may not.
    SoftFail,
    /// DNS did not answer.
    TempError,
    /// The record cannot be evaluated.
    PermError,
}

impl SpfResult {
    /// Each with its word.
    pub const WORDS: &'static [(&'static str, Self)] = &[
        ("none", Self::None),
        ("neutral", Self::Neutral),
        ("pass", Self::Pass),
        ("fail", Self::Fail),
        ("softfail", Self::SoftFail),
        ("temperror", Self::TempError),
        ("permerror", Self::PermError),
    ];

    /// Its word, as in `Received-SPF` (RFC 7208 section 9.1).
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, result)| *result == self).map_or("none", |(word, _)| word)
    }
}

impl From<Qualifier> for SpfResult {
    fn from(qualifier: Qualifier) -> Self {
        match qualifier {
            Qualifier::Pass => Self::Pass,
            Qualifier::Fail => Self::Fail,
            Qualifier::SoftFail => Self::SoftFail,
            Qualifier::Neutral => Self::Neutral,
        }
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The result.
    pub result: SpfResult,
    /// Why, in words: the term that matched, or what went wrong.
    pub why: String,
    /// What the domain says to a sender that fails (RFC 7208 section 6.2).
    pub explanation: Option<String>,
    /// The terms that were evaluated, with look-ups and void look-ups.
    pub tree: Node,
    /// Of a temperror: what DNS did.
    pub trouble: Option<AskError>,
}

/// Evaluates the record of the sender's domain. `now_s` is the time for the macro `t`.
pub async fn check_host(ask: &dyn Ask, sender: &Sender, now_s: u64) -> Evaluation {
    let walk = Walk { ask, sender, now_s, lookups: 0, voids: 0, pointers: None };
    walk.whole().await
}

/// Why an evaluation ends before a term matches.
#[derive(Debug)]
enum Stop {
    Permanent(String),
    Temporary(AskError),
}

impl Stop {
    fn words(&self) -> String {
        match self {
            Self::Permanent(why) => format!("permerror: {why}"),
            Self::Temporary(error) => format!("temperror: {error}"),
        }
    }
}

/// A matching term, and whose explanation counts.
struct Hit {
    result: SpfResult,
    why: String,
    explanation: Option<(MacroString, String)>,
}

/// One `check_host()` with all that it recurses into: the limits are of all of them together.
struct Walk<'a> {
    ask: &'a dyn Ask,
    sender: &'a Sender,
    now_s: u64,
    lookups: u32,
    voids: u32,
    /// The validated names of the address, once they were asked for.
    pointers: Option<Vec<String>>,
}

impl Walk<'_> {
    async fn whole(mut self) -> Evaluation {
        let domain = self.sender.domain.clone();
        let mut tree = Node::new(bounded(domain.clone(), 300));
        let ended = self.check(&domain, &mut tree).await;
        tree.lookups = self.lookups;
        tree.voids = self.voids;
        let (result, why, explanation, trouble) = match ended {
            Ok(hit) => {
                let explanation = match hit.explanation {
                    Some((of, at)) if hit.result == SpfResult::Fail => self.explain(&of, &at).await,
                    _ => None,
                };
                (hit.result, hit.why, explanation, None)
            }
            Err(Stop::Permanent(why)) => (SpfResult::PermError, why, None, None),
            Err(Stop::Temporary(error)) => {
                (SpfResult::TempError, error.to_string(), None, Some(error))
            }
        };
        result.as_str().clone_into(&mut tree.said);
        Evaluation { result, why, explanation, tree, trouble }
    }

    /// Section 4.3 to 4.7 for one domain; its terms are hung below `node`.
    fn check<'s>(
        &'s mut self,
        domain: &'s str,
        node: &'s mut Node,
    ) -> BoxFuture<'s, Result<Hit, Stop>> {
        async move {
            let none = |why: String| Hit { result: SpfResult::None, why, explanation: None };
            let Some(name) = name_of(domain).filter(|name| name.num_labels() > 1) else {
                return Ok(none(format!("\"{}\" is no domain", bounded(domain.to_owned(), 300))));
            };
            let answer = self.ask.ask(&name, RecordType::TXT).await.map_err(Stop::Temporary)?;
            let mut found = records(answer.texts());
            let text = match (found.pop(), found.len()) {
                (None, _) => return Ok(none(format!("{domain} has no SPF record"))),
                (Some(text), 0) => text,
                (_, others) => {
                    let why = format!("{domain} has {} SPF records", others + 1);
                    return Err(Stop::Permanent(why));
                }
            };
            let record = Record::parse(&text).map_err(|error| {
                Stop::Permanent(format!("the record of {domain} is wrong at {error}"))
            })?;
            self.terms(domain, &record, node).await
        }
        .boxed()
    }

    /// Section 4.6 and 4.7: the first directive that matches, else the redirection, else neutral.
    async fn terms(&mut self, domain: &str, record: &Record, node: &mut Node) -> Result<Hit, Stop> {
        let explanation = record.explanation().map(|of| (of.clone(), domain.to_owned()));
        for (term, qualifier, mechanism) in record.directives() {
            let before = (self.lookups, self.voids);
            let mut child = Node::new(&term.text);
            let matched = self.matches(mechanism, domain, &mut child).await;
            self.account(&mut child, before);
            child.said = match &matched {
                Ok(true) => "match".to_owned(),
                Ok(false) => "no match".to_owned(),
                Err(stop) => bounded(stop.words(), 200),
            };
            node.below.push(child);
            if matched? {
                let why = format!("\"{}\" in the record of {domain} matches", term.text);
                return Ok(Hit { result: qualifier.into(), why, explanation });
            }
        }
        let Some((term, target)) = record.redirect() else {
            let why = format!("no term in the record of {domain} matches");
            return Ok(Hit { result: SpfResult::Neutral, why, explanation });
        };
        let before = (self.lookups, self.voids);
        let mut child = Node::new(&term.text);
        let ended = self.redirected(target, domain, &mut child).await;
        self.account(&mut child, before);
        child.said = match &ended {
            Ok(hit) => hit.result.as_str().to_owned(),
            Err(stop) => bounded(stop.words(), 200),
        };
        node.below.push(child);
        ended
    }

    /// Section 6.1: the other record's result, and its explanation.
    async fn redirected(
        &mut self,
        target: &MacroString,
        domain: &str,
        node: &mut Node,
    ) -> Result<Hit, Stop> {
        self.looked_up()?;
        let target = self.name(Some(target), domain).await?;
        let hit = self.check(&target, node).await?;
        if hit.result == SpfResult::None {
            return Err(Stop::Permanent(format!("redirect leads to nothing: {}", hit.why)));
        }
        Ok(hit)
    }

    fn account(&self, node: &mut Node, (lookups, voids): (u32, u32)) {
        node.lookups = self.lookups - lookups;
        node.voids = self.voids - voids;
    }

    /// Section 4.6.4: each term that asks DNS counts.
    fn looked_up(&mut self) -> Result<(), Stop> {
        self.lookups += 1;
        if self.lookups > MOST_LOOKUPS {
            let why = format!("more than {MOST_LOOKUPS} terms ask DNS");
            return Err(Stop::Permanent(why));
        }
        Ok(())
    }

    /// Section 4.6.4: a question without an answer counts, too.
    fn count(&mut self, answer: &Answer, kind: RecordType) -> Result<(), Stop> {
        if answer.is_void(kind) {
            self.voids += 1;
        }
        if self.voids > MOST_VOIDS {
            let why = format!("more than {MOST_VOIDS} questions to DNS have no answer");
            return Err(Stop::Permanent(why));
        }
        Ok(())
    }

    /// The name that a term means: its own, expanded, or the domain's (section 4.8).
    async fn name(&mut self, of: Option<&MacroString>, domain: &str) -> Result<String, Stop> {
        let Some(of) = of else { return Ok(domain.to_owned()) };
        let validated = self.validated(of, domain).await?;
        let expanded = of.expand_name(&self.values(domain, &validated));
        expanded.ok_or_else(|| Stop::Permanent("a macro becomes too long".to_owned()))
    }

    fn values<'v>(&'v self, domain: &'v str, validated: &'v str) -> Values<'v> {
        Values {
            sender: &self.sender.mailbox,
            local_part: &self.sender.local_part,
            sender_domain: &self.sender.domain,
            domain,
            ip: self.sender.ip,
            validated,
            helo: &self.sender.helo,
            now_s: self.now_s,
        }
    }

    /// Section 6.2: whatever is wrong with an explanation, there is none then.
    async fn explain(&mut self, of: &MacroString, domain: &str) -> Option<String> {
        let target = name_of(&self.name(Some(of), domain).await.ok()?)?;
        let answer = self.ask.ask(&target, RecordType::TXT).await.ok()?;
        let mut texts = answer.texts();
        let text = texts.pop().filter(|text| texts.is_empty() && text.is_ascii())?;
        let text = MacroString::parse(&text, super::macros::Place::Text).ok()?;
        let validated = self.validated(&text, domain).await.ok()?;
        let text = text.expand(&self.values(domain, &validated))?;
        Some(bounded(text, MOST_EXPLANATION))
    }
}

#[cfg(test)]
mod tests;
