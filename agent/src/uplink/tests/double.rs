//! A collector that keeps what it is sent in memory, and has the manners that a test gives it.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use mailsonde_proto::convert::{
    Ack, Batch, FromAgent, FromCollector, HeartbeatAnswer, Hello, MeetAnswer, PROTOCOL, Reject,
    RejectReason, SequenceRange, Throttle, Welcome,
};
use mailsonde_proto::wire::uplink_server::{Uplink, UplinkServer};
use mailsonde_proto::wire::{self, AgentMessage, CollectorMessage};
use mailsonde_proto::{AgentId, Clock, Epoch};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status, Streaming};

use super::authority::Authority;
use crate::config::{CollectorConfig, Endpoint};

/// How the double behaves.
#[derive(Clone, Default)]
pub(crate) struct Manners {
    pub(crate) refuse: bool,
    pub(crate) no_response: bool,
    pub(crate) no_welcome: bool,
    pub(crate) no_ack: bool,
    pub(crate) other_agent: bool,
    pub(crate) ack_beyond: u64,
    pub(crate) stored_through_at_first: u64,
    pub(crate) reject: Option<(RangeInclusive<u64>, RejectReason)>,
    pub(crate) throttle: Option<Duration>,
}

/// What it was told.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) streams: usize,
    pub(crate) hellos: Vec<Hello>,
    pub(crate) observations: BTreeMap<(Epoch, u64), Bytes>,
    pub(crate) order: Vec<u64>,
}

pub(crate) struct Double {
    authority: Authority,
    agent: AgentId,
    manners: Manners,
    config: CollectorConfig,
    address: SocketAddr,
    seen: watch::Sender<Seen>,
    runtime: Mutex<Option<Runtime>>,
}

impl Double {
    pub(crate) async fn start(manners: Manners) -> Self {
        let (authority, agent) = (Authority::new(), AgentId::random());
        let (certificate, key) = authority.agent_files(agent, 30);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let config = CollectorConfig {
            address: Endpoint { host: "127.0.0.1".into(), port: address.port() },
            server_name: "collector.test".into(),
            ca: authority.ca_file(),
            certificate,
            key,
        };
        let (seen, _) = watch::channel(Seen::default());
        let double =
            Self { authority, agent, manners, config, address, seen, runtime: Mutex::default() };
        double.serve(listener);
        double
    }

