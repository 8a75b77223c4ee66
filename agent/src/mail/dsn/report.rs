//! A delivery status notification of RFC 3464.

use mailsonde_proto::EnhancedCode;

use super::parts::Parts;
use super::{Action, MOST_RECIPIENTS, Notification, Recipient, address};
use crate::mail::headers::date;

/// The longest host name and the like, in characters.
const LONGEST: usize = 255;

/// Reads the message/delivery-status part, where there is one with a recipient.
pub(super) fn read(parts: &Parts<'_>) -> Option<Notification> {
    // RFC 6533 writes message/global-delivery-status.
    let part = parts
        .first("message/delivery-status")
        .or_else(|| parts.first("message/global-delivery-status"))
        .filter(|_| parts.is_report)?;
    let text = part.text();
    let mut notification = Notification { form: "rfc3464", ..Notification::default() };
    for group in groups(&text) {
        let fields = fields(&group);
        match recipient(&fields) {
            Some(_) if notification.recipients.len() == MOST_RECIPIENTS => {
                notification.left_out += 1;
            }
            Some(recipient) => notification.recipients.push(recipient),
            None => about_the_message(&fields, &mut notification),
        }
    }
    if notification.recipients.is_empty() {
        return None;
    }
    refine(&mut notification, &parts.text());
    Some(notification)
}

/// The fields in groups that empty lines part: the message's, then one of each recipient's (section
/// 2.1).
fn groups(text: &str) -> Vec<Vec<&str>> {
    let mut groups = vec![Vec::new()];
    for line in text.lines() {
        let is_empty = line.trim().is_empty();
        match groups.last_mut() {
            Some(group) if !is_empty => group.push(line),
            Some(group) if !group.is_empty() => groups.push(Vec::new()),
            _ => {}
        }
    }
    groups
}

/// Name in lower case and value, unfolded.
fn fields(group: &[&str]) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in group {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    fields
}

/// The value of a field, and of one with a type before: `rfc822; a@b`, `dns; host`, `smtp; 550 no`.
fn value<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn typed<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let value = value(fields, name)?;
    // A type is one word; some servers leave it away.
    let typed = value.split_once(';').filter(|(kind, _)| !kind.trim().contains(' '));
    let text = typed.map_or(value, |(_, text)| text).trim();
    (!text.is_empty()).then_some(text)
}

fn recipient(fields: &[(String, String)]) -> Option<Recipient> {
    let last = typed(fields, "final-recipient");
    let original = typed(fields, "original-recipient");
    let action = value(fields, "action");
    if last.is_none() && original.is_none() && action.is_none() {
        return None;
    }
    let named = |text: Option<&str>| text.and_then(|text| address(text).or_else(|| local(text)));
    let (last, original) = (named(last), named(original));
    let status = value(fields, "status").and_then(EnhancedCode::at_start_of);
    let action = match Action::of(action.unwrap_or_default()) {
        // Without a word, the class of the code tells (RFC 3463 section 2).
        Action::Unknown if status.is_some_and(|code| code.class == 5) => Action::Failed,
        action => action,
    };
    let shortened = |text: &str| text.chars().take(LONGEST).collect::<String>();
    Some(Recipient {
        address: last.clone().or_else(|| original.clone()),
        original: original.filter(|original| Some(original) != last.as_ref()),
        action,
        status,
        diagnostic: typed(fields, "diagnostic-code").unwrap_or_default().to_owned(),
        remote_mta: typed(fields, "remote-mta").map(shortened),
        will_retry_until: value(fields, "will-retry-until").and_then(date),
        ..Recipient::default()
    })
}

/// A local user has no domain.
fn local(text: &str) -> Option<String> {
    let text = text.trim_matches(['<', '>']);
    let is_word = !text.is_empty() && text.len() <= 64 && !text.contains(char::is_whitespace);
    is_word.then(|| text.to_owned())
}

fn about_the_message(fields: &[(String, String)], notification: &mut Notification) {
    let shortened = |text: &str| text.chars().take(LONGEST).collect::<String>();
    let Notification { reporting_mta, envelope_id, arrival_date, .. } = notification;
    if reporting_mta.is_none() {
        *reporting_mta = typed(fields, "reporting-mta").map(shortened);
    }
    if envelope_id.is_none() {
        *envelope_id = value(fields, "original-envelope-id").map(shortened);
    }
    *arrival_date = arrival_date.or_else(|| value(fields, "arrival-date").and_then(date));
}

/// Where there is one recipient without a diagnostic, what the text for people says is taken: exim and
/// others write the server's reply only there.
fn refine(notification: &mut Notification, text: &str) {
    let [recipient] = notification.recipients.as_mut_slice() else { return };
    if !recipient.diagnostic.is_empty() {
        return;
    }
    let said = super::plain::recipients(&super::returned::own_text(text));
    let mut same = said.into_iter().filter(|said| said.address == recipient.address);
    if let Some(said) = same.next() {
        recipient.diagnostic = said.diagnostic;
        recipient.reason = said.reason;
    }
}
