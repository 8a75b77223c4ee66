//! An SPF record, parsed whole (RFC 7208 sections 4.6.1 and 12): a mistake anywhere makes all of it
//! a permerror, before anything is evaluated.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::macros::{MacroString, Place};
use crate::posture::bounded;

/// Terms that are read; DNS cannot carry many more.
const MOST_TERMS: usize = 2_000;

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its terms, in order.
    pub terms: Vec<Term>,
}

/// One term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// As it stands there, shortened where it is very long.
    pub text: String,
    /// What it means.
    pub meaning: Meaning,
}

/// What a term means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A mechanism, and what a match of it says (RFC 7208 section 4.6.2).
    Directive(Qualifier, Mechanism),
    /// `redirect=` (RFC 7208 section 6.1).
    Redirect(MacroString),
    /// `exp=` (RFC 7208 section 6.2).
    Explanation(MacroString),
    /// A modifier that nobody knows and everybody ignores (RFC 7208 section 6).
    Unknown,
}

/// What a match says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qualifier {
    /// `+`, or nothing.
    Pass,
    /// `-`
    Fail,
    /// `~`
    SoftFail,
    /// `?`
    Neutral,
}

/// The prefix lengths of `a` and `mx` (RFC 7208 section 5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefixes {
    /// Of IPv4 addresses, 0 to 32.
    pub four: u8,
    /// Of IPv6 addresses, 0 to 128.
    pub six: u8,
}

/// RFC 7208 section 5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// Section 5.1.
    All,
    /// Section 5.2.
    Include(MacroString),
    /// Section 5.3; the domain itself where there is no name.
    A(Option<MacroString>, Prefixes),
    /// Section 5.4.
    Mx(Option<MacroString>, Prefixes),
    /// Section 5.5: do not use.
    Ptr(Option<MacroString>),
    /// Section 5.6.
    Ip4(Ipv4Addr, u8),
    /// Section 5.6.
    Ip6(Ipv6Addr, u8),
    /// Section 5.7.
    Exists(MacroString),
}

impl Mechanism {
    /// Whether it asks DNS, so that it counts (RFC 7208 section 4.6.4).
    pub const fn looks_up(&self) -> bool {
        !matches!(self, Self::All | Self::Ip4(..) | Self::Ip6(..))
    }
}

/// A term that makes a record wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{term}\": {why}")]
pub struct SyntaxError {
    /// The term.
    pub term: String,
    /// What is wrong with it.
    pub why: String,
}

/// What follows the version; `None` when the text is not an SPF record (RFC 7208 section 4.5).
pub fn terms_of(text: &str) -> Option<&str> {
    let (version, rest) = text.split_at_checked("v=spf1".len())?;
    let ours = version.eq_ignore_ascii_case("v=spf1") && (rest.is_empty() || rest.starts_with(' '));
    ours.then_some(rest)
}

impl Record {
    /// Reads a record that begins with its version.
    ///
    /// # Errors
    /// The first term that is wrong.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let wrong = |term: &str, why: String| SyntaxError { term: shortened(term), why };
        let rest =
            terms_of(text).ok_or_else(|| wrong(text, "does not begin with v=spf1".to_owned()))?;
        let mut terms = Vec::new();
        for term in rest.split(' ').filter(|term| !term.is_empty()) {
            if terms.len() == MOST_TERMS {
                return Err(wrong(term, format!("there are more than {MOST_TERMS} terms")));
            }
            let meaning = meaning(term).map_err(|why| wrong(term, why))?;
            terms.push(Term { text: shortened(term), meaning });
        }
        let second =
            |is_it: fn(&Meaning) -> bool| terms.iter().filter(|term| is_it(&term.meaning)).nth(1);
        if let Some(second) = second(is_redirect).or_else(|| second(is_exp)) {
            return Err(wrong(&second.text, "may stand there once only".to_owned()));
        }
        Ok(Self { terms })
    }

    /// The directives, in order.
    pub fn directives(&self) -> impl Iterator<Item = (&Term, Qualifier, &Mechanism)> {
        self.terms.iter().filter_map(|term| match &term.meaning {
            Meaning::Directive(qualifier, mechanism) => Some((term, *qualifier, mechanism)),
            _ => None,
        })
    }

    /// The qualifier of `all`, where there is one.
    pub fn all(&self) -> Option<Qualifier> {
        self.directives().find(|(_, _, m)| **m == Mechanism::All).map(|(_, q, _)| q)
    }

    /// The `redirect` modifier. It counts only where there is no `all` (RFC 7208 section 6.1).
    pub fn redirect(&self) -> Option<(&Term, &MacroString)> {
        self.terms.iter().find_map(|term| match &term.meaning {
            Meaning::Redirect(domain) => Some((term, domain)),
            _ => None,
        })
    }

    /// The `exp` modifier.
    pub fn explanation(&self) -> Option<&MacroString> {
        self.terms.iter().find_map(|term| match &term.meaning {
            Meaning::Explanation(domain) => Some(domain),
            _ => None,
        })
    }
}

