//! A message to another agent's mailbox: that agent watches, and this one judges by its word.

use std::time::Duration;

use mailsonde_proto::FaultClass;
use mailsonde_proto::phase::name;
use mailsonde_proto::time::Instant;

use super::RoundTrip;
use super::eyes::Eyes;
use crate::mail::failure::Failure;
use crate::mail::mailbox::{Order, Refusal};
use crate::mail::message::Seal;
use crate::peers::{Leaving, Peer};

/// The other agent says that it watches within this, or within half of the run.
const READY: Duration = Duration::from_secs(10);
/// So long before this run's end the other agent says that it saw nothing, or an eighth of the run.
const LAST_WORD: Duration = Duration::from_secs(1);

impl RoundTrip {
    /// Has the other agent watch.
    pub(super) async fn across(
        &self,
        peer: &Peer,
        order: Order,
        deadline: Instant,
    ) -> Result<Eyes, Refusal> {
        let left = deadline.saturating_duration_since(self.clock.monotonic());
        let leaving = Leaving {
            token: order.token.clone(),
            key: order.key.signing().public(),
            bytes: order.bytes,
            within: left.saturating_sub(LAST_WORD.min(left / 8)),
            amendments: order.amendments.clone(),
        };
        let Some(hold) = self.peers.expect(leaving, peer) else {
            let words =
                format!("this agent has no stream to its collector by which to ask {}", peer.name);
            let failure = Failure::new(name::ARRIVAL, FaultClass::Unknown, words);
            let failure = Failure { is_of_peer: true, ..failure };
            return Err(Refusal { failure, laps: Vec::new(), transcript: String::new() });
        };
        Eyes::across(hold, self.sender(), order, READY.min(left / 2)).await
    }

    /// Who is to verify the message.
    pub(super) fn seal(&self) -> Seal {
        match self.settings.peer {
            Some(_) => Seal::Signed { clock_error_us: self.peers.clock_error_us() },
            None => Seal::Own,
        }
    }
}
