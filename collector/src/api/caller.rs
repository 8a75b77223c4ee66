//! Who asks: over the folder's socket the user whom the kernel names, over the network whoever a token proves.

use std::net::SocketAddr;

use axum::extract::connect_info::Connected;
use axum::http::{HeaderMap, header};
use axum::serve::IncomingStream;
use tokio::net::UnixListener;

use crate::access::{Identity, Principal};
use crate::control::{Author, Role};

/// Where questions over the folder's socket come from, for the audit log.
const FROM: &str = "operators.sock";

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    /// A local process of this user.
    Socket { uid: Option<u32> },
    /// A host. Nothing is known of it, whatever certificate it has.
    Network { address: SocketAddr },
}

impl Origin {
    /// Of which host; `None` of this one.
    pub(super) fn address(self) -> Option<std::net::IpAddr> {
        match self {
            Self::Socket { .. } => None,
            Self::Network { address } => Some(address.ip()),
        }
    }
}

impl Connected<IncomingStream<'_, UnixListener>> for Origin {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        // SO_PEERCRED: what the kernel knows, not what the peer says
        Self::Socket { uid: stream.io().peer_cred().ok().map(|peer| peer.uid()) }
    }
}

/// Who asks, and what they may do.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    who: String,
    from: String,
    /// What they may do.
    pub(super) role: Role,
    /// By which token; `None` over the folder's socket.
    pub(super) identity: Option<Identity>,
}

impl Caller {
    /// A local process: who may open the socket may do everything.
    pub(super) fn local(uid: Option<u32>) -> Self {
        let who = match uid {
            Some(0) => "uid 0 (root)".to_owned(),
            Some(uid) => format!("uid {uid}"),
            None => "an unknown user".to_owned(),
        };
        Self { who, from: FROM.to_owned(), role: Role::Admin, identity: None }
    }

    /// Whoever showed a good token.
    pub(super) fn remote(principal: Principal, address: SocketAddr) -> Self {
        let Principal { identity, role } = principal;
        let who = match &identity {
            Identity::User { name, .. } => format!("user {name}"),
            Identity::ApiToken { name } => format!("api-token {name}"),
        };
        Self { who, from: address.to_string(), role, identity: Some(identity) }
    }

    /// As it stands in the audit log.
    pub(super) fn author(&self) -> Author {
        Author { who: self.who.clone(), from: self.from.clone() }
    }
}

/// The token that a question shows (RFC 6750 section 2.1).
pub(super) fn shown(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
