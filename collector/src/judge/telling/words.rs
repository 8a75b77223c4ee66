//! Incidents as messages: the words that every channel gets, without markup.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::course::Say;
use super::{Scene, notice};
use crate::judge::diagnosis::diagnose;
use crate::judge::draft::{About, Audience, Draft, Moment, Templates, draft};
use crate::judge::incident::{Incident, Kind, Severity};
use crate::judge::message::{Field, Message, Occasion};
use crate::judge::routing::Route;

/// Sentences of a diagnosis, next steps and lines of a timeline that a message has at most.
const MOST_SENTENCES: usize = 4;
const MOST_STEPS: usize = 3;
const MOST_ENTRIES: usize = 6;
/// Names in one field.
const MOST_NAMED: usize = 6;

/// What is told of an incident; the id is the caller's to set.
pub(super) fn of_incident(
    incident: &Incident,
    say: &Say,
    route: &Route,
    scene: &Scene<'_>,
) -> Message {
    let (title, text, fields) = match drafted(incident, say, route, scene) {
        // what is told people who run nothing has no figures beside it
        Some(Draft { subject, text, .. }) => (subject, text, Vec::new()),
        None => (title(incident, say), text(incident, say), fields(incident, scene.zone)),
    };
    Message {
        id: String::new(),
        conversation: format!("incident-{}", incident.number),
        occasion: say.occasion,
        severity: incident.severity,
        at: happened_at(incident, say),
        title,
        text,
        fields,
        links: Vec::new(),
    }
}

/// By a template: for everybody who does not run mail, and for those who do where operators wrote one.
fn drafted(incident: &Incident, say: &Say, route: &Route, scene: &Scene<'_>) -> Option<Draft> {
    let moment = match say.occasion {
        Occasion::Opened => Moment::First,
        Occasion::Over => Moment::AllClear,
        _ => Moment::Update,
    };
    let templates = Templates::of(scene.definitions.templates.clone());
    let audience = route.audience;
    if audience == Audience::Technical && !templates.has_own(audience, moment) {
        return None;
    }
    let now = scene.now.timestamp();
    let updates = route.updates_s.and_then(|every_s| i64::try_from(every_s).ok());
    let next_at =
        updates.and_then(|every_s| now.checked_add(SignedDuration::from_secs(every_s)).ok());
    let next_at = next_at.filter(|_| moment != Moment::AllClear);
    let (definitions, told_at) = (scene.definitions, say.told_at);
    let about = About { definitions, templates: &templates, now, told_at, next_at };
    Some(draft(incident, &about, audience, moment))
}

/// When it happened what is told: by records, as everything.
fn happened_at(incident: &Incident, say: &Say) -> Timestamp {
    let last = incident.timeline.last().map_or(incident.opened_at, |entry| entry.at);
    match say.occasion {
        Occasion::Opened if incident.reopened == 0 => incident.opened_at,
        Occasion::Acknowledged => incident.acknowledged_at.unwrap_or(last),
        Occasion::Over => incident.verified_at.or(incident.resolved_at).unwrap_or(last),
        _ => last,
    }
}

fn title(incident: &Incident, say: &Say) -> String {
    let headline = incident.headline();
    match say.occasion {
        Occasion::Opened if incident.reopened > 0 => format!("Back again: {headline}"),
        Occasion::Worse => format!("Worse: {headline}"),
        Occasion::Escalated => format!("Nobody has taken this on: {headline}"),
        Occasion::Acknowledged => {
            let by = said_by(incident).unwrap_or("somebody");
            format!("{by} takes care of this: {headline}")
        }
        Occasion::Update => format!("Still: {headline}"),
        Occasion::Over if incident.merged_into.is_some() => {
            format!("Part of incident {}: {headline}", incident.merged_into.unwrap_or(0))
        }
        Occasion::Over => match lasted(incident) {
            Some(lasted) => format!("Over after {}: {headline}", in_words(lasted)),
            None => format!("Over: {headline}"),
        },
        _ => headline,
    }
}

fn said_by(incident: &Incident) -> Option<&str> {
    let acts = incident.timeline.iter().rev();
    acts.filter(|entry| entry.what == "acknowledged").find_map(|entry| entry.by.as_deref())
}

fn lasted(incident: &Incident) -> Option<SignedDuration> {
    let end = incident.ended_at.or(incident.resolved_at)?;
    Some(end.duration_since(incident.began_at))
}

/// `2 h 5 min`: the two largest parts.
pub(super) fn in_words(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    let parts = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut rest = seconds;
    let mut words: Vec<String> = Vec::new();
    for (length, unit) in parts {
        let count = rest / length;
        rest %= length;
        if count > 0 {
            words.push(format!("{count} {unit}"));
        } else if !words.is_empty() {
            break;
        }
        if words.len() == 2 {
            break;
        }
    }
    if words.is_empty() { "0 s".to_owned() } else { words.join(" ") }
}

