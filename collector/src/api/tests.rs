//! Questions over a real socket, asked by the command line's own client.

mod astray;
mod bounds;
mod follow;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mailsonde_proto::convert::{Certified, EnrollRequest, Hello, observation_to_bytes};
use mailsonde_proto::{AgentId, Clock, EnrolmentToken, Epoch, VantagePoint, Verdict};
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Network, Operators, listen};
use crate::access::Access;
use crate::cli::client::{NotRunning, ask, send};
use crate::config::OutsideConfig;
use crate::control::ControlJournal;
use crate::delivery::Delivery;
use crate::enrolment::{AgentChange, Enrolment, NewToken, TokenWish};
use crate::fleet::Fleet;
use crate::folder::Folder;
use crate::identity::{AGENT_VALIDITY, Authorities, Authority, PrivateKey, ServerTls};
use crate::links::Links;
use crate::live::Live;
use crate::notifier::Channels;
use crate::pipeline::{Outlets, Pipeline, extent};
use crate::query::status::samples::{NOW, check, refused, run};
use crate::query::{
    AgentChanged, AgentsAnswer, AuditAnswer, ChecksAnswer, ObservationsAnswer, Query, State,
    StatusAnswer, TokensAnswer,
};
use crate::registry::Registry;
use crate::reporting::Reporting;
use crate::rollups::Rollups;
use crate::store::ledger::{Ledger, LedgerOptions, Source};
use crate::survey::Gate;
use crate::tally::Tally;
use crate::watched::{Subject, Watched};

fn watched(
    folder: &Folder,
    control: Arc<ControlJournal>,
    ledger: &Ledger,
    clock: Clock,
) -> Watched {
    let subject = Subject {
        control,
        stored: ledger.index().clone(),
        refused: ledger.refused(),
        progress: Arc::default(),
        notices: Box::new(|| Ok(())),
        clock,
    };
    Watched::open(&OutsideConfig::default(), folder.path(), subject).unwrap()
}

struct Running {
    folder: Folder,
    registry: Arc<Registry>,
    ledger: Ledger,
    enrolment: Enrolment,
    access: Access,
    /// Where operators are answered over the network.
    address: std::net::SocketAddr,
    shutdown: CancellationToken,
    /// A test that fails ends everything too, and so ends.
    _ends: DropGuard,
    tasks: JoinSet<()>,
    temporary: tempfile::TempDir,
}

fn no_channels(control: &Arc<ControlJournal>, clock: Clock) -> Delivery {
    Delivery::new(
        control.clone(),
        Channels::default(),
        Arc::new(|notice| notice.message.clone()),
        clock,
    )
}

fn pipeline(
    rollups: Rollups,
    journals: (Ledger, Arc<ControlJournal>),
    clock: Clock,
    live: &Live,
) -> (Pipeline, Tally) {
    let outlets = Outlets { live: live.clone(), ..Outlets::nowhere() };
    let tally = outlets.tally.clone();
    (Pipeline::new(rollups, journals, clock, Arc::default(), outlets).unwrap(), tally)
}

fn enrolment(authorities: &Arc<Authorities>, control: Arc<ControlJournal>) -> Enrolment {
    Enrolment {
        authorities: authorities.clone(),
        control,
        collector: "localhost:7443".to_owned(),
        validity: AGENT_VALIDITY,
    }
}

