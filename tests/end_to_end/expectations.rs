//! Acceptance runs: `probe --all` over configurations that expect more than an arrival in INBOX, on real
//! servers. Each expectation is met once, and broken in each way that it knows.

mod free_text;

use std::collections::BTreeMap;
use std::time::Duration;

use mailsonde_tests::lab::User;

use crate::agent::{Told, bounded, in_company, lab, name_of, output_of};

/// How long the lab's greylisting refuses who is new.
const GREYLISTED: Duration = Duration::from_secs(2);

/// A mailbox and the one that writes to it.
struct Pair {
    main: User,
    sender: User,
    /// Where the sender hands its mail in.
    submission: &'static str,
}

impl Pair {
    fn new() -> Self {
        let user = || lab().claim_user().expect("a user");
        Self { main: user(), sender: user(), submission: "mail.good.test" }
    }

    fn name(&self) -> &str {
        name_of(&self.main)
    }

    /// Each check of this kind under its name, once; the exit status, and what each told.
    fn accept(&self, checks: &[(&str, &str)]) -> (i32, BTreeMap<String, Told>) {
        let ca = lab().ca_file().display().to_string();
        let mailbox = |name: &str, user: &User, submission: &str| {
            format!(
                "[[mailbox]]\nname = \"{name}\"\naddress = \"{}\"\npassword.env = \"PROBE_PASSWORD\"\n\
                 smtp = {{ host = \"{submission}\", ca_file = \"{ca}\" }}\n\
                 imap = {{ host = \"imap.good.test\", ca_file = \"{ca}\" }}\n",
                user.address
            )
        };
        let checks: String = checks
            .iter()
            .map(|(name, settings)| {
                let timeout = if settings.contains("timeout") { "" } else { "timeout = \"30s\"\n" };
                format!(
                    "[[check]]\nname = \"{name}\"\nkind = \"round-trip\"\nmailbox = \"main\"\n{timeout}\
                     {settings}\n"
                )
            })
            .collect();
        let text = format!(
            "[collector]\naddress = \"collector.lab.test\"\nca = \"none\"\ncertificate = \"none\"\n\
             key = \"none\"\n[vantage_point]\nname = \"b1\"\n{}{}{checks}",
            mailbox("main", &self.main, "mail.good.test"),
            mailbox("sender", &self.sender, self.submission),
        );
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("none"), "").expect("a file");
        let file = folder.path().join("agent.toml");
        std::fs::write(&file, text).expect("a file");
        let mut command = bounded(&[]);
        command.args(["agent", "probe", "--all", "--json", "--config"]).arg(&file);
        let (exit, output, errors) = output_of(command.env("PROBE_PASSWORD", &self.main.password));
        let told = output.lines().map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).expect(line);
            let name = value["check"].as_str().expect(line).to_owned();
            (name, serde_json::from_value(value).expect(line))
        });
        let told: BTreeMap<_, _> = told.collect();
        assert!(!told.is_empty(), "{exit}: {errors}");
        (exit, told)
    }
}

