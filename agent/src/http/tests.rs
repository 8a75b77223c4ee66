use std::time::Duration;

use hyper::header::{AUTHORIZATION, HeaderValue};
use mailsonde_proto::Clock;
use proptest::prelude::*;

use super::stand_in::{Asked, Said, Web, answer};
use super::*;
use crate::mail::sandbox::patience;
use crate::transcript::Transcript;

fn record() -> Record {
    Record::new(Transcript::start(Clock::system(), Vec::new()))
}

/// Fetches a page under these terms; the names of the laps beside the answer.
async fn fetch(fetch: Fetch<'_>, request: Request) -> (Result<Answer, Failure>, Vec<&'static str>) {
    let mut watch = Stopwatch::start(Clock::system());
    let answer = fetch.send(request, &record(), &mut watch).await;
    (answer, watch.laps().iter().map(|lap| lap.name).collect())
}

/// Fetches `/` of a server that says this.
async fn said(said: Said) -> Result<Answer, String> {
    let web = Web::start(move |_| said.clone()).await;
    let (net, trust) = (Net::new(), TlsTrust::native());
    let terms = Fetch { most_body: 1000, ..Fetch::new(&net, patience(300), &trust) };
    let (answer, _) = fetch(terms, Request::get(url(&web.url("/")).unwrap())).await;
    answer.map_err(|failure| failure.fault.to_string())
}

fn bytes(text: &str) -> Said {
    Said::Bytes(text.as_bytes().to_vec())
}

#[tokio::test]
async fn a_page_is_asked_for_by_name_and_read_whole() {
    let web = Web::start(|_| answer("200 OK", "Text/Plain; charset=utf-8", "hello")).await;
    let (net, trust) = (Net::new(), TlsTrust::native());
    let terms = Fetch { connect_to: Some(web.address), ..Fetch::new(&net, patience(1000), &trust) };
    let page = url("http://mail.good.test/a%20page?x=1&y#part").unwrap();
    let (got, laps) = fetch(terms, Request::get(page)).await;
    let got = got.unwrap();
    assert_eq!((got.status, got.text(), got.is_whole), (200, "hello".to_owned(), true));
    assert_eq!(got.media_type().as_deref(), Some("text/plain"));
    assert_eq!(got.whole_body("body").unwrap(), b"hello");
    assert_eq!(laps, ["connect", "first_byte", "body"]);
    let head = &web.asked()[0].head;
    assert!(head.starts_with("GET /a%20page?x=1&y HTTP/1.1\r\n"), "{head}");
    for line in ["host: mail.good.test\r\n", "connection: close\r\n", "user-agent: Mailsonde/"] {
        assert!(head.contains(line), "{head}");
    }
}

#[tokio::test]
async fn a_server_that_thinks_is_seen_in_the_first_byte() {
    let thinking = Duration::from_millis(60);
    let page = b"HTTP/1.1 200 OK\r\n\r\nhello".to_vec();
    let web = Web::start(move |_| Said::Late(thinking, page.clone())).await;
    let (net, trust) = (Net::new(), TlsTrust::native());
    let mut watch = Stopwatch::start(Clock::system());
    let terms = Fetch::new(&net, patience(1000), &trust);
    let request = Request::get(url(&web.url("/")).unwrap());
    terms.send(request, &record(), &mut watch).await.unwrap();
    for lap in watch.laps() {
        let long = lap.to.duration_since(lap.from) >= thinking;
        assert_eq!(long, lap.name == "first_byte", "{lap:?}");
    }
}

