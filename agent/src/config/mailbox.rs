//! `[[mailbox]]`: an address, where mail for it is handed in, and where it is read.

use super::password::{self, Password};
use super::section::Section;
use crate::mail::endpoint::{Endpoint, Login, Tls};
use crate::mail::mailbox::MailboxSettings;
use crate::net::TlsTrust;

/// One mailbox as resolved.
#[derive(Clone, Debug)]
pub struct MailboxConfig {
    /// As the mail layer wants them.
    pub settings: MailboxSettings,
    /// The settings in their canonical text, passwords left out.
    pub canonical: String,
}

impl MailboxConfig {
    /// A mailbox that leads nowhere, to go on reading with after a mistake.
    pub fn stand_in(name: &str) -> Self {
        let server = Endpoint {
            host: "stand-in.invalid".into(),
            port: 25,
            tls: Tls::None,
            trust: TlsTrust::native(),
            login: None,
        };
        let settings = MailboxSettings {
            name: name.to_owned(),
            address: "nobody@stand-in.invalid".into(),
            smtp: server.clone(),
            imap: server,
            junk_folder: None,
            hello: None,
        };
        Self { settings, canonical: String::new() }
    }
}

/// The words of `tls`. With `opportunistic`, STARTTLS is used where it is offered and no certificate is
/// required, as between mail exchangers (RFC 7435); for mail straight to the MX only.
const TLS_WORDS: &[(&str, Tls)] = &[
    ("starttls", Tls::StartTls),
    ("implicit", Tls::Implicit),
    ("none", Tls::None),
    ("opportunistic", Tls::Opportunistic),
];

/// The keys of a mailbox, which `--set` mixes with those of a check.
pub const KEYS: &[&str] =
    &["address", "login", "password", "password_env", "password_file", "smtp", "imap"];

/// Reads one mailbox; `None` when anything was wrong. `name` is the name it has already.
pub fn read(section: &mut Section<'_>, name: &str) -> Option<MailboxConfig> {
    let address = section.required_text("address");
    if let Some(address) = address.as_deref().filter(|address| !is_address(address)) {
        let message = format!("address must be like probe@example.org, not \"{address}\"");
        section.mistake("address", message);
    }
    let login = section.text("login").or_else(|| address.clone());
    let password = password::read(section);
    let account = Account { login, password };
    let (smtp, hello) = match section.required_table("smtp") {
        Some(mut table) => {
            let hello = hello(&mut table);
            (server(table, Protocol::Smtp, &account), hello)
        }
        None => (None, None),
    };
    let (imap, junk_folder) = match section.required_table("imap") {
        Some(mut table) => {
            let junk_folder = table.text("junk_folder");
            (server(table, Protocol::Imap, &account), junk_folder)
        }
        None => (None, None),
    };
    if !section.is_clean() {
        return None;
    }
    let settings = MailboxSettings {
        name: name.to_owned(),
        address: address?,
        smtp: smtp?,
        imap: imap?,
        junk_folder,
        hello,
    };
    Some(MailboxConfig { settings, canonical: section.canonical() })
}

/// The name for EHLO.
fn hello(section: &mut Section<'_>) -> Option<String> {
    let hello = section.text("hello")?;
    if !is_host(&hello) {
        section.mistake("hello", format!("hello must be a host's name, not \"{hello}\""));
    }
    Some(hello)
}

/// What a mailbox says about signing in, for each of its servers that says nothing else.
struct Account {
    login: Option<String>,
    password: Password,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Smtp,
    Imap,
}

impl Protocol {
    const fn default_tls(self) -> Tls {
        match self {
            Self::Smtp => Tls::StartTls,
            Self::Imap => Tls::Implicit,
        }
    }

    const fn default_port(self, tls: Tls) -> u16 {
        match (self, tls) {
            (Self::Smtp, Tls::StartTls) => 587,
            (Self::Smtp, Tls::Implicit) => 465,
            (Self::Smtp, Tls::Opportunistic | Tls::None) => 25,
            (Self::Imap, Tls::Implicit) => 993,
            (Self::Imap, Tls::StartTls | Tls::Opportunistic | Tls::None) => 143,
        }
    }

    fn tls_words(self) -> &'static [(&'static str, Tls)] {
        match self {
            Self::Smtp => TLS_WORDS,
            Self::Imap => TLS_WORDS.split_last().map_or(TLS_WORDS, |(_opportunistic, rest)| rest),
        }
    }
}

fn server(mut section: Section<'_>, protocol: Protocol, account: &Account) -> Option<Endpoint> {
    let host = section.required_text("host");
    if let Some(host) = host.as_deref().filter(|host| !is_host(host)) {
        let example = "such as \"mail.example.org\" (the port has a key of its own)";
        let message = format!("host must be a name or an address, {example}, not \"{host}\"");
        section.mistake("host", message);
    }
    let tls = section.choice("tls", protocol.tls_words(), protocol.default_tls());
    let port = section.number("port", protocol.default_port(tls), 1..=u16::MAX);
    let trust = trust(&mut section, tls);
    let login = login(&mut section, protocol, port, account);
    if tls == Tls::None && login.is_some() && !host.as_deref().is_some_and(is_loopback) {
        section.warning("tls", "without TLS the password goes over the wire as it is");
    }
    let clean = section.is_clean();
    section.finish();
    if clean { Some(Endpoint { host: host?, port, tls, trust, login }) } else { None }
}

fn trust(section: &mut Section<'_>, tls: Tls) -> TlsTrust {
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
    protocol: Protocol,
    port: u16,
    account: &Account,
) -> Option<Login> {
    let own_login = section.text("login");
    let own_password = password::read(section);
    // On port 25 nobody signs in, unless this very server is told to.
    let inherits = protocol == Protocol::Imap || port != 25 || own_login.is_some();
    let password = match own_password {
        Password::Absent if inherits => account.password.clone(),
        own => own,
    };
    if protocol == Protocol::Imap && matches!(password, Password::Absent) {
        section.mistake("password", "password is missing: an IMAP server wants one".into());
    }
    let login = match (own_login.or_else(|| account.login.clone()), password) {
        (Some(user), Password::Known(password)) => Some(Login { user, password }),
        _ => None,
    };
    section.record("sign_in_as", login.as_ref().map_or("nobody", |login| &login.user));
    login
}

/// Enough to tell an address from a slip; the server judges the rest.
fn is_address(text: &str) -> bool {
    let sound = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '<' | '>' | ',');
    text.rsplit_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.is_empty() && !local.contains('@') && text.chars().all(sound)
    })
}

fn is_host(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok()
        || text.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, ok) in [
            ("probe@good.test", true),
            ("a.b+c@xn--bcher-kva.example", true),
            ("probe", false),
            ("@good.test", false),
            ("probe@", false),
            ("a b@good.test", false),
            ("<probe@good.test>", false),
            ("a@b@c", false),
            ("a@b,c@d", false),
        ] {
            assert_eq!(is_address(text), ok, "{text}");
        }
    }
}
