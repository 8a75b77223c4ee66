//! What operators define for judging: services, objectives, agreements. Plain values, as they stand in force.
//!
//! A service is what people care about ('Mail in Durban'): checks, at vantage points, with a quorum. Where nothing
//! was ever defined, each check is a service of its own ([`Definitions::implicit`]), so that there are incidents
//! and figures from the first minute on. Absent on purpose: files (`central` reads them), and time.

mod hours;
mod quorum;
mod share;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use hours::{BusinessHours, Stretch};
pub use quorum::{NotAQuorum, Quorum, Voiced};
pub use share::{NotAShare, Share};

use super::routing::{Rotation, Route};
use crate::selector::{Selector, is_match};

/// The label by whose value vantage points of one site have one voice, where a service does not say another.
pub const VOICE: &str = "site";
/// The name of a vantage point as a voice of its own.
pub const VOICE_OF_NAME: &str = "name";

/// Everything that is defined at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Definitions {
    /// The organisation's time zone (IANA), in which months and days begin; without it UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// What people do while mail does not work, as one line for them, such as `call the service desk: 031 …`; where a
    /// service does not say another.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instead: String,
    /// In the order of their files; none: each check is a service of its own.
    pub services: Vec<Service>,
    /// Objectives of the organisation as a whole: those about incidents; none: the usual ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objectives: Vec<Objective>,
    /// Who is told of which incidents, in the order of their files; none: nobody is told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
    /// Who is on call when.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rotations: Vec<Rotation>,
    /// Operators' templates of messages, by their files' names; of all others those in the program are used.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub templates: BTreeMap<String, String>,
    /// Whether channels get no weekly sign of life.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_without_canary: bool,
}

/// What people care about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Service {
    /// No other service has it; the form of a check's name.
    pub name: String,
    /// For people; the name where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// Names of checks; `*` stands for any characters.
    pub checks: Vec<String>,
    /// A selector: at which vantage points.
    pub on: String,
    /// The label whose value makes one voice of several vantage points; [`VOICE_OF_NAME`]: each is its own. A vantage
    /// point without the label is its own voice too.
    pub voice: String,
    /// How many voices must fail for the service to be down.
    pub down_when: Quorum,
    /// Names of services without which this one cannot work.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// How many people use it, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<u64>,
    /// When people use it, where that is not always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<BusinessHours>,
    /// What it is to reach; none: the usual targets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objectives: Vec<Objective>,
    /// What was promised of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agreements: Vec<Agreement>,
    /// The yearly growth that is planned for, for the outlook on capacity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub growth: Option<Share>,
    /// What people do while it does not work, as one line for them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instead: String,
}

/// A target for an indicator over a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Objective {
    /// No other objective of its service has it.
    pub name: String,
    /// What is measured.
    pub sli: Sli,
    /// The share of what is valid that must be good; of [`Sli::Security`] the share that may be.
    pub target: Share,
    /// Over which time.
    pub window: Window,
    /// Only what falls into the service's hours counts.
    #[serde(default)]
    pub in_hours: bool,
}

/// A service level indicator: good / valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sli {
    /// Minutes in which the quorum works / minutes.
    Uptime,
    /// Scheduled round trips that passed / scheduled round trips (checks of kind `round-trip`).
    Delivery,
    /// Scheduled runs that passed / scheduled runs, of every check of the service.
    Success,
    /// Scheduled round trips that passed and took no longer / those that passed.
    Latency {
        /// In microseconds.
        within_us: u64,
    },
    /// Incidents that were resolved in time / incidents that were opened in the window.
    Resolution {
        /// In seconds.
        within_s: u64,
    },
    /// Incidents about security / incidents: at most the target.
    Security,
}

/// The time that an objective looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// The last so many days.
    Rolling {
        /// 7, 28, 30 or 90, or another number of them.
        days: u16,
    },
    /// The calendar month in the organisation's time zone.
    Month,
    /// The calendar quarter.
    Quarter,
    /// The calendar year.
    Year,
}

