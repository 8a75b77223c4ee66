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
    // Before anything is asked for: that it can be made at all.
    let is_new = !out.exists();
    make_folder(out)?;
    let key = PrivateKey::generate()?;
    let labels: BTreeMap<_, _> = arguments.labels.iter().cloned().collect();
    let application = Application {
        name: arguments.name.clone(),
        labels,
        public_key: key.public(),
        renew: arguments.renew,
    };
    let admission = admit(&setting.folder, application).inspect_err(|_| {
        if is_new {
            // Only when it is empty; when it cannot be removed, an empty folder stays.
            std::fs::remove_dir(out).ok();
        }
    })?;
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn application(key: &PrivateKey, renew: bool) -> Application {
        let labels = [("site".to_owned(), "Durban".to_owned())].into();
        Application { name: "branch".into(), labels, public_key: key.public(), renew }
    }

    #[test]
    fn without_a_running_collector_the_enrolment_is_written_here() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::at(temporary.path().join("collector"));
        let key = PrivateKey::generate().unwrap();
        let missing = admit(&folder, application(&key, false)).unwrap_err().to_string();
        assert!(missing.contains("init --listen ADDR --name HOST"), "{missing}");

        folder.create().unwrap();
        let name = "collector.example.org".parse().unwrap();
        Authority::create(&folder, &name, Clock::system().wall()).unwrap();
        Config::new("0.0.0.0:7443".parse().unwrap(), name).write(&folder).unwrap();
        let admission = admit(&folder, application(&key, false)).unwrap();
        assert_eq!(admission.collector, "collector.example.org:7443");
        let taken = admit(&folder, application(&key, false)).unwrap_err().to_string();
        assert!(taken.contains("agent add branch --renew"), "{taken}");
        let lock = folder.lock().unwrap();
        let in_use = admit(&folder, application(&key, true)).unwrap_err().to_string();
        assert!(in_use.contains("in use"), "{in_use}");
        drop(lock);
        let renewed = admit(&folder, application(&key, true)).unwrap();
        assert_eq!(renewed.agent_id, admission.agent_id);
        assert_ne!(renewed.certificate, admission.certificate);
    }

    #[test]
    fn a_renewal_keeps_the_configuration_and_nothing_else_is_overwritten() {
        let temporary = tempfile::tempdir().unwrap();
        let out = temporary.path();
        let key = PrivateKey::generate().unwrap();
        let admission = Admission {
            agent_id: String::new(),
            name: "branch".into(),
            labels: BTreeMap::new(),
            collector: "localhost:7443".into(),
            authority: "authority".into(),
            certificate: "certificate".into(),
            not_after: jiff::Timestamp::UNIX_EPOCH,
        };
        expect_free(out, false).unwrap();
        write(out, &admission, &key).unwrap();
        let mode = std::fs::metadata(out.join(KEY)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, PRIVATE);
        assert!(expect_free(out, false).is_err());
        std::fs::write(out.join(CONFIG), "filled in").unwrap();
        expect_free(out, true).unwrap();
        write(out, &Admission { certificate: "new".into(), ..admission }, &key).unwrap();
        assert_eq!(std::fs::read_to_string(out.join(CERTIFICATE)).unwrap(), "new");
        assert_eq!(std::fs::read_to_string(out.join(CONFIG)).unwrap(), "filled in");
    }
}
