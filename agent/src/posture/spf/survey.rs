//! A whole SPF record with all that it includes, without a sender: what the worst one costs.
//!
//! Every term is followed, as if none matched before it. What depends on the sender (macros) is counted
//! and not followed. A term whose name has neither an IPv4 nor an IPv6 address counts as void.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use super::findings as rules;
use super::macros::{MacroString, Values};
use super::record::{Mechanism, Qualifier, Record, Term};
use super::tree::Node;
use super::{MOST_LOOKUPS, MOST_NAMES, MOST_VOIDS, records};
use crate::dns::{Ask, AskError};
use crate::posture::{Rule, bounded, name_of, shown};

/// Terms that are followed; a record that needs more is broken five times over.
const MOST_FOLLOWED: u32 = 50;
/// Questions of one survey.
const MOST_QUESTIONS: u32 = 200;
/// Network prefixes up to this length take in more than any organisation has.
const WIDE_FOUR: u8 = 8;
const WIDE_SIX: u8 = 19;

/// What a walk over all terms finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// The domain's own record, where it has exactly one.
    pub record: Option<String>,
    /// All terms, with their look-ups and void look-ups.
    pub tree: Node,
    /// What is wrong: the rule, and the evidence.
    pub problems: Vec<(&'static Rule, String)>,
    /// Questions that nobody answered: a temperror to receivers (RFC 7208 section 4.4).
    pub unanswered: Vec<AskError>,
}

impl Survey {
    /// Walks over the record of a domain.
    pub async fn of(ask: &dyn Ask, domain: &Name) -> Self {
        let domain = shown(domain);
        let mut walk = Walk {
            ask,
            path: Vec::new(),
            lookups: 0,
            voids: 0,
            questions: 0,
            problems: Vec::new(),
            record: None,
            void_terms: Vec::new(),
            unanswered: Vec::new(),
        };
        let mut tree = Node::new(&domain);
        walk.record(&domain, &mut tree, &Place::Own).await;
        (tree.lookups, tree.voids) = (walk.lookups, walk.voids);
        walk.sum_up(&domain);
        let Walk { record, problems, unanswered, .. } = walk;
        Self { record, tree, problems, unanswered }
    }
}

/// Where a record stands in the walk.
enum Place {
    /// It is the domain's own, or the one that it redirects to.
    Own,
    /// Another one names it, in this term.
    Named { term: String, by: String, qualifier: Qualifier },
}

struct Walk<'a> {
    ask: &'a dyn Ask,
    /// The domains on the way to here.
    path: Vec<String>,
    lookups: u32,
    voids: u32,
    questions: u32,
    problems: Vec<(&'static Rule, String)>,
    record: Option<String>,
    void_terms: Vec<String>,
    unanswered: Vec<AskError>,
}

