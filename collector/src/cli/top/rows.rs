//! What each place of the live screen lists: a sheet made of what was answered last. Pure.

use std::cmp::Reverse;

use super::chart::small;
use super::model::{Model, Pane, Place, Sort};
use super::sheet::{Column, Key, Row, Series, Sheet, Words, plain, toned};
use crate::cli::figures::{UNKNOWN, duration, maybe, percent, roughly, since, time_to_the_second};
use crate::cli::incidents::tone as incident_tone;
use crate::cli::observations::found;
use crate::cli::terminal::Tone;
use crate::judge::definition::Voiced;
use crate::query::{
    CheckStatus, IncidentLine, ObservationAnswer, ServiceAnswer, SiteAnswer, State, VantageStatus,
};

/// Columns of a small chart.
const CHART: usize = 20;

const SERVICES: &[Column] = &[
    Column::words("state", 0, 0),
    Column::words("service", 0, 12),
    Column::words("up from", 1, 0),
    Column::words("not up from", 2, 10),
    Column::words("incidents", 3, 0),
    Column::words("owner", 9, 6),
];

const VANTAGES: &[Column] = &[
    Column::words("state", 0, 0),
    Column::words("vantage point", 0, 10),
    Column::words("since", 2, 0),
    Column::figure("p50", 3),
    Column::figure("usual", 4),
    Column::figure("last runs", 5),
    Column::words("works, 24 h", 6, 0),
    Column::words("check", 7, 6),
    Column::words("agent", 8, 0),
];

const CHECKS: &[Column] = &[
    Column::words("state", 0, 0),
    Column::words("check", 0, 8),
    Column::words("vantage point", 1, 8),
    Column::words("since", 2, 0),
    Column::figure("p50", 3),
    Column::figure("usual", 4),
    Column::figure("last runs", 5),
    Column::words("works, 24 h", 6, 0),
    Column::words("kind", 9, 6),
];

const INCIDENTS: &[Column] = &[
    Column::figure("", 0),
    Column::words("severity", 0, 0),
    Column::words("state", 1, 0),
    Column::words("began", 2, 0),
    Column::words("what", 0, 28),
    Column::words("from where", 3, 12),
    Column::figure("users", 9),
];

const SITES: &[Column] = &[
    Column::words("state", 0, 0),
    Column::words("site", 0, 8),
    Column::words("checks up", 1, 0),
    Column::words("what is not up", 2, 16),
];

const RUNS: &[Column] = &[
    Column::words("slot", 0, 0),
    Column::words("verdict", 0, 0),
    Column::figure("took", 1),
    Column::words("what it found", 0, 16),
];

/// What the operator is looking at; `None` where it is no list.
pub(super) fn sheet(model: &Model) -> Option<Sheet> {
    match model.place() {
        Place::Overview(pane) => Some(pane_sheet(model, *pane)),
        Place::Service(name) => Some(sites(model, name)),
        Place::Site(service, site) => Some(site_checks(model, service, site)),
        Place::Vantage(name) => Some(vantage_checks(model, name)),
        Place::Runs(series) => Some(runs(model, series)),
        Place::Run(..) | Place::Incident(_) => None,
    }
}

/// A pane of the first screen.
pub(super) fn pane_sheet(model: &Model, pane: Pane) -> Sheet {
    let sheet = match pane {
        Pane::Services => services(model),
        Pane::Vantages => vantages(model),
        Pane::Incidents => incidents(model),
    };
    sheet.filtered(&model.filter)
}

fn services(model: &Model) -> Sheet {
    let mut all: Vec<&ServiceAnswer> =
        model.services.iter().flat_map(|answer| &answer.services).collect();
    match model.sort {
        Sort::Name => all.sort_by(|a, b| a.title.cmp(&b.title)),
        _ => all.sort_by_key(|service| (Reverse(service.state), service.incidents.is_empty())),
    }
    let row = |service: &ServiceAnswer| {
        let up = service.sites.iter().filter(|site| site.state == Voiced::Up).count();
        let not_up: Vec<&str> = (service.sites.iter())
            .filter(|site| site.state != Voiced::Up)
            .map(|site| site.site.as_str())
            .collect();
        let numbers: Vec<String> = service.incidents.iter().map(|it| format!("#{it}")).collect();
        let words = vec![
            voiced(service.state),
            plain(&service.title),
            plain(&format!("{up} of {} sites", service.sites.len())),
            plain(&not_up.join(", ")),
            plain(&numbers.join(" ")),
            plain(&service.owner),
        ];
        Row { key: Key::Service(service.name.clone()), words }
    };
    let rows = all.into_iter().map(row).collect();
    named("Services", SERVICES, rows, "no services yet: agents run no checks")
}

