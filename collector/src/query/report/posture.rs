//! What the last look at each domain found, by whoever looked: read backwards from the end of the month.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;
use mailsonde_proto::convert::observation_from_bytes;
use mailsonde_proto::journal::Next;
use mailsonde_proto::{AgentId, Clock, Observation, Severity, Verdict, WallTime};

use super::answer::{FindingLine, PostureReport};
use crate::query::QueryError;
use crate::store::ledger::{Entry, Ledger};

/// No further segment is begun after so long.
const TIME_LIMIT: Duration = Duration::from_secs(3);
/// A look of longer before the end of the month says nothing of it.
const LOOK_BACK: Duration = Duration::from_secs(3 * 86_400);
/// Findings that are told at most.
const MOST_FINDINGS: usize = 500;
/// Looks that are compared at once at most.
const MOST_LOOKS: usize = 20_000;
/// Kinds that look at a domain even where they find nothing.
const OF_DOMAINS: [&str; 3] = ["dns", "dnsbl", "tls"];
/// What a domain's check says that it looked at.
const SUBJECT: &str = "dns.domain";

/// The last look of each check at each vantage point.
type Looks = HashMap<(AgentId, String), Observation>;

/// What was found by the end of the month; `None` where no observation of then is kept.
pub(super) fn posture(
    ledger: &Ledger,
    range: &Range<WallTime>,
    clock: Clock,
) -> Result<Option<PostureReport>, QueryError> {
    let begun = clock.monotonic();
    let oldest = range.end.minus(LOOK_BACK).max(range.start);
    let segments = ledger.index().segments();
    let is_kept = segments.first().is_some_and(|first| first.created_at < range.end);
    let mut looks = Looks::new();
    let mut looked_back_to: Option<Timestamp> = None;
    let mut end = ledger.index().next();
    for segment in segments.into_iter().rev() {
        if segment.created_at < range.end {
            if clock.monotonic().duration_since(begun) > TIME_LIMIT {
                looked_back_to = Some(segment.created_at.timestamp());
                break;
            }
            look(ledger, segment.first..end, range, &mut looks)?;
        }
        end = segment.first;
        if segment.created_at < oldest {
            break;
        }
    }
    if !is_kept {
        return Ok(None);
    }
    let of_domains = looks.values().filter(|it| OF_DOMAINS.contains(&it.kind.as_str()));
    let checks: std::collections::BTreeSet<&str> = of_domains.map(|it| it.check.as_str()).collect();
    let looked_at = u64::try_from(checks.len()).unwrap_or(0);
    Ok(Some(PostureReport { looked_at, findings: findings(&looks), looked_back_to }))
}

/// Takes in what was looked at in one segment, where no later look is known.
fn look(
    ledger: &Ledger,
    records: Range<u64>,
    range: &Range<WallTime>,
    looks: &mut Looks,
) -> Result<(), QueryError> {
    let mut reader = ledger.follow(records.start);
    while reader.position() < records.end {
        let record = match reader.read()? {
            Next::Record { record, .. } => record,
            Next::Gap { .. } => continue,
            Next::CaughtUp => break,
        };
        let Ok(Entry::Batch { source, observations, .. }) = Entry::decode(record) else { continue };
        for bytes in observations {
            let Ok(observation) = observation_from_bytes(&bytes) else { continue };
            let is_look =
                !observation.findings.is_empty() || OF_DOMAINS.contains(&observation.kind.as_str());
            let is_void = matches!(observation.verdict, Verdict::Void { .. });
            if !is_look || is_void || !range.contains(&observation.scheduled_for) {
                continue;
            }
            let key = (source.agent, observation.check.clone());
            let known = looks.get(&key).map(|known| known.scheduled_for);
            if known.is_none_or(|known| known < observation.scheduled_for)
                && (known.is_some() || looks.len() < MOST_LOOKS)
            {
                looks.insert(key, observation);
            }
        }
    }
    Ok(())
}

/// Of all vantage points together, critical first.
fn findings(looks: &Looks) -> Vec<FindingLine> {
    let mut found: BTreeMap<(u8, String, String, String), FindingLine> = BTreeMap::new();
    let mut in_order: Vec<_> = looks.iter().collect();
    in_order.sort_by_key(|(key, _)| *key);
    for ((_, check), look) in in_order {
        let subject = look.facts.iter().find(|fact| fact.name == SUBJECT);
        let subject = subject.map_or(check, |fact| &fact.value);
        for finding in &look.findings {
            let key =
                (rank(finding.severity), subject.clone(), finding.rule.clone(), check.clone());
            let line = found.entry(key).or_insert_with(|| FindingLine {
                subject: subject.clone(),
                check: check.clone(),
                rule: finding.rule.clone(),
                severity: finding.severity.as_str().to_owned(),
                evidence: finding.evidence.clone(),
                advice: finding.advice.clone(),
                source: finding.source.clone(),
                seen_from: 0,
            });
            line.seen_from = line.seen_from.saturating_add(1);
        }
    }
    found.into_values().take(MOST_FINDINGS).collect()
}

fn rank(severity: Severity) -> u8 {
    match severity {
        Severity::Critical => 0,
        Severity::Warning => 1,
        Severity::Notice => 2,
        _ => 3,
    }
}
