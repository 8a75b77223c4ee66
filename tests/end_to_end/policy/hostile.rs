//! Ten thousand attempts to make an agent touch what its policy forbids, counted by the kernel.
//!
//! The agent stands in a network of its own, where nftables counts every packet of TCP and UDP that goes
//! anywhere but to its resolver and to what the policy lists. Whoever writes the checks here writes them as a
//! captured collector would: all kinds, targets in every form that an address has, names that lead elsewhere,
//! redirects, other resolvers, other recipients.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;

use mailsonde_tests::lab::{Host, Lab, LabOptions, Page};
use serde::Deserialize;

use super::{PolicyFile, Told};
use crate::agent::DEMO;

const CHECKS_A_FILE: usize = 1_000;
const FILES: usize = 10;

pub(super) const POLICY: &str = r#"
recipients = ["alice@good.test"]
[targets]
own = false
hosts = ["mail.good.test", "web.lab.test"]
domains = ["localmx.test", "privmx.test"]
networks = ["198.18.0.10", "198.18.0.80"]
[rates]
dns_questions_a_second = 10000
mails_a_minute = 10000
"#;

/// The resolver of the branch, and what the policy lists, at its ports.
pub(super) const COUNTERS: &str = r"
table inet bounds {
  counter forbidden { }
  chain output {
    type filter hook output priority 0; policy accept;
    ip daddr 198.18.0.54 udp dport 53 accept
    ip daddr 198.18.0.54 tcp dport 53 accept
    ip daddr { 198.18.0.10, 198.18.0.80 } tcp dport { 25, 80, 110, 143, 443, 465, 587, 993, 995, 4190 } accept
    meta l4proto { tcp, udp } counter name forbidden
  }
}
";

/// Numbers that look random and are the same each time.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(super) fn pick<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        let number = usize::try_from(self.next() % 1_000_003).expect("it is small");
        texts[number % texts.len()]
    }

    /// An address that is not listed, in one of the forms that addresses have.
    fn address(&mut self) -> String {
        const KNOWN: &[&str] = &[
            "127.0.0.1",
            "127.8.9.10",
            "::1",
            "0.0.0.0",
            "::",
            "10.1.2.3",
            "172.16.5.5",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.1.1",
            "198.18.0.11",
            "198.18.0.53",
            "198.18.0.54",
            "198.18.0.67",
            "198.18.1.1",
            "198.18.1.2",
            "255.255.255.255",
            "224.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:198.18.0.53",
            "::ffff:c612:35",
            "64:ff9b::7f00:1",
            "fe80::1",
            "ff02::1",
            "fd00::1",
        ];
        let (kind, bits) = (self.next() % 4, self.next());
        let [a, b, c, d, ..] = bits.to_be_bytes();
        match kind {
            0 => format!("{}.{b}.{c}.{d}", a.max(1)),
            1 => {
                let prefix = 0x2001_0db8_u128 << 96;
                std::net::Ipv6Addr::from(prefix | u128::from(bits)).to_string()
            }
            _ => self.pick(KNOWN).to_owned(),
        }
    }

    /// A name that is not listed, or that leads to where it must not.
    fn name(&mut self) -> String {
        const KNOWN: &[&str] = &[
            "localhost",
            "LOCALHOST.",
            "mx.localmx.test",
            "mx.privmx.test",
            "ns1.lab.test",
            "mx1.good.test",
            "imap.good.test",
            "refused.lab.test",
            "mail.good.test.evil.test",
            "xmail.good.test",
        ];
        match self.next() % 3 {
            0 => format!("secret-{:x}.evil.test", self.next()),
            1 => format!("{:x}.mail.good.test", self.next()),
            _ => self.pick(KNOWN).to_owned(),
        }
    }

    fn host(&mut self) -> String {
        if self.next().is_multiple_of(2) { self.address() } else { self.name() }
    }

    /// A host as a URL has it, which can be a number (elsewhere the configuration refuses that).
    fn authority(&mut self) -> String {
        const NUMBERS: &[&str] = &["2130706433", "0x7f.1", "0177.0.0.1", "127.1"];
        let host = match self.next() % 6 {
            0 => self.pick(NUMBERS).to_owned(),
            _ => self.host(),
        };
        if host.contains(':') { format!("[{host}]") } else { host }
    }
}

