//! To which incident a failure belongs: one incident for one cause.
//!
//! What fails together belongs together, by the strongest tie there is: the same check, a service that needs another,
//! the same service and phase, the same site. A failure that ties two incidents makes one of them.

use std::time::Duration;

use mailsonde_proto::WallTime;

use super::super::incident::{Incident, Kind, Place, Scope, Severity, Similar, State};
use super::super::watch::{Confirmed, Failing};
use super::{COMES_BACK, Engine};
use crate::judge::incident::Impact;

/// What begins within this of an incident began together with it.
const TOGETHER: Duration = Duration::from_secs(5 * 60);
/// Changes so long before a failure are told with it.
const SHORTLY_BEFORE: Duration = Duration::from_secs(24 * 3_600);
/// Similar incidents that are named.
const MOST_SIMILAR: usize = 5;

/// How a failure is tied to an incident; the strongest tie first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tie {
    /// The same check at the same vantage point.
    Itself,
    /// The same check from elsewhere.
    Check,
    /// One service needs the other.
    Need { is_cause: bool },
    /// The same service fails.
    Service,
    /// All of it fails at the same site, and nowhere else.
    Site,
}

/// Phases of the same part of a session are one family.
pub(in crate::judge) fn family(phase: &str) -> &str {
    match phase.rsplit('.').next().unwrap_or(phase) {
        "resolve" | "lookup" | "dns" => "resolve",
        "connect" | "tcp" | "banner" | "greeting" => "connect",
        "tls" | "starttls" | "handshake" | "certificate" => "tls",
        "auth" | "login" | "token" => "auth",
        "envelope" | "mail" | "rcpt" | "data" | "submit" | "hello" | "ehlo" => "submission",
        "transit" | "arrival" | "fetch" | "select" | "watch" | "search" => "arrival",
        other => other,
    }
}

impl Engine {
    /// The number of the incident that a confirmed failure belongs to; a new one where there is none.
    pub(super) fn belongs(&mut self, number: usize, place: &Place, by: Confirmed) -> u64 {
        let mut ties: Vec<(Tie, u64)> = (self.incidents.values())
            .filter_map(|incident| Some((self.tie(number, place, incident)?, incident.number)))
            .collect();
        ties.sort_unstable();
        let Some((tie, chosen)) = ties.first().copied() else { return self.open(place, by) };
        if let Tie::Need { is_cause: true } = tie {
            self.move_root(chosen, number, place);
        }
        self.come_back(chosen, place);
        for (tie, other) in ties.into_iter().skip(1) {
            let is_live = self.incidents.get(&other).is_some_and(Incident::is_live);
            if is_live && matches!(tie, Tie::Itself | Tie::Check | Tie::Need { is_cause: true }) {
                self.merge(other, chosen);
            }
        }
        chosen
    }

    fn tie(&self, number: usize, place: &Place, incident: &Incident) -> Option<Tie> {
        let series = self.fleet.series.get(number)?;
        let verified = incident.verified_at.filter(|_| incident.state == State::Verified);
        let may_come_back = verified.is_some_and(|at| self.now.minus(COMES_BACK).timestamp() <= at);
        if !(incident.is_live() || may_come_back)
            || incident.kind == Kind::Burn
            || incident.merged_into.is_some()
        {
            return None;
        }
        let is_same_place =
            |it: &Place| (&it.vantage_point, &it.check) == (&place.vantage_point, &place.check);
        let is_alike = family(&incident.fault.phase) == family(&place.fault.phase);
        let itself = incident.places.iter().any(is_same_place).then_some(Tie::Itself);
        if !incident.is_live() {
            // what was over comes back where it was, as what it was; anything else is news
            return itself.filter(|_| is_alike && incident.fault.class == place.fault.class);
        }
        if itself.is_some() {
            return itself;
        }
        let is_young = self.now.minus(TOGETHER).timestamp() <= incident.opened_at;
        if incident.checks.contains(&place.check) && (is_alike || is_young) {
            return Some(Tie::Check);
        }
        let of_incident = || {
            let all = self.fleet.services.iter().enumerate();
            // of those that silence touches nobody knows whether they fail
            let fails = |it: &super::fleet::Serving| {
                incident.kind != Kind::Silence && incident.services.contains_key(&it.name)
            };
            all.filter(move |(_, it)| fails(it)).map(|(at, _)| at)
        };
        let mine = &series.services;
        if mine.iter().any(|mine| of_incident().any(|its| self.fleet.needs(*mine, its))) {
            return Some(Tie::Need { is_cause: false });
        }
        if is_young && mine.iter().any(|mine| of_incident().any(|its| self.fleet.needs(its, *mine)))
        {
            return Some(Tie::Need { is_cause: true });
        }
        let is_same = is_alike && incident.fault.class == place.fault.class;
        if !is_same && self.works_where(incident, &place.check) {
            return None;
        }
        if (is_alike || is_young) && of_incident().any(|its| mine.contains(&its)) {
            return Some(Tie::Service);
        }
        let is_of_site = incident.places.iter().all(|it| it.site == place.site);
        (is_young && is_of_site && incident.more_places == 0).then_some(Tie::Site)
    }

