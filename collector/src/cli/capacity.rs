//! `capacity`: where volume, latency, quota and stated numbers lead, with how sure that is.

use jiff::civil::Date;

use super::figures::{UNKNOWN, bytes, duration};
use super::observations::escaped;
use super::terminal::{Terminal, Tone, cell, figure, lines, say, words};
use super::{Ending, Setting, client};
use crate::api::path;
use crate::judge::capacity::Outlook;
use crate::planning::StatedWish;
use crate::query::{CapacityAnswer, SubjectAnswer};

#[derive(Debug, clap::Args)]
pub(super) struct CapacityArguments {
    #[command(subcommand)]
    command: Option<CapacityCommand>,
    /// Of this service only
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
}

#[derive(Debug, clap::Subcommand)]
enum CapacityCommand {
    /// State a number that nobody measures, such as users, licences, the bytes of a disk
    Set {
        /// What it is a number of, such as users
        name: String,
        /// How many
        value: u64,
        /// How many there may be
        #[arg(long, value_name = "NUMBER")]
        limit: Option<u64>,
        /// On which day, such as 2026-12-01; today without it
        #[arg(long, value_name = "DATE")]
        on: Option<Date>,
        /// The service that it is about
        #[arg(long = "of", value_name = "SERVICE")]
        service: Option<String>,
    },
}

pub(super) async fn run(
    setting: &Setting,
    arguments: &CapacityArguments,
) -> anyhow::Result<Ending> {
    let collector = &setting.collector;
    let answer = match &arguments.command {
        None => {
            let mut asked = path::CAPACITY.to_owned();
            if let Some(service) = &arguments.service {
                asked.push_str(&format!("?service={}", escaped(service)));
            }
            client::ask::<CapacityAnswer>(collector, &asked).await?
        }
        Some(CapacityCommand::Set { name, value, limit, on, service }) => {
            let wish = StatedWish {
                name: name.clone(),
                service: service.clone(),
                value: *value,
                limit: *limit,
                on: *on,
            };
            client::send::<CapacityAnswer>(collector, path::CAPACITY, &wish).await?
        }
    };
    let text = if setting.json {
        format!("{}\n", answer.raw)
    } else {
        shown(&answer.value, &setting.terminal)
    };
    say(&text)?;
    Ok(Ending::Done)
}

fn shown(answer: &CapacityAnswer, terminal: &Terminal) -> String {
    if answer.subjects.is_empty() {
        return "nothing that has a capacity is known yet: `mailsonde-collector capacity set --help`\n"
            .to_owned();
    }
    let heads = ["service", "what", "at", "last", "limit", "a year", "planned", "outlook"];
    let mut table = terminal.table(heads);
    for subject in &answer.subjects {
        let check = subject.check.as_ref().map(|check| format!("{check}: ")).unwrap_or_default();
        let amount = |value: Option<i64>| {
            figure(value.map_or_else(|| UNKNOWN.to_owned(), |value| amount(value, &subject.unit)))
        };
        table.add_row([
            words(subject.service.clone().unwrap_or_default()),
            words(format!("{check}{}", subject.what)),
            words(subject.vantage_point.clone().unwrap_or_default()),
            amount(subject.last),
            amount(subject.limit),
            figure(yearly(subject)),
            figure(subject.planned.to_string()),
            outlook(subject, answer.least_days),
        ]);
    }
    lines(&table)
}

fn amount(value: i64, unit: &str) -> String {
    match unit {
        "bytes" => bytes(u64::try_from(value).unwrap_or(0)),
        "us" => duration(value),
        _ => value.to_string(),
    }
}

/// `+12 % (+8 to +16)`: the likeliest, and between which it lies at 95 %.
fn yearly(subject: &SubjectAnswer) -> String {
    let Some(shares) = subject.yearly_ppm else { return UNKNOWN.to_owned() };
    let [least, likeliest, most] = shares.map(|ppm| ppm / 10_000);
    format!("{likeliest:+} % ({least:+} to {most:+})")
}

