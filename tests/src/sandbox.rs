//! Embedded mail servers for the demo: SMTP submission and IMAP on loopback, mailboxes in memory.
//!
//! A sandbox behaves as a real server does as far as a test mail can see: STARTTLS or implicit TLS,
//! sign-in, enhanced status codes, trace headers, INBOX and Junk, IDLE notices at once. On top it
//! has knobs that make it look like life: delays, and a seeded share of refusals, late, lost and
//! junked messages. Everything that a client can make grow has a bound, every task lives in a set
//! that is joined, and all of it ends at the cancellation token.
//!
//! Absent on purpose: relaying, a disk, MIME structure (ENVELOPE, BODYSTRUCTURE), APPEND and COPY.
//! The end-to-end tests speak to real servers; this one exists so that the demo needs none.

mod accounts;
mod chance;
mod mailbox;
mod message;

mod certificate;
mod delivery;
mod listen;

mod imap;
mod smtp;

#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::time::Clock;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

pub use accounts::User;
pub use chance::{Delay, Flaky};
pub use delivery::Tally;

use accounts::Accounts;
use chance::Fates;
use delivery::Post;
use listen::{Door, Protocol};

/// What one sandbox mail server is to be like.
#[derive(Clone, Debug)]
pub struct SandboxOptions {
    /// The name in greetings, trace headers and, beside `localhost` and 127.0.0.1, the certificate.
    pub host: String,
    /// Who can sign in and receive mail.
    pub users: Vec<User>,
    /// Where to listen; port 0 takes a free one.
    pub listen: Listen,
    /// Where to write the certificate of the CA that signed the server's, as PEM.
    pub ca_pem_file: Option<PathBuf>,
    /// From acceptance by SMTP to standing in the mailbox.
    pub delivery_delay: Delay,
    /// Before each reply, of SMTP and IMAP alike. IDLE notices are never held back.
    pub command_delay: Delay,
    /// What goes wrong, how often.
    pub flaky: Flaky,
    /// Bounds of everything that clients can make grow.
    pub limits: Limits,
}

impl SandboxOptions {
    /// A quick and faultless server on free ports of loopback, without users.
    pub fn named(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            users: Vec::new(),
            listen: Listen::default(),
            ca_pem_file: None,
            delivery_delay: Delay::default(),
            command_delay: Delay::default(),
            flaky: Flaky::default(),
            limits: Limits::default(),
        }
    }
}

/// Addresses of the four listeners.
#[derive(Clone, Copy, Debug)]
pub struct Listen {
    /// Submission with STARTTLS, as on port 587.
    pub smtp: SocketAddr,
    /// Submission with implicit TLS, as on port 465.
    pub smtps: SocketAddr,
    /// IMAP with STARTTLS, as on port 143.
    pub imap: SocketAddr,
    /// IMAP with implicit TLS, as on port 993.
    pub imaps: SocketAddr,
}

impl Default for Listen {
    fn default() -> Self {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { smtp: free, smtps: free, imap: free, imaps: free }
    }
}

/// Bounds of everything that clients can make grow.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one message, as announced by the SMTP extension SIZE.
    pub message_bytes: usize,
    /// Messages in one mailbox.
    pub mailbox_messages: usize,
    /// Bytes in one mailbox.
    pub mailbox_bytes: usize,
    /// Connections of one listener at a time.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 4 << 20,
            mailbox_messages: 2_000,
            mailbox_bytes: 64 << 20,
            connections: 128,
        }
    }
}

