//! Whether something can be planned or left out: by what is planned, what is defined, and what time it is.

use std::time::Duration;

use jiff::Timestamp;
use mailsonde_proto::WallTime;

use super::exclusion::ExclusionPlan;
use super::recurrence::NotARule;
use super::scope::{ScopeError, known_service};
use super::silence::SilencePlan;
use super::window::{Window, WindowPlan, WindowState};
use super::{Planned, PlannedAction, following};
use crate::judge::definition::{Definitions, Exclusion};

/// A window is no longer, each time.
const MAX_LENGTH: Duration = Duration::from_secs(14 * 86_400);
/// And no shorter.
const MIN_LENGTH: Duration = Duration::from_secs(60);
/// Nothing is planned further ahead.
const AHEAD: Duration = Duration::from_secs(2 * 366 * 86_400);
/// A silence is no longer.
const MAX_SILENCE: Duration = Duration::from_secs(90 * 86_400);
/// Exclusions reach no further back: contracts are settled by then.
const BACK: Duration = Duration::from_secs(400 * 86_400);
/// Windows that are not over, silences that hold, exclusions that stand: so many of each.
const MOST: usize = 1_000;
/// Characters of a title.
const TITLE: usize = 200;
/// Characters of an announcement, a reason, a note.
const TEXT: usize = 4_000;
/// Checks of an acceptance run.
const MOST_CHECKS: usize = 32;

/// Why something cannot be planned or left out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the sentences say it")]
pub enum PlannedError {
    #[error(
        "there is no maintenance window W{0}: `mailsonde-collector maintenance list --all` lists them"
    )]
    NoSuchWindow(u64),
    #[error("there is no silence S{0}: `mailsonde-collector silence list --all` lists them")]
    NoSuchSilence(u64),
    #[error("there is no exclusion X{0}: `mailsonde-collector exclusion list` lists them")]
    NoSuchExclusion(u64),
    #[error("{0}")]
    Scope(String),
    #[error(transparent)]
    Rule(#[from] NotARule),
    #[error("{0} is needed, of at most {1} characters")]
    Words(&'static str, usize),
    #[error(
        "a window cannot begin in the past, at {0}: what was judged stays; leave --from out to begin now, and note \
         what was the customer's fault by `mailsonde-collector exclusion add`"
    )]
    Past(Timestamp),
    #[error("{0} lies more than two years ahead: plan it later")]
    FarAhead(Timestamp),
    #[error("a window lasts from a minute to 14 days: give --for, such as 2h")]
    Length,
    #[error(
        "it lasts longer than until it comes again, at {0}: make --for shorter, or --every rarer"
    )]
    Overlaps(Timestamp),
    #[error("at most {MOST_CHECKS} checks can be named for the acceptance run, each by its name")]
    Acceptance,
    #[error("as many as may be stand already ({MOST}): end or cancel some that are not needed")]
    Many,
    #[error("W{0} is {1}: plan another by `mailsonde-collector maintenance plan`")]
    Gone(u64, &'static str),
    #[error(
        "W{0} does not run: end is for one that does; `mailsonde-collector maintenance cancel W{0}` calls it off"
    )]
    NotRunning(u64),
    #[error(
        "the end must lie ahead, and after the beginning: to have it over now, `mailsonde-collector maintenance end`"
    )]
    EndPast,
    #[error("that reaches into the next time of W{0}, which begins at {1}: give that at most")]
    IntoNext(u64, Timestamp),
    #[error("W{0} has no acceptance run: plan one with --accept CHECK")]
    NoAcceptance(u64),
    #[error("no time of W{0} is over yet: its acceptance run follows its end")]
    NotOver(u64),
    #[error("a silence ends in the future, and within 90 days: give --for or --until")]
    SilenceLength,
    #[error("S{0} is over already")]
    SilenceOver(u64),
    #[error(
        "what is excluded is over, began before it ended, and at most 400 days ago: give --from and --until; what is \
         to come is planned by `mailsonde-collector maintenance plan`"
    )]
    ExclusionTime,
    #[error("only the customer's fault can be noted afterwards: maintenance is planned ahead")]
    ExclusionKind,
    #[error("X{0} was withdrawn already")]
    Withdrawn(u64),
}

impl From<ScopeError> for PlannedError {
    fn from(error: ScopeError) -> Self {
        Self::Scope(error.to_string())
    }
}

