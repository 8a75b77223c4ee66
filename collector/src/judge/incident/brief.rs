//! What is kept of a fault in an incident: short, whatever a server said.

use mailsonde_proto::Fault;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much of a server's words is kept, in bytes.
const TEXT_MAX: usize = 300;

/// Why a run failed, shortened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FaultBrief {
    /// Where.
    pub phase: String,
    /// What kind of failure.
    pub class: String,
    /// Basic and enhanced code, such as `535 5.7.8`; empty without.
    pub code: String,
    /// The server's own words; empty when it said nothing.
    pub reply: String,
    /// Ours.
    pub explanation: String,
}

impl FaultBrief {
    /// Of a fault.
    pub fn of(fault: &Fault) -> Self {
        let codes = [
            fault.basic_code.map(|code| code.to_string()),
            fault.enhanced_code.map(|code| code.to_string()),
        ];
        // the enhanced code stands at the head of a reply too (RFC 2034 section 4): told once is enough
        let enhanced = fault.enhanced_code.map(|code| code.to_string()).unwrap_or_default();
        let reply = fault.reply.strip_prefix(&enhanced).unwrap_or(&fault.reply);
        Self {
            phase: shortened(&fault.phase),
            class: fault.class.as_str().to_owned(),
            code: codes.into_iter().flatten().collect::<Vec<_>>().join(" "),
            reply: shortened(reply.trim_start()),
            explanation: shortened(&fault.explanation),
        }
    }
}

/// At most [`TEXT_MAX`] bytes of a text.
pub(in crate::judge) fn shortened(text: &str) -> String {
    let end = (0..=TEXT_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or(text).to_owned()
}
