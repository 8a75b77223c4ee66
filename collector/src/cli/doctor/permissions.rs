//! Who can read and change what this collector keeps, and what it is told.

use std::io;
use std::path::{Path, PathBuf};

use mailsonde_proto::doctor::files::{self, Facts, not_seen, planted, planted_link, real};
use mailsonde_proto::doctor::permits::{configuration, private_folder, secret};
use mailsonde_proto::doctor::service::Service;
use mailsonde_proto::doctor::shell::quoted;
use mailsonde_proto::doctor::tree::{Tree, owned};
use mailsonde_proto::doctor::{Judged, Look};
use toml::Value;

use super::super::token_file;
use super::Subject;
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
/// Keys of configurations whose value is a file with a secret, besides all that end in `_file`.
const KEYS: [&str; 1] = ["operators_key"];
/// Keys that end so and are no secrets.
const PUBLIC: [&str; 1] = ["ca_file"];
/// Keys whose values are secrets that stand in the file itself.
const INLINE: [&str; 2] = ["client_secret", "password"];
/// Files of a folder of files that are read at most, and bytes of each.
const MOST_FILES: usize = 1_000;
const MOST_BYTES: u64 = 1 << 20;

/// Everything about permissions.
pub(super) fn looks(subject: &Subject) -> Vec<Look> {
    let Subject { folder, service, .. } = subject;
    let path = folder.path();
    let facts = Facts::of(path);
    let of_folder =
        |error: &io::Error| not_seen(path, error, "`mailsonde-collector init` makes it");
    let (data, parts) = match &facts {
        Ok(facts) => {
            let parts = owned(&Tree::of(path, &PARTS, service.who), service);
            (private_folder(&real(path), *facts, service, 0o750), parts)
        }
        Err(error) => (of_folder(error), of_folder(error)),
    };
    let mut looks = vec![
        data.look("permissions.data", "data folder"),
        parts.look("permissions.files", "files in it"),
    ];
    let us = Service::alone(subject.us);
    for file in tokens() {
        let look =
            of_secret(None, &file, &us, (false, "end the session: `mailsonde-collector logout`"));
        looks.extend(look.map(|judged| named(judged, "permissions.token", &file)));
    }
    for (key, change) in keys(folder) {
        let look = of_secret(Some(path), &key, service, (false, change));
        looks.extend(look.map(|judged| named(judged, "permissions.key", &key)));
    }
    for file in configurations(folder) {
        looks.extend(of_configuration(&file, path, service));
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

/// One configuration, and the files with secrets that it names.
fn of_configuration(file: &Path, folder: &Path, service: &Service) -> Vec<Look> {
    let mut looks = Vec::new();
    if let Some(link) = planted_link(folder, file) {
        return vec![named(planted(&link), "permissions.configuration", file)];
    }
    let secrets = Secrets::of(file, folder);
    let target = real(file);
    if let Ok(facts) = Facts::of(&target) {
        let judged = configuration(&target, facts, service, secrets.are_inline);
        looks.push(named(judged, "permissions.configuration", file));
    }
    for file in secrets.files {
        let change = "change the secret where it comes from, and write the new one there";
        let look = of_secret(Some(folder), &file, service, (true, change));
        looks.extend(look.map(|judged| named(judged, "permissions.secret", &file)));
    }
    looks
}

fn named(judged: Judged, id: &'static str, path: &Path) -> Look {
    let title = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    judged.look(id, title).of(path.display().to_string())
}

fn of_secret(
    folder: Option<&Path>,
    path: &Path,
    service: &Service,
    (is_needed, change): (bool, &str),
) -> Option<Judged> {
    if let Some(link) = folder.and_then(|folder| planted_link(folder, path)) {
        return Some(planted(&link));
    }
    let path = real(path);
    match Facts::of(&path) {
        Ok(facts) => Some(secret(&path, facts, service, change)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_needed => None,
        Err(error) => Some(not_seen(&path, &error, &made(&path, service))),
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

/// `collector.toml` and the channels.
pub(super) fn configurations(folder: &Folder) -> Vec<PathBuf> {
    let mut files = files_in(&folder.channels());
    files.insert(0, folder.config());
    files
}

/// The files of a folder of files.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_one = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "toml");
    let paths = entries.map(|entry| entry.path()).filter(is_one);
    let mut files: Vec<_> = paths.take(MOST_FILES).collect();
    files.sort();
    files
}

/// A configuration as it is written, whatever is wrong in it.
pub(super) fn written(file: &Path) -> toml::Table {
    files::read(file, MOST_BYTES).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// Where a configuration's secrets stand.
#[derive(Debug, Default, PartialEq, Eq)]
struct Secrets {
    files: Vec<PathBuf>,
    are_inline: bool,
}

impl Secrets {
    fn of(file: &Path, folder: &Path) -> Self {
        let mut found = Self::default();
        found.look(&written(file), folder);
        found.files.sort();
        found.files.dedup();
        found
    }

    fn look(&mut self, table: &toml::Table, folder: &Path) {
        for (key, value) in table {
            let key = key.as_str();
            let is_file = KEYS.contains(&key) || (key.ends_with("_file") && !PUBLIC.contains(&key));
            match value {
                Value::String(path) if is_file => self.files.push(folder.join(path)),
                Value::String(_) if INLINE.contains(&key) => self.are_inline = true,
                Value::Table(table) => self.look(table, folder),
                Value::Array(values) => {
                    values.iter().filter_map(Value::as_table).for_each(|it| self.look(it, folder));
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use mailsonde_proto::Clock;
    use mailsonde_proto::doctor::State;
    use mailsonde_proto::doctor::files::Who;

    use super::*;

    #[test]
    fn secrets_are_found_in_every_file() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::at(temporary.path());
        let at = |name: &str| temporary.path().join(name);
        fs::create_dir(folder.channels()).unwrap();
        fs::write(
            folder.config(),
            "oidc_client_secret_file = 'oidc'\noperators_key = '/k'\n[[vendor]]\nclient_secret_file = 'v'\n",
        )
        .unwrap();
        fs::write(folder.channels().join("a.toml"), "[[channel]]\nurl_file = 's/url'\n").unwrap();
        fs::write(folder.channels().join("b.txt"), "url_file = 'no'\n").unwrap();
        let files = configurations(&folder);
        assert_eq!(files, [folder.config(), folder.channels().join("a.toml")]);
        let of_config = Secrets::of(&files[0], folder.path());
        assert_eq!(of_config.files, [PathBuf::from("/k"), at("oidc"), at("v")]);
        assert_eq!(Secrets::of(&files[1], folder.path()).files, [at("s/url")]);
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
        let us = Who::runs_this();
        let subject = Subject {
            folder: folder.clone(),
            config: None,
            service: Service::alone(us),
            us,
            may_look: true,
            clock: Clock::system(),
        };
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
    fn a_name_is_quoted_and_a_planted_link_is_not_followed() {
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
        // Only root can give a folder away; everybody else's folder is not root's already.
        let who = Who { uid: 64_990, gid: 64_990 };
        if Who::runs_this().is_root() {
            for path in [&data, &folder.channels()] {
                std::os::unix::fs::chown(path, Some(who.uid), Some(who.gid)).unwrap();
            }
        }
        let subject = Subject {
            folder: folder.clone(),
            config: None,
            service: Service::alone(who),
            us: Who::runs_this(),
            may_look: true,
            clock: Clock::system(),
        };
        let looks = looks(&subject);
        let of = |path: &Path| {
            let shown = path.display().to_string();
            looks.iter().find(|look| look.of.as_deref() == Some(shown.as_str())).unwrap()
        };
        for link in [folder.authority_key(), folder.channels().join("link.toml")] {
            let look = of(&link);
            assert_eq!(look.state, State::Problem);
            let todo = look.todo.as_ref().unwrap();
            assert!(!todo.contains("chmod") && !todo.contains("chown"), "{todo}");
        }
        let todo = of(&strange).todo.as_ref().unwrap();
        assert!(todo.contains(&format!("'{}'", strange.display())), "{todo}");
    }
}
