//! Of which incidents nobody is to be told now.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::Chronicle;
use crate::judge::incident::Incident;
use crate::judge::planned::Place;

impl Chronicle {
    /// The silence that holds for every place of an incident that is not over; `labels` are those of `now`.
    pub fn silenced(
        &self,
        incident: &Incident,
        now: Timestamp,
        labels: &Labels<'_>,
    ) -> Option<u64> {
        if !incident.is_live() || !self.planned.has_silence(now.into()) {
            return None;
        }
        let services: Vec<&str> = incident.services.keys().map(String::as_str).collect();
        let none = BTreeMap::new();
        let mut found = None;
        for place in &incident.places {
            let agent = place.vantage_point.as_str();
            let labels = labels.of(agent).unwrap_or(&none);
            let at = Place { services: &services, agent, labels, check: &place.check };
            found = Some(self.planned.silenced(now.into(), &at)?);
        }
        found
    }

    /// Everybody's labels at a moment; they are looked up when the first is asked for.
    pub fn labels(&self, now: Timestamp) -> Labels<'_> {
        Labels { chronicle: self, now, known: OnceCell::new() }
    }
}

/// Labels by name, at one moment.
#[derive(Debug)]
pub struct Labels<'c> {
    chronicle: &'c Chronicle,
    now: Timestamp,
    known: OnceCell<HashMap<&'c str, &'c BTreeMap<String, String>>>,
}

impl<'c> Labels<'c> {
    /// Those of whoever is called so.
    pub fn of(&self, agent: &str) -> Option<&'c BTreeMap<String, String>> {
        let known = self.known.get_or_init(|| {
            let all = self.chronicle.agents();
            all.filter_map(|(_, history)| history.named_at(self.now.into())).collect()
        });
        known.get(agent).copied()
    }
}

#[cfg(test)]
mod tests {
    use mailsonde_proto::{AgentId, WallTime};

    use super::*;
    use crate::judge::incident::sample::{hour, incident};
    use crate::judge::incident::{FaultBrief, Place as Failed};
    use crate::judge::planned::{PlannedAction, Scope, SilencePlan};

    #[test]
    fn an_incident_is_silenced_when_all_of_it_is() {
        let mut chronicle = Chronicle::default();
        let began = WallTime::from(hour(0));
        for (number, name, site) in [(1, "a", "durban"), (2, "b", "durban"), (3, "c", "paarl")] {
            let labels = [("site".to_owned(), site.to_owned())].into();
            chronicle.name(began, AgentId([number; 16]), name.into(), labels);
        }
        let silence = SilencePlan {
            scope: Scope { on: Some("site=durban".into()), ..Scope::default() },
            until: hour(20),
            reason: "known".into(),
            by: "ann".into(),
        };
        chronicle.planned.apply(began, &PlannedAction::Silence(silence));
        let of = |from: &[&str], resolved| {
            let mut incident = incident(1, 10, resolved);
            incident.places = from.iter().map(|name| place(name)).collect();
            incident
        };
        type Case = (&'static [&'static str], Option<i64>, i64, Option<u64>);
        let cases: [Case; 6] = [
            (&["a", "b"], None, 11, Some(1)),
            (&["a", "b", "c"], None, 11, None),
            (&["c"], None, 11, None),
            (&["a"], None, 21, None),
            (&["a"], Some(11), 12, None),
            (&[], None, 11, None),
        ];
        for (from, resolved, now, expected) in cases {
            let told =
                chronicle.silenced(&of(from, resolved), hour(now), &chronicle.labels(hour(now)));
            assert_eq!(told, expected, "{from:?} at {now}");
        }
    }

    fn place(vantage_point: &str) -> Failed {
        Failed {
            vantage_point: vantage_point.to_owned(),
            site: String::new(),
            check: "mail".to_owned(),
            since: hour(10),
            fault: FaultBrief::default(),
            passed_at: None,
            verified_at: None,
        }
    }
}
