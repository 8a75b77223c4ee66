//! For which time what belonged to a service: spans instead of moments, so that a month is judged in one go.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use mailsonde_proto::{AgentId, Check, WallTime};

use super::{Chronicle, History, Runs};
use crate::judge::definition::{Definitions, Service};
use crate::selector::Selector;
use crate::series::SeriesId;

/// That a check at a vantage point belonged to a service, unchanged, for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stay<'c> {
    /// Both together.
    pub series: SeriesId,
    /// As it was to run.
    pub check: &'c Check,
    /// The vantage point's agent.
    pub agent: AgentId,
    /// The vantage point's name.
    pub name: &'c str,
    /// Which voice it was part of.
    pub voice: &'c str,
    /// The first moment of it.
    pub from: WallTime,
    /// The first moment after it.
    pub until: WallTime,
}

impl Chronicle {
    /// What was defined during a time, and for which part of it; in order, without gaps.
    pub fn definitions_between(
        &self,
        range: &Range<WallTime>,
    ) -> Vec<(Range<WallTime>, &Arc<Definitions>)> {
        // what was defined first holds back, so its beginning is no change
        let changes = self.definitions.iter().skip(1).map(|(from, _)| *from);
        parts(range, changes).map(|part| (part.clone(), self.definitions_at(part.start))).collect()
    }

    /// What belonged to a service during a time in which its definition did not change, by agent and check.
    ///
    /// It answers for spans what [`Chronicle::members_at`] answers for a moment.
    pub fn stays<'c>(&'c self, service: &Service, range: &Range<WallTime>) -> Vec<Stay<'c>> {
        let mut stays = Vec::new();
        let Ok(on) = service.on.parse::<Selector>() else { return stays };
        for (agent, history) in &self.agents {
            let runs = history.runs_of(service);
            if runs.is_empty() {
                continue;
            }
            let changes = history.named.iter().skip(1).map(|named| named.from);
            for part in parts(range, changes) {
                let named = history.named_at(part.start);
                let Some((name, labels)) = named.filter(|(name, labels)| on.selects(name, labels))
                else {
                    continue;
                };
                let voice = service.voice_of(name, labels);
                stays.extend(runs.iter().flat_map(|runs| {
                    runs.schedule.spans().iter().filter_map(|span| {
                        let from = span.from.max(part.start);
                        let until = span.until.map_or(part.end, |until| until.min(part.end));
                        let (series, check, agent) = (runs.series, &span.check, *agent);
                        (from < until).then_some(Stay {
                            series,
                            check,
                            agent,
                            name,
                            voice,
                            from,
                            until,
                        })
                    })
                }));
            }
        }
        stays
    }
}

impl History {
    /// What it runs that is of a service. Names without a `*` are looked up, not searched for.
    fn runs_of(&self, service: &Service) -> Vec<&Runs> {
        if service.checks.iter().any(|pattern| pattern.contains('*')) {
            let found = self.runs.iter().filter(|(name, _)| service.has_check(name));
            return found.map(|(_, runs)| runs).collect();
        }
        let names: BTreeSet<&String> = service.checks.iter().collect();
        names.into_iter().filter_map(|name| self.runs.get(name)).collect()
    }
}

/// A range, cut at changes.
fn parts(
    range: &Range<WallTime>,
    changes: impl Iterator<Item = WallTime>,
) -> impl Iterator<Item = Range<WallTime>> {
    let mut cuts: BTreeSet<WallTime> =
        changes.filter(|at| range.start < *at && *at < range.end).collect();
    if range.start < range.end {
        cuts.extend([range.start, range.end]);
    }
    let starts: Vec<WallTime> = cuts.into_iter().collect();
    let ends: Vec<WallTime> = starts.iter().skip(1).copied().collect();
    starts.into_iter().zip(ends).map(|(start, end)| start..end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::judge::definition::Quorum;

    fn check(name: &str, cadence_s: u64) -> Check {
        Check {
            name: name.into(),
            kind: "round-trip".into(),
            cadence: std::time::Duration::from_secs(cadence_s),
            timeout: std::time::Duration::from_secs(30),
            slot_offset: std::time::Duration::ZERO,
            settings_digest: Default::default(),
        }
    }

    #[derive(Clone, Debug)]
    enum Change {
        Name(u8, &'static str),
        Revoke(u8),
        Announce(u8, Vec<&'static str>, u64),
    }

    fn change() -> impl Strategy<Value = Change> {
        let site = prop::sample::select(vec!["durban", "cape", "hq"]);
        let checks = prop::sample::subsequence(vec!["mail", "mail-2", "dns"], 0..=3);
        prop_oneof![
            3 => (0..3_u8, site).prop_map(|(agent, site)| Change::Name(agent, site)),
            1 => (0..3_u8).prop_map(Change::Revoke),
            4 => (0..3_u8, checks, 1..3_u64).prop_map(|(a, c, s)| Change::Announce(a, c, s * 60)),
        ]
    }

    fn chronicle(changes: &[(i64, Change)]) -> Chronicle {
        let mut chronicle = Chronicle::default();
        let mut now = 0;
        for (after, change) in changes {
            now += after;
            let at = WallTime::from_s(now);
            match change {
                Change::Name(agent, site) => {
                    let labels = [("site".to_owned(), (*site).to_owned())].into();
                    chronicle.name(at, AgentId([*agent; 16]), format!("agent-{agent}"), labels);
                }
                Change::Revoke(agent) => chronicle.revoke(at, AgentId([*agent; 16])),
                Change::Announce(agent, names, cadence) => {
                    let checks: Vec<_> = names.iter().map(|name| check(name, *cadence)).collect();
                    chronicle.announce(at, AgentId([*agent; 16]), &checks);
                }
            }
        }
        chronicle
    }

    proptest! {
        /// Spans and moments are two ways to ask one thing.
        #[test]
        fn spans_say_what_moments_say(
            changes in prop::collection::vec((0..40_i64, change()), 1..25),
            pattern in prop::sample::select(vec!["mail", "mail*", "*"]),
            on in prop::sample::select(vec!["*", "site=durban", "site!=hq"]),
        ) {
            let chronicle = chronicle(&changes);
            let service = Service {
                checks: vec![pattern.into()],
                on: on.into(),
                down_when: Quorum::Any,
                ..Service::of_check("all", "")
            };
            let range = WallTime::from_s(100)..WallTime::from_s(500);
            let stays = chronicle.stays(&service, &range);
            for at in (100..500).map(WallTime::from_s) {
                let mut moment: Vec<_> = chronicle
                    .members_at(&service, at)
                    .map(|m| (m.series, m.voice, m.name, m.check))
                    .collect();
                let mut span: Vec<_> = stays
                    .iter()
                    .filter(|stay| stay.from <= at && at < stay.until)
                    .map(|stay| (stay.series, stay.voice, stay.name, stay.check))
                    .collect();
                moment.sort_by_key(|(series, ..)| *series);
                span.sort_by_key(|(series, ..)| *series);
                prop_assert_eq!(moment, span, "at {}", at);
            }
        }
    }
}
