//! Round trips between two agents: a collector and two agents as processes, around mail servers of the sandbox.

mod real;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mailsonde_agent::mail::message::TOKEN_HEADER;
use mailsonde_agent::mail::token::{SignedToken, SigningKey, Token};
use mailsonde_collector::api::path;
use mailsonde_collector::query::{ObservationAnswer, ObservationsAnswer};
use mailsonde_proto::{AgentId, Clock, Epoch, RunId, SenderKey};
use mailsonde_tests::sandbox::{Delay, Flaky, Sandbox, SandboxOptions, User};
use ring::digest::{SHA256, digest};
use rustix::process::Signal;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::central_checks::Told;
use crate::site::{AGENT, PROGRAM, Process, Site, now, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);
const CAPE: &str = "cape";
const PASSWORD: &str = "correct-horse-7";
/// From acceptance to the mailbox.
const DELIVERY: Duration = Duration::from_millis(80);

fn address(agent: &str) -> String {
    format!("{agent}@pairs.test")
}

/// One collector, two agents that do not know each other's key, and two mail servers: one that delivers, and one that
/// accepts and loses.
struct Two {
    site: Site,
    cape: Option<Process>,
    cape_folder: PathBuf,
    delivering: Sandbox,
    _losing: Sandbox,
    _runtime: Runtime,
}

impl Two {
    fn running() -> Self {
        let mut site = Site::new();
        site.start_collector();
        site.wait_for_operators();
        let cape_folder = site.enrol(CAPE).unwrap();
        site.ask_collector(&["agents", "label", AGENT, "site=durban"]);
        site.ask_collector(&["agents", "label", CAPE, "site=cape"]);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let server = |name: &str, lost: f64| {
            let user = |agent| User { address: address(agent), password: PASSWORD.into() };
            let options = SandboxOptions {
                users: vec![user(AGENT), user(CAPE)],
                ca_pem_file: Some(site.folder().join(format!("{name}.pem"))),
                delivery_delay: Delay { base: DELIVERY, jitter: Duration::ZERO },
                flaky: Flaky { lost, ..Flaky::default() },
                ..SandboxOptions::named(format!("{name}.test"))
            };
            runtime.block_on(Sandbox::start(options, CancellationToken::new())).unwrap()
        };
        let (delivering, losing) = (server("delivering", 0.0), server("losing", 1.0));
        site.set_checks(0, "1s");
        let configs = [(AGENT, site.agent_config()), (CAPE, cape_folder.join("agent.toml"))];
        for (agent, config) in &configs {
            let mut text = fs::read_to_string(config).unwrap();
            for (name, server) in [("main", &delivering), ("losing", &losing)] {
                text += &mailbox((name, agent), server, site.folder());
            }
            fs::write(config, text).unwrap();
            write_policy(config, "");
        }
        site.start_agent();
        let cape = Some(Process::agent(CAPE, &configs[1].1, &cape_folder));
        let two = Self { site, cape, cape_folder, delivering, _losing: losing, _runtime: runtime };
        for name in [AGENT, CAPE] {
            wait_until("an agent is here", PATIENCE, || two.site.is_here(name));
        }
        two
    }

    /// Checks in both directions, and one whose mail is lost.
    fn with_checks(self) -> Self {
        let text =
            pair("mail", "*", "*", "main") + &pair("lost", "name=branch", "name=cape", "losing");
        self.site.write_checks("pairs.toml", &text);
        self.site.apply().expect(0, "2 changes in force");
        wait_until("both know their checks", PATIENCE, || {
            self.site.runs(AGENT, &["mail-cape", "lost-cape"])
                && self.site.runs(CAPE, &["mail-branch"])
        });
        self
    }

    /// Each believes the other's mail from now on.
    fn with_keys(self) -> Self {
        write_policy(&self.site.agent_config(), &self.key_of(CAPE));
        write_policy(&self.cape_folder.join("agent.toml"), &self.key_of(AGENT));
        self.site.agent.as_ref().unwrap().signal(Signal::HUP);
        self.cape.as_ref().unwrap().signal(Signal::HUP);
        self
    }

    /// What is to be pasted into the other's policy.
    fn key_of(&self, agent: &str) -> String {
        let (config, data) = match agent {
            CAPE => (self.cape_folder.join("agent.toml"), self.cape_folder.clone()),
            _ => (self.site.agent_config(), self.site.outbox_folder()),
        };
        let mut command = Command::new(PROGRAM);
        command.args(["agent", "policy", "key", "--config"]).arg(config).arg("--data").arg(data);
        let told = Told::of(command.output().unwrap());
        told.expect(0, "key = \"ed25519:");
        told.said
    }

    /// What is known of a check's runs, the newest first.
    fn seen(&self, check: &str) -> Vec<ObservationAnswer> {
        let question = format!("{}?check={check}&limit=1000", path::OBSERVATIONS);
        self.site.ask::<ObservationsAnswer>(&question).observations
    }

    fn wait_for(&self, check: &str, what: &str, is_it: impl Fn(&ObservationAnswer) -> bool) {
        wait_until(what, PATIENCE, || self.seen(check).iter().any(&is_it));
    }

