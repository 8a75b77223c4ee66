//! What a program keeps in its data folder: is it all the service's, can anybody else write there, how large is it.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::Judged;
use super::files::Who;
use super::service::Service;
use super::shell::all_quoted;

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
    /// Those that are not the service's.
    pub strangers: Noted,
    /// Those that everybody can write to.
    pub open: Noted,
    /// Those that their own owner may not use.
    pub shut: Noted,
    /// Those that are neither file nor folder nor link: whoever opens a pipe waits.
    pub odd: Noted,
    /// Parts that are links to where nothing can be kept.
    pub links: Noted,
    /// Folders that could not be looked into.
    pub hidden: u64,
    /// Whether there was more than is looked at.
    pub is_cut: bool,
}

/// Paths of a sort.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// As many as are named.
    named: Vec<PathBuf>,
    /// All.
    count: u64,
    /// The parts in which they are.
    parts: BTreeSet<PathBuf>,
    /// Parts that are links to other folders, in which they are: nobody is to carry out anything there unseen.
    behind: BTreeSet<PathBuf>,
}

/// A part that is looked through.
#[derive(Clone, Copy)]
struct Part<'a> {
    path: &'a Path,
    is_link: bool,
    owner: Who,
}

impl Tree {
    /// Looks at these parts of a folder, and at all that is in them. A part may be a link to a folder on a larger disk;
    /// no other link is followed. What operators put beside them may be anybody's.
    pub fn of(folder: &Path, parts: &[&str], owner: Who) -> Self {
        let mut tree = Self::default();
        if fs::metadata(folder).is_err() {
            tree.hidden = 1;
            return tree;
        }
        for part in parts {
            let path = folder.join(part);
            match fs::symlink_metadata(&path) {
                Ok(facts) => {
                    let part = Part { path: &path, is_link: facts.is_symlink(), owner };
                    let target = fs::metadata(&path).ok().filter(Metadata::is_dir);
                    match (part.is_link, target) {
                        (false, _) => tree.look((&path, &facts), part, 0),
                        (true, Some(facts)) => tree.look((&path, &facts), part, 0),
                        (true, None) => tree.links.note(&path, part),
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => tree.hidden += 1,
            }
        }
        tree
    }

    fn look(&mut self, (path, facts): (&Path, &Metadata), part: Part<'_>, depth: usize) {
        if self.entries >= MOST_ENTRIES {
            self.is_cut = true;
            return;
        }
        self.entries += 1;
        if facts.uid() != part.owner.uid {
            self.strangers.note(path, part);
        }
        // the mode of a link says nothing
        let is_plain = facts.is_file() || facts.is_dir();
        if is_plain && facts.mode() & 0o002 != 0 {
            self.open.note(path, part);
        }
        let least = if facts.is_dir() { 0o700 } else { 0o400 };
        if is_plain && facts.mode() & least != least && !part.owner.is_root() {
            self.shut.note(path, part);
        }
        if !is_plain && !facts.is_symlink() {
            self.odd.note(path, part);
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
                self.look((&entry.path(), &facts), part, depth + 1);
            }
        }
    }
}

impl Noted {
    fn note(&mut self, path: &Path, part: Part<'_>) {
        self.count += 1;
        if self.named.len() < NAMED {
            self.named.push(path.to_owned());
        }
        let parts = if part.is_link { &mut self.behind } else { &mut self.parts };
        parts.insert(part.path.to_owned());
    }

