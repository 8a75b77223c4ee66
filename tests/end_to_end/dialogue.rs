//! Words with a server, line by line: the smallest client that the lab's own tests can do with, so that
//! they do not lean on the agent that they are there to test.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailsonde_tests::lab::{Host, Lab, MAIL, User};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

pub(crate) struct Dialogue<S> {
    stream: BufReader<S>,
}

/// A connection from branch 1.
pub(crate) fn connect(lab: &Lab, host: Ipv4Addr, port: u16) -> io::Result<TcpStream> {
    let network = lab.network(Host::Branch(1)).expect("a branch");
    let stream = network.connect(SocketAddr::from((host, port)), ANSWERS_WITHIN)?;
    stream.set_read_timeout(Some(ANSWERS_WITHIN))?;
    Ok(stream)
}

/// TLS on a connection, with the lab's authority and no other; the handshake is done.
pub(crate) fn encrypt(
    lab: &Lab,
    mut stream: TcpStream,
    name: &'static str,
) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let config = Arc::clone(&lab.authority().client_config().expect("a client"));
    let name = ServerName::try_from(name).expect("a name");
    let mut session = ClientConnection::new(config, name).expect("a TLS client");
    while session.is_handshaking() {
        session.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(session, stream))
}

impl<S: Read + Write> Dialogue<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    pub(crate) fn into_inner(self) -> S {
        self.stream.into_inner()
    }

    /// The next reply of SMTP, all its lines.
    pub(crate) fn reply(&mut self) -> String {
        self.until(|line| line.as_bytes().get(3) != Some(&b'-'))
    }

    /// Says a line, and returns the reply.
    pub(crate) fn say(&mut self, line: &str) -> String {
        self.write(line);
        self.reply()
    }

    /// Says an IMAP command, and returns all lines up to its completion.
    pub(crate) fn command(&mut self, command: &str) -> String {
        self.write(&format!("a1 {command}"));
        self.until(|line| line.starts_with("a1 "))
    }

    /// Says a line, and returns the one that comes next.
    pub(crate) fn exchange(&mut self, line: &str) -> String {
        self.write(line);
        self.until(|_| true)
    }

    /// Says a line.
    pub(crate) fn write(&mut self, line: &str) {
        self.stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).expect("it listens");
    }

    /// All lines up to the last one.
    pub(crate) fn until(&mut self, last: impl Fn(&str) -> bool) -> String {
        let mut answer = String::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).expect("it answers");
            assert!(!line.is_empty(), "closed after {answer:?}");
            answer.push_str(&line);
            if last(&line) {
                return answer;
            }
        }
    }
}

type Encrypted = Dialogue<StreamOwned<ClientConnection, TcpStream>>;

/// A submission session on 587 by STARTTLS, logged in.
pub(crate) fn submission(lab: &Lab, user: &User) -> Encrypted {
    submission_at(lab, user, MAIL, "mail.good.test")
}

/// The same at another host.
pub(crate) fn submission_at(
    lab: &Lab,
    user: &User,
    host: Ipv4Addr,
    name: &'static str,
) -> Encrypted {
    let mut plain = Dialogue::new(connect(lab, host, 587).expect("submission accepts"));
    assert!(plain.reply().starts_with("220 "));
    assert!(plain.say("EHLO b1.lab.test").contains("STARTTLS"));
    assert!(plain.say("STARTTLS").starts_with("220 "));
    let stream = encrypt(lab, plain.into_inner(), name).expect("TLS stands");
    let mut session = Dialogue::new(stream);
    session.say("EHLO b1.lab.test");
    let secret = STANDARD.encode(format!("\0{}\0{}", user.address, user.password));
    let reply = session.say(&format!("AUTH PLAIN {secret}"));
    assert!(reply.starts_with("235 "), "{reply}");
    session
}

/// Sends a message and returns its Message-ID, or the first reply that refuses it. `extra` is further
/// header lines and the text, with an empty line between.
pub(crate) fn send<S: Read + Write>(
    session: &mut Dialogue<S>,
    from: &str,
    to: &str,
    extra: &str,
) -> Result<String, String> {
    let message_id = format!("{}@b1.lab.test", unique());
    let text =
        format!("From: <{from}>\r\nTo: <{to}>\r\nMessage-ID: <{message_id}>\r\n{extra}\r\n.",);
    for line in [format!("MAIL FROM:<{from}>"), format!("RCPT TO:<{to}>"), "DATA".into(), text] {
        let reply = session.say(&line);
        if !reply.starts_with(['2', '3']) {
            let reset = session.say("RSET");
            assert!(reset.starts_with("250 "), "{reset}");
            return Err(reply);
        }
    }
    Ok(message_id)
}

fn unique() -> String {
    let mut bytes = [0; 12];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes).expect("random");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
