//! The agent's policy: what it allows works as before, what it refuses is not done and says by which rule, and no
//! packet leaves for what it forbids, whatever is asked of the agent.

mod captured;
mod hostile;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use mailsonde_tests::lab::Page;
use tempfile::TempDir;

use crate::agent::{
    Config, Settings, Told, bounded, in_company, lab, name_of, output_of, somebody,
};

/// The lab's servers, whose addresses are of benchmarks (RFC 2544); nothing else that is special.
const LAB: &str = "networks = [\"198.18.0.0/24\"]\n";

/// A policy in a folder of its own.
struct PolicyFile {
    folder: TempDir,
}

impl PolicyFile {
    fn of(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = Self { folder };
        std::fs::write(file.path(), text).expect("a file");
        std::fs::set_permissions(file.path(), Permissions::from_mode(0o644)).expect("its mode");
        file
    }

    /// With these targets beside the lab's servers, and those of the mailbox.
    fn targets(targets: &str) -> Self {
        Self::of(&format!("[targets]\n{LAB}{targets}\n"))
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("policy.toml")
    }
}

/// The run was void, by this rule and in these words.
fn assert_refused(told: &Told, rule: &str, words: &str) {
    let void = told.void.as_ref().unwrap_or_else(|| panic!("not void: {told:#?}"));
    assert_eq!(void.reason, "policy", "{told:#?}");
    assert!(void.detail.starts_with(&format!("{rule}: ")), "{rule}: {told:#?}");
    assert!(void.detail.contains(words), "{words}: {told:#?}");
}

fn round_trip(settings: &Settings, policy: &PolicyFile) -> Told {
    let path = policy.path().display().to_string();
    Told::of(settings.printed(&["--json", "--policy", &path]))
}

/// `mailsonde-agent probe KIND --policy FILE --json` in branch 1.
fn probe(kind: &str, policy: Option<&PolicyFile>, keys: &[(&str, &str)]) -> Told {
    let mut command = bounded(&[]);
    command.args(["agent", "probe", kind, "--json"]);
    if let Some(policy) = policy {
        command.arg("--policy").arg(policy.path());
    }
    for (key, value) in keys {
        command.arg("--set").arg(format!("{key}={value}"));
    }
    Told::of(output_of(&mut command))
}

#[test]
fn what_the_policy_allows_works_as_without_one() {
    let _company = in_company();
    let (_, settings) = somebody();
    let policy = PolicyFile::targets("");
    let told = round_trip(&settings, &policy);
    told.assert_pass();
    assert!(told.fact("verify.dmarc").contains("good.test"), "{told:#?}");
    // Straight to the exchanger that DNS names for the mailbox's own domain.
    round_trip(&settings.with("mx", "good.test"), &policy).assert_pass();
}

#[test]
fn everything_about_a_listed_domain_can_be_looked_at() {
    let _company = in_company();
    let anchor = lab().trust_anchor().display().to_string();
    let ca = lab().ca_file().display().to_string();
    let keys = [
        ("domain", "good.test"),
        ("trust_anchor", anchor.as_str()),
        ("ca_file", ca.as_str()),
        ("own_networks", "198.18.0.0/15"),
        ("selectors", "s2048,ed"),
        ("connect", "true"),
        ("timeout", "60s"),
    ];
    // By networks only the lab's servers: every name and every part comes from the domain's own records.
    let policy = PolicyFile::targets("own = false\ndomains = [\"good.test\"]");
    let (bound, free) = (probe("dns", Some(&policy), &keys), probe("dns", None, &keys));
    assert_eq!((bound.verdict.as_str(), &bound.void), ("pass", &None), "{bound:#?}");
    let phases = |told: &Told| -> Vec<String> {
        told.phases.iter().map(|phase| phase.name.clone()).collect()
    };
    let mut both = [phases(&bound), phases(&free)];
    both.iter_mut().for_each(|phases| phases.sort());
    assert_eq!(both[0], both[1]);
    let told = probe("dns", Some(&policy), &[("domain", "badspf.test"), keys[1]]);
    assert_refused(&told, "targets.hosts", "badspf.test");
}