#[tokio::test]
async fn a_form_is_posted_with_its_length() {
    let web = Web::start(|_| answer("201 Created", "text/plain", "")).await;
    let (net, trust) = (Net::new(), TlsTrust::native());
    let fields = [("grant_type", "a b"), ("secret", "x&=ü")];
    let request = Request::post_form(url(&web.url("/token")).unwrap(), fields);
    assert!(!format!("{request:?}").contains("secret"), "{request:?}");
    let (got, laps) = fetch(Fetch::new(&net, patience(1000), &trust), request).await;
    assert_eq!(got.unwrap().status, 201);
    assert_eq!(laps, ["resolve", "connect", "first_byte", "body"]);
    let asked = &web.asked()[0];
    assert_eq!(asked.body, "grant_type=a+b&secret=x%26%3D%C3%BC");
    assert_eq!(asked.field("secret").as_deref(), Some("x&=ü"));
    assert!(asked.head.contains("content-type: application/x-www-form-urlencoded\r\n"));
}

#[tokio::test]
async fn the_certificate_must_be_for_the_urls_host_wherever_it_is_connected_to() {
    let (web, trust) =
        Web::start_tls("mail.good.test", |_| answer("200 OK", "text/plain", "in")).await;
    let net = Net::new();
    let terms = Fetch { connect_to: Some(web.address), ..Fetch::new(&net, patience(1000), &trust) };
    let (got, laps) = fetch(terms, Request::get(url("https://mail.good.test/").unwrap())).await;
    assert_eq!(got.unwrap().tls.unwrap().version, "TLSv1.3");
    assert_eq!(laps, ["connect", "tls", "first_byte", "body"]);
    let (refused, laps) = fetch(terms, Request::get(url("https://other.test/").unwrap())).await;
    let fault = refused.unwrap_err().fault;
    assert_eq!((fault.phase.as_str(), fault.class), ("tls", FaultClass::Mismatch));
    assert!(fault.explanation.contains("mail.good.test"), "{fault}");
    assert_eq!(laps, ["connect"]);
    assert_eq!(web.asked().len(), 1);
}

/// Answers by the path: `/to/WHERE` redirects there.
fn redirecting(asked: &Asked) -> Said {
    match asked.target().strip_prefix("/to/") {
        Some(rest) => {
            let (status, to) = rest.split_once('/').unwrap();
            bytes(&format!(
                "HTTP/1.1 {status} Go\r\nLocation: {to}\r\nContent-Length: 9\r\n\r\nelsewhere"
            ))
        }
        None => answer("200 OK", "text/plain", "here"),
    }
}

#[tokio::test]
async fn redirects_are_followed_only_as_far_as_is_said() {
    let web = Web::start(redirecting).await;
    let (net, trust) = (Net::new(), TlsTrust::native());
    let strict = Fetch::new(&net, patience(1000), &trust);
    let page = |path: &str| Request::get(url(&web.url(path)).unwrap());
    let (got, _) = fetch(strict, page("/to/302//there")).await;
    let got = got.unwrap();
    assert_eq!(
        (got.status, got.header("location"), got.text().as_str()),
        (302, Some("/there"), "elsewhere")
    );

    let lenient = Fetch { redirects: 2, ..strict };
    let (got, laps) = fetch(lenient, page("/to/302//to/307//there")).await;
    let got = got.unwrap();
    assert_eq!((got.status, got.redirects, got.url.path()), (200, 2, "/there"));
    assert_eq!(laps, ["redirect", "redirect", "resolve", "connect", "first_byte", "body"]);

    for (path, words) in [
        (
            "/to/302//to/302//to/302//there",
            "redirect: protocol 302: it was redirected more than 2 times",
        ),
        (
            "/to/302/mailto:a@b",
            "redirect: protocol 302: the server redirects to what is no page: mailto:a@b",
        ),
        (
            "/to/302/http://u:p@b/",
            "redirect: protocol 302: the server redirects to what is no page: http://u:p@b/",
        ),
    ] {
        let (got, _) = fetch(lenient, page(path)).await;
        assert_eq!(got.unwrap_err().fault.to_string(), words, "{path}");
    }
}