impl Walk<'_> {
    fn problem(&mut self, rule: &'static Rule, evidence: String) {
        self.problems.push((rule, evidence));
    }

    fn record<'s>(
        &'s mut self,
        domain: &'s str,
        node: &'s mut Node,
        place: &'s Place,
    ) -> BoxFuture<'s, ()> {
        async move {
            let Some(text) = self.text(domain, node, place).await else { return };
            if self.record.is_none() && self.path.is_empty() {
                self.record = Some(text.clone());
            }
            match Record::parse(&text) {
                Ok(record) => {
                    self.path.push(domain.to_owned());
                    self.terms(domain, &record, node, place).await;
                    self.path.pop();
                }
                Err(error) => {
                    "syntax error".clone_into(&mut node.said);
                    self.problem(&rules::SYNTAX, format!("{domain}: {error}"));
                }
            }
        }
        .boxed()
    }

    /// The one record of a domain.
    async fn text(&mut self, domain: &str, node: &mut Node, place: &Place) -> Option<String> {
        let answer = match name_of(domain) {
            Some(name) => self.asked(&name, RecordType::TXT).await?.texts(),
            None => Vec::new(),
        };
        let mut found = records(answer);
        match (found.pop(), place) {
            (Some(text), _) if found.is_empty() => return Some(text),
            (Some(last), _) => {
                found.push(last);
                node.said = format!("{} records", found.len());
                let listed = found.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>();
                let listed = listed.join(" and ");
                let evidence = format!("{domain} has {} SPF records: {listed}", found.len());
                self.problem(&rules::SEVERAL_RECORDS, evidence);
            }
            (None, Place::Own) if self.path.is_empty() => {
                "no record".clone_into(&mut node.said);
                self.problem(&rules::NO_RECORD, format!("{domain} has no TXT record v=spf1"));
            }
            (None, place) => {
                "no record".clone_into(&mut node.said);
                let by = match place {
                    Place::Named { term, by, .. } => format!("\"{term}\" in the record of {by}"),
                    Place::Own => "redirect".to_owned(),
                };
                let evidence = format!("{by} names {domain}, which has no SPF record");
                self.problem(&rules::LEADS_NOWHERE, evidence);
            }
        }
        None
    }

    async fn terms(&mut self, domain: &str, record: &Record, node: &mut Node, place: &Place) {
        let own = matches!(place, Place::Own);
        let mut after_all = Vec::new();
        let mut is_over = false;
        for (term, qualifier, mechanism) in record.directives() {
            if is_over {
                after_all.push(term.text.as_str());
                continue;
            }
            is_over = *mechanism == Mechanism::All;
            let before = (self.lookups, self.voids);
            let mut child = Node::new(&term.text);
            self.judge(domain, (term, qualifier, mechanism), place);
            self.follow(domain, (term, qualifier, mechanism), &mut child).await;
            self.account(&mut child, before);
            node.below.push(child);
        }
        if own && !after_all.is_empty() {
            let evidence = format!("{domain}: \"{}\" stands after all", after_all.join(" "));
            self.problem(&rules::UNREACHABLE, evidence);
        }
        match (record.redirect(), record.all()) {
            (Some((term, _)), Some(_)) if own => {
                let evidence = format!("{domain}: \"{}\" stands beside all", term.text);
                self.problem(&rules::UNREACHABLE, evidence);
            }
            (Some((term, target)), None) => {
                let before = (self.lookups, self.voids);
                let mut child = Node::new(&term.text);
                self.lookups += 1;
                self.descend((domain, target), &mut child, place).await;
                self.account(&mut child, before);
                node.below.push(child);
            }
            (None, None) if own => {
                let evidence = format!("the record of {domain} has neither all nor redirect");
                self.problem(&rules::NO_ALL, evidence);
            }
            _ => {}
        }
    }

    /// What is wrong with a term by itself.
    fn judge(&mut self, domain: &str, term: (&Term, Qualifier, &Mechanism), place: &Place) {
        let (term, qualifier, mechanism) = term;
        let evidence = format!("\"{}\" in the record of {domain}", term.text);
        let named_by_pass = match place {
            Place::Own => true,
            Place::Named { qualifier, .. } => *qualifier == Qualifier::Pass,
        };
        let own = matches!(place, Place::Own);
        match (mechanism, qualifier) {
            (Mechanism::All, Qualifier::Pass) if named_by_pass => {
                self.problem(&rules::PASS_ALL, evidence);
            }
            (Mechanism::All, Qualifier::Neutral) if own => {
                self.problem(&rules::NEUTRAL_ALL, evidence);
            }
            (Mechanism::Ptr(_), _) => self.problem(&rules::PTR, evidence),
            (Mechanism::Ip4(_, prefix), Qualifier::Pass) if *prefix <= WIDE_FOUR => {
                self.problem(&rules::WIDE, evidence);
            }
            (Mechanism::Ip6(_, prefix), Qualifier::Pass) if *prefix <= WIDE_SIX => {
                self.problem(&rules::WIDE, evidence);
            }
            _ => {}
        }
    }

    async fn follow(
        &mut self,
        domain: &str,
        (term, qualifier, mechanism): (&Term, Qualifier, &Mechanism),
        node: &mut Node,
    ) {
        if !mechanism.looks_up() {
            return;
        }
        self.lookups += 1;
        let target = match mechanism {
            Mechanism::Include(of) => {
                let (term, by) = (term.text.clone(), domain.to_owned());
                let place = Place::Named { term, by, qualifier };
                return self.descend((domain, of), node, &place).await;
            }
            Mechanism::A(None, _) | Mechanism::Mx(None, _) => Some(domain.to_owned()),
            Mechanism::A(Some(of), _) | Mechanism::Mx(Some(of), _) | Mechanism::Exists(of) => {
                expanded(of, domain)
            }
            // Which name is asked for, the sender's address decides.
            _ => None,
        };
        let Some(name) = target.as_deref().and_then(name_of) else {
            "depends on the sender".clone_into(&mut node.said);
            return;
        };
        let is_void = match mechanism {
            Mechanism::Mx(..) => self.exchangers(&name, node).await,
            Mechanism::Exists(_) => self.is_void(&name, &[RecordType::A]).await,
            _ => self.is_void(&name, &[RecordType::A, RecordType::AAAA]).await,
        };
        if is_void {
            self.void(format!("\"{}\" in the record of {domain}", term.text));
            "void".clone_into(&mut node.said);
        }
    }

    /// The MX of a name and their addresses; whether there is none.
    async fn exchangers(&mut self, name: &Name, node: &mut Node) -> bool {
        let Some(answer) = self.asked(name, RecordType::MX).await else { return false };
        let hosts: Vec<Name> = answer
            .data(RecordType::MX)
            .filter_map(|data| match data {
                RData::MX(mx) => Some(mx.exchange.clone()),
                _ => None,
            })
            .collect();
        if hosts.len() > MOST_NAMES {
            "too many MX".clone_into(&mut node.said);
            let evidence = format!("{} has {} MX", shown(name), hosts.len());
            self.problem(&rules::TOO_MANY_NAMES, evidence);
            return false;
        }
        for host in hosts.iter().filter(|host| !host.is_root()) {
            if self.is_void(host, &[RecordType::A, RecordType::AAAA]).await {
                self.void(format!("{}, an MX of {}", shown(host), shown(name)));
            }
        }
        hosts.is_empty()
    }

    /// Follows `include` or `redirect`.
    async fn descend(
        &mut self,
        (domain, of): (&str, &MacroString),
        node: &mut Node,
        place: &Place,
    ) {
        let Some(target) = expanded(of, domain).map(|target| target.to_ascii_lowercase()) else {
            "depends on the sender".clone_into(&mut node.said);
            return;
        };
        if self.path.iter().any(|above| above.eq_ignore_ascii_case(&target)) {
            "loop".clone_into(&mut node.said);
            let way: Vec<_> = self.path.iter().map(String::as_str).collect();
            let evidence = format!("{} > {target}", way.join(" > "));
            return self.problem(&rules::LOOP, evidence);
        }
        if self.lookups > MOST_FOLLOWED {
            "not followed any more".clone_into(&mut node.said);
            return;
        }
        self.record(&target, node, place).await;
    }

    async fn is_void(&mut self, name: &Name, kinds: &[RecordType]) -> bool {
        for kind in kinds {
            match self.asked(name, *kind).await {
                Some(answer) if answer.is_void(*kind) => {}
                _ => return false,
            }
        }
        true
    }

    fn void(&mut self, term: String) {
        self.voids += 1;
        self.void_terms.push(term);
    }

    /// An answer; `None` when nobody knows, or enough was asked.
    async fn asked(&mut self, name: &Name, kind: RecordType) -> Option<crate::dns::Answer> {
        if self.questions == MOST_QUESTIONS {
            return None;
        }
        self.questions += 1;
        match self.ask.ask(name, kind).await {
            Ok(answer) => Some(answer),
            Err(error) => {
                self.unanswered.push(error);
                None
            }
        }
    }

    fn account(&self, node: &mut Node, (lookups, voids): (u32, u32)) {
        node.lookups = self.lookups - lookups;
        node.voids = self.voids - voids;
    }

    /// The limits are of the whole tree (RFC 7208 section 4.6.4).
    fn sum_up(&mut self, domain: &str) {
        let lookups = self.lookups;
        if lookups > MOST_LOOKUPS {
            let evidence =
                format!("the record of {domain} needs up to {lookups} of {MOST_LOOKUPS} look-ups");
            self.problem(&rules::TOO_MANY_LOOKUPS, evidence);
        } else if lookups + 1 >= MOST_LOOKUPS {
            let evidence = format!("the record of {domain} needs up to {lookups} look-ups");
            self.problem(&rules::NEAR_THE_LIMIT, evidence);
        }
        if self.voids == 0 {
            return;
        }
        let rule =
            if self.voids > MOST_VOIDS { &rules::TOO_MANY_VOIDS } else { &rules::VOID_LOOKUP };
        let listed = bounded(self.void_terms.join(", "), 1_000);
        self.problem(rule, format!("{} look-ups have no answer: {listed}", self.voids));
    }
}

/// The name, where it is the same for every sender.
fn expanded(of: &MacroString, domain: &str) -> Option<String> {
    let values = Values {
        sender: "",
        local_part: "",
        sender_domain: "",
        domain,
        ip: std::net::Ipv4Addr::UNSPECIFIED.into(),
        validated: "",
        helo: "",
        now_s: 0,
    };
    if of.is_constant() { of.expand_name(&values) } else { None }
}

#[cfg(test)]
mod tests;
