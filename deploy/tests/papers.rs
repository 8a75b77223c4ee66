//! `package-papers`, as `deploy/build` runs it, for both programs.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::Path;
use std::process::Command;

fn papers(package: &str, folder: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_package-papers"));
    command.arg(package).arg(folder).args(["--rustc", "1.95.0", "--committed-at", "1790000000"]);
    command.args(["--maintainer", "Ann <ann@example.org>", "--version", "1.2.3"]);
    let said = command.output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}

#[test]
fn both_programs_have_their_papers_and_the_same_ones_again() {
    for package in ["mailsonde-agent", "mailsonde-collector"] {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        for folder in &folders {
            papers(package, folder.path());
        }
        for (name, words) in [
            ("sbom.cdx.json", "\"specVersion\": \"1.5\""),
            ("third-party.txt", "Apache License"),
            ("copyright", "\nCopyright: 2026 the authors of Mailsonde\n"),
            ("changelog", "(1.2.3) stable; urgency=medium"),
        ] {
            let [one, other] =
                folders.each_ref().map(|folder| fs::read_to_string(folder.path().join(name)));
            let text = one.unwrap();
            assert!(text.contains(words), "{package}: {name}");
            assert_eq!(text, other.unwrap(), "{package}: {name}");
        }
    }
}

#[test]
fn a_package_that_is_not_there_is_told() {
    let said = Command::new(env!("CARGO_BIN_EXE_package-papers"))
        .args(["mailsonde-none", "/nonexistent", "--rustc", "1", "--committed-at", "0"])
        .args(["--maintainer", "Ann <ann@example.org>"])
        .output()
        .unwrap();
    assert!(!said.status.success());
    assert!(String::from_utf8_lossy(&said.stderr).contains("no package mailsonde-none"));
}
