//! A gRPC channel over one connection that `net` opened.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tonic::transport::{Channel, Endpoint, Uri};

use super::UplinkError;
pub(crate) use super::witness::Testimony;
use super::witness::Witness;
use crate::config;
use crate::net::Net;

/// What the agent calls itself.
pub(crate) const SOFTWARE: &str = concat!("mailsonde-agent ", env!("CARGO_PKG_VERSION"));
/// Look-up, connection and handshake together.
const DIAL_WITHIN: Duration = Duration::from_secs(10);
/// HTTP/2 pings find a peer that is gone.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// Dials the collector, and speaks HTTP/2 with it. The second part tells how the connection broke, once it has.
///
/// # Errors
/// The first step that failed.
pub(crate) async fn open(
    net: &Net,
    address: &config::Endpoint,
    server_name: &str,
    tls: Arc<ClientConfig>,
) -> Result<(Channel, Testimony), UplinkError> {
    let target = (address.host.as_str(), address.port);
    let stream = net.connect_tls(target, server_name, tls, DIAL_WITHIN).await?;
    // TLS is ours, so tonic is told of none; and it may connect once, with what is connected.
    let (stream, testimony) = Witness::new(stream);
    let mut once = Some(TokioIo::new(stream));
    let connector = tower::service_fn(move |_| {
        let stream = once.take();
        async move { stream.ok_or_else(|| std::io::Error::other("the connection is over")) }
    });
    let channel = Endpoint::from_static("http://collector")
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        .keep_alive_while_idle(true)
        .user_agent(SOFTWARE)
        .map(|endpoint| endpoint.origin(authority(server_name)))
        .map_err(|error| UplinkError::of_transport(&error))?
        .connect_with_connector(connector)
        .await
        .map_err(|error| UplinkError::of_transport(&error))?;
    Ok((channel, testimony))
}

/// The URI that requests name as their host; a server name that is none leaves a word in its place.
fn authority(server_name: &str) -> Uri {
    let uri = format!("http://{server_name}");
    uri.parse().unwrap_or_else(|_| Uri::from_static("http://collector"))
}
