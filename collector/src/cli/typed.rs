//! What is secret and comes from people: typed without an echo, or read from a file, never from the command line.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use anyhow::{Context, bail};
use zeroize::Zeroizing;

use crate::access::{MAX_PASSWORD_BYTES, Password};

/// A line of it is what counts.
#[derive(Debug, clap::Args)]
pub(super) struct PasswordArguments {
    /// Read the password from a file instead of asking for it; - is standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<std::path::PathBuf>,
}

impl PasswordArguments {
    /// The password of somebody who has one.
    pub(super) fn read(&self, user: &str) -> anyhow::Result<Password> {
        read(self.password_file.as_deref(), &format!("password of {user}: "))
    }

    /// A password that is to be one; asked for twice, and long enough.
    pub(super) fn read_new(&self, user: &str) -> anyhow::Result<Password> {
        let prompt = format!("new password of {user}: ");
        let password = read(self.password_file.as_deref(), &prompt)?;
        password.check()?;
        if self.password_file.is_none() && !ask("once more: ")?.is_same(&password) {
            bail!("the two are not the same: nothing was changed");
        }
        Ok(password)
    }
}

/// A password from a file, or asked for.
pub(super) fn read(file: Option<&Path>, prompt: &str) -> anyhow::Result<Password> {
    match file {
        Some(path) => Ok(Password::new(first_line(path)?.to_string())),
        None => ask(prompt),
    }
}

fn ask(prompt: &str) -> anyhow::Result<Password> {
    if !io::stdin().is_terminal() {
        bail!(
            "there is no terminal to ask for the password: give --password-file FILE, or - for standard input"
        );
    }
    let typed = rpassword::prompt_password(prompt).context("cannot read the password")?;
    Ok(Password::new(typed))
}

/// The first line of a file, or of standard input for `-`; without its end.
pub(super) fn first_line(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let (shown, most) = (path.display(), u64::try_from(MAX_PASSWORD_BYTES)? + 2);
    let mut text = Zeroizing::new(String::new());
    let read = if path == Path::new("-") {
        io::stdin().lock().take(most).read_to_string(&mut text)
    } else {
        File::open(path).and_then(|file| file.take(most).read_to_string(&mut text))
    };
    read.with_context(|| format!("cannot read {shown}"))?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        bail!("the first line of {shown} is empty");
    }
    Ok(Zeroizing::new(line.to_owned()))
}
