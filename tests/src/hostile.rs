//! A server that behaves well up to a chosen step and then does not.
//!
//! ```no_run
//! # use mailsonde_tests::{hostile::{Script, Step}, network::Network};
//! # fn main() -> std::io::Result<()> {
//! let hostile = Script::smtp().hang_at(Step::Data).start(&Network::here(), ([127, 0, 0, 1], 0).into())?;
//! let endpoint = hostile.address();
//! # Ok(()) }
//! ```
//!
//! It speaks just enough SMTP, IMAP and POP3 to be believed: any password is right, any mail is accepted, no
//! mailbox has a message. It has bounds of its own, so that a client without any ends by itself.

mod imap;
mod pop3;
mod session;
mod smtp;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use self::session::Session;
use crate::certificates::{CertificateError, Identity};
use crate::network::{Backstage, Network};

const CONNECTIONS_MAX: usize = 64;
const CONNECTION_LASTS: Duration = Duration::from_secs(120);
/// What an endless answer comes to, if the client never goes.
const ENDLESS_MAX_BYTES: u64 = 256 << 20;
const COMMANDS_KEPT_MAX: usize = 10_000;

/// A point of a session at which something can go wrong: when the client has said this, or for the
/// first two, when it has done it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The connection stands; no greeting yet.
    Greeting,
    /// The client begins a TLS handshake, at once or after STARTTLS.
    Handshake,
    /// STARTTLS (RFC 3207, RFC 9051 section 6.2.1), STLS (RFC 2595 section 4).
    StartTls,
    /// SMTP: EHLO or HELO.
    Ehlo,
    /// SMTP: AUTH. IMAP: AUTHENTICATE or LOGIN. POP3: AUTH, USER or PASS.
    Auth,
    /// SMTP: MAIL FROM.
    Mail,
    /// SMTP: RCPT TO.
    Rcpt,
    /// SMTP: DATA, before the text.
    Data,
    /// SMTP: the text's final dot.
    Text,
    /// SMTP and POP3: QUIT. IMAP: LOGOUT.
    Quit,
    /// IMAP: CAPABILITY. POP3: CAPA.
    Capability,
    /// IMAP: LIST or LSUB. POP3: LIST or UIDL.
    List,
    /// IMAP: SELECT or EXAMINE. POP3: STAT.
    Select,
    /// IMAP: NOOP or CHECK.
    Noop,
    /// IMAP: IDLE.
    Idle,
    /// IMAP: SEARCH, with UID or without.
    Search,
    /// IMAP: FETCH, with UID or without. POP3: TOP or RETR.
    Fetch,
    /// Anything else.
    Other,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing comes any more; the connection stands.
    Hang,
    /// One line that never ends.
    EndlessLine,
    /// Short lines of the same answer, which never ends.
    EndlessLines,
    /// IMAP: a literal that is announced as 1 GiB, and begins to come.
    HugeLiteral,
    /// Bytes that are no protocol at all.
    Rubbish,
    /// The connection is closed.
    Close,
    /// This line instead of the right answer; `{tag}` stands for the command's tag. The session goes on.
    Answer(String),
    /// The right answer with these lines behind it, in one piece: at [`Step::StartTls`] they are
    /// plaintext that a client must not take for something said inside TLS (CVE-2011-0411).
    Inject(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Smtp,
    Imap,
    Pop3,
}

#[derive(Clone, Debug, Default)]
enum Tls {
    #[default]
    None,
    Upgrade(Arc<ServerConfig>),
    Implicit(Arc<ServerConfig>),
}

/// What a hostile server does.
#[derive(Clone, Debug)]
pub struct Script {
    protocol: Protocol,
    tls: Tls,
    troubles: Vec<(Step, Trouble)>,
}

impl Script {
    /// An SMTP server that behaves well, so far.
    pub fn smtp() -> Self {
        Self { protocol: Protocol::Smtp, tls: Tls::None, troubles: Vec::new() }
    }

