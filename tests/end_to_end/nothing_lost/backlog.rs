//! The collector is away while observations pile up at the agent.

use std::time::Duration;

use futures_util::future::join_all;
use mailsonde_agent::outbox::{Limits, Outbox};
use mailsonde_proto::{Cause, Clock, Observation, Phase, SettingsDigest, Verdict};
use tokio_util::sync::CancellationToken;

use super::recount::Both;
use crate::site::{Site, now};

const BACKLOG: u64 = 60_000;
/// Observations that are handed to the outbox at once.
const AT_ONCE: u64 = 250;
/// A backlog lies on the agent's disk, not in its memory.
const GROWTH_MOST: u64 = 24 << 20;

#[test]
fn sixty_thousand_pile_up_while_the_collector_is_away() {
    let mut site = Site::new();
    let begun = now();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(pile_up(&site));
    let piled = now() - begun;
    site.set_checks(1, "24h");
    site.start_agent();
    let agent = |site: &Site| site.agent.as_ref().unwrap().resident_bytes();
    super::wait_until("the agent is at work", Duration::from_secs(20), || {
        site.agent.as_mut().unwrap().expect_alive();
        site.log("agent").contains("no stream to the collector")
    });
    let idle_bytes = agent(&site);
    site.start_collector();
    site.wait_for_collector();
    let (begun, mut most_bytes, mut first_at) = (now(), idle_bytes, None);
    super::wait_until("the backlog is drained", Duration::from_secs(60), || {
        most_bytes = most_bytes.max(agent(&site));
        let newest = site.newest_sequence();
        if newest > 0 && first_at.is_none() {
            first_at = Some(now());
        }
        newest >= BACKLOG
    });
    // The agent's wait for its next try is no part of the draining.
    let drained = now() - first_at.unwrap_or(begun);
    let grown = most_bytes.saturating_sub(idle_bytes);
    assert!(grown < GROWTH_MOST, "the agent grew by {} KiB", grown >> 10);
    let accounts = site.drain(Duration::from_secs(30));
    assert_eq!((accounts.acknowledged, accounts.rejected, accounts.tombstoned), (BACKLOG, 0, 0));
    let both = Both::settled(&mut site, Duration::from_secs(60));
    both.ledger.expect_whole();
    assert_eq!(both.ledger.total(), BACKLOG);
    println!(
        "{BACKLOG} observations piled up in {piled:.1?}, on the collector's disk {:.1?} after it came \
         (drained in {drained:.1?}); the agent had {} KiB and at most {} KiB",
        now() - begun,
        idle_bytes >> 10,
        most_bytes >> 10,
    );
}

/// Fills the outbox as runs would, as fast as the disk allows.
async fn pile_up(site: &Site) {
    let clock = Clock::system();
    let (outbox, keeper) = Outbox::open(&site.outbox_folder(), Limits::default(), clock).unwrap();
    let ended = CancellationToken::new();
    let keeping = keeper.run(ended.clone().cancelled_owned());
    let filling = async {
        for group in 0..BACKLOG / AT_ONCE {
            let numbers = group * AT_ONCE..(group + 1) * AT_ONCE;
            join_all(numbers.map(|number| outbox.finish(observation(clock, number)))).await;
        }
        ended.cancel();
    };
    let (kept, ()) = tokio::join!(keeping, filling);
    kept.unwrap();
}

fn observation(clock: Clock, number: u64) -> Observation {
    let duration_us = i64::try_from(number % 5_000).unwrap();
    let phase =
        |name: &str| Phase { name: name.to_owned(), start_us: 0, duration_us, uncertainty_us: 0 };
    Observation {
        intent: 0,
        check: "made-up-0".into(),
        kind: "synthetic".into(),
        scheduled_for: clock.wall(),
        started_at: clock.wall(),
        clock_error_us: None,
        cause: Cause::Scheduled,
        settings_digest: SettingsDigest::of("made up"),
        amends: None,
        verdict: Verdict::Pass,
        total_us: number % 5_000,
        phases: ["resolve", "connect", "tls", "auth", "data", "arrival"].map(phase).to_vec(),
        facts: Vec::new(),
        findings: Vec::new(),
        transcript: String::new(),
    }
}
