//! What we say, as it is sent.

use super::{
    FromAgent, FromCollector, Hello, Reject, RejectReason, SequenceRange, Tombstone,
    TombstoneReason,
};
use crate::check::Check;
use crate::time::{WallTime, as_us};
use crate::wire;

impl From<FromAgent> for wire::AgentMessage {
    fn from(said: FromAgent) -> Self {
        use wire::agent_message::Body;
        let body = match said {
            FromAgent::Hello(hello) => Some(Body::Hello(hello.into())),
            FromAgent::Batch(batch) => Some(Body::Batch(wire::Batch {
                first_sequence: batch.first_sequence,
                observations: batch.observations,
            })),
            FromAgent::Tombstone(tombstone) => Some(Body::Tombstone(tombstone.into())),
            FromAgent::Heartbeat(beat) => Some(Body::Heartbeat(wire::Heartbeat {
                sent_at_ns: unsigned_ns(beat.sent_at),
                spooled: beat.spooled,
                spooled_bytes: beat.spooled_bytes,
                clock_offset_us: beat.clock_offset_us.map_or(0, |(offset, _)| offset),
                clock_error_us: beat.clock_offset_us.map_or(0, |(_, error)| error.max(1)),
                running_us: as_us(beat.running),
            })),
            FromAgent::Assigned(assigned) => Some(Body::Assigned(assigned.into())),
            FromAgent::RunAnswer(answer) => Some(Body::RunAnswer(answer.into())),
            FromAgent::Crossing(crossing) => Some(Body::Crossing(crossing.into())),
            FromAgent::Unknown => None,
        };
        Self { body }
    }
}

impl From<FromCollector> for wire::CollectorMessage {
    fn from(said: FromCollector) -> Self {
        use wire::collector_message::Body;
        let body = match said {
            FromCollector::Welcome(welcome) => Some(Body::Welcome(wire::Welcome {
                protocol: welcome.protocol,
                software: welcome.software,
                agent_id: welcome.agent.0.to_vec(),
                registered_name: welcome.registered_name,
                stored_through: welcome.stored_through,
                window: welcome.window,
            })),
            FromCollector::Ack(ack) => Some(Body::Ack(wire::Ack { through: ack.through })),
            FromCollector::HeartbeatAnswer(answer) => {
                Some(Body::HeartbeatAnswer(wire::HeartbeatAnswer {
                    agent_sent_at_ns: unsigned_ns(answer.agent_sent_at),
                    received_at_ns: unsigned_ns(answer.received_at),
                    sent_at_ns: unsigned_ns(answer.sent_at),
                }))
            }
            FromCollector::Reject(reject) => Some(Body::Reject(reject.into())),
            FromCollector::Throttle(throttle) => Some(Body::Throttle(wire::Throttle {
                pause_us: as_us(throttle.pause),
                reason: throttle.reason,
            })),
            FromCollector::Assignment(assignment) => Some(Body::Assignment(assignment.into())),
            FromCollector::RunRequest(request) => Some(Body::RunRequest(request.into())),
            FromCollector::Crossing(crossing) => Some(Body::Crossing(crossing.into())),
            FromCollector::Unknown => None,
        };
        Self { body }
    }
}

pub(in crate::convert) fn unsigned_ns(time: WallTime) -> u64 {
    u64::try_from(time.as_ns()).unwrap_or(0)
}

impl From<Hello> for wire::Hello {
    fn from(hello: Hello) -> Self {
        Self {
            protocol: hello.protocol,
            software: hello.software,
            epoch: hello.epoch.0,
            next_sequence: hello.next_sequence,
            oldest_sequence: hello.oldest_sequence,
            vantage_point: Some(wire::VantagePoint {
                name: hello.vantage_point.name,
                labels: hello.vantage_point.labels,
            }),
            checks: hello.checks.iter().map(wire::Check::from).collect(),
            instance: hello.instance,
            signing_key: hello.signing_key.map(|key| key.0.to_vec()).unwrap_or_default(),
            mailboxes: hello.mailboxes.into_iter().map(wire::ReceivingMailbox::from).collect(),
        }
    }
}

impl From<&Check> for wire::Check {
    fn from(check: &Check) -> Self {
        Self {
            name: check.name.clone(),
            kind: check.kind.clone(),
            cadence_us: as_us(check.cadence),
            timeout_us: as_us(check.timeout),
            slot_offset_us: as_us(check.slot_offset),
            settings_digest: check.settings_digest.0.to_vec(),
        }
    }
}

impl From<Tombstone> for wire::Tombstone {
    fn from(tombstone: Tombstone) -> Self {
        let reason = match tombstone.reason {
            TombstoneReason::SpoolFull => wire::TombstoneReason::SpoolFull,
            TombstoneReason::TooOld => wire::TombstoneReason::TooOld,
            TombstoneReason::Damaged => wire::TombstoneReason::Damaged,
            TombstoneReason::Unknown => wire::TombstoneReason::Unspecified,
        };
        Self {
            first_sequence: tombstone.range.first,
            last_sequence: tombstone.range.last,
            reason: i32::from(reason),
            pass: tombstone.pass,
            fail: tombstone.fail,
            void: tombstone.void,
        }
    }
}

impl From<Reject> for wire::Reject {
    fn from(reject: Reject) -> Self {
        let reason = match reject.reason {
            RejectReason::Malformed => wire::RejectReason::Malformed,
            RejectReason::Conflict => wire::RejectReason::Conflict,
            RejectReason::Unknown => wire::RejectReason::Unspecified,
        };
        let range =
            |range: SequenceRange| wire::SequenceRange { first: range.first, last: range.last };
        Self {
            ranges: reject.ranges.into_iter().map(range).collect(),
            reason: i32::from(reason),
            detail: reject.detail,
        }
    }
}
