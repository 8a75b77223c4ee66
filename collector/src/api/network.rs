//! The operators' API over the network: HTTPS, bounded in connections and in time.
//!
//! A certificate that a peer has is not asked for: an agent is nobody here. Who asks is said by a token with each
//! question. Absent on purpose: HTTP without TLS.

mod seats;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;

use super::caller::Origin;
use crate::accept::{Accepted, accept};
use crate::identity::OperatorsTls;
use crate::live::MOST_VIEWERS;

use seats::Seats;

/// Connections at once, of all addresses; further ones wait. Twice as many as may follow what changes, each of whom
/// keeps one.
const CONNECTIONS: usize = 2 * MOST_VIEWERS;
/// A peer that has not sent a whole request head by then is dropped; also one that asks nothing more.
const HEAD_LIMIT: Duration = Duration::from_secs(15);
/// No connection lasts longer, whatever happens on it.
const CONNECTION_LIMIT: Duration = Duration::from_secs(600);
/// Bytes of a request's head at most.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Certificates that are files are looked at this often.
const LOOK: Duration = Duration::from_secs(30);

/// A listener for operators.
pub struct Network {
    listener: TcpListener,
    tls: OperatorsTls,
}

impl Network {
    /// Listens there.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn listen(address: SocketAddr, tls: OperatorsTls) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, tls })
    }

    /// Where.
    ///
    /// # Errors
    /// When the system does not know.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until the shutdown; connections end with it.
    pub(super) async fn serve(self, router: Router, shutdown: CancellationToken) {
        let Self { listener, tls } = self;
        let acceptor = TlsAcceptor::from(tls.config());
        let (mut incoming, mut tasks) = accept(listener, acceptor, shutdown.clone());
        tasks.spawn(look_at(tls, shutdown.clone()));
        let (places, seats) = (Arc::new(Semaphore::new(CONNECTIONS)), Seats::default());
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let next = async {
                let place = places.clone().acquire_owned().await.ok()?;
                Some((incoming.next().await?.ok()?, place))
            };
            let next = tokio::select! {
                () = shutdown.cancelled() => None,
                next = next => next,
            };
            let Some((accepted, place)) = next else { break };
            // Who has its share already is closed: by dropping it.
            let seat = accepted.address().map(|address| seats.take(address.ip()));
            let Some(Some(seat)) = seat else { continue };
            let (router, shutdown) = (router.clone(), shutdown.clone());
            connections.spawn(async move {
                answer(accepted, router, shutdown).await;
                drop((seat, place));
            });
        }
        while connections.join_next().await.is_some() {}
        tasks.abort_all();
        while tasks.join_next().await.is_some() {}
    }
}

async fn answer(accepted: Accepted, router: Router, shutdown: CancellationToken) {
    let Some(address) = accepted.address() else { return };
    let router = router.layer(Extension(ConnectInfo(Origin::Network { address })));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(accepted), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = tokio::time::sleep(CONNECTION_LIMIT) => return,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%address, %error, "an operator's connection broke");
    }
}

/// Takes in certificates that were renewed.
async fn look_at(tls: OperatorsTls, shutdown: CancellationToken) {
    let mut due = tokio::time::interval(LOOK);
    let tls = Arc::new(tls);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = due.tick() => {}
        }
        let looked = tls.clone();
        match tokio::task::spawn_blocking(move || looked.read_again()).await {
            Ok(Ok(true)) => tracing::info!("took in the operators' new certificate"),
            Ok(Ok(false)) | Err(_) => {}
            Ok(Err(error)) => {
                tracing::error!(%error, "the operators' certificate cannot be read; the last one stays in use");
            }
        }
    }
}
