//! What the live screen knows: what was answered last, where the operator is, what they type. A value.
//!
//! Invariant: a selection names what it is on, never a line's number, so that rows which move under it cannot make an
//! operator act on another. Absent on purpose: sockets and terminals.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::sheet::{Key, Series};
use crate::cli::terminal::Tone;
use crate::query::{
    IncidentAnswer, IncidentsAnswer, ObservationAnswer, ObservationsAnswer, ServicesAnswer,
    StatusAnswer,
};

/// Runs that are kept of each series for its small chart.
pub(super) const KEPT: usize = 60;
/// An answer that takes longer is said to be late.
const LATE: Duration = Duration::from_secs(5);
/// Series of which runs are kept.
const MOST_SERIES: usize = 20_000;
/// Characters of a note or a filter.
pub(super) const MOST_TYPED: usize = 500;

/// A question to the collector.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Question {
    Status,
    Services,
    Incidents,
    /// The newest runs of all, for small charts that would begin empty.
    Past,
    /// The newest runs of one series.
    Runs(Series),
    /// One incident.
    Incident(u64),
}

/// What came of a question.
#[derive(Debug)]
pub(super) enum Answered {
    Status(StatusAnswer),
    Services(ServicesAnswer),
    Incidents(IncidentsAnswer),
    Past(ObservationsAnswer),
    Runs(Series, ObservationsAnswer),
    Incident(Box<IncidentAnswer>),
    /// Somebody was told that we look after this one.
    Acknowledged(u64),
    /// It was not; why.
    NotAcknowledged(u64, String),
    /// The collector cannot be asked, or refuses.
    Failed(String),
}

/// The panes of the first screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pane {
    Services,
    Vantages,
    Incidents,
}

impl Pane {
    pub(super) const ALL: [Self; 3] = [Self::Services, Self::Vantages, Self::Incidents];
}

/// Where the operator is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Everything.
    Overview(Pane),
    /// A service's sites.
    Service(String),
    /// A service's checks at one site.
    Site(String, String),
    /// A vantage point's checks.
    Vantage(String),
    /// The last runs of a check at a vantage point.
    Runs(Series),
    /// One of them: its epoch and sequence.
    Run(Series, String, u64),
    /// An incident.
    Incident(u64),
}

/// A place, and what is selected there.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    pub(super) place: Place,
    /// One for each pane of the overview; elsewhere the first.
    pub(super) selected: [Option<Key>; 3],
    /// Lines above what is seen of a text.
    pub(super) scrolled: usize,
}

impl Visit {
    pub(super) fn at(place: Place) -> Self {
        Self { place, selected: [None, None, None], scrolled: 0 }
    }

    /// Which of the selections holds.
    pub(super) const fn slot(&self) -> usize {
        match self.place {
            Place::Overview(Pane::Vantages) => 1,
            Place::Overview(Pane::Incidents) => 2,
            _ => 0,
        }
    }
}

/// How rows are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// What is worst first.
    Worst,
    /// By name; incidents: the newest first.
    Name,
    /// What is slowest compared with usual first.
    Slowest,
}

impl Sort {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Worst => "worst first",
            Self::Name => "by name",
            Self::Slowest => "slowest first",
        }
    }

    pub(super) const fn next(self) -> Self {
        match self {
            Self::Worst => Self::Name,
            Self::Name => Self::Slowest,
            Self::Slowest => Self::Worst,
        }
    }
}

/// What is being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Typing {
    /// What rows must hold.
    Filter,
    /// The note with which this incident is acknowledged.
    Note(u64, String),
}

/// A run in a small chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) at: Timestamp,
    pub(super) ending: Ending,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It passed, and took so many microseconds.
    Passed(u64),
    Failed,
    Void,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Model {
    /// Whom we ask, as it is shown.
    pub(super) asked: String,
    pub(super) zone: TimeZone,
    /// This machine's time, for what is said of the connection only.
    pub(super) now: Timestamp,
    /// Columns and lines of the terminal.
    pub(super) size: (u16, u16),
    pub(super) status: Option<StatusAnswer>,
    pub(super) services: Option<ServicesAnswer>,
    pub(super) incidents: Option<IncidentsAnswer>,
    pub(super) runs: Option<(Series, ObservationsAnswer)>,
    pub(super) incident: Option<Box<IncidentAnswer>>,
    pub(super) marks: BTreeMap<Series, VecDeque<Mark>>,
    /// Whether runs of before the start are among them.
    pub(super) has_past: bool,
    /// When the collector answered last.
    pub(super) answered_at: Timestamp,
    /// Since when it does not answer, and what is known of that.
    pub(super) away: Option<(Timestamp, String)>,
    /// The last is where the operator is; never empty.
    pub(super) visits: Vec<Visit>,
    pub(super) filter: String,
    pub(super) sort: Sort,
    pub(super) typing: Option<Typing>,
    pub(super) is_helping: bool,
    /// What is said at the bottom, until the next key.
    pub(super) said: Option<(Tone, String)>,
}

