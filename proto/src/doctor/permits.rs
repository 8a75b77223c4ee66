//! Whether whoever must can use a file or folder, and nobody else: and the one command that makes it so.
//!
//! Invariant: after a command that is told here the service can still do what it must. So owner and mode come in one
//! command, and what the mode would be afterwards is judged before it is told.

use std::path::Path;

use super::Judged;
use super::files::{Facts, READ, SEARCH, WRITE};
use super::service::Service;
use super::shell::quoted;

const OTHERS_READ: u32 = 0o004;
const OTHERS_WRITE: u32 = 0o022;
const GROUP_READ: u32 = 0o040;
/// What is said of a file that the service needs.
pub const CANNOT: &str = "cannot read it";
/// Where systemd puts credentials, for its unit alone.
pub(super) const CREDENTIALS: &str = "/run/credentials";

/// Gives a file or folder this mode, and whoever the service runs as, where it is somebody else's.
fn give(path: &Path, facts: Facts, service: &Service, mode: u32) -> String {
    let shown = quoted(path);
    let is_usable = service.is_root() || facts.owner.uid == service.who.uid;
    let chmod = format!("chmod {mode:o} {shown}");
    if is_usable {
        format!("`{chmod}`")
    } else {
        format!("`chown -h {} {shown} && {chmod}`", service.name())
    }
}

/// Lets the service's group read what is another's.
fn let_read(path: &Path, facts: Facts, service: &Service) -> String {
    let shown = quoted(path);
    if facts.owner.uid == service.who.uid {
        return format!("`chmod 600 {shown}`");
    }
    format!("`chgrp -h {} {shown} && chmod 640 {shown}`", service.group())
}

/// A file that its owner alone is to read and to write: a password, a key. `service` is who must be able to read it;
/// `change` is what to do once others have read it.
pub fn secret(path: &Path, facts: Facts, service: &Service, change: &str) -> Judged {
    let (shown, mode) = (path.display(), facts.mode & 0o777);
    if !facts.is_file {
        let todo = match facts.is_folder {
            true => "name a file with the secret instead".to_owned(),
            false => format!("no pipe or device is read: `rm {}`; then {change}", quoted(path)),
        };
        return Judged::problem(format!("{shown} is no file"), todo);
    }
    if path.starts_with(CREDENTIALS) {
        return Judged::ok(format!("{shown}, which systemd makes for its unit"));
    }
    // root's own, for a group of the service's to read, is as good: others may share a key by that group
    let is_for_service = facts.owner.uid == 0 && service.groups.contains(&facts.owner.gid);
    let shut = match is_for_service && !service.is_root() {
        true => format!("`chmod 640 {}`", quoted(path)),
        false => give(path, facts, service, 0o600),
    };
    if mode & OTHERS_WRITE != 0 && !(facts.has_list && mode & 0o002 == 0) {
        let says = format!("{shown} has mode {mode:o}: others can change it");
        return Judged::problem(
            says,
            format!("shut it: {shut}; then see that what is in it is yours"),
        );
    }
    if mode & OTHERS_READ != 0 {
        let says = format!("{shown} has mode {mode:o}: everybody on this machine can read it");
        return Judged::problem(says, format!("shut it: {shut}; then {change}"));
    }
    if facts.has_list {
        return listed(path);
    }
    if !facts.grants(service, READ) {
        let says = format!(
            "{shown} has mode {mode:o} and belongs to {}: {}, as whom the service runs, {CANNOT}",
            facts.owner.name(),
            service.name()
        );
        return Judged::problem(says, shut);
    }
    if mode & GROUP_READ != 0 && !is_for_service {
        let says = format!("{shown} has mode {mode:o}: its whole group can read it");
        let todo = match facts.owner.gid {
            gid if facts.owner.uid == 0 && gid != 0 => format!(
                "see who is in it (`getent group {gid}`); where nobody of those needs it, shut it: {shut}"
            ),
            _ => format!("shut it: {shut}"),
        };
        return Judged::warning(says, todo);
    }
    if facts.owner.uid != 0 && facts.owner.uid != service.who.uid && !service.is_root() {
        let says = format!("{shown} belongs to {}, who can change it", facts.owner.name());
        return Judged::warning(says, shut);
    }
    Judged::ok(format!("{shown}, mode {mode:o}, of {}", facts.owner.name()))
}

/// The mode does not tell who is on a list of access.
fn listed(path: &Path) -> Judged {
    Judged::unknown(
        format!("{} has a list of access beside its mode", path.display()),
        format!(
            "see that it gives the service's user what is needed, and nobody else: `getfacl {}`",
            quoted(path)
        ),
    )
}

