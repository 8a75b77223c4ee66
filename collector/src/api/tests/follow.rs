//! Following what changes, and asking again for what may not have changed.

use std::time::Duration;

use bytes::Bytes;
use mailsonde_proto::convert::{Hello, observation_to_bytes};
use mailsonde_proto::{AgentId, Epoch, VantagePoint, Verdict};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::Running;
use crate::api::path;
use crate::live::Change;
use crate::query::status::samples::{NOW, check, run};
use crate::store::ledger::Source;

/// A machine that is busy gets more than the second that is promised.
const SOON: Duration = Duration::from_secs(10);

struct Follower {
    stream: UnixStream,
    read: String,
}

impl Follower {
    async fn start(running: &Running, headers: &str) -> Self {
        let path = running.folder.operators_socket().unwrap();
        let mut stream = UnixStream::connect(path).await.unwrap();
        let head = format!("GET {} HTTP/1.1\r\nhost: x\r\n{headers}\r\n", path::EVENTS);
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut follower = Self { stream, read: String::new() };
        follower.until("welcome").await;
        assert!(follower.read.contains("content-type: text/event-stream"), "{}", follower.read);
        follower
    }

    /// Reads on until this has been said.
    async fn until(&mut self, word: &str) {
        let reading = async {
            while !self.read.contains(word) {
                let mut bytes = [0; 4_096];
                let count = self.stream.read(&mut bytes).await.unwrap();
                assert!(count > 0, "it ended before {word}: {}", self.read);
                self.read.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
            }
        };
        if tokio::time::timeout(SOON, reading).await.is_err() {
            panic!("{word} did not come: {}", self.read);
        }
    }

    /// The names of all events so far, and what they told.
    fn told(&self) -> Vec<(String, Change)> {
        let lines: Vec<&str> = self.read.lines().collect();
        let ids = lines.iter().filter_map(|line| line.strip_prefix("id: "));
        let data = lines.iter().filter_map(|line| line.strip_prefix("data: "));
        let data = data.filter(|data| *data != "{}");
        ids.zip(data).map(|(id, data)| (id.into(), serde_json::from_str(data).unwrap())).collect()
    }
}

async fn defined(running: &Running) -> Source {
    let agent: AgentId = running.add("hq").await.unwrap().agent;
    let hello = Hello {
        instance: 0,
        protocol: 1,
        software: "mailsonde-agent".into(),
        epoch: Epoch(7),
        next_sequence: 1,
        oldest_sequence: 1,
        vantage_point: VantagePoint::default(),
        checks: vec![check()],
        signing_key: None,
        mailboxes: Vec::new(),
    };
    running.registry.define(agent, &hello, NOW).await.unwrap();
    Source { agent, epoch: Epoch(7) }
}

fn one(minutes_ago: u64) -> Vec<Bytes> {
    vec![observation_to_bytes(&run(minutes_ago, Verdict::Pass))]
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_hears_of_an_observation_that_can_be_asked_for_by_then() {
    let running = Running::start().await;
    let source = defined(&running).await;
    let mut follower = Follower::start(&running, "").await;
    running.ledger.append(source, 1, one(2)).await.unwrap();
    follower.until("\"sequence\":1").await;
    let seen = format!("{}?limit=1", path::OBSERVATIONS);
    let asked = crate::cli::client::ask_for_text(&running.folder, &seen).await.unwrap();
    assert!(asked.contains("\"sequence\":1"), "{asked}");
    let told = follower.told();
    let (last, change) = told.iter().find(|(_, it)| !it.observations.is_empty()).unwrap();
    let seen = &change.observations[0];
    assert_eq!((&*seen.agent, &*seen.check, &*seen.verdict), ("hq", "mail", "pass"));
    // away, and back: what came meanwhile is told, and nothing twice
    drop(follower);
    running.ledger.append(source, 2, one(1)).await.unwrap();
    let mut follower = Follower::start(&running, &format!("last-event-id: {last}\r\n")).await;
    follower.until("\"sequence\":2").await;
    assert!(!follower.read.contains("reset"), "{}", follower.read);
    assert!(!follower.read.contains("\"sequence\":1,"), "{}", follower.read);
    // what is not kept is told as that
    let mut follower = Follower::start(&running, "last-event-id: 00000000-5\r\n").await;
    follower.until("event: reset").await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_change_is_not_sent_again() {
    let running = Running::start().await;
    defined(&running).await;
    let ask = async |headers: String| {
        let path = running.folder.operators_socket().unwrap();
        let mut stream = UnixStream::connect(path).await.unwrap();
        let question = format!(
            "GET {} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n",
            path::CHECKS
        );
        stream.write_all(question.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let first = ask(String::new()).await;
    let tag = first.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    assert!(first.contains("cache-control: private, no-cache"), "{first}");
    assert!(!first.contains("ratelimit"), "over the socket nothing is counted: {first}");
    let same = ask(format!("if-none-match: {tag}\r\n")).await;
    assert!(same.starts_with("HTTP/1.1 304 ") && same.contains(tag), "{same}");
    assert!(same.ends_with("\r\n\r\n"), "{same}");
    let other = ask("if-none-match: \"other\"\r\n".to_owned()).await;
    assert!(other.starts_with("HTTP/1.1 200 "), "{other}");
    running.stop().await;
}
