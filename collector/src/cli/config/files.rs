//! The files of checks, services and channels by themselves: what is wrong in them.

use std::path::{Path, PathBuf};

use anyhow::bail;

use super::told;
use crate::central::{SERVICES_FOLDER, read_folder, read_services, template_mistakes};
use crate::cli::Ending;
use crate::cli::terminal::{Terminal, Tone, printable, say};
use crate::config::{Config, Mistake};
use crate::figures::plural;
use crate::fleet::{read_channels, report_trouble};
use crate::folder::Folder;

/// Says everything that is wrong in the files of a folder; no agent is asked.
pub(super) fn check(folder: &Path, terminal: &Terminal) -> anyhow::Result<Ending> {
    if !folder.is_dir() {
        bail!("{} is no folder", folder.display());
    }
    let (checks, services) = folders(folder);
    let mut mistakes = Vec::new();
    let mut fine = Vec::new();
    let line = |path: &Path, count: &str| {
        format!("{} {}: {count}\n", path.display(), terminal.paint(Tone::Good, "is fine"))
    };
    let mut known = Vec::new();
    if let Some(checks) = checks {
        known = kept(read_folder(&checks), &mut mistakes).unwrap_or_default();
        let count = plural(known.len(), "check");
        fine.push(line(
            &checks,
            &format!("{count}; their settings: `mailsonde-agent check-config FILE`"),
        ));
    }
    let data = Folder::at(folder);
    let (mut names, mut warnings) = (None, Vec::new());
    if data.channels().is_dir()
        && let Some(read) = kept(read_channels(&data, &known), &mut mistakes)
    {
        fine.push(line(&data.channels(), &plural(read.iter().len(), "channel")));
        names = Some(crate::delivery::names(&read));
        let reports = Config::load(&data).map(|config| config.reports).unwrap_or_default();
        warnings.extend(report_trouble(&reports, &read));
    }
    if let Some(services) = services
        && let Some(read) = kept(read_services(&services, names.as_ref()), &mut mistakes)
    {
        fine.push(line(&services, &plural(read.services.len(), "service")));
    }
    if fine.is_empty() && mistakes.is_empty() {
        fine.push(format!(
            "{}: no file of checks, services or channels is there\n",
            folder.display()
        ));
    }
    // drafts are made all the same, by the templates in the program: a warning
    warnings.extend(template_mistakes(&Folder::at(folder).templates()));
    fine.extend(
        warnings.iter().map(|it| format!("{}\n", terminal.paint(Tone::Doubtful, &printable(it)))),
    );
    if mistakes.is_empty() {
        say(&fine.concat())?;
        return Ok(Ending::Done);
    }
    told(&mistakes.iter().map(Mistake::to_string).collect::<Vec<_>>());
    Ok(Ending::NotDone)
}

/// What was read; or its mistakes beside the others.
fn kept<T>(read: Result<T, Vec<Mistake>>, mistakes: &mut Vec<Mistake>) -> Option<T> {
    read.map_err(|wrong| mistakes.extend(wrong)).ok()
}

/// Where checks and services stand: in a folder's `checks.d` and `services.d`, or in the folder itself.
fn folders(folder: &Path) -> (Option<PathBuf>, Option<PathBuf>) {
    let data = Folder::at(folder);
    let is_there = |path: PathBuf| Some(path).filter(|path| path.is_dir());
    match (is_there(data.checks()), is_there(data.services())) {
        (None, None) if folder.ends_with(SERVICES_FOLDER) => (None, Some(folder.to_owned())),
        // a collector's own folder, where nobody made them yet
        (None, None) if data.config().is_file() => (None, None),
        (None, None) => (Some(folder.to_owned()), None),
        both => both,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::plain;

    #[test]
    fn a_collectors_folder_without_files_is_no_folder_of_checks() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().to_owned();
        assert_eq!(folders(folder.path()), (Some(own), None));
        std::fs::write(Folder::at(folder.path()).config(), "listen = \"[::]:7443\"\n").unwrap();
        assert_eq!(folders(folder.path()), (None, None));
        let ending = check(folder.path(), &plain(80)).unwrap();
        assert!(matches!(ending, Ending::Done));
    }
}
