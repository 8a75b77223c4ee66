//! Security gateways on the way: Proofpoint, Mimecast, Barracuda, Microsoft, Google.
//!
//! A gateway's headers may come from the sender's side as well, and anybody can write them; only a hop
//! (its host name, or the client that it says it spoke to) places one on this message's way. Headers
//! alone are told as what they are: found, but bound to no hop.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use super::block::Block;
use super::hops::{Passed, Way};

/// The most headers that are named as evidence of one gateway.
const MOST_EVIDENCE: usize = 8;

/// Whose gateway it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// Proofpoint Protection Server, Proofpoint Essentials.
    Proofpoint,
    /// Mimecast.
    Mimecast,
    /// Barracuda Email Security Gateway, an appliance under the customer's own name.
    BarracudaAppliance,
    /// Barracuda Email Gateway Defense (Email Security Service).
    BarracudaCloud,
    /// Exchange Online Protection.
    Microsoft,
    /// Gmail, Google Workspace.
    Google,
}

/// One gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// Whose.
    pub maker: Maker,
    /// At which hops, counted from 0 at the first; `None` when only headers speak of it.
    pub hops: Option<RangeInclusive<usize>>,
    /// Microseconds from its taking the message over until the next server did, or within it where it is
    /// the last; by the servers' own clocks.
    pub took_us: Option<i64>,
    /// The names of its headers that are there.
    pub headers: Vec<String>,
}

impl Maker {
    const ALL: [Self; 6] = [
        Self::Proofpoint,
        Self::Mimecast,
        Self::BarracudaAppliance,
        Self::BarracudaCloud,
        Self::Microsoft,
        Self::Google,
    ];

    /// Its word, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proofpoint => "proofpoint",
            Self::Mimecast => "mimecast",
            Self::BarracudaAppliance => "barracuda_appliance",
            Self::BarracudaCloud => "barracuda_cloud",
            Self::Microsoft => "microsoft",
            Self::Google => "google",
        }
    }

    /// What the names of its servers end with.
    const fn domains(self) -> &'static [&'static str] {
        match self {
            Self::Proofpoint => &["pphosted.com", "ppe-hosted.com", "ppops.net"],
            Self::Mimecast => &["mimecast.com", "mimecast.co.za", "mimecast-offshore.com"],
            Self::BarracudaAppliance => &[],
            Self::BarracudaCloud => &["ess.aws.cudaops.com", "ess.barracudanetworks.com"],
            Self::Microsoft => {
                &["protection.outlook.com", "prod.outlook.com", "prod.exchangelabs.com"]
            }
            Self::Google => &["google.com", "googlemail.com"],
        }
    }

    /// What the names of its headers begin with, in lower case.
    const fn headers(self) -> &'static [&'static str] {
        match self {
            Self::Proofpoint => &["x-proofpoint-"],
            Self::Mimecast => &["x-mimecast-", "x-mc-unique"],
            Self::BarracudaAppliance => &["x-barracuda-", "x-asg-"],
            Self::BarracudaCloud => &["x-bess-"],
            Self::Microsoft => &[
                "x-forefront-antispam-report",
                "x-microsoft-antispam",
                "x-ms-exchange-organization-",
            ],
            Self::Google => &["x-gm-", "x-google-"],
        }
    }

    fn runs(self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let is_below = |domain: &&str| {
            host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        // Inside Google a server goes by an address of 10/8 written as 6to4 (2002:a00::/24).
        self.domains().iter().any(is_below)
            || (self == Self::Google && host.starts_with("2002:a05:"))
    }
}

impl Gateway {
    /// All of them, in the order of the way; those without a hop last.
    pub(super) fn all(block: &Block<'_>, way: &Way) -> Vec<Self> {
        let appliance = Appliance::of(block);
        let is_at = |maker: Maker, passed: &Passed| {
            let by = passed.hop.by.as_deref().unwrap_or_default();
            maker.runs(by) || (maker == Maker::BarracudaAppliance && appliance.is_at(passed))
        };
        let mut gateways = Vec::new();
        for maker in Maker::ALL {
            let headers = headers_of(block, maker);
            let at: Vec<_> = way
                .hops
                .iter()
                .enumerate()
                .filter(|(_, passed)| is_at(maker, passed))
                .map(|(at, _)| at)
                .collect();
            if at.is_empty() && !headers.is_empty() {
                gateways.push(Self { maker, hops: None, took_us: None, headers });
                continue;
            }
            for hops in runs(&at) {
                let took_us = took_us(way, &hops);
                let headers = headers.clone();
                gateways.push(Self { maker, hops: Some(hops), took_us, headers });
            }
        }
        gateways
            .sort_by_key(|gateway| gateway.hops.as_ref().map_or(usize::MAX, |hops| *hops.start()));
        gateways
    }
}

fn headers_of(block: &Block<'_>, maker: Maker) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for field in &block.fields {
        let lower = field.name.to_ascii_lowercase();
        let is_its = maker.headers().iter().any(|start| lower.starts_with(start));
        let is_new = !names.iter().any(|name| name.eq_ignore_ascii_case(field.name));
        if is_its && is_new && names.len() < MOST_EVIDENCE {
            names.push(field.name.chars().take(64).collect());
        }
    }
    names
}

