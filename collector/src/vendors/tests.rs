//! Bodies as vendors publish them.

use mailsonde_proto::WallTime;

use super::*;

/// 2026-11-29 14:00 UTC.
const NOW: WallTime = WallTime::from_s(1_795_960_800);

/// As `GET /v1.0/admin/serviceAnnouncement/healthOverviews?$expand=issues` answers.
const MICROSOFT: &str = r#"{
  "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#admin/serviceAnnouncement/healthOverviews(issues())",
  "value": [
    {
      "service": "Exchange Online", "status": "serviceDegradation", "id": "Exchange",
      "issues": [
        {
          "startDateTime": "2026-11-29T13:10:00Z", "endDateTime": null,
          "lastModifiedDateTime": "2026-11-29T13:44:53.353Z",
          "title": "Some users can't send email messages", "id": "EX1064599",
          "impactDescription": "Users may see an error when they <b>send</b> messages.",
          "classification": "incident", "origin": "microsoft", "status": "serviceDegradation",
          "service": "Exchange Online", "feature": "E-Mail and calendar access",
          "featureGroup": "E-Mail and calendar access", "isResolved": false, "highImpact": null,
          "details": [{ "name": "NotifyInApp", "value": "True" }],
          "posts": [{ "createdDateTime": "2026-11-29T13:20:38.97Z", "postType": "regular",
            "description": { "contentType": "html", "content": "Title: Some users can't send" } }]
        },
        {
          "startDateTime": "2026-11-14T08:15:00Z", "endDateTime": "2026-11-14T09:45:00Z",
          "lastModifiedDateTime": "2026-11-14T11:06:53.353Z", "title": "Was slow", "id": "EX1",
          "impactDescription": "", "classification": "advisory", "origin": "microsoft",
          "status": "serviceRestored", "service": "Exchange Online", "feature": "Access",
          "featureGroup": "Access", "isResolved": true, "details": [], "posts": []
        }
      ]
    },
    {
      "service": "Microsoft Teams", "status": "extendedRecovery", "id": "microsoftteams",
      "issues": [
        { "startDateTime": "2026-11-29T10:00:00Z", "endDateTime": null,
          "lastModifiedDateTime": "2026-11-29T13:59:00Z", "title": "Calls drop", "id": "TM2",
          "impactDescription": "Calls.", "classification": "incident", "origin": "microsoft",
          "status": "extendedRecovery", "service": "Microsoft Teams", "feature": "Calls",
          "featureGroup": "Calls", "isResolved": false, "details": [], "posts": [] }
      ]
    },
    { "service": "Planner", "status": "serviceOperational", "id": "Planner", "issues": [] }
  ]
}"#;

/// As www.google.com/appsstatus/dashboard/incidents.json has them.
const GOOGLE: &str = r#"[
  {
    "id": "9mCv5ZrRmcTsLg5LfTdW", "number": "1795950000000000000",
    "begin": "2026-11-29T12:20:00+00:00", "created": "2026-11-29T12:41:07+00:00",
    "modified": "2026-11-29T13:41:12+00:00",
    "external_desc": "**Title:** Gmail delivery is delayed\n\n**Description:** We are investigating.",
    "updates": [{ "created": "2026-11-29T13:41:07+00:00", "modified": "2026-11-29T13:41:12+00:00",
      "when": "2026-11-29T13:41:07+00:00", "text": "**Summary**\nDelivery is delayed.",
      "status": "SERVICE_DISRUPTION", "affected_locations": [] }],
    "most_recent_update": { "created": "2026-11-29T13:41:07+00:00",
      "modified": "2026-11-29T13:41:12+00:00", "when": "2026-11-29T13:41:07+00:00",
      "text": "**Summary**\nDelivery is delayed.", "status": "SERVICE_DISRUPTION",
      "affected_locations": [] },
    "status_impact": "SERVICE_DISRUPTION", "severity": "medium",
    "service_key": "prPt2Yra2CbGsbEm9cpC", "service_name": "Gmail",
    "affected_products": [{ "title": "Gmail", "id": "prPt2Yra2CbGsbEm9cpC" },
      { "title": "Google Groups", "id": "BXgoDUCzCE1bJKuArLEU" }],
    "uri": "incidents/9mCv5ZrRmcTsLg5LfTdW",
    "currently_affected_locations": [], "previously_affected_locations": []
  },
  {
    "id": "over", "number": "1", "begin": "2026-10-01T12:20:00+00:00",
    "created": "2026-10-01T12:41:07+00:00", "end": "2026-10-01T14:00:00+00:00",
    "modified": "2026-10-01T14:41:12+00:00", "external_desc": "It was down", "updates": [],
    "most_recent_update": { "text": "Solved.", "status": "AVAILABLE" },
    "status_impact": "SERVICE_OUTAGE", "severity": "high", "service_key": "x",
    "service_name": "Gmail", "affected_products": [{ "title": "Gmail", "id": "x" }],
    "uri": "incidents/over"
  }
]"#;

