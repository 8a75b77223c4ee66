//! An OTLP endpoint as New Relic's and the OpenTelemetry collector's are: takes metrics over HTTP as protobuf, by a key.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mailsonde_collector::otlp::wire::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use mailsonde_proto::Clock;
use mailsonde_proto::time::Instant;
use prost::Message;

use super::http::{Manner, Received, Reply, Server};

/// The key that is known.
pub const KEY: &str = "otlp-0123456789abcdefNRAL";
/// What New Relic takes at once: 10^6 bytes.
const MOST_BYTES: usize = 1_000_000;

/// What came, and when.
#[derive(Clone, Debug)]
pub struct Asked {
    /// When.
    pub at: Instant,
    /// How it was answered.
    pub status: u16,
    /// What it told.
    pub request: ExportMetricsServiceRequest,
    /// The same, as it came.
    pub body: Vec<u8>,
}

/// How the endpoint answers instead of taking all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instead {
    /// With this status, and when to come again, in seconds.
    Refuse(u16, Option<u64>),
    /// Takes it but for some.
    TakeInPart,
}

/// A running endpoint; it ends when this is dropped.
pub struct Endpoint {
    server: Server,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    asked: Vec<Asked>,
    complaints: Vec<String>,
    instead: Option<Instead>,
}

impl Endpoint {
    /// Starts it on a free port of loopback.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn start() -> std::io::Result<Self> {
        let kept = Arc::<Mutex<Kept>>::default();
        let told = kept.clone();
        let server = Server::start(move |question| {
            Manner::Reply(lock(&told).answer(question), Duration::ZERO)
        })?;
        Ok(Self { server, kept })
    }

    /// Its URL, without a path.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Everything that came and was right by its form, in order.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.kept).asked.clone()
    }

    /// What was wrong with what came.
    pub fn complaints(&self) -> Vec<String> {
        lock(&self.kept).complaints.clone()
    }

    /// Answers so from now on; `None`: takes all.
    pub fn answer_instead(&self, instead: Option<Instead>) {
        lock(&self.kept).instead = instead;
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kept {
    fn answer(&mut self, question: &Received) -> Reply {
        let request = match read(question) {
            Ok(request) => request,
            Err((status, wrong)) => {
                self.complaints.push(format!("{status} {wrong}"));
                // servers like to say what they were told
                return Reply::new(status, format!("{wrong}: {}", question.header("api-key")));
            }
        };
        let reply = match self.instead {
            Some(Instead::Refuse(status, after)) => {
                let reply = Reply::new(status, format!("not now, {KEY}"));
                match after {
                    Some(seconds) => reply.with("Retry-After", seconds.to_string()),
                    None => reply,
                }
            }
            Some(Instead::TakeInPart) => taken(Some(ExportMetricsPartialSuccess {
                rejected_data_points: 3,
                error_message: "too many attributes".to_owned(),
            })),
            None => taken(None),
        };
        let at = Clock::system().monotonic();
        self.asked.push(Asked { at, status: reply.status, request, body: question.body.clone() });
        reply
    }
}

fn taken(partial_success: Option<ExportMetricsPartialSuccess>) -> Reply {
    let answer = ExportMetricsServiceResponse { partial_success };
    let body = String::from_utf8(answer.encode_to_vec()).unwrap_or_default();
    Reply::new(200, body).with("Content-Type", "application/x-protobuf")
}

/// OTLP specification, section "OTLP/HTTP"; docs.newrelic.com, "OTLP endpoint".
fn read(question: &Received) -> Result<ExportMetricsServiceRequest, (u16, &'static str)> {
    if (question.method.as_str(), question.path()) != ("POST", "/v1/metrics") {
        return Err((404, "not found"));
    }
    if question.header("api-key") != KEY {
        return Err((403, "this key is not known"));
    }
    if question.header("content-type") != "application/x-protobuf" {
        return Err((415, "neither protobuf nor JSON"));
    }
    if question.body.len() > MOST_BYTES {
        return Err((413, "too large"));
    }
    ExportMetricsServiceRequest::decode(question.body.as_slice())
        .map_err(|_not_read| (400, "no protobuf"))
}
