//! Routes and rotations as operators write them: `[[route]]`, `[[rotation]]`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::civil::DateTime;

use super::super::folder::Place;
use super::{hours, target};
use crate::config::section::Section;
use crate::judge::incident::Severity;
use crate::judge::routing::{Audience, Member, Recipients, Rotation, Route, StandIn, Step};
use crate::selector::{NotASelector, Selector};

/// Routes, and rotations, in all files at most.
pub(super) const MAX_ROUTES: usize = 200;
const MAX_STEPS: usize = 10;
const MAX_CHANNELS: usize = 20;
const MAX_PATTERNS: usize = 100;
const MAX_MEMBERS: usize = 100;
const MAX_STAND_INS: usize = 500;
const MAX_TIMES: u64 = 100;

/// Names of channels and rotations where they are mentioned, to be looked for when all is read.
#[derive(Default)]
pub(super) struct Mentions {
    channels: Vec<(Place, String, String)>,
    rotations: Vec<(Place, String, String)>,
}

/// Reads a route; `None` where it has mistakes that leave nothing of it.
pub(super) fn route(section: &mut Section<'_>, mentions: &mut Mentions) -> Option<Route> {
    section.require("name", "it is what its notices are told by");
    let name = section.read("name", target::name);
    if let Some(name) = &name {
        section.set_label(format!("route \"{name}\": "));
    }
    let services = section.list("services", MAX_PATTERNS, pattern);
    let on = section.read("on", |text| {
        text.parse::<Selector>().map(|on| on.to_string()).map_err(|error: NotASelector| error)
    });
    let severity = section.read("severity", severity);
    let hours = hours::read(section);
    let to = recipients(section, mentions);
    let audience = section.read("audience", audience);
    let updates = section.read("updates", |text| lasting(text, "1m", "7d"));
    let label = section.label().to_owned();
    let mut steps = Vec::new();
    for mut inner in section.tables("step", MAX_STEPS, &format!("{label}step: ")) {
        steps.extend(step(&mut inner, mentions));
        section.take_over(inner);
    }
    steps.sort_by_key(|step| step.after_s);
    let services = services.into_iter().map(|(_, pattern)| pattern).collect::<Vec<_>>();
    Some(Route {
        name: name?,
        services: if services.is_empty() { vec!["*".to_owned()] } else { services },
        on: on.unwrap_or_else(|| "*".to_owned()),
        severity: severity.unwrap_or(Severity::Minor),
        hours,
        to,
        audience: audience.unwrap_or_default(),
        updates_s: updates,
        steps,
    })
}

fn step(section: &mut Section<'_>, mentions: &mut Mentions) -> Option<Step> {
    section.require("after", "how long nobody has taken it on, such as after = \"10m\"");
    let after = section.read("after", |text| lasting(text, "1s", "7d"));
    let to = recipients(section, mentions);
    let repeat = section.read("repeat", |text| lasting(text, "1m", "7d"));
    let times = section.whole("times", 1..=MAX_TIMES);
    if section.has("times") && !section.has("repeat") {
        section.wrong("times", "times says how often it is told again: say repeat as well");
    }
    if section.has("repeat") && !section.has("times") {
        section.wrong("repeat", "say how often at most by times, such as times = 3");
    }
    let times = u32::try_from(times.unwrap_or(0)).unwrap_or(0);
    Some(Step { after_s: after?, to, repeat_s: repeat, times })
}

fn recipients(section: &mut Section<'_>, mentions: &mut Mentions) -> Recipients {
    let label = section.label().to_owned();
    let channels = section.list("channels", MAX_CHANNELS, target::name);
    let on_call = section.list("on_call", MAX_CHANNELS, target::name);
    if channels.is_empty() && on_call.is_empty() && !section.has("channels") {
        section.require("channels", "say who is told, by channels = [\"…\"] or on_call = [\"…\"]");
    }
    let mention = |(place, name): &(Place, String)| (place.clone(), label.clone(), name.clone());
    mentions.channels.extend(channels.iter().map(mention));
    mentions.rotations.extend(on_call.iter().map(mention));
    let names = |all: Vec<(Place, String)>| all.into_iter().map(|(_, name)| name).collect();
    Recipients { channels: names(channels), on_call: names(on_call) }
}

/// Reads a rotation; `None` where it has mistakes that leave nothing of it.
pub(super) fn rotation(section: &mut Section<'_>, mentions: &mut Mentions) -> Option<Rotation> {
    section.require("name", "it is what routes name by on_call");
    let name = section.read("name", target::name);
    if let Some(name) = &name {
        section.set_label(format!("rotation \"{name}\": "));
    }
    let label = section.label().to_owned();
    section.require("from", "when the first shift begins, such as from = \"2026-12-07 09:00\"");
    let from = section.read("from", civil);
    let shift = section.read("shift", |text| lasting(text, "1h", "366d"));
    let mut members: Vec<Member> = Vec::new();
    for mut inner in section.tables("member", MAX_MEMBERS, &format!("{label}member: ")) {
        members.extend(member(&mut inner, mentions));
        section.take_over(inner);
    }
    section.require("member", "say who is on call, as [[rotation.member]]");
    let names: BTreeSet<String> = members.iter().map(|member| member.name.clone()).collect();
    let mut overrides = Vec::new();
    for mut inner in section.tables("override", MAX_STAND_INS, &format!("{label}override: ")) {
        overrides.extend(stand_in(&mut inner, &names));
        section.take_over(inner);
    }
    let shift_s = shift.unwrap_or(7 * 86_400);
    Some(Rotation { name: name?, members, from: from?, shift_s, overrides })
}

