//! A mail that is no message of an incident: a report, with pictures in its text and a file beside it.

use lettre::message::Mailbox;

/// What is sent, in all its parts.
#[derive(Debug)]
pub struct Parcel {
    /// What stands before the `@` of its Message-ID: the same at every attempt.
    pub id: String,
    /// To whom; empty: to whom the channel writes.
    pub to: Vec<Mailbox>,
    /// In a line.
    pub subject: String,
    /// Without any markup.
    pub text: String,
    /// The same as HTML, whose pictures are `cid:` and the name of one of these.
    pub html: String,
    /// PNG, each by its name.
    pub pictures: Vec<(String, Vec<u8>)>,
    /// The PDF beside it: its name and its bytes.
    pub pdf: (String, Vec<u8>),
}
