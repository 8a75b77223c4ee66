//! What was promised and what was kept, by month; and one agreement with what counts and what not.

use askama::Template;
use jiff::ToSpan;
use jiff::civil::Date;

use super::{Asked, crumb, top};
use crate::figures::{between, duration, percent};
use crate::judge::objective::Reached;
use crate::query::sla::{
    AgreementAnswer, ExplainWanted, FigureAnswer, Month, NotAMonth, SlaWanted,
};
use crate::web::address::What;
use crate::web::shown::{Moment, Pages, Shown, When, page_of};
use crate::web::{NoPage, Page, Part};

/// Agreements on one page.
const EACH: usize = 100;
/// Months that can be chosen.
const MONTHS: i32 = 13;
/// Lines of each sort that are shown of one agreement.
const MOST_LINES: usize = 100;

#[derive(Template)]
#[template(path = "sla.html")]
struct List {
    month: String,
    rows: Vec<Row>,
    pages: Pages,
}

struct Row {
    agreement: String,
    address: String,
    service: String,
    service_address: String,
    customer: String,
    indicator: String,
    target: String,
    reached: String,
    known: String,
    result: Shown,
    credit: String,
    excluded: u64,
    is_over: bool,
}

#[derive(Template)]
#[template(path = "sla_filter.html")]
struct Filter {
    action: String,
    service: Option<String>,
    months: Vec<(String, String, bool)>,
}

fn filter(asked: &Asked<'_>, service: Option<String>) -> Filter {
    let today = asked.now.to_zoned(asked.query().zone()).date();
    let chosen = asked.address.get("month");
    let month = |back: i32| {
        let day: Date = today.first_of_month().checked_sub(back.months()).unwrap_or(today);
        let value = day.strftime("%Y-%m").to_string();
        let is_chosen = value == chosen || (chosen.is_empty() && back == 0);
        (value, day.strftime("%B %Y").to_string(), is_chosen)
    };
    let mut months: Vec<_> = (0..MONTHS).map(month).collect();
    // further back, or yet to come
    if let Ok(other) = chosen.parse::<Month>()
        && !months.iter().any(|(_, _, is_chosen)| *is_chosen)
    {
        let words = other.first_day().strftime("%B %Y").to_string();
        months.insert(0, (other.to_string(), words, true));
    }
    Filter { action: asked.address.what.to_string(), service, months }
}

/// The month that the address names; the one under way where it names none.
fn month(asked: &Asked<'_>) -> Result<Option<Month>, NoPage> {
    match asked.address.get("month") {
        "" => Ok(None),
        month => {
            month.parse().map(Some).map_err(|error: NotAMonth| NoPage::Wrong(error.to_string()))
        }
    }
}

pub(super) fn page(asked: &Asked<'_>) -> Result<Page, NoPage> {
    let service = asked.address.get("service");
    let wanted = SlaWanted {
        month: month(asked)?,
        service: Some(service.to_owned()).filter(|name| !name.is_empty()),
    };
    let answer = asked.query().sla(&wanted)?;
    let mut rows: Vec<Row> = answer.agreements.iter().map(|it| row(it, asked)).collect();
    rows.sort_by_key(|row| match row.result.class {
        "down" => 0,
        "unknown" => 1,
        _ => 2,
    });
    let (rows, pages) = page_of(rows, EACH, asked.address);
    let filter = filter(asked, Some(service.to_owned()));
    let chosen = filter.months.iter().find(|(_, _, is_chosen)| *is_chosen);
    let month = match (chosen, wanted.month) {
        (Some((_, words, _)), _) => words.clone(),
        (None, Some(month)) => month.first_day().strftime("%B %Y").to_string(),
        (None, None) => String::new(),
    };
    let list = List { month, rows, pages };
    let parts = vec![Part::fixed("filter", &filter)?, Part::live("agreements", &list)?];
    Ok(top("What was promised", "/sla", parts))
}

pub(super) fn result(result: Reached) -> Shown {
    match result {
        Reached::Met => Shown { class: "up", mark: "●", word: "met" },
        Reached::Missed => Shown { class: "down", mark: "▼", word: "missed" },
        Reached::NotProven => Shown { class: "unknown", mark: "?", word: "not proven" },
    }
}

