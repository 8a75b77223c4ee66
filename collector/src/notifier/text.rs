//! Text for people in a service's markup and limits.
//!
//! Invariants: what servers and agents said stays literal; nothing is cut within a character, nor within what people
//! see as one (a letter with its accents, an emoji with its parts); what is cut ends with `…`. Absent on purpose: all
//! rules of Unicode for such clusters; the usual ones stand here.

use jiff::tz::TimeZone;

use crate::judge::incident::Severity;
use crate::judge::message::{Field, Link, Message, Occasion};

/// Whether the first message of a conversation is to say this from now on.
pub(super) const fn changes_first(occasion: Occasion) -> bool {
    matches!(occasion, Occasion::Over | Occasion::Opened)
}

/// Whether somebody is to wake up for it.
pub(super) const fn is_major(message: &Message) -> bool {
    matches!(message.severity, Severity::Major | Severity::Critical)
}

/// Bytes of a URL at most: longer ones are left out.
const MAX_URL_BYTES: usize = 600;

/// How a service counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Unicode's characters.
    Character,
    /// Bytes of UTF-8.
    Byte,
    /// UTF-16's units, as in JavaScript.
    Utf16,
}

/// Writes one character so that the service shows it and nothing else comes of it.
pub(super) type Escape = fn(char, &mut String);

/// A service's markup and how it counts.
#[derive(Clone, Copy)]
pub(super) struct Style {
    pub(super) escape: Escape,
    pub(super) unit: Unit,
}

/// No markup, counted in characters.
pub(super) const PLAIN: Style = Style { escape: literally, unit: Unit::Character };
/// No markup, counted in UTF-16's units.
pub(super) const PLAIN_UTF16: Style = Style { escape: literally, unit: Unit::Utf16 };
/// No markup, counted in bytes.
pub(super) const PLAIN_BYTES: Style = Style { escape: literally, unit: Unit::Byte };

impl Style {
    /// Several lines in this markup, of so many units at most, the markup counted.
    pub(super) fn text(self, text: &str, most: usize) -> String {
        self.fitted(&clean(text), most)
    }

    /// One line in this markup, of so many units at most, the markup counted.
    pub(super) fn line(self, text: &str, most: usize) -> String {
        self.fitted(&one_line(text), most)
    }

    fn fitted(self, text: &str, most: usize) -> String {
        let mut written = String::new();
        // where the last cluster ended that leaves room for the ellipsis
        let mut safe = 0;
        let mut taken = 0;
        let room = most.saturating_sub(self.measure('…'));
        for cluster in clusters(text) {
            let before = written.len();
            cluster.chars().for_each(|c| (self.escape)(c, &mut written));
            let units = written.get(before..).unwrap_or_default().chars().map(|c| self.measure(c));
            taken += units.sum::<usize>();
            if taken > most {
                written.truncate(safe);
                written.truncate(written.trim_end().len());
                written.push('…');
                return written;
            }
            if taken <= room {
                safe = written.len();
            }
        }
        written
    }

    const fn measure(self, letter: char) -> usize {
        match self.unit {
            Unit::Character => 1,
            Unit::Byte => letter.len_utf8(),
            Unit::Utf16 => letter.len_utf16(),
        }
    }
}

/// What people see as one, one after the other.
fn clusters(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut letters = rest.char_indices();
        let (_, mut last) = letters.next()?;
        let mut flags = usize::from(is_flag_letter(last));
        let end = letters.find_map(|(at, next)| {
            let joins = is_joined(last, next) || (flags % 2 == 1 && is_flag_letter(next));
            flags = if is_flag_letter(next) { flags + 1 } else { 0 };
            last = next;
            (!joins).then_some(at)
        });
        let (cluster, after) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
        rest = after;
        Some(cluster)
    })
}

const ZERO_WIDTH_JOINER: char = '\u{200d}';

/// Accents, variation selectors, skin tones, tags, and what a joiner joins.
const fn is_joined(last: char, next: char) -> bool {
    last == ZERO_WIDTH_JOINER
        || matches!(next,
            ZERO_WIDTH_JOINER
            | '\u{0300}'..='\u{036f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
            | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}'
            | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}')
}

/// Two of these are a flag.
const fn is_flag_letter(letter: char) -> bool {
    matches!(letter, '\u{1f1e6}'..='\u{1f1ff}')
}

/// Lines without control characters, and without what turns the direction of text around.
pub(super) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' => cleaned.push('\n'),
            '\t' => cleaned.push(' '),
            '\u{2028}' | '\u{2029}' => cleaned.push('\n'),
            letter if letter.is_control() || is_turning(letter) => {}
            letter => cleaned.push(letter),
        }
    }
    cleaned.trim().to_owned()
}

