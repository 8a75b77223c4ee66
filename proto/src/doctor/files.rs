//! Whose files are, and who can read and change them.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Judged;

/// Bytes of the list of users that are read.
const MOST_PASSWD: u64 = 1 << 20;
const OTHERS_READ: u32 = 0o004;
const OTHERS_WRITE: u32 = 0o002;
const GROUP_READ: u32 = 0o040;
const GROUP_WRITE: u32 = 0o020;

/// A user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    /// The user's number.
    pub uid: u32,
    /// Of the group that comes with it.
    pub gid: u32,
}

impl Who {
    /// Whoever runs this.
    pub fn runs_this() -> Self {
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        Self { uid: uid.as_raw(), gid: gid.as_raw() }
    }

    /// Whoever this belongs to: the owner of a data folder is who the service runs as.
    pub fn owns(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|facts| Self { uid: facts.uid(), gid: facts.gid() })
    }

    /// Whether this user may look at everything in a folder: root, or its owner.
    pub fn may_look_into(self, folder: &Path) -> bool {
        match fs::metadata(folder) {
            Ok(facts) => self.is_root() || facts.uid() == self.uid,
            Err(error) => error.kind() != io::ErrorKind::PermissionDenied,
        }
    }

    /// Root may do anything.
    pub const fn is_root(self) -> bool {
        self.uid == 0
    }

    /// As people know it, by the list of users of this machine.
    pub fn name(self) -> String {
        let mut text = String::new();
        if let Ok(file) = File::open("/etc/passwd") {
            // what is not text has no names in it that could be shown
            file.take(MOST_PASSWD).read_to_string(&mut text).ok();
        }
        name_in(&text, self.uid)
    }
}

/// The name of a user in `/etc/passwd`; the number where it has none.
fn name_in(passwd: &str, uid: u32) -> String {
    let of_line = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        let listed: u32 = fields.nth(1)?.parse().ok()?;
        (listed == uid && !name.is_empty()).then_some(name)
    };
    passwd.lines().find_map(of_line).unwrap_or_else(|| uid.to_string())
}

/// What the system says of a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Whose it is.
    pub owner: Who,
    /// Its permissions.
    pub mode: u32,
    /// Whether it is a folder.
    pub is_folder: bool,
    /// Whether it is an ordinary file.
    pub is_file: bool,
    /// In bytes.
    pub size: u64,
}

impl Facts {
    /// Of what stands there; where that is a link, of what it leads to.
    ///
    /// # Errors
    /// What the system says.
    pub fn of(path: &Path) -> io::Result<Self> {
        let facts = fs::metadata(path)?;
        Ok(Self {
            owner: Who { uid: facts.uid(), gid: facts.gid() },
            mode: facts.mode() & 0o7777,
            is_folder: facts.is_dir(),
            is_file: facts.is_file(),
            size: facts.len(),
        })
    }

    /// Whether a user can read it, as far as its permissions say: other groups of the user and lists of access are
    /// given the benefit of the doubt.
    fn may_be_read_by(self, who: Who) -> bool {
        who.is_root()
            || (self.owner.uid == who.uid && self.mode & 0o400 != 0)
            || self.mode & (GROUP_READ | OTHERS_READ) != 0
    }
}

/// The whole text of an ordinary file that is not larger than this.
///
/// # Errors
/// What the system says; or that it is no file, or too large.
pub fn read(path: &Path, most: u64) -> io::Result<String> {
    let facts = Facts::of(path)?;
    if !facts.is_file {
        return Err(io::Error::other("it is no file"));
    }
    if facts.size > most {
        return Err(io::Error::other(format!("it is larger than {most} bytes")));
    }
    let mut text = String::new();
    File::open(path)?.take(most).read_to_string(&mut text)?;
    Ok(text)
}

/// What cannot be looked at: because it is not there, or because of who looks.
pub fn not_seen(path: &Path, error: &io::Error, todo: &str) -> Judged {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => Judged::problem(format!("there is no {shown}"), todo),
        io::ErrorKind::PermissionDenied => Judged::unknown(
            format!("this user may not look at {shown}"),
            "run this as root, or as the service's user",
        ),
        _ => Judged::problem(
            format!("cannot look at {shown}: {error}"),
            "look at the disk: `dmesg | tail`",
        ),
    }
}

