//! Whether the configuration can be read and has mistakes, and what binds the checks.

use std::io;
use std::path::{Path, PathBuf};

use mailsonde_proto::doctor::shell::quoted;
use mailsonde_proto::doctor::{Judged, Look};

use super::super::check_config::refusals;
use super::subject::Subject;
use crate::config::AgentConfig;
use crate::config::mistake::Mistake;
use crate::config::policy::{FILE, Own};
use crate::net::is_asked;
use crate::policy::Host;

/// Where systemd puts what `LoadCredential=` names, for the unit that the package brings.
const CREDENTIALS: &str = "/run/credentials/mailsonde-agent.service";

/// What came of reading it.
#[derive(Debug)]
pub(super) enum Read {
    /// It could not be read.
    Not(io::Error),
    /// It names what is neither a file nor a folder, and was not read on.
    Odd(Vec<PathBuf>),
    /// It has mistakes.
    Mistakes(Vec<Mistake>),
    /// It has none.
    Fine { checks: usize, mailboxes: usize, warnings: Vec<Mistake> },
}

/// What there is to say of the file.
pub(super) fn looks(read: &Read, file: &Path, is_stranger: bool, as_root: &str) -> Vec<Look> {
    let shown = file.display().to_string();
    let judged = match read {
        Read::Not(error) => not_read(&shown, error),
        Read::Odd(paths) => odd(paths),
        Read::Mistakes(mistakes) => mistaken(file, mistakes, is_stranger, as_root),
        Read::Fine { checks, mailboxes, warnings } => {
            let says = format!("{shown}: {}, {}", counted(*checks, "check", "checks"), {
                counted(*mailboxes, "mailbox", "mailboxes")
            });
            warned(file, says, warnings)
        }
    };
    vec![judged.look("configuration.file", "agent.toml")]
}

fn not_read(shown: &str, error: &io::Error) -> Judged {
    match error.kind() {
        io::ErrorKind::NotFound => Judged::problem(
            format!("there is no {shown}"),
            "let this agent in: `mailsonde-collector token create` on the collector prints a line for here; or name \
             the file by --config",
        ),
        io::ErrorKind::PermissionDenied => Judged::unknown(
            format!("this user may not read {shown}"),
            "run this as root, or as the service's user",
        ),
        _ => Judged::problem(
            format!("cannot read {shown}: {error}"),
            "write it anew from /usr/share/doc/mailsonde-agent/examples/agent.toml",
        ),
    }
}

/// The agent itself would wait for ever at its start.
fn odd(paths: &[PathBuf]) -> Judged {
    let names: Vec<_> = paths.iter().take(3).map(|path| path.display().to_string()).collect();
    Judged::problem(
        format!("it names what is no file: {}", names.join(", ")),
        "put an ordinary file there: a pipe or a device is not read",
    )
}

fn mistaken(file: &Path, mistakes: &[Mistake], is_stranger: bool, as_root: &str) -> Judged {
    let (shown, quoted) = (file.display(), quoted(file));
    let has = |words: &str, mistake: &Mistake| mistake.message.contains(words);
    // what the identity's own line tells
    let is_identity = |it: &Mistake| {
        let is_file = |key: &&str| it.message.starts_with(&format!("{key}: cannot read "));
        has("mailsonde-agent enroll TOKEN", it) || ["ca", "certificate", "key"].iter().any(is_file)
    };
    let own: Vec<_> = mistakes.iter().filter(|it| !is_identity(it)).collect();
    let Some(first) = own.first() else {
        return Judged::ok(format!("{shown}: no mistake, but there is no identity yet"));
    };
    let many = counted(own.len(), "mistake", "mistakes");
    let says = format!("{many}; the first: {first}");
    let command = as_root.trim_start_matches("sudo ");
    if own.iter().all(|it| has("there are no credentials here", it)) {
        let todo = format!(
            "the service gets credentials from systemd: \
             `sudo env CREDENTIALS_DIRECTORY={CREDENTIALS} {command}`"
        );
        return Judged::unknown(says, todo);
    }
    if own.iter().all(|it| has("the environment has no", it)) {
        let todo = format!(
            "the service may have it from its unit (`systemctl cat mailsonde-agent`): look with the same, as in \
             `sudo env NAME=VALUE {command}`"
        );
        return Judged::unknown(says, todo);
    }
    if is_stranger && own.iter().all(|it| has("ermission denied", it)) {
        return Judged::unknown(says, "run this as root, or as the service's user");
    }
    Judged::problem(
        says,
        format!("mend what this tells, line by line: `mailsonde-agent check-config {quoted}`"),
    )
}

/// Warnings that have no line of their own here, and are not how an agent is meant to be.
fn warned(file: &Path, says: String, warnings: &[Mistake]) -> Judged {
    let has_line = |warning: &&Mistake| {
        let message = &warning.message;
        message.contains("chmod 600") || message.contains("has only what its collector gives it")
    };
    let rest: Vec<_> = warnings.iter().filter(|warning| !has_line(warning)).collect();
    let Some(first) = rest.first() else { return Judged::ok(says) };
    let many = counted(rest.len(), "warning", "warnings");
    let says = format!("{says}; {many}, the first: {first}");
    Judged::warning(says, format!("see all: `mailsonde-agent check-config {}`", quoted(file)))
}

/// Whether this agent has anything to do: checks of its own file, or of its collector.
pub(super) fn checks(subject: &Subject, own: usize, assigned: usize) -> Look {
    let judged = match (own, assigned) {
        (0, 0) => Judged::warning(
            "none: this agent looks at nothing",
            format!(
                "take the # off the [[mailbox]] and the [[check]] in {} and fill them in; or give it checks of the \
                 collector (`mailsonde-collector config check` there)",
                subject.file.display()
            ),
        ),
        _ => Judged::ok(format!("{own} of its own, {assigned} of its collector")),
    };
    judged.look("configuration.checks", "checks")
}