const fn is_redirect(meaning: &Meaning) -> bool {
    matches!(meaning, Meaning::Redirect(_))
}

const fn is_exp(meaning: &Meaning) -> bool {
    matches!(meaning, Meaning::Explanation(_))
}

fn meaning(term: &str) -> Result<Meaning, String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let end = term.find(|c| !is_word(c)).unwrap_or(term.len());
    let (name, rest) = term.split_at(end);
    if let Some(value) = rest.strip_prefix('=') {
        return modifier(name, value);
    }
    let (qualifier, term) = match term.chars().next() {
        Some('+') => (Qualifier::Pass, term.get(1..)),
        Some('-') => (Qualifier::Fail, term.get(1..)),
        Some('~') => (Qualifier::SoftFail, term.get(1..)),
        Some('?') => (Qualifier::Neutral, term.get(1..)),
        _ => (Qualifier::Pass, Some(term)),
    };
    mechanism(term.unwrap_or_default()).map(|mechanism| Meaning::Directive(qualifier, mechanism))
}

fn modifier(name: &str, value: &str) -> Result<Meaning, String> {
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err("a modifier's name begins with a letter".to_owned());
    }
    match name.to_ascii_lowercase().as_str() {
        "redirect" => MacroString::parse(value, Place::Domain).map(Meaning::Redirect),
        "exp" => MacroString::parse(value, Place::Domain).map(Meaning::Explanation),
        _ => MacroString::parse(value, Place::Text).map(|_| Meaning::Unknown),
    }
}

fn mechanism(term: &str) -> Result<Mechanism, String> {
    let end = term.find([':', '/']).unwrap_or(term.len());
    let (name, rest) = term.split_at(end);
    let value = rest.strip_prefix(':');
    let domain = |value: Option<&str>| {
        let value = value.ok_or("wants a name after a colon")?;
        MacroString::parse(value, Place::Domain)
    };
    match name.to_ascii_lowercase().as_str() {
        "all" if rest.is_empty() => Ok(Mechanism::All),
        "all" => Err("all takes nothing".to_owned()),
        "include" => domain(value).map(Mechanism::Include),
        "exists" => domain(value).map(Mechanism::Exists),
        "ptr" if rest.is_empty() => Ok(Mechanism::Ptr(None)),
        "ptr" => domain(value).map(|domain| Mechanism::Ptr(Some(domain))),
        "a" => with_prefixes(rest).map(|(domain, prefixes)| Mechanism::A(domain, prefixes)),
        "mx" => with_prefixes(rest).map(|(domain, prefixes)| Mechanism::Mx(domain, prefixes)),
        "ip4" => {
            let (address, prefix) = network(value, 32)?;
            let address = address.parse().ok().ok_or("is no IPv4 address")?;
            Ok(Mechanism::Ip4(address, prefix))
        }
        "ip6" => {
            let (address, prefix) = network(value, 128)?;
            let address = address.parse().ok().ok_or("is no IPv6 address")?;
            Ok(Mechanism::Ip6(address, prefix))
        }
        _ => Err("is no mechanism of SPF".to_owned()),
    }
}

fn network(value: Option<&str>, longest: u8) -> Result<(&str, u8), String> {
    let value = value.ok_or("wants an address after a colon")?;
    match value.split_once('/') {
        Some((address, prefix)) => Ok((address, prefix_of(prefix, longest)?)),
        None => Ok((value, longest)),
    }
}

