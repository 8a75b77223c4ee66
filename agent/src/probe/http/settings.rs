//! What a check of the kind `http` can be told.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use hyper::Method;
use regex::{Regex, RegexBuilder};
use url::Url;

use super::super::{Section, Setting};
use super::exchange::FOLDERS;
use crate::config::password::{self, Password};
use crate::config::server::{self, trust};
use crate::http;
use crate::mail::endpoint::Tls;
use crate::net::TlsTrust;
use crate::posture::shown;
use crate::secret::Secret;

const DEFAULT_MOST_BODY: u64 = 1024 * 1024;
const LARGEST_BODY: u64 = 16 * 1024 * 1024;
const DEFAULT_REDIRECTS: usize = 5;
const DEFAULT_CERTIFICATE_DAYS: u64 = 14;
/// The most bytes of one compiled expression.
const LARGEST_EXPRESSION: usize = 1024 * 1024;
/// The most expressions of a kind.
const MOST_EXPRESSIONS: usize = 32;

/// What is fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pages {
    /// One page.
    One(Url),
    /// The health pages of an Exchange server.
    Exchange { host: Url, folders: Vec<(&'static str, &'static str)> },
    /// Thunderbird's configuration of a domain.
    Autoconfig { domain: String },
    /// Outlook's.
    Autodiscover { domain: String },
}

/// What a page must be.
#[derive(Clone, Debug)]
pub(super) struct Expectations {
    pub(super) status: Vec<RangeInclusive<u16>>,
    /// Names of header fields, and what one of their values must be like.
    pub(super) headers: Vec<(String, Regex)>,
    /// What must be found.
    pub(super) body: Vec<Regex>,
    /// What must not be found.
    pub(super) forbidden: Vec<Regex>,
}

impl Expectations {
    /// `200 to 299 or 401`.
    pub(super) fn status_words(&self) -> String {
        let words: Vec<_> = self
            .status
            .iter()
            .map(|range| match (range.start(), range.end()) {
                (one, end) if one == end => one.to_string(),
                (start, end) => format!("{start} to {end}"),
            })
            .collect();
        words.join(" or ")
    }
}

/// The settings of one check.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) pages: Pages,
    pub(super) method: Method,
    pub(super) expectations: Expectations,
    pub(super) expect_servers: Vec<String>,
    pub(super) most_body: usize,
    pub(super) redirects: usize,
    pub(super) certificate_days: u64,
    pub(super) trust: TlsTrust,
    pub(super) connect_to: Option<SocketAddr>,
    pub(super) address: Option<String>,
    pub(super) login: Option<String>,
    pub(super) password: Option<Secret>,
}

const fn setting(
    name: &'static str,
    form: &'static str,
    default: &'static str,
    help: &'static str,
) -> Setting {
    Setting { name, form, default: Some(default), help }
}

pub(super) const SETTINGS: &[Setting] = &[
    setting("url", "https or http URL", "none", "the page; this or pages is required"),
    setting(
        "pages",
        "\"exchange\" | \"autoconfig\" | \"autodiscover\"",
        "none",
        "the pages that such a host or domain must have, instead of a url",
    ),
    setting("host", "host, or host:port", "none", "the server, with pages = \"exchange\""),
    setting(
        "folders",
        "list of folders",
        "all eight",
        "with pages = \"exchange\": owa, ecp, ews, mapi, rpc, oab, autodiscover, Microsoft-Server-ActiveSync",
    ),
    setting(
        "domain",
        "domain",
        "none",
        "the domain, with pages = \"autoconfig\" or \"autodiscover\"",
    ),
    setting(
        "address",
        "address",
        "none",
        "the mailbox to ask for, with pages = \"autoconfig\" or \"autodiscover\"",
    ),
    setting(
        "expect_servers",
        "list of protocol:host:port",
        "none",
        "what autoconfig or autodiscover must announce, such as \"imap:mail.example.org:993\"",
    ),
    setting("method", "\"GET\" | \"HEAD\" | \"OPTIONS\"", "GET", "how the page is asked for"),
    setting("expect_status", "list of numbers or ranges", "200-299", "what the page must answer"),
    setting(
        "expect_header",
        "list of \"Name: expression\"",
        "none",
        "header fields that must be there, each like its regular expression",
    ),
    setting("expect_body", "list of expressions", "none", "what all must be found in the page"),
    setting("forbid_body", "list of expressions", "none", "what must not be found in the page"),
    setting("max_body", "size", "1MiB", "how much of the page is read, up to 16MiB"),
    setting(
        "redirects",
        "number",
        "5",
        "how many redirects are followed; from https to https only",
    ),
    setting(
        "certificate_days",
        "number of days",
        "14",
        "a certificate that expires sooner is a finding",
    ),
    setting("ca_file", "path", "the host's own", "whose certificates to trust"),
    setting(
        "connect_to",
        "address, or address:port",
        "as DNS says",
        "connect there, whatever address the name has",
    ),
    setting("login", "text", "none", "who signs in by HTTP Basic, over https only"),
    server::settings::PASSWORD,
    server::settings::PASSWORD_FILE,
    server::settings::PASSWORD_ENV,
];

