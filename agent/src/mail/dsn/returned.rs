//! What a notification returns of the message that it is about: its headers (RFC 6522 section 3).

use mailsonde_proto::WallTime;

use super::parts::Parts;
use crate::mail::headers::block::Block;
use crate::mail::headers::date;
use crate::mail::message::{TOKEN_HEADER, token_of_message_id};

/// The longest value that is kept, in characters.
const LONGEST: usize = 500;
/// The most texts that may be tokens.
const MOST_CANDIDATES: usize = 8;
/// Lines after which qmail, exim, Gmail and others return a message in their text.
const MARKS: [&str; 7] = [
    "--- below this line is a copy of the message",
    "------ this is a copy of the message",
    "------ this is a copy of your message",
    "----- original message -----",
    "----- message header follows -----",
    "----- message headers follow",
    "original message headers:",
];

/// Of the message that a notification is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Returned {
    /// Without its angle brackets.
    pub message_id: Option<String>,
    /// As written there.
    pub subject: Option<String>,
    /// As written there.
    pub from: Option<String>,
    /// As written there.
    pub to: Option<String>,
    /// When it was written.
    pub date: Option<WallTime>,
    /// Texts that may be the token of a test message.
    pub candidates: Vec<String>,
}

impl Returned {
    pub(super) fn of(parts: &Parts<'_>) -> Option<Self> {
        let mut all = Vec::new();
        for part in &parts.all {
            match part.content_type.as_str() {
                "message/rfc822" | "message/global" => all.push(Self::read(part.body())),
                "text/rfc822-headers" | "message/rfc822-headers" | "message/global-headers" => {
                    all.push(Self::read(part.text().as_bytes()));
                }
                "text/plain" => {
                    let text = part.text();
                    all.push(Self::read(after_mark(&text).as_bytes()));
                    all.push(Self { candidates: quoted(&text), ..Self::default() });
                }
                _ => {}
            }
        }
        all.retain(|returned| *returned != Self::default());
        let mut candidates: Vec<String> = Vec::new();
        for candidate in all.iter().flat_map(|returned| &returned.candidates) {
            if candidates.len() < MOST_CANDIDATES && !candidates.contains(candidate) {
                candidates.push(candidate.clone());
            }
        }
        let first = all.into_iter().next()?;
        Some(Self { candidates, ..first })
    }

    fn read(headers: &[u8]) -> Self {
        let block = Block::of(headers);
        let first = |name: &str| {
            block.first(name).map(|text| text.chars().take(LONGEST).collect::<String>())
        };
        let message_id = first("Message-ID").map(|id| id.trim_matches(['<', '>']).to_owned());
        let token = block.all(TOKEN_HEADER).take(MOST_CANDIDATES).map(|t| t.trim().to_owned());
        let ids = block.all("Message-ID").take(MOST_CANDIDATES);
        let in_ids = ids.filter_map(|id| token_of_message_id(&id).map(str::to_owned));
        Self {
            candidates: token.chain(in_ids).filter(|text| !text.is_empty()).collect(),
            subject: first("Subject"),
            from: first("From"),
            to: first("To"),
            date: first("Date").as_deref().and_then(date),
            message_id,
        }
    }
}

/// What our Message-IDs hold wherever a text quotes them: not every bounce says where the message begins
/// that it returns.
fn quoted(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("<mailsonde.").take(MOST_CANDIDATES) {
        let id = text.get(at..).and_then(|rest| rest.split(['>', '\n']).next());
        let token = id.and_then(token_of_message_id).filter(|token| token.len() <= LONGEST);
        found.extend(token.map(str::to_owned));
    }
    found
}

/// What follows the line that says that the message follows, without empty lines before.
fn after_mark(text: &str) -> &str {
    let mut rest = text;
    while let Some((line, after)) = rest.split_once('\n') {
        let lower = line.trim().to_ascii_lowercase();
        if MARKS.iter().any(|mark| lower.starts_with(mark)) {
            return after.trim_start();
        }
        rest = after;
    }
    ""
}

/// What a notification says itself: the text before that line, without what it quotes of other mail.
pub(super) fn own_text(text: &str) -> String {
    const COMMANDS: [&str; 7] = ["RCPT", "MAIL", "DATA", "HELO", "EHLO", "QUIT", "."];
    let is_own = |line: &&str| {
        // A transcript has `>>> RCPT TO:<a@b>`.
        let command = line.trim_start().strip_prefix(">>> ").unwrap_or_default().to_uppercase();
        !line.trim_start().starts_with('>') || COMMANDS.iter().any(|one| command.starts_with(one))
    };
    before_mark(text).split_inclusive('\n').filter(is_own).collect()
}

/// The text before that line.
fn before_mark(text: &str) -> &str {
    let after = after_mark(text);
    if after.is_empty() {
        return text;
    }
    text.get(..text.len() - after.len()).unwrap_or(text)
}
