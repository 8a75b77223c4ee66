//! HTTP/1.1 as a client (RFC 9110, RFC 9112): one exchange a connection, timed and bounded.
//!
//! [`Fetch`] says under which terms, [`Request`] says what, [`Answer`] is what came:
//!
//! ```text
//! let url = http::url("https://mta-sts.example.org/.well-known/mta-sts.txt")?;
//! let fetch = Fetch { most_body: 64 * 1024, ..Fetch::new(&net, patience, &trust) };
//! let answer = fetch.send(Request::get(url), &record, &mut stopwatch).await?;
//! // answer.status, answer.media_type(), answer.whole_body(phase)?, answer.tls
//! ```
//!
//! Every step is a lap of the caller's stopwatch ([`Names`]: resolve, connect, tls, first_byte, body; what
//! was redirected is one lap, redirect). Sockets and handshakes are `net`'s; the certificate must carry the
//! name in the URL and be good by the given `TlsTrust`, wherever `connect_to` leads. A redirect is an answer
//! like any other unless `redirects` says how many are followed; from https none leads to http, and what was
//! said for one host's ears ([`Request::with_secret_header`]) is not said to another. A head is at most
//! [`MOST_HEAD`] bytes and [`MOST_HEADERS`] lines; a body is read up to `most_body` bytes, and
//! [`Answer::is_whole`] says whether that was all. Absent on purpose: keep-alive, cookies, compression,
//! proxies and HTTP/2, each of which would make two measurements differ for reasons of our own.

mod answer;
mod exchange;
mod request;

#[cfg(test)]
pub(crate) mod stand_in;

use std::net::SocketAddr;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::LOCATION;
use mailsonde_proto::{Clock, FaultClass};
use tokio::io::AsyncWriteExt;
use url::{Host, Url};

use crate::mail::dial::{Dial, Patience, PhaseNames};
use crate::mail::endpoint::{Endpoint, Tls};
use crate::mail::failure::Failure;
use crate::mail::wire::{Duplex, Record};
use crate::net::{Net, TlsTrust};
use crate::stopwatch::Stopwatch;
use crate::transcript::Transcript;

pub use answer::Answer;
pub use request::{NotAUrl, Request, is_of_others, url};

/// The most bytes of an answer's status line and header fields.
pub const MOST_HEAD: usize = 64 * 1024;
/// The most header fields of an answer.
pub const MOST_HEADERS: usize = 100;
/// The most bytes of a body, unless told otherwise.
pub const DEFAULT_MOST_BODY: usize = 64 * 1024;

/// What the phases of an exchange are called.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// Look-up, connection and TLS handshake.
    pub opening: PhaseNames,
    /// From the request to the end of the answer's head.
    pub first_byte: &'static str,
    /// From there to the end of the body, or of what is read of it.
    pub body: &'static str,
    /// All exchanges that ended in a redirect which was followed.
    pub redirect: &'static str,
}

/// `resolve`, `connect`, `tls`, `first_byte`, `body` and `redirect`.
pub const NAMES: Names = Names {
    opening: PhaseNames::PLAIN,
    first_byte: "first_byte",
    body: "body",
    redirect: "redirect",
};

/// The terms under which something is fetched.
#[derive(Clone, Copy, Debug)]
pub struct Fetch<'a> {
    /// Opens the sockets.
    pub net: &'a Net,
    /// How long each step and all of it may take.
    pub patience: Patience,
    /// Whose certificates are accepted.
    pub trust: &'a TlsTrust,
    /// What the phases are called.
    pub names: Names,
    /// Connect there, whatever address the URL's host has. Host field, SNI and certificate stay by name.
    pub connect_to: Option<SocketAddr>,
    /// How many redirects are followed; with none, a redirect is the answer.
    pub redirects: usize,
    /// How many bytes of the body are read.
    pub most_body: usize,
}

impl<'a> Fetch<'a> {
    /// The strictest terms: no redirect, [`DEFAULT_MOST_BODY`], and the usual [`NAMES`].
    pub fn new(net: &'a Net, patience: Patience, trust: &'a TlsTrust) -> Self {
        Self {
            net,
            patience,
            trust,
            names: NAMES,
            connect_to: None,
            redirects: 0,
            most_body: DEFAULT_MOST_BODY,
        }
    }

    /// Sends the request and reads the answer, whatever its status.
    ///
    /// # Errors
    /// The phase that failed, and why: nothing could be opened, what came is no HTTP or beyond its bounds,
    /// or it led nowhere.
    pub async fn send(
        &self,
        mut request: Request,
        record: &Record,
        watch: &mut Stopwatch,
    ) -> Result<Answer, Failure> {
        let mut redirected = 0;
        loop {
            let mut laps = Stopwatch::start(self.patience.clock);
            let reads_body = |status| self.redirects == 0 || !is_redirect(status);
            let exchanged = self.exchange(&request, (record, &mut laps), reads_body).await;
            match exchanged {
                Ok(answer) if self.redirects > 0 && is_redirect(answer.status) => {
                    watch.lap(self.names.redirect);
                    request = self.redirected(request, &answer, redirected)?;
                    redirected += 1;
                }
                told => {
                    watch.join(laps);
                    return told.map(|answer| Answer { redirects: redirected, ..answer });
                }
            }
        }
    }