fn member(section: &mut Section<'_>, mentions: &mut Mentions) -> Option<Member> {
    section.require("name", "");
    section.require("channel", "by which they are told");
    let name = section.words("name", 64);
    let channel = section.read("channel", target::name)?;
    let place = section.place("channel");
    mentions.channels.push((place, section.label().to_owned(), channel.clone()));
    (!name.is_empty()).then_some(Member { name, channel })
}

fn stand_in(section: &mut Section<'_>, members: &BTreeSet<String>) -> Option<StandIn> {
    for key in ["name", "from", "until"] {
        section.require(key, "");
    }
    let name = section.read("name", |text| {
        let known = members.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        if members.contains(text) {
            Ok(text.to_owned())
        } else {
            Err(format!("\"{text}\" is no member: there is {known}"))
        }
    });
    let (from, until) = (section.read("from", civil), section.read("until", civil));
    if let (Some(from), Some(until)) = (from, until)
        && until <= from
    {
        section.wrong("until", "until must lie behind from");
    }
    Some(StandIn { name: name?, from: from?, until: until? })
}

/// What is mentioned and is not there. Where it is not known which channels there are, none is missed.
pub(super) fn mistakes(
    mentions: &Mentions,
    rotations: &[Rotation],
    channels: Option<&BTreeSet<String>>,
) -> Vec<crate::config::Mistake> {
    let is_rotation = |name: &String| rotations.iter().any(|rotation| rotation.name == *name);
    let unknown = mentions.rotations.iter().filter(|(.., name)| !is_rotation(name));
    let mut mistakes: Vec<_> = unknown
        .map(|(place, label, name)| {
            place.mistake(format!("{label}there is no rotation \"{name}\""))
        })
        .collect();
    if let Some(channels) = channels {
        let unknown = mentions.channels.iter().filter(|(.., name)| !channels.contains(name));
        mistakes.extend(unknown.map(|(place, label, name)| {
            let known = channels.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            let known = if known.is_empty() { "there is none".to_owned() } else { known };
            place.mistake(format!("{label}there is no channel \"{name}\" in channels.d: {known}"))
        }));
    }
    mistakes
}

/// Keeps what has a name of its own.
pub(super) fn keep<T>(
    section: &mut Section<'_>,
    (name, read): (Option<String>, Option<T>),
    taken: &mut BTreeMap<String, Place>,
    kept: &mut Vec<T>,
) {
    if let Some(name) = name
        && let Some(other) = taken.insert(name.clone(), section.place("name"))
    {
        section.wrong("name", format!("there is another one of this name at {other}"));
    }
    kept.extend(read);
}

fn pattern(text: &str) -> Result<String, String> {
    if text == "*" || mailsonde_proto::check::is_name(&text.replace('*', "")) {
        return Ok(text.to_owned());
    }
    Err(format!("must be names of services, in which * stands for any characters, not \"{text}\""))
}

fn severity(text: &str) -> Result<Severity, String> {
    let all = [Severity::Notice, Severity::Minor, Severity::Major, Severity::Critical];
    let known = all.into_iter().find(|severity| severity.as_str() == text);
    known.ok_or_else(|| {
        format!("must be \"notice\", \"minor\", \"major\" or \"critical\", not \"{text}\"")
    })
}

fn audience(text: &str) -> Result<Audience, String> {
    let all = [Audience::Technical, Audience::Management, Audience::Users];
    let known = all.into_iter().find(|audience| audience.as_str() == text);
    known.ok_or_else(|| {
        format!("must be \"technical\", \"management\" or \"users\", not \"{text}\"")
    })
}

/// So many seconds, within bounds.
fn lasting(text: &str, least: &str, most: &str) -> Result<u64, String> {
    let form = || format!("must be a number and a unit from \"{least}\" to \"{most}\"");
    let read = |text: &str| humantime::parse_duration(text).map_err(|_no_duration| form());
    let duration: Duration = read(text)?;
    if (read(least)?..=read(most)?).contains(&duration) {
        Ok(duration.as_secs())
    } else {
        Err(form())
    }
}

fn civil(text: &str) -> Result<DateTime, String> {
    text.parse().map_err(|_no_time| {
        format!("must be a time in the organisation's zone, such as \"2026-12-07 09:00\", not \"{text}\"")
    })
}
