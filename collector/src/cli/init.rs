//! `init`: the folder, the certificate authority and the configuration. Never overwrites anything.

use std::net::SocketAddr;

use anyhow::bail;
use mailsonde_proto::Clock;
use serde_json::json;

use super::terminal::say;
use super::{Ending, Setting};
use crate::config::Config;
use crate::identity::{Authority, HostName};

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
