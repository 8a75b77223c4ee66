//! `agent add`: makes a key here, has it signed, and writes everything that a branch needs.
//!
//! A running collector is asked over its socket; where none runs, this process takes the folder's lock
//! and writes the enrolment itself. The private key never leaves the folder that it is written to.

mod agent_toml;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use mailsonde_proto::Clock;
use serde_json::json;

use super::client::{self, NotRunning};
use super::terminal::say;
use super::{Ending, Setting, asking};
use crate::api::path;
use crate::config::Config;
use crate::control::ControlJournal;
use crate::enrolment::{Admission, Application, Enrolment};
use crate::folder::{Folder, PRIVATE, PUBLIC, make_folder, write_file};
use crate::identity::{Authority, PrivateKey};

const CA: &str = "ca.pem";
const CERTIFICATE: &str = "agent.pem";
const KEY: &str = "agent.key";
const CONFIG: &str = "agent.toml";

#[derive(Debug, clap::Args)]
pub(super) struct AddArguments {
    /// What the vantage point is called: 1 to 64 characters of a-z A-Z 0-9 . _ -
    name: String,
    /// The folder for ca.pem, agent.pem, agent.key and agent.toml
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What it can be selected by, such as site=Durban; as often as needed
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// Make a new key and certificate for an agent that is known already; its agent.toml stays
    #[arg(long)]
    renew: bool,
}

fn label(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').ok_or("write it as KEY=VALUE, such as site=Durban")?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
}

pub(super) fn run(setting: &Setting, arguments: &AddArguments) -> anyhow::Result<Ending> {
    let out = &arguments.out;
    expect_free(out, arguments.renew)?;
    make_folder(out)?;
    let key = PrivateKey::generate()?;
    let labels: BTreeMap<_, _> = arguments.labels.iter().cloned().collect();
    let application = Application {
        name: arguments.name.clone(),
        labels,
        public_key: key.public(),
        renew: arguments.renew,
    };
    let admission = admit(&setting.folder, application)?;
    write(out, &admission, &key).with_context(|| {
        format!(
            "{0} is enrolled, and its files could not be written; when there is room: \
             `mailsonde-collector --data {1} agent add {0} --renew --out DIR`",
            admission.name,
            setting.folder.path().display()
        )
    })?;
    say(&told(setting, out, &admission))?;
    Ok(Ending::Done)
}

/// Nothing that is there is overwritten, but for a certificate and its key that are renewed.
fn expect_free(out: &Path, renew: bool) -> anyhow::Result<()> {
    if renew {
        return Ok(());
    }
    for name in [CA, CERTIFICATE, KEY, CONFIG] {
        let path = out.join(name);
        if path.exists() {
            bail!("{} is there already: give every agent a folder of its own", path.display());
        }
    }
    Ok(())
}

fn admit(folder: &Folder, application: Application) -> anyhow::Result<Admission> {
    let config = Config::load(folder)?;
    let asked = client::send(folder, path::AGENTS, &application);
    match asking(asked) {
        Ok(answer) => Ok(answer.value),
        Err(error) if error.is::<NotRunning>() => admit_here(folder, &config, application),
        Err(error) => Err(error),
    }
}

/// No collector runs: as long as the lock is held, none can begin to.
fn admit_here(
    folder: &Folder,
    config: &Config,
    application: Application,
) -> anyhow::Result<Admission> {
    let _lock = folder.lock()?;
    let authority = Authority::open(folder)?;
    let (control, _) = ControlJournal::open(&folder.control())?;
    let collector = config.name.with_port(config.listen.port());
    let enrolment = Enrolment { authority: &authority, control: &control, collector: &collector };
    Ok(enrolment.admit(application, Clock::system().wall())?)
}

fn write(out: &Path, admission: &Admission, key: &PrivateKey) -> anyhow::Result<()> {
    write_file(&out.join(KEY), key.to_pem().as_bytes(), PRIVATE)?;
    write_file(&out.join(CERTIFICATE), admission.certificate.as_bytes(), PUBLIC)?;
    write_file(&out.join(CA), admission.authority.as_bytes(), PUBLIC)?;
    let config = out.join(CONFIG);
    if !config.exists() {
        write_file(&config, agent_toml::of(admission).as_bytes(), PUBLIC)?;
    }
    Ok(())
}

fn told(setting: &Setting, out: &Path, admission: &Admission) -> String {
    let Admission { agent_id, name, labels, collector, not_after, .. } = admission;
    if setting.json {
        let answer = json!({
            "agent_id": agent_id, "name": name, "labels": labels, "collector": collector,
            "not_after": not_after, "out": out, "config": out.join(CONFIG),
        });
        return format!("{answer}\n");
    }
    let zone = setting.terminal.zone.clone();
    let until = not_after.to_zoned(zone).strftime("%Y-%m-%d");
    let out = out.display();
    format!(
        "enrolled {name} ({agent_id}); its certificate is valid until {until}\n\
         \n\
         next:\n  \
         1. copy {out} to the branch's server; agent.key is secret\n  \
         2. write its mailbox and its check into agent.toml\n  \
         3. there: mailsonde-agent check-config {out}/{CONFIG}\n     \
         then:  mailsonde-agent run --config {out}/{CONFIG}\n"
    )
}
