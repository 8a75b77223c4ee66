//! Which agents there are, what each runs, and whether it is here.
//!
//! Who is enrolled and what is defined stands in the control journal, and goes there first; presence
//! (connected, last heard of, spool) is of the moment and dies with the process.

mod awaited;
mod crossing;
mod entry;
mod heard;
mod orders;
mod processes;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use mailsonde_proto::convert::{FromCollector, Hello};
use mailsonde_proto::journal::JournalError;
use mailsonde_proto::{AgentId, WallTime};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::central::CheckSet;
use crate::control::{Author, Control, ControlError, ControlJournal, ControlNext, Enrolled};
use crate::identity::Shown;

use crossing::said;
use orders::{Orders, words};
use processes::Processes;

pub use entry::{AgentEntry, Clones, Presence};

pub(crate) use awaited::Answers;
pub(crate) use orders::Words;

/// Why a definition could not be written down.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The control journal would not take it.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The thread that waited for the disk is gone.
    #[error("the collector is stopping")]
    Stopping,
}

/// Why an agent is not let in although its certificate is ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// Nobody of this identity is enrolled.
    #[error(
        "agent {0} is not enrolled at this collector: get a token by `mailsonde-collector token create`, \
         then `mailsonde-agent enroll TOKEN`"
    )]
    NotEnrolled(AgentId),
    /// It was put out.
    #[error("agent {agent} was revoked at {at}")]
    Revoked {
        /// Which agent.
        agent: AgentId,
        /// When.
        at: WallTime,
    },
    /// It was brought in again with another key.
    #[error("agent {0} has another key since it was enrolled again")]
    OtherKey(AgentId),
    /// A newer certificate has been used since.
    #[error("this certificate of agent {0} was replaced by a newer one: renew it")]
    Replaced(AgentId),
}

/// Why a stream ends that could go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// A newer stream of the same agent stands.
    Replaced,
    /// The agent was revoked.
    Revoked,
    /// The authority of its certificate was retired.
    Retired,
    /// It was brought in again with another key.
    OtherKey,
}

/// The registry; shared by ingest and API.
pub struct Registry {
    control: Arc<ControlJournal>,
    agents: Mutex<HashMap<AgentId, Row>>,
    orders: Orders,
}

#[derive(Default)]
struct Row {
    entry: AgentEntry,
    stream: Option<Stream>,
    words: Option<mpsc::Sender<FromCollector>>,
    /// SHA-256 of the key that the stream was opened with.
    key_digest: [u8; 32],
    /// When the newest certificate was made that was used. Older ones are over.
    newest: WallTime,
    processes: Processes,
}

#[derive(Clone, Default)]
struct Stream {
    token: CancellationToken,
    why: Arc<OnceLock<Ended>>,
}

impl Stream {
    fn end(&self, why: Ended) {
        self.why.set(why).ok();
        self.token.cancel();
    }
}

impl Registry {
    /// From what the control journal holds.
    ///
    /// # Errors
    /// When the journal cannot be read although it is there.
    pub fn new(control: Arc<ControlJournal>) -> Result<Self, JournalError> {
        let mut agents: HashMap<AgentId, Row> = HashMap::new();
        let mut records = control.follow(1);
        loop {
            match records.read()? {
                ControlNext::Record { record, .. } => {
                    if let Control::Defined { agent, .. } = &record.control {
                        agents.entry(*agent).or_default().entry.say_of_itself(record.control);
                    }
                }
                ControlNext::Gap { .. } => {}
                ControlNext::CaughtUp => break,
            }
        }
        let applied = control.look(|roll| roll.applied().to_vec());
        let checks = CheckSet::new(applied).unwrap_or_else(|error| {
            tracing::error!(%error, "the collector's checks cannot be used: apply them again");
            CheckSet::default()
        });
        let registry = Self { control, agents: Mutex::new(agents), orders: Orders::new(checks) };
        registry.look_for_receivers();
        Ok(registry)
    }

