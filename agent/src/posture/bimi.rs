//! Brand Indicators for Message Identification (draft-brand-indicators-for-message-identification): the
//! record. Absent on purpose: fetching and judging the image and its certificate.

use hickory_resolver::proto::rr::{Name, RecordType};

use super::dmarc::{Enforcement, Policy};
use super::tags::{Tags, of_version};
use super::{Rule, Told, bounded, name_of, shown};
use crate::dns::Ask;

/// Where it stands: section 4.2 of the draft.
const SOURCE: &str = "draft-brand-indicators-for-message-identification section 4.2";

/// Section 4.2: one record; several count as none.
const SEVERAL_RECORDS: Rule =
    Rule::warning("bimi.several_records", SOURCE, "leave one record: several count as none");
/// Section 4.2: `l` is an address of an SVG over https, or empty to decline.
const SYNTAX: Rule = Rule::warning(
    "bimi.syntax",
    SOURCE,
    "write it as \"v=BIMI1; l=https://…/logo.svg; a=https://…/certificate.pem\"",
);
/// Section 3.1 and what mailbox providers require: the policy of DMARC must bite.
const NO_ENFORCEMENT: Rule = Rule::warning(
    "bimi.dmarc_not_enforced",
    "draft-brand-indicators-for-message-identification section 5",
    "set DMARC's p (and sp, where it stands there) to quarantine or reject: until then no logo is shown",
);

/// All of these, for the book.
pub(crate) const RULES: &[&Rule] = &[&SEVERAL_RECORDS, &SYNTAX, &NO_ENFORCEMENT];

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// `l`: where the image is; empty when the domain declines to take part.
    pub logo: String,
    /// `a`: where the certificate is; empty when there is none.
    pub certificate: String,
}

impl Record {
    /// Reads a record.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let tags = Tags::parse(text).map_err(|error| error.to_string())?;
        if tags.first() != Some(("v", "BIMI1")) {
            return Err("it does not begin with v=BIMI1".to_owned());
        }
        let address = |name: &str, ends: &[&str]| {
            let text = tags.get(name).unwrap_or_default();
            let rest = text.strip_prefix("https://");
            let path = rest.and_then(|rest| rest.split(['?', '#']).next()).unwrap_or_default();
            let lower = path.to_ascii_lowercase();
            let has_host = path.split('/').next().is_some_and(|host| name_of(host).is_some());
            let sound =
                has_host && (ends.is_empty() || ends.iter().any(|end| lower.ends_with(end)));
            if text.is_empty() || sound {
                return Ok(bounded(text.to_owned(), 2_000));
            }
            let (what, shown) = (ending(ends), bounded(text.to_owned(), 200));
            Err(format!("{name}= must be an https address{what}, not \"{shown}\""))
        };
        if tags.get("l").is_none() {
            return Err("it has no l=".to_owned());
        }
        Ok(Self { logo: address("l", &[".svg", ".svgz"])?, certificate: address("a", &[])? })
    }
}

fn ending(ends: &[&str]) -> &'static str {
    if ends.is_empty() { "" } else { " of an SVG image" }
}

/// Looks at the record of the selector `default`: facts `bimi.logo` and `bimi.certificate`. A domain
/// without a record is one that does not want it. `enforcement` is what its DMARC comes to.
pub async fn examine(ask: &dyn Ask, domain: &Name, enforcement: &Enforcement) -> Told {
    let mut told = Told::new();
    let at = format!("default._bimi.{}", shown(domain));
    let Some(name) = name_of(&at) else { return told };
    let mut records = match ask.ask(&name, RecordType::TXT).await {
        Ok(answer) => of_version(answer.texts(), "BIMI1"),
        Err(error) => {
            told.unanswered(error);
            return told;
        }
    };
    told.keep("bimi", records.clone());
    let record = match (records.pop(), records.len()) {
        (None, _) => return told,
        (Some(text), 0) => Record::parse(&text),
        (_, others) => {
            told.finding(&SEVERAL_RECORDS, format!("{at} has {} records", others + 1));
            return told;
        }
    };
    match record {
        Ok(record) if record.logo.is_empty() => told.fact("bimi.logo", "declined"),
        Ok(record) => {
            told.fact("bimi.logo", record.logo);
            if !record.certificate.is_empty() {
                told.fact("bimi.certificate", record.certificate);
            }
            let bites = |policy: Policy| policy != Policy::None;
            if !bites(enforcement.domain) || !bites(enforcement.subdomains) {
                let evidence = format!(
                    "{at} names a logo, and DMARC's policy is {} (subdomains: {})",
                    enforcement.domain.as_str(),
                    enforcement.subdomains.as_str()
                );
                told.finding(&NO_ENFORCEMENT, evidence);
            }
        }
        Err(why) => told.finding(&SYNTAX, format!("{at}: {why}")),
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::zone::Zone;

    const REJECT: Enforcement =
        Enforcement { domain: Policy::Reject, subdomains: Policy::Quarantine };

    #[tokio::test]
    async fn records() {
        for (records, rules, logo) in [
            (vec![], "", ""),
            (vec!["v=BIMI1; l=https://a.test/l.svg; a="], "", "https://a.test/l.svg"),
            (
                vec!["v=BIMI1; l=https://a.test/L.SVG; a=https://a.test/c.pem"],
                "",
                "https://a.test/L.SVG",
            ),
            (vec!["v=BIMI1; l=; a=;"], "", "declined"),
            (vec!["v=BIMI1"], "bimi.syntax", ""),
            (vec!["v=BIMI1; l=http://a.test/l.svg"], "bimi.syntax", ""),
            (vec!["v=BIMI1; l=https://a.test/l.png"], "bimi.syntax", ""),
            (vec!["v=BIMI1; l=https:///l.svg"], "bimi.syntax", ""),
            (vec!["v=BIMI1; l=https://a.test/l.svg; a=c.pem"], "bimi.syntax", ""),
            (vec!["v=BIMI1; l=", "v=BIMI1; l=;"], "bimi.several_records", ""),
        ] {
            let zone: String =
                records.iter().map(|r| format!("default._bimi.a.test. TXT \"{r}\"\n")).collect();
            let told = examine(&Zone::new(&zone), &name_of("a.test").unwrap(), &REJECT).await;
            assert_eq!(told.rules().join(" "), rules, "{records:?}: {:?}", told.findings);
            assert_eq!(told.value("bimi.logo").unwrap_or_default(), logo, "{records:?}");
        }
    }

    #[tokio::test]
    async fn a_logo_needs_a_policy_that_bites() {
        let zone = Zone::new("default._bimi.a.test. TXT \"v=BIMI1; l=https://a.test/l.svg\"");
        for (domain, subdomains, rules) in [
            (Policy::Reject, Policy::Reject, ""),
            (Policy::Quarantine, Policy::Quarantine, ""),
            (Policy::None, Policy::None, "bimi.dmarc_not_enforced"),
            (Policy::Reject, Policy::None, "bimi.dmarc_not_enforced"),
        ] {
            let enforcement = Enforcement { domain, subdomains };
            let told = examine(&zone, &name_of("a.test").unwrap(), &enforcement).await;
            assert_eq!(told.rules().join(" "), rules);
        }
    }
}
