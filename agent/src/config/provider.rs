//! `provider`: what is known of a platform, so that a mailbox on it takes five lines.
//!
//! Each preset is data, with its source; every key that it fills can be written to override it. Absent on
//! purpose: anything that only the operator knows (tenant, client, secrets), and anything done differently
//! for a provider in code.

use std::time::Duration;

use super::section::Section;
use super::server::Protocol;
use crate::mail::endpoint::Tls;
use crate::mail::mailbox::Habits;
use crate::mail::oauth::Mechanism;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// What is known of a platform.
#[derive(Debug, PartialEq, Eq)]
pub struct Provider {
    /// The word for it.
    pub name: &'static str,
    /// What `data_centre` may be, the default first, and what stands for it in `{dc}`.
    data_centres: &'static [(&'static str, &'static str)],
    smtp: Option<Server>,
    imap: Option<Server>,
    pop3: Option<Server>,
    /// Where its tokens come from.
    pub tokens: Option<Tokens>,
    /// The junk folder, where the server does not say (RFC 6154).
    junk_folder: Option<&'static str>,
    /// The folder into which it copies what is submitted, where the server does not say; `None` where it does
    /// not copy.
    sent_folder: Option<&'static str>,
    /// At most so many messages of one mailbox in such a time.
    most_messages: Option<(u32, Duration)>,
}

/// One of its servers; `{dc}` and `{host}` stand for keys of the mailbox.
#[derive(Debug, PartialEq, Eq)]
struct Server {
    host: &'static str,
    port: u16,
    tls: Tls,
}

/// Where its tokens come from.
#[derive(Debug, PartialEq, Eq)]
pub struct Tokens {
    /// The token endpoint; `{tenant}` stands for a key of `oauth2`.
    pub url: &'static str,
    /// The usual grant.
    pub grant: &'static str,
    /// The scope for each grant.
    pub scopes: &'static [(&'static str, &'static str)],
    /// What it is signed in by; `None` for whatever is offered.
    pub mechanism: Option<Mechanism>,
}

/// Microsoft 365 and Outlook. Servers: "POP, IMAP, and SMTP settings for Outlook.com" and "Set up POP3, IMAP
/// and SMTP in Exchange Online". Tokens: "Authenticate an IMAP, POP or SMTP connection using OAuth"
/// (client credentials need the application permissions IMAP.AccessAsApp, POP.AccessAsApp, SMTP.SendAsApp and
/// the mailbox permission; XOAUTH2 is the only mechanism). Rates: "Exchange Online limits": 30 messages a
/// minute and 3 connections at once by SMTP AUTH, answered beyond that by `432 4.3.2`. Submitted mail is copied
/// to Sent Items.
const MICROSOFT_365: Provider = Provider {
    name: "microsoft365",
    data_centres: &[],
    smtp: Some(Server { host: "smtp.office365.com", port: 587, tls: Tls::StartTls }),
    imap: Some(Server { host: "outlook.office365.com", port: 993, tls: Tls::Implicit }),
    pop3: Some(Server { host: "outlook.office365.com", port: 995, tls: Tls::Implicit }),
    tokens: Some(Tokens {
        url: "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
        grant: "client_credentials",
        scopes: &[
            ("client_credentials", "https://outlook.office365.com/.default"),
            (
                "refresh_token",
                "https://outlook.office.com/IMAP.AccessAsUser.All \
                 https://outlook.office.com/POP.AccessAsUser.All \
                 https://outlook.office.com/SMTP.Send offline_access",
            ),
        ],
        mechanism: Some(Mechanism::XOAuth2),
    }),
    junk_folder: Some("Junk Email"),
    sent_folder: Some("Sent Items"),
    most_messages: Some((30, MINUTE)),
};

/// Google Workspace and Gmail. Servers: "Add Gmail to another email client". Tokens: "Using OAuth 2.0 for Server
/// to Server Applications" (a service account with domain-wide delegation for the scope) and "OAuth 2.0
/// Mechanism". Rates: "Gmail sending limits in Google Workspace": 2,000 messages a day and user; 15 IMAP
/// connections at once. Submitted mail is copied to Sent Mail. What is removed by IMAP is archived unless the
/// mailbox's settings say "Move the message to the Trash".
const GOOGLE: Provider = Provider {
    name: "google",
    data_centres: &[],
    smtp: Some(Server { host: "smtp.gmail.com", port: 465, tls: Tls::Implicit }),
    imap: Some(Server { host: "imap.gmail.com", port: 993, tls: Tls::Implicit }),
    pop3: Some(Server { host: "pop.gmail.com", port: 995, tls: Tls::Implicit }),
    tokens: Some(Tokens {
        url: "https://oauth2.googleapis.com/token",
        grant: "service_account",
        scopes: &[
            ("service_account", "https://mail.google.com/"),
            ("refresh_token", "https://mail.google.com/"),
        ],
        mechanism: None,
    }),
    junk_folder: Some("[Gmail]/Spam"),
    sent_folder: Some("[Gmail]/Sent Mail"),
    most_messages: Some((2_000, DAY)),
};

