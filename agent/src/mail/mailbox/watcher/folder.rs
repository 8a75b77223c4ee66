//! A folder that a check names, which may not be there yet.

use std::time::Duration;

use mailsonde_proto::FaultClass;
use tokio::time::sleep_until;

use super::{FolderState, Watcher};
use crate::mail::failure::Failure;
use crate::mail::imap::{self, Selected, Session};

/// Pauses between looks whether a folder has come to be.
const FIRST_LOOK: Duration = Duration::from_millis(20);
const LONGEST_LOOK: Duration = Duration::from_secs(5);

impl Watcher {
    /// A folder that a filter files into may come to be with the first message in it. It is not made here:
    /// then nobody would see that the filter cannot file.
    pub(super) async fn select_when_it_is_there(
        &mut self,
        session: &mut Session,
        folder: &str,
    ) -> Result<Selected, Failure> {
        let mut pause = FIRST_LOOK;
        loop {
            self.changes.mark_unchanged();
            let asked = self.clock.monotonic();
            match session.select(folder).await {
                Err(failure) if failure.fault.class == FaultClass::Permanent => {}
                selected_or_lost => return selected_or_lost,
            }
            session.keep();
            self.absent = Some(asked);
            self.board.spent(1);
            self.state.send_replace(FolderState::Absent);
            let is_wanted = self.wanted(None).waiting > 0;
            pause = if is_wanted { (pause * 5 / 4).min(LONGEST_LOOK) } else { LONGEST_LOOK };
            let until = self.clock.monotonic() + pause;
            tokio::select! {
                () = sleep_until(until) => {}
                () = self.shutdown.cancelled() => {
                    let words = "the agent ends";
                    return Err(Failure::new(imap::name::SELECT, FaultClass::Unknown, words));
                }
                _changed = self.changes.changed() => pause = FIRST_LOOK,
            }
        }
    }
}
