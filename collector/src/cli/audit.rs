//! `audit`: who did what, from where, when; and whether the log of it is whole.

use anyhow::bail;

use super::progress::waiting;
use super::terminal::{Terminal, lines, say, words};
use super::{Ending, Setting, client};
use crate::api::path;
use crate::query::AuditAnswer;

#[derive(Debug, clap::Subcommand)]
pub(super) enum AuditCommand {
    /// The newest acts
    Show {
        /// How many at most
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Make every link of the log's chain again from what stands on disk; exits 1 when one does not hold
    Verify {
        /// A head that was noted down before: it must still be in the log
        #[arg(long, value_name = "LINK")]
        head: Option<String>,
    },
}

pub(super) async fn run(setting: &Setting, command: &AuditCommand) -> anyhow::Result<Ending> {
    let limit = match command {
        AuditCommand::Show { limit } => *limit,
        // the noted head may be far back
        AuditCommand::Verify { head } => head.as_ref().map_or(1, |_| 10_000),
    };
    let wanted = format!("{}?limit={limit}", path::AUDIT);
    let asked = client::ask::<AuditAnswer>(&setting.collector, &wanted);
    let answer = waiting("every link is made again", asked).await?;
    let audit = &answer.value;
    let head = match command {
        AuditCommand::Show { .. } => None,
        AuditCommand::Verify { head } => head.as_deref(),
    };
    let is_known =
        |head: &str| audit.head == head || audit.newest.iter().any(|act| act.link == head);
    if head.is_some_and(|head| head.len() != 64) {
        bail!("a head has 64 hexadecimal digits, as `audit verify` prints it");
    }
    let is_lost = head.is_some_and(|head| !is_known(head));
    let is_whole = audit.breaks.is_empty() && !is_lost;
    let text = match command {
        _ if setting.json => format!("{}\n", answer.raw),
        AuditCommand::Show { .. } => shown(audit, &setting.terminal),
        AuditCommand::Verify { .. } => verified(audit, is_lost),
    };
    say(&text)?;
    Ok(if is_whole { Ending::Done } else { Ending::Failing })
}

fn verified(audit: &AuditAnswer, is_lost: bool) -> String {
    let mut text = String::new();
    for broken in &audit.breaks {
        text.push_str(&format!("broken: {broken}\n"));
    }
    if is_lost {
        text.push_str("broken: the head that was noted down is not in the log any more\n");
    }
    if text.is_empty() {
        text = format!("whole: each of {} acts follows the one before\n", audit.acts);
    }
    format!("{text}head {}\n", audit.head)
}

fn shown(audit: &AuditAnswer, terminal: &Terminal) -> String {
    if audit.newest.is_empty() {
        return "nothing has been done yet\n".into();
    }
    let mut table = terminal.table(["when", "who", "from", "what"]);
    for act in &audit.newest {
        let at = act.at.to_zoned(terminal.zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
        table.add_row([words(at), words(&act.who), words(&act.from), words(&act.what)]);
    }
    let mut text = lines(&table);
    if !audit.breaks.is_empty() {
        text.push_str("\nthe log is not whole: `mailsonde-collector audit verify` says where\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::plain;
    use crate::query::ActAnswer;

    #[test]
    fn acts_and_breaks_have_their_words() {
        let act = ActAnswer {
            sequence: 3,
            at: "2026-11-24T10:00:00Z".parse().unwrap(),
            who: "uid 0 (root)".into(),
            from: "operators.sock".into(),
            what: "revoked branch-coast".into(),
            link: "ab".repeat(32),
        };
        let whole =
            AuditAnswer { acts: 1, head: "ab".repeat(32), breaks: vec![], newest: vec![act] };
        insta::assert_snapshot!(shown(&whole, &plain(120)), @r"
        when                 who           from            what
        2026-11-24 10:00:00  uid 0 (root)  operators.sock  revoked branch-coast
        ");
        insta::assert_snapshot!(verified(&whole, false), @r"
        whole: each of 1 acts follows the one before
        head abababababababababababababababababababababababababababababababab
        ");
        let broken = AuditAnswer { breaks: vec!["the records 4 to 5 are damaged".into()], ..whole };
        insta::assert_snapshot!(verified(&broken, true), @r"
        broken: the records 4 to 5 are damaged
        broken: the head that was noted down is not in the log any more
        head abababababababababababababababababababababababababababababababab
        ");
    }
}
