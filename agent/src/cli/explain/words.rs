//! What a message tells, for people: what it is, what a bounce says, then its way as bars, then the
//! rest.

use mailsonde_proto::Phase;

use super::Explained;
use crate::cli::report::waterfall;
use crate::cli::terminal::{Terminal, Tone, on_one_line};
use crate::mail::dsn::{Action, Notification, Recipient};
use crate::mail::headers::hops::Way;

/// The longest name of a hop beside its bar, in characters.
const LONGEST_NAME: usize = 32;
/// Dates of Received headers have whole seconds.
const ONE_SECOND_US: u64 = 1_000_000;
/// Recipients that are shown; JSON has all.
const MOST_RECIPIENTS: usize = 20;

/// The message as text of several lines.
pub(crate) fn words(explained: &Explained, terminal: &Terminal) -> String {
    let mut blocks = vec![heading(explained, terminal)];
    if let Some(notification) = &explained.notification {
        blocks.push(bounce(notification, terminal));
    }
    blocks.push(way(&explained.headers.way, terminal));
    blocks.push(facts(explained, terminal));
    blocks.push(own_checks(explained, terminal));
    blocks.push(left_out(explained, terminal));
    blocks.retain(|block| !block.is_empty());
    blocks.join("\n")
}

fn heading(explained: &Explained, terminal: &Terminal) -> String {
    let about = &explained.about;
    let subject = on_one_line(about.line("Subject").unwrap_or("without a subject"));
    let (tone, word) = match &explained.notification {
        None => (Tone::Strong, "MESSAGE"),
        Some(notification) => match notification.worst().map(|worst| worst.action) {
            Some(Action::Delayed) => (Tone::Doubtful, "BOUNCE"),
            Some(Action::Delivered | Action::Relayed | Action::Expanded) => (Tone::Good, "BOUNCE"),
            _ => (Tone::Bad, "BOUNCE"),
        },
    };
    let mut text = format!("{}  {subject}\n", terminal.paint(tone, word));
    for (name, value) in about.lines.iter().filter(|(name, _)| *name != "Subject") {
        let name = terminal.paint(Tone::Faint, &format!("{name:<10}"));
        text.push_str(&format!("  {name}  {}\n", on_one_line(value)));
    }
    text
}

fn bounce(notification: &Notification, terminal: &Terminal) -> String {
    let mut text = String::new();
    for recipient in notification.recipients.iter().take(MOST_RECIPIENTS) {
        text.push_str(&told(recipient, terminal));
    }
    let more =
        notification.recipients.len().saturating_sub(MOST_RECIPIENTS) + notification.left_out;
    if more > 0 {
        text.push_str(&format!("  and {more} recipients more\n"));
    }
    let mut line = |what: &str, rest: &str| {
        let what = terminal.paint(Tone::Faint, what);
        text.push_str(&format!("  {what} {}\n", on_one_line(rest)));
    };
    let form = match notification.form {
        "rfc3464" => "a delivery status notification (RFC 3464)".to_owned(),
        "unknown" => "free text in no known form".to_owned(),
        form => format!("free text as {form} writes it"),
    };
    line("written as:", &form);
    if let Some(reporting) = &notification.reporting_mta {
        line("written by:", reporting);
    }
    if let Some(returned) = &notification.returned {
        let subject = returned.subject.as_deref().unwrap_or("without a subject");
        let id = returned.message_id.as_deref().unwrap_or("without a Message-ID");
        line("about:", &format!("{subject} ({id})"));
    }
    text
}

fn told(recipient: &Recipient, terminal: &Terminal) -> String {
    let address = recipient.address.as_deref().unwrap_or("somebody whom it does not name");
    let tone = match recipient.action {
        Action::Failed | Action::Unknown => Tone::Bad,
        Action::Delayed => Tone::Doubtful,
        Action::Delivered | Action::Relayed | Action::Expanded => Tone::Good,
    };
    let codes: Vec<_> = [
        recipient.basic.map(|code| code.to_string()),
        recipient.status.map(|code| code.to_string()),
    ]
    .into_iter()
    .flatten()
    .collect();
    let codes = if codes.is_empty() { String::new() } else { format!(" ({})", codes.join(" ")) };
    let reason = recipient.reason.as_str().replace('_', " ");
    let action = terminal.paint(tone, recipient.action.as_str());
    let mut text = format!("  {action}  {}: {reason}{codes}\n", on_one_line(address));
    let mut line = |what: &str, rest: &str| {
        let what = terminal.paint(Tone::Faint, what);
        text.push_str(&format!("      {what} {}\n", on_one_line(rest)));
    };
    if let Some(original) = &recipient.original {
        line("sent to:", original);
    }
    if let Some(remote) = &recipient.remote_mta {
        line("by the word of:", remote);
    }
    if !recipient.diagnostic.is_empty() {
        line("it says:", &recipient.diagnostic);
    }
    if let Some(until) = recipient.will_retry_until {
        line("tried until:", &until.to_string());
    }
    text
}

