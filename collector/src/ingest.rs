//! Takes in what agents send: identity, form, disk, acknowledgement; nothing else.
//!
//! Invariants: nothing is acknowledged before it is on disk; who speaks is known from the certificate
//! alone; what is under way is bounded in bytes over all streams, so a backlog at the agents costs no
//! memory here. Absent on purpose: any judgement of what an observation says.

mod session;

use std::sync::Arc;

use mailsonde_proto::Clock;
use mailsonde_proto::convert::{MAX_MESSAGE_BYTES, MeetAnswer, MeetRequest, PROTOCOL};
use mailsonde_proto::wire::uplink_server::{Uplink, UplinkServer};
use mailsonde_proto::wire::{self, AgentMessage, CollectorMessage};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use crate::accept::Peer;
use crate::control::Enrolled;
use crate::identity::Shown;
use crate::registry::{NotAdmitted, Registry};
use crate::store::ledger::Ledger;

use session::Session;

/// Bytes of batches that may be under way to the disk, over all streams; one permit is a KiB.
const IN_FLIGHT_KIB: usize = 32 * 1024;
/// Answers that may wait for a slow agent; each is small.
const ANSWERS: usize = 64;
/// What the collector calls itself.
const SOFTWARE: &str = concat!("mailsonde-collector ", env!("CARGO_PKG_VERSION"));
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

    /// The service, to be served.
    pub(crate) fn server(self) -> UplinkServer<Self> {
        UplinkServer::new(self)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// Who the peer is, if it is to be let in.
    #[allow(clippy::result_large_err, reason = "tonic's services return this type")]
    fn admitted(&self, peer: &Peer) -> Result<(Shown, Enrolled), Status> {
        let shown = peer.shown().map_err(|error| Status::unauthenticated(error.to_string()))?;
        let registered = self.registry.admit(&shown).map_err(|error| match error {
            NotAdmitted::Replaced(_) => Status::unauthenticated(error.to_string()),
            _ => Status::permission_denied(error.to_string()),
        })?;
        Ok((shown, registered))
    }

    /// Ends every stream that has not ended by itself.
    pub(crate) async fn end_sessions(&self) {
        let mut sessions = self.sessions.lock().await;
        sessions.abort_all();
        while sessions.join_next().await.is_some() {}
    }
}

#[tonic::async_trait]
impl Uplink for Ingest {
    type StreamStream = ReceiverStream<Result<CollectorMessage, Status>>;

    async fn stream(
        &self,
        request: Request<Streaming<AgentMessage>>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        let peer = Peer::of(&request)?;
        let (shown, registered) = self.admitted(&peer)?;
        let (answers, outgoing) = mpsc::channel(ANSWERS);
        let session = Session::new(self.clone(), shown, registered, answers);
        let address = peer.address;
        let mut sessions = self.sessions.lock().await;
        while sessions.try_join_next().is_some() {}
        sessions.spawn(session.run(request.into_inner(), address));
        Ok(Response::new(ReceiverStream::new(outgoing)))
    }

    async fn meet(
        &self,
        request: Request<wire::MeetRequest>,
    ) -> Result<Response<wire::MeetAnswer>, Status> {
        let received_at = self.clock.wall();
        let (shown, registered) = self.admitted(&Peer::of(&request)?)?;
        let MeetRequest { software, .. } = MeetRequest::try_from(request.into_inner())
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        tracing::debug!(
            agent = registered.name,
            software,
            "an agent asks whether it would be let in"
        );
        let answer = MeetAnswer {
            protocol: PROTOCOL,
            software: SOFTWARE.to_owned(),
            agent: shown.agent,
            registered_name: registered.name,
            received_at,
            sent_at: self.clock.wall(),
            connected_since: self.registry.connected_since(shown.agent),
        };
        Ok(Response::new(answer.into()))
    }
}
