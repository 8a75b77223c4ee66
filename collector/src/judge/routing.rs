//! Who is to hear of an incident, by which channels, and who next when nobody takes it on. Plain values and questions
//! about them, as operators define them beside services.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use mailsonde_proto::WallTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::definition::BusinessHours;
use super::draft::Audience;
use super::incident::{Incident, Severity};
use super::window::in_hours;
use crate::selector::{Selector, is_match};

/// Who is told of which incidents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Route {
    /// No other route has it.
    pub name: String,
    /// Names of services, `*` stands for any characters; one that the incident touches is enough.
    pub services: Vec<String>,
    /// A selector: one vantage point from which it fails is enough.
    pub on: String,
    /// At least so bad.
    pub severity: Severity,
    /// When it holds; `None`: always. What is live when it begins to hold is told then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<BusinessHours>,
    /// Who is told at once.
    pub to: Recipients,
    /// For whom it is written.
    #[serde(default)]
    pub audience: Audience,
    /// How it goes on is told this often, in seconds; `None`: only what changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updates_s: Option<u64>,
    /// Who is told next while nobody takes it on, in order of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
}

/// Channels, and whoever is on call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Recipients {
    /// Names of channels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
    /// Names of rotations: the channel of whoever is on call then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_call: Vec<String>,
}

/// Who is told when an incident is not acknowledged in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// So many seconds after the first notice.
    pub after_s: u64,
    /// Who.
    pub to: Recipients,
    /// Again after so many seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat_s: Option<u64>,
    /// How many times again at most.
    #[serde(default)]
    pub times: u32,
}

/// People who are on call in turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rotation {
    /// No other rotation has it.
    pub name: String,
    /// In their order.
    pub members: Vec<Member>,
    /// When the first one's first shift begins, in the organisation's time zone.
    pub from: DateTime,
    /// How long a shift is, in seconds by the clock on the wall: a week stays one when clocks change.
    pub shift_s: u64,
    /// Who stands in for others; of several at one time the last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<StandIn>,
}

/// Somebody who is on call at times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Member {
    /// For people.
    pub name: String,
    /// The name of their channel.
    pub channel: String,
}

/// Somebody is on call instead of whoever's turn it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StandIn {
    /// A member's name.
    pub name: String,
    /// From when, in the organisation's time zone.
    pub from: DateTime,
    /// The first moment after it.
    pub until: DateTime,
}

impl Route {
    /// One of which nothing is known but its name.
    pub(super) fn without_wishes(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            services: Vec::new(),
            on: "*".to_owned(),
            severity: Severity::Notice,
            hours: None,
            to: Recipients::default(),
            audience: Audience::Technical,
            updates_s: None,
            steps: Vec::new(),
        }
    }

    /// Whether an incident is one to tell of by it. `labels` are those of a vantage point, by its name.
    pub fn wants<'l>(
        &self,
        incident: &Incident,
        labels: impl Fn(&str) -> Option<&'l BTreeMap<String, String>>,
    ) -> bool {
        let is_of_service = self.services.iter().any(|pattern| {
            pattern == "*" || incident.services.keys().any(|name| is_match(pattern, name))
        });
        if incident.severity < self.severity || !is_of_service {
            return false;
        }
        if self.on == "*" {
            return true;
        }
        let Ok(on) = self.on.parse::<Selector>() else { return false };
        let none = BTreeMap::new();
        incident.places.iter().any(|place| {
            on.selects(&place.vantage_point, labels(&place.vantage_point).unwrap_or(&none))
        })
    }

    /// Whether it holds at a moment.
    pub fn is_open(&self, zone: &TimeZone, now: WallTime) -> bool {
        let moment = now..WallTime::from_ns(now.as_ns().saturating_add(1));
        self.hours.as_ref().is_none_or(|hours| !in_hours(hours, zone, &moment).is_empty())
    }

    /// Every channel that it may send to, and those of who may be on call.
    pub fn channels<'r>(&'r self, rotations: &'r [Rotation]) -> impl Iterator<Item = &'r str> {
        let to = std::iter::once(&self.to).chain(self.steps.iter().map(|step| &step.to));
        to.flat_map(move |to| {
            let on_call = rotations.iter().filter(|it| to.on_call.contains(&it.name));
            let members = on_call.flat_map(|it| it.members.iter().map(|it| it.channel.as_str()));
            to.channels.iter().map(String::as_str).chain(members)
        })
    }
}

impl Recipients {
    /// The channels at a moment, in order, each once.
    pub fn at(&self, rotations: &[Rotation], zone: &TimeZone, now: Timestamp) -> Vec<String> {
        let on_call = self.on_call.iter().filter_map(|name| {
            let rotation = rotations.iter().find(|rotation| rotation.name == *name)?;
            Some(rotation.on_call(zone, now)?.0.channel.clone())
        });
        let mut found: Vec<String> = Vec::new();
        for channel in self.channels.iter().cloned().chain(on_call) {
            if !found.contains(&channel) {
                found.push(channel);
            }
        }
        found
    }
}

