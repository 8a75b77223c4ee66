//! What can be wrong with a domain's SPF record, and the rule group that says so.

use hickory_resolver::proto::rr::{Name, RecordType};

use super::records;
use super::survey::Survey;
use crate::dns::Ask;
use crate::posture::{Rule, Told};

/// A domain that sends no mail says so with `v=spf1 -all`; one that sends says from where.
/// RFC 7208 section 10.1.1, M3AAWG's practice for parked domains.
pub(super) const NO_RECORD: Rule = Rule::warning(
    "spf.none",
    "RFC 7208 section 4.5",
    "publish a TXT record: \"v=spf1 mx -all\" where the mail exchangers also send, \"v=spf1 -all\" where nobody does",
);
/// RFC 7208 section 4.5: two records are a permerror.
pub(super) const SEVERAL_RECORDS: Rule = Rule::critical(
    "spf.several_records",
    "RFC 7208 section 4.5",
    "merge them into one record: receivers treat several as an error, and none of them counts",
);
/// RFC 7208 section 4.6: a mistake anywhere in a record is a permerror.
pub(super) const SYNTAX: Rule = Rule::critical(
    "spf.syntax",
    "RFC 7208 section 4.6",
    "correct the term: until then the whole record is an error for receivers",
);
/// RFC 7208 section 4.6.4: at most 10 terms that look something up.
pub(super) const TOO_MANY_LOOKUPS: Rule = Rule::critical(
    "spf.too_many_lookups",
    "RFC 7208 section 4.6.4",
    "remove includes that are no longer needed, or name networks by ip4 and ip6; beyond 10 look-ups receivers give up with permerror",
);
/// RFC 7208 section 4.6.4, before it hurts: the next service, or a change at one of those that are
/// included, goes over the limit.
pub(super) const NEAR_THE_LIMIT: Rule = Rule::notice(
    "spf.near_the_lookup_limit",
    "RFC 7208 section 4.6.4",
    "make room below the limit of 10: what others publish in the records that are included can grow without notice",
);
/// RFC 7208 section 4.6.4: at most 2 look-ups without an answer.
pub(super) const TOO_MANY_VOIDS: Rule = Rule::critical(
    "spf.too_many_void_lookups",
    "RFC 7208 section 4.6.4",
    "remove the terms whose names no longer exist; beyond 2 void look-ups receivers give up with permerror",
);
/// RFC 7208 section 4.6.4, before it hurts.
pub(super) const VOID_LOOKUP: Rule = Rule::notice(
    "spf.void_lookup",
    "RFC 7208 section 4.6.4",
    "remove the terms whose names no longer exist: they cost look-ups, and whoever registers such a name may send for you",
);
/// RFC 7208 section 4.6.4: an `mx` with more than 10 names is a permerror.
pub(super) const TOO_MANY_NAMES: Rule = Rule::critical(
    "spf.too_many_mx",
    "RFC 7208 section 4.6.4",
    "name the networks by ip4 and ip6 instead of mx: more than 10 MX names are an error for receivers",
);
/// RFC 7208 section 5.1: `+all` lets the whole Internet send for the domain.
pub(super) const PASS_ALL: Rule = Rule::critical(
    "spf.pass_all",
    "RFC 7208 section 5.1",
    "end the record with -all or ~all: with +all everybody may send in the domain's name",
);
/// RFC 7208 section 5.1: `?all` says nothing.
pub(super) const NEUTRAL_ALL: Rule = Rule::warning(
    "spf.neutral_all",
    "RFC 7208 section 5.1",
    "end the record with -all or ~all: ?all says nothing about those who are not listed",
);
/// RFC 7208 section 4.7: a record without `all` or `redirect` ends as neutral.
pub(super) const NO_ALL: Rule = Rule::warning(
    "spf.no_all",
    "RFC 7208 section 4.7",
    "end the record with -all or ~all: without it, it says nothing about those who are not listed",
);
/// RFC 7208 section 5.5: `ptr` should not be published.
pub(super) const PTR: Rule = Rule::warning(
    "spf.ptr",
    "RFC 7208 section 5.5",
    "replace ptr by ip4, ip6 or a: it is slow, unreliable, and several receivers ignore it",
);
/// RFC 7208 section 4.6.4: a record that includes itself never ends below the limit.
pub(super) const LOOP: Rule = Rule::critical(
    "spf.loop",
    "RFC 7208 section 4.6.4",
    "take the term out that leads back: receivers give up with permerror",
);
/// RFC 7208 sections 5.2 and 6.1: `include` or `redirect` of a name without a record is a permerror.
pub(super) const LEADS_NOWHERE: Rule = Rule::critical(
    "spf.leads_nowhere",
    "RFC 7208 section 5.2",
    "remove the term, or mend the record it names: to receivers it is an error of the whole record",
);
/// RFC 7208 sections 5.1 and 6.1: what stands after `all` is never reached.
pub(super) const UNREACHABLE: Rule = Rule::notice(
    "spf.unreachable",
    "RFC 7208 section 5.1",
    "move the terms before all, or remove them: nothing after all is looked at, nor redirect beside it",
);
/// RFC 7208 section 5.6, and what an operator can have meant.
pub(super) const WIDE: Rule = Rule::warning(
    "spf.wide_network",
    "RFC 7208 section 5.6",
    "name the networks that you send from: this one is larger than any organisation's",
);
/// RFC 7208 section 3.1: the DNS type SPF is no longer used.
pub(super) const OLD_TYPE: Rule = Rule::notice(
    "spf.record_type_99",
    "RFC 7208 section 3.1",
    "remove the record of type SPF (99): nobody reads it, and it grows apart from the TXT record",
);
/// RFC 6686: Sender ID came to nothing.
pub(super) const SENDER_ID: Rule = Rule::notice(
    "spf.sender_id",
    "RFC 6686 section 6",
    "remove the record spf2.0: Sender ID is historic",
);

