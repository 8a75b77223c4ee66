//! Every finding has its scenario: what the agent can find stands in these tests.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The file in which a finding is made of a rule; nobody else makes one.
const MAKERS: [&str; 1] = ["posture/rule.rs"];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Rust's sources below a folder, with their paths; without those that are only tests.
fn sources(folder: &Path, has_tests: bool) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
        let path = entry.path();
        let is_tests =
            matches!(path.file_stem(), Some(stem) if stem == "tests" || stem == "samples");
        if is_tests && !has_tests {
            continue;
        }
        if path.is_dir() {
            found.extend(sources(&path, has_tests));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source");
            let own = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let own = if has_tests { &text } else { own };
            found.insert(path, own.to_owned());
        }
    }
    found
}

/// The names of all rules that the agent has: each is a constant, and its name its first text.
fn rules() -> BTreeMap<String, PathBuf> {
    let mut rules = BTreeMap::new();
    for (path, text) in sources(&folder("../agent/src"), false) {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for rule in text.split(": Rule = Rule").skip(1) {
            let name = rule.split('"').nth(1).expect("a name");
            assert!(name.contains('.') && !name.contains(' '), "{name} in {}", path.display());
            rules.insert(name.to_owned(), path.clone());
        }
    }
    rules
}

/// Whether a text has this name, and not only as a part of a longer one.
fn has(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    text.match_indices(name).any(|(at, _)| {
        !text[..at].ends_with(is_part) && !text[at + name.len()..].starts_with(is_part)
    })
}

#[test]
fn every_rule_of_the_agent_has_a_scenario() {
    let scenarios: String = sources(&folder("end_to_end"), true).into_values().collect();
    let rules = rules();
    assert!(rules.len() > 140, "only {} rules: they are not found any more", rules.len());
    let mut missing = rules;
    missing.retain(|name, _| !has(&scenarios, name));
    assert!(missing.is_empty(), "rules without a scenario: {missing:#?}");
}

/// A kind that forgets a rule would have a page without it.
#[test]
fn every_rule_of_the_agent_stands_in_the_book() {
    let pages = folder("../deploy/book/src/probes");
    let files = fs::read_dir(pages).expect("a folder").map(|entry| entry.expect("an entry").path());
    let text: String = files.map(|page| fs::read_to_string(page).expect("a page")).collect();
    let mut missing = rules();
    missing.retain(|name, _| !text.contains(&format!("`{name}`")));
    assert!(missing.is_empty(), "rules on no page: {missing:#?}");
}

#[test]
fn a_finding_is_made_of_a_rule() {
    let agent = folder("../agent/src");
    for (path, text) in sources(&agent, false) {
        let is_made = text.replace("-> Finding {", "").contains("Finding {");
        let name = path.strip_prefix(&agent).expect("below").display().to_string();
        assert_eq!(is_made, MAKERS.contains(&name.as_str()), "{name}");
    }
}
