//! A collector with a day of outages to tell of, killed 200 times while it sends.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use mailsonde_collector::api::path;
use mailsonde_collector::cli::client;
use mailsonde_collector::folder::Folder;
use mailsonde_collector::judge::definition::Definitions;
use mailsonde_collector::judge::draft::Audience;
use mailsonde_collector::judge::incident::Severity;
use mailsonde_collector::judge::routing::{Recipients, Route};
use mailsonde_collector::query::notices::{NoticeAnswer, NoticesAnswer};
use mailsonde_proto::Clock;
use mailsonde_tests::doubles::{Double, SIGNING_SECRET, Service, TOKEN};

use super::history;
use crate::process::{PROGRAM, Process, wait_until, write_secret};

const KILLS: u64 = 200;
/// Almost a day, so that nothing is too old to be sent.
const MINUTES: u32 = 23 * 60;
const PATIENCE: Duration = Duration::from_secs(120);
const CHANNELS: [&str; 2] = ["a", "b"];

fn definitions() -> Definitions {
    let route = Route {
        name: "all".into(),
        services: vec!["*".into()],
        on: "*".into(),
        severity: Severity::Minor,
        hours: None,
        to: Recipients { channels: CHANNELS.map(str::to_owned).into(), on_call: Vec::new() },
        audience: Audience::Technical,
        updates_s: None,
        steps: Vec::new(),
    };
    Definitions { routes: vec![route], is_without_canary: true, ..Definitions::default() }
}

fn channels(folder: &Path, doubles: &[Double]) {
    let (settings, _) = Service::Webhook.settings();
    let text: String = CHANNELS
        .iter()
        .zip(doubles)
        .map(|(name, double)| {
            let settings = settings.replace("BASE", &double.url(""));
            format!("[[channel]]\nname = \"{name}\"\n{settings}\n")
        })
        .collect();
    fs::create_dir(folder.join("channels.d")).unwrap();
    fs::write(folder.join("channels.d/all.toml"), text).unwrap();
    for (name, text) in [("token", TOKEN), ("signing", SIGNING_SECRET)] {
        write_secret(&folder.join(name), text);
    }
}

/// What came, by id: how often, and every body that it had.
type Came = BTreeMap<String, (u64, BTreeSet<Vec<u8>>)>;

fn gather(double: &Double, came: &mut Came) {
    for received in double.take_received() {
        // behind what tells this collector's from another's
        let (_, id) = received.header("webhook-id").split_once('-').unwrap();
        let known = came.entry(id.to_owned()).or_default();
        known.0 += 1;
        known.1.insert(received.body);
    }
}

/// As good as random.
fn drawn(number: u64, of: u64) -> u64 {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) % of
}

async fn ask(folder: &Path) -> Option<NoticesAnswer> {
    let asked = format!("{}?limit=1000", path::NOTICES);
    client::ask::<NoticesAnswer>(&Folder::at(folder), &asked).await.ok().map(|it| it.value)
}

/// What was told, once all of it was sent.
async fn all_sent(folder: &Path) -> Vec<NoticeAnswer> {
    for _ in 0..1_000 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let told = ask(folder).await.map(|it| it.notices).unwrap_or_default();
        if !told.is_empty() && told.iter().all(|notice| notice.state == "sent") {
            return told;
        }
    }
    panic!("not all was sent: {:#?}", ask(folder).await)
}

/// A collector's folder with a day of outages.
async fn folder_of_a_day(within: &Path) -> PathBuf {
    let folder = within.join("collector");
    let mut init = Command::new(PROGRAM);
    init.args(["collector", "--data"]).arg(&folder);
    init.args(["init", "--listen", "127.0.0.1:0", "--name", "localhost"]);
    assert!(init.output().unwrap().status.success());
    // messages have links, which are the same at each attempt
    let config = folder.join("collector.toml");
    let text = fs::read_to_string(&config).unwrap();
    let more = "operators_listen = \"127.0.0.1:0\"\noperators_url = \"https://collector.test\"\n";
    fs::write(config, text + more).unwrap();
    let end = Clock::system().wall().minus(Duration::from_secs(120));
    history::write(&folder, definitions(), end, MINUTES).await;
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_kills_it_every_message_arrives_and_what_comes_twice_is_the_same() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = folder_of_a_day(temporary.path()).await;
    let doubles = CHANNELS.map(|_| Double::start(Service::Webhook).unwrap());
    // so that a life sees few of them
    doubles.iter().for_each(|double| double.take(Duration::from_millis(60)));
    channels(&folder, &doubles);
    let mut came: [Came; 2] = Default::default();
    let serve = || {
        let arguments =
            ["collector".as_ref(), "--data".as_ref(), folder.as_os_str(), "serve".as_ref()];
        Process::start("collector", &arguments, temporary.path())
    };
    for life in 0..KILLS {
        let collector = serve();
        let socket = folder.join("operators.sock");
        fs::remove_file(&socket).ok();
        wait_until("it answers", PATIENCE, || socket.exists());
        if life == 0 {
            // the first one reads all of the day; those after it go on where it was
            wait_until("it sends", PATIENCE, || {
                gather(&doubles[0], &mut came[0]);
                !came[0].is_empty()
            });
        }
        std::thread::sleep(Duration::from_millis(drawn(life, 250)));
        collector.kill();
        for (double, came) in doubles.iter().zip(&mut came) {
            gather(double, came);
        }
    }
    let early: usize = came.iter().map(BTreeMap::len).sum();
    doubles.iter().for_each(|double| double.take(Duration::ZERO));
    let collector = serve();
    let told = all_sent(&folder).await;
    collector.kill();
    let outages = history::outages(MINUTES);
    let mut repeated = 0;
    for ((name, double), came) in CHANNELS.iter().zip(&doubles).zip(&mut came) {
        gather(double, came);
        assert_eq!(double.complaints(), [""; 0]);
        let expected: BTreeSet<&str> =
            told.iter().filter(|it| it.channel == *name).map(|it| it.id.as_str()).collect();
        assert!(expected.len() >= outages * 2, "{} of {outages} outages", expected.len());
        let found: BTreeSet<&str> = came.keys().map(String::as_str).collect();
        assert_eq!(found, expected, "{name}");
        for (id, (times, bodies)) in came.iter() {
            assert_eq!(bodies.len(), 1, "{id} was sent {times} times, and was not the same");
            repeated += times - 1;
        }
    }
    println!(
        "{KILLS} kills: {} messages, {early} of them before the last life, {repeated} sent again",
        told.len()
    );
    assert!(repeated > 0, "no kill fell between sending and writing it down");
}
