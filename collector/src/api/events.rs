//! What changes, as it changes: server-sent events (HTML Living Standard, section 9.2).
//!
//! Whoever was away says in `Last-Event-ID` what came last and goes on from there; where that is not kept any more,
//! `reset` comes first: everything is to be asked anew. Invariants: nothing is kept for one viewer; who reads too
//! slowly is cut off and can come back; who may not look on any more is cut off at the next heartbeat.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Query as Parameters, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::stream;
use schemars::JsonSchema;
use serde::Deserialize;

use super::caller::{Origin, shown};
use super::typed::{AsEvents, Told};
use super::{Shared, known, refusal, stopping};
use crate::live::{Change, Event, Live, Subscription};

/// Something is said at least this often, so that both ends know that the other is there.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Whoever lost the connection comes back after this.
const BEGIN: &str = "retry: 2000\n: welcome\n\n";
/// What is told to whoever missed something.
const RESET: &str = "event: reset\ndata: {}\n\n";
/// Bytes that are handed on at once, at most by one event more.
const PIECE_BYTES: usize = 64 * 1_024;
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// From where on changes are wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsWanted {
    /// The event that came last, as its `id` said; for whoever cannot set the header `Last-Event-ID`.
    after: Option<String>,
}

pub(super) async fn events(
    State(shared): State<Shared>,
    ConnectInfo(origin): ConnectInfo<Origin>,
    headers: HeaderMap,
    Parameters(wanted): Parameters<EventsWanted>,
) -> Told<Change, AsEvents> {
    let Some(live) = shared.operators.upgrade().map(|operators| operators.live.clone()) else {
        return stopping().into();
    };
    let Some(mut subscription) = live.subscribe() else {
        let words = "so many look on that there is no place: try again in a minute";
        let mut response = refusal(StatusCode::SERVICE_UNAVAILABLE, words);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(60));
        return response.into();
    };
    let named = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok());
    let last = named.or(wanted.after.as_deref());
    let is_reset = last.is_some_and(|id| subscription.resume(id).is_err());
    let begin = if is_reset { format!("{BEGIN}{RESET}") } else { BEGIN.to_owned() };
    let viewer = Viewer { subscription, live, shared, origin, headers, left: Vec::new() };
    streamed(Bytes::from(begin), viewer).into()
}

fn streamed(begin: Bytes, viewer: Viewer) -> Response {
    let pieces = stream::unfold((Some(begin), viewer), |(begin, mut viewer)| async move {
        let piece = match begin {
            Some(begin) => begin,
            None => viewer.next().await?,
        };
        Some((Ok::<_, Infallible>(piece), (None, viewer)))
    });
    let mut response = Body::from_stream(pieces).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // a proxy that collects an answer before it hands it on would hand on nothing
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

struct Viewer {
    subscription: Subscription,
    live: Live,
    shared: Shared,
    origin: Origin,
    /// What it showed when it came.
    headers: HeaderMap,
    /// Events that did not fit into the last piece.
    left: Vec<Arc<Event>>,
}

impl Viewer {
    /// What is to be sent next; `None` ends it.
    async fn next(&mut self) -> Option<Bytes> {
        if self.left.is_empty() {
            let shutdown = self.shared.shutdown_begun.clone();
            tokio::select! {
                () = shutdown.cancelled() => return None,
                // missed: it comes back and is told so
                events = self.subscription.next() => self.left = events.ok()?,
                () = tokio::time::sleep(HEARTBEAT) => {
                    let is_known = known(&self.shared, self.origin, shown(&self.headers)).is_some();
                    return is_known.then_some(Bytes::from_static(b":\n\n"));
                }
            }
        }
        let mut piece = BytesMut::new();
        let mut sent = 0;
        for event in &self.left {
            piece.put_slice(
                format!("id: {}\nevent: change\ndata: ", self.live.id(event.number)).as_bytes(),
            );
            piece.put_slice(&event.json);
            piece.put_slice(b"\n\n");
            sent += 1;
            if piece.len() >= PIECE_BYTES {
                break;
            }
        }
        self.left.drain(..sent);
        Some(piece.freeze())
    }
}
