//! Reads `[status_page]` and `[[mail_client]]`.

use std::collections::BTreeSet;

use mailsonde_proto::check::is_name;
use url::{Host, Url};

use crate::config::Mistake;
use crate::config::section::Section;
use crate::config::status_page::{
    EMAIL_ADDRESS, EMAIL_DOMAIN, EMAIL_LOCAL_PART, MailClientConfig, MailProtocol,
    MailServerConfig, PageLink, PageService, SignIn, StatusPageConfig, TlsBegins,
};

/// Services on the page at most: it is to be read at a glance, and to stay small with 90 days of each.
const MOST_SERVICES: usize = 30;
const MOST_LINKS: usize = 20;
const MOST_CLIENTS: usize = 32;
const MOST_SERVERS: usize = 8;
const MOST_DOMAINS: usize = 64;
const MOST_CHECKS: usize = 32;
/// Characters of what people read, at most.
const TITLE: usize = 80;
const WORDS: usize = 300;

/// Reads all of it; `root` is the outermost table.
pub(super) fn read(mut root: Section<'_>, mistakes: &mut Vec<Mistake>) -> Option<StatusPageConfig> {
    let mut page = None;
    if let Some(mut section) = root.table("status_page", "status_page: ") {
        page = Some(self::page(&mut section));
        root.take_over(section);
    }
    let mut taken = BTreeSet::new();
    let mut clients = Vec::new();
    for mut section in root.tables("mail_client", MOST_CLIENTS, "mail_client: ") {
        clients.extend(client(&mut section, &mut taken));
        root.take_over(section);
    }
    if page.is_none() && root.has("mail_client") {
        root.wrong(
            "mail_client",
            "[status_page] is missing, which shows what [[mail_client]] says",
        );
    }
    mistakes.extend(root.so_far());
    page.map(|page| StatusPageConfig { clients, ..page })
}

fn page(section: &mut Section<'_>) -> StatusPageConfig {
    section.require("title", "what stands at its head, such as \"E-mail at Example\"");
    section.require("service", "[[status_page.service]] with a name of services.d");
    let title = section.words("title", TITLE);
    let is_public = section.flag("public");
    let contact = section.words("contact", WORDS);
    let url = section.read("url", base);
    let mut services: Vec<PageService> = Vec::new();
    for mut inner in section.tables("service", MOST_SERVICES, "status_page.service: ") {
        inner.require("name", "that of a service in services.d");
        let name = inner.read("name", name);
        let title = inner.words("title", TITLE);
        let description = inner.words("description", WORDS);
        if let Some(name) = name {
            if services.iter().any(|service| service.name == name) {
                inner.wrong("name", format!("{name} stands on the page already"));
            }
            services.push(PageService { name, title, description });
        }
        section.take_over(inner);
    }
    let mut links = Vec::new();
    for mut inner in section.tables("link", MOST_LINKS, "status_page.link: ") {
        inner.require("title", "what it leads to");
        inner.require("url", "");
        let title = inner.words("title", TITLE);
        links.extend(inner.read("url", link).map(|url| PageLink { title, url }));
        section.take_over(inner);
    }
    StatusPageConfig { title, is_public, services, contact, links, url, clients: Vec::new() }
}

fn client(section: &mut Section<'_>, taken: &mut BTreeSet<String>) -> Option<MailClientConfig> {
    section.require("domains", "what stands behind the @ of addresses, such as [\"example.org\"]");
    section.require("server", "[[mail_client.server]] for incoming and for outgoing mail");
    let name = section.words("name", TITLE);
    let user = section.read("user", user).unwrap_or_else(|| EMAIL_ADDRESS.to_owned());
    let mut domains = Vec::new();
    for (_, domain) in section.list("domains", MOST_DOMAINS, host) {
        if !taken.insert(domain.clone()) {
            section.wrong("domains", format!("{domain} has a [[mail_client]] already"));
        }
        domains.push(domain);
    }
    if section.is_empty("domains") {
        section.wrong("domains", "domains must have one at least");
    }
    let mut servers = Vec::new();
    for mut inner in section.tables("server", MOST_SERVERS, "mail_client.server: ") {
        servers.extend(server(&mut inner));
        section.take_over(inner);
    }
    let has = |is_incoming| {
        let mut all = servers.iter();
        all.any(|it: &MailServerConfig| it.protocol.is_incoming() == is_incoming)
    };
    if section.is_right() && section.has("server") && !(has(true) && has(false)) {
        let words =
            "there must be one for incoming mail (imap or pop3) and one for outgoing (submission)";
        section.wrong("server", words);
    }
    let name = if name.is_empty() { domains.first()?.clone() } else { name };
    Some(MailClientConfig { name, domains, user, servers })
}

