//! What can be wrong with a domain's DMARC policy, and the rule group that says so.

use hickory_resolver::proto::rr::{Name, RecordType};

use super::record::{Policy, Psd, Record};
use super::reports::unauthorized;
use super::walk::Walk;
use crate::dns::Ask;
use crate::posture::{Rule, Told, bounded, shown};

/// RFC 9989 section 4.10: no record on the whole way up.
const NO_RECORD: Rule = Rule::warning(
    "dmarc.none",
    "RFC 9989 section 4.10",
    "publish a TXT record at _dmarc: begin with \"v=DMARC1; p=none; rua=mailto:…\", read the reports, then tighten it; large mailbox providers require one",
);
/// RFC 9989 section 4.10: of several records at a name none counts.
const SEVERAL_RECORDS: Rule = Rule::critical(
    "dmarc.several_records",
    "RFC 9989 section 4.10",
    "leave one record: several count as none",
);
/// RFC 9989 section 4.7: a tag with a mistake is as good as absent.
const SYNTAX: Rule = Rule::warning(
    "dmarc.syntax",
    "RFC 9989 section 4.8",
    "correct the tag: receivers take the record as if it were not there",
);
/// RFC 9989 section 4.8: the version comes first and is written `DMARC1`.
const NOT_A_RECORD: Rule = Rule::critical(
    "dmarc.not_a_record",
    "RFC 9989 section 4.8",
    "let the record begin with v=DMARC1, exactly so: otherwise it is none",
);
/// RFC 9989 section 4.10.1: without a valid `p` the policy is none, if anything.
const NO_POLICY: Rule = Rule::warning(
    "dmarc.no_policy",
    "RFC 9989 section 4.10.1",
    "put p=quarantine or p=reject into the record: as it is, receivers take it as p=none",
);
/// RFC 9989 section 4.7: `p=none` asks for nothing.
const POLICY_NONE: Rule = Rule::warning(
    "dmarc.policy_none",
    "RFC 9989 section 4.7",
    "when the reports show that your own mail passes, set p=quarantine and then p=reject: with p=none forged mail is delivered",
);
/// RFC 9989 section 4.7: what subdomains get is less than the domain.
const WEAKER_BELOW: Rule = Rule::warning(
    "dmarc.subdomains_weaker",
    "RFC 9989 section 4.7",
    "remove sp and np, or make them as strict as p: forgers take a subdomain, above all one that does not exist",
);
/// RFC 9989 section 4.7, where the domain's mail is refused and a subdomain's at least suspected.
const LESS_BELOW: Rule = Rule::notice(
    "dmarc.subdomains_weaker",
    "RFC 9989 section 4.7",
    "remove sp and np, or make them as strict as p, when the subdomains' own mail passes",
);
/// RFC 9989 section 4.7: `t=y` asks receivers for one step less.
const TESTING: Rule = Rule::warning(
    "dmarc.testing",
    "RFC 9989 section 4.7",
    "remove t=y when the tests are over: until then reject is taken as quarantine, and quarantine as none",
);
/// RFC 9989 section 4.7: without `rua` nobody tells who sends in the domain's name.
const NO_REPORTS: Rule = Rule::notice(
    "dmarc.no_reports",
    "RFC 9989 section 4.7",
    "add rua=mailto:… to hear who sends in the domain's name, and whether your own mail passes",
);
/// RFC 9989 appendix C: tags that are gone.
const REMOVED_TAGS: Rule = Rule::notice(
    "dmarc.removed_tags",
    "RFC 9989 appendix C",
    "remove them: receivers by RFC 9989 ignore them; for a trial there is t=y",
);
/// RFC 9990: another organisation must say that it takes the reports.
const REPORTS_NOT_AUTHORIZED: Rule = Rule::warning(
    "dmarc.reports_not_authorized",
    "RFC 9990, Verifying External Destinations",
    "ask whoever receives the reports to publish a TXT record \"v=DMARC1\" there: until then no report is sent",
);
/// RFC 9989 section 4.7: `psd=y` is for registries.
const PUBLIC_SUFFIX: Rule = Rule::warning(
    "dmarc.public_suffix",
    "RFC 9989 section 4.7",
    "remove psd=y unless others register names below this domain: with it, each subdomain counts as an organisation of its own",
);

