//! Backups are made while a thousand observations a second stream in, and restored: what is there then is what was
//! there at the mark, byte for byte, and the agent goes on with the restored collector.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use mailsonde_agent::config::{AgentConfig, Overrides};
use mailsonde_agent::net::Net;
use mailsonde_agent::outbox::{Limits, Outbox};
use mailsonde_agent::probe::Kinds;
use mailsonde_agent::uplink::{Announced, Uplink};
use mailsonde_collector::store::ledger::{Entry, GapReason, Ledger, LedgerOptions, Opened, Source};
use mailsonde_proto::journal::Next;
use mailsonde_proto::{Cause, Clock, Fault, FaultClass, Observation, SettingsDigest, Verdict};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::nothing_lost::recount::Both;
use crate::site::{PROGRAM, Site, now, wait_until};

const PER_SECOND: u64 = 1_000;
/// Observations that come together.
const AT_ONCE: u64 = 20;
/// Before the first backup, and between two.
const BEFORE: u64 = 6_000;
const BETWEEN: u64 = 1_500;
const BACKUPS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(60);

/// An agent's outbox and uplink, filled at a steady rate until it is told to end.
struct Load {
    produced: Arc<AtomicU64>,
    acknowledged: Arc<AtomicU64>,
    end: CancellationToken,
    thread: JoinHandle<()>,
}

impl Load {
    fn start(site: &Site) -> Self {
        let (produced, acknowledged) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (config, data) = (site.agent_config(), site.outbox_folder());
        let end = CancellationToken::new();
        let (counts, ended) = ((produced.clone(), acknowledged.clone()), end.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            runtime.block_on(fill((&config, &data), counts, ended));
        });
        Self { produced, acknowledged, end, thread }
    }

    fn produced(&self) -> u64 {
        self.produced.load(Ordering::Relaxed)
    }

    fn wait_for_acknowledged(&self, count: u64) {
        wait_until("so many are acknowledged", PATIENCE, || {
            assert!(!self.thread.is_finished(), "the load ended by itself");
            self.acknowledged.load(Ordering::Relaxed) >= count
        });
    }

    /// Ends once everything is acknowledged; says how much it was.
    fn finish(self) -> u64 {
        self.end.cancel();
        self.thread.join().unwrap();
        self.produced.load(Ordering::Relaxed)
    }
}

async fn fill(
    (config, data): (&Path, &Path),
    (produced, acknowledged): (Arc<AtomicU64>, Arc<AtomicU64>),
    end: CancellationToken,
) {
    let instead = Overrides { data: Some(data), ..Overrides::default() };
    let config = AgentConfig::load_with(config, &Kinds::standard(), instead).unwrap().config;
    let clock = Clock::system();
    let (outbox, keeper) = Outbox::open(data, Limits::default(), clock).unwrap();
    let (_announced, announced) = watch::channel(Announced {
        collector: config.collector,
        vantage_point: config.vantage_point,
        checks: Vec::new(),
        signing_key: None,
        mailboxes: Vec::new(),
    });
    let (uplink, _clock_error, _orders) = Uplink::new(outbox.clone(), Net::new(), clock, announced);
    let (stop, written) = (CancellationToken::new(), CancellationToken::new());
    let mut parts = JoinSet::new();
    parts.spawn(uplink.run(stop.clone()));
    let keeping = keeper.run(written.clone().cancelled_owned());
    parts.spawn(async { keeping.await.unwrap() });
    let mut due = tokio::time::interval(Duration::from_millis(1_000 * AT_ONCE / PER_SECOND));
    while !end.is_cancelled() {
        due.tick().await;
        let from = produced.load(Ordering::Relaxed);
        let made = (from..from + AT_ONCE).map(|number| outbox.finish(observation(clock, number)));
        join_all(made).await;
        produced.store(from + AT_ONCE, Ordering::Relaxed);
        acknowledged.store(outbox.accounts().acknowledged, Ordering::Relaxed);
    }
    let deadline = now() + PATIENCE;
    while outbox.accounts().spooled > 0 {
        assert!(now() < deadline, "not acknowledged: {:?}", outbox.accounts());
        due.tick().await;
    }
    stop.cancel();
    parts.join_next().await.unwrap().unwrap();
    written.cancel();
    parts.join_next().await.unwrap().unwrap();
}

