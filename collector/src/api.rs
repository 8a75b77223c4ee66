//! The operators' API: HTTP and JSON over a unix socket in the collector's folder.
//!
//! Who may open the socket may do everything here: the folder's permissions are the whole of its access
//! control. Operators' commands never open the collector's files while it runs; they ask here.
//!
//! ```text
//! GET  /api/v1/status                                              -> StatusAnswer
//! GET  /api/v1/observations?check=&agent=&since=&verdict=&limit=   -> ObservationsAnswer
//! GET  /api/v1/agents                                              -> AgentsAnswer
//! POST /api/v1/agents/NAME   AgentChange                           -> AgentChanged
//! GET  /api/v1/checks                                              -> ChecksAnswer
//! GET  /api/v1/tokens                                              -> TokensAnswer
//! POST /api/v1/tokens   TokenWish                                  -> NewToken
//! POST /api/v1/tokens/ID/withdraw                                  -> TokensAnswer
//! GET  /api/v1/audit?limit=                                        -> AuditAnswer
//! GET  /api/v1/config/plan                                         -> Plan
//! POST /api/v1/config/apply   ApplyWish                            -> Plan
//! POST /api/v1/runs   RunWish                                      -> RunLine, a line each
//! ```
//!
//! An error is `{"error": "..."}` with a sentence that says what to do. Absent on purpose: anything that
//! an answer means, which `query` decides.

mod caller;

mod config;
mod fleet;
mod runs;

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Query as Parameters, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use mailsonde_proto::Clock;
use serde::{Deserialize, Serialize};
use tokio::net::UnixListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::enrolment::Enrolment;
use crate::fleet::Fleet;
use crate::folder::{Folder, FolderError};
use crate::query::{ChangesWanted, Query, QueryError, Wanted};
use crate::registry::Registry;

use caller::Caller;

pub use config::ApplyWish;

/// Bytes of a question at most.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// Questions that are worked on at once; others wait.
const AT_ONCE: usize = 4;
/// Connections get this long to end when the collector stops.
const FAREWELL: Duration = Duration::from_secs(2);
/// The collector's user and group may ask.
const SOCKET_MODE: u32 = 0o660;

/// Where each question is asked.
pub mod path {
    /// How mail is doing.
    pub const STATUS: &str = "/api/v1/status";
    /// The newest observations.
    pub const OBSERVATIONS: &str = "/api/v1/observations";
    /// What changed in the records that probes keep.
    pub const CHANGES: &str = "/api/v1/changes";
    /// Agents; below it, by name, where one is changed.
    pub const AGENTS: &str = "/api/v1/agents";
    /// Tokens that let agents in; also where they are made.
    pub const TOKENS: &str = "/api/v1/tokens";
    /// Who did what, from where, when.
    pub const AUDIT: &str = "/api/v1/audit";
    /// What the files of checks would change.
    pub const PLAN: &str = "/api/v1/config/plan";
    /// Putting them in force.
    pub const APPLY: &str = "/api/v1/config/apply";
    /// Runs that are asked for.
    pub const RUNS: &str = "/api/v1/runs";
    /// Checks.
    pub const CHECKS: &str = "/api/v1/checks";
}

/// What the API says when it cannot do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorAnswer {
    /// One sentence that says what to do.
    pub error: String,
}

/// Everything that operators can ask for.
pub struct Operators {
    /// Answers questions.
    pub query: Query,
    /// Lets agents in, and changes them.
    pub enrolment: Enrolment,
    /// Has agents do things.
    pub fleet: Fleet,
    /// Puts agents out.
    pub registry: Arc<Registry>,
    /// What time it is.
    pub clock: Clock,
}

/// Listens on the folder's socket. Only the holder of the folder's lock may: a socket that is there is
/// left over from a crash, and is replaced.
///
/// # Errors
/// When its path is too long, or the system refuses.
pub fn listen(folder: &Folder) -> Result<UnixListener, FolderError> {
    let path = folder.operators_socket()?;
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(FolderError::io("replace", &path)(error));
        }
        _ => {}
    }
    let listener = UnixListener::bind(&path).map_err(FolderError::io("listen on", &path))?;
    fs::set_permissions(&path, Permissions::from_mode(SOCKET_MODE))
        .map_err(FolderError::io("set the permissions of", &path))?;
    Ok(listener)
}

