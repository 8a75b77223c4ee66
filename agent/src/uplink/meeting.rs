//! Whether the collector would let this agent in, and what time it is there: asked by hand, beside the stream of an
//! agent that may run. Nothing comes of it, neither here nor there.

use std::time::Duration;

use mailsonde_proto::convert::{MeetAnswer, MeetRequest, PROTOCOL};
use mailsonde_proto::wire::uplink_client::UplinkClient;
use mailsonde_proto::{Clock, wire};
use tokio::time::timeout;
use tonic::Code;
use tonic::transport::Channel;

use super::UplinkError;
use super::channel::{SOFTWARE, Testimony};
use crate::offset::{Exchange, Offsets};

/// Bytes of an answer at most.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// How often it is asked: the exchange that took least tells most of the clocks.
const EXCHANGES: usize = 3;

/// What a meeting came to.
#[derive(Debug)]
pub(crate) struct Met {
    /// What the collector said last.
    pub(crate) answer: MeetAnswer,
    /// How far this clock is ahead of the collector's in microseconds, and the bound on the error of that.
    pub(crate) ahead_us: Option<(i64, u64)>,
}

/// Asks over an open channel; `None` where the collector is too old to know the question.
///
/// # Errors
/// What the collector says against this agent, or how the connection broke.
pub(crate) async fn meet(
    (channel, testimony): (Channel, Testimony),
    clock: Clock,
    within: Duration,
) -> Result<Option<Met>, UplinkError> {
    let mut client = UplinkClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES);
    let asking = async {
        let mut offsets = Offsets::default();
        let mut last = None;
        for _ in 0..EXCHANGES {
            let request = MeetRequest { protocol: PROTOCOL, software: SOFTWARE.to_owned() };
            let (sent, at) = (clock.wall(), clock.monotonic());
            let answer = match client.meet(wire::MeetRequest::from(request)).await {
                Ok(answer) => answer.into_inner(),
                Err(status) if status.code() == Code::Unimplemented => return Ok(None),
                Err(status) => return Err(UplinkError::of_status(&status)),
            };
            let now = clock.monotonic();
            let answer = MeetAnswer::try_from(answer)
                .map_err(|error| UplinkError::Protocol(error.to_string()))?;
            let round_trip = now.saturating_duration_since(at);
            let (received, answered) = (answer.received_at, answer.sent_at);
            offsets.add(Exchange { sent, received, answered, round_trip }, now);
            last = Some(answer);
        }
        let ahead = offsets.offset_us(clock.monotonic());
        // there the collector's clock is told as ahead, here ours
        let ahead_us = ahead.map(|(there_us, error_us)| (there_us.saturating_neg(), error_us));
        Ok(last.map(|answer| Met { answer, ahead_us }))
    };
    let asked = timeout(within, asking).await;
    let silent = UplinkError::Silent { what: "answer", within };
    asked.unwrap_or(Err(silent)).map_err(|error| error.with(testimony.get()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Net;
    use crate::uplink::channel;
    use crate::uplink::credentials::Credentials;
    use crate::uplink::tests::double::{Double, Manners};

    async fn met_with(manners: Manners) -> Result<Option<Met>, UplinkError> {
        let double = Double::start(manners).await;
        let config = double.config();
        let tls = Credentials::load(config).unwrap().tls;
        let opened = channel::open(&Net::new(), &config.address, &config.server_name, tls).await?;
        let met = meet(opened, Clock::system(), Duration::from_secs(2)).await;
        assert_eq!(double.seen().streams, 0, "no stream for a question");
        met
    }

    #[tokio::test]
    async fn a_collector_tells_its_clock_and_its_version() {
        let Met { answer, ahead_us } = met_with(Manners::default()).await.unwrap().unwrap();
        assert_eq!(answer.software, "double 0.1.0");
        let (ahead_us, error_us) = ahead_us.unwrap();
        assert!(ahead_us.abs_diff(3_600_000_000) <= error_us, "{ahead_us} ± {error_us}");
    }

    #[tokio::test]
    async fn what_it_says_against_us_is_told() {
        let refused = met_with(Manners { refuse: true, ..Manners::default() }).await;
        assert!(matches!(refused, Err(UplinkError::Refused(_))), "{refused:?}");
        let silent = met_with(Manners { no_response: true, ..Manners::default() }).await;
        assert!(matches!(silent, Err(UplinkError::Silent { .. })), "{silent:?}");
        let older = met_with(Manners { no_welcome: true, ..Manners::default() }).await;
        assert!(matches!(older, Ok(None)), "{older:?}");
    }
}
