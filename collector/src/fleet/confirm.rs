//! Runs that are to confirm a failure, or its end: asked for at once, found in the ledger like any other.
//!
//! Where a run does not begin, that goes to the control journal: whoever judges must not take its silence for a
//! failure.

use std::time::Duration;

use mailsonde_proto::convert::{FromCollector, RunRequest};
use mailsonde_proto::vantage::random_bytes;
use mailsonde_proto::{AgentId, Cause};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_blocking};
use tokio_util::sync::CancellationToken;

use super::Fleet;
use crate::control::Control;
use crate::judge::engine::Wish;

/// Wishes that wait; more are dropped, and their agents' next runs decide.
pub const WAITING: usize = 1_024;
/// An agent says within this that a run began.
const BEGINS: Duration = Duration::from_secs(2);
/// Wishes that are worked on at once.
const AT_ONCE: usize = 256;

impl Fleet {
    /// Asks for runs as they are wanted, until the shutdown.
    pub async fn confirm(self, mut wishes: mpsc::Receiver<Wish>, shutdown: CancellationToken) {
        let mut asking = JoinSet::new();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(_) = asking.join_next(), if !asking.is_empty() => {}
                wish = wishes.recv(), if asking.len() < AT_ONCE => {
                    let Some(wish) = wish else { break };
                    asking.spawn(self.clone().ask(wish));
                }
            }
        }
        asking.shutdown().await;
    }

    async fn ask(self, wish: Wish) {
        let request = RunRequest {
            request: u64::from_le_bytes(random_bytes()),
            check: wish.check.clone(),
            cause: Cause::Confirmation,
        };
        let mut answers = self.registry.run(&request);
        let tell = |agent: &AgentId| {
            self.registry.tell(*agent, FromCollector::RunRequest(request.clone()))
        };
        let (mut waiting, not_here): (Vec<AgentId>, Vec<AgentId>) =
            wish.agents.into_iter().partition(tell);
        for agent in not_here {
            self.not_run(agent, &wish.check).await;
        }
        let listening = async {
            while !waiting.is_empty()
                && let Some((agent, answer)) = answers.next().await
            {
                waiting.retain(|it| *it != agent);
                if let Err(reason) = answer.outcome {
                    tracing::info!(%agent, check = wish.check, reason, "no confirmation");
                    self.not_run(agent, &wish.check).await;
                }
            }
        };
        // one that says nothing may be cut off by what it is to confirm: its silence counts
        tokio::time::timeout(BEGINS, listening).await.ok();
    }

    async fn not_run(&self, agent: AgentId, check: &str) {
        let (registry, now, check) = (self.registry.clone(), self.clock.wall(), check.to_owned());
        let written = spawn_blocking(move || {
            registry.control().append(now, Control::NotRun { agent, check })
        });
        if let Ok(Err(error)) = written.await {
            tracing::error!(%error, "the control journal cannot be written");
        }
    }
}
