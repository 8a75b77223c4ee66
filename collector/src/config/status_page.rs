//! What `collector.toml` says of the status page for users: what it shows, in which words, and how mail programs are set up.

use std::fmt;

use url::Url;

/// The page for users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusPageConfig {
    /// What stands at its head, such as `E-mail at Example`.
    pub title: String,
    /// Whether everybody may see it; otherwise viewers, as every other page.
    pub is_public: bool,
    /// What it shows, in order.
    pub services: Vec<PageService>,
    /// Whom to ask, as a line for users; may be empty.
    pub contact: String,
    /// Where else to look.
    pub links: Vec<PageLink>,
    /// Under which URL users reach it, for links in feeds; `None`: that of operators.
    pub url: Option<Url>,
    /// How mail programs are set up.
    pub clients: Vec<MailClientConfig>,
}

/// A service on the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageService {
    /// Its name in `services.d`.
    pub name: String,
    /// What users call it; empty: as it is called there.
    pub title: String,
    /// What it is for; empty: as it is described there.
    pub description: String,
}

/// A link on the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageLink {
    /// What it leads to, in words.
    pub title: String,
    /// Where.
    pub url: Url,
}

/// How the mail programs of some users are set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailClientConfig {
    /// For whom, in words.
    pub name: String,
    /// What stands behind the `@` of their addresses; at least one.
    pub domains: Vec<String>,
    /// The user name, with [`EMAIL_ADDRESS`] and its parts.
    pub user: String,
    /// In the order in which they are recommended: at least one for incoming and one for outgoing mail.
    pub servers: Vec<MailServerConfig>,
}

/// A server that mail programs speak to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailServerConfig {
    /// What it speaks.
    pub protocol: MailProtocol,
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How TLS begins.
    pub tls: TlsBegins,
    /// How users sign in.
    pub sign_in: SignIn,
    /// Patterns of the checks that show whether it works; none: those in force whose settings name its host and port.
    pub checks: Vec<String>,
}

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MailProtocol {
    /// Mail is read, and stays at the server.
    Imap,
    /// Mail is fetched.
    Pop3,
    /// Mail is sent (RFC 6409).
    Submission,
}

/// How TLS begins (RFC 8314 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsBegins {
    /// With the connection.
    Implicit,
    /// By a command.
    StartTls,
}

/// How users sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignIn {
    /// By a password.
    Password,
    /// At the provider's own page.
    OAuth2,
}

/// Stands for a user's address, as Thunderbird's autoconfig writes it.
pub const EMAIL_ADDRESS: &str = "%EMAILADDRESS%";
/// Stands for what is before the `@`.
pub const EMAIL_LOCAL_PART: &str = "%EMAILLOCALPART%";
/// Stands for what is behind it.
pub const EMAIL_DOMAIN: &str = "%EMAILDOMAIN%";

impl MailProtocol {
    /// Its word in `collector.toml`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
            Self::Submission => "submission",
        }
    }

    /// Whether mail comes in by it.
    pub const fn is_incoming(self) -> bool {
        matches!(self, Self::Imap | Self::Pop3)
    }

    /// The port that is registered for it (RFC 8314 section 7, RFC 6409 section 3.1).
    pub const fn usual_port(self, tls: TlsBegins) -> u16 {
        match (self, tls) {
            (Self::Imap, TlsBegins::Implicit) => 993,
            (Self::Imap, TlsBegins::StartTls) => 143,
            (Self::Pop3, TlsBegins::Implicit) => 995,
            (Self::Pop3, TlsBegins::StartTls) => 110,
            (Self::Submission, TlsBegins::Implicit) => 465,
            (Self::Submission, TlsBegins::StartTls) => 587,
        }
    }
}

/// `IMAP`, as mail programs call it.
impl fmt::Display for MailProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Imap => "IMAP",
            Self::Pop3 => "POP3",
            Self::Submission => "SMTP",
        })
    }
}
