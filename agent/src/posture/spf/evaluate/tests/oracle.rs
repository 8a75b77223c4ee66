//! mail-auth evaluates the same records: whatever terms stand in them, both say the same.
//!
//! It knows no limit of void look-ups, follows more pointers, asks for AAAA in `exists` and passes over
//! mechanisms that do not exist and prefixes that are too long, so those are left to the tables: every name here has every record.

use std::collections::HashMap;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::OnceLock;

use hickory_resolver::config::{ResolverConfig, ResolverOpts};
use mail_auth::common::parse::TxtRecordParser;
use mail_auth::spf::Spf;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{MX, MessageAuthenticator, Parameters, RecordSet, ResolverCache, Txt};
use proptest::prelude::*;

use super::*;

/// What mail-auth would have to ask DNS for.
struct Known<K, V>(HashMap<K, V>);

impl<K: std::hash::Hash + Eq, V: Clone> ResolverCache<K, V> for Known<K, V> {
    fn get<Q>(&self, name: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
        Q: std::hash::Hash + Eq + ?Sized,
    {
        self.0.get(name).cloned()
    }

    fn remove<Q>(&self, _: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
        Q: std::hash::Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: K, _: V, _: std::time::Instant) {}
}

const NAMES: usize = 4;

fn name(n: usize) -> String {
    format!("n{n}.test")
}

fn term() -> impl Strategy<Value = String> {
    let qualifier = prop_oneof![Just(""), Just("-"), Just("~"), Just("?"), Just("+")];
    let target = (0..NAMES).prop_map(name);
    let mechanism = prop_oneof![
        2 => (target.clone(), 0_u8..=32).prop_map(|(name, prefix)| format!("a:{name}/{prefix}")),
        1 => (target.clone(), 0_u8..=128).prop_map(|(name, prefix)| format!("mx:{name}//{prefix}")),
        2 => (0_u8..8, 20_u8..=32).prop_map(|(n, prefix)| format!("ip4:192.0.2.{n}/{prefix}")),
        1 => (0_u8..8, 110_u8..=128).prop_map(|(n, prefix)| format!("ip6:2001:db8::{n}/{prefix}")),
        1 => Just("a".to_owned()),
        1 => Just("mx".to_owned()),
        1 => Just("a:%{d}".to_owned()),
        1 => Just("all".to_owned()),
    ];
    prop_oneof![
        // It forgets the qualifiers of includes above the innermost one that matches.
        3 => target.clone().prop_map(|name| format!("include:{name}")),
        1 => Just("include:%{l}.test".to_owned()),
        8 => (qualifier, mechanism).prop_map(|(qualifier, term)| format!("{qualifier}{term}")),
        1 => target.prop_map(|name| format!("redirect={name}")),
        1 => Just("unknown=%{d}".to_owned()),
    ]
}

fn records() -> impl Strategy<Value = Vec<String>> {
    let record = prop::collection::vec(term(), 0..5).prop_map(|terms| {
        let mut seen = false;
        let once = terms.into_iter().filter(|term| {
            let redirect = term.starts_with("redirect");
            !redirect || !std::mem::replace(&mut seen, true)
        });
        once.fold("v=spf1".to_owned(), |mut text, term| {
            write!(text, " {term}").unwrap();
            text
        })
    });
    prop::collection::vec(record, NAMES)
}

fn set<T>(rrset: std::sync::Arc<[T]>) -> RecordSet<T> {
    RecordSet { rrset, dnssec_status: mail_auth::DnssecStatus::Indeterminate }
}

/// What mail-auth says of a sender at the first name.
fn theirs(records: &[String], ip: IpAddr) -> String {
    let key = |n| format!("{}.", name(n)).into_boxed_str();
    let mut txt = HashMap::new();
    for (n, record) in records.iter().enumerate() {
        let parsed = Spf::parse(record.as_bytes());
        txt.insert(key(n), parsed.map_or_else(Txt::Error, |spf| Txt::Spf(spf.into())));
    }
    let four = |n: usize| Ipv4Addr::new(192, 0, 2, u8::try_from(n).unwrap());
    let six = |n: usize| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::try_from(n).unwrap());
    let all = 0..NAMES;
    let mx = |n: usize| MX { exchanges: [key(n)].into(), preference: 10 };
    let caches = (
        Known(txt),
        Known(all.clone().map(|n| (key(n), set([mx(n)].into()))).collect()),
        Known(all.clone().map(|n| (key(n), set([four(n)].into()))).collect()),
        Known(all.map(|n| (key(n), set([six(n)].into()))).collect()),
        Known::<IpAddr, RecordSet<Box<str>>>(HashMap::new()),
    );
    let sender = format!("n1@{}", name(0));
    let params = Parameters {
        params: SpfParameters::verify_mail_from(ip, "helo.test", "host.test", &sender),
        cache_txt: Some(&caches.0),
        cache_mx: Some(&caches.1),
        cache_ipv4: Some(&caches.2),
        cache_ipv6: Some(&caches.3),
        cache_ptr: Some(&caches.4),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _guard = runtime.enter();
    // Made once: it reads the host's roots, and asks nobody here.
    static AUTHENTICATOR: OnceLock<MessageAuthenticator> = OnceLock::new();
    let authenticator = AUTHENTICATOR.get_or_init(|| {
        let nobody = ResolverConfig::from_parts(None, Vec::new(), Vec::new());
        MessageAuthenticator::new(nobody, ResolverOpts::default()).unwrap()
    });
    let output = runtime.block_on(authenticator.check_host(params));
    format!("{:?}", output.result()).to_lowercase()
}

fn ours(records: &[String], ip: IpAddr) -> Evaluation {
    let mut zone = String::new();
    for (n, record) in records.iter().enumerate() {
        let name = name(n);
        writeln!(zone, "{name}. TXT \"{record}\"\n{name}. MX 10 {name}.").unwrap();
        writeln!(zone, "{name}. A 192.0.2.{n}\n{name}. AAAA 2001:db8::{n}").unwrap();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let sender = Sender::new(ip, "helo.test", &format!("n1@{}", name(0)));
    runtime.block_on(check_host(&Zone::new(&zone), &sender, 0))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn mail_auth_says_the_same(records in records(), last in 0_u8..8, is_four: bool) {
        let ip: IpAddr = if is_four {
            Ipv4Addr::new(192, 0, 2, last).into()
        } else {
            Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into()).into()
        };
        let found = ours(&records, ip);
        prop_assert_eq!(found.result.as_str(), theirs(&records, ip), "{:?}", found);
    }
}
