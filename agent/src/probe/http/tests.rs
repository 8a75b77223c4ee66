use std::path::Path;
use std::time::Duration;

use hyper::header::HeaderMap;
use mailsonde_proto::{AgentId, Cause, Epoch, RunId, Verdict};
use tokio::sync::mpsc;

use super::*;
use crate::config::mistake::Report;
use crate::config::value::Table;
use crate::http::Answer;
use crate::http::stand_in::{Asked, Said, Web, answer as page};
use crate::mail::token::TokenKey;

/// An answer with this body.
pub(super) fn answer(status: u16, body: &str) -> Answer {
    Answer {
        status,
        url: crate::http::url("https://mail.good.test/").unwrap(),
        redirects: 0,
        headers: HeaderMap::new(),
        body: body.as_bytes().to_vec(),
        is_whole: true,
        tls: None,
    }
}

fn configure(pairs: &[&str]) -> Result<HttpProbe, String> {
    let (table, _) = Table::of_settings(pairs.iter().copied());
    let report = Report::default();
    let mut section = Section::new(&table, &report, Path::new(""), "");
    let settings = settings::read(&mut section);
    section.finish();
    let clock = Clock::system();
    match (report.into_result(), settings) {
        (Ok(_), Some(settings)) => Ok(HttpProbe { settings, net: Net::new(), clock }),
        (Err((mistakes, _)), _) => Err(mistakes.to_string()),
        (Ok(_), None) => Err("refused without a word".to_owned()),
    }
}

fn run() -> Run {
    let clock = Clock::system();
    Run {
        id: RunId { epoch: Epoch(1), intent: 1 },
        agent: AgentId([0; 16]),
        check: "page".into(),
        cause: Cause::Scheduled,
        scheduled_for: clock.wall(),
        deadline: clock.monotonic() + Duration::from_millis(900),
        token_key: Arc::new(TokenKey::from_bytes([7; 32])),
        amendments: mpsc::channel(1).0,
    }
}

/// What a check with these settings says of a server that says this.
async fn outcome(web: &Web, pairs: &[&str]) -> Outcome {
    let url = format!("url={}", web.url("/owa/"));
    let pairs: Vec<&str> = std::iter::once(url.as_str()).chain(pairs.iter().copied()).collect();
    configure(&pairs).unwrap().run(run()).await
}

fn words(outcome: &Outcome) -> String {
    match &outcome.verdict {
        Verdict::Fail(fault) => fault.to_string(),
        other => other.as_str().to_owned(),
    }
}

fn fact<'o>(outcome: &'o Outcome, name: &str) -> Option<&'o str> {
    outcome.facts.iter().find(|fact| fact.name == name).map(|fact| fact.value.as_str())
}

fn webmail(asked: &Asked) -> Said {
    match asked.target() {
        "/owa/" => Said::Bytes(b"HTTP/1.1 302 Go\r\nLocation: /sign-in\r\n\r\n".to_vec()),
        _ => page("200 OK", "text/html", "<title>Webmail</title> Sign in"),
    }
}

#[tokio::test]
async fn a_page_is_held_against_what_is_expected() {
    let web = Web::start(webmail).await;
    for (pairs, expected) in [
        (&[][..], "pass"),
        (
            &[
                "expect_body=(?i)sign in",
                "forbid_body=Error",
                "expect_header=content-type:^text/html",
            ],
            "pass",
        ),
        (&["redirects=0", "expect_status=302"], "pass"),
        (
            &["redirects=0"],
            "first_byte: mismatch 302: the server answered 302, expected is 200 to 299",
        ),
        (
            &["expect_status=401,404"],
            "first_byte: mismatch 200: the server answered 200, expected is 401 or 404",
        ),
        (&["expect_body=Welcome"], "body: mismatch 200: the page does not contain \"Welcome\""),
        (
            &["expect_body=Sign in", "max_body=10B"],
            "body: mismatch 200: the page does not contain \"Sign in\" in its first 10 bytes",
        ),
        (
            &["forbid_body=W..mail"],
            "body: mismatch 200: the page contains \"Webmail\", which it must not",
        ),
        (&["expect_header=x-owa:.*"], "first_byte: mismatch 200: there is no header x-owa"),
        (
            &["expect_header=content-type:json"],
            "first_byte: mismatch 200: the header content-type is text/html, and not as \"json\"",
        ),
    ] {
        assert_eq!(words(&outcome(&web, pairs).await), expected, "{pairs:?}");
    }
}

