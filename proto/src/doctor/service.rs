//! As whom a service runs. Whoever owns the data folder may be somebody else: root, who made or copied it.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::files::Who;
use super::process::Holder;

/// Bytes of a list of users or groups, or of a unit, that are read.
const MOST_BYTES: u64 = 1 << 20;
/// Files of a unit beside its own that are read.
const MOST_PARTS: usize = 64;

/// A user with all the groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The user.
    pub who: Who,
    /// The user's groups, the first one among them.
    pub groups: Vec<u32>,
}

/// What a package brings.
#[derive(Clone, Copy, Debug)]
pub struct Usual<'a> {
    /// The unit.
    pub unit: &'a str,
    /// The user that it runs as.
    pub user: &'a str,
    /// Whether the folder and the configuration stand where the package has them.
    pub is_usual: bool,
}

impl Service {
    /// Whoever the service of this folder and this configuration runs as: the process that has the folder; else the
    /// unit's user, where it is the unit's folder; else the package's; else the owner of the folder.
    pub fn find(usual: Usual<'_>, at: [&Path; 2], holder: Option<&Holder>) -> Self {
        // root without a unit is somebody who started it by hand, perhaps by mistake
        let running = holder
            .filter(|holder| holder.unit.is_some() || !holder.is_roots())
            .and_then(|holder| holder.service.clone());
        running.unwrap_or_else(|| Machine::this().service(usual, at))
    }

    /// Without other groups than the user's own.
    pub fn alone(who: Who) -> Self {
        Self { who, groups: vec![who.gid] }
    }

    /// Of a process, in `/proc/PID/status` (proc_pid_status(5)).
    pub(super) fn of_process(status: &str) -> Option<Self> {
        let numbers = |name: &str| -> Option<Vec<u32>> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.split_whitespace().filter_map(|number| number.parse().ok()).collect())
        };
        // real, effective, saved, of the file system
        let of = |name: &str| numbers(name)?.get(1).copied();
        let who = Who { uid: of("Uid:")?, gid: of("Gid:")? };
        let mut groups = numbers("Groups:").unwrap_or_default();
        groups.insert(0, who.gid);
        Some(Self { who, groups })
    }

    /// Whether it is root.
    pub const fn is_root(&self) -> bool {
        self.who.is_root()
    }

    /// As people know the user.
    pub fn name(&self) -> String {
        self.who.name()
    }

    /// What stands before a command that is the service's to carry out, where `us` is somebody else.
    pub fn instead_of(&self, us: Who) -> String {
        let name = self.name();
        match name.parse::<u32>() {
            _ if self.who.uid == us.uid => String::new(),
            _ if self.is_root() => "sudo ".to_owned(),
            // one that is on no list
            Ok(uid) => format!("sudo -u '#{uid}' "),
            Err(_not_a_number) => format!("sudo -u {name} "),
        }
    }

    /// As people know the group.
    pub fn group(&self) -> String {
        let groups = read(Path::new("/etc/group"));
        let of_line = |line: &str| {
            let mut fields = line.split(':');
            let (name, gid) = (fields.next()?, fields.nth(1)?);
            let is_it = gid.parse() == Ok(self.who.gid) && !name.is_empty();
            is_it.then(|| name.to_owned())
        };
        groups.lines().find_map(of_line).unwrap_or_else(|| self.who.gid.to_string())
    }
}

/// Where a machine says who is who.
struct Machine {
    etc: PathBuf,
    /// Folders of units, the strongest first.
    units: Vec<PathBuf>,
}

impl Machine {
    fn this() -> Self {
        let units = ["/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"];
        let units = units.map(|folder| Path::new(folder).join("systemd/system"));
        Self { etc: "/etc".into(), units: units.to_vec() }
    }

    fn service(&self, usual: Usual<'_>, at: [&Path; 2]) -> Service {
        let [folder, _file] = at;
        let unit = self.unit(usual.unit);
        let is_units = usual.is_usual
            || unit.as_deref().is_some_and(|unit| at.iter().any(|path| names(unit, path)));
        if is_units {
            let of_unit = unit.and_then(|unit| self.of_unit(&unit));
            if let Some(found) = of_unit.or_else(|| self.named(usual.user)) {
                return found;
            }
        }
        self.with_groups(Who::owns(folder).unwrap_or_else(Who::runs_this))
    }

