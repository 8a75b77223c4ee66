//! A file that is replaced in one step, as both ends keep keys, certificates and configurations.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// For its owner alone: keys, and what holds them.
pub const PRIVATE: u32 = 0o600;
/// For everybody to read: certificates, configurations without secrets.
pub const PUBLIC: u32 = 0o644;

/// Writes a file in one step: when this returns it is there whole, on disk, and with these permissions. No reader
/// ever sees half of it.
///
/// # Errors
/// When the system refuses; a file that was there before is untouched then.
pub fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let making = path.with_extension("making");
    let written = write_whole(&making, content, mode).and_then(|()| fs::rename(&making, path));
    if let Err(error) = written {
        // Best effort: what matters is the error that is being told.
        drop(fs::remove_file(&making));
        return Err(error);
    }
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn write_whole(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // New, so that it never has anybody else's permissions, not even for a moment.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Whether something stands there that is neither a file nor a folder, such as a pipe, which would be waited for.
pub fn is_odd(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|facts| !facts.is_file() && !facts.is_dir())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_with_its_permissions() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("ca.key");
        replace(&path, b"old", PUBLIC).unwrap();
        replace(&path, b"new", PRIVATE).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, PRIVATE);
        assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 1);
        let nowhere = temporary.path().join("none/ca.key");
        assert!(replace(&nowhere, b"new", PRIVATE).is_err());
    }

    #[test]
    fn what_would_be_waited_for_is_odd() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(!is_odd(&pipe) && !is_odd(folder.path()));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(is_odd(&pipe) && is_odd(Path::new("/dev/null")));
    }
}
