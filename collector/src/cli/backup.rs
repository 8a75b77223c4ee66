//! `backup`: everything that a collector cannot make again, in one file, while it runs or when it does not.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use mailsonde_proto::Clock;
use rustix::fs::OFlags;
use serde_json::json;

use super::figures::bytes;
use super::progress::Progress;
use super::terminal::{complain, printable, say};
use super::{Ending, Setting, asking, client};
use crate::api::path;
use crate::backup::{BackupError, Gathered, Manifest, Mark, make, verify};
use crate::cli::client::NotRunning;
use crate::folder::{Folder, FolderError, FolderLock, PRIVATE};

/// How often the lock and the socket are tried in turn: one of both works unless the collector is just starting.
const TRIES: u32 = 3;
/// Standard input or output.
const STANDARD: &str = "-";
/// What a file is called as long as it is not whole.
const SPOOL: &str = "part";

#[derive(Debug, clap::Args)]
#[command(
    after_help = "In it are the journals (what agents sent, enrolments, what operators did), the configuration, keys and \
                  secrets of the folder, kept reports and closed figures, all as of one moment. Files of the configuration \
                  outside of the folder are not.\n\n\
                  Whoever has it can let agents in: it holds the authority's key and every secret, is written for its owner \
                  alone, and is not encrypted. To encrypt it: \
                  mailsonde-collector backup --to - | age -r KEY > FILE\n\n\
                  Run it as the collector's user or as root, on its machine."
)]
pub(super) struct BackupArguments {
    /// Write it there; - is standard output
    #[arg(long, value_name = "FILE", required_unless_present = "verify")]
    to: Option<PathBuf>,
    /// Read a backup to its end instead, and say whether every byte is the one that was written; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "to")]
    verify: Option<PathBuf>,
}

pub(super) fn run(setting: &Setting, arguments: &BackupArguments) -> anyhow::Result<Ending> {
    if setting.url.is_some() {
        bail!(
            "a backup is made of the collector's own files: run it on its machine, without --url"
        );
    }
    match (&arguments.to, &arguments.verify) {
        (_, Some(from)) => look_at(setting, from),
        (Some(to), None) if to == Path::new(STANDARD) => to_standard(setting),
        (Some(to), None) => to_file(setting, to),
        (None, None) => bail!("say where to: --to FILE"),
    }
}

fn look_at(setting: &Setting, from: &Path) -> anyhow::Result<Ending> {
    let progress = Bytes::new();
    let manifest = verify(open(from)?, |done, total| progress.at(done, total))?;
    drop(progress);
    tell(setting, &manifest, "whole: ", None)?;
    Ok(Ending::Done)
}

fn to_standard(setting: &Setting) -> anyhow::Result<Ending> {
    if io::stdout().is_terminal() {
        bail!("a terminal cannot show a backup: name a file with --to, or pipe it somewhere");
    }
    let (manifest, mut to) = write(&setting.data, io::stdout().lock())?;
    to.flush().context("standard output cannot be written to its end")?;
    complain(shown(&manifest, "backed up ", None).trim_end());
    Ok(Ending::Done)
}

fn to_file(setting: &Setting, place: &Path) -> anyhow::Result<Ending> {
    let folder = &setting.data;
    is_fit(folder, place)?;
    let mut beside = place.as_os_str().to_owned();
    beside.push(format!(".{SPOOL}"));
    let beside = PathBuf::from(beside);
    let file = spool(&beside, place)?;
    let written = to_spool(folder, file, &beside, place);
    if written.is_err() {
        fs::remove_file(&beside).ok();
    }
    let (manifest, size) = written?;
    tell(setting, &manifest, "backed up ", Some((place, size)))?;
    Ok(Ending::Done)
}

/// Whether a backup can be put there, under a name of its own and whole or not at all.
fn is_fit(folder: &Folder, place: &Path) -> anyhow::Result<()> {
    if is_inside(folder, place) {
        bail!(
            "{} lies in the collector's folder, whose next backup would hold this one: name a file elsewhere, best on \
             another machine",
            place.display()
        );
    }
    if fs::metadata(place).is_ok_and(|facts| !facts.is_file()) {
        bail!("{} is no file: into a device or a pipe write by --to - > {0}", place.display());
    }
    Ok(())
}

