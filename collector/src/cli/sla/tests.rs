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
    insta::assert_snapshot!(shown(&answer, &plain(160)), @r#"
    service  agreement  promised       window  result      reached             left out  credit
    mail     gold       uptime 99.9 %  month   not proven  99.82 % to 99.95 %    60 min  up to 10 %
    "#);
}

#[test]
fn an_agreement_is_explained_step_by_step() {
    let answer = ExplainAnswer {
        time_zone: "UTC".into(),
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
    insta::assert_snapshot!(explained(&answer, &plain(160)), @r"
    gold of mail for ACME: uptime 99.9 %, from 2026-10-01 00:00 to 2026-11-01 00:00 (UTC)
    counted      44580 minutes: 44500 good, 20 bad, 60 unknown
    left out     60 min
    runs         89000 passed, 50 failed, 10 void, 100 missed
    at least     44500 / 44580 = 99.82 %
    at most      44560 / 44580 = 99.95 %
    promised     99.9 %: at most 44 minutes may be bad
    result       not proven
    credit       up to 10 %

    left out from     until             counts  because of     reason
    2026-10-10 22:00  2026-10-10 23:00      60  maintenance 3  new disks

    from              until             minutes  state
    2026-10-07 10:00  2026-10-07 10:20       20  down

    voice   check  failed at  as         runs
    durban  mail   auth       permanent    50

    there is more than fits: `mailsonde-collector export` has all of it
    ");
    // the worked example of the book is this one
    let page = include_str!("../../../../deploy/book/src/sla.md");
    assert!(page.contains(explained(&answer, &plain(160)).trim()));
}
