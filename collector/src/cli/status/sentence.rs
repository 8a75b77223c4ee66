//! The first line: is mail working, from where not, since when.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cli::figures;
use crate::query::{FaultAnswer, State, StatusAnswer, VantageStatus, VoidAnswer};

/// Vantage points that are named one by one.
const NAMED: usize = 3;

/// The answer in one plain sentence.
pub(crate) fn of(answer: &StatusAnswer, zone: &TimeZone) -> String {
    let all = answer.vantage_points.len();
    if all == 0 {
        return "no agent has been enrolled yet: `mailsonde-collector token create`".into();
    }
    let told = Told { answer, zone };
    let works = format!("works from {} of {all}", answer.working);
    let mut parts: Vec<String> = Vec::new();
    match told.failing() {
        Some(failing) => {
            parts.push(failing);
            parts.push(works);
        }
        None if answer.working > 0 => parts.push(format!("mail {works} vantage points")),
        None => parts.push("nobody knows whether mail works".into()),
    }
    parts.extend(told.unknown());
    parts.join("; ")
}

struct Told<'a> {
    answer: &'a StatusAnswer,
    zone: &'a TimeZone,
}

impl Told<'_> {
    fn in_state(&self, state: State) -> Vec<&VantageStatus> {
        self.answer.vantage_points.iter().filter(|vantage| vantage.state == state).collect()
    }

    fn since(&self, at: Timestamp) -> String {
        figures::since(at, self.answer.now, self.zone)
    }

    fn failing(&self) -> Option<String> {
        let mut failing = self.in_state(State::Failing);
        failing.sort_by_key(|vantage| vantage.since);
        let first = failing.first()?;
        let place = |vantage: &VantageStatus| {
            let since = vantage.since.map(|at| format!(" since {}", self.since(at)));
            format!("{}{}", vantage.name, since.unwrap_or_default())
        };
        let places = listed(&failing, place);
        let fault = first
            .checks
            .iter()
            .find(|check| check.state == State::Failing)
            .and_then(|check| check.last_fault.as_ref().map(|fault| (check, fault)));
        let why = fault.map(|(check, fault)| {
            let check =
                if first.checks.len() > 1 { format!("{}, ", check.check) } else { "".into() };
            let of = if failing.len() > 1 { format!("{}: ", first.name) } else { String::new() };
            format!(": {of}{check}{}", in_words(fault))
        });
        Some(format!("mail FAILS from {places}{}", why.unwrap_or_default()))
    }

    /// Everything of which nobody knows, with the reason why.
    fn unknown(&self) -> Vec<String> {
        let mut parts = Vec::new();
        let late = self.in_state(State::Late);
        if !late.is_empty() {
            parts.push(format!("late: {}", listed(&late, |vantage| self.silent(vantage))));
        }
        let (mut never, mut without, mut silent) = (vec![], vec![], vec![]);
        let (mut away, mut lost) = (vec![], vec![]);
        for vantage in self.in_state(State::Unknown) {
            match (vantage.last_heard_at, vantage.checks.is_empty()) {
                (None, _) => never.push(vantage),
                (Some(_), true) => without.push(vantage),
                (Some(_), false) if vantage.lost_since.is_some() => lost.push(vantage),
                (Some(_), false) if is_away(vantage) => away.push(vantage),
                (Some(_), false) => silent.push(vantage),
            }
        }
        let mut group = |words: &str, vantages: Vec<_>, show: &dyn Fn(&VantageStatus) -> String| {
            if !vantages.is_empty() {
                parts.push(format!("{words} {}", listed(&vantages, show)));
            }
        };
        let name = |vantage: &VantageStatus| vantage.name.clone();
        group("agent lost:", lost, &|vantage| self.away(vantage));
        group("nothing heard from", away, &|vantage| self.away(vantage));
        group("nothing judged from", silent, &|vantage| self.silent(vantage));
        group("nothing heard yet from", never, &name);
        group("no check is configured at", without, &name);
        parts
    }

    fn away(&self, vantage: &VantageStatus) -> String {
        let since = vantage.last_heard_at.map(|at| format!(" since {}", self.since(at)));
        format!("{}{}", vantage.name, since.unwrap_or_default())
    }

    /// It runs, and yet nothing is judged.
    fn silent(&self, vantage: &VantageStatus) -> String {
        let since = match vantage.since {
            Some(at) => format!("{} since {}", vantage.name, self.since(at)),
            None => format!("{} yet", vantage.name),
        };
        match (last_void(vantage), vantage.connected) {
            (Some(void), _) => format!("{since} ({})", void_in_words(void)),
            (None, true) => format!("{since}, although its agent is connected"),
            (None, false) => since,
        }
    }
}

fn is_away(vantage: &VantageStatus) -> bool {
    !vantage.connected && last_void(vantage).is_none()
}

/// Why its last run could not be judged, when that is the reason for its state.
fn last_void(vantage: &VantageStatus) -> Option<&VoidAnswer> {
    let check = vantage.checks.iter().find(|check| check.state == vantage.state)?;
    check.last_void.as_ref().filter(|void| Some(void.at) == check.last_run_at)
}

/// The first few one by one, the rest counted.
fn listed(vantages: &[&VantageStatus], show: impl Fn(&VantageStatus) -> String) -> String {
    let mut text: Vec<_> = vantages.iter().take(NAMED).map(|vantage| show(vantage)).collect();
    if let Some(more) = vantages.len().checked_sub(NAMED).filter(|more| *more > 0) {
        text.push(format!("{more} more"));
    }
    text.join(", ")
}

/// `auth: the server refused the sign-in (permanent, 535 5.7.8)`.
pub(crate) fn in_words(fault: &FaultAnswer) -> String {
    let code = fault.basic_code.map(|code| code.to_string());
    let codes: Vec<_> = code.iter().chain(&fault.enhanced_code).map(String::as_str).collect();
    let codes = if codes.is_empty() { String::new() } else { format!(", {}", codes.join(" ")) };
    let FaultAnswer { phase, class, explanation, .. } = fault;
    format!("{phase}: {explanation} ({class}{codes})")
}

/// `local network: no route to any host`.
pub(crate) fn void_in_words(void: &VoidAnswer) -> String {
    let reason = void.reason.replace('_', " ");
    if void.detail.is_empty() { reason } else { format!("{reason}: {}", void.detail) }
}
