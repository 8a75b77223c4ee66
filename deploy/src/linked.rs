//! What is linked into a program: cargo's own resolution, from the package downwards, for one target, without what only
//! builds (build scripts, procedural macros) or only tests.
//!
//! The workspace's features are resolved together, so a library may stand here that only a neighbour needs; none is
//! missing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::metadata::{Metadata, Node, Package};

/// A program's libraries.
#[derive(Debug)]
pub(crate) struct Linked {
    /// The program's own version.
    pub(crate) version: String,
    /// What it says of itself.
    pub(crate) description: String,
    /// Those that are not of this workspace, by name and version.
    pub(crate) libraries: BTreeMap<Key, Library>,
    /// Who uses whom; the program itself, with all that is of this workspace, is `None`.
    pub(crate) uses: BTreeMap<Option<Key>, BTreeSet<Key>>,
}

/// Name and version.
pub(crate) type Key = (String, String);

/// One library.
#[derive(Debug)]
pub(crate) struct Library {
    /// As SPDX has it; empty where it says none.
    pub(crate) licence: String,
    /// Who wrote it.
    pub(crate) authors: Vec<String>,
    /// Where it is at home.
    pub(crate) repository: Option<String>,
    /// In hexadecimal, of its archive.
    pub(crate) sha256: Option<String>,
    /// Where its files are.
    pub(crate) folder: PathBuf,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    checksum: Option<String>,
}

impl Linked {
    /// What is linked into `package` of the workspace at `root`, built for `target`.
    pub(crate) fn into(package: &str, root: &Path, target: &str) -> anyhow::Result<Self> {
        let metadata = Metadata::of(root, target)?;
        let lock = std::fs::read_to_string(root.join("Cargo.lock")).context("no Cargo.lock")?;
        let lock: Lock = toml::from_str(&lock).context("Cargo.lock cannot be read")?;
        let checksums = lock.package.into_iter().map(|it| ((it.name, it.version), it.checksum));
        Walk::new(&metadata, checksums.collect()).from(package)
    }
}

struct Walk<'m> {
    metadata: &'m Metadata,
    nodes: HashMap<&'m str, &'m Node>,
    checksums: HashMap<Key, Option<String>>,
}

impl<'m> Walk<'m> {
    fn new(metadata: &'m Metadata, checksums: HashMap<Key, Option<String>>) -> Self {
        let nodes = metadata.resolve.nodes.iter().map(|node| (&*node.id, node)).collect();
        Self { metadata, nodes, checksums }
    }

    fn from(self, name: &str) -> anyhow::Result<Linked> {
        let mut members = self.metadata.packages.iter().filter(|package| package.source.is_none());
        let Some(program) = members.find(|package| package.name == name) else {
            bail!("there is no package {name} in this workspace");
        };
        let mut linked = Linked {
            version: program.version.clone(),
            description: program.description.clone().unwrap_or_default(),
            libraries: BTreeMap::new(),
            uses: BTreeMap::new(),
        };
        let mut seen = BTreeSet::new();
        let mut waiting = vec![program];
        while let Some(user) = waiting.pop() {
            if !seen.insert(user.id.clone()) {
                continue;
            }
            for used in self.used_by(user)? {
                if let Some(key) = key_of(used) {
                    linked.libraries.entry(key.clone()).or_insert_with(|| self.library(used));
                    linked.uses.entry(key_of(user)).or_default().insert(key);
                }
                waiting.push(used);
            }
        }
        Ok(linked)
    }

    fn used_by(&self, user: &Package) -> anyhow::Result<Vec<&'m Package>> {
        let node = self.nodes.get(&*user.id).context("cargo metadata left a package out")?;
        let linked = node.deps.iter().filter(|dependency| {
            // no kind is the usual one: neither of a build script nor of tests
            dependency.dep_kinds.iter().any(|kind| kind.kind.is_none())
        });
        let packages = linked.map(|dependency| {
            let found = self.metadata.packages.iter().find(|package| package.id == dependency.pkg);
            found.context("cargo metadata left a package out")
        });
        let is_library = |package: &&Package| {
            !package
                .targets
                .iter()
                .any(|target| target.kind.iter().any(|kind| kind == "proc-macro"))
        };
        let packages: Vec<_> = packages.collect::<anyhow::Result<_>>()?;
        Ok(packages.into_iter().filter(is_library).collect())
    }

    fn library(&self, package: &Package) -> Library {
        let key = (package.name.clone(), package.version.clone());
        Library {
            licence: expression(package.license.as_deref().unwrap_or_default()),
            authors: package.authors.clone(),
            repository: package.repository.clone(),
            sha256: self.checksums.get(&key).cloned().flatten(),
            folder: package.manifest_path.parent().map(Path::to_owned).unwrap_or_default(),
        }
    }
}

/// As SPDX has it: a slash was the old way to say `OR`.
fn expression(licence: &str) -> String {
    let words = licence.replace('/', " OR ");
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `None` for what is of this workspace.
fn key_of(package: &Package) -> Option<Key> {
    package.source.as_ref()?;
    Some((package.name.clone(), package.version.clone()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn agent() -> Linked {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        Linked::into("mailsonde-agent", &root, "x86_64-unknown-linux-gnu").unwrap()
    }

    #[test]
    fn what_is_linked_is_there_and_what_only_builds_or_tests_is_not() {
        let linked = agent();
        let names: BTreeSet<&str> = linked.libraries.keys().map(|(name, _)| &**name).collect();
        for name in ["rustls", "ring", "tonic", "zstd-sys", "lettre"] {
            assert!(names.contains(name), "{name} is linked");
        }
        // a macro, a build script's, a test's, another system's, the collector's
        for name in ["serde_derive", "protox", "insta", "windows-sys", "sled", "mailsonde-proto"] {
            assert!(!names.contains(name), "{name} is not linked");
        }
        let ring = linked.libraries.iter().find(|((name, _), _)| name == "ring").unwrap().1;
        assert_eq!(ring.sha256.as_ref().unwrap().len(), 64);
        let direct = &linked.uses[&None];
        assert!(direct.iter().any(|(name, _)| name == "rustls"));
    }
}
