//! How much the provider of a mailbox takes: what is over it is not sent, because the refusal would tell of our
//! own doing, and many of them would have the mailbox blocked.

use std::sync::{Mutex, PoisonError};

use mailsonde_proto::time::Instant;

use super::MailboxSettings;
use crate::policy::{Refusal, Rule, Window};

/// What was handed in lately.
#[derive(Default)]
pub(super) struct Allowance(Mutex<Window>);

impl Allowance {
    /// One more message.
    ///
    /// # Errors
    /// When it would be one too many; then nothing was taken.
    pub(super) fn take(&self, mailbox: &MailboxSettings, now: Instant) -> Result<(), Refusal> {
        let Some((most, period)) = mailbox.habits.most_messages else { return Ok(()) };
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if window.has_room(now, 1, (u64::from(most), period)) {
            window.take(now, 1);
            return Ok(());
        }
        let words = format!(
            "the provider of mailbox {} accepts {most} messages in {} s, and so many were sent",
            mailbox.name,
            period.as_secs()
        );
        Err(Refusal::new(Rule::Provider, words))
    }
}
