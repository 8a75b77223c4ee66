//! Recipients in a text for people: an address that begins a line or stands alone on it, and what the
//! lines below say.
//!
//! So write qmail and Yahoo (`<a@b>:`), exim (indented, the error indented deeper), Postfix
//! (`<a@b>: host … said: …`), sendmail (`<a@b>` and `(reason: …)`), Exchange (`a@b on DATE`, or the
//! address alone and `#550 …`), and au (`Recipient: <a@b>`).

use super::{Action, MOST_RECIPIENTS, Recipient, address};

/// The most lines that are looked at, and the most of one diagnostic.
const MOST_LINES: usize = 2_000;
const MOST_LINES_OF_ONE: usize = 30;
/// The longest line that is looked at, in bytes.
const LONGEST_LINE: usize = 2_000;

/// The recipients that a text names with what it says of each.
pub(super) fn recipients(text: &str) -> Vec<Recipient> {
    let mut found: Vec<Recipient> = Vec::new();
    let mut lines_of_one = 0;
    let mut is_open = false;
    for line in text.lines().take(MOST_LINES) {
        if let Some((address, rest)) = start(line) {
            is_open = true;
            lines_of_one = 0;
            let known = found.iter().position(|known| known.address.as_ref() == Some(&address));
            match known {
                // Named again: what stands there is more about it.
                Some(at) if at + 1 == found.len() => {}
                Some(_) => is_open = false,
                None if found.len() > MOST_RECIPIENTS => is_open = false,
                None => found.push(Recipient {
                    address: Some(address),
                    action: Action::Failed,
                    ..Recipient::default()
                }),
            }
            if let Some(last) = found.last_mut().filter(|_| is_open) {
                add(&mut last.diagnostic, rest);
            }
            continue;
        }
        if line.trim().is_empty() {
            // An empty line right below the address still belongs to it (docomo, Yahoo).
            is_open &= found.last().is_some_and(|last| last.diagnostic.is_empty());
            continue;
        }
        if let Some(last) = found.last_mut().filter(|_| is_open && lines_of_one < MOST_LINES_OF_ONE)
        {
            lines_of_one += 1;
            if alias(line, last) {
                continue;
            }
            add(&mut last.diagnostic, line);
        }
    }
    found
}

fn add(diagnostic: &mut String, text: &str) {
    let text = text.trim();
    if text.is_empty() {
        return;
    }
    if !diagnostic.is_empty() {
        diagnostic.push(' ');
    }
    diagnostic.extend(text.chars().take(LONGEST_LINE));
}

/// exim: `(generated from a@b)`, `(ultimately generated from a@b)`.
fn alias(line: &str, recipient: &mut Recipient) -> bool {
    let Some((before, from)) = line.trim().split_once("generated from ") else { return false };
    let is_alias =
        before.trim_start_matches('(').split_whitespace().all(|word| word == "ultimately");
    if is_alias {
        recipient.original = address(from.trim_end_matches(')'));
    }
    is_alias
}

/// The address that begins a line, and what follows it.
fn start(line: &str) -> Option<(String, &str)> {
    if line.len() > LONGEST_LINE {
        return None;
    }
    let is_indented = line.starts_with([' ', '\t']);
    let line = line.trim();
    let line = ["Recipient:", "Could not be delivered to:", "To:"]
        .iter()
        .find_map(|label| line.strip_prefix(label).filter(|rest| rest.trim().starts_with('<')))
        .unwrap_or(line)
        .trim();
    if let Some(rest) = line.strip_prefix('<') {
        let (inside, rest) = rest.split_once('>')?;
        let follows = rest.is_empty() || rest.starts_with([':', ' ', '\t']);
        return address(inside).filter(|_| follows).map(|address| (address, after_colon(rest)));
    }
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let is_labelled = word.ends_with(':');
    let word = word.trim_end_matches(':');
    if word.contains(['<', '>', '(', ')', '/', '=', '\'', '"', '[']) {
        return None;
    }
    let address = address(word)?;
    let is_start = match rest {
        "" => true,
        _ if is_labelled => is_indented,
        _ if is_date(rest) => true,
        _ if rest.starts_with('(') => is_indented,
        // exim: `alias@a <real@b>: error`, Exchange: `a@b<mailto:a@b>`.
        _ => is_indented && rest.starts_with('<'),
    };
    let rest = if is_date(rest) { "" } else { rest };
    is_start.then_some((address, rest))
}

/// Exchange: `on Mon, 24 Nov 2025 16:00:01`, `am 24.11.2025 16:00`, `le lun. 24/11/2025`.
fn is_date(text: &str) -> bool {
    let Some((word, rest)) = text.split_once(' ') else { return false };
    let begins = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
    match word {
        "on" => rest.bytes().any(|byte| byte.is_ascii_digit()),
        "am" | "le" => rest.split(' ').take(2).any(begins),
        _ => false,
    }
}

fn after_colon(text: &str) -> &str {
    text.trim().trim_start_matches(':').trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(text: &str) -> Vec<String> {
        let found = recipients(text);
        found
            .into_iter()
            .map(|found| format!("{} | {}", found.address.unwrap(), found.diagnostic))
            .collect()
    }

    #[test]
    fn addresses_begin_lines() {
        for (text, expected) in [
            ("<a@b.test>:\nno mailbox\n\ngood bye\n", &["a@b.test | no mailbox"][..]),
            (
                "<a@b.test>: host c said: 550 no\n  (in reply)\n",
                &["a@b.test | host c said: 550 no (in reply)"],
            ),
            (
                "  a@b.test\n    550 no\n    really\n\n  c@d.test\n    552 full\n",
                &["a@b.test | 550 no really", "c@d.test | 552 full"],
            ),
            ("  a@b.test: forced\n", &["a@b.test | forced"]),
            ("  a@b.test on Mon, 24 Nov 2025\n   not found\n", &["a@b.test | not found"]),
            ("  a@b.test am 24.11.2025 16:00\n   <x #5.1.1>\n", &["a@b.test | <x #5.1.1>"]),
            ("a@b.test am Apparat, Zimmer 24\n", &[]),
            ("a@b.test\n#550 5.1.1 X; not found ##\n", &["a@b.test | #550 5.1.1 X; not found ##"]),
            (
                "   Recipient: <a@b.test>\n   >>> RCPT TO:<a@b.test>\n   <<< 550 no\n",
                &["a@b.test | >>> RCPT TO:<a@b.test> <<< 550 no"],
            ),
            (
                "<a@b.test>:\n\nRemote host said: 550\n\n<a@b.test>: again\n",
                &["a@b.test | Remote host said: 550 again"],
            ),
            ("Write to a@b.test for help, or <c@d.test>.\na@b.test: hello\n", &[]),
        ] {
            assert_eq!(short(text), expected, "{text}");
        }
        let found = recipients("  a@b.test\n    (generated from c@d.test)\n    550 no\n");
        assert_eq!(found[0].original.as_deref(), Some("c@d.test"));
        assert_eq!(found[0].diagnostic, "550 no");
    }
}
