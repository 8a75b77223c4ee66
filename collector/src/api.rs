//! The operators' API: HTTP and JSON over a unix socket in the collector's folder, and over the network by HTTPS.
//!
//! Who may open the socket may do everything: the folder's permissions are its access control. Over the network
//! a question shows the token of a session or an API token, and `table` says which role it takes. Operators'
//! commands never open the collector's files while it runs; they ask here.
//!
//! An error is a problem (RFC 9457) whose `detail` says what to do; what is taken and answered stands in
//! `openapi.json`. Invariant: whatever is not in the table
//! is refused, to whoever is not known before anything else is looked at. Absent on purpose: anything that an
//! answer means, which `query` decides.

mod access;
mod authority;
mod backup;
mod caller;

mod config;
mod events;
mod export;
mod feedback;
mod fleet;
mod incidents;
mod limits;
mod metrics;
mod network;
mod openapi;
mod paged;
mod pages;
pub mod path;
mod planned;
mod problem;
mod public;
mod questions;
mod reports;
mod reviews;
mod runs;
mod table;
mod telling;
mod typed;
mod unchanged;
mod watched;

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use mailsonde_proto::Clock;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::net::UnixListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::delivery::Delivery;
use crate::enrolment::Enrolment;
use crate::fleet::Fleet;
use crate::folder::{Folder, FolderError};
use crate::identity::ServerTls;
use crate::links::Links;
use crate::live::Live;
use crate::metrics::Source;
use crate::oidc::Oidc;
use crate::public::StatusPage;
use crate::query::{Query, QueryError};
use crate::registry::Registry;
use crate::reporting::Reporting;
use crate::survey::Gate;
use crate::tally::Tally;
use crate::watched::Watched;
use crate::web::live::Viewers;

pub use network::Network;
pub use problem::Problem;
pub use table::{Endpoint, endpoints};

use caller::{Caller, Origin};
use limits::{Asker, Limits};
use typed::Told;

pub use authority::{AuthoritiesAnswer, AuthorityAnswer};
pub use config::ApplyWish;
pub use export::ExportEnd;
pub use feedback::{AnswersWish, LinksAnswer, LinksWish, TicketsWish};
pub use incidents::{Act, IncidentWish};
pub use reports::ReportAsked;
pub use reviews::{ReviewFormat, ReviewWanted};
pub use telling::{ChannelAnswer, ChannelTested, ChannelsAnswer};

/// Bytes of a question at most.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// Questions that are worked on at once; others wait.
const AT_ONCE: usize = 4;
/// A question is answered by then, its body included, or not at all.
const QUESTION_LIMIT: Duration = Duration::from_secs(60);
/// A month of hundreds of services is counted anew for a report, and set as a document.
const REPORT_LIMIT: Duration = Duration::from_secs(300);
const STOPPING: &str = "the collector is stopping";
/// Connections get this long to end when the collector stops.
const FAREWELL: Duration = Duration::from_secs(2);
/// The collector's user and group may ask.
const SOCKET_MODE: u32 = 0o660;

/// Everything that operators can ask for.
pub struct Operators {
    /// Answers questions.
    pub query: Arc<Query>,
    /// Tells what just changed.
    pub live: Live,
    /// Counts runs.
    pub tally: Tally,
    /// Lets agents in, and changes them.
    pub enrolment: Enrolment,
    /// Has agents do things.
    pub fleet: Fleet,
    /// Sends messages.
    pub delivery: Delivery,
    /// Knows links in them.
    pub links: Arc<Links>,
    /// Goes by the authorities.
    pub tls: Arc<ServerTls>,
    /// Puts agents out.
    pub registry: Arc<Registry>,
    /// Knows who may ask over the network.
    pub access: Access,
    /// Vouches for them, if there is a provider.
    pub oidc: Option<Oidc>,
    /// Knows whether the collector is healthy, and what vendors say.
    pub watched: Watched,
    /// The page for users, if there is one.
    pub status_page: Option<Arc<StatusPage>>,
    /// Makes and keeps reports.
    pub reporting: Arc<Reporting>,
    /// Counts answers of surveys.
    pub survey: Gate,
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
    /// Where metrics come from.
    pub(crate) fn source(&self) -> Source {
        let Self { query, delivery, watched, tally, live, .. } = self;
        Source {
            query: query.clone(),
            delivery: delivery.clone(),
            watched: watched.clone(),
            tally: tally.clone(),
            live: live.clone(),
        }
    }

    /// Answers until the shutdown, and two seconds more for what is under way; over the network too, if there is
    /// a listener for it.
    ///
    /// # Errors
    /// When the socket's listener fails for good.
    pub async fn serve(
        mut self,
        listener: UnixListener,
        network: Option<Network>,
        shutdown: CancellationToken,
    ) -> io::Result<()> {
        let oidc = self.oidc.take().map(Arc::new);
        let operators = Arc::new(self);
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        let shutdown_begun = shutdown.clone();
        let (limits, viewers) = (Limits::new(operators.clock), Viewers::new(shutdown.clone()));
        let operators_here = Arc::downgrade(&operators);
        let shared =
            Shared { operators: operators_here, oidc, slots, limits, viewers, shutdown_begun };
        let router = router(shared);
        let over_network = async {
            if let Some(network) = network {
                network.serve(router.clone(), shutdown.clone()).await;
            }
            Ok(())
        };
        let stopping = shutdown.clone().cancelled_owned();
        let service = router.clone().into_make_service_with_connect_info::<Origin>();
        let over_socket =
            axum::serve(listener, service).with_graceful_shutdown(stopping).into_future();
        let overdue = async {
            shutdown.cancelled().await;
            tokio::time::sleep(FAREWELL).await;
        };
        tokio::select! {
            served = async { tokio::try_join!(over_socket, over_network) } => served.map(drop),
            () = overdue => Ok(()),
        }
    }
}

