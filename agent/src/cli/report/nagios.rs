//! One plugin line with performance data, as Nagios, Icinga, Checkmk and Zabbix read it
//! (Monitoring Plugins Development Guidelines, sections 'Plugin Output' and 'Performance data').
//!
//! What a server said may hold anything: the line has no `|` but the one before the performance data,
//! and no line end but its last.

use mailsonde_proto::{Severity, Verdict};

use super::Seen;
use super::threshold::{TOTAL, Threshold, limit_on};
use crate::cli::figures::duration;
use crate::cli::terminal::on_one_line;

/// The most characters before the performance data: some receivers cut at 1 KiB.
const MOST_CHARACTERS: usize = 400;

/// A plugin's exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Status {
    /// 0.
    Ok,
    /// 1.
    Warning,
    /// 3: between the others, because what nobody knows hides no failure and no success.
    Unknown,
    /// 2.
    Critical,
}

impl Status {
    /// As a process ends with it.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// The line, its line end included, and the status that it tells. A failed run is critical, one that could not
/// be judged unknown; a run that passed is as bad as the worst of its findings and of the limits that it
/// exceeded.
pub(crate) fn nagios(seen: &Seen, warn: &[Threshold], crit: &[Threshold]) -> (String, Status) {
    let (status, words) = judged(seen, warn, crit);
    let check = on_one_line(&seen.check);
    let told = line(status, &format!("{check}: {words}"));
    (format!("{told} | {}\n", performance(seen, warn, crit)), status)
}

/// The line of a probe that could not even begin.
pub(crate) fn unknown(words: &str) -> (String, Status) {
    (format!("{}\n", line(Status::Unknown, &on_one_line(words))), Status::Unknown)
}

fn line(status: Status, words: &str) -> String {
    let mut told = format!("MAILSONDE {} - {words}", status.word()).replace('|', "/");
    if let Some((cut, _)) = told.char_indices().nth(MOST_CHARACTERS) {
        told.truncate(cut);
        told.push('…');
    }
    told
}

fn judged(seen: &Seen, warn: &[Threshold], crit: &[Threshold]) -> (Status, String) {
    let outcome = &seen.outcome;
    match &outcome.verdict {
        Verdict::Fail(fault) => {
            let reply = if fault.reply.is_empty() {
                String::new()
            } else {
                format!(" ({})", on_one_line(&fault.reply))
            };
            let words = format!("{}: {}{reply}", fault.phase, on_one_line(&fault.explanation));
            return (Status::Critical, words);
        }
        Verdict::Void { reason, detail } => {
            let reason = reason.as_str().replace('_', " ");
            let words = format!("could not be judged ({reason}): {}", on_one_line(detail));
            return (Status::Unknown, words);
        }
        Verdict::Pass => {}
    }
    let mut status = Status::Ok;
    let mut words = Vec::new();
    for limit in warn.iter().chain(crit).filter(|limit| !limit.is_known_to(outcome)) {
        // A limit that can never be exceeded would look like a server that is always fast enough.
        let names: Vec<_> = outcome.phases.iter().map(|phase| phase.name.as_str()).collect();
        let name = on_one_line(&limit.phase);
        words.push(format!("no phase is called {name}: this run has {}", names.join(", ")));
        status = status.max(Status::Unknown);
    }
    for (limits, level) in [(crit, Status::Critical), (warn, Status::Warning)] {
        for limit in limits.iter().filter(|limit| limit.is_exceeded_by(outcome)) {
            let taken = duration(limit.taken_us(outcome).unwrap_or_default());
            let name = &limit.phase;
            words.push(format!("{name} took {taken}, over {}", duration(limit.limit_us())));
            status = status.max(level);
        }
    }
    let mut findings: Vec<_> = outcome.findings.iter().collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    for finding in findings {
        let level = match finding.severity {
            Severity::Critical => Status::Critical,
            Severity::Warning => Status::Warning,
            Severity::Notice | Severity::Unknown => continue,
        };
        status = status.max(level);
        words.push(format!("{} ({})", on_one_line(&finding.evidence), finding.rule));
    }
    if words.is_empty() {
        let total = i64::try_from(outcome.total_us).unwrap_or(i64::MAX);
        words.push(format!("passed in {}", duration(total)));
    }
    (status, words.join("; "))
}

fn performance(seen: &Seen, warn: &[Threshold], crit: &[Threshold]) -> String {
    let outcome = &seen.outcome;
    let total = i64::try_from(outcome.total_us).unwrap_or(i64::MAX);
    let phases = outcome.phases.iter().map(|phase| (phase.name.as_str(), phase.duration_us));
    let figures = std::iter::once((TOTAL, total)).chain(phases).map(|(name, us)| {
        let limit = |limits| {
            let limit = limit_on(limits, name);
            limit.map(|limit| seconds(limit.limit_us())).unwrap_or_default()
        };
        let label = name.replace(['\'', '='], "_");
        format!("'{label}'={}s;{};{};;", seconds(us), limit(warn), limit(crit))
    });
    figures.collect::<Vec<_>>().join(" ")
}

/// Microseconds as seconds with all their digits.
pub(super) fn seconds(us: i64) -> String {
    let sign = if us < 0 { "-" } else { "" };
    let size = us.unsigned_abs();
    format!("{sign}{}.{:06}", size / 1_000_000, size % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn limits(texts: &[&str]) -> Vec<Threshold> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_misspelt_phase_is_not_taken_for_a_fast_one() {
        let seen = samples::pass();
        let limit = |text: &str| vec![text.parse::<Threshold>().unwrap()];
        let (line, status) = nagios(&seen, &limit("arival=5s"), &[]);
        assert_eq!(status, Status::Unknown);
        assert!(line.contains("no phase is called arival: this run has "), "{line}");
        // one that this run did not come to, or had no need of
        assert_eq!(nagios(&seen, &[], &limit("greylist=5m")).1, Status::Ok);
        assert_eq!(nagios(&seen, &[], &limit("imap.greeting=5m")).1, Status::Ok);
    }

    #[test]
    fn each_ending_has_its_line() {
        let line = |seen: &Seen| nagios(seen, &limits(&["5s"]), &limits(&["20s"])).0;
        insta::assert_snapshot!(line(&samples::pass()), @"MAILSONDE OK - mail: passed in 24.1 ms | 'total'=0.024100s;5.000000;20.000000;; 'imap.connect'=0.000300s;;;; 'imap.auth'=0.007310s;;;; 'resolve'=0.000420s;;;; 'connect'=0.000180s;;;; 'greeting'=0.002100s;;;; 'tls'=0.003900s;;;; 'auth'=0.004200s;;;; 'envelope'=0.001050s;;;; 'data'=0.005600s;;;; 'transit'=-0.001450s;;;; 'arrival'=0.006650s;;;;");
        insta::assert_snapshot!(line(&samples::refused_sign_in()), @"MAILSONDE CRITICAL - mail: auth: the server refused the sign-in (5.7.8 Error: authentication failed: ·[31m(reason unavailable)) | 'total'=2.008700s;5.000000;20.000000;; 'resolve'=0.000420s;;;; 'connect'=0.000180s;;;; 'tls'=0.003900s;;;; 'auth'=2.004200s;;;;");
        insta::assert_snapshot!(line(&samples::void()), @"MAILSONDE UNKNOWN - mail: could not be judged (local network): this machine has no route to any network | 'total'=0.000310s;5.000000;20.000000;;");
        insta::assert_snapshot!(unknown("no kind | of\nprobe").0, @"MAILSONDE UNKNOWN - no kind / of probe");
    }

    #[test]
    fn limits_and_findings_decide_how_bad_a_pass_is() {
        let mut seen = samples::pass();
        let status = |seen: &Seen, warn: &[&str], crit: &[&str]| {
            nagios(seen, &limits(warn), &limits(crit)).1.code()
        };
        assert_eq!(status(&seen, &[], &[]), 0);
        assert_eq!(status(&seen, &["20ms"], &["1s"]), 1);
        assert_eq!(status(&seen, &["1s"], &["arrival=1ms"]), 2);
        seen.outcome.findings = samples::refused_sign_in().outcome.findings;
        assert_eq!(status(&seen, &[], &[]), 1);
        assert!(nagios(&seen, &[], &[]).0.contains("the certificate ends in 6 days (tls.cert"));
        seen.outcome.findings[0].severity = Severity::Critical;
        assert_eq!(status(&seen, &[], &[]), 2);
        seen.outcome.findings[0].severity = Severity::Notice;
        assert_eq!(status(&seen, &[], &[]), 0);
        assert_eq!(status(&samples::void(), &[], &[]), 3);
    }

    #[test]
    fn a_server_cannot_break_out_of_the_line() {
        let mut seen = samples::refused_sign_in();
        if let Verdict::Fail(fault) = &mut seen.outcome.verdict {
            fault.reply = format!("|'evil'=1\r\nOK {}", "ü|".repeat(5_000));
        }
        let (line, _) = nagios(&seen, &[], &[]);
        assert_eq!(line.matches('|').count(), 1, "{line}");
        assert_eq!(line.lines().count(), 1);
        assert!(line.chars().count() < 800, "{}", line.len());
    }
}
