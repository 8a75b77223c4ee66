//! Who watches the watcher, whom it watches, and what vendors say: real collectors, doubles of those elsewhere.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use mailsonde_collector::api::path;
use mailsonde_collector::identity::authorities;
use mailsonde_collector::judge::incident::{Incident, Kind, State};
use mailsonde_collector::outward::Outward;
use mailsonde_collector::query::{IncidentAnswer, IncidentsAnswer};
use mailsonde_collector::vendors::{VendorState, VendorsAnswer};
use mailsonde_collector::watched::{HealthAnswer, PeerState};
use mailsonde_tests::doubles::feeds::{CLIENT, Feeds, SECRET, TENANT};
use mailsonde_tests::doubles::heartbeat::{Switches, read_by_pingdom};

use crate::nothing_lost::full_disk::SmallDisk;
use crate::process::write_secret;
use crate::site::{AGENT, Site, files_with, now, wait_until};

/// Nothing takes so long, on whatever machine.
const PATIENCE: Duration = Duration::from_secs(90);
/// The part of a page's path that nobody guesses.
const PATH: &str = "9f86d081884c7d659a2feaa0c55ad015";

/// An address on which nobody listens yet.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

impl Site {
    /// Writes more into collector.toml.
    pub(crate) fn configure(&self, more: &str) {
        let config = self.collector_folder().join("collector.toml");
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&config, format!("{text}{more}\n")).unwrap();
    }

    /// Has it send signs of life everywhere, and show its page.
    fn tell(&self, switches: &Switches, operators: SocketAddr) {
        write_secret(&self.collector_folder().join("robot.url"), &switches.uptimerobot());
        self.configure(&format!(
            "operators_listen = \"{operators}\"\n[watched]\npath = \"{PATH}\"\n\
             [[heartbeat]]\nkind = \"healthchecks\"\nurl = \"{}\"\nevery = \"5s\"\n\
             [[heartbeat]]\nkind = \"uptimerobot\"\nurl_file = \"robot.url\"\nevery = \"5s\"\n\
             [[heartbeat]]\nkind = \"generic\"\nurl = \"{}\"\nevery = \"5s\"",
            switches.healthchecks(),
            switches.plain()
        ));
    }

    /// Has it hear every vendor.
    fn hear(&self, feeds: &Feeds, operators: SocketAddr) {
        let url = feeds.url();
        write_secret(&self.collector_folder().join("graph.secret"), SECRET);
        self.configure(&format!(
            "operators_listen = \"{operators}\"\n[watched]\npath = \"{PATH}\"\nservices = [\"mail\", \"none\"]\n\
             [[vendor]]\nkind = \"microsoft365\"\ntenant = \"{TENANT}\"\nclient_id = \"{CLIENT}\"\n\
             client_secret_file = \"graph.secret\"\ngraph_url = \"{url}\"\nsign_in_url = \"{url}\"\nevery = \"5s\"\n\
             [[vendor]]\nkind = \"google-workspace\"\nurl = \"{url}/appsstatus/dashboard/incidents.json\"\nevery = \"5s\"\n\
             [[vendor]]\nkind = \"statuspage\"\nname = \"relay\"\nurl = \"{url}\"\nevery = \"5s\"\n\
             [[vendor]]\nkind = \"feed\"\nname = \"line\"\nurl = \"{url}/history.rss\"\nevery = \"5s\"\n\
             [[vendor]]\nkind = \"feed\"\nname = \"power\"\nurl = \"{url}/history.atom\"\nevery = \"5s\"\n\
             [[vendor]]\nkind = \"feed\"\nname = \"other\"\nurl = \"{url}/history.atom\"\nservices = [\"web\"]\nevery = \"5s\""
        ));
    }

    fn health(&self) -> HealthAnswer {
        self.ask(path::HEALTH)
    }

    fn incident(&self, number: u64) -> IncidentAnswer {
        self.ask(&path::with(path::INCIDENT, &number.to_string()))
    }

    fn incidents(&self) -> Vec<Incident> {
        let all: IncidentsAnswer = self.ask(path::INCIDENTS);
        all.incidents.iter().map(|line| self.incident(line.number).incident).collect()
    }

    /// What stands at a path of the operators' address, as a stranger gets it.
    fn fetched(&self, at: SocketAddr, path: &str) -> (u16, String) {
        let ca = fs::read_to_string(self.collector_folder().join("ca.pem")).unwrap();
        let outward = Outward::new(authorities(&ca).unwrap()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let url = format!("https://localhost:{}{path}", at.port());
        let answer = runtime.block_on(async {
            outward.exchange(outward.client().get(url), 64 * 1_024).await.unwrap()
        });
        (answer.status.as_u16(), String::from_utf8(answer.body).unwrap())
    }

    /// What Pingdom makes of the collector's page.
    fn by_pingdom(&self, at: SocketAddr) -> (String, u64) {
        let (status, page) = self.fetched(at, &format!("/watched/{PATH}"));
        assert_eq!(status, 200, "{page}");
        read_by_pingdom(&page).unwrap()
    }
}

