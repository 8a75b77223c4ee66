//! What is or was wrong, as users are told: what was really said to them first, then what changed since.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::redacted::redacted;
use super::{Known, Progress, PublicIncident, PublicUpdate};
use crate::judge::definition::Definitions;
use crate::judge::draft::{About, Audience, Moment, Templates, changes, draft, facts};
use crate::judge::incident::{Incident, State};
use crate::judge::telling::{Fate, Notice};

/// Incidents that are over, the newest; of more the oldest are not told.
const MOST_PAST: usize = 1_000;
/// So far back, in seconds: 13 months.
const PAST_S: i64 = 400 * 86_400;
/// Incidents that are not over, the newest.
const MOST_OPEN: usize = 50;
/// Words about one incident at most.
const MOST_UPDATES: usize = 20;
/// Letters by which something internal is known again at least: less is in any text.
const LEAST: usize = 4;

/// What was told of incidents that are over: finding words for years of them takes long, and they stay the same.
#[derive(Debug, Default)]
pub struct PastKept {
    by: Option<ToldBy>,
    /// By number: how far it was, and how much was said of it.
    told: BTreeMap<u64, (Extent, Option<PublicIncident>)>,
}

/// What words are made of beside the incident.
#[derive(Debug, PartialEq)]
struct ToldBy {
    definitions: Definitions,
    templates: Templates,
    sites: BTreeSet<String>,
    today: Date,
}

/// How far an incident is: its state, its lines, and messages that were said.
type Extent = (State, usize, u32, usize);

impl PastKept {
    fn go_by(&mut self, known: &Known<'_>) {
        let zone = crate::query::measured::zone(&known.definitions);
        let by = ToldBy {
            definitions: known.definitions.clone(),
            templates: known.templates.clone(),
            sites: known.sites.clone(),
            today: zone.to_datetime(known.now.timestamp()).date(),
        };
        if self.by.as_ref() != Some(&by) {
            *self = Self { by: Some(by), told: BTreeMap::new() };
        }
    }

    fn told(
        &mut self,
        known: &Known<'_>,
        incident: &Incident,
        said: &[&Notice],
    ) -> Option<PublicIncident> {
        let extent = (incident.state, incident.timeline.len(), incident.reopened, said.len());
        match self.told.get(&incident.number) {
            Some((kept, told)) if *kept == extent => told.clone(),
            _ => {
                let told = redacted(known, incident);
                let told = told.map(|shown| self::told(known, (incident, &shown), said));
                self.told.insert(incident.number, (extent, told.clone()));
                told
            }
        }
    }
}

/// Those that are not over, and those that are; the newest first.
pub(super) fn incidents(
    known: &Known<'_>,
    all: &[Incident],
    notices: &[Notice],
    kept: &mut PastKept,
) -> (Vec<PublicIncident>, Vec<PublicIncident>) {
    kept.go_by(known);
    let labels = known.chronicle.labels(known.now.timestamp());
    // of what operators silenced nobody is told: only how the service is
    let is_silenced = |incident: &Incident| {
        known.chronicle.silenced(incident, known.now.timestamp(), &labels).is_some()
    };
    let mut said: BTreeMap<u64, Vec<&Notice>> = BTreeMap::new();
    for notice in notices.iter().filter(|notice| is_said_to_users(notice)) {
        if let Some(number) = notice.message.incident() {
            said.entry(number).or_default().push(notice);
        }
    }
    let oldest = known.now.timestamp().as_second().saturating_sub(PAST_S);
    let is_recent =
        |it: &&Incident| it.is_live() || it.ended_at.unwrap_or(it.opened_at).as_second() >= oldest;
    let (mut open, mut past) = (Vec::new(), Vec::new());
    for incident in all.iter().rev().filter(is_recent) {
        let said = said.get(&incident.number).map(Vec::as_slice).unwrap_or_default();
        if !incident.is_live() {
            let room = past.len() < MOST_PAST;
            past.extend(if room { kept.told(known, incident, said) } else { None });
        } else if open.len() < MOST_OPEN
            && !is_silenced(incident)
            && let Some(shown) = redacted(known, incident)
        {
            open.push(told(known, (incident, &shown), said));
        }
    }
    (open, past)
}

fn is_said_to_users(notice: &Notice) -> bool {
    matches!(notice.audience, Audience::Users | Audience::Public)
        && matches!(notice.fate, Some(Fate::Sent { .. }))
}

