//! A page to show, for tests: made of everything that there may be, with a marker in whatever is internal.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use mailsonde_proto::{AgentId, Check, WallTime};
use url::Url;

use super::{Known, PastKept, PublicAnswer, PublicDay, Read};
use crate::config::StatusPageConfig;
use crate::config::status_page::{
    MailClientConfig, MailProtocol, MailServerConfig, PageLink, PageService, SignIn, TlsBegins,
};
use crate::judge::chronicle::Chronicle;
use crate::judge::definition::{Definitions, Quorum, Service};
use crate::judge::draft::{Audience, Templates};
use crate::judge::incident::sample::{minute, outage, outage_over};
use crate::judge::incident::{Changed, Estimate, Impact, Incident, Place, Similar};
use crate::judge::message::Occasion;
use crate::judge::planned::{PlannedAction, Scope, WindowPlan};
use crate::judge::telling::{Fate, Notice, canary};
use crate::query::SeriesReading;
use crate::query::StatusAnswer;
use crate::query::status::VantageReading;
use crate::query::status::samples::{check, failing, silent, status, up, vantage};

/// Stands in everything that nobody outside may read.
pub(crate) const MARKER: &str = "xInternalx";

/// Two services, one of which is called otherwise than in services.d, links, and mail programs.
pub(crate) fn config() -> StatusPageConfig {
    let service = |name: &str, title: &str| PageService {
        name: name.into(),
        title: title.into(),
        description: String::new(),
    };
    let server = |protocol: MailProtocol, tls| MailServerConfig {
        protocol,
        host: "mail.example.org".into(),
        port: protocol.usual_port(tls),
        tls,
        sign_in: SignIn::Password,
        checks: vec!["mail".into()],
    };
    StatusPageConfig {
        title: "E-mail at Example & Sons".into(),
        is_public: true,
        services: vec![service("mail-kzn", ""), service("none", "Webmail")],
        contact: "Service desk: 031 555 0100".into(),
        links: vec![PageLink {
            title: "Help with e-mail".into(),
            url: Url::parse("https://help.example.org/mail?a=1&b=2").unwrap(),
        }],
        url: None,
        clients: vec![MailClientConfig {
            name: "Staff".into(),
            domains: vec!["example.org".into(), "example.net".into()],
            user: "%EMAILADDRESS%".into(),
            servers: vec![
                server(MailProtocol::Submission, TlsBegins::StartTls),
                server(MailProtocol::Imap, TlsBegins::Implicit),
            ],
        }],
    }
}