#[test]
fn signs_of_life_say_healthy_while_the_disk_has_room_and_not_otherwise() {
    let mut disk = None;
    let mut site =
        Site::prepare(|folder| disk = Some(SmallDisk::mount(&folder.join("collector"), 64)));
    let disk = disk.unwrap();
    let (switches, operators) = (Switches::start().unwrap(), free_address());
    site.tell(&switches, operators);
    site.start_collector();
    site.wait_for_operators();
    wait_until("all are told", PATIENCE, || {
        switches.pings().len() > 1 && switches.beats() > 1 && switches.plain_ones() > 1
    });
    assert!(switches.pings().iter().all(|ping| !ping.is_fail && ping.body == "healthy"));
    assert_eq!(site.by_pingdom(operators).0, "OK");
    site.collector(&["health"]).expect(0, "written and read back in");
    for guess in ["/watched/", "/watched/9f86d081884c7d659a2feaa0c55ad016", "/watched/x/mail"] {
        let (status, body) = site.fetched(operators, guess);
        assert!(matches!(status, 401 | 404) && !body.contains("status>"), "{guess}: {body}");
    }

    // the journal takes what fits into its last page, and then nothing
    let filler = disk.fill();
    let is_refused = || {
        let label = format!("floor={}", "x".repeat(48));
        site.collector(&["agents", "label", AGENT, &label]).has_failed()
            || site.collector(&["agents", "label", AGENT, "floor=1"]).has_failed()
    };
    wait_until("the journal takes nothing any more", PATIENCE, is_refused);
    wait_until("it is told why", PATIENCE, || {
        let pings = switches.pings();
        let last = pings.last().unwrap();
        last.is_fail
            && last.body.contains("journal: cannot be written")
            && last.body.contains("disk: ")
    });
    assert_eq!(site.by_pingdom(operators).0, "DOWN");
    site.collector(&["health"]).expect(1, "not healthy");
    let (told, beats, plain) = (switches.pings().len(), switches.beats(), switches.plain_ones());
    wait_until("it is told again", PATIENCE, || switches.pings().len() > told + 1);
    assert!(switches.pings()[told..].iter().all(|ping| ping.is_fail), "{:?}", switches.pings());
    assert_eq!((switches.beats(), switches.plain_ones()), (beats, plain), "silence says it");

    fs::remove_file(filler).unwrap();
    let again = || {
        let is_healthy = switches.pings().last().is_some_and(|ping| !ping.is_fail);
        is_healthy && switches.beats() > beats && switches.plain_ones() > plain
    };
    wait_until("it is healthy again", PATIENCE, again);
    assert_eq!(site.by_pingdom(operators).0, "OK");
}

#[test]
fn who_takes_no_sign_of_life_is_logged_once_and_shown_until_it_does() {
    let mut site = Site::new();
    let switches = Switches::start().unwrap();
    site.tell(&switches, free_address());
    site.start_collector();
    site.wait_for_operators();
    let get_through = || {
        let health = site.health();
        health.is_all_well() && health.heartbeats.iter().all(|it| it.last_sent_at.is_some())
    };
    wait_until("they get through", PATIENCE, get_through);
    switches.answer_instead(Some(500));
    let failing = || site.health().heartbeats.iter().all(|it| it.failing_since.is_some());
    wait_until("nothing gets through", PATIENCE, failing);
    // and for two more periods
    let until = now() + Duration::from_secs(11);
    wait_until("it is tried again", PATIENCE, || now() > until);
    let told = site.log("collector").matches("signs of life do not get through").count();
    assert_eq!(told, 3, "once of each");
    site.collector(&["health"]).expect(1, "answered 500");
    switches.answer_instead(None);
    wait_until("they get through again", PATIENCE, get_through);
    for secret in [&switches.healthchecks(), &switches.uptimerobot(), &switches.plain(), PATH] {
        assert!(!site.log("collector").contains(secret), "the log has {secret}");
    }
}

