//! What a run is evidence of: nothing, a suspicion, a failure, its end.

use std::collections::BTreeSet;
use std::time::Duration;

use mailsonde_proto::{Cause, Observation, Verdict, VoidReason, WallTime};

use super::super::incident::{Kind, MOST_PLACES, Place, State};
use super::super::watch::{Change, Condition, Confirmed, Ran, of_us};
use super::{Due, Engine, Wish};

/// A failure that was heard of so much later than it could have been opens no incident.
const LATE: Duration = Duration::from_secs(60);
/// A run that is heard of so long after its end came with others that were kept: it is news, and no confirmation.
const KEPT: Duration = Duration::from_secs(10);
/// Other vantage points that are asked to confirm one failure.
const OTHERS: usize = 3;
/// Others are asked once in so long about one check.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// Wishes that wait at most: more can only be a flood, in which there is evidence enough.
const MOST_WISHES: usize = 1_000;

impl Engine {
    /// Takes in what an agent observed, received at `now`.
    pub fn observe(
        &mut self,
        agent: mailsonde_proto::AgentId,
        observation: &Observation,
        now: WallTime,
    ) {
        self.proceed(now);
        let Some(agent) = self.fleet.agent(agent) else { return };
        self.heard_from(agent, observation);
        let Some(number) = self.fleet.series_of(agent, &observation.check) else { return };
        if !observation.facts.is_empty() {
            self.hear_traits(number, observation);
        }
        if observation.amends.is_some() {
            return;
        }
        if self.is_history(agent, observation) {
            if let Some(series) = self.fleet.series.get_mut(number) {
                series.watch.pass_over(observation.scheduled_for);
            }
            return;
        }
        let is_scheduled = observation.cause == Cause::Scheduled;
        let fault = match &observation.verdict {
            Verdict::Pass => None,
            Verdict::Fail(fault) => Some(fault),
            Verdict::Void { reason, .. } => return self.void(number, is_scheduled, *reason),
        };
        let total_us = observation.total_us;
        let slot = observation.scheduled_for;
        let is_late = now.since(slot) > Duration::from_micros(total_us).saturating_add(KEPT);
        self.judged(number, Ran { slot, is_scheduled, fault, total_us, is_late });
    }

    fn void(&mut self, number: usize, is_scheduled: bool, reason: VoidReason) {
        if !is_scheduled {
            return self.undecided(number);
        }
        if let Some(agent) = self.fleet.series.get(number).map(|series| series.agent) {
            self.could_not_judge(agent, reason);
        }
    }

    /// The run that was asked for says nothing.
    pub(super) fn undecided(&mut self, number: usize) {
        let Some(series) = self.fleet.series.get_mut(number) else { return };
        if let Some(due) = series.watch.due() {
            series.watch.undecided();
            self.dirty.watches.insert(number);
            self.due.remove(&(due, Due::Series(number)));
        }
    }

    fn judged(&mut self, number: usize, ran: Ran<'_>) {
        let now = self.now;
        let Some(series) = self.fleet.series.get_mut(number) else { return };
        if !series.is_active {
            return;
        }
        let known_by = series.pace.cadence.saturating_add(series.pace.timeout).saturating_add(LATE);
        if ran.is_scheduled && ran.fault.is_some() && now.since(ran.slot) > known_by {
            return series.watch.pass_over(ran.slot);
        }
        let due = series.watch.due();
        let had_asked = series.watch.asked_pass_us.is_some(); // a scheduled run forgets it
        let change = series.watch.hear(ran, series.pace, now);
        let is_kept = had_asked || series.watch.failing().is_some() || !ran.is_scheduled;
        if change == Change::Nothing && !is_kept {
            return;
        }
        self.dirty.watches.insert(number);
        if let Some(due) = due {
            self.due.remove(&(due, Due::Series(number)));
        }
        match change {
            Change::Nothing => self.seen_elsewhere(number),
            Change::Suspected => self.suspected(number, ran.is_late),
            Change::Denied => {}
            Change::Confirmed(by) => self.join(number, by),
            Change::StillFailing => self.still_failing(number, ran.slot),
            Change::Passed => self.passed(number, ran.slot),
            Change::Over => self.over(number),
        }
    }

    /// A run that was asked for passed where nothing fails: an incident of its check may be one branch's.
    fn seen_elsewhere(&mut self, number: usize) {
        let Some(series) = self.fleet.series.get(number) else { return };
        let of_check = self.incidents.values().filter(|it| it.checks.contains(&series.check));
        self.dirty.stale.extend(of_check.filter(|it| it.is_live()).map(|it| it.number));
    }

