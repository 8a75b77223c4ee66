//! Time that agreements leave out although nobody planned it: noted afterwards, with the reason, and withdrawn where
//! it was wrong. Only what was not the mail's fault can be; maintenance is planned ahead, or is none.

use jiff::Timestamp;
use mailsonde_proto::WallTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::judge::definition::Exclusion;

/// Time that is left out of a service's agreements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExclusionPlan {
    /// The service's name.
    pub service: String,
    /// The first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
    /// Of which sort.
    pub kind: Exclusion,
    /// Why, for whoever reads the agreement's figures.
    pub note: String,
    /// Who noted it.
    pub by: String,
}

/// The same, as it became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotedExclusion {
    /// The first is 1.
    pub number: u64,
    /// When it was noted.
    pub noted_at: WallTime,
    /// As it was noted.
    pub plan: ExclusionPlan,
    /// When it was withdrawn, by whom, and why: then it leaves out nothing.
    pub withdrawn: Option<(WallTime, String, String)>,
}
