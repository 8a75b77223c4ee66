//! Reads the settings of a check; all mistakes are reported to the section.

use std::sync::Arc;
use std::time::Duration;

use super::super::super::{Section, Surroundings};
use super::{AutoReply, Expect, ExpectedCode, RoundTripSettings, peer};
use super::{DEFAULT_AUTO_REPLY_WITHIN, DEFAULT_GREYLIST_RETRY, DEFAULT_SETTLE};
use crate::config::server::known_mailbox;
use crate::config::units;
use crate::mail::headers::Trust;
use crate::mail::mailbox::{Inbox, Mailbox};
use crate::mail::message::{Attachment, Content, LARGEST_BODY, Pattern};
use crate::mail::smtp::MX_PORT;

const LONGEST_SETTLE: Duration = Duration::from_secs(60);
const GREYLIST_BOUNDS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(1800));
const AUTO_REPLY_BOUNDS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3600));
const LONGEST_SUBJECT: usize = 200;
const LONGEST_NAME: usize = 100;
const DEFAULT_NAME: &str = "mailsonde.bin";
const DEFAULT_TYPE: &str = "application/octet-stream";

/// The settings, and the mailbox in which the message must arrive.
pub(in super::super) fn read(
    section: &mut Section<'_>,
    surroundings: &Surroundings,
) -> Option<(RoundTripSettings, Arc<Mailbox>)> {
    let name = section.required_text("mailbox");
    let mailbox = name.and_then(|name| known_mailbox(section, surroundings, "mailbox", &name));
    let from = section.text("from_mailbox");
    let from_mailbox =
        from.and_then(|name| known_mailbox(section, surroundings, "from_mailbox", &name));
    let via = via(section);
    let exchanger_of = section.host("mx");
    let (least, most) = GREYLIST_BOUNDS;
    let greylist_retry =
        section.duration_within("greylist_retry", DEFAULT_GREYLIST_RETRY, least..=most);
    if section.has("greylist_retry") {
        let what = ("a mail exchanger that greylists is asked again after", "greylist_retry");
        must_fit(section, what, greylist_retry);
    }
    let settle = section.duration("settle", DEFAULT_SETTLE);
    if settle > LONGEST_SETTLE {
        section.mistake("settle", "a second copy is waited for 60s at most".to_owned());
    }
    let (expect, folder) = expect(section);
    let expect_code = expect_code(section, expect);
    let auto_reply = auto_reply(section, expect);
    if auto_reply.is_some() && from_mailbox.is_none() && via.is_none() {
        let words = "a mailbox that writes to itself gets no automatic reply (RFC 3834 section 2): set \
                     from_mailbox";
        section.warning("auto_reply", words);
    }
    if let Some(mailbox) = &mailbox {
        must_be_seen(section, mailbox, expect);
    }
    let trust = Trust::new(section.texts("trust"));
    let peer = peer::read(section);
    let verify = section.flag("verify", peer.is_none());
    let content = Arc::new(content(section, auto_reply.is_some()));
    let mailbox = mailbox.filter(|_| section.is_clean())?;
    let settings = RoundTripSettings {
        via,
        from_mailbox,
        content,
        settle,
        exchanger_of,
        exchanger_port: MX_PORT,
        greylist_retry,
        expect,
        expect_code,
        folder,
        auto_reply,
        trust,
        verify,
        peer,
    };
    Some((settings, mailbox))
}

fn via(section: &mut Section<'_>) -> Option<String> {
    let (via, to) = (section.mail_address("via"), section.mail_address("to"));
    if via.is_some() && to.is_some() {
        section.mistake("to", "to is the older word for via: leave one of them out".to_owned());
    }
    via.or(to)
}

fn expect(section: &mut Section<'_>) -> (Expect, Option<Arc<str>>) {
    let words = [
        ("inbox", Expect::Inbox),
        ("junk", Expect::Junk),
        ("anywhere", Expect::Anywhere),
        ("rejected", Expect::Rejected),
        ("bounced", Expect::Bounced),
    ];
    let expect = section.choice("expect", &words, Expect::Inbox);
    let Some(folder) = section.text("folder") else { return (expect, None) };
    if section.has("expect") {
        section.mistake("folder", "folder says where it must arrive: leave expect out".to_owned());
    }
    if !folder.is_ascii() || folder.eq_ignore_ascii_case("inbox") {
        let words = "folder must be a folder's name beside INBOX, in the form that IMAP has for it \
                     (modified UTF-7, RFC 3501 section 5.1.3)";
        section.mistake("folder", words.to_owned());
    }
    (Expect::Folder, Some(folder.into()))
}

/// POP3 shows INBOX and nothing else (RFC 1939 section 3).
fn must_be_seen(section: &mut Section<'_>, mailbox: &Mailbox, expect: Expect) {
    if matches!(mailbox.settings().inbox, Inbox::Imap(_)) {
        return;
    }
    let (key, folder) = match expect {
        Expect::Junk => ("expect", "the junk folder"),
        Expect::Folder => ("folder", "any folder but INBOX"),
        _ => return,
    };
    let words = format!("POP3 does not show {folder}: give the mailbox an [imap] table");
    section.mistake(key, words);
}