    /// The map is plain data that no panic leaves half-changed.
    fn lock(&self) -> MutexGuard<'_, HashMap<AgentId, Row>> {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The agent that showed a certificate of ours, if it is still to be let in.
    ///
    /// # Errors
    /// When it is not, or not by this certificate.
    pub fn admit(&self, shown: &Shown) -> Result<Enrolled, NotAdmitted> {
        let agent = shown.agent;
        let known =
            self.control.look(|roll| match (roll.agent(agent), roll.revoked_at(agent)) {
                (Some(known), _) => Ok(known.clone()),
                (None, Some(at)) => Err(NotAdmitted::Revoked { agent, at }),
                (None, None) => Err(NotAdmitted::NotEnrolled(agent)),
            })?;
        if known.key_digest != shown.key_digest {
            return Err(NotAdmitted::OtherKey(agent));
        }
        let newest = self.lock().get(&agent).map(|row| row.newest).unwrap_or_default();
        if shown.issued_at < newest {
            return Err(NotAdmitted::Replaced(agent));
        }
        Ok(known)
    }

    /// Ends the stream of an agent that was revoked.
    pub(crate) fn put_out(&self, agent: AgentId) {
        let stream = self.lock().get(&agent).and_then(|row| row.stream.clone());
        if let Some(stream) = stream {
            stream.end(Ended::Revoked);
        }
        // nobody sends to it any more
        self.reselect();
    }

    /// Ends the stream of an agent that stands by another key than its registered one: it was brought in again.
    pub(crate) fn end_other_key(&self, agent: AgentId) {
        let registered = self.control.agent(agent).map(|agent| agent.key_digest);
        let agents = self.lock();
        let Some(row) = agents.get(&agent) else { return };
        if let Some(stream) = row.stream.as_ref().filter(|_| registered != Some(row.key_digest)) {
            stream.end(Ended::OtherKey);
        }
    }

    /// Ends streams that stand by certificates made until `at`: their authority is not believed any more.
    pub(crate) fn end_until(&self, at: WallTime) {
        let agents = self.lock();
        for stream in
            agents.values().filter(|row| row.newest <= at).filter_map(|row| row.stream.as_ref())
        {
            stream.end(Ended::Retired);
        }
    }

    /// When the newest certificate was made that each agent has shown since this collector started.
    pub fn issued_at(&self) -> HashMap<AgentId, WallTime> {
        let agents = self.lock();
        let shown = agents.iter().filter(|(_, row)| row.newest > WallTime::default());
        shown.map(|(agent, row)| (*agent, row.newest)).collect()
    }

    /// Whether a name belongs to another agent than this.
    pub fn is_name_of_another(&self, agent: AgentId, name: &str) -> bool {
        self.control.agent_named(name).is_some_and(|named| named.agent != agent)
    }

    /// The journal that it stands on.
    pub fn control(&self) -> &ControlJournal {
        &self.control
    }

    /// How many agents have a stream now.
    pub fn connected(&self) -> usize {
        self.lock().values().filter(|row| row.stream.is_some()).count()
    }

    /// Since when an agent's stream stands; `None` where it does not.
    pub fn connected_since(&self, agent: AgentId) -> Option<WallTime> {
        self.lock().get(&agent).and_then(|row| row.entry.presence.connected_since)
    }

    /// Every enrolled agent, by name.
    pub fn agents(&self) -> Vec<(Enrolled, AgentEntry)> {
        let mut enrolled = self.control.agents();
        enrolled.sort_by(|a, b| a.name.cmp(&b.name));
        let agents = self.lock();
        let entry = |agent| agents.get(&agent).map(|row| row.entry.clone()).unwrap_or_default();
        enrolled.into_iter().map(|enrolled| (enrolled.clone(), entry(enrolled.agent))).collect()
    }

