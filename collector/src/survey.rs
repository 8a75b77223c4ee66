//! The survey's one question, as a page that works without accounts, scripts and cookies; and how many answers may come.
//!
//! An answer is a button; links in mails are opened by scanners, and opening changes nothing. Invariant: nothing on the
//! page comes from outside but the signed link that it was opened by.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mailsonde_proto::WallTime;

use crate::judge::feedback::BEST;
use crate::text::html;

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:3rem auto;padding:0 1rem}\
button{display:block;width:100%;font:inherit;text-align:left;padding:.8rem 1rem;margin:.5rem 0;border:2px solid currentColor;border-radius:.5rem;background:Canvas;color:CanvasText;cursor:pointer}\
button:hover,button:focus-visible{outline:3px solid Highlight;outline-offset:2px}";
/// The best first.
const ANSWERS: [(u8, &str); 5] = [
    (5, "Very satisfied"),
    (4, "Satisfied"),
    (3, "Neither satisfied nor dissatisfied"),
    (2, "Dissatisfied"),
    (1, "Very dissatisfied"),
];

/// In so long a time.
const PERIOD: Duration = Duration::from_secs(600);
/// Answers from one address: an office may have one for all.
const MOST_FROM_ONE: u32 = 60;
/// Answers from all addresses.
const MOST_FROM_ALL: u32 = 1_000;

/// The policy under which the pages are shown.
pub fn policy() -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, STYLE.as_bytes());
    format!(
        "default-src 'none'; style-src 'sha256-{}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        STANDARD.encode(digest)
    )
}

/// The question, whose answer goes to this address.
pub fn question(to: &str) -> String {
    let buttons = ANSWERS.iter().map(|(score, words)| {
        format!("<button name=\"score\" value=\"{score}\">{words}</button>\n")
    });
    page(
        "How satisfied are you with e-mail?",
        &format!(
            "<p>Think of the last four weeks. Nobody learns who answered what.</p>\n<form method=\"post\" action=\"{}\">\n{}</form>\n",
            html(to),
            buttons.collect::<String>()
        ),
    )
}

/// What whoever answered sees.
pub fn thanks() -> String {
    page("Thank you", "<p>Your answer is kept. You can close this page.</p>\n")
}

/// What whoever answered before sees.
pub fn answered() -> String {
    page("Answered already", "<p>This question was answered by this link already. Thank you.</p>\n")
}

/// What whoever is refused sees: by a link that is too old or was altered, or where too many answer.
pub fn refused(why: &str) -> String {
    let words = html(why);
    page("This does not work", &format!("<p>There is no answer by this link now: {words}.</p>\n"))
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{body}</main>\n</body>\n</html>\n"
    )
}

/// What was answered, of the form's body.
pub fn score(body: &[u8]) -> Option<u8> {
    let mut fields = url::form_urlencoded::parse(body).filter(|(name, _)| name == "score");
    let score = fields.next()?.1.parse().ok()?;
    ((1..=BEST).contains(&score) && fields.next().is_none()).then_some(score)
}

/// Counts answers, so that nobody fills the journal.
#[derive(Debug, Default)]
pub struct Gate(Mutex<Period>);

#[derive(Debug, Default)]
struct Period {
    since: WallTime,
    all: u32,
    by_address: BTreeMap<IpAddr, u32>,
}

impl Gate {
    /// Whether one more may come from here; `None` is this very machine.
    pub fn admits(&self, from: Option<IpAddr>, now: WallTime) -> bool {
        let mut period = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= period.since.plus(PERIOD) || now < period.since {
            *period = Period { since: now, ..Period::default() };
        }
        if period.all >= MOST_FROM_ALL {
            return false;
        }
        if let Some(address) = from {
            let count = period.by_address.entry(address).or_default();
            if *count >= MOST_FROM_ONE {
                return false;
            }
            *count += 1;
        }
        period.all += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_runs_nothing_and_says_what_it_asks() {
        let page = question("/survey?id=a&mac=\"><script>");
        assert_eq!(page.matches("<button name=\"score\"").count(), 5, "{page}");
        assert!(!page.contains("<script") && !page.contains("style="), "{page}");
        assert!(
            page.contains("action=\"/survey?id=a&amp;mac=&quot;&gt;&lt;script&gt;\""),
            "{page}"
        );
        assert!(policy().contains("style-src 'sha256-") && !policy().contains("unsafe"));
    }

    #[test]
    fn scores_and_what_is_none() {
        for (body, expected) in [
            ("score=4", Some(4)),
            ("a=b&score=1", Some(1)),
            ("score=0", None),
            ("score=6", None),
            ("score=", None),
            ("", None),
            ("score=1&score=5", None),
            ("score=%34", Some(4)),
        ] {
            assert_eq!(score(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn not_too_many_at_once() {
        let (gate, begin) = (Gate::default(), WallTime::from_s(1_796_000_000));
        let address = |last| Some(IpAddr::from([192, 0, 2, last]));
        assert!((0..MOST_FROM_ONE).all(|_| gate.admits(address(1), begin)));
        assert!(!gate.admits(address(1), begin) && gate.admits(address(2), begin));
        let others =
            (3..=255).cycle().take(2_000).filter(|last| gate.admits(address(*last), begin));
        assert_eq!(others.count(), 1_000 - 61);
        assert!(gate.admits(address(1), begin.plus(PERIOD)));
    }
}