/// The table's router, behind what holds for every question.
fn router(shared: Shared) -> Router {
    table::router()
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn(unchanged::unchanged))
        .layer(from_fn_with_state(shared.clone(), identify))
        .layer(from_fn(problem::in_one_form))
        .layer(from_fn(in_time))
        .with_state(shared)
}

/// Finds out who asks, and whether they asked too much; whom nobody knows asks as nobody.
async fn identify(State(shared): State<Shared>, mut request: Request, next: Next) -> Response {
    let origin = request.extensions().get().map(|ConnectInfo(origin)| *origin);
    let shown = caller::shown(request.headers()).or_else(|| pages::session(&request));
    let caller = origin.and_then(|origin| known(&shared, origin, shown));
    let asker = match (origin, &caller) {
        (Some(Origin::Network { .. }), Some(Caller { identity: Some(identity), .. })) => {
            Some(Asker::known(identity))
        }
        (Some(Origin::Network { address }), _) => Some(Asker::host(address.ip())),
        (Some(Origin::Socket { .. }) | None, _) => None,
    };
    if let Some(caller) = caller {
        request.extensions_mut().insert(ConnectInfo(caller));
    }
    let asker = asker.filter(|_| !public::is_kept_for_all(request.uri().path()));
    let Some(left) = asker.map(|asker| shared.limits.take(asker)) else {
        return next.run(request).await;
    };
    let mut response = match left.refusal() {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    left.tell(&mut response);
    response
}

/// Who that is, if anybody knows.
fn known(shared: &Shared, origin: Origin, shown: Option<&str>) -> Option<Caller> {
    match origin {
        Origin::Socket { uid } => Some(Caller::local(uid)),
        Origin::Network { address } => {
            let principal = shared.operators.upgrade()?.access.principal(shown?, address)?;
            Some(Caller::remote(principal, address))
        }
    }
}

async fn in_time(request: Request, next: Next) -> Response {
    let is_report = request.uri().path().starts_with("/api/v1/reports/");
    let limit = if is_report { REPORT_LIMIT } else { QUESTION_LIMIT };
    let is_page = pages::wants_page(&request);
    let mut response = match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) if is_page => pages::too_slow(),
        Err(_) => refusal(StatusCode::REQUEST_TIMEOUT, "it took too long: ask again in a minute"),
    };
    let never = HeaderValue::from_static("no-store");
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(never);
    response
}

/// What connections hold: nothing that keeps the collector from ending, should one of them hang.
#[derive(Clone)]
struct Shared {
    operators: Weak<Operators>,
    /// Asks the provider without holding the rest.
    oidc: Option<Arc<Oidc>>,
    slots: Arc<Semaphore>,
    /// How often each may ask.
    limits: Limits,
    /// Who follows which page.
    viewers: Viewers,
    /// What takes long ends then.
    shutdown_begun: CancellationToken,
}

impl Shared {
    /// Works on a question where waiting for the disk holds nobody up.
    async fn work<T, E>(
        &self,
        work: impl FnOnce(&Operators) -> Result<T, E> + Send + 'static,
    ) -> Told<T>
    where
        T: Serialize + JsonSchema + Send + 'static,
        E: Into<Refusal> + Send + 'static,
    {
        self.work_for(work, |answer| Json(answer).into_response()).await.into()
    }

    /// The same, for an answer that is shown otherwise than as JSON.
    async fn work_for<T, E>(
        &self,
        work: impl FnOnce(&Operators) -> Result<T, E> + Send + 'static,
        shown: impl FnOnce(T) -> Response,
    ) -> Response
    where
        T: Send + 'static,
        E: Into<Refusal> + Send + 'static,
    {
        self.try_work(work).await.map_or_else(Refusal::into_response, shown)
    }

    /// The same, for whoever says in their own words why not.
    async fn try_work<T, E>(
        &self,
        work: impl FnOnce(&Operators) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Refusal>
    where
        T: Send + 'static,
        E: Into<Refusal> + Send + 'static,
    {
        let (slot, operators) = (self.slots.acquire().await, self.operators.upgrade());
        let (Ok(_slot), Some(operators)) = (slot, operators) else {
            return Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, STOPPING.to_owned()));
        };
        match tokio::task::spawn_blocking(move || work(&operators)).await {
            Ok(answer) => answer.map_err(Into::into),
            Err(error) => {
                tracing::error!(%error, "a question ended by a panic");
                let words = "see the collector's own log".to_owned();
                Err(Refusal(StatusCode::INTERNAL_SERVER_ERROR, words))
            }
        }
    }
}

/// A status and a sentence.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        refusal(self.0, &self.1)
    }
}

fn refusal(status: StatusCode, words: &str) -> Response {
    Problem::new(status, words).into_response()
}

fn stopping() -> Response {
    refusal(StatusCode::SERVICE_UNAVAILABLE, STOPPING)
}

impl From<QueryError> for Refusal {
    fn from(error: QueryError) -> Self {
        let status = match error {
            QueryError::Unknown { .. }
            | QueryError::NoIncident(_)
            | QueryError::NoReport { .. } => StatusCode::NOT_FOUND,
            QueryError::Gone => StatusCode::BAD_REQUEST,
            QueryError::NotOver { .. } | QueryError::Merged { .. } => StatusCode::CONFLICT,
            QueryError::Journal(_) | QueryError::Views(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, error.to_string())
    }
}

#[cfg(test)]
mod tests;
