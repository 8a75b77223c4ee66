//! Greylisting recognised (RFC 6647): a mail exchanger that postpones senders which it does not know yet.
//!
//! What says so is certain. Policy that is refused for now with no other reason (450 or 451 with 4.7.0 or
//! 4.7.1) may be greylisting, and is taken for it only when a later attempt of the same sender, recipient
//! and address is accepted. Anything else, above all trouble of the server's own (4.3.x), is none.

use std::time::Duration;

use mailsonde_proto::{Fault, FaultClass};

use crate::mail::smtp::Step;

/// The shortest and the longest wait that a server's words can ask for.
const HINT_BOUNDS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(1800));
/// Servers count whole seconds: one more makes sure.
const SLACK: Duration = Duration::from_secs(1);

/// What a refusal for now says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Postponed {
    /// The server calls it greylisting.
    pub(super) is_certain: bool,
    /// When to come back, where it says.
    pub(super) after: Option<Duration>,
}

/// Reads a refusal; `None` when it is no greylisting.
pub(super) fn postponed(fault: &Fault, step: Step) -> Option<Postponed> {
    if fault.class != FaultClass::Temporary || step == Step::Opening {
        return None;
    }
    let words = fault.reply.to_ascii_lowercase();
    let names_it = ["greylist", "graylist", "grey-list", "gray-list", "grey list", "gray list"];
    let is_certain = names_it.iter().any(|name| words.contains(name));
    let basic = matches!(fault.basic_code, Some(450 | 451)) && step != Step::Sender;
    let code = fault.enhanced_code.map(|code| (code.subject, code.detail));
    let asks_to_return =
        || ["again", "later", "retry", "come back"].iter().any(|w| words.contains(w));
    let policy = match code {
        Some((7, 0 | 1)) => true,
        Some(_) => false,
        None => asks_to_return(),
    };
    let is_load =
        ["too many", "rate", "limit", "busy", "load", "quota"].iter().any(|w| words.contains(w));
    let may_be = basic && policy && !is_load;
    (is_certain || may_be).then(|| Postponed { is_certain, after: hint(&words) })
}

/// After how long a server that refuses for now wants the message again, where it says so.
pub fn asked_to_wait(fault: &Fault) -> Option<Duration> {
    postponed(fault, Step::Recipient).and_then(|postponed| postponed.after)
}

/// When a server says to come back: `in 300 seconds`, `for 5 minutes`, `in 00:05:00`, `retry after 60s`.
fn hint(words: &str) -> Option<Duration> {
    let split = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | ',' | ';' | '=');
    let mut words = words.split(split).filter(|word| !word.is_empty()).peekable();
    while let Some(word) = words.next() {
        let word = word.trim_end_matches('.');
        let clock: Vec<Option<u64>> = word.split(':').map(|part| part.parse().ok()).collect();
        let seconds = match clock.as_slice() {
            [Some(hours), Some(minutes), Some(seconds)] => hours
                .checked_mul(3600)
                .zip(minutes.checked_mul(60))
                .and_then(|(hours, minutes)| hours.checked_add(minutes)?.checked_add(*seconds)),
            [Some(number)] => words.peek().and_then(|next| unit(next)?.checked_mul(*number)),
            [None] => {
                let digits = word.bytes().take_while(u8::is_ascii_digit).count();
                let (number, rest) = word.split_at_checked(digits)?;
                number.parse::<u64>().ok().and_then(|number| unit(rest)?.checked_mul(number))
            }
            _ => None,
        };
        if let Some(seconds) = seconds.filter(|seconds| *seconds > 0) {
            let (least, most) = HINT_BOUNDS;
            return Some((Duration::from_secs(seconds).saturating_add(SLACK)).clamp(least, most));
        }
    }
    None
}

/// How many seconds a word stands for.
fn unit(word: &str) -> Option<u64> {
    let word = word.trim_end_matches(['.', '!']);
    let is = |names: &[&str]| names.contains(&word);
    match () {
        () if is(&["s", "sec", "secs", "second", "seconds"]) => Some(1),
        () if is(&["m", "min", "mins", "minute", "minutes"]) => Some(60),
        () if is(&["h", "hour", "hours"]) => Some(3600),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::EnhancedCode;
    use proptest::prelude::*;

    use super::*;

    fn read(code: u16, reply: &str, step: Step) -> Option<Postponed> {
        let mut fault = Fault::new("envelope", FaultClass::Temporary, "refused");
        fault.basic_code = Some(code);
        fault.enhanced_code = EnhancedCode::at_start_of(reply);
        fault.reply = reply.to_owned();
        postponed(&fault, step)
    }

    #[test]
    #[allow(clippy::too_many_lines, reason = "a table: one server after the other")]
    fn replies_of_real_servers() {
        let (certain, perhaps) = (Some(true), Some(false));
        for (code, reply, step, expected, after_s) in [
            // postgrey
            (
                450,
                "4.2.0 <a@b>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/b.html",
                Step::Recipient,
                certain,
                None,
            ),
            // milter-greylist
            (
                451,
                "4.7.1 Greylisting in action, please come back in 00:05:00",
                Step::Recipient,
                certain,
                Some(301),
            ),
            // sqlgrey
            (450, "4.7.1 Greylisted for 5 minutes (17)", Step::Recipient, certain, Some(301)),
            // rspamd
            (451, "4.7.1 Try again later", Step::Message, perhaps, None),
            // Exim's common recipe, and OpenBSD's spamd
            (451, "greylisted - retry after 60s", Step::Recipient, certain, Some(61)),
            (451, "Temporary failure, please try again later.", Step::Message, perhaps, None),
            // Cisco and the like
            (
                450,
                "4.7.1 This message has been graylisted. Retry in 300 seconds.",
                Step::Message,
                certain,
                Some(301),
            ),
            (
                421,
                "4.7.0 Greylisted, please try again in 120 seconds",
                Step::Recipient,
                certain,
                Some(121),
            ),
            (450, "4.7.1 greylisted", Step::Sender, certain, None),
            // none of it
            (451, "4.3.0 lab: try later", Step::Recipient, None, None),
            (452, "4.2.2 over quota", Step::Recipient, None, None),
            (450, "4.7.1 Error: too much mail, rate limit exceeded", Step::Recipient, None, None),
            (451, "4.7.500 Server busy. Please try again later", Step::Recipient, None, None),
            (421, "4.7.0 try again later", Step::Recipient, None, None),
            (421, "4.7.0 greylisted", Step::Opening, None, None),
            (450, "4.7.1 Service unavailable", Step::Sender, None, None),
            (450, "mailbox busy", Step::Recipient, None, None),
        ] {
            let found = read(code, reply, step);
            assert_eq!(found.map(|found| found.is_certain), expected, "{code} {reply}");
            let after = found.and_then(|found| found.after).map(|after| after.as_secs());
            assert_eq!(after, after_s, "{code} {reply}");
        }
        let mut never = Fault::new("envelope", FaultClass::Permanent, "refused");
        never.reply = "5.7.1 greylisted".to_owned();
        assert_eq!(postponed(&never, Step::Recipient), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]
        #[test]
        fn no_reply_panics_and_no_hint_is_out_of_bounds(reply in "(greylist|[0-9]{0,25}|:| |s|min|hours|é|[ -~]){0,20}") {
            if let Some(Postponed { after: Some(after), .. }) = read(451, &reply, Step::Message) {
                prop_assert!((HINT_BOUNDS.0..=HINT_BOUNDS.1).contains(&after));
            }
        }
    }
}
