//! Selectors: which agents are meant, by their names and labels. Pure.
//!
//! `site=durban, network!=lte`: every term must hold. A term is `key=value` (several: `key=a|b`), `key!=value`, `key`
//! (there is such a label) or `!key`; `*` in a value stands for any characters; `name` is the agent's own name; `*`
//! alone is every agent.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use mailsonde_proto::check::is_name;

/// Terms of one selector at most.
const MAX_TERMS: usize = 32;
/// Bytes of a selector at most.
const MAX_BYTES: usize = 1_024;
/// The key that stands for the agent's name, whatever its labels are.
const NAME: &str = "name";

/// Which agents are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    text: String,
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    key: String,
    asks: Asks,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Asks {
    OneOf(Vec<String>),
    NoneOf(Vec<String>),
    Present,
    Absent,
}

/// Why a text is no selector.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotASelector {
    /// Nothing is selected by nothing: a slip of the pen must not mean every agent.
    #[error("is empty: write \"*\" for every agent, or such as \"site=durban, network!=lte\"")]
    Empty,
    /// One term has another form.
    #[error(
        "\"{0}\" is no term of a selector: write key=value, key=a|b, key!=value, key or !key, with commas \
         between them"
    )]
    Term(String),
    /// Too long.
    #[error("has more than {MAX_TERMS} terms or {MAX_BYTES} bytes")]
    Long,
}

impl FromStr for Selector {
    type Err = NotASelector;

    fn from_str(text: &str) -> Result<Self, NotASelector> {
        if text.len() > MAX_BYTES {
            return Err(NotASelector::Long);
        }
        let terms = match text.trim() {
            "" => return Err(NotASelector::Empty),
            "*" => Vec::new(),
            some => some.split(',').map(term).collect::<Result<_, _>>()?,
        };
        if terms.len() > MAX_TERMS {
            return Err(NotASelector::Long);
        }
        Ok(Self { text: text.trim().to_owned(), terms })
    }
}

fn term(text: &str) -> Result<Term, NotASelector> {
    let text = text.trim();
    let wrong = || NotASelector::Term(text.to_owned());
    let (key, asks) = if let Some((key, values)) = text.split_once("!=") {
        (key, Asks::NoneOf(values_of(values).ok_or_else(wrong)?))
    } else if let Some((key, values)) = text.split_once('=') {
        (key, Asks::OneOf(values_of(values).ok_or_else(wrong)?))
    } else if let Some(key) = text.strip_prefix('!') {
        (key, Asks::Absent)
    } else {
        (text, Asks::Present)
    };
    let key = key.trim();
    if is_name(key) { Ok(Term { key: key.to_owned(), asks }) } else { Err(wrong()) }
}

fn values_of(text: &str) -> Option<Vec<String>> {
    let values: Vec<_> = text.split('|').map(|value| value.trim().to_owned()).collect();
    let is_sound = |value: &String| !value.is_empty() && !value.contains(['=', '!']);
    values.iter().all(is_sound).then_some(values)
}

impl Selector {
    /// Whether it means the agent of this name with these labels.
    pub fn selects(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        self.terms.iter().all(|Term { key, asks }| {
            let value = if key == NAME { Some(name) } else { labels.get(key).map(String::as_str) };
            let is_among = |patterns: &[String]| {
                value.is_some_and(|value| patterns.iter().any(|pattern| is_match(pattern, value)))
            };
            match asks {
                Asks::OneOf(patterns) => is_among(patterns),
                Asks::NoneOf(patterns) => !is_among(patterns),
                Asks::Present => value.is_some(),
                Asks::Absent => value.is_none(),
            }
        })
    }
}

impl Selector {
    /// Whether it is sure to mean every agent that `other` means, whichever there may be: each of its terms is asked
    /// for by one of the other's. False does not say that there is an agent that only the other means.
    pub fn includes(&self, other: &Self) -> bool {
        self.terms.iter().all(|ours| {
            other
                .terms
                .iter()
                .any(|theirs| ours.key == theirs.key && ours.asks.follows(&theirs.asks))
        })
    }
}

impl Asks {
    /// Whether what `given` asks for is enough for this.
    fn follows(&self, given: &Self) -> bool {
        // A pattern that matches another, stars and all, matches whatever that one does.
        let are_among = |ours: &[String], theirs: &[String]| {
            theirs.iter().all(|theirs| ours.iter().any(|ours| is_match(ours, theirs)))
        };
        match (self, given) {
            (Self::OneOf(ours), Self::OneOf(theirs)) => are_among(ours, theirs),
            // whoever has none of more has none of fewer
            (Self::NoneOf(ours), Self::NoneOf(theirs)) => are_among(theirs, ours),
            (Self::Present, Self::OneOf(_) | Self::Present) => true,
            (Self::Absent | Self::NoneOf(_), Self::Absent) => true,
            _ => false,
        }
    }
}

/// Whether a value fits a pattern whose `*` stand for any characters. Its time is the product of the lengths at most.
pub fn is_match(pattern: &str, value: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == value };
    let Some(mut left) = value.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = left.find(part) else { return false };
        left = left.get(at + part.len()..).unwrap_or_default();
    }
    left.ends_with(last)
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_selected() {
        let labels: BTreeMap<String, String> =
            [("site".into(), "durban".into()), ("network".into(), "fibre 1".into())].into();
        for (text, expected) in [
            ("*", true),
            ("site=durban", true),
            ("site = durban ", true),
            ("site=Durban", false),
            ("site=cape|durban", true),
            ("site!=cape|durban", false),
            ("site!=cape", true),
            ("region!=north", true),
            ("region=north", false),
            ("site, network", true),
            ("site, region", false),
            ("!region", true),
            ("!site", false),
            ("network=fibre*", true),
            ("network=*1", true),
            ("network=f*e*1", true),
            ("network=f*e*2", false),
            ("name=branch-1", true),
            ("name=branch-*, site=durban", true),
            ("name!=branch-1", false),
            ("!name", false),
            ("site=dur*ban", true),
            ("site=durban*n", false),
        ] {
            let selector: Selector = text.parse().unwrap();
            assert_eq!(selector.selects("branch-1", &labels), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_selector() {
        for text in ["", " ", "a=", "=a", "a b=c", "a=b,", "a==b", "a=b|", "!", "a!=", "a=!b"] {
            let error = text.parse::<Selector>().unwrap_err();
            assert!(matches!(error, NotASelector::Empty | NotASelector::Term(_)), "{text}");
        }
        assert_eq!("x,".repeat(600).parse::<Selector>(), Err(NotASelector::Long));
        assert_eq!(
            "x,".repeat(40).trim_end_matches(',').parse::<Selector>(),
            Err(NotASelector::Long)
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn patterns_are_globs(pattern in "[ab*]{0,8}", value in "[ab]{0,8}") {
            fn glob(pattern: &[u8], value: &[u8]) -> bool {
                match pattern.split_first() {
                    None => value.is_empty(),
                    Some((b'*', rest)) => (0..=value.len()).any(|at| glob(rest, &value[at..])),
                    Some((first, rest)) => {
                        value.split_first().is_some_and(|(v, left)| v == first && glob(rest, left))
                    }
                }
            }
            prop_assert_eq!(is_match(&pattern, &value), glob(pattern.as_bytes(), value.as_bytes()));
        }
    }
}
