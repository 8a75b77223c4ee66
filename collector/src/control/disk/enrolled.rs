//! Agents that were enrolled, on disk.

use super::{EnrolledOnDisk, NotAControlRecord, agent, token};
use crate::control::Enrolled;

impl From<&Enrolled> for EnrolledOnDisk {
    fn from(enrolled: &Enrolled) -> Self {
        Self {
            agent: enrolled.agent.0.to_vec(),
            name: enrolled.name.clone(),
            labels: enrolled.labels.clone(),
            key_digest: enrolled.key_digest.to_vec(),
            token: enrolled.token.map(|token| token.0.to_vec()),
        }
    }
}

impl TryFrom<EnrolledOnDisk> for Enrolled {
    type Error = NotAControlRecord;

    fn try_from(read: EnrolledOnDisk) -> Result<Self, NotAControlRecord> {
        Ok(Self {
            agent: agent(&read.agent)?,
            name: read.name,
            labels: read.labels,
            // What is not there, or cut, is no key's.
            key_digest: read.key_digest.try_into().unwrap_or_default(),
            token: read.token.as_deref().map(token).transpose()?,
        })
    }
}