impl Running {
    #[allow(clippy::too_many_lines, reason = "a line for each part")]
    async fn start() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::at(temporary.path());
        let clock = Clock::starting_at(NOW);
        let name = "localhost".parse().unwrap();
        Authority::create(&folder, &name, clock.wall()).unwrap();
        let authorities = Arc::new(Authorities::open(&folder, &name).unwrap());
        let control = Arc::new(ControlJournal::open(&folder.control()).unwrap().0);
        let registry = Arc::new(Registry::new(control.clone()).unwrap());
        let opened = Ledger::open(folder.path(), LedgerOptions::default(), clock).unwrap();
        control.go_with(opened.ledger.index().clone());
        let extent = extent(&opened.ledger, &control);
        let (rollups, _) = Rollups::open(&folder.views(), extent, clock.wall()).unwrap();
        let query = Query::new(registry.clone(), opened.ledger.clone(), rollups.reader(), clock);
        let (query, live) = (Arc::new(query), Live::default());
        let journals = (opened.ledger.clone(), control.clone());
        let (pipeline, tally) = pipeline(rollups, journals, clock, &live);
        let enrolment = enrolment(&authorities, control);
        let fleet = Fleet::new(&registry, &opened.ledger, folder.clone(), clock);
        let tls = Arc::new(ServerTls::open(&folder, authorities, &name, clock).unwrap());
        let anywhere = "127.0.0.1:0".parse().unwrap();
        let network = Network::listen(anywhere, tls.for_operators().unwrap()).await.unwrap();
        let address = network.address().unwrap();
        let access = Access::new(enrolment.control.clone(), clock).unwrap();
        let reporting = Reporting::new(&folder, registry.clone(), query.clone(), clock);
        let operators = Operators {
            reporting: Arc::new(reporting),
            survey: Gate::default(),
            query: query.clone(),
            live: live.clone(),
            tally,
            watched: watched(&folder, enrolment.control.clone(), &opened.ledger, clock),
            fleet,
            enrolment: enrolment.clone(),
            registry: registry.clone(),
            access: access.clone(),
            oidc: None,
            delivery: no_channels(&enrolment.control, clock),
            links: Arc::new(Links::open(&folder, None).unwrap()),
            status_page: None,
            tls,
            clock,
        };
        let listener = listen(&folder).unwrap();
        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let stopping = shutdown.clone();
        tasks.spawn_blocking(move || pipeline.run(&stopping));
        tasks.spawn(crate::live::tell(live, query, clock, shutdown.clone()));
        let serving = operators.serve(listener, Some(network), shutdown.clone());
        tasks.spawn(async move { serving.await.unwrap() });
        Self {
            folder,
            registry,
            ledger: opened.ledger,
            enrolment,
            access,
            address,
            _ends: shutdown.clone().drop_guard(),
            shutdown,
            tasks,
            temporary,
        }
    }

    async fn stop(mut self) -> tempfile::TempDir {
        self.shutdown.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        self.temporary
    }

    /// Makes a token over the socket, and comes in by it.
    async fn add(&self, name: &str) -> anyhow::Result<Certified> {
        let wish = TokenWish { name: Some(name.into()), ttl_s: 900, ..TokenWish::default() };
        let made: NewToken = send(&self.folder, super::path::TOKENS, &wish).await?.value;
        let request = EnrollRequest {
            secret: EnrolmentToken::from_line(&made.token)?.secret,
            signing_request: PrivateKey::generate()?.request()?,
            proposed_name: None,
            software: String::new(),
        };
        Ok(self.enrolment.enroll(request, "192.0.2.1:5", NOW)?)
    }

    async fn refusal(&self, path: &str) -> String {
        ask::<serde_json::Value>(&self.folder, path).await.err().unwrap().to_string()
    }
}

#[tokio::test]
async fn an_agent_is_added_and_shown() {
    let running = Running::start().await;
    let folder = running.folder.clone();
    running.add("hq").await.unwrap();
    let refused = running.add("hq").await.unwrap_err().to_string();
    assert!(refused.contains("an agent called hq already"), "{refused}");
    let refused = running.add("a b").await.unwrap_err().to_string();
    assert!(refused.contains("cannot name an agent"), "{refused}");
    let agents: AgentsAnswer = ask(&folder, super::path::AGENTS).await.unwrap().value;
    assert_eq!(agents.agents.iter().map(|agent| agent.name.as_str()).collect::<Vec<_>>(), ["hq"]);
    let status: StatusAnswer = ask(&folder, super::path::STATUS).await.unwrap().value;
    assert_eq!((status.state, status.vantage_points.len()), (State::Unknown, 1));
    let checks: ChecksAnswer = ask(&folder, super::path::CHECKS).await.unwrap().value;
    assert_eq!(checks.checks, []);
    let _temporary = running.stop().await;
    std::fs::write(folder.config(), "").unwrap();
    let gone = ask::<StatusAnswer>(&folder, super::path::STATUS).await.err().unwrap();
    assert!(gone.is::<NotRunning>(), "{gone}");
}

