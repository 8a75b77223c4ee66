//! E-mail, through a relay that is not the mail system that we watch.
//!
//! ```toml
//! kind = "email"
//! relay = "smtp.relay.example.net"   # not one of the hosts that checks watch
//! #port = 587                        # 465 with tls = "implicit", 25 with "none"
//! #tls = "starttls"                  # or "implicit", or "none" to this very machine or without a user
//! user = "mailsonde"
//! password_file = "relay.password"
//! from = "Mailsonde <mailsonde@example.net>"
//! to = ["ops@example.net", "desk@example.net"]
//! ```
//!
//! What follows answers the first message (In-Reply-To, References). `Auto-Submitted: auto-generated` (RFC 3834) keeps
//! vacations quiet. Limits: 50 recipients; some of them refused are told, all of them refused is no success. 250 says
//! that the relay has it, so nothing is `confirmed`. A relay that a check watches is refused unless `watched_relay` is
//! true: news of an outage must not wait for its end. Absent on purpose: a queue, which the delivery is.

mod bulk;
mod compose;
mod smtp;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use lettre::Address;
use lettre::message::Mailbox;
use mailsonde_proto::Clock;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::source::{PASSWORD, Source};
use super::{Channel, Handle, Outcome, Parcel, Post};
use crate::identity::{HostName, https_config};
use crate::secret::Secret;

/// The kind of channels that carry mail.
pub const EMAIL: &str = "email";
const MAX_RECIPIENTS: usize = 50;
/// Handing over a mail may take as long as so many exchanges over HTTP.
const EXCHANGES: u32 = 4;

/// When TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encryption {
    /// After STARTTLS (RFC 3207).
    StartTls,
    /// At once (RFC 8314 section 3).
    Implicit,
    /// Never.
    None,
}

impl Encryption {
    const fn port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Implicit => 465,
            Self::None => 25,
        }
    }
}

/// Whom to hand mail to, and as whom.
struct Relay {
    host: String,
    port: u16,
    tls: Encryption,
    name: ServerName<'static>,
    connector: TlsConnector,
    login: Option<(String, Secret)>,
    /// Until all of it is over.
    limit: Duration,
}

struct Email {
    relay: Relay,
    from: Mailbox,
    to: Vec<Mailbox>,
    clock: Clock,
}

impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Email").field("relay", &self.relay.host).finish_non_exhaustive()
    }
}

/// Reads its settings.
pub(super) fn read(source: &mut Source<'_, '_>) -> Option<Arc<dyn Channel>> {
    let relay = relay(source);
    source.section.require("from", "such as from = \"Mailsonde <mailsonde@example.org>\"");
    let from = source.section.read("from", mailbox);
    source.section.require("to", "to whom, such as to = [\"ops@example.org\"]");
    let to = source.section.list("to", MAX_RECIPIENTS, mailbox);
    if source.section.is_empty("to") {
        source.section.wrong("to", "to is empty: there must be somebody to write to");
    }
    let to = to.into_iter().map(|(_, mailbox)| mailbox).collect();
    Some(Arc::new(Email { relay: relay?, from: from?, to, clock: Clock::system() }))
}

