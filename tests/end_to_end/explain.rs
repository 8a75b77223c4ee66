//! `mailsonde-agent explain`: real messages and real bounces of the lab, verification by the lab's DNS,
//! and what nobody should send.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailsonde_proto::Clock;
use mailsonde_tests::lab::{FILTER, Host, User};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

use crate::agent::{DEMO, in_company, lab, name_of};
use crate::dialogue::{send, submission, submission_at};

const SOON: Duration = Duration::from_secs(10);
/// A debug build beside seven others takes its time; what it takes alone is printed.
const AT_MOST: Duration = Duration::from_secs(5);

fn explain(mut command: Command, message: &[u8], arguments: &[&str]) -> Output {
    command.args(["agent", "explain", "-"]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    // It stops reading when it has read enough.
    child.stdin.take().expect("its input").write_all(message).ok();
    child.wait_with_output().expect("it ends")
}

fn told(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}"))
}

/// Without any network: this process's own.
fn here(message: &[u8], arguments: &[&str]) -> Value {
    told(&explain(Command::new(DEMO), message, &[arguments, &["--json"]].concat()))
}

/// In branch 1, with the lab's resolver.
fn verified(message: &[u8], arguments: &[&str]) -> Value {
    let arguments = [arguments, &["--json", "--verify"]].concat();
    let value = told(&explain(lab().command(Host::Branch(1), DEMO), message, &arguments));
    value["verified"].clone()
}

/// The first stored message that holds some words, as it lies in the Maildir.
fn stored(user: &User, words: &str) -> Option<(PathBuf, Vec<u8>)> {
    let maildir = lab().folder().join(format!("mail/good.test/{}/Maildir", name_of(user)));
    let read = |part: &str| std::fs::read_dir(maildir.join(part)).into_iter().flatten().flatten();
    read("new").chain(read("cur")).find_map(|entry| {
        let bytes = std::fs::read(entry.path()).ok()?;
        String::from_utf8_lossy(&bytes).contains(words).then(|| (entry.path(), bytes))
    })
}

fn wait_for(user: &User, words: &str) -> (PathBuf, Vec<u8>) {
    for _ in 0..500 {
        if let Some(found) = stored(user, words) {
            return found;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("nothing with {words} came to {}", user.address);
}

#[test]
fn the_way_of_a_message_through_postfix_and_dovecot() {
    let _company = in_company();
    let user = lab().claim_user().expect("a user");
    let text = "Subject: explain me\r\n\r\nhello";
    let id = send(&mut submission(lab(), &user), &user.address, &user.address, text)
        .expect("it is accepted");
    lab().wait_for_delivery(&id, SOON).expect("it is stored");
    let (path, message) = wait_for(&user, &id);
    let value = here(&message, &[]);
    assert_eq!(value["kind"], "message");
    assert_eq!(value["message"]["message_id"], json!(id));
    let [submitted, stored] = value["hops"].as_array().expect("hops").as_slice() else {
        panic!("{value:#}");
    };
    assert_eq!(submitted["by"], "mx1.good.test", "{value:#}");
    assert_eq!(submitted["from"], "b1.lab.test");
    assert_eq!(submitted["with"], "ESMTPSA");
    assert_eq!(submitted["tls"]["version"], "TLSv1.3");
    assert!(submitted["tls"]["cipher"].as_str().expect("a cipher").starts_with("TLS_"));
    assert_eq!(submitted["for"], json!(user.address));
    assert_eq!(submitted["delay_us"], Value::Null);
    assert!(stored["with"].as_str().expect("a protocol").starts_with("LMTP"), "{value:#}");
    let delay_us = stored["delay_us"].as_i64().expect("a delay");
    assert!((-1_000_000..=10_000_000).contains(&delay_us), "{value:#}");
    // The same from a file, in words.
    let output = Command::new(DEMO).args(["agent", "explain"]).arg(path).output().expect("it runs");
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0));
    assert!(words.starts_with("MESSAGE  explain me\n"), "{words}");
    assert!(words.contains("mx1.good.test <- b1.lab.test ESMTPSA TLSv1.3"), "{words}");
}