fn vantages(model: &Model) -> Sheet {
    let status = model.status.as_ref();
    let mut all: Vec<&VantageStatus> =
        status.iter().flat_map(|answer| &answer.vantage_points).collect();
    match model.sort {
        Sort::Worst => all.sort_by_key(|vantage| Reverse(vantage.state)),
        Sort::Name => all.sort_by(|a, b| a.name.cmp(&b.name)),
        Sort::Slowest => all.sort_by_key(|vantage| Reverse(telling(vantage).map(slowness))),
    }
    let row = |vantage: &VantageStatus| {
        let check = telling(vantage);
        let mut words =
            vec![state(vantage.state), plain(&vantage.name), begun(model, vantage.since)];
        words.extend(pace(model, vantage, check));
        words.push(plain(&check.map_or_else(String::new, |check| check_of(vantage, check))));
        words.push(match (vantage.connected, vantage.last_heard_at) {
            (true, _) => plain("connected"),
            (false, None) => toned(Tone::Doubtful, "never heard"),
            (false, Some(at)) => {
                let now = status.map_or(at, |status| status.now);
                toned(Tone::Doubtful, &format!("away for {}", roughly(at, now)))
            }
        });
        Row { key: Key::Vantage(vantage.name.clone()), words }
    };
    let rows = all.into_iter().map(row).collect();
    let nothing = "no agent has been enrolled yet: `mailsonde-collector token create`";
    named("Vantage points", VANTAGES, rows, nothing)
}

/// The check that stands for a vantage point: the worst; of equals a round trip, because that is what users feel.
fn telling(vantage: &VantageStatus) -> Option<&CheckStatus> {
    let checks = vantage.checks.iter().rev();
    checks.max_by_key(|check| (check.state, check.kind == "round-trip"))
}

fn check_of(vantage: &VantageStatus, check: &CheckStatus) -> String {
    match vantage.checks.len().saturating_sub(1) {
        0 => check.check.clone(),
        more => format!("{} and {more} more", check.check),
    }
}

/// How many per mille it takes of what is usual.
fn slowness(check: &CheckStatus) -> i64 {
    let (now, usual) = (check.round_trip.p50_us, check.usual_round_trip.p50_us);
    let ratio = now.zip(usual.filter(|usual| *usual > 0));
    ratio.map_or(0, |(now, usual)| now.saturating_mul(1_000) / usual)
}

/// p50, usual, last runs, availability.
fn pace(model: &Model, vantage: &VantageStatus, check: Option<&CheckStatus>) -> [Words; 4] {
    let Some(check) = check else { return [UNKNOWN, UNKNOWN, "", UNKNOWN].map(plain) };
    let (recent, usual) = (check.round_trip, check.usual_round_trip);
    let is_slow = recent.runs >= 3 && slowness(check) > 2_000;
    let p50 = toned(if is_slow { Tone::Doubtful } else { Tone::Plain }, &maybe(recent.p50_us));
    let works = check.availability_24h.map_or_else(|| UNKNOWN.to_owned(), |it| percent(it.lower));
    let series = Series { vantage_point: vantage.name.clone(), check: check.check.clone() };
    let tone = match check.state {
        State::Up => Tone::Plain,
        _ => tone(check.state),
    };
    let marks = model.marks.get(&series);
    let chart = marks.map_or_else(String::new, |marks| small(marks.iter(), CHART));
    [p50, plain(&maybe(usual.p50_us)), toned(tone, &chart), plain(&works)]
}

fn incidents(model: &Model) -> Sheet {
    let Some(answer) = &model.incidents else {
        return named("Incidents", INCIDENTS, Vec::new(), "no incidents");
    };
    let mut all: Vec<&IncidentLine> = answer.incidents.iter().collect();
    match model.sort {
        Sort::Worst => {
            all.sort_by_key(|it| {
                (!it.state.is_live(), Reverse(it.severity), it.state, Reverse(it.number))
            });
        }
        _ => all.sort_by_key(|it| Reverse(it.number)),
    }
    let row = |line: &IncidentLine| {
        let state = match (line.merged_into, line.silenced_by) {
            (Some(into), _) => format!("part of #{into}"),
            (None, Some(silence)) => format!("{}, silenced by S{silence}", line.state.as_str()),
            (None, None) => line.state.as_str().to_owned(),
        };
        let words = vec![
            plain(&format!("#{}", line.number)),
            toned(incident_tone(line.severity, line.state), line.severity.as_str()),
            plain(&state),
            plain(&since(line.began_at, line.resolved_at.unwrap_or(answer.now), &model.zone)),
            plain(&line.headline),
            plain(&line.scope),
            plain(&match line.users {
                0 => String::new(),
                users => users.to_string(),
            }),
        ];
        Row { key: Key::Incident(line.number), words }
    };
    let rows = all.into_iter().map(row).collect();
    let live = answer.incidents.iter().filter(|it| it.state.is_live()).count();
    let mut sheet = named("Incidents", INCIDENTS, rows, "no incidents");
    sheet.title = format!("Incidents, {live} not over");
    if answer.more > 0 {
        sheet.title.push_str(&format!(", {} older ones not shown", answer.more));
    }
    sheet
}

/// The service of this name.
pub(super) fn service<'m>(model: &'m Model, name: &str) -> Option<&'m ServiceAnswer> {
    model.services.iter().flat_map(|answer| &answer.services).find(|it| it.name == name)
}

