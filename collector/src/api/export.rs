//! Raw data: a line of JSON each, as it is read, and a last line that says that it was all of it.
//!
//! An export takes one of the places of questions that are worked on at once, and ends when nobody reads it any more.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Query as Parameters, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use super::typed::{AsLines, Told};
use super::{Operators, Shared, stopping};
use crate::query::export::{DefinitionLine, ExportWanted, Exported, ObservationLine, SlotsLine};

/// Lines are sent when so many bytes of them are there.
const PIECE_BYTES: usize = 64 * 1024;
/// Pieces that wait for whoever reads.
const PIECES: usize = 4;
/// Who takes nothing for so long is gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// The last line of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExportEnd {
    /// How many lines came before it.
    pub lines: u64,
    /// Why there are not more, when it had to stop.
    pub error: Option<String>,
}

pub(super) async fn observations(
    State(shared): State<Shared>,
    Parameters(wanted): Parameters<ExportWanted>,
) -> Told<ObservationLine, AsLines> {
    export(shared, Exported::Observations, wanted).await.into()
}

pub(super) async fn slots(
    State(shared): State<Shared>,
    Parameters(wanted): Parameters<ExportWanted>,
) -> Told<SlotsLine, AsLines> {
    export(shared, Exported::Slots, wanted).await.into()
}

pub(super) async fn definitions(State(shared): State<Shared>) -> Told<DefinitionLine, AsLines> {
    let always = ExportWanted { since: jiff::Timestamp::MIN, until: jiff::Timestamp::MAX };
    export(shared, Exported::Definitions, always).await.into()
}

async fn export(shared: Shared, what: Exported, wanted: ExportWanted) -> Response {
    let (slot, operators) =
        (shared.slots.clone().acquire_owned().await, shared.operators.upgrade());
    let (Ok(slot), Some(operators)) = (slot, operators) else { return stopping() };
    let (sender, receiver) = mpsc::channel::<Bytes>(PIECES);
    let piece = Piece { bytes: Vec::new(), lines: 0, to: sender, stop: shared.shutdown_begun };
    // it ends with whoever reads, or with the collector: nobody has to wait for it
    drop(tokio::task::spawn_blocking(move || {
        write(&operators, (what, wanted), piece);
        drop(slot);
    }));
    let pieces = ReceiverStream::new(receiver).map(Ok::<_, Infallible>);
    ([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(pieces)).into_response()
}

/// Lines that are not sent yet, and where they go.
struct Piece {
    bytes: Vec<u8>,
    lines: u64,
    to: mpsc::Sender<Bytes>,
    stop: CancellationToken,
}

impl Piece {
    /// Sends what is there; false where nobody takes it, or the collector ends.
    fn send(&mut self) -> bool {
        let bytes = std::mem::take(&mut self.bytes).into();
        Handle::current().block_on(async {
            tokio::select! {
                () = self.stop.cancelled() => false,
                sent = tokio::time::timeout(PATIENCE, self.to.send(bytes)) => matches!(sent, Ok(Ok(()))),
            }
        })
    }
}

fn write(operators: &Operators, (what, wanted): (Exported, ExportWanted), mut piece: Piece) {
    let mut is_taken = true;
    let written = operators.query.export(what, wanted, |line| {
        piece.lines = piece.lines.saturating_add(1);
        piece.bytes.extend_from_slice(&line);
        is_taken = piece.bytes.len() < PIECE_BYTES || piece.send();
        is_taken
    });
    // without the last line the reader knows that it was not all
    if is_taken {
        let error = written.err().map(|error| error.to_string());
        let end = ExportEnd { lines: piece.lines, error };
        piece.bytes.extend(serde_json::to_vec(&end).unwrap_or_default());
        piece.bytes.push(b'\n');
        piece.send();
    }
}
