//! Writes what a package says of itself: the bill of materials (CycloneDX), the licences of everything that is linked into
//! the program, the changelog as Debian wants it.
//!
//! Invariant: the same sources give the same bytes; no clock, no path of the machine. A library whose licence has no text
//! ends it: nothing is shipped whose terms are not. Absent on purpose: building anything (`deploy/build`).

mod linked;
mod metadata;

mod changelog;
mod licences;
mod sbom;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use linked::Linked;

#[derive(Debug, Parser)]
#[command(about = "Writes a package's bill of materials, licences and changelog")]
struct Arguments {
    /// The package, such as mailsonde-agent
    package: String,
    /// Where to
    folder: PathBuf,
    /// The version, where it is not the manifest's
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// When the sources were committed, in seconds since 1970
    #[arg(long, value_name = "SECONDS", env = "SOURCE_DATE_EPOCH")]
    committed_at: i64,
    /// What it is built for
    #[arg(long, value_name = "TRIPLE", default_value = "x86_64-unknown-linux-gnu")]
    target: String,
    /// The compiler's version, whose library is linked in too
    #[arg(long, value_name = "VERSION")]
    rustc: String,
    /// Who answers for the package
    #[arg(long, value_name = "NAME <ADDRESS>")]
    maintainer: String,
}

fn main() -> ExitCode {
    match write(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("package-papers: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn write(arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { package, folder, version, committed_at, .. } = arguments;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let linked = Linked::into(package, &root, &arguments.target)?;
    let version = version.as_deref().unwrap_or(&linked.version);
    let at = jiff::Timestamp::from_second(*committed_at)
        .context("--committed-at must be seconds since 1970")?;
    let read = |name: &str| {
        fs::read_to_string(root.join(name)).with_context(|| format!("cannot read {name}"))
    };
    let changes = changelog::newest(&read("CHANGELOG.md")?);
    let release = changelog::Release { package, version, at, maintainer: &arguments.maintainer };
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for (name, text) in [
        ("sbom.cdx.json", sbom::of(&linked, (package, version), &arguments.rustc, at)?),
        ("third-party.txt", licences::texts(&linked, &arguments.rustc, &read("LICENSE")?)?),
        ("copyright", licences::copyright(&linked, &arguments.maintainer, at)),
        ("changelog", changelog::debian(&release, &changes)),
    ] {
        let file = folder.join(name);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}
