//! Error budgets that are spent too fast: looked at once a minute, by what each check said last.
//!
//! This is for being told in time; what was reached is counted by slots and runs, elsewhere. A check of which
//! nothing is known counts neither way.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::super::burn::{BurnRule, Burns, FINE};
use super::super::definition::{Objective, ROUND_TRIP, Sli, Voiced};
use super::super::incident::{FaultBrief, Impact, Kind, Place, Scope, Severity, State};
use super::super::planned::zone;
use super::super::watch::Condition;
use super::super::window::in_hours;
use super::Engine;
use super::fleet::Series;

const MINUTE: Duration = Duration::from_secs(60);
const MINUTE_US: i64 = 60_000_000;
/// What is older than so many cadences is not known any more.
const KNOWN_CADENCES: u32 = 3;

impl Engine {
    /// Counts the minute that has passed, and looks which budgets are spent too fast.
    pub(super) fn count_minute(&mut self) {
        let minute = self.now.as_us().div_euclid(MINUTE_US);
        if self.book.counted_minute == minute {
            return;
        }
        self.book.counted_minute = minute;
        for at in 0..self.fleet.services.len() {
            self.count_service(at);
        }
    }

    fn count_service(&mut self, at: usize) {
        let Some(service) = self.fleet.definitions.services.get(at) else { return };
        let (name, objectives) = (service.name.clone(), service.objectives.clone());
        let minute = self.now.minus(MINUTE)..self.now;
        if !self.planned.excluded(service, minute.clone()).is_empty() {
            return; // what is planned spends nothing
        }
        let zone = self.fleet.definitions.time_zone.as_deref().and_then(|name| zone(name).ok());
        let zone = zone.unwrap_or(TimeZone::UTC);
        let is_open = |hours| !in_hours(hours, &zone, &minute).is_empty();
        let is_in_hours = service.hours.as_ref().is_none_or(is_open);
        let counted: Vec<_> = (objectives.iter())
            .filter(|objective| is_in_hours || !objective.in_hours)
            .map(|objective| (objective.name.clone(), self.count(at, &name, objective)))
            .filter(|(_, (good, bad))| good + bad > 0)
            .collect();
        let failing = self.failing_voices(at);
        let now = self.now;
        let burns: &mut Burns = self.burns.entry(name.clone()).or_default();
        for (objective, (good, bad)) in &counted {
            burns.0.entry(objective.clone()).or_default().add(now, *good, *bad);
        }
        burns.0.retain(|known, _| objectives.iter().any(|objective| objective.name == *known));
        let fires = |objective: &Objective| {
            let rule = burns.0.get(&objective.name)?.verdict(objective.target, now, failing)?;
            Some((rule, objective.name.clone()))
        };
        let fastest = objectives.iter().filter_map(fires).min();
        if !counted.is_empty() {
            self.dirty.burns.insert(name.clone());
        }
        self.burn(&name, fastest);
    }

    /// How much of the minute was good and bad for an objective.
    fn count(&self, at: usize, name: &str, objective: &Objective) -> (u64, u64) {
        let members = || {
            let all = self.fleet.services.get(at).into_iter().flat_map(|it| &it.members);
            all.filter_map(|number| self.fleet.series.get(*number))
                .filter(|series| self.is_known(series))
        };
        let tally = |good: usize, all: usize| {
            let of = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
            (of(good), of(all.saturating_sub(good)))
        };
        let passes = |series: &&Series| series.watch.condition == Condition::Calm;
        match objective.sli {
            Sli::Uptime => match self.voiced(name) {
                Voiced::Up => (1, 0),
                Voiced::Down => (0, 1),
                Voiced::Unknown => (0, 0),
            },
            Sli::Success => tally(members().filter(passes).count(), members().count()),
            Sli::Delivery => {
                let mail = || members().filter(|series| series.kind == ROUND_TRIP);
                tally(mail().filter(passes).count(), mail().count())
            }
            Sli::Latency { within_us } => {
                let mail = || members().filter(|series| series.kind == ROUND_TRIP).filter(passes);
                let quick = mail().filter(|series| series.watch.usual_us <= within_us).count();
                tally(quick, mail().count())
            }
            Sli::Resolution { .. } | Sli::Security => (0, 0),
        }
    }

    fn is_known(&self, series: &Series) -> bool {
        let known = series.pace.cadence.saturating_mul(KNOWN_CADENCES);
        let known = known.saturating_add(series.pace.timeout);
        series.watch.last_slot.is_some_and(|slot| self.now.since(slot) <= known)
    }

