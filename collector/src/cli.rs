//! The command line: `init`, `serve`, and what operators ask and do.
//!
//! Everything for people goes to standard output by way of `terminal`, everything that is wrong and the
//! log to standard error. Questions are asked over the socket in the collector's folder or, with `--url` or a
//! token file, over the network; no command but `init`, `serve`, `doctor`, `backup` and `restore` opens the collector's files. Exit codes: 0 done;
//! 1 `health` and `doctor` when anything is wrong, `status --exit-code` when mail does not work from everywhere, `run` when a run failed or there was none, `config`
//! when agents refuse checks, `maintenance check` when there is something to look at, `audit verify` when the log is not
//! whole; 2 not done, and standard error says why. `plugin` ends as plugins do.

mod backup;
mod init;
mod restore;
mod serve;

mod config;
mod run;

mod agents;
mod audit;
mod ca;
mod token;

mod api_token;
mod login;
mod session;
mod user;

mod actions;
mod capacity;
mod exclusion;
mod maintenance;
mod silence;

mod channel;
mod notices;

mod changes;
mod checks;
mod export;
mod feedback;
mod incidents;
mod objectives;
mod observations;
mod report;
mod reviews;
mod services;
mod sla;
mod status;
mod top;

mod doctor;
mod health;
mod plugin;
mod vendors;

mod browser;
pub mod client;
mod documents;
mod figures;
mod parameters;
mod pinned;
mod progress;
pub mod remote;
mod terminal;
mod token_file;
mod typed;

#[cfg(test)]
mod book;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::folder::{self, Folder};
use client::Collector;
use remote::CollectorUrl;
use terminal::Terminal;

/// How a command ended, for whoever called it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// 0: done.
    Done,
    /// 1: what was asked about does not hold: mail works everywhere, every run passes, agents accept the checks, a
    /// window is ready, the audit log is whole.
    Failing,
    /// 2: not done; standard error says why.
    NotDone,
    /// As a plugin ends: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
    Plugin(plugin::Status),
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(match ending {
            Ending::Done => 0,
            Ending::Failing => 1,
            Ending::NotDone => 2,
            Ending::Plugin(status) => status.code(),
        })
    }
}

