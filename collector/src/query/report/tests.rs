use super::sample::october;
use super::*;
use crate::judge::incident::Kind;
use crate::judge::objective::Reached;

#[test]
fn a_month_in_few_figures() {
    let mut report = october();
    let summary = report.summary();
    let counted = (summary.result, summary.met, summary.missed, summary.not_proven);
    assert_eq!(counted, (Some(Reached::Missed), 1, 1, 0));
    let months: Vec<_> = summary.trend.iter().map(|(month, of)| (month.to_string(), *of)).collect();
    let month = |name: &str, of| (name.to_owned(), of);
    let expected = [
        month("2026-07", [0, 0, 0]),
        month("2026-08", [1, 0, 0]),
        month("2026-09", [0, 0, 1]),
        month("2026-10", [0, 1, 0]),
    ];
    assert_eq!(months, expected);
    assert_eq!((summary.cost_minutes, summary.unmeasured, summary.kpi.opened), (200, 1, 2));
    assert_eq!(summary.kpi.to_detect.median_s, Some(90));
    assert_eq!((summary.round_trips.pass, summary.round_trips.fail), (88_000, 460));
    report.incidents[0].kind = Kind::Silence;
    report.incidents[1].is_carried_over = true;
    let summary = report.summary();
    assert_eq!((summary.cost_minutes, summary.kpi.opened), (0, 0), "silence is not mail's");
}

#[test]
fn a_report_of_one_service_is_of_that_alone() {
    let durban = october().only(&["mail-durban".to_owned()]);
    assert_eq!((durban.services.len(), durban.incidents.len(), durban.capacity.len()), (1, 2, 1));
    assert_eq!(durban.summary().round_trips.pass, 44_000);
    assert_eq!(durban.feedback_months().last().unwrap().satisfaction.answers, 200);
    let cape = october().only(&["mail-cape".to_owned()]);
    assert_eq!((cape.services.len(), cape.incidents.len(), cape.capacity.len()), (1, 0, 0));
    assert_eq!((cape.summary().result, cape.feedback_months().len()), (None, 0));
    assert_eq!(october().only(&[]), october());
}

#[test]
fn a_report_is_kept_to_the_last_digit() {
    let bytes = serde_json::to_vec(&october()).unwrap();
    let read: ReportAnswer = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(serde_json::to_vec(&read).unwrap(), bytes);
}
