//! One certificate authority takes over from another: made, told to every agent with its next certificate, and the
//! first one retired.

use mailsonde_proto::WallTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Enrolment, EnrolmentError};
use crate::control::{Author, Control, OperatorAction};
use crate::identity::{Authority, IdentityError};
use crate::registry::Registry;

/// Agents that are named one by one in a refusal.
const NAMED: usize = 5;

/// Somebody wants the first authority retired.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetireWish {
    /// Also where agents do not know the next one: they have to be enrolled again.
    #[serde(default)]
    pub force: bool,
}

impl Enrolment {
    /// Makes the next authority: from now on it signs agents' certificates.
    ///
    /// # Errors
    /// When there are two already, or it cannot be written down.
    pub fn rotate(&self, author: Author, now: WallTime) -> Result<(), EnrolmentError> {
        let next = self.authorities.rotate(now)?;
        let action = format!("made the next certificate authority: {}", fingerprint(&next));
        // What nobody will read of is not done.
        self.told(action, author, now).inspect_err(|_| self.authorities.forget_next())
    }

    /// Retires the first authority. Returns since when certificates are those of the other.
    ///
    /// # Errors
    /// When there is one only, agents do not know the next one, or it cannot be written down.
    pub fn retire(
        &self,
        RetireWish { force }: RetireWish,
        registry: &Registry,
        author: Author,
        now: WallTime,
    ) -> Result<WallTime, EnrolmentError> {
        let without = self.without_next(registry);
        if !force && !without.is_empty() && self.authorities.next().is_some() {
            let named: Vec<_> = without.iter().take(NAMED).map(String::as_str).collect();
            return Err(EnrolmentError::OldAuthority {
                agents: without.len(),
                named: named.join(", "),
            });
        }
        let (first, next) = (self.authorities.current(), self.authorities.next());
        let next = next.ok_or(IdentityError::OneAuthority)?;
        let (first, second) = (fingerprint(&first), fingerprint(&next));
        let lost = match without.len() {
            0 => String::new(),
            many => format!(", although {many} agents do not know that"),
        };
        let action = format!("retired the certificate authority {first} for {second}{lost}");
        self.told(action, author, now)?;
        Ok(self.authorities.retire()?.made_at())
    }

    /// Agents that have shown no certificate of the next authority to this collector since it started, by name;
    /// none while there is no next one.
    pub fn without_next(&self, registry: &Registry) -> Vec<String> {
        let Some(next) = self.authorities.next() else { return Vec::new() };
        let issued = registry.issued_at();
        let agents = self.control.agents();
        let without = agents.into_iter().filter(|agent| {
            issued.get(&agent.agent).is_none_or(|issued_at| *issued_at <= next.made_at())
        });
        let mut names: Vec<_> = without.map(|agent| agent.name).collect();
        names.sort();
        names
    }

    fn told(&self, action: String, author: Author, now: WallTime) -> Result<(), EnrolmentError> {
        tracing::info!(action, "certificate authority");
        let control = Control::Operator(OperatorAction { action, body: Vec::new() });
        Ok(self.control.decide(now, author, |_| Ok((control, ())))?)
    }
}

fn fingerprint(authority: &Authority) -> String {
    hex::encode(authority.fingerprint())
}
