//! The book holds together: its contents, links and pictures, and what its blocks are. Whether commands and
//! configurations are right is asked of the programs themselves, in their own crates.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

#[path = "book/blocks.rs"]
mod blocks;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use blocks::{blocks, blocks_of, commands, pages, source};

/// What a block of each language may be called after it; `FILE` is a file of the repository in which it stands word by word.
const LANGUAGES: &[(&str, &[&str])] = &[
    ("sh", &["", "run", "agent", "collector"]),
    ("toml", &["agent", "checks", "policy", "collector", "services", "channel"]),
    ("yaml", &["FILE"]),
    ("ini", &["FILE"]),
    ("json", &[""]),
    ("csv", &["FILE"]),
    ("text", &[""]),
];
/// Programs that commands of the book call beside ours.
const PROGRAMS: &[&str] = &[
    "age",
    "ansible-playbook",
    "apt",
    "cargo",
    "cat",
    "cd",
    "chmod",
    "chronyc",
    "curl",
    "cut",
    "deploy/build",
    "deploy/containers/build",
    "df",
    "dig",
    "dnf",
    "docker",
    "echo",
    "export",
    "git",
    "helm",
    "install",
    "journalctl",
    "kubectl",
    "mailsonde-agent",
    "mailsonde-collector",
    "mdbook",
    "mkdir",
    "mv",
    "openssl",
    "podman",
    "read",
    "rm",
    "ssh",
    "sudo",
    "systemctl",
    "systemd-creds",
    "systemd-run",
    "tests/light",
    "tests/recount.py",
    "timedatectl",
    "usermod",
];

#[test]
fn every_block_says_what_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let blocks = blocks();
    assert!(blocks.len() > 100, "only {} blocks are found", blocks.len());
    for block in blocks {
        let place = block.place();
        let known = LANGUAGES.iter().find(|(language, _)| *language == block.language);
        let Some((_, roles)) = known else {
            panic!("{place}: \"{}\" is no language of the book", block.language)
        };
        if roles.contains(&"FILE") {
            let text = fs::read_to_string(root.join(&block.role)).unwrap_or_default();
            assert!(
                text.contains(&block.text),
                "{place}: it does not stand so in \"{}\"",
                block.role
            );
        } else {
            assert!(
                roles.contains(&&*block.role),
                "{place}: \"{}\" is none of {roles:?}",
                block.role
            );
        }
        if block.language == "json" {
            let read = serde_json::from_str::<serde_json::Value>(&block.text);
            assert!(read.is_ok(), "{place}: {read:?}");
        }
    }
}

#[test]
fn a_shell_reads_every_command_and_knows_who_is_called() {
    for block in blocks().into_iter().filter(|block| block.language == "sh") {
        let place = block.place();
        let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
        bash.stdin.take().unwrap().write_all(block.text.as_bytes()).unwrap();
        assert!(bash.wait().unwrap().success(), "{place}: bash does not read it");
        for words in commands(&block.text) {
            assert!(
                PROGRAMS.contains(&&*words[0]),
                "{place}: nobody knows the program {}",
                words[0]
            );
        }
        assert!(!commands(&block.text).is_empty(), "{place}: no command");
    }
}

#[test]
fn the_contents_list_every_page_and_nothing_else() {
    let summary = fs::read_to_string(source().join("SUMMARY.md")).unwrap();
    let listed: Vec<_> = links(&summary).into_iter().map(|(_, target)| target).collect();
    let set: BTreeSet<_> = listed.iter().cloned().collect();
    assert_eq!(set.len(), listed.len(), "a page is listed twice");
    let there: BTreeSet<_> =
        pages().into_iter().map(|(name, _)| name).filter(|name| name != "SUMMARY.md").collect();
    assert_eq!(set, there);
    for (name, text) in pages() {
        let first = text.lines().next().unwrap_or_default();
        assert!(first.starts_with("# "), "{name} has no title");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    for (name, text) in &pages {
        let folder = source().join(name).parent().unwrap().to_owned();
        for (line, target) in links(text) {
            let place = format!("deploy/book/src/{name}:{line}");
            if target.starts_with("https://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let path = if file.is_empty() { source().join(name) } else { folder.join(file) };
            let Ok(told) = fs::read_to_string(&path) else {
                panic!("{place}: {target} is not there")
            };
            assert!(
                path.canonicalize().unwrap().starts_with(source().canonicalize().unwrap()),
                "{place}: {target} is outside the book"
            );
            let is_there = anchor.is_empty() || anchors(&told).contains(anchor);
            assert!(is_there, "{place}: nothing is called {anchor} there");
        }
    }
}

#[test]
fn every_picture_is_drawn_in_the_readers_colours_and_says_what_it_shows() {
    let pages: String = pages().into_iter().map(|(_, text)| text).collect();
    for entry in fs::read_dir(source().join("pictures")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.contains("<title") && text.contains("<desc") && text.contains("currentColor"),
            "{name}"
        );
        // as a picture it does not have the page's colours: it brings those of the reader's system
        assert!(text.contains("color: CanvasText; background: Canvas"), "{name}");
        assert!(
            !text.contains("<script") && !text.contains("fill=\"#") && text.len() < 16_384,
            "{name}"
        );
        assert!(pages.contains(&format!("pictures/{name}")), "{name} is shown nowhere");
    }
}

/// The five minutes that `tests/packages` runs are those of the book.
#[test]
fn the_five_minutes_are_those_that_are_tried() {
    let readme =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let tried = readme.split("## In five minutes").nth(1).unwrap();
    let tried = tried.split("\n## ").next().unwrap();
    let page = fs::read_to_string(source().join("five-minutes.md")).unwrap();
    let of = |text: &str| -> Vec<_> {
        let blocks = blocks_of("", text).into_iter().filter(|block| {
            ["agent", "collector"].contains(&&*block.role) && block.language == "sh"
        });
        blocks.map(|block| (block.role, block.text)).collect()
    };
    assert!(!of(tried).is_empty());
    assert_eq!(of(&page), of(tried));
}

/// Targets of links and pictures outside of blocks and code, with their lines.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut is_block = false;
    for (at, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            is_block = !is_block;
        }
        if is_block {
            continue;
        }
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("x");
        for rest in prose.split("](").skip(1) {
            let target = rest.split(')').next().unwrap_or_default();
            found.push((at + 1, target.to_owned()));
        }
        for rest in prose.split("src=\"").skip(1) {
            found.push((at + 1, rest.split('"').next().unwrap_or_default().to_owned()));
        }
    }
    found
}

/// The anchors of a page's headings, as mdBook makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let ids = headings.map(|line| {
        let heading = line.trim_start_matches('#').trim();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
    });
    ids.collect()
}
