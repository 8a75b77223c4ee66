//! Macros (RFC 7208 section 7): parsed once, expanded for one sender.
//!
//! An expansion is bounded: whatever a record says, at most [`MOST_EXPANDED`] bytes come of it.

use std::fmt::Write;
use std::net::IpAddr;

/// Bytes of one expansion. A name keeps 253 of them; an explanation needs no more.
pub const MOST_EXPANDED: usize = 8 * 1024;
/// The longest name (RFC 7208 section 7.3).
const MOST_NAME_BYTES: usize = 253;

/// A text with macros in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MacroString {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Macro { letter: char, keep: Option<usize>, reverse: bool, delimiters: String, escape: bool },
}

/// Where a text stands decides which macros it may have (RFC 7208 section 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A `domain-spec`: must end like a name; `c`, `r` and `t` are not for it.
    Domain,
    /// An explanation, or the value of a modifier that nobody knows.
    Text,
}

/// Whom and what macros stand for (RFC 7208 section 7.2).
#[derive(Clone, Debug)]
pub struct Values<'a> {
    /// `s`, whole.
    pub sender: &'a str,
    /// `l`.
    pub local_part: &'a str,
    /// `o`.
    pub sender_domain: &'a str,
    /// `d`: the domain whose record is evaluated.
    pub domain: &'a str,
    /// `i`, `v`, and `c`.
    pub ip: IpAddr,
    /// `p`: the validated name of the address.
    pub validated: &'a str,
    /// `h`.
    pub helo: &'a str,
    /// `t`.
    pub now_s: u64,
}

impl MacroString {
    /// Reads a text.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(text: &str, place: Place) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let (mut rest, mut tail) = (text, text);
        while let Some(c) = rest.chars().next() {
            let after = rest.get(c.len_utf8()..).unwrap_or_default();
            if c != '%' {
                let is_sound = c.is_ascii_graphic() || (place == Place::Text && c == ' ');
                if !is_sound {
                    return Err(format!("the character {c:?} may not stand in it"));
                }
                literal.push(c);
                rest = after;
                continue;
            }
            match after.chars().next() {
                Some('%') => literal.push('%'),
                Some('_') => literal.push(' '),
                Some('-') => literal.push_str("%20"),
                Some('{') => {
                    let (inner, left) =
                        after.split_once('}').ok_or("a macro %{… has no closing brace")?;
                    let inner = inner.strip_prefix('{').unwrap_or_default();
                    if !literal.is_empty() {
                        parts.push(Part::Literal(std::mem::take(&mut literal)));
                    }
                    parts.push(one(inner, place)?);
                    (rest, tail) = (left, left);
                    continue;
                }
                _ => return Err("% must be followed by {, %, _ or -".to_owned()),
            }
            rest = after.get(1..).unwrap_or_default();
            tail = rest;
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        let parsed = Self { text: text.to_owned(), parts };
        let ends_well = if tail.is_empty() { !text.is_empty() } else { ends_like_a_name(tail) };
        if place == Place::Domain && !ends_well {
            return Err(format!("\"{}\" does not end like a domain name", shortened(text)));
        }
        Ok(parsed)
    }

    /// As it stands in the record.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it means the same for every sender.
    pub fn is_constant(&self) -> bool {
        self.parts
            .iter()
            .all(|part| matches!(part, Part::Literal(_) | Part::Macro { letter: 'd', .. }))
    }

    /// Whether it needs the validated name of the address.
    pub fn needs_validated(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Macro { letter: 'p', .. }))
    }

    /// What it comes to; `None` when that is longer than [`MOST_EXPANDED`].
    pub fn expand(&self, values: &Values<'_>) -> Option<String> {
        let mut expanded = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => expanded.push_str(text),
                Part::Macro { letter, keep, reverse, delimiters, escape } => {
                    let value = value_of(*letter, values);
                    let value = transformed(&value, *keep, *reverse, delimiters);
                    if *escape {
                        escape_into(&mut expanded, &value);
                    } else {
                        expanded.push_str(&value);
                    }
                }
            }
            if expanded.len() > MOST_EXPANDED {
                return None;
            }
        }
        Some(expanded)
    }

    /// What it comes to as a name: labels are dropped from the left until 253 bytes are left
    /// (RFC 7208 section 7.3).
    pub fn expand_name(&self, values: &Values<'_>) -> Option<String> {
        let expanded = self.expand(values)?;
        let mut name = expanded.strip_suffix('.').unwrap_or(&expanded);
        while name.len() > MOST_NAME_BYTES {
            name = name.split_once('.')?.1;
        }
        Some(name.to_owned())
    }
}