    /// An IMAP server that behaves well, so far.
    pub fn imap() -> Self {
        Self { protocol: Protocol::Imap, tls: Tls::None, troubles: Vec::new() }
    }

    /// A POP3 server that behaves well, so far.
    pub fn pop3() -> Self {
        Self { protocol: Protocol::Pop3, tls: Tls::None, troubles: Vec::new() }
    }

    /// Offers STARTTLS, with this certificate.
    ///
    /// # Errors
    /// The certificate cannot be used.
    pub fn starttls(mut self, identity: &Identity) -> Result<Self, CertificateError> {
        self.tls = Tls::Upgrade(identity.server_config()?);
        Ok(self)
    }

    /// Speaks TLS from the first byte, with this certificate.
    ///
    /// # Errors
    /// The certificate cannot be used.
    pub fn implicit_tls(mut self, identity: &Identity) -> Result<Self, CertificateError> {
        self.tls = Tls::Implicit(identity.server_config()?);
        Ok(self)
    }

    /// What goes wrong at a step.
    #[must_use]
    pub fn at(mut self, step: Step, trouble: Trouble) -> Self {
        self.troubles.push((step, trouble));
        self
    }

    /// Hangs at a step.
    #[must_use]
    pub fn hang_at(self, step: Step) -> Self {
        self.at(step, Trouble::Hang)
    }

    /// Closes the connection at a step.
    #[must_use]
    pub fn close_at(self, step: Step) -> Self {
        self.at(step, Trouble::Close)
    }

    /// Gives another answer at a step, such as `452 4.3.1 disk full` or `{tag} NO [OVERQUOTA] full`.
    #[must_use]
    pub fn answer_at(self, step: Step, line: &str) -> Self {
        self.at(step, Trouble::Answer(line.to_owned()))
    }

    /// Starts the server in a network. Port 0 takes any port.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub fn start(self, network: &Network, listen: SocketAddr) -> io::Result<Hostile> {
        let seen = Arc::<Seen>::default();
        let theirs = Arc::clone(&seen);
        let (backstage, address) =
            Backstage::start(network, listen, move |listener| serve(listener, self, theirs))?;
        Ok(Hostile { address, seen, _backstage: backstage })
    }

    fn trouble(&self, step: Step) -> Option<&Trouble> {
        self.troubles.iter().find(|(at, _)| *at == step).map(|(_, trouble)| trouble)
    }
}

/// A running hostile server; dropping it ends it and its connections.
#[derive(Debug)]
pub struct Hostile {
    address: SocketAddr,
    seen: Arc<Seen>,
    _backstage: Backstage,
}

/// What the server has seen of its clients.
#[derive(Debug, Default)]
struct Seen {
    connections: AtomicU64,
    sent_bytes: AtomicU64,
    commands: Mutex<Vec<String>>,
}

impl Hostile {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> u64 {
        self.seen.connections.load(Ordering::Relaxed)
    }

    /// How many bytes it has got rid of, in troubles and answers, TLS not counted.
    pub fn sent_bytes(&self) -> u64 {
        self.seen.sent_bytes.load(Ordering::Relaxed)
    }

    /// The lines that clients have said, without the text of messages.
    pub fn commands(&self) -> Vec<String> {
        self.seen.commands.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Seen {
    fn command(&self, line: &str) {
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        if commands.len() < COMMANDS_KEPT_MAX {
            commands.push(line.to_owned());
        }
    }
}

async fn serve(listener: TcpListener, script: Script, seen: Arc<Seen>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        let Ok((stream, _)) = listener.accept().await else { continue };
        seen.connections.fetch_add(1, Ordering::Relaxed);
        let session = Session::new(stream, script.clone(), Arc::clone(&seen));
        connections.spawn(async move {
            // how a session ends is the client's business
            tokio::time::timeout(CONNECTION_LASTS, Box::pin(session.run())).await.ok();
        });
    }
}

#[cfg(test)]
mod tests;
