//! Both ends of a round trip, watched: where the message must arrive, and where it comes back to.
//!
//! Bounces and replies go to the sender. Where that is another mailbox than the recipient's it is watched
//! too; a run that does not depend on it goes on without it, and a fact says so.

use std::time::Duration;

use mailsonde_proto::Fact;
use mailsonde_proto::time::Instant;
use tokio::time::timeout;

use crate::mail::failure::Failure;
use crate::mail::mailbox::{Arrival, Event, Mailbox, Order, Refusal, Watch};

/// So long a run waits for a sender's mailbox that it does not depend on.
const SENDER_WITHIN: Duration = Duration::from_secs(3);

/// The mailboxes of one run.
pub(super) struct Eyes {
    recipient: Watch,
    sender: Option<Watch>,
    /// Why the sender's mailbox is not watched, where it should be.
    blind: Option<String>,
}

impl Eyes {
    /// Watches the recipient's mailbox, and the sender's where it is another; `needed` says that the run
    /// depends on that one.
    ///
    /// # Errors
    /// Why a mailbox that is needed cannot be watched.
    pub(super) async fn open(
        recipient: &Mailbox,
        sender: Option<&Mailbox>,
        order: Order,
        needed: bool,
    ) -> Result<Self, Refusal> {
        let Some(sender) = sender else {
            let recipient = recipient.watch(order).await?;
            return Ok(Self { recipient, sender: None, blind: None });
        };
        let at_sender = Order { folder: None, eager: needed, ..order.clone() };
        let watching = async {
            if needed {
                return sender.watch(at_sender).await.map_err(Some);
            }
            match timeout(SENDER_WITHIN, sender.watch(at_sender)).await {
                Ok(watched) => watched.map_err(Some),
                Err(_) => Err(None),
            }
        };
        let (recipient, sender) = tokio::join!(recipient.watch(order), watching);
        let recipient = recipient?;
        match sender {
            Ok(sender) => Ok(Self { recipient, sender: Some(sender), blind: None }),
            Err(Some(refusal)) if needed => Err(refusal),
            Err(refusal) => {
                let why = match refusal {
                    Some(refusal) => refusal.failure.fault.to_string(),
                    None => "it was not ready in time".to_owned(),
                };
                Ok(Self { recipient, sender: None, blind: Some(why) })
            }
        }
    }

    /// Where the message must arrive.
    pub(super) fn recipient(&self) -> &Watch {
        &self.recipient
    }

    /// What was learnt about the sender's mailbox.
    pub(super) fn facts(&self) -> Option<Fact> {
        let why = self.blind.as_ref()?;
        Some(Fact::new("from_mailbox.not_watched", why))
    }

    /// The message has left.
    pub(super) fn sent(&self) {
        self.both().for_each(Watch::sent);
    }

    /// The server has accepted the message.
    pub(super) fn accepted(&self, at: Instant) {
        self.both().for_each(|watch| watch.accepted(at));
    }

    /// What happens next to the message. That it turns up in the sender's mailbox is no arrival.
    pub(super) async fn next(&self) -> Event {
        let Some(sender) = &self.sender else { return self.recipient.next().await };
        loop {
            tokio::select! {
                biased;
                event = self.recipient.next() => return event,
                event = sender.next() => match event {
                    Event::Arrived(Arrival { .. }) => {}
                    event => return event,
                },
            }
        }
    }

    /// What keeps the mailbox just now from being watched that bounces and replies go to.
    pub(super) fn trouble_of_sender(&self) -> Option<Failure> {
        self.sender.as_ref().unwrap_or(&self.recipient).trouble()
    }

    /// What was said on the connections.
    pub(super) fn transcript(&self) -> String {
        match &self.sender {
            None => self.recipient.transcript(),
            Some(sender) => {
                format!("{}-- from_mailbox\n{}", self.recipient.transcript(), sender.transcript())
            }
        }
    }

    fn both(&self) -> impl Iterator<Item = &Watch> {
        std::iter::once(&self.recipient).chain(&self.sender)
    }
}
