//! A parcel as mail: text and HTML with the pictures that it shows, and a PDF beside it (RFC 2387, RFC 2392).

use std::time::{Duration, SystemTime};

use lettre::Message as Mail;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use mailsonde_proto::WallTime;

use crate::notifier::Parcel;

/// Its Message-ID, and all of it as bytes. The Message-ID is the same at every attempt.
///
/// # Errors
/// What the library says against it.
pub(super) fn compose(
    parcel: &Parcel,
    (from, to): (&Mailbox, &[Mailbox]),
    date: WallTime,
) -> Result<(String, Vec<u8>), String> {
    let id = format!("<{}@{}>", parcel.id, from.email.domain());
    let since = u64::try_from(date.as_ns() / 1_000_000_000).unwrap_or_default();
    let auto = HeaderName::new_from_ascii_str("Auto-Submitted");
    let mut mail = Mail::builder()
        .from(from.clone())
        .subject(parcel.subject.clone())
        .message_id(Some(id.clone()))
        .date(SystemTime::UNIX_EPOCH + Duration::from_secs(since))
        .raw_header(HeaderValue::new(auto, "auto-generated".to_owned()));
    for mailbox in to {
        mail = mail.to(mailbox.clone());
    }
    let type_of = |text: &str| ContentType::parse(text).map_err(|error| format!("{text}: {error}"));
    let (png, pdf) = (type_of("image/png")?, type_of("application/pdf")?);
    let mut page = MultiPart::related().singlepart(SinglePart::html(parcel.html.clone()));
    for (name, bytes) in &parcel.pictures {
        let picture = Attachment::new_inline(name.clone()).body(bytes.clone(), png.clone());
        page = page.singlepart(picture);
    }
    let both =
        MultiPart::alternative().singlepart(SinglePart::plain(parcel.text.clone())).multipart(page);
    let (name, bytes) = &parcel.pdf;
    let beside = Attachment::new(name.clone()).body(bytes.clone(), pdf);
    let mail = mail.multipart(MultiPart::mixed().multipart(both).singlepart(beside));
    let mail = mail.map_err(|error| format!("the mail cannot be made: {error}"))?;
    Ok((id, mail.formatted()))
}
