//! `demo round-trips`: an agent without a collector that makes many round trips and tells each as a line
//! of JSON, for the end-to-end tests.
//!
//! It uses the agent's library as `mailsonde-agent run` does: one process, kept mailboxes, one token key.
//! Unlike it, key and epoch can be given, so that a test can be a second start, or a forger. The last
//! line says what the process took in all.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Parser;
use mailsonde_agent::config::AgentConfig;
use mailsonde_agent::mail::token::TokenKey;
use mailsonde_agent::probe::{Amendment, Kinds, Outcome, Probe, Run, Surroundings};
use mailsonde_proto::{AgentId, Cause, Clock, Epoch, Fact, Fault, Phase, RunId, Verdict};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

const MOST_AMENDMENTS: usize = 64;
const A_DAY: Duration = Duration::from_secs(86_400);

#[derive(Debug, Parser)]
#[command(about = "Makes round trips and tells each as a line of JSON")]
struct Arguments {
    /// A configuration; its checks take turns
    config: PathBuf,
    /// How many round trips in all
    #[arg(long, default_value_t = 1)]
    count: u64,
    /// How many of them at the same time
    #[arg(long, default_value_t = 1)]
    at_once: usize,
    /// At most one of them begins every so many milliseconds
    #[arg(long, default_value_t = 0)]
    begin_every_ms: u64,
    /// How long to go on watching the mailboxes afterwards, in milliseconds
    #[arg(long, default_value_t = 0)]
    linger_ms: u64,
    /// Carry out one of the checks of other kinds beside the round trips every so many milliseconds; they
    /// are counted, not told
    #[arg(long)]
    beside_every_ms: Option<u64>,
    /// Every byte of the token key; a random key without it
    #[arg(long)]
    key: Option<u8>,
    /// The epoch of the outbox; random without it
    #[arg(long)]
    epoch: Option<u64>,
}

/// Runs the command line; `args` begin with the program's name.
pub(crate) fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(args) {
        Ok(arguments) => arguments,
        Err(error) => {
            error.print().ok();
            return ExitCode::from(2);
        }
    };
    rustls::crypto::ring::default_provider().install_default().ok();
    let ran = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start threads")
        .and_then(|runtime| runtime.block_on(run(&arguments)));
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            writeln!(std::io::stderr(), "demo round-trips: {error:#}").ok();
            ExitCode::FAILURE
        }
    }
}

struct Check {
    name: String,
    is_round_trip: bool,
    timeout: Duration,
    probe: Arc<dyn Probe>,
}

impl Arguments {
    /// The epoch and the token key: the given ones, so that a test can be a second start or a forger.
    fn identity(&self) -> (Epoch, Arc<TokenKey>) {
        let key = self.key.map_or_else(TokenKey::generate, |byte| TokenKey::from_bytes([byte; 32]));
        (self.epoch.map_or_else(Epoch::random, Epoch), Arc::new(key))
    }
}

/// What every run is told alike.
struct Orders {
    epoch: Epoch,
    key: Arc<TokenKey>,
    clock: Clock,
    amendments: mpsc::Sender<Amendment>,
}

