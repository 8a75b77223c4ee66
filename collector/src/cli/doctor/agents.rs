//! How the fleet is, as far as that is a matter of installation: who is silent, clocks, versions, certificates.

use std::time::Duration;

use jiff::Timestamp;
use mailsonde_proto::doctor::version::version;
use mailsonde_proto::doctor::{Judged, Look};

use super::Subject;
use super::running::Running;
use crate::figures::plural;
use crate::identity::AGENT_VALIDITY;
use crate::query::{AgentAnswer, AgentsAnswer, SOFTWARE};

/// Agents that are named one by one.
const NAMED: usize = 5;
/// A clock that is surely off by more.
const CLOCK_OFF_US: u64 = 2_000_000;

/// Everything about agents.
pub(super) fn looks(running: &Running, subject: &Subject) -> Vec<Look> {
    let Some(answer) = &running.agents else {
        let judged =
            Judged::unknown("not looked at: the collector was not asked", "see its own line");
        return vec![judged.look("agents.silent", "agents")];
    };
    let validity =
        subject.config.as_ref().map_or(AGENT_VALIDITY, |config| config.agent_certificate);
    of_answer(answer, validity)
}

fn of_answer(answer: &AgentsAnswer, validity: Duration) -> Vec<Look> {
    let AgentsAnswer { now, agents, .. } = answer;
    if agents.is_empty() {
        let judged = Judged::warning(
            "none was let in yet",
            "`mailsonde-collector token create` prints a line for the server of a branch",
        );
        return vec![judged.look("agents.silent", "agents")];
    }
    let named = |holds: &dyn Fn(&AgentAnswer) -> bool| {
        let found = agents.iter().filter(|agent| holds(agent));
        found.map(|agent| agent.name.as_str()).collect::<Vec<_>>()
    };
    let is_here = |agent: &AgentAnswer| agent.connected_since.is_some();
    vec![
        silent(&named(&|agent| !is_here(agent)), agents.len()).look("agents.silent", "agents"),
        told(
            &named(&is_off),
            "no clock is far off",
            "clocks are off by more than 2 s",
            "on each: `mailsonde-agent doctor`, and `timedatectl set-ntp true`",
        )
        .look("agents.clocks", "their clocks"),
        told(
            &named(&|agent| is_here(agent) && is_of_another_time(&agent.software)),
            "no version is far from this one",
            "versions are more than one apart from this one",
            "update the package there, or here where this one is older: `mailsonde-collector agents`",
        )
        .look("agents.versions", "their versions"),
        told(
            &named(&|agent| is_here(agent) && ends_soon(agent, *now, validity)),
            "all renew themselves",
            "certificates were not renewed when that was due",
            "see the agent's log there: `journalctl -u mailsonde-agent -n 50`",
        )
        .look("agents.certificates", "their certificates"),
        working(agents).look("agents.working", "what they do"),
        told(
            &named(&|agent| !agent.refused_checks.is_empty()),
            "none refuses a check",
            "some refuse checks of this collector",
            "see why: `mailsonde-collector agents show NAME`",
        )
        .look("agents.checks", "their checks"),
        clones(&named(&|agent| agent.clones.is_some())).look("agents.clones", "their keys"),
    ]
}

fn silent(names: &[&str], all: usize) -> Judged {
    let many = names.len();
    if many == 0 {
        return Judged::ok(format!("{}, all connected", plural(all, "agent")));
    }
    let says = format!("{many} of {all} silent: {}", listed(names));
    if many == all {
        return Judged::problem(
            says,
            "see that the port for agents is reached from outside (firewall, name, address); on an agent: \
             `mailsonde-agent doctor`",
        );
    }
    Judged::warning(
        says,
        "on each of them: `mailsonde-agent doctor`; one that is gone: `mailsonde-collector agents revoke NAME`",
    )
}

fn told(names: &[&str], well: &str, not_well: &str, todo: &str) -> Judged {
    if names.is_empty() {
        return Judged::ok(well);
    }
    Judged::warning(format!("{not_well}: {}", listed(names)), todo)
}

/// Whether anything is looked at: by checks of agents' own files, or of this collector.
fn working(agents: &[AgentAnswer]) -> Judged {
    let idle = |agent: &&AgentAnswer| agent.checks.is_empty() && agent.assigned == 0;
    let many = agents.iter().filter(idle).count();
    let says = format!("{many} of {} without a check", agents.len());
    match many {
        0 => Judged::ok("each has a check"),
        many if many == agents.len() => Judged::warning(
            format!("{says}: nothing is looked at"),
            "write a check into checks.d here (`mailsonde-collector config check`, then `config apply`), or fill in the \
             [[mailbox]] and the [[check]] in an agent's agent.toml",
        ),
        _ => Judged::ok(says),
    }
}

