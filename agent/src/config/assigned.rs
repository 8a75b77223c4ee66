//! The collector's checks for this agent: read as checks of its own are, bound by what its configuration lets them do.
//!
//! One that is wrong, or that the policy refuses as far as that is known before anything is looked up, is refused
//! alone: the others run. Absent on purpose: how they come here, and where they are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use mailsonde_proto::convert::{AssignedCheck, Assignment, CheckRefusal};
use mailsonde_proto::{Clock, VantagePoint};

use super::check::{CheckConfig, Origin, Trial, folder_of};
use super::load::{MOST_CHECKS, own_name};
use super::mistake::{Mistake, Mistakes, Report};
use super::policy::refused;
use super::section::Section;
use super::value::{Table, Value};
use super::{AgentConfig, CollectorConfig, Limits, MailboxConfig, Policies};
use crate::net::Net;
use crate::probe::Kinds;

/// What became of an assignment.
#[derive(Clone, Debug, Default)]
pub struct AssignedChecks {
    /// To be run.
    pub checks: Vec<CheckConfig>,
    /// Not to be run, and why not.
    pub refused: Vec<CheckRefusal>,
}

impl AssignedChecks {
    /// Reads an assignment beside the checks that `config` has itself.
    pub fn read(assignment: &Assignment, config: &AgentConfig, kinds: &Kinds) -> Self {
        let surroundings = config.surroundings(Net::new(), Clock::system());
        let trial = Trial { config, kinds, surroundings: &surroundings };
        let mut taken: BTreeSet<String> =
            config.checks.iter().map(|check| check.check.name.clone()).collect();
        let mut read = Self::default();
        for AssignedCheck { name, settings } in &assignment.checks {
            let room = MOST_CHECKS.saturating_sub(config.checks.len() + read.checks.len());
            let outcome = if taken.contains(name) {
                Err(format!(
                    "this agent has a check \"{name}\" already: rename the one in its agent.toml, or this"
                ))
            } else if room == 0 {
                Err(format!("this agent has {MOST_CHECKS} checks already"))
            } else {
                one(&trial, name, settings)
            };
            match outcome {
                Ok(check) => {
                    taken.insert(name.clone());
                    read.checks.push(check);
                }
                Err(reason) => {
                    read.refused.push(CheckRefusal { check: name.clone(), reason });
                }
            }
        }
        read
    }
}

fn one(trial: &Trial<'_>, name: &str, settings: &str) -> Result<CheckConfig, String> {
    let (table, unreadable) = Table::parse("", settings);
    if !unreadable.is_empty() {
        return Err(words(&unreadable));
    }
    let report = Report::default();
    let folder = folder_of(&trial.config.file);
    let mut section = Section::new(&table, &report, &folder, "").of_collector();
    let own = section.required_name("name");
    if own.as_deref().is_some_and(|own| own != name) {
        return Err("it has another name in its settings".into());
    }
    let check = trial.check(section, (&table, own), Origin::Collector);
    if let Err((Mistakes(mistakes), _)) = report.into_result() {
        return Err(words(&mistakes));
    }
    let check = check.ok_or("it cannot be used")?;
    let refusals = refused(&trial.config.policy.pushed, &check, trial.config);
    if refusals.is_empty() {
        return Ok(check);
    }
    let rules: Vec<_> = refusals.iter().map(ToString::to_string).collect();
    Err(format!("policy: {}", rules.join("; ")))
}

fn words(mistakes: &[Mistake]) -> String {
    let words: Vec<_> = mistakes.iter().map(|mistake| mistake.message.as_str()).collect();
    words.join("; ")
}

/// A file of the collector's checks, read.
#[derive(Debug, Default)]
pub struct Central {
    /// Those that are right.
    pub checks: Vec<CheckConfig>,
    /// In the order of the file.
    pub mistakes: Vec<Mistake>,
    /// In the order of the file.
    pub warnings: Vec<Mistake>,
}

