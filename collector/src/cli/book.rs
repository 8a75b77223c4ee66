//! Every command and every configuration of the book is asked of the program itself; every kind of channel has its page.

#[path = "../../../deploy/tests/book/blocks.rs"]
mod blocks;

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use clap::{CommandFactory, Parser};

use super::Arguments;
use crate::central::{read_folder, read_services};
use crate::config::{Config, ConfigError};
use crate::folder::Folder;
use crate::notifier::{Channels, kinds, tests::SECRETS};
use blocks::{Block, blocks, commands_of};

/// What a piece of collector.toml leaves out.
const HEAD: &str = "listen = \"0.0.0.0:7443\"\nname = \"collector.example.org\"\n";

fn of(role: &str) -> Vec<Block> {
    let found: Vec<_> = blocks()
        .into_iter()
        .filter(|block| block.language == "toml" && block.role == role)
        .collect();
    assert!(!found.is_empty(), "no block of {role}");
    found
}

#[test]
fn every_configuration_of_a_collector_is_right() {
    for block in of("collector") {
        let is_whole = block.text.lines().any(|line| line.starts_with("listen ="));
        let head = if is_whole { "" } else { HEAD };
        let read = Config::parse(Path::new("collector.toml"), &format!("{head}{}", block.text));
        read.unwrap_or_else(|error| panic!("{}: {error}", block.place()));
    }
}

#[test]
fn every_check_and_every_service_is_right() {
    for (role, name) in [("checks", "checks.toml"), ("services", "services.toml")] {
        for block in of(role) {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(name), &block.text).unwrap();
            let mistakes = match role {
                "checks" => read_folder(folder.path()).map(|checks| assert!(!checks.is_empty())),
                _ => read_services(folder.path(), None).map(|_| ()),
            };
            if let Err(mistakes) = mistakes {
                panic!("{}: {}", block.place(), ConfigError::Mistakes(mistakes));
            }
        }
    }
}

#[test]
fn every_channel_is_right_and_every_kind_has_its_page() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = Folder::at(temporary.path());
    for (name, secret) in SECRETS {
        let path = temporary.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, secret).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }
    fs::create_dir_all(folder.channels()).unwrap();
    let mut shown = BTreeSet::new();
    for block in of("channel") {
        fs::write(folder.channels().join("a.toml"), &block.text).unwrap();
        let channels = Channels::read(&folder, &|_| None).unwrap_or_else(|mistakes| {
            panic!("{}: {}", block.place(), ConfigError::Mistakes(mistakes))
        });
        for named in &channels {
            shown.insert((block.page.clone(), named.channel.kind()));
        }
    }
    for kind in kinds() {
        let page = format!("channels/{kind}.md");
        assert!(shown.contains(&(page.clone(), kind)), "{page} has no block of this kind");
    }
}

#[test]
fn every_command_is_one() {
    let commands = commands_of("mailsonde-collector");
    assert!(commands.len() > 60, "only {} commands are found", commands.len());
    for (place, words) in commands {
        if let Err(error) = Arguments::try_parse_from(&words) {
            // help and the version are no errors
            assert!(!error.use_stderr(), "{place}: {error}");
        }
    }
}

#[test]
fn every_command_of_the_program_stands_in_the_book() {
    let named = commands_of("mailsonde-collector");
    for command in Arguments::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = command.get_name();
        let is_named = named.iter().any(|(_, words)| words.iter().any(|word| word == name));
        assert!(is_named, "no page calls mailsonde-collector {name}");
    }
}