impl Model {
    /// Nothing is known yet.
    pub(super) fn new(asked: String, zone: TimeZone, now: Timestamp) -> Self {
        Self {
            asked,
            zone,
            now,
            size: (80, 24),
            status: None,
            services: None,
            incidents: None,
            runs: None,
            incident: None,
            marks: BTreeMap::new(),
            has_past: false,
            answered_at: now,
            away: None,
            visits: vec![Visit::at(Place::Overview(Pane::Services))],
            filter: String::new(),
            sort: Sort::Worst,
            typing: None,
            is_helping: false,
            said: None,
        }
    }

    /// Where the operator is.
    pub(super) fn place(&self) -> &Place {
        self.visits.last().map_or(&Place::Overview(Pane::Services), |visit| &visit.place)
    }

    /// What is to be asked now, for what is shown.
    pub(super) fn questions(&self) -> Vec<Question> {
        let mut questions = vec![Question::Status, Question::Services, Question::Incidents];
        if !self.has_past {
            questions.push(Question::Past);
        }
        match self.place() {
            Place::Runs(series) | Place::Run(series, ..) => {
                questions.push(Question::Runs(series.clone()));
            }
            Place::Incident(number) => questions.push(Question::Incident(*number)),
            _ => {}
        }
        questions
    }

    /// The runs of a series that were answered last, newest first.
    pub(super) fn runs_of(&self, series: &Series) -> &[ObservationAnswer] {
        match &self.runs {
            Some((of, answer)) if of == series => &answer.observations,
            _ => &[],
        }
    }

    /// It is now later, and an answer has been waited for so long: a collector can be away though nobody has given it up.
    pub(super) fn pass(&mut self, now: Timestamp, waited: Duration) {
        self.now = now;
        if self.away.is_none() && waited >= LATE {
            self.away = Some((self.answered_at, "it takes longer than it should".to_owned()));
        }
    }

    /// One of them.
    pub(super) fn run_of(
        &self,
        series: &Series,
        epoch: &str,
        sequence: u64,
    ) -> Option<&ObservationAnswer> {
        let mut runs = self.runs_of(series).iter();
        runs.find(|run| run.epoch == epoch && run.sequence == sequence)
    }

    /// Keeps what was answered.
    pub(super) fn take(&mut self, answered: Answered) {
        match answered {
            Answered::Failed(words) => {
                let since = self.away.take().map_or(self.now, |(since, _)| since);
                self.away = Some((since, words));
            }
            Answered::Acknowledged(number) => {
                self.said = Some((Tone::Good, format!("incident {number} is acknowledged")));
            }
            Answered::NotAcknowledged(number, why) => {
                let words = format!("incident {number} is NOT acknowledged: {why}");
                self.said = Some((Tone::Bad, words));
            }
            Answered::Status(status) => {
                self.answered_at = self.now;
                if self.away.take().is_some() {
                    self.said = Some((Tone::Good, "the collector answers again".to_owned()));
                }
                self.mark_status(&status);
                self.status = Some(status);
            }
            Answered::Services(answer) => self.services = Some(answer),
            Answered::Incidents(answer) => self.incidents = Some(answer),
            Answered::Past(answer) => {
                self.has_past = true;
                self.mark_runs(&answer.observations);
            }
            Answered::Runs(series, answer) => {
                self.mark_runs(&answer.observations);
                self.runs = Some((series, answer));
            }
            Answered::Incident(answer) => self.incident = Some(answer),
        }
    }

    /// What the status says of last runs becomes a mark each.
    fn mark_status(&mut self, status: &StatusAnswer) {
        for vantage in &status.vantage_points {
            for check in &vantage.checks {
                let Some(at) = check.last_run_at else { continue };
                let is_of_last = |other: Option<Timestamp>| other == Some(at);
                let ending = if is_of_last(check.last_fault.as_ref().map(|fault| fault.at)) {
                    Ending::Failed
                } else if is_of_last(check.last_void.as_ref().map(|void| void.at)) {
                    Ending::Void
                } else if let Some(us) = check.last_round_trip_us {
                    Ending::Passed(us)
                } else {
                    continue;
                };
                let (vantage_point, check) = (vantage.name.clone(), check.check.clone());
                self.mark(Series { vantage_point, check }, Mark { at, ending });
            }
        }
    }

    fn mark_runs(&mut self, runs: &[ObservationAnswer]) {
        for run in runs.iter().filter(|run| run.amends.is_none()) {
            let ending = match run.verdict.as_str() {
                "pass" => Ending::Passed(run.total_us),
                "fail" => Ending::Failed,
                _ => Ending::Void,
            };
            let (vantage_point, check) = (run.agent.clone(), run.check.clone());
            self.mark(Series { vantage_point, check }, Mark { at: run.scheduled_for, ending });
        }
    }

    fn mark(&mut self, series: Series, mark: Mark) {
        if self.marks.len() >= MOST_SERIES && !self.marks.contains_key(&series) {
            return;
        }
        let marks = self.marks.entry(series).or_default();
        match marks.binary_search_by_key(&mark.at, |known| known.at) {
            Ok(_known) => {}
            Err(place) => marks.insert(place, mark),
        }
        while marks.len() > KEPT {
            marks.pop_front();
        }
    }
}
