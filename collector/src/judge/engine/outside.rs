//! What is heard from outside, beside incidents: a vendor's word is a line of the timeline and nothing else; another
//! collector of which nothing is heard is an incident of silence.

use jiff::Timestamp;
use mailsonde_proto::WallTime;

use super::super::incident::{FaultBrief, Incident, Kind, Place, Scope};
use super::super::outside::{Announcement, Outside, PeerHeard, VendorSaid, VendorSays};
use super::Engine;

/// The phase of what is no phase of a run: by it the silence of another collector is known.
const PEER: &str = "peer";
/// Announcements that are kept of one incident.
const MOST_SAID: usize = 8;

impl Engine {
    /// Something else was heard from outside at `now`.
    pub fn hear(&mut self, outside: Outside, now: WallTime) {
        self.proceed(now);
        self.outside = outside;
        let live = self.incidents.values().filter(|incident| incident.is_live());
        for number in live.map(|incident| incident.number).collect::<Vec<_>>() {
            self.tell_vendors(number);
        }
        let peers: Vec<PeerHeard> = self.outside.peers().cloned().collect();
        for peer in peers {
            let known = self.silence_of(&peer.peer);
            match (peer.silent_since, known) {
                (Some(since), None) => self.peer_is_silent(&peer, since),
                (None, Some(incident)) => self.peer_is_back(&peer.peer, incident),
                _ => {}
            }
        }
        self.settle();
    }

    /// Puts the word of vendors that speak for its services beside an incident.
    pub(super) fn tell_vendors(&mut self, number: u64) {
        let Some(incident) = self.incidents.get(&number) else { return };
        // of what is silent nobody knows whether a vendor has to do with it
        if !incident.is_live() || incident.kind == Kind::Silence {
            return;
        }
        let at = self.at();
        let mut told = incident.vendors.clone();
        let mut lines = Vec::new();
        for says in self.outside.vendors() {
            if says.is_about(incident.services.keys().map(String::as_str)) {
                for announcement in &says.trouble {
                    lines.extend(heard(&mut told, &says.vendor, announcement));
                }
            }
            lines.extend(over(&mut told, says, at));
        }
        if lines.is_empty() && told == incident.vendors {
            return;
        }
        if let Some(incident) = self.incident(number) {
            incident.vendors = told;
            for line in lines {
                incident.tell(at, "vendor", line);
            }
        }
    }

    /// The incident that is about the silence of another collector.
    fn silence_of(&self, peer: &str) -> Option<u64> {
        let is_its = |(_, ends): &(&u64, &super::Ends)| ends.peers.contains(peer);
        self.open_ends.iter().find(is_its).map(|(number, _)| *number)
    }

    fn peer_is_silent(&mut self, peer: &PeerHeard, since: Timestamp) {
        let PeerHeard { peer, why, .. } = peer;
        let explanation = match why.is_empty() {
            true => format!("nothing is heard from the collector {peer}"),
            false => format!("the collector {peer} is not heard to be healthy: {why}"),
        };
        let fault = FaultBrief {
            phase: PEER.to_owned(),
            class: "unknown".to_owned(),
            explanation: explanation.clone(),
            ..FaultBrief::default()
        };
        let place = Place {
            vantage_point: peer.clone(),
            site: peer.clone(),
            check: String::new(),
            since,
            fault,
            passed_at: None,
            verified_at: None,
        };
        let number = self.open_of(Kind::Silence, Scope::Branch { site: peer.clone() }, &place);
        self.open_ends.entry(number).or_default().peers.insert(peer.clone());
        let at = self.at();
        if let Some(incident) = self.incident(number) {
            incident.tell(at, "opened", explanation);
            incident.places.push(place);
        }
        self.dirty.stale.insert(number);
    }

    fn peer_is_back(&mut self, peer: &str, number: u64) {
        let at = self.at();
        if let Some(ends) = self.open_ends.get_mut(&number) {
            ends.peers.remove(peer);
        }
        if let Some(incident) = self.incident(number) {
            incident.tell(at, "heard", format!("the collector {peer} is there again, and healthy"));
            for place in &mut incident.places {
                (place.passed_at, place.verified_at) = (Some(at), Some(at));
            }
            incident.ended_at = Some(at);
        }
        self.dirty.stale.insert(number);
    }

    /// After a restart: the collectors that are silent keep their incidents open.
    pub(super) fn restore_peers(&mut self) {
        let silent: Vec<(u64, String)> = (self.incidents.values())
            .filter(|incident| incident.is_live() && incident.is_of_peer())
            .flat_map(|incident| incident.places.iter().map(|place| (incident.number, place)))
            .filter(|(_, place)| place.passed_at.is_none())
            .map(|(number, place)| (number, place.vantage_point.clone()))
            .collect();
        for (number, peer) in silent {
            self.open_ends.entry(number).or_default().peers.insert(peer);
        }
    }
}

impl Incident {
    /// Whether it is about the silence of another collector.
    pub fn is_of_peer(&self) -> bool {
        self.kind == Kind::Silence && self.fault.phase == PEER
    }

    /// What vendors say of it now, or said last, the latest first.
    pub fn vendors_in_words(&self) -> impl Iterator<Item = (&VendorSaid, String)> {
        self.vendors.iter().rev().map(|said| {
            let VendorSaid { vendor, announcement, over_at } = said;
            let mut words = format!("{vendor}: {}", announcement.in_words());
            if let Some(since) = announcement.since {
                words.push_str(&format!(", since {}", since.strftime("%Y-%m-%d %H:%M UTC")));
            }
            if let Some(at) = over_at {
                words.push_str(&format!(", no longer told at {}", at.strftime("%H:%M UTC")));
            }
            if let Some(link) = &announcement.link {
                words.push_str(&format!(", {link}"));
            }
            (said, words)
        })
    }
}

/// Takes in that a vendor tells of trouble; a line where that is news.
fn heard(told: &mut Vec<VendorSaid>, vendor: &str, announcement: &Announcement) -> Option<String> {
    let is_it =
        |said: &&mut VendorSaid| said.vendor == vendor && said.announcement.id == announcement.id;
    if let Some(known) = told.iter_mut().find(is_it) {
        let is_news = known.announcement.state != announcement.state || known.over_at.is_some();
        known.announcement = announcement.clone();
        known.over_at = None;
        return is_news.then(|| format!("{vendor} says: {}", announcement.in_words()));
    }
    if told.len() >= MOST_SAID {
        return None;
    }
    told.push(VendorSaid {
        vendor: vendor.to_owned(),
        announcement: announcement.clone(),
        over_at: None,
    });
    let link = announcement.link.as_ref().map(|link| format!(", {link}")).unwrap_or_default();
    Some(format!("{vendor} says: {}{link}", announcement.in_words()))
}

/// Takes in what a vendor no longer tells of.
fn over(told: &mut [VendorSaid], says: &VendorSays, at: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    for said in told.iter_mut().filter(|said| said.vendor == says.vendor) {
        let is_told = says.trouble.iter().any(|it| it.id == said.announcement.id);
        if !is_told && said.over_at.is_none() {
            said.over_at = Some(at);
            let title = &said.announcement.title;
            lines.push(format!("{} no longer tells of: {title}", says.vendor));
        }
    }
    lines
}
