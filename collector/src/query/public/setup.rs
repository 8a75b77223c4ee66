//! Whether the servers that mail programs speak to work right now, from where, by the checks that show it.
//!
//! Which checks those are the configuration says; where it does not, they are found by host and port in the settings of
//! the collector's checks in force. Without any nobody knows. A check of an agent's own file is found by its name only.

use std::collections::{BTreeMap, BTreeSet};

use super::{Known, PublicClient, PublicServer, PublicState, Sites};
use crate::config::StatusPageConfig;
use crate::config::status_page::{
    MailClientConfig, MailProtocol, MailServerConfig, SignIn, TlsBegins,
};
use crate::control::AppliedCheck;
use crate::judge::definition::{VOICE, Voiced};
use crate::query::StatusAnswer;
use crate::query::services::voiced;
use crate::selector::is_match;

/// Names of checks, as found by their settings, for the checks that were in force.
#[derive(Debug, Default)]
pub struct ChecksFound {
    of: Vec<AppliedCheck>,
    /// By client and server; those that the configuration names are no settings' matter.
    found: BTreeMap<(usize, usize), BTreeSet<String>>,
}

impl ChecksFound {
    /// What is found in these; looked for again only when they are others.
    pub(super) fn of(
        &mut self,
        config: &StatusPageConfig,
        applied: &[AppliedCheck],
    ) -> BTreeMap<(usize, usize), BTreeSet<String>> {
        if self.of != applied {
            self.of = applied.to_vec();
            self.found.clear();
            for (client, all) in config.clients.iter().enumerate() {
                for (at, server) in all.servers.iter().enumerate() {
                    let ours = applied.iter().filter(|check| speaks_to(check, server));
                    let names = ours.map(|check| check.name.clone()).collect();
                    self.found.insert((client, at), names);
                }
            }
        }
        self.found.clone()
    }
}

/// Whether a check's settings name a server by host and port.
fn speaks_to(check: &AppliedCheck, server: &MailServerConfig) -> bool {
    // most checks are of other hosts, and need not be read
    if !check.settings.to_ascii_lowercase().contains(&server.host) {
        return false;
    }
    let Ok(settings) = toml::from_str::<toml::Table>(&check.settings) else { return false };
    let text = |key: &str| settings.get(key).and_then(toml::Value::as_str);
    let (kind, tls) = (text("kind").unwrap_or_default(), text("tls"));
    let usual = match (kind, server.protocol) {
        ("imap", MailProtocol::Imap) | ("pop3", MailProtocol::Pop3) => {
            let begins = match tls {
                None | Some("implicit") => TlsBegins::Implicit,
                _ => TlsBegins::StartTls,
            };
            Some(server.protocol.usual_port(begins))
        }
        ("smtp", MailProtocol::Submission) => match tls {
            Some("implicit") => Some(465),
            Some("none") => Some(25),
            _ => Some(587),
        },
        ("tls" | "tcp", _) => None,
        _ => return false,
    };
    let port = settings.get("port").and_then(toml::Value::as_integer);
    let port = port.or(usual.map(i64::from));
    text("host").is_some_and(|host| host.eq_ignore_ascii_case(&server.host))
        && port == Some(i64::from(server.port))
}

/// Every client, with whether its servers work.
pub(super) fn clients(
    known: &Known<'_>,
    status: &StatusAnswer,
    checks: &BTreeMap<(usize, usize), BTreeSet<String>>,
) -> Vec<PublicClient> {
    let none = BTreeSet::new();
    let of = |(client, config): (usize, &MailClientConfig)| PublicClient {
        name: config.name.clone(),
        domains: config.domains.clone(),
        user: config.user.clone(),
        servers: (0..)
            .zip(&config.servers)
            .map(|(at, server)| {
                self::server(known, status, server, checks.get(&(client, at)).unwrap_or(&none))
            })
            .collect(),
    };
    known.config.clients.iter().enumerate().map(of).collect()
}

