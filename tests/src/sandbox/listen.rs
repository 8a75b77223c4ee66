//! The listeners: accept, hand to a session, never more sessions than the limit.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::{House, imap, smtp};

/// A TLS handshake takes no longer than this.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);
/// After a failed accept (no descriptors left, mostly) it is not tried at once again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What is spoken behind a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Smtp,
    Imap,
}

/// One way in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Door {
    pub(super) protocol: Protocol,
    pub(super) implicit_tls: bool,
}

/// A connection, in the clear or inside TLS.
pub(super) type Wire = Box<dyn Socket>;

/// What both kinds of connection are.
pub(super) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

/// Accepts until shutdown, then ends all sessions and joins them.
pub(super) async fn serve(listener: TcpListener, door: Door, house: Arc<House>) {
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            () = house.shutdown.cancelled() => break,
            Some(ended) = sessions.join_next() => report(ended),
            accepted = listener.accept() => match accepted {
                Ok((socket, peer)) if sessions.len() < house.limits.connections => {
                    sessions.spawn(Box::pin(session(socket, peer, door, Arc::clone(&house))));
                }
                Ok((socket, _peer)) => turn_away(&socket, door),
                Err(error) => {
                    tracing::warn!(%error, "sandbox cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    sessions.shutdown().await;
}

/// Runs the server's side of a handshake, within its time.
pub(super) async fn handshake<S>(tls: &TlsAcceptor, socket: S) -> io::Result<Wire>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let stream = tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(socket)).await??;
    Ok(Box::new(stream))
}

async fn session(socket: TcpStream, peer: SocketAddr, door: Door, house: Arc<House>) {
    let served = async {
        socket.set_nodelay(true)?;
        let wire: Wire = match door.implicit_tls {
            true => handshake(&house.tls, socket).await?,
            false => Box::new(socket),
        };
        match door.protocol {
            Protocol::Smtp => smtp::serve(wire, peer, door.implicit_tls, &house).await,
            Protocol::Imap => imap::serve(wire, door.implicit_tls, &house).await,
        }
    };
    // A client that goes away, or does not trust us, is no concern of a server.
    if let Err(error) = served.await {
        tracing::debug!(%error, %peer, ?door, "sandbox session ended");
    }
}

fn turn_away(socket: &TcpStream, door: Door) {
    let words: &[u8] = match (door.implicit_tls, door.protocol) {
        // Nobody could read words before the handshake.
        (true, _) => return,
        (false, Protocol::Smtp) => b"421 4.7.0 too many connections, come again later\r\n",
        (false, Protocol::Imap) => b"* BYE too many connections, come again later\r\n",
    };
    // A fresh socket has room for one line; if it has not, closing says the same.
    socket.try_write(words).ok();
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a sandbox session did not end well");
    }
}
