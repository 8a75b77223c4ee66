//! Text from outside, made harmless for where it goes: one line, Markdown, HTML. Pure.
//!
//! Whatever a server, an agent or an operator said may hold anything. Invariant: what comes out of [`markdown`] shows as
//! what went in and is no markup; so does [`html`] in an element or a quoted attribute.

/// One line without what could steer whoever shows it: control characters and marks of text direction become `·`.
pub fn one_line(text: &str) -> String {
    text.trim().chars().map(shown).collect()
}

/// A character as it is shown.
pub fn shown(c: char) -> char {
    match c {
        '\n' | '\r' | '\t' => ' ',
        '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'
        | '\u{2029}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' => '·',
        c if c.is_control() => '·',
        c => c,
    }
}

/// One line of Markdown that shows the text and nothing else, also in a table's cell: whatever begins markup is escaped
/// (CommonMark 0.31 section 2.4, GFM section 4.10), and what some renderers make links of is broken.
pub fn markdown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let line = one_line(text);
    let mut are_digits = false;
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        let is_first = shown.is_empty();
        let begins_line = is_first && matches!(c, '-' | '+' | '=');
        let is_markup = matches!(
            c,
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '&' | '#' | '$'
        );
        // "1. " and "1) " begin lists; "://" makes a link to some
        let begins_list =
            matches!(c, '.' | ')') && are_digits && rest.as_str().trim_start() != rest.as_str();
        let is_link = c == ':' && rest.as_str().starts_with('/');
        if is_markup || begins_line || begins_list || is_link {
            shown.push('\\');
        }
        shown.push(c);
        are_digits = c.is_ascii_digit() && (is_first || are_digits);
    }
    shown
}

/// The text in HTML, in an element or a quoted attribute; also fit for SVG.
pub fn html(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in one_line(text).chars() {
        match c {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '"' => shown.push_str("&quot;"),
            '\'' => shown.push_str("&#39;"),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulldown_cmark::{Event, Options, Parser};

    use super::*;

    #[test]
    fn markup_is_text() {
        for (text, shown) in [
            ("mail-1: all is well.", "mail-1: all is well."),
            ("](javascript:alert(1))", "\\](javascript:alert(1))"),
            ("see https://a.test", "see https\\://a.test"),
            ("<script>", "\\<script\\>"),
            ("a|b `c` **d**\n# e", "a\\|b \\`c\\` \\*\\*d\\*\\* \\# e"),
            ("- 5.7.8", "\\- 5.7.8"),
            ("12) x", "12\\) x"),
            ("127.0.0.1", "127.0.0.1"),
        ] {
            assert_eq!(markdown(text), shown);
        }
        assert_eq!(html("<a href='x'>\"&"), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;");
        assert_eq!(one_line("\u{1b}[2J\u{202e}a\r\nb "), "·[2J·a  b");
    }

    proptest! {
        /// Whatever it is, in a paragraph it shows as itself.
        #[test]
        fn any_text_shows_as_itself(text in "[ -~\u{e4}\n]{0,40}") {
            let source = format!("x {}", markdown(&text));
            let mut shown = String::new();
            for event in Parser::new_ext(&source, Options::all()) {
                match event {
                    Event::Text(text) => shown.push_str(&text),
                    Event::Start(_) | Event::End(_) => {}
                    other => prop_assert!(false, "{:?} in {}", other, source),
                }
            }
            // typographic quotes are what Options::all() asks for
            let plain = |text: &str| text.chars().filter(|c| c.is_ascii_alphanumeric()).collect::<String>();
            prop_assert_eq!(plain(&shown), plain(&format!("x{text}")));
        }
    }
}
