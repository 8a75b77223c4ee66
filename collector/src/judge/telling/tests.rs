//! Scenarios of incidents as they change and time as it passes; no clock, no disk, no channel.

use super::*;
use crate::judge::incident::sample::incident;
use crate::judge::incident::{Impact, Scope, Severity, State};
use crate::judge::routing::{Audience, Member, Recipients, Rotation, Route, Step};

/// 2026-11-30T08:00:00Z, a Monday.
const BEGIN: WallTime = WallTime::from_s(1_796_025_600);

struct Desk {
    teller: Teller,
    definitions: Definitions,
    incidents: BTreeMap<u64, Incident>,
    now: WallTime,
    is_silenced: bool,
}

fn to(channels: &[&str]) -> Recipients {
    let channels = channels.iter().map(|name| (*name).to_owned()).collect();
    Recipients { channels, on_call: Vec::new() }
}

fn route(name: &str, channels: &[&str]) -> Route {
    Route {
        name: name.into(),
        services: vec!["*".into()],
        on: "*".into(),
        severity: Severity::Minor,
        hours: None,
        to: to(channels),
        audience: Audience::Technical,
        updates_s: None,
        steps: Vec::new(),
    }
}

impl Desk {
    fn new(routes: Vec<Route>) -> Self {
        let definitions = Definitions { routes, is_without_canary: true, ..Definitions::default() };
        let mut desk = Self {
            teller: Teller::default(),
            definitions,
            incidents: BTreeMap::new(),
            now: BEGIN,
            is_silenced: false,
        };
        desk.look([].into());
        desk
    }

    fn open(&mut self, number: u64, severity: Severity) {
        let mut incident = incident(number, 0, None);
        let at = self.now.timestamp();
        (incident.began_at, incident.opened_at, incident.severity) = (at, at, severity);
        incident.root = Some(format!("svc-{number}"));
        incident.services = [(format!("svc-{number}"), Impact::default())].into();
        (incident.fault.phase, incident.fault.class) = ("auth".into(), "refused".into());
        incident.tell(at, "opened", "confirmed from elsewhere");
        self.incidents.insert(number, incident);
        self.look([number].into());
    }

    fn change(&mut self, number: u64, change: impl FnOnce(&mut Incident, Timestamp)) {
        let at = self.now.timestamp();
        change(self.incidents.get_mut(&number).unwrap(), at);
        self.look([number].into());
    }

    fn acknowledge(&mut self, number: u64) {
        self.change(number, |it, at| {
            (it.state, it.acknowledged_at) = (State::Acknowledged, Some(at));
            it.tell_of(at, "acknowledged", String::new(), Some("ann"));
        });
    }

    fn end(&mut self, number: u64) {
        self.change(number, |it, at| {
            it.state = State::Verified;
            (it.resolved_at, it.verified_at, it.ended_at) = (Some(at), Some(at), Some(at));
            it.tell(at, "verified", "passing runs from every vantage point that had failed");
        });
    }

    fn look(&mut self, changed: BTreeSet<u64>) {
        let Self { teller, definitions, incidents, now, is_silenced } = self;
        let is_silenced = |_: &Incident| *is_silenced;
        let none = |_: &str| None;
        let scene = Scene {
            now: *now,
            definitions,
            zone: &TimeZone::UTC,
            is_silenced: &is_silenced,
            labels: &none,
        };
        let is_minute = teller.is_new_minute(*now);
        let mut numbers = teller.look_at_time(&scene);
        numbers.extend(changed);
        if is_minute {
            numbers.extend(incidents.values().filter(|it| it.is_live()).map(|it| it.number));
        }
        for number in numbers {
            match incidents.get(&number) {
                Some(incident) => teller.hear(incident, &scene),
                None => teller.lose(number),
            }
        }
    }

    /// Time passes, and is told when it is due, as the pipeline does.
    fn after(&mut self, seconds: u64) {
        let end = self.now.plus(Duration::from_secs(seconds));
        while self.now < end {
            let minute = WallTime::from_s((self.now.as_us().div_euclid(60_000_000) + 1) * 60);
            let due = self.teller.due().filter(|due| *due > self.now).unwrap_or(minute);
            self.now = due.min(minute).min(end);
            self.look([].into());
        }
    }

