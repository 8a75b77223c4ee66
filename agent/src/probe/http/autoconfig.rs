//! Thunderbird's autoconfig: which servers a domain announces to mail programs ("Thunderbird:Autoconfiguration"
//! and "Thunderbird:Autoconfiguration:ConfigFileFormat", Mozilla; draft-ietf-mailmaint-autoconfig).

use std::fmt;

use mailsonde_proto::{FaultClass, Severity};
use url::Url;

use super::Errand;
use super::page;
use super::xml;
use crate::http::{self, Answer, Request};
use crate::mail::failure::Failure;
use crate::posture::Rule;

/// The most servers of one document that are kept.
const MOST_SERVERS: usize = 16;

pub(super) const WITHOUT_TLS: Rule = Rule {
    name: "http.announced_without_tls",
    severity: Severity::Critical,
    source: "RFC 8314 section 3",
    advice: "announce the port with TLS: what programs follow sends passwords in clear",
};

/// A server that is announced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Announced {
    /// `imap`, `pop3`, `smtp`, or another word.
    pub(super) protocol: String,
    pub(super) host: String,
    pub(super) port: String,
    /// `SSL`, `STARTTLS` or `plain`.
    pub(super) socket: String,
}

/// `imap:mail.good.test:993 SSL`.
impl fmt::Display for Announced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{} {}", self.protocol, self.host, self.port, self.socket)
    }
}

/// Asks at both places of the domain; the first that answers with a configuration counts.
pub(super) async fn pages(mut errand: Errand<'_>, domain: &str) -> Result<(), Failure> {
    let mut first_failure = None;
    for (phase, url) in places(domain) {
        let Ok(mut url) = http::url(&url) else { continue };
        if let Some(address) = &errand.settings.address {
            url.query_pairs_mut().append_pair("emailaddress", address);
        }
        let request = Request::get(url.clone());
        let fetched = page::part(errand.fetch, request, (errand.record, errand.watch), phase).await;
        let read = fetched.and_then(|answer| {
            if answer.status != 200 {
                return Err(page::unexpected_status(phase, &answer, "200"));
            }
            let servers = of(phase, &answer).inspect_err(|_| page::show(errand.record, &answer));
            servers.map(|servers| (servers, answer))
        });
        match read {
            Ok((servers, answer)) => {
                tell(&mut errand, &servers, &answer);
                return judge(&errand, phase, &servers);
            }
            Err(failure) => {
                first_failure.get_or_insert((url, failure));
            }
        }
    }
    Err(match first_failure {
        Some((url, mut failure)) => {
            let host = url.host_str().unwrap_or_default();
            failure.fault.explanation = format!(
                "{domain} announces no servers at either of its two places; at {host}: {}",
                failure.fault.explanation
            );
            failure
        }
        None => {
            let words = format!("{domain} makes no URL");
            Failure::new("autoconfig", FaultClass::Permanent, words)
        }
    })
}

