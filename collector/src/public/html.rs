//! The pages as HTML: whole without a script, for eyes and screen readers, in light and dark.
//!
//! Times stand in the organisation's zone, whose name is told, as they do in the words of messages; a script adds those of
//! who reads. Invariant: templates escape what they are given; what they put in as it is was made by `chart`.

use askama::Template;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::month::Month;
use super::path;
use crate::chart::{Cell, strip};
use crate::config::StatusPageConfig;
use crate::judge::draft::{duration, named};
use crate::query::PublicAnswer;
use crate::query::public::{
    Progress, PublicDay, PublicIncident, PublicService, PublicState, PublicWindow,
};
use crate::web::assets;

/// Months that history goes back.
const MONTHS: usize = 13;
/// Incidents of one month that are shown.
const MOST_OF_MONTH: usize = 100;
/// Of a day that is called good, one part in so many may be unknown.
const LITTLE: u64 = 50;

/// What a page is made of.
pub(super) struct Scene<'a> {
    pub(super) config: &'a StatusPageConfig,
    pub(super) answer: &'a PublicAnswer,
    pub(super) zone: &'a TimeZone,
}

/// What stands around every page.
pub(super) struct Frame<'a> {
    pub(super) config: &'a StatusPageConfig,
    /// The page's own heading.
    pub(super) title: String,
    pub(super) entries: Vec<Entry>,
    pub(super) style: &'static str,
    pub(super) script: &'static str,
    pub(super) zone: String,
    /// To the minute, so that what did not change is the same.
    pub(super) as_of: Option<When>,
}

/// An entry of the navigation.
pub(super) struct Entry {
    pub(super) words: &'static str,
    pub(super) path: &'static str,
    pub(super) is_here: bool,
}

/// A moment, for programs and for people.
pub(super) struct When {
    pub(super) iso: String,
    pub(super) shown: String,
}

impl Scene<'_> {
    pub(super) fn frame(&self, title: &str, here: &str) -> Frame<'_> {
        let at = self.answer.now.as_second();
        let minute = Timestamp::from_second(at.saturating_sub(at.rem_euclid(60)));
        Frame {
            zone: self.answer.time_zone.clone(),
            as_of: minute.ok().map(|at| self.when(at)),
            ..frame(self.config, title, here)
        }
    }

    pub(super) fn when(&self, at: Timestamp) -> When {
        let (local, now) =
            (at.to_zoned(self.zone.clone()), self.answer.now.to_zoned(self.zone.clone()));
        let format = match (local.date() == now.date(), local.year() == now.year()) {
            (true, _) => "%H:%M",
            (false, true) => "%H:%M on %-d %B",
            (false, false) => "%H:%M on %-d %B %Y",
        };
        let iso = at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        When { iso, shown: local.strftime(format).to_string() }
    }

    fn incident(&self, incident: &PublicIncident) -> IncidentShown {
        let is_over = incident.progress == Progress::Over;
        let end = incident.ended_at.unwrap_or(self.answer.now);
        IncidentShown {
            id: incident.number,
            headline: if is_over { incident.was.clone() } else { incident.headline.clone() },
            progress: incident.progress.in_words(),
            text: incident.text.clone(),
            began: self.when(incident.began_at),
            ended: incident.ended_at.map(|at| self.when(at)),
            lasted: duration(end.duration_since(incident.began_at).as_secs()),
            instead: incident.instead.clone(),
            updates: incident
                .updates
                .iter()
                .map(|update| (self.when(update.at), update.title.clone(), update.text.clone()))
                .collect(),
            is_over,
        }
    }

    fn window(&self, window: &PublicWindow) -> WindowShown {
        WindowShown {
            title: window.title.clone(),
            text: window.text.clone(),
            from: self.when(window.from),
            until: self.when(window.until),
            is_running: window.is_running,
        }
    }
}

fn frame<'a>(config: &'a StatusPageConfig, title: &str, here: &str) -> Frame<'a> {
    let mut entries = vec![("Now", path::OVERVIEW), ("History", path::HISTORY)];
    if !config.clients.is_empty() {
        entries.push(("Is it me?", path::SETUP));
    }
    let entry =
        |(words, path): (&'static str, &'static str)| Entry { words, path, is_here: path == here };
    Frame {
        config,
        title: title.to_owned(),
        entries: entries.into_iter().map(entry).collect(),
        style: assets::style(),
        script: assets::status_script(),
        zone: String::new(),
        as_of: None,
    }
}