/// Zoho Mail of an organisation; a personal account has `imap.`, `pop.` and `smtp.` for `imappro.` and so on.
/// "IMAP Access", "POP Access" and "SMTP Server Configuration" of Zoho Mail's help; the domain follows the data
/// centre of the account. Where two factors are on, an application-specific password is wanted.
const ZOHO: Provider = Provider {
    name: "zoho",
    data_centres: &[
        ("com", "com"),
        ("eu", "eu"),
        ("in", "in"),
        ("com.au", "com.au"),
        ("jp", "jp"),
        ("sa", "sa"),
    ],
    smtp: Some(Server { host: "smtppro.zoho.{dc}", port: 465, tls: Tls::Implicit }),
    imap: Some(Server { host: "imappro.zoho.{dc}", port: 993, tls: Tls::Implicit }),
    pop3: Some(Server { host: "poppro.zoho.{dc}", port: 995, tls: Tls::Implicit }),
    tokens: None,
    junk_folder: Some("Spam"),
    sent_folder: None,
    most_messages: None,
};

/// Exchange Server. "Receive connectors" (Client Frontend on 587), "POP3 and IMAP4 in Exchange Server".
const EXCHANGE: Provider = Provider {
    name: "exchange",
    data_centres: &[],
    smtp: Some(Server { host: "{host}", port: 587, tls: Tls::StartTls }),
    imap: Some(Server { host: "{host}", port: 993, tls: Tls::Implicit }),
    pop3: Some(Server { host: "{host}", port: 995, tls: Tls::Implicit }),
    tokens: None,
    junk_folder: Some("Junk Email"),
    sent_folder: None,
    most_messages: None,
};

/// Mailgun, which sends only: the mailbox is read elsewhere, by an `[mailbox.imap]` with a password of its
/// own. "SMTP" of Mailgun's documentation; each domain has a password of its own.
const MAILGUN: Provider = Provider {
    name: "mailgun",
    data_centres: &[("us", "smtp.mailgun.org"), ("eu", "smtp.eu.mailgun.org")],
    smtp: Some(Server { host: "{dc}", port: 587, tls: Tls::StartTls }),
    imap: None,
    pop3: None,
    tokens: None,
    junk_folder: None,
    sent_folder: None,
    most_messages: None,
};

/// All that are known.
pub const PROVIDERS: &[&Provider] = &[&MICROSOFT_365, &GOOGLE, &ZOHO, &EXCHANGE, &MAILGUN];

/// A provider and what its placeholders stand for.
#[derive(Clone, Debug)]
pub struct Preset {
    /// Which.
    pub provider: &'static Provider,
    data_centre: &'static str,
    host: String,
}

/// What a server's table need not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// Its name.
    pub host: String,
    /// How TLS begins.
    pub tls: Tls,
    /// Its port, with this TLS.
    pub port: u16,
}

impl Preset {
    /// Reads `provider`, and the keys that it brings: `data_centre` and `host`.
    pub fn read(section: &mut Section<'_>) -> Option<Self> {
        let words: Vec<_> =
            PROVIDERS.iter().map(|provider| (provider.name, Some(*provider))).collect();
        let provider = section.choice("provider", &words, None)?;
        let mut preset = Self { provider, data_centre: "", host: String::new() };
        if let Some((first, default)) = provider.data_centres.first() {
            preset.data_centre = section.choice("data_centre", provider.data_centres, default);
            if !section.has("data_centre") {
                section.record("data_centre", first);
            }
        }
        if provider.smtp.as_ref().is_some_and(|smtp| smtp.host.contains("{host}")) {
            preset.host = section.required_host("host").unwrap_or_default();
        }
        Some(preset)
    }

    /// What the table of such a server need not say; `None` where the provider has none.
    pub fn server(&self, protocol: Protocol) -> Option<Defaults> {
        let server = match protocol {
            Protocol::Smtp => self.provider.smtp.as_ref(),
            Protocol::Imap => self.provider.imap.as_ref(),
            Protocol::Pop3 => self.provider.pop3.as_ref(),
        }?;
        let host = server.host.replace("{dc}", self.data_centre).replace("{host}", &self.host);
        Some(Defaults { host, tls: server.tls, port: server.port })
    }

    /// What it is known to do with a mailbox.
    pub fn habits(&self) -> Habits {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Habits {
            junk_folder: owned(self.provider.junk_folder),
            sent_folder: owned(self.provider.sent_folder),
            clean_sent: self.provider.sent_folder.is_some(),
            most_messages: self.provider.most_messages,
        }
    }
}

#[cfg(test)]
mod tests;