/// Bidirectional overrides, embeddings and isolates, by which text reads as another; and the mark of a file's begin.
const fn is_turning(letter: char) -> bool {
    matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The same on one line.
pub(super) fn one_line(text: &str) -> String {
    clean(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn literally(letter: char, to: &mut String) {
    to.push(letter);
}

/// For HTML and XML, and for Slack, which has its three entities.
pub(super) fn entities(letter: char, to: &mut String) {
    match letter {
        '&' => to.push_str("&amp;"),
        '<' => to.push_str("&lt;"),
        '>' => to.push_str("&gt;"),
        letter => to.push(letter),
    }
}

/// A backslash before what Markdown would make something of; an at sign calls nobody.
pub(super) fn markdown(letter: char, to: &mut String) {
    match letter {
        '\\' | '`' | '*' | '_' | '~' | '|' | '[' | ']' | '<' | '>' | '#' => {
            to.push('\\');
            to.push(letter);
        }
        '@' => to.push_str("@\u{200b}"),
        letter => to.push(letter),
    }
}

/// An angle bracket begins nothing, and an at sign calls nobody; nothing else means anything.
pub(super) fn without_mentions(letter: char, to: &mut String) {
    to.push(letter);
    if matches!(letter, '@' | '<') {
        to.push('\u{200b}');
    }
}

/// What the message is about in one line: how bad, why it is sent, in which conversation, when, and its id.
pub(super) fn byline(message: &Message) -> String {
    let Message { severity, occasion, conversation, id, .. } = message;
    let (severity, occasion) = (severity.as_str(), occasion.as_str());
    format!("{severity} · {occasion} · {conversation} · {} · {id}", at(message))
}

/// When it happened.
pub(super) fn at(message: &Message) -> String {
    message.at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Its fields, so many at most; the last says how many more there are.
pub(super) fn fields(message: &Message, most: usize) -> Vec<Field> {
    let fields: Vec<_> = message
        .fields
        .iter()
        .map(|field| Field { name: one_line(&field.name), value: clean(&field.value) })
        .filter(|field| !field.name.is_empty() && !field.value.is_empty())
        .collect();
    if fields.len() <= most {
        return fields;
    }
    let more = fields.len() - most + 1;
    let value = format!("{more} more are told by `mailsonde-collector incidents show`");
    let rest = Field { name: "…".to_owned(), value };
    fields.into_iter().take(most.saturating_sub(1)).chain([rest]).collect()
}

/// Its links, so many at most: such as lead to the web, as their URLs read once they are parsed.
pub(super) fn links(message: &Message, most: usize) -> Vec<Link> {
    let links = message.links.iter().filter_map(|link| {
        let url = url::Url::parse(&link.url).ok()?;
        let is_web = matches!(url.scheme(), "https" | "http") && url.has_host();
        let fits = is_web && url.as_str().len() <= MAX_URL_BYTES;
        // parsing leaves these as they are in some places, and they end a link in some markups
        let escaped = url.as_str().replace('(', "%28").replace(')', "%29").replace('|', "%7C");
        fits.then(|| Link { label: one_line(&link.label), url: escaped })
    });
    links.take(most).collect()
}

/// A colour as `#rrggbb`: green once it is over, otherwise by how bad it is.
pub(super) const fn colour(message: &Message) -> &'static str {
    match (message.occasion, message.severity) {
        (Occasion::Over, _) => "#2e7d32",
        (Occasion::Digest | Occasion::Test | Occasion::Canary, _) => "#607d8b",
        (_, Severity::Critical) => "#c62828",
        (_, Severity::Major) => "#ef6c00",
        (_, Severity::Minor) => "#f9a825",
        (_, Severity::Notice) => "#1565c0",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_cut_within_what_people_see_as_one() {
        let family = "👨\u{200d}👩\u{200d}👧";
        for (text, most, style, expected) in [
            ("abc", 3, PLAIN, "abc"),
            ("abcd", 3, PLAIN, "ab…"),
            ("abcd", 0, PLAIN, "…"),
            ("ab  cd", 5, PLAIN, "ab…"),
            ("ééé", 5, PLAIN_BYTES, "é…"),
            ("ééé", 6, PLAIN_BYTES, "ééé"),
            ("😀😀😀", 5, PLAIN_UTF16, "😀😀…"),
            (&format!("a{family}b"), 6, PLAIN, "a…"),
            (&format!("a{family}bc"), 7, PLAIN, &format!("a{family}…")),
            ("e\u{301}e\u{301}e\u{301}", 4, PLAIN, "e\u{301}…"),
            ("🇿🇦🇬🇧", 3, PLAIN, "🇿🇦…"),
            ("👍🏽👍🏽", 3, PLAIN, "👍🏽…"),
        ] {
            assert_eq!(style.text(text, most), expected, "{text} {most}");
        }
    }

    #[test]
    fn no_escape_is_cut_in_two() {
        let html = Style { escape: entities, unit: Unit::Character };
        assert_eq!(html.line("<<<<", 9), "&lt;&lt;…");
        let markdown = Style { escape: markdown, unit: Unit::Character };
        assert_eq!(markdown.line("***", 5), "\\*\\*…");
        assert_eq!(markdown.line("@here [a](b)", 99), "@\u{200b}here \\[a\\](b)");
    }

    #[test]
    fn what_is_not_to_be_seen_is_not_there() {
        assert_eq!(clean("\u{1b}[31mred\u{7}\r\nb\tc\u{202e}d\u{0}"), "[31mred\nb cd");
        assert_eq!(one_line(" a\n\n b\u{2028}c "), "a b c");
    }
}
