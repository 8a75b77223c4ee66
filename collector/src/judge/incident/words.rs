//! Incidents, scopes and faults in words: one line each, without a full stop. Absent on purpose: what it probably is,
//! which `diagnosis` says.

use std::collections::BTreeSet;

use super::{FaultBrief, Incident, Kind, Scope};
use crate::figures::plural;

/// Sites and vantage points that a line names.
const MOST_NAMED: usize = 4;

impl FaultBrief {
    /// `connect: refused: connection refused`, with what the server said.
    pub fn in_words(&self) -> String {
        let mut words = format!("{}: {}", self.phase, self.class);
        for part in [&self.code, &self.explanation] {
            if !part.is_empty() {
                words.push_str(": ");
                words.push_str(part);
            }
        }
        if !self.reply.is_empty() {
            words.push_str(&format!(" (\"{}\")", self.reply));
        }
        words
    }
}

impl Scope {
    /// One sentence without a full stop.
    pub fn in_words(&self) -> String {
        match self {
            Self::OnePlace { site } => {
                format!("seen from {site} only: whether it is {site} or the target nobody can tell")
            }
            Self::Branch { site } => {
                format!("fails from {site} and works from elsewhere: the trouble is {site}'s")
            }
            Self::Some { failing, of } if failing == of => {
                format!("fails from {}; others have yet to tell", plural(*failing, "site"))
            }
            Self::Some { failing, of } => format!("fails from {failing} of {of} sites"),
            Self::Everywhere { sites } => {
                format!("fails from all {sites} sites: the trouble is the target's")
            }
        }
    }
}

impl Incident {
    /// From where it fails, in one sentence without a full stop.
    pub fn wherefrom(&self) -> String {
        match (self.kind, &self.scope) {
            (Kind::Burn, Scope::Some { failing, .. }) => {
                format!("{} failed when it was noticed", plural(*failing, "site"))
            }
            (Kind::Silence, Scope::Branch { site }) if self.is_of_peer() => {
                format!("it is about the collector {site}")
            }
            (Kind::Silence, Scope::Branch { site }) => format!("it is about {site} only"),
            (Kind::Silence, Scope::Some { failing, .. }) => {
                let words = match self.fault.phase.as_str() {
                    "uplink" => "nothing is heard from",
                    _ => "mail cannot be judged from",
                };
                format!("{words} {}", plural(*failing, "site"))
            }
            (_, scope) => {
                let still = self.still_fails_from();
                let all = self.places.iter().map(|place| place.site.as_str());
                let all: BTreeSet<&str> = all.collect();
                match (self.is_live(), still.len()) {
                    (false, _) => scope.in_words(),
                    (true, 0) => {
                        format!("failed from {}, and passes again", plural(all.len(), "site"))
                    }
                    (true, now) if now < all.len() => {
                        let names: Vec<&str> = still.into_iter().take(MOST_NAMED).collect();
                        let more = if now > MOST_NAMED { " and more" } else { "" };
                        let names = names.join(", ");
                        let all = plural(all.len(), "site");
                        format!("failed from {all}, and still does from {names}{more}")
                    }
                    (true, _) => scope.in_words(),
                }
            }
        }
    }

    /// Whether any run passed of what had failed; else it ended because nothing of it is to run any more.
    pub fn is_proven(&self) -> bool {
        self.places.is_empty() || self.places.iter().any(|place| place.passed_at.is_some())
    }

    /// Sites of which a place has not passed yet.
    pub fn still_fails_from(&self) -> BTreeSet<&str> {
        let failing = self.places.iter().filter(|place| place.passed_at.is_none());
        failing.map(|place| place.site.as_str()).collect()
    }

    /// One line: what fails, from where.
    pub fn headline(&self) -> String {
        let what = match (&self.root, self.services.len()) {
            (Some(root), _) => self
                .services
                .get(root)
                .map(|it| it.title.clone())
                .filter(|it| !it.is_empty())
                .unwrap_or(root.clone()),
            (None, _) => self.checks.iter().cloned().collect::<Vec<_>>().join(", "),
        };
        match self.kind {
            Kind::Silence if self.places.len() > 1 => {
                let names: BTreeSet<&str> =
                    self.places.iter().map(|place| place.vantage_point.as_str()).collect();
                let told: Vec<&str> = names.iter().copied().take(MOST_NAMED).collect();
                let more = names.len().saturating_sub(told.len());
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                format!("nobody knows how mail is from {}{more}", told.join(", "))
            }
            Kind::Silence if self.is_of_peer() => self.fault.explanation.clone(),
            Kind::Silence => self.fault.in_words(),
            Kind::Burn => format!("{what}: {}", self.fault.explanation),
            Kind::Flapping => format!("{what} comes and goes: {}", self.fault.in_words()),
            Kind::Outage => format!("{what}: {}", self.fault.in_words()),
        }
    }
}
