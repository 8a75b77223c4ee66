//! `documents`: man pages and completions, made from the command line itself, and pages of the book, made from what
//! kinds of probes say of themselves.

mod book;

use std::fs;
use std::path::Path;

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::{Shell, generate_to};

use super::{Arguments, Ending, terminal};
use crate::probe::Kinds;

/// The shells that packages have completions for.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

pub(super) fn documents(folder: &Path, kinds: &Kinds) -> Ending {
    match written(folder, kinds) {
        Ok(()) => Ending::Pass,
        Err(error) => {
            terminal::complain(&format!("mailsonde-agent: {error:#}"));
            Ending::Fail
        }
    }
}

fn written(folder: &Path, kinds: &Kinds) -> anyhow::Result<()> {
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
    let probes = folder.join("book/probes");
    fs::create_dir_all(&probes).with_context(|| format!("cannot make {}", probes.display()))?;
    for (name, text) in book::pages(kinds) {
        let page = probes.join(name);
        fs::write(&page, text).with_context(|| format!("cannot write {}", page.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_its_page_and_every_shell_its_completions() {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path(), &Kinds::standard()).unwrap();
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(read("man/mailsonde-agent.1").contains("mailsonde\\-agent\\-enroll(1)"));
        assert!(read("man/mailsonde-agent-policy-test.1").contains(".TH"));
        for completions in ["mailsonde-agent.bash", "_mailsonde-agent", "mailsonde-agent.fish"] {
            assert!(read(completions).contains("check-config"), "{completions}");
        }
        assert!(!folder.path().join("man/mailsonde-agent-documents.1").exists());
        assert!(read("book/probes/dns.md").contains("`spf.too_many_lookups`"));
    }

    /// What the book says of probes is what the code says.
    #[test]
    fn the_books_pages_of_probes_are_those_of_the_code() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/book/src/probes");
        let anew = "make it anew: mailsonde-agent documents DIR && cp DIR/book/probes/*.md deploy/book/src/probes/";
        let pages = book::pages(&Kinds::standard());
        for (name, text) in &pages {
            let committed = fs::read_to_string(folder.join(name)).unwrap_or_default();
            assert!(
                committed == *text,
                "deploy/book/src/probes/{name} is not what the code says; {anew}"
            );
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), pages.len(), "a page of no kind");
    }
}
