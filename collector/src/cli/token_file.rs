//! The file that `login` writes: a collector's URL, what to trust, and the token to show there.
//!
//! Invariant: a token is shown to the collector that it is of and to no other, and its file is its owner's alone.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use mailsonde_proto::file::{self, PRIVATE};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::client::Collector;
use super::remote::{CollectorUrl, Remote, Trust, fingerprint};
use crate::folder::Folder;

/// Bytes of such a file at most.
const MAX_BYTES: u64 = 256 * 1024;
/// What stands above everything else in it.
const HEAD: &str =
    "# Made by `mailsonde-collector login`. Whoever has it is you: it is for nobody else's eyes.\n";

/// What stands in the file.
pub(super) struct TokenFile {
    pub(super) url: CollectorUrl,
    /// Who signed in; `None` for an API token.
    pub(super) user: Option<String>,
    pub(super) token: Zeroizing<String>,
    pub(super) trust: Trust,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    token: Zeroizing<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca: Option<String>,
}

impl TokenFile {
    /// Reads such a file.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let about = fs::metadata(path).with_context(|| format!("cannot read {shown}"))?;
        let mode = about.permissions().mode() & 0o777;
        if mode & 0o007 != 0 {
            bail!("everybody can read {shown}: `chmod 600 {shown}` (its mode is {mode:o})");
        }
        if about.len() > MAX_BYTES {
            bail!("{shown} is too large for a token file");
        }
        let text = Zeroizing::new(
            fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?,
        );
        // not the error's own words: they would show a piece of the file
        let written: Written = toml::from_str(&text).ok().with_context(|| {
            format!("{shown} is no token file: `mailsonde-collector login --url …` makes one")
        })?;
        let wrong = |words: String| anyhow!("{shown}: {words}");
        let trust = match (written.fingerprint, written.ca) {
            (Some(text), _) => Trust::Fingerprint(fingerprint(&text).map_err(wrong)?),
            (None, Some(pem)) => Trust::Authorities(pem),
            (None, None) => Trust::Host,
        };
        let url = written.url.parse().map_err(wrong)?;
        Ok(Self { url, user: written.user, token: written.token, trust })
    }

    /// Writes it, for its owner alone.
    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let (fingerprint, ca) = match &self.trust {
            Trust::Host => (None, None),
            Trust::Authorities(pem) => (None, Some(pem.clone())),
            Trust::Fingerprint(bytes) => (Some(hex::encode(bytes)), None),
        };
        let (url, token) = (self.url.to_string(), self.token.clone());
        let written = Written { url, user: self.user.clone(), token, fingerprint, ca };
        let text = Zeroizing::new(format!("{HEAD}{}", toml::to_string(&written)?));
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        file::replace(path, text.as_bytes(), PRIVATE)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// The collector that it is of.
    pub(super) fn remote(&self) -> anyhow::Result<Remote> {
        Remote::new(self.url.clone(), self.trust.clone(), Some(&self.token))
    }
}

/// Where `login` writes when nobody says otherwise.
pub(super) fn default_path(url: &CollectorUrl) -> anyhow::Result<PathBuf> {
    let folder = folder().context(
        "neither XDG_CONFIG_HOME nor HOME is set: say where the token is to stand by --token-file",
    )?;
    Ok(folder.join(format!("{}.toml", url.file_stem())))
}

/// The folder of such files of whoever runs this; `None` where nobody says where that is.
pub(super) fn folder() -> Option<PathBuf> {
    configuration_folder().map(|folder| folder.join("mailsonde"))
}

/// The user's own (XDG Base Directory Specification).
#[allow(clippy::disallowed_methods, reason = "where configuration stands is configuration")]
fn configuration_folder() -> Option<PathBuf> {
    let named = |name| std::env::var_os(name).filter(|it| !it.is_empty()).map(PathBuf::from);
    let absolute = |path: &PathBuf| path.is_absolute();
    named("XDG_CONFIG_HOME").filter(absolute).or_else(|| Some(named("HOME")?.join(".config")))
}

/// The collector that a command asks: over the network when a URL or a token file is given, else the one with
/// this folder.
pub(super) fn collector(
    data: &Folder,
    url: Option<&CollectorUrl>,
    token_file: Option<&Path>,
) -> anyhow::Result<Collector> {
    let read = match (url, token_file) {
        (None, None) => return Ok(Collector::Here(data.clone())),
        (_, Some(path)) => TokenFile::read(path)?,
        (Some(url), None) => {
            let path = default_path(url)?;
            if !path.exists() {
                bail!("you are not signed in at {url}: `mailsonde-collector login --url {url}`");
            }
            TokenFile::read(&path)?
        }
    };
    if let Some(url) = url.filter(|url| **url != read.url) {
        bail!("the token file is of {}, not of {url}: a token is shown to nobody else", read.url);
    }
    Ok(Collector::There(read.remote()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(trust: Trust) -> TokenFile {
        let url = "https://mail.example.org:7444".parse().unwrap();
        TokenFile { url, user: Some("ann".into()), token: Zeroizing::new("mss1_x".into()), trust }
    }

    #[test]
    fn what_is_written_reads_back_and_is_its_owners_alone() {
        let temporary = tempfile::tempdir().unwrap();
        for trust in
            [Trust::Host, Trust::Fingerprint([7; 32]), Trust::Authorities("-----\nx\n".into())]
        {
            let path = temporary.path().join("made/here.toml");
            file(trust.clone()).write(&path).unwrap();
            let read = TokenFile::read(&path).unwrap();
            assert_eq!((read.trust, read.user.as_deref()), (trust, Some("ann")));
            assert_eq!((read.token.as_str(), read.url), ("mss1_x", file(Trust::Host).url));
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, PRIVATE);
        }
    }

    #[test]
    fn a_token_is_shown_to_its_own_collector_alone() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("here.toml");
        file(Trust::Fingerprint([7; 32])).write(&path).unwrap();
        let data = Folder::at(temporary.path());
        let there = |url: Option<&str>| {
            let url = url.map(|url| url.parse().unwrap());
            collector(&data, url.as_ref(), Some(&path)).map_err(|error| error.to_string())
        };
        assert!(matches!(there(None), Ok(Collector::There(_))));
        assert!(matches!(there(Some("https://MAIL.example.org:7444/")), Ok(Collector::There(_))));
        for other in ["https://mail.example.org", "https://evil.example.org:7444"] {
            let refused = there(Some(other)).unwrap_err();
            assert!(refused.contains("is shown to nobody else"), "{refused}");
        }
        assert!(matches!(collector(&data, None, None), Ok(Collector::Here(_))));
    }

    #[test]
    fn a_file_that_everybody_can_read_or_that_is_none_is_refused_without_its_words() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("here.toml");
        file(Trust::Host).write(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = TokenFile::read(&path).err().unwrap().to_string();
        assert!(refused.starts_with("everybody can read"), "{refused}");
        fs::write(&path, "msa1_secret\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let refused = format!("{:#}", TokenFile::read(&path).err().unwrap());
        assert!(refused.contains("is no token file") && !refused.contains("secret"), "{refused}");
    }
}
