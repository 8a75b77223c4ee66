//! Who can read and change what this collector keeps, and what it is told.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use mailsonde_proto::doctor::above::reached;
use mailsonde_proto::doctor::files::{Facts, Who, not_seen, planted, planted_link, real};
use mailsonde_proto::doctor::permits::{configuration, private_folder, secret};
use mailsonde_proto::doctor::service::Service;
use mailsonde_proto::doctor::shell::quoted;
use mailsonde_proto::doctor::tree::{Tree, owned};
use mailsonde_proto::doctor::{Judged, Look, late};

use super::super::token_file;
use super::Subject;
use super::named::{Named, configurations, files_in};
use crate::folder::Folder;

/// What the collector itself writes; operators put other files beside.
pub(super) const PARTS: [&str; 9] = [
    "ca.key",
    "control",
    "links.key",
    "lock",
    "observations",
    "quarantine",
    "reports",
    "server.pem",
    "views",
];

/// For whom files are judged.
#[derive(Clone, Copy)]
struct Judge<'a> {
    data: &'a Path,
    service: &'a Service,
    us: Who,
}

/// Everything about permissions.
pub(super) fn looks(subject: &Subject) -> Vec<Look> {
    let Subject { folder, us, .. } = subject;
    let Some(service) = &subject.service else {
        // whoever does not know whose they are to be judges no owner
        let judged = late("finding out as whom the service runs");
        return vec![judged.look("permissions.data", "data folder")];
    };
    let judge = Judge { data: folder.path(), service, us: *us };
    let (data, parts) = judge.folder();
    let mut looks = vec![
        data.look("permissions.data", "data folder"),
        parts.look("permissions.files", "files in it"),
    ];
    let own = Judge { service: &Service::alone(*us), ..judge };
    for file in tokens() {
        let look = own.secret(&file, false, "end the session: `mailsonde-collector logout`");
        looks.extend(look.map(|judged| named(judged, "permissions.token", &file)));
    }
    for (key, change) in keys(folder) {
        let look = judge.secret(&key, false, change);
        looks.extend(look.map(|judged| named(judged, "permissions.key", &key)));
    }
    let mut links = BTreeSet::new();
    for file in configurations(folder) {
        // one link may lead to all of them
        if planted_link(&file, *us).is_none_or(|link| links.insert(link)) {
            looks.extend(judge.configuration(&file));
        }
    }
    looks
}

