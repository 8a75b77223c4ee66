//! What is heard of an agent while its stream stands.

use mailsonde_proto::convert::{Heartbeat, RejectReason, SequenceRange};
use mailsonde_proto::{AgentId, WallTime};

use super::Registry;

impl Registry {
    /// A heartbeat came.
    pub(crate) fn heard(&self, agent: AgentId, now: WallTime, heartbeat: &Heartbeat) {
        if let Some(row) = self.lock().get_mut(&agent) {
            let presence = &mut row.entry.presence;
            presence.last_heard = Some(now);
            presence.spooled = heartbeat.spooled;
            presence.spooled_bytes = heartbeat.spooled_bytes;
            presence.clock_offset_us = heartbeat.clock_offset_us;
            presence.running = Some(heartbeat.running).filter(|running| !running.is_zero());
        }
    }

    /// Observations came.
    pub(crate) fn observed(&self, agent: AgentId, now: WallTime) {
        if let Some(row) = self.lock().get_mut(&agent) {
            row.entry.presence.last_heard = Some(now);
        }
    }

    /// Observations were refused.
    pub(crate) fn rejected(&self, agent: AgentId, reason: RejectReason, ranges: &[SequenceRange]) {
        let count: u64 = ranges.iter().map(|range| range.count()).sum();
        if let Some(row) = self.lock().get_mut(&agent) {
            let (malformed, conflicting) = &mut row.entry.presence.rejected;
            match reason {
                RejectReason::Conflict => *conflicting += count,
                RejectReason::Malformed | RejectReason::Unknown => *malformed += count,
            }
        }
    }
}
