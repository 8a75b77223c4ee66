//! Who can read and change what this agent keeps, and what it is told.

use std::io;
use std::path::Path;
use std::sync::Arc;

use mailsonde_proto::doctor::above::reached;
use mailsonde_proto::doctor::files::{Facts, not_seen, planted, planted_link, real};
use mailsonde_proto::doctor::permits::{CANNOT, configuration, private_folder, secret};
use mailsonde_proto::doctor::service::Service;
use mailsonde_proto::doctor::shell::quoted;
use mailsonde_proto::doctor::tree::{Tree, owned};
use mailsonde_proto::doctor::{Judged, Look, State, blocking, late};

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
    let Some(service) = subject.service.clone() else {
        // whoever does not know whose they are to be judges no owner
        let judged = late("finding out as whom the service runs");
        return vec![judged.look("permissions.data", "data folder")];
    };
    let (one, other) = (Arc::clone(subject), Arc::clone(subject));
    let of_service = service.clone();
    let (files, tree) = tokio::join!(
        blocking(move || of_files(&one, &of_service)),
        blocking(move || of_tree(&other, &service)),
    );
    let mut looks = files.unwrap_or_else(|| {
        vec![late("looking at permissions").look("permissions.data", "data folder")]
    });
    let tree = tree.unwrap_or_else(|| late("looking through the data folder"));
    follow(&mut looks, tree.state);
    looks.push(tree.look("permissions.files", "files in it"));
    looks
}

/// A key that is somebody else's, or no file, is among the files that are told of together.
fn follow(looks: &mut [Look], of_tree: State) {
    let is_among = |says: &str| says.contains(CANNOT) || says.ends_with("is no file");
    let follows = |look: &&mut Look| look.id == "permissions.key" && is_among(&look.says);
    for look in looks.iter_mut().filter(|look| of_tree == State::Problem && follows(look)) {
        look.state = State::Unknown;
        look.todo = Some("see the line of the files in the data folder".to_owned());
    }
}

fn of_tree(subject: &Subject, service: &Service) -> Judged {
    let folder = &subject.data;
    if let Some(link) = planted_link(folder, subject.us) {
        return planted(&link);
    }
    match Facts::of(folder) {
        Ok(_) => owned(&Tree::of(folder, &PARTS, service.who), service),
        Err(error) => not_seen(folder, &error, "`mailsonde-agent enroll TOKEN` makes it"),
    }
}

fn of_files(subject: &Subject, service: &Service) -> Vec<Look> {
    let mut looks = vec![
        of_folder(subject, service).look("permissions.data", "data folder"),
        of_configuration(subject, service).look("permissions.configuration", "agent.toml"),
    ];
    let key = match &subject.collector {
        Some(collector) => collector.key.clone(),
        None => IdentityFiles::of_data(&subject.data).key,
    };
    let keys = TOKEN_KEYS.map(|name| subject.data.join(name));
    for path in std::iter::once(key).chain(keys) {
        // those that are not there are told of elsewhere, or made at the first start
        if let Some(judged) = of_secret(subject, service, &path, false) {
            let title = name_of(&path);
            looks.push(judged.look("permissions.key", title).of(path.display().to_string()));
        }
    }
    for path in &subject.secrets.files {
        if let Some(judged) = of_secret(subject, service, path, true) {
            let title = name_of(path);
            looks.push(judged.look("permissions.secret", title).of(path.display().to_string()));
        }
    }
    if let Some(file) = subject.policies.as_ref().and_then(|policies| policies.file.as_ref()) {
        looks.push(of_policy(subject, service, file).look("permissions.policy", "policy.toml"));
    }
    looks
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn of_folder(subject: &Subject, service: &Service) -> Judged {
    let folder = &subject.data;
    if let Some(link) = planted_link(folder, subject.us) {
        return planted(&link);
    }
    match Facts::of(folder) {
        Ok(facts) => private_folder(&real(folder), facts, service, 0o700),
        Err(error) => not_seen(folder, &error, "`mailsonde-agent enroll TOKEN` makes it"),
    }
}

fn of_configuration(subject: &Subject, service: &Service) -> Judged {
    if let Some(link) = planted_link(&subject.file, subject.us) {
        return planted(&link);
    }
    let file = real(&subject.file);
    match Facts::of(&file) {
        Ok(facts) => {
            let judged = configuration(&file, facts, service, subject.secrets.are_inline);
            reached(&file, &subject.data, service, judged)
        }
        // its own line tells what to do
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Judged::unknown("it is not there", "see the line of the configuration")
        }
        Err(error) => not_seen(&file, &error, "see the line of the configuration"),
    }
}

fn of_secret(subject: &Subject, service: &Service, path: &Path, is_needed: bool) -> Option<Judged> {
    if let Some(link) = planted_link(path, subject.us) {
        return Some(planted(&link));
    }
    let path = real(path);
    match Facts::of(&path) {
        Ok(facts) => {
            let judged = secret(&path, facts, service, changed(subject, &path));
            Some(reached(&path, &subject.data, service, judged))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_needed => None,
        Err(error) => Some(not_seen(&path, &error, &made(&path, service))),
    }
}

/// What makes a secret worthless that others have read.
fn changed(subject: &Subject, path: &Path) -> &'static str {
    if subject.secrets.files.iter().any(|secret| secret == path) {
        "change the secret at the server, and write the new one there"
    } else if TOKEN_KEYS.iter().any(|name| path.ends_with(name)) {
        "take it away and restart the agent, which makes another: test mail under way is not known again"
    } else {
        "let the agent in anew, by a token: whoever has its key can speak for it until it is revoked"
    }
}

