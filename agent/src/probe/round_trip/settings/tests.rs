//! Settings that are read, and those that are refused.

use std::path::Path;

use super::*;
use crate::config::mailbox::MailboxConfig;
use crate::config::mistake::Report;
use crate::config::section::Section;
use crate::config::value::Table;
use crate::config::{check, surroundings};
use crate::net::Net;

/// What is wrong with these settings, `--timeout` aside, where the command line gives one.
fn mistakes(pairs: &[&str], timeout: Option<Duration>) -> String {
    let (mut table, _) = Table::of_settings(pairs.iter().copied().chain(["mailbox=m"]));
    if let Some(timeout) = timeout {
        table.set_timeout(timeout);
    }
    let mailboxes = [("m".to_owned(), MailboxConfig::stand_in("m"))].into();
    let surroundings = surroundings(&mailboxes, Net::new(), mailsonde_proto::Clock::system());
    let report = Report::default();
    let mut section = Section::new(&table, &report, Path::new(""), "");
    check::head(&mut section, Some("round-trip"));
    read(&mut section, &surroundings);
    match report.into_result() {
        Ok(_) => String::new(),
        Err((mistakes, _)) => mistakes.to_string(),
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let short = Some(Duration::from_secs(20));
    let reply = ["auto_reply=required", "auto_reply_within=30s"];
    for (pairs, timeout, words) in [
        (&[][..], None, ""),
        (&reply, None, ""),
        (&reply, short, "the reply is waited for 30s, and a run may take 20s: raise timeout"),
        (&["mx=good.test", "greylist_retry=30s"], None, ""),
        (
            &["mx=good.test", "greylist_retry=30s"],
            short,
            "greylists is asked again after 30s, and a run may take 20s: raise timeout, or lower",
        ),
        (&["mx=good.test", "greylist_retry=1m"], None, "after 1m, and a run may take 1m"),
        (&["mx=good.test"], short, ""),
        (&["mx=b\u{fc}cher..x"], None, "there is nothing between two of its dots"),
        (&["via=b\u{fc}ro@good.test"], None, "takes SMTPUTF8"),
        (&["to=nobody"], None, "must be a mail address"),
    ] {
        let told = mistakes(pairs, timeout);
        assert!(told.contains(words) && told.is_empty() == words.is_empty(), "{pairs:?}: {told}");
    }
}

#[test]
fn codes_are_permanent_ones() {
    for (text, expected) in [
        ("550", Some("550")),
        ("5.7.1", Some("5.7.1")),
        ("450", None),
        ("4.7.1", None),
        ("5.7", None),
        ("600", None),
        ("", None),
    ] {
        let code = text.parse::<ExpectedCode>().ok().map(|code| code.to_string());
        assert_eq!(code.as_deref(), expected, "{text}");
    }
}
