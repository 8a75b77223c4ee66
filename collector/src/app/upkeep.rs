//! What goes on beside all questions: time for the journals, columns, retention, certificates, what is kept warm.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mailsonde_proto::Clock;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::control::{Control, ControlJournal};
use crate::identity::ServerTls;
use crate::pipeline::Progress;
use crate::query::Query;
use crate::store::ledger::Ledger;

/// The control journal gets the time so often: what `judge` knows of 'now' where nothing else happens.
const TICK: Duration = Duration::from_secs(60);
/// Old observations are looked for this often.
const RETAIN: Duration = Duration::from_secs(600);
/// The server's certificate is looked at this often.
const RENEW: Duration = Duration::from_secs(12 * 3_600);
/// Between two segments that are rewritten as columns.
const COMPACT_PAUSE: Duration = Duration::from_millis(500);
/// What questions about now read is read so often, whether anybody asks or not.
const WARM: Duration = Duration::from_secs(5);

pub(super) async fn tick(control: Arc<ControlJournal>, clock: Clock, shutdown: CancellationToken) {
    let mut due = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = due.tick() => {}
        }
        let (control, now) = (control.clone(), clock.wall());
        let written = tokio::task::spawn_blocking(move || control.append(now, Control::Tick)).await;
        if let Ok(Err(error)) = written {
            tracing::error!(%error, "the control journal cannot be written");
        }
    }
}

/// Rewrites closed segments as columns, as long as nobody is kept waiting by it.
pub(super) fn compact(ledger: &Ledger, progress: &Progress, shutdown: &CancellationToken) {
    while !shutdown.is_cancelled() {
        std::thread::sleep(COMPACT_PAUSE);
        if !progress.caught_up.load(Ordering::Relaxed) {
            continue;
        }
        if let Err(error) = ledger.compact(progress.next.load(Ordering::Relaxed)) {
            tracing::warn!(%error, "a segment stays as it is");
        }
    }
}

/// Removes observations that are past their time, once the pipeline has read them.
pub(super) async fn retain(
    ledger: Ledger,
    kept: Duration,
    progress: Arc<Progress>,
    clock: Clock,
    shutdown: CancellationToken,
) {
    let mut due = tokio::time::interval(RETAIN);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = due.tick() => {}
        }
        let read = progress.next.load(Ordering::Relaxed);
        if let Err(error) = ledger.retain(clock.wall().minus(kept), read).await {
            tracing::warn!(%error, "old observations stay");
        }
    }
}

/// Keeps the server's certificate valid however long the collector runs.
pub(super) async fn renew(tls: Arc<ServerTls>, shutdown: CancellationToken) {
    let mut due = tokio::time::interval(RENEW);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = due.tick() => {}
        }
        if let Err(error) = tls.renew_if_due() {
            tracing::error!(%error, "the server's certificate cannot be renewed");
        }
    }
}

/// Keeps what questions about now read in memory, so that whoever asks waits for what came last only.
pub(super) async fn keep_warm(query: Arc<Query>, shutdown: CancellationToken) {
    let mut due = tokio::time::interval(WARM);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = due.tick() => {}
        }
        let query = query.clone();
        let read = tokio::task::spawn_blocking(move || query.keep_warm()).await;
        if let Ok(Err(error)) = read {
            tracing::debug!(%error, "the views are not read ahead");
        }
    }
}
