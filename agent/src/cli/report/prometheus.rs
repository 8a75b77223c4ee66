//! The text exposition format (version 0.0.4), for a textfile collector or a push.
//!
//! A run that could not be judged has no `mailsonde_probe_success` at all: unknown is neither up nor
//! down. Facts that are whole numbers become figures, the others stay with `--format json`.

use std::fmt::Write;

use mailsonde_proto::{Severity, Verdict};

use super::Seen;
use super::nagios::seconds;

/// The lines of these runs; each family stands once.
pub(crate) fn prometheus(runs: &[Seen]) -> String {
    let mut text = String::new();
    success(&mut text, runs);
    times(&mut text, runs);
    postures(&mut text, runs);
    facts(&mut text, runs);
    text
}

fn success(text: &mut String, runs: &[Seen]) {
    let mut family = Family::new("success", "1 when the run passed, 0 when it failed");
    let mut void = Family::new("void", "1 when the run could not be judged");
    let mut why = Family::new("void_info", "why the run could not be judged");
    let mut fault = Family::new("fault_info", "what failed, and how");
    for seen in runs {
        match &seen.outcome.verdict {
            Verdict::Pass => family.line(seen, &[], "1"),
            Verdict::Fail(failed) => {
                family.line(seen, &[], "0");
                let basic = failed.basic_code.map(|code| code.to_string()).unwrap_or_default();
                let enhanced = failed.enhanced_code.map(|code| code.to_string());
                let labels = [
                    ("phase", failed.phase.as_str()),
                    ("class", failed.class.as_str()),
                    ("basic_code", &basic),
                    ("enhanced_code", &enhanced.unwrap_or_default()),
                ];
                fault.line(seen, &labels, "1");
            }
            Verdict::Void { .. } => {}
        }
        if let Verdict::Void { reason, .. } = &seen.outcome.verdict {
            why.line(seen, &[("reason", reason.as_str())], "1");
            void.line(seen, &[], "1");
        } else {
            void.line(seen, &[], "0");
        }
    }
    for family in [family, void, why, fault] {
        family.write(text);
    }
}

fn times(text: &mut String, runs: &[Seen]) {
    let mut started = Family::new("started_timestamp_seconds", "when the run began, Unix time");
    let mut total = Family::new("duration_seconds", "how long the run took");
    let mut phase = Family::new("phase_seconds", "how long each phase took; may be negative");
    let mut error =
        Family::new("phase_uncertainty_seconds", "by how much the phase may be longer or shorter");
    for seen in runs {
        started.line(seen, &[], &seconds(seen.started_at.as_us()));
        let total_us = i64::try_from(seen.outcome.total_us).unwrap_or(i64::MAX);
        total.line(seen, &[], &seconds(total_us));
        let mut told = std::collections::BTreeSet::new();
        for timed in &seen.outcome.phases {
            // A series stands once in a scrape: of a phase that came several times, the first.
            if !told.insert(timed.name.as_str()) {
                continue;
            }
            let labels = [("phase", timed.name.as_str())];
            phase.line(seen, &labels, &seconds(timed.duration_us));
            let uncertain = i64::try_from(timed.uncertainty_us).unwrap_or(i64::MAX);
            error.line(seen, &labels, &seconds(uncertain));
        }
    }
    for family in [started, total, phase, error] {
        family.write(text);
    }
}

fn postures(text: &mut String, runs: &[Seen]) {
    let mut count = Family::new("findings", "posture rules that do not hold, by severity");
    let mut each = Family::new("finding_info", "each posture rule that does not hold");
    for seen in runs {
        for severity in [Severity::Notice, Severity::Warning, Severity::Critical] {
            let of_it = seen.outcome.findings.iter().filter(|f| f.severity == severity).count();
            count.line(seen, &[("severity", severity.as_str())], &of_it.to_string());
        }
        let mut told = std::collections::BTreeSet::new();
        for finding in &seen.outcome.findings {
            if told.insert(finding.rule.as_str()) {
                let severity = finding.severity.as_str();
                each.line(seen, &[("rule", &finding.rule), ("severity", severity)], "1");
            }
        }
    }
    for family in [count, each] {
        family.write(text);
    }
}

fn facts(text: &mut String, runs: &[Seen]) {
    let mut family = Family::new("fact", "facts that are whole numbers");
    for seen in runs {
        let mut told = std::collections::BTreeSet::new();
        for fact in &seen.outcome.facts {
            if let Ok(number) = fact.value.parse::<i64>()
                && told.insert(fact.name.as_str())
            {
                family.line(seen, &[("name", &fact.name)], &number.to_string());
            }
        }
    }
    family.write(text);
}

/// One metric: its head, then its lines.
struct Family {
    name: &'static str,
    help: &'static str,
    lines: String,
}

impl Family {
    fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, help, lines: String::new() }
    }

    fn line(&mut self, seen: &Seen, labels: &[(&str, &str)], value: &str) {
        let own = [("check", seen.check.as_str()), ("kind", seen.kind.as_str())];
        let labels: Vec<_> = own
            .iter()
            .chain(labels)
            .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
            .collect();
        // Writing to a String cannot fail.
        writeln!(self.lines, "mailsonde_probe_{}{{{}}} {value}", self.name, labels.join(",")).ok();
    }

    fn write(self, text: &mut String) {
        if !self.lines.is_empty() {
            let Self { name, help, lines } = self;
            text.push_str(&format!(
                "# HELP mailsonde_probe_{name} {help}\n# TYPE mailsonde_probe_{name} gauge\n{lines}"
            ));
        }
    }
}

