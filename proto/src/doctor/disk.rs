//! Room on the file system of a folder, and whether it can be written to.
//!
//! Invariant: whoever looks ends, also where a write does not: a disk that is frozen keeps a process for as long, killed
//! or not. So a child writes, which is left alone then, and takes away what it made once it can.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::files::{Facts, SEARCH, WRITE};
use super::service::Service;
use super::shell::quoted;
use super::{Judged, WITHIN, blocking, within};

/// Less is none: the next minutes already need more.
const LEAST_FREE: u64 = 16 << 20;
/// Fewer files that can still be made are too few.
const LEAST_INODES: u64 = 1_000;
/// What is written to see that it can be.
const TRIED_BYTES: usize = 4096;
/// What such a file is called, before the number of its process.
const TRIED: &str = ".doctor-";
/// One that is older was left behind.
const STALE: Duration = Duration::from_secs(3_600);
/// Entries of a folder among which stale ones are looked for.
const MOST_ENTRIES: usize = 10_000;
/// What a child finds its folder by.
const CHILD: &str = "MAILSONDE_DOCTOR_WRITES";

/// What a file system has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes for whoever is not root.
    pub free_bytes: u64,
    /// Of so many.
    pub total_bytes: u64,
    /// Files that can still be made.
    pub free_inodes: u64,
    /// Of so many; 0 where the file system does not count them.
    pub total_inodes: u64,
}

impl Room {
    /// Of the file system on which this stands.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn of(path: &Path) -> io::Result<Self> {
        let found = rustix::fs::statvfs(path)?;
        Ok(Self {
            free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
            total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
            free_inodes: found.f_favail,
            total_inodes: found.f_files,
        })
    }
}

/// The folder at which the file system is mounted on which this stands: whoever looks where room went begins there.
fn mount(path: &Path) -> PathBuf {
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let device = |path: &Path| fs::metadata(path).ok().map(|facts| facts.dev());
    let own = device(&real);
    real.ancestors().take_while(|it| device(it) == own).last().unwrap_or(path).to_owned()
}

/// How to see where the room of a folder went.
fn make_room(folder: &Path) -> String {
    let (folder, mount) = (quoted(folder), quoted(&mount(folder)));
    format!("make room: `df -h {folder}` and `du -xh --max-depth=2 {mount}` show where it went")
}

/// Whether there is room in a folder for what is still to come: `need` bytes by what is configured, `of` what.
pub fn space(room: Room, folder: &Path, need: u64, of: &str) -> Judged {
    let (free, total) = (size(room.free_bytes), size(room.total_bytes));
    let says = format!("{free} free of {total}");
    if room.free_bytes < LEAST_FREE {
        let says = format!("{says}: what comes is not kept any more");
        return Judged::problem(says, make_room(folder));
    }
    if room.free_bytes < need {
        let says = format!("{says}; {of} may take {} more", size(need));
        return Judged::warning(says, format!("make room, or give {of} a smaller limit"));
    }
    Judged::ok(says)
}

/// Whether files can still be made in a folder.
pub fn inodes(room: Room, folder: &Path) -> Judged {
    if room.total_inodes == 0 {
        return Judged::ok("this file system does not run out of them");
    }
    let says = format!("{} free of {}", room.free_inodes, room.total_inodes);
    if room.free_inodes < LEAST_INODES {
        let todo = format!(
            "remove small files: `df -i {}` shows the file system, `du -x --inodes --max-depth=3 {} | sort -n | tail` \
             where they are",
            quoted(folder),
            quoted(&mount(folder))
        );
        return Judged::problem(says, todo);
    }
    Judged::ok(says)
}

/// Who tries to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// This program again, whose `doctor` asks [`be_child`] first.
    Child,
    /// A thread, which is waited for at the end: for tests, whose program is another.
    Thread,
}

