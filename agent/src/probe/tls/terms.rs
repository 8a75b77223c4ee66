//! What a check asks of a certificate; the same keys in every kind that looks at one.

use std::time::Duration;

use crate::config::section::Section;
use crate::probe::Setting;

const DAY: Duration = Duration::from_secs(86_400);
const WARN_BEFORE: Duration = DAY.saturating_mul(21);
const CRITICAL_BEFORE: Duration = DAY.saturating_mul(7);
const LONGEST: Duration = DAY.saturating_mul(3_650);

/// Which certificates a run passes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accept {
    /// Those that a client would accept.
    Trusted,
    /// Also those whose issuer is not trusted, when the name is right, the date is, and the server has the
    /// key.
    SelfSigned,
    /// All.
    Any,
}

/// What a check asks of a certificate.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) accept: Accept,
    /// A certificate that expires within this time is a warning.
    pub(crate) warn_before: Duration,
    /// Within this, it is critical.
    pub(crate) critical_before: Duration,
    /// SHA-256 of the certificate or its public key, in hexadecimal digits: the server's must be one of
    /// these. Empty when any will do.
    pub(crate) pins: Vec<String>,
}

impl Terms {
    /// Reads `accept`, `warn_before`, `critical_before` and `pin`.
    pub(crate) fn read(section: &mut Section<'_>) -> Self {
        let words = [
            ("trusted", Accept::Trusted),
            ("self-signed", Accept::SelfSigned),
            ("any", Accept::Any),
        ];
        let accept = section.choice("accept", &words, Accept::Trusted);
        let bounds = || Duration::ZERO..=LONGEST;
        let warn_before = section.duration_within("warn_before", WARN_BEFORE, bounds());
        let default = CRITICAL_BEFORE.min(warn_before);
        let critical_before = section.duration_within("critical_before", default, bounds());
        if critical_before > warn_before {
            let words = "critical_before must not be longer than warn_before";
            section.mistake("critical_before", words.to_owned());
        }
        let mut pins = section.texts("pin");
        for pin in &mut pins {
            *pin = pin.replace(':', "").to_ascii_lowercase();
            if hex::decode(&*pin).map(|bytes| bytes.len()) != Ok(32) {
                let words = "pin must be a SHA-256 of 64 hexadecimal digits";
                section.mistake("pin", words.to_owned());
            }
        }
        Self { accept, warn_before, critical_before, pins }
    }
}

pub(crate) const ACCEPT: Setting = Setting {
    name: "accept",
    form: "\"trusted\" | \"self-signed\" | \"any\"",
    default: Some("trusted"),
    help: "which certificates the run passes with; what is wrong is a finding all the same",
};
pub(crate) const WARN: Setting = Setting {
    name: "warn_before",
    form: "duration",
    default: Some("21d"),
    help: "a certificate of the chain that expires within this time is a warning",
};
pub(crate) const CRITICAL: Setting = Setting {
    name: "critical_before",
    form: "duration",
    default: Some("7d"),
    help: "a certificate of the chain that expires within this time is critical",
};
pub(crate) const PIN: Setting = Setting {
    name: "pin",
    form: "list of SHA-256 in hex",
    default: Some("none"),
    help: "the server's certificate or its public key must have one of these",
};
