//! How fast an objective's budget is spent, by the multiwindow rules of Google's SRE workbook (chapter 5, 'Alerting on
//! SLOs'): a rule fires when both its long and its short window spend faster than its factor.
//!
//! At one run a minute and 99.9 % a single failure burns an hour at 16.7 times: so there must be evidence beside the
//! rate, three failures or two voices. Memory is bounded: 5-minute buckets for 6 hours, hours for 3 days; a window looks
//! back at least its length and at most one bucket more. What comes later than the buckets reach is not taken in.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use mailsonde_proto::WallTime;
use prost::Message;

use super::definition::Share;

/// Failures in the long window that are evidence enough.
pub const LEAST_FAILURES: u64 = 3;
/// Voices that fail at the moment and are evidence enough.
pub const LEAST_VOICES: usize = 2;

/// The length of a fine bucket: a window looks back at most so much further than its length.
pub const FINE: Duration = Duration::from_secs(300);
const COARSE: Duration = Duration::from_secs(3_600);
/// Six hours and one, and three days and one: the bucket that is under way stands beside the whole ones.
const BUCKETS: usize = 73;

/// Which rule fires, the fastest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BurnRule {
    /// 14.4 times over 1 h and 5 min: 2 % of a 30-day budget in an hour.
    Fast,
    /// 6 times over 6 h and 30 min: 5 % in six hours.
    Steady,
    /// 3 times over 1 d and 2 h: 10 % in a day.
    Slow,
    /// Just as fast as it may, over 3 d and 6 h.
    Creeping,
}

impl BurnRule {
    /// All of them, the fastest first.
    pub const ALL: [Self; 4] = [Self::Fast, Self::Steady, Self::Slow, Self::Creeping];

    /// Its factor, in thousandths.
    pub const fn factor_milli(self) -> u64 {
        match self {
            Self::Fast => 14_400,
            Self::Steady => 6_000,
            Self::Slow => 3_000,
            Self::Creeping => 1_000,
        }
    }

    /// Its long and its short window.
    pub const fn windows(self) -> (Duration, Duration) {
        match self {
            Self::Fast => (minutes(60), minutes(5)),
            Self::Steady => (minutes(360), minutes(30)),
            Self::Slow => (minutes(1_440), minutes(120)),
            Self::Creeping => (minutes(4_320), minutes(360)),
        }
    }

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Steady => "steady",
            Self::Slow => "slow",
            Self::Creeping => "creeping",
        }
    }
}

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

/// How fast both windows of a rule spend: 1,000 is just as fast as the target allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Which rule.
    pub rule: BurnRule,
    /// Over the long window, in thousandths; `None` when nothing was counted in it.
    pub long_milli: Option<u64>,
    /// Over the short window.
    pub short_milli: Option<u64>,
    /// What failed in the long window.
    pub failures: u64,
}

/// What was good and bad lately, of one objective.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Burn {
    fine: Ring,
    coarse: Ring,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bucket {
    good: u64,
    bad: u64,
}

/// The newest buckets, the newest last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Ring {
    /// The number of the newest, counted from 1970-01-01 UTC.
    newest: u64,
    buckets: VecDeque<Bucket>,
}

impl Burn {
    /// Counts what was good and bad at a time.
    pub fn add(&mut self, at: WallTime, good: u64, bad: u64) {
        self.fine.add(number(at, FINE), good, bad);
        self.coarse.add(number(at, COARSE), good, bad);
    }

    /// How fast each rule's windows spend at `now`.
    pub fn rates(&self, target: Share, now: WallTime) -> [Rate; 4] {
        BurnRule::ALL.map(|rule| {
            let (long, short) = rule.windows();
            let (long, short) = (self.sum(long, now), self.sum(short, now));
            let (long_milli, short_milli) = (long.rate_milli(target), short.rate_milli(target));
            Rate { rule, long_milli, short_milli, failures: long.bad }
        })
    }

    /// The fastest rule that fires at `now`, when so many voices fail at the moment.
    pub fn verdict(&self, target: Share, now: WallTime, failing_voices: usize) -> Option<BurnRule> {
        let fires = |rate: &Rate| {
            let exceeds = |milli: Option<u64>| milli.is_some_and(|m| m > rate.rule.factor_milli());
            let is_evident = rate.failures >= LEAST_FAILURES || failing_voices >= LEAST_VOICES;
            is_evident && exceeds(rate.long_milli) && exceeds(rate.short_milli)
        };
        self.rates(target, now).iter().find(|rate| fires(rate)).map(|rate| rate.rule)
    }

