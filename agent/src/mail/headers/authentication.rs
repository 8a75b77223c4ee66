//! `Authentication-Results` (RFC 8601 section 2.2) and `ARC-Authentication-Results` (RFC 8617 section
//! 4.1.1): what a server on the way says it verified.
//!
//! Anybody can write such a header. Only those count whose authserv-id the operator named (RFC 8601
//! section 7.1), and even then only as far as that server removes forged ones at its border (section 5).

use super::block::Block;
use super::lexical::{Item, items};

/// The most headers of each kind, methods of one, and properties of a method that are kept.
const MOST_HEADERS: usize = 20;
const MOST_METHODS: usize = 32;
const MOST_PROPERTIES: usize = 16;
/// The longest value that is kept, in characters.
const LONGEST: usize = 255;

/// One such header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Results {
    /// The instance of an ARC set; `None` for an `Authentication-Results` header.
    pub arc_instance: Option<u8>,
    /// Who says so.
    pub authserv_id: String,
    /// What of each method; empty for `none`.
    pub methods: Vec<Method>,
}

/// What one method came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Method {
    /// Such as `dkim`, in lower case.
    pub method: String,
    /// Such as `pass`, in lower case.
    pub result: String,
    /// Why, in the server's words.
    pub reason: Option<String>,
    /// What it was found for, such as (`header.d`, `good.test`).
    pub properties: Vec<(String, String)>,
    /// What the server added in comments.
    pub comment: Option<String>,
}

/// Whose headers count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust(Vec<String>);

impl Trust {
    /// Those of these authserv-ids.
    pub fn new(ids: impl IntoIterator<Item = String>) -> Self {
        Self(ids.into_iter().collect())
    }

    /// Whether this one counts; case makes no difference (RFC 8601 section 2.5).
    pub fn includes(&self, authserv_id: &str) -> bool {
        !authserv_id.is_empty() && self.0.iter().any(|id| id.eq_ignore_ascii_case(authserv_id))
    }
}

impl Results {
    pub(super) fn all(block: &Block<'_>) -> Vec<Self> {
        let plain = block.all("Authentication-Results").filter_map(|text| Self::of(&text));
        let arc = block.all("ARC-Authentication-Results").filter_map(|text| Self::of_arc(&text));
        plain.take(MOST_HEADERS).chain(arc.take(MOST_HEADERS)).collect()
    }

    /// Reads an `Authentication-Results` header's value.
    pub fn of(value: &str) -> Option<Self> {
        let items = items(value);
        let mut parts = items.split(|item| *item == Item::Semicolon);
        // authserv-id, then perhaps a version. Exchange writes no authserv-id, only results.
        let authserv_id = parts.next()?.iter().find_map(|item| match item {
            Item::Word(text) | Item::Quoted(text) => Some(shortened(text)),
            _ => None,
        })?;
        let nameless = authserv_id.contains('=');
        let results = if nameless { items.as_slice() } else { after_semicolon(&items) };
        let methods = results
            .split(|item| *item == Item::Semicolon)
            .filter_map(Method::of)
            .take(MOST_METHODS)
            .collect();
        let authserv_id = if nameless { String::new() } else { authserv_id };
        Some(Self { arc_instance: None, authserv_id, methods })
    }

    /// Reads an `ARC-Authentication-Results` header's value: `i=1; ` before the rest.
    pub fn of_arc(value: &str) -> Option<Self> {
        let (instance, rest) = value.split_once(';')?;
        let (key, number) = instance.split_once('=')?;
        let number = number.trim().parse().ok().filter(|_| key.trim().eq_ignore_ascii_case("i"))?;
        Some(Self { arc_instance: Some(number), ..Self::of(rest)? })
    }

    /// The first result of this method.
    pub fn method(&self, method: &str) -> Option<&Method> {
        self.methods.iter().find(|found| found.method == method)
    }
}

fn after_semicolon(items: &[Item]) -> &[Item] {
    let at = items.iter().position(|item| *item == Item::Semicolon);
    at.and_then(|at| items.get(at + 1..)).unwrap_or_default()
}

impl Method {
    /// The value of a property, such as `header.d`.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// `dkim=pass reason="…" header.d=good.test`; `None` for `none` and for what has no result.
    fn of(items: &[Item]) -> Option<Self> {
        let mut pairs = Pairs { items: items.iter(), comments: Vec::new() };
        let (method, result) = pairs.next()?;
        let mut found = Self {
            // dkim/1: the method's version.
            method: method.split('/').next().unwrap_or_default().to_ascii_lowercase(),
            result: result.to_ascii_lowercase(),
            ..Self::default()
        };
        while let Some((key, value)) = pairs.next() {
            if key == "reason" {
                found.reason = Some(value);
            } else if found.properties.len() < MOST_PROPERTIES {
                found.properties.push((key, value));
            }
        }
        let comment = shortened(&pairs.comments.join("; "));
        found.comment = (!comment.is_empty()).then_some(comment);
        Some(found)
    }
}

struct Pairs<'a> {
    items: std::slice::Iter<'a, Item>,
    comments: Vec<&'a str>,
}

impl Pairs<'_> {
    /// The next `key=value`; white space and comments may stand around the sign.
    fn next(&mut self) -> Option<(String, String)> {
        let mut before: Option<String> = None;
        loop {
            let word = match self.items.next()? {
                Item::Comment(comment) => {
                    self.comments.push(comment);
                    continue;
                }
                Item::Word(word) => word,
                Item::Quoted(_) | Item::Semicolon => continue,
            };
            let Some((key, value)) = word.split_once('=') else {
                let word = shortened(&word.to_ascii_lowercase());
                before = Some(match before {
                    // dkim / 1, policy . expired
                    Some(text) if text.ends_with(['/', '.']) || word.starts_with(['/', '.']) => {
                        shortened(&format!("{text}{word}"))
                    }
                    _ => word,
                });
                continue;
            };
            let key = if key.is_empty() {
                before.take().unwrap_or_default()
            } else {
                shortened(&key.to_ascii_lowercase())
            };
            let value = if value.is_empty() { self.value() } else { shortened(value) };
            if !key.is_empty() {
                return Some((key, value));
            }
        }
    }

    /// The value that follows the sign: the next word or quotation.
    fn value(&mut self) -> String {
        loop {
            let before = self.items.clone();
            match self.items.next() {
                Some(Item::Comment(comment)) => self.comments.push(comment),
                Some(Item::Quoted(text)) => return shortened(text),
                Some(Item::Word(word)) if !word.contains('=') => return shortened(word),
                _ => {
                    self.items = before;
                    return String::new();
                }
            }
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests;