    fn suspected(&mut self, number: usize, is_late: bool) {
        if self.is_planned(number) {
            // nor does what comes and goes meanwhile count as flapping afterwards
            if let Some(series) = self.fleet.series.get_mut(number) {
                series.watch.condition = Condition::Calm;
                series.watch.flips.clear();
            }
            return;
        }
        let Some(series) = self.fleet.series.get(number) else { return };
        if let Some(due) = series.watch.due() {
            self.due.insert((due, Due::Series(number)));
        }
        let (check, site) = (series.check.clone(), series.site.clone());
        let Some(fault) = series.watch.suspicion().map(|suspicion| suspicion.fault.clone()) else {
            return;
        };
        // one failing run widens an incident only where it fails in the same way
        let is_known = self.incidents.values().any(|it| {
            let is_alike = (&it.fault.phase, &it.fault.class) == (&fault.phase, &fault.class);
            it.is_live() && is_alike && it.checks.contains(&check) && it.kind != Kind::Burn
        });
        if is_late {
            return self.ask(number, true);
        }
        let is_other = |(_, other): &(usize, &super::fleet::Series)| {
            other.site != site && other.watch.suspicion().is_some()
        };
        let other = self.fleet.of_check(&check).find(is_other).map(|(other, _)| other);
        match other {
            Some(other) => {
                self.join(other, Confirmed::Elsewhere);
                self.join(number, Confirmed::Elsewhere);
            }
            None if is_known => self.join(number, Confirmed::Elsewhere),
            None => self.ask(number, true),
        }
    }

    /// Wants a run from the same vantage point, and from others too.
    fn ask(&mut self, number: usize, others: bool) {
        let Some(series) = self.fleet.series.get(number) else { return };
        let id_of = |agent: usize| self.fleet.agents.get(agent).map(|agent| agent.id);
        let mut agents: Vec<_> = id_of(series.agent).into_iter().collect();
        let last = self.asked.get(&series.check).copied().unwrap_or_default();
        if others && self.now.since(last) >= ASK_AGAIN {
            let mut sites = BTreeSet::from([series.site.as_str()]);
            let can_tell = |agent: usize| {
                self.fleet.agents.get(agent).is_some_and(|it| it.is_here && it.silent.is_none())
            };
            // those that come after it, and then from the beginning: not always the same are asked
            let (after, before): (Vec<_>, Vec<_>) =
                self.fleet.of_check(&series.check).partition(|(other, _)| *other > number);
            for (_, other) in after.into_iter().chain(before) {
                let is_calm = other.watch.condition == Condition::Calm;
                if agents.len() <= OTHERS
                    && is_calm
                    && can_tell(other.agent)
                    && sites.insert(&other.site)
                {
                    agents.extend(id_of(other.agent));
                }
            }
            self.asked.insert(series.check.clone(), self.now);
        }
        if self.wishes.len() < MOST_WISHES {
            self.wishes.push(Wish { at: self.now, check: series.check.clone(), agents });
        }
    }

    /// The run that was asked for is not back.
    pub(super) fn confirmation_is_due(&mut self, number: usize) {
        let Some(series) = self.fleet.series.get(number) else { return };
        if series.watch.is_overdue(self.now) {
            self.join(number, Confirmed::NoAnswer);
        }
    }

    /// A failure that is real becomes part of an incident.
    fn join(&mut self, number: usize, by: Confirmed) {
        let Some(series) = self.fleet.series.get(number) else { return };
        let Some(suspicion) = series.watch.suspicion().cloned() else { return };
        if let Some(due) = series.watch.due() {
            self.due.remove(&(due, Due::Series(number)));
        }
        let agent = self.fleet.agents.get(series.agent);
        let place = Place {
            vantage_point: agent.map(|agent| agent.name.clone()).unwrap_or_default(),
            site: series.site.clone(),
            check: series.check.clone(),
            since: of_us(suspicion.since_us).timestamp(),
            fault: suspicion.fault,
            passed_at: None,
            verified_at: None,
        };
        let incident = self.belongs(number, &place, by);
        if let Some(series) = self.fleet.series.get_mut(number) {
            series.watch.joined(incident);
        }
        self.dirty.watches.insert(number);
        self.open_ends.entry(incident).or_default().series.insert(number);
        self.touch(incident, number, place);
        self.dirty.stale.insert(incident);
    }

