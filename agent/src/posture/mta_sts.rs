//! SMTP MTA Strict Transport Security (RFC 8461): the record that says that there is a policy, the policy
//! over HTTPS, and whether it fits the mail exchangers that the domain really has.

mod findings;
mod policy;

use std::net::{IpAddr, SocketAddr};

use hickory_resolver::proto::rr::{Name, RecordType};
use mailsonde_proto::FaultClass;

use super::tags::{Tags, of_version};
use super::{Told, bounded, name_of, shown};
use crate::dns::Ask;
use crate::http::{Fetch, Request, url};
use crate::mail::failure::Failure;
use crate::mail::wire::Record;
use crate::stopwatch::Stopwatch;
use findings as rules;

pub(crate) use findings::RULES;

pub use policy::{Mode, Policy};

/// How long a fetch may take (RFC 8461 section 3.3).
pub const FETCH_WITHIN_S: u64 = 60;
/// Bytes of a policy that are read (RFC 8461 section 3.3).
pub const MOST_POLICY: usize = 64 * 1024;
/// Mail exchangers that the policy is held against.
pub const MOST_EXCHANGERS: usize = 32;
/// Addresses of the policy's host that are tried.
const MOST_ADDRESSES: usize = 4;
/// `sts-id = 1*32(ALPHA / DIGIT)` (RFC 8461 section 3.1).
const MOST_ID: usize = 32;

/// The `id` of a record (RFC 8461 section 3.1).
///
/// # Errors
/// What is wrong with it, for people.
pub fn id_of(text: &str) -> Result<String, String> {
    let tags = Tags::parse(text).map_err(|error| error.to_string())?;
    if tags.first() != Some(("v", "STSv1")) {
        return Err("it does not begin with v=STSv1".to_owned());
    }
    let id = tags.get("id").ok_or("it has no id=")?;
    let sound =
        !id.is_empty() && id.len() <= MOST_ID && id.chars().all(|c| c.is_ascii_alphanumeric());
    if sound {
        return Ok(id.to_owned());
    }
    let shown = bounded(id.to_owned(), 100);
    Err(format!("id={shown} must be 1 to {MOST_ID} letters and digits"))
}

/// Looks at a domain's policy: facts `mta_sts.id`, `mta_sts.mode`, `mta_sts.max_age_s` and `mta_sts.mx`;
/// the records `mta_sts.id` and `mta_sts.policy`. `exchangers` are the hosts of its MX records; `port` is
/// where HTTPS is spoken.
pub async fn examine(
    ask: &dyn Ask,
    domain: &Name,
    exchangers: &[String],
    (fetch, port): (&Fetch<'_>, u16),
    record: &Record,
) -> Told {
    let mut told = Told::new();
    let domain = shown(domain);
    let Some(id) = announced(ask, &domain, &mut told).await else { return told };
    told.keep("mta_sts.id", vec![id.clone()]);
    told.fact("mta_sts.id", id);
    let Some(text) = fetched(ask, &domain, (fetch, port), record, &mut told).await else {
        return told;
    };
    told.keep("mta_sts.policy", text.lines().map(str::to_owned).collect());
    match Policy::parse(&text) {
        Ok(policy) => rules::judge(&policy, exchangers, &mut told),
        Err(why) => told.finding(&rules::POLICY_SYNTAX, format!("{}: {why}", place(&domain))),
    }
    told
}

/// Section 3.1: exactly one record, with an id.
async fn announced(ask: &dyn Ask, domain: &str, told: &mut Told) -> Option<String> {
    let at = format!("_mta-sts.{domain}");
    let mut records = match ask.ask(&name_of(&at)?, RecordType::TXT).await {
        Ok(answer) => of_version(answer.texts(), "STSv1"),
        Err(error) => {
            told.unanswered(error);
            return None;
        }
    };
    match (records.pop(), records.len()) {
        (None, _) => {
            told.finding(&rules::NO_RECORD, format!("{at} has no record v=STSv1"));
            None
        }
        (Some(record), 0) => match id_of(&record) {
            Ok(id) => Some(id),
            Err(why) => {
                told.finding(&rules::SYNTAX, format!("{at}: {why}"));
                None
            }
        },
        (_, others) => {
            told.finding(&rules::SEVERAL_RECORDS, format!("{at} has {} records", others + 1));
            None
        }
    }
}

fn place(domain: &str) -> String {
    format!("https://mta-sts.{domain}/.well-known/mta-sts.txt")
}

/// Section 3.3: over HTTPS with a valid certificate, 200 and nothing else, plain text, in a minute.
async fn fetched(
    ask: &dyn Ask,
    domain: &str,
    (fetch, port): (&Fetch<'_>, u16),
    record: &Record,
    told: &mut Told,
) -> Option<String> {
    let host = format!("mta-sts.{domain}");
    let addresses = addresses(ask, &host, told).await?;
    let at = place(domain);
    let url = url(&at).ok()?;
    let mut failed = None;
    for address in addresses.into_iter().take(MOST_ADDRESSES) {
        let connect_to = Some(SocketAddr::new(address, port));
        let fetch = Fetch { connect_to, redirects: 0, most_body: MOST_POLICY, ..*fetch };
        let mut watch = Stopwatch::start(fetch.patience.clock);
        let answer = fetch.send(Request::get(url.clone()), record, &mut watch).await;
        match answer {
            Ok(answer) => {
                let media_type = answer.media_type().unwrap_or_default();
                if answer.status != 200 {
                    let rule = if (300..400).contains(&answer.status) {
                        &rules::REDIRECT
                    } else {
                        &rules::NOT_200
                    };
                    told.finding(rule, format!("{at} answers {}", answer.status));
                } else if media_type != "text/plain" {
                    let shown = bounded(media_type, 100);
                    told.finding(&rules::NOT_PLAIN, format!("{at} is of the type \"{shown}\""));
                } else if !answer.is_whole {
                    let evidence = format!("{at} has more than {MOST_POLICY} bytes");
                    told.finding(&rules::TOO_LARGE, evidence);
                } else {
                    return Some(answer.text());
                }
                return None;
            }
            Err(failure) if failure.fault.phase == fetch.names.opening.connect => {
                failed = Some(failure);
            }
            Err(failure) => {
                failed = Some(failure);
                break;
            }
        }
    }
    if let Some(failure) = failed {
        unreachable(&at, fetch.names.opening.tls, &failure, told);
    }
    None
}

fn unreachable(at: &str, tls: &str, failure: &Failure, told: &mut Told) {
    let is_certificate = failure.fault.phase == tls && failure.fault.class == FaultClass::Mismatch;
    let rule = if is_certificate { &rules::CERTIFICATE } else { &rules::UNREACHABLE };
    told.finding(rule, format!("{at}: {}", failure.fault));
}

async fn addresses(ask: &dyn Ask, host: &str, told: &mut Told) -> Option<Vec<IpAddr>> {
    let name = name_of(host)?;
    let mut addresses = Vec::new();
    for kind in [RecordType::A, RecordType::AAAA] {
        match ask.ask(&name, kind).await {
            Ok(answer) => addresses.extend(answer.data(kind).filter_map(|data| data.ip_addr())),
            Err(error) => told.unanswered(error),
        }
    }
    if addresses.is_empty() && told.unanswered.is_empty() {
        told.finding(&rules::NO_HOST, format!("{host} has no address"));
    }
    if addresses.is_empty() { None } else { Some(addresses) }
}

#[cfg(test)]
mod tests;
