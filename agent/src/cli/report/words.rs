//! What one run found, for a person: the verdict in one sentence, then the phases, then the rest.

use mailsonde_proto::{Fact, Fault, Finding, Severity, Verdict};

use super::Seen;
use super::waterfall::waterfall;
use crate::cli::advice::advice;
use crate::cli::figures::duration;
use crate::cli::terminal::{Terminal, Tone, on_one_line, printable};
use crate::probe::Amendment;

/// The run as text of several lines.
pub(crate) fn words(seen: &Seen, terminal: &Terminal) -> String {
    let outcome = &seen.outcome;
    let mut blocks = vec![verdict(seen, terminal)];
    blocks.push(waterfall(&outcome.phases, outcome.total_us, terminal));
    blocks.push(facts(&outcome.facts, terminal));
    blocks.push(outcome.findings.iter().map(|finding| posture(finding, terminal)).collect());
    blocks.push(seen.amendments.iter().map(late_news).collect());
    if matches!(outcome.verdict, Verdict::Fail(_)) {
        blocks.push(transcript(&outcome.transcript, terminal));
    }
    blocks.retain(|block| !block.is_empty());
    blocks.join("\n")
}

fn verdict(seen: &Seen, terminal: &Terminal) -> String {
    let check = on_one_line(&seen.check);
    match &seen.outcome.verdict {
        Verdict::Pass => {
            let took = duration(i64::try_from(seen.outcome.total_us).unwrap_or(i64::MAX));
            let arrives = |name: &str| name == mailsonde_proto::phase::name::ARRIVAL;
            let there_and_back = seen.outcome.phases.iter().any(|phase| arrives(&phase.name));
            let what = if there_and_back { "there and back in" } else { "fine, in" };
            format!("{}  {check}: {what} {took}\n", terminal.paint(Tone::Good, "PASS"))
        }
        Verdict::Fail(fault) => {
            let has_transcript = !seen.outcome.transcript.trim().is_empty();
            failure((&check, has_transcript), fault, terminal)
        }
        Verdict::Void { reason, detail } => format!(
            "{}  {check}: could not be judged ({}): {}\n",
            terminal.paint(Tone::Doubtful, "VOID"),
            reason.as_str().replace('_', " "),
            on_one_line(detail),
        ),
    }
}

fn failure((check, has_transcript): (&str, bool), fault: &Fault, terminal: &Terminal) -> String {
    let codes: Vec<_> = [
        fault.basic_code.map(|code| code.to_string()),
        fault.enhanced_code.map(|code| code.to_string()),
    ]
    .into_iter()
    .flatten()
    .collect();
    let codes = if codes.is_empty() { String::new() } else { format!(" ({})", codes.join(" ")) };
    let mut text = format!(
        "{}  {check}: {}: {}{codes}\n",
        terminal.paint(Tone::Bad, "FAIL"),
        on_one_line(&fault.phase),
        on_one_line(&fault.explanation),
    );
    let mut line = |what: &str, rest: &str| {
        text.push_str(&format!("      {} {rest}\n", terminal.paint(Tone::Faint, what)));
    };
    if !fault.reply.is_empty() {
        line("the server said:", &on_one_line(&fault.reply));
    }
    line("what to do:", advice(fault, has_transcript));
    text
}

fn facts(facts: &[Fact], terminal: &Terminal) -> String {
    let width = facts.iter().map(|fact| fact.name.chars().count()).max().unwrap_or(0);
    let line = |fact: &Fact| {
        let name = terminal.paint(Tone::Faint, &format!("{:<width$}", on_one_line(&fact.name)));
        format!("  {name}  {}\n", on_one_line(&fact.value))
    };
    facts.iter().map(line).collect()
}

fn posture(finding: &Finding, terminal: &Terminal) -> String {
    let tone = match finding.severity {
        Severity::Critical => Tone::Bad,
        Severity::Warning => Tone::Doubtful,
        Severity::Notice | Severity::Unknown => Tone::Strong,
    };
    format!(
        "  {}  {}: {}\n      {} ({})\n",
        terminal.paint(tone, finding.severity.as_str()),
        on_one_line(&finding.rule),
        on_one_line(&finding.evidence),
        on_one_line(&finding.advice),
        on_one_line(&finding.source),
    )
}

fn late_news(amendment: &Amendment) -> String {
    format!("  meanwhile, of an earlier run: {}\n", on_one_line(&amendment.fault.to_string()))
}

fn transcript(transcript: &str, terminal: &Terminal) -> String {
    if transcript.trim().is_empty() {
        return String::new();
    }
    let mut text = format!("  {}\n", terminal.paint(Tone::Faint, "transcript, secrets left out:"));
    for line in printable(transcript.trim_end()).lines() {
        text.push_str(&format!("  │ {line}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    const PLAIN: Terminal = Terminal { width: 90, colours: false };

    #[test]
    fn a_round_trip_that_passed() {
        insta::assert_snapshot!(words(&samples::pass(), &PLAIN), @r"
        PASS  mail: there and back in 24.1 ms

          resolve           0 µs  420 µs             █
          connect         420 µs  180 µs             ██
          greeting        600 µs  2.10 ms             ████
          tls            2.70 ms  3.90 ms                ████████
          auth           6.60 ms  4.20 ms                       ████████
          envelope       10.8 ms  1.05 ms                              ███
          data           11.9 ms  5.60 ms                                ██████████
          transit        17.5 ms  -1.45 ms ± 500 ms  ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░
          arrival        17.5 ms  6.65 ms ± 1.20 ms                               ████████████
                                                     0 µs ──────────────────────────── 24.1 ms
          ± and ░ the end is known to within this

          before the start, on connections that are kept:
          imap.connect  -61.0 ms  300 µs
          imap.auth     -58.2 ms  7.31 ms

          smtp.greeting  mx.good.test ESMTP
          tls.version    TLS 1.3

          meanwhile, of an earlier run: arrival: mismatch: the message came 72 s late
        ");
    }

    #[test]
    fn a_sign_in_that_was_refused() {
        insta::assert_snapshot!(words(&samples::refused_sign_in(), &PLAIN), @r"
        FAIL  mail: auth: the server refused the sign-in (535 5.7.8)
              the server said: 5.7.8 Error: authentication failed: ·[31m(reason unavailable)
              what to do: check login and password of this mailbox, and that it may sign in this way

          resolve     0 µs  420 µs   █
          connect   420 µs  180 µs   █
          tls       600 µs  3.90 ms  █
          auth     4.50 ms  2.00 s   █████████████████████████████████████████████████████████
                                     0 µs ───────────────────────────────────────────── 2.01 s

          warning  tls.certificate_expires_soon: the certificate ends in 6 days
              renew it (RFC 5280 section 4.1.2.5)

          transcript, secrets left out:
          │ S: 220 mx.good.test ESMTP
          │ C: AUTH PLAIN (secret)
          │ S: 535 5.7.8 Error: ·no
        ");
    }

    #[test]
    fn a_run_that_could_not_be_judged() {
        insta::assert_snapshot!(words(&samples::void(), &PLAIN), @"VOID  mail: could not be judged (local network): this machine has no route to any network");
    }

    #[test]
    fn colours_only_where_they_are_wanted() {
        let coloured = Terminal { colours: true, ..PLAIN };
        assert!(words(&samples::pass(), &coloured).starts_with("\x1b[1;32mPASS\x1b[0m  mail"));
        assert!(!words(&samples::refused_sign_in(), &PLAIN).contains('\x1b'));
    }
}
