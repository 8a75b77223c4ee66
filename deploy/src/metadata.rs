//! What `cargo metadata` says, as far as it is needed here. The library for it would give serde_json a feature that the
//! whole workspace then had.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) resolve: Resolve,
}

#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) description: Option<String>,
    pub(crate) license: Option<String>,
    pub(crate) authors: Vec<String>,
    pub(crate) repository: Option<String>,
    /// `None` for what is of this workspace.
    pub(crate) source: Option<String>,
    pub(crate) manifest_path: PathBuf,
    pub(crate) targets: Vec<Target>,
}

#[derive(Deserialize)]
pub(crate) struct Target {
    pub(crate) kind: Vec<String>,
}

#[derive(Deserialize)]
pub(crate) struct Resolve {
    pub(crate) nodes: Vec<Node>,
}

#[derive(Deserialize)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) deps: Vec<Dependency>,
}

#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) pkg: String,
    pub(crate) dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
pub(crate) struct Kind {
    /// `build`, `dev`, or none.
    pub(crate) kind: Option<String>,
}

impl Metadata {
    /// Of the workspace at `root`, for one target.
    pub(crate) fn of(root: &Path, target: &str) -> anyhow::Result<Self> {
        let asked = Command::new("cargo")
            .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", target])
            .arg("--manifest-path")
            .arg(root.join("Cargo.toml"))
            .output()
            .context("cargo cannot be run")?;
        if !asked.status.success() {
            bail!("cargo metadata failed: {}", String::from_utf8_lossy(&asked.stderr).trim());
        }
        serde_json::from_slice(&asked.stdout).context("cargo metadata cannot be read")
    }
}
