//! The probes `imap` and `pop3` against real Dovecot, good and broken in each way that they know, and round
//! trips whose message is seen to arrive by POP3.

mod letters;
mod sent;

use std::time::Duration;

use mailsonde_tests::hostile::{Script, Step, Trouble};
use mailsonde_tests::lab::User;

use self::letters::{deliver, files, letters, maildir, plant_old};
use crate::agent::{
    Config, Settings, Told, bounded, hostile, in_company, lab, output_of, settings,
};

const PASSWORD: &str = "PROBE_PASSWORD";
const DAY: Duration = Duration::from_secs(86_400);

/// Settings, as `--set` takes them.
type Keys<'k> = &'k [(&'k str, &'k str)];

/// `mailsonde-agent probe KIND --json` in branch 1, at the lab's Dovecot as this user; later keys win.
fn look(kind: &str, user: &User, keys: Keys<'_>) -> Told {
    let ca = lab().ca_file().display().to_string();
    let mut all = std::collections::BTreeMap::from([
        ("host", "imap.good.test"),
        ("ca_file", &ca),
        ("login", &user.address),
        ("password_env", PASSWORD),
        ("timeout", "20s"),
    ]);
    all.extend(keys.iter().copied());
    let mut command = bounded(&[]);
    command.args(["agent", "probe", kind, "--json"]).env(PASSWORD, &user.password);
    for (key, value) in all {
        command.arg("--set").arg(format!("{key}={value}"));
    }
    Told::of(output_of(&mut command))
}

#[test]
fn a_good_imap_server_is_told_and_nothing_in_it_changes() {
    let _company = in_company();
    let user = lab().claim_user().expect("a user");
    deliver(&user, "first", 300);
    deliver(&user, "second", 300);
    let before = files(&user);
    for (tls, port) in [("implicit", "993"), ("starttls", "143")] {
        let keys = [("tls", tls), ("expect_capabilities", "IDLE,QUOTA"), ("max_messages", "2")];
        let told = look("imap", &user, &[&keys[..], &[("port", port), ("max_age", "1h")]].concat());
        assert_eq!(told.verdict, "pass", "{told:#?}");
        assert!(told.findings.is_empty(), "{told:#?}");
        let mut phases = told.phases();
        phases.sort_unstable();
        let mut expected =
            ["resolve", "connect", "tls", "greeting", "auth", "select", "list", "quota"];
        expected.sort_unstable();
        assert_eq!(phases, expected);
        assert_eq!((told.fact("imap.messages"), told.fact("imap.unread")), ("2", "2"));
        assert!(told.fact("imap.tls").starts_with("TLSv1.3"), "{told:#?}");
        assert!(told.fact("imap.certificate_days").parse::<u32>().is_ok());
        assert_eq!(told.fact("imap.quota.storage.limit"), "102400 KiB");
        assert_eq!(told.fact("imap.quota.storage.percent"), "0");
        assert!(told.fact("imap.oldest_age").ends_with('s'), "{told:#?}");
    }
    assert_eq!(files(&user), before, "neither a flag nor \\Recent has changed");
}

#[test]
fn quota_at_95_percent_is_a_finding_of_imap() {
    let _company = in_company();
    let user = lab().user("nearly").expect("a user");
    let told = look("imap", &user, &[]);
    assert_eq!(told.verdict, "pass", "a finding alone fails no run: {told:#?}");
    let finding = told.findings.first().unwrap_or_else(|| panic!("no finding: {told:#?}"));
    assert_eq!(finding.rule, "imap.quota_critical");
    assert_eq!(finding.severity, "critical");
    assert!(finding.evidence.starts_with("95 % of STORAGE"), "{finding:?}");
    assert_eq!(told.fact("imap.quota.storage.root"), "User quota");

    let told = look("imap", &user, &[("quota_critical", "99%")]);
    assert_eq!(told.findings[0].rule, "imap.quota_high", "{told:#?}");
    let told = look("imap", &user, &[("fail_from", "critical")]);
    told.assert_fault("posture", "mismatch", "imap.quota_critical: 95 % of STORAGE");
}

