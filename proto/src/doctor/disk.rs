//! Room on the file system of a folder, and whether it can be written to.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::Judged;
use super::files::{Facts, SEARCH, WRITE};
use super::service::Service;

/// Less is none: the next minutes already need more.
const LEAST_FREE: u64 = 16 << 20;
/// Fewer files that can still be made are too few.
const LEAST_INODES: u64 = 1_000;
/// What is written to see that it can be.
const TRIED_BYTES: usize = 4096;

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

/// Whether there is room for what is still to come: `need` bytes by what is configured, `of` what.
pub fn space(room: Room, need: u64, of: &str) -> Judged {
    let (free, total) = (size(room.free_bytes), size(room.total_bytes));
    let says = format!("{free} free of {total}");
    if room.free_bytes < LEAST_FREE {
        let says = format!("{says}: what comes is not kept any more");
        return Judged::problem(
            says,
            "make room: `df -h` and `du -xh --max-depth=2 /` show where it went",
        );
    }
    if room.free_bytes < need {
        let says = format!("{says}; {of} may take {} more", size(need));
        return Judged::warning(says, format!("make room, or give {of} a smaller limit"));
    }
    Judged::ok(says)
}

/// Whether files can still be made.
pub fn inodes(room: Room) -> Judged {
    if room.total_inodes == 0 {
        return Judged::ok("this file system does not run out of them");
    }
    let says = format!("{} free of {}", room.free_inodes, room.total_inodes);
    if room.free_inodes < LEAST_INODES {
        let todo = "remove small files: `df -i` shows the file system, \
                    `du -x --inodes --max-depth=3 / | sort -n | tail` where they are";
        return Judged::problem(says, todo);
    }
    Judged::ok(says)
}

/// Tries it, and leaves nothing behind.
///
/// # Errors
/// What the system said.
pub fn try_writing(folder: &Path) -> io::Result<()> {
    let file = folder.join(format!(".doctor-{}", std::process::id()));
    let mut opened = OpenOptions::new().write(true).create_new(true).open(&file)?;
    let written = opened.write_all(&[1; TRIED_BYTES]).and_then(|()| opened.sync_all());
    let removed = fs::remove_file(&file);
    written.and(removed)
}

/// Whether the folder can be written to; `barred` where the service could not do what was tried as root.
pub fn writable(folder: &Path, tried: &io::Result<()>, barred: Option<&Service>) -> Judged {
    match (tried, barred) {
        (Ok(()), Some(service)) => Judged::unknown(
            format!(
                "this user could write there; {}, as whom the service runs, cannot",
                service.name()
            ),
            "see the line of the data folder",
        ),
        (tried, _) => tried_writing(folder, tried),
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
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Judged::problem(
                format!("nothing can be written: {error}"),
                "make room: `df -h` shows the file system, `du -xh --max-depth=2 /` where it went",
            ),
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
            let judged = space(room(free_mib, 1, 1), need_mib << 20, "the outbox");
            assert_eq!(judged.state, state, "{free_mib} {need_mib}");
            assert_eq!(judged.todo.is_some(), state != State::Ok);
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
            assert_eq!(inodes(room(1, free, total)).state, state, "{free} {total}");
        }
    }

    #[test]
    fn writing_is_tried_and_nothing_stays() {
        let folder = tempfile::tempdir().unwrap();
        let tried = try_writing(folder.path());
        assert_eq!(writable(folder.path(), &tried, None).state, State::Ok);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        // what root can do, the service may not
        let service = Service::alone(Who { uid: 4321, gid: 4321 });
        assert!(barred(folder.path(), &service).is_some());
        assert_eq!(barred(folder.path(), &Service::alone(Who::runs_this())), None);
        let judged = writable(folder.path(), &tried, Some(&service));
        assert_eq!(judged.state, State::Unknown);
        let none = folder.path().join("none");
        assert_eq!(writable(&none, &try_writing(&none), None).state, State::Problem);
        for (kind, state, word) in [
            (io::ErrorKind::PermissionDenied, State::Unknown, "as root"),
            (io::ErrorKind::ReadOnlyFilesystem, State::Problem, "remount"),
            (io::ErrorKind::StorageFull, State::Problem, "make room"),
            (io::ErrorKind::Other, State::Problem, "dmesg"),
        ] {
            let judged = writable(folder.path(), &Err(kind.into()), None);
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