    /// Whether a check is known to work at a site from which an incident fails: then what it fails of elsewhere is not
    /// the incident's cause.
    fn works_where(&self, incident: &Incident, check: &str) -> bool {
        // not since it began: the run that failed first may have been under way for long when the trouble came
        let since = WallTime::from(incident.opened_at);
        let fails_at = |site: &str| incident.places.iter().any(|it| it.site == site);
        self.fleet
            .of_check(check)
            .any(|(_, it)| fails_at(&it.site) && it.watch.has_passed_since(since))
    }

    fn open(&mut self, place: &Place, by: Confirmed) -> u64 {
        let kind = match by {
            Confirmed::Flapping => Kind::Flapping,
            _ => Kind::Outage,
        };
        let scope = Scope::OnePlace { site: place.site.clone() };
        let number = self.open_of(kind, scope, place);
        let checks = [place.check.clone()];
        let since = self.now.minus(SHORTLY_BEFORE);
        let changes = self.changes_since(checks.iter(), since);
        let similar = self.similar(place);
        let at = self.at();
        if let Some(incident) = self.incident(number) {
            incident.confirmed_by = Some(by);
            (incident.changes, incident.similar) = (changes, similar);
            incident.tell(at, "opened", confirmed_in_words(by));
        }
        number
    }

    /// A new incident, of which its place is known.
    pub(super) fn open_of(&mut self, kind: Kind, scope: Scope, place: &Place) -> u64 {
        self.book.incidents += 1;
        let number = self.book.incidents;
        let incident = Incident {
            number,
            kind,
            state: State::Open,
            severity: Severity::Notice,
            scope,
            began_at: place.since,
            opened_at: self.at(),
            confirmed_by: None,
            acknowledged_at: None,
            resolved_at: None,
            verified_at: None,
            reviewed_at: None,
            ended_at: None,
            fault: place.fault.clone(),
            root: None,
            checks: Default::default(),
            services: Default::default(),
            places: Vec::new(),
            more_places: 0,
            works_from: Default::default(),
            changes: Vec::new(),
            similar: Vec::new(),
            vendors: Vec::new(),
            reopened: 0,
            is_security: false,
            merged_into: None,
            timeline: Vec::new(),
            more_entries: 0,
            estimate: None,
            figures: None,
        };
        self.incidents.insert(number, incident);
        self.dirty.incident(number);
        number
    }

    fn similar(&self, place: &Place) -> Vec<Similar> {
        let is_alike = |past: &&super::Past| {
            past.checks.contains(&place.check)
                && family(&past.phase) == family(&place.fault.phase)
                && past.class == place.fault.class
        };
        let similar = |past: &super::Past| Similar {
            number: past.number,
            opened_at: past.opened_at,
            lasted_s: past.lasted_s,
            note: past.note.clone(),
        };
        self.past.iter().rev().filter(is_alike).take(MOST_SIMILAR).map(similar).collect()
    }

