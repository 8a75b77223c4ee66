//! A thousand agents on one collector: what they cost it idle, how fast a change reaches them, and how they come back
//! when it was killed.
//!
//! The collector is a process of its own; the agents are a thousand uplinks of the agent's own code in this one, on the
//! same cores, each with an identity and an outbox. The last line printed is JSON.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark: it stops at the first surprise, and prints"
)]
#![allow(clippy::as_conversions, clippy::panic, reason = "figures for people")]

#[path = "fleet/agents.rs"]
mod agents;
#[path = "fleet/collector.rs"]
mod collector;

use std::path::Path;
use std::time::Duration;

use mailsonde_collector::api::{ApplyWish, path};
use mailsonde_collector::fleet::Plan;
use mailsonde_proto::Clock;
use mailsonde_proto::time::Instant;

use collector::Collector;

const AGENTS: usize = 1_000;
/// How long the collector is watched while nothing happens.
const IDLE: Duration = Duration::from_secs(30);
/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_secs(180);
const GLANCE: Duration = Duration::from_millis(50);

fn main() {
    if let Some(folder) = std::env::args().skip_while(|arg| arg != "--collector").nth(1) {
        collector::serve(Path::new(&folder));
        return;
    }
    rustls::crypto::ring::default_provider().install_default().expect("the provider is set once");
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let mut collector = Collector::prepare(folder.path(), AGENTS);
    collector.start();
    let begun = now();
    let agents = agents::Agents::start(&collector);
    let together = connected(&collector, begun);
    println!("{AGENTS} agents started at once: all connected after {:.1} s", together.all);

    let (cpu, rss_mib) = idle(&collector);
    println!("idle for {} s: {cpu:.3} cores, {rss_mib:.0} MiB resident", IDLE.as_secs());

    let change = change(&collector);
    println!("a change of 5 checks: all {AGENTS} have answered after {change:.2} s");

    collector.kill();
    std::thread::sleep(Duration::from_secs(20));
    collector.start();
    let back = connected(&collector, now());
    println!(
        "killed, and started again 20 s later: half are back after {:.1} s, 95 of 100 after {:.1} s, all after {:.1} s; \
         at most {} in one second",
        back.half, back.most, back.all, back.rush
    );
    let peak_rss_mib = collector.memory_mib("VmHWM:");
    println!("collector: {peak_rss_mib:.0} MiB at most since then");
    drop(agents);
    println!(
        "{{\"agents\": {AGENTS}, \"connected_s\": {:.1}, \"idle_cores\": {cpu:.3}, \"idle_rss_mib\": {rss_mib:.0}, \
         \"change_s\": {change:.2}, \"back_half_s\": {:.1}, \"back_all_s\": {:.1}, \"rush_per_s\": {}, \
         \"peak_rss_mib\": {peak_rss_mib:.0}}}",
        together.all, back.half, back.all, back.rush
    );
}

fn now() -> Instant {
    Clock::system().monotonic()
}

/// How agents came in.
#[derive(Default)]
struct Arrivals {
    /// Seconds until half of them were there, until 95 of 100, until all.
    half: f64,
    most: f64,
    all: f64,
    /// The most that came in any second.
    rush: usize,
}

/// Waits until every agent's stream stands.
fn connected(collector: &Collector, begun: Instant) -> Arrivals {
    let mut arrivals = Arrivals::default();
    let mut seen: Vec<(f64, usize)> = Vec::new();
    loop {
        let here = collector.connected();
        let at = begun.elapsed().as_secs_f64();
        seen.push((at, here));
        let before =
            seen.iter().rev().find(|(then, _)| at - then >= 1.0).map_or(0, |(_, many)| *many);
        arrivals.rush = arrivals.rush.max(here.saturating_sub(before));
        for (mark, wanted) in
            [(&mut arrivals.half, AGENTS / 2), (&mut arrivals.most, AGENTS * 95 / 100)]
        {
            if *mark == 0.0 && here >= wanted {
                *mark = at;
            }
        }
        if here == AGENTS {
            arrivals.all = at;
            return arrivals;
        }
        assert!(begun.elapsed() < PATIENCE, "{here} of {AGENTS} are connected");
        std::thread::sleep(GLANCE);
    }
}

/// Processor time in cores, and memory, while nothing happens.
fn idle(collector: &Collector) -> (f64, f64) {
    std::thread::sleep(Duration::from_secs(5));
    let (before, begun) = (collector.cpu_s(), now());
    std::thread::sleep(IDLE);
    let cpu = (collector.cpu_s() - before) / begun.elapsed().as_secs_f64();
    (cpu, collector.memory_mib("VmRSS:"))
}

/// Puts five checks in force; how long until every agent has answered.
fn change(collector: &Collector) -> f64 {
    collector.write_checks(5);
    let plan: Plan = collector.ask(path::PLAN);
    let id = plan.difference.expect("a difference").id;
    let begun = now();
    let applied: Plan = collector.send(path::APPLY, &ApplyWish { id });
    assert_eq!(applied.agents.refused, []);
    while collector.answered() < AGENTS {
        assert!(begun.elapsed() < PATIENCE, "{} have answered", collector.answered());
        std::thread::sleep(GLANCE);
    }
    begun.elapsed().as_secs_f64()
}
