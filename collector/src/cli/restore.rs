//! `restore`: a collector's folder, made of a backup.

use std::path::PathBuf;

use anyhow::bail;
use serde_json::json;

use super::backup::{Bytes, as_json, open, shown};
use super::terminal::{printable, say};
use super::{Ending, Setting};
use crate::backup::restore;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The folder (--data) must be empty or not there yet. Nothing is put there before every byte is the one \
                  that was backed up and the observations, counted again by agent, epoch and verdict, are as many.\n\n\
                  What came after the backup is not in it: agents go on by themselves, and what they have no more is shown \
                  as a gap. Enrolments, revocations and whatever else was decided since has to be done again. Never run the \
                  old collector and the restored one at once."
)]
pub(super) struct RestoreArguments {
    /// The backup; - is standard input
    #[arg(value_name = "FILE")]
    from: PathBuf,
}

pub(super) fn run(setting: &Setting, arguments: &RestoreArguments) -> anyhow::Result<Ending> {
    if setting.url.is_some() {
        bail!(
            "a backup is restored into a folder of this machine: name it by --data, without --url"
        );
    }
    let progress = Bytes::new();
    let restored =
        restore(open(&arguments.from)?, &setting.data, |done, total| progress.at(done, total))?;
    drop(progress);
    let folder = setting.data.path();
    if setting.json {
        let mut value = as_json(&restored.manifest, None);
        if let Some(object) = value.as_object_mut() {
            object.insert("data".into(), json!(folder));
            object.insert("remarks".into(), json!(restored.remarks));
        }
        say(&format!("{value}\n"))?;
        return Ok(Ending::Done);
    }
    let mut manifest = restored.manifest;
    manifest.remarks.clear();
    let mut text = shown(&manifest, "restored ", None);
    text.push_str(&format!(
        "counted again: {} observations, {} control records, as in the backup\n",
        restored.recount.observations(),
        restored.recount.control
    ));
    for remark in &restored.remarks {
        text.push_str(&format!("look at this: {}\n", printable(remark)));
    }
    text.push_str(&format!(
        "\nstart it by `mailsonde-collector --data {shown} serve`\n\
         enrolments and revocations since the backup have to be done again\n",
        shown = folder.display()
    ));
    say(&text)?;
    Ok(Ending::Done)
}
