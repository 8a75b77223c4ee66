//! Takes out of a text what names something and tells nothing: addresses, URLs and host names. `spam` in
//! `mx.spam-filter.test` is no word of a server about a message.

/// What stands in place of a name, so that the words around it do not become one.
const NAME: &str = "\u{2026}";

/// The text without its names; its words parted by single spaces.
pub(super) fn without(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut kept = String::with_capacity(text.len());
    for (at, word) in words.iter().enumerate() {
        if at > 0 {
            kept.push(' ');
        }
        let before = at.checked_sub(1).and_then(|at| words.get(at));
        let after = words.get(at + 1).copied().unwrap_or_default();
        let is_named = before.is_some_and(|before| before.eq_ignore_ascii_case("host"))
            && (after.starts_with("said") || after.starts_with('[') || word.contains('['));
        if is_named {
            kept.push_str(NAME);
        } else {
            add(&mut kept, word);
        }
    }
    kept
}

/// A word, piece by piece: Japanese has no spaces before a URL, and `<a@b>:` has an address inside.
fn add(kept: &mut String, word: &str) {
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let is_ascii = first.is_ascii();
        let end = rest.find(|c: char| c.is_ascii() != is_ascii).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        rest = after;
        if !is_ascii {
            kept.push_str(run);
        } else if run.contains("://") {
            kept.push_str(NAME);
        } else {
            pieces(kept, run);
        }
    }
}

fn pieces(kept: &mut String, run: &str) {
    for piece in run.split_inclusive(['<', '>', '(', ')', '[', ']', '"', ',', ';', ':']) {
        let is_labelled = piece.ends_with('[') && piece.len() > 1;
        if is_labelled || piece.contains('@') || is_host(piece) {
            kept.push_str(NAME);
            let end = piece.chars().next_back().filter(char::is_ascii_punctuation);
            kept.extend(end);
        } else {
            kept.push_str(piece);
        }
    }
}

/// Dotted labels, and what may follow a slash. `RESOLVER.ADR.RecipNotFound` is none, nor is `full.Please`.
fn is_host(piece: &str) -> bool {
    let host = piece.split('/').next().unwrap_or_default();
    let host = host.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let Some((_, last)) = host.rsplit_once('.') else { return false };
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let is_sentence = last.starts_with(|c: char| c.is_ascii_uppercase())
        && last.contains(|c: char| c.is_ascii_lowercase());
    host.split('.').all(is_label)
        && last.len() > 1
        && last.starts_with(|c: char| c.is_ascii_alphabetic())
        && !is_sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_out() {
        for (text, expected) in [
            ("host mx.spam.test[192.0.2.1] said: 550 no", "host … said: 550 no"),
            ("host spam said: 550 no", "host … said: 550 no"),
            ("<spam@b.test>... User unknown", "<…>... User unknown"),
            ("mailbox a@b.test full", "mailbox … full"),
            ("see https://a.test/spam or www.a.test/spam.", "see … or …."),
            ("connect to dns.test[192.0.2.1]:25: refused", "connect to …[192.0.2.1]:25: refused"),
            (
                "#550 5.1.1 RESOLVER.ADR.RecipNotFound; x ##",
                "#550 5.1.1 RESOLVER.ADR.RecipNotFound; x ##",
            ),
            ("Mailbox full.Please wait", "Mailbox full.Please wait"),
            ("詳細はhttps://a.test/spamです", "詳細は…です"),
            ("host not found", "host not found"),
            ("550-5.1.1 user unknown", "550-5.1.1 user unknown"),
            ("", ""),
        ] {
            assert_eq!(without(text), expected, "{text}");
        }
    }
}
