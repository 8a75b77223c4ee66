//! The command line: `enroll`, `run`, `doctor`, `check-config`, `policy`, `probe`, `explain`.
//!
//! Everything for people goes to standard output by way of `terminal`, everything that is wrong and the
//! log to standard error. Absent on purpose: anything that a run of the agent does by itself (`app`).

mod all;
mod check_config;
mod doctor;
mod enroll;
mod health;
mod one_shot;
mod policy;
mod probe;

mod explain;

mod report;

mod advice;
mod documents;
mod ending;
mod figures;
mod log;
mod terminal;

#[cfg(test)]
mod book;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::config::check::TIMEOUT_BOUNDS;
use crate::config::{AgentConfig, Overrides, units};
use crate::probe::Kinds;
use report::nagios::{self, Status};
use report::threshold::Threshold;
use terminal::Terminal;

pub(crate) use ending::Ending;
pub use explain::explained;

/// Where the configuration is when no other is named.
pub const DEFAULT_CONFIG: &str = "/etc/mailsonde-agent/agent.toml";
/// What it is called in a data folder.
const CONFIG_NAME: &str = "agent.toml";

#[derive(Debug, Parser)]
#[command(
    name = "mailsonde-agent",
    version,
    about = "Sends test mail from where it stands, times it, and reports to a collector",
    disable_help_subcommand = true
)]
struct Arguments {
    /// What to log on standard error, such as info or mailsonde_agent=debug
    ///
    /// By default info for `run`, warn otherwise
    #[arg(long, global = true, env = "RUST_LOG", value_name = "FILTER")]
    log: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Let this agent in by a token of `mailsonde-collector token create`; once, before it runs
    Enroll(enroll::EnrollArguments),
    /// Run the checks of a configuration, and report to its collector
    Run {
        /// The configuration; agent.toml in the --data folder where one is there, else
        /// /etc/mailsonde-agent/agent.toml
        #[arg(long)]
        config: Option<PathBuf>,
        /// The folder of outbox and identity, instead of the configuration's
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// The policy, instead of the configuration's
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
        /// What the vantage point calls itself, where many share a configuration
        #[arg(long, value_parser = enroll::vantage_name)]
        name: Option<String>,
    },
    /// Say whether the agent of a data folder runs and goes on: exits 0 or 1
    Health(health::HealthArguments),
    /// Look at everything that this agent needs, and say what to do where it is not well: exits 1 at a problem
    Doctor(doctor::DoctorArguments),
    /// Say everything that is wrong with a configuration, and what it would do
    CheckConfig {
        /// The configuration; or a file of the collector's checks.d
        #[arg(default_value = DEFAULT_CONFIG)]
        file: PathBuf,
        /// The policy, instead of the configuration's
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
    },
    /// Show what the agent may do, or say whether it may do something
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Carry out one check now, without a collector
    #[command(disable_help_flag = true)]
    Probe(ProbeArguments),
    /// Say what a message tells of its way, and a bounce of its reason
    Explain(explain::ExplainArguments),
    /// Write man pages and completions of shells into a folder, as packages do
    #[command(hide = true)]
    Documents {
        /// The folder
        folder: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct ProbeArguments {
    /// The kind of probe, such as round-trip
    kind: Option<String>,
    /// List the kinds of probes
    #[arg(long, conflicts_with = "kind")]
    list: bool,
    /// Take the settings of a check in this configuration
    #[arg(long, value_name = "FILE", conflicts_with = "set")]
    config: Option<PathBuf>,
    /// Carry out every check of the configuration once, and tell each in one line
    #[arg(long, requires = "config", conflicts_with_all = ["kind", "check", "list"])]
    all: bool,
    /// Bind the run by this policy; without it, a run by --set is bound by none
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The check's name there; not needed when it is the only one of its kind
    #[arg(long, value_name = "NAME", requires = "config")]
    check: Option<String>,
    /// One setting; as often as needed
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// How long it may take at most, such as 60s
    #[arg(long, value_name = "DURATION", value_parser = run_time)]
    timeout: Option<Duration>,
    /// How to print what was found
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Print one JSON object instead of the words and bars; the same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// With --format nagios: a slower run is a warning; as often as needed, such as 5s or arrival=2s
    #[arg(long, short = 'w', value_name = "[PHASE=]DURATION")]
    warn: Vec<Threshold>,
    /// With --format nagios: a slower run is critical
    #[arg(long, short = 'c', value_name = "[PHASE=]DURATION")]
    crit: Vec<Threshold>,
    /// Print help; after a kind, also its settings
    #[arg(long, short = 'h')]
    help: bool,
}

impl ProbeArguments {
    fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }

    /// Only a plugin's line has a state between good and bad.
    fn thresholds_fit(&self) -> Result<(), &'static str> {
        let has_some = !self.warn.is_empty() || !self.crit.is_empty();
        if has_some && self.format() != Format::Nagios {
            return Err("--warn and --crit go with --format nagios: add that, or leave them out");
        }
        Ok(())
    }
}

