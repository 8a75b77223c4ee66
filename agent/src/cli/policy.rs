//! `policy`: what the agent may do, in words, and whether it may do something. Nothing is asked of the network.

use std::path::{Path, PathBuf};

use super::Ending;
use super::check_config::told;
use super::terminal::{self, Terminal, Tone};
use crate::config::policy::{FILE, Policies};
use crate::config::{AgentConfig, Loaded};
use crate::outbox::signing_key;
use crate::policy::{HostRule, Policy, Refusal, Target, name_of};
use crate::probe::Kinds;

#[derive(Debug, clap::Subcommand)]
pub(super) enum PolicyCommand {
    /// Show it in words
    Show {
        #[command(flatten)]
        of: Of,
    },
    /// Say whether a host, an address, a name in DNS or a recipient is allowed; 0 where it is, 1 where not
    Test {
        /// Such as mail.example.org, mail.example.org:587, 192.0.2.7 or probe@example.org
        target: String,
        #[command(flatten)]
        of: Of,
    },
    /// Show this agent's own key, as the lines by which another agent's policy.toml believes its mail
    Key {
        #[command(flatten)]
        of: Of,
        /// The folder of the outbox, instead of the configuration's
        #[arg(long, value_name = "FOLDER")]
        data: Option<PathBuf>,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Of {
    /// The configuration
    #[arg(long, default_value = super::DEFAULT_CONFIG)]
    config: PathBuf,
    /// The policy, instead of the configuration's
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

/// Carries out the command.
pub(super) fn policy(command: &PolicyCommand, kinds: &Kinds, terminal: &Terminal) -> Ending {
    let (PolicyCommand::Show { of }
    | PolicyCommand::Test { of, .. }
    | PolicyCommand::Key { of, .. }) = command;
    let Loaded { config, .. } =
        match AgentConfig::load_under(&of.config, kinds, of.policy.as_deref()) {
            Ok(loaded) => loaded,
            Err(not) => return super::refuse(&told(&not.mistakes.0, &not.warnings)),
        };
    let (text, ending) = match command {
        PolicyCommand::Show { .. } => (words(&config.policy), Ending::Pass),
        PolicyCommand::Key { data, .. } => {
            match own_key(&config, data.as_deref().unwrap_or(&config.data)) {
                Ok(lines) => (lines, Ending::Pass),
                Err(words) => return super::refuse(&words),
            }
        }
        PolicyCommand::Test { target, .. } => match test(&config.policy.pushed, target) {
            Ok(words) => {
                (format!("{}: {words}\n", terminal.paint(Tone::Good, "allowed")), Ending::Pass)
            }
            Err(refusal) => {
                (format!("{}: {refusal}\n", terminal.paint(Tone::Bad, "refused")), Ending::Fail)
            }
        },
    };
    match terminal::say(&text) {
        Ok(()) => ending,
        Err(error) => {
            terminal::complain(&format!("{error:#}"));
            Ending::Fail
        }
    }
}

/// What binds whom, and by what; a line each.
pub(crate) fn words(policies: &Policies) -> String {
    let head = match &policies.file {
        Some(file) => format!("{}, for all checks", file.display()),
        None => format!(
            "no {FILE}: the agent's own checks are not bound; checks of the collector may touch what this \
             configuration names"
        ),
    };
    let lines = policies.pushed.to_string();
    let lines = lines.lines().map(|line| format!("  {line}\n"));
    std::iter::once(format!("{head}\n")).chain(lines).collect()
}

/// What to paste into another agent's policy.
fn own_key(config: &AgentConfig, data: &Path) -> Result<String, String> {
    let name = &config.vantage_point.name;
    match signing_key(data) {
        Ok(Some(key)) => Ok(format!("[[sender]]\nname = \"{name}\"\nkey = \"{key}\"\n")),
        Ok(None) => Err(format!("there is no key in {} yet: start the agent once", data.display())),
        Err(error) => Err(error.to_string()),
    }
}

fn test(policy: &Policy, target: &str) -> Result<String, Refusal> {
    if target.contains('@') {
        policy.allows(&Target::Recipient(target))?;
        return Ok(format!("{target} may be written to"));
    }
    match target.parse::<HostRule>() {
        Ok(host) => {
            policy.allows_host(&host)?;
            Ok(format!("{target} may be connected; its addresses are judged when they are known"))
        }
        Err(_) => {
            let name = name_of(target).unwrap_or_default();
            policy.allows(&Target::Name { name: &name, is_led: false })?;
            Ok(format!("DNS may be asked about {target}"))
        }
    }
}
