//! The uplink against a double of the collector, honest and otherwise, over mutual TLS on loopback.

pub(crate) mod authority;
pub(crate) mod double;

use std::path::Path;

use mailsonde_proto::convert::RejectReason;
use mailsonde_proto::{Cause, Observation, SettingsDigest, Verdict, VoidReason, WallTime};
use tokio::task::JoinSet;

use super::*;
use crate::outbox::{Intent, Limits};
use authority::Authority;
use double::{Double, Manners};

pub(crate) const SOON: Duration = Duration::from_secs(20);

struct Agent {
    outbox: Outbox,
    stop: CancellationToken,
    announce: watch::Sender<Announced>,
    clock_error: watch::Receiver<Option<u64>>,
    tasks: JoinSet<()>,
    _folder: tempfile::TempDir,
}

impl Agent {
    fn start(collector: CollectorConfig) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), collector)
    }

    fn start_in(folder: tempfile::TempDir, collector: CollectorConfig) -> Self {
        let clock = Clock::system();
        let (outbox, keeper) = Outbox::open(folder.path(), Limits::default(), clock).unwrap();
        let vantage_point = VantagePoint { name: "hq".into(), ..VantagePoint::default() };
        let said = Announced {
            collector,
            vantage_point,
            checks: Vec::new(),
            signing_key: None,
            mailboxes: Vec::new(),
        };
        let (announce, announced) = watch::channel(said);
        let (uplink, clock_error, _orders) =
            Uplink::new(outbox.clone(), Net::new(), clock, announced);
        let ms = Duration::from_millis;
        let pace = Pace {
            heartbeat: ms(200),
            welcome: ms(1_000),
            silence: ms(2_000),
            redial: (ms(10), ms(50)),
            ..Pace::default()
        };
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let (keep, run) = (stop.clone(), stop.clone());
        tasks.spawn(async move {
            uplink.with_pace(pace).run(run).await;
        });
        tasks.spawn(async move {
            keeper.run(async move { keep.cancelled().await }).await.unwrap();
        });
        Self { outbox, stop, announce, clock_error, tasks, _folder: folder }
    }

    /// As many observations as if their runs had just ended; several at once, as runners do.
    async fn observe(&self, count: u64) {
        let mut runs = JoinSet::new();
        for _ in 0..50 {
            let (outbox, count) = (self.outbox.clone(), count / 50);
            runs.spawn(async move {
                for _ in 0..count {
                    outbox.finish(observation(0)).await;
                }
            });
        }
        runs.join_all().await;
        for _ in 0..count % 50 {
            self.outbox.finish(observation(0)).await;
        }
    }

    async fn until(&self, what: &str, is_so: impl Fn(&crate::outbox::Progress) -> bool) {
        let mut progress = self.outbox.progress();
        if timeout(SOON, progress.wait_for(|p| is_so(p))).await.is_err() {
            panic!("not in time: {what}; {:?}", self.outbox.progress().borrow());
        }
    }

    async fn end(mut self) {
        self.stop.cancel();
        while timeout(SOON, self.tasks.join_next()).await.unwrap().is_some() {}
    }
}

