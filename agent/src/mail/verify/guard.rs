//! Bounds what mail-auth asks DNS by the agent's policy.
//!
//! The library asks by itself, but looks into a cache first; this is a cache that holds, for every name that
//! policy does not let be asked about, the answer that there is none. What it is asked for it sees only as
//! something that can be hashed, so it has it hashed into the bytes themselves; what it cannot read back it
//! refuses.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Instant;

use hickory_resolver::proto::rr::Name;
use mail_auth::{DnsError, DnssecStatus, Error, MX, Parameters, RecordSet, ResolverCache, Txt};

use crate::net::Net;
use crate::policy::name_of;

/// A cache that knows only what must not be asked.
pub(super) struct Guard<'a>(pub(super) &'a Net);

/// Parameters with nothing but guards before the questions.
type Guarded<'x, P> = Parameters<'x, P, Guard<'x>, Guard<'x>, Guard<'x>, Guard<'x>, Guard<'x>>;

impl Guard<'_> {
    /// These parameters, under guard.
    pub(super) fn guarded<P>(&self, params: P) -> Guarded<'_, P> {
        Parameters {
            params,
            cache_txt: Some(self),
            cache_mx: Some(self),
            cache_ptr: Some(self),
            cache_ipv4: Some(self),
            cache_ipv6: Some(self),
        }
    }

    /// Why it must not be asked, if it must not.
    fn refuses(&self, name: Option<Name>) -> Option<String> {
        match name {
            Some(name) => self.0.may_be_asked(&name).err().map(|refusal| refusal.to_string()),
            None => Some("what is asked for is no name".to_owned()),
        }
    }
}

fn none<T>() -> RecordSet<T> {
    RecordSet { rrset: Arc::from(Vec::new()), dnssec_status: DnssecStatus::Indeterminate }
}

impl ResolverCache<Box<str>, Txt> for Guard<'_> {
    fn get<Q>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let refusal = self.refuses(Bytes::of(name).name())?;
        Some(Txt::Error(Error::Dns(DnsError::Resolver(refusal))))
    }

    fn remove<Q>(&self, _name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _name: Box<str>, _value: Txt, _until: Instant) {}
}

/// Host names and what is at them: there is nothing at a name that must not be asked about.
macro_rules! guard_of_names {
    ($($record:ty),+) => {$(
        impl ResolverCache<Box<str>, RecordSet<$record>> for Guard<'_> {
            fn get<Q>(&self, name: &Q) -> Option<RecordSet<$record>>
            where
                Box<str>: Borrow<Q>,
                Q: Hash + Eq + ?Sized,
            {
                self.refuses(Bytes::of(name).name()).map(|_refusal| none())
            }

            fn remove<Q>(&self, _name: &Q) -> Option<RecordSet<$record>>
            where
                Box<str>: Borrow<Q>,
                Q: Hash + Eq + ?Sized,
            {
                None
            }

            fn insert(&self, _name: Box<str>, _value: RecordSet<$record>, _until: Instant) {}
        }
    )+};
}

guard_of_names!(MX, Ipv4Addr, Ipv6Addr);

impl ResolverCache<IpAddr, RecordSet<Box<str>>> for Guard<'_> {
    fn get<Q>(&self, address: &Q) -> Option<RecordSet<Box<str>>>
    where
        IpAddr: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let reverse = Bytes::of(address).address().map(Name::from);
        self.refuses(reverse).map(|_refusal| none())
    }

    fn remove<Q>(&self, _address: &Q) -> Option<RecordSet<Box<str>>>
    where
        IpAddr: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _address: IpAddr, _value: RecordSet<Box<str>>, _until: Instant) {}
}

/// What somebody hashes.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Hasher for Bytes {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

impl Bytes {
    fn of<Q: Hash + ?Sized>(asked: &Q) -> Self {
        let mut bytes = Self::default();
        asked.hash(&mut bytes);
        bytes
    }

    /// A text is hashed as its bytes and an end mark that no text has.
    fn name(&self) -> Option<Name> {
        let (end, text) = self.0.split_last()?;
        let text = (*end == 0xff).then(|| std::str::from_utf8(text).ok()).flatten()?;
        name_of(text)
    }

    /// An address is hashed as a number that says which it is, and its octets.
    fn address(&self) -> Option<IpAddr> {
        let octets = self.0.get(size_of::<isize>()..)?;
        let v4 = <[u8; 4]>::try_from(octets).ok().map(IpAddr::from);
        v4.or_else(|| <[u8; 16]>::try_from(octets).ok().map(IpAddr::from))
    }
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::Clock;

    use super::*;
    use crate::policy::Policy;

    #[test]
    fn what_is_hashed_is_read_back() {
        for text in ["good.test.", "sel._domainkey.xn--bcher-kva.test.", "a"] {
            let boxed: Box<str> = text.into();
            assert_eq!(Bytes::of(&boxed).name(), name_of(text), "{text}");
            assert_eq!(Bytes::of(text).name(), name_of(text), "{text}");
        }
        for text in ["192.0.2.7", "2001:db8::ff"] {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(Bytes::of(&address).address(), Some(address));
        }
        assert_eq!(Bytes::of(&7_u64).name(), None);
        assert_eq!(Bytes::of("a").address(), None);
    }

    #[test]
    fn only_what_policy_allows_is_asked() {
        let policy = Policy { domains: vec![name_of("good.test").unwrap()], ..Policy::default() };
        let net = Net::under(policy, Clock::system());
        let guard = Guard(&net);
        let txt = |name: &str| -> Option<Txt> { guard.get(name) };
        assert!(txt("sel._domainkey.good.test.").is_none(), "it is asked");
        assert!(txt("_dmarc.test.").is_none());
        assert!(matches!(txt("data.evil.test."), Some(Txt::Error(_))));
        let addresses = |name: &str| -> Option<RecordSet<Ipv4Addr>> { guard.get(name) };
        assert!(addresses("mail.good.test.").is_none());
        assert!(addresses("notgood.test.").is_some_and(|set| set.rrset.is_empty()));
        let names = |address: &str| -> Option<RecordSet<Box<str>>> {
            guard.get(&address.parse::<IpAddr>().unwrap())
        };
        assert!(names("192.0.2.7").is_some(), "nobody led there");
        net.learn_for_tests("mail.good.test", &["192.0.2.7".parse().unwrap()]);
        assert!(names("192.0.2.7").is_none());
        assert!(Guard(&Net::new()).refuses(name_of("evil.test")).is_none());
    }
}