impl Orders {
    fn run(&self, intent: u64, check: &Check) -> Run {
        Run {
            id: RunId { epoch: self.epoch, intent },
            agent: AgentId::default(),
            check: check.name.clone(),
            cause: Cause::OnDemand,
            scheduled_for: self.clock.wall(),
            deadline: self.clock.monotonic() + check.timeout,
            token_key: Arc::clone(&self.key),
            amendments: self.amendments.clone(),
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let clock = Clock::system();
    let kinds = Kinds::standard();
    let loaded = AgentConfig::load(&arguments.config, &kinds)?;
    let surroundings = loaded.config.surroundings(loaded.config.policy.nets(clock).local, clock);
    let checks = made_ready(&loaded.config, &kinds, &surroundings)?;
    let (amendments, mut news) = mpsc::channel(MOST_AMENDMENTS);
    let (epoch, key) = arguments.identity();
    let orders = Orders { epoch, key, clock, amendments };
    let began = clock.monotonic();
    let beside_every = arguments.beside_every_ms.map(Duration::from_millis);
    let in_turn = |check: &&Check| check.is_round_trip || beside_every.is_none();
    let mut left = (1..=arguments.count).zip(checks.iter().filter(in_turn).cycle());
    let mut others = checks.iter().filter(|check| !in_turn(check)).cycle();
    let period = beside_every.unwrap_or(A_DAY);
    let mut ticks = tokio::time::interval_at(clock.monotonic() + period, period);
    let pace = Duration::from_millis(arguments.begin_every_ms);
    let (mut under_way, mut beside) = (JoinSet::new(), JoinSet::new());
    let (mut next, mut more) = (began, true);
    loop {
        while under_way.len() < arguments.at_once && clock.monotonic() >= next {
            let Some((intent, check)) = left.next() else {
                more = false;
                break;
            };
            next += pace;
            let (run, probe) = (orders.run(intent, check), Arc::clone(&check.probe));
            let name = check.name.clone();
            under_way.spawn(async move { (name, probe.run(run).await) });
        }
        let waits = more && under_way.len() < arguments.at_once;
        tokio::select! {
            Some(amendment) = news.recv() => say(&amended(&amendment))?,
            () = tokio::time::sleep_until(next), if waits => {}
            _ = ticks.tick(), if beside_every.is_some() => {
                if let Some(check) = others.next() {
                    let (run, probe) = (orders.run(0, check), Arc::clone(&check.probe));
                    beside.spawn(async move { probe.run(run).await });
                }
            }
            ended = under_way.join_next() => match ended {
                Some(ended) => {
                    let (name, outcome) = ended.context("a probe panicked")?;
                    self::ended(&name, &outcome)?;
                }
                None if more => tokio::time::sleep_until(next).await,
                None => break,
            },
        }
    }
    let elapsed = began.elapsed();
    let beside = beside.join_all().await;
    let beside = beside.iter().filter(|outcome| outcome.verdict == Verdict::Pass).count();
    let until = clock.monotonic() + Duration::from_millis(arguments.linger_ms);
    while let Ok(Some(amendment)) = tokio::time::timeout_at(until, news.recv()).await {
        say(&amended(&amendment))?;
    }
    take_leave(&surroundings, mailsonde_proto::time::as_us(elapsed), beside).await
}

fn ended(name: &str, outcome: &Outcome) -> anyhow::Result<()> {
    let verdict = (&outcome.verdict, outcome.total_us);
    say(&observed(name, verdict, (&outcome.phases, &outcome.facts)))?;
    for finding in &outcome.findings {
        say(&json!({ "finding": finding.rule, "evidence": finding.evidence }))?;
    }
    Ok(())
}

/// Signs out everywhere, and says what all of it took.
async fn take_leave(
    surroundings: &Surroundings,
    elapsed_us: u64,
    beside: usize,
) -> anyhow::Result<()> {
    for mailbox in surroundings.mailboxes.values() {
        mailbox.shutdown().await;
    }
    let commands: u64 = surroundings.mailboxes.values().map(|mailbox| mailbox.commands()).sum();
    let peak_rss_kib = peak_rss_kib();
    say(&json!({
        "elapsed_us": elapsed_us, "commands": commands, "peak_rss_kib": peak_rss_kib, "beside": beside,
    }))
}

fn made_ready(
    config: &AgentConfig,
    kinds: &Kinds,
    surroundings: &Surroundings,
) -> anyhow::Result<Vec<Check>> {
    let mut checks = Vec::new();
    for check in &config.checks {
        let probe = check.probe(kinds, surroundings)?;
        let name = check.check.name.clone();
        let is_round_trip = check.check.kind == "round-trip";
        checks.push(Check { name, is_round_trip, timeout: check.check.timeout, probe });
    }
    if checks.is_empty() {
        bail!("the configuration has no check");
    }
    Ok(checks)
}

fn observed(
    check: &str,
    (verdict, total_us): (&Verdict, u64),
    (phases, facts): (&[Phase], &[Fact]),
) -> Value {
    let fault = if let Verdict::Fail(fault) = verdict { told(fault) } else { Value::Null };
    json!({
        "check": check,
        "verdict": verdict.as_str(),
        "fault": fault,
        "total_us": total_us,
        "phases": timed(phases),
        "facts": learnt(facts),
    })
}

fn amended(amendment: &Amendment) -> Value {
    json!({
        "amends": amendment.run.intent,
        "fault": told(&amendment.fault),
        "phases": timed(&amendment.phases),
        "facts": learnt(&amendment.facts),
    })
}

fn told(fault: &Fault) -> Value {
    json!({
        "phase": fault.phase,
        "class": fault.class.as_str(),
        "basic_code": fault.basic_code,
        "enhanced_code": fault.enhanced_code.map(|code| code.to_string()),
        "explanation": fault.explanation,
    })
}

fn timed(phases: &[Phase]) -> Value {
    let phase = |phase: &Phase| json!({ "name": phase.name, "us": phase.duration_us, "start_us": phase.start_us });
    phases.iter().map(phase).collect()
}

fn learnt(facts: &[Fact]) -> Value {
    facts.iter().map(|fact| json!({ "name": fact.name, "value": fact.value })).collect()
}

/// The most memory that this process has had so far, without the pages of its own program: they grow with whatever else
/// is linked into it.
fn peak_rss_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = |key: &str| -> Option<u64> {
        let text = status.lines().find_map(|line| line.strip_prefix(key))?;
        text.trim().strip_suffix(" kB")?.parse().ok()
    };
    // what is not told is within no bound
    let (peak, files) = kib("VmHWM:").zip(kib("RssFile:")).unwrap_or((u64::MAX, 0));
    peak.saturating_sub(files)
}

fn say(line: &Value) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("nobody listens")
}
