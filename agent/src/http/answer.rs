//! What came.

use hyper::header::{CONTENT_TYPE, HeaderMap};
use mailsonde_proto::FaultClass;
use url::Url;

use crate::mail::failure::Failure;
use crate::net::TlsFacts;

/// The answer to a request, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Such as 200 (RFC 9110 section 15).
    pub status: u16,
    /// Where it came from, redirects followed.
    pub url: Url,
    /// How many redirects were followed.
    pub redirects: usize,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body, or as much of it as the terms allow.
    pub body: Vec<u8>,
    /// Whether that is all of it.
    pub is_whole: bool,
    /// The handshake, where there was one.
    pub tls: Option<TlsFacts>,
}

impl Answer {
    /// A header field's value, where it is there and is ASCII; the first of several.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The media type in lower case, without its parameters (RFC 9110 section 8.3.1).
    pub fn media_type(&self) -> Option<String> {
        let value = self.header(CONTENT_TYPE.as_str())?;
        let media_type = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        (!media_type.is_empty()).then_some(media_type)
    }

    /// The body as text; what is no UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body, where all of it was read.
    ///
    /// # Errors
    /// When it is larger than the terms allow.
    pub fn whole_body(&self, phase: &str) -> Result<&[u8], Failure> {
        if self.is_whole {
            return Ok(&self.body);
        }
        let words = format!("the answer is larger than the {} bytes accepted", self.body.len());
        Err(Failure::new(phase, FaultClass::Protocol, words))
    }
}
