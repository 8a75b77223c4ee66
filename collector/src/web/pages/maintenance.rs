//! What is planned, what runs, what was; and what is silenced and left out.

use askama::Template;

use super::{Asked, top};
use crate::query::planned::{PlannedWanted, WindowAnswer};
use crate::web::shown::{Moment, When};
use crate::web::{NoPage, Page, Part};

#[derive(Template)]
#[template(path = "maintenance.html")]
struct Calendar {
    rows: Vec<Row>,
    silences: Vec<(u64, String, String)>,
    exclusions: Vec<(u64, String, String)>,
}

struct Row {
    number: u64,
    title: String,
    announcement: String,
    state: &'static str,
    from: Option<Moment>,
    until: Option<Moment>,
    again: String,
    scope: String,
    accepted: String,
}

pub(super) fn page(asked: &Asked<'_>) -> Result<Page, NoPage> {
    let (query, when) = (asked.query(), asked.when());
    let windows = query.windows(&PlannedWanted::default()).windows;
    let mut rows: Vec<Row> = windows.iter().map(|window| row(window, &when)).collect();
    rows.reverse();
    let silences = query.silences(&PlannedWanted::default()).silences;
    let exclusions = query.exclusions(&PlannedWanted::default()).exclusions;
    let calendar = Calendar {
        rows,
        silences: silences
            .iter()
            .map(|it| {
                let until = when.moment(it.until).text;
                (
                    it.number,
                    it.reason.clone(),
                    format!("{}, until {until}, by {}", it.scope.words(), it.by),
                )
            })
            .collect(),
        exclusions: exclusions
            .iter()
            .map(|it| {
                let (from, until) = (when.moment(it.from).text, when.moment(it.until).text);
                (
                    it.number,
                    it.note.clone(),
                    format!("{}, {from} to {until}, by {}", it.service, it.by),
                )
            })
            .collect(),
    };
    Ok(top("Maintenance", "/maintenance", vec![Part::live("calendar", &calendar)?]))
}

fn row(window: &WindowAnswer, when: &When) -> Row {
    let accepted = match &window.accepted {
        None => String::new(),
        Some(accepted) if accepted.failed.is_empty() => "accepted: all of its checks passed".into(),
        Some(accepted) => format!("not accepted: {} did not pass", accepted.failed.len()),
    };
    Row {
        number: window.number,
        title: window.title.clone(),
        announcement: window.announcement.clone(),
        state: window.state.as_str(),
        from: window.time.map(|time| when.moment(time.from)),
        until: window.time.map(|time| when.moment(time.until)),
        again: match &window.every {
            Some(rule) => format!("{rule}, {} more", window.times_left),
            None => String::new(),
        },
        scope: window.scope.words(),
        accepted,
    }
}
