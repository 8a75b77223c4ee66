//! The words of a structured header (RFC 5322 section 3.2): words, quoted strings, comments, semicolons.
//!
//! Forgiving where mail is: a comment or a quotation that is never closed is plain text. The time is
//! linear in the text, and nothing recurses.

use std::str::Chars;

/// The most items of one header.
const MOST_ITEMS: usize = 1_000;

/// One item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// Text without white space; what stands in `<>` or `[]` is one word.
    Word(String),
    /// What stood in quotation marks, without them.
    Quoted(String),
    /// What stood in parentheses, without the outermost.
    Comment(String),
    /// `;`.
    Semicolon,
}

/// The items of a header's value.
pub(super) fn items(text: &str) -> Vec<Item> {
    let mut lexer = Lexer { rest: text.chars(), open: Open::default() };
    let mut items = Vec::new();
    while items.len() < MOST_ITEMS {
        let Some(item) = lexer.next() else { break };
        items.push(item);
    }
    items
}

/// Which kinds of brackets may still be closed somewhere. Once one was not, none that follows will be.
struct Open {
    comments: bool,
    quotations: bool,
    angles: bool,
    literals: bool,
}

impl Default for Open {
    fn default() -> Self {
        Self { comments: true, quotations: true, angles: true, literals: true }
    }
}

struct Lexer<'a> {
    rest: Chars<'a>,
    open: Open,
}

impl Lexer<'_> {
    fn next(&mut self) -> Option<Item> {
        let mut word = String::new();
        loop {
            let before = self.rest.clone();
            let Some(char) = self.rest.next() else { break };
            match char {
                '(' if self.open.comments => {
                    if !word.is_empty() {
                        self.rest = before;
                        break;
                    }
                    match self.comment() {
                        Some(comment) => return Some(Item::Comment(comment)),
                        None => word.push(char),
                    }
                }
                '"' if word.is_empty() && self.open.quotations => match self.until('"') {
                    Some(quoted) => return Some(Item::Quoted(quoted)),
                    None => {
                        self.open.quotations = false;
                        word.push(char);
                    }
                },
                ';' if word.is_empty() => return Some(Item::Semicolon),
                ';' => {
                    self.rest = before;
                    break;
                }
                '"' if self.open.quotations => {
                    self.rest = before;
                    break;
                }
                _ if char.is_whitespace() => {
                    if !word.is_empty() {
                        break;
                    }
                }
                '<' => self.bracketed('<', '>', &mut word),
                '[' => self.bracketed('[', ']', &mut word),
                _ => word.push(char),
            }
        }
        (!word.is_empty()).then_some(Item::Word(word))
    }

    /// Up to the parenthesis that closes the one just passed.
    fn comment(&mut self) -> Option<String> {
        let before = self.rest.clone();
        let mut text = String::new();
        let mut depth = 1_usize;
        while let Some(char) = self.rest.next() {
            match char {
                '\\' => text.extend(self.rest.next()),
                ')' if depth == 1 => return Some(text.trim().to_owned()),
                _ => {
                    match char {
                        '(' => depth += 1,
                        ')' => depth -= 1,
                        _ => {}
                    }
                    text.push(char);
                }
            }
        }
        self.rest = before;
        self.open.comments = false;
        None
    }

    /// Up to this character, which is passed over.
    fn until(&mut self, end: char) -> Option<String> {
        let before = self.rest.clone();
        let mut text = String::new();
        while let Some(char) = self.rest.next() {
            match char {
                '\\' => text.extend(self.rest.next()),
                _ if char == end => return Some(text),
                _ => text.push(char),
            }
        }
        self.rest = before;
        None
    }

    fn bracketed(&mut self, start: char, end: char, word: &mut String) {
        word.push(start);
        let open = if start == '<' { &mut self.open.angles } else { &mut self.open.literals };
        if !*open {
            return;
        }
        *open = false;
        if let Some(inside) = self.until(end) {
            match start {
                '<' => self.open.angles = true,
                _ => self.open.literals = true,
            }
            word.push_str(&inside);
            word.push(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_of_every_kind() {
        let word = |text: &str| Item::Word(text.to_owned());
        let comment = |text: &str| Item::Comment(text.to_owned());
        for (text, expected) in [
            ("", vec![]),
            ("a  b", vec![word("a"), word("b")]),
            ("a(b (c) \\) d)e", vec![word("a"), comment("b (c) ) d"), word("e")]),
            ("a (b; c", vec![word("a"), word("(b"), Item::Semicolon, word("c")]),
            ("x=\"a;b\";", vec![word("x="), Item::Quoted("a;b".to_owned()), Item::Semicolon]),
            ("\"never closed", vec![word("\"never"), word("closed")]),
            ("<a b@c> [IPv6:: 1]", vec![word("<a b@c>"), word("[IPv6:: 1]")]),
            ("<a [b", vec![word("<a"), word("[b")]),
        ] {
            assert_eq!(items(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_never_closed_costs_no_more() {
        for text in ["(", "\"", "<", "[", "((\\", ";("] {
            let long = text.repeat(16 * 1024);
            assert!(items(&long).len() <= MOST_ITEMS);
        }
    }
}
