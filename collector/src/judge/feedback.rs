//! What users say of e-mail, and what they asked the service desk: survey answers and tickets, as they were imported.
//!
//! Each has an id of its own, so that the same file can be imported twice: what comes later under an id stands.
//! Invariant: bounded, where the oldest go first; no names of people and no words of theirs are kept. Pure.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Answers that are kept at most; so many tickets too.
const MOST: usize = 100_000;
/// Of one action at most.
pub const MOST_AT_ONCE: usize = 500;
/// Bytes of an id at most.
const MOST_ID_BYTES: usize = 64;
/// From this score on, somebody is satisfied.
pub const SATISFIED: u8 = 4;
/// The best score; the worst is 1.
pub const BEST: u8 = 5;

/// One answer to "how satisfied are you with e-mail?".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SurveyAnswer {
    /// No other answer has it.
    pub id: String,
    /// When it was given.
    pub at: Timestamp,
    /// From 1 (very dissatisfied) to 5 (very satisfied).
    pub score: u8,
    /// The service that it is about; e-mail as a whole without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// One ticket about e-mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ticket {
    /// No other ticket has it.
    pub id: String,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it was resolved, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    /// The service that it is about; e-mail as a whole without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// What was imported or answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedbackAction {
    /// Survey answers.
    Answers(Vec<SurveyAnswer>),
    /// Tickets.
    Tickets(Vec<Ticket>),
}

/// Why something cannot be taken in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeedbackError {
    /// The id has another form.
    #[error("{0:?} cannot be an id: write 1 to 64 characters, none of them a control character")]
    Id(String),
    /// There is no such score.
    #[error(
        "{id}: a score is a whole number from 1 (very dissatisfied) to 5 (very satisfied), not {score}"
    )]
    Score {
        /// Of which answer.
        id: String,
        /// What was said.
        score: u8,
    },
    /// It was not yet.
    #[error("{id}: {at} is yet to come")]
    Future {
        /// Which.
        id: String,
        /// When.
        at: Timestamp,
    },
    /// It ended before it began.
    #[error("{0}: it was resolved before it was opened")]
    Backwards(String),
    /// It is about nothing that there is.
    #[error("{id}: there is no service called {service}: see `mailsonde-collector services`")]
    Service {
        /// Which.
        id: String,
        /// The name.
        service: String,
    },
    /// There are too many in one go.
    #[error("{MOST_AT_ONCE} at once are enough: send the rest by another question")]
    Many,
    /// This link was used.
    #[error("this question was answered already: each link takes one answer")]
    Answered,
}

impl FeedbackAction {
    /// What was done, for the audit log.
    pub fn words(&self) -> String {
        match self {
            Self::Answers(answers) => format!("took in {} survey answers", answers.len()),
            Self::Tickets(tickets) => format!("took in {} tickets", tickets.len()),
        }
    }

    /// Whether it can be taken in at a moment, where there are services of these names.
    ///
    /// # Errors
    /// Everything that is wrong, in order.
    pub fn check(
        &self,
        now: Timestamp,
        is_service: impl Fn(&str) -> bool,
    ) -> Result<(), Vec<FeedbackError>> {
        let many = |count: usize| (count > MOST_AT_ONCE).then_some(FeedbackError::Many);
        let service = |id: &String, service: &Option<String>| {
            let unknown = service.clone().filter(|name| !is_service(name));
            unknown.map(|service| FeedbackError::Service { id: id.clone(), service })
        };
        let future = |id: &String, at: Timestamp| {
            (at > now).then(|| FeedbackError::Future { id: id.clone(), at })
        };
        let mut wrong = Vec::new();
        match self {
            Self::Answers(answers) => {
                wrong.extend(many(answers.len()));
                for answer in answers {
                    let SurveyAnswer { id, at, score, .. } = answer;
                    wrong.extend(not_an_id(id));
                    if !(1..=BEST).contains(score) {
                        wrong.push(FeedbackError::Score { id: id.clone(), score: *score });
                    }
                    wrong.extend(future(id, *at));
                    wrong.extend(service(id, &answer.service));
                }
            }
            Self::Tickets(tickets) => {
                wrong.extend(many(tickets.len()));
                for ticket in tickets {
                    let Ticket { id, opened_at, resolved_at, .. } = ticket;
                    wrong.extend(not_an_id(id));
                    wrong.extend(future(id, resolved_at.unwrap_or(*opened_at)));
                    if resolved_at.is_some_and(|at| at < *opened_at) {
                        wrong.push(FeedbackError::Backwards(id.clone()));
                    }
                    wrong.extend(service(id, &ticket.service));
                }
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

fn not_an_id(id: &str) -> Option<FeedbackError> {
    let is_one = (1..=MOST_ID_BYTES).contains(&id.len()) && !id.chars().any(char::is_control);
    (!is_one).then(|| FeedbackError::Id(id.chars().take(MOST_ID_BYTES).collect()))
}

/// Everything that was taken in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Feedback {
    answers: Kept<SurveyAnswer>,
    tickets: Kept<Ticket>,
}

/// By id, and by time to know the oldest.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept<T> {
    all: BTreeMap<String, T>,
    by_time: BTreeMap<(Timestamp, String), ()>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { all: BTreeMap::new(), by_time: BTreeMap::new() }
    }
}

impl<T: Clone> Kept<T> {
    fn put(&mut self, (id, item): (&str, &T), at: impl Fn(&T) -> Timestamp) {
        if let Some(before) = self.all.insert(id.to_owned(), item.clone()) {
            self.by_time.remove(&(at(&before), id.to_owned()));
        }
        self.by_time.insert((at(item), id.to_owned()), ());
        if self.all.len() > MOST
            && let Some(((_, oldest), ())) = self.by_time.pop_first()
        {
            self.all.remove(&oldest);
        }
    }

