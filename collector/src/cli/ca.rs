//! `ca`: the certificate authority by which agents know the collector and it knows them; shown, and rotated.

use super::terminal::{Tone, say};
use super::{Ending, Setting, client};
use crate::api::{AuthoritiesAnswer, AuthorityAnswer, path};
use crate::enrolment::RetireWish;

/// Agents that are named one by one.
const NAMED: usize = 10;

#[derive(Debug, clap::Subcommand)]
pub(super) enum CaCommand {
    /// The authority, and how far the next one has come; the same without a command
    Show,
    /// Make the next authority: agents get to know it with their next certificates
    Rotate,
    /// Have the next authority take over for good, once every agent knows it
    Retire {
        /// Also if agents do not know it: they have to be enrolled again
        #[arg(long)]
        force: bool,
    },
}

pub(super) async fn run(setting: &Setting, command: Option<&CaCommand>) -> anyhow::Result<Ending> {
    let at = &setting.collector;
    let answer = match command {
        None | Some(CaCommand::Show) => client::ask(at, path::CA).await,
        Some(CaCommand::Rotate) => client::send(at, path::CA_ROTATE, &()).await,
        Some(CaCommand::Retire { force }) => {
            client::send(at, path::CA_RETIRE, &RetireWish { force: *force }).await
        }
    }?;
    say(&if setting.json { format!("{}\n", answer.raw) } else { shown(&answer.value, setting) })?;
    Ok(Ending::Done)
}

fn shown(answer: &AuthoritiesAnswer, setting: &Setting) -> String {
    let AuthoritiesAnswer { current, next, without_next } = answer;
    let line = |what: &str, authority: &AuthorityAnswer| {
        let AuthorityAnswer { fingerprint, made_at, not_after } = authority;
        let day = |at: jiff::Timestamp| {
            at.to_zoned(setting.terminal.zone.clone()).strftime("%Y-%m-%d").to_string()
        };
        // a line of its own: it is to be compared, and whole on 80 columns
        let (made, until) = (day(*made_at), day(*not_after));
        format!("{what:8} made {made}, until {until}\n         {fingerprint}\n")
    };
    let mut text = line("current", current);
    let Some(next) = next else { return text };
    text.push_str(&line("next", next));
    if without_next.is_empty() {
        let all =
            setting.terminal.paint(Tone::Good, "every agent has a certificate of the next one");
        text.push_str(&format!("{all}: `mailsonde-collector ca retire` ends the first\n"));
        return text;
    }
    let named: Vec<_> = without_next.iter().take(NAMED).map(String::as_str).collect();
    let more = match without_next.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let many = without_next.len();
    text.push_str(&format!(
        "without a certificate of the next one yet: {many} ({}{more})\n",
        named.join(", ")
    ));
    text
}
