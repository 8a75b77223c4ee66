//! How long `mailsonde-agent explain` takes as a process, from its start to its end: over the sample messages of
//! the tests (the seeds of the fuzz targets), and over messages that are as bad as they can be.
//!
//! Each is explained in words and as JSON, several times; the median and the worst are printed, and the worst of
//! all. The claim is 100 ms. What takes long of it is the start of the process and the reading of what is piped in: the
//! first line, an ordinary message, shows how much.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark: it stops at the first surprise, and prints"
)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use mailsonde_proto::Clock;

const TIMES: usize = 7;
const MIB: usize = 1024 * 1024;
/// Targets whose seeds are whole messages.
const MESSAGES: [&str; 4] = ["explain", "notification", "headers", "verified_message"];

fn main() {
    // The first process of all reads the program from disk.
    explain(b"Subject: first\r\n\r\n", &[]);
    let mut worst = (Duration::ZERO, String::new());
    let mut over = 0;
    println!("{:44} {:>10} {:>10} {:>10}", "message", "bytes", "median", "worst");
    for (name, message) in samples().into_iter().chain(hostile()) {
        let mut took: Vec<_> = (0..TIMES)
            .flat_map(|_| [explain(&message, &[]), explain(&message, &["--json"])])
            .collect();
        took.sort_unstable();
        let (median, most) = (took[took.len() / 2], took[took.len() - 1]);
        println!("{name:44} {:>10} {:>10} {:>10}", message.len(), shown(median), shown(most));
        over += usize::from(most > Duration::from_millis(100));
        if most > worst.0 {
            worst = (most, name);
        }
    }
    println!("worst: {} for {}; {over} messages over 100 ms", shown(worst.0), worst.1);
}

fn shown(took: Duration) -> String {
    format!("{:.1} ms", took.as_secs_f64() * 1_000.0)
}

/// One process; what it says is thrown away, and that it ends well is made sure of.
fn explain(message: &[u8], arguments: &[&str]) -> Duration {
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    command.args(["agent", "explain", "-"]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let began = Clock::system().monotonic();
    let mut child = command.spawn().expect("it starts");
    // It stops reading when it has read enough.
    child.stdin.take().expect("its input").write_all(message).ok();
    let output = child.wait_with_output().expect("it ends");
    let took = began.elapsed();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() || errors.contains("is no message"), "{errors}");
    took
}

fn samples() -> Vec<(String, Vec<u8>)> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../agent/fuzz/seeds");
    let mut samples = Vec::new();
    for target in MESSAGES {
        let entries = std::fs::read_dir(seeds.join(target)).expect("seeds");
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("a seed").path()).collect();
        paths.sort();
        samples.extend(paths.into_iter().map(|path| {
            let number = path.file_name().expect("a name").to_string_lossy().into_owned();
            (format!("{target}/{number}"), std::fs::read(&path).expect("a seed"))
        }));
    }
    samples
}

fn hostile() -> Vec<(String, Vec<u8>)> {
    let texts = headers().into_iter().chain(parts()).chain(bounces());
    texts.map(|(name, text)| (name.to_owned(), text.into_bytes())).collect()
}

/// The start, and then the same again and again, up to so many bytes.
fn filled(bytes: usize, start: &str, again: &str) -> String {
    start.to_owned() + &again.repeat(bytes.saturating_sub(start.len()) / again.len())
}

fn headers() -> Vec<(&'static str, String)> {
    let received = "Received: from a (b [192.0.2.1]) by c with ESMTPS id 1; Mon, 24 Nov 2025 16:00:00 +0000\r\n";
    let long = received.replace("id 1", &format!("id 1 ({})", "a b ".repeat(4_000)));
    let methods = "; dkim=pass (a) header.d=a.test".repeat(30);
    let results = format!("Authentication-Results: a.test{methods}\r\n");
    let word = " =?iso-2022-jp?B?GyRCMX4zSRsoQg==?=";
    let signature = "DKIM-Signature: d=a; s=b; h=a:b:c\r\n";
    vec![
        ("100,000 headers", "X: y\r\n".repeat(100_000) + "\r\n"),
        ("100,000 Received", received.repeat(100_000) + "\r\n"),
        ("1,000 long Received", long.repeat(1_000) + "\r\n"),
        ("1,000 Authentication-Results", results.repeat(1_000) + "\r\n"),
        ("8,000 signatures", signature.repeat(8_000) + "\r\n"),
        ("a header of 50 MiB", filled(50 * MIB, "Subject: ", "x")),
        ("a header of 1 MiB of encoded words", filled(MIB, "Subject:", word)),
        ("a header of 1 MiB of folded lines", filled(MIB, "Received: ", "a\r\n ")),
        ("a header of 1 MiB of parentheses", filled(MIB, "Received: ", "(")),
    ]
}