    fn sum(&self, window: Duration, now: WallTime) -> Bucket {
        let (ring, length) = match window {
            _ if window <= FINE * 72 => (&self.fine, FINE),
            _ => (&self.coarse, COARSE),
        };
        ring.sum(number(now, length), window.as_secs() / length.as_secs().max(1))
    }
}

impl Bucket {
    /// How fast this spends, in thousandths of what the target allows.
    fn rate_milli(self, target: Share) -> Option<u64> {
        let all = self.good.saturating_add(self.bad);
        if all == 0 {
            return None;
        }
        let allowed_ppm = 1_000_000_u32.saturating_sub(target.ppm());
        let allowed = u128::from(all) * u128::from(allowed_ppm);
        match (u128::from(self.bad) * 1_000_000_000).checked_div(allowed) {
            Some(milli) => Some(u64::try_from(milli).unwrap_or(u64::MAX)),
            None if self.bad == 0 => Some(0),
            None => Some(u64::MAX), // nothing may fail
        }
    }
}

impl Ring {
    fn add(&mut self, number: u64, good: u64, bad: u64) {
        if self.buckets.is_empty() {
            self.newest = number;
            self.buckets.push_back(Bucket::default());
        }
        let ahead = usize::try_from(number.saturating_sub(self.newest)).unwrap_or(usize::MAX);
        if ahead >= BUCKETS {
            self.buckets.clear();
            self.buckets.push_back(Bucket::default());
        } else {
            self.buckets.extend(std::iter::repeat_n(Bucket::default(), ahead));
        }
        self.newest = self.newest.max(number);
        while self.buckets.len() > BUCKETS {
            self.buckets.pop_front();
        }
        let back = usize::try_from(self.newest.saturating_sub(number)).unwrap_or(usize::MAX);
        if back >= BUCKETS {
            return; // no window reaches it
        }
        while self.buckets.len() <= back {
            self.buckets.push_front(Bucket::default());
        }
        let at = self.buckets.len().saturating_sub(back.saturating_add(1));
        if let Some(bucket) = self.buckets.get_mut(at) {
            bucket.good = bucket.good.saturating_add(good);
            bucket.bad = bucket.bad.saturating_add(bad);
        }
    }

    /// The bucket that is under way at `now`, and so many before it.
    fn sum(&self, now: u64, whole: u64) -> Bucket {
        let mut sum = Bucket::default();
        for (back, bucket) in (0_u64..).zip(self.buckets.iter().rev()) {
            let number = self.newest.saturating_sub(back);
            if number <= now && now - number <= whole {
                sum.good = sum.good.saturating_add(bucket.good);
                sum.bad = sum.bad.saturating_add(bucket.bad);
            }
        }
        sum
    }
}

fn number(at: WallTime, length: Duration) -> u64 {
    let seconds = u64::try_from(at.as_ns().div_euclid(1_000_000_000)).unwrap_or(0);
    seconds / length.as_secs().max(1)
}

/// What is known of every objective of one service, by the objective's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Burns(pub BTreeMap<String, Burn>);

#[derive(Clone, PartialEq, Message)]
struct BurnsRecord {
    #[prost(btree_map = "string, message", tag = "1")]
    burns: BTreeMap<String, BurnRecord>,
}

#[derive(Clone, PartialEq, Message)]
struct BurnRecord {
    #[prost(message, optional, tag = "1")]
    fine: Option<RingRecord>,
    #[prost(message, optional, tag = "2")]
    coarse: Option<RingRecord>,
}

#[derive(Clone, PartialEq, Message)]
struct RingRecord {
    #[prost(uint64, tag = "1")]
    newest: u64,
    #[prost(uint64, repeated, tag = "2")]
    good: Vec<u64>,
    #[prost(uint64, repeated, tag = "3")]
    bad: Vec<u64>,
}

