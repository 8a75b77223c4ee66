//! The report as CSV (RFC 4180): a line for each figure, so that a spreadsheet can filter them.
//!
//! `month, part, service, item, figure, value, unit`. Invariant: a text from outside that a spreadsheet would take for a
//! formula begins with an apostrophe.

use csv::{Terminator, Writer, WriterBuilder};

use super::ReportError;
use crate::query::ReportAnswer;
use crate::query::report::{AgreementReport, ServiceReport, SiteReport};
use crate::query::sla::RunsAnswer;
use crate::text::one_line;

const HEADS: [&str; 7] = ["month", "part", "service", "item", "figure", "value", "unit"];

/// All of it.
///
/// # Errors
/// When it is no CSV, which is a defect.
pub(super) fn lines(report: &ReportAnswer) -> Result<Vec<u8>, ReportError> {
    let wrong = |error: csv::Error| ReportError::Written(error.to_string());
    let month = report.month.to_string();
    let to = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    let mut lines = Lines { to, month };
    lines.to.write_record(HEADS).map_err(wrong)?;
    lines.all(report).map_err(wrong)?;
    lines.to.into_inner().map_err(|error| ReportError::Written(error.to_string()))
}

struct Lines {
    to: Writer<Vec<u8>>,
    month: String,
}

/// What a figure is of: part, service, item.
type Of<'l> = (&'l str, &'l str, &'l str);

impl Lines {
    fn line(
        &mut self,
        (part, service, item): Of<'_>,
        figure: &str,
        value: impl ToString,
        unit: &str,
    ) -> csv::Result<()> {
        let value = value.to_string();
        let line = [
            self.month.as_str(),
            part,
            &harmless(service),
            &harmless(item),
            &harmless(figure),
            &harmless(&value),
            &harmless(unit),
        ];
        self.to.write_record(line)
    }

    fn whole(&mut self, of: Of<'_>, unit: &str, figures: &[(&str, u64)]) -> csv::Result<()> {
        figures.iter().try_for_each(|(figure, value)| self.line(of, figure, value, unit))
    }

    fn maybe(
        &mut self,
        of: Of<'_>,
        unit: &str,
        figures: &[(&str, Option<i64>)],
    ) -> csv::Result<()> {
        let known = figures.iter().filter_map(|(figure, value)| Some((figure, (*value)?)));
        known.into_iter().try_for_each(|(figure, value)| self.line(of, figure, value, unit))
    }

    fn all(&mut self, report: &ReportAnswer) -> csv::Result<()> {
        let of = ("report", "", "");
        self.line(of, "from", report.from, "time")?;
        self.line(of, "until", report.until, "time")?;
        self.line(of, "made_at", report.made_at, "time")?;
        self.line(of, "is_final", report.is_kept, "")?;
        self.summary(report)?;
        for service in &report.services {
            self.service(service)?;
        }
        for incident in &report.incidents {
            let number = incident.number.to_string();
            let of = ("incident", "", number.as_str());
            self.line(of, "what", &incident.headline, "")?;
            self.line(of, "severity", incident.severity.as_str(), "")?;
            self.line(of, "began_at", incident.began_at, "time")?;
            self.line(of, "opened_at", incident.opened_at, "time")?;
            if let Some(at) = incident.resolved_at {
                self.line(of, "resolved_at", at, "time")?;
            }
            for cost in &incident.cost {
                let of = ("incident", cost.service.as_str(), number.as_str());
                if let Some(minutes) = cost.down_minutes {
                    self.line(of, "down", minutes, "minutes")?;
                }
            }
        }
        self.rest(report)
    }

    fn summary(&mut self, report: &ReportAnswer) -> csv::Result<()> {
        let summary = report.summary();
        let wide = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let counts = [
            ("met", wide(summary.met)),
            ("missed", wide(summary.missed)),
            ("not_proven", wide(summary.not_proven)),
        ];
        self.whole(("summary", "", "agreements"), "agreements", &counts)?;
        let kpi = &summary.kpi;
        let of = ("summary", "", "incidents");
        self.whole(
            of,
            "incidents",
            &[
                ("opened", wide(kpi.opened)),
                ("unresolved", wide(kpi.unresolved)),
                ("not_measured", wide(summary.unmeasured)),
            ],
        )?;
        self.whole(of, "minutes", &[("down", summary.cost_minutes)])?;
        let times = [
            ("to_detect_median", kpi.to_detect.median_s),
            ("to_detect_longest", kpi.to_detect.longest_s),
            ("to_resolve_median", kpi.to_resolve.median_s),
            ("to_resolve_longest", kpi.to_resolve.longest_s),
        ];
        self.maybe(of, "seconds", &times)
    }

