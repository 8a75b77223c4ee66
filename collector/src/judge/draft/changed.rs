//! What changed since people were told last, for people who do not run mail. It is read from the timeline.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::judge::incident::{Entry, Incident};

const AGAIN: &str = "it works again at some places";

/// Changes that are told; of more the newest.
const MOST: usize = 8;

/// Something that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When, as people read it.
    pub at: String,
    /// One sentence without a full stop.
    pub words: String,
}

/// What changed after `since`, in order, each thing as it was said last.
pub(super) fn plain(
    incident: &Incident,
    since: Option<Timestamp>,
    time: impl Fn(Timestamp) -> String,
) -> Vec<Change> {
    let found = changes(incident, since);
    let skipped = found.len().saturating_sub(MOST);
    let told = found.into_iter().skip(skipped);
    told.map(|(at, words)| Change { at: time(at), words: words.to_owned() }).collect()
}

/// What changed after `since`, in order, each thing as it was said last: one sentence without a full stop.
pub fn changes(incident: &Incident, since: Option<Timestamp>) -> Vec<(Timestamp, &'static str)> {
    let mut found: Vec<(Timestamp, &'static str)> = Vec::new();
    let is_new = |entry: &&Entry| since.is_none_or(|since| entry.at > since);
    for entry in incident.timeline.iter().filter(is_new) {
        let Some(words) = words(entry) else { continue };
        // what passes at the end is what the next line tells
        if entry.what == "resolved" && found.last().is_some_and(|(_, last)| *last == AGAIN) {
            found.pop();
        }
        // the same once more, with nothing between: it is the first that was news
        if found.last().is_none_or(|(_, last)| *last != words) {
            found.push((entry.at, words));
        }
    }
    found
}

fn words(entry: &Entry) -> Option<&'static str> {
    Some(match entry.what.as_str() {
        "acknowledged" => "somebody has taken it on",
        "scope" => "it was found at more places",
        "cause" => "what it comes from was narrowed down",
        "passes" | "heard" => AGAIN,
        "fails again" | "came back" => "it fails again",
        "estimated" => "there is a new estimate",
        "resolved" if entry.by.is_some() => "it was mended; this is being made sure of",
        "resolved" => "it works again; this is being made sure of",
        "verified" => "it works again, and that was made sure of",
        _ => return None,
    })
}
