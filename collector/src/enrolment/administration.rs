//! What an operator does to an agent that is in: call it otherwise, label it, put it out.

use std::collections::BTreeMap;

use mailsonde_proto::WallTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Enrolment, EnrolmentError, check_labels, check_name};
use crate::control::{Author, Control, ControlError, Enrolled};

/// What is to become of an agent.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AgentChange {
    /// It is called so from now on.
    Rename(String),
    /// These labels are set or taken away; the others stay.
    Label(Vec<Label>),
    /// Its key is refused from now on, also on a stream that stands. For good: what its machine is to be again
    /// is enrolled anew. Never read from a question about names and labels: it takes another role.
    #[serde(skip)]
    Revoke,
}

/// One label of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// Such as `site`.
    pub key: String,
    /// Such as `Durban`; `None` takes the label away.
    pub value: Option<String>,
}

impl Enrolment {
    /// Changes the agent of this name; returns it as it was enrolled last.
    ///
    /// # Errors
    /// When there is no such agent, or name or labels cannot be used.
    pub fn change(
        &self,
        name: &str,
        change: AgentChange,
        author: Author,
        now: WallTime,
    ) -> Result<Enrolled, EnrolmentError> {
        if let AgentChange::Rename(to) = &change {
            check_name(to)?;
        }
        if let AgentChange::Label(labels) = &change {
            let set =
                labels.iter().filter_map(|label| Some((label.key.clone(), label.value.clone()?)));
            check_labels(&set.collect())?;
        }
        let changed = self.control.decide(now, author, |roll| {
            let known = roll.agent_named(name).cloned();
            let known = known.ok_or_else(|| ControlError::NoSuchAgent { name: name.to_owned() })?;
            let changed = match change {
                AgentChange::Revoke => {
                    return Ok((Control::Revoked { agent: known.agent }, known));
                }
                AgentChange::Rename(to) => {
                    let taken = roll.agent_named(&to).filter(|other| other.agent != known.agent);
                    if let Some(taken) = taken {
                        return Err(ControlError::NameTaken { name: taken.name.clone() });
                    }
                    Enrolled { name: to, ..known }
                }
                AgentChange::Label(labels) => {
                    Enrolled { labels: labelled(known.labels.clone(), labels), ..known }
                }
            };
            Ok((Control::Enrolled(changed.clone()), changed))
        })?;
        Ok(changed)
    }
}

fn labelled(mut labels: BTreeMap<String, String>, changes: Vec<Label>) -> BTreeMap<String, String> {
    for Label { key, value } in changes {
        match value {
            Some(value) => labels.insert(key, value),
            None => labels.remove(&key),
        };
    }
    labels
}