    /// What was said since this was last asked, and is taken by its channels.
    fn told(&mut self) -> Vec<String> {
        let pending = self.teller.pending();
        let told = pending.iter().map(|waiting| {
            let Notice { channel, message, not_before, .. } = &waiting.notice;
            let late = WallTime::from(*not_before).since(self.now).as_secs();
            let late = if late > 0 { format!(" in {late} s") } else { String::new() };
            let joined = waiting.handle.as_ref().map(|it| format!(" after {it}"));
            format!(
                "{channel}{late}: {}{}: {}",
                message.occasion.as_str(),
                joined.unwrap_or_default(),
                message.title
            )
        });
        let told: Vec<String> = told.collect();
        for Waiting { notice, .. } in pending {
            let handle = Some(format!("h{}", notice.number));
            let fate = Fate::Sent { handle, is_confirmed: true, said: "ok".into() };
            let id = notice.message.id;
            self.teller.notified(&Notified { id, fate, attempts: 1, instead: None }, self.now);
        }
        told
    }

    /// Kept, forgotten and read back.
    fn restart(&mut self, rows: &mut BTreeMap<About, Vec<u8>>) {
        for (about, value) in self.teller.take() {
            match value {
                Some(value) => drop(rows.insert(about, value)),
                None => drop(rows.remove(&about)),
            }
        }
        self.teller = Teller::restore(rows.clone());
        // all of it is due at once, and so the time is told
        self.look([].into());
    }
}

const IT: &str = "svc-1: auth: refused";

#[test]
fn an_incident_is_told_once_when_it_has_settled_and_once_when_it_is_over() {
    let mut desk = Desk::new(vec![route("all", &["ops"])]);
    desk.open(1, Severity::Major);
    desk.after(1);
    assert_eq!(desk.told(), [""; 0], "it may still grow");
    desk.change(1, |it, at| it.tell(at, "joined", "another site"));
    desk.after(1);
    assert_eq!(desk.told(), [format!("ops: opened: {IT}")]);
    desk.after(600);
    desk.change(1, |it, at| it.tell(at, "noted", "somebody looks"));
    assert_eq!(desk.told(), [""; 0]);
    desk.end(1);
    assert_eq!(desk.told(), [format!("ops: over after h1: Over after 10 min 2 s: {IT}")]);
    desk.after(7_200);
    assert_eq!(desk.told(), [""; 0]);
}

#[test]
fn what_others_have_yet_to_tell_is_waited_for_a_little_longer() {
    let mut desk = Desk::new(vec![route("all", &["ops"])]);
    desk.open(1, Severity::Major);
    desk.change(1, |it, _| it.scope = Scope::Some { failing: 2, of: 2 });
    desk.after(3);
    assert_eq!(desk.told(), [""; 0]);
    desk.after(1);
    assert_eq!(desk.told().len(), 1);
}

#[test]
fn what_is_over_before_it_was_told_is_not_told() {
    let mut desk = Desk::new(vec![route("all", &["ops"])]);
    desk.open(1, Severity::Major);
    desk.after(1);
    desk.end(1);
    desk.after(600);
    assert_eq!(desk.told(), [""; 0]);
}

#[test]
fn worse_is_told_after_a_while_and_better_is_not() {
    let mut desk = Desk::new(vec![route("all", &["ops"])]);
    desk.open(1, Severity::Minor);
    desk.change(1, |it, _| it.scope = Scope::Branch { site: "durban".into() });
    desk.after(2);
    assert_eq!(desk.told().len(), 1);
    desk.change(1, |it, _| it.severity = Severity::Critical);
    desk.after(29);
    assert_eq!(desk.told(), [""; 0]);
    desk.after(1);
    assert_eq!(desk.told(), [format!("ops: worse after h1: Worse: {IT}")]);
    desk.change(1, |it, _| it.scope = Scope::Everywhere { sites: 9 });
    desk.after(30);
    assert_eq!(desk.told(), [format!("ops: worse after h1: Worse: {IT}")]);
    desk.change(1, |it, _| it.scope = Scope::Some { failing: 2, of: 9 });
    desk.after(600);
    assert_eq!(desk.told(), [""; 0]);
}