fn observation(clock: Clock, number: u64) -> Observation {
    let verdict = match number % 9 {
        0 => Verdict::Fail(Fault::new("data", FaultClass::Temporary, "made up")),
        _ => Verdict::Pass,
    };
    Observation {
        intent: 0,
        check: format!("made-up-{}", number % 10),
        kind: "synthetic".into(),
        scheduled_for: clock.wall(),
        started_at: clock.wall(),
        clock_error_us: None,
        cause: Cause::Scheduled,
        settings_digest: SettingsDigest::of("made up"),
        amends: None,
        verdict,
        total_us: number % 5_000,
        phases: Vec::new(),
        facts: Vec::new(),
        findings: Vec::new(),
        transcript: String::new(),
    }
}

fn command(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["collector", "--data"]).arg(data).args(arguments).stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn done(output: &Output) -> Value {
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What is refused, with status 2 and these words.
fn refused(mut command: Command, words: &str) {
    let output = command.output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(words), "{said}");
}

fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("{pointer}: {value}"))
}

/// Every observation of a ledger that nobody has open, by agent, epoch and sequence.
fn observations(data: &Path) -> BTreeMap<(Source, u64), Bytes> {
    let Opened { ledger, writer, .. } =
        Ledger::open(data, LedgerOptions::default(), Clock::system()).unwrap();
    let mut all = BTreeMap::new();
    let mut reader = ledger.follow(ledger.index().oldest());
    loop {
        let record = match reader.read().unwrap() {
            Next::CaughtUp => break,
            Next::Gap { first, last } => panic!("records {first} to {last} are missing"),
            Next::Record { record, .. } => record,
        };
        if let Entry::Batch { source, first, observations, .. } = Entry::decode(record).unwrap() {
            all.extend((first..).zip(observations).map(|(own, bytes)| ((source, own), bytes)));
        }
    }
    drop(ledger);
    writer.join().unwrap();
    all
}

#[test]
fn a_backup_under_load_is_restored_and_the_agent_goes_on() {
    let mut site = Site::new();
    let config = site.collector_folder().join("collector.toml");
    let small = fs::read_to_string(&config).unwrap() + "\nsegment_size = \"1MiB\"\n";
    fs::write(&config, small).unwrap();
    site.start_collector();
    site.wait_for_operators();
    let (load, begun) = (Load::start(&site), now());
    load.wait_for_acknowledged(BEFORE);
    let mut made = Vec::new();
    for number in 0..BACKUPS {
        let file = site.folder().join(format!("{number}.backup"));
        let (at, before) = (now(), load.produced());
        let to = file.to_str().unwrap();
        let answer = done(
            &command(&site.collector_folder(), &["--json", "backup", "--to", to]).output().unwrap(),
        );
        let (took, through) = (now() - at, number_of(&answer));
        println!(
            "backup {number}: {through} observations in {took:.1?}, {} came meanwhile, {} KiB",
            load.produced() - before,
            self::number(&answer, "/size") >> 10
        );
        made.push((file, answer));
        load.wait_for_acknowledged(load.produced() + BETWEEN);
    }
    let rate = f64::from(u32::try_from(load.produced()).unwrap()) / (now() - begun).as_secs_f64();
    let produced = load.finish();
    site.stop_collector();
    let lost = site.folder().join("lost");
    fs::rename(site.collector_folder(), &lost).unwrap();
    let all = observations(&lost);
    assert_eq!(u64::try_from(all.len()).unwrap(), produced, "the load itself");
    // each of them holds everything up to its mark, and nothing beyond
    for (at, (file, answer)) in made.iter().enumerate() {
        let to =
            if at == 1 { site.collector_folder() } else { site.folder().join(format!("to-{at}")) };
        expect_same(file, answer, &to, &all);
    }
    let through = number_of(&made[1].1);
    println!("{produced} observations at {rate:.0}/s, {BACKUPS} backups restored and recounted");
    go_on(&mut site, through, produced);
}