/// What binds the checks, and whether it refuses any.
pub(super) fn policy(config: &AgentConfig) -> Look {
    let refused = refusals(config);
    let judged = match (&config.policy.file, refused.first()) {
        (Some(file), Some((check, refusal))) => {
            let file = file.display();
            let many = counted(refused.len(), "refusal", "refusals");
            let says = format!("{many}; the first: {check} by {refusal}: its runs are void");
            let todo = format!(
                "allow it in {file}, or take the check out: `mailsonde-agent check-config`"
            );
            Judged::warning(says, todo)
        }
        (Some(file), None) => {
            Judged::ok(format!("{}: no check of agent.toml is refused", file.display()))
        }
        (None, _) => Judged::ok(format!(
            "no {FILE}: checks of the collector may touch what agent.toml names, and nothing else"
        )),
    };
    judged.look("configuration.policy", "policy")
}

/// Whether anything that is configured is looked up in DNS.
pub(super) fn needs_dns(config: &AgentConfig) -> bool {
    let own = Own::of(config);
    let mut hosts = own.hosts.iter().chain(&own.checked_hosts);
    let is_name = |host: &Host| match host {
        Host::Name(name) => is_asked(&name.to_ascii()),
        Host::Below(_) => true,
        Host::Address(_) => false,
    };
    !own.checked_domains.is_empty() || hosts.any(|rule| is_name(&rule.host))
}

fn counted(number: usize, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::doctor::State;

    use super::*;
    use crate::config::mistake::Place;

    fn mistake(message: &str) -> Mistake {
        let place = Place::Line { file: "a.toml".into(), line: 3, column: 1 };
        Mistake { place, message: message.to_owned() }
    }

    fn judged(read: &Read, is_stranger: bool) -> Look {
        looks(read, Path::new("/etc/a.toml"), is_stranger, "sudo x --data /d").remove(0)
    }

    #[test]
    fn what_cannot_be_read_says_what_to_do() {
        for (kind, state, todo) in [
            (io::ErrorKind::NotFound, State::Problem, "token create"),
            (io::ErrorKind::PermissionDenied, State::Unknown, "as root"),
            (io::ErrorKind::InvalidData, State::Problem, "examples/agent.toml"),
        ] {
            let look = judged(&Read::Not(kind.into()), false);
            assert_eq!(look.state, state, "{kind}");
            assert!(look.todo.unwrap().contains(todo), "{kind}");
        }
    }

    #[test]
    fn mistakes_are_counted_but_for_those_with_a_line_of_their_own() {
        let enrol = "certificate: /d/agent.pem: there is none yet: enrol this agent by `mailsonde-agent enroll TOKEN`";
        let denied = "cannot read the password in /etc/p: Permission denied (os error 13)";
        let variable = "the environment has no PW: set it for the agent";
        let credential = "there are no credentials here: start the agent by systemd";
        for (messages, is_stranger, state, words) in [
            (
                vec!["smtp.tls must be", enrol, "x"],
                false,
                State::Problem,
                "2 mistakes; the first: a.toml:3:1: smtp",
            ),
            (vec![enrol], false, State::Ok, "no identity yet"),
            (vec![denied], true, State::Unknown, "1 mistake"),
            (vec![denied], false, State::Problem, "1 mistake"),
            (vec![credential], false, State::Unknown, "1 mistake"),
            (vec![credential, "x"], false, State::Problem, "2 mistakes"),
            (vec![variable], false, State::Unknown, "1 mistake"),
            (vec!["ca: cannot read /d/ca.pem: none"], false, State::Ok, "no identity yet"),
        ] {
            let mistakes = messages.iter().map(|message| mistake(message)).collect();
            let look = judged(&Read::Mistakes(mistakes), is_stranger);
            assert_eq!(look.state, state, "{messages:?}");
            assert!(look.says.contains(words), "{}", look.says);
            let todo = look.todo.unwrap_or_default();
            assert!(look.state != State::Unknown || is_stranger || todo.contains(" x --data /d`"));
        }
    }

    #[test]
    fn warnings_with_a_line_of_their_own_are_left_out() {
        let look = |messages: &[&str]| {
            let warnings = messages.iter().map(|message| mistake(message)).collect();
            judged(&Read::Fine { checks: 1, mailboxes: 0, warnings }, false)
        };
        let fine = look(&[
            "others can read /p: chmod 600 /p",
            "this agent has only what its collector gives it",
        ]);
        assert_eq!(
            (fine.state, fine.says.as_str()),
            (State::Ok, "/etc/a.toml: 1 check, 0 mailboxes")
        );
        let warned = look(&["the password stands in this file"]);
        assert_eq!(warned.state, State::Warning);
        assert!(warned.todo.unwrap().contains("check-config /etc/a.toml"));
        let odd = judged(&Read::Odd(vec!["/etc/pipe".into()]), false);
        assert_eq!(odd.state, State::Problem);
        assert!(odd.says.contains("/etc/pipe"), "{}", odd.says);
    }

    #[test]
    fn an_agent_without_a_check_is_told_what_to_do() {
        let clock = mailsonde_proto::Clock::system();
        let subject = Subject::unread(&super::super::DoctorArguments::default(), clock);
        for (own, assigned, state) in [(0, 0, State::Warning), (1, 0, State::Ok), (0, 1, State::Ok)]
        {
            let look = checks(&subject, own, assigned);
            assert_eq!(look.state, state, "{own} {assigned}");
            assert_eq!(
                look.todo.is_some_and(|todo| todo.contains("[[check]]")),
                own + assigned == 0
            );
        }
    }
}