/// All of these, for the book.
pub(crate) const RULES: &[&Rule] = &[
    &NO_RECORD,
    &SEVERAL_RECORDS,
    &SYNTAX,
    &NOT_A_RECORD,
    &NO_POLICY,
    &POLICY_NONE,
    &WEAKER_BELOW,
    &LESS_BELOW,
    &TESTING,
    &NO_REPORTS,
    &REMOVED_TAGS,
    &REPORTS_NOT_AUTHORIZED,
    &PUBLIC_SUFFIX,
];

/// What a domain's policy comes to; what BIMI asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enforcement {
    /// Of mail from the domain itself.
    pub domain: Policy,
    /// Of mail from subdomains that exist.
    pub subdomains: Policy,
}

impl Enforcement {
    /// Of a domain without a policy.
    pub const NOTHING: Self = Self { domain: Policy::None, subdomains: Policy::None };
}

/// Looks at a domain's policy: facts `dmarc.record`, `dmarc.found_at`, `dmarc.organizational_domain`,
/// `dmarc.policy` (what counts for this domain), `dmarc.subdomain_policy`, `dmarc.nonexistent_policy`,
/// `dmarc.alignment`, `dmarc.reports` and `dmarc.questions`; and what it comes to.
pub async fn examine(ask: &dyn Ask, domain: &Name) -> (Told, Enforcement) {
    let mut told = Told::new();
    let walk = match Walk::from(ask, domain).await {
        Ok(walk) => walk,
        Err(error) => {
            told.unanswered(error);
            return (told, Enforcement::NOTHING);
        }
    };
    told.fact("dmarc.questions", walk.questions.to_string());
    let organization = walk.organizational_domain();
    told.fact("dmarc.organizational_domain", &organization);
    for at in &walk.several {
        told.finding(&SEVERAL_RECORDS, format!("_dmarc.{at} has several records v=DMARC1"));
    }
    let record = walk.policy_record();
    told.keep("dmarc", record.iter().map(|(_, record)| record.text.clone()).collect());
    let Some((at, record)) = record else {
        nothing(ask, domain, &walk, &mut told).await;
        return (told, Enforcement::NOTHING);
    };
    let policy = of_domain(ask, domain, (at, record), &mut told).await;
    tell(at, record, policy, &mut told);
    judge((at, record), policy, &mut told);
    // Of an organisation below a public suffix, psd=y is as it should be.
    if record.psd == Psd::Yes && *at == walk.start {
        told.finding(&PUBLIC_SUFFIX, format!("_dmarc.{at}: psd=y"));
    }
    match unauthorized(ask, (at, record), &organization).await {
        Ok(missing) => missing.into_iter().for_each(|name| {
            told.finding(&REPORTS_NOT_AUTHORIZED, format!("there is no record v=DMARC1 at {name}"));
        }),
        Err(error) => told.unanswered(error),
    }
    let applied = |policy: Policy| if record.is_testing { one_less(policy) } else { policy };
    let subdomains = if *at == walk.start { record.subdomain_policy() } else { policy };
    (told, Enforcement { domain: applied(policy), subdomains: applied(subdomains) })
}