#[test]
fn a_stuck_queue_and_an_unwatched_mailbox_fail() {
    let _company = in_company();
    let user = lab().claim_user().expect("a user");
    for number in 0..3 {
        deliver(&user, &format!("{number}"), 100);
    }
    let too_many = "it has 3 messages, at most 2 are expected";
    for kind in ["imap", "pop3"] {
        look(kind, &user, &[("max_messages", "2")]).assert_fault("list", "mismatch", too_many);
        let few = look(kind, &user, &[("min_messages", "4")]);
        few.assert_fault("list", "mismatch", "at least 4 are expected");
    }
    look("imap", &user, &[("max_unread", "2")]).assert_fault("list", "mismatch", "3 are unread");

    let stuck = lab().user("stuck").expect("a user");
    let told = look("imap", &stuck, &[("folder", "Outgoing"), ("max_age", "1h")]);
    told.assert_fault("list", "mismatch", "its oldest message is 5h");
    assert_eq!(told.fact("imap.messages"), "2");

    let old = lab().claim_user().expect("a user");
    deliver(&old, "makes the mailbox", 100);
    for file in files(&old) {
        std::fs::remove_file(maildir(&old).join(file)).expect("a file");
    }
    plant_old(&old, 3 * DAY);
    plant_old(&old, 2 * DAY);
    for kind in ["imap", "pop3"] {
        let told = look(kind, &old, &[("max_age", "60h")]);
        told.assert_fault("list", "mismatch", "its oldest message is 3d");
        let told = look(kind, &old, &[("max_age", "4d"), ("max_newest_age", "1d")]);
        told.assert_fault("list", "mismatch", "its newest message is 2d");
        let told = look(kind, &old, &[("max_age", "4d"), ("max_newest_age", "3d")]);
        assert_eq!(told.verdict, "pass", "{told:#?}");
        assert!(told.fact(&format!("{kind}.oldest_age")).starts_with("3d"), "{told:#?}");
    }
}

#[test]
fn a_wrong_password_and_a_missing_folder_fail_in_their_phases() {
    let _company = in_company();
    let user = lab().claim_user().expect("a user");
    // That it shows nowhere is seen to in `secrets`.
    let wrong = User { password: "wrong".to_owned(), ..user.clone() };
    for kind in ["imap", "pop3"] {
        let told = look(kind, &wrong, &[]);
        told.assert_fault("auth", "permanent", "wrong login or password");
    }
    let told = look("imap", &user, &[("folder", "Archive/2019")]);
    told.assert_fault("select", "permanent", "the selection of Archive/2019");
    assert_eq!(look("imap", &user, &[("folder", "Junk")]).fact("imap.messages"), "0");
    let told = look("imap", &user, &[("expect_capabilities", "IDLE,X-NEVER")]);
    told.assert_fault("greeting", "mismatch", "does not offer X-NEVER");
}

#[test]
fn a_good_pop3_server_is_told_and_nothing_in_it_changes() {
    let _company = in_company();
    let user = lab().claim_user().expect("a user");
    deliver(&user, "first", 300);
    deliver(&user, "second", 300);
    let before = letters(&user);
    for (tls, port) in [("implicit", "995"), ("starttls", "110")] {
        let keys = [("tls", tls), ("port", port), ("expect_capabilities", "UIDL,SASL PLAIN")];
        let told = look("pop3", &user, &keys);
        assert_eq!(told.verdict, "pass", "{told:#?}");
        assert_eq!(told.fact("pop3.messages"), "2");
        assert_eq!(told.fact("pop3.auth"), "SCRAM-SHA-256");
        assert!(told.fact("pop3.capabilities").contains("UIDL"), "{told:#?}");
        assert!(told.fact("pop3.newest_age").ends_with('s'), "{told:#?}");
        assert!(told.phases().contains(&"tls") && told.phases().contains(&"list"));
    }
    assert_eq!(letters(&user), before);
}

#[test]
fn servers_that_misbehave_are_told_so_at_once() {
    let _company = in_company();
    let user = User { address: "probe@good.test".to_owned(), password: "probe".to_owned() };
    let here = [("host", "spare.lab.test"), ("tls", "none")];
    let tls = [("host", "spare.lab.test"), ("tls", "starttls")];
    let endless = |trouble| (Step::List, trouble);
    let cases: Vec<(&str, Script, Keys<'_>, [&str; 3])> = vec![
        ("pop3", Script::pop3(), &tls, ["tls", "protocol", "does not offer STLS"]),
        ("imap", Script::imap(), &tls, ["tls", "protocol", "does not offer STARTTLS"]),
        (
            "pop3",
            Script::pop3().at(Step::Capability, Trouble::EndlessLines),
            &here,
            ["greeting", "protocol", "as the list of capabilities"],
        ),
        (
            "pop3",
            Script::pop3().at(Step::Select, Trouble::EndlessLine),
            &here,
            ["list", "protocol", "a line without end: the answer to STAT"],
        ),
        (
            "pop3",
            Script::pop3().answer_at(Step::Auth, "-ERR [IN-USE] locked"),
            &here,
            ["auth", "temporary", "another session has the mailbox open"],
        ),
        (
            "imap",
            Script::imap().at(Step::Select, Trouble::EndlessLines),
            &here,
            ["select", "protocol", "more than 1048576 bytes"],
        ),
        (
            "imap",
            Script::imap().at(Step::Select, Trouble::EndlessLine),
            &here,
            ["select", "protocol", "a line without end"],
        ),
        ("imap", Script::imap().close_at(Step::Select), &here, ["select", "refused", "closed"]),
    ];
    for (kind, script, keys, [phase, class, words]) in cases {
        let (server, port) = hostile(script);
        let port = port.to_string();
        let told = look(kind, &user, &[keys, &[("port", port.as_str())]].concat());
        told.assert_fault(phase, class, words);
        assert!(server.sent_bytes() < 32 << 20, "{kind}: it read on and on");
    }
    // A round trip by POP3 is as little impressed by a list without end.
    for trouble in [endless(Trouble::EndlessLines), endless(Trouble::EndlessLine)] {
        let (server, port) = hostile(Script::pop3().at(trouble.0, trouble.1));
        let told = by_pop3(&lab().claim_user().expect("a user"))
            .with("pop3.host", "spare.lab.test")
            .with("pop3.tls", "none")
            .with("pop3.port", port)
            .probe();
        let fault = told.fault.as_ref().unwrap_or_else(|| panic!("no fault: {told:#?}"));
        assert_eq!((fault.phase.as_str(), fault.class.as_str()), ("pop3.list", "protocol"));
        assert!(server.sent_bytes() < 32 << 20);
    }
}