/// One check of a captured collector.
pub(super) fn check(number: usize, dice: &mut Dice) -> String {
    let port = dice.pick(&["25", "53", "80", "443", "587", "993", "6379", "22"]);
    let host = dice.host();
    let kind = dice.next() % 16;
    let (kind, keys) = match kind {
        0..=2 => ("tcp", format!("host = {host:?}\nport = {port}\nsend = \"QUIT\"")),
        3 => ("tcp", "host = \"mail.good.test\"\nport = 6379".to_owned()),
        4 => ("tls", format!("host = {host:?}\nport = {port}")),
        5 => ("smtp", format!("host = {host:?}\ntls = \"none\"")),
        6 => {
            let to = format!("victim-{:x}@elsewhere.test", dice.next());
            (
                "smtp",
                format!("host = \"mail.good.test\"\ntls = \"none\"\nport = 25\nrecipient = {to:?}"),
            )
        }
        7 => {
            let protocol = dice.pick(&["imap", "pop3"]);
            (protocol, format!("host = {host:?}\nlogin = \"a\"\npassword = \"b\""))
        }
        8 | 9 => {
            let scheme = dice.pick(&["http", "https"]);
            ("http", format!("url = \"{scheme}://{}/\"", dice.authority()))
        }
        10 => {
            let page = dice.next() % 6;
            ("http", format!("url = \"http://web.lab.test/away-{page}\""))
        }
        11 => {
            let address = ["10.0.0.1", "127.0.0.1", "198.18.0.67", "9.9.9.9"];
            let address = dice.pick(&address);
            ("http", format!("url = \"http://web.lab.test/\"\nconnect_to = {address:?}"))
        }
        12 => {
            let resolver =
                dice.pick(&["9.9.9.9", "198.18.0.53", "127.0.0.1", "[::1]:53", "198.18.0.67:5353"]);
            ("dns", format!("domain = \"privmx.test\"\nresolver = {resolver:?}\nrules = \"mx\""))
        }
        13 => ("dns", format!("domain = \"{:x}.evil.test\"", dice.next())),
        14 => {
            let list = format!("{:x}.list.test", dice.next());
            ("dnsbl", format!("lists = {list:?}\naddresses = \"198.18.0.10\""))
        }
        _ => match dice.next() % 3 {
            0 => (
                "round-trip",
                format!("mailbox = \"alice\"\nvia = \"v{:x}@good.test\"", dice.next()),
            ),
            1 => {
                ("spf", format!("sender = \"x@{:x}.evil.test\"\nip = \"198.18.0.10\"", dice.next()))
            }
            _ => ("round-trip", "mailbox = \"elsewhere\"".to_owned()),
        },
    };
    format!(
        "[[check]]\nname = \"c{number}\"\nkind = {kind:?}\nevery = \"1h\"\ntimeout = \"5s\"\n{keys}\n"
    )
}

fn configuration(file: usize, dice: &mut Dice) -> String {
    let mut text = String::from(
        "[collector]\naddress = \"c.lab.test\"\nca = \"none\"\ncertificate = \"none\"\nkey = \"none\"\n\
         [vantage_point]\nname = \"b1\"\n[limits]\nconcurrent_runs = 64\n",
    );
    for (name, address, smtp) in [
        ("alice", "alice@good.test", "mail.good.test"),
        ("elsewhere", "alice@good.test", "mx.privmx.test"),
    ] {
        write!(
            text,
            "[[mailbox]]\nname = {name:?}\naddress = {address:?}\npassword = \"x\"\n\
             [mailbox.smtp]\nhost = {smtp:?}\n[mailbox.imap]\nhost = {smtp:?}\n"
        )
        .expect("to a text");
    }
    for number in 0..CHECKS_A_FILE {
        text.push_str(&check(file * CHECKS_A_FILE + number, dice));
    }
    text
}

