//! `health`: whether the collector does its work, and how it goes with those who watch it and whom it watches.

use jiff::Timestamp;

use super::figures::{UNKNOWN, since, time_to_the_second};
use super::terminal::{Terminal, Tone, cell, lines, printable, say, words};
use super::{Ending, Setting, client};
use crate::api::path;
use crate::vendors::{VendorAnswer, VendorState};
use crate::watched::{HealthAnswer, HeartbeatAnswer, PeerAnswer, PeerState};

#[derive(Debug, clap::Args)]
pub(super) struct HealthArguments {
    /// Exit with 1 only when the collector itself is not healthy, whatever is beside it: for what restarts it
    #[arg(long)]
    own: bool,
}

pub(super) async fn run(setting: &Setting, arguments: &HealthArguments) -> anyhow::Result<Ending> {
    let answer = client::ask::<HealthAnswer>(&setting.collector, path::HEALTH).await?;
    let text = match setting.json {
        true => format!("{}\n", answer.raw),
        false => shown(&answer.value, &setting.terminal),
    };
    say(&text)?;
    Ok(if is_well(&answer.value, arguments.own) { Ending::Done } else { Ending::Failing })
}

/// Another collector that is away is no reason to restart this one.
fn is_well(answer: &HealthAnswer, own: bool) -> bool {
    if own { answer.healthy } else { answer.is_all_well() }
}

fn shown(answer: &HealthAnswer, terminal: &Terminal) -> String {
    let HealthAnswer { now, healthy, parts, heartbeats, peers, vendors } = answer;
    let head = match healthy {
        true => terminal.paint(Tone::Good, "healthy"),
        false => terminal.paint(Tone::Bad, "not healthy"),
    };
    let mut table = terminal.table(["part", "", "how it is"]);
    for part in parts {
        let state = if part.healthy { cell(Tone::Good, "ok") } else { cell(Tone::Bad, "trouble") };
        table.add_row([words(&part.part), state, words(printable(&part.words))]);
    }
    let mut text = format!("{head}\n\n{}", lines(&table));
    let at = |at: Option<Timestamp>| {
        at.map_or_else(|| UNKNOWN.to_owned(), |at| time_to_the_second(at, *now, &terminal.zone))
    };
    if !heartbeats.is_empty() {
        let mut table = terminal.table(["heartbeat", "", "last taken", "said", "answer"]);
        for heartbeat in heartbeats {
            table.add_row([
                words(&heartbeat.name),
                of_heartbeat(heartbeat, *now, terminal),
                words(at(heartbeat.last_sent_at)),
                words(heartbeat.last_said.clone().unwrap_or_else(|| UNKNOWN.to_owned())),
                words(printable(&heartbeat.words)),
            ]);
        }
        text.push_str(&format!("\n{}", lines(&table)));
    }
    if !peers.is_empty() {
        let mut table = terminal.table(["collector", "", "last healthy", "instead"]);
        for peer in peers {
            let PeerAnswer { name, healthy_at, words: instead, .. } = peer;
            table.add_row([
                words(name),
                of_peer(peer),
                words(at(*healthy_at)),
                words(printable(instead)),
            ]);
        }
        text.push_str(&format!("\n{}", lines(&table)));
    }
    if !vendors.vendors.is_empty() {
        let mut table = terminal.table(["vendor", "", "last read", "why not"]);
        for vendor in &vendors.vendors {
            table.add_row([
                words(&vendor.name),
                of_vendor(vendor, *now, terminal),
                words(at(vendor.read_at)),
                words(printable(vendor.error.as_deref().unwrap_or_default())),
            ]);
        }
        text.push_str(&format!("\n{}", lines(&table)));
    }
    text
}

fn of_heartbeat(
    heartbeat: &HeartbeatAnswer,
    now: Timestamp,
    terminal: &Terminal,
) -> comfy_table::Cell {
    match (heartbeat.failing_since, heartbeat.last_sent_at) {
        (Some(at), _) => {
            cell(Tone::Bad, format!("not taken since {}", since(at, now, &terminal.zone)))
        }
        (None, Some(_)) => cell(Tone::Good, "ok"),
        (None, None) => cell(Tone::Doubtful, "none sent yet"),
    }
}

