//! What the collector wants done: its checks for an agent, and single runs; and what the agent answers.

use ring::digest::{Context, SHA256};

use crate::convert::Malformed;
use crate::convert::limits::{
    self, MAX_ASSIGNMENT_BYTES, MAX_CHECKS, MAX_SETTINGS_BYTES, MAX_TEXT_BYTES,
};
use crate::observation::{Cause, RunId};
use crate::vantage::Epoch;
use crate::wire;

/// Names a set of checks by what it says: the first 16 bytes of SHA-256 over names and settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Revision(pub [u8; 16]);

impl Revision {
    /// Of these checks, in their order.
    pub fn of(checks: &[AssignedCheck]) -> Self {
        let mut context = Context::new(&SHA256);
        for AssignedCheck { name, settings } in checks {
            for text in [name, settings] {
                context.update(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes());
                context.update(text.as_bytes());
            }
        }
        let digest = context.finish();
        Self(digest.as_ref().first_chunk().copied().unwrap_or_default())
    }
}

/// All checks of the collector for one agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignment {
    /// The same revision is the same checks.
    pub revision: Revision,
    /// Each with a name of its own.
    pub checks: Vec<AssignedCheck>,
    /// It is only read and answered: nothing changes at the agent.
    pub is_trial: bool,
}

impl Assignment {
    /// Of these checks.
    pub fn new(checks: Vec<AssignedCheck>) -> Self {
        Self { revision: Revision::of(&checks), checks, is_trial: false }
    }
}

/// One check that the collector wants run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignedCheck {
    /// 1 to 64 characters of `a-z A-Z 0-9 . _ -`.
    pub name: String,
    /// A `[[check]]` as TOML, its name included; at most 16 KiB.
    pub settings: String,
}

/// What became of the checks that an agent was assigned: those not refused are scheduled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assigned {
    /// Of the assignment.
    pub revision: Revision,
    /// Not run, and why not.
    pub refused: Vec<CheckRefusal>,
}

/// A check that an agent does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRefusal {
    /// Its name.
    pub check: String,
    /// For people: what is wrong in its settings, or the rule of the agent's policy.
    pub reason: String,
}

/// One run, at once, of a check that the agent has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRequest {
    /// Repeated in the answer.
    pub request: u64,
    /// The check's name.
    pub check: String,
    /// Why: [`Cause::OnDemand`] or [`Cause::Confirmation`].
    pub cause: Cause,
}

/// What became of a [`RunRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunAnswer {
    /// Of the request.
    pub request: u64,
    /// The run that began; or why there is none, for people.
    pub outcome: Result<RunId, String>,
}

impl TryFrom<wire::Assignment> for Assignment {
    type Error = Malformed;

    fn try_from(sent: wire::Assignment) -> Result<Self, Malformed> {
        limits::count("assigned checks", sent.checks.len(), MAX_CHECKS)?;
        let all: usize = sent.checks.iter().map(|check| check.settings.len()).sum();
        limits::count("bytes of assigned checks", all, MAX_ASSIGNMENT_BYTES)?;
        let checks = sent.checks.into_iter().map(|check| {
            let settings = check.settings;
            Ok(AssignedCheck {
                name: limits::name("an assigned check's name", check.name)?,
                settings: limits::text("a check's settings", settings, MAX_SETTINGS_BYTES)?,
            })
        });
        Ok(Self {
            revision: revision(&sent.revision)?,
            checks: checks.collect::<Result<_, _>>()?,
            is_trial: sent.trial,
        })
    }
}

impl From<Assignment> for wire::Assignment {
    fn from(said: Assignment) -> Self {
        let check = |AssignedCheck { name, settings }| wire::AssignedCheck { name, settings };
        Self {
            revision: said.revision.0.to_vec(),
            checks: said.checks.into_iter().map(check).collect(),
            trial: said.is_trial,
        }
    }
}

impl TryFrom<wire::Assigned> for Assigned {
    type Error = Malformed;

    fn try_from(sent: wire::Assigned) -> Result<Self, Malformed> {
        limits::count("refused checks", sent.refused.len(), MAX_CHECKS)?;
        let refused = sent.refused.into_iter().map(|refusal| {
            Ok(CheckRefusal {
                check: limits::name("a refused check's name", refusal.check)?,
                reason: limits::text("a refusal's reason", refusal.reason, MAX_TEXT_BYTES)?,
            })
        });
        Ok(Self {
            revision: revision(&sent.revision)?,
            refused: refused.collect::<Result<_, _>>()?,
        })
    }
}

impl From<Assigned> for wire::Assigned {
    fn from(said: Assigned) -> Self {
        let refusal = |refusal: CheckRefusal| wire::CheckRefusal {
            check: refusal.check,
            reason: limits::cut(refusal.reason, MAX_TEXT_BYTES),
        };
        Self {
            revision: said.revision.0.to_vec(),
            refused: said.refused.into_iter().map(refusal).collect(),
        }
    }
}

