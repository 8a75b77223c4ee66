//! TLS reporting (RFC 8460): where others send their reports about TLS to this domain's mail exchangers.

use hickory_resolver::proto::rr::{Name, RecordType};

use super::tags::{Tags, of_version};
use super::{Rule, Told, bounded, name_of, shown};
use crate::dns::Ask;

/// Addresses that are read.
const MOST_ADDRESSES: usize = 10;

/// RFC 8460 section 3: without a record nobody reports that TLS to the domain fails.
const NO_RECORD: Rule = Rule::notice(
    "tlsrpt.none",
    "RFC 8460 section 3",
    "publish a TXT record \"v=TLSRPTv1; rua=mailto:…\" at _smtp._tls to hear of senders whose TLS fails",
);
/// RFC 8460 section 3: several records count as none.
const SEVERAL_RECORDS: Rule = Rule::warning(
    "tlsrpt.several_records",
    "RFC 8460 section 3",
    "leave one record: several count as none",
);
/// RFC 8460 section 3: a record with a mistake counts as none.
const SYNTAX: Rule = Rule::warning(
    "tlsrpt.syntax",
    "RFC 8460 section 3",
    "write it as \"v=TLSRPTv1; rua=mailto:address,https://…\"",
);

/// All of these, for the book.
pub(crate) const RULES: &[&Rule] = &[&NO_RECORD, &SEVERAL_RECORDS, &SYNTAX];

/// The addresses of a record (RFC 8460 section 3): `mailto:` and `https:`.
///
/// # Errors
/// What is wrong with it, for people.
pub fn addresses(text: &str) -> Result<Vec<String>, String> {
    let tags = Tags::parse(text).map_err(|error| error.to_string())?;
    if tags.first() != Some(("v", "TLSRPTv1")) {
        return Err("it does not begin with v=TLSRPTv1".to_owned());
    }
    let rua = tags.get("rua").filter(|rua| !rua.is_empty()).ok_or("it has no rua=")?;
    let mut addresses = Vec::new();
    for address in rua.split(',').map(str::trim).take(MOST_ADDRESSES) {
        let sound = match (address.strip_prefix("mailto:"), address.strip_prefix("https://")) {
            (Some(mailbox), _) => is_mailbox(mailbox),
            (_, Some(rest)) => !rest.is_empty() && !rest.starts_with('/'),
            _ => false,
        };
        if !sound {
            let shown = bounded(address.to_owned(), 200);
            return Err(format!("\"{shown}\" is neither mailto:address nor https://host/…"));
        }
        addresses.push(bounded(address.to_owned(), 1_000));
    }
    Ok(addresses)
}

/// Enough to tell an address from a slip.
pub(super) fn is_mailbox(text: &str) -> bool {
    let sound = |c: char| c.is_ascii_graphic() && c != ',';
    let parts = text.rsplit_once('@');
    parts.is_some_and(|(local, domain)| {
        !local.is_empty()
            && local.chars().all(sound)
            && domain.contains('.')
            && name_of(domain).is_some()
    })
}

/// Looks at a domain's record: facts `tlsrpt.record` and `tlsrpt.addresses`.
pub async fn examine(ask: &dyn Ask, domain: &Name) -> Told {
    let mut told = Told::new();
    let at = format!("_smtp._tls.{}", shown(domain));
    let Some(name) = name_of(&at) else { return told };
    let mut records = match ask.ask(&name, RecordType::TXT).await {
        Ok(answer) => of_version(answer.texts(), "TLSRPTv1"),
        Err(error) => {
            told.unanswered(error);
            return told;
        }
    };
    told.keep("tlsrpt", records.clone());
    match (records.pop(), records.len()) {
        (None, _) => told.finding(&NO_RECORD, format!("{at} has no record v=TLSRPTv1")),
        (Some(record), 0) => {
            match addresses(&record) {
                Ok(addresses) => told.fact("tlsrpt.addresses", addresses.join(", ")),
                Err(why) => told.finding(&SYNTAX, format!("{at}: {why}")),
            }
            told.fact("tlsrpt.record", record);
        }
        (_, others) => {
            told.finding(&SEVERAL_RECORDS, format!("{at} has {} records", others + 1));
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::zone::Zone;

    #[tokio::test]
    async fn records() {
        for (records, rules, addresses) in [
            (vec!["v=TLSRPTv1; rua=mailto:t@a.test"], "", "mailto:t@a.test"),
            (
                vec!["v=TLSRPTv1;rua=mailto:t@a.test, https://a.test/x;"],
                "",
                "mailto:t@a.test, https://a.test/x",
            ),
            (vec!["v=TLSRPTv1; rua=mailto:t@a.test", "other"], "", "mailto:t@a.test"),
            (vec![], "tlsrpt.none", ""),
            (vec!["v=TLSRPTv12; rua=mailto:t@a.test"], "tlsrpt.none", ""),
            (
                vec!["v=TLSRPTv1; rua=mailto:t@a.test", "v=TLSRPTv1; rua=mailto:u@a.test"],
                "tlsrpt.several_records",
                "",
            ),
            (vec!["v=TLSRPTv1"], "tlsrpt.syntax", ""),
            (vec!["v=TLSRPTv1; rua="], "tlsrpt.syntax", ""),
            (vec!["v=TLSRPTv1; rua=t@a.test"], "tlsrpt.syntax", ""),
            (vec!["v=TLSRPTv1; rua=mailto:t"], "tlsrpt.syntax", ""),
            (vec!["v=TLSRPTv1; rua=http://a.test/x"], "tlsrpt.syntax", ""),
            (vec!["v=TLSRPTv1; rua mailto:t@a.test"], "tlsrpt.syntax", ""),
        ] {
            let zone: String =
                records.iter().map(|r| format!("_smtp._tls.a.test. TXT \"{r}\"\n")).collect();
            let told = examine(&Zone::new(&zone), &name_of("a.test").unwrap()).await;
            assert_eq!(told.rules().join(" "), rules, "{records:?}: {:?}", told.findings);
            assert_eq!(
                told.value("tlsrpt.addresses").unwrap_or_default(),
                addresses,
                "{records:?}"
            );
        }
        let zone = Zone::new("_smtp._tls.a.test. TXT SERVFAIL");
        let told = examine(&zone, &name_of("a.test").unwrap()).await;
        assert_eq!(told.rules(), ["unanswered"]);
    }
}
