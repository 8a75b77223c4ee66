//! What one run found, for people and as JSON.

mod json;
pub(crate) mod nagios;
mod prometheus;
pub(crate) mod threshold;
mod waterfall;
mod words;

use mailsonde_proto::WallTime;

use crate::probe::{Amendment, Outcome};

pub(crate) use json::json;
pub(crate) use prometheus::prometheus;
pub(crate) use waterfall::waterfall;
pub(crate) use words::words;

/// One run carried out at a shell.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// The check's name.
    pub check: String,
    /// Its kind.
    pub kind: String,
    /// By this machine's clock.
    pub started_at: WallTime,
    /// What the probe said.
    pub outcome: Outcome,
    /// What came up about earlier runs meanwhile.
    pub amendments: Vec<Amendment>,
}

#[cfg(test)]
mod samples;
