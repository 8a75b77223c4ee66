//! `token`: makes, lists and withdraws the tokens that let agents in.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::figures::roughly;
use super::terminal::{Terminal, Tone, cell, lines, say, words};
use super::{Ending, Setting, client};
use crate::api::path;
use crate::enrolment::{NewToken, TokenWish};
use crate::query::{TokenAnswer, TokensAnswer};

#[derive(Debug, clap::Subcommand)]
pub(super) enum TokenCommand {
    /// Print one line that lets one agent in, once: paste it on the branch's server
    Create(CreateArguments),
    /// Every token that there was, and who came in by it
    List,
    /// Withdraw a token that nobody has used
    Withdraw {
        /// As `token list` shows it
        id: String,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct CreateArguments {
    /// What the vantage point is to be called; its host's name without it
    #[arg(long, conflicts_with = "agent")]
    name: Option<String>,
    /// What it can be selected by, such as site=durban; as often as needed
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// How long it works, such as 15m
    #[arg(long, default_value = "15m", value_parser = humantime::parse_duration)]
    ttl: Duration,
    /// Bring an agent in again that is known already, with another key: its disk was lost
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
}

fn label(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').ok_or("write it as KEY=VALUE, such as site=durban")?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
}

pub(super) async fn run(setting: &Setting, command: &TokenCommand) -> anyhow::Result<Ending> {
    match command {
        TokenCommand::Create(arguments) => create(setting, arguments).await,
        TokenCommand::List => {
            let answer = client::ask::<TokensAnswer>(&setting.collector, path::TOKENS).await?;
            tell(setting, &answer)
        }
        TokenCommand::Withdraw { id } => {
            let wanted = path::with(path::TOKEN_WITHDRAW, id);
            let answer = client::send::<TokensAnswer>(&setting.collector, &wanted, &()).await?;
            tell(setting, &answer)
        }
    }
}

async fn create(setting: &Setting, arguments: &CreateArguments) -> anyhow::Result<Ending> {
    let labels: BTreeMap<_, _> = arguments.labels.iter().cloned().collect();
    let wish = TokenWish {
        name: arguments.name.clone(),
        labels,
        ttl_s: arguments.ttl.as_secs(),
        agent: arguments.agent.clone(),
    };
    let answer = client::send::<NewToken>(&setting.collector, path::TOKENS, &wish).await?;
    let text = if setting.json {
        format!("{}\n", answer.raw)
    } else {
        let NewToken { token, .. } = &answer.value;
        if setting.terminal.is_terminal {
            let ttl = humantime::format_duration(arguments.ttl);
            super::terminal::complain(&format!(
                "works once, for {ttl}; paste it on the branch's server, as the user who will run the agent:"
            ));
        }
        format!("mailsonde-agent enroll {token}\n")
    };
    say(&text)?;
    Ok(Ending::Done)
}

fn tell(setting: &Setting, answer: &client::Answer<TokensAnswer>) -> anyhow::Result<Ending> {
    let text = if setting.json {
        format!("{}\n", answer.raw)
    } else {
        shown(&answer.value, &setting.terminal)
    };
    say(&text)?;
    Ok(Ending::Done)
}

fn shown(answer: &TokensAnswer, terminal: &Terminal) -> String {
    if answer.tokens.is_empty() {
        return "no token has been made yet: `mailsonde-collector token create`\n".into();
    }
    let mut table = terminal.table(["token", "state", "for", "labels", "made", "by"]);
    for token in &answer.tokens {
        let labels: Vec<_> =
            token.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        table.add_row([
            words(&token.id),
            state(token, answer.now),
            words(token.used_by.as_deref().or(token.name.as_deref()).unwrap_or("any host")),
            words(labels.join(" ")),
            words(format!("{} ago", roughly(token.made_at, answer.now))),
            words(&token.made_by),
        ]);
    }
    lines(&table)
}

fn state(token: &TokenAnswer, now: Timestamp) -> comfy_table::Cell {
    match token.state.as_str() {
        "usable" => {
            let left = roughly(now, token.expires_at);
            cell(Tone::Good, format!("usable, for {left}"))
        }
        other => words(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::plain;

    #[test]
    fn each_token_has_its_line_and_no_secret() {
        let token = |id: &str, state: &str| TokenAnswer {
            id: id.into(),
            state: state.into(),
            made_at: "2026-11-24T10:00:00Z".parse().unwrap(),
            made_by: "uid 0 (root)".into(),
            expires_at: "2026-11-24T10:15:00Z".parse().unwrap(),
            name: None,
            labels: [("site".into(), "durban".into())].into(),
            used_by: None,
        };
        let used = TokenAnswer { used_by: Some("mx1".into()), ..token("3f2a91c4", "used") };
        let answer = TokensAnswer {
            now: "2026-11-24T10:05:00Z".parse().unwrap(),
            tokens: vec![token("0badc0de", "usable"), used, token("12345678", "withdrawn")],
        };
        insta::assert_snapshot!(shown(&answer, &plain(120)), @r"
        token     state               for       labels       made       by
        0badc0de  usable, for 10 min  any host  site=durban  5 min ago  uid 0 (root)
        3f2a91c4  used                mx1       site=durban  5 min ago  uid 0 (root)
        12345678  withdrawn           any host  site=durban  5 min ago  uid 0 (root)
        ");
    }
}