    /// A unit with what was added to it.
    fn unit(&self, unit: &str) -> Option<String> {
        let file = self.units.iter().map(|folder| folder.join(unit)).find(|path| path.is_file())?;
        let mut text = read(&file);
        let added = format!("{unit}.d");
        // what stands in /etc has the last word
        for folder in self.units.iter().rev() {
            let entries = fs::read_dir(folder.join(&added)).into_iter().flatten().flatten();
            let mut parts: Vec<_> = entries.take(MOST_PARTS).map(|entry| entry.path()).collect();
            parts.retain(|path| path.extension().is_some_and(|it| it == "conf"));
            parts.sort();
            for part in parts {
                text.push('\n');
                text.push_str(&read(&part));
            }
        }
        Some(text)
    }

    /// A unit that names no user runs as root; one whose user is made at its start is known by what it owns.
    fn of_unit(&self, unit: &str) -> Option<Service> {
        let is_made =
            last(unit, "DynamicUser").is_some_and(|it| ["yes", "true", "1", "on"].contains(&it));
        let mut found = match last(unit, "User") {
            None | Some("") if is_made => return None,
            None | Some("") => self.with_groups(Who { uid: 0, gid: 0 }),
            Some(user) => self.named(user)?,
        };
        let group = last(unit, "Group").filter(|group| !group.is_empty());
        if let Some(gid) = group.and_then(|group| self.group(group)) {
            found.who.gid = gid;
            found.groups.insert(0, gid);
        }
        for more in values(unit, "SupplementaryGroups").flat_map(str::split_whitespace) {
            found.groups.extend(self.group(more));
        }
        Some(found)
    }

    /// A user of the list, by name or number.
    fn named(&self, user: &str) -> Option<Service> {
        let users = read(&self.etc.join("passwd"));
        let of_line = |line: &str| {
            let fields: Vec<_> = line.split(':').collect();
            let [name, _, uid, gid, ..] = fields.as_slice() else { return None };
            let is_it = *name == user || *uid == user;
            is_it.then_some(Who { uid: uid.parse().ok()?, gid: gid.parse().ok()? })
        };
        users.lines().find_map(of_line).map(|who| self.with_groups(who))
    }

    fn group(&self, group: &str) -> Option<u32> {
        let groups = read(&self.etc.join("group"));
        let of_line = |line: &str| {
            let mut fields = line.split(':');
            let (name, gid) = (fields.next()?, fields.nth(1)?);
            (name == group || gid == group).then(|| gid.parse().ok())?
        };
        groups.lines().find_map(of_line)
    }

    fn with_groups(&self, who: Who) -> Service {
        let name = super::files::name_in(&read(&self.etc.join("passwd")), who.uid);
        let groups = read(&self.etc.join("group"));
        let of_line = |line: &str| {
            let fields: Vec<_> = line.split(':').collect();
            let [_, _, gid, members] = fields.as_slice() else { return None };
            members
                .split(',')
                .any(|member| member.trim() == name)
                .then(|| gid.parse::<u32>().ok())?
        };
        let mut all = vec![who.gid];
        all.extend(groups.lines().filter_map(of_line));
        Service { who, groups: all }
    }
}

/// What is not there or no text says nothing.
fn read(path: &Path) -> String {
    let mut text = String::new();
    if path.is_file()
        && let Ok(file) = File::open(path)
    {
        file.take(MOST_BYTES).read_to_string(&mut text).ok();
    }
    text
}

/// What a unit says of something, in order.
fn values<'a>(unit: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    let of_line = move |line: &'a str| {
        let (name, value) = line.trim().split_once('=')?;
        (name.trim() == key).then(|| value.trim())
    };
    unit.lines().filter_map(of_line)
}

fn last<'a>(unit: &'a str, key: &'a str) -> Option<&'a str> {
    values(unit, key).last()
}