struct ServiceShown<'a> {
    title: &'a str,
    description: &'a str,
    state: PublicState,
    said: Vec<String>,
    is_in_maintenance: bool,
    strip: String,
    days: String,
}

struct IncidentShown {
    id: u64,
    headline: String,
    progress: &'static str,
    text: String,
    began: When,
    ended: Option<When>,
    lasted: String,
    instead: Vec<String>,
    updates: Vec<(When, String, String)>,
    is_over: bool,
}

struct WindowShown {
    title: String,
    text: String,
    from: When,
    until: When,
    is_running: bool,
}

#[derive(Template)]
#[template(path = "public/overview.html")]
struct Overview<'a> {
    frame: Frame<'a>,
    state: PublicState,
    headline: String,
    services: Vec<ServiceShown<'a>>,
    incidents: Vec<IncidentShown>,
    windows: Vec<WindowShown>,
    past: Vec<IncidentShown>,
    has_setup: bool,
}

/// How it is now.
pub(super) fn overview(scene: &Scene<'_>) -> Result<String, askama::Error> {
    let answer = scene.answer;
    let week_ago = answer.now.as_second().saturating_sub(7 * 86_400);
    let is_recent = |it: &&PublicIncident| it.ended_at.is_some_and(|at| at.as_second() > week_ago);
    let page = Overview {
        frame: scene.frame("Now", path::OVERVIEW),
        state: answer.state,
        headline: headline(answer),
        services: answer.services.iter().map(service).collect(),
        incidents: answer.incidents.iter().map(|it| scene.incident(it)).collect(),
        windows: answer.maintenance.iter().map(|it| scene.window(it)).collect(),
        past: answer
            .past_incidents
            .iter()
            .filter(is_recent)
            .take(10)
            .map(|it| scene.incident(it))
            .collect(),
        has_setup: !answer.mail_clients.is_empty(),
    };
    page.render()
}

/// How all of it is, in a sentence or some.
pub(super) fn headline(answer: &PublicAnswer) -> String {
    let of = |state: PublicState| -> Vec<&str> {
        let all = answer.services.iter().filter(|service| service.state == state);
        all.map(|service| service.title.as_str()).collect()
    };
    let (down, partly, unknown) =
        (of(PublicState::Down), of(PublicState::Partly), of(PublicState::Unknown));
    let verb = |names: &[&str], one: &'static str, many: &'static str| {
        if names.len() == 1 { one } else { many }
    };
    let mut told = Vec::new();
    if !down.is_empty() {
        told.push(format!("{} {} not work.", named(&down), verb(&down, "does", "do")));
    }
    if !partly.is_empty() {
        let does = verb(&partly, "does", "do");
        told.push(format!("{} {does} not work everywhere.", named(&partly)));
    }
    if !unknown.is_empty() {
        let works = verb(&unknown, "works", "work");
        told.push(format!("Nobody can tell at the moment whether {} {works}.", named(&unknown)));
    }
    if told.is_empty() { "Everything works.".to_owned() } else { told.join(" ") }
}

fn service(service: &PublicService) -> ServiceShown<'_> {
    let mut said = Vec::new();
    if service.fails_at.count() > 0 {
        said.push(format!("It does not work at {}.", service.fails_at.in_words()));
    }
    if service.places == 0 {
        said.push("It is not looked at from anywhere.".to_owned());
    } else if service.unknown_at.count() > 0 {
        said.push(format!("Nobody can tell how it is at {}.", service.unknown_at.in_words()));
    }
    let days = days_in_words(&service.days);
    let cells: Vec<Cell> = service.days.iter().map(cell).collect();
    ServiceShown {
        title: &service.title,
        description: &service.description,
        state: service.state,
        said,
        is_in_maintenance: service.is_in_maintenance,
        strip: strip(&cells, &format!("{}, the last {} days: {days}", service.title, cells.len())),
        days,
    }
}