#[test]
fn bounces_of_postfix_say_why() {
    let _company = in_company();
    let user = lab().claim_user().expect("a user");
    let mut session = submission(lab(), &user);
    for (to, status, reason) in
        [("x@bounce.test", "5.1.1", "unknown_user"), ("full@good.test", "5.2.2", "mailbox_full")]
    {
        let text = format!("Subject: about {reason}\r\n\r\nhello");
        let id = send(&mut session, &user.address, to, &text).expect("it is accepted");
        let (_, bounce) = wait_for(&user, &format!("Message-ID: <{id}>"));
        let value = here(&bounce, &[]);
        assert_eq!(value["kind"], "bounce", "{value:#}");
        let [recipient] = value["recipients"].as_array().expect("recipients").as_slice() else {
            panic!("{value:#}");
        };
        assert_eq!(recipient["address"], to);
        assert_eq!(recipient["action"], "failed");
        assert_eq!(recipient["status"], status);
        assert_eq!(recipient["reason"], reason);
        assert!(
            recipient["diagnostic"].as_str().is_some_and(|text| text.contains(status)),
            "{value:#}"
        );
        assert_eq!(value["bounce"]["returned"]["message_id"], json!(id));
        assert!(
            value["bounce"]["reporting_mta"].as_str().is_some_and(|mta| mta.contains("good.test"))
        );
    }
}

#[test]
fn who_quotes_a_bounce_writes_none() {
    let _company = in_company();
    let user = lab().claim_user().expect("a user");
    let id = send(
        &mut submission(lab(), &user),
        &user.address,
        "x@bounce.test",
        "Subject: to be quoted\r\n\r\nhello",
    )
    .expect("it is accepted");
    let (_, bounce) = wait_for(&user, &format!("Message-ID: <{id}>"));
    assert_eq!(here(&bounce, &[])["kind"], "bounce");
    let bounce = String::from_utf8_lossy(&bounce).into_owned();
    let quoted: String = bounce.lines().map(|line| format!("> {line}\r\n")).collect();
    let attached = format!(
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\n\r\nsee below\r\n\
         --q\r\nContent-Type: message/rfc822\r\n\r\n{bounce}\r\n--q--\r\n"
    );
    let plain = |text: &str| format!("\r\n{text}");
    for (who, headers) in [
        ("a person", "From: a@good.test\r\nSubject: Re: Undelivered Mail Returned to Sender"),
        (
            "a person who names who failed",
            "From: a@good.test\r\nX-Failed-Recipients: x@bounce.test\r\nSubject: Undelivered Mail",
        ),
        (
            "a postmaster",
            "From: postmaster@good.test\r\nReferences: <1@good.test>\r\nSubject: Re: Undelivered Mail",
        ),
        (
            "a ticket",
            "From: noreply@help.test\r\nAuto-Submitted: auto-generated\r\nSubject: [Ticket 4711] \
             Undelivered Mail Returned to Sender",
        ),
        (
            "an answer to it",
            "From: noreply@help.test\r\nReferences: <1@good.test>\r\nReturn-Path: <>\r\nSubject: \
             Undelivered Mail Returned to Sender",
        ),
        (
            "list software",
            "From: mailman@lists.test\r\nReturn-Path: <>\r\nX-Mailman-Version: 2.1.39\r\nList-Id: \
             <team.lists.test>\r\nSubject: Undeliverable: bounce action notification",
        ),
    ] {
        for body in [plain(&quoted), plain(&bounce), attached.clone()] {
            let message =
                format!("Message-ID: <q@good.test>\r\nTo: b@good.test\r\n{headers}\r\n{body}");
            let value = here(message.as_bytes(), &[]);
            assert_eq!(value["kind"], "message", "{who}: {value:#}");
            assert_eq!(value["recipients"].as_array().map_or(0, Vec::len), 0, "{who}: {value:#}");
        }
    }
}

