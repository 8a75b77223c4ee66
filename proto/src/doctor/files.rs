//! Whose files are, and whom the system lets do what with them.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use super::Judged;
use super::service::Service;
use super::shell::quoted;

/// Bytes of the list of users that are read.
const MOST_PASSWD: u64 = 1 << 20;
/// Who else than the owner can write.
const OTHERS_WRITE: u32 = 0o022;
/// Links on the way to one file, as many as the system follows.
const MOST_LINKS: usize = 40;
/// Where the kernel keeps a list of access beside the mode.
const LIST: &str = "system.posix_acl_access";

/// To read, in [`Facts::grants`].
pub const READ: u32 = 4;
/// To write.
pub const WRITE: u32 = 2;
/// To look into a folder.
pub const SEARCH: u32 = 1;

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

    /// Whoever this belongs to.
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
pub(super) fn name_in(passwd: &str, uid: u32) -> String {
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
    /// Whether a list of access says more than the mode.
    pub has_list: bool,
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
            has_list: rustix::fs::getxattr_query(path, LIST).is_ok_and(|length| length > 0),
        })
    }

    /// Whether the mode lets a service do all of this: the owner's part is for the owner alone, the group's for whoever
    /// is in it, and the last for all others.
    pub fn grants(self, service: &Service, what: u32) -> bool {
        let part = if self.owner.uid == service.who.uid {
            self.mode >> 6
        } else if service.groups.contains(&self.owner.gid) {
            self.mode >> 3
        } else {
            self.mode
        };
        service.is_root() || part & what == what
    }
}

/// The first link on the way to a path that somebody else than root and `us`, who look, can have put there: whoever runs
/// as the service could lead root astray by it. The whole way is walked, however the path is written.
pub fn planted_link(path: &Path, us: Who) -> Option<PathBuf> {
    let whole = std::path::absolute(path).ok()?;
    let mut at = PathBuf::from("/");
    let mut left = names(&whole);
    let mut followed = 0;
    while let Some(name) = left.pop() {
        if name == ".." {
            at.pop();
            continue;
        }
        let above = fs::metadata(&at).ok()?;
        at.push(name);
        let facts = fs::symlink_metadata(&at).ok()?;
        if !facts.is_symlink() {
            continue;
        }
        let is_roots = above.uid() == 0 && above.mode() & OTHERS_WRITE == 0;
        let is_trusted = is_roots || facts.uid() == 0 || facts.uid() == us.uid;
        followed += 1;
        if !is_trusted || followed > MOST_LINKS {
            return Some(at);
        }
        let target = fs::read_link(&at).ok()?;
        at.pop();
        // what is absolute begins anew
        at.push(if target.is_absolute() { "/" } else { "" });
        left.extend(names(&target));
    }
    None
}

/// The parts of a path, the last first.
fn names(path: &Path) -> Vec<std::ffi::OsString> {
    let is_name = |it: &Component<'_>| matches!(it, Component::Normal(_) | Component::ParentDir);
    let parts = path.components().rev().filter(is_name);
    parts.map(|part| AsRef::<OsStr>::as_ref(&part).to_owned()).collect()
}

/// A link where the program has a file of its own.
pub fn planted(link: &Path) -> Judged {
    let target = fs::read_link(link).unwrap_or_default();
    let says =
        format!("{} is a link to {}, where a file should be", link.display(), target.display());
    let link = quoted(link);
    let todo = format!(
        "see whose it is (`ls -l {link}`): where nobody of you made it, whoever runs as the service wants root to change \
         what it leads to; take it away (`rm {link}`), and give no other command about it"
    );
    Judged::problem(says, todo)
}

/// Where a path leads in the end, so that no command changes a link instead.
pub fn real(path: &Path) -> PathBuf {
    match fs::symlink_metadata(path) {
        Ok(facts) if facts.is_symlink() => {
            fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
        }
        _ => path.to_owned(),
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::State;
    use super::*;

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

    #[test]
    fn the_mode_is_read_as_the_system_does() {
        let who = Who { uid: 990, gid: 991 };
        let service = Service { who, groups: vec![991, 500] };
        let owned = |uid, gid| Who { uid, gid };
        for (owner, mode, grants) in [
            (owned(990, 991), 0o600, true),
            (owned(990, 991), 0o044, false),
            (owned(0, 991), 0o640, true),
            (owned(0, 500), 0o640, true),
            (owned(0, 0), 0o640, false),
            (owned(0, 991), 0o604, false),
            (owned(0, 0), 0o644, true),
        ] {
            let facts =
                Facts { owner, mode, is_folder: false, is_file: true, size: 1, has_list: false };
            assert_eq!(facts.grants(&service, READ), grants, "{owner:?} {mode:o}");
            assert!(facts.grants(&Service::alone(Who { uid: 0, gid: 0 }), READ));
        }
    }

    #[test]
    fn a_link_is_trusted_where_only_root_can_have_put_it() {
        let us = Who::runs_this();
        let (folder, aside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (data, at) = (folder.path(), |name: &str| folder.path().join(name));
        fs::create_dir(at("within")).unwrap();
        fs::write(at("within/key"), "").unwrap();
        for (target, name) in
            [("/etc/shadow", "token.key"), ("within", "other"), ("/etc/passwd", "roots")]
        {
            symlink(target, at(name)).unwrap();
        }
        let round = aside.path().join("round");
        symlink(data, aside.path().join("data")).unwrap();
        symlink(at("token.key"), aside.path().join("farther")).unwrap();
        symlink("round", &round).unwrap();
        assert_eq!(planted_link(&at("token.key"), us), None);
        assert_eq!(planted_link(&round, us), Some(round));
        // Only root can give a folder or a link away.
        if us.is_root() {
            for path in [data, &at("token.key"), &at("other")] {
                std::os::unix::fs::lchown(path, Some(1234), None).unwrap();
            }
            let planted = Some(at("token.key"));
            for (path, link) in [
                (at("token.key"), planted.clone()),
                // however it is written
                (aside.path().join("data/token.key"), planted.clone()),
                (aside.path().join("data/within/../token.key"), planted.clone()),
                (aside.path().join("farther"), planted),
                (at("other/key"), Some(at("other"))),
                (at("within/key"), None),
                (at("roots"), None),
                (at("none"), None),
                ("/etc/passwd".into(), None),
            ] {
                assert_eq!(planted_link(&path, us), link, "{}", path.display());
            }
        }
        let judged = planted(&at("token.key"));
        assert!(judged.says.contains("/etc/shadow"), "{}", judged.says);
        let todo = judged.todo.unwrap();
        assert!(!todo.contains("chown") && !todo.contains("chmod"), "{todo}");
        assert_eq!(real(&at("other")), fs::canonicalize(at("within")).unwrap());
        assert_eq!(real(&at("within")), at("within"));
    }

    #[test]
    fn a_pipe_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(read(&pipe, 9).unwrap_err().to_string().contains("no file"));
    }
}