#[derive(Debug, Parser)]
#[command(
    name = "mailsonde-collector",
    version,
    about = "Keeps what agents saw and tells how e-mail is doing",
    disable_help_subcommand = true,
    after_help = "Exit codes: 0 done; 1 the collector is not healthy (`health`), something is a problem (`doctor`), mail does not work from everywhere (`status --exit-code` only), a run \
                  failed, agents refuse checks, a maintenance window is not ready, or the audit log is not \
                  whole; 2 not done, and standard error says why. `plugin` ends with 0 OK, 1 WARNING, 2 \
                  CRITICAL or 3 UNKNOWN"
)]
struct Arguments {
    /// The collector's folder
    #[arg(long, global = true, value_name = "DIR", default_value = folder::DEFAULT)]
    data: PathBuf,
    /// Ask a collector over the network, such as https://collector.example.org:7444; `login` there first
    #[arg(long, global = true, value_name = "URL", env = "MAILSONDE_URL")]
    url: Option<CollectorUrl>,
    /// The token file that `login` wrote, where it is not the usual one
    #[arg(long, global = true, value_name = "FILE", env = "MAILSONDE_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// Print JSON instead of words and tables
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the folder, the certificate authority and the configuration
    Init(init::InitArguments),
    /// Run the collector
    Serve(serve::ServeArguments),
    /// Everything that cannot be made again, in one file; the collector goes on meanwhile
    Backup(backup::BackupArguments),
    /// Make a collector's folder of a backup, and count again what is in it
    Restore(restore::RestoreArguments),
    /// Is mail working, from where not, since when, how slow compared with usual
    Status(status::StatusArguments),
    /// A live screen of services, vantage points and incidents: look closer, acknowledge; `?` shows the keys
    Top,
    /// Is the collector itself healthy; who watches it, whom it watches
    Health(health::HealthArguments),
    /// Look at everything that this collector needs, and say what to do where it is not well: exits 1 at a problem
    Doctor,
    /// One line with a status, for Nagios, Icinga and others: exits 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
    /// What vendors say of their own services
    Vendors,
    /// What people care about: is it up, from where not
    Services,
    /// What is or was wrong, and what is done about it
    #[command(subcommand)]
    Incidents(incidents::IncidentsCommand),
    /// Where messages go: list channels, try one
    #[command(subcommand)]
    Channel(channel::ChannelCommand),
    /// What was told to whom, when, and what came of it
    Notices(notices::NoticesArguments),
    /// Who is on call now, and next
    OnCall,
    /// Incidents that are over, looked back at: what happened, what it came to, what is learnt
    #[command(subcommand)]
    Reviews(reviews::ReviewsCommand),
    /// What is to be done after incidents, by whom, by when
    #[command(subcommand)]
    Actions(actions::ActionsCommand),
    /// The newest observations first
    Observations(observations::ObservationsArguments),
    /// What changed in DNS: who saw it, what, from, to, when
    Changes(changes::ChangesArguments),
    /// What services are to reach: what they reach, what is left of the budget, who spent it
    Objectives(objectives::ObjectivesArguments),
    /// What was promised and what was kept
    #[command(subcommand)]
    Sla(sla::SlaCommand),
    /// A month as a document: what was promised and kept, incidents, delivery, posture, capacity, satisfaction
    Report(report::ReportArguments),
    /// How satisfied users are, by surveys
    #[command(subcommand)]
    Satisfaction(feedback::SatisfactionCommand),
    /// Tickets about e-mail, and how fast they are resolved
    #[command(subcommand)]
    Tickets(feedback::TicketsCommand),
    /// Ask users how satisfied they are
    #[command(subcommand)]
    Survey(feedback::SurveyCommand),
    /// Raw data, and what is needed to make any figure of it again
    Export(export::ExportArguments),
    /// Tokens, by which agents come in
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Every agent: is it here, what waits with it, until when its certificate is valid
    Agents {
        #[command(subcommand)]
        command: Option<agents::AgentsCommand>,
    },
    /// Who did what, from where, when
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Every check that agents run
    Checks,
    /// The certificate authority: show it, rotate it
    Ca {
        #[command(subcommand)]
        command: Option<ca::CaCommand>,
    },
    /// The files of checks that agents are to run: what is wrong, what they would change, put them in force
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Run a check at once, on every agent that has it
    Run(run::RunArguments),
    /// Maintenance windows: plan them, change them, see what came of them
    #[command(subcommand)]
    Maintenance(maintenance::MaintenanceCommand),
    /// Incidents that are known, and that nobody is to be told of for a while
    #[command(subcommand)]
    Silence(silence::SilenceCommand),
    /// Time that agreements leave out because it was the customer's own fault
    #[command(subcommand)]
    Exclusion(exclusion::ExclusionCommand),
    /// Where volume, latency, quota and stated numbers lead, with how sure that is
    Capacity(capacity::CapacityArguments),
    /// Sign in at a collector over the network (`--url`); later commands with that URL are asked there
    Login(login::LoginArguments),
    /// End your session at a collector over the network, and remove its token file
    Logout,
    /// Users, who sign in over the network
    #[command(subcommand)]
    User(user::UserCommand),
    /// API tokens, by which programs ask over the network
    #[command(subcommand)]
    ApiToken(api_token::ApiTokenCommand),
    /// Who is signed in over the network
    #[command(subcommand)]
    Session(session::SessionCommand),
    /// Write man pages and completions of shells into a folder, as packages do
    #[command(hide = true)]
    Documents {
        /// The folder
        folder: PathBuf,
    },
}

impl Command {
    /// Whether it asks a collector that it must be able to find.
    const fn asks(&self) -> bool {
        !matches!(
            self,
            Self::Init(_)
                | Self::Serve(_)
                | Self::Login(_)
                | Self::Documents { .. }
                | Self::Doctor
                | Self::Backup(_)
                | Self::Restore(_)
        )
    }
}

/// What every command is told.
struct Setting {
    /// The collector's folder on this machine.
    data: Folder,
    /// Whom to ask.
    collector: Collector,
    url: Option<CollectorUrl>,
    token_file: Option<PathBuf>,
    json: bool,
    terminal: Terminal,
}

