//! Incidents that are over, looked back at: which there are, and everything that is known of one.
//!
//! A review is a function of the views and the journals, without a clock: the same incident gives the same answer. As long
//! as figures are not kept with it, they are measured when it is asked for, and said to be preliminary.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::figures::figures;
use super::followups::ActionItemAnswer;
use super::{Query, QueryError};
use crate::judge::diagnosis::{Diagnosis, diagnose};
use crate::judge::followup::Progress;
use crate::judge::incident::figures::Figures;
use crate::judge::incident::{Incident, Severity, State};
use crate::judge::review::{Lessons, Reviewed, Told, lessons, reviewed};
use crate::judge::timeline::{self, folded};

/// Reviews in one answer at most, the newest.
const MOST: usize = 500;
/// Lines of a timeline at most: the first ones and the last.
const MOST_LINES: usize = 80;

/// Reviews, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReviewsAnswer {
    /// The organisation's time zone, where it has one.
    pub time_zone: Option<String>,
    /// When it was given.
    pub now: Timestamp,
    /// Newest first.
    pub reviews: Vec<ReviewLine>,
    /// How many more there are.
    pub more: usize,
}

/// One of them, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReviewLine {
    /// The incident's number.
    pub incident: u64,
    /// How bad it was.
    pub severity: Severity,
    /// `verified`, or `reviewed` once somebody looked back at it.
    pub state: State,
    /// The first slot that failed.
    pub began_at: Timestamp,
    /// From when on it worked again.
    pub ended_at: Option<Timestamp>,
    /// What failed.
    pub headline: String,
    /// Who looked back at it last.
    pub reviewed_by: Option<String>,
    /// Action items that are to be done.
    pub open_actions: usize,
    /// Those of them that should be done by now.
    pub overdue_actions: usize,
}

/// Everything that is known of an incident that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReviewAnswer {
    /// The organisation's time zone; UTC where it has none.
    pub time_zone: String,
    /// All of it, but its figures.
    pub incident: Incident,
    /// What it probably was.
    pub diagnosis: Diagnosis,
    /// What it came to.
    pub figures: Figures,
    /// Whether these are for good; else runs that come late may still change them.
    pub are_final: bool,
    /// What was seen and done.
    pub timeline: Vec<timeline::Line>,
    /// Lines of it that did not fit, between the first and the last.
    pub more_lines: u64,
    /// Messages that went out.
    pub notices: Vec<Told>,
    /// What facts teach.
    pub lessons: Lessons,
    /// What is to be done.
    pub actions: Vec<ActionItemAnswer>,
    /// Who looked back at it, in order.
    pub reviewed: Vec<Reviewed>,
}

impl Query {
    /// Incidents that are over, newest first.
    ///
    /// # Errors
    /// When the views cannot be read.
    pub fn reviews(&self) -> Result<ReviewsAnswer, QueryError> {
        let (now, today) = (self.clock.wall().timestamp(), self.today());
        let reader = self.views.reader();
        let is_over = |it: &Incident| it.state >= State::Verified && it.merged_into.is_none();
        let mut over = reader.incidents()?;
        over.retain(is_over);
        over.sort_by_key(|it| std::cmp::Reverse(it.number));
        let more = over.len().saturating_sub(MOST);
        let line = |incident: &Incident| {
            let (open, overdue) = self.registry.control().look(|roll| {
                let items = roll.follow_ups();
                let open = items.of(incident.number).filter(|it| it.progress == Progress::Open);
                open.fold((0, 0), |(open, overdue), item| {
                    (open + 1, overdue + usize::from(item.is_overdue(today)))
                })
            });
            ReviewLine {
                incident: incident.number,
                severity: incident.severity,
                state: incident.state,
                began_at: incident.began_at,
                ended_at: incident.ended_at,
                headline: incident.headline(),
                reviewed_by: reviewed(incident).pop().map(|last| last.by),
                open_actions: open,
                overdue_actions: overdue,
            }
        };
        let reviews = over.iter().take(MOST).map(line).collect();
        let time_zone = reader.chronicle().current().time_zone.clone();
        Ok(ReviewsAnswer { time_zone, now, reviews, more })
    }

    /// The review of one incident. `notices` are the messages that went out about it.
    ///
    /// # Errors
    /// When there is no such incident, it is not over, or the views cannot be read.
    pub fn review(&self, number: u64, notices: Vec<Told>) -> Result<ReviewAnswer, QueryError> {
        let reader = self.views.reader();
        let mut incident = reader.incident(number)?.ok_or(QueryError::NoIncident(number))?;
        if let Some(into) = incident.merged_into {
            return Err(QueryError::Merged { number, into });
        }
        if incident.state < State::Verified {
            let state = incident.state.as_str();
            return Err(QueryError::NotOver { number, state });
        }
        let kept = incident.figures.take();
        let are_final = kept.is_some();
        let figures = match kept {
            Some(kept) => *kept,
            None => figures(reader, &incident)?,
        };
        let (timeline, left_out) = cut(folded(&incident.timeline));
        let actions = self.registry.control().look(|roll| {
            let items = roll.follow_ups().of(number);
            items.map(|item| ActionItemAnswer::of(item, None)).collect()
        });
        let time_zone = reader.chronicle().current().time_zone.clone();
        Ok(ReviewAnswer {
            time_zone: time_zone.unwrap_or_else(|| "UTC".to_owned()),
            diagnosis: diagnose(&incident),
            are_final,
            timeline,
            more_lines: left_out.saturating_add(incident.more_entries),
            lessons: lessons(&incident, &figures, &notices),
            notices,
            actions,
            reviewed: reviewed(&incident),
            figures,
            incident,
        })
    }

    /// What an incident that is over came to, where that is not kept with it yet.
    ///
    /// # Errors
    /// When the views cannot be read.
    pub fn figures_of(&self, incident: &Incident) -> Result<Figures, QueryError> {
        Ok(figures(self.views.reader(), incident)?)
    }

    /// The views, for whoever keeps them company.
    pub(crate) fn reader(&self) -> &crate::rollups::Reader {
        self.views.reader()
    }
}

/// The first lines and the last, and how many are left out between them.
fn cut(mut lines: Vec<timeline::Line>) -> (Vec<timeline::Line>, u64) {
    let left_out = lines.len().saturating_sub(MOST_LINES);
    if left_out > 0 {
        let from = MOST_LINES / 2;
        lines.drain(from..from + left_out);
    }
    (lines, u64::try_from(left_out).unwrap_or(u64::MAX))
}
