//! The places between two writes to the disk, where a crash may happen: tests stop there.

use super::Error;

/// Lets a number of steps go by, and then no more; outside tests all of them.
#[derive(Debug, Default)]
pub(super) struct Steps {
    #[cfg(test)]
    left: std::sync::Mutex<Option<u32>>,
}

impl Steps {
    /// One more step was done.
    #[cfg(not(test))]
    #[allow(clippy::unnecessary_wraps, clippy::unused_self, reason = "tests return an error here")]
    pub(super) fn done(&self) -> Result<(), Error> {
        Ok(())
    }

    /// One more step was done.
    #[cfg(test)]
    pub(super) fn done(&self) -> Result<(), Error> {
        let mut left = self.left.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match left.as_mut() {
            None => Ok(()),
            Some(0) => Err(Error::Stopped),
            Some(some) => {
                *some -= 1;
                Ok(())
            }
        }
    }

    /// Stops after `steps` more.
    #[cfg(test)]
    pub(super) fn stop_after(&self, steps: u32) {
        *self.left.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(steps);
    }
}
