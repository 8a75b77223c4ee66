//! Whether DNS servers are silent altogether, or only about one name.
//!
//! A question that times out may be the fault of the name's own servers, for which a resolver waits longer
//! than we do. So a server that does not answer it is asked for the root's name servers too, which every
//! resolver knows or can find out: any answer will do, a refusal as well. Silence is claimed only where
//! nothing came to either; then nobody can say anything about a target. Absent on purpose: whose servers
//! they are, and so what a silence means.

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use hickory_resolver::proto::rr::{Name, RecordType};
use tokio::sync::OnceCell;
use tokio::time::{sleep, timeout};

use super::Net;
use super::dns::exchange::{Trouble, over_udp};
use crate::dns::Question;

/// A server is suspected after so long without an answer, time permitting.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the root's servers are waited for, time permitting, and how often they are asked for.
const TRY: Duration = Duration::from_secs(1);
const TRIES: usize = 2;
/// Who is given less time than this is not silent for not answering in it.
const FAIR: Duration = Duration::from_millis(100);

/// Finds out, once, whether some servers are silent.
pub(super) struct Silence {
    net: Net,
    servers: Vec<SocketAddr>,
    /// The host's own configuration names them, not a check.
    are_ours: bool,
    heard: AtomicBool,
    found: OnceCell<bool>,
}

impl Silence {
    pub(super) fn of(net: Net, servers: Vec<SocketAddr>, are_ours: bool) -> Self {
        Self { net, servers, are_ours, heard: AtomicBool::new(false), found: OnceCell::new() }
    }

    pub(super) fn servers(&self) -> &[SocketAddr] {
        &self.servers
    }

    /// One of them has answered something.
    pub(super) fn broken(&self) {
        self.heard.store(true, Ordering::Relaxed);
    }

    /// What is found out so far.
    pub(super) fn is_certain(&self) -> bool {
        !self.is_broken() && self.found.get() == Some(&true)
    }

    /// Whether none of them answers; known before nine tenths of `within` are over.
    pub(super) async fn holds(&self, within: Duration) -> bool {
        !self.is_broken() && *self.found.get_or_init(|| self.ask(within)).await && !self.is_broken()
    }

    /// Beside a question, so that it is known when that one has taken `within`. Never ends.
    pub(super) async fn watch(&self, within: Duration) -> Infallible {
        sleep(PAUSE.min(within / 2)).await;
        self.holds(within).await;
        pending().await
    }

    fn is_broken(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    async fn ask(&self, within: Duration) -> bool {
        let question = Question {
            name: Name::root(),
            kind: RecordType::NS,
            is_recursive: true,
            has_edns: true,
            over_tcp: false,
        };
        let allowed = self.net.may_ask(&question.name, 1).is_ok();
        let mut servers = self.servers.iter();
        // Where policy forbids the question, nothing is found out.
        if !allowed || !servers.all(|server| self.net.may_query(*server, self.are_ours).is_ok()) {
            return false;
        }
        let patience = TRY.min(within / 5);
        for _ in 0..TRIES {
            let asked = self.servers.iter().map(async |server| {
                let asking = over_udp(*server, &question, false);
                match timeout(patience, asking).await {
                    Ok(said) => !matches!(said, Err(Trouble::Io(_) | Trouble::Timeout)),
                    Err(_) => patience < FAIR,
                }
            });
            if join_all(asked).await.contains(&true) {
                return false;
            }
        }
        true
    }
}
