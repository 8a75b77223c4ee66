//! What is planned, as users are told: which services, where, when, and what was announced; not what operators call it.

use std::collections::BTreeSet;
use std::time::Duration;

use mailsonde_proto::WallTime;

use super::{Known, PublicWindow, Sites};
use crate::judge::draft::named;
use crate::judge::planned::{Occurrence, Place, Window};
use crate::query::planned::calendar::told;
use crate::text::one_line;

/// What comes within this is told.
const AHEAD: Duration = Duration::from_secs(60 * 86_400);
/// What is over is told for this.
const BACK: Duration = Duration::from_secs(400 * 86_400);
/// Times of one window that are to come, at most.
const MOST_TIMES: usize = 3;
/// Times of all windows, at most.
const MOST_COMING: usize = 50;
const MOST_PAST: usize = 200;
/// Windows that are over stay in the calendar for this.
const KEPT: Duration = Duration::from_secs(90 * 86_400);
/// Windows in the calendar at most, the newest.
const MOST_IN_CALENDAR: usize = 200;

/// What is planned and was.
pub(super) struct PlannedForUsers {
    pub(super) coming: Vec<PublicWindow>,
    pub(super) past: Vec<PublicWindow>,
    /// Names of services that are worked on now.
    pub(super) running: BTreeSet<String>,
    /// All of it as a calendar (RFC 5545).
    pub(super) calendar: String,
}

pub(super) fn windows(known: &Known<'_>) -> PlannedForUsers {
    let (mut coming, mut past, mut running) = (Vec::new(), Vec::new(), BTreeSet::new());
    let (now, mut in_calendar) = (known.now, Vec::new());
    for window in known.chronicle.planned.windows() {
        let Some((services, title)) = touched(known, window) else { continue };
        let shown = |time| shown_time(window, &title, time, now);
        let ahead = window.times_in(now..now.plus(AHEAD)).take(MOST_TIMES);
        coming.extend(ahead.map(shown));
        let behind: Vec<_> = window.times_in(now.minus(BACK)..now).collect();
        past.extend(
            behind.into_iter().rev().take(MOST_PAST).filter(|it| it.until <= now).map(shown),
        );
        if window.at(now).is_some() {
            running.extend(services);
        }
        if window.times().last().is_none_or(|last| now.since(last.until) < KEPT) {
            in_calendar.push((window, title));
        }
    }
    let skipped = in_calendar.len().saturating_sub(MOST_IN_CALENDAR);
    let calendar = calendar(known, in_calendar.get(skipped..).unwrap_or_default());
    coming.sort_by_key(|it: &PublicWindow| (it.from, it.number));
    coming.truncate(MOST_COMING);
    past.sort_by_key(|it: &PublicWindow| (std::cmp::Reverse(it.from), it.number));
    past.truncate(MOST_PAST);
    PlannedForUsers { coming, past, running, calendar }
}

fn calendar(known: &Known<'_>, windows: &[(&Window, String)]) -> String {
    let words = |window: &Window| {
        let known = windows.iter().find(|(it, _)| it.number == window.number);
        let title = known.map(|(_, title)| title.clone()).unwrap_or_default();
        (title, window.plan.announcement.trim().to_owned())
    };
    let windows: Vec<&Window> = windows.iter().map(|(window, _)| *window).collect();
    told(&known.config.title, &windows, &words)
}

fn shown_time(window: &Window, title: &str, time: Occurrence, now: WallTime) -> PublicWindow {
    let changed_at = window.history.last().map_or(window.planned_at, |change| change.at);
    PublicWindow {
        number: window.number,
        title: title.to_owned(),
        text: window.plan.announcement.trim().to_owned(),
        from: time.from.timestamp(),
        until: time.until.timestamp(),
        is_running: time.holds(now),
        announced_at: changed_at.timestamp(),
    }
}

/// Which of the page's services a window is about, and that in words; `None`: of none.
pub(super) fn touched(known: &Known<'_>, window: &Window) -> Option<(Vec<String>, String)> {
    let (mut services, mut titles) = (Vec::new(), Vec::new());
    let (mut sites, mut others) = (BTreeSet::new(), BTreeSet::new());
    let mut is_everywhere = true;
    for page in &known.config.services {
        let Some(service) = known.definitions.service(&page.name) else { continue };
        let mut is_touched = false;
        for member in known.chronicle.members_at(service, known.now) {
            let place = Place {
                services: &[&service.name],
                agent: member.name,
                labels: member.labels,
                check: &member.check.name,
            };
            if !window.touches(&place) {
                is_everywhere = false;
                continue;
            }
            is_touched = true;
            let site = member.voice;
            let list = if known.is_site(site) { &mut sites } else { &mut others };
            list.insert(site);
        }
        if is_touched {
            services.push(page.name.clone());
            titles.push(known.title(&page.name).unwrap_or(&page.name));
        }
    }
    if services.is_empty() {
        return None;
    }
    let mut places = Sites::default();
    sites.into_iter().for_each(|site| places.add(Some(site)));
    others.into_iter().for_each(|_| places.add(None));
    let at = if is_everywhere { String::new() } else { format!(" at {}", places.in_words()) };
    let title = format!("Maintenance of {}{at}", named(&titles));
    Some((services, one_line(&title)))
}
