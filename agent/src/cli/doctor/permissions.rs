//! Who can read and change what this agent keeps, and what it is told.

use std::io;
use std::path::Path;
use std::sync::Arc;

use mailsonde_proto::doctor::files::{Facts, Who, configuration, not_seen, private_folder, secret};
use mailsonde_proto::doctor::tree::{Tree, owned};
use mailsonde_proto::doctor::{Judged, Look, blocking, late};

use super::subject::Subject;
use crate::identity::{FOLDER, IdentityFiles};

/// What the agent itself writes to its data folder; an operator may put other files beside.
const PARTS: [&str; 10] = [
    "alive",
    "assignment",
    "epoch",
    FOLDER,
    "ledger",
    "lock",
    "reserve",
    "signing.key",
    "spool",
    "token.key",
];
/// The keys of test messages' tokens.
const TOKEN_KEYS: [&str; 2] = ["signing.key", "token.key"];

/// Everything about permissions.
pub(super) async fn looks(subject: &Arc<Subject>) -> Vec<Look> {
    let (one, other) = (Arc::clone(subject), Arc::clone(subject));
    let (files, tree) =
        tokio::join!(blocking(move || of_files(&one)), blocking(move || of_tree(&other)),);
    let mut looks = files.unwrap_or_else(|| {
        vec![late("looking at permissions").look("permissions.data", "data folder")]
    });
    let tree = tree.unwrap_or_else(|| late("looking through the data folder"));
    looks.push(tree.look("permissions.files", "files in it"));
    looks
}

fn of_tree(subject: &Subject) -> Judged {
    let folder = &subject.data;
    match Facts::of(folder) {
        Ok(facts) => owned(folder, &Tree::of(folder, &PARTS), facts.owner),
        Err(error) => not_seen(folder, &error, "`mailsonde-agent enroll TOKEN` makes it"),
    }
}

fn of_files(subject: &Subject) -> Vec<Look> {
    let service = subject.service;
    let mut looks = vec![
        of_folder(&subject.data).look("permissions.data", "data folder"),
        of_configuration(subject).look("permissions.configuration", "agent.toml"),
    ];
    let key = match &subject.collector {
        Some(collector) => collector.key.clone(),
        None => IdentityFiles::of_data(&subject.data).key,
    };
    let keys = TOKEN_KEYS.map(|name| subject.data.join(name));
    for path in std::iter::once(key).chain(keys) {
        // those that are not there are told of elsewhere, or made at the first start
        if let Some(judged) = of_secret(&path, service, false) {
            let title = name_of(&path);
            looks.push(judged.look("permissions.key", title).of(path.display().to_string()));
        }
    }
    for path in &subject.secrets.files {
        if let Some(judged) = of_secret(path, service, true) {
            let title = name_of(path);
            looks.push(judged.look("permissions.secret", title).of(path.display().to_string()));
        }
    }
    if let Some(file) = subject.policies.as_ref().and_then(|policies| policies.file.as_ref()) {
        looks.push(of_policy(file, service).look("permissions.policy", "policy.toml"));
    }
    looks
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn of_folder(folder: &Path) -> Judged {
    match Facts::of(folder) {
        Ok(facts) => private_folder(folder, facts, 0o700),
        Err(error) => not_seen(folder, &error, "`mailsonde-agent enroll TOKEN` makes it"),
    }
}

fn of_configuration(subject: &Subject) -> Judged {
    match Facts::of(&subject.file) {
        Ok(facts) => {
            configuration(&subject.file, facts, subject.service, subject.secrets.are_inline)
        }
        Err(error) => not_seen(&subject.file, &error, "see the line of the configuration"),
    }
}

fn of_secret(path: &Path, service: Who, is_needed: bool) -> Option<Judged> {
    match Facts::of(path) {
        Ok(facts) => Some(secret(path, facts, service)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_needed => None,
        Err(error) => Some(not_seen(path, &error, &made(path))),
    }
}

/// How a file for a secret is made so that nobody else ever sees it.
fn made(path: &Path) -> String {
    let shown = path.display();
    format!("make it: `install -m 600 /dev/null {shown}`, then write the secret into it")
}

fn of_policy(path: &Path, service: Who) -> Judged {
    match Facts::of(path) {
        Ok(facts) => policy(path, facts, service),
        Err(error) => not_seen(path, &error, "write it, or take `policy` out of agent.toml"),
    }
}

/// A policy binds whoever cannot change it.
fn policy(path: &Path, facts: Facts, service: Who) -> Judged {
    let shown = path.display();
    let is_services = facts.owner.uid == service.uid && !service.is_root();
    let judged = configuration(path, facts, service, false);
    if judged.todo.is_none() && is_services {
        let says = format!(
            "{shown} belongs to {}, as whom the agent runs: it could widen it",
            service.name()
        );
        return Judged::warning(says, format!("`chown root {shown} && chmod 644 {shown}`"));
    }
    judged
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::doctor::State;

    use super::*;

    #[test]
    fn a_policy_is_not_the_services_to_change() {
        let (root, service) = (Who { uid: 0, gid: 0 }, Who { uid: 990, gid: 991 });
        let path = Path::new("/etc/mailsonde-agent/policy.toml");
        for (owner, mode, service, state) in [
            (root, 0o644, service, State::Ok),
            (service, 0o600, service, State::Warning),
            (root, 0o666, service, State::Problem),
            (root, 0o600, service, State::Problem),
            // whoever lets the agent run as root has chosen that
            (root, 0o644, root, State::Ok),
        ] {
            let facts = Facts { owner, mode, is_folder: false, is_file: true, size: 1 };
            let judged = policy(path, facts, service);
            assert_eq!(judged.state, state, "{owner:?} {mode:o}");
            assert_eq!(judged.todo.is_some(), state != State::Ok);
        }
    }

    #[test]
    fn a_secret_that_is_needed_and_not_there_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let us = Who::runs_this();
        assert_eq!(of_secret(&path, us, false), None);
        let judged = of_secret(&path, us, true).unwrap();
        assert_eq!(judged.state, State::Problem);
        assert!(judged.todo.unwrap().contains("install -m 600"));
    }
}
