//! A mail server's table: where it is, how TLS begins, whose certificates count, who signs in.
//!
//! The same keys stand in a mailbox (`[mailbox.smtp]`) and in a check of one server, where `mailbox`
//! names the mailbox whose server is meant instead.

pub mod settings;

use std::sync::Arc;

use super::oauth2;
use super::password::{self, Password};
use super::provider::Preset;
use super::section::Section;
use crate::mail::endpoint::{Credential, Endpoint, Login, Tls};
use crate::mail::mailbox::Mailbox;
use crate::mail::oauth::TokenSource;
use crate::net::TlsTrust;
use crate::probe::Surroundings;

/// The words of `tls`. With `opportunistic`, STARTTLS is used where it is offered and no certificate is
/// required, as between mail exchangers (RFC 7435); for mail straight to the MX only.
const TLS_WORDS: &[(&str, Tls)] = &[
    ("starttls", Tls::StartTls),
    ("implicit", Tls::Implicit),
    ("none", Tls::None),
    ("opportunistic", Tls::Opportunistic),
];

/// What a mailbox says about signing in, for each of its servers that says nothing else.
pub struct Account {
    /// The login name.
    pub login: Option<String>,
    /// Its password.
    pub password: Password,
    /// Where its tokens come from, where it signs in by token.
    pub tokens: Option<Arc<TokenSource>>,
    /// What is known of its provider.
    pub preset: Option<Preset>,
}

impl Account {
    /// Nobody.
    pub const fn nobody() -> Self {
        Self { login: None, password: Password::Absent, tokens: None, preset: None }
    }
}

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// RFC 5321.
    Smtp,
    /// RFC 9051.
    Imap,
    /// RFC 1939.
    Pop3,
}

impl Protocol {
    /// How TLS begins when the table does not say (RFC 8314 section 3).
    pub const fn default_tls(self) -> Tls {
        match self {
            Self::Smtp => Tls::StartTls,
            Self::Imap | Self::Pop3 => Tls::Implicit,
        }
    }

    /// The port when the table does not say (RFC 8314 section 7).
    pub const fn default_port(self, tls: Tls) -> u16 {
        match (self, tls) {
            (Self::Smtp, Tls::StartTls) => 587,
            (Self::Smtp, Tls::Implicit) => 465,
            (Self::Smtp, Tls::Opportunistic | Tls::None) => 25,
            (Self::Imap, Tls::Implicit) => 993,
            (Self::Imap, Tls::StartTls | Tls::Opportunistic | Tls::None) => 143,
            (Self::Pop3, Tls::Implicit) => 995,
            (Self::Pop3, Tls::StartTls | Tls::Opportunistic | Tls::None) => 110,
        }
    }

    fn tls_words(self) -> &'static [(&'static str, Tls)] {
        match self {
            Self::Smtp => TLS_WORDS,
            Self::Imap | Self::Pop3 => {
                TLS_WORDS.split_last().map_or(TLS_WORDS, |(_opportunistic, rest)| rest)
            }
        }
    }
}

/// Reads a table that is a server's and nothing else. Where mail is read, somebody must sign in.
pub fn read(mut section: Section<'_>, protocol: Protocol, account: &Account) -> Option<Endpoint> {
    let endpoint = endpoint(&mut section, protocol, account, protocol != Protocol::Smtp);
    section.finish();
    endpoint
}

/// Reads a server's keys in a table that has others too: `host`, `port`, `tls`, `ca_file`, `login`,
/// `password`. Nobody signs in where no password is known.
pub fn keys(section: &mut Section<'_>, protocol: Protocol) -> Option<Endpoint> {
    endpoint(section, protocol, &Account::nobody(), false)
}

fn endpoint(
    section: &mut Section<'_>,
    protocol: Protocol,
    account: &Account,
    must_sign_in: bool,
) -> Option<Endpoint> {
    let preset = account.preset.as_ref().and_then(|preset| preset.server(protocol));
    let host = match &preset {
        Some(preset) if !section.has("host") => Some(section.text_or("host", &preset.host)),
        _ => section.required_host("host"),
    };
    let usual_tls = preset.as_ref().map_or(protocol.default_tls(), |preset| preset.tls);
    let tls = section.choice("tls", protocol.tls_words(), usual_tls);
    let usual_port = preset.filter(|preset| preset.tls == tls).map(|preset| preset.port);
    let port = usual_port.unwrap_or_else(|| protocol.default_port(tls));
    let port = section.number("port", port, 1..=u16::MAX);
    let trust = trust(section, tls);
    let login = login(section, (protocol, port), account, must_sign_in);
    if tls == Tls::None && login.is_some() && !host.as_deref().is_some_and(is_loopback) {
        section.warning("tls", "without TLS the password or token goes over the wire as it is");
    }
    if section.is_clean() { Some(Endpoint { host: host?, port, tls, trust, login }) } else { None }
}

