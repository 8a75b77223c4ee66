//! What the web server has to say.
//!
//! At any host of `*.lab.test` a path may ask for an answer: `/status/503`, `/delay/500` (milliseconds before
//! the answer), `/redirect/3` (so many redirects, then `/status/200`), `/loop`, `/large/1048576` (bytes),
//! `/slow` (a byte a second), `/echo` (the request's body).

use std::collections::BTreeMap;
use std::time::Duration;

use super::Request;

const POLICY: &str = "/.well-known/mta-sts.txt";
const LARGE_MAX_BYTES: usize = 64 << 20;
const AUTOCONFIG: &str = include_str!("../templates/web/autoconfig.xml");
const AUTODISCOVER: &str = include_str!("../templates/web/autodiscover.xml");
const LOGO: &str = include_str!("../templates/web/logo.svg");
const WEBMAIL: &str = include_str!("../templates/web/webmail.html");
/// The virtual directories of Exchange Server, each with a health page.
const EXCHANGE: [&str; 8] =
    ["owa", "ecp", "ews", "mapi", "rpc", "oab", "autodiscover", "Microsoft-Server-ActiveSync"];

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Such as 200.
    pub status: u16,
    /// Such as `text/plain`.
    pub content_type: String,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// Sent with its length.
    pub body: String,
    /// Before anything is sent.
    pub delay: Duration,
    /// How long after each byte of the body.
    pub byte_every: Option<Duration>,
}

impl Page {
    /// Plain text.
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            content_type: "text/plain".to_owned(),
            headers: Vec::new(),
            body: body.into(),
            delay: Duration::ZERO,
            byte_every: None,
        }
    }

    /// With another type.
    #[must_use]
    pub fn typed(self, content_type: &str) -> Self {
        Self { content_type: content_type.to_owned(), ..self }
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// A policy of MTA-STS (RFC 8461 section 3.2).
fn policy(mode: &str, exchangers: &[&str], max_age: &str) -> Page {
    let mx: String = exchangers.iter().map(|name| format!("mx: {name}\r\n")).collect();
    Page::text(200, format!("version: STSv1\r\nmode: {mode}\r\n{mx}{max_age}"))
}

/// The pages that are always there, by host and path.
pub(super) fn standard() -> BTreeMap<(String, String), Page> {
    let week = "max_age: 604800\r\n";
    let good = policy("enforce", &["mx1.good.test"], week);
    let large: Vec<String> = (0..8_000).map(|number| format!("mx{number}.good.test")).collect();
    let large: Vec<&str> = large.iter().map(String::as_str).collect();
    let mut pages = BTreeMap::new();
    let mut add = |host: &str, path: &str, page: Page| {
        pages.insert((host.to_owned(), path.to_owned()), page);
    };
    let elsewhere = format!("https://mta-sts.good.test{POLICY}");
    for (domain, page) in [
        ("good", good.clone()),
        ("drift", good.clone()),
        ("stsmx", good.clone()),
        ("ststestmx", policy("testing", &["mx1.good.test"], week)),
        ("stsunused", policy("enforce", &["mx1.good.test", "mx2.good.test"], week)),
        ("ststesting", policy("testing", &["mx1.good.test"], week)),
        ("stsnone", policy("none", &[], week)),
        ("stswild", policy("enforce", &["*.good.test"], week)),
        ("stsage", policy("enforce", &["mx1.good.test"], "max_age: 31557601\r\n")),
        ("stsshort", policy("enforce", &["mx1.good.test"], "max_age: 300\r\n")),
        ("stsnoage", policy("enforce", &["mx1.good.test"], "")),
        ("stsredir", Page::text(302, "").with("Location", elsewhere)),
        ("stshtml", good.clone().typed("text/html")),
        ("stswrongcert", good.clone()),
        ("stsexpired", good.clone()),
        ("stsself", good.clone()),
        ("stslarge", policy("enforce", &large, week)),
        ("stsslow", Page { byte_every: Some(Duration::from_secs(1)), ..good.clone() }),
        ("stsnorecord", good.clone()),
        ("sts2", good.clone()),
        ("stsid", good),
    ] {
        add(&format!("mta-sts.{domain}.test"), POLICY, page);
    }
    let xml = |text: &str| Page::text(200, text).typed("text/xml");
    add("autoconfig.good.test", "/mail/config-v1.1.xml", xml(AUTOCONFIG));
    add("good.test", "/.well-known/autoconfig/mail/config-v1.1.xml", xml(AUTOCONFIG));
    add("autodiscover.good.test", "/autodiscover/autodiscover.xml", xml(AUTODISCOVER));
    add("bimi.good.test", "/logo.svg", xml(LOGO).typed("image/svg+xml"));
    add("webmail.good.test", "/", Page::text(302, "").with("Location", "/login"));
    add("webmail.good.test", "/login", Page::text(200, WEBMAIL).typed("text/html; charset=utf-8"));
    for service in EXCHANGE {
        let path = format!("/{service}/healthcheck.htm");
        let healthy = Page::text(200, "200 OK<br/>EXCHANGE.GOOD.TEST").typed("text/html");
        add("exchange.good.test", &path, healthy);
        add("sick.web.lab.test", &path, Page::text(503, "").typed("text/html"));
    }
    pages
}

/// What is answered as the path asks.
pub(super) fn on_demand(request: &Request) -> Option<Page> {
    if !request.host.ends_with(".lab.test") {
        return None;
    }
    let path = request.path().trim_start_matches('/');
    let (word, value) = path.split_once('/').unwrap_or((path, ""));
    Some(match word {
        "" => Page::text(200, format!("{}\n", request.host)),
        "status" => {
            let status = value.parse().ok()?;
            Page::text(status, format!("status {status}\n"))
        }
        "delay" => {
            let delay = Duration::from_millis(value.parse().ok()?);
            Page { delay, ..Page::text(200, "late\n") }
        }
        "redirect" => match value.parse::<u32>().ok()?.checked_sub(1) {
            Some(0) | None => Page::text(302, "").with("Location", "/status/200"),
            Some(left) => Page::text(302, "").with("Location", format!("/redirect/{left}")),
        },
        "loop" => Page::text(302, "").with("Location", "/loop"),
        "large" => {
            let bytes: usize = value.parse().ok()?;
            Page::text(200, "x".repeat(bytes.min(LARGE_MAX_BYTES)))
        }
        "slow" => {
            let byte_every = Some(Duration::from_secs(1));
            Page { byte_every, ..Page::text(200, "slowly, slowly, and not for ever\n") }
        }
        "echo" => Page::text(200, request.body.clone()),
        _ => return None,
    })
}
