//! Mail as a probe sees it: timed, bounded, suspicious of every server.
//!
//! The conversations (`smtp`, `imap`, `pop3`) run over `wire`, which bounds what a server may say and writes the
//! transcript; `dial` opens a wire with its phases. `mailbox` keeps watch for messages that carry a
//! `token`. A server that does not do what it should is a [`Failure`], which is data: it carries the
//! fault as it is reported. Absent on purpose: any verdict about a run (the probe's matter).

pub mod endpoint;
pub mod failure;

pub mod message;
pub mod token;

pub mod headers;
pub mod verify;

pub mod bounce;
pub mod dsn;

pub mod dial;
pub mod starttls;
pub mod wire;

pub mod oauth;
pub mod sasl;

pub mod imap;
pub mod pop3;
pub mod smtp;

pub mod mailbox;

#[cfg(test)]
pub(crate) mod sandbox;

pub use endpoint::{Credential, Endpoint, Login, Tls};
pub use failure::Failure;