    fn runs(&mut self, of: Of<'_>, runs: &RunsAnswer) -> csv::Result<()> {
        let RunsAnswer { pass, fail, void, missed } = *runs;
        self.whole(
            of,
            "runs",
            &[("pass", pass), ("fail", fail), ("void", void), ("missed", missed)],
        )
    }

    fn service(&mut self, service: &ServiceReport) -> csv::Result<()> {
        let name = service.name.as_str();
        let minutes = [
            ("up", service.up_minutes),
            ("down", service.down_minutes),
            ("unknown", service.unknown_minutes),
        ];
        self.whole(("service", name, "minutes"), "minutes", &minutes)?;
        self.runs(("service", name, "runs"), &service.runs)?;
        self.runs(("service", name, "round_trips"), &service.round_trips)?;
        let times = [("p50", service.latency.p50_us), ("p95", service.latency.p95_us)];
        self.maybe(("service", name, "latency"), "us", &times)?;
        for agreement in &service.agreements {
            self.agreement(name, agreement)?;
        }
        for SiteReport { site, pass, fail, void, latency } in &service.sites {
            let of = ("site", name, site.as_str());
            self.whole(of, "runs", &[("pass", *pass), ("fail", *fail), ("void", *void)])?;
            self.maybe(of, "us", &[("p50", latency.p50_us), ("p95", latency.p95_us)])?;
        }
        Ok(())
    }

    fn agreement(&mut self, service: &str, agreement: &AgreementReport) -> csv::Result<()> {
        let kept = &agreement.kept;
        let of = ("agreement", service, kept.agreement.as_str());
        self.line(of, "indicator", &kept.figure.indicator, "")?;
        self.line(of, "target", kept.figure.target, "")?;
        self.line(of, "window", &kept.figure.window, "")?;
        self.line(of, "result", super::words::result(kept.result).1, "")?;
        let counts = [
            ("good", kept.figure.good),
            ("bad", kept.figure.bad),
            ("unknown", kept.figure.unknown),
        ];
        self.whole(of, &kept.figure.unit, &counts)?;
        for (figure, share) in [("lower", kept.figure.lower), ("upper", kept.figure.upper)] {
            if let Some(share) = share {
                self.line(of, figure, share, "share")?;
            }
        }
        self.line(of, "left_out", kept.excluded, "minutes")
    }

    fn rest(&mut self, report: &ReportAnswer) -> csv::Result<()> {
        for line in report.posture.iter().flat_map(|posture| &posture.findings) {
            let of = ("finding", "", line.subject.as_str());
            self.line(of, &line.rule, &line.evidence, &line.severity)?;
        }
        for subject in &report.capacity {
            let service = subject.service.as_deref().unwrap_or_default();
            let of = ("capacity", service, subject.what.as_str());
            self.maybe(of, &subject.unit, &[("last", subject.last), ("limit", subject.limit)])?;
        }
        let Some(month) = report.feedback_months().last().copied() else { return Ok(()) };
        let (satisfaction, tickets) = (month.satisfaction, month.tickets);
        let answers = [("answers", satisfaction.answers), ("satisfied", satisfaction.satisfied)];
        self.whole(("satisfaction", "", ""), "answers", &answers)?;
        let counts = [
            ("opened", tickets.opened),
            ("resolved", tickets.resolved),
            ("within_24h", tickets.within_24h),
            ("within_48h", tickets.within_48h),
        ];
        self.whole(("tickets", "", ""), "tickets", &counts)
    }
}

/// On one line, and no formula.
fn harmless(text: &str) -> String {
    let line = one_line(text);
    match line.chars().next() {
        Some('=' | '+' | '-' | '@') if line.parse::<f64>().is_err() => format!("'{line}"),
        _ => line,
    }
}