/// The collector's own keys, and what makes each worthless that others have read.
fn keys(folder: &Folder) -> [(PathBuf, &'static str); 4] {
    let rotate = "have another authority take over: `mailsonde-collector ca rotate`, and `ca retire` once every agent knows it";
    let restart = "take it away and `systemctl restart mailsonde-collector`, which makes another";
    [
        (folder.authority_key(), rotate),
        (folder.next_authority_key(), rotate),
        (folder.server(), restart),
        (folder.links_key(), restart),
    ]
}

fn named(judged: Judged, id: &'static str, path: &Path) -> Look {
    let title = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    judged.look(id, title).of(path.display().to_string())
}

impl Judge<'_> {
    /// The data folder, and what the collector keeps in it.
    fn folder(self) -> (Judged, Judged) {
        let Self { data, service, us } = self;
        let not_seen =
            |error: &io::Error| not_seen(data, error, "`mailsonde-collector init` makes it");
        match (planted_link(data, us), Facts::of(data)) {
            (Some(link), _) => (planted(&link), planted(&link)),
            (None, Ok(facts)) => {
                let parts = owned(&Tree::of(data, &PARTS, service.who), service);
                (private_folder(&real(data), facts, service, 0o750), parts)
            }
            (None, Err(error)) => (not_seen(&error), not_seen(&error)),
        }
    }

    /// One configuration, and the files that it names.
    fn configuration(self, file: &Path) -> Vec<Look> {
        const ID: &str = "permissions.configuration";
        if let Some(link) = planted_link(file, self.us) {
            return vec![named(planted(&link), ID, file)];
        }
        let found = Named::of(file, self.data);
        // one that is not there is told of elsewhere
        let judged = self.open(file, found.are_inline, None);
        let mut looks: Vec<_> = judged.map(|judged| named(judged, ID, file)).into_iter().collect();
        for file in found.secrets {
            let change = "change the secret where it comes from, and write the new one there";
            let look = self.secret(&file, true, change);
            looks.extend(look.map(|judged| named(judged, "permissions.secret", &file)));
        }
        for (file, is_needed) in found.certificates {
            let todo =
                is_needed.then_some("put it there, in PEM, or take it out of the configuration");
            let look = self.open(&file, false, todo);
            looks.extend(look.map(|judged| named(judged, "permissions.certificate", &file)));
        }
        looks
    }

    /// A file that everybody may read unless it holds a secret; `todo` is what to do where it is not there, if that is
    /// told here.
    fn open(self, path: &Path, holds_secret: bool, todo: Option<&str>) -> Option<Judged> {
        let judge = |path: &Path, facts| configuration(path, facts, self.service, holds_secret);
        match self.judged(path, judge) {
            Ok(judged) => Some(judged),
            Err((path, error)) => todo.map(|todo| not_seen(&path, &error, todo)),
        }
    }

    fn secret(self, path: &Path, is_needed: bool, change: &str) -> Option<Judged> {
        let judge = |path: &Path, facts| secret(path, facts, self.service, change);
        match self.judged(path, judge) {
            Ok(judged) => Some(judged),
            Err((_, error)) if error.kind() == io::ErrorKind::NotFound && !is_needed => None,
            Err((path, error)) => Some(not_seen(&path, &error, &made(&path, self.service))),
        }
    }

    /// What is to be said of a file by itself, of the way to it and of the folders above it; else where it really is and
    /// why it was not seen.
    fn judged(
        self,
        path: &Path,
        judge: impl FnOnce(&Path, Facts) -> Judged,
    ) -> Result<Judged, (PathBuf, io::Error)> {
        if let Some(link) = planted_link(path, self.us) {
            return Ok(planted(&link));
        }
        let path = real(path);
        match Facts::of(&path) {
            Ok(facts) => Ok(reached(&path, self.data, self.service, judge(&path, facts))),
            Err(error) => Err((path, error)),
        }
    }
}

/// How a file for a secret is made so that nobody else ever sees it.
fn made(path: &Path, service: &Service) -> String {
    if path.starts_with("/run/credentials") {
        return "systemd makes it while the unit runs: name it by `LoadCredential=` in the unit \
                (`systemctl edit mailsonde-collector`), then restart that"
            .to_owned();
    }
    let shown = quoted(path);
    let owner = if service.is_root() { String::new() } else { format!("-o {} ", service.name()) };
    format!("make it: `install -m 600 {owner}/dev/null {shown}`, then write the secret into it")
}

