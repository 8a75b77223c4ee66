//! Files, and what holds without one.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;

use super::super::Loaded;
use super::super::samples::{HEAD, REST, folder};
use super::*;
use crate::policy::{Rule, Target};
use crate::probe::Kinds;

const MAILBOX: &str = r#"
[[mailbox]]
name = "main"
address = "probe@good.test"
password = { file = "password" }
[mailbox.smtp]
host = "smtp.host.test"
port = 2525
[mailbox.imap]
host = "localhost"
"#;

const CHECKS: &str = r#"
[[check]]
name = "mail"
kind = "round-trip"
mailbox = "main"
via = "list@partner.test"

[[check]]
name = "page"
kind = "http"
url = "https://web.partner.test:8443/x"

[[check]]
name = "port"
kind = "tcp"
host = "10.0.0.5"
port = 9000

[[check]]
name = "names"
kind = "dns"
domain = "partner.test"
"#;

#[test]
fn a_link_to_nowhere_is_no_absent_policy() {
    let folder = folder();
    std::os::unix::fs::symlink("/nowhere/policy.toml", folder.path().join(FILE)).unwrap();
    let file = folder.path().join("agent.toml");
    let text = format!("{HEAD}{MAILBOX}{CHECKS}");
    let not = AgentConfig::parse(&file, &text, &Kinds::standard()).unwrap_err().to_string();
    assert!(not.contains("policy.toml: "), "{not}");
}

fn load(checks: &str, policy: Option<&str>) -> Result<(Loaded, tempfile::TempDir), String> {
    let folder = folder();
    if let Some(text) = policy {
        let file = folder.path().join(FILE);
        std::fs::write(&file, text).unwrap();
        set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    }
    let file = folder.path().join("agent.toml");
    let text = format!("{HEAD}{MAILBOX}{checks}");
    match AgentConfig::parse(&file, &text, &Kinds::standard()) {
        Ok(loaded) => Ok((loaded, folder)),
        Err(not) => {
            let path = format!("{}/", folder.path().display());
            Err(not.mistakes.to_string().replace(&path, ""))
        }
    }
}

