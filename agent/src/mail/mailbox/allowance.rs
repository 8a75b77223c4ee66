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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mailsonde_proto::Clock;

    use super::*;
    use crate::config::MailboxConfig;

    #[test]
    fn what_the_provider_does_not_take_is_not_sent() {
        let mut mailbox = MailboxConfig::stand_in("main").settings;
        let (allowance, start) = (Allowance::default(), Clock::system().monotonic());
        assert!((0..100).all(|_| allowance.take(&mailbox, start).is_ok()), "nothing is known");
        mailbox.habits.most_messages = Some((2, Duration::from_secs(60)));
        let at = |s| allowance.take(&mailbox, start + Duration::from_secs(s));
        assert!(at(0).is_ok() && at(30).is_ok());
        assert_eq!(
            at(59).unwrap_err().to_string(),
            "mailbox.provider: the provider of mailbox main accepts 2 messages in 60 s, and so many were sent"
        );
        assert!(at(60).is_ok());
        assert!(at(89).is_err() && at(90).is_ok());
    }
}
