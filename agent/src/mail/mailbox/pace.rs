//! When a watcher looks next: pure, so that the budget of 100 commands a round trip can be counted in a
//! test.

use std::collections::VecDeque;
use std::time::Duration;

use mailsonde_proto::time::Instant;

use super::event::Place;

/// So long after a submission it is polled densely; then IDLE is good enough, because half a second
/// that a server holds a notice back is little by then.
const DENSE: Duration = Duration::from_secs(3);
/// The shortest time between two polls.
const SHORTEST_GAP: Duration = Duration::from_millis(4);
/// The same for the junk folder, where nobody expects the message.
const SHORTEST_JUNK_GAP: Duration = Duration::from_millis(20);
/// While a second copy may turn up.
const SETTLING_GAP: Duration = Duration::from_millis(80);
/// Where IDLE is missing, or may be deaf.
const SLOW_GAP: Duration = Duration::from_secs(1);
const SLOW_JUNK_GAP: Duration = Duration::from_secs(3);
/// IDLE is looked after so often while a run waits: it says nothing about absence.
const IDLE_GAP: Duration = Duration::from_secs(2);
/// IDLE is issued again within 9 minutes: RFC 2177 says 29, but some servers drop it near 10.
const LONGEST_IDLE: Duration = Duration::from_secs(9 * 60);
/// Where IDLE is missing and nobody waits.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// From this share of one run on, polls become rare: 100 commands a round trip are the most.
const THRIFTY_FROM: u64 = 80;
const THRIFTY_GAP: Duration = Duration::from_secs(10);
/// A connection with all its steps, when nobody waits for it.
const LONGEST_CONNECTING: Duration = Duration::from_secs(30);
/// Before its deadline a run learns why there is no connection.
const TELLING: Duration = Duration::from_millis(100);

/// How often a mailbox may be looked into by POP3, where each look is a session (RFC 1939 section 8 asks
/// clients for restraint; some servers lock out who comes too often).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionPace {
    /// The shortest time from the beginning of one session to that of the next.
    pub shortest: Duration,
    /// The most sessions that begin within a minute.
    pub per_minute: u16,
}

impl Default for SessionPace {
    fn default() -> Self {
        Self { shortest: Duration::from_millis(250), per_minute: 30 }
    }
}

/// A message that does not come is looked for so rarely in the end.
const LONGEST_SESSION_GAP: Duration = Duration::from_secs(60);
const MINUTE: Duration = Duration::from_secs(60);

impl SessionPace {
    /// When the next session may begin, after those that `began`, in order; `None` when nobody wants one.
    /// Looking for a message leaves one session in each minute to the run that comes next.
    pub(super) fn next(
        &self,
        wanted: &Wanted,
        now: Instant,
        began: &VecDeque<Instant>,
    ) -> Option<Instant> {
        let last = began.back().copied();
        let (gap, most) = if wanted.to_verify {
            (self.shortest, self.per_minute)
        } else if let (true, Some(sent)) = (wanted.waiting > 0, wanted.youngest) {
            let elapsed = now.saturating_duration_since(sent);
            (
                part(elapsed, 6).clamp(self.shortest, LONGEST_SESSION_GAP.max(self.shortest)),
                self.per_minute - 1,
            )
        } else if let Some(since) = wanted.settling.or(wanted.patient) {
            let elapsed = now.saturating_duration_since(since);
            let least = if wanted.settling.is_some() { SETTLING_GAP } else { SLOW_JUNK_GAP };
            let gap = least.max(part(elapsed, 6)).min(LONGEST_SESSION_GAP);
            (gap.max(self.shortest), self.per_minute - 1)
        } else {
            return None;
        };
        let spaced = last.map_or(now, |last| last + gap);
        let of_minute = usize::from(most.max(1));
        let full = began.len().checked_sub(of_minute).and_then(|nth| began.get(nth));
        Some(spaced.max(full.map_or(now, |first| *first + MINUTE)))
    }

    /// Forgets the sessions that count no longer.
    pub(super) fn forget(began: &mut VecDeque<Instant>, now: Instant) {
        while began.len() > 1
            && began.front().is_some_and(|first| now.saturating_duration_since(*first) > MINUTE)
        {
            began.pop_front();
        }
    }
}

/// What the runs want.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Some run has not seen this watcher work since it registered.
    pub(super) to_verify: bool,
    /// Open runs.
    pub(super) open: u32,
    /// When the last of them registered.
    pub(super) newest: Option<Instant>,
    /// Runs whose message is on its way.
    pub(super) waiting: u32,
    /// When the last of those was sent.
    pub(super) youngest: Option<Instant>,
    /// The largest share of commands that one of the waiting runs bears.
    pub(super) largest_share: u64,
    /// When the last message was seen of those whose runs wait for more: a second copy, or a reply.
    pub(super) settling: Option<Instant>,
    /// When the last message was sent of runs that only want to hear if something comes back.
    pub(super) patient: Option<Instant>,
}