#[test]
fn an_acceptance_run_passes_when_all_is_as_it_should_be() {
    let _company = in_company();
    lab().start_greylisting(GREYLISTED).expect("postgrey starts");
    let pair = Pair::new();
    let name = pair.name();
    let via = |address: &str| format!("via = \"{}\"\n", address.replace('*', name));
    let grey =
        via("*@grey.test") + "mx = \"grey.test\"\ngreylist_retry = \"3s\"\ntimeout = \"60s\"";
    let away = via("away-*@good.test")
        + "from_mailbox = \"sender\"\nauto_reply = \"required\"\nauto_reply_within = \"20s\"";
    let blocked = "attachment = \"1KiB\"\nattachment_name = \"probe.exe\"\nexpect = \"rejected\"\n\
                   expect_code = \"5.7.1\"";
    let (exit, told) = pair.accept(&[
        ("forwarding", &via("fwd-*@good.test")),
        ("list", &via("list-*@good.test")),
        ("plus-address", &via("*+lab@good.test")),
        ("between", "from_mailbox = \"sender\""),
        ("filter", "folder = \"Filed\"\nsubject = \"LAB-FILED this\""),
        ("junk", "expect = \"junk\"\nsubject = \"LAB-SPAM\""),
        ("attachment", "attachment = \"3MiB\"\nattachment_name = \"report.pdf\""),
        ("large", "size = \"2MiB\""),
        ("blocked", blocked),
        ("spam", "body = \"gtube\"\nexpect = \"rejected\"\nexpect_code = \"5.7.1\""),
        ("malware", "body = \"eicar\"\nexpect = \"rejected\""),
        ("refusal", "via = \"reject@good.test\"\nexpect = \"rejected\"\nexpect_code = \"5.7.1\""),
        ("too-large", "attachment = \"6MiB\"\nexpect = \"rejected\"\nexpect_code = \"552\""),
        ("bounce", "via = \"x@bounce.test\"\nexpect = \"bounced\"\nexpect_code = \"5.1.1\""),
        ("away", &away),
        (
            "here",
            "from_mailbox = \"sender\"\nauto_reply = \"forbidden\"\nauto_reply_within = \"3s\"",
        ),
        ("greylisted", &grey),
    ]);
    for told in told.values() {
        told.assert_pass();
    }
    assert_eq!((exit, told.len()), (0, 17));
    let of = |check: &str, fact: &str| told[check].fact(fact).to_owned();
    assert_eq!(of("forwarding", "via"), format!("fwd-{name}@good.test"));
    assert_eq!(of("forwarding", "arrival.delivered_to"), pair.main.address);
    assert_eq!(of("filter", "arrival.place"), "folder");
    assert_eq!(of("filter", "imap.folder"), "Filed");
    assert_eq!(of("attachment", "attachment.bytes"), (3 << 20).to_string());
    assert_eq!(of("refusal", "rejected.step"), "recipient");
    assert_eq!(of("malware", "rejected.step"), "message");
    assert_eq!(of("too-large", "rejected.enhanced_code"), "5.3.4");
    assert_eq!(of("bounce", "bounce.enhanced_code"), "5.1.1");
    assert!(of("away", "auto_reply.kind").contains("auto-replied"), "{told:#?}");
    assert!(of("between", "hop.1").contains("mx1.good.test"), "{told:#?}");
    assert_is_clean(&pair);
    assert_is_honest(&told["greylisted"]);
}

/// The wait is a phase of its own, is at least what the server asks for, and is part of the total.
fn assert_is_honest(greylisted: &Told) {
    assert_eq!(greylisted.fact("greylisted"), "true");
    assert!(greylisted.fact("greylisted.reply").contains("Greylisted"), "{greylisted:#?}");
    let wait = greylisted.phase("greylist");
    assert!(wait.us >= i64::try_from(GREYLISTED.as_micros()).unwrap(), "{greylisted:#?}");
    assert_eq!(greylisted.fact("greylisted.us"), wait.us.to_string());
    assert_eq!(greylisted.phase("resolve").start_us, wait.end_us());
    assert_eq!(greylisted.phase("arrival").end_us(), greylisted.total_us);
}