#[test]
fn a_route_has_its_severity_its_hours_and_its_silence() {
    let weekly =
        vec![crate::judge::definition::Stretch { weekday: 0, from_minute: 540, until_minute: 600 }];
    let hours = crate::judge::definition::BusinessHours { weekly, holidays: Vec::new() };
    let major = Route { severity: Severity::Major, ..route("major", &["boss"]) };
    let nine = Route { hours: Some(hours), ..route("nine", &["desk"]) };
    let mut desk = Desk::new(vec![major, nine]);
    desk.open(1, Severity::Minor);
    desk.after(600);
    assert_eq!(desk.told(), [""; 0], "it is 8:10, and minor");
    desk.change(1, |it, _| it.severity = Severity::Major);
    desk.after(2);
    assert_eq!(desk.told(), [format!("boss: opened: {IT}")]);
    desk.after(3_000);
    assert_eq!(desk.told(), [format!("desk: opened: {IT}")], "it is live at nine");
    desk.is_silenced = true;
    desk.change(1, |it, _| it.severity = Severity::Critical);
    desk.after(600);
    assert_eq!(desk.told(), [""; 0]);
    desk.open(2, Severity::Critical);
    desk.after(600);
    assert_eq!(desk.told(), [""; 0]);
    desk.end(1);
    desk.end(2);
    let over = |channel: &str| format!("{channel}: over after h");
    let told = desk.told();
    assert_eq!(told.len(), 2, "who was told hears that it is over, silence or not: {told:?}");
    assert!(told[0].starts_with(&over("boss")) && told[1].starts_with(&over("desk")));
}

fn escalating() -> Route {
    let on_call = Recipients { channels: Vec::new(), on_call: vec!["mail".into()] };
    let steps = vec![
        Step { after_s: 300, to: on_call, repeat_s: Some(120), times: 2 },
        Step { after_s: 900, to: to(&["boss"]), repeat_s: None, times: 0 },
    ];
    Route { steps, ..route("all", &["ops"]) }
}

fn rotation() -> Rotation {
    let member = |name: &str| Member { name: name.into(), channel: format!("phone-{name}") };
    Rotation {
        name: "mail".into(),
        members: vec![member("ann"), member("ben")],
        from: "2026-11-30T08:06:00".parse().unwrap(),
        shift_s: 3_600,
        overrides: Vec::new(),
    }
}

#[test]
fn what_nobody_takes_on_goes_on_to_the_next() {
    let mut desk = Desk::new(vec![escalating()]);
    desk.definitions.rotations = vec![rotation()];
    desk.open(1, Severity::Major);
    desk.after(2);
    assert_eq!(desk.told().len(), 1);
    let nobody = |who: &str| format!("{who}: escalated: Nobody has taken this on: {IT}");
    desk.after(299);
    assert_eq!(desk.told(), [""; 0]);
    desk.after(1);
    assert_eq!(desk.told(), [nobody("phone-ann")]);
    for _ in 0..2 {
        desk.after(119);
        assert_eq!(desk.told(), [""; 0]);
        desk.after(1);
        assert_eq!(desk.told(), [nobody("phone-ann").replace("escalated", "escalated after h2")]);
    }
    desk.after(359);
    assert_eq!(desk.told(), [""; 0], "twice more, and then no more");
    desk.after(1);
    assert_eq!(desk.told(), [nobody("boss")]);
    desk.after(30);
    desk.acknowledge(1);
    let taken = desk.told();
    assert_eq!(taken.len(), 3, "{taken:?}");
    assert_eq!(taken[0], format!("ops: acknowledged after h1: ann takes care of this: {IT}"));
    desk.after(7_200);
    assert_eq!(desk.told(), [""; 0]);
    desk.end(1);
    assert_eq!(desk.told().len(), 3);
}

