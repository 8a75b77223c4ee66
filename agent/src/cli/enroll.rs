//! `enroll`: one line pasted on the branch's server, and the agent is in.

mod agent_toml;

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use mailsonde_proto::EnrolmentToken;
use mailsonde_proto::check::is_name;
use mailsonde_proto::file::{self, PUBLIC};

use super::{CONFIG_NAME, DEFAULT_CONFIG, Ending, refuse, runtime, terminal};
use crate::config::DEFAULT_DATA;
use crate::identity::IdentityFiles;
use crate::net::Net;
use crate::uplink::enrolment;

/// Where Linux keeps the name of the host.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// Bytes of what a token stands in.
const TOKEN_BYTES: u64 = 4096;

#[derive(Debug, clap::Args)]
pub(super) struct EnrollArguments {
    /// As `mailsonde-collector token create` printed it; - reads it from standard input, where no list of processes
    /// shows it
    #[arg(required_unless_present = "token_file")]
    token: Option<String>,
    /// Read the token from this file
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    token_file: Option<PathBuf>,
    /// Do nothing where the agent was let in already: then no token is needed
    #[arg(long)]
    if_needed: bool,
    /// The folder of outbox and identity; agent.toml stands in it too then
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

pub(super) fn enroll(arguments: &EnrollArguments) -> Ending {
    let data = arguments.data.as_deref().unwrap_or(Path::new(DEFAULT_DATA));
    if arguments.if_needed && IdentityFiles::of_data(data).certificate.exists() {
        let said = terminal::say("enrolled already: nothing was done\n");
        return if said.is_ok() { Ending::Pass } else { Ending::Fail };
    }
    let token = line(arguments)
        .and_then(|line| EnrolmentToken::from_line(line.trim()).map_err(|error| error.to_string()));
    let token = match token {
        Ok(token) => token,
        Err(error) => return refuse(&format!("mailsonde-agent: {error}")),
    };
    match enrolled(&token, arguments.data.as_deref()).and_then(|text| terminal::say(&text)) {
        Ok(()) => Ending::Pass,
        Err(error) => {
            terminal::complain(&format!("mailsonde-agent: {error:#}"));
            Ending::Fail
        }
    }
}

/// The token's line, from where it stands.
fn line(arguments: &EnrollArguments) -> Result<String, String> {
    match (arguments.token.as_deref(), &arguments.token_file) {
        (Some("-"), _) => std::io::read_to_string(std::io::stdin().take(TOKEN_BYTES))
            .map_err(|error| format!("cannot read the token from standard input: {error}")),
        (Some(token), _) => Ok(token.to_owned()),
        (None, Some(file)) => std::fs::File::open(file)
            .and_then(|opened| std::io::read_to_string(opened.take(TOKEN_BYTES)))
            .map_err(|error| format!("cannot read the token in {}: {error}", file.display())),
        (None, None) => Err("no token: `mailsonde-collector token create` prints one".to_owned()),
    }
}

fn enrolled(token: &EnrolmentToken, data: Option<&Path>) -> anyhow::Result<String> {
    let folder = data.unwrap_or(Path::new(DEFAULT_DATA));
    let config = data.map_or_else(|| PathBuf::from(DEFAULT_CONFIG), |data| data.join(CONFIG_NAME));
    let files = IdentityFiles::of_data(folder);
    let net = Net::new();
    let coming_in = enrolment::enroll(&net, token, files, host_name());
    let certified = runtime()?.block_on(coming_in).context("not enrolled")?;
    let is_new = !config.exists();
    if is_new {
        if let Some(parent) = config.parent() {
            std::fs::create_dir_all(parent)
                .with_context(|| format!("cannot make the folder {}", parent.display()))?;
        }
        // a relative path would be read as relative to the file's own folder
        let folder = std::path::absolute(folder)
            .with_context(|| format!("cannot tell where {} is", folder.display()))?;
        let text = agent_toml::of(&token.collector, &certified, &folder);
        file::replace(&config, text.as_bytes(), PUBLIC)
            .with_context(|| format!("cannot write {}", config.display()))?;
    }
    Ok(told(&certified.name, is_new, &config, data))
}

fn told(name: &str, is_new: bool, config: &Path, data: Option<&Path>) -> String {
    let run = match data {
        Some(data) => format!("mailsonde-agent run --data {}", data.display()),
        None => "mailsonde-agent run".to_owned(),
    };
    let config = config.display();
    let write = if is_new { "write its mailbox and its check into" } else { "look over" };
    format!(
        "enrolled as {name}; its certificate renews itself\n\
         \n\
         next:\n  \
         1. {write} {config}\n  \
         2. mailsonde-agent check-config {config}\n  \
         3. {run}\n"
    )
}

/// A name that a vantage point can have.
pub(super) fn vantage_name(text: &str) -> Result<String, String> {
    match is_name(text) {
        true => Ok(text.to_owned()),
        false => Err("must be 1 to 64 of a-z A-Z 0-9 . _ -".to_owned()),
    }
}

/// What the host calls itself, without its domain, where that can name an agent.
fn host_name() -> Option<String> {
    let name = std::fs::read_to_string(HOST_NAME).ok()?;
    let name = name.trim().split('.').next().unwrap_or_default().to_owned();
    is_name(&name).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_steps_are_told() {
        let data = Path::new("/srv/agent");
        insta::assert_snapshot!(told("mx1", true, &data.join("agent.toml"), Some(data)), @r"
        enrolled as mx1; its certificate renews itself

        next:
          1. write its mailbox and its check into /srv/agent/agent.toml
          2. mailsonde-agent check-config /srv/agent/agent.toml
          3. mailsonde-agent run --data /srv/agent
        ");
    }
}
