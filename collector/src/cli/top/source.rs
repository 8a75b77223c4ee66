//! Where the live screen's answers come from: each question is asked in its turn, all of a round at once.
//!
//! This is the seam for a stream of events: whoever knows that nothing changed need not ask. Invariant: one round of
//! questions at a time, so that a slow collector is not asked twice for the same.

use std::time::Duration;

use mailsonde_proto::Clock;
use mailsonde_proto::time::Instant;
use tokio::task::JoinSet;

use super::model::{Answered, Question};
use crate::api::{Act, IncidentWish, path};
use crate::cli::client::{self, Collector};
use crate::cli::parameters::with_parameters;
use crate::query::observations::Wanted;
use crate::query::{IncidentAnswer, IncidentsWanted};

/// A collector is left alone for so many times as long as it was busy with our questions.
const SPARING: u32 = 3;
/// And no longer than this.
const MOST_PAUSE: Duration = Duration::from_secs(4);
/// Runs that are shown of a check.
const RUNS: usize = 60;
/// Runs of all checks, for small charts that would begin empty.
const PAST: usize = 1_000;

/// Asks a collector.
pub(super) struct Source {
    collector: Collector,
    asking: JoinSet<Vec<Answered>>,
    acting: JoinSet<Vec<Answered>>,
    clock: Clock,
    begun_at: Instant,
    /// How long the last round took.
    took: Duration,
}

impl Source {
    pub(super) fn of(collector: Collector) -> Self {
        let clock = Clock::system();
        Self {
            collector,
            asking: JoinSet::new(),
            acting: JoinSet::new(),
            clock,
            begun_at: clock.monotonic(),
            took: Duration::ZERO,
        }
    }

    /// Whether a collector may be asked again that takes so long to answer: a large one is asked less often, and one that
    /// hung is not left alone for long.
    pub(super) fn is_due(&self) -> bool {
        let waited = self.clock.monotonic().duration_since(self.begun_at);
        let pause = self.took.saturating_mul(SPARING).min(MOST_PAUSE);
        waited >= self.took.saturating_add(pause)
    }

    /// How long the round that is under way has been.
    pub(super) fn waited(&self) -> Duration {
        match self.asking.is_empty() {
            true => Duration::ZERO,
            false => self.clock.monotonic().duration_since(self.begun_at),
        }
    }

    /// Asks these questions, unless a round is still under way.
    pub(super) fn ask(&mut self, questions: Vec<Question>) {
        if self.asking.is_empty() {
            self.begun_at = self.clock.monotonic();
            self.asking.spawn(round(self.collector.clone(), questions));
        }
    }

    /// Says that somebody looks after an incident.
    pub(super) fn acknowledge(&mut self, number: u64, note: String) {
        let collector = self.collector.clone();
        self.acting.spawn(async move {
            let wish = IncidentWish { act: Act::Acknowledge, note, security: None, recovery: None };
            let path = path::with(path::INCIDENT, &number.to_string());
            match client::send::<IncidentAnswer>(&collector, &path, &wish).await {
                Ok(answer) => {
                    vec![Answered::Incident(Box::new(answer.value)), Answered::Acknowledged(number)]
                }
                Err(error) => vec![Answered::NotAcknowledged(number, format!("{error:#}"))],
            }
        });
    }

    /// The next answers; waits for ever where nothing is asked.
    pub(super) async fn next(&mut self) -> Vec<Answered> {
        let Self { asking, acting, clock, begun_at, took, .. } = self;
        let answered = tokio::select! {
            Some(answered) = acting.join_next() => answered,
            Some(answered) = asking.join_next() => {
                *took = clock.monotonic().duration_since(*begun_at);
                answered
            }
            else => std::future::pending().await,
        };
        answered.unwrap_or_else(|error| match error.try_into_panic() {
            // the terminal was given back by it: this must end
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_aborted) => Vec::new(),
        })
    }
}

/// Asks one after the other; the first that is not answered ends the round.
async fn round(collector: Collector, questions: Vec<Question>) -> Vec<Answered> {
    let mut answers = Vec::new();
    for question in questions {
        match ask(&collector, &question).await {
            Ok(answer) => answers.push(answer),
            Err(error) => {
                let is_all = matches!(question, Question::Status);
                let is_refused = error.downcast_ref::<client::Refused>().is_some();
                if is_all || !is_refused {
                    // what was answered before it would say that all is well
                    return vec![Answered::Failed(format!("{error:#}"))];
                }
                tracing::debug!(?question, error = format!("{error:#}"), "a question was refused");
            }
        }
    }
    answers
}

/// Asks one question.
pub(super) async fn ask(collector: &Collector, question: &Question) -> anyhow::Result<Answered> {
    Ok(match question {
        Question::Status => Answered::Status(client::ask(collector, path::STATUS).await?.value),
        Question::Services => {
            Answered::Services(client::ask(collector, path::SERVICES).await?.value)
        }
        Question::Incidents => {
            let wanted = IncidentsWanted { limit: Some(200), ..IncidentsWanted::default() };
            let path = with_parameters(path::INCIDENTS, &wanted);
            Answered::Incidents(client::ask(collector, &path).await?.value)
        }
        Question::Past => {
            let wanted = Wanted { limit: Some(PAST), ..Wanted::default() };
            let path = with_parameters(path::OBSERVATIONS, &wanted);
            Answered::Past(client::ask(collector, &path).await?.value)
        }
        Question::Runs(series) => {
            let wanted = Wanted {
                check: Some(series.check.clone()),
                agent: Some(series.vantage_point.clone()),
                limit: Some(RUNS),
                ..Wanted::default()
            };
            let path = with_parameters(path::OBSERVATIONS, &wanted);
            Answered::Runs(series.clone(), client::ask(collector, &path).await?.value)
        }
        Question::Incident(number) => {
            let path = path::with(path::INCIDENT, &number.to_string());
            Answered::Incident(Box::new(client::ask(collector, &path).await?.value))
        }
    })
}
