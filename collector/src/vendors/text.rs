//! A stranger's text as harmless words: without markup, control characters and what steers a line, and not too long.

use url::Url;

/// Bytes of a link at most.
const MAX_LINK_BYTES: usize = 300;
/// Characters of a text that are looked at: what comes after is no news.
const MOST_READ: usize = 64 * 1024;
/// Characters of an entity, such as `&rsquo;`, at most.
const MOST_ENTITY: usize = 10;

/// A text's words on one line, so many characters at most; what is cut off ends in `…`. Entities are read once before
/// tags go and once after: text in feeds is escaped HTML.
pub(super) fn words(text: &str, most: usize) -> String {
    let read: String = text.chars().take(MOST_READ).collect();
    let plain = without_entities(&without_tags(&without_entities(&without_tags(&read))));
    let plain = without_tags(&plain);
    let mut words = String::new();
    for word in plain.split(|c: char| c.is_whitespace() || c.is_control()) {
        let word: String = word.chars().filter(|c| !steers(*c)).collect();
        if !word.is_empty() {
            let space = if words.is_empty() { "" } else { " " };
            words.push_str(space);
            words.push_str(&word);
        }
    }
    match words.char_indices().nth(most) {
        None => words,
        Some(_) => {
            let mut cut: String = words.chars().take(most.saturating_sub(1)).collect();
            cut.truncate(cut.trim_end().len());
            cut.push('…');
            cut
        }
    }
}

/// Where to read on: a web page, or nothing.
pub(super) fn link(text: &str) -> Option<String> {
    let url = Url::parse(text.trim()).ok()?;
    let is_page = matches!(url.scheme(), "https" | "http") && url.host().is_some();
    let is_plain = url.username().is_empty() && url.password().is_none();
    let link = url.to_string();
    (is_page && is_plain && link.len() <= MAX_LINK_BYTES).then_some(link)
}

/// Zero-width characters, and those that turn the direction of what follows.
fn steers(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

/// Each tag is a space; a `<` that begins none stays.
fn without_tags(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        plain.push_str(before);
        let begins =
            after.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || "/!?".contains(c));
        match after.split_once('>') {
            Some((_, behind)) if begins => {
                plain.push(' ');
                rest = behind;
            }
            // a tag that does not end swallows the rest, as browsers have it
            None if begins => return plain,
            _ => {
                plain.push('<');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain
}

fn without_entities(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let end = after.char_indices().take(MOST_ENTITY + 1).find(|(_, c)| *c == ';');
        let known = end.and_then(|(end, _)| Some((after.get(..end)?, after.get(end + 1..)?)));
        match known.and_then(|(name, behind)| Some((character(name)?, behind))) {
            Some((character, behind)) => {
                plain.push(character);
                rest = behind;
            }
            None => {
                plain.push('&');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain
}

fn character(entity: &str) -> Option<char> {
    Some(match entity {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" | "rsquo" | "lsquo" => '\'',
        "ldquo" | "rdquo" => '"',
        "nbsp" => ' ',
        "ndash" | "mdash" => '–',
        "hellip" => '…',
        "bull" => '•',
        number => {
            let number = number.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_is_harmless_words() {
        for (text, expected) in [
            ("plain", "plain"),
            ("<p>Some <b>users</b><br/>cannot&nbsp;send</p>", "Some users cannot send"),
            ("&lt;p&gt;escaped &amp;amp; twice&lt;/p&gt;", "escaped & twice"),
            ("<script>alert(1)</script>", "alert(1)"),
            ("&amp;lt;script&amp;gt;x", "x"),
            ("a < b & c > d", "a < b & c > d"),
            ("cut <a href='x", "cut"),
            ("line\nbreak\ttab\u{7}bell\u{1b}[31mred", "line break tab bell [31mred"),
            ("\u{202e}evil\u{200b}word", "evilword"),
            ("it&rsquo;s &#39;ok&#x27; &#27;x &nothing; &", "it's 'ok' x &nothing; &"),
        ] {
            assert_eq!(words(text, 100), expected, "{text:?}");
        }
        assert_eq!(words("abc def", 7), "abc def");
        assert_eq!(words("abc defg", 5), "abc…");
        assert_eq!(words(&"ä".repeat(1_000), 10), format!("{}…", "ä".repeat(9)));
    }

    #[test]
    fn a_link_leads_to_a_page() {
        for (text, expected) in [
            ("https://a.example/x?y=1", Some("https://a.example/x?y=1")),
            (" https://a.example/\u{7}x", Some("https://a.example/%07x")),
            ("javascript:alert(1)", None),
            ("status.example.org/x", None),
            ("https://user:secret@a.example/", None),
            ("", None),
        ] {
            assert_eq!(link(text).as_deref(), expected, "{text}");
        }
        assert_eq!(link(&format!("https://a/{}", "x".repeat(400))), None);
    }

    proptest::proptest! {
        #[test]
        fn words_are_bounded_and_on_one_line(text: String, most in 1_usize..200) {
            let words = words(&text, most);
            proptest::prop_assert!(words.chars().count() <= most);
            proptest::prop_assert!(!words.chars().any(|c| c.is_control() || steers(c)));
        }
    }
}
