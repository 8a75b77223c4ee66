//! What can be wrong with a domain's MTA-STS.

use super::policy::{LONGEST_MAX_AGE_S, Mode, Policy};
use crate::posture::{Rule, Told};

/// A policy that is kept for less protects hardly at all.
const SHORT_MAX_AGE_S: u64 = 86_400;

/// RFC 8461 section 3.1: no record, no policy.
pub(super) const NO_RECORD: Rule = Rule::notice(
    "mta_sts.none",
    "RFC 8461 section 3.1",
    "publish a policy and a TXT record \"v=STSv1; id=…\" at _mta-sts, so that others do not deliver without TLS",
);
/// RFC 8461 section 3.1: several records count as none.
pub(super) const SEVERAL_RECORDS: Rule = Rule::warning(
    "mta_sts.several_records",
    "RFC 8461 section 3.1",
    "leave one record: several count as none",
);
/// RFC 8461 section 3.1: a record with a mistake counts as none.
pub(super) const SYNTAX: Rule = Rule::warning(
    "mta_sts.syntax",
    "RFC 8461 section 3.1",
    "write it as \"v=STSv1; id=20260101T000000\": the id is 1 to 32 letters and digits",
);
/// RFC 8461 section 3.3: the policy is at mta-sts below the domain.
pub(super) const NO_HOST: Rule = Rule::warning(
    "mta_sts.no_policy_host",
    "RFC 8461 section 3.3",
    "give mta-sts below the domain an address where the policy is, or remove the record",
);
/// RFC 8461 section 3.3: a policy that cannot be fetched is none to whoever has not kept it.
pub(super) const UNREACHABLE: Rule = Rule::warning(
    "mta_sts.policy_unreachable",
    "RFC 8461 section 3.3",
    "mend the web server: senders that have kept no policy deliver without it",
);
/// RFC 8461 section 3.3: the certificate must be valid for mta-sts below the domain.
pub(super) const CERTIFICATE: Rule = Rule::warning(
    "mta_sts.policy_certificate",
    "RFC 8461 section 3.3",
    "give the policy's host a certificate for its own name from an authority that everybody trusts: with this one senders do not take the policy",
);
/// RFC 8461 section 3.3: redirects must not be followed.
pub(super) const REDIRECT: Rule = Rule::warning(
    "mta_sts.policy_redirect",
    "RFC 8461 section 3.3",
    "answer with the policy itself: senders do not follow redirects",
);
/// RFC 8461 section 3.3: only 200 is an answer.
pub(super) const NOT_200: Rule = Rule::warning(
    "mta_sts.policy_status",
    "RFC 8461 section 3.3",
    "put the policy there: senders take nothing but an answer of 200",
);
/// RFC 8461 section 3.2: the media type is text/plain.
pub(super) const NOT_PLAIN: Rule = Rule::warning(
    "mta_sts.policy_media_type",
    "RFC 8461 section 3.2",
    "serve the policy as text/plain",
);
/// RFC 8461 section 3.3: senders may stop at 64 KiB.
pub(super) const TOO_LARGE: Rule = Rule::warning(
    "mta_sts.policy_too_large",
    "RFC 8461 section 3.3",
    "serve the policy alone: senders read 64 KiB at most",
);
/// RFC 8461 section 3.2: a policy with a mistake is none.
pub(super) const POLICY_SYNTAX: Rule = Rule::warning(
    "mta_sts.policy_syntax",
    "RFC 8461 section 3.2",
    "correct the policy: as it is, senders do not take it",
);
/// RFC 8461 section 4.1: with enforce, a host that no pattern names gets no mail.
pub(super) const MX_LEFT_OUT: Rule = Rule::critical(
    "mta_sts.mx_left_out",
    "RFC 8461 section 4.1",
    "add the host to the policy and change the record's id: senders refuse to deliver to it",
);
/// RFC 8461 section 4.1, with testing: it would get no mail.
pub(super) const MX_LEFT_OUT_TESTING: Rule = Rule::warning(
    "mta_sts.mx_left_out_in_testing",
    "RFC 8461 section 4.1",
    "add the host to the policy and change the record's id before the mode becomes enforce",
);
/// A pattern that fits no MX: forgotten, or mistyped.
const PATTERN_UNUSED: Rule = Rule::notice(
    "mta_sts.pattern_unused",
    "RFC 8461 section 4.1",
    "remove the pattern, unless the host is about to become an MX",
);
/// RFC 8461 section 5: testing protects nothing.
const TESTING: Rule = Rule::notice(
    "mta_sts.testing",
    "RFC 8461 section 5",
    "set the mode to enforce when the TLS reports show no trouble, and change the record's id",
);
/// RFC 8461 section 5: none switches it off.
const MODE_NONE: Rule = Rule::notice(
    "mta_sts.mode_none",
    "RFC 8461 section 5",
    "set the mode to enforce, or, when the policy is to go for good, remove record and policy after its max_age",
);
/// RFC 8461 section 3.2: at most a year.
const MAX_AGE_TOO_LONG: Rule = Rule::warning(
    "mta_sts.max_age_too_long",
    "RFC 8461 section 3.2",
    "set max_age to 31557600 seconds at most: more is not allowed, and senders may not take the policy",
);
/// RFC 8461 section 10.2: a policy that is soon forgotten is soon taken away by an attacker.
const MAX_AGE_SHORT: Rule = Rule::notice(
    "mta_sts.max_age_short",
    "RFC 8461 section 3.2",
    "set max_age to weeks: a policy that is kept for less than a day hardly protects",
);

