//! What a template is given: everything of an incident that people are told, in words, times in the organisation's zone.
//!
//! Every text is one line without control characters: some of it are a server's own words.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use super::changed::{Change, plain};
use super::words::{back, clauses, duration, effect, expected, for_whom, named, time};
use super::{About, Audience, zone_of};
use crate::judge::definition::Definitions;
use crate::judge::diagnosis::{Sentence, diagnose};
use crate::judge::incident::{Entry, Incident, Severity, State};
use crate::judge::timeline::folded;
use crate::text::one_line;

/// Lines of a technical draft's changes.
const MOST_LINES: usize = 20;

/// What a template is given.
#[derive(Clone, Debug, Serialize)]
pub struct Facts {
    /// The incident's number.
    pub number: u64,
    /// `notice`, `minor`, `major` or `critical`.
    pub severity: &'static str,
    /// The same for people who do not run mail, such as `serious`.
    pub weight: &'static str,
    /// `open`, `acknowledged`, `resolved`, `verified` or `reviewed`.
    pub state: &'static str,
    /// Somebody looks after it.
    pub is_acknowledged: bool,
    /// It works again, as far as is known; runs may have yet to show it.
    pub is_mended: bool,
    /// Runs have shown that it is over.
    pub is_over: bool,
    /// What does not work, by what people call it: `Mail in Durban and Webmail`.
    pub what: String,
    /// `Mail in Durban does not work`.
    pub clause: String,
    /// `Mail in Durban has not worked`, before a `since`.
    pub clause_since: String,
    /// `Mail in Durban did not work`.
    pub clause_past: String,
    /// `Mail in Durban works again`.
    pub back: String,
    /// `at any site`, or `at Durban and Cape`: it stands behind what does not work.
    pub for_whom: String,
    /// How many people use it; 0 where nobody said.
    pub users: u64,
    /// What they notice, in a sentence.
    pub effect: &'static str,
    /// Since when.
    pub since: String,
    /// For how long, or how long it lasted.
    pub lasted: String,
    /// From when on it worked again; empty as long as it does not.
    pub works_since: String,
    /// When it is thought to work again, in a sentence.
    pub expected: String,
    /// What changed since people were told last.
    pub changed: Vec<Change>,
    /// When they were told last; empty where they were not.
    pub told: String,
    /// What people do meanwhile, each a line.
    pub instead: Vec<String>,
    /// When the next word comes; empty where none is promised.
    pub next: String,
    /// The organisation's time zone.
    pub time_zone: String,
    /// For whoever runs mail: what fails, from where.
    pub headline: String,
    /// What is known, each with its evidence.
    pub known: Vec<Sentence>,
    /// What to do, first things first.
    pub next_steps: Vec<String>,
    /// Who answers for the services that it touches.
    pub owners: Vec<String>,
}

impl Facts {
    /// What is known of an incident, for an audience.
    pub(super) fn of(incident: &Incident, about: &About<'_>, audience: Audience) -> Self {
        let About { definitions, now, told_at, next_at, .. } = *about;
        let zone = zone_of(definitions);
        let time = |at: Timestamp| time(at, now, &zone);
        let titles = titles(incident);
        let what = match titles.is_empty() {
            true => "mail".to_owned(),
            false => named(&titles),
        };
        let [clause, clause_since, clause_past] = clauses(incident, &what, titles.len() > 1);
        let diagnosis = diagnose(incident);
        let ended_at = incident.ended_at.or(incident.resolved_at);
        let works_since = ended_at.filter(|_| incident.state >= State::Resolved);
        let until = works_since.unwrap_or(now);
        Self {
            number: incident.number,
            severity: incident.severity.as_str(),
            weight: weight(incident.severity),
            state: incident.state.as_str(),
            is_acknowledged: incident.is_taken_on(),
            is_mended: incident.state >= State::Resolved,
            is_over: incident.state >= State::Verified,
            clause,
            clause_since,
            clause_past,
            back: back(incident, &what, titles.len() > 1),
            what,
            for_whom: for_whom(incident),
            users: incident.users(),
            effect: effect(incident),
            since: time(incident.began_at),
            lasted: duration(until.duration_since(incident.began_at).as_secs()),
            works_since: works_since.map(time).unwrap_or_default(),
            expected: expected(incident, now, &zone),
            changed: match audience {
                Audience::Technical => technical(incident, told_at, time),
                _ => plain(incident, told_at, time),
            },
            told: told_at.map(time).unwrap_or_default(),
            instead: instead(incident, definitions),
            next: next_at
                .filter(|_| incident.state < State::Verified)
                .map(time)
                .unwrap_or_default(),
            time_zone: definitions.time_zone.clone().unwrap_or_else(|| "UTC".to_owned()),
            headline: one_line(&diagnosis.headline),
            known: diagnosis.sentences.iter().map(harmless).collect(),
            next_steps: diagnosis.next_steps,
            owners: owners(incident, definitions),
        }
    }
}