fn number_of(answer: &Value) -> u64 {
    number(answer, "/recount/sources/0/through")
}

/// Restores it, and compares with what the collector had in the end.
fn expect_same(file: &Path, answer: &Value, to: &Path, all: &BTreeMap<(Source, u64), Bytes>) {
    let mode = fs::metadata(file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "somebody else can read the keys");
    let at = now();
    let restored =
        done(&command(to, &["--json", "restore", file.to_str().unwrap()]).output().unwrap());
    let took = now() - at;
    assert_eq!(restored["recount"], answer["recount"]);
    let there = observations(to);
    let through = number_of(answer);
    let expected: BTreeMap<_, _> =
        all.iter().filter(|((_, own), _)| *own <= through).map(|(k, v)| (*k, v.clone())).collect();
    assert!(there == expected, "{} observations instead of {}", there.len(), expected.len());
    let fails = there.keys().filter(|(_, own)| (own - 1) % 9 == 0).count();
    assert_eq!(number(answer, "/recount/sources/0/fail"), u64::try_from(fails).unwrap());
    println!("restored {} observations in {took:.1?}, each byte the same", there.len());
}

/// The agent, with its own outbox, and the restored collector in the place of the lost one.
fn go_on(site: &mut Site, through: u64, acknowledged: u64) {
    site.start_collector();
    site.wait_for_operators();
    site.set_checks(10, "100ms");
    site.start_agent();
    wait_until("new observations come", PATIENCE, || site.newest_sequence() > acknowledged + 50);
    assert!(site.log("collector").contains("a gap is declared"), "the gap is not told");
    let accounts = site.drain(PATIENCE);
    let both = Both::settled(site, PATIENCE);
    both.ledger.expect_once();
    let gaps: Vec<_> = both.ledger.gaps.iter().map(|(_, r, why)| (r.first, r.last, *why)).collect();
    assert_eq!(gaps, [(through + 1, acknowledged, GapReason::CollectorBehind)]);
    let missing = acknowledged - through;
    assert_eq!(both.ledger.total() + missing, accounts.acknowledged, "{accounts:?}");
    println!(
        "went on: {missing} declared missing, {} came since, views and ledger agree",
        accounts.acknowledged - acknowledged
    );
}

#[test]
fn a_stopped_collector_is_backed_up_through_pipes_and_refusals_say_what_to_do() {
    let site = Site::new();
    let folder = site.collector_folder();
    let file: PathBuf = site.folder().join("piped");
    let output = command(&folder, &["backup", "--to", "-"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("backed up localhost as of"), "{}", text(&output.stderr));
    fs::write(&file, &output.stdout).unwrap();
    let to = site.folder().join("restored");
    let piped = command(&to, &["restore", "-"]).stdin(fs::File::open(&file).unwrap()).output();
    let said = text(&piped.unwrap().stdout);
    assert!(said.contains("counted again: 0 observations"), "{said}");
    let read = command(&folder, &["backup", "--verify", file.to_str().unwrap()]).output().unwrap();
    assert!(text(&read.stdout).starts_with("whole: localhost as of"), "{}", text(&read.stdout));

    let file = file.to_str().unwrap();
    refused(command(&to, &["restore", file]), "is not empty");
    let inside = folder.join("inside");
    refused(
        command(&folder, &["backup", "--to", inside.to_str().unwrap()]),
        "lies in the collector's folder",
    );
    refused(command(&folder, &["--url", "https://a.test", "backup", "--to", "-"]), "without --url");
    refused(command(&site.folder().join("none"), &["backup", "--to", "x"]), "init --listen");
    let whole = fs::read(file).unwrap();
    let cut = site.folder().join("cut");
    fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let elsewhere = site.folder().join("elsewhere");
    refused(command(&elsewhere, &["restore", cut.to_str().unwrap()]), "cut off or damaged");
    assert!(!elsewhere.exists());
    // what holds the folder and does not answer
    let lock = mailsonde_collector::folder::Folder::at(&folder).lock().unwrap();
    refused(command(&folder, &["backup", "--to", "-"]), "does not answer yet");
    drop(lock);
}
