//! The lab's zones as the templates tell them: `templates/zones/*.zones` hold the records of each, with a
//! line on what is wrong with it.
//!
//! A zone begins with `zone NAME WORD…` and ends with the next one; SOA and NS are put in here. The words:
//! `unsigned`; `wrong-ds` and `no-ds` (what the parent says); `expired`, `ending`, `tampered` and `sha1` (signatures,
//! see [`Signing`]); `lame` (ns2 does not have it); `differs` (ns2 has other content); `only-second` (ns1 does not have
//! it); `nowhere` (neither does); `ttl=SECONDS`; `soa=REFRESH,RETRY,EXPIRE,MINIMUM`; `ns=NAME,NAME` and
//! `parent=NAME,NAME` (the name servers in the zone, and those of them that the parent knows).

use super::super::LabError;

const TEMPLATES: [&str; 9] = [
    include_str!("../templates/zones/servers.zones"),
    include_str!("../templates/zones/good.zones"),
    include_str!("../templates/zones/spf.zones"),
    include_str!("../templates/zones/dmarc.zones"),
    include_str!("../templates/zones/dkim.zones"),
    include_str!("../templates/zones/mx.zones"),
    include_str!("../templates/zones/transport.zones"),
    include_str!("../templates/zones/dnssec.zones"),
    include_str!("../templates/zones/dnsbl.zones"),
];
const TTL_S: u32 = 300;
const SOA_TIMES: &str = "3600 600 86400 5";
const PRIMARY: &str = "ns1.lab.test.";
pub(super) const SECONDARY: &str = "ns2.lab.test.";

/// How a zone is signed, and what its parent says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signing {
    Right,
    /// The parent's DS is of another key: validation must fail.
    WrongDs,
    /// The parent has no DS: the zone is insecure although it is signed.
    NoDs,
    /// Signed in the past, for two weeks that are over.
    Expired,
    /// Signed in the past, for two weeks of which a day is left.
    Ending,
    /// Signed, and then altered.
    Tampered,
    /// Signed by way of SHA-1.
    Sha1,
    None,
}

/// What the second name server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Second {
    /// Has the zone by transfer, as it should.
    Same,
    /// Is named, and does not have it.
    Lame,
    /// Has content of its own.
    Differs,
    /// Is not named, and has no such zone.
    Absent,
    /// Has it, and the first does not.
    Only,
    /// Has no such zone, and the first does not either.
    Neither,
}

#[derive(Clone, Debug)]
pub(super) struct Zone {
    /// With the final dot.
    pub(super) name: String,
    pub(super) signing: Signing,
    pub(super) second: Second,
    ttl_s: u32,
    soa_times: String,
    servers: Vec<String>,
    parent_says: Vec<String>,
    records: String,
}

/// All of them.
pub(super) fn all() -> Result<Vec<Zone>, LabError> {
    let mut zones: Vec<Zone> = Vec::new();
    for line in TEMPLATES.iter().flat_map(|template| template.lines()) {
        match (line.strip_prefix("zone "), zones.last_mut()) {
            (Some(head), _) => zones.push(Zone::begin(head)?),
            (None, Some(zone)) => {
                zone.records.push_str(line);
                zone.records.push('\n');
            }
            (None, None) => {} // what a file says before its first zone
        }
    }
    Ok(zones)
}

