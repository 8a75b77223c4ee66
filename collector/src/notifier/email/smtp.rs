//! One mail handed to a relay (RFC 5321).
//!
//! lettre writes the commands and reads the replies; streams and TLS are ours. Invariants: the whole is bounded in
//! time, and each reply in size; nothing that came before TLS counts after it (RFC 3207 section 6); a password goes
//! over TLS only, or to this very machine. Until the dot at the end has left nothing can have arrived.

use std::fmt::Display;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::commands::{Auth, Data, Ehlo, Mail, Quit, Rcpt, Starttls};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::{Response, Severity};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::super::text::one_line;
use super::{Encryption, Outcome, Relay};

/// A connection stands by then.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// The farewell, for which nobody has to wait.
const QUIT_LIMIT: Duration = Duration::from_secs(1);
/// Bytes of one reply at most.
const MAX_REPLY_BYTES: usize = 16 << 10;
/// Challenges of one sign-in at most.
const MAX_CHALLENGES: usize = 4;

/// From whom to whom.
#[derive(Clone, Copy)]
pub(super) struct Envelope<'e> {
    pub(super) from: &'e Address,
    pub(super) to: &'e [Address],
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Hands it over; says what the relay said.
///
/// # Errors
/// What came of it otherwise.
pub(super) async fn hand_over(
    relay: &Relay,
    envelope: Envelope<'_>,
    mail: &[u8],
) -> Result<String, Outcome> {
    let has_left = AtomicBool::new(false);
    let handed = timeout(relay.limit, conversation(relay, envelope, mail, &has_left)).await;
    let may_have_arrived = has_left.load(Ordering::Relaxed);
    let failed = match handed {
        Ok(Ok(said)) => return Ok(said),
        Ok(Err(failed)) => failed,
        Err(_elapsed) => Failed::Broken(format!("not over within {} s", relay.limit.as_secs())),
    };
    Err(match failed {
        Failed::Broken(why) => Outcome::Later { after: None, why, may_have_arrived },
        // a reply is the relay's word that it did not take it
        Failed::Reply { what, reply } if reply.has_code(421) || !is_final(&reply) => {
            Outcome::Later { after: None, why: told(what, &reply), may_have_arrived: false }
        }
        Failed::Reply { what, reply } => Outcome::Refused { why: told(what, &reply) },
        Failed::Ours(why) => Outcome::Refused { why },
    })
}

