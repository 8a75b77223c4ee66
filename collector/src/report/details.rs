//! Service by service and site by site; incidents, exclusions, posture, capacity and users in full.

use super::document::{Block, Cell, Picture, Table, Tone, cell, toned};
use super::words::{
    UNKNOWN, amount, count, credit, interval, interval_of, micros, moment, of_month, outlook,
    promised, result, seconds, zone,
};
use crate::chart::{Band, Chart, Intervals, Shape, Unit};
use crate::judge::definition::Exclusion;
use crate::query::report::{IncidentReport, ServiceReport};
use crate::query::{ReportAnswer, SubjectAnswer};

/// Seconds of a step of a month's charts.
const DAY_S: u64 = 86_400;
/// Kinds of failures that are told of a service.
const MOST_SPENT_BY: usize = 8;
/// Rows of posture and capacity at most; programs read all of them as CSV or JSON.
const MOST_ROWS: usize = 60;

/// All that comes after the first page, but the method.
pub(super) fn blocks(report: &ReportAnswer) -> Vec<Block> {
    let mut blocks = vec![Block::heading(1, "Agreements")];
    blocks.extend(agreements(report));
    blocks.push(Block::heading(1, "Incidents"));
    blocks.extend(incidents(report));
    blocks.push(Block::heading(1, "Services"));
    for service in &report.services {
        blocks.extend(of_service(report, service));
    }
    blocks.push(Block::heading(1, "What was left out"));
    blocks.extend(exclusions(report));
    blocks.push(Block::heading(1, "Deliverability posture"));
    blocks.extend(posture(report));
    blocks.push(Block::heading(1, "Capacity outlook"));
    blocks.extend(capacity(report));
    if report.feedback.is_some() {
        blocks.push(Block::heading(1, "What users say"));
        blocks.extend(super::users::blocks(report));
    }
    blocks
}

fn agreements(report: &ReportAnswer) -> Vec<Block> {
    let heads = [
        "service",
        "agreement",
        "promised",
        "window",
        "#reached",
        "result",
        "#left out",
        "#credit",
    ];
    let mut table = Table::new(&heads);
    for service in &report.services {
        for kept in service.agreements.iter().map(|it| &it.kept) {
            let (tone, word) = result(kept.result);
            let so_far = if kept.figure.is_over { "" } else { " so far" };
            let left_out = match kept.excluded {
                0 => UNKNOWN.to_owned(),
                minutes => format!("{} min", count(minutes)),
            };
            let customer = match kept.customer.as_str() {
                "" => String::new(),
                customer => format!(" for {customer}"),
            };
            table.row([
                cell(&service.title),
                cell(format!("{}{customer}", kept.agreement)),
                cell(promised(&kept.figure)),
                cell(&kept.figure.window),
                cell(interval(&kept.figure)),
                toned(tone, format!("{word}{so_far}")),
                cell(left_out),
                cell(credit(kept)),
            ]);
        }
    }
    match table.rows.is_empty() {
        true => vec![Block::text("No service has an agreement.")],
        false => vec![Block::Table(table)],
    }
}

fn incidents(report: &ReportAnswer) -> Vec<Block> {
    if report.incidents.is_empty() {
        return vec![Block::text("There were none.")];
    }
    let zone = zone(report);
    let heads =
        ["#", "what", "severity", "began", "#to detect", "#to resolve", "#minutes down", "state"];
    let mut table = Table::new(&heads);
    for incident in &report.incidents {
        let carried = if incident.is_carried_over { " (from before)" } else { "" };
        table.row([
            cell(incident.number.to_string()),
            cell(format!("{}{carried}", incident.headline)),
            cell(incident.severity.as_str()),
            cell(moment(incident.began_at, &zone)),
            cell(seconds(Some(took(incident, Some(incident.opened_at)).unwrap_or(0)))),
            cell(seconds(took(incident, incident.resolved_at))),
            cell(cost(incident)),
            cell(incident.state.as_str()),
        ]);
    }
    let note = "Minutes are those in which a service was down because of the incident, summed over services. Silence, \
                where nobody knows how mail was, is told here and counts in no time.";
    vec![Block::Table(table), Block::note(note)]
}

/// From its first failing slot, in seconds.
fn took(incident: &IncidentReport, at: Option<jiff::Timestamp>) -> Option<i64> {
    at.map(|at| at.duration_since(incident.began_at).as_secs())
}

fn cost(incident: &IncidentReport) -> String {
    let known: Option<u64> = incident.cost.iter().map(|cost| cost.down_minutes).sum();
    known.map_or_else(|| "not measured yet".to_owned(), count)
}

