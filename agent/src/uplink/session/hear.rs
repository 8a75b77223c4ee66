//! What the collector says, and what follows from it. Nothing is believed beyond what was sent.

use mailsonde_proto::convert::{
    Ack, FromCollector, HeartbeatAnswer, Reject, RejectReason, SequenceRange, Welcome,
};
use mailsonde_proto::wire::CollectorMessage;
use tracing::{info, warn};

use super::{Session, UplinkError};
use crate::offset::Exchange;

/// Of any collector's window this much is used.
const MOST_WINDOW: u64 = 100_000;
impl Session<'_> {
    pub(super) async fn hear(&mut self, message: CollectorMessage) -> Result<(), UplinkError> {
        let malformed = |error| UplinkError::Protocol(format!("{error}"));
        self.heard_at = self.uplink.clock.monotonic();
        match FromCollector::try_from(message).map_err(malformed)? {
            FromCollector::Welcome(welcome) => self.welcome(&welcome).await,
            FromCollector::Ack(ack) => {
                self.acknowledged(ack).await;
                Ok(())
            }
            FromCollector::HeartbeatAnswer(answer) => {
                self.exchanged(answer);
                Ok(())
            }
            FromCollector::Reject(reject) => {
                self.rejected(reject).await;
                Ok(())
            }
            FromCollector::Throttle(throttle) => {
                info!(pause = ?throttle.pause, reason = throttle.reason, "uplink: the collector asks for a pause");
                self.paused_until = Some(self.heard_at + throttle.pause);
                Ok(())
            }
            FromCollector::Assignment(assignment) => {
                self.uplink.desk.assign(assignment);
                Ok(())
            }
            FromCollector::RunRequest(request) => {
                self.uplink.desk.run(request);
                Ok(())
            }
            FromCollector::Crossing(crossing) => {
                self.uplink.desk.cross(crossing);
                Ok(())
            }
            FromCollector::Unknown => Ok(()),
        }
    }

    async fn welcome(&mut self, welcome: &Welcome) -> Result<(), UplinkError> {
        let own = self.identity.agent;
        if welcome.agent != own {
            return Err(UplinkError::OtherAgent { said: welcome.agent, own });
        }
        if self.window.is_none() {
            let collector = &welcome.software;
            info!(epoch = %self.epoch, collector, name = welcome.registered_name, "uplink: connected");
            self.uplink.complaint = None;
        }
        self.window = Some(welcome.window.clamp(1, MOST_WINDOW));
        let (end, is_disputed) = {
            let progress = self.progress.borrow();
            (progress.end, progress.is_disputed)
        };
        // What it says it has is not taken for acknowledged: were this outbox restored from a backup,
        // those could be others. They are sent, and compared there.
        if self.base.saturating_add(welcome.stored_through) >= end && !is_disputed {
            self.uplink.outbox.dispute(self.epoch).await;
        }
        Ok(())
    }

    async fn acknowledged(&mut self, ack: Ack) {
        let sent = self.position.saturating_sub(1);
        let through = self.base.saturating_add(ack.through);
        // Of a disputed epoch the collector truly has more.
        if through > sent && !self.told_of_excess && !self.progress.borrow().is_disputed {
            self.told_of_excess = true;
            warn!(
                through = ack.through,
                sent = sent.saturating_sub(self.base),
                "uplink: the collector acknowledges what was not sent"
            );
        }
        let through = through.min(sent);
        if through > self.answered {
            self.answered = through;
            self.moved_at = self.heard_at;
            self.uplink.outbox.acknowledge(through).await;
        }
    }

    async fn rejected(&mut self, reject: Reject) {
        let sent = self.position.saturating_sub(1);
        let ranges: Vec<_> = reject
            .ranges
            .iter()
            .map(|range| SequenceRange {
                first: range.first.saturating_add(self.base).max(self.answered.saturating_add(1)),
                last: range.last.saturating_add(self.base).min(sent),
            })
            .filter(|range| range.first <= range.last)
            .collect();
        if ranges.is_empty() {
            return;
        }
        let count: u64 = ranges.iter().map(|range| range.count()).sum();
        let (reason, detail) = (reject.reason.as_str(), reject.detail.as_str());
        warn!(count, reason, detail, "uplink: the collector rejected observations");
        self.moved_at = self.heard_at;
        self.uplink.outbox.reject(ranges).await;
        if reject.reason == RejectReason::Conflict && !self.progress.borrow().is_disputed {
            self.uplink.outbox.dispute(self.epoch).await;
        }
    }

    fn exchanged(&mut self, answer: HeartbeatAnswer) {
        let Some((sent, at)) = self.beat.take_if(|(sent, _)| *sent == answer.agent_sent_at) else {
            return;
        };
        let now = self.heard_at;
        let exchange = Exchange {
            sent,
            received: answer.received_at,
            answered: answer.sent_at,
            round_trip: now.saturating_duration_since(at),
        };
        self.uplink.offsets.add(exchange, now);
        self.uplink.desk.compared(&self.uplink.offsets);
        let bound = self.uplink.offsets.bound_us(now);
        self.uplink.clock_error.send_replace(bound);
    }
}