fn of_peer(peer: &PeerAnswer) -> comfy_table::Cell {
    let tone = match peer.state {
        PeerState::Healthy => Tone::Good,
        PeerState::Unknown | PeerState::Late => Tone::Doubtful,
        PeerState::Silent => Tone::Bad,
    };
    cell(tone, peer.state.as_str())
}

fn of_vendor(vendor: &VendorAnswer, now: Timestamp, terminal: &Terminal) -> comfy_table::Cell {
    match vendor.failing_since {
        Some(at) => {
            cell(Tone::Doubtful, format!("not read since {}", since(at, now, &terminal.zone)))
        }
        None if vendor.state == VendorState::Trouble => cell(Tone::Doubtful, "tells of trouble"),
        None if vendor.read_at.is_none() => cell(Tone::Doubtful, "not read yet"),
        None => cell(Tone::Good, "ok"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::plain;
    use crate::vendors::VendorsAnswer;
    use crate::watched::PartAnswer;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn answer() -> HealthAnswer {
        let part = |part: &str, healthy, words: &str| PartAnswer {
            part: part.into(),
            healthy,
            words: words.into(),
        };
        let heartbeat = HeartbeatAnswer {
            name: "healthchecks".into(),
            kind: "healthchecks".into(),
            last_sent_at: Some(at("2026-11-29T14:13:31Z")),
            last_said: Some("unhealthy".into()),
            failing_since: None,
            words: "200 OK".into(),
        };
        let robot = HeartbeatAnswer {
            name: "robot".into(),
            last_said: Some("healthy".into()),
            last_sent_at: Some(at("2026-11-29T13:59:31Z")),
            failing_since: Some(at("2026-11-29T14:00:31Z")),
            words: "cannot connect: connection refused".into(),
            ..heartbeat.clone()
        };
        let peer = PeerAnswer {
            name: "cape".into(),
            state: PeerState::Silent,
            healthy_at: None,
            words: "no answer within 15 s".into(),
        };
        let google = VendorAnswer {
            name: "google".into(),
            kind: "google-workspace".into(),
            state: VendorState::Trouble,
            services: vec![],
            read_at: Some(at("2026-11-29T14:12:00Z")),
            failing_since: None,
            error: None,
            trouble: vec![],
        };
        let microsoft = VendorAnswer {
            name: "microsoft365".into(),
            failing_since: Some(at("2026-11-29T13:00:00Z")),
            error: Some("signing in: it answers 401".into()),
            ..google.clone()
        };
        let now = at("2026-11-29T14:14:00Z");
        HealthAnswer {
            now,
            healthy: false,
            parts: vec![
                part("journal", false, "cannot be written: no space left on device"),
                part("pipeline", true, "has read everything"),
            ],
            heartbeats: vec![heartbeat, robot],
            peers: vec![peer],
            vendors: VendorsAnswer { now, vendors: vec![google, microsoft] },
        }
    }

    #[test]
    fn everything_is_told_and_what_is_wrong_first_of_all() {
        let mut answer = answer();
        insta::assert_snapshot!(shown(&answer, &plain(120)), @r"
        not healthy

        part               how it is
        journal   trouble  cannot be written: no space left on device
        pipeline  ok       has read everything

        heartbeat                                     last taken  said       answer
        healthchecks  ok                              14:13:31    unhealthy  200 OK
        robot         not taken since 14:00 (13 min)  13:59:31    healthy    cannot connect: connection refused

        collector          last healthy  instead
        cape       silent  –             no answer within 15 s

        vendor                                       last read  why not
        google        tells of trouble               14:12:00
        microsoft365  not read since 13:00 (74 min)  14:12:00   signing in: it answers 401
        ");
        assert!(!answer.is_all_well());
        let healthy = HealthAnswer { healthy: true, ..answer.clone() };
        assert_eq!((is_well(&healthy, false), is_well(&healthy, true)), (false, true));
        assert!(!is_well(&answer, true));
        let json = serde_json::to_string(&answer).unwrap();
        assert_eq!(serde_json::from_str::<HealthAnswer>(&json).unwrap(), answer);
        answer.healthy = true;
        (answer.heartbeats, answer.peers, answer.vendors.vendors) = (vec![], vec![], vec![]);
        assert!(answer.is_all_well());
        assert!(shown(&answer, &plain(120)).starts_with("healthy\n\npart "));
    }
}
