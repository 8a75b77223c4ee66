//! What a review says, section by section. Texts from outside go through [`markdown`], each on its own.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Part, charts};
use crate::figures::plural;
use crate::judge::diagnosis::Sentence;
use crate::judge::draft::{duration, named};
use crate::judge::followup::Progress;
use crate::judge::incident::figures::{Ran, ServiceFigures, Spent};
use crate::judge::incident::{Impact, Incident, Kind, Scope};
use crate::query::{ActionItemAnswer, ReviewAnswer};
use crate::text::markdown;

/// A line for people to fill in.
const FILL_IN: &str = "- \\_\\_\\_\\_\n";

/// What it is called.
pub(super) fn title(review: &ReviewAnswer) -> String {
    format!("Review of incident {}: {}", review.incident.number, what(&review.incident))
}

/// All of it.
pub(super) fn parts(review: &ReviewAnswer) -> Vec<Part> {
    let told = Telling { zone: TimeZone::get(&review.time_zone).unwrap_or(TimeZone::UTC) };
    let head = format!("# {}\n\n{}", markdown(&title(review)), told.head(review));
    let before = [
        head,
        told.summary(review),
        told.impact(review),
        told.timeline(review),
        told.notices(review),
        diagnosis(review),
    ];
    let after = [lessons(review), actions(review), told.reviewed(review)];
    let mut parts = vec![Part::Text(before.join("\n"))];
    parts.extend(charts::parts(&review.incident, &review.figures.course, &told.zone));
    parts.push(Part::Text(after.join("\n")));
    parts
}

/// What did not work, by what people call it.
fn what(incident: &Incident) -> String {
    let called = |(name, impact): (&String, &Impact)| match impact.title.is_empty() {
        true => name.clone(),
        false => impact.title.clone(),
    };
    let names: Vec<String> = incident.services.iter().map(called).collect();
    let what = match names.is_empty() {
        true => "mail".to_owned(),
        false => named(&names.iter().map(String::as_str).collect::<Vec<_>>()),
    };
    match incident.kind {
        Kind::Outage => format!("{what} failed"),
        Kind::Flapping => format!("{what} came and went"),
        Kind::Silence => format!("nobody knew how {what} was"),
        Kind::Burn => format!("{what} failed more often than agreed"),
    }
}

/// From where, in the past; begins with a comma.
fn wherefrom(incident: &Incident) -> String {
    let words = match (&incident.scope, incident.kind) {
        (_, Kind::Burn) => return String::new(),
        (Scope::OnePlace { site }, _) => format!(", seen from {site} only"),
        (Scope::Branch { site }, Kind::Silence) => format!(", at {site} only"),
        (Scope::Branch { site }, _) => format!(", from {site} only; from elsewhere it worked"),
        (Scope::Some { failing, of }, _) if failing == of => {
            format!(", from {}", plural(*failing, "site"))
        }
        (Scope::Some { failing, of }, _) => format!(", from {failing} of {of} sites"),
        (Scope::Everywhere { sites }, _) => format!(", from all {sites} sites"),
    };
    markdown(&words)
}

/// In the words of whoever runs mail, without the server's.
fn what_failed(incident: &Incident) -> String {
    let fault = &incident.fault;
    let checks: Vec<&str> = incident.checks.iter().map(String::as_str).collect();
    let words = match incident.kind {
        Kind::Silence | Kind::Burn => capital(&fault.explanation),
        _ => format!("What failed: {} in {} ({})", named(&checks), fault.phase, fault.class),
    };
    markdown(&words)
}

fn lasted(incident: &Incident) -> String {
    let until = incident.ended_at.or(incident.resolved_at).unwrap_or(incident.began_at);
    duration(until.duration_since(incident.began_at).as_secs())
}

