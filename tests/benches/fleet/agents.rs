//! A thousand agents in one process: the agent's own uplink and outbox, without checks to run.

use std::time::Duration;

use mailsonde_agent::net::Net;
use mailsonde_agent::outbox::{Limits, Outbox};
use mailsonde_agent::uplink::{Announced, Orders, Uplink};
use mailsonde_proto::convert::Assigned;
use mailsonde_proto::{Check, Clock, SettingsDigest, VantagePoint};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::collector::Collector;

/// They run until this is dropped.
pub(crate) struct Agents {
    _runtime: Runtime,
}

impl Agents {
    pub(crate) fn start(collector: &Collector) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let clock = Clock::system();
        for (at, (config, data)) in collector.agents.iter().enumerate() {
            let (outbox, keeper) = Outbox::open(data, Limits::default(), clock).unwrap();
            let said = Announced {
                collector: config.clone(),
                vantage_point: VantagePoint {
                    name: format!("branch-{at}"),
                    ..VantagePoint::default()
                },
                checks: Vec::new(),
                signing_key: None,
                mailboxes: Vec::new(),
            };
            let (announce, announced) = watch::channel(said);
            let (uplink, _, orders) = Uplink::new(outbox, Net::new(), clock, announced);
            let stop = CancellationToken::new();
            let kept = stop.clone();
            runtime.spawn(async move { keeper.run(kept.cancelled_owned()).await.unwrap() });
            runtime.spawn(async move { Box::pin(uplink.run(stop)).await });
            runtime.spawn(obey(orders, announce));
        }
        Self { _runtime: runtime }
    }
}

/// Accepts every check, and announces it as an agent that runs it does.
async fn obey(mut orders: Orders, announce: watch::Sender<Announced>) {
    loop {
        tokio::select! {
            Ok(()) = orders.assignment.changed() => {
                let Some(assignment) = orders.assignment.borrow_and_update().clone() else {
                    continue;
                };
                let checks = assignment.checks.iter().map(|check| Check {
                    name: check.name.clone(),
                    kind: "round-trip".into(),
                    cadence: Duration::from_secs(60),
                    timeout: Duration::from_secs(45),
                    slot_offset: Duration::ZERO,
                    settings_digest: SettingsDigest::of(&check.settings),
                });
                let checks: Vec<_> = checks.collect();
                announce.send_if_modified(|announced| {
                    let is_other = announced.checks != checks;
                    announced.checks = checks;
                    is_other
                });
                orders.assigned(Assigned { revision: assignment.revision, refused: Vec::new() });
            }
            Some(trial) = orders.trials.recv() => {
                orders.assigned(Assigned { revision: trial.revision, refused: Vec::new() });
            }
            else => return,
        }
    }
}
