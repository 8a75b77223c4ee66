//! Zones, their keys and the DNS servers' configuration: Knot with a signed root of its own, a second one
//! that has its zones by transfer, and Unbound, which validates against that root.

mod odd;
mod signing;
mod zones;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use self::odd::{Manner, OddNameServer};
use self::zones::{Second, Zone};
use super::folder::Folder;
use super::layout::{NAME_SERVER, NAME_SERVER_2, branch_address};
use super::mail::Identities;
use super::{Lab, LabError, output_of, within};

/// How long a zone may take from one name server to the other.
const TRANSFERRED_WITHIN: std::time::Duration = std::time::Duration::from_secs(20);
/// A TXT record's strings have 255 bytes at most (RFC 1035 section 3.3.14).
const STRING_MAX_BYTES: usize = 250;
const DKIM_KEYS: &str = include_str!("templates/dkim.keys");

/// Writes all servers' configuration and all zones; [`delegate`] does the rest when Knot runs.
pub(super) fn prepare(
    folder: &Folder,
    branches: u8,
    identities: &Identities<'_>,
) -> Result<(), LabError> {
    let zones = zones::all()?;
    let value = |words: &[&str]| value(words, branches, &zones, identities);
    for zone in &zones {
        let text = match signing::beforehand(zone.signing) {
            Some(how) => signing::signed(zone, &how)?,
            None => fill(&zone.text(), value)?,
        };
        let at = if zone.is_at_first() { "knot" } else { "knot2" };
        folder.write(&format!("{at}/zones/{}", zone.file()), &text)?;
        if zone.second == Second::Differs {
            folder.write(&format!("knot2/zones/{}", zone.file()), &zone.other_text())?;
        }
    }
    write_configurations(folder, &zones)
}

fn write_configurations(folder: &Folder, zones: &[Zone]) -> Result<(), LabError> {
    let mut first = String::new();
    let mut second = String::new();
    for zone in zones {
        let with_file = format!("  - domain: {}\n    file: {}\n", zone.name, zone.file());
        if zone.is_at_first() {
            first.push_str(&with_file);
        }
        if zone.is_signed_by_knot() {
            first.push_str("    dnssec-signing: on\n    dnssec-policy: one-key\n");
        }
        match zone.second {
            Second::Same => {
                first.push_str("    notify: ns2\n");
                second.push_str(&format!("  - domain: {}\n    master: ns1\n", zone.name));
            }
            Second::Differs | Second::Only => second.push_str(&with_file),
            Second::Lame | Second::Absent | Second::Neither => {}
        }
    }
    let knot = folder.fill(include_str!("templates/knot.conf"), &[("zones", &first)]);
    folder.write("knot/knot.conf", &knot)?;
    let knot = folder.fill(include_str!("templates/knot2.conf"), &[("zones", &second)]);
    folder.write("knot2/knot.conf", &knot)?;
    let unbound = folder.fill(include_str!("templates/unbound.conf"), &[]);
    folder.write("unbound/unbound.conf", &unbound)?;
    folder.write("unbound/root.hints", ". NS ns1.lab.test.\nns1.lab.test. A 198.18.0.53\n")
}

/// Begins with what takes long and depends on no lab, so that it is ready when [`prepare`] needs it.
pub(super) fn begin() {
    std::thread::spawn(|| {
        for zone in zones::all().unwrap_or_default() {
            if let Some(how) = signing::beforehand(zone.signing) {
                // whoever needs it meets the same error, and tells it
                drop(signing::signed(&zone, &how));
            }
        }
    });
}

/// What stands for `{words}` in a zone.
fn value(
    words: &[&str],
    branches: u8,
    zones: &[Zone],
    identities: &Identities<'_>,
) -> Option<String> {
    let each = |line: fn(u8) -> String| (1..=branches).map(line).collect::<String>();
    Some(match words {
        ["branches", "forward"] => {
            each(|branch| format!("b{branch} A {}\n", branch_address(branch)))
        }
        ["branches", "backward"] => each(|branch| format!("2.{branch} PTR b{branch}.lab.test.\n")),
        ["delegations", parent] => {
            let below = |zone: &&Zone| zone.parent(zones).is_some_and(|zone| zone.name == *parent);
            zones.iter().filter(below).map(Zone::delegation).collect()
        }
        ["dkim", selector, tags @ ..] => {
            let lines = DKIM_KEYS.lines().filter_map(|line| line.split_once(' '));
            let (_, key) = lines.into_iter().find(|(name, _)| name == selector)?;
            let kind = if *selector == "ed" { "ed25519" } else { "rsa" };
            let tags: String = tags.iter().map(|tag| format!(" {tag};")).collect();
            quoted(&format!("v=DKIM1;{tags} k={kind}; p={key}"))
        }
        ["spki", name] => identities.key_digest(name)?,
        ["certificate", name] => identities.certificate_digest(name)?,
        _ => return None,
    })
}

/// A text as a TXT record's strings.
fn quoted(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let strings = characters.chunks(STRING_MAX_BYTES);
    let quoted = strings.map(|string| format!("\"{}\"", string.iter().collect::<String>()));
    quoted.collect::<Vec<_>>().join(" ")
}

