//! Whether the collector runs, and what it says of itself when it is asked over its socket.

use std::sync::Arc;

use mailsonde_proto::doctor::process::Holder;
use mailsonde_proto::doctor::service::Service;
use mailsonde_proto::doctor::shell::quoted;
use mailsonde_proto::doctor::version::versions;
use mailsonde_proto::doctor::{Judged, Look, State, blocking, late};
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;

use super::Subject;
use crate::api::path;
use crate::cli::client::{self, NotRunning};
use crate::cli::terminal::whole;
use crate::folder::Folder;
use crate::query::{AgentsAnswer, SOFTWARE, StatusAnswer};
use crate::watched::{HealthAnswer, PartAnswer, PeerState};

/// The unit that the package brings.
pub(super) const UNIT: &str = "mailsonde-collector.service";
/// The folder's lock.
const LOCK: &str = "lock";
/// Files that are open beside the connections of agents: journals, views, operators, handshakes under way.
const OTHER_FILES: u64 = 512;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Silent {
    /// Nobody listens.
    Nobody,
    /// This user may not ask.
    Denied,
    /// Somebody listens, and does not answer in time.
    Late,
    /// The disk does not answer, on which the socket is.
    Unseen,
    /// Otherwise; in words.
    Otherwise(String),
}

/// What is known of the collector that runs with this folder.
#[derive(Debug)]
pub(super) struct Running {
    holder: Option<Holder>,
    health: Result<HealthAnswer, Silent>,
    software: Option<String>,
    pub(super) agents: Option<AgentsAnswer>,
}

/// Who has a folder.
pub(super) fn holder(folder: &Folder) -> Option<Holder> {
    Holder::of(&folder.path().join(LOCK))
}

impl Running {
    /// Asks whoever runs with the folder; `holder` is `None` where the disk did not tell who that is.
    pub(super) async fn find(subject: &Arc<Subject>, holder: Option<Option<Holder>>) -> Self {
        let Some(holder) = holder else {
            let health = Err(Silent::Unseen);
            return Self { holder: None, health, software: None, agents: None };
        };
        let (health, status, agents) = tokio::join!(
            ask::<HealthAnswer>(subject, path::HEALTH),
            ask::<StatusAnswer>(subject, path::STATUS),
            ask::<AgentsAnswer>(subject, path::AGENTS),
        );
        Self {
            holder,
            health,
            software: status.ok().map(|status| status.collector.software),
            agents: agents.ok(),
        }
    }

    /// Whether one runs, be it well or not.
    pub(super) fn runs(&self) -> bool {
        self.holder.is_some() || self.health.is_ok()
    }

    /// What there is to say of it.
    pub(super) fn looks(&self, subject: &Subject) -> Vec<Look> {
        let unit = self.holder.as_ref().and_then(|holder| holder.unit.as_deref());
        let running = self.running(subject, unit);
        let by_root = self.holder.as_ref().and_then(|it| it.by_root(subject.service.as_ref()));
        let running = if running.state == State::Ok { by_root.unwrap_or(running) } else { running };
        let mut looks = vec![
            user(subject).look("process.user", "this command"),
            running.look("process.running", "collector"),
        ];
        if let Some(holder) = &self.holder {
            let agents = self.agents.as_ref().map_or(0, |answer| answer.agents.len());
            looks.extend(
                holder
                    .is_replaced
                    .map(|it| program(it, unit).look("process.program", "its program")),
            );
            looks.extend(
                holder.most_files.map(|it| files(it, agents).look("process.files", "open files")),
            );
        }
        if let Some(software) = &self.software {
            let judged = match software == SOFTWARE {
                true => Judged::ok(format!("{software} runs, as this command is")),
                false => versions(SOFTWARE, software, "running collector"),
            };
            looks.push(judged.look("process.version", "versions"));
        }
        if let Ok(health) = &self.health {
            looks.extend(of_health(health));
        }
        looks
    }