    fn failing_voices(&self, at: usize) -> usize {
        let members = self.fleet.services.get(at).into_iter().flat_map(|it| &it.members);
        let failing = members
            .filter_map(|number| self.fleet.series.get(*number))
            .filter(|series| series.watch.failing().is_some())
            .map(|series| series.site.as_str());
        failing.collect::<std::collections::BTreeSet<_>>().len()
    }

    /// A rule fires for a service, or none does.
    fn burn(&mut self, service: &str, fastest: Option<(BurnRule, String)>) {
        let of_service = |it: &&super::Incident| it.services.contains_key(service);
        let mut incidents = self.incidents.values().filter(of_service);
        let is_burning = |it: &&super::Incident| it.is_live() && it.kind == Kind::Burn;
        let burning = incidents.clone().find(is_burning).map(|it| it.number);
        // what an outage has spent is told with it, and once
        // as far back as the short window reaches, with the bucket that it begins in
        let short = fastest.as_ref().map_or_else(Default::default, |(rule, _)| rule.windows().1);
        let since = self.now.minus(short).minus(FINE).timestamp();
        let is_explained = incidents.any(|it| {
            let is_outage = matches!(it.kind, Kind::Outage | Kind::Flapping);
            is_outage && (it.is_live() || it.verified_at.is_some_and(|at| at >= since))
        });
        match (burning, fastest) {
            (None, Some((rule, objective))) if !is_explained => {
                self.open_burn(service, rule, &objective);
            }
            (Some(number), None) => self.end_burn(number),
            _ => {}
        }
    }

    fn open_burn(&mut self, service: &str, rule: BurnRule, objective: &str) {
        let (factor, (long, short)) = (rule.factor_milli(), rule.windows());
        let words = format!(
            "{objective} is spent more than {}.{} times as fast as it may be, over {} and {}",
            factor / 1_000,
            factor % 1_000 / 100,
            humantime::format_duration(long),
            humantime::format_duration(short),
        );
        let fault = FaultBrief {
            phase: "budget".to_owned(),
            class: rule.as_str().to_owned(),
            explanation: words.clone(),
            ..FaultBrief::default()
        };
        let at = self.at();
        let place = Place {
            vantage_point: String::new(),
            site: String::new(),
            check: String::new(),
            since: at,
            fault,
            passed_at: None,
            verified_at: None,
        };
        let defined = self.fleet.definitions.service(service);
        let impact = Impact {
            title: defined.map(|it| it.shown().to_owned()).unwrap_or_default(),
            users: defined.and_then(|it| it.users),
            ..Impact::default()
        };
        let sites = self.fleet.services.iter().position(|it| it.name == service);
        let failing = sites.map_or(0, |it| self.failing_voices(it));
        let number = self.open_of(Kind::Burn, Scope::Some { failing, of: failing }, &place);
        if let Some(incident) = self.incident(number) {
            incident.severity = Severity::Minor;
            incident.root = Some(service.to_owned());
            incident.services = BTreeMap::from([(service.to_owned(), impact)]);
            incident.tell(at, "opened", words);
        }
    }

    fn end_burn(&mut self, number: u64) {
        let at = self.at();
        if let Some(incident) = self.incident(number) {
            incident.resolved_at.get_or_insert(at);
            incident.verified_at = Some(at);
            incident.ended_at = Some(at);
            incident.state = State::Verified;
            incident.tell(at, "verified", "the budget is not spent too fast any more");
        }
        if let Some(incident) = self.incidents.get(&number).cloned() {
            self.remember(&incident);
        }
        self.dirty.archive.insert(number);
    }

    pub(super) fn burns_of(&self, service: &str) -> Option<Vec<u8>> {
        self.burns.get(service).map(Burns::encode)
    }

    pub(super) fn restore_burns(&mut self, kept: &[(crate::series::ServiceId, Vec<u8>)]) {
        for service in &self.fleet.definitions.services {
            let id = crate::series::ServiceId::of(&service.name);
            if let Some((_, bytes)) = kept.iter().find(|(there, _)| *there == id) {
                self.burns.insert(service.name.clone(), Burns::decode(bytes));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Engine;

    #[test]
    fn a_minute_is_counted_once() {
        let mut engine = Engine::default();
        engine.tick(mailsonde_proto::WallTime::from_s(600));
        assert_eq!(engine.book.counted_minute, 10);
        engine.tick(mailsonde_proto::WallTime::from_s(630));
        assert_eq!(engine.book.counted_minute, 10);
    }
}