/// As /api/v2/summary.json of a Statuspage answers.
const STATUSPAGE: &str = r#"{
  "page": { "id": "kctbh9vrtdwd", "name": "Mail Relay", "url": "https://status.example.org",
    "time_zone": "Etc/UTC", "updated_at": "2026-11-29T13:00:00.239Z" },
  "components": [{ "id": "b1", "name": "SMTP", "status": "degraded_performance",
    "created_at": "2014-05-03T01:22:07.274Z", "updated_at": "2026-11-29T13:00:00.274Z",
    "position": 1, "description": null, "showcase": false, "group_id": null, "page_id": "kctbh9vrtdwd",
    "group": false, "only_show_if_degraded": false }],
  "incidents": [{ "id": "cp306tmzcl0y", "name": "Delayed delivery", "status": "identified",
    "created_at": "2026-11-29T12:50:00.390Z", "updated_at": "2026-11-29T13:00:00.390Z",
    "monitoring_at": null, "resolved_at": null, "impact": "minor",
    "shortlink": "https://stspg.io/cp306tmzcl0y", "started_at": "2026-11-29T12:45:00.000Z",
    "page_id": "kctbh9vrtdwd",
    "incident_updates": [
      { "id": "u2", "status": "identified", "body": "A full queue was found.",
        "incident_id": "cp306tmzcl0y", "created_at": "2026-11-29T13:00:00.390Z",
        "updated_at": "2026-11-29T13:00:00.390Z", "display_at": "2026-11-29T13:00:00.390Z" },
      { "id": "u1", "status": "investigating", "body": "We look into it.",
        "incident_id": "cp306tmzcl0y", "created_at": "2026-11-29T12:50:00.390Z",
        "updated_at": "2026-11-29T12:50:00.390Z", "display_at": "2026-11-29T12:50:00.390Z" }],
    "components": [{ "id": "b1", "name": "SMTP" }], "reminder_intervals": null }],
  "scheduled_maintenances": [
    { "id": "w1", "name": "New disks", "status": "in_progress", "impact": "maintenance",
      "created_at": "2026-11-20T12:00:00.000Z", "updated_at": "2026-11-29T11:00:00.000Z",
      "scheduled_for": "2026-11-29T11:00:00.000Z", "scheduled_until": "2026-11-29T15:00:00.000Z",
      "shortlink": "https://stspg.io/w1", "incident_updates": [], "components": [] },
    { "id": "w2", "name": "Later", "status": "scheduled", "impact": "maintenance",
      "created_at": "2026-11-20T12:00:00.000Z", "updated_at": "2026-11-20T12:00:00.000Z",
      "scheduled_for": "2026-12-05T11:00:00.000Z", "scheduled_until": "2026-12-05T15:00:00.000Z",
      "shortlink": "https://stspg.io/w2", "incident_updates": [], "components": [] }],
  "status": { "indicator": "minor", "description": "Partially Degraded Service" }
}"#;

