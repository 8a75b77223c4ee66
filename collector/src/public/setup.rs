//! 'Is it me?': whether the mail servers work right now from the nearest site, and how a mail program is set up for them.

use askama::Template;

use super::html::{Frame, Scene};
use super::path;
use crate::config::StatusPageConfig;
use crate::config::status_page::{
    EMAIL_ADDRESS, EMAIL_DOMAIN, EMAIL_LOCAL_PART, MailClientConfig, MailProtocol, SignIn,
};
use crate::query::public::{PublicClient, PublicServer, PublicState};

/// Sites among which to choose at most; others are still found by their address.
const MOST_CHOICES: usize = 1_000;

/// Those among whom an address is; without one, or with a placeholder, the first.
pub(super) fn client_of<'c>(
    config: &'c StatusPageConfig,
    address: Option<&str>,
) -> Option<&'c MailClientConfig> {
    let address = address.filter(|address| !address.is_empty() && *address != EMAIL_ADDRESS);
    let Some(address) = address else { return config.clients.first() };
    let (_, domain) = address.rsplit_once('@')?;
    config
        .clients
        .iter()
        .find(|client| client.domains.iter().any(|ours| ours.eq_ignore_ascii_case(domain)))
}

#[derive(Template)]
#[template(path = "public/setup.html")]
struct Setup<'a> {
    frame: Frame<'a>,
    sites: Vec<(&'a str, bool)>,
    verdict: Verdict,
    clients: Vec<ClientShown<'a>>,
}

struct Verdict {
    state: PublicState,
    headline: String,
    advice: &'static str,
}

struct ClientShown<'a> {
    name: &'a str,
    domains: String,
    domain: &'a str,
    user: String,
    servers: Vec<ServerShown<'a>>,
    has_apple: bool,
    has_provider: bool,
}

struct ServerShown<'a> {
    what: &'static str,
    protocol: &'static str,
    host: &'a str,
    port: u16,
    security: &'static str,
    sign_in: &'static str,
    state: PublicState,
    now: String,
}

/// The page, for a site where one is said; `None` where there is no such site, or nothing to set up.
pub(super) fn page(scene: &Scene<'_>, site: Option<&str>) -> Result<Option<String>, askama::Error> {
    let answer = scene.answer;
    let site = site.filter(|site| !site.is_empty());
    let site = match site {
        Some(name) => match answer.sites.get(name) {
            Some(known) => Some(known.as_str()),
            None => return Ok(None),
        },
        None => None,
    };
    if answer.mail_clients.is_empty() {
        return Ok(None);
    }
    // only sites from which anybody looks at one of these servers
    let looks = |name: &&String| {
        let mut servers = answer.mail_clients.iter().flat_map(|client| &client.servers);
        servers.any(|server| server.by_site.contains_key(*name))
    };
    let sites = answer.sites.iter().filter(looks).take(MOST_CHOICES);
    let configs = &scene.config.clients;
    let page = Setup {
        frame: scene.frame("Is it me?", path::SETUP),
        sites: sites.map(|name| (name.as_str(), Some(name.as_str()) == site)).collect(),
        verdict: verdict(&answer.mail_clients, site),
        clients: answer
            .mail_clients
            .iter()
            .zip(configs)
            .map(|(client, config)| shown(client, config, site))
            .collect(),
    };
    page.render().map(Some)
}

/// How a server is from a site, or from everywhere.
fn state_from(server: &PublicServer, site: Option<&str>) -> PublicState {
    match site {
        Some(site) => server.by_site.get(site).copied().unwrap_or(PublicState::Unknown),
        None => server.state,
    }
}