/// A text with its placeholders filled in; those of SPF's macros, `%{…}`, are none.
fn fill(text: &str, value: impl Fn(&[&str]) -> Option<String>) -> Result<String, LabError> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        if before.ends_with('%') {
            filled.push_str(&format!("{{{name}}}"));
        } else {
            let words: Vec<&str> = name.split_whitespace().collect();
            let unknown = || LabError::Program { what: "the zones", output: format!("{{{name}}}") };
            filled.push_str(&value(&words).ok_or_else(unknown)?);
        }
        rest = after;
    }
    Ok(filled + rest)
}

impl Lab {
    /// Where the trust anchor is: the root's key as a DNSKEY record (RFC 4034 section 2), for validators
    /// that are given another root than the Internet's. Beside it, `root.ds` has it as a DS record.
    pub fn trust_anchor(&self) -> PathBuf {
        self.folder.join("unbound/root.key")
    }

    /// Changes a zone while it is served, by dynamic update (RFC 2136); it is signed again at once, and both
    /// name servers have it when this returns. Each line is one of `knsupdate`'s:
    /// `del drift.test. MX`, `add drift.test. 1 MX 10 mx2.good.test.`. Resolvers keep what they have by
    /// its TTL: `drift.test` has one of a second.
    ///
    /// # Errors
    /// Knot refuses it, or the second server does not get it.
    pub fn update_zone(&self, zone: &str, lines: &[&str]) -> Result<(), LabError> {
        let zone = format!("{}.", zone.trim_end_matches('.'));
        self.update(&zone, &lines.join("\n"))?;
        let transferred =
            zones::all()?.iter().any(|known| known.name == zone && known.second == Second::Same);
        if transferred { self.wait_for_transfer(&[zone]) } else { Ok(()) }
    }

    fn update(&self, zone: &str, lines: &str) -> Result<(), LabError> {
        let script = format!("server {NAME_SERVER}\nzone {zone}\n{lines}\nsend\n");
        let name = format!("update-{zone}");
        self.folder.write(&name, &script)?;
        let mut command = self.supervisor.server_command("mail");
        output_of(command.arg("knsupdate").arg(self.folder.join(&name))).map(drop)
    }

    /// Asks one of the name servers for the same of each zone; the answers as in a zone file.
    fn ask_about(
        &self,
        server: std::net::Ipv4Addr,
        zones: &[String],
        kind: &str,
    ) -> Result<String, LabError> {
        let mut command = self.supervisor.server_command("mail");
        command.args(["kdig", &format!("@{server}"), "+noall", "+answer", "+timeout=5"]);
        for zone in zones {
            command.args(["-q", zone, "-t", kind]);
        }
        output_of(&mut command)
    }

    /// Waits until the second name server has these zones as the first one has them.
    fn wait_for_transfer(&self, zones: &[String]) -> Result<(), LabError> {
        let wanted = self.ask_about(NAME_SERVER, zones, "SOA")?;
        let done = within(TRANSFERRED_WITHIN, || {
            self.ask_about(NAME_SERVER_2, zones, "SOA").is_ok_and(|has| has == wanted)
        });
        let what = || format!("transfer of {} zones", zones.len());
        if done {
            Ok(())
        } else {
            Err(LabError::TooLate { what: what(), within: TRANSFERRED_WITHIN })
        }
    }
}

/// Waits until Knot has signed its zones, tells each parent the keys of its children, and writes the trust
/// anchor of the root.
pub(super) fn delegate(lab: &Lab) -> Result<(), LabError> {
    let zones = zones::all()?;
    let names: Vec<String> = zones.iter().map(|zone| zone.name.clone()).collect();
    let answers = lab.ask_about(NAME_SERVER, &names, "DNSKEY")?;
    let keys = signing::keys_in(&answers);
    let mut by_parent: BTreeMap<&str, String> = BTreeMap::new();
    for zone in &zones {
        let signer = signing::delegation_signer(zone, keys.get(&zone.name));
        if let (Some(signer), Some(parent)) = (signer, zone.parent(&zones)) {
            let line = format!("add {} 300 DS {signer}\n", zone.name);
            by_parent.entry(&parent.name).or_default().push_str(&line);
        }
    }
    for (parent, lines) in by_parent {
        lab.update(parent, &lines)?;
    }
    let missing = || LabError::Program { what: "Knot", output: format!("no key in {answers}") };
    let root = keys.get(".").ok_or_else(missing)?;
    let signer = root.delegation_signer(".").ok_or_else(missing)?;
    lab.folder.write("unbound/root.key", &format!("{}\n", root.record(".")))?;
    lab.folder.write("unbound/root.ds", &format!(". IN DS {signer}\n"))
}

/// Waits until the second name server has all its zones.
pub(super) fn wait_for_transfers(lab: &Lab) -> Result<(), LabError> {
    let zones = zones::all()?;
    let transferred = zones.into_iter().filter(|zone| zone.second == Second::Same);
    lab.wait_for_transfer(&transferred.map(|zone| zone.name).collect::<Vec<_>>())
}