impl TryFrom<wire::RunRequest> for RunRequest {
    type Error = Malformed;

    fn try_from(sent: wire::RunRequest) -> Result<Self, Malformed> {
        let cause = match wire::Cause::try_from(sent.cause) {
            Ok(wire::Cause::Confirmation) => Cause::Confirmation,
            _ => Cause::OnDemand,
        };
        let check = limits::name("the check's name", sent.check)?;
        Ok(Self { request: sent.request, check, cause })
    }
}

impl From<RunRequest> for wire::RunRequest {
    fn from(said: RunRequest) -> Self {
        let cause = match said.cause {
            Cause::Confirmation => wire::Cause::Confirmation,
            _ => wire::Cause::OnDemand,
        };
        Self { request: said.request, check: said.check, cause: i32::from(cause) }
    }
}

impl TryFrom<wire::RunAnswer> for RunAnswer {
    type Error = Malformed;

    fn try_from(sent: wire::RunAnswer) -> Result<Self, Malformed> {
        use wire::run_answer::Is;
        let outcome = match sent.is {
            Some(Is::Begun(id)) => Ok(RunId { epoch: Epoch(id.epoch), intent: id.intent }),
            Some(Is::Refused(reason)) => {
                Err(limits::text("a refusal's reason", reason, MAX_TEXT_BYTES)?)
            }
            None => {
                Err("the agent answers in another form: is it newer than this collector?".into())
            }
        };
        Ok(Self { request: sent.request, outcome })
    }
}

impl From<RunAnswer> for wire::RunAnswer {
    fn from(said: RunAnswer) -> Self {
        use wire::run_answer::Is;
        let is = match said.outcome {
            Ok(id) => Is::Begun(wire::RunId { epoch: id.epoch.0, intent: id.intent }),
            Err(reason) => Is::Refused(limits::cut(reason, MAX_TEXT_BYTES)),
        };
        Self { request: said.request, is: Some(is) }
    }
}

fn revision(sent: &[u8]) -> Result<Revision, Malformed> {
    let form = Malformed::Form { what: "a revision", form: "16 bytes" };
    sent.try_into().map(Revision).ok().ok_or(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, settings: &str) -> AssignedCheck {
        AssignedCheck { name: name.into(), settings: settings.into() }
    }

    #[test]
    fn what_is_said_is_heard() {
        let said = Assignment::new(vec![check("a", "kind = 'tcp'"), check("b", "")]);
        let heard: Assignment = wire::Assignment::from(said.clone()).try_into().unwrap();
        assert_eq!(heard, said);
        let refused = vec![CheckRefusal { check: "a".into(), reason: "no".into() }];
        let said = Assigned { revision: said.revision, refused };
        let heard: Assigned = wire::Assigned::from(said.clone()).try_into().unwrap();
        assert_eq!(heard, said);
        for cause in [Cause::OnDemand, Cause::Confirmation] {
            let said = RunRequest { request: 7, check: "a".into(), cause };
            let heard: RunRequest = wire::RunRequest::from(said.clone()).try_into().unwrap();
            assert_eq!(heard, said);
        }
        for outcome in [Ok(RunId { epoch: Epoch(3), intent: 9 }), Err("busy".to_owned())] {
            let said = RunAnswer { request: 7, outcome };
            let heard: RunAnswer = wire::RunAnswer::from(said.clone()).try_into().unwrap();
            assert_eq!(heard, said);
        }
    }

    #[test]
    fn a_revision_tells_sets_apart() {
        let sets = [
            vec![],
            vec![check("a", "x")],
            vec![check("a", "y")],
            vec![check("ax", "")],
            vec![check("a", "x"), check("b", "")],
            vec![check("b", ""), check("a", "x")],
        ];
        for (at, set) in sets.iter().enumerate() {
            for (other_at, other) in sets.iter().enumerate() {
                assert_eq!(Revision::of(set) == Revision::of(other), at == other_at);
            }
        }
    }

    #[test]
    fn what_is_beyond_its_limit_is_refused() {
        let sent = |checks: Vec<AssignedCheck>| wire::Assignment::from(Assignment::new(checks));
        let long = "x".repeat(MAX_SETTINGS_BYTES);
        for (sent, expected) in [
            (sent(vec![check("a b", "")]), "an assigned check's name is not"),
            (sent(vec![check("a", &format!("{long}x"))]), "beyond its limit of 16384"),
            (sent(vec![check("a", &long); 129]), "beyond its limit of 2097152"),
            (sent(vec![check("a", ""); 1_001]), "beyond its limit of 1000"),
            (
                wire::Assignment { revision: vec![1], checks: vec![], trial: false },
                "a revision is not 16 bytes",
            ),
        ] {
            let error = Assignment::try_from(sent).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        // our own words are cut, not refused by the other end
        let refusal = CheckRefusal { check: "a".into(), reason: "ä".repeat(9_000) };
        let said = Assigned { refused: vec![refusal], ..Assigned::default() };
        Assigned::try_from(wire::Assigned::from(said)).unwrap();
    }
}
