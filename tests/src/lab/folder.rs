//! The lab's temporary folder: configuration, queues, mailboxes, logs. It goes with the lab.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use mailsonde_proto::time::Clock;

use super::LabError;

/// Below this, shared memory is left alone and the folder goes to the ordinary temporary place.
const SHARED_MEMORY_ENOUGH_BYTES: u64 = 1 << 30;

#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes the folder and its rooms. In shared memory where there is enough of it: a lab is judged by
    /// how fast its servers are, and Postfix waits for the disk with every mail.
    pub(super) fn new() -> Result<Self, LabError> {
        let memory = Path::new("/dev/shm");
        let space = rustix::fs::statvfs(memory)
            .map_or(0, |status| status.f_bavail.saturating_mul(status.f_frsize));
        let place = if space >= SHARED_MEMORY_ENOUGH_BYTES {
            memory.to_path_buf()
        } else {
            std::env::temp_dir()
        };
        let made = tempfile::Builder::new().prefix("mailsonde-lab-").tempdir_in(&place);
        // kept: the supervisor removes it too, when this process cannot any more
        let path = made.map_err(LabError::io(format!("make a folder in {}", place.display())))?;
        let folder = Self { path: path.keep() };
        for room in [
            "etc",
            "ns",
            "net",
            "tls",
            "log",
            "mail/good.test",
            "rawlog",
            "postfix",
            "spool",
            "unbound",
            "dkim",
            "knot/db",
            "knot/zones",
            "knot2/db",
            "knot2/zones",
            "dovecot/sieve",
            "dovecot/keys/default/HS256",
        ] {
            let path = folder.join(room);
            fs::create_dir_all(&path).map_err(LabError::io(format!("make {}", path.display())))?;
        }
        folder.permit("", 0o755)?; // the servers' own users walk through it
        folder.permit("mail/good.test", 0o1777)?;
        folder.permit("rawlog", 0o755)?;
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn join(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.path.clone() } else { self.path.join(name) }
    }

    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), LabError> {
        let path = self.join(name);
        fs::write(&path, text).map_err(LabError::io(format!("write {}", path.display())))
    }

    pub(super) fn permit(&self, name: &str, mode: u32) -> Result<(), LabError> {
        let path = self.join(name);
        fs::set_permissions(&path, Permissions::from_mode(mode))
            .map_err(LabError::io(format!("set the mode of {}", path.display())))
    }

    /// Makes a folder that belongs to a user of the system.
    pub(super) fn make_for(&self, name: &str, user: &str) -> Result<(), LabError> {
        let path = self.join(name);
        fs::create_dir_all(&path)
            .and_then(|()| user_id(user))
            .and_then(|id| chown(&path, Some(id), None))
            .map_err(LabError::io(format!("make {} for {user}", path.display())))
    }

    /// Gives a file to a user of the system, and an age.
    pub(super) fn give_to(&self, name: &str, user: &str, age: Duration) -> Result<(), LabError> {
        let path = self.join(name);
        let now = u64::try_from(Clock::system().wall().as_us()).unwrap_or_default();
        let then = SystemTime::UNIX_EPOCH + Duration::from_micros(now).saturating_sub(age);
        fs::File::options()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_modified(then))
            .and_then(|()| user_id(user))
            .and_then(|id| chown(&path, Some(id), None))
            .map_err(LabError::io(format!("give {} to {user}", path.display())))
    }

    /// A template with `{folder}` and the given placeholders filled in.
    pub(super) fn fill(&self, template: &str, values: &[(&str, &str)]) -> String {
        let folder = self.path.display().to_string();
        let mut text = template.replace("{folder}", &folder);
        for (name, value) in values {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // usually gone already: the supervisor has removed it
        drop(fs::remove_dir_all(&self.path));
    }
}

fn user_id(name: &str) -> io::Result<u32> {
    fs::read_to_string("/etc/passwd")?
        .lines()
        .find_map(|line| {
            let mut fields = line.split(':');
            (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok()).flatten()
        })
        .ok_or_else(|| io::Error::other(format!("no user {name} on this system")))
}
