//! Which process has a folder: by the kernel's list of locks, so that nothing has to be locked to find out.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::service::Service;

/// Bytes of a file of the kernel's that are read.
const MOST_BYTES: u64 = 1 << 20;

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
        let inode = fs::metadata(lock).ok()?.ino();
        let pids = pids_in(&read("/proc/locks")?, inode);
        let own = std::env::current_exe().ok();
        let own = own.as_deref().and_then(called);
        pids.into_iter().find_map(|pid| Self::of_process(pid, own.as_deref()))
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

/// Who may hold the whole of a file, in `/proc/locks` (proc_locks(5)). File systems that are laid over others tell another
/// device than the one that is listed, so the inode alone is compared: a file of that number on another disk may be
/// somebody else's.
fn pids_in(locks: &str, inode: u64) -> Vec<i64> {
    let of_line = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        // who waits for a lock does not hold it
        let (kind, _, _) = (words.next()?, words.next()?, words.next()?);
        let (pid, file) = (words.next()?, words.next()?);
        let listed: u64 = file.rsplit(':').next()?.parse().ok()?;
        (kind == "FLOCK" && listed == inode).then(|| pid.parse().ok())?
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
    use super::*;

    #[test]
    fn the_kernels_lists_are_read() {
        let locks = "1: POSIX  ADVISORY  WRITE 900 08:01:77 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 1234 00:2a:77 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 1300 00:2a:77 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE -1 08:01:78 0 EOF\n\
                     4: FLOCK  ADVISORY  WRITE 999 08:02:77 0 EOF\n";
        for (inode, pids) in [(77, vec![1234, 999]), (78, vec![-1]), (79, vec![])] {
            assert_eq!(pids_in(locks, inode), pids, "{inode}");
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
        assert_eq!(holder.service.unwrap().who, super::super::files::Who::runs_this());
        assert!(holder.most_files.unwrap() > 10);
        drop(file);
        assert_eq!(Holder::of(&path), None);
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