impl Operators {
    /// Answers until the shutdown, and two seconds more for what is under way.
    ///
    /// # Errors
    /// When the listener fails for good.
    pub async fn serve(
        self,
        listener: UnixListener,
        shutdown: CancellationToken,
    ) -> io::Result<()> {
        let operators = Arc::new(self);
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        let shared = Shared { operators: Arc::downgrade(&operators), slots };
        let router = Router::new()
            .route(path::STATUS, get(status))
            .route(path::OBSERVATIONS, get(observations))
            .route(path::CHANGES, get(changes))
            .route(path::AGENTS, get(agents))
            .merge(fleet::routes())
            .merge(config::routes())
            .merge(runs::routes())
            .route(path::CHECKS, get(checks))
            .fallback(|| async { refusal(StatusCode::NOT_FOUND, "there is no such page") })
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .with_state(shared);
        let stopping = shutdown.clone().cancelled_owned();
        let service = router.into_make_service_with_connect_info::<Caller>();
        let serving = axum::serve(listener, service).with_graceful_shutdown(stopping);
        let overdue = async {
            shutdown.cancelled().await;
            tokio::time::sleep(FAREWELL).await;
        };
        tokio::select! {
            served = serving.into_future() => served,
            () = overdue => Ok(()),
        }
    }
}

/// What connections hold: nothing that keeps the collector from ending, should one of them hang.
#[derive(Clone)]
struct Shared {
    operators: Weak<Operators>,
    slots: Arc<Semaphore>,
}

impl Shared {
    /// Works on a question where waiting for the disk holds nobody up.
    async fn work<T, E>(
        &self,
        work: impl FnOnce(&Operators) -> Result<T, E> + Send + 'static,
    ) -> Response
    where
        T: Serialize + Send + 'static,
        E: Into<Refusal> + Send + 'static,
    {
        let (slot, operators) = (self.slots.acquire().await, self.operators.upgrade());
        let (Ok(_slot), Some(operators)) = (slot, operators) else {
            return stopping();
        };
        match tokio::task::spawn_blocking(move || work(&operators)).await {
            Ok(Ok(answer)) => Json(answer).into_response(),
            Ok(Err(error)) => {
                let Refusal(status, words) = error.into();
                refusal(status, &words)
            }
            Err(error) => {
                tracing::error!(%error, "a question ended by a panic");
                refusal(StatusCode::INTERNAL_SERVER_ERROR, "see the collector's own log")
            }
        }
    }
}

/// A status and a sentence.
struct Refusal(StatusCode, String);

fn refusal(status: StatusCode, words: &str) -> Response {
    (status, Json(ErrorAnswer { error: words.to_owned() })).into_response()
}

fn stopping() -> Response {
    refusal(StatusCode::SERVICE_UNAVAILABLE, "the collector is stopping")
}

impl From<QueryError> for Refusal {
    fn from(error: QueryError) -> Self {
        let status = match error {
            QueryError::Unknown { .. } => StatusCode::NOT_FOUND,
            QueryError::Journal(_) | QueryError::Views(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, error.to_string())
    }
}

async fn status(State(shared): State<Shared>) -> Response {
    shared.work(|operators| operators.query.status()).await
}

async fn observations(
    State(shared): State<Shared>,
    Parameters(wanted): Parameters<Wanted>,
) -> Response {
    shared.work(move |operators| operators.query.observations(&wanted)).await
}

async fn changes(
    State(shared): State<Shared>,
    Parameters(wanted): Parameters<ChangesWanted>,
) -> Response {
    shared.work(move |operators| operators.query.changes(&wanted)).await
}

async fn agents(State(shared): State<Shared>) -> Response {
    shared.work(|operators| Ok::<_, QueryError>(operators.query.agents())).await
}

async fn checks(State(shared): State<Shared>) -> Response {
    shared.work(|operators| Ok::<_, QueryError>(operators.query.checks())).await
}

#[cfg(test)]
mod tests;
