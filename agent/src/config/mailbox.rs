//! `[[mailbox]]`: an address, where mail for it is handed in, and where it is read.

use super::password;
use super::section::Section;
use super::server::{self, Account, Protocol, is_host};
use crate::mail::endpoint::{Endpoint, Tls};
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
            (server::read(table, Protocol::Smtp, &account), hello)
        }
        None => (None, None),
    };
    let (imap, junk_folder) = match section.required_table("imap") {
        Some(mut table) => {
            let junk_folder = table.text("junk_folder");
            (server::read(table, Protocol::Imap, &account), junk_folder)
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

/// Enough to tell an address from a slip; the server judges the rest.
fn is_address(text: &str) -> bool {
    let sound = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '<' | '>' | ',');
    text.rsplit_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.is_empty() && !local.contains('@') && text.chars().all(sound)
    })
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
