//! What users say and what they asked the service desk: taken in from operators, and from users by survey links.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Query as Parameters, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::caller::{Caller, Origin};
use super::typed::Told;
use super::{Operators, Refusal, Shared};
use crate::control::{Author, Control, ControlError};
use crate::judge::action::Action;
use crate::judge::feedback::{FeedbackAction, FeedbackError, SurveyAnswer, Ticket};
use crate::links::SurveyLink;
use crate::query::report::FeedbackAnswer;
use crate::survey;

/// Links at once at most.
const MOST_LINKS: u16 = 1_000;

/// Survey answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswersWish {
    /// At most 500; what comes later under an id stands.
    pub answers: Vec<SurveyAnswer>,
}

/// Tickets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TicketsWish {
    /// At most 500; what comes later under an id stands.
    pub tickets: Vec<Ticket>,
}

/// Links to the survey's question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinksWish {
    /// How many, each for one answer; 1 to 1,000.
    pub count: u16,
    /// One link instead that everybody may use, for a page or a mail to all.
    #[serde(default)]
    pub open: bool,
}

/// Links to the survey's question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LinksAnswer {
    /// As many as were wanted.
    pub links: Vec<String>,
}

pub(super) async fn show(State(shared): State<Shared>) -> Told<FeedbackAnswer> {
    shared.work(|operators| Ok::<_, Refusal>(operators.query.feedback_now())).await
}

pub(super) async fn take_answers(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Json(wish): Json<AnswersWish>,
) -> Told<FeedbackAnswer> {
    let action = FeedbackAction::Answers(wish.answers);
    shared.work(move |operators| taken(operators, &caller, action)).await
}

pub(super) async fn take_tickets(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Json(wish): Json<TicketsWish>,
) -> Told<FeedbackAnswer> {
    let action = FeedbackAction::Tickets(wish.tickets);
    shared.work(move |operators| taken(operators, &caller, action)).await
}

fn taken(
    operators: &Operators,
    caller: &Caller,
    action: FeedbackAction,
) -> Result<FeedbackAnswer, Refusal> {
    let now = operators.clock.wall();
    let wrong = operators.registry.control().look(|roll| {
        let is_service =
            |name: &str| roll.definitions().is_some_and(|it| it.service(name).is_some());
        action.check(now.timestamp(), is_service)
    });
    wrong.map_err(|all| {
        let words: Vec<String> = all.iter().take(20).map(FeedbackError::to_string).collect();
        Refusal(StatusCode::BAD_REQUEST, words.join("; "))
    })?;
    let control = Control::Acted(Action::Feedback(action));
    operators.registry.control().decide(now, caller.author(), |_| Ok((control, ())))?;
    Ok(operators.query.feedback_now())
}

pub(super) async fn links(
    State(shared): State<Shared>,
    Json(wish): Json<LinksWish>,
) -> Told<LinksAnswer> {
    let made = move |operators: &Operators| -> Result<LinksAnswer, Refusal> {
        if !(1..=MOST_LINKS).contains(&wish.count) {
            let words = format!("write a number of links from 1 to {MOST_LINKS}");
            return Err(Refusal(StatusCode::BAD_REQUEST, words));
        }
        let now = operators.clock.wall().timestamp();
        let count = if wish.open { 1 } else { wish.count };
        let links = (0..count).map(|_| operators.links.survey(now, wish.open));
        let links: Option<Vec<String>> = links.collect();
        let nowhere = "nobody would reach the survey: set operators_url in collector.toml first";
        let links = links.ok_or_else(|| Refusal(StatusCode::CONFLICT, nowhere.to_owned()))?;
        Ok(LinksAnswer { links })
    };
    shared.work(made).await
}

/// Whoever answers a survey has a browser, also where nothing comes of it.
fn of_survey(page: Result<String, Refusal>) -> Response {
    match page {
        Ok(text) => shown(text),
        Err(Refusal(status, words)) => {
            let mut response = shown(survey::refused(&words));
            *response.status_mut() = status;
            response
        }
    }
}

/// The question.
pub(super) async fn ask(
    State(shared): State<Shared>,
    Parameters(link): Parameters<SurveyLink>,
) -> Response {
    let asked = move |operators: &Operators| -> Result<String, Refusal> {
        let now = operators.clock.wall().timestamp();
        operators.links.check_survey(&link, now)?;
        let own = link.own_id().map(str::to_owned);
        let is_answered = own.is_some_and(|id| {
            operators.registry.control().look(|roll| roll.feedback().has_answer(&id))
        });
        if is_answered {
            return Ok(survey::answered());
        }
        // whoever opens a link for everybody gets a question of their own
        Ok(survey::question(&operators.links.own_survey(&link)))
    };
    of_survey(shared.try_work(asked).await)
}

/// The answer.
pub(super) async fn answer(
    State(shared): State<Shared>,
    ConnectInfo(origin): ConnectInfo<Origin>,
    Parameters(link): Parameters<SurveyLink>,
    body: Bytes,
) -> Response {
    let taken = move |operators: &Operators| -> Result<String, Refusal> {
        let now = operators.clock.wall();
        operators.links.check_survey(&link, now.timestamp())?;
        let id = link.own_id().ok_or(crate::links::NotALink::Forged)?;
        let score = survey::score(&body);
        let score = score.ok_or_else(|| {
            Refusal(StatusCode::BAD_REQUEST, "choose one of the five answers".to_owned())
        })?;
        if !operators.survey.admits(origin.address(), now) {
            let words = "too many answers came in a short time: please try again later";
            return Err(Refusal(StatusCode::TOO_MANY_REQUESTS, words.to_owned()));
        }
        let answer = SurveyAnswer { id: id.to_owned(), at: now.timestamp(), score, service: None };
        let control = Control::Acted(Action::Feedback(FeedbackAction::Answers(vec![answer])));
        // no address: whoever answers shall stay unknown
        let author = Author { who: "somebody, by a survey link".into(), from: "survey".into() };
        let taken = operators.registry.control().decide(now, author, |roll| {
            match roll.feedback().has_answer(id) {
                true => Err(FeedbackError::Answered.into()),
                false => Ok((control, ())),
            }
        });
        match taken {
            Ok(()) => Ok(survey::thanks()),
            Err(ControlError::Feedback(FeedbackError::Answered)) => Ok(survey::answered()),
            Err(error) => Err(error.into()),
        }
    };
    of_survey(shared.try_work(taken).await)
}

impl From<ControlError> for Refusal {
    fn from(error: ControlError) -> Self {
        let status = match &error {
            ControlError::Feedback(FeedbackError::Answered) => StatusCode::CONFLICT,
            ControlError::Feedback(_) => StatusCode::BAD_REQUEST,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, error.to_string())
    }
}

/// Nothing of it is to be kept, framed or run; its style is the one that we know.
fn shown(page: String) -> Response {
    let mut response = Html(page).into_response();
    let policy = HeaderValue::from_str(&survey::policy());
    let policy = policy.unwrap_or(HeaderValue::from_static("default-src 'none'"));
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ] {
        response.headers_mut().insert(name, value);
    }
    response
}
