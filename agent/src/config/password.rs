//! Where a password comes from: a file, the environment, a systemd credential, or, with a warning, the
//! configuration itself. No mistake and no warning ever holds the password.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::section::Section;
use crate::secret::Secret;

/// The most that is read of a file with a secret: a service account's key file has 2.4 KB.
const MOST_BYTES: u64 = 8192;

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
    read_as(section, "password")
}

/// Reads a secret at another key, such as `client_secret`, in the same forms.
pub fn read_as(section: &mut Section<'_>, key: &str) -> Password {
    if section.is_command_line() {
        let (file, env) = (format!("{key}_file"), format!("{key}_env"));
        if let Some(path) = section.path(&file) {
            return known(section, (&file, key), from_file(&path, key));
        }
        if let Some(name) = section.text(&env) {
            return known(section, (&env, key), from_environment(&name));
        }
    }
    if section.refuses_secret(key) {
        return Password::Wrong;
    }
    if !section.has(key) {
        // Asked for all the same, so that an unknown `pasword` gets its hint.
        section.secret(key);
        return Password::Absent;
    }
    if !section.has_table(key) {
        return inline(section, key);
    }
    let Some(mut source) = section.table(key) else { return Password::Wrong };
    let keys: Vec<&str> =
        ["file", "env", "credential"].into_iter().filter(|key| source.has(key)).collect();
    let (file, env, credential) =
        (source.path("file"), source.text("env"), source.text("credential"));
    let password = match (keys.as_slice(), file, env, credential) {
        ([_], Some(path), _, _) => {
            warn_of_permissions(&mut source, "file", &path);
            known(&mut source, ("file", key), from_file(&path, key))
        }
        ([_], _, Some(name), _) => known(&mut source, ("env", key), from_environment(&name)),
        ([_], _, _, Some(name)) => {
            known(&mut source, ("credential", key), from_credential(&name, key))
        }
        ([_], None, None, None) => Password::Wrong,
        _ => {
            let forms = "{ file = \"…\" }, { env = \"…\" } or { credential = \"…\" }";
            source.mistake("", format!("{key} must be one of {forms}"));
            Password::Wrong
        }
    };
    source.finish();
    password
}

fn inline(section: &mut Section<'_>, key: &str) -> Password {
    let Some(secret) = section.secret(key) else { return Password::Wrong };
    let message = if section.is_command_line() {
        format!(
            "everybody on this machine can read a {key} in the list of processes: use {key}_env or {key}_file"
        )
    } else {
        format!(
            "the {key} stands in this file: put it into one of its own with mode 0600 and write {key} = {{ file = \"…\" }}"
        )
    };
    section.warning(key, &message);
    Password::Known(secret)
}

fn known(
    section: &mut Section<'_>,
    (at, what): (&str, &str),
    read: Result<String, String>,
) -> Password {
    match read {
        Ok(text) if text.is_empty() => {
            section.mistake(at, format!("the {what} there is empty"));
            Password::Wrong
        }
        Ok(text) => Password::Known(Secret::new(text)),
        Err(message) => {
            section.mistake(at, message);
            Password::Wrong
        }
    }
}

fn from_file(path: &Path, what: &str) -> Result<String, String> {
    let text = read_secret(path)
        .map_err(|error| format!("cannot read the {what} in {}: {error}", path.display()))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.contains(['\n', '\r', '\0']) {
        return Err(format!("{} must hold the {what} only, on one line", path.display()));
    }
    Ok(line.to_owned())
}

/// The beginning of a file that holds a secret.
///
/// # Errors
/// When it cannot be read.
pub fn read_secret(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(MOST_BYTES).read_to_string(&mut text)?;
    Ok(text)
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

fn from_credential(name: &str, what: &str) -> Result<String, String> {
    if name.contains('/') || name == ".." {
        return Err("a credential is a name without slashes".into());
    }
    let folder = from_environment("CREDENTIALS_DIRECTORY").map_err(|_absent| {
        format!(
            "there are no credentials here: start the agent by systemd with LoadCredential={name}:…"
        )
    })?;
    from_file(&PathBuf::from(folder).join(name), what)
}

/// Warns when others than its owner can read a file that holds a secret.
pub fn warn_of_permissions(section: &mut Section<'_>, key: &str, path: &Path) {
    let Ok(metadata) = std::fs::metadata(path) else { return };
    if metadata.permissions().mode() & 0o077 != 0 {
        let message = format!("others can read {0}: chmod 600 {0}", path.display());
        section.warning(key, &message);
    }
}
