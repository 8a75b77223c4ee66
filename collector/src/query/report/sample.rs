//! A month for tests: two services, one agreement missed, hostile texts.

use jiff::Timestamp;

use super::*;
use crate::judge::capacity::Outlook;
use crate::judge::definition::{Exclusion, Share};
use crate::judge::feedback::{Satisfaction, TicketFigures};
use crate::judge::incident::{Kind, Severity, State};
use crate::judge::objective::Reached;
use crate::query::sla::{AgreementAnswer, ExcludedAnswer, FigureAnswer, RunsAnswer, SpentByAnswer};
use crate::query::{Spread, SubjectAnswer};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn month(text: &str) -> Month {
    text.parse().unwrap()
}

fn share(part: u64, all: u64) -> Option<f64> {
    let ppb = u32::try_from(part * 1_000_000_000 / all).unwrap();
    Some(f64::from(ppb) / 1e9)
}

fn kept(name: &str, (good, bad, unknown): (u64, u64, u64), result: Reached) -> AgreementAnswer {
    let all = good + bad + unknown;
    let is_owed = result == Reached::Missed;
    AgreementAnswer {
        agreement: name.into(),
        customer: "ACME".into(),
        service: "mail-durban".into(),
        figure: FigureAnswer {
            indicator: "uptime".into(),
            within_us: None,
            target: Share::from_ppm(999_000),
            window: "month".into(),
            in_hours: false,
            from: at("2026-09-30T22:00:00Z"),
            until: at("2026-10-31T22:00:00Z"),
            is_over: true,
            unit: "minutes".into(),
            good,
            bad,
            unknown,
            lower: share(good, all),
            upper: share(good + unknown, all),
            coverage: share(good + bad, all),
            is_exact: true,
        },
        result,
        credit: is_owed.then(|| Share::from_ppm(100_000)),
        credit_at_worst: is_owed.then(|| Share::from_ppm(250_000)),
        excluded: 60,
    }
}

fn trend() -> Vec<TrendPoint> {
    let point = |text: &str, ppm: Option<u32>, result| TrendPoint {
        month: month(text),
        result,
        lower: ppm.map(|ppm| f64::from(ppm) / 1e6),
        upper: ppm.map(|ppm| f64::from(ppm + 200) / 1e6),
    };
    vec![
        point("2026-07", None, None),
        point("2026-08", Some(999_400), Some(Reached::Met)),
        point("2026-09", Some(998_900), Some(Reached::NotProven)),
        point("2026-10", Some(994_600), Some(Reached::Missed)),
    ]
}

fn service(name: &str, title: &str) -> ServiceReport {
    let runs = |pass, fail| RunsAnswer { pass, fail, void: 40, missed: 8 };
    let latency = Spread { p50_us: Some(412_000), p95_us: Some(1_230_000), runs: 44_000 };
    let site =
        |site: &str, fail| SiteReport { site: site.into(), pass: 22_000, fail, void: 20, latency };
    let day = |day: u64| DayFigures {
        failed: (day != 9).then_some(if day == 17 { 230 } else { day % 3 }),
        p50_us: (day != 9).then(|| 400_000 + i64::try_from(day).unwrap() * 1_000),
        p95_us: (day != 9).then_some(1_200_000),
    };
    ServiceReport {
        name: name.into(),
        title: title.into(),
        owner: "Team Mail".into(),
        up_minutes: 44_400,
        down_minutes: 200,
        unknown_minutes: 40,
        runs: runs(88_000, 260),
        round_trips: runs(44_000, 230),
        latency,
        agreements: Vec::new(),
        sites: vec![site("durban", 230), site("Кейптаун · Αθήνα", 0)],
        spent_by: vec![SpentByAnswer {
            voice: "durban".into(),
            check: "mail-in".into(),
            phase: "auth".into(),
            class: "permanent".into(),
            failures: 230,
        }],
        days: (0..31).map(day).collect(),
    }
}

