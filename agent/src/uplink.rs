//! The uplink: one stream to the collector, over which the outbox is sent in order.
//!
//! It dials, says Hello, sends within the collector's window, and lets the outbox forget what is
//! answered. When a stream ends, for whatever reason, it waits a little and begins anew with the first
//! observation that is not answered; what is sent twice so is counted once by its key. Nothing that the
//! collector says is believed beyond what was sent.
//!
//! The agent's certificate is renewed before a dial when that is due, and a stream ends for it. Absent on purpose:
//! any memory of what was sent, other than where it is in the outbox; and carrying out what the collector wants
//! done, which is handed on ([`Orders`]).

pub(crate) mod channel;
pub mod credentials;
pub mod enrolment;
mod failure;
pub(crate) mod meeting;
mod orders;
mod session;
mod witness;

use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::convert::{MAX_MESSAGE_BYTES, ReceivingMailbox};
use mailsonde_proto::time::Instant;
use mailsonde_proto::vantage::random_bytes;
use mailsonde_proto::wire::uplink_client::UplinkClient;
use mailsonde_proto::{Check, Clock, SenderKey, VantagePoint, WallTime};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::backoff::Backoff;
use crate::config::CollectorConfig;
use crate::net::Net;
use crate::offset::Offsets;
use crate::outbox::Outbox;
use credentials::{Credentials, Identity};
use orders::{Desk, desk};
use session::{End, Session};

pub use failure::UplinkError;
pub use orders::{Answers, Orders};

/// How patient the uplink is.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// From Hello to Welcome.
    pub welcome: Duration,
    /// From one heartbeat to the next.
    pub heartbeat: Duration,
    /// Without any answer to what was sent.
    pub silence: Duration,
    /// For the last acknowledgements when the agent ends.
    pub goodbye: Duration,
    /// Between two dials: at least, and at most.
    pub redial: (Duration, Duration),
}

impl Default for Pace {
    fn default() -> Self {
        let s = Duration::from_secs;
        Self {
            welcome: s(15),
            heartbeat: s(10),
            silence: s(60),
            goodbye: s(3),
            redial: (Duration::from_millis(250), s(20)),
        }
    }
}

/// What the agent tells the collector about itself, and which collector that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// Where to dial, and as whom.
    pub collector: CollectorConfig,
    /// Where the agent stands.
    pub vantage_point: VantagePoint,
    /// Everything it is scheduled to run.
    pub checks: Vec<Check>,
    /// By which other agents verify its mail.
    pub signing_key: Option<SenderKey>,
    /// Where mail of other agents may arrive.
    pub mailboxes: Vec<ReceivingMailbox>,
}

/// A warning of one reason is repeated this often while the reason stays.
const REMIND: Duration = Duration::from_secs(600);
/// From one renewal to the next try, whatever became of it: at least this, or a quarter of a short life.
const RENEW_AGAIN: Duration = Duration::from_secs(300);
/// A session that lived so long was no failure.
const LASTING: Duration = Duration::from_secs(10);

/// Sends the outbox to the collector for as long as it runs.
pub struct Uplink {
    outbox: Outbox,
    net: Net,
    clock: Clock,
    pace: Pace,
    announced: watch::Receiver<Announced>,
    clock_error: watch::Sender<Option<u64>>,
    offsets: Offsets,
    desk: Desk,
    begun_at: Instant,
    complaint: Option<Complaint>,
    /// Random, new at every start: two machines with one key are told apart by it.
    instance: u64,
    /// Of the time to renew, 0 to 255: agents that came in together do not ask together.
    jitter: u8,
    /// The collector calls our certificate an old one.
    is_replaced: bool,
    /// A renewal was tried: not again before.
    try_again_at: Option<WallTime>,
}

struct Complaint {
    words: String,
    at: Instant,
    times: u64,
}

impl Uplink {
    /// An uplink for `outbox` that says what `announced` holds, again whenever it changes. Beside it: the bound on
    /// the error of the wall clock in microseconds, where it is known; and what the collector wants done.
    pub fn new(
        outbox: Outbox,
        net: Net,
        clock: Clock,
        announced: watch::Receiver<Announced>,
    ) -> (Self, watch::Receiver<Option<u64>>, Orders) {
        let (clock_error, known) = watch::channel(None);
        let (desk, orders) = desk();
        let uplink = Self {
            outbox,
            net,
            clock,
            pace: Pace::default(),
            announced,
            clock_error,
            offsets: Offsets::default(),
            desk,
            begun_at: clock.monotonic(),
            complaint: None,
            instance: u64::from_le_bytes(random_bytes()).max(1),
            jitter: u8::from_le_bytes(random_bytes()),
            is_replaced: false,
            try_again_at: None,
        };
        (uplink, known, orders)
    }

