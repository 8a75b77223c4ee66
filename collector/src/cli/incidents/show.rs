//! One incident, as people read it.

use jiff::Timestamp;

use crate::cli::actions::items;
use crate::cli::figures::{roughly, time_to_the_second};
use crate::cli::terminal::{Terminal, Tone, lines, printable, words};
use crate::judge::incident::{Expected, Incident, Severity};
use crate::query::IncidentAnswer;

/// Lines of the timeline that are shown; the first ones and the last.
const MOST: usize = 60;
/// Places that are shown.
const PLACES: usize = 12;

/// All that is known of one.
pub(in crate::cli) fn shown(answer: &IncidentAnswer, terminal: &Terminal) -> String {
    let IncidentAnswer { now, silenced_by, incident, diagnosis, actions } = answer;
    let at = |at: Timestamp| time_to_the_second(at, *now, &terminal.zone);
    let tone = match (incident.is_live(), incident.severity) {
        (false, _) => Tone::Plain,
        (true, Severity::Critical | Severity::Major) => Tone::Bad,
        (true, _) => Tone::Doubtful,
    };
    let head = format!(
        "incident {}, {}, {}",
        incident.number,
        incident.severity.as_str(),
        incident.state.as_str()
    );
    let mut text = format!("{}: {}\n", terminal.paint(tone, &head), printable(&diagnosis.headline));
    if let Some(into) = incident.merged_into {
        text.push_str(&format!("it turned out to be part of incident {into}\n"));
    }
    if let Some(silence) = silenced_by {
        text.push_str(&format!("S{silence} silences it: nobody is told of it\n"));
    }
    let until = incident.resolved_at.unwrap_or(*now);
    text.push_str(&format!(
        "began {}, opened {}, lasted {}\n\n",
        at(incident.began_at),
        at(incident.opened_at),
        roughly(incident.began_at, until)
    ));
    if let Some(line) = expected(incident, *now, at) {
        text.insert_str(text.len().saturating_sub(1), &line);
    }
    for sentence in &diagnosis.sentences {
        text.push_str(&format!("{}\n", printable(&sentence.words)));
        for evidence in &sentence.evidence {
            text.push_str(&format!("    {}\n", printable(evidence)));
        }
    }
    text.push_str(&services(incident, terminal));
    text.push_str(&places(incident, terminal, at));
    if incident.is_live() && !diagnosis.next_steps.is_empty() {
        text.push_str("\nwhat to do\n");
        for (number, step) in (1..).zip(&diagnosis.next_steps) {
            text.push_str(&format!("{number}. {step}\n"));
        }
    }
    if !actions.is_empty() {
        text.push_str(&format!("\naction items\n{}", items(actions, terminal)));
    }
    text.push_str(&timeline(incident, terminal, at));
    text
}

/// When it is to work again, as somebody said.
fn expected(
    incident: &Incident,
    now: Timestamp,
    at: impl Fn(Timestamp) -> String,
) -> Option<String> {
    let estimate = incident.estimate.as_ref().filter(|_| incident.is_live())?;
    let by = printable(&estimate.by);
    Some(match incident.expected(now) {
        Expected::Stated { by_when } => {
            format!("to work again by {}, says {by}\n", at(by_when))
        }
        Expected::Passed { by_when } => {
            format!("was to work again by {}, said {by}: that has passed\n", at(by_when))
        }
        _ => format!("nobody knows when it works again, says {by}\n"),
    })
}

fn services(incident: &Incident, terminal: &Terminal) -> String {
    if incident.services.is_empty() {
        return String::new();
    }
    let mut table = terminal.table(["service", "was down", "failed from", "users", "because of"]);
    for (name, impact) in &incident.services {
        let sites: Vec<&str> = impact.sites.iter().map(String::as_str).collect();
        table.add_row([
            words(if impact.title.is_empty() { name } else { &impact.title }),
            words(if impact.was_down { "yes" } else { "no" }),
            words(sites.join(", ")),
            words(impact.users.map(|users| users.to_string()).unwrap_or_default()),
            words(impact.because_of.clone().unwrap_or_default()),
        ]);
    }
    format!("\n{}", lines(&table))
}

fn places(incident: &Incident, terminal: &Terminal, at: impl Fn(Timestamp) -> String) -> String {
    if incident.places.is_empty() {
        return String::new();
    }
    let mut table =
        terminal.table(["vantage point", "check", "fails since", "why", "passed", "verified"]);
    for place in incident.places.iter().take(PLACES) {
        let maybe = |time: Option<Timestamp>| words(time.map(&at).unwrap_or_default());
        table.add_row([
            words(&place.vantage_point),
            words(&place.check),
            words(at(place.since)),
            words(format!("{} ({})", place.fault.phase, place.fault.class)),
            maybe(place.passed_at),
            maybe(place.verified_at),
        ]);
    }
    let mut text = format!("\n{}", lines(&table));
    let kept = u64::try_from(incident.places.len().saturating_sub(PLACES)).unwrap_or(0);
    let more = kept.saturating_add(incident.more_places);
    if more > 0 {
        text.push_str(&format!("and {more} more\n"));
    }
    text
}

fn timeline(incident: &Incident, terminal: &Terminal, at: impl Fn(Timestamp) -> String) -> String {
    let mut table = terminal.table(["when", "what", "", "by"]);
    let all = incident.timeline.len();
    let left_out = all.saturating_sub(MOST);
    for (number, entry) in incident.timeline.iter().enumerate() {
        if left_out > 0 && number >= MOST / 2 && number < MOST / 2 + left_out {
            continue;
        }
        table.add_row([
            words(at(entry.at)),
            words(&entry.what),
            words(printable(&entry.words)),
            words(entry.by.clone().unwrap_or_default()),
        ]);
    }
    let mut text = format!("\n{}", lines(&table));
    let more = u64::try_from(left_out).unwrap_or(0).saturating_add(incident.more_entries);
    if more > 0 {
        text.push_str(&format!("{more} more lines in between: --json has what is kept\n"));
    }
    text
}
