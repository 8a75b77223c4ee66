//! Outlook's autodiscover: whether a domain has the service, and, with a login, what it announces ("Autodiscover
//! for Exchange", "POX Autodiscover", MS-OXDSCLI sections 2.2.3 and 2.2.4).

use mailsonde_proto::FaultClass;

use super::Errand;
use super::autoconfig::{self, Announced};
use super::page;
use super::xml;
use crate::http::{self, Answer, Request};
use crate::mail::failure::Failure;

/// The most servers of one document that are kept.
const MOST_SERVERS: usize = 16;

/// Asks at both places of the domain. Without a login, a service that wants one (401) is there; with one, its
/// answer is read.
pub(super) async fn pages(mut errand: Errand<'_>, domain: &str) -> Result<(), Failure> {
    let mut first_failure = None;
    for (phase, host) in
        [("autodiscover", format!("autodiscover.{domain}")), ("root", domain.to_owned())]
    {
        let Ok(url) = http::url(&format!("https://{host}/autodiscover/autodiscover.xml")) else {
            continue;
        };
        let request = match (&errand.settings.address, &errand.settings.password) {
            (Some(address), Some(_)) => page::signed(
                errand.settings,
                Request::post(url, "text/xml", question(address).into()),
            ),
            _ => Request::get(url),
        };
        let fetched = page::part(errand.fetch, request, (errand.record, errand.watch), phase).await;
        let read = fetched.and_then(|answer| {
            read(phase, &answer, errand.settings.password.is_some())
                .inspect_err(|_| page::show(errand.record, &answer))
                .map(|servers| (servers, answer))
        });
        match read {
            Ok((servers, answer)) => {
                errand.fact("http.status", answer.status.to_string());
                autoconfig::tell(&mut errand, &servers, &answer);
                return autoconfig::judge(&errand, phase, &servers);
            }
            Err(failure) => {
                first_failure.get_or_insert((host, failure));
            }
        }
    }
    Err(match first_failure {
        Some((host, mut failure)) => {
            failure.fault.explanation = format!(
                "{domain} has no autodiscover at either of its two places; at {host}: {}",
                failure.fault.explanation
            );
            failure
        }
        None => {
            let words = format!("{domain} makes no URL");
            Failure::new("autodiscover", FaultClass::Permanent, words)
        }
    })
}

/// MS-OXDSCLI section 2.2.3.1.
fn question(address: &str) -> String {
    let address = address.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/\
         autodiscover/outlook/requestschema/2006\"><Request><EMailAddress>{address}</EMailAddress>\
         <AcceptableResponseSchema>http://schemas.microsoft.com/exchange/autodiscover/outlook/\
         responseschema/2006a</AcceptableResponseSchema></Request></Autodiscover>"
    )
}

/// The servers that are announced; none where nobody signed in.
fn read(phase: &str, answer: &Answer, signed_in: bool) -> Result<Vec<Announced>, Failure> {
    match (answer.status, signed_in) {
        (401, false) if answer.header("www-authenticate").is_some() => Ok(Vec::new()),
        (200, _) => {
            answer.whole_body(phase)?;
            servers(&answer.body).map_err(|why| page::mismatch(phase, answer, why))
        }
        (_, true) => Err(page::unexpected_status(phase, answer, "200")),
        (_, false) => {
            Err(page::unexpected_status(phase, answer, "401, which wants a login, or 200"))
        }
    }
}

/// The servers in a response (MS-OXDSCLI section 2.2.4.1).
pub(super) fn servers(document: &[u8]) -> Result<Vec<Announced>, String> {
    let mut servers = Vec::new();
    let mut server = Announced::default();
    let (mut is_response, mut error) = (false, None);
    xml::read(document, |depth, element| {
        let text = element.text.trim();
        match (depth, element.name.as_str()) {
            (0, "Autodiscover") => is_response = true,
            (3, "Message") => error = Some(text.to_owned()),
            (4, "Type") => server.protocol = text.to_ascii_lowercase(),
            (4, "Server") => text.clone_into(&mut server.host),
            (4, "Port") => text.clone_into(&mut server.port),
            (4, "SSL") => server.socket = on_or_off(text, "SSL"),
            (4, "Encryption") if text.eq_ignore_ascii_case("TLS") => {
                "STARTTLS".clone_into(&mut server.socket)
            }
            (3, "Protocol") => {
                let mut ended = std::mem::take(&mut server);
                if ended.socket.is_empty() {
                    // What is not said is on.
                    "SSL".clone_into(&mut ended.socket);
                }
                if servers.len() < MOST_SERVERS {
                    servers.push(ended);
                }
            }
            (3, _) => server = Announced::default(),
            _ => {}
        }
    })?;
    match (is_response, error) {
        (false, _) => Err("it is no answer of autodiscover".to_owned()),
        (true, Some(error)) if servers.is_empty() => Err(format!("it says: {error}")),
        (true, _) => Ok(servers),
    }
}