fn server(
    known: &Known<'_>,
    status: &StatusAnswer,
    config: &MailServerConfig,
    found: &BTreeSet<String>,
) -> PublicServer {
    let is_shown_by = |check: &str| match config.checks.as_slice() {
        [] => found.contains(check),
        patterns => patterns.iter().any(|pattern| is_match(pattern, check)),
    };
    // what is of no site is a place of its own, without a name
    let mut places: BTreeMap<(Option<&str>, &str), Voiced> = BTreeMap::new();
    for vantage in &status.vantage_points {
        let site = vantage.labels.get(VOICE).map(String::as_str);
        let place = match site {
            Some(site) => (Some(site), ""),
            None => (None, vantage.name.as_str()),
        };
        for check in vantage.checks.iter().filter(|check| is_shown_by(&check.check)) {
            let state = places.entry(place).or_insert(Voiced::Up);
            *state = (*state).max(voiced(check.state));
        }
    }
    let (mut fails_at, mut unknown_at) = (Sites::default(), Sites::default());
    let mut by_site = BTreeMap::new();
    for ((site, _), state) in &places {
        let site = site.filter(|site| known.is_site(site));
        let state = match state {
            Voiced::Up => PublicState::Works,
            Voiced::Unknown => {
                unknown_at.add(site);
                PublicState::Unknown
            }
            Voiced::Down => {
                fails_at.add(site);
                PublicState::Down
            }
        };
        by_site.extend(site.map(|site| (site.to_owned(), state)));
    }
    PublicServer {
        protocol: config.protocol.as_str().to_owned(),
        host: config.host.clone(),
        port: config.port,
        tls: match config.tls {
            TlsBegins::Implicit => "implicit",
            TlsBegins::StartTls => "starttls",
        }
        .to_owned(),
        sign_in: match config.sign_in {
            SignIn::Password => "password",
            SignIn::OAuth2 => "oauth2",
        }
        .to_owned(),
        state: overall(places.len(), fails_at.count(), unknown_at.count()),
        places: places.len(),
        fails_at,
        unknown_at,
        by_site,
    }
}

/// Of all places together.
fn overall(places: usize, failing: usize, unknown: usize) -> PublicState {
    match (failing, unknown) {
        _ if places == 0 => PublicState::Unknown,
        (0, 0) => PublicState::Works,
        (failing, _) if failing == places => PublicState::Down,
        (0, unknown) if unknown.saturating_mul(2) > places => PublicState::Unknown,
        (0, _) => PublicState::Works,
        _ => PublicState::Partly,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::central::samples::check;

    #[test]
    fn a_check_shows_a_server_by_host_and_port() {
        let server = |protocol, port| MailServerConfig {
            protocol,
            host: "mail.example.org".into(),
            port,
            tls: TlsBegins::Implicit,
            sign_in: SignIn::Password,
            checks: Vec::new(),
        };
        use MailProtocol::{Imap, Submission};
        for (settings, of, shows) in [
            ("kind = 'imap'\nhost = 'Mail.Example.org'", server(Imap, 993), true),
            (
                "kind = 'imap'\nhost = 'mail.example.org'\ntls = 'starttls'",
                server(Imap, 993),
                false,
            ),
            ("kind = 'imap'\nhost = 'mail.example.org'\nport = 1993", server(Imap, 1_993), true),
            ("kind = 'pop3'\nhost = 'mail.example.org'\nport = 993", server(Imap, 993), false),
            ("kind = 'imap'\nhost = 'imap.mail.example.org'", server(Imap, 993), false),
            ("kind = 'imap'\nmailbox = 'main'", server(Imap, 993), false),
            ("kind = 'smtp'\nhost = 'mail.example.org'", server(Submission, 587), true),
            (
                "kind = 'smtp'\nhost = 'mail.example.org'\ntls = 'none'",
                server(Submission, 25),
                true,
            ),
            ("kind = 'tcp'\nhost = 'mail.example.org'\nport = 465", server(Submission, 465), true),
            ("kind = 'tls'\nhost = 'mail.example.org'", server(Submission, 465), false),
            ("kind = 'http'\nhost = 'mail.example.org'\nport = 993", server(Imap, 993), false),
            ("host = 'mail.example.org' and more", server(Imap, 993), false),
        ] {
            assert_eq!(speaks_to(&check("x", "*", settings), &of), shows, "{settings}");
        }
    }

    #[test]
    fn unknown_is_never_up() {
        use PublicState::{Down, Partly, Unknown, Works};
        for (counts, state) in [
            ((0, 0, 0), Unknown),
            ((3, 0, 0), Works),
            ((3, 3, 0), Down),
            ((3, 0, 3), Unknown),
            ((3, 1, 0), Partly),
            ((3, 2, 1), Partly),
            ((3, 0, 2), Unknown),
            ((3, 0, 1), Works),
        ] {
            assert_eq!(overall(counts.0, counts.1, counts.2), state, "{counts:?}");
        }
    }
}