#[test]
fn who_takes_it_on_stops_the_escalation() {
    let mut desk = Desk::new(vec![escalating()]);
    desk.definitions.rotations = vec![rotation()];
    desk.open(1, Severity::Major);
    desk.after(200);
    desk.acknowledge(1);
    assert_eq!(desk.told().len(), 2);
    desk.after(7_200);
    assert_eq!(desk.told(), [""; 0]);
}

#[test]
fn how_it_goes_on_is_told_at_the_route_s_pace() {
    let mut desk = Desk::new(vec![Route { updates_s: Some(1_800), ..route("all", &["ops"]) }]);
    desk.open(1, Severity::Major);
    desk.after(2);
    desk.told();
    desk.after(1_799);
    assert_eq!(desk.told(), [""; 0]);
    desk.change(1, |it, at| it.tell_of(at, "noted", "a disk was swapped".into(), Some("ann")));
    desk.after(1);
    let pending = desk.teller.pending();
    let text = &pending[0].notice.message.text;
    assert!(text.contains("noted by ann: a disk was swapped"), "{text}");
    assert!(!text.contains("confirmed from elsewhere"), "that was told before: {text}");
    assert_eq!(desk.told(), [format!("ops: update after h1: Still: {IT}")]);
    desk.after(1_800);
    let text = desk.teller.pending()[0].notice.message.text.clone();
    assert!(text.contains("Nothing has changed"), "{text}");
}

#[test]
fn what_comes_back_is_news() {
    let mut desk = Desk::new(vec![route("all", &["ops"])]);
    desk.open(1, Severity::Major);
    desk.after(5);
    desk.end(1);
    desk.told();
    desk.after(300);
    desk.change(1, |it, _| {
        (it.state, it.reopened) = (State::Open, 1);
        (it.resolved_at, it.verified_at, it.ended_at) = (None, None, None);
    });
    desk.after(2);
    assert_eq!(desk.told(), [format!("ops: opened after h1: Back again: {IT}")]);
    desk.end(1);
    assert_eq!(desk.told().len(), 1);
}

#[test]
fn a_storm_is_a_few_messages_and_a_summary_of_the_rest() {
    let mut desk = Desk::new(vec![route("all", &["ops"])]);
    for number in 1..=500 {
        desk.open(number, Severity::Major);
    }
    desk.after(59);
    let first = desk.told();
    assert_eq!(first.len(), 4, "{first:?}");
    let mut named: BTreeSet<u64> = (1..=4).collect();
    let mut messages = 0;
    for minute in 1..=10 {
        desk.after(60);
        let pending = desk.teller.pending();
        assert!(pending.len() <= 5, "minute {minute}: {}", pending.len());
        messages += pending.len();
        for Waiting { notice, .. } in &pending {
            assert_eq!(notice.message.occasion, Occasion::Digest);
            assert!(notice.message.text.len() <= 1_700, "{}", notice.message.text.len());
            let numbers = notice.message.text.split('#').skip(1);
            named.extend(numbers.map(|it| it.split(' ').next().unwrap().parse::<u64>().unwrap()));
        }
        desk.told();
    }
    assert_eq!(named, (1..=500).collect(), "in {messages} summaries");
    // of what only a summary told, only a summary tells that it is over
    (1..=500).for_each(|number| desk.end(number));
    let over = desk.told();
    assert_eq!(over.len(), 4);
    desk.after(60);
    assert!(desk.told()[0].contains("digest: 496 more messages were held back"));
}

#[test]
fn a_message_that_a_channel_does_not_take_is_told_by_another() {
    let mut desk = Desk::new(vec![route("all", &["ops"])]);
    desk.open(1, Severity::Major);
    desk.after(2);
    let id = desk.teller.pending()[0].notice.message.id.clone();
    let fate = Fate::Failed { why: "404: no_service".into() };
    let instead = Some("mail".to_owned());
    let notified = Notified { id, fate, attempts: 1, instead };
    desk.teller.notified(&notified, desk.now);
    // heard twice, it is done once
    desk.teller.notified(&notified, desk.now);
    let pending = desk.teller.pending();
    assert_eq!(pending.len(), 1);
    assert!(pending[0].notice.message.text.contains("404: no_service"));
    assert_eq!(desk.told(), [format!("mail: trouble: Not told by ops: {IT}")]);
}

