//! What other monitoring systems read of a probe: the plugin line with its exit status, and the text
//! exposition.

use std::collections::BTreeMap;

use mailsonde_tests::hostile::{Script, Step};

use crate::agent::{bounded, hostile, in_company, output_of, somebody};

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

/// What no line of a plugin and no exposition may be broken by.
const NASTY: &str = "no | 'away'=1s;2;3 \"x\" \\ } 9 # TYPE a\u{1b}[31m\u{7}\u{9b}\u{202e}\r\u{b}\u{c}\u{85}\u{2028}end";

/// `mailsonde-agent probe KIND` at a hostile server, in a format: its exit status and what it printed.
fn at_hostile(kind: &str, script: Script, format: &str, more: &[&str]) -> (i32, String) {
    let (_server, port) = hostile(script);
    let mut command = bounded(&[]);
    command.args(["agent", "probe", kind, "--format", format, "--set", "host=spare.lab.test"]);
    command.args(["--set", "tls=none", "--set", "timeout=20s"]).env("PROBE_PASSWORD", "probe");
    command.arg("--set").arg(format!("port={port}"));
    for setting in more {
        command.args(["--set", setting]);
    }
    let (exit, output, errors) = output_of(&mut command);
    assert!(!output.is_empty(), "{kind}: {errors}");
    (exit, output)
}

#[test]
fn nothing_that_a_server_says_breaks_a_line_or_an_exposition() {
    let _company = in_company();
    let login = ["login=probe@good.test", "password_env=PROBE_PASSWORD"];
    let long = format!("554 5.7.1 {}", "x|'\"\\".repeat(25_000));
    let lines: String = (0..1_000).map(|_| format!("554-{NASTY} {}\r\n", "y".repeat(60))).collect();
    let lines = format!("{lines}554 5.7.1 {NASTY}");
    for (kind, step, answer, more, status) in [
        ("smtp", Step::Greeting, format!("554 5.7.1 {NASTY}"), &[][..], 2),
        ("smtp", Step::Greeting, long.clone(), &[], 2),
        ("smtp", Step::Greeting, lines, &[], 2),
        ("smtp", Step::Ehlo, format!("250 {NASTY}"), &[], -1),
        ("imap", Step::Select, format!("{{tag}} NO {NASTY}"), &login, 2),
        ("pop3", Step::Auth, format!("-ERR {NASTY}"), &login, 2),
    ] {
        let script = || {
            let script = match kind {
                "imap" => Script::imap(),
                "pop3" => Script::pop3(),
                _ => Script::smtp(),
            };
            script.answer_at(step, &answer)
        };
        let (exit, line) = at_hostile(kind, script(), "nagios", more);
        let words: String = line.chars().take(600).collect();
        if status >= 0 {
            assert_eq!(exit, status, "{kind} {step:?}: {words}");
        }
        assert!(line.ends_with('\n') && line.lines().count() == 1, "{kind} {step:?}: {words}");
        let is_odd =
            |c: char| c != '\n' && (c.is_control() || matches!(c, '\u{2028}' | '\u{202e}'));
        assert!(!line.contains(is_odd), "{kind} {step:?}: {words:?}");
        assert_eq!(line.matches('|').count(), 1, "{kind} {step:?}: {words}");
        assert!(line.len() < 2_048, "{kind} {step:?}: {} bytes", line.len());
        assert!(!performance(&line).is_empty());

        let (_, text) = at_hostile(kind, script(), "prometheus", more);
        assert!(!text.contains(is_odd), "{kind} {step:?}");
        let series = series(&text);
        let own = format!("mailsonde_probe_void{{check=\"command-line\",kind=\"{kind}\"}}");
        assert_eq!(series.get(&own), Some(&0.0), "{kind} {step:?}: {text}");
        assert!(text.len() < 64 * 1024, "{kind} {step:?}: {} bytes", text.len());
    }
}

