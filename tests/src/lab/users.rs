//! Who has a mailbox in the lab, and with which password.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::LabError;
use super::folder::Folder;

/// Those who are always there.
const PEOPLE: [&str; 7] = ["alice", "bob", "full", "nearly", "stuck", "away", "copied"];
/// The first of the probe users' own uids. Each has one, because the kernel's limit on inotify watches
/// is per uid: beyond it Dovecot's IDLE would notice mail only every 30 seconds.
const FIRST_PROBE_UID: u32 = 200_001;

/// A mailbox with its login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Address and login, such as `alice@good.test`.
    pub address: String,
    /// In plain text; the lab has no secrets.
    pub password: String,
}

impl User {
    fn person(name: &str) -> Self {
        Self { address: format!("{name}@good.test"), password: format!("secret-{name}") }
    }

    fn probe(number: u16) -> Self {
        Self { address: format!("p{number:03}@good.test"), password: "probe".to_owned() }
    }
}

/// Everybody: alice, bob, full, nearly, stuck, away, copied, then p001 and on.
pub(super) fn everybody(probes: u16) -> Vec<User> {
    PEOPLE.into_iter().map(User::person).chain((1..=probes).map(User::probe)).collect()
}

/// Writes Dovecot's passwd-file.
pub(super) fn write_passwords(folder: &Folder, users: &[User]) -> Result<(), LabError> {
    let mut text = String::new();
    let mut uid = FIRST_PROBE_UID;
    for User { address, password } in users {
        let (ids, extra) = match (address.as_str(), password.as_str()) {
            (_, "probe") => (format!("{uid}:8"), ""),
            ("full@good.test", _) => (":".to_owned(), "userdb_quota_rule=*:storage=20K"),
            ("nearly@good.test", _) => (":".to_owned(), "userdb_quota_rule=*:storage=100K"),
            _ => (":".to_owned(), ""),
        };
        uid += u32::from(password == "probe");
        text.push_str(&format!("{address}:{{PLAIN}}{password}:{ids}::::{extra}\n"));
    }
    folder.write("dovecot/users", &text)
}

/// Writes the list of addresses that Postfix takes mail for.
pub(super) fn write_mailboxes(folder: &Folder, users: &[User]) -> Result<(), LabError> {
    let mut text: String = users.iter().map(|user| format!("{} ok\n", user.address)).collect();
    text.push_str("@bounce.test ok\n"); // Dovecot knows none of them: accepted, and then bounced
    folder.write("postfix/mailboxes", &text)
}

/// The age of the messages of `stuck`, by their folder in the Maildir (empty: INBOX).
const STUCK: [(&str, &[Duration]); 2] = [
    ("", &[Duration::from_secs(3 * 86_400), Duration::from_secs(2 * 3600), Duration::ZERO]),
    (".Outgoing", &[Duration::from_secs(5 * 3600), Duration::from_secs(4 * 3600)]),
];

/// Writes the messages of `stuck` into its mailbox, with their age as the time of the file, which is their
/// INTERNALDATE (RFC 9051 section 2.3.3).
pub(super) fn write_old_messages(folder: &Folder) -> Result<(), LabError> {
    let home = "mail/good.test/stuck";
    folder.make_for(home, "mail")?;
    folder.make_for(&format!("{home}/Maildir"), "mail")?;
    for (mailbox, ages) in STUCK {
        let maildir = format!("{home}/Maildir/{mailbox}");
        for part in ["", "/cur", "/new", "/tmp"] {
            folder.make_for(&format!("{maildir}{part}"), "mail")?;
        }
        for (number, age) in ages.iter().enumerate() {
            let name = format!("{maildir}/new/170000000{number}.M{number}P1.lab");
            let text = format!(
                "From: <alice@good.test>\nTo: <stuck@good.test>\nSubject: stuck {number}\n\nstill here\n"
            );
            folder.write(&name, &text)?;
            folder.give_to(&name, "mail", *age)?;
        }
    }
    Ok(())
}

/// What fills `full` beyond its quota of 20 KiB, within the grace that the last message has, and `nearly` to
/// 95 % of its 100 KiB, in lines of 72 bytes.
const FILLING: [(&str, usize); 2] = [("full@good.test", 290), ("nearly@good.test", 1346)];

/// Fills the mailboxes that are to be full or nearly so.
pub(super) fn fill_mailboxes(socket: &Path) -> io::Result<()> {
    FILLING.iter().try_for_each(|(address, lines)| fill_mailbox(socket, address, *lines))
}

/// Puts a message into a mailbox through Dovecot's LMTP socket.
fn fill_mailbox(socket: &Path, address: &str, lines: usize) -> io::Result<()> {
    let body = format!("{}\r\n", "x".repeat(70)).repeat(lines);
    let message = format!("From: <>\r\nTo: {address}\r\nSubject: filled by the lab\r\n\r\n{body}.");
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut replies = BufReader::new(stream.try_clone()?);
    let recipient = format!("RCPT TO:<{address}>");
    for line in ["", "LHLO lab.test", "MAIL FROM:<>", &recipient, "DATA", &message, "QUIT"] {
        if !line.is_empty() {
            stream.write_all(line.as_bytes())?;
            stream.write_all(b"\r\n")?;
        }
        let mut reply = String::new();
        loop {
            reply.clear();
            replies.read_line(&mut reply)?;
            if reply.as_bytes().get(3) != Some(&b'-') {
                break;
            }
        }
        if !reply.starts_with(['2', '3']) {
            return Err(io::Error::other(format!("LMTP said {reply:?}")));
        }
    }
    Ok(())
}
