//! A collector over the network: its URL, whom to trust that it is the one, and the connection to it.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use hyper::Uri;
use hyper::header::HeaderValue;
use hyper::http::uri::Scheme;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::pinned::PinnedAuthority;
use crate::identity::{authorities, https_config, system_authorities};

/// The port of an `https` URL that names none.
const HTTPS: u16 = 443;

/// Where a collector is: `https://HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectorUrl {
    /// In lower case; an IPv6 address without brackets.
    host: String,
    port: u16,
}

impl CollectorUrl {
    /// Host and port as they stand in the URL, the port always.
    pub fn authority(&self) -> String {
        let Self { host, port } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// As a part of a file's name.
    pub(super) fn file_stem(&self) -> String {
        format!("{}-{}", self.host.replace(':', "_"), self.port)
    }
}

impl fmt::Display for CollectorUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.authority())
    }
}

impl FromStr for CollectorUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || "write the collector's URL as https://HOST:PORT".to_owned();
        let uri: Uri = text.parse().ok().ok_or_else(form)?;
        let is_bare = uri.path_and_query().is_none_or(|path| path == "/");
        let authority = uri.authority().filter(|it| !it.as_str().contains('@')).ok_or_else(form)?;
        if uri.scheme() != Some(&Scheme::HTTPS) || !is_bare {
            return Err(form());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(form());
        }
        let port = authority.port_u16().unwrap_or(HTTPS);
        Ok(Self { host: host.to_ascii_lowercase(), port })
    }
}

/// By whom a collector is known to be the one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// By the authorities that this machine trusts.
    Host,
    /// By these authorities: PEM.
    Authorities(String),
    /// By the authority with this fingerprint (SHA-256 of its DER form), which the collector shows itself.
    Fingerprint([u8; 32]),
}

/// Reads a fingerprint, as `openssl x509 -fingerprint -sha256` prints it, with colons or without.
pub(super) fn fingerprint(text: &str) -> Result<[u8; 32], String> {
    let digits = text.rsplit('=').next().unwrap_or(text).replace(':', "");
    let mut bytes = [0; 32];
    let read = hex::decode_to_slice(digits.trim(), &mut bytes);
    read.map_err(|_unread| "a fingerprint is SHA-256: 64 hexadecimal digits".to_owned())?;
    Ok(bytes)
}

impl Trust {
    fn config(&self) -> anyhow::Result<ClientConfig> {
        Ok(match self {
            Self::Fingerprint(fingerprint) => PinnedAuthority::client_config(*fingerprint)?,
            Self::Host => https_config(system_authorities())?,
            Self::Authorities(pem) => https_config(authorities(pem)?)?,
        })
    }
}

/// A collector over the network, and what to show it.
#[derive(Clone)]
pub struct Remote {
    url: CollectorUrl,
    trust: Trust,
    tls: Arc<ClientConfig>,
    /// Marked as sensitive: it cannot be printed.
    authorization: Option<HeaderValue>,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remote({})", self.url)
    }
}

impl Remote {
    /// Nothing is connected yet.
    pub(super) fn new(
        url: CollectorUrl,
        trust: Trust,
        token: Option<&str>,
    ) -> anyhow::Result<Self> {
        let tls = trust.config()?;
        let authorization = token.map(|token| {
            let value = HeaderValue::try_from(format!("Bearer {token}"));
            value.ok().context("the token has characters that no token has")
        });
        let mut authorization = authorization.transpose()?;
        if let Some(value) = &mut authorization {
            value.set_sensitive(true);
        }
        Ok(Self { url, trust, tls: Arc::new(tls), authorization })
    }

    /// Where it is.
    pub fn url(&self) -> &CollectorUrl {
        &self.url
    }

    /// What shows who asks.
    pub(super) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// Connects, and makes sure that it is the one.
    pub(super) async fn connect(&self) -> anyhow::Result<TlsStream<TcpStream>> {
        let CollectorUrl { host, port } = &self.url;
        let stream = TcpStream::connect((host.as_str(), *port)).await.with_context(|| {
            format!("cannot reach {}: is operators_listen set there, and the port open?", self.url)
        })?;
        let name = ServerName::try_from(host.clone())
            .with_context(|| format!("{host} is no host that a certificate can be for"))?;
        let connected = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await;
        connected.map_err(|error| anyhow!(self.in_words(&error)))
    }

    fn in_words(&self, error: &io::Error) -> String {
        let inner = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
        let (url, host) = (&self.url, &self.url.host);
        let Some(rustls::Error::InvalidCertificate(why)) = inner else {
            return format!("no TLS with {url}: {error}");
        };
        match (why, &self.trust) {
            (CertificateError::UnknownIssuer, Trust::Host) => format!(
                "the certificate of {url} is not trusted here: if the collector has an authority of its own, \
                 `mailsonde-collector login --url {url}` with --ca FILE (its ca.pem) or --fingerprint SHA256"
            ),
            (CertificateError::UnknownIssuer | CertificateError::BadSignature, _) => format!(
                "the certificate of {url} is not trusted: it is of another authority than the one given at \
                 `mailsonde-collector login`; somebody may be in between"
            ),
            (
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
                _,
            ) => format!(
                "the certificate of {url} is not for {host}: use the name that stands in it, which is \
                 `name` in collector.toml"
            ),
            (CertificateError::Expired | CertificateError::ExpiredContext { .. }, _) => {
                format!("the certificate of {url} has expired")
            }
            (why, _) => format!("the certificate of {url} is not trusted: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_host_and_a_port_and_nothing_else() {
        for (text, expected) in [
            ("https://Mail.example.org:7444", Some("https://mail.example.org:7444")),
            ("https://mail.example.org/", Some("https://mail.example.org:443")),
            ("https://[::1]:7444", Some("https://[::1]:7444")),
            ("https://127.0.0.1:1", Some("https://127.0.0.1:1")),
            ("http://mail.example.org:7444", None),
            ("mail.example.org:7444", None),
            ("https://mail.example.org/api", None),
            ("https://mail.example.org/?a", None),
            ("https://ann:secret@mail.example.org", None),
            ("https://:7444", None),
            ("", None),
        ] {
            let url = text.parse::<CollectorUrl>().ok().map(|url| url.to_string());
            assert_eq!(url.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_fingerprint_is_read_as_openssl_prints_it() {
        let plain = "ab".repeat(32);
        let colons = format!("sha256 Fingerprint={}", ["AB"; 32].join(":"));
        for (text, is_one) in
            [(plain.as_str(), true), (&colons, true), ("abab", false), ("", false)]
        {
            assert_eq!(fingerprint(text).ok(), is_one.then_some([0xab; 32]), "{text}");
        }
    }

    #[test]
    fn a_token_cannot_be_printed() {
        let url: CollectorUrl = "https://localhost:1".parse().unwrap();
        let remote = Remote::new(url, Trust::Fingerprint([1; 32]), Some("msa1_x")).unwrap();
        let printed = format!("{remote:?} {:?}", remote.authorization());
        assert!(!printed.contains("msa1"), "{printed}");
    }
}
