//! Every socket, TLS handshake and look-up of the agent opens here.
//!
//! There is one gate (`gate`) before each of them, where the agent's policy is asked: before a question by the
//! name that is asked about, before a connection by the address that is connected. Absent on purpose: any
//! protocol above TLS, any cache of look-ups (a probe measures them), and any listening socket.

pub mod dns;
mod fault;
mod gate;
mod resolve;
mod silence;
mod socket;
pub mod tls;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use rustls::pki_types::ServerName;
use rustls::{CipherSuite, ClientConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub use fault::NetError;
pub use gate::noting;
pub use hickory_resolver::TokioResolver;
pub use resolve::MailExchanger;
pub(crate) use resolve::is_asked;
pub use socket::Socket;
use tls::hello::{Answer, Offer, TlsVersion};
pub use tls::{
    Certificate, Completeness, InspectOptions, Inspection, Key, Reason, Refusal, TlsFacts,
    TlsTrust, TrustError, Unproven,
};

/// How many addresses of one host are tried at most.
const MOST_ADDRESSES: usize = 8;

/// Opens sockets, handshakes TLS, looks up names. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Net {
    gate: Arc<gate::Gate>,
}

impl Net {
    /// With the host's own network and resolver configuration, and no policy.
    pub fn new() -> Self {
        Self::default()
    }

    /// The host's addresses, in the order in which to try them. An address literal is itself;
    /// `localhost` needs no DNS (RFC 6761 section 6.3); the hosts file is honoured, because it is how
    /// an operator points a branch at a server.
    ///
    /// # Errors
    /// When there is no such host, or nobody to ask, or no answer within this time.
    pub async fn resolve(&self, host: &str, within: Duration) -> Result<Vec<IpAddr>, NetError> {
        if is_asked(host) {
            // One for IPv4, one for IPv6.
            self.may_look_up(host, 2)?;
        }
        let mut addresses = resolve::addresses(self, host, within).await?;
        addresses.truncate(MOST_ADDRESSES);
        self.learn_addresses(host, &addresses);
        Ok(addresses)
    }

    /// The domain's mail exchangers, best first; the domain itself where it has none
    /// (RFC 5321 section 5.1).
    ///
    /// # Errors
    /// When the domain takes no mail (null MX, RFC 7505), does not exist, nobody can be asked, or
    /// nothing is heard within this time.
    pub async fn mail_exchangers(
        &self,
        domain: &str,
        within: Duration,
    ) -> Result<Vec<MailExchanger>, NetError> {
        self.may_look_up(domain, 1)?;
        let exchangers = resolve::mail_exchangers(self, domain, within).await?;
        self.learn_exchangers(domain, &exchangers);
        Ok(exchangers)
    }

    /// The system's resolver, for the one library that looks names up by itself (mail-auth, which
    /// verifies what arrived).
    ///
    /// # Errors
    /// When the system has none.
    pub fn resolver(&self) -> Result<TokioResolver, NetError> {
        resolve::resolver()
    }

    /// A resolver that asks nobody: for what is to be judged without the network.
    ///
    /// # Errors
    /// When none can be made.
    pub fn resolver_without_servers() -> Result<TokioResolver, NetError> {
        resolve::without_servers()
    }

