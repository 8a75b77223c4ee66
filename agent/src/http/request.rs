//! What is asked for.

use std::fmt;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Method;
use hyper::header::{
    ACCEPT, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue,
    USER_AGENT,
};
use url::form_urlencoded::Serializer;
use url::{Position, Url};

const AGENT: &str = concat!("Mailsonde/", env!("CARGO_PKG_VERSION"));

/// The longest URL that is read, in bytes.
const LONGEST_URL: usize = 4096;

/// The page of a URL.
///
/// # Errors
/// When it is no URL, is not of http or https, or carries a login.
pub fn url(text: &str) -> Result<Url, NotAUrl> {
    if text.len() > LONGEST_URL {
        return Err(NotAUrl::TooLong);
    }
    acceptable(Url::parse(text).map_err(NotAUrl::Syntax)?)
}

pub(super) fn acceptable(url: Url) -> Result<Url, NotAUrl> {
    if url.as_str().len() > LONGEST_URL {
        return Err(NotAUrl::TooLong);
    }
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(NotAUrl::Scheme);
    }
    if url.port_or_known_default().is_some_and(is_of_others) {
        return Err(NotAUrl::Port);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(NotAUrl::Login);
    }
    Ok(url)
}

/// Whether another protocol than HTTP is at home at a port: what is said there as HTTP could be heard as
/// something else, such as a message ("port blocking" of the Fetch Standard; those of mail and DNS).
pub fn is_of_others(port: u16) -> bool {
    matches!(port, 22 | 25 | 53 | 110 | 143 | 465 | 587 | 993 | 995 | 4190)
}

/// Why a text is not the URL of a page.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAUrl {
    /// It is no URL.
    #[error("it is no URL: {0}")]
    Syntax(#[source] url::ParseError),
    /// It is not of the web.
    #[error("it must begin with https:// or http:// and name a host")]
    Scheme,
    /// It is at a port of another protocol.
    #[error("its port is that of another protocol")]
    Port,
    /// It carries a login, which would be logged with it.
    #[error("it must not carry a login: that has settings of its own")]
    Login,
    /// It is too long.
    #[error("it is longer than {LONGEST_URL} bytes")]
    TooLong,
}

/// One request. Its body and its secret header fields do not show in `Debug`.
#[derive(Clone)]
pub struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    headers: HeaderMap,
    /// For the host of the first URL only.
    secret_headers: HeaderMap,
    body: Bytes,
}

impl Request {
    /// With this method (GET, HEAD, OPTIONS…) and no body.
    pub fn new(method: Method, url: Url) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        Self { method, url, headers, secret_headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// A page.
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    /// A form (`application/x-www-form-urlencoded`).
    pub fn post_form<'f>(url: Url, fields: impl IntoIterator<Item = (&'f str, &'f str)>) -> Self {
        let form = Serializer::new(String::new()).extend_pairs(fields).finish();
        Self::post(url, "application/x-www-form-urlencoded", form.into())
    }

    /// A text of another kind, such as JSON or XML.
    pub fn post(url: Url, media_type: &'static str, body: Bytes) -> Self {
        let request = Self { body, ..Self::new(Method::POST, url) };
        request.with_header(CONTENT_TYPE, HeaderValue::from_static(media_type))
    }

    /// With one header field more.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// With a header field that is a secret between us and this very host: it is written down nowhere, and
    /// left out where a redirect leads to another host.
    #[must_use]
    pub fn with_secret_header(mut self, name: HeaderName, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        self.secret_headers.insert(name, value);
        self
    }

    /// Where it goes.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// As hyper wants it: origin form, Host by name (RFC 9112 sections 3.2.1 and 3.2).
    pub(super) fn to_hyper(&self) -> Option<hyper::Request<Full<Bytes>>> {
        let target = &self.url[Position::BeforePath..Position::AfterQuery];
        let host = &self.url[Position::BeforeHost..Position::AfterPort];
        let mut request = hyper::Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = target.parse().ok()?;
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_str(host).ok()?);
        headers.extend(self.headers.clone());
        headers.extend(self.secret_headers.clone());
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        if !self.body.is_empty() || self.method == Method::POST {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        }
        Some(request)
    }

    /// The request after a redirect: 303 turns everything but HEAD into GET, 301 and 302 turn POST into GET,
    /// 307 and 308 keep it (RFC 9110 sections 15.4.2 to 15.4.9).
    pub(super) fn redirected(mut self, target: Url, status: u16) -> Self {
        let becomes_get = match status {
            303 => self.method != Method::HEAD,
            301 | 302 => self.method == Method::POST,
            _ => false,
        };
        if becomes_get {
            self.method = Method::GET;
            self.body = Bytes::new();
            self.headers.remove(CONTENT_TYPE);
        }
        if self.url.origin() != target.origin() {
            self.secret_headers.clear();
            // A body may hold a secret as well; where another host asks for it, it gets none.
            self.body = Bytes::new();
        }
        self.url = target;
        self
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({} {}, {} bytes)", self.method, self.url, self.body.len())
    }
}
