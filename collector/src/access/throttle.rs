//! Sign-ins that fail make the next ones wait: by user name and by address.
//!
//! Pure. An attempt is charged before its password is looked at, so that many at once gain nothing; a success
//! takes its charge back. Names count whether there is such a user or not. The delay has a bound, so that nobody
//! can lock a user out for good. Memory has a bound: what failed least often goes first, so that a flood of
//! names does not wash away the name that is being guessed at.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

use mailsonde_proto::time::Instant;

use super::network;

/// So many of one name fail without a wait: people mistype.
const FREE_OF_USER: u32 = 3;
/// So many from one address: an office may have one.
const FREE_OF_ADDRESS: u32 = 10;
/// A name waits no longer: 1,440 guesses a day.
const LONGEST_OF_USER: Duration = Duration::from_secs(60);
/// An address waits no longer.
const LONGEST_OF_ADDRESS: Duration = Duration::from_secs(300);
/// What did not fail for so long is forgotten.
const FORGET: Duration = Duration::from_secs(3_600);
/// Names, and addresses, that are remembered at most.
const MOST: usize = 10_000;

/// Refusals that may be written at once.
const WRITTEN_AT_ONCE: u32 = 20;
/// One more may be written each so long.
const WRITTEN_EVERY: Duration = Duration::from_secs(60);

/// Who failed how often.
pub(super) struct Throttle {
    users: Table<String>,
    addresses: Table<IpAddr>,
    written: Written,
}

/// How often an attempt's name and its address have failed in a row, it included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Charged {
    pub(super) of_user: u32,
    pub(super) of_address: u32,
}

impl Throttle {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            users: Table::new(FREE_OF_USER, LONGEST_OF_USER),
            addresses: Table::new(FREE_OF_ADDRESS, LONGEST_OF_ADDRESS),
            written: Written { left: WRITTEN_AT_ONCE, since: now, unwritten: 0 },
        }
    }

    /// An attempt begins: it counts as failed until it succeeds.
    ///
    /// # Errors
    /// When it has to wait: how long, in whole seconds.
    pub(super) fn begin(
        &mut self,
        user: &str,
        address: IpAddr,
        now: Instant,
    ) -> Result<Charged, Duration> {
        let (user, address) = (user.to_ascii_lowercase(), network(address));
        let wait = self.users.wait(&user, now).max(self.addresses.wait(&address, now));
        if !wait.is_zero() {
            self.written.unwritten = self.written.unwritten.saturating_add(1);
            let whole_s = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            return Err(Duration::from_secs(whole_s));
        }
        let of_user = self.users.charge(user, now);
        Ok(Charged { of_user, of_address: self.addresses.charge(address, now) })
    }

    /// The attempt succeeded.
    pub(super) fn succeeded(&mut self, user: &str, address: IpAddr, now: Instant) {
        self.users.forget(&user.to_ascii_lowercase());
        self.addresses.take_back(&network(address), now);
    }

    /// The attempt failed, and nothing is to be held against anybody: our own fault.
    pub(super) fn not_judged(&mut self, user: &str, address: IpAddr, now: Instant) {
        self.users.take_back(&user.to_ascii_lowercase(), now);
        self.addresses.take_back(&network(address), now);
    }

    /// Whether a refusal, the `failures`th in a row, is to be written to the journal: each power of two, as long
    /// as there are not too many. If so, how many were not since the last that was.
    pub(super) fn write(&mut self, failures: u32, now: Instant) -> Option<u64> {
        self.written.take(failures.is_power_of_two(), now)
    }
}

struct Table<K> {
    free: u32,
    longest: Duration,
    rows: HashMap<K, Row>,
}

struct Row {
    failures: u32,
    last: Instant,
    until: Instant,
}

impl<K: Hash + Eq + Clone> Table<K> {
    fn new(free: u32, longest: Duration) -> Self {
        Self { free, longest, rows: HashMap::new() }
    }

    fn wait(&self, key: &K, now: Instant) -> Duration {
        let row = self.rows.get(key);
        row.map_or(Duration::ZERO, |row| row.until.saturating_duration_since(now))
    }

    fn charge(&mut self, key: K, now: Instant) -> u32 {
        if self.rows.len() >= MOST && !self.rows.contains_key(&key) {
            self.make_room(now);
        }
        let row = self.rows.entry(key).or_insert(Row { failures: 0, last: now, until: now });
        if now.saturating_duration_since(row.last) >= FORGET {
            row.failures = 0;
        }
        row.failures = row.failures.saturating_add(1);
        row.last = now;
        row.until = now + delay(row.failures, self.free, self.longest);
        row.failures
    }

    fn forget(&mut self, key: &K) {
        self.rows.remove(key);
    }