fn weight(severity: Severity) -> &'static str {
    match severity {
        Severity::Notice => "slight",
        Severity::Minor => "small",
        Severity::Major => "serious",
        Severity::Critical => "very serious",
    }
}

fn harmless(sentence: &Sentence) -> Sentence {
    Sentence {
        words: one_line(&sentence.words),
        evidence: sentence.evidence.iter().map(|it| one_line(it)).collect(),
    }
}

/// What people call that which does not work. Of services that fail because of another, people know the former.
fn titles(incident: &Incident) -> Vec<&str> {
    let because = incident.services.values().any(|impact| impact.because_of.is_some());
    let is_told = |name: &&String| !because || incident.root.as_ref() != Some(name);
    let all = incident.services.iter().filter(|(name, _)| is_told(name));
    all.map(|(name, impact)| if impact.title.is_empty() { name } else { &impact.title })
        .map(String::as_str)
        .collect()
}

/// What to do instead, of each service that it touches, or of the organisation.
fn instead(incident: &Incident, definitions: &Definitions) -> Vec<String> {
    let of_service = |name: &String| {
        let own = definitions.service(name).map(|service| service.instead.as_str());
        own.filter(|own| !own.is_empty()).unwrap_or(&definitions.instead)
    };
    let mut found: Vec<String> = Vec::new();
    let of_all = incident.services.is_empty().then_some(definitions.instead.as_str());
    for said in incident.services.keys().map(of_service).chain(of_all) {
        let said = one_line(said);
        if !said.is_empty() && !found.contains(&said) {
            found.push(said);
        }
    }
    found
}

fn owners(incident: &Incident, definitions: &Definitions) -> Vec<String> {
    let of = |name: &String| definitions.service(name).map(|service| one_line(&service.owner));
    let owners: BTreeSet<String> = incident.services.keys().filter_map(of).collect();
    owners.into_iter().filter(|owner| !owner.is_empty()).collect()
}

/// The timeline since then, as it is.
fn technical(
    incident: &Incident,
    since: Option<Timestamp>,
    time: impl Fn(Timestamp) -> String,
) -> Vec<Change> {
    let is_new = |entry: &&Entry| since.is_none_or(|since| entry.at > since);
    let lines = folded(incident.timeline.iter().filter(is_new));
    let skipped = lines.len().saturating_sub(MOST_LINES);
    let told = lines.into_iter().skip(skipped).map(|line| {
        let by = line.by.map(|by| format!(" by {by}")).unwrap_or_default();
        let more = if line.more > 0 { format!("; {} more", line.more) } else { String::new() };
        let said = line.words.join("; ");
        let colon = if said.is_empty() { "" } else { ": " };
        let words = one_line(&format!("{}{by}{colon}{said}{more}", line.what));
        Change { at: time(line.at), words }
    });
    told.collect()
}