/// Where a domain's configuration may stand, in the order in which Thunderbird asks.
fn places(domain: &str) -> [(&'static str, String); 2] {
    [
        ("autoconfig", format!("https://autoconfig.{domain}/mail/config-v1.1.xml")),
        ("well_known", format!("https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml")),
    ]
}

fn of(phase: &str, answer: &Answer) -> Result<Vec<Announced>, Failure> {
    answer.whole_body(phase)?;
    servers(&answer.body).map_err(|why| page::mismatch(phase, answer, why))
}

/// The servers that a `clientConfig` announces.
pub(super) fn servers(document: &[u8]) -> Result<Vec<Announced>, String> {
    let mut servers = Vec::new();
    let mut server = Announced::default();
    let mut is_configuration = false;
    xml::read(document, |depth, element| {
        let text = element.text.trim();
        match (depth, element.name.as_str()) {
            (0, "clientConfig") => is_configuration = true,
            (3, "hostname") => text.clone_into(&mut server.host),
            (3, "port") => text.clone_into(&mut server.port),
            (3, "socketType") => text.clone_into(&mut server.socket),
            (2, "incomingServer" | "outgoingServer") => {
                server.protocol = element.kind.clone().unwrap_or_default();
                let ended = std::mem::take(&mut server);
                if servers.len() < MOST_SERVERS {
                    servers.push(ended);
                }
            }
            // What stands in another element is none of the next server's.
            (2, _) => server = Announced::default(),
            _ => {}
        }
    })?;
    if !is_configuration {
        return Err("it is no clientConfig of autoconfig".to_owned());
    }
    if servers.is_empty() {
        return Err("it announces no server".to_owned());
    }
    Ok(servers)
}

/// What is announced, as facts; and what is announced without TLS.
pub(super) fn tell(errand: &mut Errand<'_>, servers: &[Announced], answer: &Answer) {
    if let Some(tls) = &answer.tls {
        errand.secured(tls);
    }
    errand.fact("http.url", without_query(&answer.url));
    let listed: Vec<_> = servers.iter().map(Announced::to_string).collect();
    errand.fact("http.announced", listed.join(", "));
    for server in servers.iter().filter(|server| server.socket.eq_ignore_ascii_case("plain")) {
        let words = format!("{server} is announced to mail programs");
        errand.learnt.findings.push(WITHOUT_TLS.broken(words));
    }
}

/// Whether all servers are announced that must be.
pub(super) fn judge(
    errand: &Errand<'_>,
    phase: &str,
    servers: &[Announced],
) -> Result<(), Failure> {
    for wanted in &errand.settings.expect_servers {
        let is_it = |server: &Announced| {
            let known = format!("{}:{}:{}", server.protocol, server.host, server.port);
            known.eq_ignore_ascii_case(wanted)
        };
        if !servers.iter().any(is_it) {
            let listed: Vec<_> = servers.iter().map(Announced::to_string).collect();
            let words = format!("{wanted} is not announced, but {}", listed.join(", "));
            return Err(Failure::new(phase, FaultClass::Mismatch, words));
        }
    }
    Ok(())
}

fn without_query(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = r#"<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]>
        <clientConfig version="1.1"><!-- of the lab --><emailProvider id="good.test">
        <domain>good.test</domain><documentation url="u"><hostname>no</hostname></documentation>
        <incomingServer type="imap"><hostname>mail.good.test</hostname><port>993</port>
        <socketType>SSL</socketType><authentication>OAuth2</authentication></incomingServer>
        <incomingServer type="pop3"><hostname>mail&amp;good</hostname><port> 110 </port>
        <socketType>plain</socketType></incomingServer>
        <outgoingServer type="smtp"><hostname><![CDATA[mail.good.test]]></hostname><port>587</port>
        <socketType>STARTTLS</socketType></outgoingServer></emailProvider></clientConfig>"#;

    fn told(document: &str) -> String {
        match servers(document.as_bytes()) {
            Ok(servers) => {
                let listed: Vec<_> = servers.iter().map(Announced::to_string).collect();
                listed.join(", ")
            }
            Err(error) => error,
        }
    }

    #[test]
    fn what_is_announced() {
        assert_eq!(
            told(GOOD),
            "imap:mail.good.test:993 SSL, pop3:mail&good:110 plain, smtp:mail.good.test:587 STARTTLS"
        );
        for (document, words) in [
            ("", "it ends too early to be XML"),
            ("<html><body>Not found</body></html>", "it is no clientConfig of autoconfig"),
            ("<clientConfig/>", "it announces no server"),
            ("<clientConfig>", "it ends too early to be XML"),
        ] {
            assert_eq!(told(document), words, "{document}");
        }
        assert!(told("<clientConfig></other>").starts_with("it is not well-formed XML"));
        let deep = "<a>".repeat(40);
        assert_eq!(told(&deep), "it has more than 5000 elements or 32 levels");
        assert_eq!(told(&format!("<a>{}</a>", "<b/>".repeat(6000))), told(&deep));
        let own_entity = GOOD.replace("mail&amp;good", "&a;&b;");
        assert!(told(&own_entity).contains("pop3:\u{fffd}\u{fffd}:110"), "{}", told(&own_entity));
    }

    /// Documents that are nearly good, and bytes that are not.
    fn documents() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop::sample::select(vec![
            "<clientConfig>",
            "</clientConfig>",
            "<emailProvider>",
            "</emailProvider>",
            "<incomingServer type=\"imap\">",
            "</incomingServer>",
            "<hostname>",
            "</hostname>",
            "<port/>",
            "mail",
            "&lt;",
            "&x;",
            "<![CDATA[",
            "]]>",
            "<!--",
            "-->",
            "<!DOCTYPE",
            "<?",
            "<",
            ">",
        ]);
        let tags = prop::collection::vec(piece, 0..30).prop_map(|some| some.concat().into_bytes());
        let cut = (0..GOOD.len(), any::<u8>()).prop_map(|(at, byte)| {
            let mut bytes = GOOD.as_bytes().to_vec();
            bytes[at] = byte;
            bytes
        });
        prop_oneof![tags, cut, prop::collection::vec(any::<u8>(), 0..200)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn no_document_panics_or_is_kept_beyond_its_bounds(document in documents()) {
            if let Ok(servers) = servers(&document) {
                prop_assert!((1..=MOST_SERVERS).contains(&servers.len()));
                for server in servers {
                    prop_assert!(server.to_string().chars().count() <= 4 * 256 + 3);
                }
            }
        }
    }
}
