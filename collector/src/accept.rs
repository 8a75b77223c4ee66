//! Connections: accepted, shaken hands with in parallel, bounded in number and time.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;
use tonic::{Request, Status};

use crate::identity::{IdentityError, Shown, agent_of};

/// Handshakes under way at once; further peers wait in the kernel's queue.
const HANDSHAKES: usize = 256;
/// A peer that has not shaken hands by then is dropped.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// After a failed accept (no file descriptors left, say) the next try waits.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Who is at the other end.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// Where from.
    pub(crate) address: Option<SocketAddr>,
    /// What it proved to hold, its own first; `None` when it showed nothing.
    certificates: Option<Arc<Vec<CertificateDer<'static>>>>,
}

impl Peer {
    /// Whoever sent this request.
    ///
    /// # Errors
    /// Never for connections that were accepted here.
    #[allow(clippy::result_large_err, reason = "tonic's services return this type")]
    pub(crate) fn of<T>(request: &Request<T>) -> Result<Self, Status> {
        let peer = request.extensions().get::<Self>().cloned();
        peer.ok_or_else(|| Status::internal("the connection has no peer"))
    }

    /// What its certificate says.
    ///
    /// # Errors
    /// When it showed none, or none of an agent.
    pub(crate) fn shown(&self) -> Result<Shown, IdentityError> {
        agent_of(self.certificates.as_deref().map(Vec::as_slice))
    }

    /// Where from, for people.
    pub(crate) fn place(&self) -> String {
        self.address.map_or_else(|| "an unknown place".to_owned(), |address| address.to_string())
    }
}

/// An accepted connection, as tonic wants it.
pub(crate) struct Accepted {
    stream: TlsStream<TcpStream>,
    peer: Peer,
}

impl Accepted {
    /// Where from.
    pub(crate) const fn address(&self) -> Option<SocketAddr> {
        self.peer.address
    }
}

impl Connected for Accepted {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Accepted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

type Incoming = ReceiverStream<Result<Accepted, io::Error>>;

/// Accepts until the shutdown. The second part is the accepting task, to be ended by the caller.
pub(crate) fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    shutdown: CancellationToken,
) -> (Incoming, JoinSet<()>) {
    let (ready, incoming) = mpsc::channel(HANDSHAKES);
    let mut accepting = JoinSet::new();
    accepting.spawn(async move {
        let places = Arc::new(Semaphore::new(HANDSHAKES));
        let mut handshakes = JoinSet::new();
        loop {
            while handshakes.try_join_next().is_some() {}
            let accepted = tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = accept_one(&listener, &places) => accepted,
            };
            let Some((stream, address, place)) = accepted else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let (acceptor, ready) = (acceptor.clone(), ready.clone());
            handshakes.spawn(async move {
                if let Some(accepted) = shake_hands(stream, address, acceptor).await {
                    // Refused only when the server has ended.
                    ready.send(Ok(accepted)).await.ok();
                }
                drop(place);
            });
        }
    });
    (ReceiverStream::new(incoming), accepting)
}

async fn accept_one(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, address)) => Some((stream, address, place)),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            None
        }
    }
}

async fn shake_hands(
    stream: TcpStream,
    address: SocketAddr,
    acceptor: TlsAcceptor,
) -> Option<Accepted> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%address, %error, "a connection ended before its handshake");
        return None;
    }
    match tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            let shown = stream.get_ref().1.peer_certificates();
            let certificates = shown.map(|shown| Arc::new(shown.to_vec()));
            Some(Accepted { stream, peer: Peer { address: Some(address), certificates } })
        }
        Ok(Err(error)) => {
            tracing::info!(%address, %error, "a peer was refused at the handshake");
            None
        }
        Err(_) => {
            tracing::info!(%address, "a peer did not finish its handshake in time");
            None
        }
    }
}