#[tokio::test]
async fn what_agents_sent_is_in_the_status() {
    let running = Running::start().await;
    let admission = running.add("hq").await.unwrap();
    let agent: AgentId = admission.agent;
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
    let source = Source { agent, epoch: Epoch(7) };
    let runs = (0..10).rev().map(|ago| observation_to_bytes(&run(ago, Verdict::Pass)));
    running.ledger.append(source, 1, runs.collect()).await.unwrap();
    let path = super::path::STATUS;
    let status = async {
        loop {
            let status: StatusAnswer = ask(&running.folder, path).await.unwrap().value;
            if status.state == State::Up {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let status = tokio::time::timeout(Duration::from_secs(20), status).await.unwrap();
    let check = &status.vantage_points[0].checks[0];
    assert_eq!((status.working, check.last_round_trip_us), (1, Some(24_310)));
    assert_eq!(check.round_trip.runs, 10);
    let off_us = check.round_trip.p95_us.unwrap() - 24_310;
    assert!(off_us.abs() <= 244, "{off_us}");
    let checks: ChecksAnswer = ask(&running.folder, super::path::CHECKS).await.unwrap().value;
    assert_eq!(checks.checks[0].vantage_point, "hq");
    running.stop().await;
}

#[tokio::test]
async fn the_newest_observations_come_first() {
    let running = Running::start().await;
    let admission = running.add("hq").await.unwrap();
    let agent: AgentId = admission.agent;
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
    // pages neither repeat nor hide anything, while more comes in
    let mut question = format!("{}?limit=2", super::path::OBSERVATIONS);
    let (mut pages, mut sequence) = (Vec::new(), 6);
    loop {
        let page = ask::<serde_json::Value>(&running.folder, &question).await.unwrap().value;
        let found = page["observations"].as_array().unwrap().iter();
        pages.push(found.map(|found| found["sequence"].as_u64().unwrap()).collect::<Vec<_>>());
        let Some(next) = page["next"].as_str() else { break };
        question = format!("{}?limit=2&after={next}", super::path::OBSERVATIONS);
        running.ledger.append(source, sequence, vec![bytes(1, Verdict::Pass)]).await.unwrap();
        sequence += 1;
    }
    assert_eq!(pages, [vec![5, 4], vec![2, 1], vec![]]);
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
    let running = Running::start().await;
    let path = running.folder.operators_socket().unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, super::SOCKET_MODE);
    let folder = running.folder.clone();
    assert!(path.exists());
    drop(listen(&folder).unwrap());
    running.stop().await;
}

#[tokio::test]
async fn what_is_done_stands_in_the_audit_log() {
    let running = Running::start().await;
    let folder = running.folder.clone();
    let before = running.add("hq").await.unwrap();
    let tokens: TokensAnswer = ask(&folder, super::path::TOKENS).await.unwrap().value;
    let states: Vec<_> = tokens
        .tokens
        .iter()
        .map(|token| (token.state.as_str(), token.used_by.as_deref()))
        .collect();
    assert_eq!(states, [("used", Some("hq"))]);
    let spent = super::path::with(super::path::TOKEN_WITHDRAW, &tokens.tokens[0].id);
    let refused = send::<TokensAnswer>(&folder, &spent, &()).await.err().unwrap().to_string();
    assert!(refused.contains("was used already"), "{refused}");
    let change = |name: &str, change: AgentChange| {
        let (folder, path) = (folder.clone(), super::path::with(super::path::AGENT, name));
        async move { send::<AgentChanged>(&folder, &path, &change).await.map(|it| it.value) }
    };
    let revoke = |name: &str| {
        let (folder, path) = (folder.clone(), super::path::with(super::path::AGENT_REVOKE, name));
        async move { send::<AgentChanged>(&folder, &path, &()).await.map(|it| it.value) }
    };
    let renamed = change("hq", AgentChange::Rename("head".into())).await.unwrap();
    assert_eq!((renamed.agent_id, renamed.is_revoked), (before.agent.to_string(), false));
    assert!(revoke("hq").await.is_err(), "nobody is called so any more");
    assert!(revoke("head").await.unwrap().is_revoked);
    let agents: AgentsAnswer = ask(&folder, super::path::AGENTS).await.unwrap().value;
    assert_eq!(agents.agents, []);
    let audit: AuditAnswer = ask(&folder, super::path::AUDIT).await.unwrap().value;
    assert_eq!((audit.acts, audit.breaks.as_slice()), (4, [].as_slice()));
    assert_eq!(audit.newest.last().map(|act| &act.link), Some(&audit.head));
    let what: Vec<_> = audit.newest.iter().map(|act| act.what.as_str()).collect();
    assert!(what[0].starts_with("made token") && what[0].contains(" for hq, until "), "{what:?}");
    assert_eq!(what[1], format!("enrolled hq ({})", before.agent));
    assert_eq!(what[2..], ["renamed hq to head", "revoked head"]);
    let (made, enrolled) = (&audit.newest[0], &audit.newest[1]);
    assert!(made.who.starts_with("uid ") && made.from == "operators.sock", "{made:?}");
    assert!(enrolled.who.starts_with("token ") && enrolled.from == "192.0.2.1:5", "{enrolled:?}");
    running.stop().await;
}
