use mailsonde_proto::{FaultClass, Verdict};

use super::scene::{Scene, fault};
use crate::judge::definition::{Definitions, Service};
use crate::judge::diagnosis::diagnose;
use crate::judge::incident::{Incident, Kind, State};
use crate::judge::outside::{Announcement, Heard, PeerHeard, VendorSays};

const THREE: [&str; 3] = ["a", "b", "c"];

fn refused(_: &str, _: &str) -> Verdict {
    fault("connect", FaultClass::Refused)
}

fn scene() -> Scene {
    let mut scene = Scene::new(&["a@durban", "b@cape", "c@joburg"], &["mail", "dns"]);
    let service = |name: &str| Service { name: name.into(), ..Service::of_check(name, "") };
    let services = vec![service("mail"), service("dns")];
    scene.define(Definitions { services, ..Definitions::default() });
    scene.all(&THREE, "mail", &Verdict::Pass);
    scene.all(&THREE, "dns", &Verdict::Pass);
    scene.after(30);
    scene
}

fn announcement(id: &str, state: &str) -> Announcement {
    Announcement {
        id: id.into(),
        title: "Some users cannot send".into(),
        about: "Exchange Online".into(),
        state: state.into(),
        since: Some("1970-01-12T13:40:00Z".parse().unwrap()),
        link: Some("https://admin.microsoft.com/x".into()),
        ..Announcement::default()
    }
}

fn says(services: &[&str], trouble: Vec<Announcement>) -> Heard {
    let services = services.iter().map(|it| (*it).to_owned()).collect();
    Heard::Vendor(VendorSays { vendor: "microsoft365".into(), services, trouble })
}

fn lines(incident: &Incident, what: &str) -> Vec<String> {
    let of = incident.timeline.iter().filter(|entry| entry.what == what);
    of.map(|entry| entry.words.clone()).collect()
}

fn fails(scene: &mut Scene) {
    scene.scheduled("a", "mail", refused("", ""));
    scene.answer(refused);
}

#[test]
fn a_vendors_word_stands_beside_an_incident_and_changes_nothing_else() {
    let mut scene = scene();
    let mut silent = self::scene();
    scene.hear(&says(&["mail"], vec![announcement("EX1", "investigating")]));
    fails(&mut scene);
    fails(&mut silent);
    let (incident, without) = (scene.only(), silent.only());
    let line = "microsoft365 says: Exchange Online: Some users cannot send (investigating), https://admin.microsoft.com/x";
    assert_eq!(lines(&incident, "vendor"), [line]);
    let mut stripped = incident.clone();
    stripped.vendors.clear();
    stripped.timeline.retain(|entry| entry.what != "vendor");
    assert_eq!(stripped, without, "our own verdict is the same");

    let told = diagnose(&incident).sentences;
    let told = told.iter().find(|it| it.words.starts_with("the vendor")).unwrap();
    assert_eq!(
        told.words,
        "the vendor says: Exchange Online: Some users cannot send (investigating)"
    );
    insta::assert_snapshot!(told.evidence.join("\n"), @"microsoft365: Exchange Online: Some users cannot send (investigating), since 1970-01-12 13:40 UTC, https://admin.microsoft.com/x");
    assert!(diagnose(&without).sentences.iter().all(|it| !it.words.contains("vendor")));

    // the same again is no news, another state is, and so is the end
    scene.hear(&says(&["mail"], vec![announcement("EX1", "investigating")]));
    assert_eq!(lines(&scene.only(), "vendor").len(), 1);
    scene.hear(&says(&["mail"], vec![announcement("EX1", "mitigated")]));
    scene.after(60);
    scene.hear(&says(&["mail"], vec![]));
    let told = lines(&scene.only(), "vendor");
    assert_eq!(told.len(), 3);
    assert_eq!(told[2], "microsoft365 no longer tells of: Some users cannot send");
    assert!(scene.only().vendors[0].over_at.is_some());
    let said = diagnose(&scene.only()).sentences;
    assert!(said.iter().any(|it| it.words.starts_with("the vendor said: ")));
}

#[test]
fn a_vendor_speaks_for_its_own_services_only_and_may_come_later() {
    let mut scene = scene();
    fails(&mut scene);
    scene.hear(&says(&["dns"], vec![announcement("EX1", "")]));
    assert_eq!(scene.only().vendors, []);
    scene.hear(&says(&["m*"], vec![announcement("EX1", "")]));
    assert_eq!(scene.only().vendors.len(), 1);
    // however much it tells, a few are kept
    let many = (0..50).map(|number| announcement(&number.to_string(), ""));
    scene.hear(&says(&[], many.collect()));
    assert_eq!(scene.only().vendors.len(), 8);
    assert!(scene.only().timeline.len() < 20);
}

#[test]
fn what_a_vendor_said_is_known_after_a_restart() {
    let mut scene = scene();
    scene.hear(&says(&[], vec![announcement("EX1", "")]));
    scene.restart();
    fails(&mut scene);
    assert_eq!(scene.only().vendors.len(), 1);
    scene.restart();
    scene.hear(&says(&[], vec![announcement("EX1", "")]));
    assert_eq!(lines(&scene.only(), "vendor").len(), 1);
}

fn peer(silent: bool) -> Heard {
    let since = "1970-01-12T13:40:00Z".parse().unwrap();
    Heard::Peer(PeerHeard {
        peer: "cape".into(),
        silent_since: silent.then_some(since),
        why: if silent { "no answer within 15 s".into() } else { String::new() },
    })
}

#[test]
fn another_collector_that_is_silent_is_an_incident_of_silence_until_it_is_back() {
    let mut scene = scene();
    scene.hear(&peer(true));
    scene.hear(&peer(true));
    let incident = scene.only();
    assert_eq!((incident.kind, incident.state), (Kind::Silence, State::Open));
    insta::assert_snapshot!(told(&incident), @r#"
    the collector cape is not heard to be healthy: no answer within 15 s
    nobody knows how the other collector is, and what it watches nobody may be watching ["the collector cape is not heard to be healthy: no answer within 15 s"]
    it is about the collector cape ["silent: cape"]
    nothing that targets tell of themselves changed in the day before []
    ask it on its own host: `mailsonde-collector health`
    see whether its host is up and reachable from here, and whether its certificate is valid
    "#);
    // it is no part of what fails meanwhile, and outlives a restart
    scene.restart();
    fails(&mut scene);
    scene.all(&THREE, "dns", &Verdict::Pass);
    let states: Vec<_> = scene.incidents().iter().map(|it| (it.kind, it.state)).collect();
    assert_eq!(states, [(Kind::Silence, State::Open), (Kind::Outage, State::Open)]);
    scene.hear(&peer(false));
    let incident = scene.incidents().remove(0);
    assert_eq!(incident.state, State::Verified);
    insta::assert_snapshot!(
        lines(&incident, "heard").into_iter().chain(lines(&incident, "verified")).collect::<Vec<_>>().join("\n"),
        @r"
        the collector cape is there again, and healthy
        it is heard to be healthy again
        "
    );
    scene.hear(&peer(false));
    assert_eq!(scene.incidents().len(), 2);
}

fn told(incident: &Incident) -> String {
    let diagnosis = diagnose(incident);
    let sentences: Vec<String> =
        (diagnosis.sentences.iter()).map(|it| format!("{} {:?}", it.words, it.evidence)).collect();
    format!("{}\n{}\n{}", diagnosis.headline, sentences.join("\n"), diagnosis.next_steps.join("\n"))
}
