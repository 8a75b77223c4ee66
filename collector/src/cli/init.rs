//! `init`: the folder, the certificate authority and the configuration. Never overwrites anything.
//!
//! Where root does that for a service with a user of its own, that user makes and owns all of it, and root starts the
//! service.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, bail};
use mailsonde_proto::Clock;
use mailsonde_proto::service::{self, Owner, Started};
use serde_json::json;

use super::terminal::say;
use super::{Ending, Setting, terminal};
use crate::config::Config;
use crate::folder;
use crate::identity::{Authority, HostName};

/// The unit that the package brings.
const UNIT: &str = "mailsonde-collector.service";

#[derive(Debug, clap::Args)]
pub(super) struct InitArguments {
    /// Where agents connect to, such as 0.0.0.0:7443
    #[arg(long, value_name = "ADDR", value_parser = address)]
    listen: SocketAddr,
    /// What agents call this machine; it stands in its certificate
    #[arg(long, value_name = "HOST")]
    name: HostName,
    /// Do nothing where there is a collector in the folder already
    #[arg(long)]
    if_needed: bool,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let form = "write an IP address and a port, such as 0.0.0.0:7443";
    text.parse().map_err(|_unparsed| form.to_owned())
}

pub(super) fn run(setting: &Setting, arguments: &InitArguments) -> anyhow::Result<Ending> {
    let folder = &setting.data;
    if let Some(owner) = Owner::other_than_root(folder.path()) {
        return by_owner(setting, arguments, owner);
    }
    let config = folder.config();
    let shown = folder.path().display();
    if config.exists() && arguments.if_needed {
        say(&format!("there is a collector in {shown} already: nothing was done\n"))?;
        return Ok(Ending::Done);
    }
    if config.exists() {
        bail!(
            "there is a collector in {shown} already: change {} and restart it, or give the new one a \
             folder of its own with --data",
            config.display()
        );
    }
    folder.create()?;
    folder.shut()?;
    let _lock = folder.lock()?;
    let now = Clock::system().wall();
    Authority::create(folder, &arguments.name, now)?;
    // Last: what has a configuration is complete.
    Config::new(arguments.listen, arguments.name.clone()).write(folder)?;
    if setting.json {
        let name = arguments.name.to_string();
        let answer = json!({ "data": folder.path(), "listen": arguments.listen, "name": name });
        say(&format!("{answer}\n"))?;
        return Ok(Ending::Done);
    }
    let command = format!("mailsonde-collector --data {shown}");
    say(&format!(
        "made the collector {} in {shown}\n\
         \n\
         keep a backup of ca.pem and ca.key: every agent trusts them\n\
         \n\
         next:\n  \
         start it               {command} serve\n  \
         add a branch           {command} token create --label site=NAME\n  \
         ask how mail is doing  {command} status\n",
        arguments.name
    ))?;
    Ok(Ending::Done)
}

/// This very command again, as the user whose folder it is; then the service starts.
fn by_owner(setting: &Setting, arguments: &InitArguments, owner: Owner) -> anyhow::Result<Ending> {
    let folder = setting.data.path();
    let cannot = || format!("cannot run as the owner of {}", folder.display());
    let mut command = owner.program().with_context(cannot)?;
    // not relative to where it was typed
    command.arg("--data").arg(std::path::absolute(folder).with_context(cannot)?);
    command.args(setting.json.then_some("--json"));
    command.args(["init", "--listen", &arguments.listen.to_string()]);
    command.args(["--name", &arguments.name.to_string()]);
    if !command.status().with_context(cannot)?.success() {
        return Ok(Ending::NotDone); // it has said why
    }
    let started = match folder == Path::new(folder::DEFAULT) {
        true => service::start(UNIT),
        false => Started::NotOurs,
    };
    match started {
        Started::NotOurs => {}
        Started::Running if setting.json => {}
        Started::Running => say(&format!("\n{UNIT} runs\n"))?,
        Started::Failed(why) => terminal::complain(&format!("{UNIT} does not run: {why}")),
    }
    Ok(Ending::Done)
}