/// What a watcher does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// NOOP at this time, or when something changes before it.
    Poll(Instant),
    /// IDLE for so long at most.
    Idle(Duration),
}

/// Decides, for the folder at `place` that was last looked at at `looked`.
pub(super) fn next(
    place: Place,
    has_idle: bool,
    wanted: &Wanted,
    now: Instant,
    looked: Instant,
) -> Next {
    // Where a filter files the message it is expected as eagerly as in INBOX.
    let place = if place == Place::Folder { Place::Inbox } else { place };
    if wanted.to_verify {
        return Next::Poll(now);
    }
    if let (true, Some(sent)) = (wanted.waiting > 0, wanted.youngest) {
        let elapsed = now.saturating_duration_since(sent);
        let is_thrifty = wanted.largest_share >= THRIFTY_FROM;
        if elapsed < DENSE && !is_thrifty {
            return Next::Poll(looked + dense_gap(place, elapsed, wanted.waiting));
        }
        return match (place, has_idle) {
            (Place::Inbox | Place::Folder, true) => Next::Idle(IDLE_GAP.max(part(elapsed, 3))),
            (Place::Junk, true) => Next::Idle(LONGEST_IDLE),
            (Place::Inbox | Place::Folder, false) if is_thrifty => Next::Poll(looked + THRIFTY_GAP),
            (Place::Inbox | Place::Folder, false) => {
                Next::Poll(looked + SLOW_GAP.max(part(elapsed, 8)))
            }
            (Place::Junk, false) => Next::Poll(looked + SLOW_JUNK_GAP.max(part(elapsed, 4))),
        };
    }
    if let Some(seen) = wanted.settling {
        let elapsed = now.saturating_duration_since(seen);
        return Next::Poll(looked + SETTLING_GAP.max(part(elapsed, 8)));
    }
    if let Some(sent) = wanted.patient {
        let elapsed = now.saturating_duration_since(sent);
        return match has_idle {
            true => Next::Idle(IDLE_GAP.max(part(elapsed, 3))),
            false => Next::Poll(looked + SLOW_JUNK_GAP.max(part(elapsed, 4))),
        };
    }
    // Open runs that have not sent yet: leaving IDLE would cost them a round trip at the worst moment.
    if wanted.open > 0 || !has_idle {
        return Next::Poll(looked + KEEPALIVE);
    }
    Next::Idle(LONGEST_IDLE)
}

/// How long a connection may take to come to be, when open runs end at `deadline` at the latest. They
/// must still learn in which phase it failed; and they can go on without the junk folder, so that one
/// leaves them most of their time.
pub(super) fn connecting(place: Place, now: Instant, deadline: Option<Instant>) -> Duration {
    let Some(deadline) = deadline else { return LONGEST_CONNECTING };
    let left = deadline.saturating_duration_since(now);
    let share = match place {
        Place::Inbox | Place::Folder => left.saturating_sub(TELLING),
        Place::Junk => left / 3,
    };
    share.min(LONGEST_CONNECTING)
}

/// 4 ms and an eighth of what has passed; with several runs a fraction of it, for they share the cost.
fn dense_gap(place: Place, elapsed: Duration, waiting: u32) -> Duration {
    let sharers = waiting.clamp(1, 10);
    match place {
        Place::Inbox | Place::Folder => SHORTEST_GAP + part(elapsed, 8 * sharers),
        Place::Junk => SHORTEST_JUNK_GAP + part(elapsed, 4 * sharers),
    }
}