#[tokio::test]
async fn https_stays_https_and_secrets_stay_with_their_host() {
    let plain = Web::start(|_| answer("200 OK", "text/plain", "plain")).await;
    let to_plain = plain.url("/");
    let (web, trust) = Web::start_tls("mail.good.test", move |asked| match asked.target() {
        "/plain" => bytes(&format!("HTTP/1.1 302 Go\r\nLocation: {to_plain}\r\n\r\n")),
        "/other" => bytes("HTTP/1.1 307 Go\r\nLocation: //mail.good.test:8443/\r\n\r\n"),
        "/same" => bytes("HTTP/1.1 307 Go\r\nLocation: /\r\n\r\n"),
        _ => answer("200 OK", "text/plain", "here"),
    })
    .await;
    let net = Net::new();
    let strict =
        Fetch { connect_to: Some(web.address), ..Fetch::new(&net, patience(1000), &trust) };
    let terms = Fetch { redirects: 1, ..strict };
    let request = |path: &str| {
        let url = url(&format!("https://mail.good.test{path}")).unwrap();
        Request::post_form(url, [("a", "b")])
            .with_secret_header(AUTHORIZATION, HeaderValue::from_static("Bearer hunter2"))
    };
    let (got, _) = fetch(terms, request("/plain")).await;
    let fault = got.unwrap_err().fault;
    assert_eq!(fault.class, FaultClass::Mismatch);
    assert!(fault.explanation.contains("from https to plain http"), "{fault}");
    assert!(plain.asked().is_empty());
    fetch(terms, request("/same")).await.0.unwrap();
    fetch(terms, request("/other")).await.0.unwrap();
    let asked = web.asked();
    let carries = |asked: &Asked| (asked.head.contains("hunter2"), !asked.body.is_empty());
    assert_eq!(
        asked.iter().map(carries).collect::<Vec<_>>(),
        [(true, true), (true, true), (true, true), (true, true), (false, false)]
    );
}

#[tokio::test]
async fn a_body_is_read_up_to_its_bound_and_no_further() {
    let long = "x".repeat(1001);
    for (said_, length, is_whole) in [
        (answer("200 OK", "text/plain", &"x".repeat(1000)), 1000, true),
        (answer("200 OK", "text/plain", &long), 1000, false),
        (bytes(&format!("HTTP/1.1 200 OK\r\n\r\n{long}")), 1000, false),
        (
            bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
            3,
            true,
        ),
        (bytes("HTTP/1.1 204 No Content\r\n\r\n"), 0, true),
    ] {
        let got = said(said_).await.unwrap();
        assert_eq!((got.body.len(), got.is_whole), (length, is_whole));
        assert_eq!(got.whole_body("body").is_ok(), is_whole);
    }
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut endless = head.as_bytes().to_vec();
    endless.extend(b"400\r\n");
    endless.extend([b'x'; 0x400]);
    endless.extend(b"\r\n");
    let endless = Said::Endless([endless, vec![b'y'; 60_000]].concat());
    assert!(!said(endless).await.unwrap().is_whole);
}

#[tokio::test]
async fn what_is_no_answer_has_its_own_words() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(101));
    let long = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "x".repeat(70_000));
    let bounds = "first_byte: protocol: the head of its answer goes beyond its bounds of 65536 bytes \
                  and 100 header fields";
    for (said_, words) in [
        (
            bytes("220 mail ESMTP\r\n"),
            "first_byte: protocol: what the server sent as the head of its answer is not HTTP",
        ),
        (
            bytes(""),
            "first_byte: refused: the server closed the connection before the end of the head of its answer",
        ),
        (
            bytes("HTTP/1.1 200"),
            "first_byte: refused: the server closed the connection before the end of the head",
        ),
        (bytes(&many), bounds),
        (bytes(&long), bounds),
        (Said::Endless(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()), "first_byte: timeout"),
        (
            Said::Stalled(b"HTTP/1.1 200 OK\r\n".to_vec()),
            "first_byte: timeout: the server did not send the head of its answer within 0.3 s",
        ),
        (
            Said::Stalled(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc".to_vec()),
            "body: timeout: the server did not send the body of its answer within 0.3 s",
        ),
        (
            bytes("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"),
            "body: refused: the server closed the connection before the end of the body of its answer",
        ),
        (
            bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc"),
            "body: protocol: what the server sent as the body of its answer is not HTTP",
        ),
    ] {
        let told = said(said_).await.unwrap_err();
        assert!(told.starts_with(words), "{told}");
    }
}