#[test]
fn a_void_run_is_neither_good_nor_bad() {
    let _company = in_company();
    let (_, settings) = somebody();
    // No network at all.
    let before = ["unshare", "--net"];
    let (exit, line, errors) = settings.printed_in(&before, &["--format", "nagios", "-w", "1us"]);
    assert_eq!((exit, line.lines().count()), (3, 1), "{line}{errors}");
    let start = "MAILSONDE UNKNOWN - command-line: could not be judged (local network): ";
    assert!(line.starts_with(start), "{line}");
    let (exit, text, errors) = settings.printed_in(&before, &["--format", "prometheus"]);
    assert_eq!(exit, 3, "{errors}");
    let series = series(&text);
    let own = "{check=\"command-line\",kind=\"round-trip\"}";
    assert_eq!(series.get(&format!("mailsonde_probe_void{own}")), Some(&1.0), "{text}");
    // Neither up nor down: whoever adds successes up must not count it.
    assert_eq!(series.get(&format!("mailsonde_probe_success{own}")), None, "{text}");
    assert!(text.contains("reason=\"local_network\""), "{text}");
}

#[test]
fn a_log_goes_beside_the_line_and_a_bad_filter_is_unknown() {
    let _company = in_company();
    let (_, settings) = somebody();
    let nagios = ["--format", "nagios"];
    let (exit, line, errors) = settings.printed(&[&nagios[..], &["--log", "trace"]].concat());
    assert_eq!((exit, line.lines().count()), (0, 1), "{line}");
    assert!(line.starts_with("MAILSONDE OK - ") && !performance(&line).is_empty(), "{line}");
    assert!(errors.contains("TRACE"), "the log is on standard error: {errors}");
    let (exit, text, _) = settings.printed(&["--format", "prometheus", "--log", "trace"]);
    assert!(exit == 0 && !series(&text).is_empty(), "{text}");
    for log in ["mailsonde=loud", "a=b=c", "|"] {
        let (exit, line, errors) = settings.printed(&[&nagios[..], &["--log", log]].concat());
        assert_eq!((exit, line.lines().count()), (3, 1), "{log}: {line}{errors}");
        assert!(line.starts_with("MAILSONDE UNKNOWN - --log ") && !line.contains('|'), "{line}");
    }
}

/// The labels of a series, `name="value"` with commas between them, each value unescaped.
fn labels(mut text: &str) -> Vec<(String, String)> {
    let mut labels = Vec::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"").expect("a label and its value");
        let is_sound = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(!name.is_empty() && name.chars().all(is_sound), "{name} is no label");
        let (mut value, mut chars) = (String::new(), rest.char_indices());
        let end = loop {
            match chars.next().expect("a closing quote") {
                (_, '\\') => match chars.next().expect("what is escaped").1 {
                    'n' => value.push('\n'),
                    c => {
                        assert!(matches!(c, '\\' | '"'), "\\{c} is no escape");
                        value.push(c);
                    }
                },
                (at, '"') => break at,
                (_, c) => value.push(c),
            }
        };
        labels.push((name.to_owned(), value));
        let rest = &rest[end + 1..];
        text = if rest.is_empty() { rest } else { rest.strip_prefix(',').expect("a comma") };
    }
    labels
}

/// What an exposition says: each series with its value. It must be one, line by line.
fn series(text: &str) -> BTreeMap<String, f64> {
    let mut series = BTreeMap::new();
    let mut family = String::new();
    for line in text.lines() {
        if let Some(head) = line.strip_prefix("# TYPE ") {
            family = head.split(' ').next().expect("a name").to_owned();
        } else if !line.starts_with("# HELP ") {
            let (name, value) = line.rsplit_once(' ').expect("a value");
            let own = name.strip_prefix(&format!("{family}{{")).and_then(|n| n.strip_suffix('}'));
            labels(own.unwrap_or_else(|| panic!("{line} stands below {family}")));
            let value: f64 = value.parse().expect("a number");
            assert_eq!(series.insert(name.to_owned(), value), None, "{line} stands twice");
        }
    }
    series
}

#[test]
fn an_exposition_has_one_value_a_series() {
    let _company = in_company();
    let (_, settings) = somebody();
    let (exit, text, errors) = settings.printed(&["--format", "prometheus"]);
    assert_eq!(exit, 0, "{text}{errors}");
    let series = series(&text);
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
