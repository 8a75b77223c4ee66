//! The runner with a scripted probe and a paused clock.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use mailsonde_proto::convert::observation_from_bytes;
use mailsonde_proto::{Fault, FaultClass, SettingsDigest};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::*;
use crate::outbox::{Limits, Spooled};

/// What a scripted probe does.
#[derive(Clone, Copy, Debug)]
enum Script {
    Pass,
    Panic,
    Hang,
    Amend,
}

#[derive(Default)]
struct Scripted {
    script: Option<Script>,
    under_way: AtomicUsize,
    most: AtomicUsize,
}

impl Probe for Scripted {
    fn run(&self, run: Run) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.under_way.fetch_sub(1, Ordering::SeqCst);
            match self.script.unwrap_or(Script::Pass) {
                Script::Pass => {}
                Script::Panic => panic!("index out of bounds"),
                Script::Hang => std::future::pending().await,
                Script::Amend => {
                    let fault = Fault::new("arrival", FaultClass::Mismatch, "came twice");
                    let (phases, facts) = (Vec::new(), Vec::new());
                    let amendment =
                        Amendment { run: run.id, fault, phases, facts, is_found: false };
                    run.amendments.send(amendment.clone()).await.unwrap();
                    run.amendments.send(amendment).await.unwrap();
                }
            }
            let mut outcome = void(VoidReason::Unknown, String::new());
            outcome.verdict = Verdict::Pass;
            outcome.transcript = "C: QUIT".into();
            outcome
        })
    }
}

struct Bench {
    outbox: Outbox,
    runner: Runner,
    ended: CancellationToken,
    amendments: mpsc::Receiver<Amendment>,
    tasks: JoinSet<()>,
    _folder: tempfile::TempDir,
}

fn bench(concurrent_runs: usize) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::starting_at(WallTime::from_s(1_764_000_000));
    let (outbox, keeper) = Outbox::open(folder.path(), Limits::default(), clock).unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { keeper.run(std::future::pending()).await.unwrap() });
    let (sender, amendments) = mpsc::channel(8);
    let (_, clock_error) = watch::channel(Some(7));
    let ended = CancellationToken::new();
    let means = Means {
        agent: AgentId([1; 16]),
        clock_error,
        amendments: sender,
        concurrent_runs,
        ended: ended.clone(),
    };
    let runner = Runner::new(outbox.clone(), clock, means);
    Bench { outbox, runner, ended, amendments, tasks, _folder: folder }
}

fn ready(script: Script) -> (Ready, Arc<Scripted>) {
    let probe = Arc::new(Scripted { script: Some(script), ..Scripted::default() });
    let check = Check {
        name: "mail".into(),
        kind: "scripted".into(),
        cadence: Duration::from_secs(60),
        timeout: Duration::from_secs(30),
        slot_offset: Duration::ZERO,
        settings_digest: SettingsDigest::of("a = 1"),
    };
    (Ready { check, probe: probe.clone() }, probe)
}

impl Bench {
    async fn spooled(&self) -> Vec<Observation> {
        let mut reader = self.outbox.read_from(1).await.unwrap();
        match reader.read(u64::MAX, 1_000, 1 << 20).unwrap() {
            Spooled::Observations(1, records) => {
                records.iter().map(|bytes| observation_from_bytes(bytes).unwrap()).collect()
            }
            other => panic!("{other:?}"),
        }
    }
}

const SLOT: WallTime = WallTime::from_s(1_764_000_060);

#[tokio::test(start_paused = true)]
async fn every_run_ends_in_one_observation_whatever_the_probe_does() {
    for (script, verdict, detail) in [
        (Script::Pass, "pass", ""),
        (Script::Panic, "void", "the probe panicked: index out of bounds"),
        (Script::Hang, "void", "the probe did not keep to its deadline"),
    ] {
        let bench = bench(4);
        let (ready, _) = ready(script);
        bench.runner.run(ready, SLOT).await;
        let spooled = bench.spooled().await;
        assert_eq!(spooled.len(), 1, "{script:?}");
        let seen = &spooled[0];
        assert_eq!((seen.verdict.as_str(), seen.transcript.as_str()), (verdict, ""), "{script:?}");
        assert_eq!((seen.intent > 0, seen.scheduled_for), (true, SLOT));
        assert_eq!(seen.clock_error_us, Some(7));
        if let Verdict::Void { detail: said, .. } = &seen.verdict {
            assert_eq!(said, detail);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_under_way_when_the_agent_ends_is_interrupted() {
    let bench = bench(4);
    let (ready, _) = ready(Script::Hang);
    let ended = bench.ended.clone();
    let end = async move {
        tokio::time::sleep(Duration::from_secs(3)).await;
        ended.cancel();
    };
    tokio::join!(bench.runner.run(ready, SLOT), end);
    let spooled = bench.spooled().await;
    let Verdict::Void { reason, .. } = &spooled[0].verdict else { panic!("{spooled:?}") };
    assert_eq!(*reason, VoidReason::Interrupted);
}

#[tokio::test(start_paused = true)]
async fn no_more_runs_than_allowed_are_under_way_and_none_is_forgotten() {
    let bench = bench(3);
    let (ready, probe) = ready(Script::Pass);
    let mut runs = JoinSet::new();
    for _ in 0..20 {
        let (runner, ready) = (bench.runner.clone(), ready.clone());
        runs.spawn(async move { runner.run(ready, SLOT).await });
    }
    runs.join_all().await;
    assert_eq!(probe.most.load(Ordering::SeqCst), 3);
    assert_eq!(bench.spooled().await.len(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_finds_no_place_is_an_overrun() {
    let bench = bench(1);
    let (hanging, _) = ready(Script::Hang);
    let (waiting, _) = ready(Script::Pass);
    tokio::join!(bench.runner.run(hanging, SLOT), bench.runner.run(waiting, SLOT),);
    let reasons: Vec<_> = bench.spooled().await.into_iter().map(|o| o.verdict).collect();
    assert!(matches!(reasons[0], Verdict::Void { reason: VoidReason::Overrun, .. }), "{reasons:?}");
    assert_eq!(reasons.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_amendment_that_comes_twice_is_told_once() {
    let mut bench = bench(4);
    let (ready, _) = ready(Script::Amend);
    bench.runner.run(ready, SLOT).await;
    let (outbox, amendments) = (bench.outbox.clone(), bench.amendments);
    bench.amendments = mpsc::channel(1).1;
    bench.tasks.spawn(keep_amendments(outbox, amendments));
    let mut progress = bench.outbox.progress();
    progress.wait_for(|progress| progress.accounts.produced == 2).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let spooled = bench.spooled().await;
    let amends: Vec<_> = spooled.iter().map(|o| o.amends.map(|run| run.intent)).collect();
    assert_eq!(amends, [None, Some(spooled[0].intent)]);
}
