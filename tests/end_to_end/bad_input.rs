//! Bad input: each kind gets its own words, its own class and the right exit status, soon and in bounded
//! memory.

use std::net::SocketAddr;
use std::time::Duration;

use mailsonde_proto::time::Clock;
use mailsonde_tests::hostile::{Hostile, Script, Step, Trouble};
use mailsonde_tests::lab::{Host, SPARE};

use crate::agent::{Config, Settings, bounded, in_company, lab, output_of, somebody};

/// A hostile server's own time, which the agent's step of ten seconds must not outlast.
const PATIENCE: &str = "3s";
/// What an agent may take while a server sends without end, beside the pages of its own program.
const PEAK_MOST_KIB: u64 = 16 * 1024;
/// What a server may get rid of: the agent takes little of it, but each connection's buffers in the kernel
/// take some MiB before the agent hangs up, and a mailbox is tried again.
const TAKEN_MOST_BYTES: u64 = 64 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Smtp,
    Imap,
}

/// A hostile server with STARTTLS at `spare.lab.test`, and settings that lead there one way.
fn hostile(way: Way, step: Step, trouble: Trouble, settings: Settings) -> (Hostile, Settings) {
    let identity = lab().identity(&["spare.lab.test"]).expect("a certificate");
    let script = if way == Way::Smtp { Script::smtp() } else { Script::imap() };
    let script = script.starttls(&identity).expect("a good certificate").at(step, trouble);
    let network = lab().network(Host::Mail).expect("the mail host");
    let server = script.start(&network, SocketAddr::from((SPARE, 0))).expect("it starts");
    let port = server.address().port();
    let settings = match way {
        Way::Smtp => settings.with("smtp.host", "spare.lab.test").with("smtp.port", port),
        Way::Imap => settings
            .with("imap.host", "spare.lab.test")
            .with("imap.port", port)
            .with("imap.tls", "starttls"),
    };
    (server, settings)
}

#[test]
fn a_configuration_with_five_mistakes_reports_all_five_with_their_lines() {
    let text = "\
[collector]
address = \"collector.example.org\"
ca = \"none\"
certificate = \"none\"
key = \"none\"

[vantage_point]
name = \"branch north\"

[[mailbox]]
name = \"main\"
address = \"probe.good.test\"
password = \"secret\"
[mailbox.smtp]
host = \"mail.good.test\"
tls = \"startls\"
[mailbox.imap]
host = \"imap.good.test\"

[[check]]
name = \"mail\"
kind = \"round-trip\"
mailbox = \"main\"
every = \"60\"
timout = \"20s\"
";
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("none"), "").expect("a file");
    let file = folder.path().join("agent.toml");
    std::fs::write(&file, text).expect("a file");
    for command in [["agent", "check-config"].as_slice(), &["agent", "run", "--config"]] {
        let (exit, output, errors) = output_of(bounded(&[]).args(command).arg(&file));
        assert_eq!((exit, output.as_str()), (2, ""), "{errors}");
        for (line, words) in [
            (8, "name must"),
            (12, "address must be a mail address such as \"probe@example.org\""),
            (16, "starttls"),
            (24, "unit"),
            (25, "timeout"),
        ] {
            let place = format!("agent.toml:{line}:");
            let told = errors.lines().filter(|told| told.contains(&place)).collect::<Vec<_>>();
            assert!(told.len() == 1 && told[0].contains(words), "{line} {words:?}:\n{errors}");
        }
        assert!(errors.contains("5 mistakes: nothing was started"), "{errors}");
        assert!(!errors.contains("secret"), "{errors}");
    }
}

#[test]
fn a_probe_at_a_shell_says_what_is_wrong_with_its_settings() {
    let _company = in_company();
    let (_, settings) = somebody();
    for (settings, words) in [
        (settings.clone().with("smtp.tls", "startls"), "starttls"),
        (settings.clone().with("timeout", "20"), "unit"),
        (settings.clone().with("smtp.ca_file", "/nowhere.pem"), "/nowhere.pem"),
    ] {
        let (exit, told, errors) = settings.probe_in(&[]);
        assert_eq!((exit, told.is_none()), (2, true), "{errors}");
        assert!(errors.contains(words), "{errors}");
    }
}

#[test]
fn a_wrong_password_is_told_for_each_server() {
    let _company = in_company();
    let (_, settings) = somebody();
    let told = settings.clone().with("smtp.password", "wrong-pw").probe();
    let words = "the server refused the sign-in: wrong login or password";
    let fault = told.assert_fault("auth", "permanent", words);
    assert_eq!((fault.basic_code, fault.enhanced_code.as_deref()), (Some(535), Some("5.7.8")));
    let told = settings.with("imap.password", "wrong-pw").probe();
    told.assert_fault("imap.auth", "permanent", "wrong login or password");
}

