//! The first page: whether what was promised was kept, and the month in ten figures.

use super::document::{Block, Document, Picture, Table, Tile, Tone, cell, toned};
use super::words::{
    count, counted, interval, interval_of, listed, micros, moment, month_name, of_time, outlook,
    promised, result, seconds, share, zone,
};
use super::{details, method};
use crate::chart::Kept;
use crate::judge::objective::Reached;
use crate::query::ReportAnswer;
use crate::query::report::{FeedbackMonth, Summary};

/// What satisfaction is to reach, in per cent: the least, and the aim.
pub(super) const SATISFACTION: [u64; 2] = [85, 95];
/// Agreements that were not kept, on the first page.
const MOST_BROKEN: usize = 6;
/// Lines of a list on the first page.
const MOST_LINES: usize = 4;

/// All of it, the first page first.
pub(super) fn document(report: &ReportAnswer) -> Document {
    let mut blocks = page(report);
    blocks.push(Block::NewPage);
    blocks.extend(details::blocks(report));
    blocks.extend(method::blocks(report));
    Document { title: title(report), subtitle: subtitle(report), blocks }
}

/// What it is called.
pub(super) fn title(report: &ReportAnswer) -> String {
    format!("E-mail in {}", month_name(report))
}

fn subtitle(report: &ReportAnswer) -> String {
    let only: Vec<String> = report.only.iter().map(|name| report.title(name).to_owned()).collect();
    let whose = match only.as_slice() {
        [] => "Monthly service report".to_owned(),
        _ => format!("Monthly service report: {}", listed(&only)),
    };
    let made = moment(report.made_at, &zone(report));
    match (report.is_kept, report.is_over) {
        (true, _) => format!("{whose}. Final; figures as of {made} ({})", report.time_zone),
        (false, true) => format!(
            "{whose}. PRELIMINARY: what comes late may still change it; figures as of {made} ({})",
            report.time_zone
        ),
        (false, false) => format!(
            "{whose}. PRELIMINARY: the month is not over; figures as of {made} ({})",
            report.time_zone
        ),
    }
}

/// The first page alone, for mails.
pub(super) fn page(report: &ReportAnswer) -> Vec<Block> {
    let summary = report.summary();
    let mut blocks = vec![verdict(report, &summary), Block::Tiles(tiles(report, &summary))];
    let words = trend_in_words(&summary);
    if summary.trend.len() > 1 && !words.is_empty() {
        let months = summary.trend.iter().map(|(month, counts)| {
            let is_known = counts.iter().any(|count| *count > 0);
            let name = month.first_day().strftime("%b %y").to_string();
            (name, is_known.then_some(*counts))
        });
        let title = "Agreements by month: met, not proven, missed".to_owned();
        blocks.push(Block::Picture(Picture::Kept(Kept { title, months: months.collect() }), words));
    }
    blocks.extend(broken(report));
    blocks.extend(capacity(report));
    blocks
}

fn trend_in_words(summary: &Summary) -> String {
    let months = summary.trend.iter().filter(|(_, counts)| counts.iter().any(|count| *count > 0));
    let months = months.map(|(month, [met, missed, not_proven])| {
        format!("{month}: {met} met, {missed} missed, {not_proven} not proven")
    });
    months.collect::<Vec<_>>().join("; ")
}