    /// A mail as it lies in a mailbox, in the moment before it is removed.
    fn caught(&self, address: &str) -> String {
        let deadline = now() + PATIENCE;
        loop {
            if let Some(message) = self.delivering.messages(address).pop() {
                return message;
            }
            assert!(now() < deadline, "no mail was caught");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Stops the receiver in the middle of a run whose mail does not come: its connection stands, and it says nothing.
    /// Where that happens to be between two runs, once more.
    fn hang_while_it_watches(&self, cape: &Process) {
        let runs = || self.seen("lost-cape").into_iter().filter(|seen| seen.intent > 0);
        for _ in 0..10 {
            let known = runs().count();
            cape.signal(Signal::STOP);
            wait_until("a run ends", PATIENCE, || runs().count() > known);
            cape.signal(Signal::CONT);
            let void = runs().next().and_then(|seen| seen.void);
            if void.is_some_and(|void| void.detail.contains("has not been heard of since")) {
                return;
            }
            let before = self.passes("mail-cape");
            wait_until("it is back", PATIENCE, || self.passes("mail-cape") > before);
        }
        panic!("its silence was taken for a loss: {:#?}", runs().next());
    }

    fn passes(&self, check: &str) -> usize {
        self.seen(check).iter().filter(|seen| seen.verdict == "pass").count()
    }
}

impl Drop for Two {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.site.log(CAPE);
            let lines: Vec<_> = log.lines().collect();
            println!("--- cape\n{}", lines[lines.len().saturating_sub(40)..].join("\n"));
        }
    }
}

fn mailbox((name, agent): (&str, &str), server: &Sandbox, folder: &Path) -> String {
    let (address, servers) = (address(agent), server.addresses());
    let ca = folder.join(if name == "main" { "delivering.pem" } else { "losing.pem" });
    let receive = if name == "main" { "receive = true\n" } else { "" };
    format!(
        "\n[[mailbox]]\nname = \"{name}\"\naddress = \"{address}\"\npassword = \"{PASSWORD}\"\n{receive}\
         [mailbox.smtp]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"starttls\"\nca_file = {ca:?}\n\
         [mailbox.imap]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"implicit\"\nca_file = {ca:?}\n",
        servers.smtp.port(),
        servers.imaps.port(),
    )
}

fn write_policy(config: &Path, senders: &str) {
    let text = format!(
        "recipients = [\"@pairs.test\"]\n[targets]\nnetworks = [\"127.0.0.0/8\"]\n{senders}"
    );
    fs::write(config.with_file_name("policy.toml"), text).unwrap();
}

fn pair(name: &str, from: &str, to: &str, mailbox: &str) -> String {
    format!(
        "[[check]]\nname = \"{name}\"\nfrom = \"{from}\"\nto = \"{to}\"\nto_mailbox = \"main\"\n\
         kind = \"round-trip\"\nmailbox = \"{mailbox}\"\nevery = \"2s\"\ntimeout = \"4s\"\n"
    )
}

fn void_reason(seen: &ObservationAnswer) -> &str {
    seen.void.as_ref().map_or("", |void| void.reason.as_str())
}

fn assert_timed(seen: &ObservationAnswer) {
    for name in ["connect", "greeting", "tls", "auth", "envelope", "data"] {
        assert!(seen.phases.iter().any(|phase| phase.name == name), "no {name}: {seen:#?}");
    }
    let phase = |name: &str| seen.phases.iter().find(|phase| phase.name == name);
    let Some(arrival) = phase("arrival") else {
        assert!(seen.facts.iter().any(|fact| fact.name == "arrival.time"), "{seen:#?}");
        return;
    };
    let error_us = i64::try_from(arrival.uncertainty_us).unwrap();
    assert!(error_us > 0 && error_us < arrival.duration_us.abs(), "{arrival:?}");
    // on one host the truth is known: it was not there before its delivery, and not long after it
    let delivery_us = i64::try_from(DELIVERY.as_micros()).unwrap();
    assert!(arrival.duration_us + error_us >= delivery_us - 5_000, "{arrival:?}");
    assert!(arrival.duration_us - error_us <= 3_000_000, "{arrival:?}");
}

