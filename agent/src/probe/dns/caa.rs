//! Who may give out certificates for the domain and its mail servers (RFC 8659).

use std::collections::BTreeSet;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use hickory_resolver::proto::rr::rdata::CAA;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use mailsonde_proto::Severity;

use super::exchangers::{exchangers, shown};
use super::group::{Context, Looked};
use super::records::{RecordSet, line};
use crate::dns::{Answer, AskError};
use crate::posture::Rule;

/// The most hosts whose records are looked for, the domain among them.
const MOST_HOSTS: usize = 9;
/// Tags that certificate authorities know: RFC 8659 section 4, RFC 9495, and those of the CA/Browser
/// Forum and for mark certificates.
const KNOWN_TAGS: [&str; 7] =
    ["issue", "issuewild", "iodef", "issuemail", "issuevmc", "contactemail", "contactphone"];

/// A property that must be understood, and is not.
const CRITICAL: Rule = Rule {
    name: "dns.caa.critical_unknown",
    severity: Severity::Critical,
    source: "RFC 8659 sections 4.1 and 4.5",
    advice: "clear the critical flag (128), or remove the property: no authority may issue",
};
/// Nobody may issue.
const NOBODY: Rule = Rule {
    name: "dns.caa.nobody",
    severity: Severity::Warning,
    source: "RFC 8659 section 4.2",
    advice: "name the authority of the mail servers' certificates in an issue property, before they are \
             to be renewed",
};
/// A value that no authority can read, which forbids to issue as well.
const MALFORMED: Rule = Rule {
    name: "dns.caa.malformed",
    severity: Severity::Warning,
    source: "RFC 8659 section 4.2",
    advice: "write the property as 0 issue \"authority.example\"",
};

/// All of these, for the book.
pub(super) const RULES: &[&Rule] = &[&CRITICAL, &NOBODY, &MALFORMED];

/// Looks at the records that count for the domain and its own mail exchangers.
pub(super) fn look<'a>(context: &'a Context<'a>) -> BoxFuture<'a, Looked> {
    async move {
        let mut looked = Looked::default();
        let mut hosts = vec![context.domain.to_lowercase()];
        // What cannot be looked up is told by those whose part it is.
        for exchanger in exchangers(context.dns, context.domain).await.unwrap_or_default() {
            let is_own = context.domain.zone_of(&exchanger.host);
            if is_own && hosts.len() < MOST_HOSTS && !hosts.contains(&exchanger.host) {
                hosts.push(exchanger.host);
            }
        }
        let sets = join_all(hosts.iter().map(|host| climb(context, host))).await;
        let mut judged = BTreeSet::new();
        for (number, told) in sets.into_iter().enumerate() {
            match told {
                Ok(found) => {
                    if number == 0 {
                        keep(found.as_ref(), &mut looked);
                    }
                    if let Some((owner, answer)) = found
                        && judged.insert(shown(&owner))
                    {
                        judge(&owner, &answer, &mut looked);
                    }
                }
                Err(error) => looked.unanswered(&error),
            }
        }
        looked
    }
    .boxed()
}

/// The relevant record set (RFC 8659 section 3): that of the name, else of the nearest above it.
async fn climb(context: &Context<'_>, host: &Name) -> Result<Option<(Name, Answer)>, AskError> {
    let mut name = host.clone();
    while !name.is_root() {
        let answer = context.dns.ask(&name, RecordType::CAA).await?;
        if !answer.is_void(RecordType::CAA) {
            return Ok(Some((name, answer)));
        }
        name = name.base_name();
    }
    Ok(None)
}

fn keep(found: Option<&(Name, Answer)>, looked: &mut Looked) {
    match found {
        Some((owner, answer)) => {
            looked.fact("caa.at", shown(owner));
            looked.keep(RecordSet::of("caa", answer, RecordType::CAA));
        }
        None => {
            looked.fact("caa.at", "none");
            looked.keep(RecordSet::of_lines("caa", []));
        }
    }
}

fn judge(owner: &Name, answer: &Answer, looked: &mut Looked) {
    let owner = shown(owner);
    let properties: Vec<(&RData, &CAA)> = answer
        .data(RecordType::CAA)
        .filter_map(|data| match data {
            RData::CAA(caa) => Some((data, caa)),
            _ => None,
        })
        .collect();
    let mut issuers = Vec::new();
    for (data, property) in properties {
        let tag = property.tag.to_lowercase();
        if property.issuer_critical && !KNOWN_TAGS.contains(&tag.as_str()) {
            looked.find(&CRITICAL, format!("{owner} has {}", line(data)));
        }
        if tag == "issue" {
            issuers.push(match property.value_as_issue() {
                Ok((issuer, _)) => issuer.is_some(),
                Err(_) => {
                    looked.find(&MALFORMED, format!("{owner} has {}", line(data)));
                    false
                }
            });
        }
    }
    if !issuers.is_empty() && !issuers.contains(&true) {
        looked.find(&NOBODY, format!("the CAA records of {owner} let no authority issue"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, lines, looked};

    #[tokio::test]
    async fn the_nearest_set_above_counts() {
        const ZONE: &str = "
            good.test. CAA 0 issue \"ca.test\"
            mail.good.test. MX 10 mx.mail.good.test.
            mx.mail.good.test. A 9.9.9.9
            none.test. MX 10 mx.mail.good.test.
            nobody.test. CAA 0 issue \";\"
            nobody.test. CAA 0 issuewild \"ca.test\"
            critical.test. CAA 128 tbs \"unknown\"
            malformed.test. CAA 0 issue \"ca.test\"
            malformed.test. CAA 0 issue \"that authority, please\"
            own.test. CAA 0 issue \"ca.test\"
            own.test. MX 10 mx.own.test.
            mx.own.test. A 9.9.9.9
            mx.own.test. CAA 0 issue \";\"
        ";
        for (domain, at, expected) in [
            ("good.test", "good.test", vec![]),
            ("mail.good.test", "good.test", vec![]),
            ("none.test", "none", vec![]),
            (
                "nobody.test",
                "nobody.test",
                vec![
                    "warning dns.caa.nobody: the CAA records of nobody.test let no authority issue",
                ],
            ),
            (
                "critical.test",
                "critical.test",
                vec!["critical dns.caa.critical_unknown: critical.test has 128 tbs \"unknown\""],
            ),
            (
                "malformed.test",
                "malformed.test",
                vec![
                    "warning dns.caa.malformed: malformed.test has 0 issue \"that authority, please\"",
                ],
            ),
            (
                "own.test",
                "own.test",
                vec![
                    "warning dns.caa.nobody: the CAA records of mx.own.test let no authority issue",
                ],
            ),
        ] {
            let looked = looked(ZONE, &check(domain), super::look).await;
            assert_eq!(looked.facts[0].value, at, "{domain}");
            assert_eq!(lines(&looked), expected, "{domain}");
        }
    }
}
