//! Reads `[watched]`, `[[heartbeat]]`, `[[peer]]` and `[[vendor]]`.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use mailsonde_proto::check::is_name;
use url::Url;
use zeroize::Zeroizing;

use crate::config::outside::{
    DEFAULT_HEARTBEAT, DEFAULT_PEER, DEFAULT_SILENT_AFTER, DEFAULT_VENDOR, GOOGLE_WORKSPACE, GRAPH,
    HeartbeatConfig, HeartbeatKind, MICROSOFT_SIGN_IN, OutsideConfig, PageConfig, PeerConfig,
    VendorConfig, VendorKind, outside_url,
};
use crate::config::section::Section;
use crate::config::{Mistake, SecretPlace};

/// Of each sort at most.
const MOST: usize = 32;
/// Patterns and names in a list at most.
const MOST_NAMED: usize = 100;
/// Characters of a page's secret part at least: 24 of 64 are 144 bits.
const LEAST_PATH: usize = 24;
const SECONDS: RangeInclusive<u64> = 5..=86_400;

/// Reads all of it; `root` is the outermost table.
pub(super) fn read(mut root: Section<'_>, mistakes: &mut Vec<Mistake>) -> OutsideConfig {
    let mut outside = OutsideConfig::default();
    if let Some(mut section) = root.table("watched", "watched: ") {
        outside.page = page(&mut section);
        root.take_over(section);
    }
    let mut taken = BTreeSet::new();
    for mut section in root.tables("heartbeat", MOST, "heartbeat: ") {
        outside.heartbeats.extend(heartbeat(&mut section, &mut taken));
        root.take_over(section);
    }
    taken.clear();
    for mut section in root.tables("peer", MOST, "peer: ") {
        outside.peers.extend(peer(&mut section, &mut taken));
        root.take_over(section);
    }
    taken.clear();
    for mut section in root.tables("vendor", MOST, "vendor: ") {
        outside.vendors.extend(vendor(&mut section, &mut taken));
        root.take_over(section);
    }
    mistakes.extend(root.so_far());
    outside
}

fn page(section: &mut Section<'_>) -> Option<PageConfig> {
    let path = secret(section, ["path", "path_file", "path_env"], |text| page_path(text).map(drop));
    let services = section.list("services", MOST_NAMED, name);
    let services = services.into_iter().map(|(_, name)| name).collect();
    Some(PageConfig { path: path?, services })
}

/// The part of a page's path that nobody guesses.
pub(crate) fn page_path(text: &str) -> Result<&str, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let is_one = (LEAST_PATH..=128).contains(&text.len()) && text.chars().all(is_plain);
    let words = "must be 24 to 128 of a-z A-Z 0-9 - _ that nobody guesses, such as `openssl rand -hex 16` makes";
    if is_one { Ok(text) } else { Err(words.to_owned()) }
}

fn heartbeat(section: &mut Section<'_>, taken: &mut BTreeSet<String>) -> Option<HeartbeatConfig> {
    let kind = section.read("kind", |text| match text {
        "healthchecks" => Ok(HeartbeatKind::Healthchecks),
        "uptimerobot" => Ok(HeartbeatKind::UptimeRobot),
        "generic" => Ok(HeartbeatKind::Generic),
        _ => Err("must be \"healthchecks\", \"uptimerobot\" or \"generic\""),
    });
    section.require("kind", "\"healthchecks\", \"uptimerobot\" or \"generic\"");
    let name = called(section, kind.map(HeartbeatKind::as_str), taken);
    let url = secret(section, URL, |text| outside_url(text).map(drop));
    let every = every(section, "every", SECONDS).unwrap_or(DEFAULT_HEARTBEAT);
    let authority = authority(section);
    Some(HeartbeatConfig { name: name?, kind: kind?, url: url?, every, authority })
}

fn peer(section: &mut Section<'_>, taken: &mut BTreeSet<String>) -> Option<PeerConfig> {
    section.require("name", "");
    let name = called(section, None, taken);
    let url = secret(section, URL, |text| outside_url(text).map(drop));
    let often = every(section, "every", SECONDS).unwrap_or(DEFAULT_PEER);
    let silent_after = every(section, "silent_after", SECONDS).unwrap_or(DEFAULT_SILENT_AFTER);
    if silent_after < often.saturating_mul(2) {
        section.wrong("silent_after", "silent_after must be twice every at least");
    }
    let authority = authority(section);
    Some(PeerConfig { name: name?, url: url?, every: often, silent_after, authority })
}

fn vendor(section: &mut Section<'_>, taken: &mut BTreeSet<String>) -> Option<VendorConfig> {
    const KINDS: &str = "\"microsoft365\", \"google-workspace\", \"statuspage\" or \"feed\"";
    let kind = section.read("kind", |text| match text {
        "microsoft365" | "google-workspace" | "statuspage" | "feed" => Ok(text.to_owned()),
        _ => Err(format!("must be {KINDS}")),
    });
    section.require("kind", KINDS);
    let name = called(section, kind.as_deref(), taken);
    let (kind, usual) = match kind.as_deref() {
        None => (wanted_by_any(section), &[][..]),
        Some("microsoft365") => (microsoft365(section), &["Exchange Online"][..]),
        Some("google-workspace") => {
            let url = url_or(section, "url", GOOGLE_WORKSPACE);
            (url.map(VendorKind::GoogleWorkspace), &["Gmail"][..])
        }
        Some("statuspage") => {
            section.require("url", "of the page, such as \"https://status.example.org\"");
            (section.read("url", outside_url).map(VendorKind::Statuspage), &[][..])
        }
        Some(_) => {
            section.require("url", "of the feed");
            (section.read("url", outside_url).map(VendorKind::Feed), &[][..])
        }
    };
    let says_only = section.has("only");
    let mut list = |key| {
        let all = section.list(key, MOST_NAMED, pattern).into_iter();
        all.map(|(_, pattern)| pattern).collect::<Vec<_>>()
    };
    let (services, mut only) = (list("services"), list("only"));
    if !says_only {
        only = usual.iter().map(|it| (*it).to_owned()).collect();
    }
    let every = every(section, "every", SECONDS).unwrap_or(DEFAULT_VENDOR);
    let authority = authority(section);
    Some(VendorConfig { name: name?, kind: kind?, services, only, every, authority })
}