impl Central {
    /// Reads a file as an agent would that has every mailbox that the checks name; `None` for a file of another sort.
    pub fn read(file: &Path, text: &str, kinds: &Kinds) -> Option<Self> {
        let (mut table, unreadable) = Table::parse(&file.display().to_string(), text);
        from_and_to_as_on(&mut table);
        if !is_central(&table) {
            return None;
        }
        let config = anywhere(file, &table);
        let surroundings = config.surroundings(Net::new(), Clock::system());
        let trial = Trial { config: &config, kinds, surroundings: &surroundings };
        let (report, folder) = (Report::default(), folder_of(file));
        let mut root = Section::new(&table, &report, &folder, "").of_collector();
        let (mut names, mut checks) = (BTreeSet::new(), Vec::new());
        for table in root.tables("check") {
            let mut section = root.of(table);
            let name = own_name(&mut section, "check", &mut names);
            // What it says the collector judges.
            section.required_text("on");
            checks.extend(trial.check(section, (table, name), Origin::Collector));
        }
        root.finish();
        let (mut mistakes, warnings) = match report.into_result() {
            Ok(warnings) => (Vec::new(), warnings),
            Err((mistakes, warnings)) => (mistakes.0, warnings),
        };
        mistakes.extend(unreadable);
        mistakes.sort();
        Some(Self { checks, mistakes, warnings })
    }
}

/// A check between two agents says `from`, `to` and `to_mailbox` in the place of `on`. What the collector makes of
/// that stands in no file; everything else in it is read like any check's.
fn from_and_to_as_on(root: &mut Table) {
    let Some(Value::Array(checks)) = root.entries.get_mut("check").map(|entry| &mut entry.value)
    else {
        return;
    };
    for check in checks {
        let Value::Table(Table { entries, .. }) = &mut check.value else { continue };
        let is_pair = ["from", "to_mailbox"].iter().any(|key| entries.contains_key(*key));
        if !is_pair || entries.contains_key("on") {
            continue;
        }
        let from = entries.remove("from");
        entries.remove("to");
        entries.remove("to_mailbox");
        entries.extend(from.map(|from| ("on".to_owned(), from)));
    }
}

/// Whether a file holds checks that say which agents run them.
fn is_central(root: &Table) -> bool {
    let is_own = ["collector", "vantage_point", "mailbox"].iter();
    if is_own.into_iter().any(|key| root.entries.contains_key(*key)) {
        return false;
    }
    let Some(Value::Array(checks)) = root.entries.get("check").map(|entry| &entry.value) else {
        return false;
    };
    checks
        .iter()
        .any(|check| matches!(&check.value, Value::Table(t) if t.entries.contains_key("on")))
}