fn verdict(report: &ReportAnswer, summary: &Summary) -> Block {
    let Summary { result, met, missed, not_proven, .. } = summary;
    let all = met + missed + not_proven;
    let month = month_name(report);
    let agreements = counted(wide(all), "agreement");
    let was = |count: usize| if count == 1 { "was" } else { "were" };
    let words = match result {
        None => format!("There were no agreements in {month}; figures below tell how e-mail was."),
        Some(Reached::Met) if all == 1 => format!("The agreement was met in {month}."),
        Some(Reached::Met) => format!("All {agreements} were met in {month}."),
        Some(Reached::NotProven) => format!(
            "Of {agreements}, {met} {} met in {month} and {not_proven} cannot be proven: too little is known \
             of some of the time.",
            was(*met)
        ),
        Some(Reached::Missed) => {
            let unproven = match not_proven {
                0 => String::new(),
                many => format!("; {many} cannot be proven"),
            };
            let was = was(*missed);
            format!("Of {agreements}, {missed} {was} missed in {month}{unproven}.")
        }
    };
    let tone = result.map_or(Tone::Plain, |it| self::result(it).0);
    Block::Verdict(tone, words)
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn tile(label: &str, value: String, beside: String, tone: Tone) -> Tile {
    Tile { label: label.to_owned(), value, beside, tone }
}

fn tiles(report: &ReportAnswer, summary: &Summary) -> Vec<Tile> {
    let mut tiles = vec![agreements(summary), uptime(report), delivery(summary), speed(report)];
    tiles.extend(incidents(summary));
    tiles.push(posture(report));
    if let Some(month) = report.feedback_months().last() {
        tiles.extend(feedback(month));
    }
    tiles
}

fn agreements(summary: &Summary) -> Tile {
    let Summary { met, missed, not_proven, result, .. } = summary;
    let all = met + missed + not_proven;
    let beside = format!("{missed} missed, {not_proven} not proven");
    let tone = result.map_or(Tone::Plain, |it| self::result(it).0);
    tile("Agreements met", format!("{met} of {all}"), beside, tone)
}

/// Of all services together, nothing left out.
fn uptime(report: &ReportAnswer) -> Tile {
    let sum = report.services.iter().fold([0_u64; 3], |[up, down, unknown], it| {
        [
            up.saturating_add(it.up_minutes),
            down.saturating_add(it.down_minutes),
            unknown.saturating_add(it.unknown_minutes),
        ]
    });
    let [up, down, unknown] = sum;
    let mut beside = format!("{} min down, {} min unknown", count(down), count(unknown));
    let measured = up.saturating_add(down).saturating_add(unknown);
    if let Some(part) = of_time(report, measured).filter(|_| measured > 0) {
        beside.push_str(&format!("; measured {part}"));
    }
    tile("Uptime, all services", interval_of(up, down, unknown), beside, Tone::Plain)
}

fn delivery(summary: &Summary) -> Tile {
    let runs = summary.round_trips;
    let unknown = runs.void.saturating_add(runs.missed);
    let all = runs.pass.saturating_add(runs.fail).saturating_add(unknown);
    let beside = format!("{} of {} test mails failed", count(runs.fail), count(all));
    tile("Mail delivered", interval_of(runs.pass, runs.fail, unknown), beside, Tone::Plain)
}

fn speed(report: &ReportAnswer) -> Tile {
    let slowest = report.services.iter().filter(|it| it.round_trips.pass > 0);
    let slowest = slowest.max_by_key(|it| it.latency.p95_us);
    let (value, beside) = match slowest {
        None => (super::words::UNKNOWN.to_owned(), "no round trips".to_owned()),
        Some(it) => (micros(it.latency.p95_us), format!("95 of 100 took no longer: {}", it.title)),
    };
    tile("Slowest service", value, beside, Tone::Plain)
}

fn incidents(summary: &Summary) -> [Tile; 3] {
    let kpi = &summary.kpi;
    let open = match (kpi.opened, kpi.unresolved) {
        (0, 0) => String::new(),
        (_, 0) => "; all of them mended".to_owned(),
        (_, open) => format!("; {open} not mended yet"),
    };
    let unmeasured = match summary.unmeasured {
        0 => String::new(),
        some => format!("; {some} not measured yet"),
    };
    let cost = format!("{} down{unmeasured}", counted(summary.cost_minutes, "service minute"));
    let longest = |s: Option<i64>| match s {
        Some(s) => format!("median; longest {}", seconds(Some(s))),
        None => "no incidents".to_owned(),
    };
    let (detect, resolve) = (&kpi.to_detect, &kpi.to_resolve);
    [
        tile("Incidents", count(wide(kpi.opened)), format!("{cost}{open}"), Tone::Plain),
        tile("Time to detect", seconds(detect.median_s), longest(detect.longest_s), Tone::Plain),
        tile("Time to resolve", seconds(resolve.median_s), longest(resolve.longest_s), Tone::Plain),
    ]
}

fn posture(report: &ReportAnswer) -> Tile {
    let label = "Deliverability posture";
    let Some(posture) = &report.posture else {
        let beside = "observations of then are not kept any more".to_owned();
        return tile(label, super::words::UNKNOWN.to_owned(), beside, Tone::Plain);
    };
    let of = |severity: &str| posture.findings.iter().filter(|it| it.severity == severity).count();
    let (critical, warnings, notices) = (of("critical"), of("warning"), of("notice"));
    let beside = format!(
        "{}, {}; {}",
        counted(wide(warnings), "warning"),
        counted(wide(notices), "notice"),
        counted(posture.looked_at, "check")
    );
    match (posture.looked_at, critical) {
        (0, 0) => tile(
            label,
            super::words::UNKNOWN.to_owned(),
            "no checks of domains".to_owned(),
            Tone::Plain,
        ),
        (_, 0) => tile(label, "no critical".to_owned(), beside, Tone::Good),
        (_, some) => tile(label, format!("{some} critical"), beside, Tone::Bad),
    }
}

fn feedback(month: &FeedbackMonth) -> [Tile; 2] {
    let FeedbackMonth { satisfaction, tickets, .. } = month;
    let [least, aim] = SATISFACTION;
    let reaches = |percent: u64| satisfaction.satisfied * 100 >= percent * satisfaction.answers;
    let tone = match satisfaction.answers {
        0 => Tone::Plain,
        _ if reaches(aim) => Tone::Good,
        _ if reaches(least) => Tone::Doubtful,
        _ => Tone::Bad,
    };
    let beside =
        format!("of {}; least {least} %, aim {aim} %", counted(satisfaction.answers, "answer"));
    let within = format!(
        "of {} resolved in 24 h; {} in 48 h",
        counted(tickets.opened, "ticket"),
        share(tickets.within_48h, tickets.opened)
    );
    [
        tile("Satisfied users", share(satisfaction.satisfied, satisfaction.answers), beside, tone),
        tile("Help desk", share(tickets.within_24h, tickets.opened), within, Tone::Plain),
    ]
}

/// Agreements that were missed or cannot be proven, the missed first.
fn broken(report: &ReportAnswer) -> Vec<Block> {
    let all = report.services.iter().flat_map(|service| {
        service.agreements.iter().map(move |agreement| (service, &agreement.kept))
    });
    let mut broken: Vec<_> = all.filter(|(_, kept)| kept.result != Reached::Met).collect();
    broken.sort_by_key(|(_, kept)| kept.result != Reached::Missed);
    if broken.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new(&["service", "agreement", "promised", "#reached", "result"]);
    for (service, kept) in broken.iter().take(MOST_BROKEN) {
        let (tone, word) = result(kept.result);
        table.row([
            cell(&service.title),
            cell(&kept.agreement),
            cell(promised(&kept.figure)),
            cell(interval(&kept.figure)),
            toned(tone, word),
        ]);
    }
    let mut blocks =
        vec![Block::heading(2, "What was not kept, or cannot be proven"), Block::Table(table)];
    let more = broken.len().saturating_sub(MOST_BROKEN);
    if more > 0 {
        blocks.push(Block::note(format!("And {more} more: see the services.")));
    }
    blocks
}

/// What reaches its limit, the first ones.
fn capacity(report: &ReportAnswer) -> Vec<Block> {
    let near: Vec<_> = report
        .capacity
        .iter()
        .map(|subject| (subject, outlook(subject)))
        .filter(|(_, (tone, _))| matches!(tone, Tone::Bad | Tone::Doubtful))
        .collect();
    if near.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new(&["what", "where", "#last", "#limit", "reaches its limit"]);
    for (subject, (tone, words)) in near.into_iter().take(MOST_LINES) {
        table.row(details::capacity_cells(report, subject).into_iter().chain([toned(tone, words)]));
    }
    vec![Block::heading(2, "What will be full first"), Block::Table(table)]
}
