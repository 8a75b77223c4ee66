//! The stream by which a page follows what happens (server-sent events).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Query as Parameters, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use mailsonde_proto::Clock;
use mailsonde_proto::time::Instant;
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;

use super::{guarded, page, viewer};
use crate::api::caller::Caller;
use crate::api::{Refusal, Shared};
use crate::web::live::{Audience, Maker, News, Seat};
use crate::web::{Address, Page, Viewer};

/// A stream of news ends after so long, so that it is asked anew who looks.
const STREAM: Duration = Duration::from_secs(120);
/// Whether they still may is looked up at least so often.
const LOOK: Duration = Duration::from_secs(2);
/// Proxies and browsers hear of it at least so often.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// Which page is followed, and what of it the browser has.
#[derive(Deserialize)]
pub(in crate::api) struct Followed {
    of: String,
    #[serde(default)]
    have: String,
}

pub(in crate::api) async fn follow(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    headers: HeaderMap,
    Parameters(Followed { of, have }): Parameters<Followed>,
) -> Response {
    let viewer = viewer(Some(&caller), &headers);
    let (path, query) = of.split_once('?').unwrap_or((&of, ""));
    let address = Address::parse(path, query);
    let clock = shared.operators.upgrade().map(|operators| operators.clock);
    let (Some(address), Some(clock)) = (address, clock) else {
        return Refusal(StatusCode::NOT_FOUND, "there is no such page".to_owned()).into_response();
    };
    let maker = Arc::new(Pages { shared: shared.clone(), viewer: viewer.clone(), clock });
    let Some(seat) = shared.viewers.join(Audience::of(address, &viewer), &maker) else {
        let words = "too many look at once: the page is not live".to_owned();
        return Refusal(StatusCode::SERVICE_UNAVAILABLE, words).into_response();
    };
    let (identity, of) = (caller.identity, shared.operators.clone());
    let may_look = move || {
        let operators = of.upgrade();
        let stands = |it| operators.is_some_and(|operators| operators.access.stands(it));
        identity.as_ref().is_none_or(stands)
    };
    let stream = news(seat, &have, (clock.monotonic() + STREAM, clock), may_look);
    let kept = KeepAlive::new().interval(SIGN_OF_LIFE);
    guarded(Sse::new(stream).keep_alive(kept).into_response())
}

/// What a viewer is sent while they may look: first what they lack, then what changes.
fn news<M: Fn() -> bool + Send + Sync + 'static>(
    seat: Seat,
    have: &str,
    (until, clock): (Instant, Clock),
    may_look: M,
) -> impl futures_util::Stream<Item = Result<Event, Infallible>> + Send + use<M> {
    let lacks =
        seat.parts.iter().filter(|part| !have.contains(&format!("{}:{}", part.id, part.hash)));
    let first: Vec<News> = lacks.cloned().map(News::Part).chain([News::Fine]).collect();
    let begin = (first.into_iter(), seat, may_look);
    futures_util::stream::unfold(begin, move |(mut first, mut seat, may_look)| async move {
        let next = match first.next() {
            Some(next) => next,
            None => loop {
                // a session that was ended hears nothing more
                let left = until.duration_since(clock.monotonic());
                if left.is_zero() || !may_look() {
                    return None;
                }
                match tokio::time::timeout(left.min(LOOK), seat.news.recv()).await {
                    Ok(Ok(next)) => break next,
                    // behind, or over: they come back with what they have
                    Ok(Err(RecvError::Lagged(_) | RecvError::Closed)) => return None,
                    Err(_) => {}
                }
            },
        };
        let event = match &next {
            // also what the browser had when it came: it may have been sent something else since
            News::Part(part) => Event::default().event("part").json_data(&**part).ok()?,
            News::Fine => Event::default().event("fine").data("1"),
            News::Gone => Event::default().event("gone").data("1"),
        };
        Some((Ok(event), (first, seat, may_look)))
    })
}

/// Makes pages for those who follow one.
struct Pages {
    shared: Shared,
    viewer: Viewer,
    clock: Clock,
}

impl Maker for Pages {
    fn make(&self, audience: &Audience) -> Option<Page> {
        let operators = self.shared.operators.upgrade()?;
        match page(&operators, &self.viewer, &audience.address) {
            Ok(page) => Some(page),
            Err(error) => {
                tracing::debug!(%error, "a page that is followed cannot be made");
                None
            }
        }
    }

    fn commit(&self) -> u64 {
        self.shared.operators.upgrade().map_or(0, |operators| operators.query.head().commit)
    }

    fn now(&self) -> Instant {
        self.clock.monotonic()
    }
}