fn verdict(clients: &[PublicClient], site: Option<&str>) -> Verdict {
    let servers = clients.iter().flat_map(|client| &client.servers);
    let state = servers.map(|server| state_from(server, site)).max();
    let state = state.unwrap_or(PublicState::Unknown);
    let from = site.map(|site| format!(" from {site}")).unwrap_or_default();
    let (headline, advice) = match state {
        PublicState::Works => (
            format!("The mail servers work right now{from}."),
            "If mail does not work for you, it is most likely your device, its network, your password or your \
             settings. Compare them with those below; then try another network, such as that of a mobile phone.",
        ),
        PublicState::Unknown => (
            format!("Nobody can tell at the moment whether all mail servers work{from}."),
            "What is not known is marked below. It may be you, and it may not.",
        ),
        PublicState::Partly => (
            "The mail servers do not work everywhere right now.".to_owned(),
            "Choose where you are to see whether it is so from there.",
        ),
        PublicState::Down => (
            format!("Some of the mail servers do not work right now{from}: it is not you."),
            "There is nothing to change in your settings. What is known stands on the page 'Now'.",
        ),
    };
    Verdict { state, headline, advice }
}

fn shown<'a>(
    client: &'a PublicClient,
    config: &MailClientConfig,
    site: Option<&str>,
) -> ClientShown<'a> {
    let with_password = |is_incoming: bool| {
        config
            .servers
            .iter()
            .any(|it| it.protocol.is_incoming() == is_incoming && it.sign_in == SignIn::Password)
    };
    let servers = client.servers.iter().zip(&config.servers);
    ClientShown {
        name: &client.name,
        domains: client.domains.join(", "),
        domain: client.domains.first().map(String::as_str).unwrap_or_default(),
        user: user(&client.user),
        servers: servers.map(|(server, config)| self::server(server, config, site)).collect(),
        has_apple: with_password(true) && with_password(false),
        has_provider: config.servers.iter().any(|it| it.sign_in == SignIn::OAuth2),
    }
}

/// The user name in words.
fn user(form: &str) -> String {
    match form {
        EMAIL_ADDRESS => "your whole address".to_owned(),
        EMAIL_LOCAL_PART => "what stands before the @ of your address".to_owned(),
        form => form
            .replace(EMAIL_ADDRESS, "[your whole address]")
            .replace(EMAIL_LOCAL_PART, "[what stands before the @ of your address]")
            .replace(EMAIL_DOMAIN, "[what stands behind the @ of your address]"),
    }
}

fn server<'a>(
    server: &'a PublicServer,
    config: &crate::config::status_page::MailServerConfig,
    site: Option<&str>,
) -> ServerShown<'a> {
    let (what, protocol) = match config.protocol {
        MailProtocol::Imap => ("Incoming mail", "IMAP"),
        MailProtocol::Pop3 => ("Incoming mail", "POP3"),
        MailProtocol::Submission => ("Outgoing mail", "SMTP"),
    };
    ServerShown {
        what,
        protocol,
        host: &server.host,
        port: server.port,
        security: if server.tls == "starttls" { "STARTTLS" } else { "SSL/TLS" },
        sign_in: match config.sign_in {
            SignIn::Password => "password",
            SignIn::OAuth2 => "your provider's page (OAuth2)",
        },
        state: state_from(server, site),
        now: now(server, site),
    }
}

/// Whether it works right now, and from where that is known.
fn now(server: &PublicServer, site: Option<&str>) -> String {
    let state = state_from(server, site);
    match site {
        Some(site) if server.by_site.contains_key(site) => match state {
            PublicState::Works => format!("works from {site}"),
            PublicState::Down => format!("does not work from {site}"),
            _ => format!("nobody can tell from {site}"),
        },
        Some(site) => format!("nobody looks at it from {site}"),
        None if server.places == 0 => "nobody looks at it".to_owned(),
        None => {
            let not = server.fails_at.count().saturating_add(server.unknown_at.count());
            let works = server.places.saturating_sub(not);
            let mut told = format!("works from {works} of {} places", server.places);
            if server.fails_at.count() > 0 {
                told.push_str(&format!("; not from {}", server.fails_at.in_words()));
            }
            if server.unknown_at.count() > 0 {
                told.push_str(&format!("; nobody can tell from {}", server.unknown_at.in_words()));
            }
            told
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_in_words() {
        for (form, words) in [
            ("%EMAILADDRESS%", "your whole address"),
            ("%EMAILLOCALPART%", "what stands before the @ of your address"),
            ("ORG\\%EMAILLOCALPART%", "ORG\\[what stands before the @ of your address]"),
        ] {
            assert_eq!(user(form), words);
        }
    }
}