/// A label's value: backslash, quote and line end are escaped; other control characters go.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c if c.is_control() => {}
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn three_runs_in_one_exposition() {
        let mut slow = samples::refused_sign_in();
        slow.check = "branch \"north\"\n".to_owned();
        slow.outcome.phases.truncate(1);
        let mut unknown = samples::void();
        unknown.check = "south".to_owned();
        let mut good = samples::pass();
        good.outcome.phases.truncate(1);
        good.outcome.facts.push(mailsonde_proto::Fact::new("smtp.certificate_days", "42"));
        insta::assert_snapshot!(prometheus(&[good, slow, unknown]), @r#"
        # HELP mailsonde_probe_success 1 when the run passed, 0 when it failed
        # TYPE mailsonde_probe_success gauge
        mailsonde_probe_success{check="mail",kind="round-trip"} 1
        mailsonde_probe_success{check="branch \"north\"\n",kind="round-trip"} 0
        # HELP mailsonde_probe_void 1 when the run could not be judged
        # TYPE mailsonde_probe_void gauge
        mailsonde_probe_void{check="mail",kind="round-trip"} 0
        mailsonde_probe_void{check="branch \"north\"\n",kind="round-trip"} 0
        mailsonde_probe_void{check="south",kind="round-trip"} 1
        # HELP mailsonde_probe_void_info why the run could not be judged
        # TYPE mailsonde_probe_void_info gauge
        mailsonde_probe_void_info{check="south",kind="round-trip",reason="local_network"} 1
        # HELP mailsonde_probe_fault_info what failed, and how
        # TYPE mailsonde_probe_fault_info gauge
        mailsonde_probe_fault_info{check="branch \"north\"\n",kind="round-trip",phase="auth",class="permanent",basic_code="535",enhanced_code="5.7.8"} 1
        # HELP mailsonde_probe_started_timestamp_seconds when the run began, Unix time
        # TYPE mailsonde_probe_started_timestamp_seconds gauge
        mailsonde_probe_started_timestamp_seconds{check="mail",kind="round-trip"} 1764000000.000123
        mailsonde_probe_started_timestamp_seconds{check="branch \"north\"\n",kind="round-trip"} 1764000000.000123
        mailsonde_probe_started_timestamp_seconds{check="south",kind="round-trip"} 1764000000.000123
        # HELP mailsonde_probe_duration_seconds how long the run took
        # TYPE mailsonde_probe_duration_seconds gauge
        mailsonde_probe_duration_seconds{check="mail",kind="round-trip"} 0.024100
        mailsonde_probe_duration_seconds{check="branch \"north\"\n",kind="round-trip"} 2.008700
        mailsonde_probe_duration_seconds{check="south",kind="round-trip"} 0.000310
        # HELP mailsonde_probe_phase_seconds how long each phase took; may be negative
        # TYPE mailsonde_probe_phase_seconds gauge
        mailsonde_probe_phase_seconds{check="mail",kind="round-trip",phase="imap.connect"} 0.000300
        mailsonde_probe_phase_seconds{check="branch \"north\"\n",kind="round-trip",phase="resolve"} 0.000420
        # HELP mailsonde_probe_phase_uncertainty_seconds by how much the phase may be longer or shorter
        # TYPE mailsonde_probe_phase_uncertainty_seconds gauge
        mailsonde_probe_phase_uncertainty_seconds{check="mail",kind="round-trip",phase="imap.connect"} 0.000000
        mailsonde_probe_phase_uncertainty_seconds{check="branch \"north\"\n",kind="round-trip",phase="resolve"} 0.000000
        # HELP mailsonde_probe_findings posture rules that do not hold, by severity
        # TYPE mailsonde_probe_findings gauge
        mailsonde_probe_findings{check="mail",kind="round-trip",severity="notice"} 0
        mailsonde_probe_findings{check="mail",kind="round-trip",severity="warning"} 0
        mailsonde_probe_findings{check="mail",kind="round-trip",severity="critical"} 0
        mailsonde_probe_findings{check="branch \"north\"\n",kind="round-trip",severity="notice"} 0
        mailsonde_probe_findings{check="branch \"north\"\n",kind="round-trip",severity="warning"} 1
        mailsonde_probe_findings{check="branch \"north\"\n",kind="round-trip",severity="critical"} 0
        mailsonde_probe_findings{check="south",kind="round-trip",severity="notice"} 0
        mailsonde_probe_findings{check="south",kind="round-trip",severity="warning"} 0
        mailsonde_probe_findings{check="south",kind="round-trip",severity="critical"} 0
        # HELP mailsonde_probe_finding_info each posture rule that does not hold
        # TYPE mailsonde_probe_finding_info gauge
        mailsonde_probe_finding_info{check="branch \"north\"\n",kind="round-trip",rule="tls.certificate_expires_soon",severity="warning"} 1
        # HELP mailsonde_probe_fact facts that are whole numbers
        # TYPE mailsonde_probe_fact gauge
        mailsonde_probe_fact{check="mail",kind="round-trip",name="smtp.certificate_days"} 42
        "#);
    }
}
