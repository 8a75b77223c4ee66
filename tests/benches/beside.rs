//! Whether round trips are timed truthfully when an agent has much to do: 50 under way at once, with 100 DNS
//! checks a minute beside them, from one process, against the lab.
//!
//! Agent, servers and this program share the machine's cores, so 50 round trips that begin in one instant would
//! measure how long the servers' work queues for the cores. Therefore the servers are far away, 125 ms each way,
//! as they are for a branch: a round trip takes seconds, nearly all of them waiting, and 50 under way at once
//! leave the cores mostly idle. They begin evenly spread, as an agent's slots are.
//!
//! Three ways take turns, so that a noisy machine is noisy for all: one round trip at a time, 50 at once, and 50 at
//! once with DNS checks beside them. For each phase its median is printed, and by how much it is shifted. Needs
//! root, as the lab does.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a benchmark: it stops at the first surprise, and prints"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::time::Duration;

use mailsonde_tests::lab::{Host, Lab, LabOptions, MAIL, SPARE};
use mailsonde_tests::proxy::Proxy;
use serde_json::{Value, json};

const AT_ONCE: u16 = 50;
const ROUNDS: usize = 2;
/// 100 a minute, and never.
const OFTEN_MS: &str = "600";
const NEVER_MS: &str = "86400000";
const PASSWORD: &str = "PROBE_PASSWORD";
/// What the DNS checks look at.
const DOMAINS: [&str; 5] = ["good.test", "sender.test", "tree.test", "daneta.test", "stsmx.test"];
const ONE_WAY: Duration = Duration::from_millis(125);
/// Name, round trips, how many at once at most, one begins every so many milliseconds, a DNS check every so many.
/// At least ten for each mailbox, so that most of them find its session open in each way.
const WAYS: [(&str, u64, u16, &str, &str); 3] = [
    ("one", 20, 1, "0", NEVER_MS),
    ("fifty", 500, AT_ONCE, PACE_MS, NEVER_MS),
    ("fifty_and_dns", 500, AT_ONCE, PACE_MS, OFTEN_MS),
];
/// A fiftieth of what a round trip takes over this line.
const PACE_MS: &str = "70";

/// Durations in microseconds, by phase.
type Phases = BTreeMap<String, Vec<i64>>;

fn main() {
    let lab = Lab::start(LabOptions { probe_users: AT_ONCE, ..LabOptions::default() });
    let lab = lab.expect("a lab");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("none"), "").expect("a file");
    let [smtp, imap] = [(MAIL, 587), (MAIL, 993)].map(|target| far_away(&lab, target));
    let ports = [&smtp, &imap].map(|proxy| proxy.address().port());
    let mut told: BTreeMap<&str, Phases> = BTreeMap::new();
    let mut beside = 0;
    for _ in 0..ROUNDS {
        for (name, count, at_once, pace, every) in WAYS {
            let file = folder.path().join("agent.toml");
            std::fs::write(&file, configuration(&lab, ports, at_once)).expect("a file");
            let mut command = lab.command(Host::Branch(1), env!("CARGO_BIN_EXE_demo"));
            command.arg("round-trips").arg(&file).env(PASSWORD, "probe");
            let [trips, at_once] = [count.to_string(), at_once.to_string()];
            command.args(["--count", &trips, "--at-once", &at_once, "--begin-every-ms", pace]);
            command.args(["--beside-every-ms", every]);
            let output = command.output().expect("it runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let mut busy_us = 0;
            for line in String::from_utf8_lossy(&output.stdout).lines() {
                let line: Value = serde_json::from_str(line).expect("JSON");
                note(&line, told.entry(name).or_default(), &mut beside);
                busy_us += line.get("total_us").and_then(Value::as_u64).unwrap_or_default();
                if let Some(elapsed_us) = line.get("elapsed_us").and_then(Value::as_u64) {
                    let under_way = (busy_us + elapsed_us / 2) / elapsed_us;
                    println!("{name}: {count} round trips, {under_way} timed at once on average");
                }
            }
        }
    }
    print(&told, beside);
}

/// The server behind a long line.
fn far_away(lab: &Lab, target: (Ipv4Addr, u16)) -> Proxy {
    let network = lab.network(Host::Mail).expect("the mail host");
    let proxy = Proxy::start_in(&network, (SPARE, 0).into(), target.into()).expect("a proxy");
    proxy.delay(ONE_WAY);
    proxy
}

/// One mailbox and check for each round trip that is under way, and a DNS check for each domain.
fn configuration(lab: &Lab, [smtp, imap]: [u16; 2], mailboxes: u16) -> String {
    let ca = lab.ca_file().display().to_string();
    let mut text = String::from(
        "[collector]\naddress = \"collector.lab.test\"\nca = \"none\"\ncertificate = \"none\"\n\
         key = \"none\"\n[vantage_point]\nname = \"b1\"\n",
    );
    for number in 1..=mailboxes {
        let name = format!("p{number:03}");
        write!(
            text,
            "[[mailbox]]\nname = \"{name}\"\naddress = \"{name}@good.test\"\n\
             password.env = \"{PASSWORD}\"\nsmtp.host = \"spare.lab.test\"\nsmtp.port = {smtp}\nsmtp.ca_file = \"{ca}\"\n\
             imap.host = \"spare.lab.test\"\nimap.port = {imap}\nimap.ca_file = \"{ca}\"\n\
             [[check]]\nname = \"{name}\"\nkind = \"round-trip\"\nmailbox = \"{name}\"\n\
             timeout = \"60s\"\n"
        )
        .expect("text");
    }
    let anchor = lab.trust_anchor();
    for domain in DOMAINS {
        write!(
            text,
            "[[check]]\nname = \"dns-{domain}\"\nkind = \"dns\"\ndomain = \"{domain}\"\n\
             trust_anchor = \"{}\"\n",
            anchor.display()
        )
        .expect("text");
    }
    text
}

fn note(line: &Value, phases: &mut Phases, beside: &mut u64) {
    if let Some(passed) = line["beside"].as_u64() {
        *beside += passed;
    } else if line["verdict"].is_string() {
        assert_eq!(line["verdict"], "pass", "{line}");
        let total = json!({"name": "total", "us": line["total_us"]});
        for phase in line["phases"].as_array().expect("phases").iter().chain([&total]) {
            let name = phase["name"].as_str().expect("a name").to_owned();
            phases.entry(name).or_default().push(phase["us"].as_i64().expect("a duration"));
        }
    }
}

fn median(values: &[i64]) -> i64 {
    let mut values = values.to_vec();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn print(told: &BTreeMap<&str, Phases>, beside: u64) {
    println!("{beside} DNS checks passed beside");
    println!(
        "{:10} {:>10} {:>10} {:>14} {:>12} {:>12}",
        "phase", "one", "fifty", "fifty and dns", "50 - one", "dns - 50"
    );
    let of = |way: &str, phase: &str| {
        told.get(way).and_then(|phases| phases.get(phase)).map_or(0, |values| median(values))
    };
    let mut shifts = serde_json::Map::new();
    for phase in told.get("one").expect("figures").keys() {
        let [one, fifty, dns] = WAYS.map(|(way, ..)| of(way, phase));
        println!(
            "{phase:10} {one:>10} {fifty:>10} {dns:>14} {:>12} {:>12}",
            fifty - one,
            dns - fifty
        );
        shifts.insert(
            phase.clone(),
            json!({"one_us": one, "fifty_us": fifty, "fifty_and_dns_us": dns}),
        );
    }
    println!("{}", Value::Object(shifts));
}