    /// Connects to the first address that answers, IPv4 or IPv6, in order; each gets a fair part of
    /// the time that is left. Neither end's delays of 40 ms shall show in a phase: `TCP_NODELAY` is set,
    /// and a [`Socket`] acknowledges at once. Policy is asked for each address; those that it refuses are left
    /// out.
    ///
    /// # Errors
    /// The error of the last address that was tried; the rule that refuses them where policy refuses all.
    pub async fn connect(
        &self,
        host: &str,
        addresses: &[IpAddr],
        port: u16,
        within: Duration,
    ) -> Result<Socket, NetError> {
        let addresses = self.permitted(host, addresses, port)?;
        let place = self.place()?;
        let mut left = within;
        let mut tries = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
        let mut last = NetError::NoAddress { host: host.to_owned() };
        for address in &addresses {
            let share = left / tries.max(1);
            let target = SocketAddr::new(*address, port);
            match timeout(share, TcpStream::connect(target)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true).map_err(|e| NetError::connect(host, target, e))?;
                    return Ok(Socket::new(stream, place));
                }
                Ok(Err(error)) => last = NetError::connect(host, target, error),
                Err(_) => {
                    last =
                        NetError::ConnectTimeout { host: host.to_owned(), target, within: share };
                    left = left.saturating_sub(share);
                }
            }
            tries = tries.saturating_sub(1);
        }
        if last.is_unreachable() && no_route(&addresses, port).await {
            return Err(NetError::NoRoute { host: host.to_owned() });
        }
        Err(last)
    }

    /// Those of the addresses that policy lets us connect for the host; all of them without a policy.
    fn permitted(
        &self,
        host: &str,
        addresses: &[IpAddr],
        port: u16,
    ) -> Result<Vec<IpAddr>, NetError> {
        let mut refusal = None;
        let mut permitted = Vec::new();
        for address in addresses {
            match self.may_open(host, SocketAddr::new(*address, port)) {
                Ok(()) => permitted.push(*address),
                Err(refused) => refusal = refusal.or(Some(refused)),
            }
        }
        match refusal {
            Some(refusal) if permitted.is_empty() => Err(refusal.into()),
            _ => Ok(permitted),
        }
    }

    /// Handshakes TLS 1.2 or 1.3 as a client and checks the certificate against `trust`.
    ///
    /// # Errors
    /// What is wrong with the certificate, in words, or with the handshake.
    pub async fn tls<S>(
        &self,
        stream: S,
        server_name: &str,
        trust: &TlsTrust,
    ) -> Result<TlsStream<S>, NetError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.handshake(stream, server_name, trust.client_config()?).await
    }

    /// Handshakes TLS 1.2 or 1.3 as a client and goes on whatever the certificate is: what `trust` says of
    /// it stands in the [`Inspection`], and the stream remembers it.
    ///
    /// # Errors
    /// What is wrong with the handshake; never the certificate.
    pub async fn inspect<S>(
        &self,
        stream: S,
        server_name: &str,
        trust: &TlsTrust,
        options: &InspectOptions,
    ) -> Result<(Unproven<S>, Inspection), NetError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = server_name_of(server_name)?;
        let (config, recorder) = trust.inspecting_config(options)?;
        let stream = TlsConnector::from(config)
            .connect(name.clone(), stream)
            .await
            .map_err(|error| NetError::tls(server_name, error))?;
        let inspection = Inspection::of(&stream, &recorder, (&name, trust));
        Ok((Unproven::new(stream, &inspection), inspection))
    }

    /// Offers TLS by a ClientHello written by hand and reads the answer, no more: the stream is spent then.
    ///
    /// # Errors
    /// When what the server says is not TLS.
    pub async fn offer<S>(
        &self,
        mut stream: S,
        server_name: &str,
        version: TlsVersion,
        suites: &[CipherSuite],
    ) -> Result<Answer, NetError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let no_tls = |words: String| NetError::Handshake {
            server_name: server_name.to_owned(),
            words,
            is_closed: false,
        };
        let mut random = [0; 96];
        SystemRandom::new()
            .fill(&mut random)
            .map_err(|_unspecified| no_tls("this machine has no random numbers".to_owned()))?;
        // No names for addresses (RFC 6066 section 3).
        let named = if server_name.parse::<IpAddr>().is_ok() { "" } else { server_name };
        let offer = Offer { version, suites, server_name: named, random: &random };
        if stream.write_all(&offer.bytes()).await.is_err() || stream.flush().await.is_err() {
            return Ok(Answer::Closed);
        }
        let mut answer = Vec::new();
        loop {
            match stream.read_buf(&mut answer).await {
                Ok(0) | Err(_) => return Ok(Answer::Closed),
                Ok(_) => match Answer::read(&answer) {
                    Ok(Some(answer)) => return Ok(answer),
                    Ok(None) => {}
                    Err(error) => return Err(no_tls(error.to_string())),
                },
            }
        }
    }

    /// Looks up, connects and handshakes with a TLS configuration of the caller's own, such as the
    /// uplink's with its client certificate. The certificate must be for `server_name`.
    ///
    /// # Errors
    /// The first of the three steps that failed, also when `within` is over.
    pub async fn connect_tls(
        &self,
        (host, port): (&str, u16),
        server_name: &str,
        config: Arc<ClientConfig>,
        within: Duration,
    ) -> Result<TlsStream<Socket>, NetError> {
        let opened = async {
            let addresses = self.resolve(host, within).await?;
            let stream = self.connect(host, &addresses, port, within).await?;
            self.handshake(stream, server_name, config).await
        };
        timeout(within, opened)
            .await
            .unwrap_or_else(|_| Err(NetError::Slow { host: host.to_owned(), within }))
    }

    async fn handshake<S>(
        &self,
        stream: S,
        server_name: &str,
        config: Arc<ClientConfig>,
    ) -> Result<TlsStream<S>, NetError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = server_name_of(server_name)?;
        TlsConnector::from(config)
            .connect(name, stream)
            .await
            .map_err(|error| NetError::tls(server_name, error))
    }
}

fn server_name_of(server_name: &str) -> Result<ServerName<'static>, NetError> {
    ServerName::try_from(server_name.to_owned())
        .map_err(|source| NetError::NotAServerName { server_name: server_name.to_owned(), source })
}

/// Whether this machine's own routing table has no way to any of the addresses. Connecting a UDP
/// socket sends nothing: it only asks the table, so a router's ICMP cannot be mistaken for it.
async fn no_route(addresses: &[IpAddr], port: u16) -> bool {
    for address in addresses {
        let any: IpAddr = match address {
            IpAddr::V4(_) => IpAddr::from([0, 0, 0, 0]),
            IpAddr::V6(_) => IpAddr::from([0; 16]),
        };
        let routed = match UdpSocket::bind((any, 0)).await {
            Ok(socket) => socket.connect((*address, port)).await,
            Err(error) => Err(error),
        };
        match routed {
            Err(error) if is_unreachable(&error) => {}
            _ => return false,
        }
    }
    !addresses.is_empty()
}

fn is_unreachable(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(2);

    #[tokio::test]
    async fn localhost_and_literals_need_no_dns() {
        let net = Net::new();
        for (host, first) in [
            ("localhost", "127.0.0.1"),
            ("LocalHost.", "127.0.0.1"),
            ("::1", "::1"),
            ("192.0.2.7", "192.0.2.7"),
        ] {
            assert_eq!(net.resolve(host, SOON).await.unwrap()[0].to_string(), first, "{host}");
        }
    }

    #[tokio::test]
    async fn the_second_address_is_tried_when_the_first_refuses() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let addresses = ["127.0.0.2".parse().unwrap(), "127.0.0.1".parse().unwrap()];
        let stream = Net::new().connect("localhost", &addresses, port, SOON).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap().ip(), addresses[1]);
    }

    #[tokio::test]
    async fn a_refused_connection_has_its_own_words() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let addresses = ["127.0.0.1".parse().unwrap()];
        let error = Net::new().connect("localhost", &addresses, port, SOON).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "localhost (127.0.0.1:{port}) refused the connection: nothing listens on that port"
            )
        );
        assert!(!error.is_local());
    }
}
