//! `check-config`: everything that is wrong with a configuration, or what it would do.

use std::fmt::Write;
use std::path::Path;

use super::terminal::{self, Terminal, Tone};
use super::{Ending, policy};
use crate::config::assigned::Central;
use crate::config::mistake::Mistake;
use crate::config::policy::refused;
use crate::config::units::{duration_text, size_text};
use crate::config::{AgentConfig, CheckConfig, Loaded};
use crate::mail::endpoint::{Endpoint, Tls};
use crate::policy::Refusal;
use crate::probe::Kinds;

/// Checks a file; mistakes go to standard error, the summary to standard output.
pub(crate) fn check_config(
    file: &Path,
    policy: Option<&Path>,
    kinds: &Kinds,
    terminal: &Terminal,
) -> Ending {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    if let Some(central) = Central::read(file, &text, kinds) {
        return check_central(file, &central, terminal);
    }
    match AgentConfig::load_under(file, kinds, policy) {
        Ok(loaded) => {
            if !loaded.warnings.is_empty() {
                terminal::complain(&told(&[], &loaded.warnings));
            }
            match terminal::say(&summary(&loaded, terminal)) {
                Ok(()) => Ending::Pass,
                Err(error) => {
                    terminal::complain(&format!("{error:#}"));
                    Ending::Fail
                }
            }
        }
        Err(not_loaded) => {
            terminal::complain(&told(&not_loaded.mistakes.0, &not_loaded.warnings));
            Ending::Usage
        }
    }
}

/// A file of the collector's checks, as far as that can be said without an agent's mailboxes and policy.
fn check_central(file: &Path, central: &Central, terminal: &Terminal) -> Ending {
    let Central { checks, mistakes, warnings } = central;
    if !mistakes.is_empty() || !warnings.is_empty() {
        terminal::complain(&told(mistakes, warnings));
    }
    if !mistakes.is_empty() {
        return Ending::Usage;
    }
    let mut text = format!("{} {}\n\n", file.display(), terminal.paint(Tone::Good, "is fine"));
    for check in checks {
        text.push_str(&format!("  {}\n", of_check(check, terminal)));
    }
    text.push_str(
        "\nWhether an agent has the mailboxes that are named here, and whether its policy allows the rest, the \
         agent says when it is given these checks.\n",
    );
    match terminal::say(&text) {
        Ok(()) => Ending::Pass,
        Err(error) => {
            terminal::complain(&format!("{error:#}"));
            Ending::Fail
        }
    }
}

fn of_check(check: &CheckConfig, terminal: &Terminal) -> String {
    let check = &check.check;
    let (every, timeout) = (duration_text(check.cadence), duration_text(check.timeout));
    let head = terminal.paint(Tone::Faint, &format!("{:<13}", "check"));
    format!("{head} {}  {} every {every}, at most {timeout}", check.name, check.kind)
}

/// Mistakes, how many they are, and warnings; a line each.
pub(crate) fn told(mistakes: &[Mistake], warnings: &[Mistake]) -> String {
    let mut lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    lines.extend(warnings.iter().map(|warning| format!("warning: {warning}")));
    match mistakes.len() {
        0 => {}
        1 => lines.push("1 mistake: nothing was started".into()),
        many => lines.push(format!("{many} mistakes: nothing was started")),
    }
    lines.join("\n")
}

fn summary(loaded: &Loaded, terminal: &Terminal) -> String {
    let Loaded { config, warnings } = loaded;
    let state = if warnings.is_empty() { "is fine" } else { "works, with warnings" };
    let tone = if warnings.is_empty() { Tone::Good } else { Tone::Doubtful };
    let mut text = format!("{} {}\n\n", config.file.display(), terminal.paint(tone, state));
    let mut line = |what: &str, rest: &str| {
        // Writing to a String cannot fail.
        writeln!(text, "  {} {rest}", terminal.paint(Tone::Faint, &format!("{what:<13}"))).ok();
    };
    let labels: Vec<_> =
        config.vantage_point.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    line(
        "vantage point",
        format!("{}  {}", config.vantage_point.name, labels.join(" ")).trim_end(),
    );
    line("collector", &config.collector.address.to_string());
    let (size, age) =
        (size_text(config.limits.outbox_bytes), duration_text(config.limits.outbox_age));
    line("outbox", &format!("{}, at most {size} and {age}", config.data.display()));
    for (name, mailbox) in &config.mailboxes {
        let mailbox = &mailbox.settings;
        let mut text = format!("{name}  {}  smtp {}", mailbox.address, server(&mailbox.smtp));
        for inbox in mailbox.inboxes() {
            text.push_str(&format!("  {} {}", inbox.protocol(), server(inbox.server())));
        }
        line("mailbox", &text);
    }
    let checks = config.checks.iter();
    text.extend(checks.map(|check| format!("  {}\n", of_check(check, terminal))));
    let mut line = |what: &str, rest: &str| {
        // Writing to a String cannot fail.
        writeln!(text, "  {} {rest}", terminal.paint(Tone::Faint, &format!("{what:<13}"))).ok();
    };
    let shown = if config.policy.file.is_some() { usize::MAX } else { 1 };
    for (number, words) in policy::words(&config.policy).lines().take(shown).enumerate() {
        line(if number == 0 { "policy" } else { "" }, words);
    }
    for (check, refusal) in refusals(config) {
        let words = format!("{check}  by {refusal}: every run will be void");
        line("refused", &terminal.paint(Tone::Bad, &words));
    }
    text
}

/// Which of its own checks the configuration's policy refuses, as far as that is known before anything is
/// looked up.
pub(super) fn refusals(config: &AgentConfig) -> Vec<(&str, Refusal)> {
    let Some(local) = &config.policy.local else { return Vec::new() };
    let checks = config.checks.iter();
    checks
        .flat_map(|check| {
            let refusals = refused(local, check, config).into_iter();
            refusals.map(|refusal| (check.check.name.as_str(), refusal))
        })
        .collect()
}

fn server(endpoint: &Endpoint) -> String {
    let tls = match endpoint.tls {
        Tls::StartTls => "starttls",
        Tls::Opportunistic => "opportunistic",
        Tls::Implicit => "implicit",
        Tls::None => "without tls",
    };
    format!("{}:{} {tls}", endpoint.host, endpoint.port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::samples;

    #[test]
    fn a_summary_says_what_would_run() {
        let loaded = samples::loaded();
        let terminal = Terminal { width: 80, colours: false };
        let text = summary(&loaded, &terminal);
        let text = text.split_once('\n').map(|(_file, rest)| rest.to_owned());
        insta::assert_snapshot!(text.unwrap_or_default(), @r"
        vantage point branch-north  site=north
        collector     collector.example.org:7443
        outbox        /var/lib/mailsonde-agent, at most 256MiB and 7d
        mailbox       main  probe@good.test  smtp mx.good.test:587 starttls  imap mx.good.test:993 implicit
        check         mail  round-trip every 1m, at most 1m
        policy        no policy.toml: the agent's own checks are not bound; checks of the collector may touch what this configuration names
        ");
    }
}