#[tokio::test]
async fn facts_and_phases_of_a_page() {
    let web = Web::start(webmail).await;
    let outcome = outcome(&web, &["max_body=10B"]).await;
    for (name, value) in [
        ("http.status", "200"),
        ("http.redirects", "1"),
        ("http.bytes", ">10"),
        ("http.media_type", "text/html"),
    ] {
        assert_eq!(fact(&outcome, name), Some(value), "{name}");
    }
    assert!(fact(&outcome, "http.url").unwrap().ends_with("/sign-in"));
    let names: Vec<_> = outcome.phases.iter().map(|phase| phase.name.as_str()).collect();
    assert_eq!(names, ["redirect", "resolve", "connect", "first_byte", "body"]);
    assert!(outcome.transcript.is_empty());
}

#[tokio::test]
async fn a_failed_page_shows_itself_in_the_transcript() {
    let web = Web::start(|_| page("503 Busy", "text/plain", "out of workers")).await;
    let outcome = outcome(&web, &[]).await;
    let Verdict::Fail(fault) = &outcome.verdict else { panic!("{outcome:?}") };
    assert_eq!(
        fault.to_string(),
        "first_byte: temporary 503: the server answered 503, expected is 200 to 299"
    );
    assert_eq!(fault.reply, "out of workers");
    assert!(outcome.transcript.contains("S: out of workers"), "{}", outcome.transcript);
}

#[tokio::test]
async fn a_login_goes_by_basic_and_shows_nowhere() {
    let (web, _) =
        Web::start_tls("mail.good.test", |_| page("401 No", "text/plain", "hunter2")).await;
    let to = format!("connect_to={}", web.address);
    let mut probe =
        configure(&["url=https://mail.good.test/", &to, "login=probe", "password=hunter2"])
            .unwrap();
    probe.settings.trust = crate::net::TlsTrust::anybody();
    let outcome = probe.run(run()).await;
    // probe:hunter2
    assert!(web.asked()[0].head.contains("authorization: Basic cHJvYmU6aHVudGVyMg==\r\n"));
    assert!(words(&outcome).starts_with("first_byte: permanent 401"));
    assert!(!outcome.transcript.contains("hunter2") && !outcome.transcript.contains("cHJv"));
    assert!(fact(&outcome, "http.certificate_days").unwrap().parse::<u64>().unwrap() > 14);
    assert!(outcome.findings.is_empty());
    probe.settings.certificate_days = u64::MAX;
    assert_eq!(probe.run(run()).await.findings[0].rule, "http.certificate_expires");
}

fn exchange(asked: &Asked) -> Said {
    match asked.target() {
        "/rpc/healthcheck.htm" => page("503 Down", "text/plain", ""),
        "/ecp/healthcheck.htm" => page("200 OK", "text/html", "<html>Sign in</html>"),
        path if path.ends_with("/healthcheck.htm") => {
            page("200 OK", "text/html", "200 OK<br/>MBX01.GOOD.TEST")
        }
        _ => page("404 No", "text/plain", ""),
    }
}

/// A probe of a preset that connects to this server, whatever its certificate.
async fn preset(web: &Web, pairs: &[&str]) -> Outcome {
    let to = format!("connect_to={}", web.address);
    let pairs: Vec<&str> = std::iter::once(to.as_str()).chain(pairs.iter().copied()).collect();
    let mut probe = configure(&pairs).unwrap();
    probe.settings.trust = crate::net::TlsTrust::anybody();
    probe.run(run()).await
}

#[tokio::test]
async fn every_application_of_exchange_is_asked() {
    let (web, _) = Web::start_tls("mail.good.test", exchange).await;
    let of = ["pages=exchange", "host=mail.good.test"];
    let outcome = preset(&web, &of).await;
    assert!(
        words(&outcome).starts_with("ecp: mismatch 200: the page is not Exchange's"),
        "{}",
        words(&outcome)
    );
    assert_eq!(fact(&outcome, "http.exchange.server"), Some("MBX01.GOOD.TEST"));
    assert_eq!(fact(&outcome, "http.exchange.owa"), Some("healthy"));
    assert!(fact(&outcome, "http.exchange.rpc").unwrap().contains("answered 503"));
    let names: Vec<_> = outcome.phases.iter().map(|phase| phase.name.as_str()).collect();
    assert_eq!(names, ["owa", "ecp", "ews", "mapi", "rpc", "oab", "autodiscover", "activesync"]);
    let healthy = [of[0], of[1], "folders=owa,microsoft-server-activesync"];
    let outcome = preset(&web, &healthy).await;
    assert_eq!(words(&outcome), "pass");
    assert!(
        web.asked()
            .last()
            .unwrap()
            .head
            .starts_with("GET /Microsoft-Server-ActiveSync/healthcheck.htm ")
    );
}