impl Rotation {
    /// Who is on call at a moment, and until when as far as the turn tells; before its beginning the first one.
    pub fn on_call(&self, zone: &TimeZone, now: Timestamp) -> Option<(&Member, Timestamp)> {
        let at = zone.to_datetime(now);
        let told = |until: DateTime| zone.to_timestamp(until).unwrap_or(Timestamp::MAX);
        let stands_in = self.overrides.iter().rev().find(|it| it.from <= at && at < it.until);
        if let Some(stand_in) = stands_in {
            let member = self.members.iter().find(|member| member.name == stand_in.name)?;
            return Some((member, told(stand_in.until)));
        }
        let shift_s = i64::try_from(self.shift_s).ok().filter(|shift_s| *shift_s > 0)?;
        let turn = at.duration_since(self.from).as_secs().div_euclid(shift_s).max(0);
        let members = i64::try_from(self.members.len()).ok().filter(|count| *count > 0)?;
        let member = self.members.get(usize::try_from(turn % members).ok()?)?;
        let length =
            jiff::SignedDuration::from_secs(shift_s.saturating_mul(turn.saturating_add(1)));
        let mut until = self.from.checked_add(length).unwrap_or(DateTime::MAX);
        // somebody may stand in before that
        for stand_in in self.overrides.iter().filter(|it| it.from > at) {
            until = until.min(stand_in.from);
        }
        Some((member, told(until)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::definition::Stretch;
    use crate::judge::incident::Impact;
    use crate::judge::incident::sample::incident;

    fn route() -> Route {
        Route {
            name: "desk".into(),
            services: vec!["mail-*".into()],
            on: "*".into(),
            severity: Severity::Minor,
            hours: None,
            to: Recipients::default(),
            audience: Audience::Technical,
            updates_s: None,
            steps: Vec::new(),
        }
    }

    #[test]
    fn a_route_wants_what_is_bad_enough_and_its_own() {
        let labels: BTreeMap<String, String> = [("site".to_owned(), "durban".to_owned())].into();
        for (severity, service, services, on, expected) in [
            (Severity::Major, "mail-1", "mail-*", "*", true),
            (Severity::Minor, "mail-1", "mail-*", "*", true),
            (Severity::Notice, "mail-1", "mail-*", "*", false),
            (Severity::Major, "dns", "mail-*", "*", false),
            (Severity::Major, "dns", "*", "*", true),
            (Severity::Major, "mail-1", "*", "site=durban", true),
            (Severity::Major, "mail-1", "*", "site=paarl", false),
        ] {
            let mut it = incident(1, 10, None);
            it.severity = severity;
            it.services = [(service.to_owned(), Impact::default())].into();
            it.places = vec![crate::judge::incident::Place {
                vantage_point: "branch".into(),
                site: "durban".into(),
                check: "mail".into(),
                since: it.began_at,
                fault: it.fault.clone(),
                passed_at: None,
                verified_at: None,
            }];
            let route = Route { services: vec![services.into()], on: on.into(), ..route() };
            let known = |name: &str| (name == "branch").then_some(&labels);
            assert_eq!(route.wants(&it, known), expected, "{severity:?} {service} {services} {on}");
        }
    }

    #[test]
    fn a_route_holds_in_its_hours() {
        let weekly = vec![Stretch { weekday: 6, from_minute: 480, until_minute: 1_020 }];
        let hours = Some(BusinessHours { weekly, holidays: Vec::new() });
        let route = Route { hours, ..route() };
        let zone = TimeZone::get("Africa/Johannesburg").unwrap();
        for (at, expected) in [
            ("2026-11-29T05:59:59Z", false), // 07:59:59
            ("2026-11-29T06:00:00Z", true),
            ("2026-11-29T14:59:59Z", true),
            ("2026-11-29T15:00:00Z", false),
            ("2026-11-30T10:00:00Z", false),
        ] {
            let now = at.parse::<Timestamp>().unwrap();
            assert_eq!(route.is_open(&zone, now.into()), expected, "{at}");
        }
    }

    #[test]
    fn people_are_on_call_in_turn_by_the_clock_on_the_wall() {
        let member = |name: &str| Member { name: name.into(), channel: format!("phone-{name}") };
        let rotation = Rotation {
            name: "mail".into(),
            members: vec![member("ann"), member("ben"), member("cem")],
            from: "2026-10-19T09:00:00".parse().unwrap(),
            shift_s: 7 * 86_400,
            overrides: vec![
                StandIn {
                    name: "cem".into(),
                    from: "2026-10-28T00:00:00".parse().unwrap(),
                    until: "2026-10-29T00:00:00".parse().unwrap(),
                },
                StandIn {
                    name: "nobody".into(),
                    from: "2026-12-24T00:00:00".parse().unwrap(),
                    until: "2026-12-25T00:00:00".parse().unwrap(),
                },
            ],
        };
        // clocks are set back on 2026-10-25
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        for (at, expected) in [
            ("2026-10-01T00:00:00Z", Some(("ann", "2026-10-26T08:00:00Z"))),
            ("2026-10-19T07:00:00Z", Some(("ann", "2026-10-26T08:00:00Z"))),
            ("2026-10-26T07:59:59Z", Some(("ann", "2026-10-26T08:00:00Z"))),
            ("2026-10-26T08:00:00Z", Some(("ben", "2026-10-27T23:00:00Z"))),
            ("2026-10-28T12:00:00Z", Some(("cem", "2026-10-28T23:00:00Z"))),
            ("2026-10-29T12:00:00Z", Some(("ben", "2026-11-02T08:00:00Z"))),
            ("2026-11-09T08:00:00Z", Some(("ann", "2026-11-16T08:00:00Z"))),
            ("2026-12-24T12:00:00Z", None),
        ] {
            let now: Timestamp = at.parse().unwrap();
            let found = rotation.on_call(&zone, now).map(|(it, until)| (it.name.as_str(), until));
            let expected = expected.map(|(name, until)| (name, until.parse().unwrap()));
            assert_eq!(found, expected, "{at}");
        }
        let to = Recipients { channels: vec!["room".into()], on_call: vec!["mail".into()] };
        let now: Timestamp = "2026-10-26T12:00:00Z".parse().unwrap();
        assert_eq!(to.at(&[rotation], &zone, now), ["room", "phone-ben"]);
    }
}