/// Neighbours joined: 1, 2, 5 is 1..=2 and 5..=5.
fn runs(at: &[usize]) -> Vec<RangeInclusive<usize>> {
    let mut runs: Vec<RangeInclusive<usize>> = Vec::new();
    for &hop in at {
        match runs.last_mut() {
            Some(run) if *run.end() + 1 == hop => *run = *run.start()..=hop,
            _ => runs.push(hop..=hop),
        }
    }
    runs
}

fn took_us(way: &Way, hops: &RangeInclusive<usize>) -> Option<i64> {
    let date = |at: usize| way.hops.get(at).and_then(|passed| passed.hop.date);
    let is_last = *hops.end() + 1 == way.hops.len();
    let left = if is_last { *hops.end() } else { *hops.end() + 1 };
    if left == *hops.start() {
        return None;
    }
    Some(date(left)?.signed_us_since(date(*hops.start())?))
}

/// What an appliance writes about itself: it has a name of the customer's, so that its hop is found by
/// its own URL or by the client that it says it spoke to.
#[derive(Debug, Default)]
struct Appliance {
    host: Option<String>,
    client: Option<IpAddr>,
}

impl Appliance {
    fn of(block: &Block<'_>) -> Self {
        // https://spam.good.test:443/cgi-mod/mark.cgi
        let url = block.first("X-Barracuda-URL").unwrap_or_default();
        let rest = url.split_once("://").map_or("", |(_, rest)| rest);
        let host = rest.split(['/', ':']).next().filter(|host| !host.is_empty());
        // mail.a.test[192.0.2.9]
        let connect = block.first("X-Barracuda-Connect").unwrap_or_default();
        let client = connect.split_once('[').and_then(|(_, rest)| rest.split(']').next());
        Self { host: host.map(str::to_owned), client: client.and_then(|ip| ip.parse().ok()) }
    }

    fn is_at(&self, passed: &Passed) -> bool {
        let by = passed.hop.by.as_deref().unwrap_or_default();
        let is_host = self.host.as_deref().is_some_and(|host| host.eq_ignore_ascii_case(by));
        is_host || (self.client.is_some() && self.client == passed.hop.from_ip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gateways(text: &str) -> Vec<String> {
        let block = Block::of(text.as_bytes());
        let all = Gateway::all(&block, &Way::of(&block));
        all.iter()
            .map(|gateway| {
                let Gateway { maker, hops, took_us, headers } = gateway;
                format!("{} {hops:?} {took_us:?} {}", maker.as_str(), headers.join(","))
            })
            .collect()
    }

    const WAY: &str = "Received: from b by mx.good.test; Mon, 24 Nov 2025 16:00:09 +0000\r\n\
        Received: from x by mx0a-1.pphosted.com; Mon, 24 Nov 2025 16:00:03 +0000\r\n\
        Received: from a (a [192.0.2.9]) by mx0b-1.pphosted.com; Mon, 24 Nov 2025 16:00:01 +0000\r\n\
        Received: from z by a; Mon, 24 Nov 2025 16:00:00 +0000\r\n";

    #[test]
    fn a_gateway_is_bound_to_its_hops_and_timed_until_the_next_server() {
        let text = format!("X-Proofpoint-GUID: 1\r\nX-Proofpoint-GUID: 2\r\n{WAY}");
        assert_eq!(gateways(&text), ["proofpoint Some(1..=2) Some(8000000) X-Proofpoint-GUID"]);
    }

    #[test]
    fn an_appliance_is_found_by_what_it_says_of_itself() {
        for header in [
            "X-Barracuda-Connect: a[192.0.2.9]",
            "X-Barracuda-URL: https://mx0b-1.pphosted.com:443/cgi-mod/mark.cgi",
        ] {
            let found = gateways(&format!("{header}\r\n{WAY}"));
            assert!(
                found[1].starts_with("barracuda_appliance Some(1..=1) Some(2000000)"),
                "{found:?}"
            );
        }
        let elsewhere = gateways(&format!("X-Barracuda-Connect: q[192.0.2.77]\r\n{WAY}"));
        assert_eq!(elsewhere[1], "barracuda_appliance None None X-Barracuda-Connect");
    }

    #[test]
    fn headers_alone_are_bound_to_no_hop() {
        let text = "X-BESS-ID: 1\r\nX-Mimecast-Spam-Score: 0\r\nReceived: from a by b\r\n";
        assert_eq!(
            gateways(text),
            ["mimecast None None X-Mimecast-Spam-Score", "barracuda_cloud None None X-BESS-ID"]
        );
    }

    #[test]
    fn names_are_compared_by_labels() {
        for (by, expected) in [
            ("relay.mimecast.com", Some(Maker::Mimecast)),
            ("mx-inbound1-2.us-east-2b.ess.aws.cudaops.com", Some(Maker::BarracudaCloud)),
            ("DB8PR01.eurprd01.PROD.OUTLOOK.COM", Some(Maker::Microsoft)),
            ("mx.google.com.", Some(Maker::Google)),
            ("2002:a05:7300:d20f:b0:11b", Some(Maker::Google)),
            ("notmimecast.com", None),
            ("mimecast.com.evil.test", None),
        ] {
            let found = Maker::ALL.into_iter().find(|maker| maker.runs(by));
            assert_eq!(found, expected, "{by}");
        }
    }
}