#[test]
fn a_server_that_is_not_there_is_told_by_the_step_that_failed() {
    let _company = in_company();
    let (_, settings) = somebody();
    let settings = settings.with("timeout", "4s");
    for (host, phase, class, words) in [
        ("nosuch.good.test", "resolve", "refused", "nosuch.good.test does not exist in DNS"),
        ("mail.bogus.test", "resolve", "temporary", "the look-up of mail.bogus.test failed"),
        ("refused.lab.test", "connect", "refused", "refused the connection: nothing listens"),
        ("deaf.lab.test", "connect", "", "deaf.lab.test (198.18.0.99:"),
    ] {
        for (key, prefix) in [("smtp.host", ""), ("imap.host", "imap.")] {
            let told = settings.clone().with(key, host).probe();
            let seen = told.fault.as_ref().map_or("", |fault| fault.class.as_str());
            // nobody at an address: no answer, or the router says so, whichever comes first
            let class = if class.is_empty() { seen } else { class };
            assert!(["refused", "timeout", "temporary"].contains(&class), "{told:#?}");
            told.assert_fault(&format!("{prefix}{phase}"), class, words);
        }
    }
}

#[test]
fn a_bad_certificate_is_told_with_what_is_wrong_with_it() {
    let _company = in_company();
    let (_, settings) = somebody();
    let smtp = settings.clone().with("smtp.host", "mail.badcert.test").with("smtp.tls", "implicit");
    for (port, words) in [
        (465, "it expired on 2020-01-31"),
        (466, "it is signed by an authority that is not trusted here (or by itself)"),
        (467, "it is for other names: other.example.test"),
    ] {
        let told = smtp.clone().with("smtp.port", port).probe();
        let words = format!("the certificate of mail.badcert.test is not accepted: {words}");
        told.assert_fault("tls", "mismatch", &words);
    }
    let told = settings.clone().with("imap.host", "mail.badcert.test").probe();
    told.assert_fault("imap.tls", "mismatch", "it expired on 2020-01-31");
    let told = settings.with("smtp.tls", "implicit").with("smtp.port", 587).probe();
    told.assert_fault("tls", "protocol", "did not speak TLS (is this the right port?)");
}

#[test]
fn starttls_that_is_not_offered_ends_it_before_the_password() {
    let _company = in_company();
    let (_, settings) = somebody();
    let told = settings.clone().with("smtp.host", "mail.badcert.test").probe();
    told.assert_fault("tls", "protocol", "the server does not offer STARTTLS");
    let network = lab().network(Host::Mail).expect("the mail host");
    let server = Script::imap().start(&network, SocketAddr::from((SPARE, 0))).expect("it starts");
    let told = settings
        .with("imap.host", "spare.lab.test")
        .with("imap.port", server.address().port())
        .with("imap.tls", "starttls")
        .probe();
    told.assert_fault("imap.tls", "protocol", "the server does not offer STARTTLS");
    let said = server.commands().join("\n");
    assert!(!said.contains("AUTHENTICATE") && !said.contains("LOGIN"), "{said}");
}

