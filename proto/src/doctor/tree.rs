//! What a program keeps in its data folder: is it all its owner's, can anybody else write there, how large is it.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::Judged;
use super::files::Who;

/// Entries that are looked at.
const MOST_ENTRIES: u64 = 50_000;
/// Folders within folders that are looked into.
const DEEPEST: usize = 6;
/// Paths that are named one by one.
const NAMED: usize = 3;

/// What stands in parts of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// Entries that were looked at.
    pub entries: u64,
    /// Of ordinary files.
    pub bytes: u64,
    /// When the file was changed last that was changed first.
    pub oldest: Option<SystemTime>,
    /// Those of somebody else than the folder's owner, as many as are named; and how many there are.
    pub strangers: (Vec<PathBuf>, u64),
    /// Those that everybody can write to.
    pub open: (Vec<PathBuf>, u64),
    /// Folders that could not be looked into.
    pub hidden: u64,
    /// Whether there was more than is looked at.
    pub is_cut: bool,
}

impl Tree {
    /// Looks at these parts of a folder, and at all that is in them; links are not followed. What operators put beside
    /// them may be anybody's.
    pub fn of(folder: &Path, parts: &[&str]) -> Self {
        let mut tree = Self::default();
        let Some(owner) = Who::owns(folder) else {
            tree.hidden = 1;
            return tree;
        };
        for part in parts {
            let path = folder.join(part);
            match fs::symlink_metadata(&path) {
                Ok(facts) => tree.look((&path, &facts), owner, 0),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => tree.hidden += 1,
            }
        }
        tree
    }

    fn look(&mut self, (path, facts): (&Path, &Metadata), owner: Who, depth: usize) {
        if self.entries >= MOST_ENTRIES {
            self.is_cut = true;
            return;
        }
        self.entries += 1;
        if facts.uid() != owner.uid {
            note(&mut self.strangers, path);
        }
        // the mode of a link says nothing
        let is_plain = facts.is_file() || facts.is_dir();
        if is_plain && facts.mode() & 0o002 != 0 {
            note(&mut self.open, path);
        }
        if facts.is_file() {
            self.bytes = self.bytes.saturating_add(facts.len());
            let changed = facts.modified().ok();
            self.oldest = [self.oldest, changed].into_iter().flatten().min();
        } else if facts.is_dir() && depth < DEEPEST {
            let Ok(entries) = fs::read_dir(path) else {
                self.hidden += 1;
                return;
            };
            for entry in entries.flatten() {
                // what has gone meanwhile is no news: journals and views come and go
                let Ok(facts) = entry.metadata() else { continue };
                self.look((&entry.path(), &facts), owner, depth + 1);
            }
        }
    }
}

fn note((named, count): &mut (Vec<PathBuf>, u64), path: &Path) {
    *count += 1;
    if named.len() < NAMED {
        named.push(path.to_owned());
    }
}

/// Whether all that is in a folder is its owner's, and nobody else's to change.
pub fn owned(folder: &Path, tree: &Tree, owner: Who) -> Judged {
    let shown = folder.display();
    if tree.open.1 > 0 {
        let says = format!("everybody can change {}", listed(&tree.open));
        return Judged::problem(says, format!("`chmod -R o-w {shown}`"));
    }
    if tree.strangers.1 > 0 {
        let name = owner.name();
        let says = format!("not {name}'s, who owns the folder: {}", listed(&tree.strangers));
        let Who { uid, gid } = owner;
        let todo = format!(
            "stop the service, `chown -R {uid}:{gid} {shown}`, start it; somebody else ran the program there"
        );
        return Judged::problem(says, todo);
    }
    let count = tree.entries;
    if tree.hidden > 0 {
        let says = format!("{count} entries were seen, {} folders could not be", tree.hidden);
        return Judged::unknown(says, "run this as root, or as the service's user");
    }
    let more = if tree.is_cut { " and more, which were not looked at" } else { "" };
    Judged::ok(format!("{count} files and folders{more}, all of {}", owner.name()))
}

fn listed((named, count): &(Vec<PathBuf>, u64)) -> String {
    let names: Vec<_> = named.iter().map(|path| path.display().to_string()).collect();
    let more = count.saturating_sub(u64::try_from(names.len()).unwrap_or(u64::MAX));
    let names = names.join(", ");
    if more > 0 { format!("{names} and {more} more") } else { names }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::super::State;
    use super::*;

    #[test]
    fn a_folder_is_looked_through() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let owner = Who::owns(folder.path()).unwrap();
        fs::create_dir(at("spool")).unwrap();
        fs::write(at("spool/1"), "12345").unwrap();
        fs::write(at("epoch"), "123").unwrap();
        fs::write(at("beside"), "").unwrap();
        fs::set_permissions(at("beside"), fs::Permissions::from_mode(0o666)).unwrap();
        symlink("/nowhere", at("link")).unwrap();
        let parts = ["spool", "epoch", "link", "none"];
        let tree = Tree::of(folder.path(), &parts);
        assert_eq!((tree.entries, tree.bytes, tree.hidden), (4, 8, 0));
        assert_eq!(owned(folder.path(), &tree, owner).state, State::Ok);
        fs::set_permissions(at("epoch"), fs::Permissions::from_mode(0o666)).unwrap();
        let judged = owned(folder.path(), &Tree::of(folder.path(), &parts), owner);
        assert_eq!(judged.state, State::Problem);
        assert!(judged.says.contains("/epoch") && judged.todo.unwrap().contains("chmod -R o-w"));
        fs::set_permissions(at("epoch"), fs::Permissions::from_mode(0o600)).unwrap();
        // Only root can give a file away.
        if rustix::process::geteuid().is_root() {
            chown(at("spool/1"), Some(1234), None).unwrap();
            let judged = owned(folder.path(), &Tree::of(folder.path(), &parts), owner);
            assert_eq!(judged.state, State::Problem);
            assert!(judged.says.contains("spool/1"), "{}", judged.says);
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_not_known() {
        let folder = tempfile::tempdir().unwrap();
        let none = folder.path().join("none");
        let owner = Who::owns(folder.path()).unwrap();
        assert_eq!(owned(&none, &Tree::of(&none, &["a"]), owner).state, State::Unknown);
    }

    #[test]
    fn many_are_counted_and_few_named() {
        let mut noted = (Vec::new(), 0);
        for number in 0..5 {
            note(&mut noted, Path::new(&format!("/{number}")));
        }
        assert_eq!(listed(&noted), "/0, /1, /2 and 2 more");
    }
}
