use super::*;
use crate::cli::terminal::plain;
use crate::judge::definition::{Exclusion, Voiced};
use crate::judge::objective::Reached;
use crate::query::sla::{ExcludedAnswer, RunsAnswer, SpentByAnswer, StretchAnswer};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn agreement() -> AgreementAnswer {
    AgreementAnswer {
        agreement: "gold".into(),
        customer: "ACME".into(),
        service: "mail".into(),
        figure: FigureAnswer {
            indicator: "uptime".into(),
            within_us: None,
            target: "99.9%".parse().unwrap(),
            window: "month".into(),
            in_hours: false,
            from: at("2026-10-01T00:00:00Z"),
            until: at("2026-11-01T00:00:00Z"),
            is_over: true,
            unit: "minutes".into(),
            good: 44_500,
            bad: 20,
            unknown: 60,
            lower: Some(0.998_205_473),
            upper: Some(0.999_551_368),
            coverage: Some(0.998_654_105),
            is_exact: true,
        },
        result: Reached::NotProven,
        credit: None,
        credit_at_worst: Some("10%".parse().unwrap()),
        excluded: 60,
    }
}

#[test]
fn agreements_are_lines() {
    let agreements = vec![agreement()];
    let answer = SlaAnswer { now: at("2026-11-29T00:00:00Z"), time_zone: "UTC".into(), agreements };
    insta::assert_snapshot!(shown(&answer, &plain(160)), @"");
}

#[test]
fn an_agreement_is_explained_step_by_step() {
    let answer = ExplainAnswer {
        agreement: agreement(),
        allowed: 44,
        runs: RunsAnswer { pass: 89_000, fail: 50, void: 10, missed: 100 },
        stretches: vec![StretchAnswer {
            from: at("2026-10-07T10:00:00Z"),
            until: at("2026-10-07T10:20:00Z"),
            minutes: 20,
            state: Voiced::Down,
        }],
        excluded: vec![ExcludedAnswer {
            from: at("2026-10-10T22:00:00Z"),
            until: at("2026-10-10T23:00:00Z"),
            kind: Exclusion::Maintenance,
            reason: "new disks".into(),
            number: 3,
            count: 60,
        }],
        spent_by: vec![SpentByAnswer {
            voice: "durban".into(),
            check: "mail".into(),
            phase: "auth".into(),
            class: "permanent".into(),
            failures: 50,
        }],
        observations: Vec::new(),
        is_cut: true,
    };
    insta::assert_snapshot!(explained(&answer, &plain(160)), @"");
}
