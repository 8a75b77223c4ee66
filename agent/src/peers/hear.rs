//! What the other agents say, and when they saw what they say they saw.

use std::sync::Arc;
use std::time::Duration;

use mailsonde_proto::convert::{Crossing, CrossingWord, Seen};
use mailsonde_proto::time::Instant;
use tokio::sync::mpsc;

use super::{Peers, Standing};
use crate::mail::mailbox::{Arrival, Arrived, Place, Told};
use crate::mail::message::Body;
use crate::offset::Offsets;
use crate::probe::Amendment;

impl Peers {
    /// The other end of a mail said something, heard at `now`; `offsets` are to the collector's clock. What comes of it
    /// for a run that is over, and where to tell that.
    pub fn heard(
        &self,
        said: Crossing,
        offsets: &Offsets,
        now: Instant,
    ) -> Option<(mpsc::Sender<Amendment>, Amendment)> {
        let Crossing { peer, run, word } = said;
        let mut state = self.0.lock();
        let Some(open) = state.open.get_mut(&run).filter(|open| open.peer == peer) else {
            let CrossingWord::Seen(seen) = word else { return None };
            let token = state.closed.missed(run)?;
            let amendment = state.closed.saw(&token, &arrival(*seen, offsets, now))?;
            return Some((state.amendments.clone()?, amendment));
        };
        match word {
            CrossingWord::Seen(seen) if open.arrival.is_none() => {
                open.arrival = Some(arrival(*seen, offsets, now));
            }
            CrossingWord::Ready => open.standing = Standing::Ready,
            CrossingWord::Unready(why) => open.standing = Standing::Unready(why),
            CrossingWord::Unseen => open.standing = Standing::Unseen,
            CrossingWord::Seen(_)
            | CrossingWord::Expect(_)
            | CrossingWord::Over
            | CrossingWord::Unknown => {}
        }
        open.bell.notify_one();
        None
    }
}

/// The error is that of both clocks, and the time in which nobody looked.
fn arrival(seen: Seen, offsets: &Offsets, now: Instant) -> Arrival {
    let at = seen.at.and_then(|at| {
        let (first_seen, error_us) = offsets.here(at.first_seen, now)?;
        let clocks = Duration::from_micros(error_us.saturating_add(at.clock_error_us));
        // It cannot have been seen after it was told.
        Some((first_seen.min(now), at.interval.saturating_add(clocks)))
    });
    let (first_seen, uncertainty) = match at {
        Some((first_seen, uncertainty)) => (first_seen, Some(uncertainty)),
        None => (now, None),
    };
    let last_absent = uncertainty.and_then(|error| first_seen.checked_sub(error));
    Arrival {
        protocol: "imap",
        place: if seen.place == Place::Junk.as_str() { Place::Junk } else { Place::Inbox },
        folder: seen.folder,
        uid: String::new(),
        first_seen,
        last_absent: last_absent.unwrap_or(first_seen),
        stored: None,
        bytes: seen.bytes,
        body: match seen.body.as_str() {
            "same" => Body::Same,
            "reencoded" => Body::Reencoded,
            "altered" => Body::Altered,
            _ => Body::Unknown,
        },
        message: Arc::new(Arrived { headers: seen.headers, whole: None }),
        told: Some(Told { heard: now, uncertainty }),
    }
}
