//! Serves agents: one listener, and behind it their two services, enrolment and uplink.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use crate::accept::accept;
use crate::enrolment::{Enrolment, EnrolmentService};
use crate::ingest::Ingest;

/// Streams get this long to end when the collector stops.
const FAREWELL: Duration = Duration::from_secs(3);
/// Idle connections are asked for a sign of life this often.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// Of one stream and of one connection, in bytes: enough for a few batches, whatever the delay.
const WINDOW_BYTES: u32 = 512 * 1024;

/// Serves agents on `listener` until the shutdown; then ends every stream, within three seconds.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    ingest: Ingest,
    enrolment: Enrolment,
    shutdown: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let clock = ingest.clock;
    let (incoming, mut accepting) = accept(listener, acceptor, shutdown.clone());
    let serving = Server::builder()
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_concurrent_streams(4)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .add_service(ingest.clone().server())
        .add_service(EnrolmentService::server(enrolment, ingest.registry.clone(), clock))
        .serve_with_incoming_shutdown(incoming, shutdown.clone().cancelled_owned());
    let deadline = async {
        shutdown.cancelled().await;
        tokio::time::sleep(FAREWELL).await;
    };
    // Connections that do not end by themselves are dropped with `serving`.
    let served = tokio::select! {
        served = serving => served,
        () = deadline => Ok(()),
    };
    accepting.abort_all();
    while accepting.join_next().await.is_some() {}
    ingest.end_sessions().await;
    served
}