    /// Opens a connection by the terms, and has one exchange on it.
    async fn exchange(
        &self,
        request: &Request,
        (record, watch): (&Record, &mut Stopwatch),
        reads_body: impl Fn(u16) -> bool,
    ) -> Result<Answer, Failure> {
        let endpoint = self.endpoint(&request.url);
        let dial = Dial { net: self.net, patience: self.patience, names: self.names.opening };
        let (wire, tls) = match self.connect_to {
            None => dial.open_anonymous(&endpoint, record.clone(), watch).await?,
            Some(address) => {
                let there = Endpoint { port: address.port(), ..endpoint };
                let wire = dial.connect(&there, &[address.ip()], record.clone(), watch).await?;
                if there.tls == Tls::Implicit {
                    let (wire, tls) = dial.secure(wire, &there).await?;
                    watch.lap(self.names.opening.tls);
                    (wire, Some(tls))
                } else {
                    (wire, None)
                }
            }
        };
        let first_byte = self.names.first_byte;
        let (stream, _record) = wire
            .into_stream()
            .map_err(|error| Failure::wire(first_byte, "an answer of HTTP", &error))?;
        let answer = exchange::exchange(self, (stream, record), request, watch, reads_body).await?;
        Ok(Answer { tls, ..answer })
    }

    fn endpoint(&self, url: &Url) -> Endpoint {
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            // `url` accepts no URL without a host.
            None => String::new(),
        };
        let is_tls = url.scheme() == "https";
        let port = url.port_or_known_default().unwrap_or(if is_tls { 443 } else { 80 });
        let tls = if is_tls { Tls::Implicit } else { Tls::None };
        Endpoint { host, port, tls, trust: self.trust.clone(), login: None }
    }

    /// The request that a redirect leads to (RFC 9110 section 15.4).
    fn redirected(
        &self,
        request: Request,
        answer: &Answer,
        redirected: usize,
    ) -> Result<Request, Failure> {
        let wrong = |class, words: String| {
            Failure::new(self.names.redirect, class, words).with_reply(
                Some(answer.status),
                None,
                String::new(),
            )
        };
        if redirected >= self.redirects {
            let words = format!("it was redirected more than {} times", self.redirects);
            return Err(wrong(FaultClass::Protocol, words));
        }
        let Some(location) = answer.header(LOCATION.as_str()) else {
            let words = "the server redirects, but does not say where to (no Location)";
            return Err(wrong(FaultClass::Protocol, words.to_owned()));
        };
        let shown: String = location.chars().take(200).collect();
        let target = request.url.join(location).ok().and_then(|url| request::acceptable(url).ok());
        let Some(target) = target else {
            let words = format!("the server redirects to what is no page: {shown}");
            return Err(wrong(FaultClass::Protocol, words));
        };
        if request.url.scheme() == "https" && target.scheme() != "https" {
            let words = format!("the server redirects from https to plain http: {shown}");
            return Err(wrong(FaultClass::Mismatch, words));
        }
        Ok(request.redirected(target, answer.status))
    }
}

/// What the answer of a server comes to that says these bytes and hangs up, with a redirect that is followed
/// as far as it can be without another connection. For the property test and the fuzz target.
///
/// # Errors
/// As those of [`Fetch::send`].
pub async fn heard(bytes: &[u8], most_body: usize) -> Result<Answer, Failure> {
    let (net, trust, clock) = (Net::new(), TlsTrust::native(), Clock::system());
    let step = Duration::from_secs(1);
    let patience = Patience { clock, step, deadline: clock.monotonic() + step };
    let terms = Fetch { most_body, redirects: 1, ..Fetch::new(&net, patience, &trust) };
    let (ours, mut theirs) = tokio::io::duplex(bytes.len().max(4096));
    let broken = |error| Failure::new("connect", FaultClass::Refused, format!("{error}"));
    theirs.write_all(bytes).await.map_err(broken)?;
    theirs.shutdown().await.map_err(broken)?;
    let asked = url("http://a.test/")
        .map_err(|error| Failure::new("connect", FaultClass::Protocol, error.to_string()))?;
    let request = Request::get(asked);
    let record = Record::new(Transcript::start(clock, Vec::new()));
    let stream: (Box<dyn Duplex>, _) = (Box::new(ours), &record);
    let mut watch = Stopwatch::start(clock);
    let answer = exchange::exchange(&terms, stream, &request, &mut watch, |_| true).await?;
    drop(terms.redirected(request, &answer, 0));
    Ok(answer)
}

fn is_redirect(status: u16) -> bool {
    let known = [
        StatusCode::MOVED_PERMANENTLY,
        StatusCode::FOUND,
        StatusCode::SEE_OTHER,
        StatusCode::TEMPORARY_REDIRECT,
        StatusCode::PERMANENT_REDIRECT,
    ];
    known.iter().any(|known| known.as_u16() == status)
}

#[cfg(test)]
mod tests;
