//! A resolver that answers nobody: whatever a check is about, nothing can be said of it. That is our own
//! network's trouble where the system names the resolver, and the resolver's own where the check does.

use std::path::PathBuf;

use crate::agent::{Told, bounded, in_company, output_of, somebody};

/// Nobody is there.
const SILENT: &str = "198.18.0.99";
/// The branch itself, which turns questions away.
const REFUSING: &str = "127.0.0.1";
/// Runs what follows with another `resolv.conf`.
const ENTER: &str = "mount --bind \"$0\" \"$(readlink -f /etc/resolv.conf)\" && exec \"$@\"";

fn resolv_conf(server: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("resolv.conf");
    std::fs::write(&file, format!("nameserver {server}\n")).unwrap();
    (folder, file)
}

/// `mailsonde-agent probe KIND --json` in branch 1, where the system's resolver is this one; as it is
/// without one.
#[track_caller]
fn probe(system: Option<&str>, kind: &str, settings: &str) -> Told {
    let conf = system.map(resolv_conf);
    let file = conf.as_ref().map(|(_, file)| file.display().to_string()).unwrap_or_default();
    let before: &[&str] = match conf {
        Some(_) => &["unshare", "--mount", "sh", "-c", ENTER, &file],
        None => &[],
    };
    let mut command = bounded(before);
    command.args(["agent", "probe", kind, "--json", "--set", "timeout=9s"]);
    for setting in settings.split_whitespace() {
        command.args(["--set", setting]);
    }
    Told::of(output_of(&mut command))
}

#[track_caller]
fn assert_ours(told: &Told, what: &str) {
    let void = told.void.as_ref().unwrap_or_else(|| panic!("{what} is not void: {told:#?}"));
    assert_eq!(void.reason, "local_network", "{what}: {told:#?}");
    assert!(void.detail.starts_with("no DNS server"), "{what}: {told:#?}");
    assert!(void.detail.contains("answers at all: "), "{what}: {told:#?}");
}

/// The kinds that ask a resolver about a domain, with settings that pass where it answers.
const OF_DNS: [(&str, &str); 4] = [
    ("dns", "domain=good.test rules=mx own_networks=198.18.0.0/15"),
    ("spf", "ip=198.18.0.10 sender=a@good.test dnssec=off"),
    ("dnsbl", "domain=good.test lists=dnsbl.test dnssec=off"),
    ("dnsbl", "addresses=198.18.0.10 lists=dnsbl.test dnssec=off"),
];

#[test]
fn with_the_systems_resolver_dead_no_target_is_judged() {
    let _company = in_company();
    let all = OF_DNS.into_iter().chain([
        ("smtp", "host=mail.good.test"),
        ("imap", "host=imap.good.test"),
        ("pop3", "host=imap.good.test"),
        ("tls", "host=mail.good.test port=465"),
        ("tcp", "host=mail.good.test port=25"),
        ("http", "url=https://mail.good.test/"),
        // The temperror that is expected is one of a domain, not of a resolver.
        ("spf", "ip=198.18.0.10 sender=a@good.test expect=temperror"),
    ]);
    // They wait, mostly: each kind beside the others.
    std::thread::scope(|scope| {
        for (kind, settings) in all {
            scope.spawn(move || {
                for server in [SILENT, REFUSING] {
                    let told = probe(Some(server), kind, settings);
                    assert_ours(&told, &format!("{kind} by {server}"));
                }
            });
        }
    });
    let (_user, settings) = somebody();
    // By name on both sides, straight to the exchanger, and by name only where mail is read.
    let by_address = settings.clone().with("smtp.host", "198.18.0.10").with("smtp.tls", "none");
    let by_address = by_address.without("smtp.ca_file").with("smtp.port", 25);
    for settings in [settings.clone(), settings.with("mx", "good.test"), by_address] {
        let (_folder, file) = resolv_conf(SILENT);
        let file = file.display().to_string();
        let (exit, told, errors) =
            settings.probe_in(&["unshare", "--mount", "sh", "-c", ENTER, &file]);
        assert_eq!(exit, 3, "{errors}");
        assert_ours(&told.expect("it tells"), "round-trip");
    }
}

#[test]
fn a_resolver_that_a_check_names_fails_it() {
    let _company = in_company();
    for (kind, settings) in OF_DNS {
        for (server, class) in [(SILENT, "timeout"), (REFUSING, "refused")] {
            let named = format!("{settings} resolver={server} question_timeout=1s");
            let told = probe(None, kind, &named);
            told.assert_fault("resolve", class, "no DNS server answers at all: ");
        }
    }
}

#[test]
fn a_resolver_that_answers_about_others_is_not_dead() {
    let _company = in_company();
    let trusting = "dnssec=off question_timeout=3s";
    for (kind, settings, phase) in [
        ("dns", "domain=silent.test rules=mx", "dns.lookup"),
        ("spf", "ip=198.18.0.10 sender=a@silent.test", "spf.evaluate"),
    ] {
        let told = probe(None, kind, &format!("{settings} {trusting}"));
        let fault = told.fault.as_ref().unwrap_or_else(|| panic!("no fault: {told:#?}"));
        assert_eq!(fault.phase, phase, "{told:#?}");
        assert!(["timeout", "temporary"].contains(&fault.class.as_str()), "{told:#?}");
    }
    let told = probe(None, "smtp", "host=mx.silent.test");
    let fault = told.fault.as_ref().unwrap_or_else(|| panic!("no fault: {told:#?}"));
    assert_eq!(fault.phase, "resolve", "{told:#?}");
}