/// Tries it, and leaves nothing behind; `None` where that takes too long.
pub async fn try_writing(folder: &Path, writer: Writer) -> Option<io::Result<()>> {
    if writer == Writer::Thread {
        let folder = folder.to_owned();
        return blocking(move || write(&folder)).await;
    }
    let ended = within(child(folder).status()).await?;
    Some(match ended.map(|status| status.code()) {
        Ok(Some(0)) => Ok(()),
        Ok(Some(code)) => Err(io::Error::from_raw_os_error(code)),
        Ok(None) => Err(io::Error::other("the process that tried it was killed")),
        Err(error) => Err(io::Error::other(format!("no process can be made to try it: {error}"))),
    })
}

/// This command again, to write and do nothing else; nothing that ends us ends it, and nobody waits for its words.
fn child(folder: &Path) -> Command {
    // also where the program's file was replaced since
    let mut command = Command::new("/proc/self/exe");
    command.args(std::env::args_os().skip(1)).env(CHILD, folder).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Where this process is only to write: does so, and ends with what the system said.
pub fn be_child() {
    #[allow(clippy::disallowed_methods, reason = "no setting: one process tells another")]
    let told = std::env::var_os(CHILD);
    if let Some(folder) = told {
        std::process::exit(match write(Path::new(&folder)) {
            Ok(()) => 0,
            Err(error) => error.raw_os_error().unwrap_or_default().max(1),
        });
    }
}

fn write(folder: &Path) -> io::Result<()> {
    let is_stale = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        let is_ours = name.as_encoded_bytes().starts_with(OsStr::new(TRIED).as_encoded_bytes());
        let facts = is_ours.then(|| entry.metadata().ok()).flatten();
        let facts = facts.filter(fs::Metadata::is_file);
        let changed = facts.and_then(|facts| facts.modified().ok());
        changed.and_then(|at| at.elapsed().ok()).is_some_and(|age| age > STALE)
    };
    let entries = fs::read_dir(folder).into_iter().flatten();
    for entry in entries.take(MOST_ENTRIES).flatten().filter(is_stale) {
        // whoever may not take it away looks all the same
        fs::remove_file(entry.path()).ok();
    }
    let file = folder.join(format!("{TRIED}{}", std::process::id()));
    let mut opened = OpenOptions::new().write(true).create_new(true).open(&file)?;
    let written = opened.write_all(&[1; TRIED_BYTES]).and_then(|()| opened.sync_all());
    let removed = fs::remove_file(&file);
    written.and(removed)
}

/// Whether the folder can be written to; `barred` where the service could not do what was tried as root.
pub fn writable(folder: &Path, tried: Option<&io::Result<()>>, barred: Option<&Service>) -> Judged {
    match (tried, barred) {
        (None, _) => Judged::warning(
            format!("a small file was not written within {} s", WITHIN.as_secs()),
            "look at the disk (`dmesg | tail`), and whether somebody froze it, as for a snapshot (`fsfreeze`)",
        ),
        (Some(Ok(())), Some(service)) => Judged::unknown(
            format!(
                "this user could write there; {}, as whom the service runs, cannot",
                service.name()
            ),
            "see the line of the data folder",
        ),
        (Some(tried), _) => tried_writing(folder, tried),
    }
}

/// Of a service that may not write to a folder.
pub fn barred<'a>(folder: &Path, service: &'a Service) -> Option<&'a Service> {
    let facts = Facts::of(folder).ok()?;
    let may = facts.has_list || facts.grants(service, WRITE | SEARCH);
    (!may).then_some(service)
}

fn tried_writing(folder: &Path, tried: &io::Result<()>) -> Judged {
    let shown = folder.display();
    match tried {
        Ok(()) => Judged::ok("a file was written, flushed and removed"),
        Err(error) => match error.kind() {
            io::ErrorKind::PermissionDenied => Judged::unknown(
                "this user may not write there",
                "run this as root, or as the service's user",
            ),
            io::ErrorKind::NotFound => {
                Judged::problem(format!("there is no {shown}"), "it is made at the first start")
            }
            io::ErrorKind::ReadOnlyFilesystem => Judged::problem(
                "the file system is read-only",
                format!("look why (`dmesg | tail`), then `mount -o remount,rw` what {shown} is on"),
            ),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Judged::problem(format!("nothing can be written: {error}"), make_room(folder))
            }
            _ => Judged::problem(
                format!("nothing can be written: {error}"),
                "look at the disk: `dmesg | tail`",
            ),
        },
    }
}

