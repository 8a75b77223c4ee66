//! Both ends of a round trip, watched: where the message must arrive, and where it comes back to.
//!
//! Bounces and replies go to the sender. Where that is another mailbox than the recipient's it is watched
//! too; a run that does not depend on it goes on without it, and a fact says so. Where the recipient's mailbox is
//! another agent's, that agent watches it and tells us.

use std::time::Duration;

use mailsonde_proto::Fact;
use mailsonde_proto::time::Instant;
use tokio::time::timeout;

use crate::mail::failure::Failure;
use crate::mail::mailbox::{Arrival, Event, Mailbox, Order, Refusal, Watch};
use crate::peers::Hold;

/// So long a run waits for a sender's mailbox that it does not depend on.
const SENDER_WITHIN: Duration = Duration::from_secs(3);

/// Where the message must arrive.
enum Recipient {
    /// In a mailbox of this agent.
    Here(Watch),
    /// In one of another.
    There(Hold),
}

/// The mailboxes of one run.
pub(super) struct Eyes {
    recipient: Recipient,
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
            let recipient = Recipient::Here(recipient.watch(order).await?);
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
        let recipient = Recipient::Here(recipient?);
        match sender {
            Err(Some(refusal)) if needed => Err(refusal),
            sender => Ok(Self::with(recipient, sender)),
        }
    }

    /// Waits until another agent watches for the message, and watches the sender's mailbox for bounces.
    ///
    /// # Errors
    /// Why the other agent does not.
    pub(super) async fn across(
        hold: Hold,
        sender: &Mailbox,
        order: Order,
        within: Duration,
    ) -> Result<Self, Refusal> {
        let at_sender = Order { folder: None, eager: false, ..order };
        let watching = async {
            match timeout(SENDER_WITHIN.min(within), sender.watch(at_sender)).await {
                Ok(watched) => watched.map_err(Some),
                Err(_) => Err(None),
            }
        };
        let (ready, sender) = tokio::join!(hold.ready(within), watching);
        let not_ready = |failure| Refusal { failure, laps: Vec::new(), transcript: String::new() };
        ready.map_err(not_ready)?;
        Ok(Self::with(Recipient::There(hold), sender))
    }

    fn with(recipient: Recipient, sender: Result<Watch, Option<Refusal>>) -> Self {
        let (sender, blind) = match sender {
            Ok(sender) => (Some(sender), None),
            Err(Some(refusal)) => (None, Some(refusal.failure.fault.to_string())),
            Err(None) => (None, Some("it was not ready in time".to_owned())),
        };
        Self { recipient, sender, blind }
    }

    /// The mailbox in which the message must arrive, where it is this agent's.
    pub(super) fn recipient(&self) -> Option<&Watch> {
        match &self.recipient {
            Recipient::Here(watch) => Some(watch),
            Recipient::There(_) => None,
        }
    }

    /// What keeps the recipient's mailbox from being watched.
    pub(super) fn trouble(&self) -> Option<Failure> {
        match &self.recipient {
            Recipient::Here(watch) => watch.trouble(),
            Recipient::There(hold) => hold.trouble(),
        }
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
        if let Recipient::There(hold) = &self.recipient {
            hold.accepted(at);
        }
    }

    /// What happens next to the message. That it turns up in the sender's mailbox is no arrival.
    pub(super) async fn next(&self) -> Event {
        let Some(sender) = &self.sender else { return self.arrival().await };
        loop {
            tokio::select! {
                biased;
                event = self.arrival() => return event,
                event = sender.next() => match event {
                    Event::Arrived(Arrival { .. }) => {}
                    event => return event,
                },
            }
        }
    }

    async fn arrival(&self) -> Event {
        match &self.recipient {
            Recipient::Here(watch) => watch.next().await,
            Recipient::There(hold) => Event::Arrived(hold.next().await),
        }
    }

    /// What keeps the mailbox just now from being watched that bounces and replies go to.
    pub(super) fn trouble_of_sender(&self) -> Option<Failure> {
        self.sender.as_ref().or(self.recipient())?.trouble()
    }

    /// What was said on the connections.
    pub(super) fn transcript(&self) -> String {
        let at_recipient = self.recipient().map(Watch::transcript).unwrap_or_default();
        match &self.sender {
            None => at_recipient,
            Some(sender) => format!("{at_recipient}-- from_mailbox\n{}", sender.transcript()),
        }
    }

    fn both(&self) -> impl Iterator<Item = &Watch> {
        self.recipient().into_iter().chain(&self.sender)
    }
}
