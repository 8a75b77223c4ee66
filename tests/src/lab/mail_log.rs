//! What the mail servers wrote about a message, with the time of each line.

use std::path::Path;

use mailsonde_proto::time::WallTime;

/// The logs of Postfix and Dovecot at one moment, in the order of their times.
#[derive(Clone, Debug, Default)]
pub struct MailLog {
    entries: Vec<Entry>,
}

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it was written, to the microsecond: by Dovecot itself, or as it came from Postfix.
    pub at: WallTime,
    /// The line without its time.
    pub text: String,
}

/// A message in a mailbox, from the line `stored mail into mailbox`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// When Dovecot had stored it.
    pub at: WallTime,
    /// Whose mailbox, such as `alice@good.test`.
    pub user: String,
    /// Which one, such as `INBOX` or `Junk`.
    pub mailbox: String,
}

impl MailLog {
    pub(super) fn read(paths: &[&Path]) -> Self {
        let mut entries: Vec<Entry> = paths
            .iter()
            .flat_map(|path| {
                let text = std::fs::read(path).unwrap_or_default();
                let text = String::from_utf8_lossy(&text);
                text.lines().filter_map(entry).collect::<Vec<_>>()
            })
            .collect();
        entries.sort_by_key(|entry| entry.at);
        Self { entries }
    }

    /// All lines.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The lines that contain a text.
    pub fn with<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |entry| entry.text.contains(text))
    }

    /// When the message was first stored in a mailbox; `message_id` with or without its brackets.
    pub fn delivery_of(&self, message_id: &str) -> Option<WallTime> {
        self.deliveries_of(message_id).first().map(|delivery| delivery.at)
    }

    /// Every time the message was stored in a mailbox.
    pub fn deliveries_of(&self, message_id: &str) -> Vec<Delivery> {
        // for INBOX "stored mail into …", for others "fileinto action: stored mail into …"
        let wanted = format!("msgid=<{}>: ", bare(message_id));
        self.with(&wanted).filter_map(delivery).collect()
    }

    /// When Postfix took the message over: its line with the queue id and the Message-ID.
    pub fn queued_at(&self, message_id: &str) -> Option<WallTime> {
        let wanted = format!("message-id=<{}>", bare(message_id));
        self.with(&wanted).find(|entry| entry.text.contains("cleanup")).map(|entry| entry.at)
    }

    /// Postfix's queue id of the message.
    pub fn queue_id(&self, message_id: &str) -> Option<String> {
        let wanted = format!(": message-id=<{}>", bare(message_id));
        let entry = self.with(&wanted).find(|entry| entry.text.contains("cleanup"))?;
        // "mx1/submission/cleanup[81]: 4cXYZ: message-id=<…>"
        let (before, _) = entry.text.split_once(&wanted)?;
        Some(before.rsplit_once(' ')?.1.to_owned())
    }
}

fn bare(message_id: &str) -> &str {
    message_id.trim().trim_start_matches('<').trim_end_matches('>')
}

/// `1764000000.000123 the text`
fn entry(line: &str) -> Option<Entry> {
    let (time, text) = line.split_once(' ')?;
    let (seconds, micros) = time.split_once('.')?;
    let us: i64 = if micros.len() == 6 { micros.parse().ok()? } else { return None };
    let at = WallTime::from_ns(seconds.parse::<i64>().ok()? * 1_000_000_000 + us * 1_000);
    Some(Entry { at, text: text.to_owned() })
}

/// `lmtp(alice@good.test)<812><xyz>: Info: sieve: msgid=<a@b>: stored mail into mailbox 'INBOX'`
fn delivery(entry: &Entry) -> Option<Delivery> {
    let (_, after) = entry.text.split_once("lmtp(")?;
    let (user, _) = after.split_once(')')?;
    let (_, mailbox) = after.rsplit_once("stored mail into mailbox '")?;
    Some(Delivery {
        at: entry.at,
        user: user.split(',').next().unwrap_or(user).to_owned(),
        mailbox: mailbox.trim_end_matches('\'').to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_read_from_dovecots_line() {
        let line = "1764000000.000123 lmtp(alice@good.test)<812><q w>: Info: sieve: \
                    msgid=<a@b>: fileinto action: stored mail into mailbox 'Junk'";
        let log = MailLog { entries: vec![entry(line).expect("a line with its time")] };
        let expected = Delivery {
            at: WallTime::from_ns(1_764_000_000_000_123_000),
            user: "alice@good.test".to_owned(),
            mailbox: "Junk".to_owned(),
        };
        assert_eq!(log.deliveries_of("<a@b>"), [expected]);
        assert_eq!(log.delivery_of("a@c"), None);
    }

    #[test]
    fn a_line_without_microseconds_is_left_out() {
        for line in ["", "word", "1764000000 text", "1764000000.5 text", "x.000001 text"] {
            assert_eq!(entry(line), None, "{line}");
        }
    }
}