/// The inside of `%{…}`: a letter, how many parts to keep, `r`, and delimiters.
fn one(inner: &str, place: Place) -> Result<Part, String> {
    let unknown = || format!("%{{{}}} is no macro", shortened(inner));
    let letter = inner.chars().next().ok_or_else(unknown)?;
    let lower = letter.to_ascii_lowercase();
    let allowed = if place == Place::Text { "slodiphcrtv" } else { "slodiphv" };
    if !allowed.contains(lower) {
        return Err(unknown());
    }
    let rest = inner.get(1..).unwrap_or_default();
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (digits, rest) = rest.split_at(digits);
    let keep = match digits {
        "" => None,
        // More parts than any name has are all of them.
        _ => Some(digits.parse::<usize>().unwrap_or(usize::MAX)),
    };
    if keep == Some(0) {
        return Err(format!("%{{{}}} keeps no part: the number must not be 0", shortened(inner)));
    }
    let (reverse, delimiters) = match rest.strip_prefix(['r', 'R']) {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    if !delimiters.chars().all(|c| ".-+,/_=".contains(c)) {
        return Err(unknown());
    }
    let delimiters = if delimiters.is_empty() { "." } else { delimiters };
    Ok(Part::Macro {
        letter: lower,
        keep,
        reverse,
        delimiters: delimiters.to_owned(),
        escape: letter.is_ascii_uppercase(),
    })
}

/// `domain-end = ( "." toplabel [ "." ] )` (RFC 7208 section 7.1), of what stands behind the last macro.
fn ends_like_a_name(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let Some((_, label)) = text.rsplit_once('.') else { return false };
    let sound = label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    sound
        && !label.is_empty()
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().any(|c| !c.is_ascii_digit())
}

fn value_of(letter: char, values: &Values<'_>) -> String {
    match letter {
        's' => values.sender.to_owned(),
        'l' => values.local_part.to_owned(),
        'o' => values.sender_domain.to_owned(),
        'd' => values.domain.to_owned(),
        'i' => dotted(values.ip),
        'p' => values.validated.to_owned(),
        'v' => if values.ip.is_ipv4() { "in-addr" } else { "ip6" }.to_owned(),
        'h' => values.helo.to_owned(),
        'c' => values.ip.to_string(),
        't' => values.now_s.to_string(),
        // The receiver's own name is nobody else's business.
        _ => "unknown".to_owned(),
    }
}

/// `i`: an IPv6 address as its 32 nibbles with dots between (RFC 7208 section 7.3).
fn dotted(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let hex = hex::encode(ip.octets());
            let nibbles: Vec<String> = hex.chars().map(String::from).collect();
            nibbles.join(".")
        }
    }
}

fn transformed(value: &str, keep: Option<usize>, reverse: bool, delimiters: &str) -> String {
    if keep.is_none() && !reverse && delimiters == "." {
        return value.to_owned();
    }
    let mut parts: Vec<&str> = value.split(|c| delimiters.contains(c)).collect();
    if reverse {
        parts.reverse();
    }
    let skip = parts.len().saturating_sub(keep.unwrap_or(usize::MAX));
    parts.split_off(skip).join(".")
}

/// Everything but RFC 3986's unreserved characters as `%xx` (RFC 7208 section 7.3).
fn escape_into(text: &mut String, value: &str) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else if write!(text, "%{byte:02X}").is_err() {
            return;
        }
    }
}

fn shortened(text: &str) -> String {
    crate::posture::bounded(text.to_owned(), 100)
}

#[cfg(test)]
mod tests;