/// A new file under this name, locked as long as it is written: what one that was killed left is taken away, and what
/// another is writing is not.
fn spool(beside: &Path, place: &Path) -> anyhow::Result<File> {
    let in_use = || anyhow!("another backup is being written to {}: wait for it", place.display());
    if fs::symlink_metadata(beside).is_ok() {
        let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits())?;
        // a link or a pipe that somebody put there is no backup, and is in nobody's use
        let left = OpenOptions::new().read(true).custom_flags(flags).open(beside).ok();
        let left = left.filter(|left| left.metadata().is_ok_and(|facts| facts.is_file()));
        if left.as_ref().is_some_and(|left| left.try_lock().is_err() || !is_at(left, beside)) {
            return Err(in_use());
        }
        fs::remove_file(beside).with_context(|| format!("cannot replace {}", beside.display()))?;
    }
    // new, so that it is nobody else's to read, not even for a moment
    let file = OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(beside);
    let file = file.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => in_use(),
        _ => anyhow!(error).context(format!("cannot write {}", beside.display())),
    })?;
    // between both another may have taken it for a leftover
    match file.try_lock().is_ok() && is_at(&file, beside) {
        true => Ok(file),
        false => Err(in_use()),
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let known = |facts: io::Result<fs::Metadata>| facts.ok().map(|it| (it.dev(), it.ino()));
    known(file.metadata()).is_some_and(|it| known(fs::symlink_metadata(path)) == Some(it))
}

fn to_spool(
    folder: &Folder,
    file: File,
    beside: &Path,
    place: &Path,
) -> anyhow::Result<(Manifest, u64)> {
    let (manifest, to) = write(folder, BufWriter::new(file))?;
    let file = to.into_inner().context("the backup cannot be written to its end")?;
    file.sync_all().context("the backup cannot be put on disk")?;
    let size = file.metadata()?.len();
    fs::rename(beside, place)
        .with_context(|| format!("cannot put the backup to {}", place.display()))?;
    if let Some(above) = place.parent().filter(|above| !above.as_os_str().is_empty()) {
        File::open(above)?.sync_all().context("the backup's name cannot be put on disk")?;
    }
    Ok((manifest, size))
}

fn is_inside(folder: &Folder, place: &Path) -> bool {
    let above = place.parent().filter(|above| !above.as_os_str().is_empty());
    let above = above.unwrap_or_else(|| Path::new("."));
    match (above.canonicalize(), folder.path().canonicalize()) {
        (Ok(above), Ok(folder)) => above.starts_with(folder),
        _ => false,
    }
}

fn write<W: Write>(folder: &Folder, to: W) -> anyhow::Result<(Manifest, W)> {
    if !folder.config().exists() {
        return Err(crate::config::ConfigError::Missing(folder.clone()).into());
    }
    let mut lock = None;
    let gathered = Gathered::open(folder, || mark(folder, &mut lock))?;
    let progress = Bytes::new();
    let made = make(folder, gathered, to, |done, total| progress.at(done, total))?;
    drop(lock);
    Ok(made)
}

/// Asks the collector up to where; one that does not run is kept from starting until the backup is made.
fn mark(folder: &Folder, lock: &mut Option<FolderLock>) -> Result<Mark, BackupError> {
    let told = |error: anyhow::Error| BackupError::Mark(format!("{error:#}"));
    let mut last = None;
    for _ in 0..TRIES {
        if lock.is_none() {
            match asking(client::ask::<Mark>(folder, path::BACKUP_MARK)) {
                Ok(answer) => return Ok(answer.value),
                Err(error) if error.is::<NotRunning>() => last = Some(error),
                Err(error) => return Err(told(error)),
            }
            match folder.lock() {
                Ok(taken) => *lock = Some(taken),
                Err(FolderError::InUse(_)) => continue,
                Err(error) => return Err(error.into()),
            }
        }
        return Mark::of_stopped(folder, Clock::system().wall().timestamp());
    }
    let last = last.map(|error| format!("{error:#}")).unwrap_or_default();
    Err(BackupError::Mark(format!("it has its folder and does not answer yet: try again ({last})")))
}

