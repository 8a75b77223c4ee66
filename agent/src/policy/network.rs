//! Networks of IP addresses, and those that the Internet does not reach (RFC 6890).
//!
//! An IPv6 address that carries an IPv4 address is what that one is: otherwise whoever names `::ffff:10.0.0.1`
//! or `64:ff9b::10.0.0.1` would reach what `10.0.0.1` may not.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network: `198.18.0.0/15`, `fd00::/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// The network of so many bits that an address is in.
    pub(crate) fn around(address: IpAddr, bits: u8) -> Self {
        let address = match address {
            IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask_v4(bits))),
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask_v6(bits))),
        };
        Self { address, bits }
    }

    /// The network of one address.
    pub(crate) const fn of_one(address: IpAddr) -> Self {
        Self { address, bits: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// Whether all of it is in another.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        other.bits <= self.bits && other.contains(self.address)
    }

    /// Whether an address is in it.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                (network.to_bits() ^ address.to_bits()) & mask_v4(self.bits) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                (network.to_bits() ^ address.to_bits()) & mask_v6(self.bits) == 0
            }
            _ => false,
        }
    }
}

fn mask_v4(bits: u8) -> u32 {
    u32::MAX.checked_shl(32_u32.saturating_sub(u32::from(bits))).unwrap_or(0)
}

fn mask_v6(bits: u8) -> u128 {
    u128::MAX.checked_shl(128_u32.saturating_sub(u32::from(bits))).unwrap_or(0)
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// A text is no network.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a network is an address, or an address, a slash and a number of bits")]
pub(crate) struct NotANetwork;

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok().ok_or(NotANetwork)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= most).ok_or(NotANetwork)?,
            None => most,
        };
        Ok(Self { address, bits })
    }
}

/// Which special purpose an address has, if the Internet does not reach it: the registries of RFC 6890
/// section 2.2 as the IANA keeps them, and multicast (RFC 5771, RFC 4291 section 2.7).
pub(crate) fn special_purpose(address: IpAddr) -> Option<&'static str> {
    let address = translated(address.to_canonical());
    SPECIAL.iter().find(|(network, _)| network.contains(address)).map(|(_, purpose)| *purpose)
}

/// Whether an organisation may use it for its own hosts: private use (RFC 1918), what a provider's customers
/// share (RFC 6598), unique local (RFC 4193), benchmarks (RFC 2544, RFC 5180). Never what is this very host or
/// its link.
pub(crate) fn is_inside(address: IpAddr) -> bool {
    let address = address.to_canonical();
    INSIDE.iter().any(|network| network.contains(address))
}

/// Behind the well-known prefix of NAT64 stands an IPv4 address (RFC 6052 section 2.1): it is what that is.
fn translated(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) if v6.segments().starts_with(&[0x64, 0xff9b, 0, 0, 0, 0]) => {
            let [.., a, b, c, d] = v6.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        other => other,
    }
}

const INSIDE: &[Network] = &[
    v4(10, 0, 0, 8),
    v4(100, 64, 0, 10),
    v4(172, 16, 0, 12),
    v4(192, 168, 0, 16),
    v4(198, 18, 0, 15),
    v6(0x2001, 2, 0, 48),
    v6(0xfc00, 0, 0, 7),
];

const fn v4(a: u8, b: u8, c: u8, bits: u8) -> Network {
    Network { address: IpAddr::V4(Ipv4Addr::new(a, b, c, 0)), bits }
}

const fn v6(a: u16, b: u16, c: u16, bits: u8) -> Network {
    Network { address: IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)), bits }
}