    fn running(&self, subject: &Subject, unit: Option<&str>) -> Judged {
        let data = quoted(subject.folder.path());
        let instead = subject.service.as_ref().map(|service| service.instead_of(subject.us));
        let instead = instead.unwrap_or_default();
        let by = unit.map_or_else(
            || "not under systemd".to_owned(),
            |unit| format!("under systemd as {unit}"),
        );
        let pid = self.holder.as_ref().and_then(|holder| holder.pid);
        let who = pid.map_or_else(|| "it runs".to_owned(), |pid| format!("process {pid}"));
        let log = format!("see its log: `journalctl -u {UNIT} -n 50`");
        let restart = unit.map_or_else(
            || "end it and start it again".to_owned(),
            |unit| format!("restart it: `systemctl restart {unit}`"),
        );
        match (&self.health, self.holder.is_some()) {
            (Ok(_), _) => Judged::ok(format!("{who}, {by}, and it answers")),
            (Err(Silent::Nobody), true) => Judged::warning(
                format!("{who}, {by}, and does not answer operators: it starts, ends or hangs"),
                format!("look again in a minute; where it stays so, {restart}, and {log}"),
            ),
            (Err(Silent::Nobody), false) => Judged::problem(
                "it does not run",
                format!(
                    "start it: `systemctl enable --now {UNIT}`, or without systemd \
                     `{instead}mailsonde-collector --data {data} serve`"
                ),
            ),
            (Err(Silent::Denied), _) => Judged::unknown(
                "this user may not ask it",
                format!("`sudo mailsonde-collector --data {data} doctor`"),
            ),
            (Err(Silent::Unseen), _) => late("looking whether it runs"),
            (Err(Silent::Late), _) => Judged::problem(
                format!("{who}, {by}, and does not answer in time: it hangs"),
                format!("{restart}; then {log}"),
            ),
            (Err(Silent::Otherwise(words)), _) => Judged::problem(words.clone(), log),
        }
    }
}

async fn ask<T: DeserializeOwned + Send + 'static>(
    subject: &Subject,
    path: &'static str,
) -> Result<T, Silent> {
    let (folder, handle) = (subject.folder.clone(), Handle::current());
    // looking for the socket may hang on the disk
    match blocking(move || handle.block_on(client::ask::<T>(&folder, path))).await {
        None => Err(Silent::Late),
        Some(Ok(answer)) => Ok(answer.value),
        // there is nothing that could listen either
        Some(Err(error))
            if error.is::<NotRunning>() || error.is::<crate::config::ConfigError>() =>
        {
            Err(Silent::Nobody)
        }
        Some(Err(error)) if error.to_string().contains("only the collector's own user") => {
            Err(Silent::Denied)
        }
        Some(Err(error)) => Err(Silent::Otherwise(whole(&error))),
    }
}

fn user(subject: &Subject) -> Judged {
    let Subject { folder, us, service, .. } = subject;
    let name = us.name();
    let whose = service.as_ref().map_or_else(|| "the service".to_owned(), Service::name);
    if subject.may_look {
        return Judged::ok(format!("run by {name}, who may look at everything"));
    }
    let says = format!("run by {name}, who may not see what is {whose}'s");
    Judged::unknown(
        says,
        format!("`sudo mailsonde-collector --data {} doctor`", quoted(folder.path())),
    )
}

fn program(is_replaced: bool, unit: Option<&str>) -> Judged {
    if !is_replaced {
        return Judged::ok("the one that is on the disk now");
    }
    let todo = match unit {
        Some(unit) => format!("`systemctl restart {unit}`"),
        None => "end it and start it again".to_owned(),
    };
    Judged::warning("it was replaced on the disk since: the old one still runs", todo)
}

/// Each agent is a connection, which is an open file.
fn files(most: u64, agents: usize) -> Judged {
    let need = u64::try_from(agents).unwrap_or(u64::MAX).saturating_add(OTHER_FILES);
    if most == u64::MAX {
        return Judged::ok("as many as it wants");
    }
    let says = format!("{most} at most; {agents} agents need about {need}");
    if most < need {
        let todo = format!(
            "`systemctl edit {UNIT}`: `LimitNOFILE={}` under [Service]; then restart it",
            need * 2
        );
        return Judged::problem(says, todo);
    }
    Judged::ok(says)
}

