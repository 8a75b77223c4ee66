//! A secret of the configuration: told there, in a file, or in the environment. It is never printed.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// The most that is read of a file with a secret.
const MOST_BYTES: u64 = 8 * 1024;

/// Where a secret is told.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// In the configuration itself.
    Told(Zeroizing<String>),
    /// In a file; a relative one is looked for in the collector's folder.
    File(PathBuf),
    /// In a variable of the environment.
    Variable(String),
}

/// Why a secret cannot be read. It never tells the secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The variable.
    #[error("the environment has no {0}: set it for the collector's process")]
    Variable(String),
    /// There is nothing in it.
    #[error("{0} is empty")]
    Empty(String),
}

impl Secret {
    /// Reads it, without white space around it; `folder` is the collector's.
    ///
    /// # Errors
    /// When it is not there, or empty.
    pub fn read(&self, folder: &Path) -> Result<Zeroizing<String>, SecretError> {
        let (text, place) = match self {
            Self::Told(text) => (text.clone(), "it".to_owned()),
            Self::File(path) => {
                let path = folder.join(path);
                let text = from_file(&path)
                    .map_err(|source| SecretError::File { path: path.clone(), source })?;
                (text, path.display().to_string())
            }
            Self::Variable(name) => (from_environment(name)?, name.clone()),
        };
        let text = Zeroizing::new(text.trim().to_owned());
        if text.is_empty() { Err(SecretError::Empty(place)) } else { Ok(text) }
    }
}

fn from_file(path: &Path) -> std::io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    File::open(path)?.take(MOST_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

#[allow(clippy::disallowed_methods, reason = "configuration may name a variable to read")]
fn from_environment(name: &str) -> Result<Zeroizing<String>, SecretError> {
    let read = std::env::var(name).ok().map(Zeroizing::new);
    read.ok_or_else(|| SecretError::Variable(name.to_owned()))
}

/// Where it is told, never what it is.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told(_) => f.write_str("Secret(told)"),
            Self::File(path) => write!(f, "Secret(file {})", path.display()),
            Self::Variable(name) => write!(f, "Secret(variable {name})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("url"), " https://a/secret \n").unwrap();
        std::fs::write(folder.path().join("empty"), "\n").unwrap();
        let read = |secret: Secret| {
            let shown = format!("{secret:?}");
            assert!(!shown.contains("https"), "{shown}");
            secret.read(folder.path()).map(|it| it.to_string()).map_err(|error| error.to_string())
        };
        let here = || "https://a/secret".to_owned();
        assert_eq!(read(Secret::Told(Zeroizing::new(here()))), Ok(here()));
        assert_eq!(read(Secret::File("url".into())), Ok(here()));
        assert!(read(Secret::File("empty".into())).unwrap_err().ends_with("empty is empty"));
        assert!(read(Secret::File("none".into())).unwrap_err().starts_with("cannot read /"));
        let none = read(Secret::Variable("MAILSONDE_TEST_NONE".into()));
        assert!(none.unwrap_err().starts_with("the environment has no MAILSONDE_TEST_NONE"));
    }
}