/// Opens a backup to read it.
pub(super) fn open(from: &Path) -> anyhow::Result<Box<dyn Read>> {
    if from == Path::new(STANDARD) {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(from).with_context(|| format!("cannot read {}", from.display()))?;
    Ok(Box::new(file))
}

/// How many MiB of how many are done.
pub(super) struct Bytes(Progress);

impl Bytes {
    pub(super) fn new() -> Self {
        Self(Progress::counting("MiB"))
    }

    pub(super) fn at(&self, done: u64, total: u64) {
        let (done, total) = (done >> 20, total >> 20);
        if self.0.count() == 0 {
            self.0.expect(total);
        }
        self.0.more(done.saturating_sub(self.0.count()));
    }
}

fn tell(
    setting: &Setting,
    manifest: &Manifest,
    begin: &str,
    file: Option<(&Path, u64)>,
) -> anyhow::Result<()> {
    if setting.json {
        return say(&format!("{}\n", as_json(manifest, file)));
    }
    say(&shown(manifest, begin, file))
}

/// What a backup holds, without its files.
pub(super) fn as_json(manifest: &Manifest, file: Option<(&Path, u64)>) -> serde_json::Value {
    let Manifest { head, observations, control, quarantine, recount, remarks, .. } = manifest;
    let mut value = json!({
        "backup": head, "observations": observations, "control": control, "quarantine": quarantine,
        "recount": recount, "remarks": remarks,
    });
    if let (Some((file, size)), Some(object)) = (file, value.as_object_mut()) {
        object.insert("file".into(), json!(file));
        object.insert("size".into(), json!(size));
    }
    value
}

/// The same for people; `begin` stands before whose it is.
pub(super) fn shown(manifest: &Manifest, begin: &str, file: Option<(&Path, u64)>) -> String {
    let Manifest { head, observations, recount, remarks, .. } = manifest;
    let into = file.map_or_else(String::new, |(file, size)| {
        format!(" into {}, {}", file.display(), bytes(size))
    });
    let agents: std::collections::BTreeSet<&str> =
        recount.sources.iter().map(|source| source.agent.as_str()).collect();
    let mut text = format!(
        "{begin}{} as of {} by version {}{into}\n\
         {} files, {}; {} observations of {} agents up to record {}; {} control records\n",
        printable(&head.collector),
        head.taken_at.strftime("%Y-%m-%d %H:%M:%S UTC"),
        printable(&head.program),
        head.files,
        bytes(head.bytes),
        recount.observations(),
        agents.len(),
        observations.next.saturating_sub(1),
        recount.control,
    );
    if recount.damaged > 0 || recount.control_damaged > 0 {
        let (damaged, control) = (recount.damaged, recount.control_damaged);
        text.push_str(&format!(
            "damaged before already: {damaged} records of observations, {control} control records\n"
        ));
    }
    for remark in remarks {
        text.push_str(&format!("look at this: {}\n", printable(remark)));
    }
    if file.is_some() {
        text.push_str(
            "it holds the authority's key and every secret of the collector: keep it as you keep keys\n",
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn one_backup_at_a_time_is_written_to_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let (place, beside) = (folder.path().join("b"), folder.path().join("b.part"));
        let one = spool(&beside, &place).unwrap();
        let told = spool(&beside, &place).unwrap_err().to_string();
        assert!(told.starts_with("another backup is being written to"), "{told}");
        assert!(is_at(&one, &beside), "the first is left alone");
        // of one that was killed
        drop(one);
        fs::write(&beside, "half").unwrap();
        let next = spool(&beside, &place).unwrap();
        assert_eq!(next.metadata().unwrap().len(), 0);
        drop(next);
        fs::remove_file(&beside).unwrap();
        let other = folder.path().join("other");
        fs::write(&other, "kept").unwrap();
        symlink(&other, &beside).unwrap();
        drop(spool(&beside, &place).unwrap());
        assert_eq!(fs::read_to_string(&other).unwrap(), "kept");
    }

    #[test]
    fn a_device_is_no_place_for_a_file() {
        let data = tempfile::tempdir().unwrap();
        let folder = Folder::at(data.path());
        for place in ["/dev/null", "/dev"] {
            let told = is_fit(&folder, Path::new(place)).unwrap_err().to_string();
            assert!(told.contains("is no file"), "{told}");
        }
    }
}
