//! The chain of trust: the parents' DS records, made from the keys that Knot has given itself, and the
//! zones that are signed beforehand: in the past, or as nobody should.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailsonde_proto::time::Clock;
use ring::digest::{SHA256, digest};

use super::super::{LabError, hex, output_of};
use super::zones::{Signing, Zone};

const DAY: Duration = Duration::from_secs(86_400);
const ECDSA: &[&str] = &["algorithm=ecdsap256sha256"];
/// Short, so that the key is quickly made.
const RSA_SHA1: &[&str] = &["algorithm=rsasha1", "size=1024"];
/// What is another name after the zone was signed.
const ALTERED: (&str, &str) = ("hostmaster.lab.test.", "somebody-else.lab.test.");

/// A DNSKEY record's data: flags, protocol, algorithm and the key in base64 (RFC 4034 section 2.2).
#[derive(Clone, Debug)]
pub(super) struct Key {
    fields: Vec<String>,
}

/// The keys in the text that `kdig` prints, by zone.
pub(super) fn keys_in(answers: &str) -> BTreeMap<String, Key> {
    let lines = answers.lines().filter(|line| !line.starts_with(';'));
    lines
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let at = words.iter().position(|word| *word == "DNSKEY")?;
            let fields = words.get(at + 1..)?.iter().map(|word| (*word).to_owned()).collect();
            Some(((*words.first()?).to_owned(), Key { fields }))
        })
        .collect()
}

impl Key {
    /// As in a zone file.
    pub(super) fn record(&self, zone: &str) -> String {
        format!("{zone} IN DNSKEY {}", self.fields.join(" "))
    }

    /// The DS data with a SHA-256 digest (RFC 4034 section 5.1, RFC 4509), for signed delegations.
    pub(super) fn delegation_signer(&self, zone: &str) -> Option<String> {
        let [flags, protocol, algorithm, key @ ..] = self.fields.as_slice() else { return None };
        let mut data = flags.parse::<u16>().ok()?.to_be_bytes().to_vec();
        data.push(protocol.parse().ok()?);
        data.push(algorithm.parse().ok()?);
        data.extend(STANDARD.decode(key.concat()).ok()?);
        let mut owner_and_data = Vec::new();
        for label in zone.split('.').filter(|label| !label.is_empty()) {
            owner_and_data.push(u8::try_from(label.len()).ok()?);
            owner_and_data.extend(label.as_bytes());
        }
        owner_and_data.push(0);
        owner_and_data.extend(&data);
        let digest = digest(&SHA256, &owner_and_data);
        Some(format!("{} {algorithm} 2 {}", tag(&data), hex(digest.as_ref())))
    }
}

/// The key's tag (RFC 4034 appendix B).
fn tag(data: &[u8]) -> u16 {
    let sum = data.iter().enumerate().fold(0_u32, |sum, (at, byte)| {
        let byte = u32::from(*byte);
        sum.wrapping_add(if at % 2 == 0 { byte << 8 } else { byte })
    });
    let folded = sum.wrapping_add(sum >> 16) & 0xffff;
    u16::try_from(folded).unwrap_or_default()
}

/// What the parent has to say about a zone with this key; nothing where it has no DS.
pub(super) fn delegation_signer(zone: &Zone, key: Option<&Key>) -> Option<String> {
    match zone.signing {
        Signing::None | Signing::NoDs => None,
        Signing::WrongDs => Some(format!("1 13 2 {}", "00".repeat(32))),
        _ => key?.delegation_signer(&zone.name),
    }
}

/// How a zone is signed that Knot does not sign while it serves it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beforehand {
    /// When, for the two weeks that Knot's signatures hold.
    ago: Duration,
    /// `keymgr`'s words for the key.
    key: &'static [&'static str],
    is_altered: bool,
}

/// How, for those that are.
pub(super) fn beforehand(signing: Signing) -> Option<Beforehand> {
    let recent = Beforehand { ago: DAY, key: ECDSA, is_altered: false };
    match signing {
        Signing::Expired => Some(Beforehand { ago: 60 * DAY, ..recent }),
        Signing::Ending => Some(Beforehand { ago: 13 * DAY, ..recent }),
        Signing::Tampered => Some(Beforehand { is_altered: true, ..recent }),
        Signing::Sha1 => Some(Beforehand { key: RSA_SHA1, ..recent }),
        Signing::Right | Signing::WrongDs | Signing::NoDs | Signing::None => None,
    }
}

/// The text of a zone that is signed beforehand. Made once for all labs of this process.
pub(super) fn signed(zone: &Zone, how: &Beforehand) -> Result<String, LabError> {
    static TEXTS: LazyLock<Mutex<BTreeMap<String, String>>> = LazyLock::new(Default::default);
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(text) = texts.get(&zone.name) {
        return Ok(text.clone());
    }
    let mut text = sign(zone, how)?;
    if how.is_altered {
        text = text.replace(ALTERED.0, ALTERED.1);
    }
    texts.insert(zone.name.clone(), text.clone());
    Ok(text)
}

fn sign(zone: &Zone, how: &Beforehand) -> Result<String, LabError> {
    let folder = tempfile::tempdir().map_err(LabError::io("make a folder"))?;
    let at = folder.path().display();
    let configuration = folder.path().join("knot.conf");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).map_err(LabError::io("write a zone"))
    };
    write("in.zone", &zone.text())?;
    write(
        "knot.conf",
        &format!(
            "database:\n    storage: {at}\npolicy:\n  - id: p\n    manual: on\n    \
             single-type-signing: on\n    {}\nzone:\n  - domain: {}\n    \
             storage: {at}\n    file: in.zone\n    dnssec-signing: on\n    dnssec-policy: p\n",
            how.key.first().copied().unwrap_or_default().replace('=', ": "),
            zone.name
        ),
    )?;
    let ago = i64::try_from(how.ago.as_secs()).unwrap_or_default();
    let then = Clock::system().wall().as_us() / 1_000_000 - ago;
    let mut keymgr = Command::new("keymgr");
    keymgr.arg("-c").arg(&configuration).args([&zone.name, "generate"]);
    keymgr.args(how.key).args(["ksk=yes", "zsk=yes"]);
    keymgr.args(["created", "publish", "ready", "active"].map(|when| format!("{when}={then}")));
    output_of(&mut keymgr)?;
    let out = folder.path().join("out");
    std::fs::create_dir(&out).map_err(LabError::io("make a folder"))?;
    let mut kzonesign = Command::new("kzonesign");
    kzonesign.arg("-c").arg(&configuration).arg("-o").arg(&out);
    output_of(kzonesign.args(["-t", &then.to_string(), &zone.name]))?;
    std::fs::read_to_string(out.join("in.zone")).map_err(LabError::io("read a signed zone"))
}

#[cfg(test)]
mod tests {
    use super::keys_in;

    #[test]
    fn a_delegation_signer_is_that_of_knot() {
        let keys = keys_in(
            "expired.test. 300 IN DNSKEY 257 3 13 lQW1RuEiemQbtBvKuKTjOk6+1RLs9vqcgSMUcnAEr/5eqR0yICKe\
             /63h7K7WxS7cOpiiO1aKDOdKccqx77/nrA==\n",
        );
        let signer = keys["expired.test."].delegation_signer("expired.test.");
        assert_eq!(
            signer.as_deref(),
            Some("17986 13 2 7575764c4ae5d6318be5e3918453ddb4b7c79ec101f0d01426f412e0dcf29896")
        );
    }
}
