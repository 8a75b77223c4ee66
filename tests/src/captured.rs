//! A captured collector: it speaks the uplink as one does, and wants of its agent whatever a test has it say.
//!
//! Absent on purpose: any check of what it is told to say, which is the agent's matter.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mailsonde_agent::identity::IdentityFiles;
use mailsonde_collector::folder::Folder;
use mailsonde_collector::identity::{
    Authorities, Authority, HostName, IdentityError, PrivateKey, PublicKey, ServerTls,
};
use mailsonde_proto::convert::{
    Ack, Assignment, FromAgent, FromCollector, HeartbeatAnswer, PROTOCOL, RunRequest, Welcome,
};
use mailsonde_proto::wire::uplink_server::{Uplink, UplinkServer};
use mailsonde_proto::wire::{self, AgentMessage, CollectorMessage};
use mailsonde_proto::{AgentId, Clock};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::network::{Backstage, Network};

/// Messages that wait, in each direction.
const WAITING: usize = 100_000;
/// Bytes between the TLS connection and the server.
const PIPE: usize = 64 * 1024;

/// A running captured collector; dropping it ends it.
#[derive(Debug)]
pub struct Captured {
    address: SocketAddr,
    words: mpsc::Sender<FromCollector>,
    heard: Receiver<FromAgent>,
    _backstage: Backstage,
}

impl Captured {
    /// Starts in a network, with an authority of its own in `folder`; the identity of its one agent is written to that
    /// agent's data folder.
    ///
    /// # Errors
    /// When the address cannot be bound, or a file cannot be written.
    pub fn start(
        network: &Network,
        listen: SocketAddr,
        (folder, agent): (&Path, &Path),
    ) -> io::Result<Self> {
        let wrong = |error: IdentityError| io::Error::other(error.to_string());
        let clock = Clock::system();
        fs::create_dir_all(folder)?;
        let folder = Folder::at(folder);
        let name = "localhost".parse::<HostName>().map_err(io::Error::other)?;
        let authority = Authority::create(&folder, &name, clock.wall()).map_err(wrong)?;
        let authorities = Arc::new(Authorities::open(&folder, &name).map_err(wrong)?);
        let tls = ServerTls::open(&folder, authorities, &name, clock).map_err(wrong)?;
        let id = AgentId::random();
        write_identity(&authority, id, agent, clock).map_err(wrong)?;
        let (words, to_say) = mpsc::channel(WAITING);
        let (hears, heard) = sync_channel(WAITING);
        let service = Service { agent: id, to_say: Arc::new(Mutex::new(Some(to_say))), hears };
        let acceptor = TlsAcceptor::from(tls.config());
        let (backstage, address) =
            Backstage::start(network, listen, move |listener| serve(listener, acceptor, service))?;
        Ok(Self { address, words, heard, _backstage: backstage })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says something as soon as the agent has said hello.
    pub fn say(&self, what: FromCollector) {
        // A full queue is a test that says too much at once.
        self.words.try_send(what).ok();
    }

    /// Assigns checks.
    pub fn assign(&self, assignment: Assignment) {
        self.say(FromCollector::Assignment(assignment));
    }

    /// Asks for a run.
    pub fn ask_for_run(&self, request: RunRequest) {
        self.say(FromCollector::RunRequest(request));
    }

    /// What the agent says next; `None` when it says nothing for so long.
    pub fn hear(&self, within: Duration) -> Option<FromAgent> {
        self.heard.recv_timeout(within).ok()
    }
}

fn write_identity(
    authority: &Authority,
    id: AgentId,
    data: &Path,
    clock: Clock,
) -> Result<(), IdentityError> {
    let key = PrivateKey::generate()?;
    let public = PublicKey::of_request(&key.request()?)?;
    let issued = authority.issue_agent(id, &public, (clock.wall(), Duration::from_secs(86_400)))?;
    let files = IdentityFiles::of_data(data);
    let written = (|| {
        if let Some(folder) = files.key.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&files.ca, authority.pem())?;
        fs::write(&files.certificate, &issued.pem)?;
        mailsonde_proto::file::replace(&files.key, key.to_pem().as_bytes(), 0o600)
    })();
    written.map_err(|error| IdentityError::Tls(error.to_string()))
}

