//! Small clients: SMTP by lettre inside our TLS, IMAP by imap-next.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use imap_next::client::{Client, Event, Options};
use imap_next::imap_types::command::{Command, CommandBody};
use imap_next::imap_types::core::Tag;
use imap_next::imap_types::fetch::MessageDataItem;
use imap_next::imap_types::response::{Data, Status, StatusKind, Tagged};
use imap_next::{Interrupt, Io, State};
use lettre::address::{Address, Envelope};
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::extension::ClientId;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{BOB, PASSWORD, soon};
use crate::sandbox::Sandbox;

/// Connects with TLS as the sandbox's host, trusting its CA only.
pub(super) async fn connect_tls(
    sandbox: &Sandbox,
    address: SocketAddr,
) -> io::Result<TlsStream<TcpStream>> {
    secure(sandbox, TcpStream::connect(address).await?).await
}

pub(super) async fn secure(
    sandbox: &Sandbox,
    socket: TcpStream,
) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(sandbox.ca_pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("mx.test").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, socket).await
}

#[derive(Debug)]
struct LettreStream(TlsStream<TcpStream>, SocketAddr);

impl AsyncTokioStream for LettreStream {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.1)
    }
}

impl tokio::io::AsyncRead for LettreStream {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl tokio::io::AsyncWrite for LettreStream {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        std::pin::Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// Signs in as Bob at the implicit TLS listener.
pub(super) async fn smtp_as_bob(
    sandbox: &Sandbox,
    mechanism: Mechanism,
    password: &str,
) -> Result<AsyncSmtpConnection, smtp::Error> {
    let address = sandbox.addresses().smtps;
    let stream = Box::new(LettreStream(connect_tls(sandbox, address).await.unwrap(), address));
    let hello = ClientId::Domain("client.test".to_owned());
    let mut connection = AsyncSmtpConnection::connect_with_transport(stream, &hello).await?;
    let credentials = Credentials::new(BOB.to_owned(), password.to_owned());
    connection.auth(&[mechanism], &credentials).await?;
    Ok(connection)
}

/// Submits a message from Bob.
pub(super) async fn submit(sandbox: &Sandbox, to: &str, message: &[u8]) -> Result<(), smtp::Error> {
    let mut connection = smtp_as_bob(sandbox, Mechanism::Plain, PASSWORD).await?;
    let (from, to): (Address, Address) = (BOB.parse().unwrap(), to.parse().unwrap());
    let envelope = Envelope::new(Some(from), vec![to]).unwrap();
    // lettre ends every message with a CRLF of its own, also where there is one.
    let message = message.strip_suffix(b"\r\n").unwrap_or(message);
    connection.send(&envelope, message).await?;
    connection.quit().await?;
    Ok(())
}

/// An IMAP session.
pub(super) struct Reader {
    client: Client,
    wire: TlsStream<TcpStream>,
    tags: u32,
}

impl Reader {
    pub(super) async fn connect(sandbox: &Sandbox) -> Self {
        Self::try_connect(sandbox).await.unwrap()
    }

    pub(super) async fn try_connect(sandbox: &Sandbox) -> io::Result<Self> {
        let wire = connect_tls(sandbox, sandbox.addresses().imaps).await?;
        let mut reader = Self { client: Client::new(Options::default()), wire, tags: 0 };
        match reader.event().await? {
            Event::GreetingReceived { .. } => Ok(reader),
            event => panic!("no greeting but {event:?}"),
        }
    }

    /// Signs in with LOGIN; a refusal comes back as the status.
    pub(super) async fn sign_in(
        &mut self,
        login: &str,
        password: &str,
    ) -> Result<(), Status<'static>> {
        let body = CommandBody::login(login.to_owned(), password.to_owned()).unwrap();
        self.command(body).await.map(drop)
    }

    pub(super) async fn select(&mut self, mailbox: &str) -> Vec<Data<'static>> {
        self.command(CommandBody::select(mailbox.to_owned()).unwrap()).await.unwrap()
    }

