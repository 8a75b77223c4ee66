//! `api-token`: what programs show over the network instead of a password.

use std::time::Duration;

use super::figures::roughly;
use super::terminal::{Terminal, Tone, cell, complain, lines, say, words};
use super::{Ending, Setting, client};
use crate::access::{ApiTokenAnswer, ApiTokenWish, ApiTokensAnswer, NewApiToken};
use crate::api::path;
use crate::control::Role;

#[derive(Debug, clap::Subcommand)]
pub(super) enum ApiTokenCommand {
    /// Print one API token; it is shown this once
    Create(CreateArguments),
    /// Every API token; never its secret
    List,
    /// Revoke an API token, at once
    Revoke {
        /// Its name
        name: String,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct CreateArguments {
    /// What it is called in the audit log: 1 to 64 characters of a-z A-Z 0-9 . _ -
    #[arg(long)]
    name: String,
    /// viewer, operator or admin
    #[arg(long)]
    role: Role,
    /// How long it works, such as 90d
    #[arg(long, default_value = "90d", value_parser = humantime::parse_duration)]
    ttl: Duration,
}

pub(super) async fn run(setting: &Setting, command: &ApiTokenCommand) -> anyhow::Result<Ending> {
    let at = &setting.collector;
    let answer = match command {
        ApiTokenCommand::Create(arguments) => return create(setting, arguments).await,
        ApiTokenCommand::List => client::ask::<ApiTokensAnswer>(at, path::API_TOKENS).await?,
        ApiTokenCommand::Revoke { name } => {
            client::send(at, &path::with(path::API_TOKEN_REVOKE, name), &()).await?
        }
    };
    let text = match setting.json {
        true => format!("{}\n", answer.raw),
        false => shown(&answer.value, &setting.terminal),
    };
    say(&text)?;
    Ok(Ending::Done)
}

async fn create(setting: &Setting, arguments: &CreateArguments) -> anyhow::Result<Ending> {
    let CreateArguments { name, role, ttl } = arguments;
    let wish = ApiTokenWish { name: name.clone(), role: *role, ttl_s: ttl.as_secs() };
    let answer = client::send::<NewApiToken>(&setting.collector, path::API_TOKENS, &wish).await?;
    if setting.json {
        say(&format!("{}\n", answer.raw))?;
        return Ok(Ending::Done);
    }
    if setting.terminal.is_terminal {
        let ttl = humantime::format_duration(*ttl);
        complain(&format!("works for {ttl}, and is not shown again; where it is to be used:"));
        complain("mailsonde-collector login --url https://HOST:PORT --api-token FILE");
    }
    say(&format!("{}\n", answer.value.token))?;
    Ok(Ending::Done)
}

fn shown(answer: &ApiTokensAnswer, terminal: &Terminal) -> String {
    if answer.api_tokens.is_empty() {
        return "there is no API token: `mailsonde-collector api-token create`\n".into();
    }
    let mut table = terminal.table(["API token", "role", "works", "made", "by"]);
    for token in &answer.api_tokens {
        let ApiTokenAnswer { name, role, made_at, made_by, expires_at } = token;
        let works = match *expires_at > answer.now {
            true => cell(Tone::Good, format!("for {}", roughly(answer.now, *expires_at))),
            false => cell(Tone::Doubtful, "no more"),
        };
        table.add_row([
            words(name),
            words(role.as_str()),
            works,
            words(format!("{} ago", roughly(*made_at, answer.now))),
            words(made_by),
        ]);
    }
    lines(&table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::plain;

    #[test]
    fn each_api_token_has_a_line() {
        let token = |name: &str, expires_at: &str| ApiTokenAnswer {
            name: name.into(),
            role: Role::Viewer,
            made_at: "2026-11-24T10:00:00Z".parse().unwrap(),
            made_by: "user ann".into(),
            expires_at: expires_at.parse().unwrap(),
        };
        let answer = ApiTokensAnswer {
            now: "2026-11-24T10:05:00Z".parse().unwrap(),
            api_tokens: vec![
                token("old", "2026-11-24T10:05:00Z"),
                token("wall", "2027-02-22T10:00:00Z"),
            ],
        };
        insta::assert_snapshot!(shown(&answer, &plain(120)), @r"
        API token  role    works     made       by
        old        viewer  no more   5 min ago  user ann
        wall       viewer  for 89 d  5 min ago  user ann
        ");
    }
}
