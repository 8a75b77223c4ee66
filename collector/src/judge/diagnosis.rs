//! What an incident probably is, in words with their evidence, and what to do next. A function of the incident.
//!
//! Nothing is guessed: each sentence says what it stands on, and where nothing tells, that is said. Next steps are
//! those that people who run mail take first for a phase and a class of failure.

mod steps;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::incident::{Changed, Incident, Kind};

/// Changes that are told.
const MOST_CHANGES: usize = 8;
/// Places that are named.
const MOST_NAMED: usize = 6;

/// What is thought of an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnosis {
    /// One line: what fails, from where.
    pub headline: String,
    /// What is known, each with what it stands on.
    pub sentences: Vec<Sentence>,
    /// What to do, first things first.
    pub next_steps: Vec<String>,
}

/// One thing that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sentence {
    /// Lower case, without a full stop.
    pub words: String,
    /// What it stands on: observations, replies, changes; may be empty.
    pub evidence: Vec<String>,
}

/// What is thought of an incident.
pub fn diagnose(incident: &Incident) -> Diagnosis {
    let mut sentences = vec![what(incident), wherefrom(incident)];
    sentences.extend(because(incident));
    sentences.extend(vendors(incident));
    sentences.push(changes(incident));
    sentences.extend(before(incident));
    let next_steps = steps::next(incident).into_iter().map(str::to_owned).collect();
    Diagnosis { headline: incident.headline(), sentences, next_steps }
}

fn sentence(words: impl Into<String>, evidence: Vec<String>) -> Sentence {
    Sentence { words: words.into(), evidence }
}

fn what(incident: &Incident) -> Sentence {
    let fault = &incident.fault;
    let (phase, class) = (&fault.phase, &fault.class);
    let mut evidence = Vec::new();
    if !fault.reply.is_empty() {
        let code = if fault.code.is_empty() { String::new() } else { format!("{} ", fault.code) };
        evidence.push(format!("the server said: {code}{}", fault.reply));
    }
    if !fault.explanation.is_empty() {
        evidence.push(fault.explanation.clone());
    }
    let words = match incident.kind {
        Kind::Silence if incident.is_of_peer() => {
            "nobody knows how the other collector is, and what it watches nobody may be watching"
                .to_owned()
        }
        Kind::Silence => "nobody knows how mail is from there: nothing is judged".to_owned(),
        Kind::Burn => "the error budget is spent faster than it may be".to_owned(),
        Kind::Flapping => {
            format!("it fails and passes again and again, last in {phase} ({class})")
        }
        Kind::Outage => format!("it fails in {phase}, as {}", class_in_words(class)),
    };
    sentence(words, evidence)
}

fn class_in_words(class: &str) -> String {
    match class {
        "temporary" => "temporary: the server says 'not now'",
        "permanent" => "permanent: the server says 'never'",
        "timeout" => "timeout: nothing came in time",
        "refused" => "refused: the network says no",
        "protocol" => "protocol: what came is not the protocol",
        "mismatch" => "mismatch: it went through, with another result than expected",
        other => return other.to_owned(),
    }
    .to_owned()
}

fn wherefrom(incident: &Incident) -> Sentence {
    let named = |sites: Vec<&str>| {
        let more = sites.len().saturating_sub(MOST_NAMED);
        let mut names = sites.into_iter().take(MOST_NAMED).collect::<Vec<_>>().join(", ");
        if more > 0 {
            names.push_str(&format!(" and {more} more"));
        }
        names
    };
    let still = incident.still_fails_from();
    let all = incident.sites();
    let (fails, failed): (Vec<&str>, Vec<&str>) =
        match incident.is_live() && !incident.places.is_empty() {
            true => all.into_iter().partition(|site| still.contains(site)),
            false => (Vec::new(), all.into_iter().collect()),
        };
    let mut evidence = Vec::new();
    if !fails.is_empty() {
        let words = if incident.kind == Kind::Silence { "silent" } else { "fails from" };
        evidence.push(format!("{words}: {}", named(fails)));
    }
    if !failed.is_empty() {
        evidence.push(format!("failed from: {}", named(failed)));
    }
    if !incident.works_from.is_empty() {
        let works = incident.works_from.iter().map(String::as_str).collect();
        evidence.push(format!("works from: {}", named(works)));
    }
    sentence(incident.wherefrom(), evidence)
}

fn because(incident: &Incident) -> Option<Sentence> {
    let root = incident.root.as_ref()?;
    let because = incident.services.iter().filter(|(_, it)| it.because_of.as_ref() == Some(root));
    let names: Vec<&str> = because.map(|(name, _)| name.as_str()).collect();
    if names.is_empty() {
        return None;
    }
    let words = format!("{root} fails, and {} cannot work without it", names.join(", "));
    Some(sentence(words, Vec::new()))
}

/// A vendor's word of itself, beside what was measured.
fn vendors(incident: &Incident) -> Option<Sentence> {
    let (first, _) = incident.vendors_in_words().next()?;
    let is_over = incident.vendors.iter().all(|said| said.over_at.is_some());
    let says = if is_over { "said" } else { "says" };
    let words = format!("the vendor {says}: {}", first.announcement.in_words());
    Some(sentence(words, incident.vendors_in_words().map(|(_, words)| words).collect()))
}

fn changes(incident: &Incident) -> Sentence {
    if incident.changes.is_empty() {
        let words = "nothing that targets tell of themselves changed in the day before";
        return sentence(words, Vec::new());
    }
    let told = |Changed { at, what, from, to, check, seen_from }: &Changed| {
        let minutes = incident.began_at.duration_since(*at).as_mins();
        let when = match minutes {
            0.. => format!("{minutes} min before"),
            _ => "with it".to_owned(),
        };
        format!("{when}: {what} of {check}, seen from {seen_from}: {from} -> {to}")
    };
    let latest = incident.changes.iter().rev().take(MOST_CHANGES).map(told).collect();
    sentence("something changed at the targets in the day before", latest)
}

fn before(incident: &Incident) -> Option<Sentence> {
    if incident.similar.is_empty() {
        return None;
    }
    let told = incident.similar.iter().map(|similar| {
        let lasted = similar.lasted_s.map(|s| format!(", lasted {} min", s / 60));
        let note =
            if similar.note.is_empty() { String::new() } else { format!(": {}", similar.note) };
        let day = similar.opened_at.strftime("%Y-%m-%d");
        format!("incident {} of {day}{}{note}", similar.number, lasted.unwrap_or_default())
    });
    Some(sentence("it has happened before", told.collect()))
}