/// Why a sandbox could not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A listener's address is taken or not ours.
    #[error("cannot listen on {address}: choose another address, or port 0 for a free one")]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The CA or the server's certificate could not be made.
    #[error("cannot make a certificate for this host name: use letters, digits, hyphens and dots")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library did not take the certificate.
    #[error("cannot use the certificate that was just made")]
    Tls(#[from] rustls::Error),
    /// The CA's certificate could not be written.
    #[error("cannot write the CA certificate to {}: check the folder", path.display())]
    WriteCa {
        /// Where it was to go.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// A running mail server. Dropping it ends it; cancelling its token and [`Sandbox::join`] end it in
/// order.
#[derive(Debug)]
pub struct Sandbox {
    addresses: Listen,
    ca_pem: String,
    house: Arc<House>,
    tasks: JoinSet<()>,
}

impl Sandbox {
    /// Binds all listeners and serves until `shutdown`.
    ///
    /// # Errors
    /// When an address cannot be bound, or the certificate cannot be made or written.
    pub async fn start(
        options: SandboxOptions,
        shutdown: CancellationToken,
    ) -> Result<Self, SandboxError> {
        let clock = Clock::system();
        let identity = certificate::issue(&options.host, clock.wall())?;
        if let Some(path) = &options.ca_pem_file {
            tokio::fs::write(path, &identity.ca_pem)
                .await
                .map_err(|source| SandboxError::WriteCa { path: path.clone(), source })?;
        }
        let fates = Fates::new(options.flaky);
        let (post, carrier) = delivery::post(clock);
        let house = Arc::new(House {
            accounts: Accounts::new(&options.users, options.limits, clock.wall()),
            host: options.host,
            delivery_delay: options.delivery_delay,
            command_delay: options.command_delay,
            limits: options.limits,
            tls: identity.acceptor,
            fates,
            post,
            clock,
            shutdown,
        });

        let asked = options.listen;
        let (smtp, at_smtp) = bind(asked.smtp).await?;
        let (smtps, at_smtps) = bind(asked.smtps).await?;
        let (imap, at_imap) = bind(asked.imap).await?;
        let (imaps, at_imaps) = bind(asked.imaps).await?;
        let mut tasks = JoinSet::new();
        for (listener, protocol, implicit_tls) in [
            (smtp, Protocol::Smtp, false),
            (smtps, Protocol::Smtp, true),
            (imap, Protocol::Imap, false),
            (imaps, Protocol::Imap, true),
        ] {
            let door = Door { protocol, implicit_tls };
            tasks.spawn(listen::serve(listener, door, Arc::clone(&house)));
        }
        tasks.spawn(carrier.run(house.shutdown.clone()));
        let addresses = Listen { smtp: at_smtp, smtps: at_smtps, imap: at_imap, imaps: at_imaps };
        Ok(Self { addresses, ca_pem: identity.ca_pem, house, tasks })
    }

    /// Where the four listeners really are.
    pub fn addresses(&self) -> Listen {
        self.addresses
    }

    /// The CA to trust, as PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// What became of the messages so far.
    pub fn tally(&self) -> Tally {
        self.house.post.tally()
    }

    /// Puts a message into somebody's INBOX, past SMTP; false where nobody is there, or no room.
    pub fn put(&self, address: &str, message: &str) -> bool {
        let account = self.house.accounts.by_address(address);
        let content = bytes::Bytes::copy_from_slice(message.as_bytes());
        account.is_some_and(|it| it.inbox().store(content, self.house.clock.wall()).is_ok())
    }

    /// The messages in somebody's INBOX.
    pub fn messages(&self, address: &str) -> Vec<String> {
        let account = self.house.accounts.by_address(address);
        let messages = account.map(|account| account.inbox().messages()).unwrap_or_default();
        messages.iter().map(|it| String::from_utf8_lossy(&it.content).into_owned()).collect()
    }

    /// Waits until every task has ended, which they do once the token is cancelled.
    pub async fn join(mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a sandbox task did not end well");
            }
        }
    }
}

/// What all sessions of one sandbox share.
struct House {
    host: String,
    accounts: Accounts,
    delivery_delay: Delay,
    command_delay: Delay,
    limits: Limits,
    tls: TlsAcceptor,
    fates: Fates,
    post: Post,
    clock: Clock,
    shutdown: CancellationToken,
}

impl House {
    /// Waits as long as this server takes before a reply.
    async fn think(&self) {
        let pause = self.fates.spread(self.command_delay);
        if pause > Duration::ZERO {
            tokio::time::sleep(pause).await;
        }
    }
}

/// Only the name: accounts have passwords, and the rest says nothing.
impl std::fmt::Debug for House {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("House").field("host", &self.host).finish_non_exhaustive()
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), SandboxError> {
    let failed = |source| SandboxError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
