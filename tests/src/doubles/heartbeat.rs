//! Dead man's switches, and whoever reads Pingdom's page: as strict as the real ones.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::http::{Manner, Received, Reply, Server};

/// What healthchecks.io takes of a ping's body (`Ping-Body-Limit`).
const PING_BODY_LIMIT: usize = 100_000;
/// The check that the double knows.
const UUID: &str = "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278";
/// The heartbeat that the double knows.
const TOKEN: &str = "m793000000-0f1e2d3c4b5a";

/// A sign of life, as it was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ping {
    /// Whether it said that something is wrong.
    pub is_fail: bool,
    /// What came with it.
    pub body: String,
}

/// The pings of a healthchecks.io and the heartbeats of an UptimeRobot, and how they answer.
pub struct Switches {
    server: Server,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    pings: Vec<Ping>,
    beats: usize,
    plain: usize,
    /// What is answered instead.
    instead: Option<u16>,
}

impl Switches {
    /// Starts both.
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

    /// The ping URL of the check that is known.
    pub fn healthchecks(&self) -> String {
        format!("{}/ping/{UUID}", self.server.url())
    }

    /// The URL of the heartbeat that is known.
    pub fn uptimerobot(&self) -> String {
        format!("{}/heartbeat/{TOKEN}", self.server.url())
    }

    /// A URL that only wants to be asked for.
    pub fn plain(&self) -> String {
        format!("{}/alive?secret=of+the+url", self.server.url())
    }

    /// Every ping that was taken, in order.
    pub fn pings(&self) -> Vec<Ping> {
        lock(&self.kept).pings.clone()
    }

    /// How many heartbeats were taken.
    pub fn beats(&self) -> usize {
        lock(&self.kept).beats
    }

    /// How often the plain URL was asked for.
    pub fn plain_ones(&self) -> usize {
        lock(&self.kept).plain
    }

    /// Takes nothing any more and answers this; `None`: takes all.
    pub fn answer_instead(&self, status: Option<u16>) {
        lock(&self.kept).instead = status;
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kept {
    fn answer(&mut self, question: &Received) -> Reply {
        if let Some(status) = self.instead {
            return Reply::new(status, "");
        }
        let is_get = question.method == "GET";
        match question.path().split('/').collect::<Vec<_>>().as_slice() {
            ["", "ping", rest @ ..] => self.ping(question, rest),
            ["", "heartbeat", TOKEN] if is_get => {
                self.beats += 1;
                Reply::new(200, r#"{"status":"ok"}"#)
            }
            ["", "alive"] if is_get => {
                self.plain += 1;
                Reply::new(204, "")
            }
            _ => Reply::new(404, "not found"),
        }
    }

    /// healthchecks.io/docs/http_api: HEAD, GET or POST to the UUID, or to `/start`, `/fail`, `/log` or an exit status
    /// below it; an unknown UUID is told beside a 200.
    fn ping(&mut self, question: &Received, rest: &[&str]) -> Reply {
        let is_fail = match rest {
            [UUID] | [UUID, "0"] => false,
            [UUID, "fail"] => true,
            [UUID, ..] => return Reply::new(404, "not found"),
            _ => return Reply::new(200, "OK (not found)"),
        };
        if !matches!(question.method.as_str(), "HEAD" | "GET" | "POST") {
            return Reply::new(405, "");
        }
        let body = question.text().chars().take(PING_BODY_LIMIT).collect();
        self.pings.push(Ping { is_fail, body });
        Reply::new(200, "OK").with("Ping-Body-Limit", PING_BODY_LIMIT.to_string())
    }
}

/// Whether a page is one that Pingdom's HTTP custom check takes, and what it says: its status, and its response time in
/// thousandths of a millisecond.
///
/// # Errors
/// When it is none: what is wrong with it.
pub fn read_by_pingdom(page: &str) -> Result<(String, u64), String> {
    let inside = |text: &str, element: &str| {
        let (open, close) = (format!("<{element}>"), format!("</{element}>"));
        let rest = text.trim_start().strip_prefix(&open).map(str::to_owned);
        let rest = rest.ok_or_else(|| format!("{open} is not where it should be: {text}"))?;
        let (inner, behind) = rest.split_once(&close).ok_or(format!("{close} is missing"))?;
        Ok::<_, String>((inner.to_owned(), behind.to_owned()))
    };
    let (all, behind) = inside(page, "pingdom_http_custom_check")?;
    let (status, rest) = inside(&all, "status")?;
    let (time, after) = inside(&rest, "response_time")?;
    if !behind.trim().is_empty() || !after.trim().is_empty() {
        return Err(format!("something stands behind it: {page}"));
    }
    let (whole, part) = time.split_once('.').unwrap_or((&time, "0"));
    let is_number = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !is_number(whole, 8) || !is_number(part, 3) {
        return Err(format!("{time} is not a number of 8 digits and 3 at most"));
    }
    let us: u64 =
        format!("{whole}{part:0<3}").parse().map_err(|_no_number| "no number".to_owned())?;
    if us == 0 { Err("it must be positive".to_owned()) } else { Ok((status, us)) }
}
