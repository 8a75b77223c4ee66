//! `services`: what people care about: is it up, from where not.

use super::terminal::{Terminal, Tone, cell, lines, printable, say, words};
use super::{Ending, Setting, client};
use crate::api::path;
use crate::judge::definition::Voiced;
use crate::query::{ServiceAnswer, ServicesAnswer};

/// Sites that are named in one line.
const NAMED: usize = 4;

pub(super) async fn run(setting: &Setting) -> anyhow::Result<Ending> {
    let answer = client::ask::<ServicesAnswer>(&setting.collector, path::SERVICES).await?;
    let text = if setting.json {
        format!("{}\n", answer.raw)
    } else {
        shown(&answer.value, &setting.terminal)
    };
    say(&text)?;
    Ok(Ending::Done)
}

fn shown(answer: &ServicesAnswer, terminal: &Terminal) -> String {
    if answer.services.is_empty() {
        return "there are no services: agents run no checks yet\n".to_owned();
    }
    let heads = ["service", "state", "sites", "not up from", "down when", "incidents", "owner"];
    let mut table = terminal.table(heads);
    for service in &answer.services {
        table.add_row([
            words(named(service)),
            cell(tone(service.state), service.state.as_str()),
            words(sites(service)),
            words(not_up(service)),
            words(down_when(service)),
            words(incidents(service)),
            words(&service.owner),
        ]);
    }
    let mut text = lines(&table);
    if !answer.are_defined {
        text.push_str(
            "\nno services are defined: each check is one; write services.d/*.toml and `config apply`\n",
        );
    }
    text
}

fn named(service: &ServiceAnswer) -> String {
    match service.title == service.name {
        true => service.name.clone(),
        false => format!("{} ({})", service.title, service.name),
    }
}

fn tone(state: Voiced) -> Tone {
    match state {
        Voiced::Up => Tone::Good,
        Voiced::Down => Tone::Bad,
        Voiced::Unknown => Tone::Doubtful,
    }
}

fn sites(service: &ServiceAnswer) -> String {
    let up = service.sites.iter().filter(|site| site.state == Voiced::Up).count();
    format!("{up} of {}", service.sites.len())
}

fn not_up(service: &ServiceAnswer) -> String {
    let not_up: Vec<String> = (service.sites.iter())
        .filter(|site| site.state != Voiced::Up)
        .map(|site| match site.state {
            Voiced::Unknown => format!("{} (unknown)", printable(&site.site)),
            _ => printable(&site.site),
        })
        .collect();
    let more = not_up.len().saturating_sub(NAMED);
    let mut text = not_up.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

fn down_when(service: &ServiceAnswer) -> String {
    match service.down_when.as_str() {
        "any" => "any fails".to_owned(),
        "all" => "all fail".to_owned(),
        some => format!("{some} fail"),
    }
}

fn incidents(service: &ServiceAnswer) -> String {
    let numbers: Vec<String> =
        service.incidents.iter().map(|number| format!("#{number}")).collect();
    numbers.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::plain;
    use crate::query::SiteAnswer;

    #[test]
    fn a_service_is_a_line() {
        let site = |site: &str, state| SiteAnswer {
            site: site.into(),
            state,
            not_up: vec![],
            checks: vec![],
        };
        let service = ServiceAnswer {
            name: "mail-durban".into(),
            title: "Mail in Durban".into(),
            description: String::new(),
            owner: "ann".into(),
            state: Voiced::Down,
            down_when: "half".into(),
            sites: vec![site("a", Voiced::Up), site("b", Voiced::Down), site("c", Voiced::Unknown)],
            depends_on: vec![],
            users: Some(12),
            incidents: vec![3, 7],
        };
        let answer = ServicesAnswer {
            now: "2026-11-23T14:14:00Z".parse().unwrap(),
            are_defined: false,
            services: vec![service],
        };
        insta::assert_snapshot!(shown(&answer, &plain(120)), @r"
        service                       state  sites   not up from     down when  incidents  owner
        Mail in Durban (mail-durban)  down   1 of 3  b, c (unknown)  half fail  #3 #7      ann

        no services are defined: each check is one; write services.d/*.toml and `config apply`
        ");
    }
}