pub(super) fn nft(lab: &Lab, arguments: &[&str], input: &str) -> String {
    let mut command = lab.command(Host::Branch(1), "nft");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("nft starts");
    child.stdin.take().expect("its input").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("nft ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Packets to what is forbidden, so far.
pub(super) fn forbidden(lab: &Lab) -> u64 {
    let told = nft(lab, &["list", "counters"], "");
    let packets = told.split("packets ").nth(1).and_then(|rest| rest.split(' ').next());
    packets.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{told}"))
}

#[derive(Deserialize)]
struct Named {
    check: String,
    #[serde(flatten)]
    told: Told,
}

/// Carries out every check of a configuration once, and hands in what was told.
fn run(lab: &Lab, folder: &std::path::Path, text: &str, policy: Option<&PolicyFile>) -> Vec<Named> {
    std::fs::write(folder.join("none"), "").expect("a file");
    let file = folder.join("agent.toml");
    std::fs::write(&file, text).expect("a file");
    let mut command = lab.command(Host::Branch(1), "timeout");
    command.args(["--signal=KILL", "170", DEMO, "agent", "probe", "--all", "--json", "--config"]);
    command.arg(&file).stdin(Stdio::null());
    if let Some(policy) = policy {
        command.arg("--policy").arg(policy.path());
    }
    let output = command.output().expect("it starts");
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let told: Vec<_> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    assert!(!told.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    told
}

/// A lab whose web server redirects to where nobody should go.
pub(super) fn lab_that_leads_astray() -> Lab {
    let lab = Lab::start(LabOptions { probe_users: 1, ..LabOptions::default() }).expect("a lab");
    for (number, location) in [
        "http://10.0.0.1/",
        "http://127.0.0.1/",
        "http://mx.privmx.test/",
        "http://evil.test/",
        "http://[::1]/",
        "http://198.18.0.67/",
    ]
    .iter()
    .enumerate()
    {
        let page = Page::text(302, "").with("Location", *location);
        lab.set_page("web.lab.test", &format!("/away-{number}"), page);
    }
    lab
}

#[test]
fn ten_thousand_hostile_checks_send_no_packet_outside_the_policy() {
    let lab = lab_that_leads_astray();
    nft(&lab, &["-f", "-"], COUNTERS);
    let (policy, mut dice) = (PolicyFile::of(POLICY), Dice(0x9e37_79b9_7f4a_7c15));
    let folder = tempfile::tempdir().expect("a folder");
    let mut rules = std::collections::BTreeMap::<String, usize>::new();
    for file in 0..FILES {
        let text = configuration(file, &mut dice);
        let told = run(&lab, folder.path(), &text, Some(&policy));
        assert_eq!(told.len(), CHECKS_A_FILE);
        for Named { check, told } in told {
            let void = told.void.as_ref().unwrap_or_else(|| panic!("{check}: {told:#?}"));
            assert_eq!(void.reason, "policy", "{check}: {told:#?}");
            let rule = void.detail.split(": ").next().unwrap_or_default();
            *rules.entry(rule.to_owned()).or_default() += 1;
        }
    }
    println!("refused by {rules:?}");
    assert_eq!(forbidden(&lab), 0);
    assert!(
        rules.keys().map(String::as_str).eq([
            "recipients",
            "targets.hosts",
            "targets.networks",
            "targets.ports",
        ]),
        "{rules:?}"
    );
    assert!(lab.mail_log().with("from=<alice@good.test>").next().is_none(), "a message left");
    // The counter counts: the same without a policy.
    let one = "[[check]]\nname = \"a\"\nkind = \"tcp\"\nhost = \"198.18.0.67\"\nport = 22\n";
    let head = configuration(0, &mut dice);
    let head = head.split("[[check]]").next().unwrap_or_default();
    run(&lab, folder.path(), &format!("{head}{one}"), None);
    assert!(forbidden(&lab) > 0, "without a policy packets go there");
}