fn part(whole: Duration, parts: u32) -> Duration {
    whole / parts
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::Clock;

    use super::*;

    /// Commands that one lonely run costs on one folder until `timeout`, with a round trip of `rtt`.
    fn cost(place: Place, has_idle: bool, timeout: Duration, rtt: Duration) -> u64 {
        let start = Clock::system().monotonic();
        let (mut now, mut looked, mut spent) = (start, start, 0);
        while now < start + timeout {
            let wanted = Wanted {
                open: 1,
                waiting: 1,
                youngest: Some(start),
                largest_share: spent,
                ..Wanted::default()
            };
            match next(place, has_idle, &wanted, now, looked) {
                Next::Poll(at) => {
                    looked = at.max(now);
                    now = looked + rtt;
                    spent += 1;
                }
                // IDLE, and the NOOP after it.
                Next::Idle(most) => {
                    now += most + rtt;
                    looked = now;
                    spent += 2;
                }
            }
        }
        spent
    }

    #[test]
    fn a_message_that_never_comes_costs_at_most_a_hundred_commands() {
        // Besides the polls: a NOOP to verify and a few commands of clean-up on each.
        for (has_idle, timeout_s, rtt_us) in [
            (true, 60, 300),
            (true, 60, 40_000),
            (true, 300, 300),
            (false, 60, 300),
            (false, 30, 300),
        ] {
            let (timeout, rtt) = (Duration::from_secs(timeout_s), Duration::from_micros(rtt_us));
            let inbox = cost(Place::Inbox, has_idle, timeout, rtt);
            let junk = cost(Place::Junk, has_idle, timeout, rtt);
            assert!(inbox + junk <= 94, "{has_idle} {timeout_s} s: {inbox} + {junk}");
            assert!(inbox >= 30, "{inbox}");
        }
    }

    /// Sessions that a lonely run costs until `timeout`: when they begin, in milliseconds.
    fn sessions(pace: SessionPace, timeout_s: u64) -> Vec<u128> {
        let start = Clock::system().monotonic();
        let (mut now, mut began, mut all) = (start, VecDeque::from([start]), Vec::new());
        let wanted = Wanted { open: 1, waiting: 1, youngest: Some(start), ..Wanted::default() };
        while now < start + Duration::from_secs(timeout_s) {
            let next = pace.next(&wanted, now, &began).unwrap();
            if next <= now {
                began.push_back(now);
                all.push(now.duration_since(start).as_millis());
                SessionPace::forget(&mut began, now);
                now += Duration::from_millis(20);
            } else {
                now = next;
            }
        }
        all
    }

    #[test]
    fn sessions_are_dense_at_first_and_never_more_than_allowed() {
        let usual = SessionPace::default();
        let begun = sessions(usual, 300);
        assert_eq!(begun[..4], [250, 500, 750, 1000], "{begun:?}");
        let within_a_minute = begun.iter().filter(|ms| **ms < 60_000).count();
        assert!((25..=30).contains(&within_a_minute), "{within_a_minute}: {begun:?}");
        for per_minute in [2, 6, 30] {
            let pace = SessionPace { per_minute, ..usual };
            let begun = sessions(pace, 300);
            for (index, first) in begun.iter().enumerate() {
                let in_minute = begun[index..].iter().filter(|ms| **ms < first + 60_000).count();
                assert!(in_minute < usize::from(per_minute), "{per_minute}: {begun:?}");
            }
        }
        let slow = SessionPace { shortest: Duration::from_secs(120), ..usual };
        assert_eq!(sessions(slow, 300), [120_000, 240_000]);
    }

    #[test]
    fn nobody_looks_by_pop3_when_nobody_waits_and_whoever_registers_has_a_look_left() {
        let now = Clock::system().monotonic();
        let pace = SessionPace { per_minute: 3, ..SessionPace::default() };
        let began = VecDeque::from([now, now]);
        assert_eq!(pace.next(&Wanted { open: 1, ..Wanted::default() }, now, &began), None);
        let to_verify = Wanted { to_verify: true, open: 1, ..Wanted::default() };
        assert_eq!(pace.next(&to_verify, now, &VecDeque::new()), Some(now));
        assert_eq!(pace.next(&to_verify, now, &began), Some(now + pace.shortest));
        let waiting = Wanted { waiting: 1, youngest: Some(now), open: 1, ..Wanted::default() };
        assert_eq!(pace.next(&waiting, now, &began), Some(now + MINUTE));
    }

    #[test]
    fn a_connection_fails_before_the_run_that_waits_for_it() {
        let now = Clock::system().monotonic();
        let in_3_s = Some(now + Duration::from_secs(3));
        for (place, deadline, expected_ms) in [
            (Place::Inbox, None, 30_000),
            (Place::Inbox, in_3_s, 2_900),
            (Place::Junk, in_3_s, 1_000),
            (Place::Inbox, Some(now + Duration::from_secs(300)), 30_000),
            (Place::Inbox, Some(now), 0),
        ] {
            let expected = Duration::from_millis(expected_ms);
            assert_eq!(connecting(place, now, deadline), expected, "{place:?} {deadline:?}");
        }
    }

    #[test]
    fn it_looks_at_once_when_a_run_wants_to_see_it_work() {
        let now = Clock::system().monotonic();
        let wanted = Wanted { to_verify: true, open: 1, ..Wanted::default() };
        assert_eq!(next(Place::Junk, true, &wanted, now, now), Next::Poll(now));
    }

    #[test]
    fn nobody_waiting_means_idle_or_a_rare_poll() {
        let now = Clock::system().monotonic();
        let nobody = Wanted::default();
        assert_eq!(next(Place::Inbox, true, &nobody, now, now), Next::Idle(LONGEST_IDLE));
        assert_eq!(next(Place::Inbox, false, &nobody, now, now), Next::Poll(now + KEEPALIVE));
    }

    #[test]
    fn gaps_grow_with_what_has_passed_and_shrink_with_company() {
        let at = |ms| Duration::from_millis(ms);
        assert_eq!(dense_gap(Place::Inbox, at(0), 1), at(4));
        assert_eq!(dense_gap(Place::Inbox, at(80), 1), at(14));
        assert_eq!(dense_gap(Place::Inbox, at(800), 50), at(14));
        assert!(dense_gap(Place::Junk, at(80), 1) > dense_gap(Place::Inbox, at(80), 1));
    }
}