fn told(
    known: &Known<'_>,
    (whole, shown): (&Incident, &Incident),
    said: &[&Notice],
) -> PublicIncident {
    let about = About {
        definitions: &known.definitions,
        templates: known.templates,
        now: known.now.timestamp(),
        told_at: None,
        next_at: None,
    };
    let draft = draft(shown, &about, Audience::Public, Moment::of(shown));
    let facts = facts(shown, &about, Audience::Public);
    let ended_at = shown.ended_at.or(shown.resolved_at).filter(|_| facts.is_mended);
    PublicIncident {
        number: shown.number,
        progress: match shown.state {
            State::Open => Progress::Noticed,
            State::Acknowledged if facts.is_acknowledged => Progress::WorkedOn,
            State::Acknowledged => Progress::Noticed,
            State::Resolved => Progress::Mended,
            State::Verified | State::Reviewed => Progress::Over,
        },
        services: shown.services.values().map(|impact| impact.title.clone()).collect(),
        headline: draft.subject,
        text: draft.text.trim().to_owned(),
        was: capital(&format!("{} {}", facts.clause_past, facts.for_whom)),
        began_at: shown.began_at,
        noticed_at: shown.opened_at,
        ended_at,
        instead: if facts.is_mended { Vec::new() } else { facts.instead },
        updates: updates(known, whole, said),
    }
}

/// What was really said, and what changed since; without anything said, what changed.
fn updates(known: &Known<'_>, whole: &Incident, said: &[&Notice]) -> Vec<PublicUpdate> {
    let hidden = if said.is_empty() { Vec::new() } else { hidden(known, whole) };
    let mut updates: Vec<PublicUpdate> = Vec::new();
    for notice in said {
        let (title, text) = (&notice.message.title, &notice.message.text);
        let is_internal = hidden.iter().any(|it| has(title, it) || has(text, it));
        let is_again = updates.iter().any(|it| it.title == *title && it.text == text.trim());
        if let Some(at) = notice.settled_at.filter(|_| !is_internal && !is_again) {
            let (title, text) = (crate::text::one_line(title), text.trim().to_owned());
            updates.push(PublicUpdate { at, title, text });
        }
    }
    let since = updates.iter().map(|update| update.at).max();
    let changed = changes(whole, since).into_iter();
    let plain = |(at, words)| PublicUpdate { at, title: capital(words), text: String::new() };
    updates.extend(changed.map(plain));
    updates.sort_by_key(|update| std::cmp::Reverse(update.at));
    updates.truncate(MOST_UPDATES);
    updates
}

/// What must not stand in a message that was said, if it is to be shown to everybody: operators can write templates that
/// tell more than those in the program.
fn hidden<'i>(known: &'i Known<'_>, incident: &'i Incident) -> Vec<&'i str> {
    let faults = incident.places.iter().map(|place| &place.fault).chain([&incident.fault]);
    let faults = faults.flat_map(|fault| [&fault.reply, &fault.explanation]);
    let agents = known.chronicle.agents().flat_map(|(_, history)| history.names());
    let agents = agents.filter_map(|(_, called)| called.map(|(name, _)| name));
    let agents = agents.chain(incident.places.iter().map(|place| &place.vantage_point));
    let agents = agents.filter(|name| !known.is_site(name));
    let people = incident.timeline.iter().filter_map(|entry| entry.by.as_ref());
    let people = people.chain(incident.estimate.iter().map(|estimate| &estimate.by));
    let words = incident.timeline.iter().map(|entry| &entry.words);
    let notes = incident.similar.iter().map(|similar| &similar.note);
    let others = incident.services.iter().filter(|(name, _)| known.title(name).is_none());
    let others = others.flat_map(|(name, impact)| [name, &impact.title]);
    // a name such as "mail" says nothing internal, and stands in any text about mail
    let checks = incident.checks.iter().filter(|name| name.contains(|c: char| !c.is_alphabetic()));
    let all = faults.chain(agents).chain(people).chain(words).chain(notes).chain(others);
    all.chain(checks).map(String::as_str).filter(|it| it.chars().count() >= LEAST).collect()
}

/// Whether a text has another in it, as a word or words of their own.
fn has(text: &str, hidden: &str) -> bool {
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    text.match_indices(hidden).any(|(at, _)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let behind = text.get(at.saturating_add(hidden.len())..).and_then(|it| it.chars().next());
        !is_word(before) && !is_word(behind)
    })
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_as_words() {
        for (text, hidden, found) in [
            ("it fails from branch-7 since noon", "branch-7", true),
            ("branch-7", "branch-7", true),
            ("branch-70", "branch-7", false),
            ("by annabel", "anna", false),
            ("by anna.", "anna", true),
            ("", "anna", false),
        ] {
            assert_eq!(has(text, hidden), found, "{text}: {hidden}");
        }
    }
}
