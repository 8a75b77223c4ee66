//! `objectives`: what services are to reach, what they reach, what is left of the budget, who spent it; and what the
//! organisation is to reach of its incidents.

use super::figures::UNKNOWN;
use super::parameters::with_parameters;
use super::terminal::{Terminal, Tone, cell, figure, lines, say, words};
use super::{Ending, Setting, client};
use crate::api::path;
use crate::judge::burn::LEAST_FAILURES;
use crate::judge::objective::Reached;
use crate::query::objectives::{
    IncidentObjectiveAnswer, ObjectiveAnswer, ObjectivesAnswer, ObjectivesWanted,
};
use crate::query::sla::FigureAnswer;

#[derive(Debug, clap::Args)]
pub(super) struct ObjectivesArguments {
    /// Of this service only, and then with who spent its budget
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
}

pub(super) async fn run(
    setting: &Setting,
    arguments: &ObjectivesArguments,
) -> anyhow::Result<Ending> {
    let wanted = ObjectivesWanted { service: arguments.service.clone() };
    let path = with_parameters(path::OBJECTIVES, &wanted);
    let answer = client::ask::<ObjectivesAnswer>(&setting.collector, &path).await?;
    let text = if setting.json {
        format!("{}\n", answer.raw)
    } else {
        shown(&answer.value, &setting.terminal)
    };
    say(&text)?;
    Ok(Ending::Done)
}

fn shown(answer: &ObjectivesAnswer, terminal: &Terminal) -> String {
    if answer.objectives.is_empty() && answer.of_incidents.is_empty() {
        return "there are no objectives: services have them, see `mailsonde-collector services`\n"
            .to_owned();
    }
    let heads =
        ["service", "objective", "target", "window", "result", "reached", "budget left", "burning"];
    let mut table = terminal.table(heads);
    for objective in &answer.objectives {
        let (tone, result) = result(objective.result);
        table.add_row([
            words(&objective.service),
            words(&objective.objective),
            figure(objective.figure.target.to_string()),
            words(&objective.figure.window),
            cell(tone, result),
            figure(interval(&objective.figure)),
            figure(budget_left(objective)),
            words(burning(objective)),
        ]);
    }
    let mut text = if table.is_empty() { String::new() } else { lines(&table) };
    if !answer.of_incidents.is_empty() {
        text.push_str(if text.is_empty() { "" } else { "\n" });
        text.push_str(&of_incidents(&answer.of_incidents, terminal));
    }
    let spent: Vec<_> = answer
        .objectives
        .iter()
        .flat_map(|objective| objective.spent_by.iter().map(move |by| (objective, by)))
        .collect();
    if !spent.is_empty() {
        let mut table = terminal.table(["objective", "voice", "check", "failed at", "as", "runs"]);
        for (objective, by) in spent {
            table.add_row([
                words(&objective.objective),
                words(&by.voice),
                words(&by.check),
                words(&by.phase),
                words(&by.class),
                figure(by.failures.to_string()),
            ]);
        }
        text.push('\n');
        text.push_str(&lines(&table));
    }
    text
}

fn of_incidents(objectives: &[IncidentObjectiveAnswer], terminal: &Terminal) -> String {
    let mut table = terminal.table(["incidents", "target", "window", "result", "counted"]);
    for objective in objectives {
        let (tone, result) = result(objective.result);
        let IncidentObjectiveAnswer { good, bad, unknown, .. } = objective;
        let all = good + bad + unknown;
        let (target, counted) = match objective.within_s {
            Some(within_s) => {
                let open =
                    if *unknown > 0 { format!(", {unknown} still may be") } else { String::new() };
                (
                    format!("{} resolved within {} h", objective.target, within_s.div_ceil(3_600)),
                    format!("{good} of {all} were{open}"),
                )
            }
            None => (
                format!("at most {} about security", objective.target),
                format!("{bad} of {all} are"),
            ),
        };
        table.add_row([
            words(&objective.objective),
            words(&target),
            words(&objective.window),
            cell(tone, result),
            words(if all == 0 { "no incidents" } else { &counted }),
        ]);
    }
    lines(&table)
}

/// A result in a word, and its tone.
pub(super) fn result(reached: Reached) -> (Tone, &'static str) {
    match reached {
        Reached::Met => (Tone::Good, "met"),
        Reached::Missed => (Tone::Bad, "missed"),
        Reached::NotProven => (Tone::Doubtful, "not proven"),
    }
}

