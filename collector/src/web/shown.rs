//! What templates show of figures: states with a mark and a word, moments, links.

use std::fmt::Display;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::figures;
use crate::judge::definition::Voiced;
use crate::query::State;

/// A state: never by colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    /// Of the style sheet.
    pub(super) class: &'static str,
    /// One character.
    pub(super) mark: &'static str,
    /// For people.
    pub(super) word: &'static str,
}

const UP: Shown = Shown { class: "up", mark: "●", word: "up" };
const LATE: Shown = Shown { class: "late", mark: "◐", word: "late" };
const UNKNOWN: Shown = Shown { class: "unknown", mark: "?", word: "unknown" };
const FAILING: Shown = Shown { class: "down", mark: "▼", word: "failing" };
const DOWN: Shown = Shown { class: "down", mark: "▼", word: "down" };

impl From<State> for Shown {
    fn from(state: State) -> Self {
        match state {
            State::Up => UP,
            State::Late => LATE,
            State::Unknown => UNKNOWN,
            State::Failing => FAILING,
        }
    }
}

impl From<Voiced> for Shown {
    fn from(state: Voiced) -> Self {
        match state {
            Voiced::Up => UP,
            Voiced::Unknown => UNKNOWN,
            Voiced::Down => DOWN,
        }
    }
}

/// The state of a verdict's word.
pub(super) fn verdict(word: &str) -> Shown {
    match word {
        "pass" => Shown { word: "pass", ..UP },
        "fail" => Shown { word: "fail", ..DOWN },
        _ => Shown { word: "void", ..UNKNOWN },
    }
}

/// A moment, for `<time>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// RFC 3339, in UTC.
    pub(super) iso: String,
    /// In the viewer's zone.
    pub(super) text: String,
    /// How long ago, roughly.
    pub(super) ago: String,
}

/// When and in which zone something is shown.
#[derive(Clone, Debug)]
pub(super) struct When {
    pub(super) now: Timestamp,
    pub(super) zone: TimeZone,
}

impl When {
    pub(super) fn moment(&self, at: Timestamp) -> Moment {
        let text = figures::time(at, self.now, &self.zone);
        self.of(at, text)
    }

    pub(super) fn to_the_second(&self, at: Timestamp) -> Moment {
        let text = figures::time_to_the_second(at, self.now, &self.zone);
        self.of(at, text)
    }

    fn of(&self, at: Timestamp, text: String) -> Moment {
        let ago = match at <= self.now {
            true => figures::roughly(at, self.now),
            false => format!("in {}", figures::roughly(self.now, at)),
        };
        Moment { iso: at.to_string(), text, ago }
    }
}

/// A piece of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    /// Something to type.
    pub(super) is_code: bool,
}

/// The pieces of a sentence that marks what is to be typed by backticks, as sentences on terminals do.
pub(super) fn pieces(sentence: &str) -> Vec<Piece<'_>> {
    let last = sentence.matches('`').count();
    let pieces = sentence.split('`').enumerate();
    // one that is not closed marks nothing
    let piece = |(at, text)| Piece { text, is_code: at % 2 == 1 && at < last };
    pieces.map(piece).filter(|piece| !piece.text.is_empty()).collect()
}

/// One entry of a list's pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pages {
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
    /// `51 to 100 of 1000`.
    pub(super) words: String,
}

/// The part of a list that an address asks for.
pub(super) fn page_of<T>(all: Vec<T>, each: usize, address: &super::Address) -> (Vec<T>, Pages) {
    let count = all.len();
    let last = count.div_ceil(each).max(1);
    let page = address.page().min(last);
    let first = (page - 1) * each;
    let shown: Vec<T> = all.into_iter().skip(first).take(each).collect();
    let to = |page: usize| address.with("page", "").with_page(page).to_string();
    let pages = Pages {
        before: (page > 1).then(|| to(page - 1)),
        after: (page < last).then(|| to(page + 1)),
        words: match count {
            0 => String::new(),
            _ if last == 1 => format!("{count} in all"),
            _ => format!("{} to {} of {count}", first + 1, first + shown.len()),
        },
    };
    (shown, pages)
}

/// `3 sites`, `1 site`.
pub(super) fn count(number: impl Display + PartialEq<usize>, one: &str, more: &str) -> String {
    let word = if number == 1 { one } else { more };
    format!("{number} {word}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_typed_is_a_piece_of_its_own() {
        let marked = |sentence| -> Vec<(&str, bool)> {
            pieces(sentence).into_iter().map(|piece| (piece.text, piece.is_code)).collect()
        };
        assert_eq!(marked("None."), [("None.", false)]);
        assert_eq!(
            marked("Ask `status`, then `top`"),
            [("Ask ", false), ("status", true), (", then ", false), ("top", true)]
        );
        assert_eq!(marked("`a"), [("a", false)]);
        assert_eq!(marked(""), []);
    }
}