    /// With other patience.
    #[must_use]
    pub fn with_pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// Sends until told to stop, then what can be sent in a moment, and ends.
    pub async fn run(mut self, stop: CancellationToken) {
        let (least, most) = self.pace.redial;
        let mut backoff = Backoff::new(least, most);
        while !stop.is_cancelled() {
            let begun = self.clock.monotonic();
            let settled = self.settled();
            let collector = self.announced.borrow_and_update().collector.clone();
            match self.attempt(&collector, &stop).await {
                Ok(End::Stopped) => return,
                Ok(End::NextEpoch) => info!("uplink: the next epoch's turn"),
                Ok(End::Elsewhere) => info!("uplink: the collector's address was changed"),
                Ok(End::Renewal) => continue,
                Err(error) => {
                    // its words say so where it is: a newer certificate of ours was used since
                    self.is_replaced = matches!(error, UplinkError::Unauthenticated(_));
                    self.complain(&error);
                }
            }
            let lasted = self.clock.monotonic().saturating_duration_since(begun);
            if lasted >= LASTING || self.settled() > settled {
                backoff.reset();
            }
            let wait = backoff.next(u64::from_le_bytes(random_bytes()));
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(wait) => {}
                // Perhaps the very mistake was mended.
                Ok(()) = self.announced.changed() => {}
            }
        }
    }

    fn settled(&self) -> u64 {
        self.outbox.progress().borrow().settled
    }

    async fn attempt(
        &mut self,
        collector: &CollectorConfig,
        stop: &CancellationToken,
    ) -> Result<End, UplinkError> {
        let (said, outgoing) = Session::queue();
        let net = self.net.clone();
        let dial = async {
            let credentials = self.credentials(collector).await?;
            let (address, name) = (&collector.address, &collector.server_name);
            let opened = channel::open(&net, address, name, credentials.tls).await?;
            Ok::<_, UplinkError>((opened, credentials.identity))
        };
        let dialled = tokio::select! {
            () = stop.cancelled() => return Ok(End::Stopped),
            dialled = Box::pin(dial) => dialled?,
        };
        let ((channel, testimony), identity) = dialled;
        let mut session = Session::new(self, collector.clone(), identity);
        session.greet(&said).await?;
        let mut client = UplinkClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        let within = session.pace().welcome;
        let talk = async {
            let heard = timeout(within, client.stream(outgoing)).await;
            let silent = UplinkError::Silent { what: "answer", within };
            let heard = heard.ok().ok_or(silent)?;
            let heard = heard.map_err(|status| UplinkError::of_status(&status))?;
            session.run(said, heard.into_inner(), stop).await
        };
        Box::pin(talk).await.map_err(|error| error.with(testimony.get()))
    }

    /// The agent's credentials, with a certificate that is renewed when that is due. While the old one is still
    /// valid, a renewal that fails is only told.
    async fn credentials(
        &mut self,
        collector: &CollectorConfig,
    ) -> Result<Credentials, UplinkError> {
        let credentials = load(collector).await?;
        let (identity, now) = (credentials.identity, self.clock.wall());
        if now < identity.not_before {
            return Err(UplinkError::NotYetValid(identity.not_before));
        }
        let is_over = now >= identity.not_after;
        if !is_over && !self.is_replaced && now < self.renew_at(&identity) {
            return Ok(credentials);
        }
        // With a clock that is far ahead even a new certificate looks old: once in a while is enough.
        self.try_again_at = Some(now.plus(RENEW_AGAIN.min(identity.whole() / 8)));
        let shown = if is_over { &credentials.tls_by_key } else { &credentials.tls };
        let renewed =
            enrolment::renew(&self.net, collector, Arc::clone(shown), identity.agent).await;
        match renewed {
            Ok(()) => {
                self.is_replaced = false;
                let renewed = load(collector).await?;
                info!(until = %renewed.identity.not_after, rejoined = is_over, "uplink: a new certificate");
                Ok(renewed)
            }
            Err(error) if is_over => Err(UplinkError::Expired(identity.not_after, Box::new(error))),
            Err(error) => {
                warn!(%error, "uplink: no new certificate yet; the old one is still valid");
                Ok(credentials)
            }
        }
    }

    /// When the certificate that is in use is to be renewed.
    fn renew_at(&self, identity: &Identity) -> WallTime {
        let due = identity.renew_at(self.jitter);
        self.try_again_at.map_or(due, |again| again.max(due))
    }

    /// Warns once of each reason, and again when it has stayed for long.
    fn complain(&mut self, error: &UplinkError) {
        let (words, now) = (error.to_string(), self.clock.monotonic());
        let before = self.complaint.take().filter(|before| before.words == words);
        let (at, times) = match &before {
            Some(before) if now.saturating_duration_since(before.at) < REMIND => {
                (before.at, before.times.saturating_add(1))
            }
            _ => {
                let times = before.as_ref().map_or(1, |before| before.times.saturating_add(1));
                let spooled = self.outbox.accounts().spooled;
                warn!(reason = %words, times, spooled, "uplink: no stream to the collector; observations are kept here");
                (now, times)
            }
        };
        self.complaint = Some(Complaint { words, at, times });
    }
}

async fn load(collector: &CollectorConfig) -> Result<Credentials, UplinkError> {
    let files = collector.clone();
    let loaded = spawn_blocking(move || Credentials::load(&files)).await;
    Ok(loaded.ok().ok_or(UplinkError::OutboxClosed)??)
}

#[cfg(test)]
pub(crate) mod tests;