    fn within<'k>(&'k self, range: &Range<Timestamp>) -> impl Iterator<Item = &'k T> {
        let (from, until) = ((range.start, String::new()), (range.end, String::new()));
        let ids = self.by_time.range(from..until.max((range.start, String::new())));
        ids.filter_map(|((_, id), ())| self.all.get(id))
    }
}

/// How satisfied people were in a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Satisfaction {
    /// How many answered.
    pub answers: u64,
    /// How many of these are satisfied: 4 or 5.
    pub satisfied: u64,
    /// How many gave each score, from 1 to 5.
    pub scores: [u64; 5],
}

/// Tickets that were opened in a time, and how fast they were resolved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TicketFigures {
    /// How many were opened.
    pub opened: u64,
    /// How many of these are resolved.
    pub resolved: u64,
    /// Resolved within 24 hours of being opened.
    pub within_24h: u64,
    /// Resolved within 48 hours.
    pub within_48h: u64,
    /// Not resolved yet, and younger than 24 hours: nobody knows.
    pub undecided_24h: u64,
    /// The same of 48 hours.
    pub undecided_48h: u64,
    /// The middle one of the times that those took which are resolved, in seconds.
    pub median_s: Option<i64>,
}

impl Feedback {
    /// Takes in what was imported or answered.
    pub fn apply(&mut self, action: &FeedbackAction) {
        match action {
            FeedbackAction::Answers(answers) => {
                answers.iter().for_each(|it| self.answers.put((&it.id, it), |it| it.at));
            }
            FeedbackAction::Tickets(tickets) => {
                tickets.iter().for_each(|it| self.tickets.put((&it.id, it), |it| it.opened_at));
            }
        }
    }

    /// Whether there is an answer of this id.
    pub fn has_answer(&self, id: &str) -> bool {
        self.answers.all.contains_key(id)
    }

    /// Whether anything was ever taken in.
    pub fn is_empty(&self) -> bool {
        self.answers.all.is_empty() && self.tickets.all.is_empty()
    }

    /// How satisfied people were in a time, with any of these services; with e-mail as a whole where none is named.
    pub fn satisfaction(&self, range: &Range<Timestamp>, services: &[String]) -> Satisfaction {
        let mut found = Satisfaction::default();
        for answer in self.answers.within(range).filter(|it| is_wanted(&it.service, services)) {
            found.answers += 1;
            found.satisfied += u64::from(answer.score >= SATISFIED);
            let at = usize::from(answer.score.clamp(1, BEST) - 1);
            found.scores.iter_mut().skip(at).take(1).for_each(|count| *count += 1);
        }
        found
    }

    /// Tickets that were opened in a time, as they were at `now`.
    pub fn tickets(
        &self,
        range: &Range<Timestamp>,
        services: &[String],
        now: Timestamp,
    ) -> TicketFigures {
        let mut found = TicketFigures::default();
        let mut took: Vec<i64> = Vec::new();
        for ticket in self.tickets.within(range).filter(|it| is_wanted(&it.service, services)) {
            let is_within = |at: Timestamp, hours: i64| {
                at.duration_since(ticket.opened_at) <= SignedDuration::from_hours(hours)
            };
            found.opened += 1;
            match ticket.resolved_at.filter(|at| *at <= now) {
                Some(at) => {
                    found.resolved += 1;
                    found.within_24h += u64::from(is_within(at, 24));
                    found.within_48h += u64::from(is_within(at, 48));
                    took.push(at.duration_since(ticket.opened_at).as_secs());
                }
                None => {
                    found.undecided_24h += u64::from(is_within(now, 24));
                    found.undecided_48h += u64::from(is_within(now, 48));
                }
            }
        }
        took.sort_unstable();
        found.median_s = took.get(took.len().saturating_sub(1) / 2).copied();
        found
    }
}

fn is_wanted(service: &Option<String>, services: &[String]) -> bool {
    services.is_empty() || service.as_ref().is_some_and(|name| services.contains(name))
}

#[cfg(test)]
mod tests;
