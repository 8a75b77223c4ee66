//! Text in XML 1.0, and elements around it.

/// The text in an element or a quoted attribute. What XML has no place for (section 2.2) becomes `·`; lines stay.
pub(super) fn text(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '"' => shown.push_str("&quot;"),
            '\'' => shown.push_str("&#39;"),
            '\n' => shown.push('\n'),
            '\t' => shown.push(' '),
            '\u{fffe}' | '\u{ffff}' => shown.push('·'),
            c if c.is_control() => shown.push('·'),
            c => shown.push(c),
        }
    }
    shown
}

/// `<name>text</name>`, with its line.
pub(super) fn element(name: &str, content: &str) -> String {
    format!("<{name}>{}</{name}>\n", text(content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_markup() {
        assert_eq!(
            element("title", "<b> & \"'\u{0}\u{fffe}\u{1b}é"),
            "<title>&lt;b&gt; &amp; &quot;&#39;···é</title>\n"
        );
    }
}
