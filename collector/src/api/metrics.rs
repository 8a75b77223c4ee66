//! What Prometheus scrapes: the metrics as text.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::{Operators, Refusal, Shared};
use crate::metrics::text::{Dialect, Text};

/// Where they are scraped.
pub(super) const METRICS: &str = "/metrics";

pub(super) async fn metrics(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let dialect = Dialect::wanted(accept.unwrap_or_default());
    let written = move |operators: &Operators| {
        let reading = operators.source().read()?;
        let mut text = Text::new(dialect, reading.since().timestamp().as_duration().as_secs_f64());
        reading.tell(&mut text);
        Ok::<_, Refusal>(text.finish())
    };
    let shown = |text: String| {
        let kind = HeaderValue::from_static(dialect.media_type());
        ([(header::CONTENT_TYPE, kind)], text).into_response()
    };
    shared.work_for(written, shown).await
}
