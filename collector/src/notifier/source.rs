//! What the settings of a channel are read from: its table, and what it names, secrets, URLs and authorities.
//!
//! Invariant: a secret comes from a file or from the environment, never from the table itself.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use rustls::RootCertStore;
use url::Url;

use super::desk::Desk;
use crate::config::outside::outside_url;
use crate::config::section::Section;
use crate::folder::Folder;
use crate::identity::{authorities, system_authorities};
use crate::outward::Outward;
use crate::secret::Secret;

/// A key, and the two that a secret at it is read from.
#[derive(Clone, Copy)]
pub(super) struct SecretKey {
    pub(super) key: &'static str,
    pub(super) file: &'static str,
    pub(super) env: &'static str,
}

/// `url_file`, `url_env`.
pub(super) const URL: SecretKey = SecretKey { key: "url", file: "url_file", env: "url_env" };
/// `token_file`, `token_env`.
pub(super) const TOKEN: SecretKey =
    SecretKey { key: "token", file: "token_file", env: "token_env" };
/// `key_file`, `key_env`.
pub(super) const KEY: SecretKey = SecretKey { key: "key", file: "key_file", env: "key_env" };
/// `secret_file`, `secret_env`.
pub(super) const SECRET: SecretKey =
    SecretKey { key: "secret", file: "secret_file", env: "secret_env" };
/// `password_file`, `password_env`.
pub(super) const PASSWORD: SecretKey =
    SecretKey { key: "password", file: "password_file", env: "password_env" };

/// One channel's settings.
pub(super) struct Source<'s, 'f> {
    /// Its table.
    pub(super) section: &'s mut Section<'f>,
    /// Files that it names stand there.
    pub(super) folder: &'s Folder,
    /// By which check a host is watched.
    pub(super) relays_watched: &'s dyn Fn(&str) -> Option<String>,
    pub(super) outwards: &'s mut Outwards,
}

/// HTTP clients by the authorities that they believe, each made once.
pub(super) struct Outwards {
    limit: Duration,
    made: BTreeMap<Option<PathBuf>, Outward>,
}

impl Outwards {
    pub(super) fn within(limit: Duration) -> Self {
        Self { limit, made: BTreeMap::new() }
    }

    /// How long one exchange may take.
    pub(super) const fn limit(&self) -> Duration {
        self.limit
    }
}

impl Source<'_, '_> {
    /// A secret that must be there.
    pub(super) fn secret(&mut self, keys: SecretKey, what: &str) -> Option<Secret> {
        let SecretKey { key, file, env } = keys;
        if ![key, file, env].iter().any(|key| self.section.has(key)) {
            let how = format!("write {file} = \"…\" or {env} = \"…\": {what}");
            self.section.wrong(file, format!("{file} is missing: {how}"));
        }
        self.secret_if_any(keys)
    }

    /// A secret that may be there.
    pub(super) fn secret_if_any(&mut self, keys: SecretKey) -> Option<Secret> {
        let SecretKey { key, file, env } = keys;
        if self.section.has(file) && self.section.has(env) {
            self.section.wrong(env, format!("there must be one of {file} and {env}"));
        }
        let folder = self.folder;
        let in_file = self.section.read(file, |name| {
            let secret = Secret::in_file(&folder.path().join(name));
            secret.map_err(|wrong| format!("cannot be used: {wrong}"))
        });
        let in_environment = self.section.read(env, |name| {
            Secret::in_environment(name).map_err(|wrong| format!("cannot be used: {wrong}"))
        });
        if self.section.has(key) {
            let words = format!(
                "{key} is a secret: put it into a file of its own with mode 0600 and write {file} = \"…\", or {env} = \"…\""
            );
            self.section.refuse(key, words);
        }
        in_file.or(in_environment)
    }

    /// A URL that lets whoever has it write, which must be there.
    pub(super) fn secret_url(&mut self, what: &str) -> Option<SecretUrl> {
        let secret = self.secret(URL, what)?;
        let key = if self.section.has(URL.file) { URL.file } else { URL.env };
        let read = outside_url(secret.expose()).map(SecretUrl);
        read.map_err(|wrong| self.section.wrong(key, format!("{key}: the URL there {wrong}"))).ok()
    }

