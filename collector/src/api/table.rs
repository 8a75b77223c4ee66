//! The one table of what can be asked: each line is a path, a method, the least role, and who answers.
//!
//! The router is made from it and from nothing else, so that nothing can be asked without a role, and the test
//! that walks every line with every role needs no list of its own. The API's description is made from it too.
//!
//! To add a question: its path with a docstring in `path.rs`, a handler that answers with `Told<ITS ANSWER>`, and a
//! line here, `asked` for a GET and `done` for a POST. What it takes and answers is read from the handler's types,
//! which derive `JsonSchema`. Pages for people, which the description leaves out, are `page` and `form`.

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::handler::Handler;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};

use super::caller::{Caller, shown};
use super::typed::{Described, Description, Schemas};
use super::{
    Shared, access, authority, backup, config, events, export, feedback, fleet, incidents, metrics,
    openapi, pages, path, planned, public, questions, refusal, reports, reviews, runs, telling,
    watched,
};
use crate::control::Role;
use crate::public::path as users;

const ANYBODY: Option<Role> = None;
const VIEWER: Option<Role> = Some(Role::Viewer);
const OPERATOR: Option<Role> = Some(Role::Operator);
const ADMIN: Option<Role> = Some(Role::Admin);

/// Everything that can be asked.
#[allow(clippy::too_many_lines, reason = "a line for each question")]
pub(super) fn table() -> Vec<Line> {
    [of_mail(), of_the_fleet(), of_plans(), of_access(), of_pages(), of_users()]
        .into_iter()
        .flatten()
        .collect()
}

fn of_mail() -> Vec<Line> {
    vec![
        asked(path::OPENAPI, VIEWER, openapi::document),
        // how mail is doing
        asked(path::STATUS, VIEWER, questions::status),
        asked(path::OBSERVATIONS, VIEWER, questions::observations),
        asked(path::EVENTS, VIEWER, events::events),
        asked(path::CHANGES, VIEWER, questions::changes),
        asked(path::CHECKS, VIEWER, questions::checks),
        asked(path::HEALTH, VIEWER, watched::health),
        asked(path::VENDORS, VIEWER, watched::vendors),
        page(metrics::METRICS, VIEWER, metrics::metrics),
        page(watched::PAGE, ANYBODY, watched::page),
        page(watched::PAGE_OF_SERVICE, ANYBODY, watched::page_of_service),
        // services and incidents
        asked(path::SERVICES, VIEWER, incidents::services),
        asked(path::INCIDENTS, VIEWER, incidents::list),
        asked(path::INCIDENT, VIEWER, incidents::show),
        done(path::INCIDENT, OPERATOR, incidents::act),
        // who is told
        asked(path::CHANNELS, VIEWER, telling::channels),
        done(path::CHANNEL_TEST, OPERATOR, telling::test),
        asked(path::NOTICES, VIEWER, telling::notices),
        asked(path::ON_CALL, VIEWER, telling::on_call),
        // whoever has a signed link
        page(path::ACKNOWLEDGE, ANYBODY, telling::ask),
        form(path::ACKNOWLEDGE, ANYBODY, telling::take_on),
        asked(path::DRAFT, VIEWER, reviews::draft),
        asked(path::REVIEWS, VIEWER, reviews::list),
        asked(path::REVIEW, VIEWER, reviews::show),
        asked(path::ACTIONS, VIEWER, reviews::actions),
        done(path::ACTIONS, OPERATOR, reviews::add_action),
        done(path::ACTION, OPERATOR, reviews::change_action),
        // what was promised
        asked(path::OBJECTIVES, VIEWER, questions::objectives),
        asked(path::SLA, VIEWER, questions::sla),
        asked(path::SLA_EXPLAIN, VIEWER, questions::sla_explained),
        asked(path::REPORT, VIEWER, reports::report),
        // what users say
        asked(path::FEEDBACK, VIEWER, feedback::show),
        done(path::SATISFACTION, OPERATOR, feedback::take_answers),
        done(path::TICKETS, OPERATOR, feedback::take_tickets),
        done(path::SURVEY_LINKS, OPERATOR, feedback::links),
        // whoever has a signed link
        page(path::SURVEY, ANYBODY, feedback::ask),
        form(path::SURVEY, ANYBODY, feedback::answer),
        // raw data
        asked(path::EXPORT_OBSERVATIONS, VIEWER, export::observations),
        asked(path::EXPORT_SLOTS, VIEWER, export::slots),
        asked(path::EXPORT_DEFINITIONS, VIEWER, export::definitions),
    ]
}

fn of_the_fleet() -> Vec<Line> {
    vec![
        // the fleet
        asked(path::AGENTS, VIEWER, questions::agents),
        done(path::AGENT, OPERATOR, fleet::change_agent),
        done(path::AGENT_REVOKE, ADMIN, fleet::revoke_agent),
        asked(path::TOKENS, ADMIN, fleet::tokens),
        done(path::TOKENS, ADMIN, fleet::make_token),
        done(path::TOKEN_WITHDRAW, ADMIN, fleet::withdraw_token),
        asked(path::AUDIT, ADMIN, fleet::audit),
        asked(path::CA, ADMIN, authority::show),
        done(path::CA_ROTATE, ADMIN, authority::rotate),
        done(path::CA_RETIRE, ADMIN, authority::retire),
        asked(path::BACKUP_MARK, ADMIN, backup::mark),
        // what agents are to do
        asked(path::PLAN, OPERATOR, config::plan),
        done(path::APPLY, OPERATOR, config::apply),
        done(path::RUNS, OPERATOR, runs::run),
    ]
}