#[tokio::test]
async fn a_dripping_server_does_not_outlast_the_deadline() {
    let clock = Clock::system();
    let slow = format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(1000));
    let drip = Said::Dripping(Duration::from_millis(20), slow.into_bytes());
    let web = Web::start(move |_| drip.clone()).await;
    let (net, trust) = (Net::new(), TlsTrust::native());
    let deadline = clock.monotonic() + Duration::from_millis(400);
    let patience = Patience { clock, step: Duration::from_secs(9), deadline };
    let terms = Fetch::new(&net, patience, &trust);
    let (got, _) = fetch(terms, Request::get(url(&web.url("/")).unwrap())).await;
    assert_eq!(got.unwrap_err().fault.class, FaultClass::Timeout);
    assert!(clock.monotonic() < deadline + Duration::from_millis(300));
}

#[tokio::test]
async fn the_record_has_no_cookie_and_no_secret_header() {
    let web = Web::start(|_| {
        bytes("HTTP/1.1 200 OK\r\nSet-Cookie: session=hunter2\r\nServer: x\r\n\r\n")
    })
    .await;
    let (net, trust) = (Net::new(), TlsTrust::native());
    let request = Request::get(url(&web.url("/page")).unwrap())
        .with_secret_header(AUTHORIZATION, HeaderValue::from_static("Basic hunter2"));
    let record = record();
    let mut watch = Stopwatch::start(Clock::system());
    Fetch::new(&net, patience(1000), &trust).send(request, &record, &mut watch).await.unwrap();
    let text = record.text();
    assert!(!text.contains("hunter2"), "{text}");
    for part in ["C: GET http://127.0.0.1:", "/page", "S: HTTP/1.1 200 OK", "S: server: x"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn urls() {
    for (text, ok) in [
        ("https://mail.example.org/owa/", true),
        ("http://[::1]:8080/?q", true),
        ("https://bücher.example/", true),
        ("ftp://mail.example.org/", false),
        ("mail.example.org/owa", false),
        ("https://user@mail.example.org/", false),
        ("https://:pw@mail.example.org/", false),
        ("https://", false),
        ("file:///etc/passwd", false),
        ("", false),
    ] {
        assert_eq!(url(text).is_ok(), ok, "{text}");
    }
    assert_eq!(url(&format!("https://a/{}", "x".repeat(5000))), Err(NotAUrl::TooLong));
    // What is said there as HTTP could be heard as mail.
    for place in ["http://a:25/", "https://a:587/", "http://[::1]:143/", "https://a:53/"] {
        assert_eq!(url(place), Err(NotAUrl::Port), "{place}");
    }
}

/// Bytes that look a little like an answer, so that they get beyond the status line.
fn answers() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"HTTP/1.1 200 OK\r\n".to_vec()),
        Just(b"HTTP/1.1 302 Go\r\nLocation: ".to_vec()),
        Just(b"Content-Length: 3\r\n".to_vec()),
        Just(b"Transfer-Encoding: chunked\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"3\r\nabc\r\n0\r\n\r\n".to_vec()),
        Just(b"ffffffffffffffff\r\n".to_vec()),
        prop::collection::vec(any::<u8>(), 0..40),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn no_bytes_panic_or_exceed_the_bound(bytes in answers(), most in 0..20_usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        if let Ok(answer) = runtime.block_on(heard(&bytes, most)) {
            prop_assert!(answer.body.len() <= most);
            prop_assert!((100..1000).contains(&answer.status));
        }
    }
}
