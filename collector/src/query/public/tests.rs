use super::samples::{MARKER, answer, answer_by, config, seen, sites, talkative};
use super::*;
use crate::judge::draft::Audience;
use crate::query::status::samples::{status, up, vantage};

#[test]
fn services_are_told_by_sites_and_counts() {
    let answer = answer();
    let [mail, webmail] = &answer.services[..] else { panic!("two") };
    assert_eq!(
        (mail.title.as_str(), mail.state, mail.places),
        ("Mail in KwaZulu", PublicState::Down, 4)
    );
    assert_eq!(mail.fails_at.in_words(), "durban and richards-bay");
    assert_eq!(mail.unknown_at.in_words(), "one place");
    assert!(mail.is_in_maintenance);
    assert_eq!((webmail.title.as_str(), webmail.state), ("Webmail", PublicState::Unknown));
    assert_eq!(answer.state, PublicState::Down);
    assert_eq!(answer.sites, sites());
}

#[test]
fn what_was_really_said_comes_first() {
    let answer = answer();
    let [open] = &answer.incidents[..] else { panic!("{:?}", answer.incidents) };
    insta::assert_snapshot!(serde_json::to_string_pretty(open).unwrap(), @r#"
    {
      "number": 7,
      "progress": "worked_on",
      "services": [
        "Mail in KwaZulu"
      ],
      "headline": "Mail in KwaZulu does not work at durban and richards-bay",
      "text": "Mail in KwaZulu has not worked at durban and richards-bay since 14:02; we are working on it. It is expected to work again by 17:20.",
      "was": "Mail in KwaZulu did not work at durban and richards-bay",
      "began_at": "2026-11-23T12:02:00Z",
      "noticed_at": "2026-11-23T12:02:09Z",
      "ended_at": null,
      "instead": [
        "call the service desk: 031 555 0100"
      ],
      "updates": [
        {
          "at": "2026-11-23T12:05:00Z",
          "title": "Somebody has taken it on",
          "text": ""
        },
        {
          "at": "2026-11-23T12:04:03Z",
          "title": "Mail in KwaZulu does not work",
          "text": "We have found a broken disk and are replacing it."
        }
      ]
    }
    "#);
    let past: Vec<_> = answer.past_incidents.iter().map(|it| (it.number, it.progress)).collect();
    assert_eq!(past, [(4, Progress::Over), (3, Progress::Over)]);
}

#[test]
fn maintenance_is_told_in_words_for_users() {
    let answer = answer();
    let told: Vec<_> = answer
        .maintenance
        .iter()
        .map(|it| (it.title.as_str(), it.text.as_str(), it.is_running))
        .collect();
    let words = "Mail in Durban\nmay be slow";
    assert_eq!(
        told,
        [
            ("Maintenance of Mail in KwaZulu", words, true),
            ("Maintenance of Mail in KwaZulu at durban", words, false)
        ]
    );
    let calendar: icalendar::Calendar = answer.calendar.parse().unwrap();
    assert_eq!(calendar.events().count(), 2);
    assert!(
        calendar.get_name().is_some_and(|name| name.contains("Example")),
        "{}",
        answer.calendar
    );
}

#[test]
fn nothing_internal_is_told_whatever_templates_tell() {
    for templates in [Templates::default(), talkative()] {
        let answer = answer_by(&templates);
        let json = serde_json::to_string(&answer).unwrap();
        for text in [&json, &answer.calendar] {
            let at = text.find(MARKER).map(|at| text.get(at.saturating_sub(120)..at + 20));
            assert_eq!(at, None);
        }
    }
    // and the marker is in what it was made of
    assert!(serde_json::to_string(&seen()).unwrap().contains(MARKER));
}

#[test]
fn a_server_is_told_by_site() {
    let answer = answer();
    let imap = &answer.mail_clients[0].servers[1];
    assert_eq!((imap.protocol.as_str(), imap.state), ("imap", PublicState::Partly));
    assert_eq!((imap.places, imap.fails_at.count(), imap.unknown_at.count()), (4, 2, 1));
    use PublicState::{Down, Works};
    let by_site: Vec<_> =
        imap.by_site.iter().map(|(site, state)| (site.as_str(), *state)).collect();
    assert_eq!(by_site, [("cape", Works), ("durban", Down), ("richards-bay", Down)]);
}

#[test]
fn without_anybody_who_looks_nobody_knows() {
    let (config, none) = (config(), Templates::default());
    let chronicle = Chronicle::default();
    for seen in [status(Vec::new()), status(vec![vantage("one", Some(up()))])] {
        let known = Known::new(&config, &chronicle, &none, seen.now.into());
        let checks = BTreeMap::new();
        let read = Read { status: &seen, incidents: &[], notices: &[], checks: &checks };
        let answer = known.answer(&read, &mut PastKept::default());
        assert_eq!(answer.state, PublicState::Unknown);
        assert!(answer.services.iter().all(|it| it.state == PublicState::Unknown));
    }
    let sites = Sites { named: vec!["a".into()], more: 2 };
    assert_eq!(sites.in_words(), "a and 2 more places");
    assert_eq!(Audience::ALL.len(), 4, "who is told: think of what everybody may read");
}