/// What `login` wrote for whoever runs this.
fn tokens() -> Vec<PathBuf> {
    token_file::folder().map(|folder| files_in(&folder)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use mailsonde_proto::doctor::State;

    use super::*;

    #[test]
    fn an_authority_that_is_not_there_is_a_problem() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::at(temporary.path());
        fs::write(folder.config(), "operators_certificate = 'o'\n[otlp]\nauthority = 'a'\n")
            .unwrap();
        let looks = looks(&Subject::stand_in(folder, Who::runs_this()));
        let of: Vec<_> = looks.iter().filter(|it| it.id == "permissions.certificate").collect();
        assert_eq!(of.len(), 1, "{of:?}");
        assert_eq!((of[0].title.as_str(), of[0].state), ("a", State::Problem));
    }

    #[test]
    fn what_others_can_read_is_a_problem_with_its_command() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::at(temporary.path());
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o750)).unwrap();
        let write = |path: &Path, mode| {
            fs::write(path, "").unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        write(&folder.config(), 0o644);
        write(&folder.authority_key(), 0o644);
        write(&folder.server(), 0o600);
        let subject = Subject::stand_in(folder.clone(), Who::runs_this());
        let looks = looks(&subject);
        let is_bad = |look: &&Look| look.state != State::Ok && look.id != "permissions.token";
        let bad: Vec<_> = looks.iter().filter(is_bad).collect();
        assert_eq!(bad.len(), 1, "{bad:?}");
        assert_eq!((bad[0].id, bad[0].state), ("permissions.key", State::Problem));
        let command = format!("`chmod 600 {}`", folder.authority_key().display());
        let todo = bad[0].todo.as_ref().unwrap();
        assert!(todo.contains(&command) && todo.contains("ca rotate"), "{todo}");
    }

    #[test]
    fn no_owner_is_judged_where_the_service_is_not_known() {
        let temporary = tempfile::tempdir().unwrap();
        let subject = Subject::stand_in(Folder::at(temporary.path()), Who::runs_this());
        let looks = looks(&Subject { service: None, ..subject });
        assert_eq!(looks.iter().map(|look| look.state).collect::<Vec<_>>(), [State::Unknown]);
    }

    #[test]
    fn a_linked_folder_is_told_of_once_and_the_operators_not_at_all() {
        if !Who::runs_this().is_root() {
            println!("not root: left out");
            return;
        }
        let temporary = tempfile::tempdir().unwrap();
        let (data, other) = (temporary.path().join("data"), temporary.path().join("other"));
        let folder = Folder::at(&data);
        for path in [&data, &other] {
            fs::create_dir(path).unwrap();
        }
        for name in ["a.toml", "b.toml"] {
            fs::write(other.join(name), "").unwrap();
        }
        std::os::unix::fs::symlink(&other, folder.channels()).unwrap();
        let who = Who { uid: 64_990, gid: 64_990 };
        std::os::unix::fs::chown(&data, Some(who.uid), Some(who.gid)).unwrap();
        for (owner, problems) in [(0, 0), (who.uid, 1)] {
            std::os::unix::fs::lchown(folder.channels(), Some(owner), None).unwrap();
            let looks = looks(&Subject::stand_in(folder.clone(), who));
            let bad = looks.iter().filter(|look| {
                look.id == "permissions.configuration" && look.state == State::Problem
            });
            assert_eq!(bad.count(), problems, "{looks:?}");
        }
    }

    #[test]
    fn a_name_is_quoted_and_a_planted_link_is_not_followed() {
        if !Who::runs_this().is_root() {
            println!("not root: left out");
            return;
        }
        let temporary = tempfile::tempdir().unwrap();
        let (data, other) = (temporary.path().join("data"), temporary.path().join("shadow"));
        let folder = Folder::at(&data);
        fs::create_dir_all(folder.channels()).unwrap();
        let strange = folder.channels().join("a $(touch pwn);b.toml");
        fs::write(&strange, "").unwrap();
        fs::set_permissions(&strange, fs::Permissions::from_mode(0o666)).unwrap();
        fs::write(&other, "root's").unwrap();
        std::os::unix::fs::symlink(&other, folder.authority_key()).unwrap();
        std::os::unix::fs::symlink(&other, folder.channels().join("link.toml")).unwrap();
        let who = Who { uid: 64_990, gid: 64_990 };
        let links = [folder.authority_key(), folder.channels().join("link.toml")];
        for path in [&data, &folder.channels()].into_iter().chain(&links) {
            std::os::unix::fs::lchown(path, Some(who.uid), Some(who.gid)).unwrap();
        }
        let subject = Subject::stand_in(folder.clone(), who);
        let looks = looks(&subject);
        let of = |path: &Path| {
            let shown = path.display().to_string();
            looks.iter().find(|look| look.of.as_deref() == Some(shown.as_str())).unwrap()
        };
        for link in links {
            let look = of(&link);
            assert_eq!(look.state, State::Problem);
            let todo = look.todo.as_ref().unwrap();
            assert!(!todo.contains("chmod") && !todo.contains("chown"), "{todo}");
        }
        let todo = of(&strange).todo.as_ref().unwrap();
        assert!(todo.contains(&format!("'{}'", strange.display())), "{todo}");
    }
}