fn of_service(report: &ReportAnswer, service: &ServiceReport) -> Vec<Block> {
    let mut blocks = vec![Block::heading(2, &service.title)];
    let runs = service.runs;
    let measured = service.up_minutes.saturating_add(service.down_minutes);
    let measured = measured.saturating_add(service.unknown_minutes);
    let unknown = runs.void.saturating_add(runs.missed);
    let owner = match service.owner.as_str() {
        "" => String::new(),
        owner => format!(" {owner} answers for it."),
    };
    blocks.push(Block::text(format!(
        "Up {up} {of_month}: {down} min down, {unknown_minutes} min unknown. Of {all} runs {failed} failed and {unknown} \
         told nothing. Half took no longer than {p50}, 95 of 100 no longer than {p95}.{owner}",
        up = interval_of(service.up_minutes, service.down_minutes, service.unknown_minutes),
        of_month = of_month(report, measured),
        down = count(service.down_minutes),
        unknown_minutes = count(service.unknown_minutes),
        all = count(runs.pass.saturating_add(runs.fail).saturating_add(unknown)),
        failed = count(runs.fail),
        unknown = count(unknown),
        p50 = micros(service.latency.p50_us),
        p95 = micros(service.latency.p95_us),
    )));
    blocks.extend(trend(service));
    blocks.extend(days(report, service));
    blocks.extend(sites(service));
    blocks.extend(failures(service));
    blocks
}

/// Twelve months of its first agreement that has them.
fn trend(service: &ServiceReport) -> Option<Block> {
    let agreement = service.agreements.iter().find(|it| it.trend.len() > 1)?;
    let bounds = |lower: Option<f64>, upper: Option<f64>| Some((ppm(lower?), ppm(upper?)));
    let months = agreement.trend.iter().map(|point| {
        let name = point.month.first_day().strftime("%b %y").to_string();
        (name, bounds(point.lower, point.upper))
    });
    let figure = &agreement.kept.figure;
    let words = agreement.trend.iter().map(|point| {
        let word = point.result.map_or("nothing measured", |it| result(it).1);
        match point.lower {
            Some(lower) => {
                format!("{}: {word}, at least {}", point.month, super::words::percent(lower))
            }
            None => format!("{}: {word}", point.month),
        }
    });
    let words = words.collect::<Vec<_>>().join("; ");
    let picture = Intervals {
        title: format!("{}: {} by month", agreement.kept.agreement, figure.indicator),
        target_ppm: figure.target.ppm(),
        months: months.collect(),
    };
    Some(Block::Picture(Picture::Intervals(picture), words))
}

/// A share that has at most nine digits after the point.
fn ppm(share: f64) -> u32 {
    let micros = jiff::SignedDuration::try_from_secs_f64(share + 5e-10).map(|it| it.as_micros());
    micros.ok().and_then(|it| u32::try_from(it).ok()).unwrap_or(0)
}

/// Failures and times, day by day.
fn days(report: &ReportAnswer, service: &ServiceReport) -> Vec<Block> {
    if service.days.iter().all(|day| day.failed.is_none()) {
        return vec![Block::text("Nothing was seen of it.")];
    }
    let us = |us: Option<i64>| us.and_then(|us| u64::try_from(us).ok());
    let of = |value: &dyn Fn(&crate::query::report::DayFigures) -> Option<u64>| {
        service.days.iter().map(value).collect::<Vec<_>>()
    };
    let chart = |title: &str, shape, unit, bands: Vec<Band>| Chart {
        title: title.to_owned(),
        shape,
        unit,
        from: report.from,
        step_s: DAY_S,
        zone: zone(report),
        bands,
        marks: Vec::new(),
    };
    let failed = of(&|day| day.failed);
    let all: u64 = failed.iter().flatten().sum();
    let worst = failed.iter().zip(1_u64..).filter_map(|(failed, day)| Some(((*failed)?, day)));
    let failures = match worst.max_by_key(|(failed, day)| (*failed, std::cmp::Reverse(*day))) {
        Some((most, day)) if all > 0 => format!(
            "{} runs failed in the month, most of them on day {day}: {}",
            count(all),
            count(most)
        ),
        _ => "No run failed in the month".to_owned(),
    };
    let mut blocks = Vec::new();
    if all > 0 {
        let band = vec![Band { label: "all sites".to_owned(), values: failed }];
        let title = "Runs that failed, by day";
        let picture = chart(title, Shape::Bars, Unit::Count("runs that failed"), band);
        blocks.push(Block::Picture(Picture::Chart(picture), failures));
    }
    let (p50, p95) = (of(&|day| us(day.p50_us)), of(&|day| us(day.p95_us)));
    if p50.iter().any(Option::is_some) {
        let words = format!(
            "Of all days, half of the runs that passed took {} at most on the fastest, {} on the slowest",
            micros(service.days.iter().filter_map(|day| day.p50_us).min()),
            micros(service.days.iter().filter_map(|day| day.p50_us).max()),
        );
        let bands = vec![
            Band { label: "half took no longer".to_owned(), values: p50 },
            Band { label: "95 of 100 took no longer".to_owned(), values: p95 },
        ];
        let picture =
            chart("How long runs took that passed, by day", Shape::Line, Unit::Micros, bands);
        blocks.push(Block::Picture(Picture::Chart(picture), words));
    }
    blocks
}