    fn serve(&self, listener: std::net::TcpListener) {
        // A runtime of its own can be ended as a process is killed: with all its sockets.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let acceptor = self.authority.acceptor();
        let service = Service {
            agent: if self.manners.other_agent { AgentId([9; 16]) } else { self.agent },
            manners: self.manners.clone(),
            seen: self.seen.clone(),
        };
        listener.set_nonblocking(true).unwrap();
        runtime.block_on_elsewhere(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            let (accepted, incoming) = mpsc::channel::<io::Result<Accepted>>(8);
            let server = tonic::transport::Server::builder()
                .add_service(UplinkServer::new(service))
                .serve_with_incoming(ReceiverStream::new(incoming));
            let accept = async move {
                while let Ok((stream, _)) = listener.accept().await {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        accepted.send(Ok(Accepted(stream))).await.unwrap();
                    }
                }
            };
            let _ended = tokio::join!(accept, server);
        });
        *self.runtime.lock().unwrap() = Some(runtime);
    }

    pub(crate) fn config(&self) -> &CollectorConfig {
        &self.config
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    pub(crate) fn agent(&self) -> AgentId {
        self.agent
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// In the order in which they came first.
    pub(crate) fn sequences(&self) -> Vec<u64> {
        self.seen.borrow().order.clone()
    }

    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Seen) -> bool) {
        let mut seen = self.seen.subscribe();
        let waited = timeout(super::SOON, seen.wait_for(|seen| is_so(seen))).await;
        assert!(waited.is_ok(), "not in time: {what}");
    }

    pub(crate) async fn cut(&mut self) {
        if let Some(runtime) = self.runtime.lock().unwrap().take() {
            runtime.shutdown_background();
        }
    }

    pub(crate) async fn come_back(&mut self) {
        for _ in 0..200 {
            match std::net::TcpListener::bind(self.address) {
                Ok(listener) => return self.serve(listener),
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
        panic!("the port stays taken");
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.lock().unwrap().take() {
            runtime.shutdown_background();
        }
    }
}

trait BlockOnElsewhere {
    fn block_on_elsewhere(&self, work: impl Future<Output = ()> + Send + 'static);
}

impl BlockOnElsewhere for Runtime {
    fn block_on_elsewhere(&self, work: impl Future<Output = ()> + Send + 'static) {
        // Ended with its runtime, which is its JoinSet here.
        let _detached = self.spawn(work);
    }
}

#[derive(Clone)]
struct Service {
    agent: AgentId,
    manners: Manners,
    seen: watch::Sender<Seen>,
}

type Out = mpsc::Sender<Result<CollectorMessage, Status>>;

#[tonic::async_trait]
impl Uplink for Service {
    type StreamStream = ReceiverStream<Result<CollectorMessage, Status>>;

    async fn stream(
        &self,
        request: Request<Streaming<AgentMessage>>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        self.seen.send_modify(|seen| seen.streams += 1);
        if self.manners.no_response {
            std::future::pending::<()>().await;
        }
        if self.manners.refuse {
            return Err(Status::permission_denied("the name hq is not this agent's"));
        }
        let (out, answers) = mpsc::channel(64);
        let (service, inbound) = (self.clone(), request.into_inner());
        let _detached = tokio::runtime::Handle::current().spawn(service.serve(inbound, out));
        Ok(Response::new(ReceiverStream::new(answers)))
    }

    async fn meet(
        &self,
        _: Request<wire::MeetRequest>,
    ) -> Result<Response<wire::MeetAnswer>, Status> {
        if self.manners.refuse {
            return Err(Status::permission_denied("the name hq is not this agent's"));
        }
        if self.manners.no_response {
            std::future::pending::<()>().await;
        }
        if self.manners.no_welcome {
            return Err(Status::unimplemented("an older collector"));
        }
        // by a clock that is an hour behind
        let now = Clock::system().wall().minus(Duration::from_secs(3_600));
        let answer = MeetAnswer {
            protocol: PROTOCOL,
            software: "double 0.1.0".into(),
            agent: self.agent,
            registered_name: "hq".into(),
            received_at: now,
            sent_at: now,
            connected_since: None,
        };
        Ok(Response::new(answer.into()))
    }
}

impl Service {
    async fn serve(self, mut inbound: Streaming<AgentMessage>, out: Out) {
        let mut epoch = Epoch(0);
        while let Ok(Some(message)) = inbound.message().await {
            let answers = match FromAgent::try_from(message).unwrap() {
                FromAgent::Hello(hello) => {
                    epoch = hello.epoch;
                    self.hello(hello)
                }
                FromAgent::Batch(batch) => self.batch(epoch, &batch),
                FromAgent::Tombstone(tombstone) => {
                    vec![FromCollector::Ack(Ack { through: tombstone.range.last })]
                }
                FromAgent::Heartbeat(beat) => {
                    let now = Clock::system().wall();
                    let answer = HeartbeatAnswer {
                        agent_sent_at: beat.sent_at,
                        received_at: now,
                        sent_at: now,
                    };
                    vec![FromCollector::HeartbeatAnswer(answer)]
                }
                FromAgent::Assigned(_)
                | FromAgent::RunAnswer(_)
                | FromAgent::Crossing(_)
                | FromAgent::Unknown => Vec::new(),
            };
            for answer in answers {
                if out.send(Ok(answer.into())).await.is_err() {
                    return;
                }
            }
        }
    }

    fn hello(&self, hello: Hello) -> Vec<FromCollector> {
        let mut is_first_epoch = true;
        self.seen.send_modify(|seen| {
            is_first_epoch = seen.hellos.first().is_none_or(|first| first.epoch == hello.epoch);
            seen.hellos.push(hello);
        });
        if self.manners.no_welcome {
            return Vec::new();
        }
        let welcome = Welcome {
            protocol: PROTOCOL,
            software: "double".into(),
            agent: self.agent,
            registered_name: "hq".into(),
            stored_through: if is_first_epoch { self.manners.stored_through_at_first } else { 0 },
            window: 1_000,
        };
        let mut answers = Vec::new();
        if let Some(pause) = self.manners.throttle {
            answers.push(FromCollector::Throttle(Throttle { pause, reason: "a test".into() }));
        }
        answers.push(FromCollector::Welcome(welcome));
        answers
    }

    fn batch(&self, epoch: Epoch, batch: &Batch) -> Vec<FromCollector> {
        let mut answers = Vec::new();
        self.seen.send_modify(|seen| {
            for (sequence, bytes) in (batch.first_sequence..).zip(&batch.observations) {
                if let Some((range, reason)) = &self.manners.reject
                    && range.contains(&sequence)
                {
                    let ranges = vec![SequenceRange { first: sequence, last: sequence }];
                    let detail = "a test".into();
                    answers.push(FromCollector::Reject(Reject { ranges, reason: *reason, detail }));
                    continue;
                }
                match seen.observations.insert((epoch, sequence), bytes.clone()) {
                    Some(before) => assert_eq!(before, *bytes, "the key {sequence} twice"),
                    None => seen.order.push(sequence),
                }
            }
        });
        if !self.manners.no_ack {
            let through = batch.last_sequence() + self.manners.ack_beyond;
            answers.push(FromCollector::Ack(Ack { through }));
        }
        answers
    }
}

struct Accepted(TlsStream<TcpStream>);

impl Connected for Accepted {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Accepted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
