//! Which process has a folder: by the kernel's list of locks, so that nothing has to be locked to find out.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Judged;
use super::service::Service;

/// Bytes of a file of the kernel's that are read.
const MOST_BYTES: u64 = 1 << 20;
/// Open files of a process that are looked at: a lock is among the first.
const MOST_OPEN: usize = 10_000;

/// The process that has a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// Its number; `None` where the kernel does not tell, as between containers.
    pub pid: Option<u32>,
    /// The unit of systemd that it belongs to.
    pub unit: Option<String>,
    /// As whom it runs.
    pub service: Option<Service>,
    /// Whether its program was replaced since it began; `None` where that cannot be seen.
    pub is_replaced: Option<bool>,
    /// Files that it may have open at once.
    pub most_files: Option<u64>,
}

impl Holder {
    /// Whoever holds this lock; `None` where nobody does, or the kernel does not tell.
    pub fn of(lock: &Path) -> Option<Self> {
        let facts = fs::metadata(lock).ok()?;
        let file = (facts.dev(), facts.ino());
        let listed = listed_in(&read("/proc/locks")?, file.1);
        let own = std::env::current_exe().ok();
        let own = own.as_deref().and_then(called);
        let of_line = |(pid, device): (i64, u64)| match has_open(pid, file) {
            Some(false) => None,
            // it may be another file of that number
            None if device != file.0 => Some(Self::default()),
            Some(true) | None => Self::of_process(pid, own.as_deref()),
        };
        listed.into_iter().find_map(of_line)
    }

    /// Whether it is root's.
    pub fn is_roots(&self) -> bool {
        self.service.as_ref().is_some_and(Service::is_root)
    }

    /// What there is to say where root started by hand what is another's to run.
    pub fn by_root(&self, service: Option<&Service>) -> Option<Judged> {
        let service = service.filter(|service| self.is_roots() && !service.is_root())?;
        let who = self.pid.map_or_else(|| "it".to_owned(), |pid| format!("process {pid}"));
        let says = format!("{who} runs as root, and the service as {}", service.name());
        let todo = "end it, mend what the line of the files tells, which are root's by now, then start the service";
        Some(Judged::warning(says, todo))
    }

    /// `None` where it is another program.
    fn of_process(pid: i64, own: Option<&str>) -> Option<Self> {
        let pid = u32::try_from(pid).ok().filter(|pid| *pid > 0);
        let Some(number) = pid else { return Some(Self::default()) };
        let proc = |name: &str| format!("/proc/{number}/{name}");
        let program = fs::read_link(proc("exe")).ok();
        if program.as_deref().and_then(called).is_some_and(|called| !is_ours(&called, own)) {
            return None;
        }
        Some(Self {
            pid,
            unit: read(&proc("cgroup")).and_then(|text| unit_in(&text)),
            service: read(&proc("status")).and_then(|text| Service::of_process(&text)),
            is_replaced: program.map(|path| path.to_string_lossy().ends_with(" (deleted)")),
            most_files: read(&proc("limits")).and_then(|text| most_files_in(&text)),
        })
    }
}