    /// Takes note of what an agent says of itself and what it runs; on disk when it is not what it said last.
    ///
    /// # Errors
    /// When the control journal cannot be written.
    pub async fn define(
        &self,
        agent: AgentId,
        hello: &Hello,
        now: WallTime,
    ) -> Result<(), RegistryError> {
        let (known, clones) = {
            let mut agents = self.lock();
            let row = agents.entry(agent).or_default();
            row.entry.presence.software.clone_from(&hello.software);
            let address = row.entry.presence.address.map(|address| address.to_string());
            let (clones, are_new) =
                row.processes.greeted(hello.instance, address.unwrap_or_default());
            if let Some(addresses) = clones.clone() {
                row.entry.presence.clones = Some(Clones { noticed_at: now, addresses });
            }
            (row.entry.says_the_same(hello), clones.filter(|_| are_new))
        };
        if let Some(addresses) = clones {
            let [one, other] = &addresses;
            tracing::error!(
                one,
                other,
                "two machines use this agent's key: revoke it and enrol both"
            );
            let author = Author { who: "collector".into(), from: "itself".into() };
            self.write(now, Control::CloneNoticed { agent, addresses }, Some(author)).await?;
        }
        if known {
            return Ok(());
        }
        let said = said(agent, hello);
        self.write(now, said.clone(), None).await?;
        self.defined(agent, said);
        Ok(())
    }

    async fn write(
        &self,
        now: WallTime,
        control: Control,
        author: Option<Author>,
    ) -> Result<(), RegistryError> {
        let journal = self.control.clone();
        let written = tokio::task::spawn_blocking(move || match author {
            Some(author) => journal.decide(now, author, |_| Ok((control, ()))),
            None => journal.append(now, control).map(drop).map_err(ControlError::Journal),
        });
        Ok(written.await.ok().ok_or(RegistryError::Stopping)??)
    }

    /// A stream of this agent stands now; an older one is told to end.
    pub(crate) fn arrived(
        self: &Arc<Self>,
        shown: &Shown,
        now: WallTime,
        address: Option<SocketAddr>,
    ) -> (StreamPresence, Words) {
        let stream = Stream::default();
        let mut agents = self.lock();
        let row = agents.entry(shown.agent).or_default();
        if let Some(older) = row.stream.replace(stream.clone()) {
            older.end(Ended::Replaced);
        }
        row.newest = row.newest.max(shown.issued_at);
        row.key_digest = shown.key_digest;
        let (sender, words) = words();
        row.words = Some(sender);
        (row.entry.told, row.entry.assigned) = (None, None);
        let presence = &mut row.entry.presence;
        presence.connected_since = Some(now);
        presence.last_heard = Some(now);
        presence.address = address;
        presence.certificate_not_after = Some(shown.not_after);
        drop(agents);
        // It may have been revoked, or brought in with another key, since it was admitted.
        match self.control.agent(shown.agent) {
            None => stream.end(Ended::Revoked),
            Some(known) if known.key_digest != shown.key_digest => stream.end(Ended::OtherKey),
            Some(_) => {}
        }
        (StreamPresence { registry: self.clone(), agent: shown.agent, stream }, words)
    }
}

/// Stands for as long as an agent's stream does.
pub(crate) struct StreamPresence {
    registry: Arc<Registry>,
    agent: AgentId,
    stream: Stream,
}

impl StreamPresence {
    /// Returns when the stream has to end, and why.
    pub(crate) async fn ended(&self) -> Ended {
        self.stream.token.cancelled().await;
        self.stream.why.get().copied().unwrap_or(Ended::Replaced)
    }
}

impl Drop for StreamPresence {
    fn drop(&mut self) {
        if self.stream.why.get() == Some(&Ended::Replaced) {
            return; // a newer stream has taken over the row
        }
        if let Some(row) = self.registry.lock().get_mut(&self.agent) {
            row.stream = None;
            row.words = None;
            row.entry.presence.connected_since = None;
        }
    }
}