/// `99.93 %`, or from where to where.
pub(super) fn interval(figure: &FigureAnswer) -> String {
    match (figure.lower, figure.upper) {
        (Some(lower), Some(upper)) => crate::figures::between(lower, upper),
        _ => UNKNOWN.to_owned(),
    }
}

fn budget_left(objective: &ObjectiveAnswer) -> String {
    format!("{} of {} {}", objective.budget_left, objective.budget, objective.figure.unit)
}

/// The first rule whose factor both windows exceed, where enough failed to say so.
fn burning(objective: &ObjectiveAnswer) -> String {
    let rules = objective.burn_rates.iter().filter_map(|rate| {
        let (long, short) = (rate.long?, rate.short?);
        let is_evident = rate.failures >= LEAST_FAILURES;
        (is_evident && long > rate.factor && short > rate.factor)
            .then(|| format!("{}: {long:.1}x", rate.rule))
    });
    rules.collect::<Vec<_>>().first().cloned().unwrap_or_else(|| "-".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::plain;
    use crate::query::objectives::BurnRateAnswer;
    use crate::query::sla::SpentByAnswer;

    #[test]
    fn an_objective_is_a_line_and_who_spent_its_budget_another() {
        let figure = FigureAnswer {
            indicator: "uptime".into(),
            within_us: None,
            target: "99.9%".parse().unwrap(),
            window: "rolling 30 d".into(),
            in_hours: false,
            from: "2026-10-01T00:00:00Z".parse().unwrap(),
            until: "2026-10-31T00:00:00Z".parse().unwrap(),
            is_over: false,
            unit: "minutes".into(),
            good: 43_100,
            bad: 50,
            unknown: 50,
            lower: Some(0.997_685_185),
            upper: Some(0.998_842_592),
            coverage: Some(0.998_842_592),
            is_exact: true,
        };
        let objective = ObjectiveAnswer {
            service: "mail".into(),
            objective: "uptime".into(),
            figure,
            result: Reached::Missed,
            budget: 43,
            budget_left: -7,
            burn_rates: vec![BurnRateAnswer {
                rule: "fast".into(),
                factor: 14.4,
                long: Some(20.0),
                short: Some(33.3),
                failures: 3,
            }],
            spent_by: vec![SpentByAnswer {
                voice: "durban".into(),
                check: "mail".into(),
                phase: "auth".into(),
                class: "permanent".into(),
                failures: 50,
            }],
        };
        let now = "2026-10-31T00:00:00Z".parse().unwrap();
        let answer = ObjectivesAnswer {
            now,
            time_zone: "UTC".into(),
            objectives: vec![objective],
            of_incidents: Vec::new(),
        };
        insta::assert_snapshot!(shown(&answer, &plain(160)), @r"
        service  objective  target  window        result  reached             budget left       burning
        mail     uptime     99.9 %  rolling 30 d  missed  99.76 % to 99.88 %  -7 of 43 minutes  fast: 20.0x

        objective  voice   check  failed at  as         runs
        uptime     durban  mail   auth       permanent    50
        ");
    }

    #[test]
    fn targets_about_incidents_are_counted_in_incidents() {
        let now = "2026-10-31T00:00:00Z".parse().unwrap();
        let of_incidents =
            |name: &str, within_s: Option<u64>, target: &str, counts: [u64; 3], result| {
                let [good, bad, unknown] = counts;
                IncidentObjectiveAnswer {
                    objective: name.into(),
                    indicator: if within_s.is_none() { "security" } else { "resolution" }.into(),
                    within_s,
                    target: target.parse().unwrap(),
                    window: "month".into(),
                    from: "2026-10-01T00:00:00Z".parse().unwrap(),
                    until: "2026-11-01T00:00:00Z".parse().unwrap(),
                    good,
                    bad,
                    unknown,
                    result,
                }
            };
        let answer = ObjectivesAnswer {
            now,
            time_zone: "UTC".into(),
            objectives: Vec::new(),
            of_incidents: vec![
                of_incidents("24h", Some(86_400), "90%", [8, 0, 1], Reached::NotProven),
                of_incidents("48h", Some(172_800), "90%", [0, 0, 0], Reached::Met),
                of_incidents("security", None, "1%", [8, 1, 0], Reached::Missed),
            ],
        };
        insta::assert_snapshot!(shown(&answer, &plain(160)), @r"
        incidents  target                      window  result      counted
        24h        90 % resolved within 24 h   month   not proven  8 of 9 were, 1 still may be
        48h        90 % resolved within 48 h   month   met         no incidents
        security   at most 1 % about security  month   missed      1 of 9 are
        ");
    }
}
