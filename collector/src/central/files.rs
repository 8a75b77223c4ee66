//! Reads `checks.d`: every file, every mistake with its place.
//!
//! What a check's own settings mean is not known here: `mailsonde-agent check-config FILE` knows, and agents say.

mod whom;

use std::collections::BTreeMap;
use std::path::Path;

use mailsonde_proto::check::is_name;
use mailsonde_proto::convert::{MAX_ASSIGNMENT_BYTES, MAX_SETTINGS_BYTES};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::MAX_CHECKS;
use super::folder::{self, File};
use crate::config::Mistake;
use crate::control::AppliedCheck;
use whom::Whom;

/// The folder's name in the collector's folder.
pub const FOLDER: &str = "checks.d";
/// Keys of secrets, which stand on the agents alone.
const SECRETS: [&str; 6] =
    ["password", "password_file", "client_secret", "refresh_token", "private_key", "oauth2"];

/// Reads every `*.toml` in a folder, by name; a folder that is not there holds none. In mistakes files are named as
/// they stand in it.
///
/// # Errors
/// Every mistake, in the order of files and lines.
pub fn read_folder(folder: &Path) -> Result<Vec<AppliedCheck>, Vec<Mistake>> {
    let mut reading = Reading::default();
    match folder::names(folder) {
        Ok(names) => names.iter().for_each(|name| reading.file(folder, name)),
        Err(message) => reading.whole(folder, message),
    }
    if reading.checks.len() > MAX_CHECKS {
        reading.whole(folder, format!("holds more than {MAX_CHECKS} checks"));
    }
    let bytes: usize = reading.checks.iter().map(|check| check.settings.len()).sum();
    if bytes > MAX_ASSIGNMENT_BYTES {
        let most = MAX_ASSIGNMENT_BYTES >> 20;
        reading.whole(folder, format!("the checks hold more than {most} MiB"));
    }
    if reading.mistakes.is_empty() { Ok(reading.checks) } else { Err(reading.mistakes) }
}

#[derive(Default)]
struct Reading {
    checks: Vec<AppliedCheck>,
    mistakes: Vec<Mistake>,
    /// Where each name stands.
    taken: BTreeMap<String, String>,
}

impl Reading {
    fn whole(&mut self, file: &Path, message: String) {
        self.mistakes.push(folder::whole(file, message));
    }

    fn file(&mut self, folder: &Path, name: &str) {
        let before = self.mistakes.len();
        self.read(folder, name);
        if let Some(of_this_file) = self.mistakes.get_mut(before..) {
            of_this_file.sort();
        }
    }