    /// A command about their parts, which leaves alone whatever stands beside; where they are behind a link, whoever
    /// made that is to say.
    fn mended(&self, command: &str) -> String {
        let quoted = |parts: &BTreeSet<PathBuf>| all_quoted(&parts.iter().collect::<Vec<_>>());
        let mut told = Vec::new();
        if !self.parts.is_empty() {
            told.push(format!("`{command} {}`", quoted(&self.parts)));
        }
        if !self.behind.is_empty() {
            let links = quoted(&self.behind);
            told.push(format!(
                "see where the links lead and who made them (`ls -l {links}`), and mend it there"
            ));
        }
        told.join("; ")
    }
}

/// Whether all that a program keeps in a folder is the service's, and nobody else's to change.
pub fn owned(tree: &Tree, service: &Service) -> Judged {
    let name = service.name();
    if tree.links.count > 0 {
        let says =
            format!("links, where the program has files of its own: {}", listed(&tree.links));
        let todo = format!(
            "see whose they are and where they lead (`ls -l {links}`), and take away what none of you made: `rm {links}`",
            links = all_quoted(&tree.links.named)
        );
        return Judged::problem(says, todo);
    }
    if tree.odd.count > 0 {
        let says = format!("neither files nor folders: {}", listed(&tree.odd));
        let todo = format!(
            "see whose they are (`ls -l {odd}`), and take them away: `rm {odd}`",
            odd = all_quoted(&tree.odd.named)
        );
        return Judged::problem(says, todo);
    }
    if tree.open.count > 0 {
        let says = format!("everybody can change {}", listed(&tree.open));
        return Judged::problem(says, tree.open.mended("chmod -R o-w"));
    }
    if tree.strangers.count > 0 {
        let says = format!("not {name}'s, as whom the service runs: {}", listed(&tree.strangers));
        let Who { uid, gid } = service.who;
        let todo = format!(
            "stop the service, {}, start it; somebody else ran the program there, or copied it",
            tree.strangers.mended(&format!("chown -hR {uid}:{gid}"))
        );
        return Judged::problem(says, todo);
    }
    if tree.shut.count > 0 {
        let says = format!("{name} may not use what is {name}'s: {}", listed(&tree.shut));
        return Judged::problem(says, tree.shut.mended("chmod -R u+rwX"));
    }
    let count = tree.entries;
    if tree.hidden > 0 {
        let says = format!("{count} entries were seen, {} folders could not be", tree.hidden);
        return Judged::unknown(says, "run this as root, or as the service's user");
    }
    let more = if tree.is_cut { " and more, which were not looked at" } else { "" };
    Judged::ok(format!("{count} files and folders{more}, all of {name}"))
}

fn listed(noted: &Noted) -> String {
    let names: Vec<_> = noted.named.iter().map(|path| path.display().to_string()).collect();
    let more = noted.count.saturating_sub(u64::try_from(names.len()).unwrap_or(u64::MAX));
    let names = names.join(", ");
    if more > 0 { format!("{names} and {more} more") } else { names }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::super::State;
    use super::*;

    fn ours() -> Service {
        Service::alone(Who::runs_this())
    }

    #[test]
    fn a_folder_is_looked_through() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("spool")).unwrap();
        fs::write(at("spool/1"), "12345").unwrap();
        fs::write(at("epoch"), "123").unwrap();
        fs::write(at("beside"), "").unwrap();
        fs::set_permissions(at("beside"), fs::Permissions::from_mode(0o666)).unwrap();
        let parts = ["spool", "epoch", "link", "none"];
        let tree = || Tree::of(folder.path(), &parts, Who::runs_this());
        assert_eq!((tree().entries, tree().bytes, tree().hidden), (3, 8, 0));
        assert_eq!(owned(&tree(), &ours()).state, State::Ok);
        fs::set_permissions(at("epoch"), fs::Permissions::from_mode(0o666)).unwrap();
        let judged = owned(&tree(), &ours());
        assert_eq!(judged.state, State::Problem);
        let command = format!("`chmod -R o-w {}`", at("epoch").display());
        assert!(judged.says.contains("/epoch") && judged.todo.unwrap().contains(&command));
        fs::set_permissions(at("epoch"), fs::Permissions::from_mode(0o600)).unwrap();
        // Only root can give a file away.
        if rustix::process::geteuid().is_root() {
            chown(at("spool/1"), Some(1234), None).unwrap();
            let judged = owned(&tree(), &ours());
            assert_eq!(judged.state, State::Problem);
            assert!(judged.says.contains("spool/1"), "{}", judged.says);
            let todo = judged.todo.unwrap();
            assert!(todo.contains(&format!("`chown -hR 0:0 {}`", at("spool").display())), "{todo}");
        }
        // whoever copied all of it as root has not made it the service's
        let service = Service::alone(Who { uid: 4321, gid: 4321 });
        let judged = owned(&Tree::of(folder.path(), &parts, service.who), &service);
        assert_eq!(judged.state, State::Problem);
        let whole = format!(" {}`", folder.path().display());
        assert!(!judged.todo.unwrap().contains(&whole), "what stands beside is not given away");
    }

    #[test]
    fn a_part_on_a_larger_disk_is_followed_and_no_other_link() {
        let (folder, larger) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let at = |name: &str| folder.path().join(name);
        fs::write(larger.path().join("1"), "12345").unwrap();
        symlink(larger.path(), larger.path().join("round")).unwrap();
        symlink(larger.path(), at("spool")).unwrap();
        let tree = || Tree::of(folder.path(), &["spool", "token.key"], Who::runs_this());
        assert_eq!((tree().entries, tree().bytes), (3, 5));
        assert_eq!(owned(&tree(), &ours()).state, State::Ok);
        // what is not the service's there is told, and no command leads through the link
        let service = Service::alone(Who { uid: 4321, gid: 4321 });
        let judged = owned(&Tree::of(folder.path(), &["spool"], service.who), &service);
        assert_eq!(judged.state, State::Problem);
        let todo = judged.todo.unwrap();
        assert!(todo.contains("ls -l") && !todo.contains("chown"), "{todo}");
        symlink("/etc/passwd", at("token.key")).unwrap();
        let judged = owned(&tree(), &ours());
        assert_eq!(judged.state, State::Problem);
        let todo = judged.todo.unwrap();
        assert!(todo.contains(&format!("`rm {}`", at("token.key").display())), "{todo}");
    }

    #[test]
    fn what_cannot_be_used_is_seen() {
        if !Who::runs_this().is_root() {
            println!("not root: left out");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let (spool, lock) = (folder.path().join("spool"), folder.path().join("lock"));
        let service = Service::alone(Who { uid: 4321, gid: 4321 });
        let judged = || owned(&Tree::of(folder.path(), &["spool", "lock"], service.who), &service);
        fs::create_dir(&spool).unwrap();
        fs::write(spool.join("1"), "").unwrap();
        for path in [&spool, &spool.join("1")] {
            chown(path, Some(4321), Some(4321)).unwrap();
        }
        for (path, mode, state) in [
            (&spool, 0o700, State::Ok),
            (&spool, 0o500, State::Problem),
            (&spool.join("1"), 0o000, State::Problem),
            (&spool.join("1"), 0o400, State::Ok),
        ] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
            let found = judged();
            assert_eq!(found.state, state, "{} {mode:o}", path.display());
            let todo = found.todo.unwrap_or_default();
            assert!(todo.is_empty() || todo == format!("`chmod -R u+rwX {}`", spool.display()));
            fs::set_permissions(&spool, fs::Permissions::from_mode(0o700)).unwrap();
        }
        assert!(std::process::Command::new("mkfifo").arg(&lock).status().unwrap().success());
        chown(&lock, Some(4321), Some(4321)).unwrap();
        let todo = judged().todo.unwrap();
        assert!(todo.ends_with(&format!("`rm {}`", lock.display())), "{todo}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_not_known() {
        let folder = tempfile::tempdir().unwrap();
        let none = folder.path().join("none");
        let tree = Tree::of(&none, &["a"], Who::runs_this());
        assert_eq!(owned(&tree, &ours()).state, State::Unknown);
    }

    #[test]
    fn many_are_counted_and_few_named() {
        let mut noted = Noted::default();
        let part = Part { path: Path::new("/d/p"), is_link: false, owner: Who::runs_this() };
        for number in 0..5 {
            noted.note(Path::new(&format!("/{number}")), part);
        }
        assert_eq!(listed(&noted), "/0, /1, /2 and 2 more");
        assert_eq!(noted.mended("chmod o-w"), "`chmod o-w /d/p`");
    }
}
