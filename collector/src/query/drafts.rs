//! What people are to be told of an incident, as a draft.

use std::time::Duration;

use jiff::Timestamp;
use mailsonde_proto::WallTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Query, QueryError};
use crate::judge::draft::{About, Audience, Draft, Moment, Templates, draft};
use crate::judge::incident::{Estimate, Expected};

/// The next word is promised within this where nobody says.
pub const DEFAULT_NEXT: Duration = Duration::from_secs(30 * 60);

/// Which draft is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DraftWanted {
    /// For whom.
    #[serde(rename = "for")]
    pub audience: Audience,
    /// At which moment; the one that fits, where it is not said.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub moment: Option<Moment>,
    /// When they were told last: what changed since is told; all of it, where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The next word comes within so many seconds; [`DEFAULT_NEXT`] where it is not said, 0: none is promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_s: Option<u64>,
}

/// A draft.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DraftAnswer {
    /// When it was made; times in it are as of then.
    pub now: Timestamp,
    /// Of which incident.
    pub incident: u64,
    /// For whom.
    #[serde(rename = "for")]
    pub audience: Audience,
    /// At which moment.
    #[serde(rename = "as")]
    pub moment: Moment,
    /// Subject, text, and what whoever sends it should know.
    #[serde(flatten)]
    pub draft: Draft,
    /// One or two sentences for a status page.
    pub public: String,
    /// When it is thought to work again.
    pub expected: Expected,
    /// What somebody said of that.
    pub estimate: Option<Estimate>,
}

impl Query {
    /// What people are to be told of an incident, by these templates.
    ///
    /// # Errors
    /// When there is none of this number, or the views cannot be read.
    pub fn draft(
        &self,
        number: u64,
        wanted: &DraftWanted,
        templates: &Templates,
    ) -> Result<DraftAnswer, QueryError> {
        let now: WallTime = self.clock.wall();
        let reader = self.views.reader();
        let incident = reader.incident(number)?.ok_or(QueryError::NoIncident(number))?;
        let definitions = reader.chronicle().current().clone();
        let moment = wanted.moment.unwrap_or_else(|| Moment::of(&incident));
        let next = wanted.next_s.map_or(DEFAULT_NEXT, Duration::from_secs);
        let about = About {
            definitions: &definitions,
            templates,
            now: now.timestamp(),
            told_at: wanted.since,
            next_at: (!next.is_zero()).then(|| now.plus(next).timestamp()),
        };
        let public = draft(&incident, &about, Audience::Public, Moment::of(&incident));
        Ok(DraftAnswer {
            now: about.now,
            incident: number,
            audience: wanted.audience,
            moment,
            draft: draft(&incident, &about, wanted.audience, moment),
            public: public.text.trim().to_owned(),
            expected: incident.expected(about.now),
            estimate: incident.estimate,
        })
    }
}
