//! Answers from a text that reads like a zone file; for tests.
//!
//! ```text
//! good.test.          MX    10 mail.good.test.
//! good.test.          TXT   "v=spf1 mx -all"
//! broken.test.        TXT   SERVFAIL
//! bogus.test.         MX    BOGUS
//! slow.test.          A     TIMEOUT
//! dead.test.          A     NOBODY
//! ```
//! CNAMEs are followed. A name that stands nowhere (nor above another) does not exist. Lines after
//! `; secure` are answered as secure, after `; insecure` no longer.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hickory_resolver::proto::dnssec::rdata::DNSSECRData;
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::proto::serialize::txt::{Parser, trust_anchor};

use super::{Answer, Ask, AskError, Security};

/// The most CNAMEs that are followed.
const MOST_ALIASES: usize = 8;

/// What is said where no resolver answers: the system's, or those that a check names.
pub(crate) fn silent(question: &str, are_ours: bool) -> AskError {
    AskError::Silent {
        name: question.to_owned(),
        servers: "192.0.2.53:53".to_owned(),
        why: "nothing came in time".to_owned(),
        is_refused: false,
        are_ours,
    }
}

/// A text that answers.
pub(crate) struct Zone {
    records: Vec<(Record, Security)>,
    troubles: BTreeMap<(Name, RecordType), String>,
}

impl Zone {
    /// Of a text; panics when it is not one.
    pub(crate) fn new(text: &str) -> Self {
        let (mut records, mut troubles) = (Vec::new(), BTreeMap::new());
        let mut security = Security::Insecure;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match line {
                "; secure" => security = Security::Secure,
                "; insecure" => security = Security::Insecure,
                _ if line.starts_with(';') => {}
                _ => {
                    let mut words = line.split_whitespace();
                    let name = Name::from_ascii(words.next().unwrap()).unwrap().to_lowercase();
                    let kind = words.next().expect("a type");
                    let rest = line.split_once(kind).unwrap().1.trim();
                    let kind = RecordType::from_str(kind).expect("a known type");
                    if matches!(rest, "SERVFAIL" | "REFUSED" | "BOGUS" | "TIMEOUT" | "NOBODY") {
                        troubles.insert((name, kind), rest.to_owned());
                        continue;
                    }
                    if kind == RecordType::DNSKEY {
                        records.push((key(&name, rest), security));
                        continue;
                    }
                    let text = format!("$TTL 300\n{name} IN {kind} {rest}\n");
                    let (_, sets) = Parser::new(text, None, Some(Name::root()))
                        .parse()
                        .unwrap_or_else(|error| panic!("{line}: {error}"));
                    for set in sets.into_values() {
                        let data = set.records_without_rrsigs();
                        records.extend(data.map(|record| (record.clone(), security)));
                    }
                }
            }
        }
        Self { records, troubles }
    }

    /// The answer section to a question, without waiting; panics where the text makes trouble.
    pub(crate) fn ask_now(&self, name: &Name, kind: RecordType) -> Vec<Record> {
        self.answer(name, kind).unwrap().answers
    }

    fn answer(&self, name: &Name, kind: RecordType) -> Result<Answer, AskError> {
        let shown = format!("{name} {kind}");
        let mut name = name.to_lowercase();
        let mut answers = Vec::new();
        let mut security = None;
        for _ in 0..MOST_ALIASES {
            match self.troubles.get(&(name.clone(), kind)).map(String::as_str) {
                Some("BOGUS") => return Err(AskError::Bogus { name: shown, why: None }),
                Some("NOBODY") => return Err(silent(&shown, true)),
                Some("TIMEOUT") => return Err(AskError::Timeout { name: shown }),
                Some(code) => {
                    let code = code.to_owned();
                    return Err(AskError::Failed { name: shown, code, extended: None });
                }
                None => {}
            }
            let here = self.records.iter().filter(|(r, _)| r.name.to_lowercase() == name);
            let mut alias = None;
            for (record, is_secure) in here {
                let found = record.record_type();
                if found == kind || found == RecordType::CNAME {
                    answers.push(record.clone());
                    security = match (security, is_secure) {
                        (None | Some(Security::Secure), Security::Secure) => Some(Security::Secure),
                        _ => Some(Security::Insecure),
                    };
                }
                if let (RData::CNAME(target), true) = (&record.data, kind != RecordType::CNAME) {
                    alias = Some(target.0.to_lowercase());
                }
            }
            match alias {
                Some(target) => name = target,
                None => break,
            }
        }
        let exists = self.records.iter().any(|(r, _)| name.zone_of(&r.name.to_lowercase()))
            || self.troubles.keys().any(|(other, _)| name.zone_of(other));
        let code = if exists { ResponseCode::NoError } else { ResponseCode::NXDomain };
        let security = security.unwrap_or(Security::Insecure);
        Ok(Answer {
            code,
            answers,
            authorities: Vec::new(),
            security,
            extended: Vec::new(),
            took: Duration::ZERO,
        })
    }
}

/// A DNSKEY record, which the parser of zones leaves to whoever signs them.
fn key(name: &Name, rest: &str) -> Record {
    let text = format!("{name} 300 IN DNSKEY {rest}\n");
    let entries = trust_anchor::Parser::new(text).parse().unwrap_or_default();
    let Some(trust_anchor::Entry::DNSKEY(key)) = entries.into_iter().next() else {
        panic!("{name} DNSKEY {rest}");
    };
    let data = RData::DNSSEC(DNSSECRData::DNSKEY(key.data().clone()));
    Record::from_rdata(name.clone(), 300, data)
}

impl Ask for Zone {
    fn ask<'a>(
        &'a self,
        name: &'a Name,
        kind: RecordType,
    ) -> BoxFuture<'a, Result<Answer, AskError>> {
        async move { self.answer(name, kind) }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_answers_like_a_server() {
        let zone = Zone::new(
            r#"
            good.test.       MX    10 mail.good.test.
            mail.good.test.  A     192.0.2.1
            www.good.test.   CNAME mail.good.test.
            good.test.       TXT   "v=spf1 " "-all"
            broken.test.     TXT   SERVFAIL
            ; secure
            safe.test.       A     192.0.2.2
            "#,
        );
        let ask = async |name: &str, kind| zone.ask(&Name::from_ascii(name).unwrap(), kind).await;
        let answer = ask("WWW.good.test.", RecordType::A).await.unwrap();
        assert_eq!(answer.data(RecordType::A).count(), 1);
        assert_eq!(ask("good.test.", RecordType::TXT).await.unwrap().texts(), ["v=spf1 -all"]);
        assert!(ask("good.test.", RecordType::AAAA).await.unwrap().is_void(RecordType::AAAA));
        assert!(ask("nothere.test.", RecordType::A).await.unwrap().is_nx_domain());
        assert!(!ask("test.", RecordType::A).await.unwrap().is_nx_domain());
        assert!(matches!(ask("broken.test.", RecordType::TXT).await, Err(AskError::Failed { .. })));
        assert_eq!(ask("safe.test.", RecordType::A).await.unwrap().security, Security::Secure);
    }
}
