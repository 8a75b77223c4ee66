//! Takes in what agents send: identity, form, disk, acknowledgement; nothing else.
//!
//! Invariants: nothing is acknowledged before it is on disk; who speaks is known from the certificate
//! alone; what is under way is bounded in bytes over all streams, so a backlog at the agents costs no
//! memory here. Absent on purpose: any judgement of what an observation says.

mod accept;
mod session;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::Clock;
use mailsonde_proto::convert::MAX_MESSAGE_BYTES;
use mailsonde_proto::wire::uplink_server::{Uplink, UplinkServer};
use mailsonde_proto::wire::{AgentMessage, CollectorMessage};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use crate::identity::agent_of;
use crate::registry::Registry;
use crate::store::ledger::Ledger;

use accept::{Peer, accept};
use session::Session;

/// Bytes of batches that may be under way to the disk, over all streams; one permit is a KiB.
const IN_FLIGHT_KIB: usize = 32 * 1024;
/// Answers that may wait for a slow agent; each is small.
const ANSWERS: usize = 64;
/// Streams get this long to end when the collector stops.
const FAREWELL: Duration = Duration::from_secs(3);
/// Idle connections are asked for a sign of life this often.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// Of one stream and of one connection, in bytes: enough for a few batches, whatever the delay.
const WINDOW_BYTES: u32 = 512 * 1024;

/// What every stream shares.
#[derive(Clone)]
pub struct Ingest {
    pub(crate) ledger: Ledger,
    pub(crate) registry: Arc<Registry>,
    pub(crate) clock: Clock,
    pub(crate) shutdown: CancellationToken,
    in_flight: Arc<Semaphore>,
    sessions: Arc<tokio::sync::Mutex<JoinSet<()>>>,
}

impl Ingest {
    /// An ingest that writes to this ledger and knows these agents.
    pub fn new(
        ledger: Ledger,
        registry: Arc<Registry>,
        clock: Clock,
        shutdown: CancellationToken,
    ) -> Self {
        let in_flight = Arc::new(Semaphore::new(IN_FLIGHT_KIB));
        Self { ledger, registry, clock, shutdown, in_flight, sessions: Arc::default() }
    }

    /// Serves agents on `listener` until the shutdown; then ends every stream, within three seconds.
    ///
    /// # Errors
    /// When the listener fails for good.
    pub async fn serve(
        self,
        listener: TcpListener,
        acceptor: TlsAcceptor,
    ) -> Result<(), tonic::transport::Error> {
        let shutdown = self.shutdown.clone();
        let sessions = self.sessions.clone();
        let service = UplinkServer::new(self)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        let (incoming, accepting) = accept(listener, acceptor, shutdown.clone());
        let serving = Server::builder()
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .max_concurrent_streams(4)
            .http2_keepalive_interval(Some(KEEPALIVE))
            .http2_keepalive_timeout(Some(KEEPALIVE))
            .add_service(service)
            .serve_with_incoming_shutdown(incoming, shutdown.clone().cancelled_owned());
        let deadline = async {
            shutdown.cancelled().await;
            tokio::time::sleep(FAREWELL).await;
        };
        // Connections that do not end by themselves are dropped with `serving`.
        let served = tokio::select! {
            served = serving => served,
            () = deadline => Ok(()),
        };
        let mut accepting = accepting;
        accepting.abort_all();
        while accepting.join_next().await.is_some() {}
        let mut sessions = sessions.lock().await;
        sessions.abort_all();
        while sessions.join_next().await.is_some() {}
        served
    }
}

#[tonic::async_trait]
impl Uplink for Ingest {
    type StreamStream = ReceiverStream<Result<CollectorMessage, Status>>;

    async fn stream(
        &self,
        request: Request<Streaming<AgentMessage>>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        let peer = request.extensions().get::<Peer>().cloned();
        let peer = peer.ok_or_else(|| Status::internal("the connection has no peer"))?;
        let agent = agent_of(peer.certificates.as_deref().map(Vec::as_slice))
            .map_err(|error| Status::unauthenticated(error.to_string()))?;
        let registered = self.registry.agent(agent).ok_or_else(|| {
            Status::permission_denied(format!(
                "agent {agent} is not enrolled at this collector: run `mailsonde-collector agent add` \
                 there and use the files it writes"
            ))
        })?;
        let (answers, outgoing) = mpsc::channel(ANSWERS);
        let session = Session::new(self.clone(), agent, registered, answers);
        let address: Option<SocketAddr> = peer.address;
        let mut sessions = self.sessions.lock().await;
        while sessions.try_join_next().is_some() {}
        sessions.spawn(session.run(request.into_inner(), address));
        Ok(Response::new(ReceiverStream::new(outgoing)))
    }
}
