//! The whole of an outage as people live it: told, passed on, taken on by a link, told how it goes on, mended, shown to
//! be over, looked back at. The document at the end is for a person to read.

use super::crashes::{minute, second, write_with};
use super::*;
use crate::judge::action::Action;
use crate::judge::definition::{Definitions, Service};
use crate::judge::draft::Audience;
use crate::judge::followup::{FollowUpAction, FollowUpPlan};
use crate::judge::incident::{IncidentAction, Severity};
use crate::judge::routing::{Recipients, Route, Step};
use crate::judge::telling::{Fate, Notified, Waiting};
use crate::review::markdown;

fn to(channel: &str) -> Recipients {
    Recipients { channels: vec![channel.to_owned()], on_call: Vec::new() }
}

fn definitions() -> Definitions {
    let step = Step { after_s: 120, to: to("head"), repeat_s: None, times: 0 };
    let route = Route {
        name: "mail".into(),
        services: vec!["*".into()],
        on: "*".into(),
        severity: Severity::Minor,
        hours: None,
        to: to("ops"),
        audience: Audience::Technical,
        updates_s: Some(300),
        steps: vec![step],
    };
    let mail = Service {
        name: "mail-durban".into(),
        title: "Mail in Durban".into(),
        users: Some(120),
        ..Service::of_check("mail", "round-trip")
    };
    Definitions {
        time_zone: Some("Africa/Johannesburg".into()),
        services: vec![mail],
        routes: vec![route],
        ..Definitions::default()
    }
}

/// What is said, and when its channel took it.
const TOLD: [(u32, &str); 10] = [
    (20, "1-1-ops"),
    (22, "1-1-head"),
    (24, "1-2-ops"),
    (24, "1-2-head"),
    (30, "1-3-ops"),
    (30, "1-3-head"),
    (35, "1-4-ops"),
    (35, "1-4-head"),
    (36, "1-5-ops"),
    (36, "1-5-head"),
];

fn also(minutes: u32, control: &ControlJournal) {
    if minutes == 0 {
        let services = Control::Services(definitions());
        control.decide(minute(0), author(), |_| Ok((services, ()))).unwrap();
    }
    for (_, id) in TOLD.iter().filter(|(at, _)| *at == minutes) {
        let fate = Fate::Sent { handle: None, is_confirmed: true, said: "ok".into() };
        let notified = Notified { id: (*id).into(), fate, attempts: 1, instead: None };
        control.append(second(minutes, 55), Control::Notified(notified)).unwrap();
    }
    let act = |action| {
        control.decide(second(minutes, 58), author(), |_| Ok((action, ()))).unwrap();
    };
    match minutes {
        50 => {
            let plan = FollowUpPlan {
                incident: 1,
                title: "Renew the service password before it ends".into(),
                owner: "Ann".into(),
                due: "2026-10-12".parse().unwrap(),
                by: "ann".into(),
            };
            act(Control::Acted(Action::FollowUp(FollowUpAction::Added(plan))));
        }
        55 => {
            let (incident, security) = (1, Some(false));
            let note = "a password that ends must be told of a week before".into();
            act(Control::Acted(Action::Incident(IncidentAction::Review {
                incident,
                note,
                security,
            })));
        }
        _ => {}
    }
}

#[tokio::test]
async fn an_outage_from_its_first_message_to_its_review() {
    let folder = tempfile::tempdir().unwrap();
    write_with(folder.path(), &also).await;
    let mut opened = opened(folder.path(), &folder.path().join("views"));
    let mut said: Vec<String> = Vec::new();
    let mut known = std::collections::BTreeSet::new();
    while opened.pipeline.read().unwrap() {
        for Waiting { notice, .. } in opened.pipeline.rollups.pending_notices() {
            if known.insert(notice.message.id.clone()) {
                let at = notice.not_before.strftime("%H:%M:%S");
                let (channel, message) = (&notice.channel, &notice.message);
                let occasion = message.occasion.as_str();
                said.push(format!("{at} {channel}: {occasion}: {}\n", message.title));
            }
        }
    }
    insta::assert_snapshot!(said.concat(), @"");
    assert_eq!(known, TOLD.iter().map(|(_, id)| (*id).to_owned()).collect());
    opened.pipeline.maintain().unwrap();
    opened.pipeline.rollups.make_all_slots().unwrap();
    let told = opened.query.told_of(1).unwrap();
    let review = opened.query.review(1, told).unwrap();
    insta::assert_snapshot!(markdown(&review), @"");
    opened.killed();
}
