//! A client in a few lines against each trouble.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use super::*;
use crate::certificates::{Authority, Validity};

fn start(script: Script) -> Hostile {
    script.start(&Network::here(), ([127, 0, 0, 1], 0).into()).expect("a server starts")
}

fn connect(hostile: &Hostile) -> TcpStream {
    let stream = TcpStream::connect(hostile.address()).expect("it accepts");
    stream.set_read_timeout(Some(Duration::from_millis(500))).expect("a timeout");
    stream
}

/// Says a line, if it is not empty, and reads until an answer contains `until`.
fn say(stream: &mut (impl Read + Write), line: &str, until: &str) -> io::Result<String> {
    if !line.is_empty() {
        stream.write_all(format!("{line}\r\n").as_bytes())?;
    }
    let mut answer = Vec::new();
    while !String::from_utf8_lossy(&answer).contains(until) {
        let mut piece = [0; 512];
        match stream.read(&mut piece)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            length => answer.extend_from_slice(&piece[..length]),
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// A whole submission; the step's line and the answer at which it stopped.
fn submit(stream: &mut (impl Read + Write)) -> Result<(), (&'static str, io::Error)> {
    for (line, until) in [
        ("", "220 "),
        ("EHLO client", "250 "),
        ("AUTH PLAIN AGEAYg==", "235 "),
        ("MAIL FROM:<a@b>", "250 "),
        ("RCPT TO:<c@d>", "250 "),
        ("DATA", "354 "),
        ("text\r\n.", "queued"),
        ("QUIT", "221 "),
    ] {
        say(stream, line, until).map_err(|error| (line, error))?;
    }
    Ok(())
}

#[test]
fn without_trouble_it_behaves() {
    let hostile = start(Script::smtp());
    submit(&mut connect(&hostile)).expect("the mail is taken");
    assert_eq!(hostile.connections(), 1);
    assert!(hostile.commands().contains(&"RCPT TO:<c@d>".to_owned()));
    assert!(!hostile.commands().contains(&"text".to_owned()));

    let hostile = start(Script::imap());
    let mut stream = connect(&hostile);
    for (line, until) in [
        ("", "* OK"),
        ("a LOGIN {1+}\r\nu {1+}\r\np", "a OK"),
        ("b AUTHENTICATE PLAIN", "+ "),
        ("AGEAYg==", "b OK"),
        ("c SELECT INBOX", "c OK"),
        ("d UID SEARCH ALL", "d OK"),
        ("e IDLE", "+ idling"),
        ("DONE", "e OK"),
        ("f LOGOUT", "f OK"),
    ] {
        say(&mut stream, line, until).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

#[test]
fn it_hangs_or_closes_at_each_step_and_not_before() {
    for (step, line) in [
        (Step::Greeting, ""),
        (Step::Ehlo, "EHLO client"),
        (Step::Auth, "AUTH PLAIN AGEAYg=="),
        (Step::Mail, "MAIL FROM:<a@b>"),
        (Step::Rcpt, "RCPT TO:<c@d>"),
        (Step::Data, "DATA"),
        (Step::Text, "text\r\n."),
        (Step::Quit, "QUIT"),
    ] {
        let hostile = start(Script::smtp().hang_at(step));
        let (at, error) = submit(&mut connect(&hostile)).expect_err("it hangs");
        assert_eq!((at, error.kind()), (line, ErrorKind::WouldBlock), "{step:?}");
        let hostile = start(Script::smtp().close_at(step));
        let (at, error) = submit(&mut connect(&hostile)).expect_err("it closes");
        assert_eq!((at, error.kind()), (line, ErrorKind::UnexpectedEof), "{step:?}");
    }
}

#[test]
fn it_answers_with_what_it_is_told() {
    let hostile = start(Script::smtp().answer_at(Step::Rcpt, "452 4.3.1 disk full"));
    let mut stream = connect(&hostile);
    say(&mut stream, "", "220 ").expect("a greeting");
    let answer = say(&mut stream, "RCPT TO:<c@d>", "\r\n").expect("an answer");
    assert_eq!(answer, "452 4.3.1 disk full\r\n");
    say(&mut stream, "MAIL FROM:<a@b>", "250 ").expect("the session goes on");

    let hostile = start(Script::imap().answer_at(Step::Select, "{tag} NO not now"));
    let mut stream = connect(&hostile);
    say(&mut stream, "", "* OK").expect("a greeting");
    assert_eq!(say(&mut stream, "a SELECT INBOX", "\r\n").expect("an answer"), "a NO not now\r\n");
}

#[test]
fn endless_answers_go_on_past_any_sensible_limit() {
    for (trouble, without_newline) in [
        (Trouble::EndlessLine, true),
        (Trouble::EndlessLines, false),
        (Trouble::HugeLiteral, false),
        (Trouble::Rubbish, false),
    ] {
        let hostile = start(Script::imap().at(Step::Noop, trouble.clone()));
        let mut stream = connect(&hostile);
        say(&mut stream, "", "* OK").expect("a greeting");
        stream.write_all(b"a NOOP\r\n").expect("it listens");
        let mut piece = vec![0; 4 << 20];
        stream.read_exact(&mut piece).expect("four megabytes come");
        assert_eq!(!piece.contains(&b'\n'), without_newline, "{trouble:?}");
        drop(stream);
        assert!(hostile.sent_bytes() < ENDLESS_MAX_BYTES);
    }
}

#[test]
fn what_is_injected_comes_in_one_piece_and_tls_follows() {
    let authority = Authority::new().expect("an authority");
    let identity = authority.issue(&["hostile.test"], Validity::Current).expect("a certificate");
    let script = Script::smtp().starttls(&identity).expect("TLS");
    let injected = Trouble::Inject("250 2.0.0 injected\r\n".to_owned());
    let hostile = start(script.at(Step::StartTls, injected));
    let mut stream = connect(&hostile);
    say(&mut stream, "", "220 ").expect("a greeting");
    let answer = say(&mut stream, "STARTTLS", "\r\n").expect("an answer");
    assert_eq!(answer, "220 2.0.0 go ahead\r\n250 2.0.0 injected\r\n");
    let config = authority.client_config().expect("a client");
    let mut stream = StreamOwned::new(client(config), stream);
    say(&mut stream, "EHLO client", "250 ").expect("TLS stands");
}

#[test]
fn implicit_tls_stands_before_the_greeting_and_can_hang() {
    let authority = Authority::new().expect("an authority");
    let identity = authority.issue(&["hostile.test"], Validity::Current).expect("a certificate");
    let script = Script::smtp().implicit_tls(&identity).expect("TLS");
    let config = authority.client_config().expect("a client");

    let hostile = start(script.clone());
    let mut stream = StreamOwned::new(client(Arc::clone(&config)), connect(&hostile));
    submit(&mut stream).expect("the mail is taken");

    let hostile = start(script.hang_at(Step::Handshake));
    let mut stream = StreamOwned::new(client(config), connect(&hostile));
    let (at, error) = submit(&mut stream).expect_err("it hangs");
    assert_eq!((at, error.kind()), ("", ErrorKind::WouldBlock));
}

fn client(config: Arc<rustls::ClientConfig>) -> ClientConnection {
    let name = ServerName::try_from("hostile.test").expect("a name");
    ClientConnection::new(config, name).expect("a TLS client")
}
