//! How the DNS records and certificates of mail are: findings of each check by severity, and what changed.
//!
//! A check that looks at a domain is one block: what the newest run from each vantage point found, the same finding told once.

use std::collections::BTreeMap;

use askama::Template;

use super::{Asked, top};
use crate::query::{ChangeAnswer, ObservationAnswer};
use crate::web::address::What;
use crate::web::shown::{Moment, Shown, When, verdict};
use crate::web::{NoPage, Page, Part};

/// Kinds of checks whose findings are about a domain.
const KINDS: [&str; 5] = ["dns", "spf", "dnsbl", "tls", "http"];
/// Vantage points of one domain that are named.
const MOST_SEEN: usize = 12;
/// Findings of one domain that are shown.
const MOST_FINDINGS: usize = 40;

#[derive(Template)]
#[template(path = "dns.html")]
struct Postures {
    blocks: Vec<Block>,
    is_searched: bool,
}

#[derive(Template)]
#[template(path = "dns_changes.html")]
struct Changes {
    /// `None`: they are being looked up.
    rows: Option<Vec<Change>>,
    looked_back_to: Option<Moment>,
}

#[derive(Template)]
#[template(path = "dns_filter.html")]
struct Filter {
    q: String,
}

/// One check, seen from everywhere.
struct Block {
    subject: String,
    check: String,
    kind: String,
    seen_from: Vec<(String, String, Shown)>,
    more_seen_from: usize,
    counts: Vec<(Shown, usize)>,
    findings: Vec<Finding>,
    records: Vec<(String, String)>,
    newest: Moment,
}

struct Finding {
    severity: Shown,
    rule: String,
    evidence: String,
    advice: String,
    source: String,
    from: Vec<String>,
}

struct Change {
    at: Moment,
    check: String,
    record: String,
    from: String,
    to: String,
    seen_by: String,
}

const CRITICAL: Shown = Shown { class: "down", mark: "▼", word: "critical" };
const WARNING: Shown = Shown { class: "late", mark: "◐", word: "warning" };
const NOTICE: Shown = Shown { class: "note", mark: "○", word: "notice" };
const UNKNOWN: Shown = Shown { class: "unknown", mark: "?", word: "unknown" };

fn severity(word: &str) -> Shown {
    match word {
        "critical" => CRITICAL,
        "warning" => WARNING,
        "notice" => NOTICE,
        _ => UNKNOWN,
    }
}

fn rank(severity: &Shown) -> u8 {
    match severity.word {
        "critical" => 0,
        "warning" => 1,
        "notice" => 2,
        _ => 3,
    }
}

fn badness(verdict: &Shown) -> u8 {
    match verdict.class {
        "down" => 0,
        "unknown" => 1,
        _ => 2,
    }
}

pub(super) fn page(asked: &Asked<'_>) -> Result<Page, NoPage> {
    let (query, when) = (asked.query(), asked.when());
    let q = asked.address.get("q").to_lowercase();
    let newest = query.newest_of(&KINDS)?;
    let mut by_check: BTreeMap<&str, Vec<&ObservationAnswer>> = BTreeMap::new();
    for run in &newest {
        by_check.entry(run.check.as_str()).or_default().push(run);
    }
    let mut blocks: Vec<Block> =
        by_check.into_values().filter_map(|runs| block(&runs, &when)).collect();
    blocks.retain(|it| format!("{} {}", it.subject, it.check).to_lowercase().contains(&q));
    blocks.sort_by_key(|block| block.findings.first().map_or(9, |it| rank(&it.severity)));
    let changes = query.recent_changes();
    let looked_back_to = changes.as_ref().and_then(|it| it.looked_back_to);
    let looked_back_to = looked_back_to.map(|at| when.moment(at));
    let rows =
        changes.as_ref().map(|it| it.changes.iter().map(|change| of(change, &when)).collect());
    let filter = Filter { q: asked.address.get("q").to_owned() };
    let parts = vec![
        Part::fixed("filter", &filter)?,
        Part::live("postures", &Postures { blocks, is_searched: !q.is_empty() })?,
        Part::live("changes", &Changes { rows, looked_back_to })?,
    ];
    Ok(top("DNS and certificates", "/dns", parts))
}

fn block(runs: &[&ObservationAnswer], when: &When) -> Option<Block> {
    let newest = runs.iter().max_by_key(|run| run.scheduled_for)?;
    let mut found: BTreeMap<(u8, &str, &str), Finding> = BTreeMap::new();
    for run in runs {
        for finding in &run.findings {
            let severity = severity(&finding.severity);
            let key = (rank(&severity), finding.rule.as_str(), finding.evidence.as_str());
            let known = found.entry(key).or_insert_with(|| Finding {
                severity,
                rule: finding.rule.clone(),
                evidence: finding.evidence.clone(),
                advice: finding.advice.clone(),
                source: finding.source.clone(),
                from: Vec::new(),
            });
            known.from.push(run.agent.clone());
        }
    }
    let mut findings: Vec<Finding> = found.into_values().collect();
    for finding in &mut findings {
        if finding.from.len() == runs.len() {
            finding.from.clear();
        }
    }
    let count = |severity: Shown| {
        let count = findings.iter().filter(|it| it.severity == severity).count();
        (severity, count)
    };
    let counts = [CRITICAL, WARNING, NOTICE].map(count).into_iter().filter(|(_, count)| *count > 0);
    let counts = counts.collect();
    findings.truncate(MOST_FINDINGS);
    let records = newest.facts.iter().filter_map(|fact| {
        let name = fact.name.strip_prefix("record.")?;
        (!name.ends_with(".digest")).then(|| (name.to_owned(), fact.value.clone()))
    });
    let seen_from = runs.iter().map(|run| {
        let address = What::Check(run.check.clone(), run.agent.clone()).to_string();
        (run.agent.clone(), address, verdict(&run.verdict))
    });
    let mut seen_from: Vec<_> = seen_from.collect();
    // where it fails, then where nobody knows
    seen_from.sort_by_key(|(agent, _, state)| (badness(state), agent.clone()));
    let more_seen_from = seen_from.len().saturating_sub(MOST_SEEN);
    seen_from.truncate(MOST_SEEN);
    Some(Block {
        subject: subject(newest),
        check: newest.check.clone(),
        kind: newest.kind.clone(),
        seen_from,
        more_seen_from,
        counts,
        findings,
        records: records.collect(),
        newest: when.moment(newest.scheduled_for),
    })
}

/// What a run was about, as it says; the check's name where it does not.
fn subject(run: &ObservationAnswer) -> String {
    let names = ["domain", "target", "dns.domain", "tls.host", "host"];
    let said = names.iter().find_map(|name| run.facts.iter().find(|fact| fact.name == *name));
    said.map_or_else(|| run.check.clone(), |fact| fact.value.clone())
}

fn of(change: &ChangeAnswer, when: &When) -> Change {
    let seen_by: Vec<&str> = change.seen_by.iter().map(|it| it.agent.as_str()).collect();
    Change {
        at: when.moment(change.first_seen),
        check: change.check.clone(),
        record: change.record.clone(),
        from: change.from.clone(),
        to: change.to.clone(),
        seen_by: seen_by.join(", "),
    }
}