fn of_health(health: &HealthAnswer) -> Vec<Look> {
    let HealthAnswer { parts, heartbeats, peers, vendors, .. } = health;
    let mut looks: Vec<_> = parts
        .iter()
        .map(|found| part(found).look("health.part", found.part.clone()).of(found.part.clone()))
        .collect();
    let mut beside = |name: &str, is_well: bool, says: String, todo: &str| {
        let judged = if is_well { Judged::ok(says) } else { Judged::warning(says, todo) };
        looks.push(judged.look("health.beside", name).of(name));
    };
    for it in heartbeats {
        let todo = "see that its URL is right and reached from here: `mailsonde-collector health`";
        beside(&it.name, it.failing_since.is_none(), format!("heartbeat: {}", it.words), todo);
    }
    for it in peers {
        let todo = "look at that collector there, by its own `doctor`";
        let says = format!("collector: {} {}", it.state.as_str(), it.words);
        beside(&it.name, it.state != PeerState::Silent, says, todo);
    }
    for it in &vendors.vendors {
        let words = it.error.as_deref().unwrap_or("is read");
        let todo = "see that it is reached from here: `mailsonde-collector vendors`";
        beside(&it.name, it.failing_since.is_none(), format!("vendor: {words}"), todo);
    }
    looks
}

fn part(found: &PartAnswer) -> Judged {
    if found.healthy {
        return Judged::ok(found.words.clone());
    }
    let todo = match found.part.as_str() {
        "pipeline" => {
            "see why (`journalctl -u mailsonde-collector -n 50`), then `systemctl restart mailsonde-collector`"
        }
        "notices" => "see what became of messages: `mailsonde-collector notices`",
        _ => {
            "make room and look at the disk: `df -h`, `dmesg | tail`; the log: `journalctl -u mailsonde-collector -n 50`"
        }
    };
    Judged::problem(found.words.clone(), todo)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use mailsonde_proto::doctor::files::Who;

    use super::*;
    use crate::vendors::VendorsAnswer;

    fn health(healthy: bool) -> HealthAnswer {
        let part =
            |part: &str, healthy| PartAnswer { part: part.into(), healthy, words: "w".into() };
        let now = Timestamp::UNIX_EPOCH;
        HealthAnswer {
            now,
            healthy,
            parts: vec![part("journal", true), part("pipeline", healthy), part("disk", healthy)],
            heartbeats: vec![],
            peers: vec![],
            vendors: VendorsAnswer { now, vendors: vec![] },
        }
    }

    #[test]
    fn a_collector_that_runs_answers() {
        let holder = || Some(Holder { pid: Some(7), unit: Some(UNIT.into()), ..Holder::default() });
        let otherwise = || Err(Silent::Otherwise("broke off".into()));
        let subject = Subject::stand_in(Folder::at("/d"), Who { uid: 64_990, gid: 64_990 });
        for (holder, health, state, words) in [
            (holder(), Ok(health(true)), State::Ok, "process 7, under systemd"),
            (None, Ok(health(true)), State::Ok, "it runs"),
            (holder(), Err(Silent::Nobody), State::Warning, "starts, ends or hangs"),
            (None, Err(Silent::Nobody), State::Problem, "does not run"),
            (holder(), Err(Silent::Denied), State::Unknown, "may not ask"),
            (holder(), Err(Silent::Late), State::Problem, "it hangs"),
            (None, Err(Silent::Unseen), State::Unknown, "took longer"),
            (holder(), otherwise(), State::Problem, "broke off"),
        ] {
            let running = Running { holder, health, software: None, agents: None };
            let judged = running.running(&subject, Some(UNIT));
            assert_eq!(judged.state, state, "{words}");
            assert!(judged.says.contains(words), "{}", judged.says);
            assert_eq!(judged.todo.is_some(), state != State::Ok);
            if words.contains("not run") {
                let by_hand = "`sudo -u '#64990' mailsonde-collector --data /d serve`";
                assert!(judged.todo.unwrap().contains(by_hand));
            } else if words.contains("hang") {
                assert!(judged.todo.unwrap().contains("systemctl restart"), "{words}");
            }
        }
    }

    #[test]
    fn each_part_that_is_not_healthy_is_a_problem() {
        let states = |answer: &HealthAnswer| {
            of_health(answer).iter().map(|look| look.state).collect::<Vec<_>>()
        };
        assert_eq!(states(&health(true)), [State::Ok; 3]);
        assert_eq!(states(&health(false)), [State::Ok, State::Problem, State::Problem]);
    }

    #[test]
    fn agents_are_open_files() {
        for (most, agents, state) in [
            (1024, 3, State::Ok),
            (1024, 512, State::Ok),
            (1024, 513, State::Problem),
            (u64::MAX, 1_000_000, State::Ok),
        ] {
            let judged = files(most, agents);
            assert_eq!(judged.state, state, "{most} {agents}");
            assert_eq!(
                judged.todo.is_some_and(|it| it.contains("LimitNOFILE=")),
                state != State::Ok
            );
        }
    }
}
