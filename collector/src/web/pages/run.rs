//! One run: its phases and the hops of its message as waterfalls, what it learnt, and what was said.

use askama::Template;

use crate::chart::{self, Row};
use crate::figures::duration;
use crate::query::ObservationAnswer;
use crate::query::observations::{FactAnswer, FindingAnswer};
use crate::web::shown::{Moment, Shown, When, verdict};

/// Facts of one run that are shown.
const MOST_FACTS: usize = 80;

/// One run.
#[derive(Template)]
#[template(path = "run.html")]
pub(super) struct Run {
    pub(super) key: String,
    pub(super) at: Moment,
    pub(super) cause: String,
    pub(super) verdict: Shown,
    pub(super) took: String,
    pub(super) why: String,
    reply: String,
    waterfall: String,
    hops: String,
    facts: Vec<FactAnswer>,
    more_facts: usize,
    pub(super) findings: Vec<FindingAnswer>,
    transcript: String,
}

impl Run {
    pub(super) fn of(run: &ObservationAnswer, when: &When) -> Self {
        let why = match (&run.fault, &run.void) {
            (Some(fault), _) => format!("{} ({}): {}", fault.phase, fault.class, fault.explanation),
            (_, Some(void)) => format!("{}: {}", void.reason, void.detail),
            _ => String::new(),
        };
        let reply = run.fault.as_ref().map(|fault| fault.reply.clone()).unwrap_or_default();
        let is_shown = |fact: &&FactAnswer| !fact.name.starts_with("hop");
        let facts: Vec<FactAnswer> = run.facts.iter().filter(is_shown).cloned().collect();
        Self {
            key: format!("{}-{}", run.epoch, run.sequence),
            at: when.to_the_second(run.scheduled_for),
            cause: run.cause.clone(),
            verdict: verdict(&run.verdict),
            took: duration(i64::try_from(run.total_us).unwrap_or(i64::MAX)),
            why,
            reply,
            waterfall: waterfall(run),
            hops: hops(&run.facts),
            more_facts: facts.len().saturating_sub(MOST_FACTS),
            facts: facts.into_iter().take(MOST_FACTS).collect(),
            findings: run.findings.clone(),
            transcript: run.transcript.clone(),
        }
    }
}

/// The phases of a run.
pub(super) fn waterfall(run: &ObservationAnswer) -> String {
    let failed = run.fault.as_ref().map(|fault| fault.phase.as_str());
    let mut rows: Vec<Row> = run
        .phases
        .iter()
        .map(|phase| Row {
            label: phase.name.clone(),
            start_us: phase.start_us,
            duration_us: phase.duration_us,
            uncertainty_us: phase.uncertainty_us,
            class: match failed {
                Some(name) if name == phase.name => "lost",
                _ if !phase.is_known() => "soft",
                _ => "accent",
            },
            words: if phase.is_known() {
                String::new()
            } else {
                "less than its own uncertainty".into()
            },
        })
        .collect();
    rows.extend(broken_off(run));
    if rows.is_empty() {
        return String::new();
    }
    let slowest = rows.iter().max_by_key(|row| row.duration_us);
    let label = slowest.map_or_else(String::new, |row| {
        format!(
            "Phases of the run: {} of them, the longest {} with {}",
            rows.len(),
            row.label,
            duration(row.duration_us)
        )
    });
    chart::waterfall(&rows, &label)
}

/// The phase in which a run failed, where it has no time of its own: from the end of the last until the end of all.
fn broken_off(run: &ObservationAnswer) -> Option<Row> {
    let fault = run.fault.as_ref()?;
    if run.phases.iter().any(|phase| phase.name == fault.phase) {
        return None;
    }
    let ends = run.phases.iter().map(|phase| phase.start_us.saturating_add(phase.duration_us));
    let start_us = ends.max().unwrap_or(0);
    let total_us = i64::try_from(run.total_us).unwrap_or(i64::MAX);
    Some(Row {
        label: fault.phase.clone(),
        start_us,
        duration_us: total_us.saturating_sub(start_us).max(0),
        uncertainty_us: 0,
        class: "lost",
        words: fault.explanation.clone(),
    })
}

/// The way of the message, as far as hosts told of it: `by <- from … +1.5s`.
fn hops(facts: &[FactAnswer]) -> String {
    let mut rows = Vec::new();
    let mut start_us = 0_i64;
    for fact in facts {
        let Some(number) = fact.name.strip_prefix("hop.") else { continue };
        let delay_us = delay_us(&fact.value).unwrap_or(0);
        let by = fact.value.split_whitespace().next().unwrap_or("?");
        rows.push(Row {
            label: format!("{number} {}", short(by)),
            start_us,
            duration_us: delay_us,
            uncertainty_us: 1_000_000,
            class: if delay_us < 0 { "lost" } else { "accent" },
            words: fact.value.clone(),
        });
        start_us = start_us.saturating_add(delay_us);
    }
    if rows.is_empty() {
        return String::new();
    }
    chart::waterfall(
        &rows,
        &format!("Way of the message: {} hops, as each host tells it", rows.len()),
    )
}

/// The end of a hop's line, which says how long it took: `+1.25s`, `-2s (before the hop before: clocks differ)`.
fn delay_us(line: &str) -> Option<i64> {
    let line = line.split(" (before").next()?;
    let last = line.split_whitespace().next_back()?;
    let number = last.strip_suffix('s')?;
    let (sign, number) = match number.split_at_checked(1)? {
        ("+", number) => (1, number),
        ("-", number) => (-1, number),
        _ => return None,
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let part: i64 = format!("{part:0<2}").get(..2)?.parse().ok()?;
    let whole: i64 = whole.parse().ok()?;
    let hundredths = whole.checked_mul(100)?.checked_add(part)?;
    hundredths.checked_mul(10_000)?.checked_mul(sign)
}

/// A host's name, cut to what fits.
fn short(host: &str) -> String {
    match host.char_indices().nth(18) {
        Some((at, _)) => format!("{}…", host.get(..at).unwrap_or_default()),
        None => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hop_says_how_long_it_took() {
        for (line, expected) in [
            ("mx.good.test <- relay.test ESMTPS TLSv1.3 +2s", Some(2_000_000)),
            ("mx <- relay no TLS seen +0.25s", Some(250_000)),
            ("mx <- relay -1.50s (before the hop before: clocks differ)", Some(-1_500_000)),
            ("mx <- relay ESMTPS", None),
            ("+s", None),
            ("", None),
        ] {
            assert_eq!(delay_us(line), expected, "{line}");
        }
    }
}