const CONFIG: &str = "<clientConfig><emailProvider><incomingServer type=\"imap\"><hostname>mail.good.test</hostname>\
    <port>143</port><socketType>plain</socketType></incomingServer></emailProvider></clientConfig>";

#[tokio::test]
async fn autoconfig_is_looked_for_at_both_places() {
    let (web, _) = Web::start_tls("good.test", |asked| match asked.target() {
        path if path.starts_with("/.well-known/") => page("200 OK", "text/xml", CONFIG),
        _ => page("404 No", "text/plain", ""),
    })
    .await;
    let of = ["pages=autoconfig", "domain=good.test", "address=a@good.test"];
    let outcome = preset(&web, &of).await;
    assert_eq!(words(&outcome), "pass");
    assert_eq!(fact(&outcome, "http.announced"), Some("imap:mail.good.test:143 plain"));
    assert_eq!(outcome.findings[0].rule, "http.announced_without_tls");
    assert!(
        web.asked()[0].target().starts_with("/mail/config-v1.1.xml?emailaddress=a%40good.test")
    );
    let wanting = [of[0], of[1], "expect_servers=imap:mail.good.test:993"];
    assert_eq!(
        words(&preset(&web, &wanting).await),
        "well_known: mismatch: imap:mail.good.test:993 is not announced, but imap:mail.good.test:143 plain"
    );
    let (none, _) = Web::start_tls("good.test", |_| page("404 No", "text/plain", "")).await;
    assert_eq!(
        words(&preset(&none, &of).await),
        "autoconfig: permanent 404: good.test announces no servers at either of its two places; at \
         autoconfig.good.test: the server answered 404, expected is 200"
    );
}

#[tokio::test]
async fn autodiscover_is_there_when_it_wants_a_login() {
    let (web, _) = Web::start_tls("good.test", |asked| {
        if asked.head.contains("authorization: Basic") && asked.body.contains("<EMailAddress>a@good.test<") {
            let protocol = "<Type>IMAP</Type><Server>m</Server><Port>993</Port>";
            let body = format!("<Autodiscover><Response><Account><Protocol>{protocol}</Protocol></Account></Response></Autodiscover>");
            return page("200 OK", "text/xml", &body);
        }
        Said::Bytes(b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n".to_vec())
    })
    .await;
    let of = ["pages=autodiscover", "domain=good.test", "address=a@good.test"];
    let outcome = preset(&web, &of).await;
    assert_eq!((words(&outcome).as_str(), fact(&outcome, "http.status")), ("pass", Some("401")));
    let signed_in = [of[0], of[1], of[2], "password=hunter2", "expect_servers=imap:m:993"];
    let outcome = preset(&web, &signed_in).await;
    assert_eq!(words(&outcome), "pass");
    assert_eq!(fact(&outcome, "http.announced"), Some("imap:m:993 SSL"));
}

#[test]
fn mistakes_name_their_key() {
    for (pairs, words) in [
        (&[][..], "--set: url is missing"),
        (&["url=ftp://a/"], "url: it must begin with https:// or http://"),
        (&["url=https://a/", "pages=exchange", "host=a"], "name a url or pages, not both"),
        (&["pages=exchange"], "host is missing"),
        (&["pages=autoconfig"], "domain is missing"),
        (
            &["pages=exchange", "host=a", "folders=owa,webmail"],
            "Exchange has no folder \"webmail\"",
        ),
        (&["url=https://a/", "expect_status=2xx"], "\"2xx\" is neither a status"),
        (&["url=https://a/", "expect_status=299-200"], "is neither a status"),
        (&["url=https://a/", "expect_body=("], "\"(\" is no regular expression: unclosed group"),
        (&["url=https://a/", "expect_body=x", "method=HEAD"], "by HEAD has no body"),
        (&["url=https://a/", "expect_header=x"], "write \"Name: expression\""),
        (&["url=https://a/", "connect_to=mail"], "connect_to must be an address"),
        (
            &["url=http://a/", "login=a", "password=b"],
            "over http everybody on the way reads the password",
        ),
        (&["url=https://a/", "login=a"], "a login wants a password"),
        (&["url=https://a/", "max_body=17MiB"], "from \"1B\" to \"16MiB\""),
    ] {
        let told = configure(pairs).err().unwrap();
        assert!(told.contains(words), "{pairs:?}: {told}");
    }
}
