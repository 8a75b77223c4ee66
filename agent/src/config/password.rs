//! Where a password comes from: a file, the environment, a systemd credential, or, with a warning, the
//! configuration itself. No mistake and no warning ever holds the password.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::section::Section;
use crate::secret::Secret;

/// The most that is read of a password's file.
const MOST_BYTES: u64 = 4096;

/// What a section says about its password.
#[derive(Clone, Debug)]
pub enum Password {
    /// Nothing.
    Absent,
    /// This.
    Known(Secret),
    /// Something wrong; the mistake is on record.
    Wrong,
}

/// Reads the `password` of a section: `{ file = "…" }`, `{ env = "…" }`, `{ credential = "…" }`, or a
/// text. On the command line also `password_env=NAME` and `password_file=PATH`.
pub fn read(section: &mut Section<'_>) -> Password {
    if section.is_command_line() {
        if let Some(path) = section.path("password_file") {
            return known(section, "password_file", from_file(&path));
        }
        if let Some(name) = section.text("password_env") {
            return known(section, "password_env", from_environment(&name));
        }
    }
    if !section.has("password") {
        // Asked for all the same, so that an unknown `pasword` gets its hint.
        section.secret("password");
        return Password::Absent;
    }
    if !section.has_table("password") {
        return inline(section);
    }
    let Some(mut source) = section.table("password") else { return Password::Wrong };
    let keys: Vec<&str> =
        ["file", "env", "credential"].into_iter().filter(|key| source.has(key)).collect();
    let (file, env, credential) =
        (source.path("file"), source.text("env"), source.text("credential"));
    let password = match (keys.as_slice(), file, env, credential) {
        ([_], Some(path), _, _) => {
            warn_of_permissions(&mut source, "file", &path);
            known(&mut source, "file", from_file(&path))
        }
        ([_], _, Some(name), _) => known(&mut source, "env", from_environment(&name)),
        ([_], _, _, Some(name)) => known(&mut source, "credential", from_credential(&name)),
        ([_], None, None, None) => Password::Wrong,
        _ => {
            let forms = "{ file = \"…\" }, { env = \"…\" } or { credential = \"…\" }";
            source.mistake("", format!("password must be one of {forms}"));
            Password::Wrong
        }
    };
    source.finish();
    password
}

fn inline(section: &mut Section<'_>) -> Password {
    let Some(secret) = section.secret("password") else { return Password::Wrong };
    section.warning("password", if section.is_command_line() {
        "everybody on this machine can read a password in the list of processes: use password_env or password_file"
    } else {
        "the password stands in this file: put it into one of its own with mode 0600 and write password = { file = \"…\" }"
    });
    Password::Known(secret)
}

fn known(section: &mut Section<'_>, key: &str, read: Result<String, String>) -> Password {
    match read {
        Ok(text) if text.is_empty() => {
            section.mistake(key, "the password there is empty".into());
            Password::Wrong
        }
        Ok(text) => Password::Known(Secret::new(text)),
        Err(message) => {
            section.mistake(key, message);
            Password::Wrong
        }
    }
}

fn from_file(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text))
        .map_err(|error| format!("cannot read the password in {}: {error}", path.display()))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.contains(['\n', '\r', '\0']) {
        return Err(format!("{} must hold the password only, on one line", path.display()));
    }
    Ok(line.to_owned())
}

#[allow(clippy::disallowed_methods, reason = "configuration may name a variable to read")]
fn from_environment(name: &str) -> Result<String, String> {
    match std::env::var(name) {
        Ok(text) => Ok(text),
        Err(std::env::VarError::NotPresent) => {
            Err(format!("the environment has no {name}: set it for the agent"))
        }
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(format!("{name} in the environment is not UTF-8"))
        }
    }
}

fn from_credential(name: &str) -> Result<String, String> {
    if name.contains('/') || name == ".." {
        return Err("a credential is a name without slashes".into());
    }
    let folder = from_environment("CREDENTIALS_DIRECTORY").map_err(|_absent| {
        format!(
            "there are no credentials here: start the agent by systemd with LoadCredential={name}:…"
        )
    })?;
    from_file(&PathBuf::from(folder).join(name))
}

/// Warns when others than its owner can read a file that holds a secret.
pub fn warn_of_permissions(section: &mut Section<'_>, key: &str, path: &Path) {
    let Ok(metadata) = std::fs::metadata(path) else { return };
    if metadata.permissions().mode() & 0o077 != 0 {
        let message = format!("others can read {0}: chmod 600 {0}", path.display());
        section.warning(key, &message);
    }
}