/// How a run is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Words and bars
    Human,
    /// One JSON object
    Json,
    /// One plugin line with performance data; exits 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN
    Nagios,
    /// The text exposition format, for a textfile collector
    Prometheus,
}

/// How long a run may take, within the bounds that a configuration has too.
fn run_time(text: &str) -> Result<Duration, String> {
    let (least, most) = TIMEOUT_BOUNDS;
    let asked = units::duration(text)?;
    if asked < least || asked > most {
        let [least, most] = [least, most].map(units::duration_text);
        return Err(format!("must be {least} to {most}"));
    }
    Ok(asked)
}

/// Runs the agent's command line with these kinds of probes; `args` begin with the program's name.
pub fn main(kinds: Kinds, args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<_> = args.into_iter().collect();
    let arguments = match Arguments::try_parse_from(&args) {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() && is_plugin(&args) => {
            let words = error.to_string();
            let first = words.lines().next().unwrap_or_default();
            return plugin(nagios::unknown(first.trim_start_matches("error: "))).into();
        }
        Err(error) => {
            let ending = if error.use_stderr() { Ending::Usage } else { Ending::Pass };
            // What cannot be printed, because the other end has gone, nobody wants.
            error.print().ok();
            return ending.into();
        }
    };
    let by_default = match arguments.command {
        Command::Run { .. } => "info",
        // Some callers read both streams as one: the plugin's line is to be the first.
        _ if is_plugin(&args) => "off",
        _ => "warn",
    };
    if let Err(message) = log::start(arguments.log.as_deref().unwrap_or(by_default)) {
        let refused = is_plugin(&args).then(|| plugin(nagios::unknown(&message)));
        return refused.unwrap_or_else(|| refuse(&message)).into();
    }
    // Only fails when somebody has installed one before: a test, with the same provider.
    rustls::crypto::ring::default_provider().install_default().ok();
    let terminal = Terminal::standard();
    match arguments.command {
        Command::Enroll(arguments) => enroll::enroll(&arguments),
        Command::Run { config, data, policy, name } => {
            let instead = Overrides {
                data: data.as_deref(),
                policy: policy.as_deref(),
                name: name.as_deref(),
                ..Overrides::default()
            };
            run(config, instead, kinds)
        }
        Command::Health(arguments) => health::health(&arguments),
        Command::Doctor(arguments) => doctor::doctor(arguments, &kinds, &terminal),
        Command::CheckConfig { file, policy } => {
            check_config::check_config(&file, policy.as_deref(), &kinds, &terminal)
        }
        Command::Policy(command) => policy::policy(&command, &kinds, &terminal),
        Command::Probe(arguments) => probe::probe(&arguments, &kinds, &terminal),
        Command::Explain(arguments) => explain::explain(&arguments, &terminal),
        Command::Documents { folder } => documents::documents(&folder, &kinds),
    }
    .into()
}

/// The configuration that goes with a data folder when none is named.
fn config_file(data: Option<&Path>) -> PathBuf {
    // one that nobody but its user may see is there
    let is_there = |file: &PathBuf| file.try_exists().unwrap_or(true);
    let beside = data.map(|data| data.join(CONFIG_NAME)).filter(is_there);
    beside.unwrap_or_else(|| PathBuf::from(DEFAULT_CONFIG))
}

