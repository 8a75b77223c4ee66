//! A desk of routes, incidents that change, and time that passes.

use crate::judge::draft::Audience;
use crate::judge::incident::sample::incident;
use crate::judge::incident::{Impact, Severity, State};
use crate::judge::routing::{Recipients, Route};
use crate::judge::telling::*;

/// 2026-11-30T08:00:00Z, a Monday.
const BEGIN: WallTime = WallTime::from_s(1_796_025_600);

pub(super) struct Desk {
    pub(super) teller: Teller,
    pub(super) definitions: Definitions,
    pub(super) incidents: BTreeMap<u64, Incident>,
    pub(super) now: WallTime,
    pub(super) is_silenced: bool,
}

pub(super) fn to(channels: &[&str]) -> Recipients {
    let channels = channels.iter().map(|name| (*name).to_owned()).collect();
    Recipients { channels, on_call: Vec::new() }
}

pub(super) fn route(name: &str, channels: &[&str]) -> Route {
    Route {
        name: name.into(),
        services: vec!["*".into()],
        on: "*".into(),
        severity: Severity::Minor,
        hours: None,
        to: to(channels),
        audience: Audience::Technical,
        updates_s: None,
        steps: Vec::new(),
    }
}

impl Desk {
    pub(super) fn new(routes: Vec<Route>) -> Self {
        let definitions = Definitions { routes, is_without_canary: true, ..Definitions::default() };
        let mut desk = Self {
            teller: Teller::default(),
            definitions,
            incidents: BTreeMap::new(),
            now: BEGIN,
            is_silenced: false,
        };
        desk.look([].into());
        desk
    }

    pub(super) fn open(&mut self, number: u64, severity: Severity) {
        let mut incident = incident(number, 0, None);
        let at = self.now.timestamp();
        (incident.began_at, incident.opened_at, incident.severity) = (at, at, severity);
        incident.root = Some(format!("svc-{number}"));
        incident.services = [(format!("svc-{number}"), Impact::default())].into();
        (incident.fault.phase, incident.fault.class) = ("auth".into(), "refused".into());
        incident.tell(at, "opened", "confirmed from elsewhere");
        self.incidents.insert(number, incident);
        self.look([number].into());
    }

    pub(super) fn change(&mut self, number: u64, change: impl FnOnce(&mut Incident, Timestamp)) {
        let at = self.now.timestamp();
        change(self.incidents.get_mut(&number).unwrap(), at);
        self.look([number].into());
    }

    pub(super) fn acknowledge(&mut self, number: u64) {
        self.change(number, |it, at| {
            (it.state, it.acknowledged_at) = (State::Acknowledged, Some(at));
            it.tell_of(at, "acknowledged", String::new(), Some("ann"));
        });
    }

    pub(super) fn end(&mut self, number: u64) {
        self.change(number, |it, at| {
            it.state = State::Verified;
            (it.resolved_at, it.verified_at, it.ended_at) = (Some(at), Some(at), Some(at));
            it.tell(at, "verified", "passing runs from every vantage point that had failed");
        });
    }

    pub(super) fn look(&mut self, changed: BTreeSet<u64>) {
        let Self { teller, definitions, incidents, now, is_silenced } = self;
        let is_silenced = |_: &Incident| *is_silenced;
        let none = |_: &str| None;
        let scene = Scene {
            now: *now,
            definitions,
            zone: &TimeZone::UTC,
            is_silenced: &is_silenced,
            labels: &none,
        };
        let is_minute = teller.is_new_minute(*now);
        let mut numbers = teller.look_at_time(&scene);
        numbers.extend(changed);
        if is_minute {
            numbers.extend(incidents.values().filter(|it| it.is_live()).map(|it| it.number));
        }
        for number in numbers {
            match incidents.get(&number) {
                Some(incident) => teller.hear(incident, &scene),
                None => teller.lose(number),
            }
        }
    }

    /// Time passes, and is told when it is due, as the pipeline does.
    pub(super) fn after(&mut self, seconds: u64) {
        let end = self.now.plus(Duration::from_secs(seconds));
        while self.now < end {
            let minute = WallTime::from_s((self.now.as_us().div_euclid(60_000_000) + 1) * 60);
            let due = self.teller.due().filter(|due| *due > self.now).unwrap_or(minute);
            self.now = due.min(minute).min(end);
            self.look([].into());
        }
    }

    /// What was said since this was last asked, and is taken by its channels.
    pub(super) fn told(&mut self) -> Vec<String> {
        let pending = self.teller.pending();
        let told = pending.iter().map(|waiting| {
            let Notice { channel, message, not_before, .. } = &waiting.notice;
            let late = WallTime::from(*not_before).since(self.now).as_secs();
            let late = if late > 0 { format!(" in {late} s") } else { String::new() };
            let joined = waiting.handle.as_ref().map(|it| format!(" after {it}"));
            format!(
                "{channel}{late}: {}{}: {}",
                message.occasion.as_str(),
                joined.unwrap_or_default(),
                message.title
            )
        });
        let told: Vec<String> = told.collect();
        for Waiting { notice, .. } in pending {
            let handle = Some(format!("h{}", notice.number));
            let fate = Fate::Sent { handle, is_confirmed: true, said: "ok".into() };
            let id = notice.message.id;
            self.teller.notified(&Notified { id, fate, attempts: 1, instead: None }, self.now);
        }
        told
    }

    /// Kept, forgotten and read back.
    pub(super) fn restart(&mut self, rows: &mut BTreeMap<About, Vec<u8>>) {
        for (about, value) in self.teller.take() {
            match value {
                Some(value) => drop(rows.insert(about, value)),
                None => drop(rows.remove(&about)),
            }
        }
        self.teller = Teller::restore(rows.clone());
    }
}

pub(super) const IT: &str = "svc-1: auth: refused";
