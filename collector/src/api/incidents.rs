//! Services and incidents: how they are, and what operators do to them.

use std::time::Duration;

use axum::Json;
use axum::extract::{ConnectInfo, Path, Query as Parameters, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::caller::Caller;
use super::{Operators, Refusal, Shared};
use crate::control::{Author, Control, ControlError};
use crate::judge::action::Action;
use crate::judge::incident::{CannotAct, IncidentAction};
use crate::query::{IncidentAnswer, IncidentsWanted, QueryError};

/// What somebody wants done to an incident.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentWish {
    /// What.
    #[serde(rename = "do")]
    pub act: Act,
    /// What they say; needed for `note` and `review`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// With `review`: whether it was about security.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<bool>,
}

/// What can be done to an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Look after it.
    Acknowledge,
    /// Say something of it.
    Note,
    /// It is mended.
    Resolve,
    /// Look back at it.
    Review,
}

/// Bytes of a note at most.
const MAX_NOTE: usize = 8 * 1_024;
/// What was done is waited for in the views so long, so that who asks next sees it.
const SEEN: Duration = Duration::from_secs(3);
const GLANCE: Duration = Duration::from_millis(30);

/// Why it was not done.
pub(super) enum NotDone {
    Query(QueryError),
    Cannot(CannotAct),
    Words(&'static str),
    Control(ControlError),
}

impl From<NotDone> for Refusal {
    fn from(no: NotDone) -> Self {
        match no {
            NotDone::Query(error) => error.into(),
            NotDone::Cannot(error) => Self(StatusCode::CONFLICT, error.to_string()),
            NotDone::Words(words) => Self(StatusCode::BAD_REQUEST, words.to_owned()),
            NotDone::Control(error) => Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }
}

pub(super) async fn services(State(shared): State<Shared>) -> Response {
    shared.work(|operators| operators.query.services()).await
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Parameters(wanted): Parameters<IncidentsWanted>,
) -> Response {
    shared.work(move |operators| operators.query.incidents(&wanted)).await
}

pub(super) async fn show(State(shared): State<Shared>, Path(id): Path<u64>) -> Response {
    shared.work(move |operators| operators.query.incident(id)).await
}

pub(super) async fn act(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Path(id): Path<u64>,
    Json(wish): Json<IncidentWish>,
) -> Response {
    shared.work(move |operators| done(operators, caller.author(), id, wish)).await
}

fn done(
    operators: &Operators,
    author: Author,
    incident: u64,
    wish: IncidentWish,
) -> Result<IncidentAnswer, NotDone> {
    let IncidentWish { act, note, security } = wish;
    if note.len() > MAX_NOTE {
        return Err(NotDone::Words("a note holds at most 8 KiB: say it shorter"));
    }
    if note.trim().is_empty() && matches!(act, Act::Note | Act::Review) {
        return Err(NotDone::Words("a note must say something, and a review what was learnt"));
    }
    if security.is_some() && act != Act::Review {
        return Err(NotDone::Words("whether it was about security is said with a review"));
    }
    let action = match act {
        Act::Acknowledge => IncidentAction::Acknowledge { incident, note },
        Act::Note => IncidentAction::Note { incident, note },
        Act::Resolve => IncidentAction::Resolve { incident, note },
        Act::Review => IncidentAction::Review { incident, note, security },
    };
    let known = operators.query.incident(incident).map_err(NotDone::Query)?;
    known.incident.allows(&action).map_err(NotDone::Cannot)?;
    let control = operators.registry.control();
    let record = Control::Acted(Action::Incident(action));
    control
        .decide(operators.clock.wall(), author, |_| Ok((record, ())))
        .map_err(NotDone::Control)?;
    operators.wait_until_judged();
    operators.query.incident(incident).map_err(NotDone::Query)
}

/// Somebody takes an incident on.
pub(super) fn acknowledge(
    operators: &Operators,
    author: Author,
    incident: u64,
) -> Result<IncidentAnswer, NotDone> {
    let wish = IncidentWish { act: Act::Acknowledge, note: String::new(), security: None };
    done(operators, author, incident, wish)
}

impl Operators {
    /// Waits until what was written to the control journal is in the views, for a while.
    pub(super) fn wait_until_judged(&self) {
        let written = self.registry.control().index().next();
        let by = self.clock.monotonic() + SEEN;
        while self.query.judged() < written && self.clock.monotonic() < by {
            std::thread::sleep(GLANCE);
        }
    }
}