fn table(heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = format!("| {} |\n|{}\n", heads.join(" | "), "---|".repeat(heads.len()));
    for row in rows {
        table.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    table
}

/// Times in one zone.
struct Telling {
    zone: TimeZone,
}

impl Telling {
    fn time(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    fn head(&self, review: &ReviewAnswer) -> String {
        let incident = &review.incident;
        let reviewed = match review.reviewed.last() {
            Some(last) => format!("reviewed by {} on {}", markdown(&last.by), self.time(last.at)),
            None => format!(
                "not reviewed yet: `mailsonde-collector incidents review {} \"what was learnt\"`",
                incident.number
            ),
        };
        format!(
            "{} {}; {reviewed}. Times of {}.\n",
            capital(incident.severity.as_str()),
            incident.kind.as_str(),
            markdown(&review.time_zone)
        )
    }

    fn summary(&self, review: &ReviewAnswer) -> String {
        let incident = &review.incident;
        let ended = match incident.ended_at {
            Some(at) => format!(" until {}", self.time(at)),
            None => String::new(),
        };
        let mut text = format!(
            "## Summary\n\n{} for {}, from {}{ended}{}.",
            capital(&markdown(&what(incident))),
            lasted(incident),
            self.time(incident.began_at),
            wherefrom(incident),
        );
        text.push_str(&format!(" {}.", what_failed(incident)));
        let users = incident.users();
        if users > 0 {
            text.push_str(&format!(" About {users} people use it."));
        }
        text.push_str(&format!("\n\nNoticed {}", self.time(incident.opened_at)));
        for (word, at) in [
            ("taken on", incident.acknowledged_at),
            ("mended", incident.resolved_at),
            ("shown to be over", incident.verified_at),
        ] {
            if let Some(at) = at {
                text.push_str(&format!("; {word} {}", self.time(at)));
            }
        }
        text.push_str(".\n");
        text
    }

    fn impact(&self, review: &ReviewAnswer) -> String {
        let figures = &review.figures;
        let mut text = String::from("## Impact\n\n");
        if !review.are_final {
            text.push_str(
                "Figures are preliminary: runs that come late may still change them for some minutes.\n\n",
            );
        }
        let impact = |it: &ServiceFigures| review.incident.services.get(&it.service);
        let rows = figures.services.iter().map(|it| {
            let sites: Vec<&str> =
                impact(it).into_iter().flat_map(|it| &it.sites).map(String::as_str).collect();
            let users = impact(it).and_then(|it| it.users);
            vec![
                markdown(if it.title.is_empty() { &it.service } else { &it.title }),
                minutes(it, it.down_minutes),
                minutes(it, it.unknown_minutes),
                markdown(&named(&sites)),
                users.map_or_else(|| "–".to_owned(), |users| users.to_string()),
            ]
        });
        let heads = ["service", "down", "nobody knows", "failed from", "users"];
        text.push_str(&table(&heads, rows.collect::<Vec<_>>()));
        text.push_str(&format!("\n{}\n", runs(review)));
        let budgets: Vec<_> = figures.services.iter().flat_map(budgets).collect();
        if !budgets.is_empty() {
            let heads = ["service", "objective", "spent by this", "of the budget"];
            text.push_str(&format!("\n### Error budgets\n\n{}", table(&heads, budgets)));
        }
        text
    }

    fn timeline(&self, review: &ReviewAnswer) -> String {
        let rows = review.timeline.iter().map(|line| {
            let mut words = line.words.join("; ");
            if line.more > 0 {
                words.push_str(&format!("; and {} more", line.more));
            }
            let by = line.by.as_deref().unwrap_or_default();
            vec![self.time(line.at), markdown(&line.what), markdown(&words), markdown(by)]
        });
        let mut text = format!("## Timeline\n\n{}", table(&["when", "what", "", "by"], rows));
        if review.more_lines > 0 {
            text.push_str(&format!("\n{} more lines are left out.\n", review.more_lines));
        }
        text
    }

    fn notices(&self, review: &ReviewAnswer) -> String {
        if review.notices.is_empty() {
            return "## Messages to people\n\nNone is recorded.\n".to_owned();
        }
        let rows = review
            .notices
            .iter()
            .map(|told| vec![self.time(told.at), markdown(&told.channel), markdown(&told.what)]);
        format!("## Messages to people\n\n{}", table(&["when", "through", "what"], rows))
    }

    fn reviewed(&self, review: &ReviewAnswer) -> String {
        if review.reviewed.is_empty() {
            return "## Reviewed by\n\nNobody yet.\n".to_owned();
        }
        let lines = review.reviewed.iter().map(|it| {
            format!("- {}, {}: {}\n", markdown(&it.by), self.time(it.at), markdown(&it.note))
        });
        format!("## Reviewed by\n\n{}", lines.collect::<String>())
    }
}

/// Whether any of a service's minutes was counted; they are made some minutes after they were.
fn is_counted(service: &ServiceFigures) -> bool {
    [service.up_minutes, service.down_minutes, service.unknown_minutes].iter().any(|it| *it > 0)
}

fn minutes(service: &ServiceFigures, minutes: u64) -> String {
    if is_counted(service) { format!("{minutes} min") } else { "–".to_owned() }
}

fn ran(ran: &Ran) -> String {
    let all = ran.pass.saturating_add(ran.fail).saturating_add(ran.void);
    let void = match ran.void {
        0 => String::new(),
        void => format!(", {void} could not be judged"),
    };
    format!("{} of {all} failed{void}", ran.fail)
}

fn runs(review: &ReviewAnswer) -> String {
    let figures = &review.figures;
    let within =
        if figures.is_by_hour { "in the hours in which it lasted" } else { "while it lasted" };
    let mut text = format!("Runs {within}: {}.", ran(&figures.runs));
    if figures.round_trips != Ran::default() {
        text.push_str(&format!(" Of those, round trips: {}.", ran(&figures.round_trips)));
    }
    let of_site = figures.sites.iter().map(|it| {
        let site = if it.site.is_empty() { "all other sites" } else { &it.site };
        format!("{}: {}", markdown(site), ran(&it.runs))
    });
    let of_sites = of_site.collect::<Vec<_>>().join("; ");
    if !of_sites.is_empty() {
        text.push_str(&format!(" By site: {of_sites}."));
    }
    text
}

fn budgets(service: &ServiceFigures) -> Vec<Vec<String>> {
    let called = if service.title.is_empty() { &service.service } else { &service.title };
    let is_known = |it: &Spent| it.unit != "minutes" || is_counted(service);
    let row = |it: &Spent| {
        vec![
            markdown(called),
            markdown(&format!("{} {}, {}", it.objective, it.target, it.window)),
            if is_known(it) { format!("{} {}", it.spent, it.unit) } else { "–".to_owned() },
            if is_known(it) { share(it) } else { "not counted yet".to_owned() },
        ]
    };
    service.budgets.iter().map(row).collect()
}

/// How much of a budget that is, in whole per cent, rounded up: what was spent is never told as nothing.
fn share(spent: &Spent) -> String {
    let of = format!("of {} {}", spent.allowed, spent.unit);
    match spent.spent.saturating_mul(100).checked_div(spent.allowed) {
        None if spent.spent == 0 => of,
        None => format!("more than all, {of}"),
        Some(_) => {
            let percent = spent.spent.saturating_mul(100).div_ceil(spent.allowed.max(1));
            format!("{percent} % {of}")
        }
    }
}

fn diagnosis(review: &ReviewAnswer) -> String {
    let mut text = String::from("## Diagnosis and evidence\n\n");
    for Sentence { words, evidence } in &review.diagnosis.sentences {
        text.push_str(&format!("- {}\n", markdown(words)));
        for evidence in evidence {
            text.push_str(&format!("    - {}\n", markdown(evidence)));
        }
    }
    text
}

fn lessons(review: &ReviewAnswer) -> String {
    let list = |all: &[String]| -> String {
        let lines = all.iter().map(|line| format!("- {}\n", markdown(line)));
        lines.chain([FILL_IN.to_owned()]).collect()
    };
    format!(
        "## What went well\n\n{}\n## What to improve\n\n{}",
        list(&review.lessons.went_well),
        list(&review.lessons.to_improve)
    )
}

fn actions(review: &ReviewAnswer) -> String {
    let number = review.incident.number;
    if review.actions.is_empty() {
        return format!(
            "## Action items\n\nNone yet: `mailsonde-collector actions add {number} --title … --owner … --due …`\n"
        );
    }
    let rows = review.actions.iter().map(|it| {
        vec![
            format!("A{}", it.number),
            markdown(&it.title),
            markdown(&it.owner),
            it.due.to_string(),
            progress(it),
        ]
    });
    format!("## Action items\n\n{}", table(&["", "what", "who", "by", "state"], rows))
}

fn progress(item: &ActionItemAnswer) -> String {
    let last = item.steps.last().filter(|_| item.progress != Progress::Open);
    match last {
        Some(last) if !last.note.is_empty() => {
            format!("{}: {}", item.progress.as_str(), markdown(&last.note))
        }
        _ => item.progress.as_str().to_owned(),
    }
}

/// With a capital letter at the beginning.
fn capital(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().into_iter().flat_map(char::to_uppercase);
    first.chain(rest).collect()
}