/// A message that the lab's key of this selector signs, by RFC 6376 itself and not by the library that
/// verifies it.
fn signed(domain: &str, selector: &str, client: &str) -> String {
    let body = "hello\r\n";
    let hash = STANDARD.encode(digest(&SHA256, body.as_bytes()));
    let tags = format!(
        "v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s={selector}; h=from:subject; bh={hash}; b="
    );
    let signed = format!("from:A <a@dkim.test>\r\nsubject:hello\r\ndkim-signature:{tags}");
    let pem = include_str!("../src/lab/templates/dkim.s2048.key");
    let der: String = pem.lines().filter(|line| !line.starts_with("--")).collect();
    let key = RsaKeyPair::from_der(&STANDARD.decode(der).expect("base64")).expect("a key");
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
        .expect("a signature");
    format!(
        "Return-Path: <a@dkim.test>\r\nReceived: from out.dkim.test (out.dkim.test [{client}]) by \
         mx1.good.test with ESMTP id 1; Mon, 24 Nov 2025 16:00:00 +0000\r\nDKIM-Signature: \
         {tags}{}\r\nFrom: A <a@dkim.test>\r\nSubject: hello\r\n\r\n{body}",
        STANDARD.encode(signature)
    )
}

const EXCHANGER: &str = "198.18.0.10";
const STRANGER: &str = "198.18.9.9";

/// Of DKIM, SPF and DMARC.
fn results(value: &Value) -> [&str; 3] {
    [&value["dkim"][0], &value["spf"], &value["dmarc"]]
        .map(|check| check["result"].as_str().expect("a result"))
}

#[test]
fn verification_of_what_is_good_and_what_is_broken() {
    let _company = in_company();
    let by = ["--receiver", "good.test"];
    let good = signed("dkim.test", "s2048", EXCHANGER);
    let value = verified(good.as_bytes(), &by);
    assert_eq!(results(&value), ["pass", "pass", "pass"], "{value:#}");
    assert_eq!(value["dkim"][0]["detail"], "dkim.test, s2048");
    // The body was altered, and the client is not one of the domain's.
    let altered = signed("dkim.test", "s2048", STRANGER).replace("hello\r\n", "hallo\r\n");
    let altered = altered.replace("Subject: hallo", "Subject: hello");
    let value = verified(altered.as_bytes(), &by);
    assert_eq!(results(&value), ["fail", "fail", "fail"], "{value:#}");
    assert!(value["dkim"][0]["detail"].as_str().is_some_and(|text| text.contains("the body")));
    // Nobody's word on the client: SPF is unknown, and DMARC with it.
    let value = verified(altered.as_bytes(), &[]);
    assert_eq!(results(&value), ["fail", "unknown", "unknown"], "{value:#}");
    // A header was altered.
    let value = verified(good.replace("A <a@", "B <a@").as_bytes(), &by);
    assert_eq!(results(&value), ["fail", "pass", "pass"], "{value:#}");
    // Stored with LF alone, as Maildirs are.
    let value = verified(good.replace("\r\n", "\n").as_bytes(), &by);
    assert_eq!(results(&value), ["pass", "pass", "pass"], "{value:#}");
}

/// rspamd signs with RSA and with ed25519, verifies, and scores.
#[test]
fn what_a_real_filter_signed_and_said() {
    let _company = in_company();
    lab().start_filter().expect("rspamd starts");
    let user = lab().claim_user().expect("a user");
    let to = format!("{}@filter.test", name_of(&user));
    let mut session = submission_at(lab(), &user, FILTER, "mx.filter.test");
    let text = "Subject: hello\r\nDate: Tue, 24 Nov 2026 12:00:00 +0000\r\n\r\nhello";
    let id = send(&mut session, "a@good.test", &to, text).expect("it is accepted");
    lab().wait_for_delivery(&id, SOON).expect("it arrives");
    let (_, message) = wait_for(&user, &id);
    let value = here(&message, &["--trust", "mx.filter.test"]);
    let trusted = &value["authentication"][0];
    assert_eq!(trusted["authserv_id"], "mx.filter.test", "{value:#}");
    assert_eq!(trusted["trusted"], true);
    let methods = trusted["results"].as_array().expect("results");
    for method in ["dkim", "spf", "dmarc"] {
        let passes = methods.iter().any(|one| one["method"] == method && one["result"] == "pass");
        assert!(passes, "{method}: {value:#}");
    }
    assert_eq!(here(&message, &[])["authentication"][0]["trusted"], false);
    let selectors: Vec<_> = value["signatures"]
        .as_array()
        .expect("signatures")
        .iter()
        .map(|one| &one["selector"])
        .collect();
    assert!(selectors.contains(&&json!("s2048")) && selectors.contains(&&json!("ed")), "{value:#}");
    assert_eq!(value["spam"][0]["filter"], "rspamd", "{value:#}");
    assert_eq!(value["spam"][0]["spam"], false);
    // Our own verification agrees with rspamd, and finds what was altered after it.
    let by = ["--receiver", "filter.test"];
    let value = verified(&message, &by);
    // Not the hop over which the user signed in, but the one after it counts for SPF.
    assert_eq!(results(&value), ["pass", "pass", "pass"], "{value:#}");
    assert_eq!(value["dkim"][1]["result"], "pass", "{value:#}");
    let altered = String::from_utf8_lossy(&message).replace("\nhello", "\nhallo");
    let value = verified(altered.as_bytes(), &by);
    assert_eq!(
        [&value["dkim"][0]["result"], &value["dkim"][1]["result"]],
        ["fail", "fail"],
        "{value:#}"
    );
}

