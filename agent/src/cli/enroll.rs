//! `enroll`: one line pasted on the branch's server, and the agent is in.
//!
//! Where root does that for a service with a user of its own, that user makes and keeps the identity, root writes the
//! configuration, which the service must not change, and starts the service.

mod agent_toml;

use std::io::{BufRead, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail};
use mailsonde_proto::EnrolmentToken;
use mailsonde_proto::check::is_name;
use mailsonde_proto::file::{self, PUBLIC};
use mailsonde_proto::service::{self, Owner, Started};

use super::{CONFIG_NAME, DEFAULT_CONFIG, Ending, refuse, runtime, terminal};
use crate::config::DEFAULT_DATA;
use crate::identity::IdentityFiles;
use crate::net::Net;
use crate::uplink::enrolment;

/// Where Linux keeps the name of the host.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// Bytes of what a token stands in.
const TOKEN_BYTES: u64 = 4096;
/// The unit that the package brings.
const UNIT: &str = "mailsonde-agent.service";

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
    /// Keep the identity only, and print the agent's name and an agent.toml: what root asks of the agent's own user
    #[arg(long, hide = true)]
    identity_only: bool,
}

pub(super) fn enroll(arguments: &EnrollArguments) -> Ending {
    let folder = arguments.data.as_deref().unwrap_or(Path::new(DEFAULT_DATA));
    if arguments.if_needed && IdentityFiles::of_data(folder).certificate.exists() {
        let said = terminal::say("enrolled already: nothing was done\n");
        return if said.is_ok() { Ending::Pass } else { Ending::Fail };
    }
    let token = line(arguments).and_then(|text| token_in(&text));
    let token = match token {
        Ok(token) => token,
        Err(error) => return refuse(&format!("mailsonde-agent: {error}")),
    };
    let asked = match arguments.identity_only {
        true => identity(&token, folder).map(|(name, text)| format!("{name}\n{text}")),
        false => enrolled(&token, arguments.data.as_deref()),
    };
    match asked.and_then(|text| terminal::say(&text)) {
        Ok(()) => Ending::Pass,
        Err(error) => {
            terminal::complain(&format!("mailsonde-agent: {error:#}"));
            Ending::Fail
        }
    }
}

/// What `token create` printed may stand there whole, the command before the token too: the token is the word that is one.
fn token_in(text: &str) -> Result<EnrolmentToken, String> {
    let read = |word: &str| EnrolmentToken::from_line(word);
    if let Some(token) = text.split_whitespace().find_map(|word| read(word).ok()) {
        return Ok(token);
    }
    // a token is longer than any word around it: what is wrong with that one is what to tell
    let longest = text.split_whitespace().max_by_key(|word| word.len()).unwrap_or_default();
    read(longest).map_err(|error| error.to_string())
}

/// The token's line, from where it stands.
fn line(arguments: &EnrollArguments) -> Result<String, String> {
    match (arguments.token.as_deref(), &arguments.token_file) {
        (Some("-"), _) => {
            let mut line = String::new();
            if std::io::stdin().is_terminal() {
                terminal::complain(
                    "paste the line that `mailsonde-collector token create` printed:",
                );
            }
            let read = std::io::stdin().lock().take(TOKEN_BYTES).read_line(&mut line);
            read.map(|_bytes| line)
                .map_err(|error| format!("cannot read the token from standard input: {error}"))
        }
        (Some(token), _) => Ok(token.to_owned()),
        (None, Some(file)) => std::fs::File::open(file)
            .and_then(|opened| std::io::read_to_string(opened.take(TOKEN_BYTES)))
            .map_err(|error| format!("cannot read the token in {}: {error}", file.display())),
        (None, None) => Err("no token: `mailsonde-collector token create` prints one".to_owned()),
    }
}

fn enrolled(token: &EnrolmentToken, data: Option<&Path>) -> anyhow::Result<String> {
    // a relative path would be read as relative to the file's own folder
    let folder = data.unwrap_or(Path::new(DEFAULT_DATA));
    let folder = std::path::absolute(folder)
        .with_context(|| format!("cannot tell where {} is", folder.display()))?;
    let config = data.map_or_else(|| PathBuf::from(DEFAULT_CONFIG), |data| data.join(CONFIG_NAME));
    let (name, text) = match Owner::other_than_root(&folder) {
        Some(owner) => identity_of(owner, token, &folder)?,
        None => identity(token, &folder)?,
    };
    let is_new = !config.exists();
    if is_new {
        if let Some(parent) = config.parent() {
            std::fs::create_dir_all(parent)
                .with_context(|| format!("cannot make the folder {}", parent.display()))?;
        }
        file::replace(&config, text.as_bytes(), PUBLIC)
            .with_context(|| format!("cannot write {}", config.display()))?;
    }
    let started = if data.is_none() { service::start(UNIT) } else { Started::NotOurs };
    Ok(told((&name, is_new), &config, data, &started))
}