enum Failed {
    Broken(String),
    Reply { what: &'static str, reply: Response },
    Ours(String),
}

fn is_final(reply: &Response) -> bool {
    reply.code().severity == Severity::PermanentNegativeCompletion
}

fn told(what: &str, reply: &Response) -> String {
    format!("the relay refuses {what}: {}", shown(reply))
}

fn shown(reply: &Response) -> String {
    let text: Vec<_> = reply.message().collect();
    let text: String = one_line(&text.join(" ")).chars().take(200).collect();
    format!("{} {text}", u16::from(reply.code()))
}

async fn conversation(
    relay: &Relay,
    envelope: Envelope<'_>,
    mail: &[u8],
    has_left: &AtomicBool,
) -> Result<String, Failed> {
    let mut session = Session::open(relay).await?;
    session.sign_in(relay).await?;
    let mail_from = Mail::new(Some(envelope.from.clone()), Vec::new());
    session.ask("the sender", mail_from).await?;
    let refused = session.recipients(envelope.to).await?;
    session.say(&Data.to_string()).await?;
    let ready = session.reply().await?;
    if !ready.has_code(354) {
        return Err(Failed::Reply { what: "the message", reply: ready });
    }
    session.stream_out(&stuffed(mail)).await?;
    // From here on it may arrive, whatever we hear.
    has_left.store(true, Ordering::Relaxed);
    session.stream_out(b".\r\n").await?;
    let taken = positive("the message", session.reply().await?)?;
    let farewell = async {
        session.say(&Quit.to_string()).await?;
        session.reply().await
    };
    if timeout(QUIT_LIMIT, farewell).await.is_err() {
        tracing::debug!("no farewell");
    }
    let taken = shown(&taken);
    Ok(if refused.is_empty() { taken } else { format!("{taken}; not for {}", refused.join(", ")) })
}

struct Session {
    stream: Box<dyn Duplex>,
    /// What came and was not read yet.
    incoming: Vec<u8>,
    local: Option<IpAddr>,
    offers: Vec<String>,
}

impl Session {
    async fn open(relay: &Relay) -> Result<Self, Failed> {
        let dial = TcpStream::connect((relay.host.as_str(), relay.port));
        let connected = timeout(CONNECT_LIMIT, dial).await;
        let broken =
            |why: String| Failed::Broken(format!("cannot connect to {}: {why}", relay.host));
        let stream = connected.map_err(|_elapsed| broken("no answer".to_owned()))?;
        let stream = stream.map_err(|error| broken(error.to_string()))?;
        let local = stream.local_addr().ok().map(|address| address.ip());
        let mut session =
            Self { stream: Box::new(stream), incoming: Vec::new(), local, offers: Vec::new() };
        if relay.tls == Encryption::Implicit {
            session = session.secured(relay).await?;
        }
        let greeting = session.reply().await?;
        if !greeting.is_positive() {
            // whoever does not let us in at all may do so later
            return Err(Failed::Broken(told("the session", &greeting)));
        }
        session.hello().await?;
        if relay.tls == Encryption::StartTls {
            if !session.offers.iter().any(|offer| offer.eq_ignore_ascii_case("STARTTLS")) {
                let why = "the relay does not offer STARTTLS, and without TLS nothing goes on";
                return Err(Failed::Broken(why.to_owned()));
            }
            session.ask("the start of TLS", Starttls).await?;
            session = session.secured(relay).await?;
            // What was offered before TLS counts no longer (RFC 3207 section 4.2).
            session.hello().await?;
        }
        Ok(session)
    }

    async fn secured(self, relay: &Relay) -> Result<Self, Failed> {
        if !self.incoming.is_empty() {
            let why =
                "the relay sent something before TLS began, which would be taken for part of it";
            return Err(Failed::Broken(why.to_owned()));
        }
        let stream = relay.connector.connect(relay.name.clone(), self.stream).await;
        let stream = stream.map_err(|error| Failed::Broken(format!("TLS failed: {error}")))?;
        Ok(Self { stream: Box::new(stream), ..self })
    }

    async fn hello(&mut self) -> Result<(), Failed> {
        let client = match self.local {
            Some(IpAddr::V6(address)) => ClientId::Ipv6(address),
            Some(IpAddr::V4(address)) => ClientId::Ipv4(address),
            None => ClientId::default(),
        };
        let reply = self.ask("the greeting", Ehlo::new(client)).await?;
        self.offers = reply.message().skip(1).map(str::to_owned).collect();
        Ok(())
    }

    /// PLAIN where it is offered, LOGIN otherwise; both say the password, so both go over TLS only.
    async fn sign_in(&mut self, relay: &Relay) -> Result<(), Failed> {
        let Some((user, password)) = &relay.login else { return Ok(()) };
        let offered = |name: &str| {
            let words =
                self.offers.iter().filter(|offer| offer.to_ascii_uppercase().starts_with("AUTH"));
            words
                .flat_map(|offer| offer.split([' ', '=']))
                .any(|word| word.eq_ignore_ascii_case(name))
        };
        let mechanism = match (offered("PLAIN"), offered("LOGIN")) {
            (true, _) => Mechanism::Plain,
            (_, true) => Mechanism::Login,
            _ => {
                return Err(Failed::Ours(
                    "the relay offers neither AUTH PLAIN nor LOGIN".to_owned(),
                ));
            }
        };
        let login = Credentials::new(user.clone(), password.expose().to_owned());
        // lettre's words for what is wrong with a challenge hold nothing of the login
        let ours = |error| Failed::Ours(format!("the sign-in does not work: {error}"));
        let auth = Auth::new(mechanism, login.clone(), None).map_err(ours)?;
        self.say(&auth.to_string()).await?;
        let mut reply = self.reply().await?;
        for _ in 0..MAX_CHALLENGES {
            if !reply.has_code(334) {
                break;
            }
            let auth = Auth::new_from_response(mechanism, login.clone(), &reply).map_err(ours)?;
            self.say(&auth.to_string()).await?;
            reply = self.reply().await?;
        }
        positive("the sign-in", reply).map(drop)
    }

