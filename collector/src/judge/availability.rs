//! Availability as an interval, and the slots that it needs: expected, observed, missed.
//!
//! Unknown is never up: a slot without an observation is void (missed). It is not stored but derived from
//! the definitions of a check as they were announced, so that an observation that comes late takes it
//! back, in whatever order things arrive.

use std::time::Duration;

use mailsonde_proto::time::as_us;
use mailsonde_proto::{Check, SettingsDigest, WallTime};
use prost::Message;

use crate::judge::rollup::Counts;

/// How long after its timeout a run may take to reach the collector before its slot is missed.
pub const GRACE: Duration = Duration::from_secs(30);

/// How often a service worked, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Availability {
    /// Were every void run a failure: pass / all.
    pub lower: f64,
    /// Were every void run a pass: (pass + void) / all.
    pub upper: f64,
    /// The share of slots that have a verdict: (pass + fail) / all.
    pub coverage: f64,
}

/// The availability that counts and expected slots amount to; `None` when nothing was expected or seen.
///
/// ```text
/// lower = pass / all    upper = (pass + void) / all    all = pass + fail + void + missed
/// ```
pub fn availability(counts: &Counts, missed: u64) -> Option<Availability> {
    let all = counts.observed().saturating_add(missed);
    if all == 0 {
        return None;
    }
    let void = counts.void.saturating_add(missed);
    Some(Availability {
        lower: share(counts.pass, all),
        upper: share(counts.pass.saturating_add(void), all),
        coverage: share(counts.pass.saturating_add(counts.fail), all),
    })
}

/// The slots of one bucket that have no observation.
///
/// Sum this over buckets: slots of one bucket observed twice must not hide a slot missed in another.
pub fn missed(expected: u64, counts: &Counts) -> u64 {
    expected.saturating_sub(counts.observed())
}

/// The end of the time whose slots must have been observed by `now`: whole minutes only, so that young
/// slots of a minute cannot stand in for missed ones.
pub fn horizon(now: WallTime, timeout: Duration) -> WallTime {
    let sure = now.minus(timeout).minus(GRACE);
    WallTime::from_s(sure.as_ns().div_euclid(60_000_000_000) * 60)
}

/// When a check was to run: every definition its agent announced, in order.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Schedule {
    spans: Vec<Span>,
}

/// One definition and the time it held for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// From when on.
    pub from: WallTime,
    /// Until when; `None` while it holds.
    pub until: Option<WallTime>,
    /// As announced.
    pub check: Check,
}

impl Schedule {
    /// Every definition there was, oldest first.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The definition that holds now.
    pub fn current(&self) -> Option<&Check> {
        self.spans.last().filter(|span| span.until.is_none()).map(|span| &span.check)
    }

    /// The definition that held at a time.
    pub fn at(&self, at: WallTime) -> Option<&Check> {
        let held = self.spans.iter().rev().find(|span| span.from <= at)?;
        held.until.is_none_or(|until| at < until).then_some(&held.check)
    }

    /// The agent announced `check` at `at`; nothing changes when it holds already.
    pub fn announce(&mut self, at: WallTime, check: &Check) {
        if self.current() == Some(check) {
            return;
        }
        self.withdraw(at);
        self.spans.push(Span { from: at, until: None, check: check.clone() });
    }

    /// The agent no longer has the check from `at` on.
    pub fn withdraw(&mut self, at: WallTime) {
        if let Some(span) = self.spans.last_mut() {
            span.until.get_or_insert(at);
        }
    }

    /// How many slots there were at or after `from` and before `until`.
    pub fn expected(&self, from: WallTime, until: WallTime) -> u64 {
        self.spans.iter().fold(0, |sum, span| {
            let end = span.until.map_or(until, |end| end.min(until));
            let start = span.from.max(from);
            if start < end { sum.saturating_add(span.check.slots_between(start, end)) } else { sum }
        })
    }

    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        let spans = self.spans.iter().map(SpanRecord::of).collect();
        ScheduleRecord { spans }.encode_to_vec()
    }

    /// From bytes; what cannot be read is left out.
    pub fn decode(bytes: &[u8]) -> Self {
        let record = ScheduleRecord::decode(bytes).unwrap_or_default();
        Self { spans: record.spans.iter().map(SpanRecord::span).collect() }
    }
}

#[derive(Clone, PartialEq, Message)]
struct ScheduleRecord {
    #[prost(message, repeated, tag = "1")]
    spans: Vec<SpanRecord>,
}

