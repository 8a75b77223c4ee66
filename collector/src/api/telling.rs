//! Channels, what was told by them, who is on call; and the page by which somebody takes an incident on.

use axum::Json;
use axum::extract::{ConnectInfo, Path, Query as Parameters, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::caller::{Caller, Origin};
use super::incidents::acknowledge;
use super::paged::{Listed, Paged};
use super::typed::Told;
use super::{Operators, Refusal, Shared, refusal, stopping};
use crate::control::Author;
use crate::judge::incident::State as Progress;
use crate::links::{NotALink, Signed};
use crate::notifier::Outcome;
use crate::query::QueryError;
use crate::query::notices::{NoticesAnswer, NoticesWanted};
use crate::query::routes::OnCallAnswer;
use crate::text;

/// Every channel of the files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChannelsAnswer {
    /// In the order of files and lines.
    pub channels: Vec<ChannelAnswer>,
}

/// One channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChannelAnswer {
    /// By what routes name it.
    pub name: String,
    /// Such as `slack`.
    pub kind: String,
    /// Where it goes; no secret.
    pub destination: String,
    /// The channel that tells when this one does not work.
    pub instead: Option<String>,
    /// Nothing is sent where it is not.
    pub is_enabled: bool,
    /// How many messages wait for it.
    pub waiting: usize,
    /// What it said last to one that waits, or when it refused its last message; empty when nothing is wrong.
    pub trouble: String,
}

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChannelTested {
    /// The channel.
    pub channel: String,
    /// `sent`, `later` or `refused`.
    pub outcome: String,
    /// The service showed that it is there.
    pub is_confirmed: bool,
    /// What came back.
    pub said: String,
}

pub(super) async fn channels(State(shared): State<Shared>) -> Told<ChannelsAnswer> {
    shared.work(|operators| Ok::<_, Refusal>(listed(operators))).await
}

fn listed(operators: &Operators) -> ChannelsAnswer {
    let held = operators.delivery.held();
    let channels = operators.delivery.channels();
    let refused = operators.delivery.refused().clone();
    let answer = |named: &crate::notifier::Named| {
        let own = held.iter().filter(|held| held.channel == named.name);
        let trouble = own.clone().find(|held| !held.why.is_empty()).map(|held| held.why.clone());
        let trouble = trouble.or_else(|| refused.get(&named.name).cloned());
        ChannelAnswer {
            name: named.name.clone(),
            kind: named.channel.kind().to_owned(),
            destination: named.channel.destination(),
            instead: named.instead.clone(),
            is_enabled: named.is_enabled,
            waiting: own.count(),
            trouble: trouble.unwrap_or_default(),
        }
    };
    ChannelsAnswer { channels: channels.iter().map(answer).collect() }
}

pub(super) async fn test(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Path(name): Path<String>,
) -> Told<ChannelTested> {
    let Some(delivery) = shared.operators.upgrade().map(|it| it.delivery.clone()) else {
        return stopping().into();
    };
    let (outcome, is_confirmed, said) = match delivery.test(&name, &caller.author().who).await {
        Err(words) => return refusal(StatusCode::NOT_FOUND, &words).into(),
        Ok(Outcome::Sent { confirmed, said, .. }) => ("sent", confirmed, said),
        Ok(Outcome::Later { why, .. }) => ("later", false, why),
        Ok(Outcome::Refused { why }) => ("refused", false, why),
    };
    tracing::info!(channel = name, outcome, "a channel was tried");
    let outcome = outcome.to_owned();
    Json(ChannelTested { channel: name, outcome, is_confirmed, said }).into_response().into()
}

pub(super) async fn notices(
    State(shared): State<Shared>,
    Paged { mut wanted, page }: Paged<NoticesWanted>,
) -> Told<Listed<NoticesAnswer>> {
    wanted.limit = page.limit;
    let after = page.after.clone();
    let notices = move |operators: &Operators| -> Result<_, QueryError> {
        let held = operators.delivery.held();
        let answer = operators.query.notices(&wanted, &held, after.as_deref())?;
        let last = answer.notices.last().filter(|_| answer.more > 0);
        let next = last.map(|last| last.id.clone());
        Ok(Listed { answer, next })
    };
    shared.work_for(notices, |listed| page.told(listed)).await.into()
}

pub(super) async fn on_call(State(shared): State<Shared>) -> Told<OnCallAnswer> {
    shared.work(|operators| Ok::<_, Refusal>(operators.query.on_call())).await
}

/// The page that a link leads to.
pub(super) async fn ask(
    State(shared): State<Shared>,
    Parameters(signed): Parameters<Signed>,
) -> Response {
    let seen = move |operators: &Operators| page(operators, &signed, None);
    shared.work_for(seen, shown).await
}

/// What its button does.
pub(super) async fn take_on(
    State(shared): State<Shared>,
    ConnectInfo(origin): ConnectInfo<Origin>,
    Parameters(signed): Parameters<Signed>,
) -> Response {
    let from = match origin {
        Origin::Network { address } => address.to_string(),
        Origin::Socket { .. } => "operators.sock".to_owned(),
    };
    let done = move |operators: &Operators| {
        let author = Author { who: format!("somebody in {}, by its link", signed.channel), from };
        page(operators, &signed, Some(author))
    };
    shared.work_for(done, shown).await
}

impl From<NotALink> for Refusal {
    fn from(no: NotALink) -> Self {
        Self(StatusCode::FORBIDDEN, no.to_string())
    }
}

fn page(operators: &Operators, signed: &Signed, by: Option<Author>) -> Result<String, Refusal> {
    operators.links.check(signed, operators.clock.wall().timestamp())?;
    let incident = |operators: &Operators| {
        let found = operators.query.incident(signed.incident);
        found.map(|answer| answer.incident).map_err(|error: QueryError| Refusal::from(error))
    };
    let mut known = incident(operators)?;
    if let Some(author) = by
        && known.state == Progress::Open
    {
        acknowledge(operators, author, signed.incident).map_err(Refusal::from)?;
        known = incident(operators)?;
    }
    let body = match known.state {
        Progress::Open => "<form method=\"post\"><button>I take it on</button></form>".to_owned(),
        Progress::Acknowledged => "<p>Somebody takes care of it.</p>".to_owned(),
        state => format!("<p>It is {}.</p>", state.as_str()),
    };
    Ok(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Incident {number}</title>\
         <h1>Incident {number}</h1><p>{headline}</p>{body}</html>",
        number = known.number,
        headline = text::html(&known.headline()),
    ))
}

/// Nothing of it is to be kept, framed or run.
fn shown(page: String) -> Response {
    let mut response = Html(page).into_response();
    for (name, value) in [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; form-action 'self'; frame-ancestors 'none'",
        ),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
