//! Whose file a policy is.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Others' write permissions.
const OTHERS_WRITE: u32 = 0o022;
/// In a folder with this, nobody replaces another's file.
const STICKY: u32 = 0o1000;

/// Whether only root, or whoever runs this, can have written the file and can put another in its place.
///
/// # Errors
/// What to do where somebody else can.
pub(super) fn is_ours(path: &Path, largest: u64) -> Result<(), String> {
    let facts = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => format!("cannot be read: {error}"),
    })?;
    if !facts.is_file() {
        return Err("is no file".to_owned());
    }
    if facts.len() > largest {
        return Err(format!("is larger than {largest} bytes"));
    }
    let shown = path.display();
    let us = rustix::process::geteuid().as_raw();
    let is_trusted = |uid: u32| uid == 0 || uid == us;
    if !is_trusted(facts.uid()) {
        return Err(format!(
            "belongs to user {}, who could widen it: it must belong to root: `chown root {shown}`",
            facts.uid()
        ));
    }
    if facts.mode() & OTHERS_WRITE != 0 {
        return Err(format!(
            "can be written to by others, who could widen it: `chmod go-w {shown}`"
        ));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let facts =
        std::fs::metadata(folder).map_err(|error| format!("its folder cannot be read: {error}"))?;
    let is_open = facts.mode() & OTHERS_WRITE != 0 && facts.mode() & STICKY == 0;
    if is_open || !is_trusted(facts.uid()) {
        return Err(format!(
            "can be replaced by others: its folder {} must belong to root and not be writable by others",
            folder.display()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_policy_that_others_can_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.toml");
        assert_eq!(is_ours(&file, 100).unwrap_err(), "there is no such file");
        std::fs::write(&file, "").unwrap();
        let set = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        for (mode, folder_mode, words) in [
            (0o644, 0o755, None),
            (0o600, 0o1777, None),
            (0o664, 0o755, Some("chmod go-w")),
            (0o646, 0o755, Some("chmod go-w")),
            (0o644, 0o777, Some("can be replaced by others")),
            (0o644, 0o775, Some("can be replaced by others")),
        ] {
            set(&file, mode);
            set(folder.path(), folder_mode);
            let told = is_ours(&file, 100).err();
            match words {
                None => assert_eq!(told, None, "{mode:o} {folder_mode:o}"),
                Some(words) => assert!(told.unwrap().contains(words), "{mode:o} {folder_mode:o}"),
            }
        }
        set(folder.path(), 0o755);
        std::fs::write(&file, vec![b'#'; 101]).unwrap();
        assert!(is_ours(&file, 100).unwrap_err().contains("larger"));
        assert!(is_ours(folder.path(), 100).is_err());
    }

    #[test]
    fn a_policy_of_somebody_else_is_refused() {
        // Only root can give a file away.
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.toml");
        std::fs::write(&file, "").unwrap();
        std::os::unix::fs::chown(&file, Some(1234), None).unwrap();
        assert!(is_ours(&file, 100).unwrap_err().contains("belongs to user 1234"));
    }
}