/// Runs one command; the first argument is the program's name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let arguments = match Arguments::try_parse_from(&arguments) {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() && plugin::is_wanted(&arguments) => {
            let words = error.to_string();
            let first = words.lines().next().unwrap_or_default();
            return plugin::unknown(first.trim_start_matches("error: ")).into();
        }
        Err(error) => {
            // Help and version are no errors; where they cannot be printed, nobody is there to read.
            error.print().ok();
            return if error.use_stderr() { Ending::NotDone } else { Ending::Done }.into();
        }
    };
    let (is_json, is_plugin) = (arguments.json, matches!(arguments.command, Command::Plugin(_)));
    match run(arguments) {
        Ok(ending) => ending.into(),
        Err(error) if is_plugin => plugin::unknown(&format!("{error:#}")).into(),
        Err(error) => {
            let refused = error.downcast_ref::<client::Refused>();
            if let Some(problem) = refused.and_then(|refused| refused.problem.as_ref())
                && is_json
            {
                // what reads standard output reads why there is nothing else
                terminal::say(&format!("{problem}\n")).ok();
            }
            terminal::complain(&format!("error: {}", terminal::whole(&error)));
            Ending::NotDone.into()
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<Ending> {
    let Arguments { data, url, token_file, json, command } = arguments;
    let data = Folder::at(data);
    let collector = match command.asks() {
        true => token_file::collector(&data, url.as_ref(), token_file.as_deref())?,
        false => Collector::Here(data.clone()),
    };
    let terminal = Terminal::standard();
    let setting = &Setting { data, collector, url, token_file, json, terminal };
    match command {
        Command::Init(arguments) => init::run(setting, &arguments),
        Command::Serve(arguments) => serve::run(setting, &arguments),
        Command::Backup(arguments) => backup::run(setting, &arguments),
        Command::Restore(arguments) => restore::run(setting, &arguments),
        Command::Status(arguments) => asking(status::run(setting, &arguments)),
        Command::Top => asking(top::run(setting)),
        Command::Health(arguments) => asking(health::run(setting, &arguments)),
        // by --url or MAILSONDE_URL
        Command::Doctor if setting.url.is_some() => anyhow::bail!(
            "doctor looks at the collector of this machine and asks nobody over the network: run it where that collector \
             runs, without --url and MAILSONDE_URL"
        ),
        Command::Doctor => doctor::run(setting),
        Command::Plugin(command) => asking(plugin::run(setting, &command)),
        Command::Vendors => asking(vendors::run(setting)),
        Command::Services => asking(services::run(setting)),
        Command::Incidents(command) => asking(incidents::run(setting, &command)),
        Command::Channel(command) => asking(channel::run(setting, &command)),
        Command::Notices(arguments) => asking(notices::run(setting, &arguments)),
        Command::OnCall => asking(channel::on_call(setting)),
        Command::Reviews(command) => asking(reviews::run(setting, &command)),
        Command::Actions(command) => asking(actions::run(setting, &command)),
        Command::Observations(arguments) => asking(observations::run(setting, &arguments)),
        Command::Changes(arguments) => asking(changes::run(setting, &arguments)),
        Command::Objectives(arguments) => asking(objectives::run(setting, &arguments)),
        Command::Sla(command) => asking(sla::run(setting, &command)),
        Command::Report(arguments) => asking(report::run(setting, &arguments)),
        Command::Satisfaction(command) => asking(feedback::satisfaction(setting, &command)),
        Command::Tickets(command) => asking(feedback::tickets(setting, &command)),
        Command::Survey(command) => asking(feedback::survey(setting, &command)),
        Command::Export(arguments) => asking(export::run(setting, &arguments)),
        Command::Token(command) => asking(token::run(setting, &command)),
        Command::Agents { command } => asking(agents::run(setting, command.as_ref())),
        Command::Audit(command) => asking(audit::run(setting, &command)),
        Command::Checks => asking(checks::run(setting)),
        Command::Ca { command } => asking(ca::run(setting, command.as_ref())),
        Command::Config(command) => asking(config::run(setting, &command)),
        Command::Run(arguments) => asking(run::run(setting, &arguments)),
        Command::Maintenance(command) => asking(maintenance::run(setting, &command)),
        Command::Silence(command) => asking(silence::run(setting, &command)),
        Command::Exclusion(command) => asking(exclusion::run(setting, &command)),
        Command::Capacity(arguments) => asking(capacity::run(setting, &arguments)),
        Command::Login(arguments) => asking(login::run(setting, &arguments)),
        Command::Logout => asking(login::end(setting)),
        Command::User(command) => asking(user::run(setting, &command)),
        Command::ApiToken(command) => asking(api_token::run(setting, &command)),
        Command::Session(command) => asking(session::run(setting, &command)),
        Command::Documents { folder } => documents::write(&folder),
    }
}

/// Runs something that only asks.
fn asking<T>(question: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(question)
}
