//! Messages put into mailboxes of the lab, and what is there.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use mailsonde_proto::Clock;
use mailsonde_tests::lab::User;

use crate::agent::{lab, name_of};

/// Puts a message into a mailbox through Dovecot's LMTP socket, with a body of so many bytes.
pub(super) fn deliver(user: &User, subject: &str, body_bytes: usize) {
    let line = format!("{}\r\n", "x".repeat(98));
    let body = line.repeat(body_bytes / line.len());
    let text = format!("From: <>\r\nTo: {}\r\nSubject: {subject}\r\n\r\n{body}.", user.address);
    let mut stream = UnixStream::connect(lab().folder().join("dovecot/run/lmtp")).expect("LMTP");
    let mut replies = BufReader::new(stream.try_clone().expect("a stream"));
    let recipient = format!("RCPT TO:<{}>", user.address);
    for line in ["", "LHLO lab.test", "MAIL FROM:<>", &recipient, "DATA", &text, "QUIT"] {
        if !line.is_empty() {
            stream.write_all(format!("{line}\r\n").as_bytes()).expect("LMTP");
        }
        let mut reply = String::new();
        while reply.is_empty() || reply.as_bytes().get(3) == Some(&b'-') {
            reply.clear();
            replies.read_line(&mut reply).expect("a reply");
        }
        assert!(reply.starts_with(['2', '3']), "{reply}");
    }
}

pub(super) fn maildir(user: &User) -> PathBuf {
    lab().folder().join(format!("mail/good.test/{}/Maildir", name_of(user)))
}

/// The files of INBOX: their names say the flags, and whether they are new.
pub(super) fn files(user: &User) -> BTreeSet<String> {
    files_in(user, "")
}

/// Those of another folder, by its name in the Maildir, such as `.Sent`.
pub(super) fn files_in(user: &User, folder: &str) -> BTreeSet<String> {
    let of = |part: &str| {
        let folder = std::fs::read_dir(maildir(user).join(folder).join(part)).expect("a folder");
        let part = part.to_owned();
        folder.map(move |file| format!("{part}/{}", file.unwrap().file_name().to_string_lossy()))
    };
    of("new").chain(of("cur")).collect()
}

/// The messages of INBOX with their flags; whether they are recent is left out, because any POP3 sign-in
/// makes Dovecot forget it.
pub(super) fn letters(user: &User) -> BTreeSet<String> {
    let bare = |file: &String| {
        let name = file.trim_start_matches("new/").trim_start_matches("cur/");
        name.trim_end_matches(":2,").to_owned()
    };
    files(user).iter().map(bare).collect()
}

/// A message that came so long ago, as its file and its header say.
pub(super) fn plant_old(user: &User, age: Duration) {
    let came = Clock::system().wall().minus(age).timestamp();
    let date = jiff::fmt::rfc2822::to_string(&came.to_zoned(jiff::tz::TimeZone::UTC));
    let (date, came) = (date.expect("a date"), SystemTime::from(came));
    let text = format!("Received: by mail.good.test; {date}\nSubject: old\n\nleft behind\n");
    let path = maildir(user).join(format!("new/{}.planted", age.as_secs()));
    std::fs::write(&path, text).expect("a file");
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(came).expect("a date");
}