fn of_plans() -> Vec<Line> {
    vec![
        // what is planned, silenced, left out
        asked(path::MAINTENANCE, VIEWER, planned::windows),
        done(path::MAINTENANCE, OPERATOR, planned::plan),
        asked(path::CALENDAR, VIEWER, planned::calendar),
        asked(path::WINDOW, VIEWER, planned::window),
        done(path::WINDOW_EXTEND, OPERATOR, planned::extend),
        done(path::WINDOW_END, OPERATOR, planned::end),
        done(path::WINDOW_CANCEL, OPERATOR, planned::cancel),
        done(path::WINDOW_ACCEPT, OPERATOR, planned::accept),
        asked(path::SILENCES, VIEWER, planned::silences),
        done(path::SILENCES, OPERATOR, planned::add_silence),
        done(path::SILENCE_END, OPERATOR, planned::end_silence),
        asked(path::EXCLUSIONS, VIEWER, planned::exclusions),
        done(path::EXCLUSIONS, OPERATOR, planned::add_exclusion),
        done(path::EXCLUSION_WITHDRAW, OPERATOR, planned::withdraw_exclusion),
        asked(path::CAPACITY, VIEWER, planned::capacity),
        done(path::CAPACITY, OPERATOR, planned::state),
    ]
}

fn of_access() -> Vec<Line> {
    vec![
        // who may ask
        done(path::LOGIN, ANYBODY, access::sign_in),
        done(path::LOGIN_OIDC, ANYBODY, access::begin_oidc),
        done(path::LOGIN_OIDC_FINISH, ANYBODY, access::finish_oidc),
        done(path::LOGOUT, VIEWER, access::sign_out),
        asked(path::ME, VIEWER, access::me),
        done(path::ME_PASSWORD, VIEWER, access::change_own_password),
        asked(path::SESSIONS, VIEWER, access::sessions),
        done(path::SESSION_END, VIEWER, access::end_session),
        asked(path::USERS, ADMIN, access::users),
        done(path::USERS, ADMIN, access::add_user),
        done(path::USER, ADMIN, access::change_user),
        done(path::USER_REMOVE, ADMIN, access::remove_user),
        asked(path::API_TOKENS, ADMIN, access::api_tokens),
        done(path::API_TOKENS, ADMIN, access::make_api_token),
        done(path::API_TOKEN_REVOKE, ADMIN, access::revoke_api_token),
    ]
}

fn of_pages() -> Vec<Line> {
    let mut lines = vec![
        seen("/assets/{name}", ANYBODY, pages::asset),
        seen("/sign-in", ANYBODY, pages::sign_in_page),
        sent("/sign-in", ANYBODY, pages::sign_in),
        seen("/sign-in/begin", ANYBODY, pages::begin_at_provider),
        seen("/sign-in/provider", ANYBODY, pages::come_back),
        sent("/sign-out", VIEWER, pages::sign_out),
        seen("/live", VIEWER, pages::follow),
        seen("/maintenance.ics", VIEWER, pages::calendar),
        seen("/incidents/{id}/review", VIEWER, pages::review),
        sent("/incidents/{id}/act", OPERATOR, pages::act),
    ];
    lines.extend(PAGES.iter().map(|path| seen(path, VIEWER, pages::show)));
    lines
}

/// Every page that an operator looks at; which is which, its address says.
const PAGES: [&str; 14] = [
    "/",
    "/matrix",
    "/services/{name}",
    "/checks",
    "/checks/{check}/{agent}",
    "/dns",
    "/incidents",
    "/incidents/{id}",
    "/maintenance",
    "/agents",
    "/agents/{name}",
    "/notices",
    "/sla",
    "/sla/{agreement}",
];

/// What users look at: to everybody where the configuration of the page says so, which each handler asks.
fn of_users() -> Vec<Line> {
    vec![
        seen(users::OVERVIEW, ANYBODY, public::overview),
        seen(users::HISTORY, ANYBODY, public::history),
        seen(users::SETUP, ANYBODY, public::setup),
        seen(users::FEED, ANYBODY, public::feed),
        seen(users::CALENDAR, ANYBODY, public::calendar),
        seen(users::JSON, ANYBODY, public::json),
        seen(users::APPLE, ANYBODY, public::apple),
        seen(users::WELL_KNOWN_AUTOCONFIG, ANYBODY, public::autoconfig),
        seen(users::AUTOCONFIG, ANYBODY, public::autoconfig),
    ]
}

/// One line of the table, for whoever wants to read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `GET` or `POST`.
    pub method: Method,
    /// With `{name}` where a name stands.
    pub path: &'static str,
    /// The least role that may ask; `None`: anybody.
    pub least: Option<Role>,
}