    /// An incident that was over is not.
    pub(super) fn come_back(&mut self, number: u64, place: &Place) {
        let at = self.at();
        let Some(incident) = self.incident(number) else { return };
        if !matches!(incident.state, State::Verified | State::Resolved) {
            return;
        }
        let was_verified = incident.state == State::Verified;
        // whoever took it on may think that it is over: somebody has to say so again
        let is_taken_on = !was_verified && incident.is_taken_on();
        incident.state = if is_taken_on { State::Acknowledged } else { State::Open };
        (incident.resolved_at, incident.verified_at, incident.ended_at) = (None, None, None);
        if was_verified {
            incident.reopened += 1;
            (incident.estimate, incident.figures) = (None, None);
            // from where it fails now is looked at anew; how bad it was at worst stays
            incident.scope = Scope::OnePlace { site: place.site.clone() };
            incident.fault = place.fault.clone();
            if incident.reopened >= 2 && incident.kind == Kind::Outage {
                incident.kind = Kind::Flapping;
            }
            let Place { vantage_point, check, .. } = place;
            incident.tell(at, "came back", format!("{check} fails from {vantage_point} again"));
        }
    }

    /// What others need fails: that is the cause.
    fn move_root(&mut self, incident: u64, number: usize, place: &Place) {
        let cause = self.fleet.series.get(number).and_then(|it| it.services.first().copied());
        let cause = cause.and_then(|at| self.fleet.services.get(at)).map(|it| it.name.clone());
        let at = self.at();
        let (Some(cause), Some(incident)) = (cause, self.incident(incident)) else { return };
        incident.fault = place.fault.clone();
        for (name, impact) in &mut incident.services {
            if *name != cause {
                impact.because_of = Some(cause.clone());
            }
        }
        incident.tell(at, "cause", format!("{cause} fails, which the others need"));
        incident.root = Some(cause);
    }

    /// Two incidents are one.
    fn merge(&mut self, other: u64, into: u64) {
        let Some(mut gone) = self.incidents.remove(&other) else { return };
        let at = self.at();
        let moved = std::mem::take(self.open_ends.entry(other).or_default());
        self.open_ends.remove(&other);
        for number in &moved.series {
            let watch =
                self.fleet.series.get_mut(*number).map(|series| &mut series.watch.condition);
            if let Some(super::super::watch::Condition::Failing(Failing { incident, .. })) = watch {
                *incident = into;
            }
        }
        for number in &moved.agents {
            if let Some(agent) = self.fleet.agents.get_mut(*number) {
                agent.silent = Some(into);
            }
        }
        self.dirty.watches.extend(&moved.series);
        let ends = self.open_ends.entry(into).or_default();
        ends.series.extend(&moved.series);
        ends.agents.extend(&moved.agents);
        ends.peers.extend(moved.peers);
        if let Some(kept) = self.incident(into) {
            kept.began_at = kept.began_at.min(gone.began_at);
            kept.checks.extend(gone.checks.iter().cloned());
            kept.places.extend(gone.places.iter().cloned());
            for (name, impact) in &gone.services {
                let known: &mut Impact = kept.services.entry(name.clone()).or_default();
                known.title.clone_from(&impact.title);
                known.sites.extend(impact.sites.iter().cloned());
                known.was_down |= impact.was_down;
                known.users = known.users.or(impact.users);
            }
            kept.tell(at, "merged", format!("incident {other} is part of this"));
        }
        gone.merged_into = Some(into);
        gone.tell(at, "merged", format!("it is part of incident {into}"));
        self.incidents.insert(other, gone);
        self.dirty.incident(other);
        self.dirty.archive.insert(other);
        self.dirty.stale.insert(into);
    }
}

fn confirmed_in_words(by: Confirmed) -> &'static str {
    match by {
        Confirmed::Again => "a second run from the same vantage point failed",
        Confirmed::NoAnswer => "the run that was asked for is not back in time",
        Confirmed::Elsewhere => "another vantage point fails too",
        Confirmed::Flapping => "it fails and passes again and again",
    }
}