fn row(answer: &AgreementAnswer, asked: &Asked<'_>) -> Row {
    let what = crate::web::Address {
        what: What::Agreement(answer.agreement.clone()),
        parameters: asked.address.with("service", "").with("page", "").parameters,
    };
    let figure = &answer.figure;
    Row {
        agreement: answer.agreement.clone(),
        address: what.to_string(),
        service: answer.service.clone(),
        service_address: What::Service(answer.service.clone()).to_string(),
        customer: answer.customer.clone(),
        indicator: indicator(figure),
        target: figure.target.to_string(),
        reached: reached(figure),
        known: known(figure),
        result: result(answer.result),
        credit: answer.credit.map(|share| share.to_string()).unwrap_or_default(),
        excluded: answer.excluded,
        is_over: figure.is_over,
    }
}

fn indicator(figure: &FigureAnswer) -> String {
    let within = figure.within_us.and_then(|us| i64::try_from(us).ok());
    let within = within.map(|us| format!(" within {}", duration(us))).unwrap_or_default();
    let hours = if figure.in_hours { ", in its hours" } else { "" };
    format!("{}{within}, {}{hours}", figure.indicator, figure.window)
}

/// `99.93 %`, or from where to where.
pub(super) fn reached(figure: &FigureAnswer) -> String {
    match (figure.lower, figure.upper) {
        (Some(lower), Some(upper)) => between(lower, upper),
        _ => "nothing measured".to_owned(),
    }
}

/// `99.93 % of 1440 minutes`: how much stands behind a figure.
fn known(figure: &FigureAnswer) -> String {
    let all = figure.good.saturating_add(figure.bad).saturating_add(figure.unknown);
    let share = figure.coverage.map(percent).unwrap_or_default();
    if all == 0 { share } else { format!("{share} of {all} {}", figure.unit) }
}

#[derive(Template)]
#[template(path = "agreement.html")]
struct One {
    row: Row,
    from: Moment,
    until: Moment,
    unit: String,
    good: u64,
    bad: u64,
    unknown: u64,
    allowed: u64,
    pass: u64,
    fail: u64,
    void: u64,
    missed: u64,
    stretches: Vec<(Moment, Moment, u64, Shown)>,
    excluded: Vec<(Moment, Moment, String, u64)>,
    spent_by: Vec<(String, u64)>,
    is_cut: bool,
}

pub(super) fn explained(asked: &Asked<'_>, name: &str) -> Result<Page, NoPage> {
    let when = asked.when();
    let wanted = ExplainWanted { agreement: name.to_owned(), month: month(asked)? };
    let answer = asked.query().sla_explained(&wanted)?;
    let figure = &answer.agreement.figure;
    let lines = |when: &When| {
        let all = answer.stretches.iter().take(MOST_LINES);
        let told = all
            .map(|it| (when.moment(it.from), when.moment(it.until), it.minutes, it.state.into()));
        told.collect()
    };
    let excluded = answer.excluded.iter().filter(|it| it.count > 0).take(MOST_LINES);
    let spent = answer.spent_by.iter().take(MOST_LINES);
    let one = One {
        row: row(&answer.agreement, asked),
        from: when.moment(figure.from),
        until: when.moment(figure.until),
        unit: figure.unit.clone(),
        good: figure.good,
        bad: figure.bad,
        unknown: figure.unknown,
        allowed: answer.allowed,
        pass: answer.runs.pass,
        fail: answer.runs.fail,
        void: answer.runs.void,
        missed: answer.runs.missed,
        stretches: lines(&when),
        excluded: excluded
            .map(|it| (when.moment(it.from), when.moment(it.until), it.reason.clone(), it.count))
            .collect(),
        spent_by: spent
            .map(|it| {
                (
                    format!("{} from {}: {} ({})", it.check, it.voice, it.phase, it.class),
                    it.failures,
                )
            })
            .collect(),
        is_cut: answer.is_cut
            || answer.stretches.len() > MOST_LINES
            || answer.spent_by.len() > MOST_LINES,
    };
    let parts = vec![Part::fixed("filter", &filter(asked, None))?, Part::live("agreement", &one)?];
    Ok(Page {
        title: format!("{name}, step by step"),
        under: "/sla",
        crumbs: vec![crumb("What was promised", What::Sla)],
        parts,
    })
}
