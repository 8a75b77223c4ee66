//! Mail between this agent and others: what they say of ours, and watching for theirs.
//!
//! Invariant: a mailbox is watched for another agent only where `agent.toml` says that it receives, and the policy names
//! that agent's key; whatever the collector asks for.

use std::collections::HashMap;
use std::sync::Arc;

use mailsonde_proto::convert::{
    Crossing, CrossingWord, Expect, FromAgent, MAX_HEADER_BYTES, ReceivingMailbox, Seen, SeenAt,
    Unready, UnreadyReason,
};
use mailsonde_proto::{AgentId, Clock, RunId, SenderKey};
use tokio::sync::mpsc;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::Agent;
use crate::config::AgentConfig;
use crate::mail::mailbox::{Guest, Mailbox, Sighting};
use crate::mail::message::Body;
use crate::mail::token::{Senders, TokenKey};
use crate::outbox::Outbox;
use crate::peers::Peers;

/// Mails that are watched for at once, at most: a collector that asks for more is refused.
const MOST_VISITS: usize = 64;
/// Mails that arrived and wait to be reported.
const SIGHTINGS: usize = 64;

/// What is needed for mail of other agents, and for mail to them.
pub(super) struct Guests {
    /// Those that see our mail arrive.
    pub(super) peers: Peers,
    /// What arrived of theirs.
    pub(super) sightings: mpsc::Receiver<Sighting>,
    seen: mpsc::Sender<Sighting>,
    senders: Senders,
    key: Arc<TokenKey>,
    visits: HashMap<(AgentId, RunId), CancellationToken>,
}

impl Guests {
    pub(super) fn new(config: &AgentConfig, outbox: &Outbox) -> Self {
        let (seen, sightings) = mpsc::channel(SIGHTINGS);
        let guests = Self {
            peers: Peers::default(),
            sightings,
            seen,
            senders: Senders::default(),
            key: Arc::clone(outbox.token_key()),
            visits: HashMap::new(),
        };
        guests.believe(config);
        guests
    }

    /// Believes whom this configuration's policy names, and nobody else.
    pub(super) fn believe(&self, config: &AgentConfig) {
        self.senders.replace(&config.policy.pushed.senders);
    }

    /// By which other agents verify our mail.
    pub(super) fn signing_key(&self) -> SenderKey {
        self.key.signing().public()
    }

    /// Watches for nobody any more.
    pub(super) fn end(&self) {
        self.visits.values().for_each(CancellationToken::cancel);
    }

    /// Forgets those that are over.
    fn sweep(&mut self) {
        self.visits.retain(|_, visit| !visit.is_cancelled());
    }
}

/// The mailboxes in which mail of other agents may arrive.
pub(super) fn receiving(config: &AgentConfig) -> Vec<ReceivingMailbox> {
    let mailboxes = config.mailboxes.values().map(|mailbox| &mailbox.settings);
    let receiving = mailboxes.filter(|settings| settings.receives).map(|settings| {
        let (name, address) = (settings.name.clone(), settings.address.clone());
        ReceivingMailbox { name, address }
    });
    receiving.collect()
}

impl Agent {
    /// Another agent said something.
    pub(super) fn crossing(&mut self, said: Crossing) {
        let Crossing { peer, run, word } = said;
        match word {
            CrossingWord::Expect(expect) => {
                if let Err(why) = self.expect(peer, run, expect) {
                    debug!(%peer, detail = why.detail, "agent: another agent's mail is not watched for");
                    say(&self.orders.stream(), peer, run, CrossingWord::Unready(why));
                }
            }
            CrossingWord::Over => {
                if let Some(visit) = self.guests.visits.remove(&(peer, run)) {
                    visit.cancel();
                }
            }
            word => {
                let said = Crossing { peer, run, word };
                let now = self.clock.monotonic();
                let news = self.guests.peers.heard(said, &self.orders.offsets.borrow(), now);
                if let Some((amendments, amendment)) = news
                    && amendments.try_send(amendment).is_err()
                {
                    warn!(
                        "agent: amendments wait in vain; one about another agent's mailbox is lost"
                    );
                }
            }
        }
    }