    fn read(&mut self, folder: &Path, name: &str) {
        let path = folder.join(name);
        let text = match folder::text(&path) {
            Ok(text) => text,
            Err(message) => return self.whole(Path::new(name), message),
        };
        let file = File { name, text: &text };
        let root = match file.table() {
            Ok(root) => root,
            Err(mistakes) => return self.mistakes.extend(mistakes),
        };
        let values: toml::Table = match toml::from_str(&text) {
            Ok(values) => values,
            Err(error) => return self.whole(Path::new(name), error.message().to_owned()),
        };
        let mut places = Vec::new();
        for (key, value) in root.get_ref() {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("check", DeValue::Array(checks)) => places.extend(checks.iter()),
                ("check", _) => {
                    self.mistakes.push(
                        file.mistake(
                            value.span().start,
                            "check must be tables [[check]]".to_owned(),
                        ),
                    );
                }
                (other, _) => {
                    let message = format!("{other} is not known here: there is only [[check]]");
                    self.mistakes.push(file.mistake(key.span().start, message));
                }
            }
        }
        let values = values.get("check").and_then(toml::Value::as_array);
        for (place, value) in places.into_iter().zip(values.into_iter().flatten()) {
            match (place.get_ref(), value.as_table()) {
                (DeValue::Table(table), Some(values)) => {
                    self.check(&file, (place.span().start, table), values);
                }
                _ => {
                    let message = "must be a table [[check]]".to_owned();
                    self.mistakes.push(file.mistake(place.span().start, message));
                }
            }
        }
    }

    fn check(
        &mut self,
        file: &File<'_>,
        (head, table): (usize, &DeTable<'_>),
        values: &toml::Table,
    ) {
        let before = self.mistakes.len();
        let name = self.text(file, (head, table), "name");
        let label = name.as_deref().unwrap_or_default().to_owned();
        let whom = self.whom(file, (head, table));
        self.text(file, (head, table), "kind");
        let mut wrong = |key: &str, message: String| {
            let at = table.get(key).map_or(head, |entry| entry.span().start);
            let named = if label.is_empty() { String::new() } else { format!(" \"{label}\"") };
            self.mistakes.push(file.mistake(at, format!("check{named}: {message}")));
        };
        if let Some(name) = name.as_ref().filter(|name| !is_name(name)) {
            let form = "must be 1 to 64 letters, digits, dots, dashes or underscores";
            wrong("name", format!("name {form}, not \"{name}\""));
        }
        for (key, message) in whom.iter().flat_map(|whom| whom.mistakes(values)) {
            wrong(key, message);
        }
        for key in secrets_in(values) {
            let words = "credentials stay on the agents: name a mailbox of theirs";
            wrong(key, format!("{key} has no place here: {words}"));
        }
        let mut settings = values.clone();
        whom.iter().flat_map(Whom::keys).for_each(|key| drop(settings.remove(*key)));
        let settings = toml::to_string(&settings).unwrap_or_default();
        if settings.len() > MAX_SETTINGS_BYTES {
            wrong("name", format!("holds more than {} KiB", MAX_SETTINGS_BYTES >> 10));
        }
        let (Some(name), Some(Whom { on, pair })) = (name, whom) else { return };
        let line = file.line(head);
        let place = format!("{}:{line}", file.name);
        if let Some(other) = self.taken.insert(name.clone(), place) {
            wrong("name", format!("there is another check of this name at {other}"));
        }
        if self.mistakes.len() == before {
            let line = u32::try_from(line).unwrap_or(u32::MAX);
            let file = file.name.to_owned();
            self.checks.push(AppliedCheck { name, on, pair, settings, file, line });
        }
    }

    /// A text that must be there.
    fn text(
        &mut self,
        file: &File<'_>,
        (head, table): (usize, &DeTable<'_>),
        key: &str,
    ) -> Option<String> {
        let entry: Option<&Spanned<DeValue<'_>>> = table.get(key);
        match entry.map(|entry| (entry.span().start, entry.get_ref())) {
            Some((_, DeValue::String(text))) => return Some(text.to_string()),
            Some((at, _)) => {
                self.mistakes.push(file.mistake(at, format!("{key} must be a text in quotes")));
            }
            None => {
                let message = match key {
                    "on" => {
                        "on is missing: say which agents run it, such as on = \"site=durban\", \
                             or on = \"*\" for every agent"
                            .to_owned()
                    }
                    "to" | "from" => {
                        format!("{key} is missing: mail goes from some agents to others")
                    }
                    "to_mailbox" => {
                        "to_mailbox is missing: say in which mailbox of the receivers it arrives"
                            .to_owned()
                    }
                    _ => format!("{key} is missing"),
                };
                self.mistakes.push(file.mistake(head, message));
            }
        }
        None
    }
}

/// Keys of secrets in a check, at any depth.
fn secrets_in(table: &toml::Table) -> Vec<&'static str> {
    let mut found = Vec::new();
    for (key, value) in table {
        found.extend(SECRETS.iter().find(|secret| *secret == key));
        if let Some(inner) = value.as_table() {
            found.extend(secrets_in(inner));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::ConfigError;

    fn read(files: &[(&str, &str)]) -> Result<Vec<AppliedCheck>, Vec<Mistake>> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        read_folder(folder.path())
    }

    #[test]
    fn checks_are_carried_without_comments_and_without_whom_they_are_for() {
        let mail = "# of Durban\n[[check]]\nname = \"mail\"\non = \"site=durban\"\nkind = \"round-trip\"\n\
                    mailbox = \"main\" # ours\n[check.smtp]\nport = 25\n\n[[check]]\nname = \"b\"\non = \"*\"\n\
                    kind = \"tcp\"\nhost = \"a.test\"\n";
        let checks =
            read(&[("b.toml", mail), ("a.toml", ""), (".c.toml", "="), ("d.txt", "=")]).unwrap();
        let told: Vec<_> =
            checks.iter().map(|c| (c.name.as_str(), c.on.as_str(), c.line)).collect();
        assert_eq!(told, [("mail", "site=durban", 2), ("b", "*", 10)]);
        assert_eq!(
            checks[0].settings,
            "kind = \"round-trip\"\nmailbox = \"main\"\nname = \"mail\"\n\n[smtp]\nport = 25\n"
        );
        assert_eq!(read_folder(Path::new("/nowhere/checks.d")), Ok(vec![]));
    }

    #[test]
    fn the_example_is_right() {
        let text = include_str!("../../../deploy/examples/checks.toml");
        assert_eq!(read(&[("checks.toml", text)]).unwrap().len(), 3);
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let a = "[[check]]\nname = \"one\"\non = \"site=\"\nkind = \"tcp\"\n[[check]]\nname = 5\n\
                 [[check]]\nname = \"o n e\"\non = \"*\"\nkind = \"tcp\"\n[mailbox]\n";
        let b = "[[check]]\nname = \"two\"\non = \"*\"\nkind = \"imap\"\npassword = \"hunter2\"\n\
                 [check.imap]\noauth2 = 1\n[[check]]\nname = \"two\"\non = \"\"\nkind = \"tcp\"\n";
        let c = "check = 5\n";
        let d = "[[check]]\nname = \"cut\n";
        let mistakes =
            read(&[("a.toml", a), ("b.toml", b), ("c.toml", c), ("d.toml", d)]).unwrap_err();
        let told = ConfigError::Mistakes(mistakes).to_string();
        assert!(!told.contains("hunter2"), "{told}");
        insta::assert_snapshot!(told, @r#"
        a.toml:3:6: check "one": on "site=" is no term of a selector: write key=value, key=a|b, key!=value, key or !key, with commas between them
        a.toml:5:1: kind is missing
        a.toml:5:1: on is missing: say which agents run it, such as on = "site=durban", or on = "*" for every agent
        a.toml:6:8: name must be a text in quotes
        a.toml:8:8: check "o n e": name must be 1 to 64 letters, digits, dots, dashes or underscores, not "o n e"
        a.toml:11:2: mailbox is not known here: there is only [[check]]
        b.toml:1:1: check "two": oauth2 has no place here: credentials stay on the agents: name a mailbox of theirs
        b.toml:5:12: check "two": password has no place here: credentials stay on the agents: name a mailbox of theirs
        b.toml:9:8: check "two": there is another check of this name at b.toml:1
        b.toml:10:6: check "two": on is empty: write "*" for every agent, or such as "site=durban, network!=lte"
        c.toml:1:9: check must be tables [[check]]
        d.toml:2:12: invalid basic string, expected `"`
        "#);
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let long =
            format!("[[check]]\nname='a'\non='*'\nkind='tcp'\nhost='{}'\n", "x".repeat(17_000));
        let told = ConfigError::Mistakes(read(&[("a.toml", &long)]).unwrap_err()).to_string();
        assert!(told.contains("holds more than 16 KiB"), "{told}");
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("sub.toml")).unwrap();
        let told = ConfigError::Mistakes(read_folder(folder.path()).unwrap_err()).to_string();
        assert_eq!(told, "sub.toml: is not a file");
        let many: String =
            (0..1_001).map(|n| format!("[[check]]\nname='c{n}'\non='*'\nkind='tcp'\n")).collect();
        let told = ConfigError::Mistakes(read(&[("a.toml", &many)]).unwrap_err()).to_string();
        assert!(told.ends_with("holds more than 1000 checks"), "{told}");
    }
}
