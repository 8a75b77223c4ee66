//! Takes out of a text what names something and tells nothing: addresses, URLs and host names. `spam` in
//! `mx.spam-filter.test` is no word of a server about a message.

/// What stands in place of a name, so that the words around it do not become one.
const NAME: &str = "\u{2026}";
/// No name goes on behind these.
const BREAKS: [char; 10] = ['<', '>', '(', ')', '[', ']', '"', ',', ';', ':'];

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
    if word.is_ascii() || word.contains("://") {
        return runs(kept, word);
    }
    for piece in word.split_inclusive(BREAKS) {
        if is_international(piece) {
            kept.push_str(NAME);
            kept.extend(piece.chars().next_back().filter(char::is_ascii_punctuation));
        } else {
            runs(kept, piece);
        }
    }
}

fn runs(kept: &mut String, word: &str) {
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
    for piece in run.split_inclusive(BREAKS) {
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
    // `full.Please` is the end of one and the start of the next; `Mx.Spam.Test` has a dot too many for that,
    // and `RecipNotFound` is no label of a host.
    let is_capital = |c: char| c.is_ascii_uppercase();
    let is_sentence = last.starts_with(is_capital)
        && last.contains(|c: char| c.is_ascii_lowercase())
        && (host.matches('.').count() < 2 || last.chars().skip(1).any(is_capital));
    host.split('.').all(is_label)
        && last.len() > 1
        && last.starts_with(|c: char| c.is_ascii_alphabetic())
        && !is_sentence
}

/// A host's name with letters beyond ASCII, of scripts that part words by spaces, and a last label in ASCII.
fn is_international(piece: &str) -> bool {
    let host = piece.split('/').next().unwrap_or_default();
    let host = host.trim_matches(|c: char| !c.is_alphanumeric());
    let Some((_, last)) = host.rsplit_once('.') else { return false };
    let is_of_script = |c: char| c.is_ascii() || matches!(c, '\u{c0}'..='\u{52f}');
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .chars()
                .all(|c| (c.is_alphanumeric() && is_of_script(c)) || matches!(c, '-' | '_'))
    };
    !host.is_ascii()
        && host.split('.').all(is_label)
        && last.len() > 1
        && last.bytes().all(|byte| byte.is_ascii_lowercase())
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
            ("Mx.Spam.Test said 550 no", "… said 550 no"),
            ("by MX.SPAM.TEST: 550 no", "by …: 550 no"),
            ("spam.bücher.test[192.0.2.1] said no", "…[192.0.2.1] said no"),
            ("<spam.bücher.test> спам.пример.test.", "<…> …."),
            ("Ящик переполнен.Удалите", "Ящик переполнен.Удалите"),
            ("550-5.1.1 user unknown", "550-5.1.1 user unknown"),
            ("", ""),
        ] {
            assert_eq!(without(text), expected, "{text}");
        }
    }
}