#[test]
fn keys_that_are_revoked_missing_or_not_to_be_had() {
    let _company = in_company();
    for (domain, selector, expected) in [
        ("dkim.test", "revoked", "permerror"),
        ("dkim.test", "nosuch", "permerror"),
        ("dkim.test", "alias", "pass"),
        // DNSSEC says that the zone is not to be believed: no answer, not a wrong one.
        ("expired.test", "s2048", "temperror"),
    ] {
        let value = verified(signed(domain, selector, EXCHANGER).as_bytes(), &[]);
        assert_eq!(results(&value)[0], expected, "{selector}: {value:#}");
    }
}

#[test]
fn what_cannot_be_read_says_so() {
    let run = |arguments: &[&str]| {
        let output = Command::new(DEMO).args(["agent", "explain"]).args(arguments).output();
        let output = output.expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let folder = tempfile::tempdir().expect("a folder");
    let [empty, pipe] =
        ["empty", "pipe"].map(|name| folder.path().join(name).display().to_string());
    std::fs::write(&empty, "").expect("a file");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("it runs").success());
    for (arguments, words) in [
        (&["/nowhere/a.eml"][..], "No such file"),
        (&["/"], "is a folder"),
        (&[empty.as_str()], "is empty"),
        // Nobody ever writes into it.
        (&[pipe.as_str()], "is no regular file: name one, or - for standard input"),
        (&["/dev/null"], "is no regular file"),
        (&[], "Usage"),
        (&["a.eml", "--receiver", "a"], "--verify"),
    ] {
        let (code, errors) = run(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains(words), "{arguments:?}: {errors}");
    }
}

#[test]
fn no_message_is_too_much() {
    let bounce = "From: MAILER-DAEMON@a\r\nSubject: Undeliverable\r\n";
    let report =
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n";
    let mib = 1024 * 1024;
    let nested = "Content-Type: message/rfc822\r\n\r\n";
    let multiparts: String = (0..20_000)
        .map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n"))
        .collect();
    for (name, message) in [
        ("200,000 headers", format!("{}\r\n", "Received: from a by b; x\r\n".repeat(200_000))),
        ("a line of 50 MiB", format!("Subject: {}", "x".repeat(50 * mib))),
        ("a body of one line of 50 MiB", format!("{bounce}\r\n{}", "<a@b>:".repeat(50 * mib / 6))),
        ("messages nested 300,000 deep", format!("{bounce}{}", nested.repeat(300_000))),
        ("multiparts nested 20,000 deep", format!("{bounce}{multiparts}")),
        ("a report of 300,000 parts", format!("{report}{}", "--b\r\n\r\nx\r\n".repeat(300_000))),
        ("parentheses", format!("Received: {}\r\n\r\n", "(".repeat(200_000))),
        ("signatures", "DKIM-Signature: d=a; s=b; h=a:b:c\r\n".repeat(8_000)),
        ("addresses", format!("{bounce}\r\n{}", "<a@b.test>: 550 no\r\n\r\n".repeat(50_000))),
    ] {
        let began = Clock::system().monotonic();
        let value = here(message.as_bytes(), &[]);
        let took = began.elapsed();
        println!("{name}: {} bytes in {took:.0?}", message.len());
        assert!(took < AT_MOST, "{name}: {took:?}");
        assert!(value["hops"].as_array().is_some_and(|hops| hops.len() <= 100), "{name}");
        assert!(value["recipients"].as_array().is_some_and(|all| all.len() <= 100), "{name}");
    }
}