#[test]
fn what_the_policy_refuses_is_void_and_names_the_rule() {
    let _company = in_company();
    let (user, settings) = somebody();
    let policy = PolicyFile::targets("");
    let via = format!("{}@relay.test", name_of(&user));
    let told = round_trip(&settings.clone().with("via", &via), &policy);
    assert_refused(&told, "recipients", &via);
    let told = round_trip(&settings.clone().with("mx", "relay.test"), &policy);
    assert_refused(&told, "targets.hosts", "DNS is not asked about relay.test");
    let told = round_trip(&settings.clone().with("smtp.port", 465).with("imap.port", 994), &policy);
    // The mailbox's own servers are listed with their ports, whatever they are.
    assert!(told.fault.is_some() && told.void.is_none(), "{told:#?}");
    let kinds = PolicyFile::of("kinds = [\"tcp\"]\n");
    assert_refused(&round_trip(&settings, &kinds), "kinds", "round-trip");
    for (host, port, rule, words) in [
        ("mx.relay.test", "25", "targets.hosts", "mx.relay.test"),
        ("9.9.9.9", "25", "targets.hosts", "9.9.9.9"),
        ("10.0.0.1", "25", "targets.networks", "private use, RFC 1918"),
        ("::ffff:10.0.0.1", "25", "targets.networks", "private use, RFC 1918"),
        ("localhost", "25", "targets.networks", "loopback"),
        ("198.18.0.10", "6379", "targets.ports", "6379"),
    ] {
        assert_refused(
            &probe("tcp", Some(&policy), &[("host", host), ("port", port)]),
            rule,
            words,
        );
    }
    let told = probe("tcp", Some(&policy), &[("host", "198.18.0.10"), ("port", "25")]);
    told.assert_pass();
    let keys = [("host", "198.18.0.10"), ("tls", "none"), ("recipient", "victim@relay.test")];
    assert_refused(&probe("smtp", Some(&policy), &keys), "recipients", "victim@relay.test");
    let keys = [("sender", "x@good.test"), ("ip", "198.18.0.10"), ("resolver", "9.9.9.9")];
    let domain = PolicyFile::targets("domains = [\"good.test\"]");
    assert_refused(&probe("spf", Some(&domain), &keys), "targets.hosts", "9.9.9.9");
}

#[test]
fn a_listed_name_that_leads_to_a_private_address_leads_nowhere() {
    let _company = in_company();
    let (_, settings) = somebody();
    let policy = PolicyFile::targets(
        "domains = [\"privmx.test\", \"localmx.test\"]\nhosts = [\"mx.privmx.test\"]",
    );
    for (host, words) in [
        ("mx.privmx.test", "mx.privmx.test is 10.1.2.3 (private use, RFC 1918)"),
        ("mx.localmx.test", "mx.localmx.test is 127.0.0.1 (loopback, RFC 1122)"),
    ] {
        let told = probe("tcp", Some(&policy), &[("host", host), ("port", "25")]);
        assert_refused(&told, "targets.networks", words);
        let domain = host.trim_start_matches("mx.");
        let told = round_trip(&settings.clone().with("mx", domain), &policy);
        assert_refused(&told, "targets.networks", words);
    }
    // A probe that looks at many things must not make a finding of what it was not let look at.
    let anchor = lab().trust_anchor().display().to_string();
    let keys = [("domain", "localmx.test"), ("trust_anchor", anchor.as_str()), ("connect", "true")];
    assert_refused(&probe("dns", Some(&policy), &keys), "targets.networks", "127.0.0.1");
}

