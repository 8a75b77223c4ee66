//! The provider as it is asked: what it says of itself, its keys, and a code for a token.
//!
//! Every answer is bounded in size and in time; redirects are not followed. What it says of itself is kept for an
//! hour, its keys too, unless a token names one that is not among them.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, StatusCode};
use jsonwebtoken::jwk::Jwk;
use mailsonde_proto::time::Instant;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;
use url::form_urlencoded::{Serializer, byte_serialize};
use url::{Host, Url};
use zeroize::Zeroizing;

use super::OidcError;
use super::pending::Row;
use crate::http::{exchange, whole};

/// The provider answers by then.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// Bytes of an answer at most.
const MAX_ANSWER_BYTES: usize = 512 * 1024;
/// What was read is good for so long.
const FRESH: Duration = Duration::from_secs(3_600);
/// Unknown keys are looked for this often at most.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// The provider.
pub(super) struct Provider {
    issuer: String,
    client_id: String,
    client_secret: Option<Zeroizing<String>>,
    tls: Arc<ClientConfig>,
    known: Mutex<Option<Known>>,
}

#[derive(Clone)]
struct Known {
    about: About,
    keys: Vec<Jwk>,
    read_at: Instant,
}

/// OpenID Connect Discovery 1.0 section 3.
#[derive(Clone, Deserialize)]
struct About {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    jwks_uri: Url,
}

/// RFC 7517 section 5. Keys that we cannot read are somebody else's.
#[derive(Deserialize)]
struct Keys {
    keys: Vec<Value>,
}

/// OpenID Connect Core 1.0 section 3.1.3.3.
#[derive(Deserialize)]
struct Tokens {
    id_token: Zeroizing<String>,
}

/// RFC 6749 section 5.2.
#[derive(Deserialize)]
struct Refusal {
    error: String,
}

fn unreachable(words: impl std::fmt::Display) -> OidcError {
    OidcError::Provider(words.to_string())
}

impl Provider {
    pub(super) fn new(
        issuer: String,
        (client_id, client_secret): (String, Option<Zeroizing<String>>),
        tls: ClientConfig,
    ) -> Self {
        let known = Mutex::new(None);
        Self { issuer, client_id, client_secret, tls: Arc::new(tls), known }
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Where browsers go.
    pub(super) async fn authorization_endpoint(&self, now: Instant) -> Result<Url, OidcError> {
        Ok(self.known(FRESH, now).await?.about.authorization_endpoint)
    }

    /// The keys that it signs with, `wanted` among them if it has it.
    pub(super) async fn keys(
        &self,
        wanted: Option<&str>,
        now: Instant,
    ) -> Result<Vec<Jwk>, OidcError> {
        let keys = self.known(FRESH, now).await?.keys;
        let has = |keys: &[Jwk]| {
            keys.iter().any(|key| wanted.is_none() || key.common.key_id.as_deref() == wanted)
        };
        if has(&keys) {
            return Ok(keys);
        }
        Ok(self.known(LOOK_AGAIN, now).await?.keys)
    }

    async fn known(&self, no_older_than: Duration, now: Instant) -> Result<Known, OidcError> {
        let mut known = self.known.lock().await;
        let is_fresh = |it: &&Known| now.saturating_duration_since(it.read_at) < no_older_than;
        if let Some(known) = known.as_ref().filter(is_fresh) {
            return Ok(known.clone());
        }
        let path =
            format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let about: About = self.get(&Url::parse(&path).map_err(unreachable)?).await?;
        // section 4.3: else it could speak for another
        if about.issuer != self.issuer {
            return Err(unreachable(format_args!("it calls itself {}", about.issuer)));
        }
        let read: Keys = self.get(&about.jwks_uri).await?;
        let keys = read.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
        let read = Known { about, keys: keys.collect(), read_at: now };
        *known = Some(read.clone());
        Ok(read)
    }

    /// Gives a code and gets the ID token (sections 3.1.3.1 and 3.1.3.3).
    pub(super) async fn redeem(
        &self,
        code: &str,
        row: &Row,
        now: Instant,
    ) -> Result<Zeroizing<String>, OidcError> {
        let endpoint = self.known(FRESH, now).await?.about.token_endpoint;
        let mut request = Request::builder()
            .method(Method::POST)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(secret) = &self.client_secret {
            request = request.header(AUTHORIZATION, self.basic(secret)?);
        }
        let (status, body) = self.ask(&endpoint, request, self.form(code, row).into()).await?;
        if status != StatusCode::OK {
            let refused = serde_json::from_slice::<Refusal>(&body);
            let word = refused.map_or_else(|_| status.to_string(), |refused| refused.error);
            let word: String = word.chars().filter(|c| !c.is_control()).take(80).collect();
            return Err(OidcError::NotVouched(format!("it answers {word:?} to the code")));
        }
        let tokens: Tokens = serde_json::from_slice(&body).ok().ok_or_else(|| {
            OidcError::NotVouched("it answers to the code without an ID token".to_owned())
        })?;
        Ok(tokens.id_token)
    }

    fn form(&self, code: &str, row: &Row) -> String {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", &row.redirect_uri)
            .append_pair("code_verifier", &row.verifier);
        if self.client_secret.is_none() {
            form.append_pair("client_id", &self.client_id);
        }
        form.finish()
    }

    /// RFC 6749 section 2.3.1.
    fn basic(&self, secret: &str) -> Result<HeaderValue, OidcError> {
        let escaped = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", escaped(&self.client_id), escaped(secret));
        let value = format!("Basic {}", STANDARD.encode(Zeroizing::new(pair).as_bytes()));
        let mut value = HeaderValue::try_from(value).map_err(unreachable)?;
        value.set_sensitive(true);
        Ok(value)
    }

    async fn get<T: DeserializeOwned>(&self, url: &Url) -> Result<T, OidcError> {
        let (status, body) = self.ask(url, Request::builder(), Bytes::new()).await?;
        if status != StatusCode::OK {
            return Err(unreachable(format_args!("{url} answers {status}")));
        }
        let parsed = serde_json::from_slice(&body);
        parsed.map_err(|error| unreachable(format_args!("{url}: {error}")))
    }

    async fn ask(
        &self,
        url: &Url,
        request: hyper::http::request::Builder,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), OidcError> {
        let host = url.host().filter(|_| url.scheme() == "https");
        let host = host.ok_or_else(|| unreachable(format_args!("{url} is no https URL")))?;
        let host = match host {
            Host::Domain(name) => name.to_owned(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        let port = url.port_or_known_default().unwrap_or(443);
        let target = url
            .query()
            .map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let request = request
            .uri(target)
            .header(HOST, url.authority())
            .header(ACCEPT, "application/json")
            .body(Full::new(body))
            .map_err(unreachable)?;
        let asking = async {
            let stream = TcpStream::connect((host.as_str(), port)).await.map_err(unreachable)?;
            let name = ServerName::try_from(host.clone()).map_err(unreachable)?;
            let connector = TlsConnector::from(Arc::clone(&self.tls));
            let stream = connector.connect(name, stream).await.map_err(unreachable)?;
            let all = async |answer| whole(answer, MAX_ANSWER_BYTES).await;
            exchange(stream, request, all).await.map_err(unreachable)
        };
        let seconds = TIME_LIMIT.as_secs();
        tokio::time::timeout(TIME_LIMIT, asking)
            .await
            .ok()
            .ok_or_else(|| unreachable(format_args!("{url} did not answer within {seconds} s")))?
    }
}