/// A folder that holds secrets, and is the service's; `good` is the mode to give it.
pub fn private_folder(path: &Path, facts: Facts, service: &Service, good: u32) -> Judged {
    let (shown, mode) = (path.display(), facts.mode & 0o777);
    let shut = give(path, facts, service, good);
    if !facts.is_folder {
        return Judged::problem(format!("{shown} is no folder"), "name the data folder by --data");
    }
    // what is the group's in the mode bounds the list then
    let is_open = mode & OTHERS_WRITE != 0 && !(facts.has_list && mode & 0o002 == 0);
    if is_open && facts.mode & 0o1000 == 0 {
        let says =
            format!("{shown} has mode {mode:o}: others can put files there and take them away");
        return Judged::problem(says, format!("shut it: {shut}"));
    }
    if !facts.grants(service, READ | WRITE | SEARCH) && !facts.has_list {
        let says = format!(
            "{shown} has mode {mode:o} and belongs to {}: {}, as whom the service runs, cannot use it",
            facts.owner.name(),
            service.name()
        );
        return Judged::problem(says, shut);
    }
    if mode & 0o007 != 0 {
        let says = format!("{shown} has mode {mode:o}: everybody can look into it");
        return Judged::warning(says, format!("shut it: {shut}"));
    }
    if facts.has_list {
        return listed(path);
    }
    Judged::ok(format!("{shown}, mode {mode:o}, of {}", facts.owner.name()))
}

