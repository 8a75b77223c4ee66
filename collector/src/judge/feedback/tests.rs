use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn answer(id: &str, at: Timestamp, score: u8, service: Option<&str>) -> SurveyAnswer {
    SurveyAnswer { id: id.into(), at, score, service: service.map(str::to_owned) }
}

fn ticket(id: &str, hours: Option<i64>) -> Ticket {
    let opened_at = at("2026-10-30T00:00:00Z");
    let resolved_at = hours.map(|hours| opened_at + SignedDuration::from_hours(hours));
    Ticket { id: id.into(), opened_at, resolved_at, service: None }
}

#[test]
fn what_comes_later_under_an_id_stands() {
    let october = at("2026-10-01T00:00:00Z")..at("2026-11-01T00:00:00Z");
    let mut feedback = Feedback::default();
    assert!(feedback.is_empty());
    let answers = vec![
        answer("a", at("2026-10-02T00:00:00Z"), 5, None),
        answer("b", at("2026-10-03T00:00:00Z"), 4, Some("mail")),
        answer("c", at("2026-10-04T00:00:00Z"), 1, Some("mail")),
        answer("d", at("2026-11-01T00:00:00Z"), 1, None),
    ];
    feedback.apply(&FeedbackAction::Answers(answers.clone()));
    feedback.apply(&FeedbackAction::Answers(answers));
    let all = feedback.satisfaction(&october, &[]);
    let expected = Satisfaction { answers: 3, satisfied: 2, scores: [1, 0, 0, 1, 1] };
    assert_eq!(all, expected);
    assert_eq!(feedback.satisfaction(&october, &["mail".into()]).answers, 2);
    let moved = vec![answer("c", at("2026-11-04T00:00:00Z"), 3, None)];
    feedback.apply(&FeedbackAction::Answers(moved));
    assert_eq!(feedback.satisfaction(&october, &[]).answers, 2);
    assert!(feedback.has_answer("c") && !feedback.has_answer("e"));
}

#[test]
fn tickets_by_how_long_they_took() {
    let october = at("2026-10-01T00:00:00Z")..at("2026-11-01T00:00:00Z");
    let mut feedback = Feedback::default();
    let tickets = [("a", Some(24)), ("b", Some(25)), ("c", Some(49)), ("d", None), ("e", Some(0))];
    let tickets = tickets.map(|(id, hours)| ticket(id, hours)).to_vec();
    feedback.apply(&FeedbackAction::Tickets(tickets));
    let late = feedback.tickets(&october, &[], at("2026-11-10T00:00:00Z"));
    let expected = TicketFigures {
        opened: 5,
        resolved: 4,
        within_24h: 2,
        within_48h: 3,
        median_s: Some(24 * 3_600),
        ..TicketFigures::default()
    };
    assert_eq!(late, expected);
    let early = feedback.tickets(&october, &[], at("2026-10-31T12:00:00Z"));
    assert_eq!((early.resolved, early.undecided_24h, early.undecided_48h), (3, 0, 2));
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let now = at("2026-11-01T00:00:00Z");
    let answers = FeedbackAction::Answers(vec![
        answer("a", now, 0, None),
        answer("", at("2026-11-01T00:00:01Z"), 5, Some("gone")),
    ]);
    let wrong = answers.check(now, |name| name == "mail").unwrap_err();
    insta::assert_snapshot!(wrong.iter().map(|it| format!("{it}\n")).collect::<String>(), @r#"
    a: a score is a whole number from 1 (very dissatisfied) to 5 (very satisfied), not 0
    "" cannot be an id: write 1 to 64 characters, none of them a control character
    : 2026-11-01T00:00:01Z is yet to come
    : there is no service called gone: see `mailsonde-collector services`
    "#);
    let tickets = FeedbackAction::Tickets(vec![ticket("t", Some(-1))]);
    let wrong = tickets.check(now, |_| true).unwrap_err();
    assert_eq!(wrong, [FeedbackError::Backwards("t".into())]);
    let many = FeedbackAction::Tickets(vec![ticket("t", None); MOST_AT_ONCE + 1]);
    assert_eq!(many.check(now, |_| true).unwrap_err(), [FeedbackError::Many]);
}

#[test]
fn the_oldest_go_first() {
    let mut kept = Kept::<SurveyAnswer>::default();
    let first = at("2026-10-01T00:00:00Z");
    for number in 0..=MOST {
        let seconds = i64::try_from(number).unwrap();
        let it = answer(&number.to_string(), first + SignedDuration::from_secs(seconds), 3, None);
        kept.put((&it.id, &it), |it| it.at);
    }
    assert_eq!((kept.all.len(), kept.by_time.len()), (MOST, MOST));
    assert!(!kept.all.contains_key("0") && kept.all.contains_key("1"));
}