/// An agent with every mailbox that the checks of a file name.
fn anywhere(file: &Path, root: &Table) -> AgentConfig {
    let mut mailboxes = BTreeMap::new();
    if let Some(Value::Array(checks)) = root.entries.get("check").map(|entry| &entry.value) {
        for check in checks {
            let Value::Table(check) = &check.value else { continue };
            for (key, entry) in &check.entries {
                if let (true, Value::Text(name)) = (key.ends_with("mailbox"), &entry.value) {
                    mailboxes.insert(name.clone(), MailboxConfig::stand_in(name));
                }
            }
        }
    }
    AgentConfig {
        file: file.to_owned(),
        data: PathBuf::new(),
        collector: CollectorConfig::nowhere(),
        vantage_point: VantagePoint::default(),
        forced_name: None,
        mailboxes,
        checks: Vec::new(),
        limits: Limits::default(),
        policy: Policies::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::samples;

    fn assignment(checks: &[(&str, &str)]) -> Assignment {
        let check = |(name, settings): &(&str, &str)| AssignedCheck {
            name: (*name).to_owned(),
            settings: format!("name = \"{name}\"\n{settings}"),
        };
        Assignment::new(checks.iter().map(check).collect())
    }

    #[test]
    fn each_is_judged_alone() {
        let config = samples::loaded().config;
        let assigned = AssignedChecks::read(
            &assignment(&[
                ("fine", "kind = 'round-trip'\nmailbox = 'main'\nevery = '5m'"),
                ("mail", "kind = 'round-trip'\nmailbox = 'main'"),
                ("kindless", "every = '5m'"),
                ("newer", "kind = 'telepathy'"),
                ("wrong", "kind = 'round-trip'\nmailbox = 'other'\nlate = 5\nmore = 1"),
                ("twice", "kind = 'round-trip'\nmailbox = 'main'"),
                ("twice", "kind = 'round-trip'\nmailbox = 'main'"),
                ("torn", "kind = "),
            ]),
            &config,
            &samples::kinds(),
        );
        let names: Vec<_> = assigned.checks.iter().map(|c| c.check.name.as_str()).collect();
        assert_eq!(names, ["fine", "twice"]);
        assert!(assigned.checks.iter().all(|check| check.origin == Origin::Collector));
        let told: String = assigned
            .refused
            .iter()
            .map(|refusal| format!("{}: {}\n", refusal.check, refusal.reason))
            .collect();
        insta::assert_snapshot!(told, @r#"
        mail: this agent has a check "mail" already: rename the one in its agent.toml, or this
        kindless: kind is missing
        newer: kind "telepathy" is not known: there is "round-trip"
        wrong: mailbox names "other", which is no mailbox: there is "main"; late needs a unit: write "5s" for seconds, "5m" for minutes; more is not known here: use "every", "kind", "late", "mailbox", "name", "timeout"
        twice: this agent has a check "twice" already: rename the one in its agent.toml, or this
        torn: string values must be quoted, expected literal string
        "#);
        let effective = config.with(&assigned);
        assert_eq!(effective.checks.len(), config.checks.len() + 2);
        assert_eq!(effective.policy, config.policy, "what is assigned widens no policy");
    }

    #[test]
    fn a_name_must_be_that_of_its_settings() {
        let check = AssignedCheck { name: "a".into(), settings: "name = 'b'\nkind = 'tcp'".into() };
        let config = samples::loaded().config;
        let read = AssignedChecks::read(&Assignment::new(vec![check]), &config, &samples::kinds());
        assert_eq!(read.refused[0].reason, "it has another name in its settings");
    }

    #[test]
    fn mail_to_another_agent_is_bound_by_what_this_one_may_write_to() {
        let config = samples::loaded().config;
        let peer = "[peer]\nname = 'cape'\nagent = '03030303030303030303030303030303'\nat = 'main'\n\
                    us = 'hq'\n";
        let check = |name: &str, rest: &str| {
            let settings = format!("kind = 'round-trip'\nmailbox = 'main'\n{rest}\n{peer}");
            (name.to_owned(), settings)
        };
        let own = config.mailboxes["main"].settings.address.clone();
        let checks = [
            check("own", &format!("via = '{own}'")),
            check("strange", "via = 'somebody@elsewhere.test'"),
            check("nowhere", ""),
            check("bounced", &format!("via = '{own}'\nexpect = 'bounced'\nattachment = '1KiB'")),
        ];
        let named: Vec<_> = checks.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let read = AssignedChecks::read(&assignment(&named), &config, &Kinds::standard());
        let names: Vec<_> = read.checks.iter().map(|c| c.check.name.as_str()).collect();
        assert_eq!(names, ["own"]);
        let told: String =
            read.refused.iter().map(|it| format!("{}: {}\n", it.check, it.reason)).collect();
        insta::assert_snapshot!(told, @r#"
        strange: policy: recipients: somebody@elsewhere.test is not listed
        nowhere: via must say to whom the message goes
        bounced: between two agents expect is "inbox", "junk" or "anywhere"; attachment has no place in a check between two agents
        "#);
    }

    #[test]
    fn the_example_is_right() {
        let text = include_str!("../../../deploy/examples/checks.toml");
        let read = Central::read(Path::new("checks.toml"), text, &Kinds::standard()).unwrap();
        assert_eq!((read.mistakes, read.warnings, read.checks.len()), (vec![], vec![], 3));
    }

    #[test]
    fn central_files_are_known_and_read() {
        let kinds = samples::kinds();
        let read = |text: &str| Central::read(Path::new("mail.toml"), text, &kinds);
        assert!(read("[collector]\n[[check]]\non = '*'").is_none());
        assert!(read("[[check]]\nname = 'a'").is_none());
        let fine = "[[check]]\nname = 'a'\non = '*'\nkind = 'round-trip'\nmailbox = 'any'\n";
        let central = read(fine).unwrap();
        assert_eq!(central.checks.len(), 1);
        assert_eq!((central.mistakes, central.warnings), (vec![], vec![]));
        let pair = "[[check]]\nname = 'a'\nfrom = '*'\nto = 'site=cape'\nto_mailbox = 'main'\n\
                    kind = 'round-trip'\nmailbox = 'any'\n";
        let central = read(pair).unwrap();
        assert_eq!((central.checks.len(), central.mistakes), (1, vec![]));
        let wrong = "[[check]]\nname = 'a'\non = '*'\nkind = 'round-trip'\nmailbox = 'any'\nlate = 5\n\
                     [[check]]\nname = 'a'\nkind = 'tpc'\n[other]\n";
        let mistakes = Mistakes(read(wrong).unwrap().mistakes);
        insta::assert_snapshot!(mistakes.to_string(), @r#"
        mail.toml:6:8: check "a": late needs a unit: write "5s" for seconds, "5m" for minutes
        mail.toml:7:1: check "a": on is missing
        mail.toml:8:8: check "a": there is another check of this name: give each its own
        mail.toml:9:8: check "a": kind "tpc" is not known: there is "round-trip"
        mail.toml:10:2: other is not known here: use "check"
        "#);
    }
}