/// Gets the identity; the agent's name, and the text of an agent.toml for it.
fn identity(token: &EnrolmentToken, folder: &Path) -> anyhow::Result<(String, String)> {
    let files = IdentityFiles::of_data(folder);
    let net = Net::new();
    let coming_in = enrolment::enroll(&net, token, files, host_name());
    let certified = runtime()?.block_on(coming_in).context("not enrolled")?;
    let text = agent_toml::of(&token.collector, &certified, folder);
    Ok((certified.name, text))
}

/// The same, by this program as the user whose folder it is.
fn identity_of(
    owner: Owner,
    token: &EnrolmentToken,
    folder: &Path,
) -> anyhow::Result<(String, String)> {
    let cannot = || format!("cannot run as the owner of {}", folder.display());
    let mut command = owner.program().with_context(cannot)?;
    command.args(["enroll", "-", "--identity-only", "--data"]).arg(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().with_context(cannot)?;
    if let Some(mut input) = child.stdin.take() {
        // one that has gone already says why itself
        writeln!(input, "{}", token.to_line()).ok();
    }
    let answer = child.wait_with_output().with_context(cannot)?;
    if !answer.status.success() {
        bail!("the owner of {} did not enrol", folder.display());
    }
    let answer = String::from_utf8(answer.stdout).context("what was enrolled has no name")?;
    let (name, text) = answer.split_once('\n').context("what was enrolled has no name")?;
    Ok((name.to_owned(), text.to_owned()))
}

fn told(
    (name, is_new): (&str, bool),
    config: &Path,
    data: Option<&Path>,
    started: &Started,
) -> String {
    let (service, last) = match (started, data) {
        (Started::Running, _) => {
            (format!("{UNIT} runs\n"), format!("systemctl reload-or-restart {UNIT}"))
        }
        (Started::Failed(why), _) => {
            let words = format!("{UNIT} does not run: {why}\n");
            (words, format!("systemctl restart {UNIT}"))
        }
        (Started::NotOurs, Some(data)) => {
            (String::new(), format!("mailsonde-agent run --data {}", data.display()))
        }
        (Started::NotOurs, None) => (String::new(), "mailsonde-agent run".to_owned()),
    };
    let config = config.display();
    let write = if is_new { "write its mailbox and its check into" } else { "look over" };
    format!(
        "enrolled as {name}; its certificate renews itself\n\
         {service}\
         \n\
         next:\n  \
         1. {write} {config}\n  \
         2. mailsonde-agent check-config {config}\n  \
         3. {last}\n"
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
    use mailsonde_proto::TokenSecret;

    use super::*;

    #[test]
    fn the_next_steps_are_told() {
        let data = Path::new("/srv/agent");
        let config = data.join("agent.toml");
        insta::assert_snapshot!(told(("mx1", true), &config, Some(data), &Started::NotOurs), @r"
        enrolled as mx1; its certificate renews itself

        next:
          1. write its mailbox and its check into /srv/agent/agent.toml
          2. mailsonde-agent check-config /srv/agent/agent.toml
          3. mailsonde-agent run --data /srv/agent
        ");
        let config = Path::new(DEFAULT_CONFIG);
        insta::assert_snapshot!(told(("mx1", false), config, None, &Started::Running), @r"
        enrolled as mx1; its certificate renews itself
        mailsonde-agent.service runs

        next:
          1. look over /etc/mailsonde-agent/agent.toml
          2. mailsonde-agent check-config /etc/mailsonde-agent/agent.toml
          3. systemctl reload-or-restart mailsonde-agent.service
        ");
        let failed = Started::Failed("unit is masked".into());
        let told = told(("mx1", true), config, None, &failed);
        assert!(told.contains("does not run: unit is masked\n"), "{told}");
    }

    #[test]
    fn what_token_create_printed_is_taken_whole() {
        let token = EnrolmentToken {
            collector: "mx1:7443".into(),
            authority: [7; 32],
            secret: TokenSecret::from_bytes([9; 16]),
        };
        let line = token.to_line();
        let pasted = format!("mailsonde-agent enroll {line}\n");
        let explained = format!("works once, for 15m:\n  {pasted}");
        for text in [&line, &pasted, &explained] {
            assert_eq!(token_in(text).unwrap(), token, "{text}");
        }
        let (cut, rest) = line.split_at(line.len() - 10);
        for text in [cut, &format!("mailsonde-agent enroll {cut}"), &format!("{cut}\n{rest}\n")] {
            assert!(token_in(text).unwrap_err().contains("cut or mistyped"), "{text}");
        }
        for text in ["mailsonde-agent enroll", ""] {
            assert!(token_in(text).unwrap_err().contains("begins with mst1_"), "{text}");
        }
    }

    #[test]
    fn a_token_is_read_where_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "mst1_x\n").unwrap();
        let arguments = |token: Option<&str>, token_file| EnrollArguments {
            token: token.map(str::to_owned),
            token_file,
            if_needed: false,
            data: None,
            identity_only: false,
        };
        assert_eq!(line(&arguments(Some("mst1_x"), None)).unwrap(), "mst1_x");
        assert_eq!(line(&arguments(None, Some(file))).unwrap().trim(), "mst1_x");
        let absent = Some(folder.path().join("absent"));
        assert!(line(&arguments(None, absent)).unwrap_err().contains("cannot read the token in"));
    }
}