const BOUNCE: &str = "From: MAILER-DAEMON@a\r\nSubject: Undeliverable\r\n";
const REPORT: &str =
    "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n";

fn parts() -> Vec<(&'static str, String)> {
    let status = format!("{BOUNCE}{REPORT}Content-Type: message/delivery-status\r\n\r\n");
    let recipient = "Final-Recipient: rfc822; a@b.test\r\nAction: failed\r\n\r\n";
    let unclear = format!("{recipient}Diagnostic-Code: smtp; {}\r\n", "漢字 ".repeat(300));
    let field = format!("{status}Diagnostic-Code: smtp; ");
    vec![
        ("1 MiB of nested multiparts", nested(MIB)),
        ("1 MiB of nested messages", filled(MIB, BOUNCE, "Content-Type: message/rfc822\r\n\r\n")),
        ("1 MiB of reports in reports", filled(MIB, BOUNCE, REPORT)),
        ("1 MiB of parts", filled(MIB, &format!("{BOUNCE}{REPORT}"), "--b\r\n\r\nx\r\n")),
        ("a report of 20,000 recipients", filled(MIB, &status, recipient)),
        ("a report of long reasons that say nothing", filled(MIB, &status, &unclear)),
        ("a report of one field of 1 MiB", filled(MIB, &field, "550 5.1.1 é ")),
        ("a report of fields without end", filled(MIB, &status, "A: b\r\n")),
    ]
}

fn bounces() -> Vec<(&'static str, String)> {
    let text = format!("{BOUNCE}\r\n");
    let plain = format!("{BOUNCE}Content-Type: text/plain; charset=");
    let japanese = format!("{plain}iso-2022-jp\r\n\r\n");
    let quoted = format!("{plain}utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n");
    let html = format!("{BOUNCE}Content-Type: text/html\r\n\r\n");
    let unclear = "漢字 ".repeat(300) + "\r\n";
    let for_one = format!("<a@b.test>:\r\n{unclear}");
    vec![
        ("a bounce of 50,000 addresses", filled(MIB, &text, "<a@b.test>: 550 no\r\n\r\n")),
        ("a bounce of one line of 50 MiB", filled(50 * MIB, &text, "<a@b>:")),
        ("a bounce of lines that say nothing", filled(MIB, &text, &unclear)),
        ("a bounce of reasons that say nothing", numbered(&text, &for_one)),
        ("a bounce of 1 MiB of escapes", filled(MIB, &japanese, "\u{1b}$B0!\u{1b}(B")),
        ("a bounce of 1 MiB of quoted-printable", filled(MIB, &quoted, "=E3=81=82=\r\n")),
        ("a bounce of 1 MiB of tags", filled(MIB, &html, "<td>&lt;&amp;")),
        ("a bounce of 1 MiB of open tags", filled(MIB, &html, "<")),
        ("a bounce of 1 MiB of Message-IDs", filled(MIB, &text, "<mailsonde.A@b>")),
    ]
}

/// The same again and again, each time about another address.
fn numbered(start: &str, again: &str) -> String {
    let texts = (0..MIB / again.len()).map(|number| again.replace("a@", &format!("a{number}@")));
    start.to_owned() + &texts.collect::<String>()
}

/// Multiparts in one another, as deep as so many bytes allow.
fn nested(bytes: usize) -> String {
    let mut text = "From: MAILER-DAEMON@a\r\nSubject: Undeliverable\r\n".to_owned();
    for number in 0.. {
        write!(text, "Content-Type: multipart/mixed; boundary=b{number}\r\n\r\n--b{number}\r\n")
            .expect("text");
        if text.len() > bytes {
            break;
        }
    }
    text
}