/// All of these, for the book.
pub(crate) const RULES: &[&Rule] = &[
    &NO_RECORD,
    &SEVERAL_RECORDS,
    &SYNTAX,
    &TOO_MANY_LOOKUPS,
    &NEAR_THE_LIMIT,
    &TOO_MANY_VOIDS,
    &VOID_LOOKUP,
    &TOO_MANY_NAMES,
    &PASS_ALL,
    &NEUTRAL_ALL,
    &NO_ALL,
    &PTR,
    &LOOP,
    &LEADS_NOWHERE,
    &UNREACHABLE,
    &WIDE,
    &OLD_TYPE,
    &SENDER_ID,
];

/// The type SPF of RFC 4408.
const SPF_TYPE: u16 = 99;

/// Looks at a domain's SPF record with all that it includes: facts `spf.record`, `spf.lookups`,
/// `spf.voids` and `spf.tree`, and the findings of this module.
pub async fn examine(ask: &dyn Ask, domain: &Name) -> Told {
    let survey = Survey::of(ask, domain).await;
    let mut told = Told::new();
    if let Some(record) = &survey.record {
        told.fact("spf.record", record);
        told.fact("spf.lookups", survey.tree.lookups.to_string());
        told.fact("spf.voids", survey.tree.voids.to_string());
        told.fact("spf.tree", survey.tree.render());
    }
    for (rule, evidence) in survey.problems {
        told.finding(rule, evidence);
    }
    for error in survey.unanswered {
        told.unanswered(error);
    }
    if let Ok(answer) = ask.ask(domain, RecordType::from(SPF_TYPE)).await
        && !answer.is_void(RecordType::from(SPF_TYPE))
    {
        told.finding(&OLD_TYPE, format!("{domain} has a record of type SPF"));
    }
    if let Ok(answer) = ask.ask(domain, RecordType::TXT).await {
        told.keep("spf", records(answer.texts()));
        let old = answer.texts().into_iter().find(|text| is_sender_id(text));
        old.into_iter().for_each(|text| told.finding(&SENDER_ID, text));
    }
    told
}

/// `spf2.0/mfrom,pra …` (RFC 4406 section 3.1), also as many have written it.
fn is_sender_id(text: &str) -> bool {
    text.strip_prefix("v=").unwrap_or(text).to_ascii_lowercase().starts_with("spf2.0/")
}
