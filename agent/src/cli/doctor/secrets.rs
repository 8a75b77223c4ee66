//! Where a configuration's secrets stand, found in the file as it is written: also when it has mistakes.

use std::path::{Path, PathBuf};

use mailsonde_proto::file::is_odd;
use toml::Value;

/// Keys whose values are secrets.
const SECRETS: [&str; 3] = ["password", "client_secret", "refresh_token"];
/// A key whose value is a file with a secret.
const KEY_FILE: &str = "key_file";

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Secrets {
    /// Files that hold one.
    pub(super) files: Vec<PathBuf>,
    /// Whether one stands in the configuration itself.
    pub(super) are_inline: bool,
}

impl Secrets {
    /// Those of a configuration in this folder.
    pub(super) fn of(table: &toml::Table, folder: &Path) -> Self {
        let mut found = Self::default();
        for (key, value) in table {
            found.look(key, value, folder);
        }
        found.files.sort();
        found.files.dedup();
        found
    }

    fn look(&mut self, key: &str, value: &Value, folder: &Path) {
        let is_secret = SECRETS.contains(&key);
        match value {
            Value::String(path) if key == KEY_FILE => self.files.push(folder.join(path)),
            Value::String(_) if is_secret => self.are_inline = true,
            Value::Table(table) => match table.get("file") {
                Some(Value::String(path)) if is_secret => self.files.push(folder.join(path)),
                _ => table.iter().for_each(|(key, value)| self.look(key, value, folder)),
            },
            Value::Array(values) => {
                values.iter().for_each(|value| self.look(key, value, folder));
            }
            _ => {}
        }
    }
}

/// Whatever a configuration names that is neither a file nor a folder, such as a pipe.
pub(super) fn odd(table: &toml::Table, folder: &Path) -> Vec<PathBuf> {
    fn look(value: &Value, folder: &Path, found: &mut Vec<PathBuf>) {
        match value {
            Value::String(path) => {
                let path = folder.join(path);
                if is_odd(&path) {
                    found.push(path);
                }
            }
            Value::Table(table) => table.values().for_each(|value| look(value, folder, found)),
            Value::Array(values) => values.iter().for_each(|value| look(value, folder, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    table.values().for_each(|value| look(value, folder, &mut found));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_waited_for_is_found_wherever_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let text = "a = 'b'\n[[mailbox]]\nsmtp = { ca_file = 'pipe' }\npassword = { file = 'x' }\n";
        assert_eq!(odd(&text.parse().unwrap(), folder.path()), [pipe]);
        assert!(odd(&"a = 'x'".parse().unwrap(), folder.path()).is_empty());
    }

    #[test]
    fn secrets_are_found_wherever_they_stand() {
        let text = r#"
            [collector]
            address = "c.test"
            [[mailbox]]
            password = { file = "one" }
            smtp = { host = "a", password = { file = "/two" } }
            [[mailbox]]
            password = { env = "P" }
            oauth2 = { client_secret = { file = "three" }, key_file = "four" }
            [[check]]
            imap = { password = { credential = "mail" } }
            [[check]]
            server = { password = { file = "one" } }
        "#;
        let found = Secrets::of(&text.parse().unwrap(), Path::new("/etc/a"));
        let files = ["/etc/a/four", "/etc/a/one", "/etc/a/three", "/two"].map(PathBuf::from);
        assert_eq!(found, Secrets { files: files.to_vec(), are_inline: false });
        let inline = "[[mailbox]]\npassword = 'hunter2'\n".parse().unwrap();
        assert!(Secrets::of(&inline, Path::new("")).are_inline);
    }
}
