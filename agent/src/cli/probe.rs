//! `probe`: one check now, the list of kinds, and what a kind can be told.

pub(in crate::cli) mod help;

use std::fmt::Write;

use clap::CommandFactory;
use mailsonde_proto::Verdict;

use super::one_shot::{self, Subject};
use super::report::{json, nagios, prometheus, words};
use super::terminal::{self, Terminal, Tone};
use super::{Arguments, Ending, Format, ProbeArguments, all, check_config, plugin, refuse};
use crate::config::spelling::{did_you_mean, listed};
use crate::probe::Kinds;

/// Carries out the command.
pub(crate) fn probe(arguments: &ProbeArguments, kinds: &Kinds, terminal: &Terminal) -> Ending {
    if let Err(words) = arguments.thresholds_fit() {
        return refuse(words);
    }
    if let (true, false, Some(file)) = (arguments.all, arguments.help, &arguments.config) {
        return all::all(file, arguments, kinds, terminal);
    }
    let kind = match &arguments.kind {
        _ if arguments.list => return said(&list(kinds, terminal), Ending::Pass),
        None if arguments.help => {
            return said(&(usage() + "\n" + &list(kinds, terminal)), Ending::Pass);
        }
        None => {
            let words = "name a kind of probe; `mailsonde-agent probe --list` lists them";
            return refused(words, arguments);
        }
        Some(name) => match kinds.get(name) {
            Some(kind) => kind.as_ref(),
            None => return refused(&unknown(name, kinds), arguments),
        },
    };
    if arguments.help {
        return said(&help::kind_help(kind, terminal), Ending::Pass);
    }
    let subject = match &arguments.config {
        Some(file) => {
            let files = (file.as_path(), arguments.policy.as_deref());
            let run = (arguments.check.as_deref(), arguments.timeout);
            one_shot::from_file(files, run, kind, kinds)
        }
        None => {
            let settings = (arguments.set.as_slice(), arguments.timeout);
            one_shot::from_settings(settings, kind, arguments.policy.as_deref())
        }
    };
    let subject = match subject {
        Ok(subject) => subject,
        Err(refusal) => {
            let told = check_config::told(&refusal.mistakes, &refusal.warnings);
            let help = format!("`mailsonde-agent probe {} --help` lists the settings", kind.name());
            return refused(&format!("{told}\n{help}"), arguments);
        }
    };
    if !subject.warnings.is_empty() {
        terminal::complain(&check_config::told(&[], &subject.warnings));
    }
    carry_out(subject, arguments, terminal)
}

fn carry_out(subject: Subject, arguments: &ProbeArguments, terminal: &Terminal) -> Ending {
    let seen = match super::runtime() {
        Ok(runtime) => runtime.block_on(one_shot::run(subject)),
        Err(error) => {
            terminal::complain(&format!("{error:#}"));
            return Ending::Void;
        }
    };
    let ending = match seen.outcome.verdict {
        Verdict::Pass => Ending::Pass,
        Verdict::Fail(_) => Ending::Fail,
        Verdict::Void { .. } => Ending::Void,
    };
    match arguments.format() {
        Format::Human => said(&words(&seen, terminal), ending),
        Format::Json => match json(&seen) {
            Ok(line) => said(&format!("{line}\n"), ending),
            Err(error) => {
                terminal::complain(&format!("{error:#}"));
                Ending::Void
            }
        },
        Format::Nagios => plugin(nagios::nagios(&seen, &arguments.warn, &arguments.crit)),
        Format::Prometheus => said(&prometheus(&[seen]), ending),
    }
}

/// Says what is wrong with the command line; to whoever calls plugins, in a plugin's way.
fn refused(words: &str, arguments: &ProbeArguments) -> Ending {
    if arguments.format() == Format::Nagios {
        // Standard output is all that a monitoring system keeps; the whole of it is for a person at a shell.
        terminal::complain(words);
        let first = words.lines().next().unwrap_or_default();
        return plugin(nagios::unknown(first));
    }
    refuse(words)
}

fn said(text: &str, ending: Ending) -> Ending {
    match terminal::say(text) {
        Ok(()) => ending,
        Err(error) => {
            terminal::complain(&format!("{error:#}"));
            Ending::Void
        }
    }
}

fn unknown(name: &str, kinds: &Kinds) -> String {
    let names = || kinds.iter().map(|kind| kind.name());
    let hint = match did_you_mean(name, names()) {
        hint if hint.is_empty() => format!(": there is {}", listed(names())),
        hint => hint,
    };
    format!("no kind of probe is called \"{name}\"{hint}")
}

fn usage() -> String {
    let mut command = Arguments::command();
    match command.find_subcommand_mut("probe") {
        Some(probe) => {
            let mut probe = std::mem::take(probe).bin_name("mailsonde-agent probe");
            probe.render_long_help().to_string()
        }
        None => String::new(),
    }
}

fn list(kinds: &Kinds, terminal: &Terminal) -> String {
    let width = kinds.iter().map(|kind| kind.name().len()).max().unwrap_or(0);
    let mut text = format!("{}\n", terminal.paint(Tone::Strong, "Kinds of probes:"));
    for kind in kinds.iter() {
        // Writing to a String cannot fail.
        writeln!(text, "  {:<width$}  {}", kind.name(), kind.summary()).ok();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::samples::kinds;

    const PLAIN: Terminal = Terminal { width: 80, colours: false };

    #[test]
    fn the_list_of_kinds() {
        insta::assert_snapshot!(list(&kinds(), &PLAIN), @r"
        Kinds of probes:
          round-trip  stands in
        ");
        let told = unknown("roundtrip", &kinds());
        assert_eq!(told, "no kind of probe is called \"roundtrip\", did you mean \"round-trip\"?");
    }

    #[test]
    fn usage_names_the_command() {
        assert!(usage().contains("mailsonde-agent probe"), "{}", usage());
    }
}