#[test]
fn two_collectors_watch_each_other() {
    let (mut watched, mut watching) = (Site::new(), Site::new());
    let (there, here) = (free_address(), free_address());
    watched.configure(&format!("operators_listen = \"{there}\"\n[watched]\npath_file = \"path\""));
    write_secret(&watched.collector_folder().join("path"), &format!("{PATH}\n"));
    let ca = watched.collector_folder().join("ca.pem");
    watching.configure(&format!(
        "operators_listen = \"{here}\"\n[[peer]]\nname = \"cape\"\nauthority = \"{}\"\n\
         url = \"https://localhost:{}/watched/{PATH}\"\nevery = \"5s\"\nsilent_after = \"10s\"",
        ca.display(),
        there.port()
    ));
    watched.start_collector();
    watched.wait_for_operators();
    watching.start_collector();
    watching.wait_for_operators();
    let is = |site: &Site, state| site.health().peers[0].state == state;
    wait_until("it is there", PATIENCE, || is(&watching, PeerState::Healthy));

    watched.collector.take().unwrap().kill();
    wait_until("it is missed", PATIENCE, || is(&watching, PeerState::Silent));
    wait_until("people are told", PATIENCE, || !watching.incidents().is_empty());
    let incident = watching.incidents().remove(0);
    assert_eq!((incident.kind, incident.state), (Kind::Silence, State::Open));
    let shown = watching.collector(&["incidents", "show", "1"]);
    shown.expect(0, "the collector cape is not heard to be healthy: cannot connect");
    watching.collector(&["health"]).expect(1, "silent");

    // that it was missed outlives the one that missed it
    watching.stop_collector();
    watching.start_collector();
    watching.wait_for_operators();
    assert!(is(&watching, PeerState::Silent));
    watched.start_collector();
    watched.wait_for_operators();
    wait_until("it is back", PATIENCE, || {
        watching.incidents().first().is_some_and(|incident| incident.state == State::Verified)
    });
    assert_eq!(watching.incidents().len(), 1);
    watching.collector(&["health"]).expect(0, "healthy");
}

/// What each vendor says, by name.
const SAID: [(&str, &str); 5] = [
    ("microsoft365", "Exchange Online: Some users can't send (serviceDegradation)"),
    ("google-workspace", "Gmail delivery is delayed (SERVICE_DISRUPTION)"),
    ("relay", "SMTP: Delayed delivery (identified)"),
    ("line", "Submission is refused (investigating)"),
    ("power", "Mains are off (identified)"),
];

#[test]
fn vendors_are_heard_in_every_form_and_stand_beside_an_incident() {
    let mut site = Site::new();
    let feeds = Feeds::start().unwrap();
    let operators = free_address();
    site.hear(&feeds, operators);
    site.start_collector();
    site.wait_for_operators();
    let vendors = |site: &Site| site.ask::<VendorsAnswer>(path::VENDORS).vendors;
    let all_are = |site: &Site, state| vendors(site).iter().all(|vendor| vendor.state == state);
    wait_until("all are heard", PATIENCE, || all_are(&site, VendorState::Quiet));
    wait_until("nothing changed", PATIENCE, || feeds.not_modified() > 1);
    let tokens = feeds.asked().iter().filter(|(method, _)| method == "POST").count();
    assert_eq!(tokens, 1, "a token is good for an hour");

    feeds.set_trouble(true);
    wait_until("all tell of trouble", PATIENCE, || all_are(&site, VendorState::Trouble));
    let shown = site.collector(&["vendors"]);
    for (vendor, said) in SAID {
        shown.expect(0, vendor);
        shown.expect(0, &format!("  {said}"));
    }
    assert!(!shown.said.contains('<') && !shown.said.contains('\u{202e}'), "{}", shown.said);

    // a check that fails in earnest
    site.add_check(&format!(
        "name = \"mail\"\nkind = \"tcp\"\nhost = \"127.0.0.1\"\nport = {}\nevery = \"2s\"\ntimeout = \"1s\"",
        free_address().port()
    ));
    site.start_agent();
    wait_until("there is an incident", PATIENCE, || !site.incidents().is_empty());
    wait_until("it has what vendors say", PATIENCE, || site.incidents()[0].vendors.len() == 5);
    let shown = site.collector(&["incidents", "show", "1"]);
    shown.expect(0, "the vendor says: ");
    for (vendor, said) in SAID {
        shown.expect(0, &format!("{vendor}: {said}"));
        shown.expect(0, &format!("{vendor} says: {said}"));
    }
    shown.expect(0, "https://admin.microsoft.com/");
    // what strangers see of it is one word; of what has no page, nothing
    let page = |service: &str| site.fetched(operators, &format!("/watched/{PATH}{service}"));
    assert_eq!(read_by_pingdom(&page("").1).unwrap().0, "OK");
    assert_eq!(read_by_pingdom(&page("/mail").1).unwrap().0, "DOWN");
    assert_eq!((page("/none").0, page("/web").0), (404, 404));
    let fault = site.incidents()[0].fault.clone();
    assert_eq!((fault.phase.as_str(), fault.class.as_str()), ("connect", "refused"));

    // it outlives the collector, and so does the end
    site.stop_collector();
    feeds.set_trouble(false);
    site.start_collector();
    site.wait_for_operators();
    assert_eq!(site.incidents()[0].vendors.len(), 5);
    wait_until("nobody tells of it any more", PATIENCE, || {
        site.incidents()[0].vendors.iter().all(|said| said.over_at.is_some())
    });
    let shown = site.collector(&["incidents", "show", "1"]);
    shown.expect(0, "relay no longer tells of: Delayed delivery");
    shown.expect(0, "the vendor said: ");
    assert!(site.incidents()[0].is_live(), "what was measured is as it was");
    let kept = files_with(site.folder(), SECRET.as_bytes());
    assert_eq!(kept, [site.collector_folder().join("graph.secret")]);
}