fn assert_is_clean(pair: &Pair) {
    for folder in ["new", "cur", ".Filed/new", ".Filed/cur", ".Junk/new", ".Junk/cur"] {
        for user in [&pair.main, &pair.sender] {
            let part = format!("mail/good.test/{}/Maildir/{folder}", name_of(user));
            let left = std::fs::read_dir(lab().folder().join(part)).into_iter().flatten().count();
            assert_eq!(left, 0, "{folder} of {} is clean", user.address);
        }
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table: one broken thing after the other")]
fn an_acceptance_run_says_what_is_broken() {
    let _company = in_company();
    lab().start_greylisting(GREYLISTED).expect("postgrey starts");
    let pair = Pair::new();
    let name = pair.name();
    let discard = format!("via = \"discard-{name}@good.test\"\ntimeout = \"9s\"\n");
    let lost = format!("{discard}expect = \"bounced\"");
    let swallowed = format!("{discard}expect = \"rejected\"");
    let answered = format!(
        "via = \"away-{name}@good.test\"\nfrom_mailbox = \"sender\"\nauto_reply = \"forbidden\"\n\
         auto_reply_within = \"10s\""
    );
    let grey = format!("via = \"{name}@grey.test\"\nmx = \"grey.test\"\ntimeout = \"10s\"");
    let (exit, told) = pair.accept(&[
        ("good", ""),
        ("not-filed", "folder = \"Filed\"\nsubject = \"LAB-OTHER\""),
        ("filed-as-junk", "folder = \"Filed\"\nsubject = \"LAB-SPAM\""),
        ("not-refused", "expect = \"rejected\""),
        ("swallowed", &swallowed),
        (
            "wrong-code",
            "via = \"nosuch@good.test\"\nexpect = \"rejected\"\nexpect_code = \"5.7.1\"",
        ),
        ("for-now", "via = \"tempfail@good.test\"\nexpect = \"rejected\""),
        ("no-bounce", "expect = \"bounced\""),
        ("lost-bounce", &lost),
        ("refused-at-once", "via = \"reject@good.test\"\nexpect = \"bounced\""),
        ("bounced", "via = \"x@bounce.test\"\nfrom_mailbox = \"sender\""),
        ("blocked", "attachment = \"1KiB\"\nattachment_name = \"probe.exe\""),
        ("not-junk", "body = \"gtube\"\nexpect = \"junk\""),
        ("answered", &answered),
        (
            "unanswered",
            "from_mailbox = \"sender\"\nauto_reply = \"required\"\nauto_reply_within = \"2s\"",
        ),
        ("greylisted", &grey),
    ]);
    assert_eq!(exit, 1, "{told:#?}");
    told["good"].assert_pass();
    for (check, phase, class, words) in [
        (
            "not-filed",
            "arrival",
            "mismatch",
            "was not filed into Filed, as is expected: it arrived in INBOX",
        ),
        ("filed-as-junk", "arrival", "mismatch", "it arrived in Junk"),
        ("not-refused", "data", "mismatch", "which it should have refused; it arrived in INBOX"),
        (
            "swallowed",
            "data",
            "mismatch",
            "which it should have refused; it has not arrived within",
        ),
        ("wrong-code", "envelope", "mismatch", "but with 550 5.1.1 instead of 5.7.1"),
        ("for-now", "envelope", "temporary", "the server refused the recipient"),
        (
            "no-bounce",
            "arrival",
            "mismatch",
            "a bounce is expected, but the message arrived in INBOX",
        ),
        ("lost-bounce", "transit", "timeout", "neither it nor the message came within"),
        ("refused-at-once", "envelope", "mismatch", "a bounce is expected, but the server refused"),
        ("bounced", "transit", "permanent", "the message bounced: there is no such mailbox"),
        ("blocked", "data", "permanent", "the server refused the message"),
        ("not-junk", "data", "permanent", "the server refused the message"),
        ("answered", "auto_reply", "mismatch", "was answered automatically, which it must not be"),
        ("unanswered", "auto_reply", "timeout", "was not answered automatically within 2"),
        (
            "greylisted",
            "envelope",
            "temporary",
            "no time to come back after 60 s: raise its timeout",
        ),
    ] {
        told[check].assert_fault(phase, class, words);
    }
}

#[test]
fn what_servers_found_on_the_way_counts_only_from_those_that_are_trusted() {
    let _company = in_company();
    lab().start_filter().expect("rspamd starts");
    let pair = Pair { submission: "mx.filter.test", ..Pair::new() };
    let through = format!("via = \"{}@filter.test\"\nfrom_mailbox = \"sender\"\n", pair.name());
    let trusting = format!("{through}trust = [\"mx.filter.test\"]");
    let (_, told) = pair.accept(&[("trusting", &trusting), ("wary", &through)]);
    let (trusting, wary) = (&told["trusting"], &told["wary"]);
    trusting.assert_pass();
    wary.assert_pass();
    for (method, words) in [("spf", "pass"), ("dmarc", "pass"), ("dkim", "pass")] {
        let fact = trusting.fact(&format!("authentication.{method}"));
        assert!(fact.contains(words), "{fact}");
    }
    assert!(trusting.fact("dkim.1").contains("good.test"), "{trusting:#?}");
    // our own verification says the same as the filter
    assert!(trusting.fact("verify.dkim").starts_with("pass"), "{trusting:#?}");
    assert!(trusting.fact("verify.dmarc").starts_with("pass"), "{trusting:#?}");
    assert!(wary.fact("authentication.untrusted.1").contains("mx.filter.test"), "{wary:#?}");
    assert!(trusting.fact("hop.1").contains("mx.filter.test"), "{trusting:#?}");
}
