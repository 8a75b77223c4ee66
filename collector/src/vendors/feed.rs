//! RSS, Atom and JSON Feed. A feed has no states, so an entry is trouble when it is of the last day and its latest words
//! do not say that it is over.

use std::time::Duration;

use feed_rs::model::Entry;
use jiff::Timestamp;
use mailsonde_proto::WallTime;

use super::text::words;
use super::{NotItsForm, Published};

/// What was not touched for so long is no news.
const NEWS: Duration = Duration::from_secs(24 * 3_600);
/// Characters of an entry in which its state is looked for.
const LOOKED_AT: usize = 2_000;
/// Words by which an entry says how far it is; feeds of status pages have the latest update first.
const STATES: [(&str, bool); 15] = [
    ("investigating", true),
    ("identified", true),
    ("monitoring", true),
    ("in progress", true),
    ("verifying", true),
    ("degraded", true),
    ("disruption", true),
    ("outage", true),
    ("scheduled", false),
    ("resolved", false),
    ("completed", false),
    ("postmortem", false),
    ("restored", false),
    ("operating normally", false),
    ("fixed", false),
];

/// Entries that are trouble at `now`.
pub(super) fn read(body: &[u8], now: WallTime) -> Result<Vec<Published>, NotItsForm> {
    let feed = feed_rs::parser::parse(body);
    let feed = feed.map_err(|error| NotItsForm(words(&error.to_string(), 200)))?;
    let since = now.minus(NEWS).timestamp();
    let published = feed.entries.into_iter().filter_map(published);
    Ok(published.filter(|it| it.updated.is_some_and(|at| at >= since)).collect())
}

fn published(entry: Entry) -> Option<Published> {
    let time = |at: chrono::DateTime<chrono::Utc>| Timestamp::from_second(at.timestamp()).ok();
    let title = entry.title.map(|title| title.content).unwrap_or_default();
    let text = entry.summary.map(|text| text.content);
    let text = text.or(entry.content.and_then(|content| content.body)).unwrap_or_default();
    let (state, is_live) = state_of(&title, &text);
    let since = entry.published.and_then(time);
    is_live.then(|| Published {
        id: entry.id,
        title,
        about: entry.categories.into_iter().map(|category| category.term).collect(),
        state: state.to_owned(),
        text,
        since,
        updated: entry.updated.and_then(time).or(since),
        link: entry.links.into_iter().next().map(|link| link.href).unwrap_or_default(),
    })
}

/// The first word that says how far it is, of the title, or else of the text; what says nothing is trouble.
fn state_of(title: &str, text: &str) -> (&'static str, bool) {
    let first = |text: &str| {
        let text = words(text, LOOKED_AT).to_lowercase();
        let found =
            STATES.iter().filter_map(|(word, is_live)| Some((text.find(word)?, word, is_live)));
        found.min().map(|(_, word, is_live)| (*word, *is_live))
    };
    // a title says what it is about, rarely how far it is: that it is over counts
    match (first(title), first(text)) {
        (Some((word, false)), _) => (word, false),
        (_, Some(said)) => said,
        (Some(said), None) => said,
        (None, None) => ("", true),
    }
}
