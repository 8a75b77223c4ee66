//! What is asked beside the stream: whether an agent would be let in, and what time it is there.

use super::Malformed;
use super::limits;
use super::stream::{unsigned_ns, wall};
use crate::time::WallTime;
use crate::vantage::AgentId;
use crate::wire;

/// An agent asks whether it would be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeetRequest {
    /// Version of `uplink.proto` that it speaks.
    pub protocol: u32,
    /// Its name and version.
    pub software: String,
}

/// It would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeetAnswer {
    /// Version of `uplink.proto` that the collector speaks.
    pub protocol: u32,
    /// Its name and version.
    pub software: String,
    /// Who the agent is, by its certificate.
    pub agent: AgentId,
    /// What the registry calls it.
    pub registered_name: String,
    /// When the question came, by the collector's clock.
    pub received_at: WallTime,
    /// When the answer left, by the same.
    pub sent_at: WallTime,
    /// Since when the agent's stream stands; `None` where it does not.
    pub connected_since: Option<WallTime>,
}

impl TryFrom<wire::MeetRequest> for MeetRequest {
    type Error = Malformed;

    fn try_from(sent: wire::MeetRequest) -> Result<Self, Malformed> {
        Ok(Self {
            protocol: sent.protocol,
            software: limits::text("the software", sent.software, limits::MAX_NAME_BYTES)?,
        })
    }
}

impl From<MeetRequest> for wire::MeetRequest {
    fn from(request: MeetRequest) -> Self {
        Self { protocol: request.protocol, software: request.software }
    }
}

impl TryFrom<wire::MeetAnswer> for MeetAnswer {
    type Error = Malformed;

    fn try_from(sent: wire::MeetAnswer) -> Result<Self, Malformed> {
        let form = Malformed::Form { what: "the agent's identity", form: "16 bytes" };
        Ok(Self {
            protocol: sent.protocol,
            software: limits::text("the software", sent.software, limits::MAX_NAME_BYTES)?,
            agent: AgentId(sent.agent_id.try_into().ok().ok_or(form)?),
            registered_name: limits::name("the registered name", sent.registered_name)?,
            received_at: wall(sent.received_at_ns),
            sent_at: wall(sent.sent_at_ns),
            connected_since: Some(sent.connected_since_ns).filter(|ns| *ns > 0).map(wall),
        })
    }
}

impl From<MeetAnswer> for wire::MeetAnswer {
    fn from(answer: MeetAnswer) -> Self {
        Self {
            protocol: answer.protocol,
            software: answer.software,
            agent_id: answer.agent.0.to_vec(),
            registered_name: answer.registered_name,
            received_at_ns: unsigned_ns(answer.received_at),
            sent_at_ns: unsigned_ns(answer.sent_at),
            connected_since_ns: answer.connected_since.map_or(0, unsigned_ns),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> MeetAnswer {
        MeetAnswer {
            protocol: 1,
            software: "mailsonde-collector 0.1.0".into(),
            agent: AgentId([7; 16]),
            registered_name: "branch".into(),
            received_at: WallTime::from_s(1_000),
            sent_at: WallTime::from_s(1_001),
            connected_since: None,
        }
    }

    #[test]
    fn both_come_across() {
        let request = MeetRequest { protocol: 1, software: "mailsonde-agent 0.1.0".into() };
        assert_eq!(wire::MeetRequest::from(request.clone()).try_into(), Ok(request));
        let standing = Some(WallTime::from_s(900));
        for answer in [answer(), MeetAnswer { connected_since: standing, ..answer() }] {
            assert_eq!(wire::MeetAnswer::from(answer.clone()).try_into(), Ok(answer));
        }
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let mut sent = wire::MeetAnswer::from(answer());
        sent.agent_id = vec![1; 15];
        assert!(MeetAnswer::try_from(sent).is_err());
        let mut sent = wire::MeetAnswer::from(answer());
        sent.software = "x".repeat(100_000);
        assert!(MeetAnswer::try_from(sent).is_err());
    }
}
