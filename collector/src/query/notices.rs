//! What was told to whom, what came of it, and what waits.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::QueryError;
use crate::delivery::Held;
use crate::judge::message::Occasion;
use crate::judge::review::Told;
use crate::judge::telling::{Fate, Notice};
use crate::rollups::Reader;

/// Notices in one answer when nobody says how many.
pub const DEFAULT_LIMIT: usize = 50;
/// Notices in one answer at most.
pub const MAX_LIMIT: usize = 1_000;

/// Which notices are wanted; all that is not said is any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoticesWanted {
    /// Of this channel only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// About this incident only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<u64>,
    /// Only those that were not taken, or not yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
    /// So many at most; [`DEFAULT_LIMIT`] when it is not said, [`MAX_LIMIT`] at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Notices, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NoticesAnswer {
    /// When it was given.
    pub now: Timestamp,
    /// Newest first.
    pub notices: Vec<NoticeAnswer>,
    /// How many more are wanted and did not fit.
    pub more: usize,
}

/// One notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NoticeAnswer {
    /// The same at every attempt, in every payload.
    pub id: String,
    /// The name of its channel.
    pub channel: String,
    /// Why it is sent.
    pub occasion: Occasion,
    /// The incident that it is about.
    pub incident: Option<u64>,
    /// Its first line.
    pub title: String,
    /// When what it tells happened.
    pub at: Timestamp,
    /// `waiting`, `sent`, `failed`, or `superseded`: what came after it told more before its turn came.
    pub state: String,
    /// The service showed that it is there, and did not only accept it.
    pub is_confirmed: bool,
    /// When it was sent or given up; of one that waits, when it is tried next.
    pub when: Option<Timestamp>,
    /// How often it was tried.
    pub attempts: u32,
    /// What the channel said.
    pub said: String,
}

pub(super) fn answer(
    (reader, held): (&Reader, &[Held]),
    wanted: &NoticesWanted,
    after: Option<&str>,
    now: Timestamp,
) -> Result<NoticesAnswer, QueryError> {
    let mut notices = reader.notices()?;
    notices.retain(|notice| {
        let is_failed = !matches!(notice.fate, Some(Fate::Sent { .. } | Fate::Superseded));
        wanted.channel.as_ref().is_none_or(|channel| notice.channel == *channel)
            && wanted.incident.is_none_or(|it| notice.message.incident() == Some(it))
            && (!wanted.failed || is_failed)
    });
    notices.reverse();
    if let Some(after) = after {
        let place = notices.iter().position(|notice| notice.message.id == after);
        notices.drain(..=place.ok_or(QueryError::Gone)?);
    }
    let limit = wanted.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let more = notices.len().saturating_sub(limit);
    let notices = notices.into_iter().take(limit).map(|notice| of(notice, held)).collect();
    Ok(NoticesAnswer { now, notices, more })
}

fn of(notice: Notice, held: &[Held]) -> NoticeAnswer {
    let incident = notice.message.incident();
    let waits = held.iter().find(|held| held.id == notice.message.id);
    let (state, is_confirmed, said) = match &notice.fate {
        Some(Fate::Sent { is_confirmed, said, .. }) => ("sent", *is_confirmed, said.clone()),
        Some(Fate::Failed { why }) => ("failed", false, why.clone()),
        Some(Fate::Superseded) => ("superseded", false, "what came after it told more".to_owned()),
        None => ("waiting", false, waits.map(|held| held.why.clone()).unwrap_or_default()),
    };
    let attempts = waits.map_or(notice.attempts, |held| held.attempts);
    let when = match &notice.fate {
        Some(_) => notice.settled_at,
        None => Some(waits.map_or(notice.not_before, |held| held.not_before)),
    };
    NoticeAnswer {
        id: notice.message.id,
        channel: notice.channel,
        occasion: notice.message.occasion,
        incident,
        title: notice.message.title,
        at: notice.message.at,
        state: state.to_owned(),
        is_confirmed,
        when,
        attempts,
        said,
    }
}

impl super::Query {
    /// The messages about an incident that channels took, oldest first.
    ///
    /// # Errors
    /// When the views cannot be read.
    pub fn told_of(&self, incident: u64) -> Result<Vec<Told>, QueryError> {
        let notices = self.views.reader().notices()?;
        let told = notices.into_iter().filter(|it| it.message.incident() == Some(incident));
        let sent = told.filter_map(|notice| {
            let at = notice.settled_at?;
            let is_sent = matches!(notice.fate, Some(Fate::Sent { .. }));
            let (channel, what) = (notice.channel, notice.message.title);
            is_sent.then_some(Told { at, channel, what })
        });
        Ok(sent.collect())
    }

    /// What was told to whom; `held` is what waits. Only those after one of them, if there is `after`.
    ///
    /// # Errors
    /// When the views cannot be read.
    pub fn notices(
        &self,
        wanted: &NoticesWanted,
        held: &[Held],
        after: Option<&str>,
    ) -> Result<NoticesAnswer, QueryError> {
        answer((self.views.reader(), held), wanted, after, self.clock.wall().timestamp())
    }
}