fn outlook(subject: &SubjectAnswer, least_days: usize) -> comfy_table::Cell {
    match subject.outlook {
        Outlook::TooFew => {
            words(format!("{} of {least_days} days that a trend takes", subject.days))
        }
        Outlook::NoTrend => words("no trend"),
        Outlook::Falls => words("falls"),
        Outlook::Rises => words(format!("rises{}", beside_plan(subject))),
        Outlook::Far => words("reaches its limit more than ten years from now"),
        Outlook::Reached => cell(Tone::Bad, "the limit is reached"),
        Outlook::Reaches { day, earliest, latest } => {
            let far = || "more than ten years from now".to_owned();
            let latest = latest.map_or_else(far, |latest| latest.to_string());
            let likeliest = day.map_or_else(far, |day| day.to_string());
            let text = format!(
                "reaches its limit on {likeliest} (between {earliest} and {latest}){}",
                beside_plan(subject)
            );
            cell(Tone::Doubtful, text)
        }
    }
}

/// Said where it surely rises faster than is planned for.
fn beside_plan(subject: &SubjectAnswer) -> &'static str {
    let planned = i64::from(subject.planned.ppm());
    match subject.yearly_ppm {
        Some([least, ..]) if least > planned => ", faster than planned",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::plain;
    use crate::judge::capacity::PLANNED_GROWTH;

    #[test]
    fn no_date_comes_without_its_doubt() {
        let day = |text: &str| text.parse::<Date>().unwrap();
        let quota = SubjectAnswer {
            service: Some("mail".into()),
            what: "imap.quota.storage.used".into(),
            check: Some("box".into()),
            vantage_point: Some("hq".into()),
            unit: "bytes".into(),
            days: 90,
            last_day: Some(day("2026-11-28")),
            last: Some(15 << 30),
            limit: Some(20 << 30),
            yearly_ppm: Some([280_000, 330_000, 390_000]),
            planned: PLANNED_GROWTH,
            outlook: Outlook::Reaches {
                day: Some(day("2027-11-20")),
                earliest: day("2027-09-01"),
                latest: Some(day("2028-02-10")),
            },
        };
        let latency = SubjectAnswer {
            what: "latency_p95".into(),
            check: Some("round".into()),
            vantage_point: None,
            unit: "us".into(),
            last: Some(1_240_000),
            limit: None,
            yearly_ppm: Some([-40_000, 10_000, 60_000]),
            outlook: Outlook::NoTrend,
            ..quota.clone()
        };
        let users = SubjectAnswer {
            service: None,
            what: "users".into(),
            check: None,
            unit: "count".into(),
            days: 3,
            last: Some(812),
            limit: Some(1_000),
            yearly_ppm: None,
            outlook: Outlook::TooFew,
            ..latency.clone()
        };
        let now = "2026-11-29T14:00:00Z".parse().unwrap();
        let subjects = vec![quota, latency, users];
        let mut answer = CapacityAnswer { now, least_days: 7, subjects };
        insta::assert_snapshot!(shown(&answer, &plain(150)), @r"
        service  what                          at  last    limit   a year              planned  outlook
        mail     box: imap.quota.storage.used  hq  15 GiB  20 GiB  +33 % (+28 to +39)     10 %  reaches its limit on 2027-11-20 (between 2027-09-01 and
                                                                                                2028-02-10), faster than planned
        mail     round: latency_p95                1.24 s       –     +1 % (-4 to +6)     10 %  no trend
                 users                                812    1000                   –     10 %  3 of 7 days that a trend takes
        ");
        let json = serde_json::to_string(&answer).unwrap();
        assert_eq!(serde_json::from_str::<CapacityAnswer>(&json).unwrap(), answer);
        answer.subjects.clear();
        assert!(shown(&answer, &plain(150)).starts_with("nothing that has a capacity"));
    }
}