/// A file that its owner alone is to read and to write: a password, a key. `service` is who must be able to read it.
pub fn secret(path: &Path, facts: Facts, service: Who) -> Judged {
    let (shown, mode) = (path.display(), facts.mode & 0o777);
    if !facts.is_file {
        return Judged::problem(format!("{shown} is no file"), "write the secret into a file");
    }
    let shut = format!("`chmod 600 {shown}`");
    if mode & (OTHERS_WRITE | GROUP_WRITE) != 0 {
        let says = format!("{shown} has mode {mode:o}: others can change it");
        return Judged::problem(
            says,
            format!("shut it: {shut}; then see that what is in it is yours"),
        );
    }
    if mode & OTHERS_READ != 0 {
        let says = format!("{shown} has mode {mode:o}: everybody on this machine can read it");
        return Judged::problem(says, format!("shut it: {shut}; then change the secret"));
    }
    if !facts.may_be_read_by(service) {
        let name = service.name();
        let says = format!(
            "{shown} belongs to {}, and {name}, as whom the service runs, cannot read it",
            facts.owner.name()
        );
        return Judged::problem(says, format!("`chown {name} {shown}`"));
    }
    // root's own, for the service's group to read, is as good
    let is_for_service = facts.owner.uid == 0 && facts.owner.gid == service.gid;
    if mode & GROUP_READ != 0 && !is_for_service {
        let says = format!("{shown} has mode {mode:o}: its whole group can read it");
        return Judged::warning(says, format!("shut it: {shut}"));
    }
    if facts.owner.uid != 0 && facts.owner.uid != service.uid && !service.is_root() {
        let says = format!("{shown} belongs to {}, who can change it", facts.owner.name());
        return Judged::warning(says, format!("`chown {} {shown}`", service.name()));
    }
    Judged::ok(format!("{shown}, mode {mode:o}, of {}", facts.owner.name()))
}

/// A folder that holds secrets, and is for its owner; `mode` is the one to give it.
pub fn private_folder(path: &Path, facts: Facts, good: u32) -> Judged {
    let (shown, mode) = (path.display(), facts.mode & 0o777);
    let shut = format!("`chmod {good:o} {shown}`");
    if !facts.is_folder {
        return Judged::problem(format!("{shown} is no folder"), "name the data folder by --data");
    }
    if mode & (OTHERS_WRITE | GROUP_WRITE) != 0 && facts.mode & 0o1000 == 0 {
        let says =
            format!("{shown} has mode {mode:o}: others can put files there and take them away");
        return Judged::problem(says, format!("shut it: {shut}"));
    }
    if mode & 0o007 != 0 {
        let says = format!("{shown} has mode {mode:o}: everybody can look into it");
        return Judged::warning(says, format!("shut it: {shut}"));
    }
    Judged::ok(format!("{shown}, mode {mode:o}, of {}", facts.owner.name()))
}