/// Where each vantage point is; what has no site has a name that nobody outside may read.
fn vantage_points() -> [(String, Option<&'static str>); 4] {
    [
        (format!("{MARKER}-1"), Some("durban")),
        (format!("{MARKER}-2"), Some("richards-bay")),
        (format!("{MARKER}-3"), Some("cape")),
        (format!("{MARKER}-4"), None),
    ]
}

fn labels(site: Option<&str>) -> BTreeMap<String, String> {
    let site = site.map(|site| ("site".to_owned(), site.to_owned()));
    site.into_iter().chain([("rack".to_owned(), MARKER.to_owned())]).collect()
}

pub(crate) fn chronicle(now: WallTime) -> Chronicle {
    let mut chronicle = Chronicle::default();
    let begin = now.minus(Duration::from_secs(30 * 86_400));
    for ((name, site), number) in vantage_points().into_iter().zip(1..) {
        let agent = AgentId([number; 16]);
        chronicle.name(begin, agent, name, labels(site));
        let internal = Check { name: format!("{MARKER}-imap"), ..check() };
        chronicle.announce(begin, agent, &[check(), internal]);
    }
    let mail = Service {
        name: "mail-kzn".into(),
        title: "Mail in KwaZulu".into(),
        description: "Sending and receiving".into(),
        owner: MARKER.into(),
        instead: "call the service desk: 031 555 0100".into(),
        down_when: Quorum::Half,
        ..Service::of_check("mail", "round-trip")
    };
    let other =
        Service { owner: MARKER.into(), ..Service::of_check(&format!("{MARKER}-imap"), "imap") };
    let definitions = Definitions {
        time_zone: Some("Africa/Johannesburg".into()),
        services: vec![mail, other],
        ..Definitions::default()
    };
    chronicle.define(begin, definitions);
    let hour = |hours: u64| now.plus(Duration::from_secs(hours * 3_600)).timestamp();
    for (on, from) in [("site=durban", hour(20)), ("*", hour(0))] {
        let plan = WindowPlan {
            title: format!("{MARKER}: replace the disk of {MARKER}-1"),
            announcement: "Mail in Durban\nmay be slow".into(),
            scope: Scope { on: Some(on.into()), ..Scope::default() },
            from,
            length_s: 3_600,
            every: None,
            time_zone: "Africa/Johannesburg".into(),
            acceptance: vec![MARKER.into()],
            by: MARKER.into(),
        };
        chronicle.plan(now.minus(Duration::from_secs(7_200)), &PlannedAction::Window(plan));
    }
    chronicle
}

/// An incident with a marker in everything that is internal, whether it is over or not.
pub(crate) fn marked(mut it: Incident) -> Incident {
    let marker = || MARKER.to_owned();
    let mark = |fault: &mut crate::judge::incident::FaultBrief| {
        (fault.reply, fault.explanation, fault.code) = (marker(), marker(), marker());
    };
    mark(&mut it.fault);
    it.checks.insert(marker());
    it.root = Some(marker());
    let other = Impact {
        title: marker(),
        sites: [marker()].into(),
        was_down: true,
        users: Some(7),
        because_of: Some(marker()),
    };
    it.services.insert(marker(), other);
    for impact in it.services.values_mut() {
        impact.sites.insert(format!("{MARKER}-4"));
    }
    let nameless = Place { site: format!("{MARKER}-4"), ..it.places[0].clone() };
    it.places.push(nameless);
    for place in &mut it.places {
        place.vantage_point = marker();
        mark(&mut place.fault);
    }
    it.works_from.insert(format!("{MARKER}-5"));
    let change = it.changes.first().cloned();
    it.changes.extend(change.map(|it| Changed {
        what: marker(),
        from: marker(),
        to: marker(),
        ..it
    }));
    it.similar.push(Similar {
        number: 2,
        opened_at: minute(-9_000, 0),
        lasted_s: Some(600),
        note: marker(),
    });
    it.estimate =
        Some(Estimate { at: minute(6, 0), recovered_at: Some(minute(200, 0)), by: marker() });
    for entry in &mut it.timeline {
        entry.words.push_str(MARKER);
        entry.by = entry.by.as_ref().map(|_| marker());
    }
    it
}

/// Messages that were sent about the incident; the first says what nobody outside may read.
pub(crate) fn notices(incident: u64) -> Vec<Notice> {
    let notice = |number: u64, audience, text: &str| {
        let mut message = canary("users", 1, minute(4, 0));
        message.conversation = format!("incident-{incident}");
        message.occasion = Occasion::Update;
        message.title = "Mail in KwaZulu does not work".into();
        message.text = text.to_owned();
        Notice {
            number,
            channel: MARKER.into(),
            audience,
            not_before: minute(4, 0),
            message,
            fate: Some(Fate::Sent {
                handle: Some(MARKER.into()),
                is_confirmed: true,
                said: MARKER.into(),
            }),
            attempts: 1,
            settled_at: Some(minute(4, i64::try_from(number).unwrap())),
        }
    };
    let sent = |number, audience, text: String| notice(number, audience, &text);
    vec![
        sent(1, Audience::Users, format!("It fails at {MARKER}-4.")),
        sent(2, Audience::Technical, format!("{MARKER}: 421")),
        sent(3, Audience::Users, "We have found a broken disk and are replacing it.".to_owned()),
        // by another channel
        sent(4, Audience::Public, "We have found a broken disk and are replacing it.".to_owned()),
        Notice { fate: None, ..sent(5, Audience::Users, "This was never sent.".to_owned()) },
    ]
}

fn reading(name: String, site: Option<&str>, series: SeriesReading) -> VantageReading {
    VantageReading { labels: labels(site), ..vantage(&name, Some(series)) }
}

/// From two sites mail fails, from one it works, and of the one without a name nobody knows.
pub(crate) fn seen() -> StatusAnswer {
    let series = [failing(), failing(), up(), silent()];
    let all = vantage_points().into_iter().zip(series);
    status(all.map(|((name, site), series)| reading(name, site, series)).collect())
}

/// Templates of operators that tell everything that they are given.
pub(crate) fn talkative() -> Templates {
    let all = "{{ headline }} {{ clause }}\n\n{{ clause_since|sentence }} {{ for_whom }}. {{ what }} {{ known }} \
               {{ next_steps }} {{ owners }} {{ changed }} {{ users }} {{ instead }} {{ expected }}";
    let moments = ["first", "update", "all-clear"];
    let named = moments.map(|moment| (format!("public-{moment}.txt"), all.to_owned()));
    Templates::of(named.into())
}

/// What users are told, by these templates.
pub(crate) fn answer_by(templates: &Templates) -> PublicAnswer {
    let (config, seen) = (config(), seen());
    let chronicle = chronicle(seen.now.into());
    let known = Known::new(&config, &chronicle, templates, seen.now.into());
    let over = Incident { number: 4, ..outage_over() };
    let before = Incident {
        began_at: month(over.began_at),
        ended_at: Some(month(minute(36, 0))),
        number: 3,
        ..over.clone()
    };
    let incidents = [before, over, outage()].map(marked);
    let (notices, checks) = (notices(7), BTreeMap::new());
    let read = Read { status: &seen, incidents: &incidents, notices: &notices, checks: &checks };
    let mut answer = known.answer(&read, &mut PastKept::default());
    for service in &mut answer.services {
        let day = |day: i8| PublicDay {
            date: jiff::civil::date(2026, 11, day),
            up_min: 1_440 - 15 * u64::try_from(day).unwrap() % 60,
            down_min: if day == 21 { 44 } else { 0 },
            unknown_min: 15 * u64::try_from(day).unwrap() % 60,
        };
        service.days = (20..24).map(day).collect();
    }
    answer
}

/// What users are told.
pub(crate) fn answer() -> PublicAnswer {
    answer_by(&Templates::default())
}

fn month(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second() - 30 * 86_400).unwrap()
}

/// Names of all that is marked, for tests that look whether anything is.
pub(crate) fn sites() -> BTreeSet<String> {
    vantage_points().iter().filter_map(|(_, site)| site.map(str::to_owned)).collect()
}
