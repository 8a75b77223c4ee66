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
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use hickory_resolver::proto::rr::{Name, RecordType};
use tokio::sync::Mutex;
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

impl Net {
    /// Whether a DNS server of this machine answers anything, and what became of it where it does not; within the
    /// time that the caller gives it.
    pub(crate) async fn knock(&self, server: SocketAddr) -> Result<(), String> {
        match over_udp(server, &for_the_root(), false).await {
            Ok(_) | Err(Trouble::Malformed(_) | Trouble::Forbidden(_)) => Ok(()),
            Err(Trouble::Io(words)) => Err(words),
            Err(Trouble::Timeout) => Err("it does not answer".to_owned()),
        }
    }
}

/// What every resolver knows or can find out.
fn for_the_root() -> Question {
    Question {
        name: Name::root(),
        kind: RecordType::NS,
        is_recursive: true,
        has_edns: true,
        over_tcp: false,
    }
}

/// Finds out whether some servers are silent. They may fall silent at any time, and speak again.
pub(super) struct Silence {
    net: Net,
    servers: Vec<SocketAddr>,
    /// The host's own configuration names them, not a check.
    are_ours: bool,
    /// How often one of them has answered something.
    heard: AtomicU64,
    /// After how many answers they were found silent last. Whoever wants to know too waits for who is asking.
    found: Mutex<Option<u64>>,
}

impl Silence {
    pub(super) fn of(net: Net, servers: Vec<SocketAddr>, are_ours: bool) -> Self {
        Self { net, servers, are_ours, heard: AtomicU64::new(0), found: Mutex::default() }
    }

    pub(super) fn servers(&self) -> &[SocketAddr] {
        &self.servers
    }

    /// One of them has answered something.
    pub(super) fn broken(&self) {
        self.heard.fetch_add(1, Ordering::Relaxed);
    }

    /// How often one of them has answered so far: for [`holds`](Self::holds), before a question is put.
    pub(super) fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    /// Whether it was found out, and nothing has come since.
    pub(super) fn is_certain(&self) -> bool {
        self.found.try_lock().is_ok_and(|found| *found == Some(self.heard()))
    }

    /// Whether none of them answers, and none has since it was `heard` so often; known before nine tenths of
    /// `within` are over.
    pub(super) async fn holds(&self, within: Duration, heard: u64) -> bool {
        if self.heard() > heard {
            return false;
        }
        let mut found = self.found.lock().await;
        if self.heard() > heard {
            return false;
        }
        if *found != Some(heard) {
            if !self.ask(within).await {
                self.broken();
                return false;
            }
            *found = Some(heard);
        }
        self.heard() <= heard
    }

    /// Beside a question that was put when it was `heard` so often, so that it is known when that one has taken
    /// `within`. Never ends.
    pub(super) async fn watch(&self, within: Duration, heard: u64) -> Infallible {
        sleep(PAUSE.min(within / 2)).await;
        self.holds(within, heard).await;
        pending().await
    }

    async fn ask(&self, within: Duration) -> bool {
        let question = for_the_root();
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
