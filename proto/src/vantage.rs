//! Where an agent stands, and how it is told from every other.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Where an agent stands: its name and its labels (site, region, network).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct VantagePoint {
    /// As the registry knows it; 1 to 64 characters of `a-z A-Z 0-9 . _ -`.
    pub name: String,
    /// What checks and services select by.
    pub labels: BTreeMap<String, String>,
}

/// 128 random bits that stand in the agent's certificate as `mailsonde://agent/ID`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct AgentId(pub [u8; 16]);

impl AgentId {
    /// What the URI of a certificate starts with, before the ID in hexadecimal.
    pub const URI_PREFIX: &'static str = "mailsonde://agent/";

    /// A new random identity.
    pub fn random() -> Self {
        Self(random_bytes())
    }

    /// The URI that stands in the certificate's subject alternative name.
    pub fn uri(&self) -> String {
        format!("{}{self}", Self::URI_PREFIX)
    }

    /// Reads such a URI; `None` when it is not one of ours.
    pub fn from_uri(uri: &str) -> Option<Self> {
        uri.strip_prefix(Self::URI_PREFIX)?.parse().ok()
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgentId({self})")
    }
}

impl FromStr for AgentId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id).map_err(NotAnId)?;
        Ok(Self(id))
    }
}

/// A text is not 32 hexadecimal digits.
#[derive(Debug, thiserror::Error)]
#[error("an agent's identity is 32 hexadecimal digits")]
pub struct NotAnId(#[source] hex::FromHexError);

/// Tells one life of an agent's outbox from the next: random, new whenever the outbox is created,
/// missing, or disagrees with the collector.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u64);

impl Epoch {
    /// A new epoch; zero is left to mean 'none'.
    pub fn random() -> Self {
        Self(u64::from_le_bytes(random_bytes()).max(1))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Epoch({self})")
    }
}

impl FromStr for Epoch {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

/// Random bytes from the system.
///
/// # Panics
/// When the system has no randomness to give: nothing safe can go on without.
#[allow(clippy::expect_used, reason = "without randomness there are no identities and no keys")]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    use ring::rand::SecureRandom;
    let mut bytes = [0; N];
    ring::rand::SystemRandom::new().fill(&mut bytes).expect("the system gives random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_survives_its_uri() {
        let id = AgentId::random();
        assert_eq!(AgentId::from_uri(&id.uri()), Some(id));
        for uri in ["", "mailsonde://agent/", "mailsonde://agent/00", "https://agent/00"] {
            assert_eq!(AgentId::from_uri(uri), None, "{uri}");
        }
    }

    #[test]
    fn an_epoch_survives_its_text() {
        let epoch = Epoch::random();
        assert_eq!(epoch.to_string().parse::<Epoch>().unwrap(), epoch);
    }
}