async fn serve(listener: tokio::net::TcpListener, acceptor: TlsAcceptor, service: Service) {
    let (accepted, incoming) = mpsc::channel::<io::Result<_>>(8);
    let server = tonic::transport::Server::builder()
        .add_service(UplinkServer::new(service).max_decoding_message_size(8 << 20))
        .serve_with_incoming(ReceiverStream::new(incoming));
    let accept = async move {
        let mut pipes = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let (mut ours, theirs) = tokio::io::duplex(PIPE);
            if accepted.send(Ok(theirs)).await.is_err() {
                return;
            }
            pipes.spawn(async move {
                // how it ends is the agent's business
                tokio::io::copy_bidirectional(&mut stream, &mut ours).await.ok();
            });
        }
    };
    let _ended = tokio::join!(accept, server);
}

type ToSay = Arc<Mutex<Option<mpsc::Receiver<FromCollector>>>>;

struct Service {
    agent: AgentId,
    to_say: ToSay,
    hears: SyncSender<FromAgent>,
}

#[tonic::async_trait]
impl Uplink for Service {
    type StreamStream = ReceiverStream<Result<CollectorMessage, Status>>;

    async fn stream(
        &self,
        request: Request<Streaming<AgentMessage>>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        let (out, outgoing) = mpsc::channel(64);
        let (agent, to_say, hears) = (self.agent, Arc::clone(&self.to_say), self.hears.clone());
        #[allow(clippy::disallowed_methods, reason = "the runtime ends with the double")]
        tokio::spawn(talk(agent, request.into_inner(), out, (to_say, hears)));
        Ok(Response::new(ReceiverStream::new(outgoing)))
    }

    async fn meet(
        &self,
        _: Request<wire::MeetRequest>,
    ) -> Result<Response<wire::MeetAnswer>, Status> {
        Err(Status::unimplemented("an older collector"))
    }
}

async fn talk(
    agent: AgentId,
    mut inbound: Streaming<AgentMessage>,
    out: mpsc::Sender<Result<CollectorMessage, Status>>,
    (to_say, hears): (ToSay, SyncSender<FromAgent>),
) {
    let taken = to_say.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(mut words) = taken else { return };
    loop {
        let answer = tokio::select! {
            Some(word) = words.recv() => Some(word),
            message = inbound.message() => match message {
                Ok(Some(message)) => match FromAgent::try_from(message) {
                    Ok(said) => {
                        let answer = answer(agent, &said);
                        hears.try_send(said).ok();
                        answer
                    }
                    Err(_) => break,
                },
                _ => break,
            },
        };
        if let Some(answer) = answer
            && out.send(Ok(answer.into())).await.is_err()
        {
            break;
        }
    }
    *to_say.lock().unwrap_or_else(PoisonError::into_inner) = Some(words);
}

fn answer(agent: AgentId, said: &FromAgent) -> Option<FromCollector> {
    Some(match said {
        FromAgent::Hello(_) => FromCollector::Welcome(Welcome {
            protocol: PROTOCOL,
            software: "captured".into(),
            agent,
            registered_name: "b1".into(),
            stored_through: 0,
            window: 10_000,
        }),
        FromAgent::Batch(batch) => FromCollector::Ack(Ack { through: batch.last_sequence() }),
        FromAgent::Heartbeat(beat) => {
            let now = Clock::system().wall();
            FromCollector::HeartbeatAnswer(HeartbeatAnswer {
                agent_sent_at: beat.sent_at,
                received_at: now,
                sent_at: now,
            })
        }
        _ => return None,
    })
}
