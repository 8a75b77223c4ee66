//! The health pages of Exchange Server: each of its web applications says `200 OK` and its server's name at
//! `/FOLDER/healthcheck.htm` ("Load balancing in Exchange Server", managed availability).

use url::Url;

use super::Errand;
use super::page;
use crate::http::{Answer, Fetch, Request};
use crate::mail::failure::Failure;

/// The web applications of Exchange, and the phase that each one's page is.
pub(super) const FOLDERS: &[(&str, &str)] = &[
    ("owa", "owa"),
    ("ecp", "ecp"),
    ("ews", "ews"),
    ("mapi", "mapi"),
    ("rpc", "rpc"),
    ("oab", "oab"),
    ("autodiscover", "autodiscover"),
    ("Microsoft-Server-ActiveSync", "activesync"),
];

/// Asks for the page of each of the `folders`. The first that is not healthy fails the run; all are asked for,
/// unless the host cannot be reached at all.
pub(super) async fn pages(
    mut errand: Errand<'_>,
    host: &Url,
    folders: &[(&'static str, &'static str)],
) -> Result<(), Failure> {
    let mut first_failure = None;
    let mut is_described = false;
    for (folder, phase) in folders {
        let mut url = host.clone();
        url.set_path(&format!("/{folder}/healthcheck.htm"));
        let fetch = Fetch { redirects: 0, ..errand.fetch };
        let asked = page::part(fetch, Request::get(url), (errand.record, errand.watch), phase);
        let judged = match asked.await {
            Ok(answer) => {
                if let (Some(tls), false) = (&answer.tls, is_described) {
                    errand.secured(tls);
                    is_described = true;
                }
                healthy(phase, &answer).inspect_err(|_| page::show(errand.record, &answer))
            }
            Err(failure) if is_described => Err(failure),
            // Neither would the next one be reached.
            Err(failure) => return Err(failure),
        };
        let fact = format!("http.exchange.{phase}");
        match judged {
            Ok(server) => {
                errand.fact(&fact, "healthy");
                if !errand.learnt.facts.iter().any(|fact| fact.name == "http.exchange.server") {
                    errand.fact("http.exchange.server", server);
                }
            }
            Err(failure) => {
                errand.fact(&fact, &failure.fault.explanation);
                first_failure.get_or_insert(failure);
            }
        }
    }
    first_failure.map_or(Ok(()), Err)
}

/// The server's name, where the page says that all is well.
fn healthy(phase: &str, answer: &Answer) -> Result<String, Failure> {
    if answer.status != 200 {
        let mut failure = page::unexpected_status(phase, answer, "200");
        if matches!(answer.status, 503 | 403) {
            failure.fault.explanation.push_str(
                ": Exchange's managed availability has taken this application out of service",
            );
        }
        return Err(failure);
    }
    let text = answer.text();
    let (ok, rest) = text.split_at_checked("200 OK".len()).unwrap_or((text.as_str(), ""));
    if !ok.eq_ignore_ascii_case("200 OK") {
        let words = "the page is not Exchange's health page, which begins with 200 OK".to_owned();
        return Err(page::mismatch(phase, answer, words));
    }
    // `200 OK<br/>MBX01.GOOD.TEST`
    let name = rest.rsplit('>').find(|text| !text.trim().is_empty()).unwrap_or_default().trim();
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    Ok(name.chars().take_while(|c| is_name(*c)).take(253).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::http::tests::answer;

    #[test]
    fn health_pages() {
        for (status, body, expected) in [
            (200, "200 OK<br/>MBX01.GOOD.TEST", Ok("MBX01.GOOD.TEST")),
            (200, "200 OK <br />\r\nmbx-01.good.test\r\n", Ok("mbx-01.good.test")),
            (200, "200 OK", Ok("")),
            (
                200,
                "<html>Sign in</html>",
                Err(
                    "owa: mismatch 200: the page is not Exchange's health page, which begins with 200 OK",
                ),
            ),
            (
                200,
                "",
                Err(
                    "owa: mismatch 200: the page is not Exchange's health page, which begins with 200 OK",
                ),
            ),
            (
                503,
                "",
                Err(
                    "owa: temporary 503: the server answered 503, expected is 200: Exchange's managed availability has taken this application out of service",
                ),
            ),
            (302, "", Err("owa: mismatch 302: the server answered 302, expected is 200")),
        ] {
            let told = healthy("owa", &answer(status, body));
            let told = told.map_err(|failure| failure.fault.to_string());
            assert_eq!(told.as_deref().map_err(String::as_str), expected, "{body}");
        }
    }
}
