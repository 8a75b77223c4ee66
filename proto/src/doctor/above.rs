//! The folders above a file: whoever must read it has to be let through each, and nobody else may put another there.

use std::fs;
use std::path::Path;

use super::files::{Facts, SEARCH};
use super::permits::CREDENTIALS;
use super::service::Service;
use super::shell::quoted;
use super::{Judged, State};

const EVERYBODY_WRITES: u32 = 0o002;
/// Only who made something there takes it away.
const STICKY: u32 = 0o1000;

/// What was judged of a file by itself; where that is well, what there is to say of the folders above it. Not of what stands
/// in the data folder, which a service may have mounted elsewhere, as containers do.
pub fn reached(path: &Path, data: &Path, service: &Service, judged: Judged) -> Judged {
    if path.starts_with(data) || path.starts_with(CREDENTIALS) || judged.state != State::Ok {
        return judged;
    }
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let bad = real.ancestors().skip(1).find_map(|folder| bad(&real, folder, service));
    bad.unwrap_or(judged)
}

fn bad(path: &Path, folder: &Path, service: &Service) -> Option<Judged> {
    let facts = Facts::of(folder).ok()?;
    let (shown, mode) = (folder.display(), facts.mode & 0o7777);
    if mode & EVERYBODY_WRITES != 0 && mode & STICKY == 0 {
        let says = format!(
            "{shown} has mode {mode:o}: everybody can put another {} there",
            path.display()
        );
        return Some(Judged::problem(says, format!("`chmod o-w {}`", quoted(folder))));
    }
    if facts.has_list || facts.grants(service, SEARCH) {
        return None;
    }
    let name = service.name();
    let says = format!(
        "{shown} has mode {mode:o} and belongs to {}: {name}, as whom the service runs, cannot reach {}",
        facts.owner.name(),
        path.display()
    );
    let todo = format!(
        "put it where the service may look, or let that through: `setfacl -m u:{name}:x {}`",
        quoted(folder)
    );
    Some(Judged::problem(says, todo))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::files::Who;
    use super::*;

    #[test]
    fn a_file_is_as_well_as_the_folders_above_it() {
        let folder = tempfile::tempdir().unwrap();
        let (within, data) = (folder.path().join("within"), folder.path().join("data"));
        let path = within.join("password");
        fs::create_dir(&within).unwrap();
        fs::write(&path, "").unwrap();
        let (own, other) = (Who::runs_this(), Who { uid: 64_990, gid: 64_990 });
        let set = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        set(folder.path(), 0o755);
        for (mode, who, data, state, todo) in [
            (0o700, own, &data, State::Ok, ""),
            (0o755, other, &data, State::Ok, ""),
            (0o711, other, &data, State::Ok, ""),
            (0o700, other, &data, State::Problem, "setfacl -m u:64990:x"),
            (0o777, own, &data, State::Problem, "chmod o-w"),
            (0o1777, own, &data, State::Ok, ""),
            // it may be mounted elsewhere
            (0o700, other, &within, State::Ok, ""),
        ] {
            set(&within, mode);
            let judged = reached(&path, data, &Service::alone(who), Judged::ok("x"));
            assert_eq!(judged.state, state, "{mode:o} {who:?}");
            let todo = if todo.is_empty() {
                String::new()
            } else {
                format!("{todo} {}`", within.display())
            };
            assert!(judged.todo.unwrap_or_default().ends_with(&todo), "{mode:o}");
        }
        set(&within, 0o777);
        let judged = reached(&path, &data, &Service::alone(own), Judged::warning("y", "z"));
        assert_eq!(judged.says, "y", "one thing after the other");
    }
}