    fn take_back(&mut self, key: &K, now: Instant) {
        if let Some(row) = self.rows.get_mut(key) {
            row.failures = row.failures.saturating_sub(1);
            row.until = now;
            if row.failures == 0 {
                self.rows.remove(key);
            }
        }
    }

    fn make_room(&mut self, now: Instant) {
        self.rows.retain(|_, row| now.saturating_duration_since(row.last) < FORGET);
        if self.rows.len() < MOST {
            return;
        }
        let least = self.rows.iter().min_by_key(|(_, row)| (row.failures, row.last));
        if let Some(key) = least.map(|(key, _)| key.clone()) {
            self.rows.remove(&key);
        }
    }
}

/// After so many failures in a row: 1 s, 2 s, 4 s and so on, once those that are free are used up.
fn delay(failures: u32, free: u32, longest: Duration) -> Duration {
    match failures.checked_sub(free) {
        None | Some(0) => Duration::ZERO,
        Some(over) => {
            let doubled = 1_u32.checked_shl(over - 1).unwrap_or(u32::MAX);
            Duration::from_secs(u64::from(doubled)).min(longest)
        }
    }
}

/// Which refusals go to the journal.
struct Written {
    left: u32,
    since: Instant,
    unwritten: u64,
}

impl Written {
    fn take(&mut self, is_worth_it: bool, now: Instant) -> Option<u64> {
        let passed = now.saturating_duration_since(self.since);
        let more = passed.as_secs() / WRITTEN_EVERY.as_secs();
        if more > 0 {
            self.left = u32::try_from(more).unwrap_or(u32::MAX).saturating_add(self.left);
            self.left = self.left.min(WRITTEN_AT_ONCE);
            self.since = now;
        }
        if is_worth_it && self.left > 0 {
            self.left -= 1;
            return Some(std::mem::take(&mut self.unwritten));
        }
        self.unwritten = self.unwritten.saturating_add(1);
        None
    }
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::Clock;

    use super::*;

    const HERE: &str = "192.0.2.1";

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn the_delay_grows_to_its_bound_and_a_success_ends_it() {
        let begin = Clock::system().monotonic();
        let mut throttle = Throttle::new(begin);
        let mut now = begin;
        let mut waits = Vec::new();
        for number in 0..12 {
            throttle.begin("Ann", ip(&format!("198.51.100.{number}")), now).unwrap();
            let wait = throttle.users.wait(&"ann".to_owned(), now);
            waits.push(wait.as_secs());
            now += wait;
        }
        assert_eq!(waits, [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        let other = throttle.begin("bob", ip(HERE), now).unwrap();
        assert_eq!(other, Charged { of_user: 1, of_address: 1 });
        throttle.begin("ann", ip(HERE), now).unwrap();
        throttle.succeeded("ann", ip(HERE), now);
        let again = throttle.begin("ann", ip(HERE), now).unwrap();
        assert_eq!(again, Charged { of_user: 1, of_address: 2 });
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_waits_whatever_the_name_and_hours_forget() {
        let now = Clock::system().monotonic();
        let mut throttle = Throttle::new(now);
        for number in 0..11 {
            throttle.begin(&format!("user-{number}"), ip("2001:db8::1"), now).unwrap();
        }
        let same_network = ip("2001:db8::ffff:2");
        assert_eq!(throttle.begin("else", same_network, now), Err(Duration::from_secs(1)));
        assert!(throttle.begin("else", ip("2001:db8:0:1::1"), now).is_ok());
        let later = now + FORGET;
        let again = throttle.begin("else", same_network, later).unwrap();
        assert_eq!(again, Charged { of_user: 1, of_address: 1 });
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_names_is_bounded_and_forgets_no_name_that_is_guessed_at() {
        let now = Clock::system().monotonic();
        let mut table: Table<String> = Table::new(FREE_OF_USER, LONGEST_OF_USER);
        for _ in 0..5 {
            table.charge("ann".into(), now);
        }
        for number in 0..MOST + 50 {
            table.charge(format!("user-{number}"), now);
        }
        assert_eq!(table.rows.len(), MOST);
        assert_eq!(table.wait(&"ann".to_owned(), now), Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_refusals_writes_little_and_counts_the_rest() {
        let begin = Clock::system().monotonic();
        let mut throttle = Throttle::new(begin);
        let written = |throttle: &mut Throttle, now| {
            (1..=100_000).filter_map(|failures| throttle.write(failures, now)).collect::<Vec<_>>()
        };
        // 1, 2, 4, … 65,536
        assert_eq!(written(&mut throttle, begin).len(), 17);
        assert_eq!(written(&mut throttle, begin), [100_000 - 65_536, 0, 1]);
        assert_eq!(written(&mut throttle, begin).len(), 0);
        let later = begin + WRITTEN_EVERY;
        let told = written(&mut throttle, later);
        assert_eq!(told, [200_000 - 4]);
    }
}