fn sites(service: &ServiceReport) -> Option<Block> {
    let heads =
        ["site", "#runs", "#failed", "#unknown", "#passed", "#half took", "#95 of 100 took"];
    let mut table = Table::new(&heads);
    for site in &service.sites {
        let all = site.pass.saturating_add(site.fail).saturating_add(site.void);
        table.row([
            cell(if site.site.is_empty() { "all other sites" } else { &site.site }),
            cell(count(all)),
            toned(if site.fail > 0 { Tone::Bad } else { Tone::Plain }, count(site.fail)),
            cell(count(site.void)),
            cell(interval_of(site.pass, site.fail, site.void)),
            cell(micros(site.latency.p50_us)),
            cell(micros(site.latency.p95_us)),
        ]);
    }
    (!table.rows.is_empty()).then_some(Block::Table(table))
}

fn failures(service: &ServiceReport) -> Option<Block> {
    let mut table = Table::new(&["failed most", "check", "in", "as", "#runs"]);
    for by in service.spent_by.iter().take(MOST_SPENT_BY) {
        table.row([
            cell(&by.voice),
            cell(&by.check),
            cell(&by.phase),
            cell(&by.class),
            cell(count(by.failures)),
        ]);
    }
    (!table.rows.is_empty()).then_some(Block::Table(table))
}

fn exclusions(report: &ReportAnswer) -> Vec<Block> {
    let zone = zone(report);
    let mut table = Table::new(&["service", "agreement", "from", "until", "#minutes", "why"]);
    for service in &report.services {
        for agreement in &service.agreements {
            for each in &agreement.excluded {
                let kind = match each.kind {
                    Exclusion::Maintenance => "maintenance",
                    Exclusion::CustomerFault => "customer's own fault",
                };
                table.row([
                    cell(&service.title),
                    cell(&agreement.kept.agreement),
                    cell(moment(each.from, &zone)),
                    cell(moment(each.until, &zone)),
                    cell(count(each.count)),
                    cell(format!("{kind} {}: {}", each.number, each.reason)),
                ]);
            }
        }
    }
    match table.rows.is_empty() {
        true => vec![Block::text("Nothing was left out of any agreement.")],
        false => vec![Block::Table(table)],
    }
}

fn posture(report: &ReportAnswer) -> Vec<Block> {
    let Some(posture) = &report.posture else {
        return vec![Block::text("Single observations of then are not kept any more.")];
    };
    if posture.findings.is_empty() {
        let words = match posture.looked_at {
            0 => "No check looked at a domain.".to_owned(),
            checks => format!("The last look of {checks} checks in the month found nothing wrong."),
        };
        return vec![Block::text(words)];
    }
    let mut table =
        Table::new(&["severity", "domain or target", "rule", "what was seen", "#seen from"]);
    for line in posture.findings.iter().take(MOST_ROWS) {
        let tone = match line.severity.as_str() {
            "critical" => Tone::Bad,
            "warning" => Tone::Doubtful,
            _ => Tone::Plain,
        };
        table.row([
            toned(tone, &line.severity),
            cell(&line.subject),
            cell(&line.rule),
            cell(&line.evidence),
            cell(count(line.seen_from)),
        ]);
    }
    let mut blocks = vec![Block::Table(table)];
    blocks.extend(more(posture.findings.len()));
    if let Some(at) = posture.looked_back_to {
        let at = moment(at, &zone(report));
        blocks.push(Block::note(format!("What was looked at before {at} only is not in it.")));
    }
    blocks
}

fn more(all: usize) -> Option<Block> {
    let more = all.saturating_sub(MOST_ROWS);
    (more > 0).then(|| Block::note(format!("And {more} more: the report as CSV or JSON has them.")))
}

/// What, where, last, limit.
pub(super) fn capacity_cells(report: &ReportAnswer, subject: &SubjectAnswer) -> [Cell; 4] {
    let service = subject.service.as_deref().map(|name| report.title(name)).unwrap_or_default();
    let place = [Some(service), subject.check.as_deref(), subject.vantage_point.as_deref()];
    let place: Vec<&str> = place.into_iter().flatten().filter(|it| !it.is_empty()).collect();
    [
        cell(&subject.what),
        cell(place.join(", ")),
        cell(amount(subject.last, subject)),
        cell(amount(subject.limit, subject)),
    ]
}

fn capacity(report: &ReportAnswer) -> Vec<Block> {
    let mut table = Table::new(&["what", "where", "#last", "#limit", "#a year", "outlook"]);
    for subject in report.capacity.iter().take(MOST_ROWS) {
        let yearly = match subject.yearly_ppm {
            Some([least, likeliest, most]) => {
                let [least, likeliest, most] = [least, likeliest, most].map(|ppm| ppm / 10_000);
                format!("{likeliest:+} % ({least:+} to {most:+})")
            }
            None => UNKNOWN.to_owned(),
        };
        let (tone, words) = outlook(subject);
        let cells = capacity_cells(report, subject).into_iter();
        table.row(cells.chain([cell(yearly), toned(tone, words)]));
    }
    if table.rows.is_empty() {
        return vec![Block::text("Nothing that has a capacity is measured or stated.")];
    }
    let mut blocks = vec![Block::Table(table)];
    blocks.extend(more(report.capacity.len()));
    blocks
}