fn server(section: &mut Section<'_>) -> Option<MailServerConfig> {
    section.require("protocol", "\"imap\", \"pop3\" or \"submission\"");
    section.require("host", "");
    let protocol = section.read("protocol", |text| match text {
        "imap" => Ok(MailProtocol::Imap),
        "pop3" => Ok(MailProtocol::Pop3),
        "submission" => Ok(MailProtocol::Submission),
        _ => Err("must be \"imap\", \"pop3\" or \"submission\""),
    });
    let tls = section.read("tls", |text| match text {
        "implicit" => Ok(TlsBegins::Implicit),
        "starttls" => Ok(TlsBegins::StartTls),
        _ => Err("must be \"implicit\" or \"starttls\": without TLS nobody is to sign in"),
    });
    let sign_in = section.read("sign_in", |text| match text {
        "password" => Ok(SignIn::Password),
        "oauth2" => Ok(SignIn::OAuth2),
        _ => Err("must be \"password\" or \"oauth2\""),
    });
    let host = section.read("host", host);
    let port = section.whole("port", 1..=u64::from(u16::MAX));
    let port = port.and_then(|port| u16::try_from(port).ok());
    let checks = section.list("checks", MOST_CHECKS, pattern);
    let (protocol, tls) = (protocol?, tls.unwrap_or(TlsBegins::Implicit));
    Some(MailServerConfig {
        protocol,
        host: host?,
        port: port.unwrap_or(protocol.usual_port(tls)),
        tls,
        sign_in: sign_in.unwrap_or(SignIn::Password),
        checks: checks.into_iter().map(|(_, check)| check).collect(),
    })
}

fn name(text: &str) -> Result<String, &'static str> {
    if is_name(text) { Ok(text.to_owned()) } else { Err("must be 1 to 64 of a-z A-Z 0-9 . _ -") }
}

fn pattern(text: &str) -> Result<String, &'static str> {
    match (1..=128).contains(&text.len()) {
        true => Ok(text.to_owned()),
        false => Err("must have 1 to 128 bytes"),
    }
}

/// A name in DNS, as it stands in a certificate.
fn host(text: &str) -> Result<String, &'static str> {
    let form = "must be a name in DNS, such as \"mail.example.org\"";
    match Host::parse(text) {
        Ok(Host::Domain(name)) if name.len() <= 253 && name.contains('.') => Ok(name),
        _ => Err(form),
    }
}

fn user(text: &str) -> Result<String, String> {
    let mut rest = text.to_owned();
    for placeholder in [EMAIL_ADDRESS, EMAIL_LOCAL_PART, EMAIL_DOMAIN] {
        rest = rest.replace(placeholder, "");
    }
    let is_plain = |c: char| !c.is_control() && !c.is_whitespace() && c != '%';
    if rest.len() < text.len() && text.len() <= 128 && rest.chars().all(is_plain) {
        return Ok(text.to_owned());
    }
    Err(format!("must have {EMAIL_ADDRESS}, or {EMAIL_LOCAL_PART} and {EMAIL_DOMAIN}, in it"))
}

/// Where users come from the page: a page, or somebody to call or write to.
fn link(text: &str) -> Result<Url, &'static str> {
    let form = "must be an https, http, mailto or tel URL";
    let url = Url::parse(text).ok().filter(|_| text.len() <= 1_024).ok_or(form)?;
    let is_one = matches!(url.scheme(), "https" | "http" | "mailto" | "tel")
        && url.username().is_empty()
        && url.password().is_none();
    if is_one { Ok(url) } else { Err(form) }
}

fn base(text: &str) -> Result<Url, &'static str> {
    let form = "must be an https URL without a path, such as \"https://status.example.org\"";
    let url = Url::parse(text).ok().ok_or(form)?;
    let is_one = url.scheme() == "https" && url.has_host() && url.path() == "/";
    let is_plain = url.username().is_empty() && url.password().is_none();
    let has_more = url.query().is_some() || url.fragment().is_some();
    if is_one && is_plain && !has_more { Ok(url) } else { Err(form) }
}

#[cfg(test)]
mod tests;