/// `1.4 GiB`, for people.
pub fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut tenths = u128::from(bytes) * 10;
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut unit = "";
    for next in units {
        if tenths < 10_240 {
            break;
        }
        tenths = (tenths + 512) / 1024;
        unit = next;
    }
    if tenths >= 1_000 {
        return format!("{} {unit}", (tenths + 5) / 10);
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::super::files::Who;
    use super::*;

    fn room(free_mib: u64, free_inodes: u64, total_inodes: u64) -> Room {
        Room { free_bytes: free_mib << 20, total_bytes: 1 << 30, free_inodes, total_inodes }
    }

    #[test]
    fn room_is_judged_by_what_is_still_to_come() {
        for (free_mib, need_mib, state) in [
            (900, 256, State::Ok),
            (256, 256, State::Ok),
            (255, 256, State::Warning),
            (16, 0, State::Ok),
            (15, 0, State::Problem),
            (0, 256, State::Problem),
        ] {
            let judged = space(room(free_mib, 1, 1), Path::new("/proc/self"), need_mib << 20, "it");
            assert_eq!(judged.state, state, "{free_mib} {need_mib}");
            let todo = judged.todo.unwrap_or_default();
            assert_eq!(todo.is_empty(), state == State::Ok);
            // where that file system is, and no other
            let has_mount = todo.contains("`df -h /proc/self`") && todo.contains("-depth=2 /proc`");
            assert_eq!(has_mount, state == State::Problem, "{todo}");
        }
    }

    #[test]
    fn files_that_can_still_be_made() {
        for (free, total, state) in [
            (0, 0, State::Ok),
            (1_000, 100_000, State::Ok),
            (999, 100_000, State::Problem),
            (0, 100_000, State::Problem),
        ] {
            let judged = inodes(room(1, free, total), Path::new("/"));
            assert_eq!(judged.state, state, "{free} {total}");
        }
    }

    #[tokio::test]
    async fn writing_is_tried_and_nothing_stays() {
        let folder = tempfile::tempdir().unwrap();
        let stale = folder.path().join(".doctor-1");
        for name in [".doctor-1", ".doctor-2", "other"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let old = fs::metadata(&stale).unwrap().modified().unwrap() - 2 * STALE;
        for name in [".doctor-1", "other"] {
            let file = OpenOptions::new().write(true).open(folder.path().join(name)).unwrap();
            file.set_modified(old).unwrap();
        }
        let tried = try_writing(folder.path(), Writer::Thread).await;
        assert_eq!(writable(folder.path(), tried.as_ref(), None).state, State::Ok);
        // another doctor may be at work
        let mut left: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".doctor-2", "other"]);
        // what root can do, the service may not
        let service = Service::alone(Who { uid: 4321, gid: 4321 });
        assert!(barred(folder.path(), &service).is_some());
        assert_eq!(barred(folder.path(), &Service::alone(Who::runs_this())), None);
        let judged = writable(folder.path(), tried.as_ref(), Some(&service));
        assert_eq!(judged.state, State::Unknown);
        let none = folder.path().join("none");
        let tried = try_writing(&none, Writer::Thread).await;
        assert_eq!(writable(&none, tried.as_ref(), None).state, State::Problem);
        assert_eq!(writable(&none, None, None).state, State::Warning);
        for (kind, state, word) in [
            (io::ErrorKind::PermissionDenied, State::Unknown, "as root"),
            (io::ErrorKind::ReadOnlyFilesystem, State::Problem, "remount"),
            (io::ErrorKind::StorageFull, State::Problem, "make room"),
            (io::ErrorKind::Other, State::Problem, "dmesg"),
        ] {
            let judged = writable(folder.path(), Some(&Err(kind.into())), None);
            assert_eq!(judged.state, state, "{kind}");
            assert!(judged.todo.unwrap().contains(word), "{kind}");
        }
    }

    #[test]
    fn sizes_for_people() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (256 << 20, "256 MiB"),
            (1_503_238_553, "1.4 GiB"),
            (u64::MAX, "16777216 TiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
