//! Text in headers: encoded words where it is not ASCII (RFC 2047), folded where it is long.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Bytes of text in one encoded word: `=?utf-8?B?` + base64 + `?=` is at most 75 long (RFC 2047 section 2).
const WORD: usize = 45;
/// From this length on a line is folded (RFC 5322 section 2.1.1).
const LONG: usize = 76;

/// An unstructured header, such as Subject, with its name and its end.
pub(super) fn unstructured(name: &str, text: &str) -> String {
    if text.is_ascii() && !text.contains("=?") {
        return folded(name, text);
    }
    let mut header = format!("{name}:");
    let mut part = String::new();
    let mut words = Vec::new();
    for character in text.chars() {
        if part.len() + character.len_utf8() > WORD {
            words.push(std::mem::take(&mut part));
        }
        part.push(character);
    }
    words.push(part);
    for (index, word) in words.iter().enumerate() {
        header.push_str(if index == 0 { " " } else { "\r\n " });
        header.push_str(&format!("=?utf-8?B?{}?=", STANDARD.encode(word)));
    }
    header + "\r\n"
}

/// Breaks lines at spaces, of which each stays what it is.
fn folded(name: &str, text: &str) -> String {
    let mut header = format!("{name}:");
    let mut column = header.len();
    for word in text.split(' ') {
        if column > name.len() + 1 && !word.is_empty() && column + 1 + word.len() > LONG {
            header.push_str("\r\n");
            column = 0;
        }
        header.push(' ');
        header.push_str(word);
        column += 1 + word.len();
    }
    header + "\r\n"
}

#[cfg(test)]
mod tests {
    use mail_parser::MessageParser;
    use proptest::prelude::*;

    use super::*;

    fn read_back(header: &str) -> String {
        let message = MessageParser::default().parse_headers(header.as_bytes()).unwrap();
        message.subject().unwrap_or_default().to_owned()
    }

    #[test]
    fn subjects() {
        for (text, written) in [
            ("a b", "Subject: a b\r\n"),
            ("Grüße", "Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\n"),
            ("=?utf-8?B?", "Subject: =?utf-8?B?PT91dGYtOD9CPw==?=\r\n"),
        ] {
            assert_eq!(unstructured("Subject", text), written);
        }
    }

    proptest! {
        #[test]
        fn any_subject_is_read_back_and_no_line_is_long(text in "[a-zé漢 ]{1,200}") {
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            prop_assume!(!text.is_empty());
            let written = unstructured("Subject", &text);
            prop_assert!(written.split("\r\n").all(|line| line.len() <= 998));
            prop_assert!(written.is_ascii() && written.ends_with("\r\n"));
            prop_assert_eq!(read_back(&format!("{written}\r\n")), text);
        }
    }
}