fn sites(model: &Model, name: &str) -> Sheet {
    let mut all: Vec<&SiteAnswer> =
        service(model, name).iter().flat_map(|service| &service.sites).collect();
    if model.sort != Sort::Name {
        all.sort_by_key(|site| Reverse(site.state));
    }
    let row = |site: &SiteAnswer| {
        let up = site.checks.iter().filter(|check| check.state == State::Up).count();
        let words = vec![
            voiced(site.state),
            plain(&site.site),
            plain(&format!("{up} of {}", site.checks.len())),
            plain(&site.not_up.join(", ")),
        ];
        Row { key: Key::Site(site.site.clone()), words }
    };
    let rows = all.into_iter().map(row).collect();
    let nothing = "nobody looks at this service: see `mailsonde-collector services`";
    named("Sites", SITES, rows, nothing).filtered(&model.filter)
}

fn site_checks(model: &Model, name: &str, site: &str) -> Sheet {
    let sites = service(model, name).into_iter().flat_map(|service| &service.sites);
    let members = sites.filter(|it| it.site == site).flat_map(|site| &site.checks);
    let wanted: Vec<(&str, &str)> =
        members.map(|it| (it.vantage_point.as_str(), it.check.as_str())).collect();
    checks(model, |vantage, check| wanted.contains(&(&vantage.name, &check.check)))
}

fn vantage_checks(model: &Model, name: &str) -> Sheet {
    checks(model, |vantage, _| vantage.name == name)
}

fn checks(model: &Model, is_wanted: impl Fn(&VantageStatus, &CheckStatus) -> bool) -> Sheet {
    let mut all: Vec<(&VantageStatus, &CheckStatus)> = Vec::new();
    for vantage in model.status.iter().flat_map(|status| &status.vantage_points) {
        let of = vantage.checks.iter().filter(|check| is_wanted(vantage, check));
        all.extend(of.map(|check| (vantage, check)));
    }
    match model.sort {
        Sort::Worst => all.sort_by_key(|(_, check)| Reverse(check.state)),
        Sort::Name => all.sort_by(|(_, a), (_, b)| a.check.cmp(&b.check)),
        Sort::Slowest => all.sort_by_key(|(_, check)| Reverse(slowness(check))),
    }
    let row = |(vantage, check): (&VantageStatus, &CheckStatus)| {
        let mut words = vec![
            state(check.state),
            plain(&check.check),
            plain(&vantage.name),
            begun(model, check.since),
        ];
        words.extend(pace(model, vantage, Some(check)));
        words.push(plain(&check.kind));
        let (vantage_point, check) = (vantage.name.clone(), check.check.clone());
        Row { key: Key::Series(Series { vantage_point, check }), words }
    };
    let rows = all.into_iter().map(row).collect();
    named("Checks", CHECKS, rows, "no check runs here").filtered(&model.filter)
}

fn runs(model: &Model, series: &Series) -> Sheet {
    let now = model.status.as_ref().map_or(model.now, |status| status.now);
    let row = |run: &ObservationAnswer| {
        let tone = match run.verdict.as_str() {
            "pass" => Tone::Good,
            "fail" => Tone::Bad,
            _ => Tone::Doubtful,
        };
        let words = vec![
            plain(&time_to_the_second(run.scheduled_for, now, &model.zone)),
            toned(tone, &run.verdict),
            plain(&duration(i64::try_from(run.total_us).unwrap_or(i64::MAX))),
            plain(&found(run)),
        ];
        Row { key: Key::Run(run.epoch.clone(), run.sequence), words }
    };
    let rows = model.runs_of(series).iter().map(row).collect();
    let nothing = match &model.runs {
        Some((of, _)) if of == series => "no run yet",
        _ => "asking …",
    };
    named("Last runs", RUNS, rows, nothing).filtered(&model.filter)
}

fn named(title: &str, columns: &[Column], rows: Vec<Row>, nothing: &'static str) -> Sheet {
    Sheet { title: title.to_owned(), nothing, columns: columns.to_vec(), rows, left_out: 0 }
}

/// What a state's colour says.
pub(super) fn tone(state: State) -> Tone {
    match state {
        State::Up => Tone::Good,
        State::Failing => Tone::Bad,
        State::Late | State::Unknown => Tone::Doubtful,
    }
}

fn state(state: State) -> Words {
    toned(tone(state), state.as_str())
}

fn voiced(state: Voiced) -> Words {
    let tone = match state {
        Voiced::Up => Tone::Good,
        Voiced::Down => Tone::Bad,
        Voiced::Unknown => Tone::Doubtful,
    };
    toned(tone, state.as_str())
}

fn begun(model: &Model, at: Option<jiff::Timestamp>) -> Words {
    let now = model.status.as_ref().map_or(model.now, |status| status.now);
    plain(&at.map_or_else(|| UNKNOWN.to_owned(), |at| since(at, now, &model.zone)))
}