#[test]
fn both_directions_are_measured_once_each_knows_the_others_key() {
    let two = Two::running();
    // told before it is in force: nobody receives in such a mailbox
    let nowhere = pair("nowhere", "*", "*", "main")
        .replace("to_mailbox = \"main\"", "to_mailbox = \"other\"");
    two.site.write_checks("pairs.toml", &nowhere);
    let told = two.site.collector(&["config", "check"]);
    told.expect(0, "nothing can arrive at branch, cape: each needs a [[mailbox]] \"other\" with receive = true");
    let two = two.with_checks();
    let key = two.key_of(AGENT).lines().last().unwrap().to_owned();
    let shown = two.site.collector(&["agents", "show", AGENT]);
    shown.expect(0, key.trim_start_matches("key = ").trim_matches('"'));
    shown.expect(0, "main (branch@pairs.test)");

    // nobody is believed yet, so no mail leaves, and the words say what to paste where
    two.wait_for("mail-cape", "it is void without the key", |seen| {
        void_reason(seen) == "peer" && seen.void.as_ref().unwrap().detail.contains(&key)
    });
    let words = two.seen("mail-cape").into_iter().find_map(|seen| seen.void).unwrap().detail;
    assert!(
        words.contains("policy.toml at cape") && words.contains("name = \"branch\""),
        "{words}"
    );
    assert_eq!(two.delivering.tally().accepted, 0);

    let two = two.with_keys();
    for check in ["mail-cape", "mail-branch"] {
        wait_until("it is measured", PATIENCE, || two.passes(check) >= 4);
    }
    for check in ["mail-cape", "mail-branch"] {
        let seen = two.seen(check);
        assert!(seen.iter().all(|seen| seen.verdict != "fail"), "{seen:#?}");
        let passes: Vec<_> = seen.iter().filter(|seen| seen.verdict == "pass").collect();
        passes.iter().for_each(|seen| assert_timed(seen));
        let timed = passes.iter().filter(|it| it.phases.iter().any(|p| p.name == "arrival"));
        assert!(timed.count() >= 2, "{passes:#?}");
        assert!(passes[0].facts.iter().any(|fact| fact.name == "hop.1"), "{:#?}", passes[0]);
    }
    // a mail that was accepted and lost is the sender's failure, told once a run
    two.wait_for("lost-cape", "it is lost", |seen| {
        seen.fault.as_ref().is_some_and(|it| (&*it.phase, &*it.class) == ("arrival", "timeout"))
    });
    let lost = two.seen("lost-cape");
    assert!(lost.iter().all(|seen| seen.amends.is_none() && seen.verdict != "pass"), "{lost:#?}");
    wait_until("mail is removed", PATIENCE, || two.delivering.messages(&address(CAPE)).is_empty());
}

#[test]
fn what_nobody_signed_is_left_alone_and_a_replay_counts_nothing() {
    let two = Two::running().with_checks().with_keys();
    let at_cape = address(CAPE);
    let genuine = two.caught(&at_cape);
    wait_until("it is measured", PATIENCE, || two.passes("mail-cape") >= 1);

    let known: SenderKey = two.key_of(AGENT).split('"').nth(3).unwrap().parse().unwrap();
    let stranger = SigningKey::generate();
    let (agent, run) = (AgentId([7; 16]), RunId { epoch: Epoch(7), intent: 1 });
    let token = Token::new(agent, run, &at_cape, [0; 16]);
    let sent_at = Clock::system().wall();
    let foreign = stranger.seal(&SignedToken { token, sent_at, clock_error_us: Some(1) });
    // the same, in the name of the key that is believed
    let mut bytes = URL_SAFE_NO_PAD.decode(&foreign).unwrap();
    bytes[1..5].copy_from_slice(&digest(&SHA256, &known.0).as_ref()[..4]);
    let forged = URL_SAFE_NO_PAD.encode(bytes);
    let letter =
        |token: &str| format!("{TOKEN_HEADER}: {token}\r\nSubject: hello\r\n\r\nhello\r\n");
    for message in [letter(&foreign), letter(&forged), "Subject: a letter\r\n\r\nmine\r\n".into()] {
        assert!(two.delivering.put(&at_cape, &message));
    }
    assert!(two.delivering.put(&at_cape, &genuine));

    let before = two.passes("mail-cape");
    wait_until("it goes on", PATIENCE, || two.passes("mail-cape") >= before + 3);
    let seen = two.seen("mail-cape");
    assert!(seen.iter().all(|seen| seen.verdict != "fail" && seen.amends.is_none()), "{seen:#?}");
    let has = |words: &str| two.delivering.messages(&at_cape).iter().any(|it| it.contains(words));
    assert!(has(&foreign) && has(&forged) && has("Subject: a letter"), "they are left alone");
    wait_until("the replay is removed", PATIENCE, || two.delivering.messages(&at_cape).len() == 3);
}

#[test]
fn a_receiver_that_is_not_there_makes_runs_void_and_never_down() {
    let mut two = Two::running().with_checks().with_keys();
    wait_until("it is measured", PATIENCE, || two.passes("mail-cape") >= 2);
    let cape = two.cape.take().unwrap();
    two.hang_while_it_watches(&cape);
    cape.stop();
    two.wait_for("mail-cape", "it is away", |seen| {
        seen.void
            .as_ref()
            .is_some_and(|void| void.detail == "cape is not connected to the collector")
    });
    // what was on its way then may be told late, as any mail that is late
    let failed = |seen: &ObservationAnswer| seen.verdict == "fail" && seen.amends.is_none();
    assert!(!two.seen("mail-cape").iter().any(failed), "{:#?}", two.seen("mail-cape"));
    let before = two.passes("mail-cape");
    let config = two.cape_folder.join("agent.toml");
    two.cape = Some(Process::agent(CAPE, &config, &two.cape_folder));
    wait_until("it is measured again", PATIENCE, || two.passes("mail-cape") >= before + 2);
}
