//! Who asks: the user at the other end of the socket, as the kernel says.

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use tokio::net::UnixListener;

use crate::control::Author;

/// Where questions over the folder's socket come from, for the audit log.
const FROM: &str = "operators.sock";

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    uid: Option<u32>,
}

impl Connected<IncomingStream<'_, UnixListener>> for Caller {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        // SO_PEERCRED: what the kernel knows, not what the peer says
        Self { uid: stream.io().peer_cred().ok().map(|peer| peer.uid()) }
    }
}

impl Caller {
    /// As it stands in the audit log.
    pub(super) fn author(&self) -> Author {
        let who = match self.uid {
            Some(0) => "uid 0 (root)".to_owned(),
            Some(uid) => format!("uid {uid}"),
            None => "an unknown user".to_owned(),
        };
        Author { who, from: FROM.to_owned() }
    }
}