/// What a contract promises of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Agreement {
    /// No other agreement has it.
    pub name: String,
    /// To whom.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub customer: String,
    /// What is measured; not one about incidents.
    pub sli: Sli,
    /// What is promised.
    pub target: Share,
    /// A calendar window.
    pub window: Window,
    /// Only what falls into the service's hours counts.
    #[serde(default)]
    pub in_hours: bool,
    /// What is left out of it.
    pub excludes: BTreeSet<Exclusion>,
    /// What is owed when it is missed, the highest bound first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credits: Vec<Credit>,
}

/// Time that an agreement leaves out.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Exclusion {
    /// Maintenance windows.
    Maintenance,
    /// Time that an operator noted as the customer's own fault.
    CustomerFault,
}

/// A step of a service credits table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Credit {
    /// What was reached lies below this.
    pub below: Share,
    /// So much of the fee is owed.
    pub credit: Share,
}

impl Service {
    /// What people call it.
    pub fn shown(&self) -> &str {
        if self.title.is_empty() { &self.name } else { &self.title }
    }

    /// Whether it has checks of this name.
    pub fn has_check(&self, check: &str) -> bool {
        self.checks.iter().any(|pattern| is_match(pattern, check))
    }

    /// Whether it has vantage points of this name and these labels. A selector that is none means nobody: it was
    /// refused when it was read.
    pub fn is_at(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        self.on.parse::<Selector>().is_ok_and(|on| on.selects(name, labels))
    }

    /// The voice of a vantage point.
    pub fn voice_of<'a>(&self, name: &'a str, labels: &'a BTreeMap<String, String>) -> &'a str {
        labels.get(&self.voice).filter(|_| self.voice != VOICE_OF_NAME).map_or(name, String::as_str)
    }
}

impl Definitions {
    /// What holds while nothing was ever defined: each check is a service, at every vantage point that has it.
    pub fn implicit<'c>(checks: impl IntoIterator<Item = (&'c str, &'c str)>) -> Self {
        let kinds: Vec<_> = checks.into_iter().collect();
        Self::default().completed(&kinds)
    }

    /// The same with what holds where nothing is said: without services each check is one; a service without
    /// objectives has the usual ones, and so has the organisation. `checks` are all that are run: names and kinds.
    pub fn completed(&self, checks: &[(&str, &str)]) -> Self {
        let mut whole = self.clone();
        if whole.services.is_empty() {
            let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
            for (check, kind) in checks {
                // One of a name that sends mail is enough.
                if kinds.get(check).is_none_or(|known| *known != ROUND_TRIP) {
                    kinds.insert(check, kind);
                }
            }
            let of_check = |(check, kind)| Service::of_check(check, kind);
            whole.services = kinds.into_iter().map(of_check).collect();
        }
        for service in &mut whole.services {
            if service.objectives.is_empty() {
                let ours = checks.iter().filter(|(check, _)| service.has_check(check));
                let kinds: BTreeSet<&str> = ours.map(|(_, kind)| *kind).collect();
                // Where nobody runs any yet, a target too many counts nothing, and one too few would be missed unseen.
                let is_sent = kinds.is_empty() || kinds.contains(ROUND_TRIP);
                service.objectives = Objective::of_mail(is_sent);
            }
        }
        if whole.objectives.is_empty() {
            whole.objectives = Objective::of_incidents();
        }
        whole
    }

    /// Whether channels get a weekly sign of life.
    pub fn has_canary(&self) -> bool {
        !self.is_without_canary
    }

    /// The service of this name.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }
}

impl Service {
    /// The service that a check is by itself.
    pub fn of_check(check: &str, kind: &str) -> Self {
        Self {
            name: check.to_owned(),
            title: String::new(),
            description: String::new(),
            owner: String::new(),
            checks: vec![check.to_owned()],
            on: "*".to_owned(),
            voice: VOICE.to_owned(),
            down_when: Quorum::Half,
            depends_on: Vec::new(),
            users: None,
            hours: None,
            objectives: Objective::of_mail(kind == ROUND_TRIP),
            agreements: Vec::new(),
            growth: None,
            instead: String::new(),
        }
    }
}