/// All of these, for the book.
pub(crate) const RULES: &[&Rule] = &[
    &NO_RECORD,
    &SEVERAL_RECORDS,
    &SYNTAX,
    &NO_HOST,
    &UNREACHABLE,
    &CERTIFICATE,
    &REDIRECT,
    &NOT_200,
    &NOT_PLAIN,
    &TOO_LARGE,
    &POLICY_SYNTAX,
    &MX_LEFT_OUT,
    &MX_LEFT_OUT_TESTING,
    &PATTERN_UNUSED,
    &TESTING,
    &MODE_NONE,
    &MAX_AGE_TOO_LONG,
    &MAX_AGE_SHORT,
];

/// What is wrong with a policy by itself and beside the domain's mail exchangers.
pub(super) fn judge(policy: &Policy, exchangers: &[String], told: &mut Told) {
    told.fact("mta_sts.mode", policy.mode.as_str());
    told.fact("mta_sts.max_age_s", policy.max_age_s.to_string());
    told.fact("mta_sts.mx", policy.patterns.join(" "));
    match policy.mode {
        Mode::Enforce => {}
        Mode::Testing => told.finding(&TESTING, "the mode is testing"),
        Mode::None => {
            told.finding(&MODE_NONE, "the mode is none");
            return;
        }
    }
    let age = format!("max_age is {} seconds", policy.max_age_s);
    if policy.max_age_s > LONGEST_MAX_AGE_S {
        told.finding(&MAX_AGE_TOO_LONG, age);
    } else if policy.max_age_s < SHORT_MAX_AGE_S {
        told.finding(&MAX_AGE_SHORT, age);
    }
    let left_out = match policy.mode {
        Mode::Enforce => &MX_LEFT_OUT,
        _ => &MX_LEFT_OUT_TESTING,
    };
    for host in exchangers.iter().filter(|host| !policy.names(host)) {
        let patterns = policy.patterns.join(", ");
        told.finding(left_out, format!("{host} is an MX, and the policy names {patterns} only"));
    }
    if !exchangers.is_empty() {
        for pattern in policy.unused(exchangers) {
            told.finding(&PATTERN_UNUSED, format!("{pattern} fits none of the MX"));
        }
    }
}
