//! The agent at work: schedule, runner, outbox and uplink, from start to a clean end.

use crate::config::AgentConfig;
use crate::probe::Kinds;

/// Runs until told to end.
///
/// # Errors
/// What keeps the agent from starting, and what to do about it.
pub async fn run(config: AgentConfig, kinds: Kinds) -> anyhow::Result<()> {
    let surroundings =
        config.surroundings(crate::net::Net::new(), mailsonde_proto::Clock::system());
    for check in &config.checks {
        check.probe(&kinds, &surroundings)?;
    }
    anyhow::bail!("this build has no collector's side to report to: use `mailsonde-agent probe`")
}