fn observation(intent: u64) -> Observation {
    Observation {
        intent,
        check: "mail".into(),
        kind: "scripted".into(),
        scheduled_for: WallTime::from_s(1_764_000_000),
        started_at: WallTime::from_s(1_764_000_000),
        clock_error_us: None,
        cause: Cause::Scheduled,
        settings_digest: SettingsDigest::default(),
        amends: None,
        verdict: Verdict::void(VoidReason::Missed, "a slot of the past"),
        total_us: 0,
        phases: Vec::new(),
        facts: Vec::new(),
        findings: Vec::new(),
        transcript: String::new(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_arrives_once_and_in_order_also_over_a_restart_of_the_collector() {
    let mut double = Double::start(Manners::default()).await;
    let agent = Agent::start(double.config().clone());
    agent.observe(1_203).await;
    agent.until("all acknowledged", |p| p.accounts.acknowledged == 1_203).await;
    double.cut().await;
    agent.observe(500).await;
    double.come_back().await;
    agent.until("the rest too", |p| p.accounts.acknowledged == 1_703).await;
    assert_eq!(double.sequences(), (1..=1_703).collect::<Vec<_>>());
    agent.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeats_bound_the_error_of_the_clock() {
    let double = Double::start(Manners::default()).await;
    let mut agent = Agent::start(double.config().clone());
    let known = timeout(SOON, agent.clock_error.wait_for(Option::is_some)).await.unwrap();
    let bound = known.unwrap().unwrap();
    assert!((1..2_000_000).contains(&bound), "{bound} µs");
    agent.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_the_checks_is_announced_on_the_same_stream() {
    let double = Double::start(Manners::default()).await;
    let agent = Agent::start(double.config().clone());
    double.until("the first hello", |seen| seen.hellos.len() == 1).await;
    agent.announce.send_modify(|said| said.vantage_point.name = "branch".into());
    double.until("the second", |seen| seen.hellos.len() == 2).await;
    let names: Vec<_> = double.seen().hellos.iter().map(|h| h.vantage_point.name.clone()).collect();
    assert_eq!((names, double.seen().streams), (vec!["hq".to_owned(), "branch".to_owned()], 1));
    agent.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rejected_are_counted_and_gone_behind() {
    let manners = Manners { reject: Some((3..=4, RejectReason::Malformed)), ..Manners::default() };
    let double = Double::start(manners).await;
    let agent = Agent::start(double.config().clone());
    agent.observe(10).await;
    agent.until("ten are settled", |p| p.settled == 10).await;
    let accounts = agent.outbox.accounts();
    assert_eq!((accounts.acknowledged, accounts.rejected, accounts.spooled), (8, 2, 0));
    agent.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledgement_of_what_was_never_sent_is_not_believed() {
    let manners = Manners { ack_beyond: 1_000, ..Manners::default() };
    let double = Double::start(manners).await;
    let agent = Agent::start(double.config().clone());
    agent.observe(30).await;
    agent.until("thirty", |p| p.settled == 30).await;
    agent.observe(30).await;
    agent.until("sixty", |p| p.settled == 60).await;
    // What is on its way may be acknowledged too early; that it comes is another matter.
    double.until("sixty", |seen| seen.observations.len() >= 60).await;
    assert_eq!(double.sequences(), (1..=60).collect::<Vec<_>>());
    agent.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_has_more_than_we_begins_a_new_epoch_and_nothing_is_lost() {
    let manners = Manners { stored_through_at_first: 100, ..Manners::default() };
    let double = Double::start(manners).await;
    let folder = tempfile::tempdir().unwrap();
    let spool = |count: u64, folder: &Path| {
        let (outbox, keeper) = Outbox::open(folder, Limits::default(), Clock::system()).unwrap();
        async move {
            let ended = CancellationToken::new();
            let wait = ended.clone();
            let mut keeping = JoinSet::new();
            keeping.spawn(keeper.run(async move { wait.cancelled().await }));
            for _ in 0..count {
                outbox.finish(observation(0)).await;
            }
            ended.cancel();
            keeping.join_next().await.unwrap().unwrap().unwrap();
        }
    };
    spool(7, folder.path()).await;
    let agent = Agent::start_in(folder, double.config().clone());
    agent.until("the old epoch is answered", |p| p.settled == 7 && !p.is_disputed).await;
    agent.observe(3).await;
    agent.until("the new one too", |p| p.accounts.acknowledged == 10).await;
    let seen = double.seen();
    let epochs: Vec<_> = seen.observations.keys().map(|(epoch, _)| *epoch).collect();
    assert_eq!(epochs.iter().filter(|epoch| **epoch == seen.hellos[0].epoch).count(), 7);
    let last = seen.hellos.last().unwrap();
    assert_eq!((last.epoch != seen.hellos[0].epoch, last.oldest_sequence), (true, 1));
    let new: Vec<_> = seen.observations.keys().filter(|(epoch, _)| *epoch == last.epoch).collect();
    assert_eq!(new.iter().map(|(_, sequence)| *sequence).collect::<Vec<_>>(), [1, 2, 3]);
    agent.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_is_rejected_and_begins_a_new_epoch() {
    let manners = Manners { reject: Some((2..=2, RejectReason::Conflict)), ..Manners::default() };
    let mut double = Double::start(manners).await;
    // all five stand in the first epoch before the conflict is told
    double.cut().await;
    let agent = Agent::start(double.config().clone());
    agent.observe(5).await;
    double.come_back().await;
    agent.until("all five are settled", |p| p.settled == 5).await;
    double
        .until("the new epoch's hello", |seen| {
            seen.hellos.last().is_some_and(|last| last.epoch != seen.hellos[0].epoch)
        })
        .await;
    let accounts = agent.outbox.accounts();
    assert_eq!((accounts.acknowledged, accounts.rejected), (4, 1));
    agent.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_throttle_is_kept_to_and_then_over() {
    let manners = Manners { throttle: Some(Duration::from_millis(700)), ..Manners::default() };
    let double = Double::start(manners).await;
    let agent = Agent::start(double.config().clone());
    double.until("hello", |seen| seen.hellos.len() == 1).await;
    let clock = Clock::system();
    let begun = clock.monotonic();
    sleep(Duration::from_millis(100)).await;
    agent.observe(5).await;
    agent.until("all five", |p| p.settled == 5).await;
    assert!(clock.monotonic() - begun > Duration::from_millis(500));
    agent.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_hangs_is_left_and_tried_again() {
    for manners in [
        Manners { no_welcome: true, ..Manners::default() },
        Manners { no_ack: true, ..Manners::default() },
        Manners { no_response: true, ..Manners::default() },
    ] {
        let double = Double::start(manners).await;
        let agent = Agent::start(double.config().clone());
        agent.observe(1_500).await;
        double.until("a second try", |seen| seen.streams >= 2).await;
        assert_eq!(agent.outbox.accounts().spooled, 1_500);
        assert!(double.sequences().len() <= 1_000, "more than the window");
        agent.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_failure_has_its_own_words() {
    let double = Double::start(Manners::default()).await;
    let other = Authority::new();
    let good = double.config().clone();
    let refusing = Double::start(Manners { refuse: true, ..Manners::default() }).await;
    let elsewhere = Double::start(Manners { other_agent: true, ..Manners::default() }).await;
    let mut closed = Double::start(Manners::default()).await;
    let closed_config = closed.config().clone();
    closed.cut().await;
    let check = |collector: CollectorConfig, expected: &'static str| async move {
        let clock = Clock::system();
        let folder = tempfile::tempdir().unwrap();
        let (outbox, _keeper) = Outbox::open(folder.path(), Limits::default(), clock).unwrap();
        let said = Announced {
            collector: collector.clone(),
            vantage_point: VantagePoint { name: "hq".into(), ..VantagePoint::default() },
            checks: Vec::new(),
            signing_key: None,
            mailboxes: Vec::new(),
        };
        let (_announce, announced) = watch::channel(said);
        let (mut uplink, ..) = Uplink::new(outbox, Net::new(), clock, announced);
        let stop = CancellationToken::new();
        let ended = timeout(SOON, uplink.attempt(&collector, &stop)).await.unwrap();
        let words = ended.unwrap_err().to_string();
        assert!(words.contains(expected), "{words}");
    };
    check(CollectorConfig { ca: other.ca_file(), ..good.clone() }, "signed by an authority").await;
    let (certificate, key) = other.agent_files(double.agent(), 30);
    check(
        CollectorConfig { certificate, key, ..good.clone() },
        "does not accept this agent's certificate",
    )
    .await;
    let (certificate, key) = double.authority().agent_files(double.agent(), -1);
    check(CollectorConfig { certificate, key, ..good.clone() }, "certificate expired on").await;
    check(CollectorConfig { server_name: "else.test".into(), ..good.clone() }, "for other names")
        .await;
    check(
        CollectorConfig { certificate: good.ca.clone(), ..good.clone() },
        "is not an agent's certificate",
    )
    .await;
    check(CollectorConfig { key: good.ca.clone(), ..good.clone() }, "cannot read the agent's key")
        .await;
    check(refusing.config().clone(), "the name hq is not this agent's").await;
    check(elsewhere.config().clone(), "takes this agent for").await;
    check(closed_config, "refused the connection").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_begin_and_end_by_the_hundred_a_second_and_drain_beside_it() {
    let double = Double::start(Manners::default()).await;
    let agent = Agent::start(double.config().clone());
    let clock = Clock::system();
    let begun = clock.monotonic();
    let mut runs = JoinSet::new();
    for _ in 0..40 {
        let outbox = agent.outbox.clone();
        runs.spawn(async move {
            for _ in 0..25 {
                let intent = Intent {
                    check: "mail".into(),
                    kind: "scripted".into(),
                    scheduled_for: WallTime::from_s(1),
                    written_at: WallTime::from_s(1),
                    cause: Cause::Scheduled,
                    settings_digest: SettingsDigest::default(),
                };
                let run = outbox.begin(intent).await.unwrap();
                outbox.finish(observation(run.intent)).await;
            }
        });
    }
    runs.join_all().await;
    let took = clock.monotonic() - begun;
    println!("1000 runs in {took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    agent.until("all acknowledged", |p| p.accounts.acknowledged == 1_000).await;
    agent.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_thousand_that_piled_up_drain_fast() {
    let mut double = Double::start(Manners::default()).await;
    double.cut().await;
    let agent = Agent::start(double.config().clone());
    agent.observe(60_000).await;
    double.come_back().await;
    let clock = Clock::system();
    let begun = clock.monotonic();
    agent.until("all acknowledged", |p| p.accounts.acknowledged == 60_000).await;
    println!("60000 drained in {:?}", clock.monotonic() - begun);
    agent.end().await;
}