/// A configuration, which everybody may read unless it `holds_secret`, and which `service` must be able to read.
pub fn configuration(path: &Path, facts: Facts, service: Who, holds_secret: bool) -> Judged {
    let (shown, mode) = (path.display(), facts.mode & 0o777);
    if mode & (OTHERS_WRITE | GROUP_WRITE) != 0 {
        let says = format!("{shown} has mode {mode:o}: others can change what the service does");
        return Judged::problem(says, format!("`chmod go-w {shown}`"));
    }
    if holds_secret && mode & OTHERS_READ != 0 {
        let says = format!("{shown} has mode {mode:o} and a secret in it: everybody can read that");
        let todo = format!(
            "`chmod o-rwx {shown}`, or better put the secret into a file of its own; then change it"
        );
        return Judged::problem(says, todo);
    }
    if !facts.may_be_read_by(service) {
        let name = service.name();
        let says = format!("{name}, as whom the service runs, cannot read {shown}");
        return Judged::problem(
            says,
            format!("`chgrp {} {shown} && chmod 640 {shown}`", service.gid),
        );
    }
    Judged::ok(format!("{shown}, mode {mode:o}, of {}", facts.owner.name()))
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    const ROOT: Who = Who { uid: 0, gid: 0 };
    const SERVICE: Who = Who { uid: 990, gid: 991 };
    const STRANGER: Who = Who { uid: 1000, gid: 1000 };

    fn file(owner: Who, mode: u32) -> Facts {
        Facts { owner, mode, is_folder: false, is_file: true, size: 1 }
    }

    #[test]
    fn a_secret_is_its_owners_alone() {
        let path = Path::new("/etc/a/password");
        let of_group = Who { uid: 0, gid: SERVICE.gid };
        for (owner, mode, service, state, todo) in [
            (SERVICE, 0o600, SERVICE, State::Ok, ""),
            (SERVICE, 0o400, SERVICE, State::Ok, ""),
            (ROOT, 0o600, ROOT, State::Ok, ""),
            (of_group, 0o640, SERVICE, State::Ok, ""),
            (SERVICE, 0o644, SERVICE, State::Problem, "`chmod 600 /etc/a/password`"),
            (ROOT, 0o644, ROOT, State::Problem, "`chmod 600 /etc/a/password`"),
            (SERVICE, 0o660, SERVICE, State::Problem, "`chmod 600 /etc/a/password`"),
            (SERVICE, 0o602, SERVICE, State::Problem, "`chmod 600 /etc/a/password`"),
            (SERVICE, 0o640, SERVICE, State::Warning, "`chmod 600 /etc/a/password`"),
            (ROOT, 0o600, SERVICE, State::Problem, "`chown 990 /etc/a/password`"),
            (STRANGER, 0o600, SERVICE, State::Problem, "`chown 990 /etc/a/password`"),
            (STRANGER, 0o600, ROOT, State::Ok, ""),
        ] {
            let judged = secret(path, file(owner, mode), service);
            assert_eq!(judged.state, state, "{owner:?} {mode:o} {service:?}");
            assert!(judged.todo.unwrap_or_default().contains(todo), "{owner:?} {mode:o}");
        }
        let folder = Facts { is_file: false, is_folder: true, ..file(ROOT, 0o700) };
        assert_eq!(secret(path, folder, ROOT).state, State::Problem);
    }

    #[test]
    fn a_data_folder_is_shut() {
        let path = Path::new("/var/lib/a");
        for (mode, state) in [
            (0o700, State::Ok),
            (0o750, State::Ok),
            (0o755, State::Warning),
            (0o711, State::Warning),
            (0o770, State::Problem),
            (0o777, State::Problem),
            (0o1777, State::Warning),
        ] {
            let facts = Facts { is_file: false, is_folder: true, ..file(SERVICE, mode) };
            let judged = private_folder(path, facts, 0o700);
            assert_eq!(judged.state, state, "{mode:o}");
            assert_eq!(judged.todo.is_some(), state != State::Ok);
        }
        assert_eq!(private_folder(path, file(ROOT, 0o700), 0o700).state, State::Problem);
    }

    #[test]
    fn a_configuration_is_read_by_the_service_and_changed_by_nobody_else() {
        let path = Path::new("/etc/a.toml");
        for (owner, mode, holds_secret, state, todo) in [
            (ROOT, 0o644, false, State::Ok, ""),
            (ROOT, 0o644, true, State::Problem, "chmod o-rwx"),
            (SERVICE, 0o600, true, State::Ok, ""),
            (ROOT, 0o664, false, State::Problem, "chmod go-w"),
            (ROOT, 0o600, false, State::Problem, "chgrp 991"),
            (ROOT, 0o640, true, State::Ok, ""),
        ] {
            let judged = configuration(path, file(owner, mode), SERVICE, holds_secret);
            assert_eq!(judged.state, state, "{owner:?} {mode:o}");
            assert!(judged.todo.unwrap_or_default().contains(todo), "{owner:?} {mode:o}");
        }
    }

    #[test]
    fn users_have_names() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbad\n:x:5:5::/:\nmail-agent:x:990:991::/:\n";
        for (uid, name) in [(0, "root"), (990, "mail-agent"), (5, "5"), (1234, "1234")] {
            assert_eq!(name_in(passwd, uid), name);
        }
    }

    #[test]
    fn only_ordinary_files_of_some_size_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        assert_eq!(read(&path, 9).unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::write(&path, "123456789").unwrap();
        assert_eq!(read(&path, 9).unwrap(), "123456789");
        assert!(read(&path, 8).unwrap_err().to_string().contains("larger"));
        assert!(read(Path::new("/dev/zero"), 8).unwrap_err().to_string().contains("no file"));
        assert!(read(folder.path(), 8).is_err());
    }

    #[test]
    fn what_is_not_there_is_another_thing_than_what_is_not_shown() {
        let path = Path::new("/a");
        for (kind, state) in [
            (io::ErrorKind::NotFound, State::Problem),
            (io::ErrorKind::PermissionDenied, State::Unknown),
            (io::ErrorKind::Other, State::Problem),
        ] {
            assert_eq!(not_seen(path, &kind.into(), "make it").state, state, "{kind}");
        }
    }
}