#[test]
fn without_a_file_the_own_checks_are_free_and_the_collectors_are_not() {
    let (loaded, _folder) = load(CHECKS, None).unwrap();
    let policies = &loaded.config.policy;
    assert_eq!((&policies.file, &policies.local), (&None, &None));
    insta::assert_snapshot!(policies.pushed.to_string(), @r"
    hosts       smtp.host.test:2525, 127.0.0.1:993, [::1]:993, localhost:993, web.partner.test:8443, 10.0.0.5:9000
    domains     good.test, partner.test
    networks    none
    ports       25, 80, 110, 143, 443, 465, 587, 993, 995, 4190
    recipients  probe@good.test, list@partner.test
    kinds       all
    rates       60 mails a minute, 64.0 MiB a mail, 256.0 MiB of mail a minute, 512 connections at once, 200 DNS questions a second
    quiet       none
    senders     none
    ");
    let nets = policies.nets(Clock::system());
    assert!(nets.local.may_mail("anybody@anywhere.test", 1).is_ok());
    assert!(nets.pushed.may_mail("anybody@anywhere.test", 1).is_err());
}

#[test]
fn a_file_binds_all_and_knows_the_own_mailboxes() {
    let text = "[targets]\ndomains = [\"partner.test\"]\nnetworks = [\"10.20.0.0/16\"]\n";
    let (loaded, _folder) = load(CHECKS, Some(text)).unwrap();
    let config = &loaded.config;
    assert_eq!(config.policy.local.as_ref(), Some(&config.policy.pushed));
    let shown = config.policy.pushed.to_string();
    assert!(shown.contains("smtp.host.test:2525"), "{shown}");
    assert!(shown.contains("domains     partner.test, good.test"), "{shown}");
    assert!(shown.contains("recipients  probe@good.test\n"), "{shown}");
    assert!(!shown.contains("8443"), "what checks are about is not allowed by that: {shown}");
    let refusals = |name: &str| -> Vec<String> {
        let check = config.checks.iter().find(|check| check.check.name == name).unwrap();
        let policy = config.policy.local.as_ref().unwrap();
        refused(policy, check, config).iter().map(ToString::to_string).collect()
    };
    assert_eq!(refusals("mail"), ["recipients: list@partner.test is not listed"]);
    assert_eq!(refusals("page"), ["targets.ports: port 8443 of web.partner.test is not listed"]);
    assert_eq!(
        refusals("port"),
        [
            "targets.networks: 10.0.0.5 (private use, RFC 1918), and no listed network has that address"
        ]
    );
    assert_eq!(refusals("names"), Vec::<String>::new());
}

#[test]
fn a_file_can_leave_the_own_mailboxes_out() {
    let (loaded, _folder) =
        load("", Some("kinds = [\"tcp\"]\nrecipients = []\n[targets]\nown = false\n")).unwrap();
    let policy = loaded.config.policy.pushed;
    assert!(policy.hosts.is_empty() && policy.domains.is_empty() && policy.recipients.is_empty());
    assert_eq!(policy.allows(&Target::Kind("dns")).unwrap_err().rule, Rule::Kinds);
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once_with_their_lines() {
    let text = r#"
recipient = ["probe@good.test"]
kinds = "tcp"

[targets]
hosts = ["mail.good.test", "https://x"]
networks = ["10.0.0.0/33"]
domains = ["*.good.test"]
ports = [25, 0]

[rates]
mails_a_minute = "many"
message_size = 5

[[quiet]]
days = ["mon", "tues"]
from = "10pm"
"#;
    insta::assert_snapshot!(load("", Some(text)).unwrap_err(), @r#"
    policy.toml:2:1: policy: recipient is not known here, did you mean "recipients"?
    policy.toml:6:9: policy: hosts must be a host such as "mail.example.org", "*.example.org", "192.0.2.7" or "mail.example.org:2525", not "https://x"
    policy.toml:7:12: policy: networks must have networks such as "10.20.0.0/16" or "fd00:20::/32", not "10.0.0.0/33"
    policy.toml:8:11: policy: domains must have mail domains such as "example.org", not "*.good.test"
    policy.toml:9:9: policy: ports are from 1 to 65535, not 0
    policy.toml:12:18: policy: rates.mails_a_minute must be a whole number from 0 to 1000000, without quotes
    policy.toml:13:16: policy: rates.message_size needs a unit: write "5MiB", or "5B" for bytes
    policy.toml:15:1: policy: to is missing
    policy.toml:16:8: policy: days must be of "mon", "tue", "wed", "thu", "fri", "sat", "sun", not "tues", did you mean "tue"?
    policy.toml:17:8: policy: from must be a time of day such as "22:00", not "10pm"
    "#);
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let told = |line: &str| {
        let folder = folder();
        let file = folder.path().join("agent.toml");
        let text = format!("policy = \"{line}\"\n{HEAD}{REST}");
        let kinds = super::super::samples::kinds();
        let not = AgentConfig::parse(&file, &text, &kinds).unwrap_err();
        not.mistakes.to_string()
    };
    assert!(told("other.toml").ends_with("other.toml: there is no such file"));
}

#[test]
fn the_example_is_a_policy() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/examples/policy.toml");
    let folder = folder();
    let file = folder.path().join(FILE);
    std::fs::copy(example, &file).unwrap();
    set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let report = Report::default();
    let policy = read_file(&file, &Own::default(), &report);
    assert_eq!(report.into_result().unwrap(), Vec::new());
    let policy = policy.unwrap();
    let shown = policy.to_string();
    assert!(!policy.quiet.is_empty() && !policy.networks.is_empty(), "{shown}");
    assert_eq!(policy.senders.len(), 1, "{shown}");
    // Every rate in it is the default, as its comments say.
    assert_eq!(policy.rates, Rates::default());
}