fn text(incident: &Incident, say: &Say) -> String {
    let diagnosis = diagnose(incident);
    let mut lines: Vec<String> = Vec::new();
    // that stands among the fields
    let wherefrom = incident.wherefrom();
    let sentences = diagnosis.sentences.iter().filter(|it| it.words != wherefrom);
    let sentences = sentences.take(MOST_SENTENCES);
    let entries = || {
        let news = incident.timeline.iter().skip(say.known_entries);
        let told: Vec<String> = news
            .map(|entry| match (&entry.by, entry.words.as_str()) {
                (Some(by), "") => format!("{} by {by}", entry.what),
                (Some(by), words) => format!("{} by {by}: {words}", entry.what),
                (None, "") => entry.what.clone(),
                (None, words) => format!("{}: {words}", entry.what),
            })
            .collect();
        let from = told.len().saturating_sub(MOST_ENTRIES);
        told.into_iter().skip(from)
    };
    match say.occasion {
        Occasion::Over => lines.extend(entries()),
        Occasion::Update | Occasion::Worse | Occasion::Acknowledged => {
            lines.push(capital(&incident.wherefrom()));
            lines.extend(entries());
            if say.occasion == Occasion::Update && lines.len() == 1 {
                lines.push("Nothing has changed since the last message".to_owned());
            }
        }
        _ => {
            lines.extend(sentences.map(|sentence| capital(&sentence.words)));
            let steps = diagnosis.next_steps.iter().take(MOST_STEPS);
            lines.extend(steps.map(|step| format!("Next: {step}")));
        }
    }
    lines.join("\n")
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn fields(incident: &Incident, zone: &TimeZone) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut add = |name: &str, value: String| {
        if !value.is_empty() {
            fields.push(Field { name: name.to_owned(), value });
        }
    };
    add("Incident", format!("#{}, {}", incident.number, incident.severity.as_str()));
    if incident.kind != Kind::Silence {
        add("From where", incident.wherefrom());
    }
    add("Since", shown(incident.began_at, zone));
    let titles = incident.services.iter().map(|(name, impact)| match impact.title.as_str() {
        "" => name.as_str(),
        title => title,
    });
    add("Services", named(titles));
    if incident.is_live() {
        add("Works from", named(incident.works_from.iter().map(String::as_str)));
    }
    let users = incident.users();
    if users > 0 {
        add("People", format!("{users} behind these services"));
    }
    fields
}

fn named<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<&str> = names.collect();
    let told = names.iter().take(MOST_NAMED).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MOST_NAMED) {
        0 => told,
        more => format!("{told} and {more} more"),
    }
}

fn shown(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// Another channel failed with a message for good.
pub(super) fn trouble(message: &Message, channel: &str, why: &str, at: Timestamp) -> Message {
    let why: String = why.chars().take(300).collect();
    Message {
        id: format!("{}-instead", message.id),
        // its own: what the other channel began is not gone on with here, and so would never be closed
        conversation: format!("trouble-{}", message.id),
        occasion: Occasion::Trouble,
        severity: message.severity,
        at,
        title: format!("Not told by {channel}: {}", message.title),
        text: format!("{channel} did not take this message: {why}\n{}", message.text),
        fields: message.fields.clone(),
        links: message.links.clone(),
    }
}

/// Which week it is, from 1970: one begins on Monday at 9 o'clock.
pub(super) fn week_of(at: DateTime) -> Option<i64> {
    let first = DateTime::new(1970, 1, 5, 9, 0, 0, 0).ok()?;
    Some(at.duration_since(first).as_secs().div_euclid(7 * 86_400))
}

/// The weekly sign of life.
pub fn canary(channel: &str, week: i64, at: Timestamp) -> Message {
    Message {
        id: format!("canary-{week}-{}", notice::short(channel)),
        conversation: format!("canary-{week}"),
        occasion: Occasion::Canary,
        severity: Severity::Notice,
        at,
        title: "Mailsonde can reach you here".to_owned(),
        text: "The weekly sign of life of this channel. When it stays away, somebody should look: \
               `mailsonde-collector notices` tells what came back."
            .to_owned(),
        fields: Vec::new(),
        links: Vec::new(),
    }
}

/// What `channel test` sends.
pub struct TestMessage<'t> {
    /// The channel's name.
    pub channel: &'t str,
    /// Who asked for it.
    pub by: &'t str,
    /// When.
    pub at: Timestamp,
}

/// A message by which an operator tries a channel.
pub fn test_message(TestMessage { channel, by, at }: TestMessage<'_>) -> Message {
    let us = at.as_microsecond();
    Message {
        id: format!("test-{us}-{}", notice::short(channel)),
        conversation: format!("test-{us}"),
        occasion: Occasion::Test,
        severity: Severity::Notice,
        at,
        title: "A test of this channel".to_owned(),
        text: format!(
            "{by} tries whether messages of Mailsonde come through here. Nothing is wrong."
        ),
        fields: Vec::new(),
        links: Vec::new(),
    }
}
