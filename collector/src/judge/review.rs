//! What is learnt from an incident that is over, as far as facts tell; what they do not tell is left to people.
//!
//! Pure, and without a clock: the same incident teaches the same for ever. A limit that a sentence goes by stands here by
//! name. Absent on purpose: how a review looks, which `review` says.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::draft::duration;
use super::incident::figures::Figures;
use super::incident::{Entry, Incident};
use super::watch::Confirmed;

/// Noticed within this is well.
const NOTICED_WITHIN: SignedDuration = SignedDuration::from_mins(5);
/// Taken on within this is well.
const TAKEN_ON_WITHIN: SignedDuration = SignedDuration::from_mins(15);
/// A first message within this is well.
const TOLD_WITHIN: SignedDuration = SignedDuration::from_mins(15);
/// Mended within this is well.
const MENDED_WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// A message that went out about an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Told {
    /// When.
    pub at: Timestamp,
    /// Through which channel.
    pub channel: String,
    /// What it said, in a line.
    pub what: String,
}

/// What went well, and what did not; each a line, lower case, without a full stop.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lessons {
    /// What went well.
    pub went_well: Vec<String>,
    /// What to improve.
    pub to_improve: Vec<String>,
}

/// Somebody looked back at an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reviewed {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// What they say was learnt.
    pub note: String,
}

/// Everybody who looked back at it, in order.
pub fn reviewed(incident: &Incident) -> Vec<Reviewed> {
    let of = |entry: &Entry| Reviewed {
        at: entry.at,
        by: entry.by.clone().unwrap_or_default(),
        note: entry.words.clone(),
    };
    incident.timeline.iter().filter(|entry| entry.what == "reviewed").map(of).collect()
}

/// What facts teach.
pub fn lessons(incident: &Incident, figures: &Figures, told: &[Told]) -> Lessons {
    let mut lessons = Lessons::default();
    noticed(incident, &mut lessons);
    taken_on(incident, &mut lessons);
    first_told(incident, told, &mut lessons);
    mended(incident, &mut lessons);
    estimated(incident, &mut lessons);
    known(incident, figures, &mut lessons);
    before(incident, &mut lessons);
    lessons
}

impl Lessons {
    fn add(&mut self, is_well: bool, words: String) {
        let list = if is_well { &mut self.went_well } else { &mut self.to_improve };
        list.push(words);
    }
}

fn between(from: Timestamp, until: Timestamp) -> SignedDuration {
    until.duration_since(from).max(SignedDuration::ZERO)
}

fn words(long: SignedDuration) -> String {
    match long.as_secs() {
        0 => "less than 1 s".to_owned(),
        s => duration(s),
    }
}

fn noticed(incident: &Incident, lessons: &mut Lessons) {
    let after = between(incident.began_at, incident.opened_at);
    let is_well = after <= NOTICED_WITHIN;
    let only = if is_well { "" } else { "only " };
    lessons.add(
        is_well,
        format!("it was noticed {only}{} after the first run that failed", words(after)),
    );
    let confirmed = match incident.confirmed_by {
        Some(Confirmed::Elsewhere) => "another vantage point failed too",
        Some(Confirmed::Again) => "a second run failed too",
        _ => return,
    };
    lessons.add(true, format!("it was confirmed before it was told: {confirmed}"));
}

fn taken_on(incident: &Incident, lessons: &mut Lessons) {
    let Some(at) = incident.acknowledged_at else {
        return lessons.add(false, "nobody said that they look after it".to_owned());
    };
    let after = between(incident.opened_at, at);
    let is_well = after <= TAKEN_ON_WITHIN;
    let only = if is_well { "" } else { "only " };
    lessons
        .add(is_well, format!("somebody took it on {only}{} after it was noticed", words(after)));
}

fn first_told(incident: &Incident, told: &[Told], lessons: &mut Lessons) {
    let Some(first) = told.iter().map(|told| told.at).min() else {
        let line = "no message to people is recorded: who was told when, and was that enough?";
        return lessons.add(false, line.to_owned());
    };
    let after = between(incident.opened_at, first);
    let is_well = after <= TOLD_WITHIN;
    let only = if is_well { "" } else { "only " };
    lessons.add(
        is_well,
        format!("people were told first {only}{} after it was noticed", words(after)),
    );
}

