//! Whether `collector.toml` and the folders of files beside it can be read and have mistakes.

use std::io;
use std::path::Path;

use mailsonde_proto::doctor::files::{self, Who, not_seen};
use mailsonde_proto::doctor::shell::quoted;
use mailsonde_proto::doctor::{Judged, Look};

use crate::central::{read_folder, read_services};
use crate::config::{Config, ConfigError, Mistake};
use crate::figures::plural;
use crate::fleet::{read_channels, report_trouble};
use crate::folder::Folder;

/// A larger configuration is not read.
const MOST_BYTES: u64 = 4 << 20;

/// The configuration, where it has no mistake; and what there is to say of it.
pub(super) fn read(folder: &Folder, us: Who) -> (Option<Config>, Vec<Look>) {
    let file = folder.config();
    let (config, judged) = match files::read(&file, MOST_BYTES) {
        Ok(text) => match Config::parse(&file, &text) {
            Ok(config) => (Some(config), None),
            Err(ConfigError::Mistakes(mistakes)) => (None, Some(mistaken(&mistakes))),
            Err(error) => (None, Some(Judged::problem(error.to_string(), "write it anew"))),
        },
        Err(error) => (None, Some(not_read(folder, &error))),
    };
    let judged = judged.unwrap_or_else(|| fine(folder, config.as_ref()));
    let mut looks = vec![judged.look("configuration.file", "collector.toml")];
    if folder.path().is_dir() {
        looks.push(
            of_files(folder, config.as_ref(), us).look("configuration.folders", "its folders"),
        );
    }
    (config, looks)
}

fn fine(folder: &Folder, config: Option<&Config>) -> Judged {
    let name = config.map(|config| config.name.to_string()).unwrap_or_default();
    Judged::ok(format!("{}: agents call this collector {name}", folder.config().display()))
}

fn not_read(folder: &Folder, error: &io::Error) -> Judged {
    let make = format!(
        "make it: `mailsonde-collector --data {} init --listen 0.0.0.0:7443 --name HOST`; or name the folder by --data",
        quoted(folder.path())
    );
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => {
            not_seen(&folder.config(), error, &make)
        }
        _ => Judged::problem(
            format!("cannot read {}: {error}", folder.config().display()),
            "write it anew from /usr/share/doc/mailsonde-collector/examples/collector.toml, or restore a backup",
        ),
    }
}

fn mistaken(mistakes: &[Mistake]) -> Judged {
    let many = plural(mistakes.len(), "mistake");
    let lines: Vec<_> = mistakes.iter().take(3).map(ToString::to_string).collect();
    let says = format!("{many}: {}", lines.join("; "));
    Judged::problem(says, "mend them in that file; the collector would not start again as it is")
}

/// Files of checks, services and channels: a mistake there changes nothing until they are put in force again.
fn of_files(folder: &Folder, config: Option<&Config>, us: Who) -> Judged {
    let mut mistakes = Vec::new();
    let mut counts = Vec::new();
    let checks = kept(read_folder(&folder.checks()), &mut mistakes).unwrap_or_default();
    counts.push(plural(checks.len(), "check"));
    let channels = kept(read_channels(folder, &checks), &mut mistakes);
    let mut warnings = Vec::new();
    if let Some(channels) = &channels {
        counts.push(plural(channels.iter().len(), "channel"));
        let reports = config.map(|config| config.reports.as_slice()).unwrap_or_default();
        warnings.extend(report_trouble(reports, channels));
    }
    let names = channels.as_ref().map(crate::delivery::names);
    if let Some(services) = kept(read_services(&folder.services(), names.as_ref()), &mut mistakes) {
        counts.push(plural(services.services.len(), "service"));
    }
    judged(&mistakes, &warnings, &counts.join(", "), (folder.path(), us))
}

fn kept<T>(read: Result<T, Vec<Mistake>>, mistakes: &mut Vec<Mistake>) -> Option<T> {
    read.map_err(|found| mistakes.extend(found)).ok()
}

fn judged(
    mistakes: &[Mistake],
    warnings: &[String],
    counts: &str,
    (folder, us): (&Path, Who),
) -> Judged {
    let all = "see all: `mailsonde-collector config check`";
    if let Some(first) = mistakes.first() {
        let says = format!("{}; the first: {first}", plural(mistakes.len(), "mistake"));
        if !us.may_look_into(folder)
            && mistakes.iter().all(|it| it.message.contains("ermission denied"))
        {
            return Judged::unknown(says, "run this as root, or as the service's user");
        }
        if mistakes.iter().all(|it| it.message.contains("the environment has no")) {
            let todo = format!(
                "the service may have it from its unit (`systemctl cat mailsonde-collector`): look with the same, as in \
                 `sudo env NAME=VALUE mailsonde-collector --data {} doctor`",
                quoted(folder)
            );
            return Judged::unknown(says, todo);
        }
        return Judged::problem(says, all);
    }
    if let Some(first) = warnings.first() {
        return Judged::warning(format!("{counts}; {first}"), all);
    }
    Judged::ok(counts.to_owned())
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::doctor::State;

    use super::*;
    use crate::config::folder::whole;

    #[test]
    fn a_folder_that_was_not_made_is_told_how() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::at(temporary.path().join("none"));
        let (config, looks) = read(&folder, Who::runs_this());
        assert!(config.is_none());
        assert_eq!(looks.len(), 1);
        assert_eq!(looks[0].state, State::Problem);
        assert!(looks[0].todo.as_ref().unwrap().contains("init --listen"));
    }

    #[test]
    fn mistakes_are_told_with_their_places() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::at(temporary.path());
        std::fs::write(folder.config(), "listen = 'here'\n").unwrap();
        let (config, looks) = read(&folder, Who::runs_this());
        assert!(config.is_none());
        assert_eq!(looks[0].state, State::Problem);
        assert!(looks[0].says.contains("2 mistakes") && looks[0].says.contains(":1:10: listen"));
        std::fs::write(folder.config(), "listen = '[::]:7443'\nname = 'c.test'\n").unwrap();
        let (config, looks) = read(&folder, Who::runs_this());
        assert!(config.is_some());
        let states: Vec<_> = looks.iter().map(|look| look.state).collect();
        assert_eq!(states, [State::Ok, State::Ok]);
    }

    #[test]
    fn files_are_judged_by_their_mistakes() {
        let mistake = |words: &str| whole(Path::new("channels.d/a.toml"), words.into());
        let denied = || vec![mistake("cannot read /s: Permission denied")];
        let report = || vec!["the report will not be mailed".to_owned()];
        for (mistakes, warnings, is_stranger, state) in [
            (vec![], vec![], false, State::Ok),
            (vec![], report(), false, State::Warning),
            (vec![mistake("x")], report(), true, State::Problem),
            (denied(), vec![], false, State::Problem),
            (denied(), vec![], true, State::Unknown),
            (vec![mistake("the environment has no X: set it")], vec![], false, State::Unknown),
        ] {
            // its folder is root's
            let uid = if is_stranger { 64_990 } else { 0 };
            let at = (Path::new("/"), Who { uid, gid: uid });
            let judged = judged(&mistakes, &warnings, "1 check", at);
            assert_eq!(judged.state, state, "{mistakes:?}");
            assert_eq!(judged.todo.is_some(), state != State::Ok);
        }
    }
}