#[test]
fn a_restart_changes_nothing() {
    let scenario = |restarts: bool| {
        let mut rows = BTreeMap::new();
        let mut desk = Desk::new(vec![Route { updates_s: Some(600), ..escalating() }]);
        desk.definitions.rotations = vec![rotation()];
        let mut told = Vec::new();
        for step in 0..80 {
            match step {
                1..=6 => desk.open(step, Severity::Major),
                20 => desk.acknowledge(2),
                30 => desk.change(3, |it, _| it.severity = Severity::Critical),
                50 => desk.end(1),
                _ => {}
            }
            if restarts {
                desk.restart(&mut rows);
            }
            desk.after(7);
            told.extend(desk.told());
        }
        told
    };
    let told = scenario(false);
    assert!(told.len() > 15, "{told:#?}");
    assert_eq!(scenario(true), told);
}

#[test]
fn every_channel_gives_a_sign_of_life_on_monday_morning() {
    let mut desk = Desk::new(vec![escalating(), route("more", &["chat"])]);
    desk.definitions.rotations = vec![rotation()];
    desk.definitions.is_without_canary = false;
    desk.after(3_599);
    assert_eq!(desk.told(), [""; 0]);
    desk.after(60);
    let life = |who: &str| format!("{who}: canary: Mailsonde can reach you here");
    let channels = ["boss", "chat", "ops", "phone-ann", "phone-ben"];
    assert_eq!(desk.told(), channels.map(life));
    desk.after(6 * 86_400);
    assert_eq!(desk.told(), [""; 0]);
    desk.after(86_400);
    assert_eq!(desk.told(), channels.map(life));
}

#[test]
fn what_is_told_can_be_read() {
    let mut desk = Desk::new(vec![route("all", &["ops"])]);
    desk.open(1, Severity::Major);
    desk.change(1, |it, _| {
        it.works_from = ["paarl".to_owned()].into();
        it.scope = Scope::Some { failing: 2, of: 3 };
        let failed = |site: &str| crate::judge::incident::Place {
            vantage_point: site.into(),
            site: site.into(),
            check: "mail".into(),
            since: it.began_at,
            fault: it.fault.clone(),
            passed_at: None,
            verified_at: None,
        };
        it.places = vec![failed("durban"), failed("george")];
        it.fault.code = "535 5.7.8".into();
        it.fault.reply = "authentication failed".into();
        it.fault.explanation = "the server refused the sign-in".into();
        let impact =
            Impact { title: "Mail in Durban".into(), users: Some(120), ..Impact::default() };
        it.services = [("svc-1".to_owned(), impact)].into();
    });
    desk.after(2);
    let shown = |desk: &Desk| {
        let message = desk.teller.pending()[0].notice.message.clone();
        let fields = message.fields.iter().map(|it| format!("{}: {}\n", it.name, it.value));
        format!("{}\n{}\n{}", message.title, message.text, fields.collect::<String>())
    };
    insta::assert_snapshot!(shown(&desk), @r#"
        Mail in Durban: auth: refused: 535 5.7.8: the server refused the sign-in ("authentication failed")
        It fails in auth, as refused: the network says no
        Nothing that targets tell of themselves changed in the day before
        Next: see whether the directory or identity provider answers
        Incident: #1, major
        From where: fails from 2 of 3 sites
        Since: 2026-11-30 08:00:00 UTC
        Services: Mail in Durban
        Works from: paarl
        People: 120 behind these services
        "#);
    desk.told();
    desk.after(700);
    desk.end(1);
    insta::assert_snapshot!(shown(&desk), @r#"
    Over after 11 min 42 s: Mail in Durban: auth: refused: 535 5.7.8: the server refused the sign-in ("authentication failed")
    verified: passing runs from every vantage point that had failed
    Incident: #1, major
    From where: fails from 2 of 3 sites
    Since: 2026-11-30 08:00:00 UTC
    Services: Mail in Durban
    People: 120 behind these services
    "#);
}
