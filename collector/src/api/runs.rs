//! One run at once: the answer is a line of JSON for each thing that comes, as it comes.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use bytes::Bytes;
use mailsonde_proto::Cause;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

use super::typed::{AsLines, Told};
use super::{Refusal, Shared, refusal, stopping};
use crate::fleet::{RunLine, RunWish};

pub(super) async fn run(
    State(shared): State<Shared>,
    Json(wish): Json<RunWish>,
) -> Told<RunLine, AsLines> {
    let Some(fleet) = shared.fleet() else { return stopping().into() };
    match fleet.run(&wish, Cause::OnDemand).await {
        Ok(told) => {
            let lines = ReceiverStream::new(told).map(|told| line(&told));
            ([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines))
                .into_response()
                .into()
        }
        Err(error) => {
            let Refusal(status, words) = error.into();
            refusal(status, &words).into()
        }
    }
}

fn line(told: &RunLine) -> Result<Bytes, serde_json::Error> {
    let mut line = serde_json::to_vec(told)?;
    line.push(b'\n');
    Ok(line.into())
}