    /// Puts a place and its services into an incident.
    fn touch(&mut self, incident: u64, number: usize, place: Place) {
        let at = self.at();
        let Some(incident) = self.incident(incident) else { return };
        incident.checks.insert(place.check.clone());
        incident.began_at = incident.began_at.min(place.since);
        let is_same =
            |it: &Place| (&it.vantage_point, &it.check) == (&place.vantage_point, &place.check);
        let site = place.site.clone();
        match incident.places.iter().position(is_same) {
            Some(known) => {
                if let Some(known) = incident.places.get_mut(known) {
                    *known = place;
                }
            }
            None if incident.places.len() < MOST_PLACES => {
                let Place { vantage_point, check, fault, .. } = &place;
                let words = format!("{check} fails from {vantage_point}: {}", fault.in_words());
                incident.tell(at, "fails", words);
                incident.places.push(place);
            }
            None => incident.more_places = incident.more_places.saturating_add(1),
        }
        self.touch_services(number, &site);
    }

    fn still_failing(&mut self, number: usize, slot: WallTime) {
        let Some(failing) = self.fleet.series.get(number).and_then(|it| it.watch.failing()) else {
            return;
        };
        let (number_of, fault, at) = (failing.incident, failing.fault.clone(), self.at());
        let Some((name, check)) = self.called(number) else { return };
        let Some(incident) = self.incident(number_of) else { return };
        let place =
            incident.places.iter_mut().find(|it| (&it.vantage_point, &it.check) == (&name, &check));
        let mut has_passed = false;
        if let Some(place) = place {
            has_passed = place.passed_at.take().is_some();
            place.fault = fault;
        }
        let is_news = incident.resolved_at.is_none_or(|at| slot.timestamp() > at);
        if incident.state == State::Resolved && is_news {
            let is_taken_on = incident.is_taken_on();
            incident.state = if is_taken_on { State::Acknowledged } else { State::Open };
            (incident.resolved_at, incident.ended_at) = (None, None);
            incident.tell(at, "fails again", format!("{check} from {name}"));
        } else if has_passed {
            incident.tell(at, "fails again", format!("{check} from {name}"));
        }
        self.dirty.stale.insert(number_of);
    }

    fn passed(&mut self, number: usize, slot: WallTime) {
        let failing = self.fleet.series.get(number).and_then(|it| it.watch.failing());
        let Some(incident) = failing.map(|failing| failing.incident) else { return };
        self.mark_passed(incident, number, slot);
        self.ask(number, false);
        self.dirty.stale.insert(incident);
    }

    fn mark_passed(&mut self, incident: u64, number: usize, slot: WallTime) {
        let Some((name, check)) = self.called(number) else { return };
        let at = self.at();
        let Some(incident) = self.incident(incident) else { return };
        let place =
            incident.places.iter_mut().find(|it| (&it.vantage_point, &it.check) == (&name, &check));
        if let Some(place) = place {
            place.passed_at = Some(slot.timestamp());
            incident.tell(at, "passes", format!("{check} from {name}"));
        }
        incident.ended_at = incident.ended_at.max(Some(slot.timestamp()));
    }

    /// Passing runs have shown that a series works again.
    fn over(&mut self, number: usize) {
        let of_series = |(_, ends): &(&u64, &super::Ends)| ends.series.contains(&number);
        let Some(incident) = self.open_ends.iter().find(of_series).map(|(number, _)| *number)
        else {
            return;
        };
        self.close_end(incident, number);
    }

    /// A series that fails is not to run any more: it keeps no incident open.
    pub(super) fn withdraw(&mut self, number: usize, incident: u64) {
        if let Some(series) = self.fleet.series.get_mut(number) {
            series.watch.condition = Condition::Calm;
        }
        self.dirty.watches.insert(number);
        let at = self.at();
        if let (Some((name, check)), Some(incident)) =
            (self.called(number), self.incident(incident))
        {
            incident.tell(at, "withdrawn", format!("{check} is not to run at {name} any more"));
        }
        self.close_end(incident, number);
    }

    fn close_end(&mut self, number_of: u64, number: usize) {
        if let Some(ends) = self.open_ends.get_mut(&number_of) {
            ends.series.remove(&number);
        }
        let at = self.at();
        if let (Some((name, check)), Some(incident)) =
            (self.called(number), self.incident(number_of))
        {
            let same = |it: &&mut Place| (&it.vantage_point, &it.check) == (&name, &check);
            if let Some(place) = incident.places.iter_mut().find(same) {
                place.verified_at = Some(at);
            }
        }
        self.dirty.stale.insert(number_of);
    }

    /// What a series is called: its vantage point and its check.
    pub(super) fn called(&self, number: usize) -> Option<(String, String)> {
        let series = self.fleet.series.get(number)?;
        Some((self.fleet.agents.get(series.agent)?.name.clone(), series.check.clone()))
    }
}