#[test]
fn a_redirect_is_bound_like_any_target() {
    let _company = in_company();
    let ca = lab().ca_file().display().to_string();
    let policy =
        PolicyFile::targets("domains = [\"localmx.test\"]\nhosts = [\"webmail.good.test\"]");
    for (path, location, rule, words) in [
        ("/policy-1", "https://10.9.9.9/", "targets.networks", "10.9.9.9"),
        ("/policy-2", "https://169.254.169.254/latest/", "targets.networks", "link local"),
        ("/policy-3", "https://[::1]/", "targets.networks", "loopback"),
        ("/policy-4", "https://2130706433/", "targets.networks", "127.0.0.1"),
        ("/policy-5", "https://mx.localmx.test/", "targets.networks", "127.0.0.1"),
        ("/policy-6", "https://web.lab.test/", "targets.hosts", "web.lab.test"),
        ("/policy-7", "https://webmail.good.test:6379/", "targets.ports", "6379"),
    ] {
        lab().set_page("webmail.good.test", path, Page::text(302, "").with("Location", location));
        let url = format!("https://webmail.good.test{path}");
        let told = probe("http", Some(&policy), &[("url", &url), ("ca_file", &ca)]);
        assert_refused(&told, rule, words);
    }
    let url = "https://webmail.good.test/";
    probe("http", Some(&policy), &[("url", url), ("ca_file", &ca)]).assert_pass();
    let keys = [("url", url), ("ca_file", ca.as_str()), ("connect_to", "10.9.9.9")];
    assert_refused(&probe("http", Some(&policy), &keys), "targets.networks", "10.9.9.9");
}

#[test]
fn what_is_over_a_rate_is_void_before_it_leaves() {
    let _company = in_company();
    let users = [somebody(), somebody(), somebody()];
    let checks: Vec<_> = users
        .iter()
        .enumerate()
        .map(|(number, (_, settings))| (format!("mail-{number}"), settings.clone()))
        .collect();
    let config = Config::of(&checks);
    let policy = PolicyFile::of(&format!("[targets]\n{LAB}[rates]\nmails_a_minute = 2\n"));
    let told = config.all(&policy.path());
    let passed = told.iter().filter(|told| told.verdict == "pass").count();
    assert_eq!((told.len(), passed), (3, 2), "{told:#?}");
    let third = told.iter().find(|told| told.verdict != "pass").expect("the third");
    assert_refused(third, "rates.mails_a_minute", "2 messages were sent in the minute");
    let log = lab().mail_log();
    let sent = users
        .iter()
        .filter(|(user, _)| log.with(&format!("from=<{}>", user.address)).next().is_some());
    assert_eq!(sent.count(), 2, "the third never left");
    let policy = PolicyFile::of(&format!("[targets]\n{LAB}[rates]\nconnections = 0\n"));
    let told = probe("tcp", Some(&policy), &[("host", "198.18.0.10"), ("port", "25")]);
    assert_refused(&told, "rates.connections", "0 may be");
}

#[test]
fn check_config_says_what_the_policy_would_refuse() {
    let _company = in_company();
    let (_, settings) = somebody();
    let checks = [
        ("good".to_owned(), settings.clone()),
        ("bad".to_owned(), settings.with("to", "a@b.test")),
    ];
    let config = Config::of(&checks);
    let policy = PolicyFile::targets("");
    let (exit, output, errors) =
        config.agent(&["check-config"], &["--policy", &policy.path().display().to_string()]);
    assert_eq!(exit, 0, "{errors}");
    assert!(output.contains("networks    198.18.0.0/24"), "{output}");
    let refused: Vec<_> = output.lines().filter(|line| line.contains("refused")).collect();
    assert!(refused.len() == 1 && refused[0].contains("bad  by recipients: a@b.test"), "{output}");

    std::fs::set_permissions(policy.path(), Permissions::from_mode(0o666)).expect("its mode");
    let (exit, _, errors) =
        config.agent(&["check-config"], &["--policy", &policy.path().display().to_string()]);
    assert_eq!(exit, 2, "{errors}");
    assert!(
        errors.contains("can be written to by others") && errors.contains("chmod go-w"),
        "{errors}"
    );
}