/// A mailbox that is read by POP3 instead of IMAP.
fn by_pop3(user: &User) -> Settings {
    settings(user)
        .without("imap.host")
        .without("imap.ca_file")
        .with("pop3.host", "imap.good.test")
        .with("pop3.ca_file", lab().ca_file().display())
}

/// A session of its own shows the message: when the session before began is when it was absent last.
fn assert_timed(told: &Told) {
    told.assert_pass();
    let arrival = told.phase("arrival");
    assert!(arrival.us > 0 && arrival.us < 5_000_000, "{told:#?}");
    let data = told.phase("data");
    assert!((arrival.start_us - data.end_us()).abs() < 1_000, "{told:#?}");
    assert!(told.phases.iter().all(|phase| phase.name != "transit"), "{told:#?}");
}

#[test]
fn a_round_trip_by_pop3_passes_is_timed_and_removes_only_its_own_message() {
    let _company = in_company();
    for (tls, port) in [("implicit", 995), ("starttls", 110)] {
        let user = lab().claim_user().expect("a user");
        deliver(&user, "lunch?", 200);
        let before = letters(&user);
        let told = by_pop3(&user).with("pop3.tls", tls).with("pop3.port", port).probe();
        assert_timed(&told);
        for name in ["pop3.connect", "pop3.tls", "pop3.greeting", "pop3.auth", "pop3.list"] {
            assert!(told.phase(name).us > 0, "{told:#?}");
        }
        assert_eq!(told.fact("pop3.folder"), "INBOX");
        assert_eq!(told.fact("pop3.junk_folder"), "not watched: POP3 shows INBOX only");
        let commands: u64 = told.fact("arrival.commands").parse().expect("a number");
        assert!(commands <= 100, "{told:#?}");
        let delivered = lab().mail_log().deliveries_of(told.fact("message_id"));
        assert_eq!(delivered.len(), 1, "{delivered:?}");
        assert_eq!(letters(&user), before, "ours is gone, lunch is as it was");
    }
}

#[test]
fn ten_round_trips_by_pop3_one_after_the_other_and_ten_at_once() {
    let _company = in_company();
    let user = lab().claim_user().expect("a user");
    deliver(&user, "lunch?", 200);
    let before = letters(&user);
    let settings = by_pop3(&user).with("pop3.poll", "50ms").with("pop3.sessions_per_minute", 600);
    let lonely = Config::one("mail", settings.clone()).round_trips(&["--count", "10"]);
    let crowd = Config::one("mail", settings).round_trips(&["--count", "10", "--at-once", "10"]);
    for told in lonely.told.iter().chain(&crowd.told) {
        assert_timed(told);
    }
    assert_eq!((lonely.told.len(), crowd.told.len()), (10, 10));
    assert!(lonely.amendments.is_empty() && crowd.amendments.is_empty());
    let mut arrivals: Vec<i64> = lonely.told.iter().map(|told| told.phase("arrival").us).collect();
    arrivals.sort_unstable();
    println!("seen by POP3 after p50 {} us, p90 {} us", arrivals[5], arrivals[9]);
    assert_eq!(letters(&user), before, "ours are gone, lunch is as it was");
}

#[test]
fn what_pop3_cannot_see_is_not_expected_of_it() {
    let _company = in_company();
    let user = lab().claim_user().expect("a user");
    let (exit, told, errors) = by_pop3(&user).with("expect", "junk").probe_in(&[]);
    assert_eq!((exit, told.is_none()), (2, true), "{errors}");
    assert!(errors.contains("POP3 does not show the junk folder"), "{errors}");
    let other = lab().claim_user().expect("a user");
    let lost = by_pop3(&user).with("to", &other.address).with("timeout", "4s").probe();
    lost.assert_fault("arrival", "timeout", "the message was accepted, but did not arrive");
    assert_eq!(lost.fact("pop3.junk_folder"), "not watched: POP3 shows INBOX only");
}
