//! Questions over a real socket, asked by the command line's own client.

use std::sync::Arc;

use bytes::Bytes;
use mailsonde_proto::convert::observation_to_bytes;
use mailsonde_proto::{AgentId, Clock, Epoch, Verdict};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Operators, listen};
use crate::cli::client::{NotRunning, ask, send};
use crate::control::ControlJournal;
use crate::enrolment::{Admission, Application};
use crate::folder::Folder;
use crate::identity::{Authority, PrivateKey};
use crate::pipeline::extent;
use crate::query::status::samples::{refused, run};
use crate::query::{AgentsAnswer, ChecksAnswer, ObservationsAnswer, Query, State, StatusAnswer};
use crate::registry::Registry;
use crate::rollups::Rollups;
use crate::store::ledger::{Ledger, LedgerOptions, Source};

struct Running {
    folder: Folder,
    ledger: Ledger,
    shutdown: CancellationToken,
    tasks: JoinSet<()>,
    _temporary: tempfile::TempDir,
}

impl Running {
    fn start() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::at(temporary.path());
        let clock = Clock::system();
        let name = "localhost".parse().unwrap();
        let authority = Arc::new(Authority::create(&folder, &name, clock.wall()).unwrap());
        let control = Arc::new(ControlJournal::open(&folder.control()).unwrap().0);
        let registry = Arc::new(Registry::new(control.clone()).unwrap());
        let opened = Ledger::open(folder.path(), LedgerOptions::default(), clock).unwrap();
        let extent = extent(&opened.ledger, &control);
        let (rollups, _) = Rollups::open(&folder.views(), extent, clock.wall()).unwrap();
        let query = Query::new(registry, opened.ledger.clone(), rollups.reader(), clock);
        let collector = "localhost:7443".to_owned();
        let operators = Operators { query, authority, control, collector, clock };
        let listener = listen(&folder).unwrap();
        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let stopping = shutdown.clone();
        tasks.spawn(async move { operators.serve(listener, stopping).await.unwrap() });
        Self { folder, ledger: opened.ledger, shutdown, tasks, _temporary: temporary }
    }

    async fn stop(mut self) {
        self.shutdown.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
    }

    async fn add(&self, name: &str) -> anyhow::Result<Admission> {
        let public_key = PrivateKey::generate().unwrap().public();
        let application =
            Application { name: name.into(), labels: Default::default(), public_key, renew: false };
        Ok(send(&self.folder, super::path::AGENTS, &application).await?.value)
    }

    async fn refusal(&self, path: &str) -> String {
        ask::<serde_json::Value>(&self.folder, path).await.err().unwrap().to_string()
    }
}

#[tokio::test]
async fn an_agent_is_added_and_shown() {
    let running = Running::start();
    let folder = running.folder.clone();
    running.add("hq").await.unwrap();
    let refused = running.add("hq").await.unwrap_err().to_string();
    assert!(refused.contains("agent add hq --renew"), "{refused}");
    let refused = running.add("a b").await.unwrap_err().to_string();
    assert!(refused.contains("cannot name an agent"), "{refused}");
    let agents: AgentsAnswer = ask(&folder, super::path::AGENTS).await.unwrap().value;
    assert_eq!(agents.agents.iter().map(|agent| agent.name.as_str()).collect::<Vec<_>>(), ["hq"]);
    let status: StatusAnswer = ask(&folder, super::path::STATUS).await.unwrap().value;
    assert_eq!((status.state, status.vantage_points.len()), (State::Unknown, 1));
    let checks: ChecksAnswer = ask(&folder, super::path::CHECKS).await.unwrap().value;
    assert_eq!(checks.checks, []);
    running.stop().await;
    let gone = ask::<StatusAnswer>(&folder, super::path::STATUS).await.err().unwrap();
    assert!(gone.is::<NotRunning>(), "{gone}");
}

#[tokio::test]
async fn the_newest_observations_come_first() {
    let running = Running::start();
    let admission = running.add("hq").await.unwrap();
    let agent: AgentId = admission.agent_id.parse().unwrap();
    let source = Source { agent, epoch: Epoch(7) };
    let bytes = |minutes_ago, verdict| observation_to_bytes(&run(minutes_ago, verdict));
    let first = vec![bytes(9, Verdict::Pass), bytes(8, refused()), Bytes::new()];
    running.ledger.append(source, 1, first).await.unwrap();
    let second = vec![bytes(6, Verdict::Pass), bytes(5, Verdict::Pass)];
    running.ledger.append(source, 4, second).await.unwrap();
    for (question, expected) in [
        ("", vec![5, 4, 2, 1]),
        ("?limit=2", vec![5, 4]),
        ("?verdict=fail", vec![2]),
        ("?agent=HQ&check=mail&limit=1", vec![5]),
        ("?check=other", vec![]),
        ("?since=2200-01-01T00:00:00Z", vec![]),
        ("?since=2000-01-01T00:00:00Z&limit=9", vec![5, 4, 2, 1]),
    ] {
        let path = format!("{}{question}", super::path::OBSERVATIONS);
        let answer: ObservationsAnswer = ask(&running.folder, &path).await.unwrap().value;
        let sequences: Vec<_> = answer.observations.iter().map(|found| found.sequence).collect();
        assert_eq!(sequences, expected, "{question}");
        assert!(answer.observations.iter().all(|found| found.agent == "hq"));
        assert_eq!(answer.looked_back_to, None);
    }
    let unknown = running.refusal("/api/v1/observations?agent=nobody").await;
    assert!(unknown.contains("no agent called nobody"), "{unknown}");
    let wrong = running.refusal("/api/v1/observations?verdict=up").await;
    assert!(wrong.contains("verdict"), "{wrong}");
    assert!(running.refusal("/nothing").await.contains("no such page"));
    running.stop().await;
}

#[tokio::test]
async fn a_socket_left_by_a_crash_is_replaced_and_the_folder_is_its_guard() {
    use std::os::unix::fs::PermissionsExt;
    let running = Running::start();
    let path = running.folder.operators_socket().unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, super::SOCKET_MODE);
    let folder = running.folder.clone();
    assert!(path.exists());
    drop(listen(&folder).unwrap());
    running.stop().await;
}
