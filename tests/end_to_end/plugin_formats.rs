//! What other monitoring systems read of a probe: the plugin line with its exit status, and the text
//! exposition.

use crate::agent::{in_company, somebody};

/// The figures behind the bar: label, value in seconds, limits.
fn performance(line: &str) -> Vec<(String, f64, String)> {
    let (_, figures) = line.trim_end().split_once(" | ").expect("performance data");
    let one = |figure: &str| {
        let (label, rest) = figure.split_once('=').expect("a label");
        let (value, limits) = rest.split_once("s;").expect("seconds");
        (label.trim_matches('\'').to_owned(), value.parse().expect("a number"), limits.to_owned())
    };
    figures.split(' ').map(one).collect()
}

#[test]
fn a_plugin_line_has_its_status_and_its_figures() {
    let _company = in_company();
    let (_, settings) = somebody();
    let (exit, line, errors) =
        settings.printed(&["--format", "nagios", "-w", "19s", "-c", "arrival=19s"]);
    assert_eq!((exit, line.lines().count()), (0, 1), "{line}{errors}");
    assert!(line.starts_with("MAILSONDE OK - "), "{line}");
    let figures = performance(&line);
    let figure = |label: &str| {
        let found = figures.iter().find(|(name, _, _)| name == label);
        found.unwrap_or_else(|| panic!("no {label} in {line}"))
    };
    assert_eq!(figure("total").2, "19.000000;;;");
    assert_eq!(figure("arrival").2, ";19.000000;;");
    let submission = ["resolve", "connect", "greeting", "tls", "auth", "envelope", "data"];
    let parts: f64 = submission.iter().map(|label| figure(label).1).sum();
    assert!(parts > 0.0 && parts <= figure("total").1 + 0.001, "{line}");
}

#[test]
fn a_plugin_ends_as_badly_as_what_it_saw() {
    let _company = in_company();
    let (_, settings) = somebody();
    let nagios = "--format=nagios";
    let refused = settings.clone().with("login", "nobody@good.test");
    let unclear = settings.clone().with("imap.hots", "x");
    for (settings, arguments, exit, start) in [
        (&settings, &[nagios, "--warn", "1us"][..], 1, "MAILSONDE WARNING - "),
        (&settings, &[nagios, "-w", "1us", "-c", "data=1us"][..], 2, "MAILSONDE CRITICAL - "),
        (&refused, &[nagios][..], 2, "MAILSONDE CRITICAL - "),
        (&unclear, &[nagios][..], 3, "MAILSONDE UNKNOWN - "),
        (&settings, &[nagios, "--no-such-flag"][..], 3, "MAILSONDE UNKNOWN - "),
    ] {
        let (code, line, errors) = settings.printed(arguments);
        assert_eq!(code, exit, "{arguments:?}: {line}{errors}");
        assert!(line.starts_with(start) && line.lines().count() == 1, "{arguments:?}: {line}");
    }
}

#[test]
fn an_exposition_has_one_value_a_series() {
    let _company = in_company();
    let (_, settings) = somebody();
    let (exit, text, errors) = settings.printed(&["--format", "prometheus"]);
    assert_eq!(exit, 0, "{text}{errors}");
    let mut series = std::collections::BTreeMap::new();
    let mut family = String::new();
    for line in text.lines() {
        if let Some(head) = line.strip_prefix("# TYPE ") {
            family = head.split(' ').next().expect("a name").to_owned();
        } else if !line.starts_with('#') {
            let (name, value) = line.rsplit_once(' ').expect("a value");
            assert!(name.starts_with(&format!("{family}{{")), "{line} stands below {family}");
            let value: f64 = value.parse().expect("a number");
            assert_eq!(series.insert(name.to_owned(), value), None, "{line} stands twice");
        }
    }
    let own = "check=\"command-line\",kind=\"round-trip\"";
    assert_eq!(series[&format!("mailsonde_probe_success{{{own}}}")], 1.0);
    assert_eq!(series[&format!("mailsonde_probe_void{{{own}}}")], 0.0);
    assert!(series[&format!("mailsonde_probe_phase_seconds{{{own},phase=\"arrival\"}}")] > 0.0);
    let refused = settings.with("login", "nobody@good.test");
    let (exit, text, _) = refused.printed(&["--format", "prometheus"]);
    assert_eq!(exit, 1);
    assert!(text.contains(&format!("mailsonde_probe_success{{{own}}} 0\n")), "{text}");
    assert!(text.contains("phase=\"imap.auth\",class=\"permanent\""), "{text}");
}