    /// Whom the relay does not take, and why.
    async fn recipients(&mut self, to: &[Address]) -> Result<Vec<String>, Failed> {
        let mut refused = Vec::new();
        let mut first: Option<Response> = None;
        for address in to {
            self.say(&Rcpt::new(address.clone(), Vec::new()).to_string()).await?;
            let reply = self.reply().await?;
            if reply.is_positive() {
                continue;
            }
            refused.push(format!("{address} ({})", shown(&reply)));
            // one that may be taken later counts for all
            if first.as_ref().is_none_or(|first| is_final(first) && !is_final(&reply)) {
                first = Some(reply);
            }
        }
        match first {
            Some(reply) if refused.len() == to.len() => {
                Err(Failed::Reply { what: "every recipient", reply })
            }
            _ => Ok(refused),
        }
    }

    async fn ask(&mut self, what: &'static str, command: impl Display) -> Result<Response, Failed> {
        self.say(&command.to_string()).await?;
        positive(what, self.reply().await?)
    }

    async fn say(&mut self, command: &str) -> Result<(), Failed> {
        self.stream_out(command.as_bytes()).await
    }

    async fn stream_out(&mut self, bytes: &[u8]) -> Result<(), Failed> {
        let sent = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|error| Failed::Broken(format!("the connection broke: {error}")))
    }

    async fn reply(&mut self) -> Result<Response, Failed> {
        loop {
            if let Some(end) = end_of_reply(&self.incoming) {
                let whole: Vec<u8> = self.incoming.drain(..end).collect();
                let parsed = String::from_utf8_lossy(&whole).parse::<Response>().ok();
                let strange = || Failed::Broken("the relay does not speak SMTP".to_owned());
                return parsed.ok_or_else(strange);
            }
            if self.incoming.len() > MAX_REPLY_BYTES {
                return Err(Failed::Broken("the relay talks on and on".to_owned()));
            }
            match self.stream.read_buf(&mut self.incoming).await {
                Ok(0) => return Err(Failed::Broken("the relay closed the connection".to_owned())),
                Ok(_) => {}
                Err(error) => {
                    return Err(Failed::Broken(format!("the connection broke: {error}")));
                }
            }
        }
    }
}

fn positive(what: &'static str, reply: Response) -> Result<Response, Failed> {
    if reply.is_positive() { Ok(reply) } else { Err(Failed::Reply { what, reply }) }
}

/// Where the first reply ends: after a line whose fourth byte is no hyphen (RFC 5321 section 4.2.1).
fn end_of_reply(bytes: &[u8]) -> Option<usize> {
    let mut end = 0;
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        end += line.len();
        let is_whole = line.ends_with(b"\n");
        if is_whole && line.get(3) != Some(&b'-') {
            return Some(end);
        }
    }
    None
}

/// With a dot before each line that begins with one (RFC 5321 section 4.5.2), and a line's end at the end.
fn stuffed(mail: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::with_capacity(mail.len() + 64);
    for line in mail.split_inclusive(|b| *b == b'\n') {
        if line.first() == Some(&b'.') {
            stuffed.push(b'.');
        }
        stuffed.extend_from_slice(line);
    }
    if !stuffed.ends_with(b"\r\n") {
        stuffed.extend_from_slice(b"\r\n");
    }
    stuffed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_ends_with_its_last_line() {
        for (text, end) in [
            ("250 a\r\n", Some(7)),
            ("250-a\r\n250 b\r\n250 c", Some(14)),
            ("250-a\r\n", None),
            ("250 a", None),
            ("", None),
        ] {
            assert_eq!(end_of_reply(text.as_bytes()), end, "{text}");
        }
    }

    #[test]
    fn no_line_of_a_mail_ends_it() {
        let stuffed = stuffed(b".\r\na\r\n..b");
        assert_eq!(String::from_utf8(stuffed).unwrap(), "..\r\na\r\n...b\r\n");
    }
}