impl Zone {
    fn begin(head: &str) -> Result<Self, LabError> {
        let mut words = head.split_whitespace();
        let mut zone = Self {
            name: words.next().unwrap_or_default().to_owned(),
            signing: Signing::Right,
            second: Second::Same,
            ttl_s: TTL_S,
            soa_times: SOA_TIMES.to_owned(),
            servers: vec![PRIMARY.to_owned(), SECONDARY.to_owned()],
            parent_says: Vec::new(),
            records: String::new(),
        };
        let list = |names: &str| names.split(',').map(str::to_owned).collect();
        for word in words {
            match word.split_once('=').unwrap_or((word, "")) {
                ("unsigned", _) => zone.signing = Signing::None,
                ("wrong-ds", _) => zone.signing = Signing::WrongDs,
                ("no-ds", _) => zone.signing = Signing::NoDs,
                ("expired", _) => zone.signing = Signing::Expired,
                ("ending", _) => zone.signing = Signing::Ending,
                ("tampered", _) => zone.signing = Signing::Tampered,
                ("sha1", _) => zone.signing = Signing::Sha1,
                ("lame", _) => zone.second = Second::Lame,
                ("differs", _) => zone.second = Second::Differs,
                ("only-second", _) => zone.second = Second::Only,
                ("nowhere", _) => {
                    (zone.signing, zone.second) = (Signing::None, Second::Neither);
                }
                ("soa", times) => zone.soa_times = times.replace(',', " "),
                ("ttl", seconds) => {
                    zone.ttl_s = seconds.parse().ok().ok_or_else(|| mistake(head))?
                }
                ("ns", names) => zone.servers = list(names),
                ("parent", names) => zone.parent_says = list(names),
                _ => return Err(mistake(head)),
            }
        }
        if zone.second == Second::Same && !zone.servers.iter().any(|name| name == SECONDARY) {
            zone.second = Second::Absent;
        }
        if zone.parent_says.is_empty() {
            zone.parent_says.clone_from(&zone.servers);
        }
        Ok(zone)
    }

    /// Whether Knot signs it as it is served. What differs is not, because both would sign it.
    pub(super) fn is_signed_by_knot(&self) -> bool {
        matches!(self.signing, Signing::Right | Signing::WrongDs | Signing::NoDs)
            && self.second != Second::Differs
            && self.is_at_first()
    }

    /// Whether the first name server has it.
    pub(super) fn is_at_first(&self) -> bool {
        !matches!(self.second, Second::Only | Second::Neither)
    }

    /// The name of its file, for a server.
    pub(super) fn file(&self) -> String {
        if self.name == "." { "root.zone".to_owned() } else { format!("{}zone", self.name) }
    }

    /// The whole text, before placeholders are filled in.
    pub(super) fn text(&self) -> String {
        self.text_with(1, &self.records)
    }

    /// What the second server has where the two differ: a later serial and another address and exchanger.
    pub(super) fn other_text(&self) -> String {
        self.text_with(7, "@ A 198.18.0.11\n@ MX 10 mx2.good.test.\n")
    }

    fn text_with(&self, serial: u32, records: &str) -> String {
        let servers: String =
            self.servers.iter().map(|server| format!("@ NS {server}\n")).collect();
        format!(
            "$ORIGIN {}\n$TTL {}\n\
             @ SOA {PRIMARY} hostmaster.lab.test. {serial} {}\n{servers}{records}",
            self.name, self.ttl_s, self.soa_times
        )
    }

    /// The NS records at the parent.
    pub(super) fn delegation(&self) -> String {
        self.parent_says.iter().map(|server| format!("{} NS {server}\n", self.name)).collect()
    }

    /// The zone that delegates this one: the longest of `zones` that it is below.
    pub(super) fn parent<'a>(&self, zones: &'a [Self]) -> Option<&'a Self> {
        let above = |zone: &&Self| {
            zone.name != self.name
                && (zone.name == "." || self.name.ends_with(&format!(".{}", zone.name)))
        };
        zones.iter().filter(above).max_by_key(|zone| zone.name.len())
    }
}

fn mistake(head: &str) -> LabError {
    LabError::Program { what: "the zone templates", output: format!("zone {head}") }
}

#[cfg(test)]
mod tests {
    use super::all;

    #[test]
    fn each_zone_is_there_once_and_has_a_parent() {
        let zones = all().expect("the templates are right");
        let mut names: Vec<&str> = zones.iter().map(|zone| zone.name.as_str()).collect();
        assert!(names.len() > 90, "{names:?}");
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        for zone in &zones {
            assert!(zone.name.ends_with('.'), "{}", zone.name);
            assert_eq!(zone.parent(&zones).is_none(), zone.name == ".", "{}", zone.name);
        }
    }
}
