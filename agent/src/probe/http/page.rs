//! One page: asked for, described, and held against what is expected of it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{AUTHORIZATION, HeaderValue};
use mailsonde_proto::FaultClass;
use url::Url;

use super::settings::{Expectations, Settings};
use super::{Errand, Fetched};
use crate::http::{Answer, Fetch, NAMES, Request};
use crate::mail::failure::Failure;
use crate::mail::wire::Record;
use crate::stopwatch::Stopwatch;
use crate::transcript::Direction;

/// Bytes of a page that did not meet its expectations which are kept in the transcript.
const MOST_SHOWN: usize = 2 * 1024;
/// Characters of a page that are kept with a fault, and of a header field that are kept as a fact.
const MOST_WORDS: usize = 300;

/// Asks for the configured page and judges it.
pub(super) async fn one(mut errand: Errand<'_>, url: &Url) -> Result<(), Failure> {
    let request = request(errand.settings, url.clone());
    let answer = errand.fetch.send(request, errand.record, errand.watch).await?;
    describe(&mut errand, &answer);
    judge(&errand.settings.expectations, &answer).inspect_err(|_| show(errand.record, &answer))
}

/// Asks for a page of a preset, as one phase of this name.
pub(super) async fn part(
    fetch: Fetch<'_>,
    request: Request,
    (record, watch): (&Record, &mut Stopwatch),
    phase: &'static str,
) -> Fetched {
    let mut laps = Stopwatch::start(fetch.patience.clock);
    let fetched = fetch.send(request, record, &mut laps).await;
    watch.lap(phase);
    fetched.map_err(|mut failure| {
        let step = std::mem::replace(&mut failure.fault.phase, phase.to_owned());
        failure.fault.explanation = format!("{step}: {}", failure.fault.explanation);
        failure
    })
}

/// A request by the settings, with the login where there is one (RFC 7617).
pub(super) fn request(settings: &Settings, url: Url) -> Request {
    signed(settings, Request::new(settings.method.clone(), url))
}

/// The same request with the login, where there is one.
pub(super) fn signed(settings: &Settings, request: Request) -> Request {
    let (Some(login), Some(password)) = (&settings.login, &settings.password) else {
        return request;
    };
    let both = STANDARD.encode(format!("{login}:{}", password.expose()));
    match HeaderValue::from_str(&format!("Basic {both}")) {
        Ok(value) => request.with_secret_header(AUTHORIZATION, value),
        // Base64 is a header field always.
        Err(_) => request,
    }
}

fn describe(errand: &mut Errand<'_>, answer: &Answer) {
    errand.fact("http.status", answer.status.to_string());
    errand.fact("http.url", answer.url.as_str());
    if answer.redirects > 0 {
        errand.fact("http.redirects", answer.redirects.to_string());
    }
    let bytes = answer.body.len();
    errand
        .fact("http.bytes", if answer.is_whole { bytes.to_string() } else { format!(">{bytes}") });
    for (fact, name) in [("http.server", "server"), ("http.media_type", "content-type")] {
        if let Some(value) = answer.header(name) {
            errand.fact(fact, value.chars().take(MOST_WORDS).collect::<String>());
        }
    }
    if let Some(tls) = &answer.tls {
        errand.secured(tls);
    }
}

/// The page's beginning, for whoever reads the transcript.
pub(super) fn show(record: &Record, answer: &Answer) {
    record.say_bytes(Direction::Server, answer.body.get(..MOST_SHOWN).unwrap_or(&answer.body));
}

/// Whether a page is what is expected.
pub(super) fn judge(expected: &Expectations, answer: &Answer) -> Result<(), Failure> {
    if !expected.status.iter().any(|range| range.contains(&answer.status)) {
        return Err(unexpected_status(NAMES.first_byte, answer, &expected.status_words()));
    }
    for (name, expression) in &expected.headers {
        let values = answer.headers.get_all(name.as_str());
        let values: Vec<_> =
            values.iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        if values.is_empty() {
            return Err(mismatch(NAMES.first_byte, answer, format!("there is no header {name}")));
        }
        if !values.iter().any(|value| expression.is_match(value)) {
            let shown: String = values.join(", ").chars().take(MOST_WORDS).collect();
            let words = format!("the header {name} is {shown}, and not as \"{expression}\"");
            return Err(mismatch(NAMES.first_byte, answer, words));
        }
    }
    let text = answer.text();
    let read = if answer.is_whole {
        String::new()
    } else {
        format!(" in its first {} bytes", answer.body.len())
    };
    for expression in &expected.body {
        if !expression.is_match(&text) {
            let words = format!("the page does not contain \"{expression}\"{read}");
            return Err(mismatch(NAMES.body, answer, words));
        }
    }
    for expression in &expected.forbidden {
        if let Some(found) = expression.find(&text) {
            let found: String = found.as_str().chars().take(100).collect();
            let words = format!("the page contains \"{found}\", which it must not");
            return Err(mismatch(NAMES.body, answer, words));
        }
    }
    Ok(())
}

/// The fault that a status is which nobody wants (RFC 9110 section 15).
pub(super) fn unexpected_status(phase: &str, answer: &Answer, expected: &str) -> Failure {
    let class = match answer.status {
        429 | 500..=599 => FaultClass::Temporary,
        400..=499 => FaultClass::Permanent,
        _ => FaultClass::Mismatch,
    };
    let words = format!("the server answered {}, expected is {expected}", answer.status);
    told(phase, answer, (class, words))
}

/// The fault that a page is which is another than the expected one.
pub(super) fn mismatch(phase: &str, answer: &Answer, words: String) -> Failure {
    told(phase, answer, (FaultClass::Mismatch, words))
}

fn told(phase: &str, answer: &Answer, (class, words): (FaultClass, String)) -> Failure {
    let text = answer.text();
    let reply = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST_WORDS);
    let reply = reply.collect::<String>().trim().to_owned();
    Failure::new(phase, class, words).with_reply(Some(answer.status), None, reply)
}