fn expect_code(section: &mut Section<'_>, expect: Expect) -> Option<ExpectedCode> {
    let text = section.text("expect_code")?;
    if !matches!(expect, Expect::Rejected | Expect::Bounced) {
        let words = "expect_code goes with expect = \"rejected\" or \"bounced\" only";
        section.mistake("expect_code", words.to_owned());
    }
    match text.parse() {
        Ok(code) => Some(code),
        Err(words) => {
            section.mistake("expect_code", format!("expect_code {words}"));
            None
        }
    }
}

fn auto_reply(section: &mut Section<'_>, expect: Expect) -> Option<AutoReply> {
    let words = [("ignored", None), ("required", Some(true)), ("forbidden", Some(false))];
    let is_required = section.choice("auto_reply", &words, None);
    let (least, most) = AUTO_REPLY_BOUNDS;
    let within =
        section.duration_within("auto_reply_within", DEFAULT_AUTO_REPLY_WITHIN, least..=most);
    let is_required = is_required?;
    if matches!(expect, Expect::Rejected | Expect::Bounced) {
        let words = "a message that must not arrive is not answered: leave auto_reply out";
        section.mistake("auto_reply", words.to_owned());
    }
    must_fit(section, ("the reply is waited for", "auto_reply_within"), within);
    Some(AutoReply { is_required, within })
}

/// What is waited for within a run must be over before the run is.
fn must_fit(section: &mut Section<'_>, (what, key): (&str, &str), wait: Duration) {
    let timeouts = section.resolved_values("timeout");
    let timeout = timeouts.iter().filter_map(|text| units::duration(text).ok()).min();
    if let Some(timeout) = timeout.filter(|timeout| *timeout <= wait) {
        let (wait, timeout) = (units::duration_text(wait), units::duration_text(timeout));
        let words =
            format!("{what} {wait}, and a run may take {timeout}: raise timeout, or lower {key}");
        section.mistake(key, words);
    }
}

fn content(section: &mut Section<'_>, invites_replies: bool) -> Content {
    let subject = section.text("subject");
    if subject.as_ref().is_some_and(|subject| subject.chars().count() > LONGEST_SUBJECT) {
        section.mistake("subject", "subject has at most 200 characters".to_owned());
    }
    let words = [("plain", None), ("gtube", Some(Pattern::Gtube)), ("eicar", Some(Pattern::Eicar))];
    let pattern = section.choice("body", &words, None);
    let size = section.size_within("size", 0, 0..=LARGEST_BODY);
    let attachment = attachment(section, pattern);
    if size > 0 && attachment.is_some() {
        let words =
            "a message with an attachment has a short text: leave size or the attachment out";
        section.mistake("size", words.to_owned());
    }
    Content { subject, size, pattern, attachment, invites_replies }
}

fn attachment(section: &mut Section<'_>, pattern: Option<Pattern>) -> Option<Attachment> {
    let bytes = section.size_within("attachment", 0, 0..=LARGEST_BODY);
    let is_eicar = pattern == Some(Pattern::Eicar);
    let (name, media_type) = (section.text("attachment_name"), section.text("attachment_type"));
    if is_eicar && bytes > 0 {
        let words = "body = \"eicar\" is an attachment by itself: leave attachment out";
        section.mistake("attachment", words.to_owned());
    }
    if !is_eicar && bytes == 0 {
        for (key, value) in [("attachment_name", &name), ("attachment_type", &media_type)] {
            if value.is_some() {
                let words = format!("{key} is of an attachment: set attachment to its size");
                section.mistake(key, words);
            }
        }
        return None;
    }
    let sound = |c: char| (c == ' ' || c.is_ascii_graphic()) && !matches!(c, '"' | '\\' | '/');
    if name.as_ref().is_some_and(|name| name.len() > LONGEST_NAME || !name.chars().all(sound)) {
        let words = "attachment_name has at most 100 characters of ASCII, and none of \" \\ /";
        section.mistake("attachment_name", words.to_owned());
    }
    if media_type.as_deref().is_some_and(|media_type| !is_media_type(media_type)) {
        let words = format!("attachment_type must be a media type such as \"{DEFAULT_TYPE}\"");
        section.mistake("attachment_type", words);
    }
    let default_name = if is_eicar { "eicar.com" } else { DEFAULT_NAME };
    Some(Attachment {
        bytes,
        name: name.unwrap_or_else(|| default_name.to_owned()),
        media_type: media_type.unwrap_or_else(|| DEFAULT_TYPE.to_owned()),
    })
}

/// RFC 6838 section 4.2; one that consists of parts would be read as parts.
fn is_media_type(text: &str) -> bool {
    let sound = |name: &str| {
        let known = |c: char| c.is_ascii_alphanumeric() || "!#$&-^_.+".contains(c);
        !name.is_empty() && name.len() <= 127 && name.chars().all(known)
    };
    text.split_once('/').is_some_and(|(main, sub)| {
        sound(main) && sound(sub) && !main.eq_ignore_ascii_case("multipart")
    })
}
