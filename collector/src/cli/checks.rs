//! `checks`: what every agent runs, as it announced it.

use super::figures::cadence;
use super::terminal::{Terminal, lines, say, words};
use super::{Ending, Setting, client};
use crate::api::path;
use crate::query::ChecksAnswer;

pub(super) async fn run(setting: &Setting) -> anyhow::Result<Ending> {
    let answer = client::ask::<ChecksAnswer>(&setting.collector, path::CHECKS).await?;
    let text = if setting.json {
        format!("{}\n", answer.raw)
    } else {
        shown(&answer.value, &setting.terminal)
    };
    say(&text)?;
    Ok(Ending::Done)
}

fn shown(answer: &ChecksAnswer, terminal: &Terminal) -> String {
    if answer.checks.is_empty() {
        return "no agent has announced a check yet: checks stand in each agent's agent.toml, or in \
                checks.d here (`mailsonde-collector config`)\n"
            .into();
    }
    let mut table =
        terminal.table(["check", "vantage point", "kind", "every", "at most", "settings"]);
    for check in &answer.checks {
        table.add_row([
            words(&check.check),
            words(&check.vantage_point),
            words(&check.kind),
            words(cadence(check.cadence_us)),
            words(cadence(check.timeout_us)),
            // Enough to see that two branches run the same, or that one was changed.
            words(check.settings_digest.chars().take(8).collect::<String>()),
        ]);
    }
    lines(&table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::plain;
    use crate::query::CheckAnswer;

    #[test]
    fn one_line_a_check() {
        let check = CheckAnswer {
            check: "mail".into(),
            vantage_point: "branch-coast".into(),
            kind: "round-trip".into(),
            cadence_us: 60_000_000,
            timeout_us: 45_000_000,
            slot_offset_us: 7_000_000,
            settings_digest: "0badc0de".repeat(4),
        };
        let answer = ChecksAnswer { checks: vec![check] };
        insta::assert_snapshot!(shown(&answer, &plain(100)), @r"
        check  vantage point  kind        every  at most  settings
        mail   branch-coast   round-trip  1m     45s      0badc0de
        ");
    }
}