fn incident(number: u64, headline: &str, cost: Option<u64>) -> IncidentReport {
    IncidentReport {
        number,
        kind: Kind::Outage,
        severity: Severity::Major,
        state: State::Verified,
        headline: headline.into(),
        scope: "it fails from Durban only".into(),
        began_at: at("2026-10-18T09:00:00Z"),
        opened_at: at("2026-10-18T09:01:30Z"),
        acknowledged_at: Some(at("2026-10-18T09:05:00Z")),
        resolved_at: Some(at("2026-10-18T12:20:00Z")),
        ended_at: Some(at("2026-10-18T12:20:00Z")),
        is_security: false,
        is_carried_over: false,
        users: 120,
        cost: vec![ServiceCost {
            service: "mail-durban".into(),
            down_minutes: cost,
            unknown_minutes: cost.map(|_| 0),
        }],
    }
}

fn finding(subject: &str, rule: &str, severity: &str, evidence: &str) -> FindingLine {
    FindingLine {
        subject: subject.into(),
        check: "posture".into(),
        rule: rule.into(),
        severity: severity.into(),
        evidence: evidence.into(),
        advice: "publish one".into(),
        source: "RFC 9989 section 4".into(),
        seen_from: 3,
    }
}

fn feedback() -> FeedbackReport {
    let of = |text: &str, satisfied| FeedbackMonth {
        month: month(text),
        satisfaction: Satisfaction {
            answers: 200,
            satisfied,
            scores: [2, 3, 195 - satisfied, 100, satisfied - 100],
        },
        tickets: TicketFigures {
            opened: 40,
            resolved: 38,
            within_24h: 31,
            within_48h: 36,
            undecided_24h: 0,
            undecided_48h: 0,
            median_s: Some(5_400),
        },
    };
    let months = vec![of("2026-09", 190), of("2026-10", 176)];
    FeedbackReport { of_services: [("mail-durban".to_owned(), months.clone())].into(), months }
}

fn subject() -> SubjectAnswer {
    SubjectAnswer {
        service: Some("mail-durban".into()),
        what: "imap.quota.storage.used".into(),
        check: Some("box".into()),
        vantage_point: Some("hq".into()),
        unit: "bytes".into(),
        days: 90,
        last_day: Some(jiff::civil::date(2026, 11, 3)),
        last: Some(8_500_000_000),
        limit: Some(10_000_000_000),
        yearly_ppm: Some([300_000, 410_000, 520_000]),
        planned: Share::from_ppm(100_000),
        outlook: Outlook::Reaches {
            day: Some(jiff::civil::date(2027, 3, 2)),
            earliest: jiff::civil::date(2027, 2, 10),
            latest: None,
        },
    }
}

/// October of two services.
pub(crate) fn october() -> ReportAnswer {
    let mut durban = service("mail-durban", "Mail in Durban");
    let excluded = vec![ExcludedAnswer {
        from: at("2026-10-17T21:30:00Z"),
        until: at("2026-10-17T22:30:00Z"),
        kind: Exclusion::Maintenance,
        reason: "new discs".into(),
        number: 4,
        count: 60,
    }];
    durban.agreements = vec![
        AgreementReport {
            kept: kept("uptime", (44_400, 200, 40), Reached::Missed),
            excluded,
            trend: trend(),
        },
        AgreementReport {
            kept: kept("delivery", (44_620, 10, 10), Reached::Met),
            excluded: Vec::new(),
            trend: Vec::new(),
        },
    ];
    ReportAnswer {
        month: month("2026-10"),
        time_zone: "Africa/Johannesburg".into(),
        from: at("2026-09-30T22:00:00Z"),
        until: at("2026-10-31T22:00:00Z"),
        made_at: at("2026-11-04T06:00:00Z"),
        is_over: true,
        is_kept: true,
        only: Vec::new(),
        services: vec![durban, service("mail-cape", "Mail <b>in</b> |Cape|")],
        incidents: vec![
            incident(17, "Mail in Durban: auth: permanent", Some(200)),
            incident(18, "=cmd|' /C calc'!A0 <script>alert(1)</script>", None),
        ],
        posture: Some(PostureReport {
            looked_at: 4,
            findings: vec![
                finding("example.org", "dmarc_none", "critical", "v=DMARC1; p=none <img src=x>"),
                finding("example.org", "mta_sts_testing", "warning", "mode: testing"),
            ],
            looked_back_to: None,
        }),
        capacity: vec![subject()],
        feedback: Some(feedback()),
    }
}
