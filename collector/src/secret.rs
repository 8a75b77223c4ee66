//! Secrets that the collector holds towards others: a type that cannot be printed, and where its text comes from.
//!
//! A [`Secret`] shows as `(secret)` in `Debug`, has no `Display` and no `Serialize`, and leaves memory when it is
//! dropped. Where its text is needed, `expose` says so in the code. Absent on purpose: a secret that stands in a
//! configuration file itself.

use std::fmt;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use url::Url;
use zeroize::Zeroizing;

/// Bytes of a secret at most.
const MAX_BYTES: u64 = 8 << 10;
/// Steps and values of a URL that are no longer than this are words that many have.
const LEAST_OF_URL: usize = 8;
/// Words shorter than this are not struck out: they stand in any text.
const LEAST_HIDDEN: usize = 6;

/// A password, a token, or a URL that lets whoever has it write.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text into keeping.
    pub(crate) fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself, for the one place that sends it to whom it belongs.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// The one line of a file that only its owner and group may read.
    ///
    /// # Errors
    /// What is wrong with it and what to do, in words; never its text.
    pub(crate) fn in_file(path: &Path) -> Result<Self, String> {
        Self::line(&text_of(path)?).map_err(|wrong| format!("{} {wrong}", path.display()))
    }

    /// The lines of such a file, without empty ones and those that begin with `#`.
    ///
    /// # Errors
    /// As [`in_file`](Self::in_file).
    pub(crate) fn lines_in_file(path: &Path) -> Result<Vec<Self>, String> {
        let text = text_of(path)?;
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let read = lines
            .map(|line| Self::line(line).map_err(|wrong| format!("{} {wrong}", path.display())));
        read.collect()
    }

    /// What a variable of the environment holds.
    ///
    /// # Errors
    /// When there is none, in words; never its text.
    #[allow(clippy::disallowed_methods, reason = "configuration may name a variable to read")]
    pub(crate) fn in_environment(name: &str) -> Result<Self, String> {
        match std::env::var(name).map(Zeroizing::new) {
            Ok(text) => {
                Self::line(&text).map_err(|wrong| format!("{name} in the environment {wrong}"))
            }
            Err(std::env::VarError::NotPresent) => {
                Err(format!("the environment has no {name}: set it for the collector"))
            }
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(format!("{name} in the environment is not UTF-8"))
            }
        }
    }

    fn line(text: &str) -> Result<Self, &'static str> {
        let line = text.trim();
        if line.is_empty() {
            Err("is empty")
        } else if line.chars().any(char::is_control) {
            Err("must hold the secret only, on one line")
        } else {
            Ok(Self::new(line.to_owned()))
        }
    }

    /// What of a URL that is one a server could say again: all of it, its path, each step of it, the query's values.
    pub(crate) fn parts_of(url: &Url) -> Vec<Self> {
        let mut parts = vec![url.as_str().to_owned(), url.path().to_owned()];
        parts.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
        parts.extend(url.path_segments().into_iter().flatten().map(str::to_owned));
        parts.into_iter().filter(|part| part.len() > LEAST_OF_URL).map(Self::new).collect()
    }

    /// A text with this struck out: servers like to say what they were told.
    pub(crate) fn struck_from(&self, text: &str) -> String {
        if self.0.len() < LEAST_HIDDEN {
            return text.to_owned();
        }
        text.replace(self.expose(), "(secret)")
    }
}

/// A small file that only its owner and group may read.
fn text_of(path: &Path) -> Result<Zeroizing<String>, String> {
    let shown = path.display();
    let cannot = |error| format!("cannot read {shown}: {error}");
    let is_file = |metadata: &std::fs::Metadata| match metadata.is_file() {
        true => Ok(()),
        false => Err(format!("{shown} is not a file")),
    };
    // a pipe would be waited for
    is_file(&std::fs::metadata(path).map_err(cannot)?)?;
    let file = std::fs::File::open(path).map_err(cannot)?;
    let metadata = file.metadata().map_err(cannot)?;
    is_file(&metadata)?;
    if metadata.permissions().mode() & 0o007 != 0 {
        return Err(format!("everybody on this machine can use {shown}: chmod 600 {shown}"));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_BYTES).read_to_string(&mut text).map_err(cannot)?;
    Ok(text)
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_secret_is_not_printed_and_struck_out() {
        let secret = Secret::new("hunter2".into());
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "(secret) Some((secret))");
        assert_eq!(secret.struck_from("no hunter2 here"), "no (secret) here");
        let url = "https://hc.example/ping/0b6f2f0a-1111?key=abcdefghi".parse().unwrap();
        let said = "no check at /ping/0b6f2f0a-1111 (0b6f2f0a-1111, abcdefghi)".to_owned();
        let parts = Secret::parts_of(&url);
        let struck = parts.iter().fold(said, |said, part| part.struck_from(&said));
        assert_eq!(struck, "no check at (secret) ((secret), (secret))");
    }

    #[test]
    fn a_variable_of_the_environment() {
        assert!(Secret::in_environment("PATH").unwrap().expose().contains("bin"));
        let wrong = Secret::in_environment("MAILSONDE_NO_SUCH_VARIABLE").unwrap_err();
        assert!(wrong.contains("set it for the collector"), "{wrong}");
    }

    #[test]
    fn a_file_is_for_its_owner_and_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        for (text, mode, told) in [
            ("hunter2\n", 0o600, Ok("hunter2")),
            ("hunter2", 0o640, Ok("hunter2")),
            ("hunter2", 0o644, Err("everybody on this machine can use")),
            (" \n", 0o600, Err("is empty")),
            ("a\nb\n", 0o600, Err("on one line")),
        ] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            match (Secret::in_file(&path), told) {
                (Ok(secret), Ok(told)) => assert_eq!(secret.expose(), told),
                (Err(wrong), Err(told)) => {
                    assert!(wrong.contains(told) && !wrong.contains("hunter2"), "{wrong}");
                }
                (secret, told) => panic!("{secret:?}, not {told:?}"),
            }
        }
        fs::write(&path, "# who pays\napi-key: hunter2\n\n x: y \n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let lines = Secret::lines_in_file(&path).unwrap();
        let lines: Vec<_> = lines.iter().map(Secret::expose).collect();
        assert_eq!(lines, ["api-key: hunter2", "x: y"]);
        assert!(Secret::in_file(folder.path()).unwrap_err().contains("is not a file"));
        assert!(Secret::in_file(&folder.path().join("b")).unwrap_err().contains("cannot read"));
    }
}
