//! `session`: who is signed in over the network, and to end it.

use super::figures::roughly;
use super::terminal::{Terminal, lines, say, words};
use super::{Ending, Setting, client};
use crate::access::{SessionAnswer, SessionsAnswer};
use crate::api::path;

#[derive(Debug, clap::Subcommand)]
pub(super) enum SessionCommand {
    /// Sessions that stand: an admin sees all, everybody else their own
    List,
    /// End a session, at once
    End {
        /// As `session list` shows it
        id: String,
    },
}

pub(super) async fn run(setting: &Setting, command: &SessionCommand) -> anyhow::Result<Ending> {
    let at = &setting.collector;
    let answer = match command {
        SessionCommand::List => client::ask::<SessionsAnswer>(at, path::SESSIONS).await?,
        SessionCommand::End { id } => {
            client::send(at, &path::with(path::SESSION_END, id), &()).await?
        }
    };
    let text = match setting.json {
        true => format!("{}\n", answer.raw),
        false => shown(&answer.value, &setting.terminal),
    };
    say(&text)?;
    Ok(Ending::Done)
}

fn shown(answer: &SessionsAnswer, terminal: &Terminal) -> String {
    if answer.sessions.is_empty() {
        return "nobody is signed in\n".into();
    }
    let mut table = terminal.table(["session", "user", "from", "signed in", "used", "ends in"]);
    for session in &answer.sessions {
        let SessionAnswer { id, user, address, begun_at, used_at, expires_at, is_own } = session;
        let ago = |at| format!("{} ago", roughly(at, answer.now));
        let user = if *is_own { format!("{user} (you)") } else { user.clone() };
        table.add_row([
            words(id),
            words(user),
            words(address),
            words(ago(*begun_at)),
            words(ago(*used_at)),
            words(roughly(answer.now, *expires_at)),
        ]);
    }
    lines(&table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::plain;

    #[test]
    fn each_session_has_a_line() {
        let session = |id: &str, user: &str, is_own| SessionAnswer {
            id: id.into(),
            user: user.into(),
            address: "192.0.2.7:4711".into(),
            begun_at: "2026-11-24T09:00:00Z".parse().unwrap(),
            used_at: "2026-11-24T10:00:00Z".parse().unwrap(),
            expires_at: "2026-11-24T12:00:00Z".parse().unwrap(),
            is_own,
        };
        let answer = SessionsAnswer {
            now: "2026-11-24T10:05:00Z".parse().unwrap(),
            sessions: vec![session("0badc0de", "ann", true), session("3f2a91c4", "bob", false)],
        };
        insta::assert_snapshot!(shown(&answer, &plain(120)), @r"
        session   user       from            signed in   used       ends in
        0badc0de  ann (you)  192.0.2.7:4711  65 min ago  5 min ago  115 min
        3f2a91c4  bob        192.0.2.7:4711  65 min ago  5 min ago  115 min
        ");
        let none = SessionsAnswer { sessions: vec![], ..answer };
        insta::assert_snapshot!(shown(&none, &plain(120)), @"nobody is signed in");
    }
}
