//! The report for people: a line for each look, under the head of its group, and what to do below it.

use super::{Look, Report, State};

/// Where a line goes on that did not fit, and what to do begins.
const INDENT: usize = 6;
/// Narrower texts are not broken: the terminal does that better.
const LEAST_TEXT: usize = 24;
/// Longer titles push their line to the right.
const LONGEST_TITLE: usize = 24;

/// How it is to be written.
pub struct Page<'a> {
    /// In columns; `None` breaks no line, for whoever searches lines.
    pub width: Option<usize>,
    /// A word in the colour of a state, where colours are wanted.
    pub paint: &'a dyn Fn(State, &str) -> String,
    /// Without what could steer a terminal: servers' words are among what was seen.
    pub printable: &'a dyn Fn(&str) -> String,
}

/// The whole report.
pub fn told(report: &Report, page: &Page<'_>) -> String {
    let printable = page.printable;
    let summary = summary(report, page);
    let mut text = format!("{}, {}\n{summary}\n", report.program, printable(&report.data));
    let longest = report.looks.iter().map(|look| look.title.chars().count()).max();
    let title_width = longest.unwrap_or_default().min(LONGEST_TITLE);
    let mut group = "";
    for look in problems_first(&report.looks) {
        if look.group() != group {
            group = look.group();
            text.push_str(&format!("\n{group}\n"));
        }
        text.push_str(&of_look(look, title_width, page));
    }
    // also where a terminal stands still
    text.push_str(&format!("\n{summary}\n"));
    text
}

/// Groups with a problem before the others, and in each group the worst first; else in their order.
fn problems_first(looks: &[Look]) -> Vec<&Look> {
    let is_bad = |group: &str| {
        looks.iter().any(|look| look.group() == group && look.state == State::Problem)
    };
    let place = |look: &Look| looks.iter().position(|other| other.group() == look.group());
    let mut sorted: Vec<_> = looks.iter().collect();
    sorted.sort_by_key(|look| {
        (!is_bad(look.group()), place(look), std::cmp::Reverse(look.state == State::Problem))
    });
    sorted
}

fn of_look(look: &Look, title_width: usize, page: &Page<'_>) -> String {
    let (state, printable) = (look.state, page.printable);
    let title = printable(&look.title);
    let head = format!("{} {:<9}", state.mark(), state.word());
    let head_width = head.chars().count() + 4 + title.chars().count().max(title_width) + 2;
    let says = broken(&printable(&look.says), page.width, head_width);
    let head = (page.paint)(state, &head);
    let mut text = format!("  {head}  {title:<title_width$}  {says}\n");
    if let Some(todo) = &look.todo {
        let todo = broken(&printable(todo), page.width, INDENT + 2);
        text.push_str(&format!("{:INDENT$}→ {todo}\n", ""));
    }
    text
}

/// How many there are of each state, the worst first.
fn summary(report: &Report, page: &Page<'_>) -> String {
    let mut parts = Vec::new();
    for state in State::ALL {
        let count = report.looks.iter().filter(|look| look.state == state).count();
        let word = match (state, count) {
            (_, 0) => continue,
            (State::Problem, 2..) => "problems",
            (State::Warning, 2..) => "warnings",
            _ => state.word(),
        };
        parts.push((page.paint)(state, &format!("{count} {word}")));
    }
    if parts.is_empty() { "nothing was looked at".to_owned() } else { parts.join(", ") }
}

/// A text that begins at this column, broken between words, and never inside a command: that is to be copied.
fn broken(text: &str, width: Option<usize>, from: usize) -> String {
    let Some(width) = width.filter(|width| *width >= from + LEAST_TEXT) else {
        return text.to_owned();
    };
    let mut broken = String::new();
    let mut column = from;
    for word in words(text) {
        let long = word.chars().count();
        if column > from && column + 1 + long > width {
            broken.push_str(&format!("\n{:from$}", ""));
            column = from;
        }
        if column > from {
            broken.push(' ');
            column += 1;
        }
        broken.push_str(&word);
        column += long;
    }
    broken
}

/// Words, and what stands in backticks as one.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut is_inside = false;
    for piece in text.split_whitespace() {
        match words.last_mut() {
            Some(last) if is_inside => {
                last.push(' ');
                last.push_str(piece);
            }
            _ => words.push(piece.to_owned()),
        }
        if piece.matches('`').count() % 2 == 1 {
            is_inside = !is_inside;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::super::Judged;
    use super::*;

    fn report() -> Report {
        let looks = vec![
            Judged::ok("3 checks, 1 mailbox").look("configuration.file", "agent.toml"),
            Judged::problem(
                "mode 644: everybody on this machine can read it",
                "shut it: `chmod 600 /etc/mailsonde-agent/password`",
            )
            .look("permissions.secret", "secret password")
            .of("/etc/mailsonde-agent/password"),
            Judged::warning("2.1 s behind the collector's", "set the clock")
                .look("clock.collector", "this clock"),
            Judged::unknown("no time service was found", "ask who runs this machine")
                .look("clock.synchronised", "time service"),
        ];
        Report::new("mailsonde-agent 0.1.0", "/var/lib/mailsonde-agent".to_owned(), looks)
    }

    fn shown(width: Option<usize>) -> String {
        let page = Page {
            width,
            paint: &|state, text| format!("<{state:?}:{text}>").replace("Ok:", ":"),
            printable: &|text| text.replace('\x1b', "·"),
        };
        told(&report(), &page)
    }

    #[test]
    fn a_report_reads_as_lines() {
        assert_eq!(
            shown(None).lines().collect::<Vec<_>>(),
            [
                "mailsonde-agent 0.1.0, /var/lib/mailsonde-agent",
                "<Problem:1 problem>, <Warning:1 warning>, <Unknown:1 not known>, <:1 ok>",
                "",
                "permissions",
                "  <Problem:✗ problem  >  secret password  mode 644: everybody on this machine can read it",
                "      → shut it: `chmod 600 /etc/mailsonde-agent/password`",
                "",
                "configuration",
                "  <:✓ ok       >  agent.toml       3 checks, 1 mailbox",
                "",
                "clock",
                "  <Warning:! warning  >  this clock       2.1 s behind the collector's",
                "      → set the clock",
                "  <Unknown:? not known>  time service     no time service was found",
                "      → ask who runs this machine",
                "",
                "<Problem:1 problem>, <Warning:1 warning>, <Unknown:1 not known>, <:1 ok>",
            ]
        );
    }

    #[test]
    fn lines_fit_and_commands_stay_whole() {
        for width in [40, 60, 80, 200] {
            let text = shown(Some(width));
            assert!(text.contains("`chmod 600 /etc/mailsonde-agent/password`"), "{text}");
        }
        assert_eq!(broken("a `b c` d e", Some(30), 2), "a `b c` d e");
        let narrow = broken("one two `three four` five six seven", Some(27), 2);
        assert_eq!(narrow, "one two `three four` five\n  six seven");
        assert_eq!(broken("one two", Some(10), 2), "one two", "too narrow to be broken");
    }

    #[test]
    fn nothing_steers_the_terminal() {
        let looks = vec![Judged::ok("\x1b[2J").look("a.b", "t")];
        let report = Report::new("p", "d".to_owned(), looks);
        let page = Page {
            width: None,
            paint: &|_, text| text.to_owned(),
            printable: &|text| text.replace('\x1b', "·"),
        };
        assert!(!told(&report, &page).contains('\x1b'));
    }
}