/// The kind of checks that [`Sli::Delivery`] and [`Sli::Latency`] count.
pub const ROUND_TRIP: &str = "round-trip";

impl Objective {
    /// The usual targets of mail operations: uptime 99.9 %; delivery 98 %, where mail is sent.
    pub fn of_mail(is_sent: bool) -> Vec<Self> {
        let rolling = |name: &str, sli, target_ppm| Self {
            name: name.to_owned(),
            sli,
            target: Share::from_ppm(target_ppm),
            window: Window::Rolling { days: 30 },
            in_hours: false,
        };
        let mut objectives = vec![rolling("uptime", Sli::Uptime, 999_000)];
        if is_sent {
            objectives.push(rolling("delivery", Sli::Delivery, 980_000));
        }
        objectives
    }

    /// The usual targets about incidents: 90 % resolved within 24 h and within 48 h; fewer than 1 % about security.
    pub fn of_incidents() -> Vec<Self> {
        let monthly = |name: &str, sli, target_ppm| Self {
            name: name.to_owned(),
            sli,
            target: Share::from_ppm(target_ppm),
            window: Window::Month,
            in_hours: false,
        };
        vec![
            monthly("resolved-24h", Sli::Resolution { within_s: 24 * 3_600 }, 900_000),
            monthly("resolved-48h", Sli::Resolution { within_s: 48 * 3_600 }, 900_000),
            monthly("security", Sli::Security, 10_000),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nothing_is_defined_each_check_is_a_service() {
        let checks = [("mail", "round-trip"), ("posture", "dns"), ("mail", "round-trip")];
        let definitions = Definitions::implicit(checks);
        let names: Vec<_> = definitions.services.iter().map(Service::shown).collect();
        assert_eq!(names, ["mail", "posture"]);
        let mail = definitions.service("mail").unwrap();
        assert!(mail.has_check("mail") && !mail.has_check("mail-2"));
        let labels = [("site".to_owned(), "durban".to_owned())].into();
        assert!(mail.is_at("branch-1", &labels));
        assert_eq!(mail.voice_of("branch-1", &labels), "durban");
        assert_eq!(mail.voice_of("branch-1", &[].into()), "branch-1");
        assert_eq!(mail.objectives.len(), 2);
        let json = serde_json::to_string(&definitions).unwrap();
        assert_eq!(serde_json::from_str::<Definitions>(&json).unwrap(), definitions);
    }

    #[test]
    fn what_is_not_said_is_as_usual() {
        let service = |name: &str, checks: &str| Service {
            checks: vec![checks.to_owned()],
            objectives: vec![],
            ..Service::of_check(name, "")
        };
        let said = Definitions {
            services: vec![service("sends", "mail*"), service("looks", "dns"), service("no", "x")],
            ..Definitions::default()
        };
        let all = [("mail-1", "imap"), ("mail-2", ROUND_TRIP), ("dns", "dns")];
        let whole = said.completed(&all);
        let objectives: Vec<_> = whole.services.iter().map(|it| it.objectives.len()).collect();
        assert_eq!(objectives, [2, 1, 2]);
        assert_eq!(whole.objectives, Objective::of_incidents());
        assert_eq!(whole.completed(&[]), whole, "what is said is left as it is");
        let zone = Definitions { time_zone: Some("Asia/Tokyo".into()), ..Definitions::default() };
        let whole = zone.completed(&all);
        assert_eq!(whole.services.len(), 3);
        assert_eq!(whole.time_zone.as_deref(), Some("Asia/Tokyo"));
        let both = Definitions::implicit([("mail", ROUND_TRIP), ("mail", "imap")]);
        assert_eq!(both.services[0].objectives.len(), 2);
    }
}