    pub(super) async fn noop(&mut self) -> Vec<Data<'static>> {
        self.command(CommandBody::Noop).await.unwrap()
    }

    /// Runs a command; gives the data on OK, the status on NO and BAD.
    pub(super) async fn command(
        &mut self,
        body: CommandBody<'static>,
    ) -> Result<Vec<Data<'static>>, Status<'static>> {
        self.enqueue(body);
        let mut data = Vec::new();
        loop {
            match soon(self.event()).await.unwrap() {
                Event::DataReceived { data: one } => data.push(one),
                Event::StatusReceived { status: Status::Tagged(Tagged { tag, body }) } => {
                    return match body.kind {
                        StatusKind::Ok => Ok(data),
                        _ => Err(Status::Tagged(Tagged { tag, body })),
                    };
                }
                _ => {}
            }
        }
    }

    /// Starts IDLE and waits until the server has agreed.
    pub(super) async fn idle(&mut self) {
        self.enqueue(CommandBody::Idle);
        while !matches!(soon(self.event()).await.unwrap(), Event::IdleAccepted { .. }) {}
    }

    /// The next piece of data that the server sends by itself.
    pub(super) async fn told(&mut self) -> Data<'static> {
        loop {
            if let Event::DataReceived { data } = soon(self.event()).await.unwrap() {
                return data;
            }
        }
    }

    pub(super) async fn done(&mut self) {
        self.client.set_idle_done().unwrap();
        while !matches!(soon(self.event()).await.unwrap(), Event::StatusReceived { .. }) {}
    }

    /// Waits by NOOP until there are so many messages.
    pub(super) async fn wait_for(&mut self, messages: u32) {
        let seen = async {
            while !self.noop().await.contains(&Data::Exists(messages)) {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
        };
        soon(seen).await;
    }

    /// Items of all messages.
    pub(super) async fn fetch(&mut self, uids: &str, items: &str) -> Vec<MessageDataItem<'static>> {
        let data = self.raw(&format!("UID FETCH {uids} {items}")).await.unwrap();
        let items = data.into_iter().filter_map(|data| match data {
            Data::Fetch { items, .. } => Some(items.into_inner()),
            _ => None,
        });
        items.flatten().collect()
    }

    pub(super) async fn search(&mut self, criteria: &str) -> Vec<u32> {
        let data = self.raw(&format!("UID SEARCH {criteria}")).await.unwrap();
        let numbers = data.into_iter().find_map(|data| match data {
            Data::Search(numbers) => Some(numbers),
            _ => None,
        });
        numbers.unwrap().into_iter().map(u32::from).collect()
    }

    /// Runs a command as a person writes it: read by the codec first, as a server would.
    pub(super) async fn raw(&mut self, line: &str) -> Result<Vec<Data<'static>>, Status<'static>> {
        self.command(parsed(line)).await
    }

    fn enqueue(&mut self, body: CommandBody<'static>) {
        self.tags += 1;
        let tag = Tag::try_from(format!("A{}", self.tags)).unwrap();
        self.client.enqueue_command(Command { tag, body });
    }

    async fn event(&mut self) -> io::Result<Event> {
        loop {
            match self.client.next() {
                Ok(event) => return Ok(event),
                Err(Interrupt::Io(Io::Output(bytes))) => {
                    self.wire.write_all(&bytes).await?;
                    self.wire.flush().await?;
                }
                Err(Interrupt::Io(Io::NeedMoreInput)) => {
                    let mut bytes = vec![0; 65_536];
                    match self.wire.read(&mut bytes).await? {
                        0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                        read => self.client.enqueue_input(&bytes[..read]),
                    }
                }
                Err(Interrupt::Error(error)) => panic!("{error}"),
            }
        }
    }
}

/// Lets imap-next's server state read a command line.
fn parsed(line: &str) -> CommandBody<'static> {
    use imap_next::imap_types::response::Greeting;
    use imap_next::server;
    let greeting = Greeting::ok(None, "hello").unwrap();
    let mut server = server::Server::new(server::Options::default(), greeting);
    server.enqueue_input(format!("A {line}\r\n").as_bytes());
    loop {
        match server.next() {
            Ok(server::Event::CommandReceived { command }) => return command.body,
            Err(Interrupt::Error(error)) => panic!("{line}: {error}"),
            Err(Interrupt::Io(Io::NeedMoreInput)) => panic!("{line}: not a whole command"),
            _ => {}
        }
    }
}

/// The text of the only string among the items.
pub(super) fn text(items: &[MessageDataItem<'static>]) -> String {
    let found = items.iter().find_map(|item| match item {
        MessageDataItem::BodyExt { data, .. } => data.clone().into_option(),
        _ => None,
    });
    String::from_utf8(found.unwrap().into_owned()).unwrap()
}

/// Whether a refusal carries this response code.
pub(super) fn has_code(status: &Status<'static>, code: &str) -> bool {
    format!("{:?}", status.code()).contains(code)
}
