use super::*;
use crate::judge::definition::Service;
use crate::judge::incident::sample::{minute, outage, outage_over};
use crate::judge::incident::{Estimate, Kind, Scope};

fn definitions() -> Definitions {
    let mut mail = Service::of_check("mail-kzn", "round-trip");
    mail.owner = "mail team".into();
    Definitions {
        time_zone: Some("Africa/Johannesburg".into()),
        instead: "as long as mail does not work, call the service desk: 031 555 0100".into(),
        services: vec![mail],
        ..Definitions::default()
    }
}

/// What is said at a minute; without having been told before.
fn said(incident: &Incident, audience: Audience, moment: Moment, at: i64) -> String {
    said_by(&Templates::default(), incident, (audience, moment), (at, None))
}

fn said_by(
    templates: &Templates,
    incident: &Incident,
    (audience, moment): (Audience, Moment),
    (at, told): (i64, Option<i64>),
) -> String {
    let definitions = definitions();
    let about = About {
        definitions: &definitions,
        templates,
        now: minute(at, 0),
        told_at: told.map(|told| minute(told, 0)),
        next_at: Some(minute(at + 30, 0)),
    };
    let Draft { subject, text, remarks } = draft(incident, &about, audience, moment);
    let remarks: String = remarks.iter().map(|remark| format!("({remark})\n")).collect();
    format!("{subject}\n\n{text}{remarks}")
}

#[test]
fn users_are_told_what_does_not_work_and_what_to_do() {
    let (users, first) = (Audience::Users, Moment::First);
    insta::assert_snapshot!(said(&outage(), users, first, 10), @"");
    let update = (users, Moment::Update);
    insta::assert_snapshot!(
        said_by(&Templates::default(), &outage_over(), update, (33, Some(6))), @""
    );
    insta::assert_snapshot!(said(&outage_over(), users, Moment::AllClear, 40), @"");
}

#[test]
fn managers_are_told_who_is_on_it_and_until_when() {
    let mut it = outage();
    insta::assert_snapshot!(said(&it, Audience::Management, Moment::First, 4), @"");
    let by = "user ann".to_owned();
    it.estimate = Some(Estimate { at: minute(20, 0), recovered_at: Some(minute(50, 0)), by });
    let update = (Audience::Management, Moment::Update);
    insta::assert_snapshot!(said_by(&Templates::default(), &it, update, (21, Some(4))), @"");
    insta::assert_snapshot!(said(&outage_over(), Audience::Management, Moment::AllClear, 40), @"");
}

#[test]
fn technicians_are_told_what_is_known() {
    insta::assert_snapshot!(said(&outage(), Audience::Technical, Moment::First, 4), @"");
    let update = (Audience::Technical, Moment::Update);
    insta::assert_snapshot!(said_by(&Templates::default(), &outage_over(), update, (37, Some(6))), @"");
    insta::assert_snapshot!(said(&outage_over(), Audience::Technical, Moment::AllClear, 40), @"");
}

#[test]
fn a_status_page_is_one_or_two_sentences() {
    let told = |incident: &Incident, moment| said(incident, Audience::Public, moment, 40);
    insta::assert_snapshot!(told(&outage(), Moment::First), @"");
    insta::assert_snapshot!(told(&outage_over(), Moment::Update), @"");
    insta::assert_snapshot!(told(&outage_over(), Moment::AllClear), @"");
}

#[test]
fn what_nobody_knows_is_not_told_as_down() {
    let mut it = outage();
    (it.kind, it.services) = (Kind::Silence, [].into());
    it.scope = Scope::Branch { site: "durban".into() };
    insta::assert_snapshot!(said(&it, Audience::Users, Moment::First, 10), @"");
    it = outage_over();
    it.kind = Kind::Silence;
    insta::assert_snapshot!(said(&it, Audience::Public, Moment::AllClear, 40), @"");
}

#[test]
fn a_time_is_claimed_only_where_it_is_known() {
    let by = || "ann".to_owned();
    let mut it = outage();
    let expected = |it: &Incident| {
        let told = said(it, Audience::Public, Moment::Update, 40);
        told.trim().rsplit("; we are working on it. ").next().unwrap_or_default().to_owned()
    };
    assert_eq!(
        expected(&it),
        "When it will work again is not known yet: it lasts longer than usual (the one before of this sort lasted \
         25 min)."
    );
    it.estimate = Some(Estimate { at: minute(20, 0), recovered_at: Some(minute(35, 0)), by: by() });
    assert_eq!(
        expected(&it),
        "It was expected to work again by 14:35; that has passed, and a new time is not known yet."
    );
    it.estimate = Some(Estimate { at: minute(20, 0), recovered_at: None, by: by() });
    assert_eq!(expected(&it), "When it will work again is not known yet.");
    it.estimate =
        Some(Estimate { at: minute(20, 0), recovered_at: Some(minute(24 * 60, 0)), by: by() });
    assert_eq!(expected(&it), "It is expected to work again by 14:00 on 24 November.");
}

#[test]
fn an_all_clear_before_its_time_is_remarked() {
    let told = said(&outage(), Audience::Users, Moment::AllClear, 10);
    assert!(told.contains("(incident 7 is acknowledged: runs have yet to show"), "{told}");
}

#[test]
fn an_operators_template_takes_the_place_and_a_broken_one_does_not() {
    let first = (Audience::Users, Moment::First);
    let of = |source: &str| {
        let mut templates = Templates::default();
        templates.put("users-first.txt", source.to_owned());
        said_by(&templates, &outage(), first, (10, None))
    };
    assert_eq!(
        of("Störung: {{ what }}\n\n{{ what }} geht nicht seit {{ since }}.\n"),
        "Störung: Mail in KwaZulu\n\nMail in KwaZulu geht nicht seit 14:02.\n"
    );
    for (source, words) in [
        ("a\n\n{{ sinc }}\n", "(templates/users-first.txt:3: undefined value"),
        ("a\n{% if %}\n", "(templates/users-first.txt:2: syntax error"),
        ("a\n\n\n{{ what|shout }}", "(templates/users-first.txt:4: unknown filter"),
        (" \n", "(templates/users-first.txt: it makes no text"),
        (
            "{% for a in range(9000) %}{% for b in range(9000) %}xxxx{% endfor %}{% endfor %}",
            "(templates/users-first.txt: it makes more than 64 KiB of text",
        ),
    ] {
        let told = of(source);
        assert!(told.contains(words), "{source}: {told}");
        assert!(told.contains("call the service desk: 031 555 0100"), "{told}");
    }
}

#[test]
fn the_built_in_templates_know_every_incident() {
    let mut bare = outage();
    (bare.services, bare.places, bare.timeline) = ([].into(), Vec::new(), Vec::new());
    for incident in [outage(), outage_over(), bare.clone()] {
        for kind in [Kind::Outage, Kind::Flapping, Kind::Silence, Kind::Burn] {
            let incident = Incident { kind, ..incident.clone() };
            for moment in Moment::ALL {
                for audience in Audience::ALL {
                    let told = said(&incident, audience, moment, 40);
                    let lines = told.lines().count();
                    assert!(lines >= 3 && !told.contains("  at "), "{told}");
                    assert!(!told.contains("\n\n\n"), "{audience:?} {moment:?} {told}");
                }
            }
        }
    }
}