#[derive(Clone, PartialEq, Message)]
struct SpanRecord {
    #[prost(sfixed64, tag = "1")]
    from_ns: i64,
    #[prost(sfixed64, optional, tag = "2")]
    until_ns: Option<i64>,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(string, tag = "4")]
    kind: String,
    #[prost(uint64, tag = "5")]
    cadence_us: u64,
    #[prost(uint64, tag = "6")]
    timeout_us: u64,
    #[prost(uint64, tag = "7")]
    slot_offset_us: u64,
    #[prost(bytes = "vec", tag = "8")]
    settings_digest: Vec<u8>,
}

impl SpanRecord {
    fn of(span: &Span) -> Self {
        Self {
            from_ns: span.from.as_ns(),
            until_ns: span.until.map(WallTime::as_ns),
            name: span.check.name.clone(),
            kind: span.check.kind.clone(),
            cadence_us: as_us(span.check.cadence),
            timeout_us: as_us(span.check.timeout),
            slot_offset_us: as_us(span.check.slot_offset),
            settings_digest: span.check.settings_digest.0.to_vec(),
        }
    }

    fn span(&self) -> Span {
        let digest = self.settings_digest.as_slice().try_into().unwrap_or_default();
        Span {
            from: WallTime::from_ns(self.from_ns),
            until: self.until_ns.map(WallTime::from_ns),
            check: Check {
                name: self.name.clone(),
                kind: self.kind.clone(),
                cadence: Duration::from_micros(self.cadence_us),
                timeout: Duration::from_micros(self.timeout_us),
                slot_offset: Duration::from_micros(self.slot_offset_us),
                settings_digest: SettingsDigest(digest),
            },
        }
    }
}

/// `part / all`, exact to a thousand-millionth; there is no loss-free way from `u64` to `f64`.
fn share(part: u64, all: u64) -> f64 {
    let scaled = u128::from(part) * 1_000_000_000 / u128::from(all.max(1));
    f64::from(u32::try_from(scaled).unwrap_or(u32::MAX)) / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every(cadence_s: u64) -> Check {
        Check {
            name: "mail".into(),
            kind: "round-trip".into(),
            cadence: Duration::from_secs(cadence_s),
            timeout: Duration::from_secs(45),
            slot_offset: Duration::from_secs(7),
            settings_digest: SettingsDigest([9; 16]),
        }
    }

    #[test]
    fn the_interval_widens_by_what_is_unknown() {
        for (pass, fail, void, missed, expected) in [
            (0, 0, 0, 0, None),
            (10, 0, 0, 0, Some((1.0, 1.0, 1.0))),
            (7, 0, 0, 3, Some((0.7, 1.0, 0.7))),
            (5, 1, 2, 2, Some((0.5, 0.9, 0.6))),
            (0, 0, 0, 4, Some((0.0, 1.0, 0.0))),
            (0, 4, 0, 0, Some((0.0, 0.0, 1.0))),
        ] {
            let counts = Counts { pass, fail, void, ..Counts::default() };
            let found = availability(&counts, missed).map(|a| (a.lower, a.upper, a.coverage));
            assert_eq!(found, expected, "{pass} {fail} {void} {missed}");
        }
    }

    #[test]
    fn slots_are_expected_by_the_definition_that_held() {
        let mut schedule = Schedule::default();
        schedule.announce(WallTime::from_s(600), &every(60));
        schedule.announce(WallTime::from_s(700), &every(60)); // the same again: nothing changes
        schedule.announce(WallTime::from_s(1_200), &every(10));
        schedule.withdraw(WallTime::from_s(1_260));
        schedule.withdraw(WallTime::from_s(9_000)); // long gone
        for (from, until, expected) in [
            (0, 600, 0),
            (0, 1_200, 10),
            (1_200, 1_260, 6),
            (0, 90_000, 16),
            (607, 608, 1),
            (900, 100, 0),
        ] {
            let found = schedule.expected(WallTime::from_s(from), WallTime::from_s(until));
            assert_eq!(found, expected, "{from}..{until}");
        }
        assert_eq!(schedule.spans().len(), 2);
        assert_eq!(schedule.current(), None);
        assert_eq!(Schedule::decode(&schedule.encode()), schedule);
    }

    #[test]
    fn the_horizon_ends_with_a_whole_minute() {
        let at = horizon(WallTime::from_s(1_000), Duration::from_secs(30));
        assert_eq!(at, WallTime::from_s(900));
    }

    #[test]
    fn any_bytes_give_a_schedule() {
        assert_eq!(Schedule::decode(&[0xff; 40]), Schedule::default());
    }
}
