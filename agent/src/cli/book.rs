//! Every command and every configuration of the book is asked of the program itself.

#[path = "../../../deploy/tests/book/blocks.rs"]
mod blocks;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use clap::{CommandFactory, Parser};

use super::probe::help::{COMMON, MAILBOX};
use super::{Arguments, CONFIG_NAME, Command};
use crate::config::AgentConfig;
use crate::config::assigned::Central;
use crate::config::mistake::Report;
use crate::config::policy::{Own, read_file};
use crate::config::samples;
use crate::probe::Kinds;
use blocks::{Block, blocks, commands_of};

/// What a piece of agent.toml leaves out.
const COLLECTOR: &str = "\n[collector]\naddress = \"collector.example.org\"\nca = \"ca.pem\"\ncertificate = \"agent.pem\"\nkey = \"agent.key\"\n";
const VANTAGE_POINT: &str = "\n[vantage_point]\nname = \"branch-north\"\n";
const MAILBOX_MAIN: &str = "\n[[mailbox]]\nname = \"main\"\naddress = \"probe@example.org\"\npassword = { file = \"password\" }\nsmtp = { host = \"smtp.example.org\" }\nimap = { host = \"imap.example.org\" }\n";

fn of(role: &str) -> Vec<Block> {
    let found: Vec<_> = blocks()
        .into_iter()
        .filter(|block| block.language == "toml" && block.role == role)
        .collect();
    assert!(!found.is_empty(), "no block of {role}");
    found
}

/// A folder with the certificates and the secrets that configurations of the book name.
fn folder() -> tempfile::TempDir {
    let folder = samples::folder();
    let key = include_str!("../mail/oauth/tests/service_account.json");
    for (name, text) in [
        ("password", "s3cret\n"),
        ("mailbox.password", "s3cret\n"),
        ("queue.password", "s3cret\n"),
        ("client-secret", "s3cret\n"),
        ("refresh-token", "s3cret\n"),
        ("service-account.json", key),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }
    folder
}

#[test]
fn every_configuration_of_an_agent_loads() {
    for block in of("agent") {
        let mut text = block.text.replace("/etc/mailsonde-agent/", "");
        for (head, rest) in [
            ("[collector]", COLLECTOR),
            ("[vantage_point]", VANTAGE_POINT),
            ("[[mailbox]]", MAILBOX_MAIN),
        ] {
            if !text.lines().any(|line| line.trim() == head) {
                text.push_str(rest);
            }
        }
        let folder = folder();
        let file = folder.path().join(CONFIG_NAME);
        let (mut mistakes, mut warnings) =
            match AgentConfig::parse(&file, &text, &Kinds::standard()) {
                Ok(loaded) => (Vec::new(), loaded.warnings),
                Err(not) => (not.mistakes.0, not.warnings),
            };
        // a test has none of systemd's credentials, and a piece need not have a check
        mistakes.retain(|mistake| !mistake.message.contains("there are no credentials here"));
        warnings.retain(|warning| !warning.message.contains("there is no [[check]]"));
        assert_eq!((mistakes, warnings), (vec![], vec![]), "{}", block.place());
    }
}

#[test]
fn every_check_of_a_collector_is_right_for_an_agent() {
    for block in of("checks") {
        let read = Central::read(Path::new("checks.toml"), &block.text, &Kinds::standard());
        let read = read.unwrap_or_else(|| panic!("{}: no file of checks.d", block.place()));
        assert_eq!((read.mistakes, read.warnings), (vec![], vec![]), "{}", block.place());
        assert!(!read.checks.is_empty(), "{}", block.place());
    }
}

#[test]
fn every_policy_is_one() {
    for block in of("policy") {
        let folder = folder();
        let file = folder.path().join("policy.toml");
        fs::write(&file, &block.text).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        let report = Report::default();
        let policy = read_file(&file, &Own::default(), &report);
        assert_eq!(report.into_result().unwrap(), Vec::new(), "{}", block.place());
        assert!(policy.is_some(), "{}", block.place());
    }
}

#[test]
fn every_command_is_one() {
    let commands = commands_of("mailsonde-agent");
    assert!(commands.len() > 30, "only {} commands are found", commands.len());
    let kinds = Kinds::standard();
    for (place, words) in commands {
        let read = Arguments::try_parse_from(&words);
        let read = read.unwrap_or_else(|error| panic!("{place}: {error}"));
        let Command::Probe(probe) = read.command else { continue };
        let Some(name) = &probe.kind else { continue };
        let kind = kinds.get(name).unwrap_or_else(|| panic!("{place}: no kind {name}"));
        let known = || kind.settings().iter().chain(COMMON).chain(MAILBOX);
        for set in &probe.set {
            let key = set.split('=').next().unwrap_or_default();
            assert!(known().any(|setting| setting.name == key), "{place}: {name} has no {key}");
        }
    }
}

#[test]
fn every_command_of_the_program_stands_in_the_book() {
    let named = commands_of("mailsonde-agent");
    for command in Arguments::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = command.get_name();
        let is_named = named.iter().any(|(_, words)| words.iter().any(|word| word == name));
        assert!(is_named, "no page calls mailsonde-agent {name}");
    }
}
