//! `documents`: man pages and completions, made from the command line itself.

use std::fs;
use std::path::Path;

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::{Shell, generate_to};

use super::{Arguments, Ending, terminal};

/// The shells that packages have completions for.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

pub(super) fn documents(folder: &Path) -> Ending {
    match written(folder) {
        Ok(()) => Ending::Pass,
        Err(error) => {
            terminal::complain(&format!("mailsonde-agent: {error:#}"));
            Ending::Fail
        }
    }
}

fn written(folder: &Path) -> anyhow::Result<()> {
    let pages = folder.join("man");
    fs::create_dir_all(&pages).with_context(|| format!("cannot make {}", pages.display()))?;
    let mut command = Arguments::command().disable_help_subcommand(true);
    clap_mangen::generate_to(command.clone(), &pages)
        .with_context(|| format!("cannot write man pages into {}", pages.display()))?;
    let name = command.get_name().to_owned();
    for shell in SHELLS {
        generate_to(shell, &mut command, &name, folder)
            .with_context(|| format!("cannot write completions into {}", folder.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_its_page_and_every_shell_its_completions() {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path()).unwrap();
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(read("man/mailsonde-agent.1").contains("mailsonde\\-agent\\-enroll(1)"));
        assert!(read("man/mailsonde-agent-policy-test.1").contains(".TH"));
        for completions in ["mailsonde-agent.bash", "_mailsonde-agent", "mailsonde-agent.fish"] {
            assert!(read(completions).contains("check-config"), "{completions}");
        }
        assert!(!folder.path().join("man/mailsonde-agent-documents.1").exists());
    }
}