fn relay(source: &mut Source<'_, '_>) -> Option<Relay> {
    source.section.require("relay", "the host that mail is handed to");
    let host = source.section.read("relay", |text| text.parse::<HostName>());
    let tls = source.section.read("tls", |text| match text {
        "starttls" => Ok(Encryption::StartTls),
        "implicit" => Ok(Encryption::Implicit),
        "none" => Ok(Encryption::None),
        _ => Err("must be \"starttls\", \"implicit\" or \"none\""),
    });
    let tls = tls.unwrap_or(Encryption::StartTls);
    let port = source.section.whole("port", 1..=u64::from(u16::MAX));
    let port = port.and_then(|port| u16::try_from(port).ok()).unwrap_or(tls.port());
    let user = source.word_if_any("user", 256);
    let password = source.secret_if_any(PASSWORD);
    let has_password = source.section.has(PASSWORD.file) || source.section.has(PASSWORD.env);
    if source.section.has("user") != has_password {
        source.section.wrong("user", "user and password_file (or password_env) must both be there");
    }
    let is_watched = source.section.flag("watched_relay");
    let host = host?;
    let shown = host.to_string();
    if user.is_some() && tls == Encryption::None && !host.is_loopback() {
        source.section.wrong(
            "tls",
            "tls: a password is never sent without TLS: write tls = \"starttls\" or \"implicit\"",
        );
    }
    if let Some(check) = (source.relays_watched)(&shown).filter(|_| !is_watched) {
        source.section.wrong(
            "relay",
            format!(
                "relay: the check {check} watches {shown}: news of its outage would wait for its end; name another \
                 relay, or write watched_relay = true"
            ),
        );
    }
    let (_, roots) = source.roots()?;
    let config = https_config(roots);
    let mut config = config.map_err(|error| source.section.wrong("tls", error)).ok()?;
    // mail servers know no protocol names (RFC 7301), and some refuse those that they do not know
    config.alpn_protocols.clear();
    let name = ServerName::try_from(shown.clone()).ok()?;
    let connector = TlsConnector::from(Arc::new(config));
    let limit = source.outwards.limit() * EXCHANGES;
    let login = user.zip(password);
    Some(Relay { host: shown, port, tls, name, connector, login, limit })
}

fn mailbox(text: &str) -> Result<Mailbox, String> {
    let form = || format!("must be an address such as \"Ops <ops@example.org>\", not \"{text}\"");
    let mailbox: Mailbox = text.parse().ok().ok_or_else(form)?;
    let address: &Address = &mailbox.email;
    // what is not ASCII needs SMTPUTF8 (RFC 6531), which many relays have not
    if AsRef::<str>::as_ref(address).is_ascii() { Ok(mailbox) } else { Err(form()) }
}

impl Channel for Email {
    fn send<'a>(&'a self, post: Post<'a>) -> BoxFuture<'a, Outcome> {
        async move {
            let composed = compose::Letter {
                message: post.message,
                earlier: post.earlier.map(|handle| handle.0.as_str()),
                from: &self.from,
                to: &self.to,
                date: self.clock.wall(),
            };
            let (id, bytes) = match composed.compose() {
                Ok(letter) => letter,
                Err(why) => return Outcome::Refused { why },
            };
            let to: Vec<_> = self.to.iter().map(|mailbox| mailbox.email.clone()).collect();
            let envelope = smtp::Envelope { from: &self.from.email, to: &to };
            match Box::pin(smtp::hand_over(&self.relay, envelope, &bytes)).await {
                Ok(said) => Outcome::Sent { handle: Handle::of(id), confirmed: false, said },
                Err(failed) => failed,
            }
        }
        .boxed()
    }

    fn carry<'a>(&'a self, parcel: &'a Parcel) -> Option<BoxFuture<'a, Outcome>> {
        let carried = async move {
            let to = if parcel.to.is_empty() { &self.to } else { &parcel.to };
            let (id, bytes) = match bulk::compose(parcel, (&self.from, to), self.clock.wall()) {
                Ok(mail) => mail,
                Err(why) => return Outcome::Refused { why },
            };
            let to: Vec<_> = to.iter().map(|mailbox| mailbox.email.clone()).collect();
            let envelope = smtp::Envelope { from: &self.from.email, to: &to };
            match Box::pin(smtp::hand_over(&self.relay, envelope, &bytes)).await {
                Ok(said) => Outcome::Sent { handle: Handle::of(id), confirmed: false, said },
                Err(failed) => failed,
            }
        };
        Some(carried.boxed())
    }

    fn kind(&self) -> &'static str {
        EMAIL
    }

    fn destination(&self) -> String {
        let to: Vec<_> = self.to.iter().map(|mailbox| mailbox.email.to_string()).collect();
        format!("{} by {}", to.join(", "), self.relay.host)
    }
}

#[cfg(test)]
mod tests;