impl Burns {
    /// As bytes; equal ones have equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        let record = |ring: &Ring| RingRecord {
            newest: ring.newest,
            good: ring.buckets.iter().map(|bucket| bucket.good).collect(),
            bad: ring.buckets.iter().map(|bucket| bucket.bad).collect(),
        };
        let burns = self.0.iter().map(|(name, Burn { fine, coarse })| {
            let burn = BurnRecord { fine: Some(record(fine)), coarse: Some(record(coarse)) };
            (name.clone(), burn)
        });
        BurnsRecord { burns: burns.collect() }.encode_to_vec()
    }

    /// From bytes; what cannot be read is left out.
    pub fn decode(bytes: &[u8]) -> Self {
        let ring = |record: Option<RingRecord>| {
            let RingRecord { newest, good, bad } = record.unwrap_or_default();
            let buckets = good.into_iter().zip(bad).map(|(good, bad)| Bucket { good, bad });
            Ring { newest, buckets: buckets.take(BUCKETS).collect() }
        };
        let record = BurnsRecord::decode(bytes).unwrap_or_default();
        let burns = record
            .burns
            .into_iter()
            .map(|(name, burn)| (name, Burn { fine: ring(burn.fine), coarse: ring(burn.coarse) }));
        Self(burns.collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TARGET: Share = Share::from_ppm(999_000);

    fn at(minute: u64) -> WallTime {
        WallTime::from_s(1_800_000_000).plus(Duration::from_secs(60 * minute))
    }

    /// A run a minute; those fail that `fails` says.
    fn burn(minutes: u64, fails: impl Fn(u64) -> bool) -> Burn {
        let mut burn = Burn::default();
        for minute in 0..minutes {
            let bad = u64::from(fails(minute));
            burn.add(at(minute), 1 - bad, bad);
        }
        burn
    }

    #[test]
    fn a_rule_fires_when_both_windows_exceed_and_there_is_evidence() {
        let day = 1_440;
        for (name, burn, voices, expected) in [
            ("all well", burn(4 * day, |_| false), 0, None),
            ("a single failure is no evidence", burn(day, |m| m == day - 1), 1, None),
            ("two voices are", burn(day, |m| m == day - 1), 2, Some(BurnRule::Fast)),
            ("three failures are", burn(day, |m| m >= day - 3), 1, Some(BurnRule::Fast)),
            // the short window is over: it is well again
            (
                "well for ten minutes",
                burn(day, |m| (day - 20..day - 10).contains(&m)),
                1,
                Some(BurnRule::Steady),
            ),
            (
                "well for two hours",
                burn(day, |m| (day - 260..day - 200).contains(&m)),
                1,
                Some(BurnRule::Creeping),
            ),
            ("one of a hundred", burn(4 * day, |m| m % 100 == 99), 1, Some(BurnRule::Slow)),
            ("one of 250", burn(4 * day, |m| m % 250 == 240), 1, Some(BurnRule::Slow)),
            ("one of 400", burn(4 * day, |m| m % 400 == 300), 1, Some(BurnRule::Creeping)),
            ("one of 2,000", burn(4 * day, |m| m % 2_000 == 300), 1, None),
        ] {
            let last =
                at(if name.contains("days") || name.starts_with("one of") || name == "all well" {
                    4 * day
                } else {
                    day
                } - 1);
            assert_eq!(
                burn.verdict(TARGET, last, voices),
                expected,
                "{name}: {:?}",
                burn.rates(TARGET, last)
            );
        }
    }

    #[test]
    fn of_nothing_there_is_no_rate_and_of_a_target_of_all_any_failure_is_too_fast() {
        let rates = Burn::default().rates(TARGET, at(0));
        assert!(rates.iter().all(|rate| rate.long_milli.is_none() && rate.failures == 0));
        let burn = burn(60, |minute| minute > 56);
        assert_eq!(burn.verdict(Share::ALL, at(59), 0), Some(BurnRule::Fast));
        // a long time after, nothing is left of it
        assert_eq!(burn.verdict(Share::ALL, at(10_000), 5), None);
    }

    proptest! {
        #[test]
        fn order_makes_no_difference(
            mut counted in prop::collection::vec((0..4_000_u64, 0..3_u64, 0..3_u64), 1..80),
            seed in any::<u64>(),
        ) {
            // all of it within three days: none is too late, whatever comes first
            let mut one = Burn::default();
            counted.iter().for_each(|(minute, good, bad)| one.add(at(*minute), *good, *bad));
            let length = u64::try_from(counted.len()).unwrap();
            counted.rotate_left(usize::try_from(seed % length).unwrap());
            counted.reverse();
            let mut other = Burn::default();
            counted.iter().for_each(|(minute, good, bad)| other.add(at(*minute), *good, *bad));
            for now in [4_000, 4_100, 5_000] {
                prop_assert_eq!(one.rates(TARGET, at(now)), other.rates(TARGET, at(now)));
            }
            let burns = Burns([("uptime".to_owned(), one)].into());
            prop_assert_eq!(Burns::decode(&burns.encode()), burns);
        }

        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            Burns::decode(&bytes).0.values().for_each(|burn| assert_eq!(burn.rates(TARGET, at(0)).len(), 4));
        }
    }
}
