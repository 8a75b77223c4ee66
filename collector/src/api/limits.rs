//! How often one caller may ask: a bucket of questions that fills up again with time.
//!
//! Who is known has a bucket of their own, whatever address they come from; who is not shares one with their host (an
//! IPv4 address, or an IPv6 network of 64 bits). Over the folder's socket nothing is counted. Memory has a bound: where
//! there are too many hosts, full buckets are forgotten first, and the hosts that then find no room share one bucket,
//! so that a flood of addresses holds up those alone that come with it. Told by the header fields of
//! draft-ietf-httpapi-ratelimit-headers-10.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mailsonde_proto::Clock;
use mailsonde_proto::time::Instant;

use super::problem::Problem;
use crate::access::{Identity, network};

/// Hosts that are remembered.
const MOST_HOSTS: usize = 10_000;
/// Full buckets are looked for no more often.
const TIDY: Duration = Duration::from_secs(1);

/// How much a caller may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Quota {
    /// Questions that may come at once.
    burst: u32,
    /// One more may come each so long.
    each: Duration,
}

/// Sessions and API tokens: a page that draws itself anew each second is well within.
const KNOWN: Quota = Quota { burst: 1_200, each: Duration::from_millis(25) };
/// Whoever is not known: an office behind one address opens public pages.
const HOST: Quota = Quota { burst: 300, each: Duration::from_millis(100) };

impl Quota {
    /// An empty bucket is full again after this.
    fn window(self) -> Duration {
        self.each * self.burst
    }
}

/// Whose bucket it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Asker {
    /// Known by a session.
    User(String),
    /// Known by an API token.
    Program(String),
    /// Not known.
    Host(IpAddr),
}

impl Asker {
    pub(super) fn known(identity: &Identity) -> Self {
        match identity {
            Identity::User { name, .. } => Self::User(name.to_ascii_lowercase()),
            Identity::ApiToken { name } => Self::Program(name.clone()),
        }
    }

    pub(super) fn host(address: IpAddr) -> Self {
        Self::Host(network(address))
    }

    fn quota(&self) -> Quota {
        if matches!(self, Self::Host(_)) { HOST } else { KNOWN }
    }
}

/// Everybody's buckets; cheap to clone.
#[derive(Clone)]
pub(super) struct Limits {
    clock: Clock,
    buckets: Arc<Mutex<Buckets>>,
}

struct Buckets {
    /// When each is full.
    known: HashMap<Asker, Instant>,
    hosts: HashMap<Asker, Instant>,
    /// That of all hosts for which there is no room.
    others: Instant,
    tidied_at: Instant,
}

/// What is left after a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Left {
    quota: Quota,
    /// Questions.
    remaining: u32,
    /// Until the bucket is full.
    full_in: Duration,
    /// How long to wait, for whoever asked too much.
    wait: Option<Duration>,
}

impl Limits {
    pub(super) fn new(clock: Clock) -> Self {
        let now = clock.monotonic();
        let buckets =
            Buckets { known: HashMap::new(), hosts: HashMap::new(), others: now, tidied_at: now };
        Self { clock, buckets: Arc::new(Mutex::new(buckets)) }
    }

    /// One more question.
    pub(super) fn take(&self, asker: Asker) -> Left {
        let now = self.clock.monotonic();
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner).take(asker, now)
    }
}

impl Buckets {
    fn take(&mut self, asker: Asker, now: Instant) -> Left {
        if now >= self.tidied_at + TIDY {
            self.tidied_at = now;
            self.known.retain(|_, full_at| *full_at > now);
            self.hosts.retain(|_, full_at| *full_at > now);
        }
        let quota = asker.quota();
        let full_at = match &asker {
            Asker::Host(_) => {
                let has_room = self.hosts.len() < MOST_HOSTS || self.hosts.contains_key(&asker);
                if has_room { self.hosts.entry(asker).or_insert(now) } else { &mut self.others }
            }
            // there are as many as users and tokens, which have a bound of their own
            Asker::User(_) | Asker::Program(_) => self.known.entry(asker).or_insert(now),
        };
        // GCRA (ITU-T I.371): a bucket that is full in a window is empty
        let after = (*full_at).max(now) + quota.each;
        let full_in = after.saturating_duration_since(now);
        if full_in > quota.window() {
            let full_in = full_at.saturating_duration_since(now);
            let wait = Some(full_in + quota.each - quota.window());
            return Left { quota, remaining: 0, full_in, wait };
        }
        *full_at = after;
        let used = full_in.as_nanos().div_ceil(quota.each.as_nanos().max(1));
        let remaining = quota.burst.saturating_sub(u32::try_from(used).unwrap_or(u32::MAX));
        Left { quota, remaining, full_in, wait: None }
    }
}