    /// Watches for a mail of another agent.
    pub(super) fn expect(
        &mut self,
        peer: AgentId,
        run: RunId,
        expect: Expect,
    ) -> Result<(), Unready> {
        let Expect { signing_key, mailbox: name, within, bytes } = expect;
        let unready = |reason, detail: String| Unready { reason, detail };
        let Some(mailbox) = self.checks.receiving(&name) else {
            let words = format!("it has no mailbox \"{name}\" with receive = true");
            return Err(unready(UnreadyReason::Mailbox, words));
        };
        if !self.guests.senders.knows(&signing_key) {
            return Err(unready(UnreadyReason::UnknownKey, format!("{signing_key} is not named")));
        }
        self.guests.sweep();
        if self.guests.visits.len() >= MOST_VISITS {
            let words = format!("{MOST_VISITS} mails are watched for already");
            return Err(unready(UnreadyReason::Busy, words));
        }
        let over = CancellationToken::new();
        if let Some(older) = self.guests.visits.insert((peer, run), over.clone()) {
            older.cancel();
        }
        let guest = Guest {
            sender: peer,
            run,
            deadline: self.clock.monotonic() + within,
            bytes,
            senders: self.guests.senders.clone(),
            sightings: self.guests.seen.clone(),
            key: Arc::clone(&self.guests.key),
            amendments: self.runner.amendments().clone(),
        };
        let (mailbox, clock, stream) = (Arc::clone(mailbox), self.clock, self.orders.stream());
        let interrupted = self.interrupt_runs.clone();
        self.runs.spawn(async move {
            let ends = over.clone();
            tokio::select! {
                () = watch(&mailbox, guest, clock, &stream) => {}
                () = ends.cancelled() => {}
                () = interrupted.cancelled() => {}
            }
            over.cancel();
            None
        });
        Ok(())
    }

    /// A mail of another agent arrived: it is told so.
    pub(super) fn report(&self, sighting: Sighting) {
        let Sighting { token, arrival } = sighting;
        let now = self.clock.monotonic();
        let there = self.orders.offsets.borrow().there(arrival.first_seen, now);
        let at = there.map(|(first_seen, clock_error_us)| SeenAt {
            first_seen,
            clock_error_us: clock_error_us.max(1),
            interval: arrival.first_seen.saturating_duration_since(arrival.last_absent),
        });
        let seen = Seen {
            at,
            place: arrival.place.as_str().to_owned(),
            folder: arrival.folder,
            bytes: arrival.bytes,
            body: word_of(arrival.body).to_owned(),
            headers: whole_lines(&arrival.message.headers).to_vec(),
        };
        info!(sender = %token.agent, intent = token.run.intent, "agent: another agent's mail arrived");
        let word = CrossingWord::Seen(Box::new(seen));
        say(&self.orders.stream(), token.agent, token.run, word);
    }
}

/// Says that it watches, and at the end that it did; of a mail that arrives whoever has the sightings tells.
async fn watch(mailbox: &Mailbox, guest: Guest, clock: Clock, stream: &mpsc::Sender<FromAgent>) {
    let (peer, run, deadline) = (guest.sender, guest.run, guest.deadline);
    let unready = |detail: String| {
        let reason = UnreadyReason::Mailbox;
        say(stream, peer, run, CrossingWord::Unready(Unready { reason, detail }));
    };
    let visit = match mailbox.receive(guest).await {
        Ok(visit) => visit,
        Err(failure) => return unready(failure.fault.to_string()),
    };
    say(stream, peer, run, CrossingWord::Ready);
    tokio::select! {
        () = visit.seen() => return,
        () = sleep_until(deadline) => {}
    }
    match visit.trouble(clock.monotonic()) {
        None => say(stream, peer, run, CrossingWord::Unseen),
        Some(failure) => unready(failure.fault.to_string()),
    }
}

/// What finds no room is lost, and leaves the other's run void.
fn say(stream: &mpsc::Sender<FromAgent>, peer: AgentId, run: RunId, word: CrossingWord) {
    stream.try_send(FromAgent::Crossing(Crossing { peer, run, word })).ok();
}

const fn word_of(body: Body) -> &'static str {
    match body {
        Body::Same => "same",
        Body::Reencoded => "reencoded",
        Body::Altered | Body::AttachmentAltered | Body::AttachmentRemoved => "altered",
        Body::Unknown => "unknown",
    }
}

/// As many whole lines of a header block as may travel.
fn whole_lines(headers: &[u8]) -> &[u8] {
    let Some(first) = headers.get(..MAX_HEADER_BYTES) else { return headers };
    let end = first.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    first.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_travel_in_whole_lines() {
        let line = "X-Long: 0123456789\r\n";
        let long = line.repeat(MAX_HEADER_BYTES);
        let kept = whole_lines(long.as_bytes());
        assert!(kept.len() <= MAX_HEADER_BYTES && kept.len() + line.len() > MAX_HEADER_BYTES);
        assert!(kept.ends_with(b"\r\n"));
        assert_eq!(whole_lines(line.as_bytes()), line.as_bytes());
        assert_eq!(whole_lines(&vec![b'a'; MAX_HEADER_BYTES + 1]), b"");
    }
}