/// A configuration, which everybody may read unless it `holds_secret`, and which `service` must be able to read.
pub fn configuration(path: &Path, facts: Facts, service: &Service, holds_secret: bool) -> Judged {
    let (shown, mode) = (path.display(), facts.mode & 0o777);
    // what takes this away from others, and leaves the service what it needs
    let without = |taken: u32, told: &str| {
        let after = Facts { mode: facts.mode & !taken, ..facts };
        match after.grants(service, READ) {
            true => format!("`chmod {told} {}`", quoted(path)),
            false => let_read(path, facts, service),
        }
    };
    if mode & OTHERS_WRITE != 0 && !(facts.has_list && mode & 0o002 == 0) {
        let says = format!("{shown} has mode {mode:o}: others can change what the service does");
        let todo = match holds_secret && mode & OTHERS_READ != 0 {
            true => without(0o027, "g-w,o-rwx"),
            false => without(OTHERS_WRITE, "go-w"),
        };
        return Judged::problem(says, todo);
    }
    if holds_secret && mode & OTHERS_READ != 0 {
        let says = format!("{shown} has mode {mode:o} and a secret in it: everybody can read that");
        let todo = format!(
            "{}, or better put the secret into a file of its own; then change the secret",
            without(0o007, "o-rwx")
        );
        return Judged::problem(says, todo);
    }
    if facts.has_list {
        return listed(path);
    }
    if !facts.grants(service, READ) {
        let says = format!(
            "{shown} has mode {mode:o} and belongs to {}: {}, as whom the service runs, cannot read it",
            facts.owner.name(),
            service.name()
        );
        return Judged::problem(says, let_read(path, facts, service));
    }
    Judged::ok(format!("{shown}, mode {mode:o}, of {}", facts.owner.name()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, chown};
    use std::process::Command;

    use super::super::State;
    use super::super::files::Who;
    use super::*;

    const ROOT: Who = Who { uid: 0, gid: 0 };
    const SERVICE: Who = Who { uid: 64990, gid: 64991 };
    const STRANGER: Who = Who { uid: 64100, gid: 64100 };
    const OF_GROUP: Who = Who { uid: 0, gid: SERVICE.gid };

    fn file(owner: Who, mode: u32) -> Facts {
        Facts { owner, mode, is_folder: false, is_file: true, size: 1, has_list: false }
    }

    #[test]
    fn a_secret_is_its_owners_alone() {
        let path = Path::new("/etc/a/password");
        let shut = "`chmod 600 /etc/a/password`";
        let give = "`chown -h 64990 /etc/a/password && chmod 600 /etc/a/password`";
        for (owner, mode, service, state, todo) in [
            (SERVICE, 0o600, SERVICE, State::Ok, ""),
            (SERVICE, 0o400, SERVICE, State::Ok, ""),
            (ROOT, 0o600, ROOT, State::Ok, ""),
            (OF_GROUP, 0o640, SERVICE, State::Ok, ""),
            (SERVICE, 0o644, SERVICE, State::Problem, shut),
            (ROOT, 0o644, ROOT, State::Problem, shut),
            (ROOT, 0o644, SERVICE, State::Problem, give),
            (OF_GROUP, 0o644, SERVICE, State::Problem, "`chmod 640 /etc/a/password`"),
            (SERVICE, 0o660, SERVICE, State::Problem, shut),
            (SERVICE, 0o602, SERVICE, State::Problem, shut),
            (SERVICE, 0o640, SERVICE, State::Warning, shut),
            (SERVICE, 0o000, SERVICE, State::Problem, shut),
            (ROOT, 0o600, SERVICE, State::Problem, give),
            (ROOT, 0o640, SERVICE, State::Problem, give),
            (STRANGER, 0o600, SERVICE, State::Problem, give),
            (STRANGER, 0o600, ROOT, State::Ok, ""),
        ] {
            let judged = secret(path, file(owner, mode), &Service::alone(service), "change it");
            assert_eq!(judged.state, state, "{owner:?} {mode:o} {service:?}");
            assert!(judged.todo.unwrap_or_default().contains(todo), "{owner:?} {mode:o}");
        }
        let folder = Facts { is_file: false, is_folder: true, ..file(ROOT, 0o700) };
        let root = Service::alone(ROOT);
        assert_eq!(secret(path, folder, &root, "").state, State::Problem);
        // what a list of access gives cannot be said, and systemd's own is as it should be
        let listed = Facts { has_list: true, ..file(ROOT, 0o440) };
        let service = Service::alone(SERVICE);
        assert_eq!(secret(path, listed, &service, "").state, State::Unknown);
        let credential = Path::new("/run/credentials/a.service/password");
        assert_eq!(secret(credential, listed, &service, "").state, State::Ok);
        // a key that services share by a group of theirs
        let of_certs = |mode| file(Who { uid: 0, gid: 500 }, mode);
        let shares = Service { groups: vec![SERVICE.gid, 500], ..Service::alone(SERVICE) };
        for (mode, service, state, todo) in [
            (0o640, &shares, State::Ok, ""),
            (0o644, &shares, State::Problem, "`chmod 640 /etc/a/password`"),
            (0o640, &root, State::Warning, "where nobody of those needs it"),
        ] {
            let judged = secret(path, of_certs(mode), service, "change it");
            assert_eq!(judged.state, state, "{mode:o}");
            assert!(judged.todo.unwrap_or_default().contains(todo), "{mode:o}");
        }
    }

    /// In the kernel's own form (linux/posix_acl_xattr.h): version 2, then of each entry its tag, its rights and whose.
    #[test]
    fn a_list_of_access_is_seen() {
        let entry = |tag: u16, rights: u16, uid: u32| {
            [&tag.to_le_bytes()[..], &rights.to_le_bytes(), &uid.to_le_bytes()].concat()
        };
        let of_file = |rights| {
            let nobody = u32::MAX;
            let entries = [
                entry(0x01, 7, nobody),
                entry(0x02, rights, 4321),
                entry(0x04, 0, nobody),
                entry(0x10, rights, nobody),
                entry(0x20, 0, nobody),
            ];
            [2_u32.to_le_bytes().to_vec(), entries.concat()].concat()
        };
        let folder = tempfile::tempdir().unwrap();
        let (path, us) = (folder.path(), Service::alone(Who::runs_this()));
        for rights in [5, 7] {
            let value = of_file(rights);
            let flags = rustix::fs::XattrFlags::empty();
            let set = rustix::fs::setxattr(path, "system.posix_acl_access", &value, flags);
            if set == Err(rustix::io::Errno::NOTSUP) {
                println!("no lists of access on this file system: left out");
                return;
            }
            set.unwrap();
            let facts = Facts::of(path).unwrap();
            assert!(facts.has_list && facts.mode & 0o070 != 0, "{facts:?}");
            let judged = private_folder(path, facts, &us, 0o700);
            assert_eq!(judged.state, State::Unknown);
            assert!(judged.todo.unwrap().contains("getfacl"));
        }
    }

    #[test]
    fn a_data_folder_is_shut_and_the_services() {
        let path = Path::new("/var/lib/a");
        for (owner, mode, state, todo) in [
            (SERVICE, 0o700, State::Ok, ""),
            (SERVICE, 0o750, State::Ok, ""),
            (SERVICE, 0o755, State::Warning, "`chmod 700 /var/lib/a`"),
            (SERVICE, 0o711, State::Warning, "`chmod 700 /var/lib/a`"),
            (SERVICE, 0o770, State::Problem, "`chmod 700 /var/lib/a`"),
            (SERVICE, 0o777, State::Problem, "`chmod 700 /var/lib/a`"),
            (SERVICE, 0o1777, State::Warning, "`chmod 700 /var/lib/a`"),
            (SERVICE, 0o500, State::Problem, "`chmod 700 /var/lib/a`"),
            (ROOT, 0o755, State::Problem, "`chown -h 64990 /var/lib/a && chmod 700 /var/lib/a`"),
            (ROOT, 0o700, State::Problem, "`chown -h 64990 /var/lib/a && chmod 700 /var/lib/a`"),
        ] {
            let facts = Facts { is_file: false, is_folder: true, ..file(owner, mode) };
            let judged = private_folder(path, facts, &Service::alone(SERVICE), 0o700);
            assert_eq!(judged.state, state, "{mode:o}");
            assert!(judged.todo.unwrap_or_default().contains(todo), "{mode:o}");
        }
        let service = Service::alone(ROOT);
        assert_eq!(private_folder(path, file(ROOT, 0o700), &service, 0o700).state, State::Problem);
    }

    #[test]
    fn a_configuration_is_read_by_the_service_and_changed_by_nobody_else() {
        let path = Path::new("/etc/a.toml");
        let let_read = "`chgrp -h 64991 /etc/a.toml && chmod 640 /etc/a.toml`";
        for (owner, mode, holds_secret, state, todo) in [
            (ROOT, 0o644, false, State::Ok, ""),
            (ROOT, 0o644, true, State::Problem, let_read),
            (OF_GROUP, 0o644, true, State::Problem, "`chmod o-rwx /etc/a.toml`"),
            (SERVICE, 0o644, true, State::Problem, "`chmod o-rwx /etc/a.toml`"),
            (SERVICE, 0o600, true, State::Ok, ""),
            (ROOT, 0o664, false, State::Problem, "`chmod go-w /etc/a.toml`"),
            (ROOT, 0o666, true, State::Problem, let_read),
            (ROOT, 0o620, false, State::Problem, let_read),
            (ROOT, 0o600, false, State::Problem, let_read),
            (ROOT, 0o640, true, State::Problem, let_read),
            (OF_GROUP, 0o640, true, State::Ok, ""),
            (SERVICE, 0o000, false, State::Problem, "`chmod 600 /etc/a.toml`"),
        ] {
            let service = Service::alone(SERVICE);
            let judged = configuration(path, file(owner, mode), &service, holds_secret);
            assert_eq!(judged.state, state, "{owner:?} {mode:o}");
            let told = judged.todo.unwrap_or_default();
            assert!(told.contains(todo), "{owner:?} {mode:o}: {told}");
        }
    }

    /// Every command, carried out on a real file, ends in what is well.
    #[test]
    fn after_what_is_told_all_is_well() {
        if !Who::runs_this().is_root() {
            println!("not root: left out");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a $(touch pwn);b.toml");
        let service = Service::alone(SERVICE);
        let judge_secret = |facts| secret(&path, facts, &service, "change it");
        let judge_open = |facts| configuration(&path, facts, &service, false);
        let judge_closed = |facts| configuration(&path, facts, &service, true);
        let judges: [&dyn Fn(Facts) -> Judged; 3] = [&judge_secret, &judge_open, &judge_closed];
        for judge in judges {
            for owner in [ROOT, SERVICE, STRANGER, OF_GROUP] {
                for mode in [0o000, 0o400, 0o440, 0o600, 0o620, 0o640, 0o644, 0o664, 0o666] {
                    fs::remove_file(&path).ok();
                    fs::write(&path, "").unwrap();
                    chown(&path, Some(owner.uid), Some(owner.gid)).unwrap();
                    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
                    let judged = judge(Facts::of(&path).unwrap());
                    if judged.state == State::Ok {
                        assert!(Facts::of(&path).unwrap().grants(&service, READ));
                        continue;
                    }
                    let todo = judged.todo.unwrap();
                    let command = todo.split('`').nth(1).unwrap();
                    let mut shell = Command::new("sh");
                    let done = shell.args(["-c", command]).current_dir(&folder).status().unwrap();
                    assert!(done.success(), "{command}");
                    let after = judge(Facts::of(&path).unwrap());
                    assert_eq!(after.state, State::Ok, "{owner:?} {mode:o}: {command}: {after:?}");
                }
            }
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "a name was carried out");
    }
}