/// How a file for a secret is made so that nobody else ever sees it.
fn made(path: &Path, service: &Service) -> String {
    if path.starts_with("/run/credentials") {
        return "systemd makes it while the unit runs: name it by `LoadCredential=` in the unit \
                (`systemctl edit mailsonde-agent`), then restart that"
            .to_owned();
    }
    let shown = quoted(path);
    let owner = if service.is_root() { String::new() } else { format!("-o {} ", service.name()) };
    format!("make it: `install -m 600 {owner}/dev/null {shown}`, then write the secret into it")
}

fn of_policy(subject: &Subject, service: &Service, path: &Path) -> Judged {
    if let Some(link) = planted_link(path, subject.us) {
        return planted(&link);
    }
    let path = &real(path);
    match Facts::of(path) {
        Ok(facts) => reached(path, &subject.data, service, policy(path, facts, service)),
        Err(error) => not_seen(path, &error, "write it, or take `policy` out of agent.toml"),
    }
}

/// A policy binds whoever cannot change it.
fn policy(path: &Path, facts: Facts, service: &Service) -> Judged {
    let (shown, quoted) = (path.display(), quoted(path));
    let is_services = facts.owner.uid == service.who.uid && !service.is_root();
    let judged = configuration(path, facts, service, false);
    if judged.todo.is_none() && is_services {
        let says = format!(
            "{shown} belongs to {}, as whom the agent runs: it could widen it",
            service.name()
        );
        return Judged::warning(says, format!("`chown -h root {quoted} && chmod 644 {quoted}`"));
    }
    judged
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};

    use mailsonde_proto::Clock;
    use mailsonde_proto::doctor::files::Who;

    use super::super::DoctorArguments;
    use super::*;

    fn subject(data: &Path) -> Subject {
        let arguments =
            DoctorArguments { data: Some(data.to_owned()), ..DoctorArguments::default() };
        Subject::unread(&arguments, Clock::system())
    }

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
            let facts =
                Facts { owner, mode, is_folder: false, is_file: true, size: 1, has_list: false };
            let judged = policy(path, facts, &Service::alone(service));
            assert_eq!(judged.state, state, "{owner:?} {mode:o}");
            assert_eq!(judged.todo.is_some(), state != State::Ok);
        }
    }

    #[test]
    fn a_secret_that_is_needed_and_not_there_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a password");
        let subject = subject(folder.path());
        let service = Service::alone(subject.us);
        assert_eq!(of_secret(&subject, &service, &path, false), None);
        let judged = of_secret(&subject, &service, &path, true).unwrap();
        assert_eq!(judged.state, State::Problem);
        let todo = judged.todo.unwrap();
        let quoted = format!("/dev/null '{}'`", path.display());
        assert!(todo.contains("install -m 600") && todo.contains(&quoted), "{todo}");
        let credential = Path::new("/run/credentials/mailsonde-agent.service/none");
        let todo = of_secret(&subject, &service, credential, true).unwrap().todo.unwrap();
        assert!(todo.contains("LoadCredential=") && !todo.contains("install"), "{todo}");
    }

    #[tokio::test]
    async fn keys_of_a_stranger_are_one_problem() {
        if !Who::runs_this().is_root() {
            println!("not root: left out");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        chown(folder.path(), Some(64_990), Some(64_990)).unwrap();
        for name in TOKEN_KEYS {
            let path = folder.path().join(name);
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let mut subject = subject(folder.path());
        subject.service = Some(Service::alone(Who { uid: 64_990, gid: 64_990 }));
        let looks = looks(&Arc::new(subject)).await;
        let bad = looks.iter().filter(|look| look.state == State::Problem);
        assert_eq!(bad.map(|look| look.id).collect::<Vec<_>>(), ["permissions.files"]);
    }

    /// Whoever waited for a configuration in vain does not know whose the files are to be.
    #[tokio::test]
    async fn no_owner_is_judged_where_the_service_is_not_known() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("epoch"), "1").unwrap();
        let looks = looks(&Arc::new(subject(folder.path()))).await;
        assert_eq!(looks.iter().map(|look| look.state).collect::<Vec<_>>(), [State::Unknown]);
    }

    #[test]
    fn no_command_follows_what_the_service_planted() {
        if !Who::runs_this().is_root() {
            println!("not root: left out");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let (data, other) = (folder.path().join("data"), folder.path().join("shadow"));
        fs::create_dir(&data).unwrap();
        fs::write(&other, "root's").unwrap();
        symlink(&other, data.join("token.key")).unwrap();
        symlink(&data, folder.path().join("also")).unwrap();
        chown(&data, Some(64_990), Some(64_990)).unwrap();
        lchown(data.join("token.key"), Some(64_990), Some(64_990)).unwrap();
        let service = Service::alone(Who { uid: 64_990, gid: 64_990 });
        let mut looks = Vec::new();
        // however the folder is written
        for data in [&data, &folder.path().join("also")] {
            let subject = subject(data);
            let found = of_files(&subject, &service);
            let look = found.iter().find(|look| look.id == "permissions.key").unwrap();
            assert_eq!(look.state, State::Problem);
            assert!(look.says.contains("is a link"), "{}", look.says);
            looks.extend(found);
            looks.push(of_tree(&subject, &service).look("permissions.files", "f"));
        }
        for look in &looks {
            let todo = look.todo.clone().unwrap_or_default();
            let is_led =
                todo.contains("token.key`") && (todo.contains("chown") || todo.contains("chmod"));
            assert!(!is_led, "{todo}");
        }
    }
}