const SPECIAL: &[(Network, &str)] = &[
    (v4(0, 0, 0, 8), "this network, RFC 791"),
    (v4(10, 0, 0, 8), "private use, RFC 1918"),
    (v4(100, 64, 0, 10), "shared by a provider's customers, RFC 6598"),
    (v4(127, 0, 0, 8), "loopback, RFC 1122"),
    (v4(169, 254, 0, 16), "link local, RFC 3927"),
    (v4(172, 16, 0, 12), "private use, RFC 1918"),
    (v4(192, 0, 0, 24), "protocol assignments, RFC 6890"),
    (v4(192, 0, 2, 24), "documentation, RFC 5737"),
    (v4(192, 88, 99, 24), "6to4 relays, which are no more, RFC 7526"),
    (v4(192, 168, 0, 16), "private use, RFC 1918"),
    (v4(198, 18, 0, 15), "benchmarks, RFC 2544"),
    (v4(198, 51, 100, 24), "documentation, RFC 5737"),
    (v4(203, 0, 113, 24), "documentation, RFC 5737"),
    (v4(224, 0, 0, 4), "multicast, RFC 5771"),
    (v4(240, 0, 0, 4), "reserved, RFC 1112"),
    (Network { address: IpAddr::V6(Ipv6Addr::UNSPECIFIED), bits: 128 }, "unspecified, RFC 4291"),
    (Network { address: IpAddr::V6(Ipv6Addr::LOCALHOST), bits: 128 }, "loopback, RFC 4291"),
    // What is behind it was ::ffff:0:0/96 or is an IPv4 address in the form that RFC 4291 took back.
    (v6(0, 0, 0, 96), "IPv4-compatible, which is no more, RFC 4291"),
    (v6(0x64, 0xff9b, 1, 48), "translation of addresses, RFC 8215"),
    (v6(0x100, 0, 0, 64), "discarded, RFC 6666"),
    (v6(0x2001, 0, 0, 32), "Teredo, RFC 4380"),
    (v6(0x2001, 2, 0, 48), "benchmarks, RFC 5180"),
    (v6(0x2001, 0x10, 0, 28), "ORCHID, RFC 4843"),
    (v6(0x2001, 0xdb8, 0, 32), "documentation, RFC 3849"),
    (v6(0x2002, 0, 0, 16), "6to4, RFC 7526"),
    (v6(0x3fff, 0, 0, 20), "documentation, RFC 9637"),
    (v6(0x5f00, 0, 0, 16), "segment routing, RFC 9602"),
    (v6(0xfc00, 0, 0, 7), "unique local, RFC 4193"),
    (v6(0xfe80, 0, 0, 10), "link local, RFC 4291"),
    (v6(0xfec0, 0, 0, 10), "site local, which is no more, RFC 3879"),
    (v6(0xff00, 0, 0, 8), "multicast, RFC 4291"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        for (network, address, inside) in [
            ("198.18.0.0/15", "198.19.255.255", true),
            ("198.18.0.0/15", "198.20.0.0", false),
            ("0.0.0.0/0", "203.0.113.1", true),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("fd00::/8", "fdff::1", true),
            ("fd00::/8", "fe00::1", false),
            ("::/0", "10.0.0.1", false),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), inside, "{network} {address}");
        }
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0.0/x", "mail"] {
            assert_eq!(text.parse::<Network>(), Err(NotANetwork), "{text}");
        }
    }

    #[test]
    fn special_purposes() {
        for (address, purpose) in [
            ("10.1.2.3", Some("private use, RFC 1918")),
            ("172.31.0.1", Some("private use, RFC 1918")),
            ("172.32.0.1", None),
            ("100.127.0.1", Some("shared by a provider's customers, RFC 6598")),
            ("127.0.0.1", Some("loopback, RFC 1122")),
            ("8.8.8.8", None),
            ("255.255.255.255", Some("reserved, RFC 1112")),
            ("::1", Some("loopback, RFC 4291")),
            ("::ffff:10.0.0.1", Some("private use, RFC 1918")),
            ("fd12::1", Some("unique local, RFC 4193")),
            ("fe80::1", Some("link local, RFC 4291")),
            ("2001:db8::1", Some("documentation, RFC 3849")),
            ("2a00:1450::1", None),
            ("2001:470::1", None),
            ("64:ff9b::10.0.0.1", Some("private use, RFC 1918")),
            ("64:ff9b::8.8.8.8", None),
            ("::127.0.0.1", Some("IPv4-compatible, which is no more, RFC 4291")),
            ("::ffff:127.0.0.1", Some("loopback, RFC 1122")),
            ("fec0::1", Some("site local, which is no more, RFC 3879")),
            ("2002:7f00:1::", Some("6to4, RFC 7526")),
            ("169.254.169.254", Some("link local, RFC 3927")),
            ("0.0.0.0", Some("this network, RFC 791")),
            ("224.0.0.251", Some("multicast, RFC 5771")),
            ("ff02::1", Some("multicast, RFC 4291")),
        ] {
            assert_eq!(special_purpose(address.parse().unwrap()), purpose, "{address}");
        }
    }
}