fn read(path: &str) -> Option<String> {
    let mut text = String::new();
    fs::File::open(path).ok()?.take(MOST_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

/// What a program's file is called, also where it was replaced since.
fn called(program: &Path) -> Option<String> {
    let name = program.file_name()?.to_string_lossy().into_owned();
    Some(name.strip_suffix(" (deleted)").unwrap_or(&name).to_owned())
}

/// Whether a program is one of Mailsonde, or called as this one is.
fn is_ours(called: &str, own: Option<&str>) -> bool {
    called.starts_with("mailsonde-") || own == Some(called)
}

/// Whether a process has this device's file of this number open; `None` where that cannot be seen.
fn has_open(pid: i64, file: (u64, u64)) -> Option<bool> {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.take(MOST_OPEN).flatten();
    let is_it = |facts: fs::Metadata| (facts.dev(), facts.ino()) == file;
    Some(open.filter_map(|entry| fs::metadata(entry.path()).ok()).any(is_it))
}

/// Who may hold the whole of a file, in `/proc/locks` (proc_locks(5)), each with the device that is listed. File systems
/// that are laid over others tell another device than that, so the inode alone is compared here.
fn listed_in(locks: &str, inode: u64) -> Vec<(i64, u64)> {
    let of_line = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        // who waits for a lock does not hold it
        let (kind, _, _) = (words.next()?, words.next()?, words.next()?);
        let (pid, file) = (words.next()?, words.next()?);
        let mut parts = file.split(':');
        let mut device = || u32::from_str_radix(parts.next()?, 16).ok();
        let device = rustix::fs::makedev(device()?, device()?);
        let listed: u64 = parts.next()?.parse().ok()?;
        let pid = pid.parse().ok()?;
        (kind == "FLOCK" && listed == inode).then_some((pid, device))
    };
    locks.lines().filter_map(of_line).collect()
}

/// The unit in `/proc/PID/cgroup` (cgroups(7)).
fn unit_in(cgroup: &str) -> Option<String> {
    let last = cgroup.lines().filter_map(|line| line.rsplit('/').next());
    last.into_iter().find(|name| name.ends_with(".service")).map(str::to_owned)
}

/// The soft limit in `/proc/PID/limits`.
fn most_files_in(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::files::Who;
    use super::*;

    #[test]
    fn the_kernels_lists_are_read() {
        let locks = "1: POSIX  ADVISORY  WRITE 900 08:01:77 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 1234 00:2a:77 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 1300 00:2a:77 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE -1 08:01:78 0 EOF\n\
                     4: FLOCK  ADVISORY  WRITE 999 08:02:77 0 EOF\n";
        let on = rustix::fs::makedev;
        for (inode, listed) in [
            (77, vec![(1234, on(0, 0x2a)), (999, on(8, 2))]),
            (78, vec![(-1, on(8, 1))]),
            (79, vec![]),
        ] {
            assert_eq!(listed_in(locks, inode), listed, "{inode}");
        }
        let of = |text: &str| unit_in(text);
        let unit = "mailsonde-agent.service";
        assert_eq!(of(&format!("0::/system.slice/{unit}\n")).as_deref(), Some(unit));
        assert_eq!(of("0::/user.slice/session-1.scope\n"), None);
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files   4096   8192   files\n";
        assert_eq!(most_files_in(limits), Some(4096));
        assert_eq!(most_files_in("Max open files  unlimited unlimited files"), Some(u64::MAX));
        assert_eq!(most_files_in(""), None);
    }

    #[test]
    fn whoever_holds_a_lock_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        assert_eq!(Holder::of(&path), None);
        let file = fs::File::create(&path).unwrap();
        assert_eq!(Holder::of(&path), None);
        file.lock().unwrap();
        let holder = Holder::of(&path).unwrap();
        assert_eq!(holder.pid, Some(std::process::id()));
        assert_eq!(holder.is_replaced, Some(false));
        assert_eq!(holder.service.unwrap().who, Who::runs_this());
        // a file of that number elsewhere is another
        let (us, facts) = (i64::from(std::process::id()), file.metadata().unwrap());
        for (dev, ino, expected) in [(0, 0, true), (1, 0, false), (0, 1, false)] {
            let file = (facts.dev() + dev, facts.ino() + ino);
            assert_eq!(has_open(us, file), Some(expected));
        }
        assert_eq!(has_open(-1, (facts.dev(), facts.ino())), None);
        assert!(holder.most_files.unwrap() > 10);
        drop(file);
        assert_eq!(Holder::of(&path), None);
    }

    #[test]
    fn root_who_started_it_by_hand_is_told_of() {
        let by = |uid| Some(Service::alone(Who { uid, gid: uid }));
        for (runs_as, service, is_told) in [
            (by(0), by(990), true),
            (by(0), by(0), false),
            (by(990), by(990), false),
            (by(0), None, false),
            (None, by(990), false),
        ] {
            let holder = Holder { service: runs_as, pid: Some(7), ..Holder::default() };
            let told = holder.by_root(service.as_ref());
            assert_eq!(told.is_some(), is_told, "{holder:?} {service:?}");
        }
    }

    #[test]
    fn another_program_with_a_file_of_that_number_is_not_the_holder() {
        let us = i64::from(std::process::id());
        let program = std::env::current_exe().unwrap();
        let own = called(&program).unwrap();
        assert!(Holder::of_process(us, Some(&own)).is_some());
        assert_eq!(Holder::of_process(us, Some("another")), None);
        // between containers nobody can tell
        assert_eq!(Holder::of_process(-1, Some("another")), Some(Holder::default()));
        for (program, expected) in [
            ("/usr/bin/mailsonde-agent", true),
            ("/usr/bin/mailsonde-agent (deleted)", true),
            ("/opt/own (deleted)", true),
            ("/usr/sbin/cron", false),
        ] {
            let called = called(Path::new(program)).unwrap();
            assert_eq!(is_ours(&called, Some("own")), expected, "{program}");
        }
    }
}
