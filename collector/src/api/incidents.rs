//! Services and incidents: how they are, and what operators do to them.

use std::time::Duration;

use axum::Json;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::caller::Caller;
use super::paged::{Listed, Paged};
use super::typed::Told;
use super::{Operators, Refusal, Shared};
use crate::control::{Author, Control, ControlError};
use crate::judge::action::Action;
use crate::judge::incident::{CannotAct, IncidentAction};
use crate::planning::{Planning, PlanningError, RecoveryWish};
use crate::query::{IncidentAnswer, IncidentsAnswer, IncidentsWanted, QueryError, ServicesAnswer};

/// What somebody wants done to an incident.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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
    /// With `estimate`: when it is to work again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<RecoveryWish>,
}

/// What can be done to an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// Say when it is to work again.
    Estimate,
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
    Planning(PlanningError),
}

impl From<NotDone> for Refusal {
    fn from(no: NotDone) -> Self {
        match no {
            NotDone::Query(error) => error.into(),
            NotDone::Cannot(error) => Self(StatusCode::CONFLICT, error.to_string()),
            NotDone::Planning(error) => error.into(),
            NotDone::Words(words) => Self(StatusCode::BAD_REQUEST, words.to_owned()),
            NotDone::Control(error) => Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }
}

pub(super) async fn services(State(shared): State<Shared>) -> Told<ServicesAnswer> {
    shared.work(|operators| operators.query.services()).await
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Paged { mut wanted, page }: Paged<IncidentsWanted>,
) -> Told<Listed<IncidentsAnswer>> {
    wanted.limit = page.limit;
    let after = page.after.clone();
    let asked = move |operators: &Operators| -> Result<_, QueryError> {
        let after = after.map(|after| after.parse().map_err(|_no_number| QueryError::Gone));
        let answer = operators.query.incidents(&wanted, after.transpose()?)?;
        let last = answer.incidents.last().filter(|_| answer.more > 0);
        let next = last.map(|last| last.number.to_string());
        Ok(Listed { answer, next })
    };
    shared.work_for(asked, |listed| page.told(listed)).await.into()
}

pub(super) async fn show(
    State(shared): State<Shared>,
    Path(id): Path<u64>,
) -> Told<IncidentAnswer> {
    shared.work(move |operators| operators.query.incident(id)).await
}

pub(super) async fn act(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Path(id): Path<u64>,
    Json(wish): Json<IncidentWish>,
) -> Told<IncidentAnswer> {
    shared.work(move |operators| done(operators, caller.author(), id, wish)).await
}

pub(super) fn done(
    operators: &Operators,
    author: Author,
    incident: u64,
    wish: IncidentWish,
) -> Result<IncidentAnswer, NotDone> {
    let IncidentWish { act, note, security, recovery } = wish;
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
        Act::Estimate => {
            let no = "say when it is to work again: in, at, or unknown";
            let recovery = recovery.ok_or(NotDone::Words(no))?;
            let now = operators.clock.wall();
            let planning = Planning::new(&operators.registry, author.clone(), now);
            let (recovered_at, time_zone) =
                planning.recovery(&recovery).map_err(NotDone::Planning)?;
            IncidentAction::Estimate { incident, recovered_at, time_zone, note }
        }
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
    let (act, note) = (Act::Acknowledge, String::new());
    let wish = IncidentWish { act, note, security: None, recovery: None };
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