/// As a Statuspage's history.rss has it: the latest update first, HTML within.
const RSS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0">
  <channel>
    <title>Mail Relay Status - Incident History</title>
    <link>https://status.example.org</link>
    <description>Statuspage</description>
    <pubDate>Sun, 29 Nov 2026 13:30:00 +0000</pubDate>
    <item>
      <title>Submission is refused</title>
      <description>&lt;p&gt;&lt;small&gt;Nov &lt;var data-var='date'&gt;29&lt;/var&gt;, &lt;var data-var='time'&gt;13:30&lt;/var&gt; UTC&lt;/small&gt;&lt;br&gt;&lt;strong&gt;Monitoring&lt;/strong&gt; - A fix is in place.&lt;/p&gt;&lt;p&gt;&lt;strong&gt;Investigating&lt;/strong&gt; - We look into it.&lt;/p&gt;</description>
      <pubDate>Sun, 29 Nov 2026 13:30:00 +0000</pubDate>
      <link>https://status.example.org/incidents/a1</link>
      <guid>https://status.example.org/incidents/a1</guid>
    </item>
    <item>
      <title>Web is slow</title>
      <description>&lt;p&gt;&lt;strong&gt;Resolved&lt;/strong&gt; - This incident has been resolved.&lt;/p&gt;&lt;p&gt;&lt;strong&gt;Investigating&lt;/strong&gt; - Slow.&lt;/p&gt;</description>
      <pubDate>Sun, 29 Nov 2026 09:00:00 +0000</pubDate>
      <link>https://status.example.org/incidents/a0</link>
      <guid>https://status.example.org/incidents/a0</guid>
    </item>
    <item>
      <title>Old</title>
      <description>&lt;strong&gt;Investigating&lt;/strong&gt; - and never closed</description>
      <pubDate>Sun, 01 Nov 2026 09:00:00 +0000</pubDate>
      <link>https://status.example.org/incidents/a-1</link>
      <guid>https://status.example.org/incidents/a-1</guid>
    </item>
  </channel>
</rss>"#;

const ATOM: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<feed xml:lang="en-US" xmlns="http://www.w3.org/2005/Atom">
  <id>tag:status.example.org,2005:/history</id>
  <title>Line Status</title>
  <updated>2026-11-29T13:50:00Z</updated>
  <entry>
    <id>tag:status.example.org,2005:Incident/7</id>
    <published>2026-11-29T13:40:00Z</published>
    <updated>2026-11-29T13:50:00Z</updated>
    <link rel="alternate" type="text/html" href="https://status.example.org/incidents/7"/>
    <title>Fibre cut in Durban</title>
    <content type="html">&lt;p&gt;A digger. &lt;script&gt;alert(1)&lt;/script&gt;&lt;/p&gt;</content>
  </entry>
</feed>"#;

fn shown(published: Result<Vec<Published>, NotItsForm>, only: &[&str]) -> String {
    let only: Vec<String> = only.iter().map(|it| (*it).to_owned()).collect();
    let line = |it: &Announcement| {
        let since = it.since.map(|at| at.to_string()).unwrap_or_default();
        let link = it.link.clone().unwrap_or_default();
        format!("{}: {}\n  {since} {link}\n  {}\n", it.id, it.in_words(), it.text)
    };
    kept(published.unwrap(), &only).iter().map(line).collect()
}

