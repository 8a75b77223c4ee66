//! CHANGELOG.md's newest part as Debian writes changelogs (deb-changelog(5)).

use jiff::Timestamp;

/// The longest line, in characters.
const WIDTH: usize = 79;

/// What is released.
pub(crate) struct Release<'r> {
    pub(crate) package: &'r str,
    pub(crate) version: &'r str,
    pub(crate) at: Timestamp,
    pub(crate) maintainer: &'r str,
}

/// What the newest part lists, each on one line.
pub(crate) fn newest(text: &str) -> Vec<String> {
    let part = text.split("\n## ").nth(1).unwrap_or_default();
    let mut changes: Vec<String> = Vec::new();
    for line in part.lines().skip(1) {
        if let Some(begun) = line.strip_prefix("- ") {
            changes.push(begun.trim().to_owned());
        } else if let (true, Some(change)) = (line.starts_with("  "), changes.last_mut()) {
            change.push(' ');
            change.push_str(line.trim());
        }
    }
    changes
}

/// One entry with these changes.
pub(crate) fn debian(release: &Release<'_>, changes: &[String]) -> String {
    let Release { package, version, at, maintainer } = release;
    let date = at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S %z");
    let mut told = format!("{package} ({version}) stable; urgency=medium\n\n");
    for change in changes {
        told.push_str(&wrapped(change));
    }
    told.push_str(&format!("\n -- {maintainer}  {date}\n"));
    told
}

fn wrapped(change: &str) -> String {
    let (mut told, mut line) = (String::new(), "  *".to_owned());
    for word in change.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            told.push_str(&format!("{line}\n"));
            line = "   ".to_owned();
        }
        line.push(' ');
        line.push_str(word);
    }
    told + &line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_part_becomes_an_entry() {
        let text = "# Changelog\n\nWords.\n\n## Unreleased\n\n### Added\n- One thing:\n  and more of it.\n\
                    - Another.\n\n## 0.0.1\n\n- Old.\n";
        let changes = newest(text);
        assert_eq!(changes, ["One thing: and more of it.", "Another."]);
        let release = Release {
            package: "mailsonde-agent",
            version: "0.1.0",
            at: Timestamp::UNIX_EPOCH,
            maintainer: "Ann <ann@example.org>",
        };
        let told = debian(&release, &changes);
        assert_eq!(
            told,
            "mailsonde-agent (0.1.0) stable; urgency=medium\n\n  * One thing: and more of it.\n  \
             * Another.\n\n -- Ann <ann@example.org>  Thu, 01 Jan 1970 00:00:00 +0000\n"
        );
    }

    #[test]
    fn lines_are_short() {
        let told = wrapped(&"word ".repeat(60));
        assert!(told.lines().all(|line| line.chars().count() <= WIDTH), "{told}");
        assert!(told.starts_with("  * word") && told.contains("\n    word"), "{told}");
    }
}
