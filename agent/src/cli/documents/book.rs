//! Pages of the book about kinds of probes, made of what the kinds say of themselves.

use std::fmt::Write;

use crate::cli::one_shot::wants_a_mailbox;
use crate::cli::probe::help::{COMMON, MAILBOX};
use crate::posture::Rule;
use crate::probe::page::Page;
use crate::probe::{Kind, Kinds, Setting};

/// Who reads the source is told where to change what.
const MADE: &str =
    "<!-- Made by `mailsonde-agent documents`; the words stand in agent/src/probe. -->";

/// The name of each page's file, and what stands in it.
pub(super) fn pages(kinds: &Kinds) -> Vec<(String, String)> {
    let mut pages = vec![("index.md".to_owned(), index(kinds))];
    for kind in kinds.iter() {
        pages.push((format!("{}.md", kind.name()), of_kind(kind.as_ref())));
    }
    pages
}

fn index(kinds: &Kinds) -> String {
    let mut text = format!(
        "# Kinds of probes\n\n{MADE}\n\nA check is of one kind. What it asks, what it can be told and what it finds stand on the \
         kind's page.\n\n| kind | what it does |\n|---|---|\n"
    );
    for kind in kinds.iter() {
        let name = kind.name();
        line(&mut text, &[&format!("[`{name}`]({name}.md)"), kind.summary()]);
    }
    text.push_str("\n## Settings of every kind\n\nBeside `name`, `kind` and `every`:\n\n");
    settings(&mut text, COMMON);
    text.push_str(
        "\n## A mailbox at a shell\n\nKinds that need a mailbox take it from `[[mailbox]]` in `agent.toml`; at a shell without a \
         file, by `--set`:\n\n",
    );
    settings(&mut text, MAILBOX);
    text
}

fn of_kind(kind: &dyn Kind) -> String {
    let name = kind.name();
    let Page { about, example, phases, rules } = kind.page();
    let mut text = format!("# {name}\n\n{MADE}\n\n{about}\n\n");
    if !example.is_empty() {
        text.push_str(&format!(
            "```toml agent\n{example}```\n\nOne run of it, now, and its settings at a shell:\n\n"
        ));
        let check = check_name(example).unwrap_or_default();
        let file = "/etc/mailsonde-agent/agent.toml";
        text.push_str(&format!(
            "```sh\nmailsonde-agent probe {name} --config {file} --check {check}\nmailsonde-agent probe {name} --help\n```\n\n"
        ));
    }
    text.push_str("## Settings\n\n");
    settings(&mut text, kind.settings());
    let mailbox = if wants_a_mailbox(kind) {
        " With `--set` in the place of a file, the mailbox is said [that way](index.md#a-mailbox-at-a-shell)."
    } else {
        ""
    };
    text.push_str(&format!(
        "\n`timeout` and `fail_from` are [settings of every kind](index.md#settings-of-every-kind).{mailbox}\n"
    ));
    if !phases.is_empty() {
        text.push_str("\n## Phases\n\n| phase | what is timed |\n|---|---|\n");
        for part in &phases {
            line(&mut text, &[&format!("`{}`", part.name), part.help]);
        }
    }
    findings(&mut text, &rules);
    text
}

fn findings(text: &mut String, rules: &[&Rule]) {
    text.push_str("\n## Findings\n\n");
    if rules.is_empty() {
        text.push_str("None: what does not hold here fails the run.\n");
        return;
    }
    text.push_str(
        "The severity is the usual one; where the rest makes it better or worse, the finding says another. A finding fails a run only \
         from the severity in `fail_from` on.\n\n| finding | severity | where it stands | what to do |\n|---|---|---|---|\n",
    );
    for rule in rules {
        let name = format!("`{}`", rule.name);
        line(text, &[&name, rule.severity.as_str(), rule.source, rule.advice]);
    }
}

fn settings(text: &mut String, settings: &[Setting]) {
    text.push_str("| key | value | default | what it is for |\n|---|---|---|---|\n");
    for setting in settings {
        let default = setting.default.map_or("**required**".to_owned(), code);
        line(text, &[&format!("`{}`", setting.name), &code(setting.form), &default, setting.help]);
    }
}

/// Words of a file are shown as such; sentences are not.
fn code(text: &str) -> String {
    if text.is_empty() || text == "\"\"" {
        return "empty".to_owned();
    }
    if text.contains('"') { format!("`{text}`") } else { text.to_owned() }
}

fn line(text: &mut String, cells: &[&str]) {
    let cells: Vec<_> = cells.iter().map(|cell| cell_text(cell)).collect();
    // Writing to a String cannot fail.
    writeln!(text, "| {} |", cells.join(" | ")).ok();
}

/// What would end a cell does not.
fn cell_text(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// The name of the check in an example.
fn check_name(example: &str) -> Option<String> {
    let table: toml::Table = toml::from_str(example).ok()?;
    Some(table.get("check")?.get(0)?.get("name")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_says_what_it_does() {
        for kind in Kinds::standard().iter() {
            let page = kind.page();
            let name = kind.name();
            assert!(page.about.len() > 100 && page.about.ends_with('.'), "{name}");
            assert!(!page.phases.is_empty(), "{name}");
            assert!(check_name(page.example).is_some(), "{name}");
        }
    }
}
