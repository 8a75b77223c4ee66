//! Where a secret of the configuration is told: there, in a file, or in the environment.

use std::fmt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::secret::Secret;

/// Where a secret is told.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretPlace {
    /// In the configuration itself.
    Told(Zeroizing<String>),
    /// In a file that others cannot read; a relative one is looked for in the collector's folder.
    File(PathBuf),
    /// In a variable of the environment.
    Variable(String),
}

impl SecretPlace {
    /// Reads it, without white space around it; `folder` is the collector's.
    ///
    /// # Errors
    /// When it is not there, empty, or everybody can read it: in words, never its text.
    pub fn read(&self, folder: &Path) -> Result<Zeroizing<String>, String> {
        let secret = match self {
            Self::Told(text) => Secret::new(text.trim().to_owned()),
            Self::File(path) => Secret::in_file(&folder.join(path))?,
            Self::Variable(name) => Secret::in_environment(name)?,
        };
        Ok(Zeroizing::new(secret.expose().to_owned()))
    }
}

/// Where it is told, never what it is.
impl fmt::Debug for SecretPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told(_) => f.write_str("SecretPlace(told)"),
            Self::File(path) => write!(f, "SecretPlace(file {})", path.display()),
            Self::Variable(name) => write!(f, "SecretPlace(variable {name})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_is_read_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        for (name, mode) in [("url", 0o600), ("open", 0o644)] {
            let file = folder.path().join(name);
            fs::write(&file, " https://a/secret \n").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        }
        let read = |secret: SecretPlace| {
            let shown = format!("{secret:?}");
            assert!(!shown.contains("https"), "{shown}");
            secret.read(folder.path()).map(|it| it.to_string())
        };
        let here = || "https://a/secret".to_owned();
        assert_eq!(read(SecretPlace::Told(Zeroizing::new(here()))), Ok(here()));
        assert_eq!(read(SecretPlace::File("url".into())), Ok(here()));
        let open = read(SecretPlace::File("open".into())).unwrap_err();
        assert!(open.contains("chmod 600"), "{open}");
        assert!(read(SecretPlace::File("none".into())).unwrap_err().starts_with("cannot read /"));
        let none = read(SecretPlace::Variable("MAILSONDE_TEST_NONE".into()));
        assert!(none.unwrap_err().starts_with("the environment has no MAILSONDE_TEST_NONE"));
    }
}
