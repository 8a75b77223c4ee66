//! What the book says of a kind beside its settings, which each kind writes itself.
//!
//! `mailsonde-agent documents` makes pages of it. Absent on purpose: facts, whose names follow what servers say.

use mailsonde_proto::phase::name;

use crate::posture::Rule;

/// What the book says of a kind.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// What a run does, and what it leaves alone: some sentences in Markdown.
    pub about: &'static str,
    /// A check of this kind as it stands in agent.toml, with the mailbox that it names.
    pub example: &'static str,
    /// The timed parts of a run, in the order in which they usually come.
    pub phases: Vec<Part>,
    /// The rules whose violations are findings.
    pub rules: Vec<&'static Rule>,
}

/// A timed part of a run, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// As in `arrival=2s` and in facts.
    pub name: &'static str,
    /// What is timed.
    pub help: &'static str,
}

impl Part {
    /// A part, by its fields in their order.
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, help }
    }
}

pub(super) const RESOLVE: Part = Part::new(name::RESOLVE, "look-up of the server's addresses");
pub(super) const CONNECT: Part = Part::new(name::CONNECT, "TCP connection");
pub(super) const TLS: Part =
    Part::new(name::TLS, "TLS handshake, with the command before it where there is one");
pub(super) const GREETING: Part =
    Part::new(name::GREETING, "the server's greeting, and what it says that it can do");
pub(super) const TOKEN: Part = Part::new(
    name::TOKEN,
    "an access token is had from a token server; absent where one was kept, or where there is a password",
);
pub(super) const AUTH: Part = Part::new(name::AUTH, "sign-in");
