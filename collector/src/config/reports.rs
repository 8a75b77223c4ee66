//! `[[report]]`: who gets which monthly report, when, by which channel.
//!
//! ```toml
//! [[report]]
//! name = "management"
//! channel = "mail-ops"                  # an e-mail channel of channels.d: its relay, its sender
//! #to = ["Board <board@example.org>"]   # whom; those of the channel where it is not said
//! #services = ["mail-durban"]           # all of them where it is not said
//! #day = 4                              # of the month after; before the 4th it is preliminary
//! #at = "07:00"                         # in the organisation's time zone
//! ```

use std::collections::BTreeSet;

use jiff::civil::Time;
use lettre::message::Mailbox;
use mailsonde_proto::check::is_name;

use super::Mistake;
use super::section::Section;

/// Of these at most.
const MOST: usize = 32;
const MOST_RECIPIENTS: usize = 50;
const MOST_SERVICES: usize = 200;
/// By then what comes late has mostly come.
pub const DEFAULT_DAY: u8 = 4;
/// When people begin their day.
pub const DEFAULT_HOUR: i8 = 7;

/// A monthly report by mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportConfig {
    /// What it is called; no other has it.
    pub name: String,
    /// The e-mail channel by whose relay it goes.
    pub channel: String,
    /// To whom; empty: to whom the channel writes.
    pub to: Vec<Mailbox>,
    /// Of these services; empty: of all.
    pub services: Vec<String>,
    /// On which day of the month after, 1 to 28.
    pub day: u8,
    /// When, in the organisation's time zone.
    pub at: Time,
}

/// Reads all of it; `root` is the outermost table.
pub(super) fn read(mut root: Section<'_>, mistakes: &mut Vec<Mistake>) -> Vec<ReportConfig> {
    let (mut reports, mut taken) = (Vec::new(), BTreeSet::new());
    for mut section in root.tables("report", MOST, "report: ") {
        reports.extend(report(&mut section, &mut taken));
        root.take_over(section);
    }
    mistakes.extend(root.so_far());
    reports
}

fn report(section: &mut Section<'_>, taken: &mut BTreeSet<String>) -> Option<ReportConfig> {
    section.require("name", "such as name = \"management\"");
    section.require("channel", "an e-mail channel of channels.d");
    let name = section.read("name", a_name);
    if let Some(name) = &name
        && !taken.insert(name.clone())
    {
        section.wrong("name", format!("there are two reports called {name}"));
    }
    let channel = section.read("channel", a_name);
    let to = section.list("to", MOST_RECIPIENTS, mailbox);
    let services = section.list("services", MOST_SERVICES, a_name);
    let day = section.whole("day", 1..=28).and_then(|day| u8::try_from(day).ok());
    let at = section.read("at", time);
    Some(ReportConfig {
        name: name?,
        channel: channel?,
        to: to.into_iter().map(|(_, to)| to).collect(),
        services: services.into_iter().map(|(_, service)| service).collect(),
        day: day.unwrap_or(DEFAULT_DAY),
        at: at.unwrap_or(Time::constant(DEFAULT_HOUR, 0, 0, 0)),
    })
}

fn a_name(text: &str) -> Result<String, &'static str> {
    if is_name(text) { Ok(text.to_owned()) } else { Err("must be 1 to 64 of a-z A-Z 0-9 . _ -") }
}

fn mailbox(text: &str) -> Result<Mailbox, &'static str> {
    let form = "must be an address such as \"Board <board@example.org>\"";
    let mailbox: Mailbox = text.parse().ok().ok_or(form)?;
    // what is not ASCII needs SMTPUTF8 (RFC 6531), which many relays have not
    if AsRef::<str>::as_ref(&mailbox.email).is_ascii() { Ok(mailbox) } else { Err(form) }
}

fn time(text: &str) -> Result<Time, &'static str> {
    let is_one = text.len() == 5 && text.is_ascii();
    let time = format!("{text}:00").parse::<Time>().ok().filter(|_| is_one);
    time.ok_or("must be a time of day, such as \"07:00\"")
}
