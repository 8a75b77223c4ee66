//! What configurations name: files with secrets, files with certificates, and secrets that stand in them; found in the
//! files as they are written, also where they have mistakes.

use std::path::{Path, PathBuf};

use mailsonde_proto::doctor::files;
use toml::Value;

use crate::folder::Folder;

/// Keys of configurations whose value is a file with a secret, besides all that end in `_file`.
const KEYS: [&str; 1] = ["operators_key"];
/// Keys whose value is a file with certificates, and whether nothing else tells where it is not there.
const CERTIFICATES: [(&str, bool); 4] = [
    ("authority", true),
    ("ca_file", false),
    ("oidc_authority", true),
    ("operators_certificate", false),
];
/// Keys whose values are secrets that stand in the file itself: anywhere, and in some sections.
const INLINE: [&str; 2] = ["client_secret", "password"];
const INLINE_IN: [(&str, &str); 4] =
    [("channel", "url"), ("heartbeat", "url"), ("peer", "url"), ("watched", "path")];
/// Files of a folder of files that are read at most, and bytes of each.
const MOST_FILES: usize = 1_000;
const MOST_BYTES: u64 = 1 << 20;

/// `collector.toml` and the channels.
pub(super) fn configurations(folder: &Folder) -> Vec<PathBuf> {
    let mut files = files_in(&folder.channels());
    files.insert(0, folder.config());
    files
}

/// The files of a folder of files.
pub(super) fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_one = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "toml");
    let paths = entries.map(|entry| entry.path()).filter(is_one);
    let mut files: Vec<_> = paths.take(MOST_FILES).collect();
    files.sort();
    files
}

/// A configuration as it is written, whatever is wrong in it.
pub(super) fn written(file: &Path) -> toml::Table {
    files::read(file, MOST_BYTES).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// What a configuration names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// Files with secrets.
    pub(super) secrets: Vec<PathBuf>,
    /// Files with certificates; whether their absence is told here.
    pub(super) certificates: Vec<(PathBuf, bool)>,
    /// Whether a secret stands in the configuration itself.
    pub(super) are_inline: bool,
}

impl Named {
    pub(super) fn of(file: &Path, folder: &Path) -> Self {
        let mut found = Self::default();
        found.look(&written(file), "", folder);
        found.secrets.sort();
        found.secrets.dedup();
        found.certificates.sort();
        found.certificates.dedup();
        found
    }

    /// `section` is where the table stands.
    fn look(&mut self, table: &toml::Table, section: &str, folder: &Path) {
        for (key, value) in table {
            let key = key.as_str();
            let is_certificate = CERTIFICATES.iter().find(|(name, _)| *name == key);
            let is_file = KEYS.contains(&key) || key.ends_with("_file");
            let is_secret = INLINE.contains(&key) || INLINE_IN.contains(&(section, key));
            match (value, is_certificate) {
                (Value::String(path), Some((_, is_needed))) => {
                    self.certificates.push((folder.join(path), *is_needed));
                }
                (Value::String(path), None) if is_file => self.secrets.push(folder.join(path)),
                (Value::String(_), None) if is_secret => self.are_inline = true,
                (Value::Table(table), _) => self.look(table, key, folder),
                (Value::Array(values), _) => {
                    let tables = values.iter().filter_map(Value::as_table);
                    tables.for_each(|table| self.look(table, key, folder));
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn secrets_are_found_in_every_file() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::at(temporary.path());
        let at = |name: &str| temporary.path().join(name);
        fs::create_dir(folder.channels()).unwrap();
        fs::write(
            folder.config(),
            "oidc_client_secret_file = 'oidc'\noperators_key = '/k'\n[[vendor]]\nclient_secret_file = 'v'\n",
        )
        .unwrap();
        fs::write(folder.channels().join("a.toml"), "[[channel]]\nurl_file = 's/url'\n").unwrap();
        fs::write(folder.channels().join("b.txt"), "url_file = 'no'\n").unwrap();
        let files = configurations(&folder);
        assert_eq!(files, [folder.config(), folder.channels().join("a.toml")]);
        let of_config = Named::of(&files[0], folder.path());
        assert_eq!(of_config.secrets, [PathBuf::from("/k"), at("oidc"), at("v")]);
        assert_eq!(Named::of(&files[1], folder.path()).secrets, [at("s/url")]);
    }

    #[test]
    fn certificates_and_what_should_not_stand_there_are_found() {
        let temporary = tempfile::tempdir().unwrap();
        let (file, at) =
            (temporary.path().join("c.toml"), |name: &str| temporary.path().join(name));
        for (text, are_inline, certificates) in [
            (
                "operators_certificate = 'o'\n[otlp]\nauthority = 'a'\n",
                false,
                vec![("a", true), ("o", false)],
            ),
            ("[[peer]]\nurl = 'https://a/secret'\nauthority = '/p'\n", true, vec![("/p", true)]),
            ("[[heartbeat]]\nurl = 'https://a/secret'\n", true, vec![]),
            ("[watched]\npath = 'secret'\n", true, vec![]),
            (
                "[[vendor]]\nurl = 'https://feed'\n[[channel]]\nca_file = 'c'\n",
                false,
                vec![("c", false)],
            ),
        ] {
            fs::write(&file, text).unwrap();
            let found = Named::of(&file, temporary.path());
            let expected: Vec<_> =
                certificates.into_iter().map(|(name, it)| (at(name), it)).collect();
            assert_eq!((found.are_inline, found.certificates), (are_inline, expected), "{text}");
        }
    }
}