/// Whether a unit names a path.
fn names(unit: &str, path: &Path) -> bool {
    let is_between = |letter: char| letter.is_whitespace() || "=\"'".contains(letter);
    unit.split(is_between).any(|word| !word.is_empty() && Path::new(word) == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: &str = "a.service";

    fn machine(root: &Path, unit: Option<&str>, added: Option<&str>) -> Machine {
        let units = ["etc/systemd/system", "lib/systemd/system"].map(|name| root.join(name));
        for folder in &units {
            fs::create_dir_all(folder).unwrap();
        }
        let write = |name: &str, text: &str| fs::write(root.join(name), text).unwrap();
        write("etc/passwd", "root:x:0:0::/root:/bin/sh\nagent:x:990:991::/:\nother:x:77:78::/:\n");
        write(
            "etc/group",
            "root:x:0:\nagent:x:991:\nother:x:78:\ncerts:x:500:a,agent\nmore:x:501:\n",
        );
        if let Some(text) = unit {
            write("lib/systemd/system/a.service", text);
        }
        if let Some(text) = added {
            fs::create_dir_all(root.join("etc/systemd/system/a.service.d")).unwrap();
            write("etc/systemd/system/a.service.d/1.conf", text);
        }
        Machine { etc: root.join("etc"), units: units.to_vec() }
    }

    #[test]
    fn the_units_user_comes_before_the_packages_and_the_owner() {
        let agent = || Some((990, vec![991, 500]));
        let unit = "[Service]\nUser=agent\n";
        for (unit, added, is_usual, expected) in [
            (Some(unit), None, true, agent()),
            (Some(unit), Some("[Service]\nUser=other\n"), true, Some((77, vec![78]))),
            (
                Some(unit),
                Some("[Service]\nGroup=more\nSupplementaryGroups=other\n"),
                true,
                Some((990, vec![501, 991, 500, 78])),
            ),
            (Some("[Service]\nExecStart=/bin/a\n"), None, true, Some((0, vec![0]))),
            (None, None, true, agent()),
            // a folder of one's own beside a package
            (Some(unit), None, false, None),
            (
                Some("User=agent\nExecStart=a run --data=/srv/a --config '/c'\n"),
                None,
                false,
                agent(),
            ),
            (Some("DynamicUser=yes\nExecStart=a run --data /srv/ab\n"), None, false, None),
        ] {
            let root = tempfile::tempdir().unwrap();
            let machine = machine(root.path(), unit, added);
            let usual = Usual { unit: UNIT, user: "agent", is_usual };
            let found = machine.service(usual, [Path::new("/srv/a"), Path::new("/none")]);
            // that folder is nobody's
            let own = Who::runs_this();
            let (uid, groups) = expected.unwrap_or_else(|| {
                let groups = machine.with_groups(own).groups;
                (own.uid, groups)
            });
            assert_eq!((found.who.uid, found.groups), (uid, groups), "{unit:?} {added:?}");
        }
    }

    #[test]
    fn a_running_process_is_believed_first() {
        let status = "Name:\ta\nUid:\t1\t990\t3\t4\nGid:\t5\t991\t7\t8\nGroups:\t500 991 \n";
        let running = Service::of_process(status).unwrap();
        let who = Who { uid: 990, gid: 991 };
        assert_eq!(running, Service { who, groups: vec![991, 500, 991] });
        assert_eq!(Service::of_process("Name:\ta\n"), None);
        let holder = Holder { service: Some(running.clone()), ..Holder::default() };
        let usual = Usual { unit: UNIT, user: "root", is_usual: true };
        let at = [Path::new("/"), Path::new("/")];
        assert_eq!(Service::find(usual, at, Some(&holder)), running);
        // root who started it by hand is not, and root by a unit is
        let folder = tempfile::tempdir().unwrap();
        if Who::runs_this().is_root() {
            std::os::unix::fs::chown(folder.path(), Some(4321), None).unwrap();
            let usual = Usual { is_usual: false, ..usual };
            for (unit, uid) in [(None, 4321), (Some(UNIT.to_owned()), 0)] {
                let service = Some(Service::alone(Who { uid: 0, gid: 0 }));
                let holder = Holder { service, unit, ..Holder::default() };
                let at = [folder.path(), Path::new("/none")];
                assert_eq!(Service::find(usual, at, Some(&holder)).who.uid, uid);
            }
        }
    }

    #[test]
    fn a_command_is_carried_out_as_the_service() {
        let who = |uid| Who { uid, gid: uid };
        for (uid, us, expected) in [
            (0, 0, ""),
            (64_990, 64_990, ""),
            (64_990, 0, "sudo -u '#64990' "),
            (0, 64_990, "sudo "),
            (1, 0, "sudo -u daemon "),
        ] {
            assert_eq!(Service::alone(who(uid)).instead_of(who(us)), expected);
        }
    }
}