    /// A URL that anybody may know.
    pub(super) fn url(&mut self, key: &'static str, otherwise: &str) -> Option<Url> {
        if !self.section.has(key) {
            self.section.expect(key);
            return outside_url(otherwise).ok();
        }
        self.section.read(key, outside_url)
    }

    /// A text of printable ASCII that must be there.
    pub(super) fn word(&mut self, key: &'static str, say: &str, most: usize) -> Option<String> {
        self.section.require(key, say);
        self.word_if_any(key, most)
    }

    /// A text of printable ASCII that may be there.
    pub(super) fn word_if_any(&mut self, key: &'static str, most: usize) -> Option<String> {
        self.section.read(key, |text| {
            let is_word = text.bytes().all(|b| b.is_ascii_graphic());
            if is_word && (1..=most).contains(&text.len()) {
                Ok(text.to_owned())
            } else {
                Err(format!("must be 1 to {most} letters, digits and signs without a space"))
            }
        })
    }

    /// How long something may take.
    pub(super) fn duration(
        &mut self,
        key: &'static str,
        otherwise: Duration,
        most: Duration,
    ) -> Option<Duration> {
        if !self.section.has(key) {
            self.section.expect(key);
            return Some(otherwise);
        }
        self.section.read(key, |text| {
            let read = humantime::parse_duration(text).ok();
            let fits = |duration: &Duration| (Duration::from_secs(1)..=most).contains(duration);
            let most = humantime::format_duration(most);
            read.filter(fits).ok_or_else(|| format!("must be a time from \"1s\" to \"{most}\""))
        })
    }

    /// The authorities of `authority`, a PEM file, or those of the system; and the file.
    pub(super) fn roots(&mut self) -> Option<(Option<PathBuf>, RootCertStore)> {
        if !self.section.has("authority") {
            self.section.expect("authority");
            return Some((None, system_authorities()));
        }
        let folder = self.folder;
        self.section.read("authority", |name| {
            let path = folder.path().join(name);
            // a pipe would be waited for
            let text = match fs::metadata(&path) {
                Ok(metadata) if !metadata.is_file() => Err(io::Error::other("it is not a file")),
                _ => fs::read_to_string(&path),
            };
            let text =
                text.map_err(|error| format!("cannot be read in {}: {error}", path.display()))?;
            let roots = authorities(&text).map_err(|error| format!("cannot be used: {error}"))?;
            Ok::<_, String>((Some(path), roots))
        })
    }

    /// What asks over HTTP, with the secrets that its answers must not show.
    pub(super) fn desk<'k>(
        &mut self,
        hidden: impl IntoIterator<Item = &'k Secret>,
    ) -> Option<Desk> {
        let path = self.section.has("authority").then(|| self.roots()).flatten();
        let key = path.as_ref().and_then(|(path, _)| path.clone());
        if self.section.has("authority") && path.is_none() {
            return None;
        }
        let outward = match self.outwards.made.get(&key) {
            Some(outward) => outward.clone(),
            None => {
                let (_, roots) = match path {
                    Some(read) => read,
                    None => self.roots()?,
                };
                let made = Outward::with_limit(roots, self.outwards.limit);
                let wrong = |error| self.section.wrong("kind", format!("{error}"));
                let outward = made.map_err(wrong).ok()?;
                self.outwards.made.insert(key, outward.clone());
                outward
            }
        };
        Some(Desk::new(outward, hidden.into_iter().cloned().collect()))
    }
}

/// A URL that lets whoever has it write: shown is its host only.
#[derive(Clone)]
pub(super) struct SecretUrl(Url);

impl SecretUrl {
    /// Takes it into keeping.
    pub(super) fn new(url: Url) -> Self {
        Self(url)
    }

    /// All of it, for the one place that asks it.
    pub(super) fn expose(&self) -> &Url {
        &self.0
    }

    /// Its host, and the port where it is another than usual.
    pub(super) fn host(&self) -> String {
        host(&self.0)
    }

    /// What of it a server could say again.
    pub(super) fn parts(&self) -> Vec<Secret> {
        Secret::parts_of(&self.0)
    }
}

impl std::fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/(secret)", self.host())
    }
}

/// A URL with one more step in its path.
pub(super) fn below(url: &Url, path: &str) -> Option<Url> {
    let base = url.as_str().trim_end_matches('/');
    Url::parse(&format!("{base}/{path}")).ok()
}

/// The host and, where it is another than usual, the port.
pub(super) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
