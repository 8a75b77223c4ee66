use super::*;
use crate::judge::definition::Service;
use crate::judge::incident::sample::{minute, outage, outage_over};
use crate::judge::incident::{Estimate, Kind, Scope};

fn definitions() -> Definitions {
    let mut mail = Service::of_check("mail-kzn", "round-trip");
    mail.owner = "mail team".into();
    Definitions {
        time_zone: Some("Africa/Johannesburg".into()),
        instead: "call the service desk: 031 555 0100".into(),
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
    insta::assert_snapshot!(said(&outage(), users, first, 10), @r"
    Mail in KwaZulu does not work at durban and richards-bay

    Mail in KwaZulu has not worked at durban and richards-bay since 14:02. Mail programs cannot reach the mail system: sending and receiving may fail.

    We are working on it. When it will work again is not known yet; the one before of this sort lasted 25 min, which would be until 14:27.

    What you can do meanwhile:
    - call the service desk: 031 555 0100

    You will hear from us again by 14:40.
    ");
    let update = (users, Moment::Update);
    insta::assert_snapshot!(
        said_by(&Templates::default(), &outage_over(), update, (33, Some(6))), @r"
        Mail in KwaZulu works again, and we are making sure

        Mail in KwaZulu works again as of 14:36; we are making sure that it stays so. Mail in KwaZulu did not work from 14:02 on.

        What is new since 14:06:
        - 14:36: it works again; this is being made sure of
        - 14:38: it works again, and that was made sure of
        "
    );
    insta::assert_snapshot!(said(&outage_over(), users, Moment::AllClear, 40), @r"
    Mail in KwaZulu works again

    Mail in KwaZulu works again as of 14:36. Mail in KwaZulu did not work at durban and richards-bay from 14:02 on, 34 min in all.

    If a message could not be sent meanwhile, please send it again. If something still does not work for you, please tell the service desk.
    ");
}

#[test]
fn managers_are_told_who_is_on_it_and_until_when() {
    let mut it = outage();
    insta::assert_snapshot!(said(&it, Audience::Management, Moment::First, 4), @r"
    Serious disturbance: Mail in KwaZulu does not work at durban and richards-bay

    What: Mail in KwaZulu does not work. Mail programs cannot reach the mail system: sending and receiving may fail.
    For whom: At durban and richards-bay; about 120 people use it.
    Since: 14:02 (2 min)
    Who: somebody is working on it; mail team answers for it.
    Outlook: When it will work again is not known yet; the one before of this sort lasted 25 min, which would be until 14:27.
    Meanwhile: call the service desk: 031 555 0100
    Next word: by 14:34

    Incident 7; times of Africa/Johannesburg.
    ");
    let by = "user ann".to_owned();
    it.estimate = Some(Estimate { at: minute(20, 0), recovered_at: Some(minute(50, 0)), by });
    let update = (Audience::Management, Moment::Update);
    insta::assert_snapshot!(said_by(&Templates::default(), &it, update, (21, Some(4))), @r"
    Serious disturbance, update: Mail in KwaZulu does not work at durban and richards-bay

    What: Mail in KwaZulu does not work. Mail programs cannot reach the mail system: sending and receiving may fail.
    For whom: At durban and richards-bay; about 120 people use it.
    Since: 14:02 (19 min)
    Who: somebody is working on it.
    Outlook: It is expected to work again by 14:50.
    Meanwhile: call the service desk: 031 555 0100
    New since 14:04:
    - 14:05: somebody has taken it on
    Next word: by 14:51

    Incident 7; times of Africa/Johannesburg.
    ");
    insta::assert_snapshot!(said(&outage_over(), Audience::Management, Moment::AllClear, 40), @r"
    All clear: Mail in KwaZulu works again

    What: Mail in KwaZulu did not work at durban and richards-bay.
    When: from 14:02 until 14:36, 34 min in all.
    For whom: about 120 people use it.
    This was made sure of by test mail from everywhere it had failed.
    How it went:
    - 14:02: it was found at more places
    - 14:05: somebody has taken it on
    - 14:36: it works again; this is being made sure of
    - 14:38: it works again, and that was made sure of

    What was learnt follows in the review of incident 7. Times of Africa/Johannesburg.
    ");
}

#[test]
fn technicians_are_told_what_is_known() {
    insta::assert_snapshot!(said(&outage(), Audience::Technical, Moment::First, 4), @r#"
    [7] major: mail: smtp.greeting: temporary: 421 4.3.2: the server is not available ("<script>alert(1)</script> [x](javascript:alert(1)) `a` | b")

    Began 14:02 (2 min ago), state acknowledged.
    Services: Mail in KwaZulu; 120 users; owners: mail team

    it fails in smtp.greeting, as temporary: the server says 'not now'
        the server said: 421 4.3.2 <script>alert(1)</script> [x](javascript:alert(1)) `a` | b
        the server is not available
    fails from 2 of 3 sites
        fails from: durban, richards-bay
        works from: cape
    something changed at the targets in the day before
        11 min before: smtp.greeting of mail, seen from durban-1: Postfix -> <b>Postfix</b>
    it has happened before
        incident 3 of 2026-11-09, lasted 25 min: the disk was full

    What to do:
    1. look at the server's log at that time
    2. look at what changed: take the latest change back, or see that it was meant

    When it will work again is not known yet; the one before of this sort lasted 25 min, which would be until 14:27.
    All of it: mailsonde-collector incidents show 7
    Next word by 14:34.
    Times of Africa/Johannesburg.
    "#);
    let update = (Audience::Technical, Moment::Update);
    insta::assert_snapshot!(said_by(&Templates::default(), &outage_over(), update, (37, Some(6))), @r#"
    [7] major, verified: mail: smtp.greeting: temporary: 421 4.3.2: the server is not available ("<script>alert(1)</script> [x](javascript:alert(1)) `a` | b")

    Began 14:02, lasted 34 min. Works again as of 14:36; runs have shown it.

    Since 14:06:
    14:30  noted by user ann: the disk is full again # not a heading
    14:36  passes: mail from durban-1; mail from richards-bay-1
    14:36  resolved: runs pass from everywhere again
    14:38  verified: passing runs from every vantage point that had failed

    it fails in smtp.greeting, as temporary: the server says 'not now'
        the server said: 421 4.3.2 <script>alert(1)</script> [x](javascript:alert(1)) `a` | b
        the server is not available
    fails from 2 of 3 sites
        failed from: durban, richards-bay
        works from: cape
    something changed at the targets in the day before
        11 min before: smtp.greeting of mail, seen from durban-1: Postfix -> <b>Postfix</b>
    it has happened before
        incident 3 of 2026-11-09, lasted 25 min: the disk was full

    All of it: mailsonde-collector incidents show 7
    Times of Africa/Johannesburg.
    "#);
    insta::assert_snapshot!(said(&outage_over(), Audience::Technical, Moment::AllClear, 40), @r#"
    [7] verified: mail: smtp.greeting: temporary: 421 4.3.2: the server is not available ("<script>alert(1)</script> [x](javascript:alert(1)) `a` | b")

    From 14:02 to 14:36, 34 min; passing runs from everywhere it had failed have shown that it is over.

    Since it began:
    14:02  opened: another vantage point fails too
    14:02  fails: mail fails from durban-1: smtp.greeting: temporary: 421 4.3.2: the server is not available ("<script>alert(1)</script> [x](javascript:alert(1)) `a` | b"); mail fails from richards-bay-1 too
    14:02  scope: fails from 2 of 3 sites
    14:05  acknowledged by user ann: on it | <b>now</b>
    14:30  noted by user ann: the disk is full again # not a heading
    14:36  passes: mail from durban-1; mail from richards-bay-1
    14:36  resolved: runs pass from everywhere again
    14:38  verified: passing runs from every vantage point that had failed

    The review: mailsonde-collector reviews show 7
    Times of Africa/Johannesburg.
    "#);
}

#[test]
fn a_status_page_is_one_or_two_sentences() {
    let told = |incident: &Incident, moment| said(incident, Audience::Public, moment, 40);
    insta::assert_snapshot!(told(&outage(), Moment::First), @r"
    Mail in KwaZulu does not work at durban and richards-bay

    Mail in KwaZulu has not worked at durban and richards-bay since 14:02; we are working on it. When it will work again is not known yet: it lasts longer than usual (the one before of this sort lasted 25 min).
    ");
    insta::assert_snapshot!(told(&outage_over(), Moment::Update), @r"
    Mail in KwaZulu works again

    Mail in KwaZulu works again as of 14:36; we are making sure that it stays so.
    ");
    insta::assert_snapshot!(told(&outage_over(), Moment::AllClear), @r"
    Mail in KwaZulu works again

    Mail in KwaZulu works again as of 14:36. Mail in KwaZulu did not work from 14:02 on, 34 min in all.
    ");
}

#[test]
fn what_nobody_knows_is_not_told_as_down() {
    let mut it = outage();
    (it.kind, it.services) = (Kind::Silence, [].into());
    it.scope = Scope::Branch { site: "durban".into() };
    insta::assert_snapshot!(said(&it, Audience::Users, Moment::First, 10), @r"
    Nobody can tell at the moment whether mail works at durban and richards-bay

    Nobody has been able to tell whether mail works at durban and richards-bay since 14:02. Mail may well work: it is only that nothing measures it there.

    We are working on it. When it will be measured again is not known yet; the one before of this sort lasted 25 min, which would be until 14:27.

    What you can do meanwhile:
    - call the service desk: 031 555 0100

    You will hear from us again by 14:40.
    ");
    it = outage_over();
    it.kind = Kind::Silence;
    insta::assert_snapshot!(said(&it, Audience::Public, Moment::AllClear, 40), @r"
    It can be told again how Mail in KwaZulu works

    It can be told again how Mail in KwaZulu works as of 14:36. Nobody could tell whether Mail in KwaZulu worked from 14:02 on, 34 min in all.
    ");
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