/// Reads the settings of a check; all mistakes are reported to the section.
pub(super) fn read(section: &mut Section<'_>) -> Option<Settings> {
    let pages = pages(section);
    let methods = [("GET", 0), ("HEAD", 1), ("OPTIONS", 2)];
    let method = match section.choice("method", &methods, 0) {
        1 => Method::HEAD,
        2 => Method::OPTIONS,
        _ => Method::GET,
    };
    let expectations = Expectations {
        status: statuses(section),
        headers: headers(section),
        body: expressions(section, "expect_body"),
        forbidden: expressions(section, "forbid_body"),
    };
    if method == Method::HEAD && !expectations.body.is_empty() {
        let message = "a page that is asked for by HEAD has no body to be expected".to_owned();
        section.mistake("expect_body", message);
    }
    let expect_servers = section.texts("expect_servers");
    let most_body = section.size_within("max_body", DEFAULT_MOST_BODY, 1..=LARGEST_BODY);
    let redirects = section.number("redirects", DEFAULT_REDIRECTS, 0..=20);
    let certificate_days = section.number("certificate_days", DEFAULT_CERTIFICATE_DAYS, 0..=1_000);
    let trust = trust(section, Tls::Implicit);
    let connect_to = connect_to(section, pages.as_ref());
    let (login, password) = login(section, pages.as_ref());
    let address = section.mail_address("address");
    let pages = pages.filter(|_| section.is_clean())?;
    Some(Settings {
        pages,
        method,
        expectations,
        expect_servers,
        most_body: usize::try_from(most_body).unwrap_or(usize::MAX),
        redirects,
        certificate_days,
        trust,
        connect_to,
        login: login.or_else(|| address.clone()),
        address,
        password,
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Preset {
    Exchange,
    Autoconfig,
    Autodiscover,
}

fn pages(section: &mut Section<'_>) -> Option<Pages> {
    let words = [
        ("exchange", Some(Preset::Exchange)),
        ("autoconfig", Some(Preset::Autoconfig)),
        ("autodiscover", Some(Preset::Autodiscover)),
    ];
    let preset = section.choice("pages", &words, None);
    let url = section.text("url");
    if preset.is_some() && url.is_some() {
        section.mistake("url", "name a url or pages, not both".to_owned());
    }
    match preset {
        None => {
            if url.is_none() {
                section.require("url");
            }
            let url = http::url(&url?).map_err(|error| {
                section.mistake("url", format!("url: {error}"));
            });
            url.ok().map(Pages::One)
        }
        Some(Preset::Exchange) => {
            let endpoint = section.required_endpoint("host", Some(443));
            let folders = folders(section);
            let host = http::url(&format!("https://{}/", endpoint?)).map_err(|error| {
                section.mistake("host", format!("host: {error}"));
            });
            host.ok().map(|host| Pages::Exchange { host, folders })
        }
        Some(preset) => {
            let domain = shown(&section.required_domain("domain")?);
            Some(match preset {
                Preset::Autoconfig => Pages::Autoconfig { domain },
                _ => Pages::Autodiscover { domain },
            })
        }
    }
}

fn folders(section: &mut Section<'_>) -> Vec<(&'static str, &'static str)> {
    let named = section.texts("folders");
    if named.is_empty() {
        return FOLDERS.to_vec();
    }
    let mut folders = Vec::new();
    for name in named {
        match FOLDERS.iter().find(|(folder, _)| folder.eq_ignore_ascii_case(&name)) {
            Some(folder) => folders.push(*folder),
            None => section.mistake("folders", format!("Exchange has no folder \"{name}\"")),
        }
    }
    folders
}

fn statuses(section: &mut Section<'_>) -> Vec<RangeInclusive<u16>> {
    let texts = section.texts("expect_status");
    let mut ranges = Vec::new();
    for text in &texts {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        match (from.trim().parse(), to.trim().parse()) {
            (Ok(from), Ok(to)) if 100 <= from && from <= to && to <= 599 => ranges.push(from..=to),
            _ => {
                let message = format!(
                    "\"{text}\" is neither a status such as 200 nor a range such as 200-299"
                );
                section.mistake("expect_status", message);
            }
        }
    }
    if texts.is_empty() { vec![200..=299] } else { ranges }
}

fn headers(section: &mut Section<'_>) -> Vec<(String, Regex)> {
    let mut headers = Vec::new();
    for text in section.texts("expect_header") {
        match text.split_once(':') {
            Some((name, like)) if !name.trim().is_empty() => {
                if let Some(expression) = expression(section, "expect_header", like.trim()) {
                    headers.push((name.trim().to_ascii_lowercase(), expression));
                }
            }
            _ => {
                let message = format!("write \"Name: expression\", not \"{text}\"");
                section.mistake("expect_header", message);
            }
        }
    }
    headers
}

fn expressions(section: &mut Section<'_>, key: &str) -> Vec<Regex> {
    let texts = section.texts(key);
    if texts.len() > MOST_EXPRESSIONS {
        section.mistake(key, format!("there may be {MOST_EXPRESSIONS} at most"));
    }
    texts.iter().filter_map(|text| expression(section, key, text)).collect()
}

fn expression(section: &mut Section<'_>, key: &str, text: &str) -> Option<Regex> {
    match RegexBuilder::new(text).size_limit(LARGEST_EXPRESSION).build() {
        Ok(expression) => Some(expression),
        Err(error) => {
            let why = error.to_string();
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
            section.mistake(key, format!("\"{text}\" is no regular expression: {why}"));
            None
        }
    }
}

fn connect_to(section: &mut Section<'_>, pages: Option<&Pages>) -> Option<SocketAddr> {
    let text = section.text("connect_to")?;
    let usual = match pages {
        Some(Pages::One(url) | Pages::Exchange { host: url, .. }) => {
            url.port_or_known_default().unwrap_or(443)
        }
        _ => 443,
    };
    let address = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, usual));
    let address = address.or_else(|_| text.parse());
    if address.is_err() {
        let message =
            "connect_to must be an address such as 192.0.2.7, 192.0.2.7:8443 or [2001:db8::7]:443";
        section.mistake("connect_to", message.to_owned());
    }
    if address.as_ref().is_ok_and(|address| http::is_of_others(address.port())) {
        let message = "connect_to has the port of another protocol".to_owned();
        section.mistake("connect_to", message);
    }
    address.ok()
}

fn login(section: &mut Section<'_>, pages: Option<&Pages>) -> (Option<String>, Option<Secret>) {
    let login = section.text("login");
    let password = match password::read(section) {
        Password::Known(password) => Some(password),
        Password::Absent | Password::Wrong => None,
    };
    if login.is_some() && password.is_none() {
        section.mistake("login", "a login wants a password beside it".to_owned());
    }
    let is_plain = matches!(pages, Some(Pages::One(url)) if url.scheme() == "http");
    if password.is_some() && is_plain {
        let message = "over http everybody on the way reads the password: use https".to_owned();
        section.mistake("password", message);
    }
    (login, password)
}
