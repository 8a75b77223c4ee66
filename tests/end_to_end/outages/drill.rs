//! The whole of an outage for people: told once and in time, passed on when nobody takes it on, taken on by the link in
//! the message, over, looked back at.

use std::fs;
use std::time::Duration;

use mailsonde_collector::judge::incident::State;
use mailsonde_collector::query::notices::NoticesAnswer;
use mailsonde_tests::doubles::{Double, Received, Service, TOKEN};
use mailsonde_tests::lab::{Host, Server};
use serde_json::Value;

use crate::process::write_secret;

use super::{CADENCE, Company, PATIENCE, TIMEOUT, everywhere, now, path, wait_until};

/// From the fault to the message, beside cadence and timeout.
const MESSAGE: Duration = Duration::from_secs(6);
/// When the head of IT hears of what nobody has taken on.
const PASSED_ON: Duration = Duration::from_secs(8);

const ROUTES: &str = "canary = false\n[[route]]\nname = \"mail\"\nservices = [\"mail\"]\n\
     channels = [\"ops\"]\n[[route.step]]\nafter = \"8s\"\nchannels = [\"head\"]\n";
/// Asks for a page as a browser would that somebody told to go on.
const BROWSER: &str = "import ssl, sys, urllib.request as web\n\
     trust = ssl._create_unverified_context()\n\
     ask = web.Request(sys.argv[2], method=sys.argv[1], data=b'' if sys.argv[1] == 'POST' else None)\n\
     print(web.urlopen(ask, context=trust, timeout=20).read().decode())\n";

/// The chats of a company, in its collector's network.
struct Chats {
    ops: Double,
    head: Double,
}

impl Chats {
    fn of(company: &Company) -> Self {
        let network = company.lab.network(Host::Router).unwrap();
        let start = |service| {
            let listener = network.listen(([127, 0, 0, 1], 0).into()).unwrap();
            Double::at(service, listener).unwrap()
        };
        let chats = Self { ops: start(Service::SlackBot), head: start(Service::Mattermost) };
        let folder = company.collector_folder();
        let mut text = String::new();
        for (name, service, double) in
            [("ops", Service::SlackBot, &chats.ops), ("head", Service::Mattermost, &chats.head)]
        {
            let (settings, url) = service.settings();
            let base = double.url("");
            let own = |text: &str| {
                text.replace("BASE", &base).replace("secret.url", &format!("{name}.url"))
            };
            text.push_str(&format!("[[channel]]\nname = \"{name}\"\n{}\n", own(settings)));
            write_secret(&folder.join(format!("{name}.url")), &own(&url));
        }
        write_secret(&folder.join("token"), TOKEN);
        fs::create_dir_all(folder.join("channels.d")).unwrap();
        fs::write(folder.join("channels.d/all.toml"), text).unwrap();
        let services = folder.join("services.d/routes.toml");
        fs::write(services, ROUTES).unwrap();
        chats
    }

    fn complaints(&self) -> Vec<String> {
        [self.ops.complaints(), self.head.complaints()].concat()
    }
}

/// Waits for one message, and that there is one only.
fn one(double: &Double, what: &str) -> Received {
    let mut all = Vec::new();
    wait_until(what, PATIENCE, || {
        all.extend(double.take_received());
        !all.is_empty()
    });
    assert_eq!(all.len(), 1, "{what}: {all:?}");
    all.remove(0)
}

/// Every text in it.
fn texts(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text}\n"),
        Value::Array(all) => all.iter().map(texts).collect(),
        Value::Object(all) => all.values().map(texts).collect(),
        _ => String::new(),
    }
}

fn browse(company: &Company, method: &str, url: &str) -> String {
    let mut command = company.lab.command(Host::Branch(2), "python3");
    let output = command.args(["-c", BROWSER, method, url]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_outage_is_told_passed_on_taken_on_and_over() {
    let mut company = Company::running();
    // the chats' own: what asks the collector has a runtime each time
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let chats = {
        let _entered = runtime.enter();
        Chats::of(&company)
    };
    answer_operators(&mut company);
    let scenario = company.scenario("drill", &["mail"]);
    company.collector(&["channel", "list"]).expect(0, "no trouble");
    company.collector(&["channel", "test", "head"]).expect(0, "head: ");
    one(&chats.head, "the test");

    let begun = now();
    let hangs = |lab: &super::Lab| lab.stop(Server::Postfix);
    let opened = scenario.breaks(hangs, "it says nothing", everywhere(&["greeting"]));
    let told = one(&chats.ops, "the outage is told");
    let after = now() - begun;
    println!("drill: told {after:.1?} after the fault");
    assert!(after <= CADENCE + TIMEOUT + MESSAGE, "told after {after:?}");
    let words = texts(&told.json());
    for part in ["Mail", "greeting", "timeout", "all 3 sites"] {
        assert!(words.contains(part), "{part}: {words}");
    }

    let passed_on = one(&chats.head, "nobody takes it on");
    assert!(texts(&passed_on.json()).contains("Nobody has taken this on"), "{passed_on:?}");
    assert!(now() - begun >= PASSED_ON);
    take_on(&company, opened.number, &words);
    for double in [&chats.ops, &chats.head] {
        let told = one(double, "it is taken on");
        assert!(texts(&told.json()).contains("takes care of this"), "{told:?}");
    }

    scenario.is_mended(|lab| lab.resume(Server::Postfix), opened.number);
    let over = one(&chats.head, "it is over");
    assert!(texts(&over.json()).contains("Over after"), "{over:?}");
    // the thread, and the message that began it
    let mut all = Vec::new();
    wait_until("both are changed", PATIENCE, || {
        all.extend(chats.ops.take_received());
        all.len() == 2
    });
    assert_eq!(chats.complaints(), [""; 0]);
    is_written_down(&company);
}

/// Operators are answered over the network from now on, so that there are links.
fn answer_operators(company: &mut Company) {
    let config = company.collector_folder().join("collector.toml");
    let text = fs::read_to_string(&config).unwrap();
    let text = text.replace("127.0.0.1:7444", "198.18.0.1:7444");
    fs::write(config, text + "operators_url = \"https://198.18.0.1:7444\"\n").unwrap();
    company.collector.take().unwrap().kill();
    company.start_collector();
}

/// Somebody follows the link of a message.
fn take_on(company: &Company, number: u64, message: &str) {
    let url = message.lines().find(|line| line.contains("/acknowledge?")).unwrap();
    let page = browse(company, "GET", url);
    assert!(page.contains("<button>"), "{page}");
    assert_eq!(company.incident(number).state, State::Open, "a look changes nothing");
    assert!(browse(company, "POST", url).contains("Somebody takes care of it"));
    let known = company.incident(number);
    assert_eq!(known.state, State::Acknowledged);
    let by = known.timeline.iter().find(|entry| entry.what == "acknowledged").unwrap();
    assert_eq!(by.by.as_deref(), Some("somebody in ops, by its link"));
}

fn is_written_down(company: &Company) {
    let notices = || company.ask::<NoticesAnswer>(path::NOTICES).notices;
    wait_until("all of it is written down", PATIENCE, || {
        notices().iter().all(|notice| notice.state == "sent")
    });
    let told: Vec<_> =
        notices().iter().map(|it| format!("{} {}", it.channel, it.occasion.as_str())).collect();
    let expected = [
        "head over",
        "ops over",
        "head acknowledged",
        "ops acknowledged",
        "head escalated",
        "ops opened",
    ];
    assert_eq!(told.len(), expected.len(), "{told:?}");
    assert!(expected.iter().all(|it| told.iter().any(|known| known == it)), "{told:?}");
}