fn clones(names: &[&str]) -> Judged {
    if names.is_empty() {
        return Judged::ok("each is used by one machine");
    }
    Judged::problem(
        format!("two machines use the key of {}", listed(names)),
        "`mailsonde-collector agents revoke NAME`, which is final; then on both remove the folder identity in the data \
         folder and `mailsonde-agent enroll TOKEN`, each by a token of its own",
    )
}

fn listed(names: &[&str]) -> String {
    let first: Vec<_> = names.iter().take(NAMED).copied().collect();
    match names.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

fn is_off(agent: &AgentAnswer) -> bool {
    let error = agent.clock_error_us.unwrap_or_default();
    let off = agent.clock_offset_us.map_or(0, i64::unsigned_abs);
    off.saturating_sub(error) >= CLOCK_OFF_US
}

/// Whether it is of another major version, or more than one minor version away.
fn is_of_another_time(software: &str) -> bool {
    match (version(SOFTWARE), version(software)) {
        (Some(ours), Some(theirs)) => ours.0 != theirs.0 || ours.1.abs_diff(theirs.1) > 1,
        _ => false,
    }
}

/// Agents renew at half of a certificate's life: one with less than a quarter left could not.
fn ends_soon(agent: &AgentAnswer, now: Timestamp, validity: Duration) -> bool {
    let left = |at: Timestamp| at.duration_since(now);
    let quarter = jiff::SignedDuration::try_from(validity / 4).unwrap_or_default();
    agent.certificate_not_after.is_some_and(|at| left(at) < quarter)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use mailsonde_proto::doctor::State;

    use super::*;

    fn agent(name: &str) -> AgentAnswer {
        AgentAnswer {
            name: name.into(),
            agent_id: String::new(),
            labels: BTreeMap::new(),
            connected_since: Some(Timestamp::UNIX_EPOCH),
            address: None,
            last_heard_at: None,
            software: SOFTWARE.replace("collector", "agent"),
            checks: vec![],
            spooled: 0,
            spooled_bytes: 0,
            clock_offset_us: Some(900),
            clock_error_us: Some(100),
            running_us: None,
            assigned: 1,
            has_answered: true,
            refused_checks: vec![],
            malformed: 0,
            conflicting: 0,
            certificate_not_after: Some("1970-01-01T20:00:00Z".parse().unwrap()),
            signing_key: None,
            receives: vec![],
            clones: None,
        }
    }

    /// What is not well, of these agents.
    fn bad(agents: Vec<AgentAnswer>) -> Vec<(&'static str, State)> {
        let answer = AgentsAnswer { now: Timestamp::UNIX_EPOCH, agents, revoked: vec![] };
        let looks = of_answer(&answer, AGENT_VALIDITY);
        let bad = looks.iter().filter(|look| look.state != State::Ok);
        bad.map(|look| (look.id, look.state)).collect()
    }

    #[test]
    fn agents_are_judged_together() {
        let silent = || AgentAnswer { connected_since: None, ..agent("b") };
        let clones = Some(["a".to_owned(), "b".to_owned()]);
        let soon = Some("1970-01-01T05:59:00Z".parse().unwrap());
        for (agents, expected) in [
            (vec![], vec![("agents.silent", State::Warning)]),
            (vec![agent("a")], vec![]),
            (
                vec![AgentAnswer { assigned: 0, ..agent("a") }],
                vec![("agents.working", State::Warning)],
            ),
            (vec![agent("a"), AgentAnswer { assigned: 0, ..agent("b") }], vec![]),
            (vec![agent("a"), silent()], vec![("agents.silent", State::Warning)]),
            (vec![silent()], vec![("agents.silent", State::Problem)]),
            (
                vec![AgentAnswer { clock_offset_us: Some(-3_000_000), ..agent("a") }],
                vec![("agents.clocks", State::Warning)],
            ),
            (
                vec![AgentAnswer { software: "mailsonde-agent 7.0.0".into(), ..agent("a") }],
                vec![("agents.versions", State::Warning)],
            ),
            (
                vec![AgentAnswer { certificate_not_after: soon, ..agent("a") }],
                vec![("agents.certificates", State::Warning)],
            ),
            (vec![AgentAnswer { clones, ..agent("a") }], vec![("agents.clones", State::Problem)]),
        ] {
            assert_eq!(bad(agents), expected);
        }
    }

    #[test]
    fn many_are_counted_and_few_named() {
        assert_eq!(listed(&["a"; 5]), "a, a, a, a, a");
        assert_eq!(listed(&["a"; 7]), "a, a, a, a, a and 2 more");
    }
}
