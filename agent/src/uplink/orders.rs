//! What the collector wants done, on its way from the stream to whoever does it; and the answers on their way back.
//!
//! Invariant: however much the collector asks for, here it takes the room of one assignment and a few runs.

use mailsonde_proto::convert::{Assigned, Assignment, Crossing, FromAgent, RunAnswer, RunRequest};
use tokio::sync::{mpsc, watch};

use crate::offset::Offsets;

/// Runs that may wait to be begun; more are refused.
const RUNS: usize = 16;
/// Words of other agents that may wait to be heard; more are lost, which leaves runs void.
const CROSSINGS: usize = 256;
/// Answers that may wait for the stream.
const ANSWERS: usize = 64;

/// The end of whoever carries it out.
pub struct Orders {
    /// The newest assignment; a change of it is to be answered.
    pub assignment: watch::Receiver<Option<Assignment>>,
    /// Assignments that are to be read and answered, and nothing else.
    pub trials: mpsc::Receiver<Assignment>,
    /// Runs to be begun.
    pub runs: mpsc::Receiver<RunRequest>,
    /// What other agents say of mail between them and this one.
    pub crossings: mpsc::Receiver<Crossing>,
    /// How far the collector's clock is from this one's.
    pub offsets: watch::Receiver<Offsets>,
    answers: mpsc::Sender<FromAgent>,
}

impl Orders {
    /// Says what became of an assignment. An answer that finds no room is lost: on a new stream the collector asks
    /// again.
    pub fn assigned(&self, assigned: Assigned) {
        self.answers.try_send(FromAgent::Assigned(assigned)).ok();
    }

    /// Says what became of a run that was asked for.
    pub fn ran(&self, answer: RunAnswer) {
        self.answers.try_send(FromAgent::RunAnswer(answer)).ok();
    }

    /// What is put in here is said to the collector.
    pub fn stream(&self) -> mpsc::Sender<FromAgent> {
        self.answers.clone()
    }

    /// For a task that answers later.
    pub fn answers(&self) -> Answers {
        Answers(self.answers.clone())
    }
}

/// Answers runs from within a task.
pub struct Answers(mpsc::Sender<FromAgent>);

impl Answers {
    /// As [`Orders::ran`].
    pub fn ran(&self, answer: RunAnswer) {
        self.0.try_send(FromAgent::RunAnswer(answer)).ok();
    }
}

/// The stream's end.
pub(super) struct Desk {
    assignment: watch::Sender<Option<Assignment>>,
    trials: mpsc::Sender<Assignment>,
    runs: mpsc::Sender<RunRequest>,
    crossings: mpsc::Sender<Crossing>,
    offsets: watch::Sender<Offsets>,
    answers: (mpsc::Sender<FromAgent>, mpsc::Receiver<FromAgent>),
}

pub(super) fn desk() -> (Desk, Orders) {
    let (assignment, assigned) = watch::channel(None);
    let (trials, to_be_tried) = mpsc::channel(1);
    let (runs, to_be_run) = mpsc::channel(RUNS);
    let (crossings, to_be_heard) = mpsc::channel(CROSSINGS);
    let (offsets, known) = watch::channel(Offsets::default());
    let answers = mpsc::channel(ANSWERS);
    let orders = Orders {
        assignment: assigned,
        trials: to_be_tried,
        runs: to_be_run,
        crossings: to_be_heard,
        offsets: known,
        answers: answers.0.clone(),
    };
    (Desk { assignment, trials, runs, crossings, offsets, answers }, orders)
}

impl Desk {
    pub(super) fn assign(&self, assignment: Assignment) {
        if assignment.is_trial {
            // One at a time: whoever asks for more waits for no answer of ours.
            self.trials.try_send(assignment).ok();
        } else {
            self.assignment.send_replace(Some(assignment));
        }
    }

    pub(super) fn run(&self, request: RunRequest) {
        let number = request.request;
        if self.runs.try_send(request).is_err() {
            let outcome = Err("this agent is busy with other runs that were asked for".to_owned());
            let answer = RunAnswer { request: number, outcome };
            self.answers.0.try_send(FromAgent::RunAnswer(answer)).ok();
        }
    }

    pub(super) fn cross(&self, crossing: Crossing) {
        self.crossings.try_send(crossing).ok();
    }

    pub(super) fn compared(&self, offsets: &Offsets) {
        self.offsets.send_replace(offsets.clone());
    }

    /// The next answer, when there is one.
    pub(super) async fn answer(&mut self) -> FromAgent {
        match self.answers.1.recv().await {
            Some(answer) => answer,
            // Never: a sender stands beside it.
            None => std::future::pending().await,
        }
    }
}
