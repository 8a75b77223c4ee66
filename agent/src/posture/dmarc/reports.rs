//! Reports that go to another organisation: whether it says that it takes them (RFC 9990, section
//! "Verifying External Destinations").

use std::collections::BTreeSet;

use hickory_resolver::proto::rr::RecordType;

use super::record::Record;
use super::walk::Walk;
use crate::dns::{Ask, AskError};
use crate::posture::{bounded, name_of, shown};

/// Hosts that are asked.
const MOST_HOSTS: usize = 8;

/// The hosts that reports would go to and that do not say that they take them.
///
/// # Errors
/// When a question is not answered.
pub(super) async fn unauthorized(
    ask: &dyn Ask,
    (at, record): (&str, &Record),
    organization: &str,
) -> Result<Vec<String>, AskError> {
    let hosts: BTreeSet<String> = record
        .rua
        .iter()
        .chain(&record.ruf)
        .filter_map(|address| address.rsplit_once('@'))
        .filter_map(|(_, host)| name_of(host).map(|name| shown(&name)))
        .collect();
    let mut missing = Vec::new();
    for host in hosts.into_iter().take(MOST_HOSTS) {
        if host == organization || host == at {
            continue;
        }
        let Some(name) = name_of(&host) else { continue };
        if Walk::from(ask, &name).await?.organizational_domain() == organization {
            continue;
        }
        let authorization = format!("{at}._report._dmarc.{host}");
        let texts = match name_of(&authorization) {
            Some(name) => ask.ask(&name, RecordType::TXT).await?.texts(),
            None => Vec::new(),
        };
        if !texts.iter().any(|text| Record::parse(text).is_some()) {
            missing.push(bounded(authorization, 500));
        }
    }
    Ok(missing)
}
