//! What a check of the kind `smtp` can be told.

use lettre::transport::smtp::extension::ClientId;
use regex::Regex;

use super::super::tls::{ACCEPT, CRITICAL, PIN, Terms, WARN};
use super::super::{Section, Setting, Surroundings, pattern};
use crate::config::server::{Protocol, of_check, settings};
use crate::mail::endpoint::{Endpoint, Tls};

/// The settings of one check.
pub(super) struct Settings {
    pub(super) endpoint: Endpoint,
    pub(super) hello: Option<ClientId>,
    pub(super) terms: Terms,
    pub(super) expect: Expect,
    pub(super) envelope: Envelope,
}

/// What must be so.
pub(super) struct Expect {
    pub(super) greeting: Option<Regex>,
    pub(super) name: Option<String>,
    pub(super) extensions: Vec<String>,
    pub(super) no_extensions: Vec<String>,
    pub(super) auth: Vec<String>,
    pub(super) no_auth: Vec<String>,
    pub(super) no_auth_before_tls: bool,
    /// In bytes; 0 for no matter.
    pub(super) size_min: u64,
    pub(super) starttls: Option<bool>,
}

/// Which recipients are asked about.
pub(super) struct Envelope {
    /// Empty for the null reverse-path.
    pub(super) from: String,
    pub(super) relay_to: Option<String>,
    pub(super) taken: Vec<String>,
    pub(super) refused: Vec<String>,
}

pub(super) const SETTINGS: &[Setting] = &[
    settings::HOST,
    settings::MAILBOX,
    Setting::new(
        "tls",
        "\"starttls\" | \"implicit\" | \"opportunistic\" | \"none\"",
        Some("starttls"),
        "how TLS begins; with opportunistic, where it is offered, and any certificate will do",
    ),
    Setting::new("port", "number", Some("587, 465 or 25, by tls"), "its port"),
    settings::CA_FILE,
    settings::LOGIN,
    settings::PASSWORD,
    settings::PASSWORD_FILE,
    settings::PASSWORD_ENV,
    settings::GRANT,
    settings::TENANT,
    settings::TOKEN_URL,
    settings::SCOPE,
    settings::CLIENT_ID,
    settings::CLIENT_SECRET_ENV,
    settings::REFRESH_TOKEN_ENV,
    settings::KEY_FILE,
    settings::MECHANISM,
    Setting::new("hello", "host", Some("our address"), "the name that we give in EHLO"),
    Setting::new(
        "expect_greeting",
        "regular expression",
        Some("none"),
        "must match the greeting's text",
    ),
    Setting::new(
        "expect_name",
        "host",
        Some("none"),
        "the name that the server must give in answer to EHLO",
    ),
    Setting::new(
        "expect_extensions",
        "list of keywords",
        Some("none"),
        "must be offered, before TLS or after it: \"PIPELINING\", \"8BITMIME\"",
    ),
    Setting::new("forbid_extensions", "list of keywords", Some("none"), "must be offered nowhere"),
    Setting::new(
        "expect_auth",
        "list of mechanisms",
        Some("none"),
        "must be offered in the end, after TLS where there is TLS",
    ),
    Setting::new("forbid_auth", "list of mechanisms", Some("none"), "must be offered nowhere"),
    Setting::new(
        "forbid_auth_before_tls",
        "true | false",
        Some("false"),
        "whether AUTH offered before TLS fails the run; it is a finding all the same",
    ),
    Setting::new(
        "expect_size_min",
        "size",
        Some("0B"),
        "a smaller SIZE limit fails the run; no limit is large enough",
    ),
    Setting::new(
        "expect_starttls",
        "true | false",
        Some("no matter"),
        "whether STARTTLS must be offered, or must not be",
    ),
    Setting::new(
        "from",
        "address",
        Some("the null reverse-path"),
        "the sender in the questions below",
    ),
    Setting::new(
        "relay_to",
        "address",
        Some("none"),
        "an address outside that the server must refuse before anybody has signed in: the open-relay look",
    ),
    Setting::new("recipient", "list of addresses", Some("none"), "must be accepted in RCPT TO"),
    Setting::new(
        "refused_recipient",
        "list of addresses",
        Some("none"),
        "must be refused in RCPT TO",
    ),
    ACCEPT,
    WARN,
    CRITICAL,
    PIN,
];

/// Reads the settings of a check; all mistakes are reported to the section.
pub(super) fn read(section: &mut Section<'_>, surroundings: &Surroundings) -> Option<Settings> {
    let smtp = |mailbox: &crate::mail::mailbox::Mailbox| Some(mailbox.settings().smtp.clone());
    let endpoint = of_check(section, surroundings, Protocol::Smtp, smtp);
    let hello = section.hello("hello").map(ClientId::Domain);
    let terms = Terms::read(section);
    let expect = expect(section);
    let envelope = envelope(section);
    if endpoint.as_ref().is_some_and(|endpoint| endpoint.tls == Tls::Implicit)
        && expect.starttls == Some(true)
    {
        let words = "expect_starttls makes no sense beside tls = \"implicit\"";
        section.mistake("expect_starttls", words.to_owned());
    }
    let endpoint = endpoint.filter(|_| section.is_clean())?;
    Some(Settings { endpoint, hello, terms, expect, envelope })
}

fn expect(section: &mut Section<'_>) -> Expect {
    let mut words = |key: &str| -> Vec<String> {
        section.texts(key).iter().map(|word| word.to_ascii_uppercase()).collect()
    };
    let (extensions, no_extensions) = (words("expect_extensions"), words("forbid_extensions"));
    let (auth, no_auth) = (words("expect_auth"), words("forbid_auth"));
    let starttls = section.has("expect_starttls");
    Expect {
        greeting: pattern::read(section, "expect_greeting"),
        name: section.text("expect_name"),
        extensions,
        no_extensions,
        auth,
        no_auth,
        no_auth_before_tls: section.flag("forbid_auth_before_tls", false),
        size_min: section.size("expect_size_min", 0),
        starttls: starttls.then(|| section.flag("expect_starttls", true)),
    }
}

fn envelope(section: &mut Section<'_>) -> Envelope {
    let from = section.mail_address("from").unwrap_or_default();
    let relay_to = section.mail_address("relay_to");
    let taken = section.mail_addresses("recipient");
    let refused = section.mail_addresses("refused_recipient");
    if taken.len().saturating_add(refused.len()) > 20 {
        section.mistake("recipient", "20 recipients are asked about at most".to_owned());
    }
    Envelope { from, relay_to, taken, refused }
}