fn on_or_off(text: &str, on: &str) -> String {
    if text.eq_ignore_ascii_case("off") { "plain".to_owned() } else { on.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_announced() {
        let response = "<?xml version=\"1.0\"?><Autodiscover xmlns=\"a\"><Response xmlns=\"b\"><User/>\
            <Account><AccountType>email</AccountType><Protocol><Type>IMAP</Type><Server>mail.good.test</Server>\
            <Port>993</Port><SSL>on</SSL></Protocol><Protocol><Type>SMTP</Type><Server>mail.good.test</Server>\
            <Port>587</Port><Encryption>TLS</Encryption></Protocol><Protocol><Type>POP3</Type><Port>110</Port>\
            <SSL>off</SSL></Protocol></Account></Response></Autodiscover>";
        let listed: Vec<_> =
            servers(response.as_bytes()).unwrap().iter().map(Announced::to_string).collect();
        assert_eq!(
            listed,
            ["imap:mail.good.test:993 SSL", "smtp:mail.good.test:587 STARTTLS", "pop3::110 plain"]
        );
        let error = "<Autodiscover><Response><Error><ErrorCode>600</ErrorCode><Message>Invalid Request</Message>\
            </Error></Response></Autodiscover>";
        assert_eq!(servers(error.as_bytes()), Err("it says: Invalid Request".to_owned()));
        assert_eq!(servers(b"<html/>"), Err("it is no answer of autodiscover".to_owned()));
    }

    #[test]
    fn the_question_holds_the_address_as_text() {
        assert!(question("a&b<c>@good.test").contains(">a&amp;b&lt;c&gt;@good.test<"));
    }
    /// Documents that are nearly answers of autodiscover.
    fn documents() -> impl Strategy<Value = Vec<u8>> {
        const PIECES: [&str; 24] = [
            "<Autodiscover><Response><Account>",
            "<Protocol>",
            "</Protocol>",
            "<Type>IMAP</Type>",
            "<Server>",
            "</Server>",
            "<Port>993</Port>",
            "<SSL>off</SSL>",
            "<SSL/>",
            "<Encryption>TLS</Encryption>",
            "<Error><Message>",
            "</Message></Error>",
            "</Account></Response></Autodiscover>",
            "<a:Autodiscover>",
            "<Autodiscover type=\"x",
            "&amp;",
            "&#x0;",
            "<![CDATA[",
            "]]>",
            "<!--",
            "<!DOCTYPE",
            "<?",
            "\"",
            "mail",
        ];
        let piece = prop_oneof![
            6 => prop::sample::select(PIECES.as_slice()).prop_map(|text| text.as_bytes().to_vec()),
            1 => prop::collection::vec(any::<u8>(), 0..8),
            1 => prop::sample::select(PIECES.as_slice()).prop_map(|text| text.repeat(40).into_bytes()),
        ];
        prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn no_document_panics_or_is_kept_beyond_its_bounds(
            document in documents(),
            is_wrapped: bool,
        ) {
            let head: &[u8] = if is_wrapped { b"<Autodiscover><Response><Account>" } else { b"" };
            let tail: &[u8] = if is_wrapped { b"</Account></Response></Autodiscover>" } else { b"" };
            match servers(&[head, &document, tail].concat()) {
                Ok(servers) => {
                    prop_assert!(servers.len() <= MOST_SERVERS);
                    for server in servers {
                        prop_assert!(server.to_string().chars().count() <= 4 * 256 + 3);
                    }
                }
                Err(why) => prop_assert!(why.chars().count() <= 400, "{why}"),
            }
        }
    }
}