fn run(file: Option<PathBuf>, instead: Overrides<'_>, kinds: Kinds) -> Ending {
    let file = file.unwrap_or_else(|| config_file(instead.data));
    let config = match AgentConfig::load_with(&file, &kinds, instead) {
        Ok(loaded) => {
            for warning in &loaded.warnings {
                tracing::warn!(%warning, "configuration");
            }
            loaded.config
        }
        Err(not_loaded) => {
            return refuse(&check_config::told(&not_loaded.mistakes.0, &not_loaded.warnings));
        }
    };
    let ended = runtime().and_then(|runtime| runtime.block_on(crate::app::run(config, kinds)));
    match ended {
        Ok(()) => Ending::Pass,
        Err(error) => {
            terminal::complain(&format!("mailsonde-agent: {error:#}"));
            Ending::Fail
        }
    }
}

/// Two threads are enough for what waits for networks all day.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    use anyhow::Context;
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start threads: look at the limits of this user")
}

/// Whether a plugin's line is wanted, also when the rest of the command line makes no sense: whoever calls
/// plugins would take exit status 2 for a mail server that is down.
fn is_plugin(args: &[OsString]) -> bool {
    args.iter().any(|arg| arg == "--format=nagios")
        || args.windows(2).any(|two| two == ["--format", "nagios"])
}

fn plugin((line, status): (String, Status)) -> Ending {
    match terminal::say(&line) {
        Ok(()) => Ending::Plugin(status),
        Err(error) => {
            terminal::complain(&format!("{error:#}"));
            Ending::Plugin(Status::Unknown)
        }
    }
}

fn refuse(message: &str) -> Ending {
    terminal::complain(message);
    Ending::Usage
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn thresholds_go_with_a_plugin() {
        for (line, fits) in [
            ("probe smtp --format nagios -w 5s -c 20s", true),
            ("probe smtp -w 5s", false),
            ("probe smtp --json -c 5s", false),
            ("probe smtp --format prometheus -c 5s", false),
            ("probe smtp --json", true),
        ] {
            let args = std::iter::once("mailsonde-agent").chain(line.split_whitespace());
            let read = Arguments::try_parse_from(args).unwrap();
            let Command::Probe(arguments) = read.command else { panic!("{line}") };
            assert_eq!(arguments.thresholds_fit().is_ok(), fits, "{line}");
        }
    }

    #[test]
    fn one_place_for_settings_at_a_time() {
        for (line, ok) in [
            ("probe round-trip --set a=1 --set b=2 --json", true),
            ("probe round-trip --config a.toml --check mail --timeout 5s", true),
            ("probe round-trip --config a.toml --set a=1", false),
            ("probe round-trip --check mail", false),
            ("probe round-trip --timeout 5", false),
            ("probe smtp --format nagios -w 5s -w arrival=2s -c 20s", true),
            ("probe smtp --format nagios -w 5", false),
            ("probe smtp --format json --json", false),
            ("probe --config a.toml --all", true),
            ("probe --all", false),
            ("probe round-trip --config a.toml --all", false),
            ("probe --config a.toml --all --check mail", false),
            ("probe --list", true),
            ("probe round-trip -h", true),
            ("run", true),
            ("run --data /var/tmp/x --config a.toml --log debug", true),
            ("check-config", true),
            ("doctor --config a.toml --data /var/tmp/x --policy p.toml --json", true),
            ("doctor a.toml", false),
            ("check-config a.toml --policy p.toml", true),
            ("probe tcp --policy p.toml --set host=a --set port=25", true),
            ("policy show", true),
            ("policy test mail.example.org:587 --config a.toml", true),
            ("policy test", false),
            ("explain a.eml --trust mx.a.test --trust mx.b.test --json", true),
            ("explain - --verify --receiver good.test", true),
            ("explain a.eml --receiver good.test", false),
            ("explain", false),
            ("", false),
        ] {
            let args = std::iter::once("mailsonde-agent").chain(line.split_whitespace());
            assert_eq!(Arguments::try_parse_from(args).is_ok(), ok, "{line}");
        }
    }
}