fn mended(incident: &Incident, lessons: &mut Lessons) {
    if !incident.is_proven() {
        let line = "no run has shown that it works again: what had failed is not to run any more";
        lessons.add(false, line.to_owned());
    } else if let Some(at) = incident.resolved_at {
        let after = between(incident.opened_at, at);
        let is_well = after <= MENDED_WITHIN;
        let only = if is_well { "" } else { "only " };
        lessons.add(is_well, format!("it was mended {only}{} after it was noticed", words(after)));
    }
    if incident.reopened > 0 {
        let times = if incident.reopened == 1 { "once" } else { "more than once" };
        lessons
            .add(false, format!("it came back {times} after it was over: what was mended first?"));
    }
}

fn estimated(incident: &Incident, lessons: &mut Lessons) {
    let stated = incident.estimate.as_ref().and_then(|estimate| estimate.recovered_at);
    let (Some(stated), Some(ended)) = (stated, incident.ended_at) else { return };
    match ended <= stated {
        true => lessons.add(true, "it was over by the time that was stated last".to_owned()),
        false => {
            let longer = words(between(stated, ended));
            lessons.add(false, format!("it lasted {longer} longer than was stated last"));
        }
    }
}

fn known(incident: &Incident, figures: &Figures, lessons: &mut Lessons) {
    let unknown = figures.services.iter().map(|it| it.unknown_minutes).max().unwrap_or(0);
    if unknown > 0 {
        let s = if unknown == 1 { "" } else { "s" };
        let line = format!(
            "for {unknown} minute{s} nobody knows how mail was: would more places to look from help?"
        );
        lessons.add(false, line);
    }
    if incident.users() == 0 && !incident.services.is_empty() {
        let line = "how many people it touched is not known: `users` in services.d says it";
        lessons.add(false, line.to_owned());
    }
}

fn before(incident: &Incident, lessons: &mut Lessons) {
    if !incident.changes.is_empty() {
        let line = "something changed at the targets in the day before: was that planned, and tried first?";
        lessons.add(false, line.to_owned());
    }
    let Some(last) = incident.similar.first() else { return };
    let times = match incident.similar.len() {
        1 => "once".to_owned(),
        many => format!("{many} times"),
    };
    let line = format!(
        "it had happened {times} before, last as incident {}: why did it come again?",
        last.number
    );
    lessons.add(false, line);
}

#[cfg(test)]
mod tests {
    use super::super::incident::sample::{minute, outage, outage_over};
    use super::super::incident::{Estimate, figures::ServiceFigures};
    use super::*;

    fn shown(incident: &Incident, figures: &Figures, told: &[Told]) -> String {
        let Lessons { went_well, to_improve } = lessons(incident, figures, told);
        let lines = |mark: &str, all: Vec<String>| -> String {
            all.into_iter().map(|line| format!("{mark} {line}\n")).collect()
        };
        lines("+", went_well) + &lines("-", to_improve)
    }

    #[test]
    fn facts_teach_what_they_tell_and_no_more() {
        let told = Told { at: minute(3, 0), channel: "chat".into(), what: "opened".into() };
        insta::assert_snapshot!(shown(&outage_over(), &Figures::default(), &[told]), @r"
        + it was noticed 9 s after the first run that failed
        + it was confirmed before it was told: another vantage point failed too
        + somebody took it on 3 min after it was noticed
        + people were told first 51 s after it was noticed
        + it was mended 34 min after it was noticed
        - something changed at the targets in the day before: was that planned, and tried first?
        - it had happened once before, last as incident 3: why did it come again?
        ");
        let slow = Incident {
            opened_at: minute(20, 0),
            acknowledged_at: None,
            reopened: 1,
            changes: vec![],
            similar: vec![],
            services: [].into(),
            estimate: Some(Estimate {
                at: minute(21, 0),
                recovered_at: Some(minute(30, 0)),
                by: "ann".into(),
            }),
            ..outage_over()
        };
        let unknown = ServiceFigures { unknown_minutes: 4, ..ServiceFigures::default() };
        let figures = Figures { services: vec![unknown], ..Figures::default() };
        insta::assert_snapshot!(shown(&slow, &figures, &[]), @r"
        + it was confirmed before it was told: another vantage point failed too
        + it was mended 16 min after it was noticed
        - it was noticed only 18 min after the first run that failed
        - nobody said that they look after it
        - no message to people is recorded: who was told when, and was that enough?
        - it came back once after it was over: what was mended first?
        - it lasted 6 min longer than was stated last
        - for 4 minutes nobody knows how mail was: would more places to look from help?
        ");
        assert!(reviewed(&outage()).is_empty());
    }
}