#[test]
fn plaintext_behind_starttls_is_refused() {
    let _company = in_company();
    for (way, phase, injected) in [
        (Way::Smtp, "tls", "250-hostile.test\r\n250 AUTH PLAIN\r\n"),
        (Way::Imap, "imap.tls", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"),
    ] {
        let trouble = Trouble::Inject(injected.to_owned());
        let (server, settings) = hostile(way, Step::StartTls, trouble, somebody().1);
        let told = settings.probe();
        told.assert_fault(phase, "protocol", "would have been injected into the session");
        let said = server.commands().join("\n");
        assert!(!said.contains("AUTH"), "{said}");
    }
}

#[test]
fn a_server_that_hangs_is_told_by_the_phase_it_hangs_in() {
    let _company = in_company();
    let cases = [
        (Way::Smtp, Step::Greeting, "greeting", "its greeting"),
        (Way::Smtp, Step::Ehlo, "greeting", "the answer to EHLO"),
        (Way::Smtp, Step::StartTls, "tls", "the answer to STARTTLS"),
        (Way::Smtp, Step::Handshake, "tls", "its part of the TLS handshake"),
        (Way::Smtp, Step::Auth, "auth", "the answer to AUTH"),
        (Way::Smtp, Step::Mail, "envelope", "the answer to MAIL FROM"),
        (Way::Smtp, Step::Rcpt, "envelope", "the answer to RCPT TO"),
        (Way::Smtp, Step::Data, "data", "the answer to DATA"),
        (Way::Smtp, Step::Text, "data", "its acceptance of the message"),
        (Way::Imap, Step::Greeting, "imap.greeting", "its greeting"),
        (Way::Imap, Step::Capability, "imap.greeting", "list of capabilities"),
        (Way::Imap, Step::StartTls, "imap.tls", "STARTTLS"),
        (Way::Imap, Step::Handshake, "imap.tls", "its part of the TLS handshake"),
        (Way::Imap, Step::Auth, "imap.auth", ""),
        (Way::Imap, Step::Select, "imap.select", "the selection of INBOX"),
        (Way::Imap, Step::Search, "imap.select", "the search for test messages"),
    ];
    let clock = Clock::system();
    std::thread::scope(|scope| {
        for (way, step, phase, awaited) in cases {
            let settings = somebody().1.with("timeout", PATIENCE);
            scope.spawn(move || {
                let (_server, settings) = hostile(way, step, Trouble::Hang, settings);
                let began = clock.monotonic();
                let told = settings.probe();
                told.assert_fault(phase, "timeout", "the server did not send ");
                told.assert_fault(phase, "timeout", awaited);
                assert!(began.elapsed() < Duration::from_secs(20), "{step:?} {told:#?}");
            });
        }
    });
}

#[test]
fn a_junk_folder_that_hangs_does_not_hold_the_run_up() {
    let _company = in_company();
    let (_, settings) = somebody();
    let settings = settings.with("timeout", "6s");
    let (_server, settings) = hostile(Way::Imap, Step::List, Trouble::Hang, settings);
    let told = settings.probe();
    told.assert_fault("arrival", "timeout", "did not arrive within");
    let junk = told.fact("imap.junk_folder");
    assert!(junk.starts_with("not watched: ") && junk.contains("list of folders"), "{junk}");
}

#[test]
fn what_never_ends_is_refused_in_bounded_memory() {
    let _company = in_company();
    let line = "the server sent a line without end";
    for (way, step, trouble, phase, words) in [
        (Way::Smtp, Step::Greeting, Trouble::EndlessLine, "greeting", line),
        (Way::Smtp, Step::Ehlo, Trouble::EndlessLines, "greeting", "the server sent more than"),
        (Way::Smtp, Step::Auth, Trouble::EndlessLine, "auth", line),
        (Way::Smtp, Step::Data, Trouble::Rubbish, "data", "is not"),
        (Way::Imap, Step::Greeting, Trouble::EndlessLine, "imap.greeting", line),
        (Way::Imap, Step::Capability, Trouble::EndlessLines, "imap.greeting", ""),
        (
            Way::Imap,
            Step::Select,
            Trouble::EndlessLines,
            "imap.select",
            "the server sent more than",
        ),
        (Way::Imap, Step::Select, Trouble::EndlessLine, "imap.select", line),
        (
            Way::Imap,
            Step::Search,
            Trouble::HugeLiteral,
            "imap.select",
            "announced a literal of 1073741824 bytes",
        ),
        (Way::Imap, Step::Select, Trouble::Rubbish, "imap.select", ""),
    ] {
        let settings = somebody().1.with("timeout", PATIENCE);
        let (server, settings) = hostile(way, step, trouble.clone(), settings);
        let seen = Config::one("mail", settings).round_trips(&[]);
        let told = &seen.told[0];
        told.assert_fault(phase, "protocol", words);
        let peak_kib = seen.ended().peak_rss_kib;
        assert!(peak_kib < PEAK_MOST_KIB, "{way:?} {step:?} {trouble:?}: {peak_kib} KiB");
        assert!(server.sent_bytes() < TAKEN_MOST_BYTES, "{} bytes", server.sent_bytes());
    }
}

#[test]
fn a_server_that_hangs_up_is_told_so() {
    let _company = in_company();
    for (way, step, phase) in [
        (Way::Smtp, Step::Greeting, "greeting"),
        (Way::Smtp, Step::Text, "data"),
        (Way::Imap, Step::Auth, "imap.auth"),
    ] {
        let (_server, settings) = hostile(way, step, Trouble::Close, somebody().1);
        let told = settings.probe();
        told.assert_fault(phase, "refused", "closed the connection instead of sending");
    }
}

#[test]
fn an_agent_without_a_network_does_not_judge() {
    let _company = in_company();
    let (_, settings) = somebody();
    let (exit, told, errors) = settings.probe_in(&["unshare", "--net"]);
    let told = told.unwrap_or_else(|| panic!("{errors}"));
    let void = told.void.as_ref().unwrap_or_else(|| panic!("{told:#?}"));
    assert_eq!((exit, told.verdict.as_str(), void.reason.as_str()), (3, "void", "local_network"));
    assert!(void.detail.contains("this machine cannot reach any DNS server"), "{told:#?}");
}