#[test]
fn each_vendors_form_is_read_and_only_what_is_not_over() {
    insta::assert_snapshot!(shown(microsoft::read(MICROSOFT.as_bytes()), &["Exchange Online"]), @r"
    EX1064599: Exchange Online: Some users can't send email messages (serviceDegradation)
      2026-11-29T13:10:00Z https://admin.microsoft.com/Adminportal/Home#/servicehealth/:/alerts/EX1064599
      Users may see an error when they send messages.
    ");
    insta::assert_snapshot!(shown(google::read(GOOGLE.as_bytes()), &["Gmail"]), @r"
    9mCv5ZrRmcTsLg5LfTdW: Gmail delivery is delayed (SERVICE_DISRUPTION)
      2026-11-29T12:20:00Z https://www.google.com/appsstatus/dashboard/incidents/9mCv5ZrRmcTsLg5LfTdW
      Summary Delivery is delayed.
    ");
    insta::assert_snapshot!(shown(statuspage::read(STATUSPAGE.as_bytes()), &[]), @r"
    cp306tmzcl0y: SMTP: Delayed delivery (identified)
      2026-11-29T12:45:00Z https://stspg.io/cp306tmzcl0y
      A full queue was found.
    w1: New disks (maintenance in progress)
      2026-11-29T11:00:00Z https://stspg.io/w1
    ");
    insta::assert_snapshot!(shown(feed::read(RSS.as_bytes(), NOW), &[]), @r"
    https://status.example.org/incidents/a1: Submission is refused (monitoring)
      2026-11-29T13:30:00Z https://status.example.org/incidents/a1
      Nov 29 , 13:30 UTC Monitoring - A fix is in place. Investigating - We look into it.
    ");
    insta::assert_snapshot!(shown(feed::read(ATOM.as_bytes(), NOW), &[]), @r"
    tag:status.example.org,2005:Incident/7: Fibre cut in Durban
      2026-11-29T13:40:00Z https://status.example.org/incidents/7
      A digger. alert(1)
    ");
}

#[test]
fn only_what_matters_is_kept_the_latest_first_and_not_too_much() {
    let ids = |only: &[&str]| {
        let only: Vec<String> = only.iter().map(|it| (*it).to_owned()).collect();
        let kept = kept(microsoft::read(MICROSOFT.as_bytes()).unwrap(), &only);
        kept.into_iter().map(|it| it.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&[]), ["TM2", "EX1064599"]);
    assert_eq!(ids(&["Exchange*"]), ["EX1064599"]);
    assert_eq!(ids(&["Planner"]), Vec::<String>::new());
    let one = |number: usize| Published {
        id: (number % 500).to_string(),
        title: "x".repeat(100_000),
        about: vec![number.to_string()],
        ..Published::default()
    };
    let many = kept((0..1_000).map(one).collect(), &[]);
    assert_eq!((many.len(), many[0].about.as_str()), (MOST, "0, 500"), "one of two services");
    let kept = many;
    assert_eq!(kept.len(), MOST);
    assert_eq!(kept[0].title.chars().count(), 160);
}

#[test]
fn what_is_no_such_form_is_an_error_and_never_quiet() {
    for body in ["", "<html>sign in</html>", "{}", "null", "[1]", "{\"value\": 3}"] {
        assert!(microsoft::read(body.as_bytes()).is_err(), "{body}");
        assert!(google::read(body.as_bytes()).is_err(), "{body}");
        assert!(feed::read(body.as_bytes(), NOW).is_err(), "{body}");
        assert!(statuspage::read(body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn a_feeds_entry_says_how_far_it_is() {
    let entry = |title: &str, text: &str| {
        format!(
            "<rss version=\"2.0\"><channel><title>t</title><item><title>{title}</title>\
             <description>{text}</description><pubDate>Sun, 29 Nov 2026 13:30:00 +0000</pubDate>\
             </item></channel></rss>"
        )
    };
    for (title, text, expected) in [
        ("Slow", "Investigating - it is slow. Earlier: Resolved", Some("investigating")),
        ("Slow", "Resolved - over. Earlier: Investigating", None),
        ("[Resolved] Slow", "Investigating", None),
        ("Service is operating normally: slow", "x", None),
        ("Outage in Durban", "A digger.", Some("outage")),
        ("Power", "A digger.", Some("")),
        ("Upgrade", "Scheduled for Sunday", None),
        ("Upgrade", "In progress - Scheduled work", Some("in progress")),
    ] {
        let read = feed::read(entry(title, text).as_bytes(), NOW).unwrap();
        let states: Vec<_> = read.iter().map(|it| it.state.as_str()).collect();
        assert_eq!(states, expected.into_iter().collect::<Vec<_>>(), "{title}: {text}");
    }
}

#[test]
fn a_page_is_asked_for_its_summary() {
    for (page, summary) in [
        ("https://status.example.org", "https://status.example.org/api/v2/summary.json"),
        ("https://status.example.org/", "https://status.example.org/api/v2/summary.json"),
        ("https://a/api/v2/summary.json", "https://a/api/v2/summary.json"),
    ] {
        assert_eq!(statuspage::summary(&page.parse().unwrap()).as_str(), summary);
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        microsoft::read(&bytes).ok();
        google::read(&bytes).ok();
        statuspage::read(&bytes).ok();
        feed::read(&bytes, NOW).ok();
    }
}
