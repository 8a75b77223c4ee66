//! Reads `channels.d`: every mistake of every file with its place.
//!
//! Absent on purpose: the settings of a kind, which its own file reads.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::check::is_name;

use super::source::{Outwards, Source};
use super::{Channel, EMAIL, FOLDER, MAX_CHANNELS, Named};
use super::{
    command, discord, email, google_chat, mattermost, ntfy, opsgenie, pagerduty, slack, teams,
    telegram, webhook, zoom,
};
use crate::config::Mistake;
use crate::config::folder::{self, Place};
use crate::config::section::{self, Section};
use crate::folder::Folder;

/// Reads a kind's settings; `None` where something is wrong with them, which the section tells.
type Reader = fn(&mut Source<'_, '_>) -> Option<Arc<dyn Channel>>;

/// What stands behind each word of `kind`.
const KINDS: [(&str, Reader); 13] = [
    ("command", command::read),
    ("discord", discord::read),
    (EMAIL, email::read),
    ("google-chat", google_chat::read),
    ("mattermost", mattermost::read),
    ("ntfy", ntfy::read),
    ("opsgenie", opsgenie::read),
    ("pagerduty", pagerduty::read),
    ("slack", slack::read),
    ("teams", teams::read),
    ("telegram", telegram::read),
    ("webhook", webhook::read),
    ("zoom", zoom::read),
];

/// The words of `kind` that there are.
#[cfg(test)]
pub(crate) fn kinds() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|(kind, _)| *kind)
}

/// Reads all files: the channels that are right, and every mistake.
pub(super) fn channels(
    folder: &Folder,
    relays_watched: &dyn Fn(&str) -> Option<String>,
    limit: Duration,
) -> (Vec<Named>, Vec<Mistake>) {
    let mut reading = Reading {
        folder,
        relays_watched,
        outwards: Outwards::within(limit),
        found: Vec::new(),
        taken: BTreeMap::new(),
        instead: Vec::new(),
        mistakes: Vec::new(),
    };
    match folder::names(&folder.channels()) {
        Ok(names) => names.iter().for_each(|name| reading.file(name)),
        Err(message) => reading.mistakes.push(folder::whole(Path::new(FOLDER), message)),
    }
    reading.between();
    let Reading { found, mut mistakes, .. } = reading;
    mistakes.sort();
    (found, mistakes)
}

struct Reading<'r> {
    folder: &'r Folder,
    relays_watched: &'r dyn Fn(&str) -> Option<String>,
    outwards: Outwards,
    found: Vec<Named>,
    /// Where each name stands.
    taken: BTreeMap<String, Place>,
    /// Which channel is told instead of which, and where that stands.
    instead: Vec<(Option<String>, String, Place)>,
    mistakes: Vec<Mistake>,
}

impl Reading<'_> {
    fn file(&mut self, name: &str) {
        let called = format!("{FOLDER}/{name}");
        let path = self.folder.channels().join(name);
        let mistakes = section::read_file(&path, &called, |section| {
            for mut inner in section.tables("channel", MAX_CHANNELS + 1, "channel: ") {
                let is_known = self.channel(&mut inner);
                self.mistakes.extend(if is_known { inner.end() } else { inner.give_up() });
            }
        });
        self.mistakes.extend(mistakes);
        if self.taken.len() > MAX_CHANNELS {
            let words = format!("there must be {MAX_CHANNELS} channels at most");
            self.mistakes.push(folder::whole(Path::new(FOLDER), words));
        }
    }

    /// Whether its kind is known, and so which keys there are.
    fn channel(&mut self, section: &mut Section<'_>) -> bool {
        section.require("name", "by what routes name it");
        let name = section.read("name", name);
        if let Some(name) = &name {
            section.set_label(format!("channel \"{name}\": "));
            let place = section.place("name");
            match self.taken.get(name) {
                Some(other) => {
                    section
                        .wrong("name", format!("there is another channel of this name at {other}"));
                }
                None => drop(self.taken.insert(name.clone(), place)),
            }
        }
        let instead = section.read("instead", self::name);
        if let Some(instead) = &instead {
            self.instead.push((name.clone(), instead.clone(), section.place("instead")));
        }
        let is_enabled = section.flag("enabled") || !section.has("enabled");
        let known = KINDS.map(|(kind, _)| kind).join(", ");
        section.require("kind", &known);
        let reader = section.read("kind", |text| {
            let found = KINDS.iter().find(|(kind, _)| *kind == text);
            found.ok_or_else(|| format!("must be one of {known}, not \"{text}\""))
        });
        let Some((kind, reader)) = reader else { return false };
        if *kind != "command" {
            // read last, and not at all where something else is wrong
            section.expect("authority");
        }
        let outwards = &mut self.outwards;
        let (folder, relays_watched) = (self.folder, self.relays_watched);
        let channel = reader(&mut Source { section, folder, relays_watched, outwards });
        if channel.is_none() && section.is_right() {
            section.wrong("kind", "its secret cannot be sent: it must be of printable ASCII");
        }
        if let (Some(name), Some(channel)) = (name, channel) {
            self.found.push(Named { name, channel, instead, is_enabled });
        }
        true
    }

    /// What is wrong between channels.
    fn between(&mut self) {
        for (name, instead, place) in &self.instead {
            let who = name.as_deref().map(|name| format!(" \"{name}\"")).unwrap_or_default();
            let words = match self.taken.contains_key(instead) {
                false => format!("there is no channel called {instead}"),
                true if name.as_ref() == Some(instead) => {
                    "must be another channel: it tells that this one does not work".to_owned()
                }
                true => continue,
            };
            self.mistakes.push(place.mistake(format!("channel{who}: instead: {words}")));
        }
    }
}

fn name(text: &str) -> Result<String, String> {
    if is_name(text) {
        return Ok(text.to_owned());
    }
    Err(format!("must be 1 to 64 letters, digits, dots, dashes or underscores, not \"{text}\""))
}