/// A day of the strip. One of which anything is not known is only called good where that is little, and it is said.
fn cell(day: &PublicDay) -> Cell {
    let PublicDay { date, up_min, down_min, unknown_min } = *day;
    let all = up_min.saturating_add(down_min).saturating_add(unknown_min);
    let class = match (down_min, unknown_min) {
        _ if all == 0 => "none",
        (down, _) if down.saturating_mul(2) >= all => "down",
        (1.., _) => "partly",
        (0, unknown) if unknown.saturating_mul(LITTLE) > all => "unknown",
        _ => "up",
    };
    let mut words = Vec::new();
    if down_min > 0 {
        words.push(format!("did not work for {}", long(down_min)));
    }
    if unknown_min > 0 {
        words.push(format!("not known for {}", long(unknown_min)));
    }
    if words.is_empty() {
        words.push(if all == 0 { "not measured" } else { "worked" }.to_owned());
    }
    Cell { class, day: date.strftime("%-d %b").to_string(), words: words.join(", ") }
}

fn long(minutes: u64) -> String {
    duration(i64::try_from(minutes.saturating_mul(60)).unwrap_or(i64::MAX))
}

/// What days come to: what is not known is told beside, and never counted as time in which it worked.
fn days_in_words(days: &[PublicDay]) -> String {
    let sum =
        |minutes: fn(&PublicDay) -> u64| days.iter().map(minutes).fold(0, u64::saturating_add);
    let (up, down, unknown) =
        (sum(|it| it.up_min), sum(|it| it.down_min), sum(|it| it.unknown_min));
    let measured = up.saturating_add(down);
    let mut told = Vec::new();
    if measured == 0 {
        told.push("not measured".to_owned());
    } else {
        // cut off, not rounded: 99.999 % is not all of it
        let share = u128::from(up) * 10_000 / u128::from(measured);
        told.push(format!(
            "worked {}.{:02} % of the time that was measured",
            share / 100,
            share % 100
        ));
    }
    if down > 0 {
        told.push(format!("did not work for {}", long(down)));
    }
    if unknown > 0 {
        told.push(format!("not known for {}", long(unknown)));
    }
    told.join("; ")
}

#[derive(Template)]
#[template(path = "public/history.html")]
struct History<'a> {
    frame: Frame<'a>,
    month: String,
    incidents: Vec<IncidentShown>,
    more: usize,
    windows: Vec<WindowShown>,
    before: Option<Month>,
    after: Option<Month>,
}

/// What was in a month, in this where it is not said; `None` where history does not go so far.
pub(super) fn history(
    scene: &Scene<'_>,
    month: Option<Month>,
) -> Result<Option<String>, askama::Error> {
    let of = |at: Timestamp| Month::of(at.to_zoned(scene.zone.clone()).date());
    let this = of(scene.answer.now);
    let month = month.unwrap_or(this);
    let oldest = (1..MONTHS).fold(this, |month, _| month.before());
    if !(oldest..=this).contains(&month) {
        return Ok(None);
    }
    let answer = scene.answer;
    let all = answer.incidents.iter().chain(&answer.past_incidents);
    let all: Vec<&PublicIncident> = all.filter(|it| of(it.began_at) == month).collect();
    let windows = answer.past_maintenance.iter().filter(|it| of(it.from) == month);
    let page = History {
        frame: scene.frame("History", path::HISTORY),
        month: month.in_words(),
        more: all.len().saturating_sub(MOST_OF_MONTH),
        incidents: all.into_iter().take(MOST_OF_MONTH).map(|it| scene.incident(it)).collect(),
        windows: windows.map(|it| scene.window(it)).collect(),
        before: (month > oldest).then(|| month.before()),
        after: (month < this).then(|| month.after()),
    };
    page.render().map(Some)
}

#[derive(Template)]
#[template(path = "public/trouble.html")]
struct Trouble<'a> {
    frame: Frame<'a>,
}

/// What is shown where nobody knows anything.
pub(super) fn trouble(config: &StatusPageConfig) -> Result<String, askama::Error> {
    Trouble { frame: frame(config, "Now", path::OVERVIEW) }.render()
}