/// The server that a check is about: that of the mailbox which `mailbox` names, or the one whose keys
/// stand in the check itself.
pub fn of_check(
    section: &mut Section<'_>,
    surroundings: &Surroundings,
    protocol: Protocol,
    of_mailbox: impl Fn(&Mailbox) -> Option<Endpoint>,
) -> Option<Endpoint> {
    if !section.has("mailbox") {
        return keys(section, protocol);
    }
    let name = section.text("mailbox")?;
    let mailbox = known_mailbox(section, surroundings, "mailbox", &name)?;
    let endpoint = of_mailbox(&mailbox);
    if endpoint.is_none() {
        section.mistake("mailbox", format!("the mailbox {name} has no server of this protocol"));
    }
    endpoint
}

/// The mailbox of this name; a mistake at `key` where there is none.
pub fn known_mailbox(
    section: &mut Section<'_>,
    surroundings: &Surroundings,
    key: &str,
    name: &str,
) -> Option<Arc<Mailbox>> {
    let mailbox = surroundings.mailboxes.get(name).map(Arc::clone);
    if mailbox.is_none() {
        let names: Vec<_> = surroundings.mailboxes.keys().map(String::as_str).collect();
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        section.mistake(key, format!("there is no mailbox {name}; configured are: {known}"));
    }
    mailbox
}

/// Whose certificates are accepted: those of `ca_file`, else the host's.
pub fn trust(section: &mut Section<'_>, tls: Tls) -> TlsTrust {
    let Some(path) = section.path("ca_file") else {
        return if tls == Tls::Opportunistic { TlsTrust::anybody() } else { TlsTrust::native() };
    };
    TlsTrust::ca_file(&path).unwrap_or_else(|error| {
        section.mistake("ca_file", error.to_string());
        TlsTrust::native()
    })
}

fn login(
    section: &mut Section<'_>,
    (protocol, port): (Protocol, u16),
    account: &Account,
    must_sign_in: bool,
) -> Option<Login> {
    let own_login = section.text("login");
    let own_password = password::read(section);
    let user = own_login.clone().or_else(|| account.login.clone());
    let own_tokens = oauth2::read(section, user.as_deref(), account.preset.as_ref());
    if own_tokens.is_some() && !matches!(own_password, Password::Absent) {
        section.mistake("oauth2", "sign in by password or by oauth2, not by both".to_owned());
    }
    // On port 25 nobody signs in, unless this very server is told to.
    let inherits = protocol != Protocol::Smtp || port != 25 || own_login.is_some();
    let (password, tokens) = match (own_password, own_tokens) {
        (Password::Absent, None) if inherits => (account.password.clone(), account.tokens.clone()),
        own => own,
    };
    if must_sign_in && matches!(password, Password::Absent) && tokens.is_none() {
        let server = if protocol == Protocol::Imap { "an IMAP" } else { "a POP3" };
        // Whom a provider gives tokens, and for what, only the operator knows.
        let tokens = account.preset.as_ref().filter(|preset| preset.provider.tokens.is_some());
        let words = match tokens {
            Some(preset) => format!(
                "nobody can sign in: add [oauth2], by which {} lets programs in, or a password where \
                 the account still has one",
                preset.provider.name
            ),
            None => format!("password is missing: {server} server wants one"),
        };
        section.mistake("password", words);
    }
    let credential = match (tokens, password) {
        (Some(tokens), _) => Some(Credential::Token(tokens)),
        (None, Password::Known(password)) => Some(Credential::Password(password)),
        (None, _) => None,
    };
    let login = user.zip(credential).map(|(user, credential)| Login { user, credential });
    section.record("sign_in_as", login.as_ref().map_or("nobody", |login| &login.user));
    login
}

/// Whether this machine is meant.
pub fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
