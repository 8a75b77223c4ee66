//! Signing in by an OpenID provider: the authorization code flow with PKCE (OpenID Connect Core 1.0 section 3.1,
//! RFC 7636), for a command line that waits on its own machine for the browser to come back (RFC 8252).
//!
//! The collector holds the verifier, the nonce and the client's secret, and asks the provider itself; the command
//! line carries the code from the browser. Invariants: a state works once and for ten minutes; what the provider
//! vouches for lets nobody in whom an administrator has not added. Absent on purpose: roles from the provider's
//! claims, and its tokens, which are dropped once they are read.

mod id_token;
mod pending;
mod provider;

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use mailsonde_proto::Clock;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::access::network;
use crate::config::OidcConfig;
use crate::folder::{Folder, FolderError};
use crate::identity::{IdentityError, authorities, https_config, system_authorities};

use id_token::Expected;
use pending::Pending;
use provider::Provider;

/// Why somebody could not be let in by the provider.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// A file of the client could not be read.
    #[error(transparent)]
    File(#[from] FolderError),
    /// The authorities by which to know the provider cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The provider could not be asked, or answered in another form.
    #[error("the OpenID provider cannot be asked at the moment: {0}")]
    Provider(String),
    /// The browser is to be sent to another machine.
    #[error("the browser can only come back to http://127.0.0.1:PORT/ or http://[::1]:PORT/")]
    RedirectUri,
    /// Too many have begun and not come back.
    #[error("too many sign-ins are under way: try again in a few minutes")]
    Busy,
    /// Nobody began so, or too long ago.
    #[error("this sign-in was not begun here, or more than ten minutes ago: begin again")]
    NoSuchState,
    /// The provider's word does not hold.
    #[error("the OpenID provider vouches for nobody: {0}")]
    NotVouched(String),
}

/// A sign-in is to begin.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    /// Where the browser comes back to: `http://127.0.0.1:PORT/`.
    pub redirect_uri: String,
}

/// It began.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Begun {
    /// Where the browser goes.
    pub authorization_url: String,
    /// What it brings back.
    pub state: String,
}

/// The browser came back.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Finish {
    /// As it was begun.
    pub state: String,
    /// The provider's.
    pub code: String,
}

/// The provider, as far as this collector is its client.
pub struct Oidc {
    provider: Provider,
    client_id: String,
    claim: String,
    pending: Mutex<Pending>,
    clock: Clock,
}

impl Oidc {
    /// As the configuration says; nobody is asked yet.
    ///
    /// # Errors
    /// When a file that it names cannot be used.
    pub fn open(config: &OidcConfig, folder: &Folder, clock: Clock) -> Result<Self, OidcError> {
        let read = |path: &std::path::Path| {
            let path = folder.path().join(path);
            fs::read_to_string(&path).map_err(FolderError::io("read", &path))
        };
        let roots = match &config.authority {
            Some(path) => authorities(&read(path)?)?,
            None => system_authorities(),
        };
        let secret = config.client_secret_file.as_deref().map(read).transpose()?;
        let secret = secret.map(|text| Zeroizing::new(text.trim().to_owned()));
        let client = (config.client_id.clone(), secret);
        Ok(Self {
            provider: Provider::new(config.issuer.clone(), client, https_config(roots)?),
            client_id: config.client_id.clone(),
            claim: config.claim.clone(),
            pending: Mutex::default(),
            clock,
        })
    }

    /// Each change is one step.
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a sign-in.
    ///
    /// # Errors
    /// When the browser is to go elsewhere, too many have begun, or the provider cannot be asked.
    pub async fn begin(&self, wish: &Begin, address: SocketAddr) -> Result<Begun, OidcError> {
        if !is_loopback(&wish.redirect_uri) {
            return Err(OidcError::RedirectUri);
        }
        self.begin_for(&wish.redirect_uri, address).await
    }

    /// Begins a sign-in at a page of ours, whose own address `redirect_uri` is.
    ///
    /// # Errors
    /// When too many have begun, or the provider cannot be asked.
    pub(crate) async fn begin_for(
        &self,
        redirect_uri: &str,
        address: SocketAddr,
    ) -> Result<Begun, OidcError> {
        let mut authorization_url = self.provider.authorization_endpoint(self.now()).await?;
        let address = network(address.ip());
        let begun = self.pending().begin(redirect_uri, address, self.now());
        let (state, row) = begun.ok_or(OidcError::Busy)?;
        authorization_url
            .query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("scope", "openid email profile")
            .append_pair("state", &state)
            .append_pair("nonce", &row.nonce)
            .append_pair("code_challenge", &row.challenge())
            .append_pair("code_challenge_method", "S256");
        Ok(Begun { authorization_url: authorization_url.into(), state })
    }

    /// Finishes it: for whom the provider vouches.
    ///
    /// # Errors
    /// When it was not begun here, or the provider vouches for nobody.
    pub async fn finish(&self, wish: &Finish) -> Result<String, OidcError> {
        let row = self.pending().finish(&wish.state, self.now()).ok_or(OidcError::NoSuchState)?;
        let token = self.provider.redeem(&wish.code, &row, self.now()).await?;
        let key = id_token::key_of(&token).map_err(OidcError::NotVouched)?;
        let keys = self.provider.keys(key.as_deref(), self.now()).await?;
        let expected = Expected {
            issuer: self.provider.issuer(),
            client_id: &self.client_id,
            nonce: &row.nonce,
            claim: &self.claim,
        };
        id_token::vouched_for(&token, &keys, &expected).map_err(OidcError::NotVouched)
    }

    fn now(&self) -> mailsonde_proto::time::Instant {
        self.clock.monotonic()
    }
}

/// RFC 8252 section 7.3: by address, because a name may be another machine's.
fn is_loopback(redirect_uri: &str) -> bool {
    let Ok(url) = Url::parse(redirect_uri) else { return false };
    let address = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
        _ => return false,
    };
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    address.is_loopback() && url.scheme() == "http" && is_bare && url.username().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_comes_back_to_its_own_machine() {
        for (uri, fits) in [
            ("http://127.0.0.1:4711/", true),
            ("http://[::1]:4711/", true),
            ("http://localhost:4711/", false),
            ("https://127.0.0.1:4711/", false),
            ("http://192.0.2.1:4711/", false),
            ("http://127.0.0.1:4711/x", false),
            ("http://127.0.0.1:4711/?x", false),
            ("http://127.0.0.1@evil.example/", false),
            ("", false),
        ] {
            assert_eq!(is_loopback(uri), fits, "{uri}");
        }
    }
}
