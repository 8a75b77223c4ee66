//! A hundred agents in one process: observations made beforehand, so that the client costs little.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper_util::rt::TokioIo;
use mailsonde_proto::convert::{
    Batch, FromAgent, FromCollector, Hello, PROTOCOL, observation_to_bytes,
};
use mailsonde_proto::time::Instant;
use mailsonde_proto::wire::uplink_client::UplinkClient;
use mailsonde_proto::wire::{AgentMessage, CollectorMessage};
use mailsonde_proto::{
    Cause, Check, Clock, Epoch, Fact, Observation, Phase, SettingsDigest, VantagePoint, Verdict,
};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Endpoint;

use super::collector::{Collector, Identity};

/// What all agents together got through.
pub(crate) struct Sent {
    pub(crate) acknowledged: u64,
    pub(crate) seconds: f64,
    /// Sorted.
    latencies_us: Vec<u64>,
}

impl Sent {
    /// A quantile of the time from a batch's sending to its acknowledgement.
    pub(crate) fn ack_us(&self, quantile: f64) -> u64 {
        let at = (self.latencies_us.len() as f64 * quantile) as usize;
        self.latencies_us[at.min(self.latencies_us.len() - 1)]
    }
}

pub(crate) fn send(
    collector: &Collector,
    streams: usize,
    batch: usize,
    under_way: usize,
    measured: Duration,
) -> Sent {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut agents = JoinSet::new();
        let made: Arc<Vec<Bytes>> = Arc::new((0..4_096).map(observation).collect());
        let mut opened = Vec::new();
        for identity in &collector.identities[..streams] {
            opened.push(Agent::connect(collector, identity, made.clone()).await);
        }
        let start = Clock::system().monotonic();
        for agent in opened {
            agents.spawn(agent.run(batch, under_way, start + measured));
        }
        let (mut acknowledged, mut latencies_us) = (0, Vec::new());
        while let Some(done) = agents.join_next().await {
            let (count, mut latencies) = done.unwrap();
            acknowledged += count;
            latencies_us.append(&mut latencies);
        }
        latencies_us.sort_unstable();
        Sent { acknowledged, seconds: start.elapsed().as_secs_f64(), latencies_us }
    })
}

struct Agent {
    out: mpsc::Sender<AgentMessage>,
    inbound: Streaming<CollectorMessage>,
    made: Arc<Vec<Bytes>>,
}

impl Agent {
    async fn connect(collector: &Collector, identity: &Identity, made: Arc<Vec<Bytes>>) -> Self {
        let (address, name) = (collector.address, collector.server_name());
        let connector = TlsConnector::from(identity.tls.clone());
        let dial = tower::service_fn(move |_| {
            let (connector, name) = (connector.clone(), name.clone());
            async move {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                connector.connect(name, stream).await.map(TokioIo::new)
            }
        });
        let endpoint = Endpoint::from_static("http://collector");
        let channel = endpoint.connect_with_connector(dial).await.unwrap();
        let (out, outgoing) = mpsc::channel(16);
        out.send(FromAgent::Hello(hello(&identity.name)).into()).await.unwrap();
        let request = ReceiverStream::new(outgoing);
        let mut inbound = UplinkClient::new(channel).stream(request).await.unwrap().into_inner();
        let welcome = inbound.message().await.unwrap().unwrap();
        assert!(matches!(welcome.try_into(), Ok(FromCollector::Welcome(_))));
        Self { out, inbound, made }
    }

    async fn run(mut self, batch: usize, under_way: usize, end: Instant) -> (u64, Vec<u64>) {
        let clock = Clock::system();
        let (mut sent, mut latencies) = (0_u64, Vec::new());
        let mut waiting: VecDeque<(u64, Instant)> = VecDeque::new();
        loop {
            while waiting.len() < under_way && clock.monotonic() < end {
                let from = sent as usize % (self.made.len() - batch);
                let observations = self.made[from..from + batch].to_vec();
                let message = FromAgent::Batch(Batch { first_sequence: sent + 1, observations });
                sent += batch as u64;
                waiting.push_back((sent, clock.monotonic()));
                self.out.send(message.into()).await.unwrap();
            }
            if waiting.is_empty() {
                return (sent, latencies);
            }
            let said = self.inbound.message().await.unwrap().expect("the stream stands");
            let Ok(FromCollector::Ack(ack)) = FromCollector::try_from(said) else {
                panic!("something else than an acknowledgement");
            };
            while waiting.front().is_some_and(|(last, _)| *last <= ack.through) {
                let (_, since) = waiting.pop_front().unwrap();
                latencies.push(since.elapsed().as_micros() as u64);
            }
        }
    }
}

fn hello(name: &str) -> Hello {
    let check = |at| Check {
        name: format!("mail-{at}"),
        kind: "round-trip".into(),
        cadence: Duration::from_secs(60),
        timeout: Duration::from_secs(30),
        slot_offset: Duration::ZERO,
        settings_digest: SettingsDigest::default(),
    };
    Hello {
        instance: 0,
        protocol: PROTOCOL,
        software: "bench".into(),
        epoch: Epoch::random(),
        next_sequence: 1,
        oldest_sequence: 1,
        vantage_point: VantagePoint { name: name.into(), labels: Default::default() },
        checks: (0..10).map(check).collect(),
        signing_key: None,
        mailboxes: Vec::new(),
    }
}

/// An observation as a round trip makes them: nine phases, four facts.
fn observation(number: u64) -> Bytes {
    let names =
        ["resolve", "connect", "greeting", "tls", "auth", "envelope", "data", "transit", "arrival"];
    let mut start_us = 0;
    let phases = names.map(|name| {
        let duration_us = (300 + number * 37 % 4_000) as i64;
        let phase = Phase { name: name.into(), start_us, duration_us, uncertainty_us: 0 };
        start_us += duration_us;
        phase
    });
    let now = Clock::system().wall();
    let fact = |name: &str, value: String| Fact { name: name.into(), value };
    observation_to_bytes(&Observation {
        intent: number,
        check: format!("mail-{}", number % 10),
        kind: "round-trip".into(),
        scheduled_for: now,
        started_at: now.plus(Duration::from_micros(number)),
        clock_error_us: Some(1_200),
        cause: Cause::Scheduled,
        settings_digest: SettingsDigest([7; 16]),
        amends: None,
        verdict: Verdict::Pass,
        total_us: start_us as u64,
        phases: phases.to_vec(),
        facts: vec![
            fact("smtp.tls", "TLSv1.3 TLS13_AES_256_GCM_SHA384".into()),
            fact("smtp.queued", format!("250 2.0.0 Ok: queued as 4b{number:06x}")),
            fact("imap.folder", "INBOX".into()),
            fact("imap.uid", number.to_string()),
        ],
        findings: vec![],
        transcript: String::new(),
    })
}