/// One line a hop, then the hops as bars over the time that the servers' clocks say.
fn way(way: &Way, terminal: &Terminal) -> String {
    let mut text = String::new();
    for (number, passed) in (1..).zip(&way.hops) {
        let name = terminal.paint(Tone::Faint, &format!("hop {number:<2}"));
        text.push_str(&format!("  {name}  {}\n", on_one_line(&passed.line())));
    }
    if way.left_out > 0 {
        text.push_str(&format!("  and {} older hops more\n", way.left_out));
    }
    let phases = phases(way);
    if phases.len() > 1 {
        let total_us = way.total_us().and_then(|total| u64::try_from(total).ok()).unwrap_or(0);
        text.push('\n');
        text.push_str(&waterfall(&phases, total_us, terminal));
        let caveat = "  by the servers' own clocks, in whole seconds; the lowest hops are whatever the sender wrote";
        text.push_str(&format!("{}\n", terminal.paint(Tone::Faint, caveat)));
    }
    text
}

/// Each hop as a phase from the date of the one before to its own.
fn phases(way: &Way) -> Vec<Phase> {
    let Some(first) = way.hops.iter().find_map(|passed| passed.hop.date) else { return Vec::new() };
    let mut phases = Vec::new();
    for (number, passed) in (1..).zip(&way.hops) {
        let Some(date) = passed.hop.date else { continue };
        let delay_us = passed.delay_us.unwrap_or(0);
        let by = passed.hop.by.as_deref().unwrap_or("?");
        let name: String = format!("{number} {by}").chars().take(LONGEST_NAME).collect();
        phases.push(Phase {
            name,
            start_us: date.signed_us_since(first).saturating_sub(delay_us),
            duration_us: delay_us,
            uncertainty_us: if passed.delay_us.is_some() { ONE_SECOND_US } else { 0 },
        });
    }
    phases
}

/// Authentication, signatures, gateways and spam scores, as a round trip's facts have them.
fn facts(explained: &Explained, terminal: &Terminal) -> String {
    let facts = explained.headers.facts(&explained.trust);
    let shown: Vec<_> = facts.iter().filter(|fact| !fact.name.starts_with("hop")).collect();
    let width = shown.iter().map(|fact| fact.name.chars().count()).max().unwrap_or(0);
    let line = |(name, value): (&str, &str)| {
        let name = terminal.paint(Tone::Faint, &format!("{:<width$}", on_one_line(name)));
        format!("  {name}  {}\n", on_one_line(value))
    };
    shown.iter().map(|fact| line((&fact.name, &fact.value))).collect()
}

fn own_checks(explained: &Explained, terminal: &Terminal) -> String {
    let Some(verified) = &explained.verified else { return String::new() };
    let mut text = String::new();
    for fact in verified.facts() {
        let name = fact.name.trim_start_matches("verify.").to_owned();
        let name = terminal.paint(Tone::Faint, &format!("verified {name:<6}"));
        text.push_str(&format!("  {name}  {}\n", on_one_line(&fact.value)));
    }
    text
}

fn left_out(explained: &Explained, terminal: &Terminal) -> String {
    let mut text = String::new();
    let mut line = |words: &str| {
        text.push_str(&format!("  {}\n", terminal.paint(Tone::Faint, words)));
    };
    let (bytes, is_whole) = explained.read;
    if !is_whole {
        line(&format!("only the first {} KiB of it were read", bytes / 1024));
    }
    if explained.headers.is_cut {
        line("its header block is longer than 256 KiB or 1000 fields: the rest was not read");
    }
    if explained.headers.way.unread > 0 {
        line(&format!("{} Received headers say nothing", explained.headers.way.unread));
    }
    text
}
