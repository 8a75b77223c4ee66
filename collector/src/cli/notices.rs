//! `notices`: what was told to whom, when, and what came of it.

use url::form_urlencoded;

use super::figures::time;
use super::terminal::{Terminal, Tone, cell, lines, say, words};
use super::{Ending, Setting, client};
use crate::api::path;
use crate::query::notices::{DEFAULT_LIMIT, MAX_LIMIT, NoticeAnswer, NoticesAnswer};

#[derive(Debug, clap::Args)]
pub(super) struct NoticesArguments {
    /// Only those to this channel
    #[arg(long, value_name = "NAME")]
    channel: Option<String>,
    /// Only those about this incident
    #[arg(long, value_name = "NUMBER")]
    incident: Option<u64>,
    /// Only those that failed, or wait
    #[arg(long)]
    failed: bool,
    /// How many at most, up to 1000
    #[arg(long, value_name = "COUNT", default_value_t = DEFAULT_LIMIT, value_parser = limit)]
    limit: usize,
}

fn limit(text: &str) -> Result<usize, String> {
    let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| format!("write a number from 1 to {MAX_LIMIT}"))
}

pub(super) async fn run(setting: &Setting, arguments: &NoticesArguments) -> anyhow::Result<Ending> {
    let mut question = form_urlencoded::Serializer::new(String::new());
    let NoticesArguments { channel, incident, failed, limit } = arguments;
    if let Some(channel) = channel {
        question.append_pair("channel", channel);
    }
    if let Some(incident) = incident {
        question.append_pair("incident", &incident.to_string());
    }
    if *failed {
        question.append_pair("failed", "true");
    }
    question.append_pair("limit", &limit.to_string());
    let asked = format!("{}?{}", path::NOTICES, question.finish());
    let answer = client::ask::<NoticesAnswer>(&setting.collector, &asked).await?;
    let text = match setting.json {
        true => format!("{}\n", answer.raw),
        false => listed(&answer.value, &setting.terminal),
    };
    say(&text)?;
    Ok(Ending::Done)
}

fn listed(answer: &NoticesAnswer, terminal: &Terminal) -> String {
    if answer.notices.is_empty() {
        return "there is no such message\n".to_owned();
    }
    let mut table =
        terminal.table(["when", "channel", "state", "tried", "why", "what", "came back"]);
    for notice in &answer.notices {
        let at = notice.when.map(|at| time(at, answer.now, &terminal.zone)).unwrap_or_default();
        table.add_row([
            words(at),
            words(&notice.channel),
            state(notice),
            words(notice.attempts.to_string()),
            words(notice.occasion.as_str()),
            words(shortened(&notice.title, terminal)),
            words(shortened(&notice.said, terminal)),
        ]);
    }
    let more = match answer.more {
        0 => String::new(),
        more => format!("and {more} older: ask for more by --limit\n"),
    };
    lines(&table) + &more
}

fn state(notice: &NoticeAnswer) -> comfy_table::Cell {
    match (notice.state.as_str(), notice.is_confirmed) {
        ("sent", true) => cell(Tone::Good, "confirmed"),
        ("sent", false) => cell(Tone::Good, "accepted"),
        ("failed", _) => cell(Tone::Bad, "failed"),
        (other, _) => cell(Tone::Doubtful, other),
    }
}

/// A terminal shows the beginning; a pipe gets all of it.
fn shortened(text: &str, terminal: &Terminal) -> String {
    if !terminal.is_terminal {
        return text.to_owned();
    }
    let line = text.lines().next().unwrap_or_default();
    let mut short: String = line.chars().take(80).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::plain;
    use crate::judge::message::Occasion;

    #[test]
    fn notices_are_lines() {
        let notice = |channel: &str, state: &str, said: &str| NoticeAnswer {
            id: "17-1-ops".into(),
            channel: channel.into(),
            occasion: Occasion::Opened,
            incident: Some(17),
            title: "Mail in Durban: auth: refused: 535 5.7.8".into(),
            at: "2026-11-29T10:00:00Z".parse().unwrap(),
            state: state.into(),
            is_confirmed: said == "ok",
            when: Some("2026-11-29T10:00:02Z".parse().unwrap()),
            attempts: 1,
            said: said.into(),
        };
        let answer = NoticesAnswer {
            now: "2026-11-29T10:05:00Z".parse().unwrap(),
            notices: vec![
                notice("ops", "waiting", "no answer within 15 s"),
                notice("chat", "sent", "ok"),
                notice("teams", "sent", "202 Accepted"),
                notice("old", "failed", "404 Not Found: \u{1b}[31mno_service"),
            ],
            more: 3,
        };
        insta::assert_snapshot!(listed(&answer, &plain(120)), @r#"
        when   channel  state      tried  why     what                                      came back
        10:00  ops      waiting    1      opened  Mail in Durban: auth: refused: 535 5.7.8  no answer within 15 s
        10:00  chat     confirmed  1      opened  Mail in Durban: auth: refused: 535 5.7.8  ok
        10:00  teams    accepted   1      opened  Mail in Durban: auth: refused: 535 5.7.8  202 Accepted
        10:00  old      failed     1      opened  Mail in Durban: auth: refused: 535 5.7.8  404 Not Found: ·[31mno_service
        and 3 older: ask for more by --limit
        "#);
        let none = NoticesAnswer { notices: Vec::new(), more: 0, ..answer };
        assert_eq!(listed(&none, &plain(120)), "there is no such message\n");
    }
}