/// There is no record that counts: none at all, or one that is none.
async fn nothing(ask: &dyn Ask, domain: &Name, walk: &Walk, told: &mut Told) {
    let at = format!("_dmarc.{}", shown(domain));
    let texts = match crate::posture::name_of(&at) {
        Some(name) => ask.ask(&name, RecordType::TXT).await.map(|answer| answer.texts()),
        None => Ok(Vec::new()),
    };
    let meant = |text: &String| text.to_ascii_lowercase().contains("dmarc1");
    match texts.unwrap_or_default().iter().find(|text| meant(text)) {
        Some(text) if walk.several.is_empty() => {
            told.finding(&NOT_A_RECORD, format!("{at} says \"{}\"", bounded(text.clone(), 300)));
        }
        _ if walk.several.is_empty() => {
            let evidence = format!("neither {at} nor any name above it has a record v=DMARC1");
            told.finding(&NO_RECORD, evidence);
        }
        _ => {}
    }
}

/// The policy that counts for the domain: its own record's `p`; where the record stands above, `sp`, or
/// `np` when the domain does not exist (RFC 9989 section 4.10.1).
async fn of_domain(
    ask: &dyn Ask,
    domain: &Name,
    (at, record): (&str, &Record),
    told: &mut Told,
) -> Policy {
    if at == shown(domain) {
        return record.policy();
    }
    match ask.ask(domain, RecordType::A).await {
        Ok(answer) if answer.is_nx_domain() => record.nonexistent_policy(),
        Ok(_) => record.subdomain_policy(),
        Err(error) => {
            told.unanswered(error);
            record.subdomain_policy()
        }
    }
}

fn tell(at: &str, record: &Record, policy: Policy, told: &mut Told) {
    told.fact("dmarc.record", &record.text);
    told.fact("dmarc.found_at", format!("_dmarc.{at}"));
    told.fact("dmarc.policy", policy.as_str());
    told.fact("dmarc.subdomain_policy", record.subdomain_policy().as_str());
    told.fact("dmarc.nonexistent_policy", record.nonexistent_policy().as_str());
    let word = |is_strict: bool| if is_strict { "strict" } else { "relaxed" };
    let (dkim, spf) = (word(record.is_dkim_strict), word(record.is_spf_strict));
    told.fact("dmarc.alignment", format!("dkim {dkim}, spf {spf}"));
    if !record.rua.is_empty() {
        told.fact("dmarc.reports", record.rua.join(", "));
    }
    if !record.ruf.is_empty() {
        let options = &record.failure_options;
        told.fact("dmarc.failure_reports", format!("{} (fo={options})", record.ruf.join(", ")));
    }
}

fn judge((at, record): (&str, &Record), policy: Policy, told: &mut Told) {
    let here = |what: String| format!("_dmarc.{at}: {what}");
    for mistake in &record.mistakes {
        told.finding(&SYNTAX, here(mistake.clone()));
    }
    if record.p.is_none() {
        told.finding(&NO_POLICY, here("there is no valid p".to_owned()));
    } else if policy == Policy::None {
        let evidence = here(format!("the policy is {}", policy.as_str()));
        told.finding(&POLICY_NONE, evidence);
    }
    for (name, below) in [("sp", record.sp), ("np", record.np)] {
        let below = below.filter(|below| *below < record.policy());
        if let Some(below) = below {
            let rule = if below == Policy::None { &WEAKER_BELOW } else { &LESS_BELOW };
            let p = record.policy().as_str();
            told.finding(rule, here(format!("{name}={} and p={p}", below.as_str())));
        }
    }
    if record.is_testing {
        told.finding(&TESTING, here("t=y".to_owned()));
    }
    if record.rua.is_empty() {
        told.finding(&NO_REPORTS, here("there is no rua that can be used".to_owned()));
    }
    if !record.removed.is_empty() {
        told.finding(&REMOVED_TAGS, here(record.removed.join(", ")));
    }
}

/// What `t=y` makes of a policy (RFC 9989 section 4.7).
const fn one_less(policy: Policy) -> Policy {
    match policy {
        Policy::Reject => Policy::Quarantine,
        Policy::Quarantine | Policy::None => Policy::None,
    }
}

#[cfg(test)]
mod tests;
