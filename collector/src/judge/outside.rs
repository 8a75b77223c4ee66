//! What is heard from outside: a vendor's word of its own service, and whether another collector is there.
//!
//! A fold over the control journal, like what is planned. Invariant: a vendor's word stands beside an incident and never
//! changes what was measured; the silence of another collector is an incident of silence and says nothing of mail. Every
//! text here is a stranger's, and was made harmless by `vendors` before it was written down.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::selector::is_match;

/// Something that was heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Heard {
    /// All that a vendor says of itself from now on.
    Vendor(VendorSays),
    /// Whether another collector is there from now on.
    Peer(PeerHeard),
}

/// What a vendor says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VendorSays {
    /// What it is called in the configuration.
    pub vendor: String,
    /// Patterns of our services that it speaks for; none: all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// What is wrong, the latest first; none: nothing that it tells of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trouble: Vec<Announcement>,
}

/// Trouble that a vendor tells of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Announcement {
    /// The vendor's own; no other of its announcements has it.
    pub id: String,
    /// One line.
    pub title: String,
    /// The vendor's service that it is about; empty where it does not say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// How far it is, in the vendor's word, such as `investigating`; empty where it does not say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub state: String,
    /// Some more of what it says; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Where to read on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// What is known of another collector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PeerHeard {
    /// What it is called in the configuration.
    pub peer: String,
    /// Since when it was not heard to be healthy; `None`: it is there.
    pub silent_since: Option<Timestamp>,
    /// Why, such as what it answers instead.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// A vendor's word beside an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VendorSaid {
    /// Whose.
    pub vendor: String,
    /// As it was told last.
    pub announcement: Announcement,
    /// When it was no longer told.
    pub over_at: Option<Timestamp>,
}

/// All that was heard from outside, as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    vendors: BTreeMap<String, VendorSays>,
    peers: BTreeMap<String, PeerHeard>,
}

impl Outside {
    /// Takes in what was heard.
    pub fn hear(&mut self, heard: &Heard) {
        match heard {
            Heard::Vendor(says) => {
                self.vendors.insert(says.vendor.clone(), says.clone());
            }
            Heard::Peer(peer) => {
                self.peers.insert(peer.peer.clone(), peer.clone());
            }
        }
    }

    /// What a vendor said last; nothing where it was never heard.
    pub fn vendor(&self, name: &str) -> Option<&VendorSays> {
        self.vendors.get(name)
    }

    /// What every vendor said last, by name.
    pub fn vendors(&self) -> impl Iterator<Item = &VendorSays> {
        self.vendors.values()
    }

    /// What is known of another collector.
    pub fn peer(&self, name: &str) -> Option<&PeerHeard> {
        self.peers.get(name)
    }

    /// What is known of every other collector, by name.
    pub fn peers(&self) -> impl Iterator<Item = &PeerHeard> {
        self.peers.values()
    }
}

impl VendorSays {
    /// Whether it speaks for one of these services of ours.
    pub fn is_about<'s>(&self, mut services: impl Iterator<Item = &'s str>) -> bool {
        let is_ours = |name: &str| self.services.iter().any(|pattern| is_match(pattern, name));
        services.any(|name| self.services.is_empty() || is_ours(name))
    }
}

impl Announcement {
    /// `Exchange Online: some users cannot send (serviceDegradation)`.
    pub fn in_words(&self) -> String {
        let Self { title, about, state, .. } = self;
        let mut words = title.clone();
        if !about.is_empty() && !title.contains(about.as_str()) {
            words = format!("{about}: {words}");
        }
        if !state.is_empty() {
            words.push_str(&format!(" ({state})"));
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vendor_speaks_for_the_services_that_it_was_given() {
        let says = |services: &[&str]| VendorSays {
            services: services.iter().map(|it| (*it).to_owned()).collect(),
            ..VendorSays::default()
        };
        for (patterns, services, expected) in [
            (&[][..], &["mail"][..], true),
            (&[], &[], false),
            (&["mail-*"], &["dns", "mail-durban"], true),
            (&["mail-*"], &["mail"], false),
            (&["dns", "mail"], &["mail"], true),
        ] {
            let is_about = says(patterns).is_about(services.iter().copied());
            assert_eq!(is_about, expected, "{patterns:?} {services:?}");
        }
    }

    #[test]
    fn an_announcement_is_one_line() {
        let announcement = |title: &str, about: &str, state: &str| Announcement {
            title: title.into(),
            about: about.into(),
            state: state.into(),
            ..Announcement::default()
        };
        for (title, about, state, expected) in [
            ("cannot send", "Gmail", "investigating", "Gmail: cannot send (investigating)"),
            ("Gmail is slow", "Gmail", "", "Gmail is slow"),
            ("slow", "", "", "slow"),
        ] {
            assert_eq!(announcement(title, about, state).in_words(), expected);
        }
    }

    #[test]
    fn the_last_word_counts() {
        let mut outside = Outside::default();
        let vendor = |trouble| VendorSays { vendor: "v".into(), trouble, ..Default::default() };
        outside.hear(&Heard::Vendor(vendor(vec![Announcement::default()])));
        outside.hear(&Heard::Vendor(vendor(vec![])));
        assert_eq!(outside.vendor("v"), Some(&vendor(vec![])));
        let peer = |silent_since| PeerHeard { peer: "p".into(), silent_since, why: String::new() };
        outside.hear(&Heard::Peer(peer(Some(Timestamp::UNIX_EPOCH))));
        outside.hear(&Heard::Peer(peer(None)));
        assert_eq!(outside.peers().collect::<Vec<_>>(), [&peer(None)]);
    }
}
