//! What a notification says about a message: a delivery status notification (RFC 3464 in a
//! multipart/report, RFC 6522), or one of the many bounces in free text.
//!
//! A reason comes from the enhanced code first and from known words second, and is `unknown` where
//! neither tells: never a guess. A delay is not final. At most [`MOST_READ`] bytes are read, in time
//! linear in them; MIME is not followed deeper than [`parts`] says. Absent on purpose: whose message it
//! is about (`bounce`).

mod signs;

mod reason;
mod report;

mod form;
mod plain;

mod parts;
mod returned;

use mailsonde_proto::{EnhancedCode, WallTime};

use super::headers::block::Block;
use parts::Parts;

pub use parts::MOST_READ;
pub use reason::Reason;
pub use returned::Returned;

/// The most recipients that are kept.
pub const MOST_RECIPIENTS: usize = 100;
/// The longest diagnostic that is kept, in characters.
pub const LONGEST_DIAGNOSTIC: usize = 1_000;
/// The longest address that is taken for one (RFC 5321 section 4.5.3.1: 64 + 1 + 255).
const LONGEST_ADDRESS: usize = 320;

/// A notification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notification {
    /// In which form it is written, such as `rfc3464` or `qmail`.
    pub form: &'static str,
    /// Who writes it.
    pub reporting_mta: Option<String>,
    /// When the reporting server got the message.
    pub arrival_date: Option<WallTime>,
    /// The envelope identifier that the sender gave (RFC 3461 section 4.4).
    pub envelope_id: Option<String>,
    /// What became of it for each recipient that it names.
    pub recipients: Vec<Recipient>,
    /// How many more were named than are kept.
    pub left_out: usize,
    /// Of the message that it is about.
    pub returned: Option<Returned>,
}

/// What became of a message for one recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipient {
    /// Where it was to be delivered at last; `None` when the notification names nobody.
    pub address: Option<String>,
    /// To whom it was sent at first, where that is told apart.
    pub original: Option<String>,
    /// What happened.
    pub action: Action,
    /// The enhanced code.
    pub status: Option<EnhancedCode>,
    /// The basic code of the remote server's reply.
    pub basic: Option<u16>,
    /// Why, in our words.
    pub reason: Reason,
    /// Why, in the servers' words; on one line.
    pub diagnostic: String,
    /// Which server refused it.
    pub remote_mta: Option<String>,
    /// Until when it will be tried.
    pub will_retry_until: Option<WallTime>,
}

/// What happened (RFC 3464 section 2.3.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// It was given up.
    Failed,
    /// It is still being tried: not final.
    Delayed,
    /// It was delivered.
    Delivered,
    /// It was handed to a server that does not say what becomes of it.
    Relayed,
    /// It was delivered to a list that sends it on.
    Expanded,
    /// The notification does not say.
    #[default]
    Unknown,
}

impl Action {
    /// Its word, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Delivered => "delivered",
            Self::Relayed => "relayed",
            Self::Expanded => "expanded",
            Self::Unknown => "unknown",
        }
    }

    fn of(word: &str) -> Self {
        // A comment may follow: `failed (user unknown)`.
        let word = word.trim().split([' ', '\t', '(']).next().unwrap_or_default();
        match word.to_ascii_lowercase().as_str() {
            "failed" | "failure" => Self::Failed,
            "delayed" => Self::Delayed,
            "delivered" | "deliverable" => Self::Delivered,
            "relayed" => Self::Relayed,
            "expanded" => Self::Expanded,
            _ => Self::Unknown,
        }
    }
}

impl Notification {
    /// Reads a notification; `None` when the message is none.
    pub fn of(message: &[u8]) -> Option<Self> {
        let bytes = message.get(..message.len().min(MOST_READ)).unwrap_or_default();
        let block = Block::of(bytes);
        if !signs::may_be_one(&block) {
            return None;
        }
        let parts = Parts::of(bytes, &block);
        let mut read = report::read(&parts).or_else(|| form::read(&block, &parts))?;
        read.returned = Returned::of(&parts);
        for recipient in &mut read.recipients {
            recipient.finish();
        }
        let kept = read.recipients.len().min(MOST_RECIPIENTS);
        read.left_out += read.recipients.len() - kept;
        read.recipients.truncate(kept);
        Some(read)
    }

    /// The recipient that fared worst: failed before delayed before anything else.
    pub fn worst(&self) -> Option<&Recipient> {
        let rank = |recipient: &&Recipient| match recipient.action {
            Action::Failed => 0,
            Action::Unknown => 1,
            Action::Delayed => 2,
            _ => 3,
        };
        self.recipients.iter().min_by_key(rank)
    }
}

impl Recipient {
    /// Brings the texts within their bounds and finds the codes and the reason.
    fn finish(&mut self) {
        let words = self.diagnostic.split_whitespace().collect::<Vec<_>>().join(" ");
        self.diagnostic = words.chars().take(LONGEST_DIAGNOSTIC).collect();
        let (basic, enhanced) = codes(&self.diagnostic);
        self.basic = self.basic.or(basic);
        let hint = self.reason;
        let is_trouble = matches!(self.action, Action::Failed | Action::Delayed);
        self.reason = match Reason::of(self.status, enhanced, &self.diagnostic) {
            // What arrived, or what nobody says anything of, has no reason.
            _ if !is_trouble => Reason::Unknown,
            // What a form knows of its own words counts where codes and words do not tell.
            Reason::Unknown => hint,
            found => found,
        };
        self.status = match (self.status, enhanced) {
            // sendmail's and exim's own 5.0.0 says less than what the remote server said.
            (Some(status), Some(said)) if (status.subject, status.detail) == (0, 0) => Some(said),
            (status, said) => status.or(said),
        };
        if self.action == Action::Delayed && self.reason == Reason::Expired {
            // A warning about waiting long; nothing has expired yet.
            self.reason = Reason::Unknown;
        }
    }
}

/// Whether these headers are such as notifications have, so that the message is worth reading whole.
pub fn may_be_one(headers: &[u8]) -> bool {
    signs::may_be_one(&Block::of(headers))
}

/// The basic and the enhanced code that a reply holds, the first of each. Three digits count as a code at
/// the start, after a colon or `<<<`, in quotation marks, and before an enhanced code; not elsewhere.
pub(crate) fn codes(text: &str) -> (Option<u16>, Option<EnhancedCode>) {
    let (mut basic, mut enhanced) = (None, None);
    let mut before = ":";
    let mut may_be: Option<u16> = None;
    for raw in text.split([' ', '-', ';', ',']).filter(|word| !word.is_empty()).take(200) {
        let word = raw.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        if let Ok(code) = word.parse::<EnhancedCode>()
            && code.class != 2
        {
            enhanced = enhanced.or(Some(code));
            basic = basic.or(may_be);
        }
        may_be = word.parse().ok().filter(|code| word.len() == 3 && (400..600).contains(code));
        let stands_out =
            before.ends_with(':') || before == "<<<" || raw.starts_with(['#', '\'', '"']);
        if stands_out {
            basic = basic.or(may_be);
        }
        before = raw;
    }
    (basic, enhanced)
}

/// An address without its brackets, if the text is one.
fn address(text: &str) -> Option<String> {
    let text =
        text.trim().trim_start_matches("mailto:").trim_matches(['<', '>', '"', ':', ',', ';']);
    let (local, domain) = text.rsplit_once('@')?;
    let is_one = !local.is_empty()
        && !domain.is_empty()
        && text.len() <= LONGEST_ADDRESS
        && !text.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>'));
    is_one.then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
