//! Zones, their keys and the two DNS servers' configuration: Knot with a signed root of its own, and
//! Unbound, which validates against that root.

use std::process::Command;

use super::folder::Folder;
use super::layout::branch_address;
use super::{LabError, output_of};

/// Name and records of each zone below `test.`, and whether it is signed.
const ZONES: [(&str, &str, Signing); 6] = [
    ("good.test.", include_str!("templates/zones/good.test.zone"), Signing::Right),
    ("bounce.test.", include_str!("templates/zones/bounce.test.zone"), Signing::Right),
    ("badcert.test.", include_str!("templates/zones/badcert.test.zone"), Signing::Right),
    ("lab.test.", include_str!("templates/zones/lab.test.zone"), Signing::Right),
    ("bogus.test.", include_str!("templates/zones/bogus.test.zone"), Signing::WrongDs),
    ("unsigned.test.", include_str!("templates/zones/unsigned.test.zone"), Signing::None),
];
const TEST: &str = "test.";
const ROOT: &str = ".";
const REVERSE: &str = "18.198.in-addr.arpa.";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Signing {
    Right,
    /// Signed, and the parent's DS is of another key: validation must fail.
    WrongDs,
    None,
}

/// Writes both servers' configuration and all zones.
pub(super) fn prepare(folder: &Folder, branches: u8) -> Result<(), LabError> {
    write_configuration(folder)?;
    let each = |line: fn(u8) -> String| (1..=branches).map(line).collect::<String>();
    let forward = each(|branch| format!("b{branch} A {}\n", branch_address(branch)));
    let backward = each(|branch| format!("2.{branch} PTR b{branch}.lab.test.\n"));

    let mut below_test = String::new();
    for (name, records, signing) in ZONES {
        let records = records.replace("{branches}", &forward);
        write_zone(folder, name, &records)?;
        below_test.push_str(&delegation(folder, name, signing)?);
    }
    let test = include_str!("templates/zones/test.zone").replace("{delegations}", &below_test);
    write_zone(folder, TEST, &test)?;
    let reverse = include_str!("templates/zones/reverse.zone").replace("{branches}", &backward);
    write_zone(folder, REVERSE, &reverse)?;

    let mut below_root = delegation(folder, TEST, Signing::Right)?;
    below_root.push_str(&delegation(folder, REVERSE, Signing::Right)?);
    let root = include_str!("templates/zones/root.zone").replace("{delegations}", &below_root);
    folder.write("knot/zones/root.zone", &root)?;
    folder.write("unbound/root.ds", &delegation_signer(folder, ROOT)?)?;
    folder.write("unbound/root.hints", ". NS ns1.lab.test.\nns1.lab.test. A 198.18.0.53\n")
}

fn write_configuration(folder: &Folder) -> Result<(), LabError> {
    let mut zones = String::new();
    let fixed = [(TEST, Signing::Right), (REVERSE, Signing::Right), (ROOT, Signing::Right)];
    let named = ZONES.iter().map(|(name, _, signing)| (*name, *signing));
    for (name, signing) in named.chain(fixed) {
        zones.push_str(&format!("  - domain: {name}\n    file: {}\n", file_of(name)));
        if signing != Signing::None {
            zones.push_str("    dnssec-signing: on\n    dnssec-policy: one-key\n");
        }
    }
    let knot = folder.fill(include_str!("templates/knot.conf"), &[("zones", &zones)]);
    folder.write("knot/knot.conf", &knot)?;
    let unbound = folder.fill(include_str!("templates/unbound.conf"), &[]);
    folder.write("unbound/unbound.conf", &unbound)
}

fn file_of(zone: &str) -> String {
    if zone == ROOT { "root.zone".to_owned() } else { format!("{zone}zone") }
}

fn write_zone(folder: &Folder, name: &str, records: &str) -> Result<(), LabError> {
    let head = format!(
        "$ORIGIN {name}\n$TTL 300\n\
         @ SOA ns1.lab.test. hostmaster.lab.test. 1 3600 600 86400 5\n@ NS ns1.lab.test.\n"
    );
    folder.write(&format!("knot/zones/{}", file_of(name)), &format!("{head}{records}"))
}

/// What the parent says about a zone.
fn delegation(folder: &Folder, name: &str, signing: Signing) -> Result<String, LabError> {
    let servers = format!("{name} NS ns1.lab.test.\n");
    Ok(match signing {
        Signing::None => servers,
        Signing::Right => servers + &delegation_signer(folder, name)?,
        Signing::WrongDs => {
            delegation_signer(folder, name)?;
            servers + &format!("{name} DS 1 13 2 {}\n", "00".repeat(32))
        }
    })
}

/// Makes the zone's key and returns its DS record (SHA-256, RFC 4509).
fn delegation_signer(folder: &Folder, zone: &str) -> Result<String, LabError> {
    let keymgr = |arguments: &[&str]| {
        let configuration = folder.join("knot/knot.conf");
        output_of(Command::new("keymgr").arg("-c").arg(configuration).arg(zone).args(arguments))
    };
    keymgr(&["generate", "algorithm=ecdsap256sha256", "ksk=yes", "zsk=yes"])?;
    let records = keymgr(&["ds"])?;
    records
        .lines()
        .find(|line| line.split_whitespace().nth(4) == Some("2"))
        .map(|line| format!("{line}\n"))
        .ok_or(LabError::Program { what: "keymgr ds", output: records.clone() })
}
