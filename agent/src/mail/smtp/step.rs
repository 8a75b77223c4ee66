//! How far a session has come.

/// How far a session has come: what a failure is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Before any message: connection, greeting, TLS, sign-in.
    Opening,
    /// MAIL FROM.
    Sender,
    /// RCPT TO.
    Recipient,
    /// DATA, and the message.
    Message,
}

impl Step {
    /// What a server refuses that says no.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opening => "session",
            Self::Sender => "sender",
            Self::Recipient => "recipient",
            Self::Message => "message",
        }
    }
}