/// `[ ":" domain-spec ] [ "/" ip4 ] [ "//" ip6 ]`, read from the end, because a name may have slashes.
fn with_prefixes(rest: &str) -> Result<(Option<MacroString>, Prefixes), String> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let mut prefixes = Prefixes { four: 32, six: 128 };
    let mut rest = rest;
    if let Some((before, six)) = rest.rsplit_once("//").filter(|(_, six)| is_number(six)) {
        prefixes.six = prefix_of(six, 128)?;
        rest = before;
    }
    if let Some((before, four)) = rest.rsplit_once('/').filter(|(_, four)| is_number(four)) {
        prefixes.four = prefix_of(four, 32)?;
        rest = before;
    }
    if rest.is_empty() {
        return Ok((None, prefixes));
    }
    let name = rest.strip_prefix(':').ok_or("what follows the slash is no prefix length")?;
    Ok((Some(MacroString::parse(name, Place::Domain)?), prefixes))
}

fn prefix_of(text: &str, longest: u8) -> Result<u8, String> {
    let sound = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let prefix = text.parse().ok().filter(|prefix: &u8| sound && *prefix <= longest);
    prefix.ok_or_else(|| format!("\"{}\" is no prefix length of 0 to {longest}", shortened(text)))
}

fn shortened(text: &str) -> String {
    bounded(text.to_owned(), 300)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_texts_are_spf() {
        for (text, expected) in [
            ("v=spf1", true),
            ("V=SPF1 -all", true),
            ("v=spf1  a", true),
            ("v=spf10 -all", false),
            ("v=spf1\t-all", false),
            (" v=spf1", false),
            ("v=spf2.0/pra", false),
            ("ö", false),
            ("v=spfö", false),
        ] {
            assert_eq!(terms_of(text).is_some(), expected, "{text}");
        }
    }

    #[test]
    fn good_terms() {
        for text in [
            "v=spf1 ",
            "v=spf1 -ALL",
            "v=spf1 a/24//64 mx//0 a:b.c/0 mx:x.%{d}/32",
            "v=spf1 ptr",
            "v=spf1 ip4:1.2.3.4/0 ip6:::1/128 ip6:2001:db8::1.2.3.4",
            "v=spf1 ptr:%{d} exists:%{l}.a.b",
            "v=spf1 redirect=a.b exp=c.d",
            "v=spf1 moo.cow-far_out=man:dog/cat x=",
            "v=spf1 a:x/y.z.org",
        ] {
            assert!(Record::parse(text).is_ok(), "{text}: {:?}", Record::parse(text));
        }
    }

    #[test]
    fn bad_terms() {
        for text in [
            "v=spf1 -all/8",
            "v=spf1 all:x.org",
            "v=spf1 a/33",
            "v=spf1 a//129",
            "v=spf1 a/032",
            "v=spf1 a/",
            "v=spf1 a/abc",
            "v=spf1 mx:",
            "v=spf1 include",
            "v=spf1 include:",
            "v=spf1 ip4:1.2.3",
            "v=spf1 ip4:1.2.3.4/",
            "v=spf1 ip4:01.2.3.4",
            "v=spf1 ip6:1.2.3.4",
            "v=spf1 exists",
            "v=spf1 exists:a.b/24",
            "v=spf1 ptr:",
            "v=spf1 moo",
            "v=spf1 +-all",
            "v=spf1 ip4=1.2.3.4 ip4",
            "v=spf1 redirect=",
            "v=spf1 redirect=a.b redirect=a.b",
            "v=spf1 exp=a.b exp=c.d",
            "v=spf1 a:museum",
            "v=spf1 x=%{z}",
            "v=spf1 =x",
            "v=spf1 1x=y",
            "v=spf1\ta",
            "v=spf1 -all\t",
            "v=spf1 a\u{fffd}",
        ] {
            assert!(Record::parse(text).is_err(), "{text}");
        }
        let error = Record::parse("v=spf1 mx ipv4:192.0.2.1 -all").unwrap_err();
        assert_eq!(error.to_string(), "\"ipv4:192.0.2.1\": is no mechanism of SPF");
    }
}