impl Left {
    /// Why not, if the caller asked too much.
    pub(super) fn refusal(self) -> Option<Response> {
        let seconds = whole_seconds(self.wait?);
        let words = format!("that was too much at once: ask again in {seconds} s");
        let mut response = Problem::new(StatusCode::TOO_MANY_REQUESTS, &words).into_response();
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        Some(response)
    }

    /// Tells what is left.
    pub(super) fn tell(self, response: &mut Response) {
        let window_s = whole_seconds(self.quota.window());
        let policy = format!("\"default\";q={};w={window_s}", self.quota.burst);
        let left = format!("\"default\";r={};t={}", self.remaining, whole_seconds(self.full_in));
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", left)] {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
    }
}

/// Rounded up: nobody comes back too early.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(n: u32) -> Asker {
        Asker::host(IpAddr::V4(n.into()))
    }

    fn buckets(now: Instant) -> Buckets {
        Buckets { known: HashMap::new(), hosts: HashMap::new(), others: now, tidied_at: now }
    }

    #[test]
    fn a_bucket_is_emptied_and_fills_again() {
        let now = Clock::system().monotonic();
        let mut buckets = buckets(now);
        let user = || Asker::User("ann".into());
        for left in (0..KNOWN.burst).rev() {
            let taken = buckets.take(user(), now);
            assert_eq!((taken.remaining, taken.wait), (left, None));
        }
        let refused = buckets.take(user(), now);
        assert_eq!((refused.remaining, refused.wait), (0, Some(KNOWN.each)));
        assert_eq!(buckets.take(Asker::User("ben".into()), now).wait, None, "each has their own");
        assert_eq!(buckets.take(user(), now + KNOWN.each).wait, None);
        assert_eq!(buckets.take(user(), now + KNOWN.each).wait, Some(KNOWN.each));
        let later = now + KNOWN.window() * 2;
        assert_eq!(buckets.take(user(), later).remaining, KNOWN.burst - 1, "no more than full");
    }

    #[test]
    fn what_is_left_is_told_in_whole_seconds() {
        let now = Clock::system().monotonic();
        let mut buckets = buckets(now);
        let mut response = Response::default();
        buckets.take(host(1), now).tell(&mut response);
        assert_eq!(response.headers()["ratelimit-policy"], "\"default\";q=300;w=30");
        assert_eq!(response.headers()["ratelimit"], "\"default\";r=299;t=1");
        for _ in 1..HOST.burst {
            buckets.take(host(1), now);
        }
        let refused = buckets.take(host(1), now).refusal().unwrap();
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(refused.headers()[header::RETRY_AFTER], "1");
    }

    #[test]
    fn a_flood_of_hosts_has_a_bound_and_holds_up_nobody_who_was_there() {
        let now = Clock::system().monotonic();
        let mut buckets = buckets(now);
        buckets.take(host(0), now);
        let refused = (1..40_000).filter(|n| buckets.take(host(*n), now).wait.is_some()).count();
        assert_eq!(buckets.hosts.len(), MOST_HOSTS);
        assert!(refused > 25_000, "those without room share one: {refused}");
        assert_eq!(buckets.take(host(0), now).wait, None);
        assert_eq!(buckets.take(Asker::Program("wall".into()), now).wait, None);
        buckets.take(host(50_000), now + HOST.window());
        assert_eq!(buckets.hosts.len(), 1, "full ones are forgotten");
    }

    #[test]
    fn an_ipv6_network_is_one_host() {
        let at = |text: &str| Asker::host(text.parse().unwrap());
        assert_eq!(at("2001:db8::1"), at("2001:db8::2"));
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
        assert_eq!(at("::ffff:192.0.2.1"), at("192.0.2.1"));
    }
}
