//! The collector's checks, on disk.

use prost::Message;

use crate::control::{AppliedCheck, Pair};

#[derive(Clone, PartialEq, Message)]
pub(super) struct AppliedOnDisk {
    #[prost(message, repeated, tag = "1")]
    checks: Vec<AppliedCheckOnDisk>,
}

#[derive(Clone, PartialEq, Message)]
struct AppliedCheckOnDisk {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    on: String,
    #[prost(string, tag = "3")]
    settings: String,
    #[prost(string, tag = "4")]
    file: String,
    #[prost(uint32, tag = "5")]
    line: u32,
    #[prost(message, optional, tag = "6")]
    pair: Option<PairOnDisk>,
}

#[derive(Clone, PartialEq, Message)]
struct PairOnDisk {
    #[prost(string, tag = "1")]
    to: String,
    #[prost(string, tag = "2")]
    mailbox: String,
}

impl From<&[AppliedCheck]> for AppliedOnDisk {
    fn from(checks: &[AppliedCheck]) -> Self {
        let check = |check: &AppliedCheck| AppliedCheckOnDisk {
            name: check.name.clone(),
            on: check.on.clone(),
            settings: check.settings.clone(),
            file: check.file.clone(),
            line: check.line,
            pair: check.pair.clone().map(|Pair { to, mailbox }| PairOnDisk { to, mailbox }),
        };
        Self { checks: checks.iter().map(check).collect() }
    }
}

impl From<AppliedOnDisk> for Vec<AppliedCheck> {
    fn from(read: AppliedOnDisk) -> Self {
        let check = |read: AppliedCheckOnDisk| AppliedCheck {
            name: read.name,
            on: read.on,
            settings: read.settings,
            file: read.file,
            line: read.line,
            pair: read.pair.map(|PairOnDisk { to, mailbox }| Pair { to, mailbox }),
        };
        read.checks.into_iter().map(check).collect()
    }
}