/// Every line of the table.
pub fn endpoints() -> Vec<Endpoint> {
    table().into_iter().map(|line| line.endpoint).collect()
}

pub(super) struct Line {
    pub(super) endpoint: Endpoint,
    /// What it takes and answers; `None` for a page.
    pub(super) describe: Option<fn(&mut Schemas) -> Description>,
    answer: MethodRouter<Shared>,
    /// A page of the web: whoever may not see it is told so by a page, or shown where to sign in.
    is_signed_in: bool,
}

/// A line that changes nothing.
fn asked<H, T>(path: &'static str, least: Option<Role>, handler: H) -> Line
where
    H: Handler<T, Shared> + Described<T>,
    T: 'static,
{
    Line { describe: Some(H::describe), ..page(path, least, handler) }
}

/// A line that changes something.
fn done<H, T>(path: &'static str, least: Option<Role>, handler: H) -> Line
where
    H: Handler<T, Shared> + Described<T>,
    T: 'static,
{
    Line { describe: Some(H::describe), ..form(path, least, handler) }
}

/// A page for people.
fn page<H, T>(path: &'static str, least: Option<Role>, handler: H) -> Line
where
    H: Handler<T, Shared>,
    T: 'static,
{
    let endpoint = Endpoint { method: Method::GET, path, least };
    Line { endpoint, describe: None, answer: get(handler), is_signed_in: false }
}

/// What a button on a page does.
fn form<H, T>(path: &'static str, least: Option<Role>, handler: H) -> Line
where
    H: Handler<T, Shared>,
    T: 'static,
{
    let endpoint = Endpoint { method: Method::POST, path, least };
    Line { endpoint, describe: None, answer: post(handler), is_signed_in: false }
}

/// A page of the web.
fn seen<H, T>(path: &'static str, least: Option<Role>, handler: H) -> Line
where
    H: Handler<T, Shared>,
    T: 'static,
{
    Line { is_signed_in: true, ..page(path, least, handler) }
}

/// What a form of the web sends.
fn sent<H, T>(path: &'static str, least: Option<Role>, handler: H) -> Line
where
    H: Handler<T, Shared>,
    T: 'static,
{
    Line { is_signed_in: true, ..form(path, least, handler) }
}

/// The router of the whole table. Who asks must be known by then.
pub(super) fn router() -> Router<Shared> {
    let nowhere = |request: Request| async move {
        let caller: Option<&ConnectInfo<Caller>> = request.extensions().get();
        match (may(caller, VIEWER), caller) {
            (Ok(()), Some(ConnectInfo(caller))) if pages::wants_page(&request) => {
                pages::nowhere(&request, caller)
            }
            (Ok(()), _) => refusal(StatusCode::NOT_FOUND, "there is no such page"),
            (Err(no), _) if pages::wants_page(&request) => no.by_page(&request),
            (Err(no), _) => no.in_words(&request),
        }
    };
    let router = table().into_iter().fold(Router::new(), |router, line| {
        let (least, is_signed_in) = (line.endpoint.least, line.is_signed_in);
        let gate = move |request: Request, next: Next| async move {
            match may(request.extensions().get(), least) {
                Ok(()) => next.run(request).await,
                Err(no) if is_signed_in => no.by_page(&request),
                Err(no) => no.in_words(&request),
            }
        };
        router.route(line.endpoint.path, line.answer.route_layer(from_fn(gate)))
    });
    router.method_not_allowed_fallback(nowhere).fallback(nowhere)
}

/// Why not.
enum No {
    /// Nobody knows who asks.
    Unknown,
    /// They are known, and their role is not enough.
    Lacks { role: Role, least: Role },
}

fn may(caller: Option<&ConnectInfo<Caller>>, least: Option<Role>) -> Result<(), No> {
    match (caller, least) {
        (_, None) => Ok(()),
        (Some(ConnectInfo(caller)), Some(least)) if caller.role >= least => Ok(()),
        (Some(ConnectInfo(caller)), Some(least)) => Err(No::Lacks { role: caller.role, least }),
        (None, Some(_)) => Err(No::Unknown),
    }
}

impl No {
    fn by_page(self, request: &Request) -> Response {
        let caller = request.extensions().get::<ConnectInfo<Caller>>();
        let words = match self {
            Self::Lacks { role, least } => format!("This needs the role {least}; you are {role}."),
            Self::Unknown => String::new(),
        };
        pages::refused(request, caller.map(|ConnectInfo(caller)| caller), &words)
    }

    fn in_words(self, request: &Request) -> Response {
        match self {
            Self::Lacks { role, least } => {
                let words = format!("this needs the role {least}; you are {role}");
                refusal(StatusCode::FORBIDDEN, &words)
            }
            Self::Unknown => {
                let words = match shown(request.headers()) {
                    Some(_) => "your session has ended, or your token is not valid (any more)",
                    None => "you are not signed in",
                };
                let mut response = refusal(StatusCode::UNAUTHORIZED, words);
                // RFC 6750 section 3
                let challenge = HeaderValue::from_static("Bearer");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
                response
            }
        }
    }
}

#[cfg(test)]
mod tests;
