//! `sla show`, `sla explain`: what was promised and what was kept, and how that figure comes about.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::figures::percent;
use super::objectives::{interval, result};
use super::parameters::with_parameters;
use super::terminal::{Terminal, cell, figure, lines, printable, say, words};
use super::{Ending, Setting, client};
use crate::api::path;
use crate::query::sla::{
    AgreementAnswer, ExplainAnswer, ExplainWanted, FigureAnswer, Month, SlaAnswer, SlaWanted,
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum SlaCommand {
    /// Every agreement: promised, reached, owed
    Show(ShowArguments),
    /// One agreement step by step, with everything that was left out and why, and the failed runs behind it
    Explain(ExplainArguments),
}

#[derive(Debug, clap::Args)]
pub(super) struct ShowArguments {
    /// The month, such as 2026-10, or any month of the quarter or year; this month when it is not said
    #[arg(long, value_name = "YEAR-MONTH")]
    month: Option<Month>,
    /// Of this service only
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct ExplainArguments {
    /// The agreement's name
    #[arg(value_name = "AGREEMENT")]
    agreement: String,
    /// The month, such as 2026-10, or any month of the quarter or year; this month when it is not said
    #[arg(long, value_name = "YEAR-MONTH")]
    month: Option<Month>,
}

pub(super) async fn run(setting: &Setting, command: &SlaCommand) -> anyhow::Result<Ending> {
    let (raw, text) = match command {
        SlaCommand::Show(ShowArguments { month, service }) => {
            let wanted = SlaWanted { month: *month, service: service.clone() };
            let path = with_parameters(path::SLA, &wanted);
            let answer = client::ask::<SlaAnswer>(&setting.collector, &path).await?;
            (answer.raw, shown(&answer.value, &setting.terminal))
        }
        SlaCommand::Explain(ExplainArguments { agreement, month }) => {
            let wanted = ExplainWanted { agreement: agreement.clone(), month: *month };
            let path = with_parameters(path::SLA_EXPLAIN, &wanted);
            let answer = client::ask::<ExplainAnswer>(&setting.collector, &path).await?;
            let terminal = setting.terminal.of_zone(Some(&answer.value.time_zone));
            (answer.raw, explained(&answer.value, &terminal))
        }
    };
    say(&if setting.json { format!("{raw}\n") } else { text })?;
    Ok(Ending::Done)
}

fn shown(answer: &SlaAnswer, terminal: &Terminal) -> String {
    if answer.agreements.is_empty() {
        return "there are no agreements: services have them, see `mailsonde-collector services`\n"
            .to_owned();
    }
    let heads =
        ["service", "agreement", "promised", "window", "result", "reached", "left out", "credit"];
    let mut table = terminal.table(heads);
    for agreement in &answer.agreements {
        let (tone, mut result) = {
            let (tone, word) = result(agreement.result);
            (tone, word.to_owned())
        };
        if !agreement.figure.is_over {
            result.push_str(" so far");
        }
        table.add_row([
            words(&agreement.service),
            words(&agreement.agreement),
            words(promised(&agreement.figure)),
            words(&agreement.figure.window),
            cell(tone, result),
            figure(interval(&agreement.figure)),
            figure(left_out(agreement)),
            figure(credit(agreement)),
        ]);
    }
    lines(&table)
}

/// `uptime 99.9 %`, `latency 95 % within 30 s`.
fn promised(figure: &FigureAnswer) -> String {
    let within = figure.within_us.map(|us| {
        let us = i64::try_from(us).unwrap_or(i64::MAX);
        format!(" within {}", super::figures::duration(us))
    });
    let hours = if figure.in_hours { " in hours" } else { "" };
    format!("{} {}{}{hours}", figure.indicator, figure.target, within.unwrap_or_default())
}

fn left_out(agreement: &AgreementAnswer) -> String {
    match agreement.excluded {
        0 => "-".to_owned(),
        count => format!("{count} min"),
    }
}

fn credit(agreement: &AgreementAnswer) -> String {
    match (agreement.credit, agreement.credit_at_worst) {
        (None, None) => "-".to_owned(),
        (Some(owed), Some(worst)) if owed == worst => owed.to_string(),
        (Some(owed), None) => owed.to_string(),
        (Some(owed), Some(worst)) => format!("{owed} to {worst}"),
        (None, Some(worst)) => format!("up to {worst}"),
    }
}

fn explained(answer: &ExplainAnswer, terminal: &Terminal) -> String {
    let mut text = steps(answer, terminal);
    let zone = &terminal.zone;
    if !answer.excluded.is_empty() {
        let mut table =
            terminal.table(["left out from", "until", "counts", "because of", "reason"]);
        for each in &answer.excluded {
            let kind = match each.kind {
                crate::judge::definition::Exclusion::Maintenance => "maintenance",
                crate::judge::definition::Exclusion::CustomerFault => "customer's own fault",
            };
            table.add_row([
                words(moment(each.from, zone)),
                words(moment(each.until, zone)),
                figure(each.count.to_string()),
                words(format!("{kind} {}", each.number)),
                words(&each.reason),
            ]);
        }
        text.push_str(&format!("\n{}", lines(&table)));
    }
    if !answer.stretches.is_empty() {
        let mut table = terminal.table(["from", "until", "minutes", "state"]);
        for each in &answer.stretches {
            table.add_row([
                words(moment(each.from, zone)),
                words(moment(each.until, zone)),
                figure(each.minutes.to_string()),
                words(each.state.as_str()),
            ]);
        }
        text.push_str(&format!("\n{}", lines(&table)));
    }
    if !answer.spent_by.is_empty() {
        let mut table = terminal.table(["voice", "check", "failed at", "as", "runs"]);
        for by in &answer.spent_by {
            table.add_row([
                words(&by.voice),
                words(&by.check),
                words(&by.phase),
                words(&by.class),
                figure(by.failures.to_string()),
            ]);
        }
        text.push_str(&format!("\n{}", lines(&table)));
    }
    text.push_str(&observations(answer, terminal));
    if answer.is_cut {
        text.push_str("\nthere is more than fits: `mailsonde-collector export` has all of it\n");
    }
    text
}

/// The figure, line by line.
fn steps(answer: &ExplainAnswer, terminal: &Terminal) -> String {
    let agreement = &answer.agreement;
    let figure = &agreement.figure;
    let all = figure.good.saturating_add(figure.bad).saturating_add(figure.unknown);
    let customer = match agreement.customer.as_str() {
        "" => String::new(),
        customer => format!(" for {}", printable(customer)),
    };
    let (tone, word) = result(agreement.result);
    let unit = &figure.unit;
    let bounds = |part: u64| format!("{part} / {all}");
    let share = |share: Option<f64>| share.map_or_else(|| "nothing measured".to_owned(), percent);
    let exact = if figure.is_exact {
        ""
    } else {
        " (some were not counted one by one: their latency is known to within 1 %)"
    };
    let (from, until) = (moment(figure.from, &terminal.zone), moment(figure.until, &terminal.zone));
    format!(
        "{name} of {service}{customer}: {promised}, from {from} to {until} ({zone})\n\
         counted      {all} {unit}: {good} good, {bad} bad, {unknown} unknown{exact}\n\
         left out     {left_out}\n\
         runs         {pass} passed, {fail} failed, {void} void, {missed} missed\n\
         at least     {lower} = {lower_share}\n\
         at most      {upper} = {upper_share}\n\
         promised     {target}: at most {allowed} {unit} may be bad\n\
         result       {result}{so_far}\n\
         credit       {credit}\n",
        name = printable(&agreement.agreement),
        service = printable(&agreement.service),
        promised = promised(figure),
        zone = printable(&answer.time_zone),
        good = figure.good,
        bad = figure.bad,
        unknown = figure.unknown,
        left_out = left_out(agreement),
        pass = answer.runs.pass,
        fail = answer.runs.fail,
        void = answer.runs.void,
        missed = answer.runs.missed,
        lower = bounds(figure.good),
        lower_share = share(figure.lower),
        upper = bounds(figure.good.saturating_add(figure.unknown)),
        upper_share = share(figure.upper),
        target = figure.target,
        allowed = answer.allowed,
        result = terminal.paint(tone, word),
        so_far = if figure.is_over { "" } else { " so far" },
        credit = credit(agreement),
    )
}

fn observations(answer: &ExplainAnswer, terminal: &Terminal) -> String {
    if answer.observations.is_empty() {
        return String::new();
    }
    let mut table =
        terminal.table(["failed run", "vantage point", "check", "failed at", "what it found"]);
    for observation in &answer.observations {
        let fault = observation.fault.as_ref();
        let said = fault.map(|fault| {
            if fault.reply.is_empty() { fault.explanation.clone() } else { fault.reply.clone() }
        });
        table.add_row([
            words(moment(observation.scheduled_for, &terminal.zone)),
            words(&observation.agent),
            words(&observation.check),
            words(fault.map(|fault| fault.phase.clone()).unwrap_or_default()),
            words(said.unwrap_or_default()),
        ]);
    }
    format!("\n{}", lines(&table))
}

fn moment(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

#[cfg(test)]
mod tests;