impl Planned {
    /// Whether this can be done at `at`, where these services are defined; the number of what it is done to, or of what
    /// it makes.
    ///
    /// # Errors
    /// When it cannot: in words for whoever wants it.
    pub fn check(
        &self,
        at: WallTime,
        action: &PlannedAction,
        definitions: &Definitions,
    ) -> Result<u64, PlannedError> {
        match action {
            PlannedAction::Window(plan) => {
                let open = |window: &&Window| window.next(at).is_some();
                within(self.windows.iter().filter(open).count())?;
                check_window(at, plan, definitions)?;
                Ok(following(self.windows.len()))
            }
            PlannedAction::WindowExtended { window, until, .. } => {
                extends(self.open(*window, at)?, at, (*until).into())
            }
            PlannedAction::WindowEnded { window, .. } => match self.open(*window, at)?.at(at) {
                Some(_) => Ok(*window),
                None => Err(PlannedError::NotRunning(*window)),
            },
            PlannedAction::WindowCancelled { window, .. } => Ok(self.open(*window, at)?.number),
            PlannedAction::AcceptanceAsked { window, .. } => accepts(self.known(*window)?, at),
            PlannedAction::AcceptanceDone(done) => Ok(self.known(done.window)?.number),
            PlannedAction::Silence(plan) => {
                within(self.silences.iter().filter(|silence| silence.holds(at)).count())?;
                check_silence(at, plan, definitions)?;
                Ok(following(self.silences.len()))
            }
            PlannedAction::SilenceEnded { silence, .. } => match self.silence(*silence) {
                None => Err(PlannedError::NoSuchSilence(*silence)),
                Some(known) if !known.holds(at) => Err(PlannedError::SilenceOver(*silence)),
                Some(known) => Ok(known.number),
            },
            PlannedAction::Excluded(plan) => {
                let stand = self.exclusions.iter().filter(|noted| noted.withdrawn.is_none());
                within(stand.count())?;
                check_exclusion(at, plan, definitions)?;
                Ok(following(self.exclusions.len()))
            }
            PlannedAction::ExclusionWithdrawn { exclusion, note, .. } => {
                let noted = self.exclusions.iter().find(|noted| noted.number == *exclusion);
                let noted = noted.ok_or(PlannedError::NoSuchExclusion(*exclusion))?;
                words("--note", note, TEXT)?;
                if noted.withdrawn.is_some() {
                    return Err(PlannedError::Withdrawn(*exclusion));
                }
                Ok(noted.number)
            }
        }
    }

    fn known(&self, number: u64) -> Result<&Window, PlannedError> {
        self.window(number).ok_or(PlannedError::NoSuchWindow(number))
    }

    /// A window that comes or runs.
    fn open(&self, number: u64, at: WallTime) -> Result<&Window, PlannedError> {
        let window = self.known(number)?;
        match window.state(at) {
            WindowState::Planned | WindowState::Running => Ok(window),
            gone => Err(PlannedError::Gone(number, gone.as_str())),
        }
    }
}

fn within(count: usize) -> Result<(), PlannedError> {
    if count >= MOST { Err(PlannedError::Many) } else { Ok(()) }
}

fn words(what: &'static str, text: &str, most: usize) -> Result<(), PlannedError> {
    let is_fit = !text.trim().is_empty() && text.chars().count() <= most;
    if is_fit { Ok(()) } else { Err(PlannedError::Words(what, most)) }
}

fn check_window(
    at: WallTime,
    plan: &WindowPlan,
    definitions: &Definitions,
) -> Result<(), PlannedError> {
    words("a title", &plan.title, TITLE)?;
    if !plan.announcement.is_empty() {
        words("--announce", &plan.announcement, TEXT)?;
    }
    plan.scope.check(definitions)?;
    let from = WallTime::from(plan.from);
    if from < at {
        return Err(PlannedError::Past(plan.from));
    }
    if from > at.plus(AHEAD) {
        return Err(PlannedError::FarAhead(plan.from));
    }
    let length = Duration::from_secs(plan.length_s);
    if !(MIN_LENGTH..=MAX_LENGTH).contains(&length) {
        return Err(PlannedError::Length);
    }
    let is_name = |name: &String| mailsonde_proto::check::is_name(name);
    if plan.acceptance.len() > MOST_CHECKS || !plan.acceptance.iter().all(is_name) {
        return Err(PlannedError::Acceptance);
    }
    let times = plan.times()?;
    let mut pairs = times.iter().zip(times.iter().skip(1));
    match pairs.find(|(time, next)| time.until > next.from) {
        Some((_, next)) => Err(PlannedError::Overlaps(next.from.timestamp())),
        None => Ok(()),
    }
}

fn extends(window: &Window, at: WallTime, until: WallTime) -> Result<u64, PlannedError> {
    let number = window.number;
    let time = window.next(at).ok_or(PlannedError::Gone(number, "over"))?;
    if until <= at || until <= time.from {
        return Err(PlannedError::EndPast);
    }
    if until.since(time.from) > MAX_LENGTH {
        return Err(PlannedError::Length);
    }
    match window.after_next(at) {
        Some(next) if until > next => Err(PlannedError::IntoNext(number, next.timestamp())),
        _ => Ok(number),
    }
}

fn accepts(window: &Window, at: WallTime) -> Result<u64, PlannedError> {
    let number = window.number;
    if window.plan.acceptance.is_empty() {
        return Err(PlannedError::NoAcceptance(number));
    }
    window.last_over(at).map(|_| number).ok_or(PlannedError::NotOver(number))
}

fn check_silence(
    at: WallTime,
    plan: &SilencePlan,
    definitions: &Definitions,
) -> Result<(), PlannedError> {
    words("--reason", &plan.reason, TEXT)?;
    plan.scope.check(definitions)?;
    let until = WallTime::from(plan.until);
    let is_fit = until > at && until.since(at) <= MAX_SILENCE;
    if is_fit { Ok(()) } else { Err(PlannedError::SilenceLength) }
}

fn check_exclusion(
    at: WallTime,
    plan: &ExclusionPlan,
    definitions: &Definitions,
) -> Result<(), PlannedError> {
    words("--note", &plan.note, TEXT)?;
    known_service(definitions, &plan.service)?;
    if plan.kind == Exclusion::Maintenance {
        return Err(PlannedError::ExclusionKind);
    }
    let (from, until) = (WallTime::from(plan.from), WallTime::from(plan.until));
    let is_fit = from < until && until <= at && at.since(from) <= BACK;
    if is_fit { Ok(()) } else { Err(PlannedError::ExclusionTime) }
}