/// Of a kind that is none nobody knows which keys it has.
fn wanted_by_any(section: &mut Section<'_>) -> Option<VendorKind> {
    let keys = ["url", "tenant", "client_id", "graph_url", "sign_in_url"];
    let keys = keys.into_iter().chain(CLIENT_SECRET);
    for key in keys {
        section.read(key, |_| Ok::<_, String>(()));
    }
    None
}

fn microsoft365(section: &mut Section<'_>) -> Option<VendorKind> {
    for key in ["tenant", "client_id"] {
        section.require(key, "of an application with ServiceHealth.Read.All");
    }
    let tenant = section.read("tenant", directory_word);
    let client_id = section.read("client_id", directory_word);
    let client_secret = secret(section, CLIENT_SECRET, |_| Ok(()));
    let graph = url_or(section, "graph_url", GRAPH);
    let sign_in = url_or(section, "sign_in_url", MICROSOFT_SIGN_IN);
    Some(VendorKind::Microsoft365 {
        tenant: tenant?,
        client_id: client_id?,
        client_secret: client_secret?,
        graph: graph?,
        sign_in: sign_in?,
    })
}

const URL: [&str; 3] = ["url", "url_file", "url_env"];
const CLIENT_SECRET: [&str; 3] = ["client_secret", "client_secret_file", "client_secret_env"];

/// A secret that is told at one of three keys: itself, its file, its variable.
fn secret(
    section: &mut Section<'_>,
    keys: [&'static str; 3],
    is_right: impl Fn(&str) -> Result<(), String>,
) -> Option<SecretPlace> {
    let [told, file, variable] = keys;
    let not_empty = |text: &str| match text.is_empty() {
        true => Err("must not be empty"),
        false => Ok(text.to_owned()),
    };
    let read = [
        section.read(told, |text| {
            is_right(text).map(|()| SecretPlace::Told(Zeroizing::new(text.to_owned())))
        }),
        section.read(file, not_empty).map(|path| SecretPlace::File(PathBuf::from(path))),
        section.read(variable, not_empty).map(SecretPlace::Variable),
    ];
    match keys.iter().filter(|key| section.has(key)).count() {
        0 => {
            section.require(told, &format!("or {file}, or {variable}"));
            None
        }
        1 => read.into_iter().flatten().next(),
        _ => {
            let words = format!("there must be one of {told}, {file} and {variable}");
            section.wrong(told, words);
            None
        }
    }
}

/// What it is called, by itself or by its kind.
fn called(
    section: &mut Section<'_>,
    kind: Option<&str>,
    taken: &mut BTreeSet<String>,
) -> Option<String> {
    let said = section.read("name", name);
    if said.is_none() && section.has("name") {
        return None;
    }
    let name = said.or_else(|| kind.map(str::to_owned))?;
    section.set_label(format!("{}{name}: ", section.label().replace(": ", " ")));
    if !taken.insert(name.clone()) {
        section.wrong("name", "another has this name: give each a name of its own");
    }
    Some(name)
}

fn name(text: &str) -> Result<String, &'static str> {
    if is_name(text) { Ok(text.to_owned()) } else { Err("must be 1 to 64 of a-z A-Z 0-9 . _ -") }
}

fn pattern(text: &str) -> Result<String, &'static str> {
    match (1..=128).contains(&text.len()) {
        true => Ok(text.to_owned()),
        false => Err("must have 1 to 128 bytes"),
    }
}

/// What stands in a path of Microsoft's: an id or a domain.
fn directory_word(text: &str) -> Result<String, &'static str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let is_one = (1..=128).contains(&text.len()) && text.chars().all(is_plain);
    if is_one {
        Ok(text.to_owned())
    } else {
        Err("must be an id, such as Microsoft Entra shows it")
    }
}

fn url_or(section: &mut Section<'_>, key: &'static str, usual: &str) -> Option<Url> {
    match section.has(key) {
        true => section.read(key, outside_url),
        // asked for all the same, so that it is known
        false => section.read(key, outside_url).or_else(|| Url::parse(usual).ok()),
    }
}

pub(super) fn every(
    section: &mut Section<'_>,
    key: &'static str,
    seconds: RangeInclusive<u64>,
) -> Option<Duration> {
    section.read(key, |text| {
        let duration = humantime::parse_duration(text).ok();
        let duration = duration.ok_or("must be a number and a unit, such as \"60s\"".to_owned())?;
        if seconds.contains(&duration.as_secs()) && duration.subsec_nanos() == 0 {
            return Ok(duration);
        }
        let [least, most] = [seconds.start(), seconds.end()]
            .map(|bound| humantime::format_duration(Duration::from_secs(*bound)));
        Err(format!("must be whole seconds, from \"{least}\" to \"{most}\""))
    })
}

fn authority(section: &mut Section<'_>) -> Option<PathBuf> {
    section.read("authority", super::path)
}

#[cfg(test)]
mod tests;
